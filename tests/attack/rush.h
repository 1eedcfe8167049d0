/* rush.h: a corrupt member of a presign run: its real machine, but what a job made is changed before it is signed, and a message
 * can be held back until those of everybody else are in. */
#ifndef KM_ATTACK_RUSH_H
#define KM_ATTACK_RUSH_H

#include "../lib/dealer.h"
#include "proto/presign_impl.h"

/* Called when the job is done, before its message is signed: s->body (and s->deal after KM_JOB_DEAL) may be changed, and
 * whatever of the own state follows from it. */
typedef void (*rush_fn)(void *ctx, struct km_presign *s);

struct rush {
	struct km_machine_ops ops;   /* first: found again by the machine's ops */
	const struct km_machine_ops *honest;
	unsigned hold;               /* job whose message waits for everybody else's, 0 for none */
	struct km_job job;           /* held */
	rush_fn change[KM_JOB_LAST + 1];
	void *ctx;
};

/* Makes the machine of this peer corrupt. Set hold, change and ctx before or after. */
void rush_attach(struct rush *r, struct km_machine *m);
/* Runs to the end; a held message goes out when nothing else moves. */
void rush_run(struct group *g);

/* Whether m holds an OK of this peer (and not a FAIL). */
int rush_said_ok(const struct km_machine *m, unsigned peer);
/* The evidence by which this party convicted last is of this kind, or what everybody opened after another one found it. */
int rush_evidence(const struct net_party *p, int kind);
/* Tables for attackers that compute. All public scalars. */
/* Coefficient of the value at `at` (0 or one of set) for the value at x of the polynomial through 0 and the points of set. */
void rush_lagrange0(const struct km_curve *c, struct km_scalar *r, uint32_t set, unsigned at, unsigned x);
/* What one sees: a secret as a number. */
struct km_scalar rush_see(const struct km_secret *x);
/* w (which = 0) or delta (1) of an index as opened in M3. */
void rush_opened(const struct km_presign *s, unsigned l, unsigned which, struct km_scalar *out);
/* The share of it in one participant's M3, to be read or changed. */
uint8_t *rush_m3_share(const struct km_presign *s, uint8_t *body, unsigned l, unsigned which);
/* Makes the proof of all V in the own C3 body new, after s->v and the rows have changed. */
void rush_prove_v(struct km_presign *s);
/* Row of own position o in the own C3 body: A' | C' | V | U | z. */
uint8_t *rush_c3_row(const struct km_presign *s, unsigned o);

#endif
