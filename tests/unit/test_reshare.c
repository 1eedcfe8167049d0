/* The reshare run: refresh, other committees, other thresholds, recovery; and corrupt participants of every kind, who are named, and only
 * they. */
#include "tests/lib/test.h"
#include "tests/lib/reshare_help.h"
#include "proto/evidence.h"

static const struct km_curve *curve;

/* Every participant is done and believes in one table; members of J hold shares of it, others nothing. */
static void check_done(struct rsh *r)
{
	const struct km_table *old = &r->old->table;
	uint8_t hash[KM_HASH_SIZE];
	struct km_share file, none;
	struct km_table t;

	for (unsigned i = km_set_next(r->d.set, 0); i; i = km_set_next(r->d.set, i)) {
		struct net_party *party = dkg_party(&r->d, i);

		assert_true(party->done && !party->dropped && !party->convicted && !party->disputed && !party->err);
		assert_int_equal(km_reshare_table(r->d.m[i], &t), KM_OK);
		if (i != km_set_next(r->d.set, 0))
			assert_memory_equal(t.hash, hash, KM_HASH_SIZE);
		memcpy(hash, t.hash, KM_HASH_SIZE);
		assert_memory_equal(t.key_id, old->key_id, KM_HASH_SIZE);
		assert_string_equal(t.name, old->name);
		assert_true(km_point_equal_var(curve, &t.x, &old->x));
		assert_true(t.number == r->number && t.number > old->number);
		assert_memory_equal(t.sid, r->d.setup.sid, KM_HASH_SIZE);
		assert_int_equal(t.threshold, r->threshold);
		assert_int_equal(t.members, r->members);
		/* nothing but the share is left of what was secret */
		assert_null(km_dkg_state(r->d.m[i])->sec);
		assert_int_equal(km_dkg_take(r->d.m[i], &none), KM_E_STATE);
		if (!km_set_has(r->joiners, i)) {
			assert_null(party->persisted);
			assert_int_equal(km_reshare_take(r->d.m[i], &none), KM_E_STATE);
			continue;
		}
		assert_int_equal(km_share_decode(&file, party->persisted, party->persisted_len), KM_OK);
		assert_int_equal(file.usable, 0);
		assert_memory_equal(file.table.hash, hash, KM_HASH_SIZE);
		assert_int_equal(file.stored_len, KM_STORED_MAX);
	}
}

static void test_kinds(void **state)
{
	static const struct {
		unsigned n, t;                       /* old: 1..n */
		uint32_t q, j, members;
		unsigned new_t;
	} cases[] = {
		{ 5, 3, 0x07, 0x1f, 0x1f, 3 },       /* refresh */
		{ 5, 3, 0x15, 0x1f, 0x1f, 3 },
		{ 5, 3, 0x07, 0x7f, 0x7f, 3 },       /* 5 -> 7 */
		{ 7, 3, 0x61, 0x1f, 0x1f, 3 },       /* 7 -> 5, by dealers that leave */
		{ 7, 3, 0x07, 0x7f, 0x7f, 4 },       /* T 3 -> 4 */
		{ 7, 4, 0x0f, 0x7f, 0x7f, 3 },       /* T 4 -> 3 */
		{ 5, 3, 0x07, 0x1f, 0x1f, 5 },
		{ 5, 5, 0x1f, 0x1f, 0x1f, 2 },
		{ 5, 2, 0x18, 0x07, 0x1f, 2 },       /* members outside J, among them both dealers */
		{ 4, 2, 0x03, 0x0f, 0x0f, 2 },       /* recovery of 4: in J, not in Q */
		{ 4, 3, 0x07, 0xf0, 0xf0, 3 },       /* nobody stays */
		{ 2, 2, 0x03, 0x03, 0x03, 2 },
		{ 3, 2, 0x06, 0x80000005, 0x80000005, 2 },
		{ 9, 5, 0x1f, 0x1ff, 0x1ff, 5 },
	};

	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		size_t before = km_secret_in_use();
		struct rsh_key key, next;
		struct rsh r;

		rsh_key_make(&key, 10 + k, curve, ((uint32_t)1 << cases[k].n) - 1, cases[k].t);
		rsh_init(&r, &key, k, cases[k].q, cases[k].j, cases[k].members, cases[k].new_t);
		dkg_run(&r.d, 0);
		check_done(&r);
		assert_int_equal(rsh_key_next(&next, &r), KM_OK);
		assert_int_equal(next.have, cases[k].j);
		/* who took its share has the only one */
		static const struct km_secret none;
		for (unsigned i = km_set_next(r.d.set, 0); i; i = km_set_next(r.d.set, i))
			assert_memory_equal(&km_dkg_state(r.d.m[i])->share->x_i, &none, sizeof(none));
		assert_true(rsh_key_holds(&next));
		/* what the promises of J make is a certificate */
		assert_int_equal(km_cert_verify(&next.cert, &next.table), KM_OK);
		/* no share is as it was */
		for (unsigned i = km_set_next(next.have, 0); i; i = km_set_next(next.have, i))
			assert_memory_not_equal(&next.x[i], &key.x[i], sizeof(next.x[i]));
		rsh_clear(&r);
		assert_int_equal(km_secret_in_use(), before);
	}
}

