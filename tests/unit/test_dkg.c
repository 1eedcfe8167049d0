/* The key generation run: honest ones of every size, and corrupt participants of every kind, who are named, and only they. */
#include "tests/lib/test.h"
#include "tests/lib/dkg_help.h"

static const struct km_curve *curve;

static uint32_t first_n(unsigned n)
{
	return n == 32 ? 0xffffffff : ((uint32_t)1 << n) - 1;
}

/* Every set of T shares gives x, and x G = X; all tables are one; what was persisted is the share. */
static void check_key(struct dkg *d)
{
	struct km_share *share[KM_MAX_PEERS + 1] = { 0 }, file;
	struct km_secret y[KM_MAX_PEERS], k;
	struct km_scalar x, again;
	struct km_point p;
	uint32_t low = 0, high = 0;

	for (unsigned i = km_set_next(d->set, 0); i; i = km_set_next(d->set, i)) {
		struct net_party *party = dkg_party(d, i);
		assert_true(party->done && !party->dropped && !party->convicted && !party->disputed && !party->err);
		share[i] = km_secret_alloc(sizeof(*share[i]));
		assert_int_equal(km_dkg_take(d->m[i], share[i]), KM_OK);
		assert_int_equal(km_dkg_take(d->m[i], &file), KM_E_STATE);
		assert_int_equal(share[i]->usable, 1);
		assert_int_equal(share[i]->self, i);
		assert_memory_equal(share[i]->table.hash, share[km_set_next(d->set, 0)]->table.hash, KM_HASH_SIZE);
		assert_int_equal(km_share_decode(&file, party->persisted, party->persisted_len), KM_OK);
		assert_int_equal(file.usable, 0);
		assert_memory_equal(&file.x_i, &share[i]->x_i, sizeof(file.x_i));
		assert_memory_equal(file.table.hash, share[i]->table.hash, KM_HASH_SIZE);
		/* the signed STORED is in the file, byte for byte as it went out */
		const struct km_stored *stored = km_machine_find(d->m[i], KM_DKG_G6, i);
		assert_int_equal(file.stored_len, KM_MSG_HEAD + stored->msg.body_len);
		assert_memory_equal(file.stored, stored->raw, file.stored_len);
		if (km_set_size(low) < d->threshold)
			low |= km_set_bit(i);
		if (km_set_size(d->set & ~(km_set_bit(i) - 1)) <= d->threshold)
			high |= km_set_bit(i);
	}
	unsigned n = 0;
	for (unsigned i = km_set_next(low, 0); i; i = km_set_next(low, i))
		y[n++] = share[i]->x_i;
	dkg_interpolate(&x, y, low);
	n = 0;
	for (unsigned i = km_set_next(high, 0); i; i = km_set_next(high, i))
		y[n++] = share[i]->x_i;
	dkg_interpolate(&again, y, high);
	assert_true(km_scalar_equal(&x, &again));
	km_secret_from_public(&k, &x);
	km_point_mul_g(curve, &p, &k);
	assert_true(km_point_equal_var(curve, &p, &share[km_set_next(d->set, 0)]->table.x));
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		km_secret_free(share[i]);
}

static void test_honest(void **state)
{
	for (unsigned n = 2; n <= 7; n++) {
		for (unsigned t = 2; t <= n; t++) {
			struct dkg d;
			size_t before = km_secret_in_use();

			dkg_init(&d, 100 * n + t, first_n(n), t);
			dkg_run(&d, 0);
			check_key(&d);
			dkg_clear(&d);
			assert_int_equal(km_secret_in_use(), before);
		}
	}
}

static void test_honest_16(void **state)
{
	static const unsigned ts[] = { 2, 9, 16 };

	for (size_t k = 0; k < 3; k++) {
		struct dkg d;

		dkg_init(&d, k, first_n(16), ts[k]);
		dkg_run(&d, 0);
		check_key(&d);
		dkg_clear(&d);
	}
}

/* Ids need not be 1..N, and 32 is one of them. */
static void test_sparse_ids(void **state)
{
	struct dkg d;

	dkg_init(&d, 5, km_set_bit(3) | km_set_bit(17) | km_set_bit(32), 2);
	dkg_run(&d, 0);
	check_key(&d);
	dkg_clear(&d);
}

/* The result depends on seeds and the set of messages, never on the order of arrival. */
static void test_order(void **state)
{
	uint8_t hash[KM_HASH_SIZE];
	struct km_share s;

	for (uint64_t order = 0; order < 8; order++) {
		struct dkg d;

		dkg_init_order(&d, 9, order, first_n(4), 3);
		dkg_run(&d, 0);
		assert_int_equal(km_dkg_take(d.m[2], &s), KM_OK);
		if (order)
			assert_memory_equal(hash, s.table.hash, KM_HASH_SIZE);
		memcpy(hash, s.table.hash, KM_HASH_SIZE);
		dkg_clear(&d);
	}
}

