#!/bin/sh
# Seeds that once found a bug.
exec "$top_builddir/tests/sim/sim" --list "$top_srcdir/tests/sim/regressions"