/* Refreshed over and over, with whoever was left out brought back: the key stays. */
static void test_chain(void **state)
{
	static const struct { uint32_t q, j, members; unsigned t; } step[] = {
		{ 0x03, 0x0e, 0x1f, 2 },   /* 1 and 5 silent in the new epoch */
		{ 0x0c, 0x1f, 0x1f, 2 },   /* both recovered */
		{ 0x11, 0x3f, 0x3f, 3 },   /* and 1 and 5 deal again; 6 joins */
		{ 0x29, 0x3f, 0x3f, 3 },
	};
	struct rsh_key key[5];

	rsh_key_make(&key[0], 77, curve, 0x1f, 2);
	for (size_t k = 0; k < 4; k++) {
		struct rsh r;

		rsh_init(&r, &key[k], 100 + k, step[k].q, step[k].j, step[k].members, step[k].t);
		dkg_run(&r.d, 0);
		check_done(&r);
		assert_int_equal(rsh_key_next(&key[k + 1], &r), KM_OK);
		rsh_clear(&r);
		assert_true(rsh_key_holds(&key[k + 1]));
		assert_true(key[k + 1].table.number > key[k].table.number);
	}
}

/* The result depends on seeds and the set of messages, never on the order of arrival. */
static void test_order(void **state)
{
	struct rsh_key key, next[2];
	struct rsh r;

	rsh_key_make(&key, 5, curve, 0x1f, 3);
	for (unsigned k = 0; k < 2; k++) {
		rsh_init(&r, &key, 9, 0x0b, 0x1f, 0x1f, 3);
		net_free(r.d.net);
		r.d.net = net_new(1000 + k);
		for (unsigned i = 1; i <= 5; i++)
			net_add(r.d.net, (uint8_t)i, r.d.m[i]);
		dkg_run(&r.d, 0);
		assert_int_equal(rsh_key_next(&next[k], &r), KM_OK);
		rsh_clear(&r);
	}
	assert_memory_equal(next[0].table.hash, next[1].table.hash, KM_HASH_SIZE);
	assert_memory_equal(next[0].x, next[1].x, sizeof(next[0].x));
}

/* ---- what no honest peer starts */

static int start(struct rsh *r, const struct km_reshare_params *p)
{
	struct km_machine *m;
	int err = km_reshare_new(&m, p);

	assert_true(!err == !!m);
	km_machine_free(m);
	return err;
}