static void test_params(void **state)
{
	uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct km_dkg_params p = { .name = "k", .threshold = 2 };
	struct km_machine *m;

	net_params(&p.machine, keys, 1, curve, 1, 7);
	assert_int_equal(km_dkg_new(&m, &p), KM_OK);
	km_machine_free(m);
	static const unsigned bad_t[] = { 0, 1, 4, 33 };
	for (size_t i = 0; i < 4; i++) {
		p.threshold = bad_t[i];
		assert_int_equal(km_dkg_new(&m, &p), KM_E_RANGE);
		assert_null(m);
	}
	p.threshold = 2;
	p.machine.self = 0;
	assert_int_equal(km_dkg_new(&m, &p), KM_E_INVAL);
	p.machine.self = 4;
	assert_int_equal(km_dkg_new(&m, &p), KM_E_INVAL);
	p.machine.self = 2;  /* not the key that id has */
	assert_int_equal(km_dkg_new(&m, &p), KM_E_INVAL);
	p.machine.self = 1;
	p.machine.participants = 1;
	assert_int_equal(km_dkg_new(&m, &p), KM_E_RANGE);
	p.machine.participants = 7;
	memcpy(keys[3], keys[2], KM_IDKEY_SIZE);
	assert_int_equal(km_dkg_new(&m, &p), KM_E_EXISTS);
	memset(keys[3], 0, KM_IDKEY_SIZE);
	assert_int_equal(km_dkg_new(&m, &p), KM_E_ENCODING);
	net_params(&p.machine, keys, 1, curve, 1, 7);
	strcpy(p.name, "No Name");
	assert_int_equal(km_dkg_new(&m, &p), KM_E_RANGE);
}

static void test_archive(void **state)
{
	struct km_buf b;
	struct km_reader r;
	struct dkg d;
	unsigned count = 0;

	dkg_init(&d, 3, first_n(3), 2);
	dkg_run(&d, 0);
	km_buf_init(&b);
	assert_int_equal(km_dkg_archive(d.m[1], &b), KM_OK);
	km_reader_init(&r, b.data, b.len);
	while (km_reader_left(&r)) {
		struct km_msg m;
		size_t n;
		const uint8_t *p = km_get_lref(&r, &n, KM_MAX_ENVELOPE);

		assert_non_null(p);
		assert_int_equal(km_msg_parse(&m, p, n), KM_OK);
		assert_int_equal(km_msg_verify_sig(&m, d.keys[m.sender]), KM_OK);
		count++;
	}
	assert_int_equal(count, 5 * 3);
	km_buf_clear(&b);
	dkg_clear(&d);
}

/* ---- corrupt dealers. Peer 2 is the corrupt one; each variant changes what it sends. */

#define EVIL 2
static unsigned victim;

static size_t off_pa(const struct km_dkg_state *st)
{
	return KM_HASH_SIZE + st->group.threshold * km_curve_point_size(curve);
}

static size_t off_e(const struct km_dkg_state *st)
{
	return off_pa(st) + km_dlog_size(curve);
}

static uint8_t *row_of(struct km_dkg_state *st, unsigned j)
{
	struct km_shape s;

	km_dkg_g4_shape(curve, st->m->n, &s);
	return st->g4 + s.head + (size_t)s.row * km_dkg_g4_row(st->group.participants, st->m->self, j);
}

static void evil_garbled_row(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_SHARES)
		row_of(st, victim)[5] ^= 1;
}

/* A share that opens but is not on the committed polynomial: off by one, zero, q - 1. */
static struct km_scalar wrong_share;
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
	km_secret_from_public(&f, &wrong_share);
	km_dkg_share_seal(&st->group, &link, dh, &f, row_of(st, victim));
}

