/* sim_alloc.h: memory of the nodes in a swarm: whose a block is, refusals at chosen moments, and what was never given back.
 * Linked by --wrap: malloc and its kin, and the secret arena, which would cost a swarm its time in system calls. */
#ifndef KM_SIM_ALLOC_H
#define KM_SIM_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* Until leave every allocation belongs to owner. *left counts them down; the one that makes it 0 is refused, and `more` after it.
 * NULL: none is refused. */
void sim_alloc_enter(unsigned owner, uint64_t *left, unsigned more);
/* Refusals since enter. */
unsigned sim_alloc_leave(void);
/* Memory that is none of the node's: neither counted nor refused. Nests. */
void sim_alloc_pause(void);
void sim_alloc_resume(void);

/* Blocks that are out, of everybody; with their bytes. */
size_t sim_alloc_out(size_t *bytes);
/* Calls fn for every block of the owner that is out. */
void sim_alloc_each(unsigned owner, void (*fn)(void *ctx, const uint8_t *p, size_t n), void *ctx);

#endif
