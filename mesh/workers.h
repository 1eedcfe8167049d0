/* workers.h: threads that run jobs. A job owns what it touches; all that is shared are the two queues here. */
#ifndef KMD_WORKERS_H
#define KMD_WORKERS_H

#include <stdint.h>
#include "node/step.h"

struct kmd_workers;

/* nice: of the worker threads, which also are SCHED_BATCH. WHY: presigning in the background must not delay a signature. One thread
 * more does the patient jobs. */
int kmd_workers_new(struct kmd_workers **out, unsigned threads, unsigned nice_value) KM_MUST;
/* Lends the job to a thread until kmd_workers_take gives it back. KM_E_NOMEM: it was not taken. */
int kmd_workers_submit(struct kmd_workers *w, struct km_job *job, uint64_t token) KM_MUST;
/* Becomes readable when a job is done. */
int kmd_workers_fd(const struct kmd_workers *w);
/* The next job that is done, NULL when there is none now. */
struct km_job *kmd_workers_take(struct kmd_workers *w, uint64_t *token);
/* Jobs not yet given back. */
unsigned kmd_workers_pending(struct kmd_workers *w);
/* No new work begins; waits for what is running. What never ran is given back by kmd_workers_take with err = KM_E_STATE. */
void kmd_workers_stop(struct kmd_workers *w);
void kmd_workers_free(struct kmd_workers *w);

#endif