static void run_bad_dealer(unsigned n, unsigned t, dkg_evil_fn before, dkg_evil_fn after, int kind)
{
	struct dkg d;
	struct km_dkg_group g;
	unsigned culprit;

	dkg_init(&d, 7 * n + t, first_n(n), t);
	dkg_corrupt(&d, EVIL, before, after);
	dkg_run(&d, 0);
	assert_true(dkg_all_convict(&d, km_set_bit(EVIL), kind));
	g = dkg_group(&d);
	for (unsigned i = km_set_next(dkg_honest(&d), 0); i; i = km_set_next(dkg_honest(&d), i)) {
		struct net_party *p = dkg_party(&d, i);

		assert_int_equal(km_dkg_convicted(d.m[i]), km_set_bit(EVIL));
		assert_int_equal(p->drop_code, KM_E_VERIFY);
		/* proves to anybody who knows the group, and not after a flipped bit in what is signed */
		assert_int_equal(km_dkg_judge_evidence(&g, p->evidence, p->evidence_len, &culprit), KM_OK);
		assert_int_equal(culprit, EVIL);
		/* nor under another kind of evidence: it proves what it says, or nothing */
		for (uint8_t k = 0; k < 16; k++) {
			p->evidence[0] = k;
			assert_int_equal(km_dkg_judge_evidence(&g, p->evidence, p->evidence_len, &culprit), KM_OK);
			assert_int_equal(culprit, k == kind ? EVIL : 0);
		}
		p->evidence[0] = (uint8_t)kind;
		p->evidence[1 + 2 + 1 + KM_MSG_HEAD - 1] ^= 1;
		assert_int_equal(km_dkg_judge_evidence(&g, p->evidence, p->evidence_len, &culprit), KM_OK);
		assert_int_equal(culprit, 0);
		/* nothing of the dropped run is left to steal */
		assert_null(((const struct km_dkg_state *)d.m[i]->state)->sec);
	}
	dkg_clear(&d);
}

static void test_bad_share(void **state)
{
	struct km_scalar one;

	for (unsigned n = 2; n <= 5; n++) {
		victim = n == 2 ? 1 : n;
		run_bad_dealer(n, 2, evil_garbled_row, NULL, KM_EV_COMPLAINT);
	}
	victim = 1;
	km_scalar_zero(&wrong_share);
	run_bad_dealer(4, 3, evil_wrong_share, NULL, KM_EV_COMPLAINT);
	km_scalar_set_u32(&one, 1);
	km_scalar_neg(curve, &wrong_share, &one);
	run_bad_dealer(4, 3, evil_wrong_share, NULL, KM_EV_COMPLAINT);
	km_scalar_set_u32(&wrong_share, 12345);
	run_bad_dealer(5, 3, evil_wrong_share, NULL, KM_EV_COMPLAINT);
}

static void evil_a_proof(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_DEAL)
		st->g2[off_e(st) - 1] ^= 1;
}

static void evil_e_proof(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_DEAL)
		st->g2[off_e(st) + km_curve_point_size(curve) + km_dlog_size(curve) - 1] ^= 1;
}

/* after G1 went out */
static void evil_opening(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_DEAL)
		st->g2[km_dkg_g2_size(curve, st->group.threshold) - 1] ^= 1;
}

static void test_bad_opening(void **state)
{
	for (unsigned n = 2; n <= 4; n++) {
		run_bad_dealer(n, 2, evil_a_proof, NULL, KM_EV_OPENING);
		run_bad_dealer(n, 2, evil_e_proof, NULL, KM_EV_OPENING);
		run_bad_dealer(n, 2, NULL, evil_opening, KM_EV_OPENING);
	}
}

static const uint8_t *bad_bytes;
static size_t bad_len, bad_at;
static void evil_bytes(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_DEAL)
		memcpy(st->g2 + bad_at, bad_bytes, bad_len);
}

/* Points and scalars that are none, at every place of G2. */
static void test_bad_encoding(void **state)
{
	static const uint8_t zero[KM_POINT_MAX];
	uint8_t ones[KM_POINT_MAX], off[KM_POINT_MAX] = { 2 };
	size_t ps = km_curve_point_size(curve);
	unsigned t = 3;
	struct km_point p;

	memset(ones, 0xff, sizeof(ones));
	while (km_point_decode_var(curve, &p, off) == KM_OK)
		off[ps - 1]++;
	const size_t pa = KM_HASH_SIZE + t * ps, e = pa + km_dlog_size(curve);
	const struct { const uint8_t *bytes; size_t at, len; } cases[] = {
		{ zero, KM_HASH_SIZE, ps },                       /* C_0 the identity, as zeros */
		{ zero, KM_HASH_SIZE + (t - 1) * ps, ps },        /* C_t: a dropped degree (B11) */
		{ off, KM_HASH_SIZE + ps, ps },                   /* no point of the curve */
		{ ones, e, ps },                                  /* E */
		{ zero, e, ps },
		{ ones, pa + ps, km_curve_scalar_size(curve) },   /* z over q */
		{ off, e + ps, ps },                              /* U of the proof of e */
	};
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		bad_bytes = cases[k].bytes;
		bad_at = cases[k].at;
		bad_len = cases[k].len;
		run_bad_dealer(4, t, evil_bytes, NULL, KM_EV_ENCODING);
	}
}

/* ---- false complaints */

static unsigned accused;
static void evil_complaint(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	uint8_t dh[KM_POINT_MAX];
	struct km_point p;

	if (job != KM_DKG_JOB_CHECK)
		return;
	assert_int_equal(km_dkg_dh(&st->group, &st->sec->e, &st->open[km_set_pos(st->group.participants, accused)].e, &p, dh),
			 KM_OK);
	assert_int_equal(km_dkg_make_complaint(st, accused, &p, dh), KM_OK);
}

