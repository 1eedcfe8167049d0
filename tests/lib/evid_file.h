/* evid_file.h: for tests: what a stranger with nothing but the file finds in an evidence file. */
#ifndef KM_TEST_EVID_FILE_H
#define KM_TEST_EVID_FILE_H

#include <stdlib.h>
#include <string.h>
#include "proto/evidence.h"

/* The culprit, 0 when it proves nothing; *why of the verdict. */
static inline unsigned evid_file_culprit(const uint8_t *p, size_t n, const char **why)
{
	struct km_evidence_file *f = calloc(1, sizeof(*f));
	uint8_t ids[KM_MAX_PEERS + 1][KM_IDKEY_SIZE] = { { 0 } };
	struct km_judge j = { .idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])ids };
	struct km_verdict v = { .why = "no evidence file" };

	if (f && km_evidence_file_get(f, p, n) == KM_OK) {
		for (unsigned i = 0; i < f->n_peers; i++)
			memcpy(ids[f->peer[i].id], f->peer[i].identity, KM_IDKEY_SIZE);
		j.table = f->has_table ? &f->table : NULL;
		j.roster = f->has_table ? NULL : f->roster;
		if (km_evidence_judge(f->ev, f->len, &j, &v))
			v.culprit = 0;
	}
	free(f);
	*why = v.why;
	return v.culprit;
}

#endif