static void test_params(void **state)
{
	struct rsh_key key;
	struct km_reshare_params p;
	struct km_secret wrong;
	struct km_table other;
	struct km_cert cert;
	struct rsh r;

	rsh_key_make(&key, 6, curve, 0x1f, 3);
	rsh_init(&r, &key, 6, 0x07, 0x3e, 0x3e, 3);
#define WITH(what, want)                                            \
	do {                                                        \
		rsh_params(&r, 2, &p);                              \
		what;                                               \
		assert_int_equal(start(&r, &p), want);              \
	} while (0)
	WITH((void)0, KM_OK);
	WITH(p.cert = NULL, KM_E_INVAL);
	WITH(p.old = NULL, KM_E_INVAL);
	WITH(p.x_i = NULL, KM_E_INVAL);
	WITH(p.machine.self = 6; net_identity(6, 6, &p.machine.id), KM_E_INVAL);  /* no dealer, but a share */
	WITH(p.machine.self = 7, KM_E_INVAL);
	WITH(p.machine.self = 3, KM_E_INVAL);                                      /* with 2's identity */
	WITH(p.machine.participants = 0x1f, KM_E_INVAL);
	WITH(p.dealers = 0x03, KM_E_RANGE);
	WITH(p.dealers = 0x0f, KM_E_RANGE);
	WITH(p.dealers = 0x26; p.machine.participants = 0x3e, KM_E_RANGE);         /* 6 holds no share */
	WITH(p.joiners = 0x3e; p.members = 0x3c, KM_E_RANGE);
	WITH(p.threshold = 1, KM_E_RANGE);
	WITH(p.threshold = 6, KM_E_RANGE);
	WITH(p.number = key.table.number, KM_E_RANGE);
	WITH(p.number = 0, KM_E_RANGE);
	wrong = key.x[3];
	WITH(p.x_i = &wrong, KM_E_MISMATCH);
	/* c: of six new members with T' = 3 five must take part, of five all */
	WITH(p.joiners = 0x3c; p.machine.participants = 0x3f, KM_E_RANGE);
	WITH(p.members = 0x7e, KM_OK);
	WITH(p.members = 0xfe; p.threshold = 4, KM_E_RANGE);
	/* one identity with two ids; of an old member that takes no part; another for an old member */
	WITH(memcpy(r.d.keys[6], r.d.keys[5], KM_IDKEY_SIZE), KM_E_EXISTS);
	WITH(memcpy(r.d.keys[6], r.d.keys[1], KM_IDKEY_SIZE), KM_E_EXISTS);
	WITH(memcpy(r.d.keys[4], r.d.keys[6], KM_IDKEY_SIZE), KM_E_MISMATCH);
	WITH(memset(r.d.keys[6], 0, KM_IDKEY_SIZE), KM_E_ENCODING);
	/* no certificate: none, one too few, one of another table */
	WITH(km_cert_init(&cert, KM_PROTO_DKG); p.cert = &cert, KM_E_VERIFY);
	WITH(cert = key.cert; cert.members &= ~1u; p.cert = &cert, KM_E_VERIFY);
	WITH(cert = key.cert; cert.stored[4][100] ^= 1; p.cert = &cert, KM_E_VERIFY);
	other = key.table;
	other.number--;
	assert_int_equal(km_table_finish(&other), KM_OK);
	WITH(p.old = &other, KM_E_VERIFY);
#undef WITH
	rsh_clear(&r);
}

/* The same by a proposal, as the node and a judge see it. */
static void test_possible(void **state)
{
	const uint8_t(*keys)[KM_IDKEY_SIZE];
	struct km_proposal pr;
	struct rsh_key key;
	struct rsh r;

	rsh_key_make(&key, 6, curve, 0x1f, 3);
	rsh_init(&r, &key, 6, 0x07, 0x3e, 0x3e, 3);
	keys = (const uint8_t(*)[KM_IDKEY_SIZE])r.d.keys;
#define WITH(what, want)                                                                  \
	do {                                                                              \
		pr = r.prop;                                                              \
		what;                                                                     \
		assert_int_equal(km_reshare_possible(&pr, &key.table, keys), want);       \
	} while (0)
#define AGREED km_setup_committee(pr.members, pr.threshold, keys, pr.committee)
	WITH((void)0, KM_OK);
	WITH(pr.purpose = KM_PURPOSE_DKG, KM_E_MISMATCH);
	WITH(pr.hash[0] ^= 1, KM_E_MISMATCH);
	WITH(pr.name[0] = 'x', KM_E_MISMATCH);
	WITH(pr.curve++, KM_E_MISMATCH);
	WITH(pr.committee[5] ^= 1, KM_E_MISMATCH);
	WITH(pr.threshold = 2, KM_E_MISMATCH);
	WITH(pr.threshold = 2; AGREED, KM_OK);
	WITH(pr.threshold = 6; AGREED, KM_E_RANGE);
	WITH(pr.members = 0x7e, KM_E_MISMATCH);
	WITH(pr.participants = 0x3e, KM_E_RANGE);
	WITH(pr.dealers = 0x03; pr.participants = 0x3f, KM_E_RANGE);
	WITH(pr.joiners = 0x1e; pr.participants = 0x1f, KM_E_RANGE);
#undef WITH
#undef AGREED
	rsh_clear(&r);
}