/* ... about a right share, with everything shown truly */
static void test_false_complaint(void **state)
{
	for (unsigned n = 2; n <= 5; n++) {
		accused = n == 2 ? 1 : n;
		run_bad_dealer(n, 2, evil_complaint, NULL, KM_EV_FALSE_COMPLAINT);
	}
}

static size_t mutate_at;
static uint8_t mutate_to;
static void evil_mutated(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	evil_complaint(m, st, job);
	if (job == KM_DKG_JOB_CHECK)
		st->g5[mutate_at] = mutate_at == KM_HASH_SIZE + 1 ? mutate_to : st->g5[mutate_at] ^ 1;
}

/* Whatever byte of a complaint a corrupt peer changes: itself is convicted, nobody else. */
static void test_mutated_complaint(void **state)
{
	static const uint8_t ids[] = { 0, EVIL, 4, 33, 255 };
	size_t size = km_dkg_complaint_size(curve, 2, 3), ps = km_curve_point_size(curve);

	accused = 3;
	mutate_at = KM_HASH_SIZE + 1;
	for (size_t k = 0; k < sizeof(ids); k++) {
		mutate_to = ids[k];
		run_bad_dealer(3, 2, evil_mutated, NULL, KM_EV_FALSE_COMPLAINT);
	}
	/* itself, and with the highest id: it has no row in its own G4, and none behind the last */
	accused = 1;
	mutate_to = EVIL;
	run_bad_dealer(2, 2, evil_mutated, NULL, KM_EV_FALSE_COMPLAINT);
	accused = 3;
	mutate_to = 1;  /* another dealer than the one whose envelopes it shows */
	run_bad_dealer(3, 2, evil_mutated, NULL, KM_EV_FALSE_COMPLAINT);
	for (mutate_at = KM_HASH_SIZE + 2; mutate_at < size; mutate_at += 7)
		run_bad_dealer(3, 2, evil_mutated, NULL, KM_EV_FALSE_COMPLAINT);
	/* a point that is none, a DLEQ scalar over q are covered by flips of the first bytes only if those are hit: */
	for (size_t k = 0; k < 3; k++) {
		mutate_at = KM_HASH_SIZE + 2 + k * ps;
		run_bad_dealer(3, 2, evil_mutated, NULL, KM_EV_FALSE_COMPLAINT);
	}
}

/* A complaint shows something only with the view its accused dealt in. */
static void test_judge_is_void_without_view(void **state)
{
	struct km_dkg_view view;
	enum km_dkg_verdict verdict;
	struct km_dkg_group g;
	struct dkg d;

	victim = 1;
	dkg_init(&d, 77, first_n(3), 2);
	dkg_corrupt(&d, EVIL, evil_garbled_row, NULL);
	dkg_run(&d, 0);
	g = dkg_group(&d);
	memset(&view, 0, sizeof(view));
	for (unsigned r = 1; r <= 3; r++)
		for (unsigned i = 1; i <= 3; i++)
			memcpy(view.digest[r - 1][i - 1], km_machine_find(d.m[1], r, i)->msg.digest, KM_HASH_SIZE);
	const struct km_msg *complaint = &km_machine_find(d.m[1], KM_DKG_G5, 1)->msg,
			    *g2 = &km_machine_find(d.m[1], KM_DKG_G2, 1)->msg;
	assert_int_equal(km_dkg_judge_complaint(&g, complaint, g2, &view, &verdict), KM_OK);
	assert_int_equal(verdict, KM_DKG_DEALER);
	/* a digest that is not in the dealer's view; the wrong G2; an ACK; another run */
	view.digest[2][0][0] ^= 1;
	assert_int_equal(km_dkg_judge_complaint(&g, complaint, g2, &view, &verdict), KM_OK);
	assert_int_equal(verdict, KM_DKG_VOID);
	view.digest[2][0][0] ^= 1;
	assert_int_equal(km_dkg_judge_complaint(&g, complaint, &km_machine_find(d.m[1], KM_DKG_G2, 3)->msg, &view, &verdict),
			 KM_OK);
	assert_int_equal(verdict, KM_DKG_VOID);
	assert_int_equal(km_dkg_judge_complaint(&g, &km_machine_find(d.m[1], KM_DKG_G5, 3)->msg, g2, &view, &verdict), KM_OK);
	assert_int_equal(verdict, KM_DKG_VOID);
	uint8_t sid[KM_HASH_SIZE] = { 1 };
	g.sid = sid;
	assert_int_equal(km_dkg_judge_complaint(&g, complaint, g2, &view, &verdict), KM_OK);
	assert_int_equal(verdict, KM_DKG_VOID);
	dkg_clear(&d);
}

