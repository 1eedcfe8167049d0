/* quick.c: what the simulator's memory of costly functions (tests/sim/sim_memo.c) asks of its allocator. Here the sanitizer's is used. */
#include "tests/sim/sim_alloc.h"

void sim_alloc_pause(void) {}
void sim_alloc_resume(void) {}
