/* replay.h: who made a presign run fail: the judge of opened runs (protocol section 6, messages section 7).
 *
 * Every participant that had not PASSED has opened its run: FAIL or OPEN, which show its seed and the signed header of every message
 * that it received. A participant is a deterministic machine of its seed and of what it received, so the whole run is made anew
 * from the seeds alone, with the machines' own jobs, and what was signed is compared with what should have been.
 *
 * Pure, and the same for a participant and for a judge offline. Heavy: to be run as a job. One body of a run in memory at a time:
 * engine any at T = 3, B = 256 takes about 1.5 s and 40 MB, beside 50 kB for each participant and partner. */
#ifndef KM_PROTO_REPLAY_H
#define KM_PROTO_REPLAY_H

#include "open.h"
#include "presign.h"

/* What the sid of the run fixes. */
struct km_replay_run {
	const struct km_curve *curve;
	unsigned engine;                         /* enum km_presign_engine */
	unsigned threshold;                      /* T */
	uint8_t sid[KM_HASH_SIZE];
	uint32_t participants;
	unsigned batch;
	const struct km_presign_row *rows;       /* batch of them */
	const uint8_t (*idkeys)[KM_IDKEY_SIZE];  /* of the participants, by peer id */
};

struct km_replay_verdict {
	uint32_t culprits;   /* proved: sound for whatever subset of the openings is shown, by whomever */
	uint32_t silent;     /* participants without a FAIL or OPEN among `opened`: to be suspected, never convicted */
	unsigned round;      /* on the wire, of what the culprits signed; 0 where there is none */
	const char *why;     /* static, a clause for people: what was proved, or why nothing */
};

/* A judgement that was made here: of what, and what it said. */
struct km_replay_memo {
	int have;
	uint8_t input[KM_HASH_SIZE];     /* over everything that a judgement depends on */
	struct km_replay_verdict verdict;
};

/* opened: n FAIL and OPEN envelopes, whole (raw and body), in any order. What is not of this run, not signed by its sender or not of
 * the right shape does not count. KM_OK with *v; KM_E_NOMEM; KM_E_INVAL for a run that could not exist. */
int km_replay_judge(const struct km_replay_run *run, const struct km_msg *const *opened, unsigned n, struct km_replay_verdict *v) KM_MUST;
/* The same; what the memo has of these very bytes is not computed again, and what is computed is left there. WHY the memo: a
 * participant has replayed the run itself before it judges the evidence of it. */
int km_replay_judge_once(const struct km_replay_run *run, const struct km_msg *const *opened, unsigned n, struct km_replay_memo *memo) KM_MUST;

/* Evidence of kind KM_EV_OPENED has these items: BYTES, one byte: the accused (a run may have several culprits, each gets evidence of
 * its own); then WHOLE, all FAIL and OPEN envelopes held, FAILs first, by sender. It is void unless the accused is among
 * v->culprits. */

#endif