/* ---- silence */

struct silence {
	unsigned round;
};

static enum net_verdict silent_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct silence *s = ctx;

	return from == EVIL && (*raw)[3] >= s->round ? NET_DROP : NET_PASS;
}

static void test_silent(void **state)
{
	for (unsigned n = 2; n <= 5; n++) {
		for (unsigned round = 1; round <= 6; round++) {
			struct silence s = { round };
			struct dkg d;

			dkg_init(&d, 40 * n + round, first_n(n), 2);
			d.corrupt = km_set_bit(EVIL);
			net_tap(d.net, silent_tap, &s);
			dkg_run(&d, 1);
			for (unsigned i = km_set_next(dkg_honest(&d), 0); i; i = km_set_next(dkg_honest(&d), i)) {
				const struct net_party *p = dkg_party(&d, i);

				assert_true(!p->done && !p->convicted && !p->disputed);
				if (round < 6) {
					assert_true(p->dropped && p->drop_code == KM_E_DEADLINE &&
						    p->waited_for == km_set_bit(EVIL));
				} else {
					/* after the own STORED there is no deadline */
					assert_false(p->dropped);
					assert_int_equal(km_machine_deadline(d.m[i]), UINT64_MAX);
					assert_int_equal(km_machine_missing(d.m[i]), km_set_bit(EVIL));
				}
			}
			dkg_clear(&d);
		}
	}
}

static enum net_verdict mute_g5_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	return from == 3 && (*raw)[3] == KM_DKG_G5 ? NET_DROP : NET_PASS;
}

/* An accomplice's silence does not save the bad dealer. */
static void test_silent_accomplice(void **state)
{
	struct dkg d;

	victim = 1;
	dkg_init(&d, 8, first_n(4), 3);
	dkg_corrupt(&d, EVIL, evil_garbled_row, NULL);
	d.corrupt |= km_set_bit(3);
	net_tap(d.net, mute_g5_tap, NULL);
	dkg_run(&d, 1);
	assert_true(dkg_all_convict(&d, km_set_bit(EVIL), KM_EV_COMPLAINT));
	assert_int_equal(dkg_party(&d, 1)->waited_for, km_set_bit(3));
	dkg_clear(&d);
}

/* ---- crashes and restarts */

static void test_crash_at_persist(void **state)
{
	struct km_share file;
	struct km_outs outs;
	struct dkg d;
	uint8_t sender;

	dkg_init(&d, 21, first_n(3), 2);
	dkg_party(&d, 3)->crash_at_persist = 1;
	dkg_run(&d, 1);
	assert_int_equal(dkg_done(&d), 0);
	/* 3 comes back with its file: a share that is not usable yet, and the STORED it had signed */
	assert_int_equal(km_share_decode(&file, dkg_party(&d, 3)->persisted, dkg_party(&d, 3)->persisted_len), KM_OK);
	assert_int_equal(file.usable, 0);
	km_outs_init(&outs);
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(km_machine_message(d.m[i], 0, 3, 0, file.stored, file.stored_len, &outs), KM_OK);
		assert_int_equal(outs.head->kind, KM_OUT_DONE);
		km_outs_clear(&outs);
		/* and it accepts theirs */
		const struct km_stored *s = km_machine_find(d.m[i], KM_DKG_G6, i);
		size_t len = KM_MSG_HEAD + s->msg.body_len;
		assert_int_equal(km_stored_check(&file.table, KM_PROTO_DKG, s->raw, len, &sender), KM_OK);
		assert_int_equal(sender, i);
		/* but for this table, run and author only */
		struct km_table other = file.table;
		other.number++;
		assert_int_equal(km_stored_check(&other, KM_PROTO_DKG, s->raw, len, &sender), KM_E_MISMATCH);
		assert_int_equal(sender, 0);
		other = file.table;
		other.hash[0] ^= 1;
		assert_int_equal(km_stored_check(&other, KM_PROTO_DKG, s->raw, len, &sender), KM_E_MISMATCH);
		other = file.table;
		other.sid[0] ^= 1;
		assert_int_equal(km_stored_check(&other, KM_PROTO_DKG, s->raw, len, &sender), KM_E_STALE);
		other = file.table;
		other.members &= ~km_set_bit(i);
		assert_int_equal(km_stored_check(&other, KM_PROTO_DKG, s->raw, len, &sender), KM_E_STALE);
		uint8_t changed[KM_STORED_MAX];
		for (size_t k = 0; k < len; k++) {
			memcpy(changed, s->raw, len);
			changed[k] ^= 0x10;
			assert_int_not_equal(km_stored_check(&file.table, KM_PROTO_DKG, changed, len, &sender), KM_OK);
		}
		for (size_t k = 0; k < len; k++)
			assert_int_not_equal(km_stored_check(&file.table, KM_PROTO_DKG, s->raw, k, &sender), KM_OK);
	}
	dkg_clear(&d);
}