/* ---- corrupt participants: 2 deals and receives, 1 deals only, 5 receives only */

#define DEALER 2
#define LEAVES 1
#define COMES 5
#define NEW 6
#define Q 0x07
#define J 0x3e

static unsigned victim;

static uint8_t *row_of(struct km_dkg_state *st, unsigned j)
{
	struct km_shape s;

	km_dkg_dealing_shape(&st->group, st->m->self, &s);
	return st->g4 + s.head + (size_t)s.row * km_dkg_g4_row(st->group.over->receivers, st->m->self, j);
}

/* As a stranger judges it who has the roster and the old table. */
static void check_offline(const struct rsh *r, const struct net_party *p, unsigned evil)
{
	const uint8_t(*keys)[KM_IDKEY_SIZE] = (const uint8_t(*)[KM_IDKEY_SIZE])r->d.keys;
	uint8_t other[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct km_judge j = { .idkeys = keys, .table = &r->old->table };
	struct km_table table = r->old->table;
	struct km_verdict v;
	struct km_buf b;

	km_buf_init(&b);
	assert_int_equal(km_evidence_wrap(&b, p->evidence, p->evidence_len, table.hash, &r->d.setup.propose, r->d.setup.join, r->d.setup.n),
			 KM_OK);
	assert_int_equal(km_evidence_judge(b.data, b.len, &j, &v), KM_OK);
	assert_int_equal(v.culprit, evil);
	assert_int_equal(v.proto, KM_PROTO_RESHARE);
	assert_non_null(strstr(v.why, "in the reshare"));
	assert_memory_equal(v.sid, r->d.setup.sid, KM_HASH_SIZE);
	/* without the table, without the roster, with other people in it: nothing */
	j.table = NULL;
	assert_int_equal(km_evidence_judge(b.data, b.len, &j, &v), KM_OK);
	assert_int_equal(v.culprit, 0);
	j = (struct km_judge){ .table = &r->old->table };
	assert_int_equal(km_evidence_judge(b.data, b.len, &j, &v), KM_OK);
	assert_int_equal(v.culprit, 0);
	memcpy(other, r->d.keys, sizeof(other));
	memcpy(other[6], other[7], KM_IDKEY_SIZE);
	j.idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])other;
	assert_int_equal(km_evidence_judge(b.data, b.len, &j, &v), KM_OK);
	assert_int_equal(v.culprit, 0);
	/* a table with other shares under the old name would make an honest constant look wrong */
	j = (struct km_judge){ .idkeys = keys, .table = &table };
	table.xi[1] = table.xi[2];
	assert_int_equal(km_table_finish(&table), KM_OK);
	assert_int_equal(km_evidence_judge(b.data, b.len, &j, &v), KM_OK);
	assert_int_equal(v.culprit, 0);
	/* no byte of the set-up may be another */
	j.table = &r->old->table;
	for (size_t at = KM_EVIDENCE_HEAD; at < KM_EVIDENCE_HEAD + KM_MSG_HEAD + 300; at += 23) {
		b.data[at] ^= 1;
		assert_int_equal(km_evidence_judge(b.data, b.len, &j, &v), KM_OK);
		assert_int_equal(v.culprit, 0);
		b.data[at] ^= 1;
	}
	km_buf_clear(&b);
}

