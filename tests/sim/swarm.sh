#!/bin/sh
# The swarm of `make check`. KM_SIM_SEEDS=A-B runs others.
exec "$top_builddir/tests/sim/sim" --seeds "${KM_SIM_SEEDS:-1-2000}" ${KM_SIM_JOBS:+--jobs "$KM_SIM_JOBS"}