/* Freed at any moment: nothing leaks and nothing stays in the arena. */
static void test_freed_early(void **state)
{
	size_t before = km_secret_in_use();
	struct km_outs outs;
	struct dkg d;

	dkg_init(&d, 22, first_n(3), 2);
	dkg_clear(&d);
	for (unsigned round = 1; round <= 6; round++) {
		struct silence s = { round };

		dkg_init(&d, 22, first_n(3), 2);
		net_tap(d.net, silent_tap, &s);
		dkg_run(&d, 0);
		dkg_clear(&d);
		assert_int_equal(km_secret_in_use(), before);
	}
	/* while a job is out */
	dkg_init(&d, 22, first_n(3), 2);
	km_outs_init(&outs);
	assert_int_equal(km_machine_start(d.m[1], 0, &outs), KM_OK);
	struct km_out *job = km_outs_pop(&outs);
	assert_int_equal(job->kind, KM_OUT_JOB);
	km_machine_free(d.m[1]);
	job->job->run(job->job);
	assert_int_equal(km_machine_worked(d.m[1], 0, &outs), 1);
	km_out_free(job);
	km_outs_clear(&outs);
	d.m[1] = NULL;
	dkg_clear(&d);
	assert_int_equal(km_secret_in_use(), before);
}

/* f, e, seed are gone once all ACKs are in; the share is gone from the machine once taken. */
static void test_wiped(void **state)
{
	struct km_share s;
	struct dkg d;

	dkg_init(&d, 23, first_n(3), 2);
	dkg_run(&d, 0);
	const struct km_dkg_state *st = d.m[1]->state;
	assert_null(st->sec);
	assert_int_equal(km_dkg_take(d.m[1], &s), KM_OK);
	assert_null(st->share);
	static const struct km_rng no_rng;
	assert_memory_equal(&d.m[1]->rng, &no_rng, sizeof(no_rng));
	km_share_wipe(&s);
	dkg_clear(&d);
}

/* ---- equivocation (B9): peer 2 sends one honest peer something else than the rest, in one round, properly signed */

struct split {
	struct dkg *d;
	unsigned round, victim;
	uint8_t complaint[2048];  /* a false one, made by the corrupt peer's hook; 0 = none */
	size_t complaint_len;
};
static struct split split_ctx;

static void keep_complaint(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	uint32_t len = st->g5_len;
	uint8_t ack[KM_HASH_SIZE + 1];

	if (job != KM_DKG_JOB_CHECK)
		return;
	memcpy(ack, st->g5, sizeof(ack));
	accused = split_ctx.victim;
	evil_complaint(m, st, job);
	memcpy(split_ctx.complaint, st->g5, st->g5_len);
	memcpy(split_ctx.complaint, km_machine_prev(m, KM_DKG_G5), KM_HASH_SIZE);
	split_ctx.complaint_len = st->g5_len;
	memcpy(st->g5, ack, sizeof(ack));
	st->g5_len = len;
}

static enum net_verdict split_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct split *s = ctx;
	struct km_dkg_group g = dkg_group(s->d);
	uint8_t *body = *raw + KM_MSG_HEAD;
	unsigned round = (*raw)[3];

	if (from != EVIL || to != s->victim)
		return NET_PASS;
	if (s->round == KM_DKG_G1 && round <= KM_DKG_G2) {
		/* two whole contributions, each rightly opened: another blind for the victim */
		const struct km_dkg_state *st = s->d->m[EVIL]->state;
		uint32_t size = km_dkg_g2_size(curve, g.threshold);
		uint8_t g2[4096];

		memcpy(g2, st->g2, size);
		g2[size - 1] ^= 1;
		if (round == KM_DKG_G1)
			km_dkg_commitment(&g, EVIL, g2, size, body);
		else
			body[size - 1] ^= 1;
	} else if (round != s->round) {
		return NET_PASS;
	} else if (round == KM_DKG_G5 && s->complaint_len) {
		struct km_shape shape = { .head = (uint32_t)s->complaint_len };
		struct km_identity id;
		struct km_buf b;

		net_identity(s->d->seed, EVIL, &id);
		km_buf_init(&b);
		assert_int_equal(km_msg_build(&b, KM_PROTO_DKG, KM_DKG_G5, EVIL, 0, g.sid, &shape, s->complaint, &id), KM_OK);
		free(*raw);
		*raw = km_buf_take(&b, len);
		return NET_PASS;
	} else if (round == KM_DKG_G5) {
		body[0] ^= 1;  /* an ACK of something else */
	} else {
		body[*len - KM_MSG_HEAD - 1] ^= 1;
	}
	dkg_resign(s->d, EVIL, raw, len);
	return NET_PASS;
}