static void run_corrupt(unsigned evil, dkg_evil_fn before, dkg_evil_fn after, int kind)
{
	struct km_dkg_over over;
	struct km_dkg_group g;
	struct rsh_key key;
	unsigned culprit;
	struct rsh r;

	rsh_key_make(&key, 30, curve, 0x1f, 3);
	rsh_init(&r, &key, evil, Q, J, J, 3);
	dkg_corrupt(&r.d, evil, before, after);
	dkg_run(&r.d, 0);
	assert_true(dkg_all_convict(&r.d, km_set_bit(evil), kind));
	g = rsh_group(&r, &over);
	for (unsigned i = km_set_next(dkg_honest(&r.d), 0); i; i = km_set_next(dkg_honest(&r.d), i)) {
		struct net_party *p = dkg_party(&r.d, i);
		struct km_share s;

		assert_int_equal(km_dkg_convicted(r.d.m[i]), km_set_bit(evil));
		assert_int_equal(p->drop_code, KM_E_VERIFY);
		assert_null(p->persisted);
		assert_int_equal(km_reshare_take(r.d.m[i], &s), KM_E_STATE);
		assert_null(km_dkg_state(r.d.m[i])->sec);
		assert_null(km_dkg_state(r.d.m[i])->share);
		if (i == km_set_next(dkg_honest(&r.d), 0))
			check_offline(&r, p, evil);
		/* it proves to anybody who knows the group what it says, or nothing */
		for (uint8_t k = 0; k < 16; k++) {
			p->evidence[0] = k;
			assert_int_equal(km_dkg_judge_evidence(&g, p->evidence, p->evidence_len, &culprit), KM_OK);
			assert_int_equal(culprit, k == kind ? evil : 0);
		}
		p->evidence[0] = (uint8_t)kind;
		p->evidence[1 + 2 + 1 + KM_MSG_HEAD - 1] ^= 1;
		assert_int_equal(km_dkg_judge_evidence(&g, p->evidence, p->evidence_len, &culprit), KM_OK);
		assert_int_equal(culprit, 0);
	}
	rsh_clear(&r);
}

static void evil_garbled_row(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_SHARES)
		row_of(st, victim)[5] ^= 1;
}

static void evil_wrong_share(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	unsigned me = km_set_pos(st->group.participants, m->self), you = km_set_pos(st->group.participants, victim);
	struct km_dkg_link link = { m->self, victim, &st->open[me], &st->open[you] };
	uint8_t dh[KM_POINT_MAX];
	struct km_secret f;
	struct km_point dp;

	if (job != KM_DKG_JOB_SHARES)
		return;
	assert_int_equal(km_dkg_dh(&st->group, &st->sec->e, &st->open[you].e, &dp, dh), KM_OK);
	km_shamir_eval(curve, &f, st->sec->coef, st->group.threshold - 1, victim + 1);
	km_dkg_share_seal(&st->group, &link, dh, &f, row_of(st, victim));
}

static void test_bad_share(void **state)
{
	static const uint8_t dealers[] = { DEALER, LEAVES };

	for (size_t k = 0; k < 2; k++)
		for (victim = 3; victim <= 6; victim++) {
			run_corrupt(dealers[k], evil_garbled_row, NULL, KM_EV_COMPLAINT);
			run_corrupt(dealers[k], evil_wrong_share, NULL, KM_EV_COMPLAINT);
		}
}

/* Another constant term than lambda x_i, dealt and proved rightly: x_i itself, a random one, another dealer's. */
static unsigned constant;
static void evil_constant(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	struct km_scalar one;

	if (job != KM_DKG_JOB_DEAL)
		return;
	km_scalar_set_u32(&one, 1);
	if (constant == 0)
		km_secret_random(curve, &st->sec->coef[0], &st->sec->rng);
	else if (constant == 1)
		km_secret_add(curve, &st->sec->coef[0], &st->sec->coef[0], &st->sec->coef[0]);
	else
		km_secret_from_public(&st->sec->coef[0], &one);
	assert_int_equal(km_dkg_g2_make(&st->group, m->self, st->sec->coef, st->group.threshold, &st->sec->e, &st->sec->rng, st->g2), KM_OK);
}

