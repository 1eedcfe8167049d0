/* roster.h: the list of peers of a roster.conf, for tools that need no more of a configuration. */
#ifndef KMD_ROSTER_H
#define KMD_ROSTER_H

#include "mesh/fail.h"
#include "node/settings.h"

/* The list `peers` of roster.conf, or of a keymesh.conf that includes it; nothing else of the file matters. KM_E_IO, KM_E_CONFIG. */
int kmd_roster_read(struct km_roster *r, const char *path, struct kmd_fail *f) KM_MUST;
/* The id of a name, or of a number; 0: none. */
unsigned kmd_roster_find(const struct km_roster *r, const char *name);

#endif