/* Those that differ are shown: the honest peers exchange headers, and the author of two is convicted by them. */
static void exchange_headers(struct dkg *d, unsigned round)
{
	struct km_dkg_group g = dkg_group(d);
	struct km_outs outs;
	struct km_buf b;
	unsigned culprit, convicted = 0;

	km_outs_init(&outs);
	for (unsigned i = km_set_next(dkg_honest(d), 0); i; i = km_set_next(dkg_honest(d), i)) {
		for (unsigned j = km_set_next(dkg_honest(d), 0); j; j = km_set_next(dkg_honest(d), j)) {
			km_buf_init(&b);
			assert_int_equal(km_dkg_headers(d->m[j], round, &b), KM_OK);
			assert_int_equal(km_dkg_compare_headers(d->m[i], b.data, b.len, &outs), KM_OK);
			km_buf_clear(&b);
		}
		if (outs.head) {
			assert_int_equal(outs.head->kind, KM_OUT_CONVICT);
			assert_int_equal(outs.head->peer, EVIL);
			assert_null(outs.head->next);
			assert_int_equal(km_dkg_judge_evidence(&g, outs.head->data, outs.head->len, &culprit), KM_OK);
			assert_int_equal(culprit, EVIL);
			outs.head->data[outs.head->len - 1] ^= 1;
			assert_int_equal(km_dkg_judge_evidence(&g, outs.head->data, outs.head->len, &culprit), KM_OK);
			assert_int_equal(culprit, 0);
		}
		convicted |= km_dkg_convicted(d->m[i]);
		km_outs_clear(&outs);
	}
	assert_int_equal(convicted, km_set_bit(EVIL));
}

static void run_split(unsigned n, unsigned round, int complaint)
{
	struct dkg d;
	unsigned stopped = 0;

	dkg_init(&d, 1000 * n + round, first_n(n), 2);
	memset(&split_ctx, 0, sizeof(split_ctx));
	split_ctx.d = &d;
	split_ctx.round = round;
	split_ctx.victim = 1;
	dkg_corrupt(&d, EVIL, complaint ? keep_complaint : NULL, NULL);
	net_tap(d.net, split_tap, &split_ctx);
	dkg_run(&d, 1);
	for (unsigned i = km_set_next(dkg_honest(&d), 0); i; i = km_set_next(dkg_honest(&d), i)) {
		const struct net_party *p = dkg_party(&d, i);

		assert_int_equal(p->convicted & ~km_set_bit(EVIL), 0);
		assert_int_equal(p->disputed, 0);
		stopped += p->dropped && !p->done;
	}
	assert_false(dkg_party(&d, 1)->done);
	assert_true(dkg_party(&d, 1)->dropped);
	if (round < KM_DKG_G5)
		assert_int_equal(stopped, km_set_size(dkg_honest(&d)));
	if (round < KM_DKG_G6)
		assert_int_equal(dkg_done(&d) & dkg_honest(&d), 0);
	if (n > 2)
		exchange_headers(&d, round);
	dkg_clear(&d);
}

static void test_equivocation(void **state)
{
	for (unsigned n = 2; n <= 7; n++) {
		for (unsigned round = 1; round <= 6; round++)
			run_split(n, round, 0);
		run_split(n, KM_DKG_G5, 1);
	}
}

/* Both versions reach one peer, the second handed on by another: convicted on the spot. */
static void test_equivocation_relayed(void **state)
{
	for (unsigned round = 1; round <= 6; round++) {
		struct silence s = { round + 1 };
		struct km_outs outs;
		struct dkg d;

		dkg_init(&d, 60 + round, first_n(3), 2);
		d.corrupt = km_set_bit(EVIL);
		if (round < 6)
			net_tap(d.net, silent_tap, &s);
		else
			dkg_party(&d, 3)->crash_at_persist = 1;
		dkg_run(&d, 0);
		const struct km_stored *held = km_machine_find(d.m[1], round, EVIL);
		size_t len = KM_MSG_HEAD + held->msg.body_len;
		uint8_t *other = malloc(len);
		memcpy(other, held->raw, len);
		other[KM_MSG_HEAD] ^= 1;
		dkg_resign(&d, EVIL, &other, &len);
		km_outs_init(&outs);
		assert_int_equal(km_machine_message(d.m[1], 0, 3, 1, held->raw, len, &outs), KM_E_DUPLICATE);
		assert_null(outs.head);
		assert_int_equal(km_machine_message(d.m[1], 0, 3, 1, other, len, &outs), KM_OK);
		assert_int_equal(outs.head->kind, KM_OUT_CONVICT);
		assert_int_equal(outs.head->peer, EVIL);
		assert_int_equal(outs.head->code, KM_EV_EQUIVOCATION);
		assert_int_equal(outs.head->next->kind, KM_OUT_DROP);
		unsigned culprit;
		struct km_dkg_group g = dkg_group(&d);
		assert_int_equal(km_dkg_judge_evidence(&g, outs.head->data, outs.head->len, &culprit), KM_OK);
		assert_int_equal(culprit, EVIL);
		km_outs_clear(&outs);
		free(other);
		dkg_clear(&d);
	}
}