static void test_bad_constant(void **state)
{
	for (constant = 0; constant < 3; constant++) {
		run_corrupt(DEALER, evil_constant, NULL, KM_EV_OPENING);
		run_corrupt(LEAVES, evil_constant, NULL, KM_EV_OPENING);
	}
}

/* A byte of the opening, from the end. */
static unsigned from_end;
static void evil_opening(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_DEAL)
		st->g2[km_dkg_opening_size(&st->group, m->self) - from_end] ^= 1;
}

static void test_bad_opening(void **state)
{
	static const uint8_t evils[] = { DEALER, LEAVES, COMES };

	for (size_t k = 0; k < 3; k++) {
		from_end = 1;                            /* the blind, after the commitment went out */
		run_corrupt(evils[k], NULL, evil_opening, KM_EV_OPENING);
		from_end = KM_DKG_BLIND + 1;             /* the proof of e */
		run_corrupt(evils[k], evil_opening, NULL, KM_EV_OPENING);
	}
	/* the proof of the constant term */
	from_end = (unsigned)(KM_DKG_BLIND + km_dlog_size(curve) + km_curve_point_size(curve) + 1);
	run_corrupt(DEALER, evil_opening, NULL, KM_EV_OPENING);
}

static size_t zero_at;
static void evil_zero(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_DEAL)
		memset(st->g2 + KM_HASH_SIZE + zero_at * km_curve_point_size(curve), 0, km_curve_point_size(curve));
}

/* The identity, in every place of a point: a trailing one would lower the threshold (B11). */
static void test_bad_encoding(void **state)
{
	for (zero_at = 0; zero_at < 3; zero_at++)
		run_corrupt(DEALER, evil_zero, NULL, KM_EV_ENCODING);
	zero_at = 0;
	run_corrupt(COMES, evil_zero, NULL, KM_EV_ENCODING);  /* E of one who does not deal */
}

static unsigned accused;
static void evil_complaint(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	unsigned pos = km_set_pos(st->group.participants, accused);
	uint8_t dh[KM_POINT_MAX];
	struct km_point p;

	if (job != KM_DKG_JOB_CHECK)
		return;
	assert_int_equal(km_dkg_dh(&st->group, &st->sec->e, &st->open[pos].e, &p, dh), KM_OK);
	assert_int_equal(km_dkg_make_complaint(st, accused, &p, dh), KM_OK);
}

static size_t mutate_at;
static uint8_t mutate_to;
static void evil_mutated(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	evil_complaint(m, st, job);
	if (job != KM_DKG_JOB_CHECK)
		return;
	st->g5[mutate_at] = mutate_at == KM_HASH_SIZE + 1 ? mutate_to : st->g5[mutate_at] ^ 1;
	st->g5_len = km_dkg_complaint_about(&st->group, st->g5[KM_HASH_SIZE + 1]);
}

/* A complaint about a right share, by one who deals too and by one who does not, about dealers that stay and that leave; by one who
 * receives nothing; about one who deals nothing; with any byte of it changed. */
static void test_false_complaint(void **state)
{
	static const uint8_t ids[] = { 0, 4, 6, 7, 33, 255 };

	for (accused = 1; accused <= 3; accused += 2) {
		run_corrupt(DEALER, evil_complaint, NULL, KM_EV_FALSE_COMPLAINT);
		run_corrupt(COMES, evil_complaint, NULL, KM_EV_FALSE_COMPLAINT);
	}
	accused = 3;
	run_corrupt(LEAVES, evil_complaint, NULL, KM_EV_FALSE_COMPLAINT);
	accused = 3;
	mutate_at = KM_HASH_SIZE + 1;
	for (size_t k = 0; k < sizeof(ids); k++) {
		mutate_to = ids[k];
		run_corrupt(COMES, evil_mutated, NULL, KM_EV_FALSE_COMPLAINT);
	}
	mutate_to = COMES;
	run_corrupt(COMES, evil_mutated, NULL, KM_EV_FALSE_COMPLAINT);
	for (mutate_at = KM_HASH_SIZE + 2; mutate_at < km_dkg_complaint_size(curve, 3, 4); mutate_at += 41)
		run_corrupt(COMES, evil_mutated, NULL, KM_EV_FALSE_COMPLAINT);
}

