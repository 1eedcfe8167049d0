/* rollback.h: a disk that went back in time (a snapshot, an image, a restored copy) is seen by a counter that lies elsewhere.
 *
 * The counter goes up at each start and with each share that is stored or removed, first sealed in the state, then in the file state_counter,
 * "keymesh-counter IDENTITY NUMBER": a state that is behind the file is older than it was. */
#ifndef KMD_ROLLBACK_H
#define KMD_ROLLBACK_H

#include "mesh/conf.h"
#include "mesh/fail.h"
#include "mesh/store.h"

/* The name of the sealed one. */
#define KMD_ROLLBACK_NAME "counter"

/* At a start. KM_E_STALE: the state is older than the file; KM_E_ENCODING: the file is none, or another peer's. Without state_counter in the
 * configuration: nothing. *warn: the file was behind, or was missing. */
int kmd_rollback_start(struct kmd_store *s, const struct kmd_config *c, int *warn, struct kmd_fail *f) KM_MUST;
/* The state has changed in a way that must not come back. */
int kmd_rollback_count(struct kmd_store *s, const struct kmd_config *c, struct kmd_fail *f) KM_MUST;
/* The operator has put this state here and means it. */
int kmd_rollback_accept(struct kmd_store *s, const struct kmd_config *c, struct kmd_fail *f) KM_MUST;

#endif