/* A dealer shows one G4 to its victim and another to the rest: the victim's complaint carries the proof. */
static enum net_verdict split_g4_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct split *s = ctx;

	if (from == EVIL && to == s->victim && (*raw)[3] == KM_DKG_G4) {
		(*raw)[KM_MSG_HEAD + KM_HASH_SIZE] ^= 1;  /* row of peer 1 */
		dkg_resign(s->d, EVIL, raw, len);
	}
	return NET_PASS;
}

static void test_split_shares(void **state)
{
	struct split s = { .victim = 1 };
	struct dkg d;

	dkg_init(&d, 31, first_n(4), 3);
	s.d = &d;
	d.corrupt = km_set_bit(EVIL);
	net_tap(d.net, split_g4_tap, &s);
	dkg_run(&d, 1);
	/* 1 holds the bad share: E7b. 3 and 4 hold another G4 than the one it shows: E1. */
	assert_int_equal(dkg_party(&d, 1)->convicted, km_set_bit(EVIL));
	assert_int_equal(dkg_party(&d, 1)->evidence_kind, KM_EV_COMPLAINT);
	for (unsigned i = 3; i <= 4; i++) {
		assert_int_equal(dkg_party(&d, i)->convicted, km_set_bit(EVIL));
		assert_int_equal(dkg_party(&d, i)->evidence_kind, KM_EV_EQUIVOCATION);
	}
	assert_int_equal(dkg_done(&d), 0);
	dkg_clear(&d);
}

/* Headers that are none, of other runs, or forged, convict nobody. */
static void test_headers(void **state)
{
	uint8_t junk[KM_MSG_HEAD * 2];
	struct km_outs outs;
	struct km_buf b;
	struct dkg d, other;

	dkg_init(&d, 32, first_n(3), 2);
	dkg_init(&other, 33, first_n(3), 2);
	dkg_run(&d, 0);
	dkg_run(&other, 0);
	km_outs_init(&outs);
	km_buf_init(&b);
	assert_int_equal(km_dkg_g2_headers(d.m[1], &b), KM_OK);
	assert_int_equal(b.len, 3 * KM_MSG_HEAD);
	assert_int_equal(km_dkg_compare_headers(d.m[2], b.data, b.len, &outs), KM_OK);
	assert_int_equal(km_dkg_compare_headers(other.m[2], b.data, b.len, &outs), KM_OK);
	assert_int_equal(km_dkg_compare_headers(d.m[2], b.data, b.len - 1, &outs), KM_E_ENCODING);
	assert_int_equal(km_dkg_headers(d.m[1], 0, &b), KM_E_INVAL);
	assert_int_equal(km_dkg_headers(d.m[1], 7, &b), KM_E_INVAL);
	for (size_t at = 0; at < b.len; at++) {
		b.data[at] ^= 4;
		int err = km_dkg_compare_headers(d.m[2], b.data, b.len, &outs);
		assert_true(err == KM_OK || err == KM_E_VERSION || err == KM_E_LIMIT);
		b.data[at] ^= 4;
	}
	memset(junk, 0xff, sizeof(junk));
	assert_int_not_equal(km_dkg_compare_headers(d.m[2], junk, sizeof(junk), &outs), KM_OK);
	assert_null(outs.head);
	km_buf_clear(&b);
	dkg_clear(&d);
	dkg_clear(&other);
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
	    cmocka_unit_test(test_honest),
	    cmocka_unit_test(test_honest_16),
	    cmocka_unit_test(test_sparse_ids),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_archive),
	    cmocka_unit_test(test_bad_share),
	    cmocka_unit_test(test_bad_opening),
	    cmocka_unit_test(test_bad_encoding),
	    cmocka_unit_test(test_false_complaint),
	    cmocka_unit_test(test_mutated_complaint),
	    cmocka_unit_test(test_judge_is_void_without_view),
	    cmocka_unit_test(test_silent),
	    cmocka_unit_test(test_silent_accomplice),
	    cmocka_unit_test(test_crash_at_persist),
	    cmocka_unit_test(test_freed_early),
	    cmocka_unit_test(test_wiped),
	    cmocka_unit_test(test_equivocation),
	    cmocka_unit_test(test_equivocation_relayed),
	    cmocka_unit_test(test_split_shares),
	    cmocka_unit_test(test_headers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