/* ---- silence, split views, crashes */

struct silence {
	unsigned evil, round;
};

static enum net_verdict silent_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct silence *s = ctx;

	return from == s->evil && (*raw)[3] == s->round ? NET_DROP : NET_PASS;
}

static void test_silent(void **state)
{
	static const uint8_t evils[] = { DEALER, LEAVES, COMES };
	struct rsh_key key;

	rsh_key_make(&key, 31, curve, 0x1f, 3);
	for (unsigned round = 1; round <= 5; round++)
		for (size_t k = 0; k < 3; k++) {
			struct silence s = { evils[k], round };
			struct rsh r;

			rsh_init(&r, &key, 10 * round + k, Q, J, J, 3);
			r.d.corrupt = km_set_bit(s.evil);
			net_tap(r.d.net, silent_tap, &s);
			dkg_run(&r.d, 1);
			for (unsigned i = km_set_next(dkg_honest(&r.d), 0); i; i = km_set_next(dkg_honest(&r.d), i)) {
				const struct net_party *p = dkg_party(&r.d, i);

				/* named as silent, not convicted; nothing is left, nothing was stored */
				assert_true(p->dropped && !p->done && !p->convicted && !p->disputed && !p->persisted);
				assert_int_equal(p->drop_code, KM_E_DEADLINE);
				assert_int_equal(p->waited_for, km_set_bit(s.evil));
				assert_null(km_dkg_state(r.d.m[i])->sec);
			}
			rsh_clear(&r);
		}
}

struct split {
	struct dkg *d;
	unsigned evil, round, victim;
	size_t at;
};

static enum net_verdict split_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct split *s = ctx;

	if (from == s->evil && to == s->victim && (*raw)[3] == s->round) {
		(*raw)[KM_MSG_HEAD + s->at] ^= 1;
		dkg_resign(s->d, s->evil, raw, len);
	}
	return NET_PASS;
}

static void check_equivocation(const struct rsh *r, const uint8_t *from_machine, size_t len, unsigned evil)
{
	struct km_judge j = { .idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])r->d.keys, .table = &r->old->table };
	struct km_verdict v;
	struct km_buf b;

	km_buf_init(&b);
	assert_int_equal(km_evidence_wrap(&b, from_machine, len, r->old->table.hash, NULL, NULL, 0), KM_OK);
	assert_int_equal(km_evidence_judge(b.data, b.len, &j, &v), KM_OK);
	assert_int_equal(v.culprit, evil);
	assert_int_equal(v.kind, KM_EV_EQUIVOCATION);
	km_buf_clear(&b);
}

/* Two messages for one place: no two honest peers end with different tables, none is convicted, and headers that are shown name who it
 * was. */
static void test_split(void **state)
{
	struct rsh_key key;

	rsh_key_make(&key, 32, curve, 0x1f, 3);
	for (unsigned k = 0; k < 15; k++) {
		static const uint8_t evils[] = { DEALER, COMES, NEW };
		unsigned round = 1 + k % 5;
		struct split s = { .evil = evils[k / 5], .round = round, .victim = k < 10 ? NEW : COMES };
		uint32_t convicted = 0;
		struct km_outs outs;
		struct km_buf b;
		struct rsh r;

		s.at = round == KM_DKG_G2 ? KM_HASH_SIZE + 1 : round == KM_DKG_G4 && k < 5 ? KM_HASH_SIZE : 0;
		rsh_init(&r, &key, 60 + k, Q, J, J, 3);
		s.d = &r.d;
		r.d.corrupt = km_set_bit(s.evil);
		net_tap(r.d.net, split_tap, &s);
		dkg_run(&r.d, 1);
		assert_false(dkg_party(&r.d, s.victim)->done);
		for (unsigned i = km_set_next(dkg_honest(&r.d), 0); i; i = km_set_next(dkg_honest(&r.d), i)) {
			assert_int_equal(dkg_party(&r.d, i)->convicted & ~km_set_bit(s.evil), 0);
			convicted |= dkg_party(&r.d, i)->convicted;
			/* with its own ACK the split comes after everything: the others may be done, and c decides (the node) */
			assert_true(round == 5 || !dkg_party(&r.d, i)->done);
		}
		km_buf_init(&b);
		km_outs_init(&outs);
		if (!convicted && round < 5) {
			assert_int_equal(km_dkg_headers(r.d.m[s.victim], round, &b), KM_OK);
			assert_int_equal(km_dkg_compare_headers(r.d.m[3], b.data, b.len, &outs), KM_OK);
			assert_true(outs.head && outs.head->kind == KM_OUT_CONVICT && outs.head->peer == s.evil && !outs.head->next);
			check_equivocation(&r, outs.head->data, outs.head->len, s.evil);
		}
		km_outs_clear(&outs);
		km_buf_clear(&b);
		rsh_clear(&r);
	}
}

static enum net_verdict count_stored(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	if ((*raw)[3] == KM_STORED_ROUND)
		(*(uint32_t *)ctx) |= km_set_bit(from);
	return NET_PASS;
}

/* Who crashes at the disk has promised nothing; those who do not wait for it have; and its file holds the promise for later. */
static void test_crash_at_persist(void **state)
{
	uint32_t said = 0;
	struct rsh_key key, next;
	struct km_share file;
	struct rsh r;

	rsh_key_make(&key, 33, curve, 0x1f, 3);
	rsh_init(&r, &key, 1, Q, J, J, 3);
	net_tap(r.d.net, count_stored, &said);
	dkg_party(&r.d, 4)->crash_at_persist = 1;
	dkg_run(&r.d, 1);
	assert_int_equal(dkg_done(&r.d), r.d.set & ~km_set_bit(4));
	assert_int_equal(said, J & ~km_set_bit(4));
	assert_int_equal(km_share_decode(&file, dkg_party(&r.d, 4)->persisted, dkg_party(&r.d, 4)->persisted_len), KM_OK);
	assert_int_equal(rsh_key_next(&next, &r), KM_OK);
	assert_int_equal(km_cert_verify(&next.cert, &next.table), KM_E_VERIFY);
	assert_int_equal(km_cert_add(&next.cert, &next.table, file.stored, file.stored_len), KM_OK);
	assert_int_equal(km_cert_verify(&next.cert, &next.table), KM_OK);
	rsh_clear(&r);
}

/* Dropped at any moment: nothing is left in the arena. */
static void test_freed_early(void **state)
{
	struct rsh_key key;

	rsh_key_make(&key, 34, curve, 0x1f, 3);
	for (unsigned round = 1; round <= 5; round++) {
		size_t before = km_secret_in_use();
		struct silence s = { DEALER, round };
		struct rsh r;

		rsh_init(&r, &key, round, Q, J, J, 3);
		net_tap(r.d.net, silent_tap, &s);
		dkg_run(&r.d, 0);
		rsh_clear(&r);
		assert_int_equal(km_secret_in_use(), before);
	}
}

static int setup(void **state)
{
	curve = km_curve_p256();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_params),
	    cmocka_unit_test(test_possible),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_bad_share),
	    cmocka_unit_test(test_bad_constant),
	    cmocka_unit_test(test_bad_opening),
	    cmocka_unit_test(test_bad_encoding),
	    cmocka_unit_test(test_false_complaint),
	    cmocka_unit_test(test_silent),
	    cmocka_unit_test(test_split),
	    cmocka_unit_test(test_crash_at_persist),
	    cmocka_unit_test(test_freed_early),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
