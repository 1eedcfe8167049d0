/* test_presign_checks.c: what a presign run checks of what others open, and what its hashes cover, each check by itself. */
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/dealer.h"
#include "proto/presign_impl.h"

#define SET(n) ((uint32_t)(((uint64_t)1 << (n)) - 1))

static const struct km_machine_ops *honest_ops;

/* ---- what M3 opens, changed by several peers at once: numbers added to scalars of their bodies before they are signed */

struct twist {
	unsigned from;
	size_t offset;       /* of a scalar in the body of M3 */
	struct km_scalar add;
};

static const struct twist *twists;
static size_t n_twists;

static int twist_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;
	struct km_scalar x;

	for (size_t i = 0; i < n_twists && job->what == KM_JOB_OPEN; i++) {
		if (twists[i].from != m->self)
			continue;
		assert_int_equal(km_scalar_decode(s->curve, &x, s->body + twists[i].offset), KM_OK);
		km_scalar_add(s->curve, &x, &x, &twists[i].add);
		km_scalar_encode(s->curve, s->body + twists[i].offset, &x);
	}
	return honest_ops->worked(m, job, outs);
}

/* N = 6, T = 3: everybody drops before a point of C3 is shown. Nobody is convicted by the values; the opened run names who made them. */
static void twisted(uint64_t seed, const struct twist *t, size_t n)
{
	uint32_t culprits = 0;
	struct km_machine_ops ops;
	struct group g;

	group_init(&g, seed, SET(6), 3, SET(6), 3, 7);
	twists = t;
	n_twists = n;
	honest_ops = g.m[1]->ops;
	ops = *honest_ops;
	ops.worked = twist_worked;
	for (unsigned i = 1; i <= 6; i++)
		g.m[i]->ops = &ops;
	net_run(g.net, 1);
	for (size_t i = 0; i < n; i++)
		culprits |= km_set_bit(t[i].from);
	for (unsigned i = 1; i <= 6; i++) {
		assert_true(net_party(g.net, (uint8_t)i)->dropped);
		assert_int_equal(net_party(g.net, (uint8_t)i)->drop_code, KM_E_VERIFY);
		assert_int_equal(net_party(g.net, (uint8_t)i)->convicted, culprits & ~km_set_bit(i));
		if (culprits & ~km_set_bit(i))
			assert_int_equal(net_party(g.net, (uint8_t)i)->evidence_kind, KM_EV_OPENED);
		assert_null(g.m[i]->bcast[KM_PRESIGN_C3][i].raw);
	}
	group_clear(&g);
}

static size_t m3_check_at(unsigned kind)
{
	return 2 * KM_HASH_SIZE + kind * 32;
}

static size_t m3_product_at(unsigned l, unsigned delta)
{
	return 2 * KM_HASH_SIZE + KM_KINDS * 32 + l * (2 * 32 + 33) + delta * 32;
}

/* With n' > 2T-1 a wrong share of w or delta is off the polynomial, also where two errors add up to nothing. */
static void test_products(void **state)
{
	const struct km_curve *c = km_curve_p256();
	struct twist t[2] = { { .from = 5 }, { .from = 5 } };

	for (unsigned delta = 0; delta <= 1; delta++)
		for (unsigned l = 0; l < 3; l++) {
			t[0].offset = m3_product_at(l, delta);
			km_scalar_set_u32(&t[0].add, 1);
			twisted(150, t, 1);
			t[1].offset = m3_product_at((l + 1) % 3, delta);
			km_scalar_neg(c, &t[1].add, &t[0].add);
			twisted(150, t, 2);
		}
}

/* Shares of the dealing check that keep the secrets, so that the degree alone is wrong; that keep the degree, so that the secrets
 * alone are: 2t is 4, so that x(x-1)(x-2)(x-3) is a change the honest four of six do not take part in. */
static void test_dealing_check(void **state)
{
	const struct km_curve *c = km_curve_p256();
	struct km_scalar lambda[6];
	struct twist t[2];

	km_shamir_lagrange_all(c, lambda, SET(6), 0);
	for (unsigned kind = 0; kind < KM_KINDS; kind++) {
		t[0] = (struct twist){ .from = 5, .offset = m3_check_at(kind), .add = lambda[5] };
		t[1] = (struct twist){ .from = 6, .offset = m3_check_at(kind) };
		km_scalar_neg(c, &t[1].add, &lambda[4]);
		twisted(151, t, 2);
	}
	for (unsigned kind = KM_KIND_R2; kind <= KM_KIND_Z; kind++) {
		t[0] = (struct twist){ .from = 5, .offset = m3_check_at(kind), .add = { { 24 } } };
		t[1] = (struct twist){ .from = 6, .offset = m3_check_at(kind), .add = { { 120 } } };
		twisted(152, t, 2);
	}
}

/* ---- what is hashed, told a second time from the protocol's text */

/* HS("dealcheck", sid, kind, group, row, view of M1). */
static void challenge_again(const struct km_presign *s, struct km_scalar *e, const char *kind, unsigned l)
{
	struct km_hash h, view;
	uint8_t m1[KM_HASH_SIZE];

	km_hash_init(&view, "round");
	km_hash_field(&view, s->m->sid, KM_HASH_SIZE);
	for (unsigned j = 1; j <= 4; j++)
		km_hash_field(&view, s->m->bcast[KM_PRESIGN_M1][j].msg.digest, KM_HASH_SIZE);
	km_hash_final(&view, m1);
	km_hash_init(&h, "dealcheck");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_str(&h, kind);
	km_hash_u32(&h, l / 3);      /* n' - t rows of a group */
	km_hash_u32(&h, l % 3);
	km_hash_field(&h, m1, KM_HASH_SIZE);
	km_scalar_from_hash(s->curve, e, &h);
}

static void check_share_again(const struct km_presign *s, const uint8_t *body)
{
	static const char *const names[KM_KINDS] = { "k", "a", "v", "rho", "rho", "z" };

	for (unsigned kind = 0; kind < KM_KINDS; kind++) {
		struct km_secret sum = s->sh[kind][s->batch];   /* the mask, as it is */
		struct km_scalar e, want, got;

		for (unsigned l = 0; l < s->batch; l++) {
			challenge_again(s, &e, names[kind], l);
			km_secret_addmul_pub(s->curve, &sum, &s->sh[kind][l], &e);
		}
		km_secret_declassify(&want, &sum);
		assert_int_equal(km_scalar_decode(s->curve, &got, body + m3_check_at(kind)), KM_OK);
		assert_true(km_scalar_equal(&want, &got));
		assert_false(km_scalar_equal(&want, (const struct km_scalar *)&s->sh[kind][s->batch]));
	}
}

/* H("c0", sid, i, blind, all R_i), from the M3 that opens it. */
static void c0_again(const struct km_presign *s, const uint8_t *body)
{
	uint8_t r[8 * 33], c0[KM_HASH_SIZE];
	size_t n = 0;
	struct km_hash h;

	for (unsigned l = 0; l < s->batch; l++)
		if (km_set_has(s->index[l].quorum, s->m->self)) {
			memcpy(r + n, body + m3_product_at(l, 2), 33);
			n += 33;
		}
	km_hash_init(&h, "c0");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_u8(&h, s->m->self);
	km_hash_field(&h, body + KM_HASH_SIZE, KM_HASH_SIZE);
	km_hash_field(&h, r, n);
	km_hash_final(&h, c0);
	assert_memory_equal(c0, s->m->bcast[KM_PRESIGN_M2][s->m->self].msg.body + KM_HASH_SIZE, KM_HASH_SIZE);
}

/* x_i = lambda_i times the Shamir share, and for each other member H("zero-share", pair seed, sid, index, kind, lower, higher),
 * added by the lower id. */
static void hand_over_again(const struct km_presign *s, const struct km_secret *x, const struct km_secret *share, unsigned l,
			    unsigned kind)
{
	const struct km_curve *c = s->curve;
	struct km_scalar lambda, got;
	struct km_secret want, z;
	struct km_hash h;
	unsigned self = s->m->self;

	km_shamir_lagrange(c, &lambda, s->index[l].quorum, self, 0);
	km_secret_mul_pub(c, &want, share, &lambda);
	for (unsigned j = km_set_next(s->index[l].quorum, 0); j; j = km_set_next(s->index[l].quorum, j)) {
		if (j == self)
			continue;
		km_hash_init(&h, "zero-share");
		km_hash_field(&h, s->early->pair[j], KM_SEED_SIZE);
		km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
		km_hash_u32(&h, l);
		km_hash_u8(&h, (uint8_t)kind);
		km_hash_u8(&h, (uint8_t)(self < j ? self : j));
		km_hash_u8(&h, (uint8_t)(self < j ? j : self));
		km_secret_from_hash(c, &z, &h);
		if (self < j)
			km_secret_add(c, &want, &want, &z);
		else
			km_secret_sub(c, &want, &want, &z);
	}
	km_secret_declassify(&lambda, &want);
	km_secret_declassify(&got, x);
	assert_true(km_scalar_equal(&lambda, &got));
}

/* c(i) = delta - rho_t(i), delta from what everybody opened. */
static void c_again(const struct km_presign *s, unsigned o)
{
	struct km_scalar v[4], delta;
	struct km_secret c;
	unsigned l = s->own_index[o];

	for (unsigned j = 0; j < 4; j++)
		assert_int_equal(
		    km_scalar_decode(s->curve, &v[j], s->m->bcast[KM_PRESIGN_M3][j + 1].msg.body + m3_product_at(l, 1)), KM_OK);
	km_shamir_interpolate(s->curve, &delta, v, SET(4), 0);
	km_secret_pub_sub(s->curve, &c, &delta, &s->sh[KM_KIND_RT][l]);
	hand_over_again(s, &s->c[o], &c, l, KM_KIND_C);
}

/* OK: digests of four rounds, by sender; PASS and C4 begin with their hash. */
static void list_again(const struct km_presign *s, unsigned round, const uint8_t *body)
{
	uint8_t list[4 * 4 * KM_HASH_SIZE], hash[KM_HASH_SIZE];
	struct km_hash h;

	for (unsigned r = 0; r < 4; r++)
		for (unsigned j = 0; j < 4; j++)
			memcpy(list + (4 * r + j) * KM_HASH_SIZE, s->m->bcast[r + 1][j + 1].msg.digest, KM_HASH_SIZE);
	km_hash_init(&h, "oklist");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_field(&h, list, sizeof(list));
	km_hash_final(&h, hash);
	if (round == KM_PRESIGN_OK)
		assert_memory_equal(body, list, sizeof(list));
	else
		assert_memory_equal(body, hash, sizeof(hash));
}

static enum net_verdict transcript_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct group *g = ctx;
	const struct km_presign *s = g->m[from]->state;
	const uint8_t *body = *raw + KM_MSG_HEAD;

	if ((*raw)[3] == KM_PRESIGN_M3) {
		check_share_again(s, body);
		c0_again(s, body);
		assert_null(s->deal);        /* own polynomials went when they were dealt */
		for (unsigned o = 0; o < s->own; o++) {
			hand_over_again(s, &s->k[o], &s->sh[KM_KIND_K][s->own_index[o]], s->own_index[o], KM_KIND_K);
			hand_over_again(s, &s->a[o], &s->sh[KM_KIND_A][s->own_index[o]], s->own_index[o], KM_KIND_A);
			hand_over_again(s, &s->v[o], &s->sh[KM_KIND_V][s->own_index[o]], s->own_index[o], KM_KIND_V);
		}
	} else if ((*raw)[3] == KM_PRESIGN_C3) {
		for (unsigned o = 0; o < s->own; o++)
			c_again(s, o);
	} else if ((*raw)[3] >= KM_PRESIGN_OK) {
		list_again(s, (*raw)[3], body);
	}
	return NET_PASS;
}

static void test_transcript(void **state)
{
	struct group g;

	group_init(&g, 160, SET(4), 2, SET(4), 7, 0);
	net_tap(g.net, transcript_tap, &g);
	net_run(g.net, 0);
	for (unsigned i = 1; i <= 4; i++)
		assert_true(net_party(g.net, (uint8_t)i)->done);
	group_clear(&g);
}

/* Bytes where a pair has no seed to share: one value, one encoding. The list fits, so that this alone convicts. */
static int seed_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;
	struct km_shape shape;

	if (job->what == KM_JOB_DEAL) {
		s->deal[0] = 1;              /* from 3 to 1 */
		assert_int_equal(km_presign_shape(s, KM_PRESIGN_M1, 3, 1, &shape), KM_OK);
		assert_int_equal(km_msg_root(s->body, &shape, s->deal), KM_OK);
	}
	return honest_ops->worked(m, job, outs);
}

/* Nor are there bytes of an R_i where the author is not in the quorum. */
static int foreign_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;

	if (job->what == KM_JOB_OPEN)
		s->body[m3_product_at(0, 2)] = 2;
	return honest_ops->worked(m, job, outs);
}

static void convicts_3(const struct km_machine_ops *evil, uint32_t quorum)
{
	struct km_machine_ops ops;
	struct group g;

	group_init(&g, 161, SET(3), 2, SET(3), 2, quorum);
	honest_ops = g.m[3]->ops;
	ops = *honest_ops;
	ops.worked = evil->worked;
	g.m[3]->ops = &ops;
	net_run(g.net, 1);
	assert_true(net_party(g.net, 1)->dropped);
	assert_int_equal(net_party(g.net, 1)->convicted, km_set_bit(3));
	assert_int_equal(net_party(g.net, 1)->evidence_kind, KM_EV_ENCODING);
	group_clear(&g);
}

static void test_one_encoding(void **state)
{
	convicts_3(&(const struct km_machine_ops){ .worked = seed_worked }, 7 & ~km_set_bit(2));
	convicts_3(&(const struct km_machine_ops){ .worked = foreign_worked }, 3);
}

/* ---- the batch checks of C3 and C4: two errors that would cancel if all had one weight */

/* Peer 3 goes on with another a and c of index 0 than were dealt, and proves them truly. */
static struct km_scalar shift_a, shift_c;

static int shift_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;
	struct km_scalar k;

	if (job->what == KM_JOB_OPEN) {
		km_secret_add_pub(s->curve, &s->a[0], &s->a[0], &shift_a);
		/* c = lambda (delta - rho_t) + ... */
		km_shamir_lagrange(s->curve, &k, s->index[0].quorum, 3, 0);
		km_scalar_inv(s->curve, &k, &k);
		km_scalar_mul(s->curve, &k, &k, &shift_c);
		km_scalar_neg(s->curve, &k, &k);
		km_secret_add_pub(s->curve, &s->sh[KM_KIND_RT][0], &s->sh[KM_KIND_RT][0], &k);
	}
	return honest_ops->worked(m, job, outs);
}

static void shifted(int a, int c)
{
	struct km_machine_ops ops;
	struct group g;

	km_scalar_set_u32(&shift_a, a ? 4711 : 0);
	km_scalar_set_u32(&shift_c, c ? 4711 : 0);
	if (c < 0)
		km_scalar_neg(km_curve_p256(), &shift_c, &shift_c);
	group_init(&g, 170, SET(5), 3, SET(5), 2, 7);
	honest_ops = g.m[3]->ops;
	ops = *honest_ops;
	ops.worked = shift_worked;
	g.m[3]->ops = &ops;
	net_run(g.net, 1);
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(net_party(g.net, (uint8_t)i)->drop_code, KM_E_VERIFY);
		assert_int_equal(net_party(g.net, (uint8_t)i)->convicted, km_set_bit(3));
		assert_int_equal(net_party(g.net, (uint8_t)i)->evidence_kind, KM_EV_OPENED);
		assert_true(!g.m[i]->bcast[KM_PRESIGN_OK][i].raw ||
			    km_open_kind(KM_PRESIGN_MAJORITY, 5, &g.m[i]->bcast[KM_PRESIGN_OK][i].msg) == KM_OPEN_FAIL);
	}
	group_clear(&g);
}

static void test_sums(void **state)
{
	shifted(1, 0);
	shifted(0, 1);
	shifted(1, -1);
}

/* Peers 2 and 3 change the responses of their proofs, or their epsilons, by opposite numbers. */
static unsigned pair_index, pair_job;

static void add_at(const struct km_curve *c, uint8_t *at, uint32_t v, int negative)
{
	struct km_scalar x, y;

	assert_int_equal(km_scalar_decode(c, &x, at), KM_OK);
	km_scalar_set_u32(&y, v);
	if (negative)
		km_scalar_sub(c, &x, &x, &y);
	else
		km_scalar_add(c, &x, &x, &y);
	km_scalar_encode(c, at, &x);
}

static int pair_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;

	if (job->what == pair_job)
		add_at(s->curve, s->body + KM_HASH_SIZE + 65 + pair_index * (4 * 33 + 32) + 4 * 33, 99, m->self == 3);
	return honest_ops->worked(m, job, outs);
}

static enum net_verdict pair_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct group *g = ctx;
	struct km_identity id;
	struct km_shape shape;
	uint8_t *again;

	if ((*raw)[3] != KM_PRESIGN_C4 || (from != 2 && from != 3))
		return NET_PASS;
	assert_int_equal(km_presign_shape(g->m[from]->state, KM_PRESIGN_C4, from, 0, &shape), KM_OK);
	add_at(g->d.curve, *raw + KM_MSG_HEAD + KM_HASH_SIZE + pair_index * 32, 99, from == 3);
	net_identity(g->d.seed, from, &id);
	again = net_resign(&id, *raw, *len, &shape, len);
	free(*raw);
	*raw = again;
	return NET_PASS;
}

/* Evidence proves to anybody what it says of 2 or 3; under another view an honest proof is bad (A15), so a proof comes with its own. */
static void evidence_proves(const struct group *g, const struct net_party *party)
{
	struct km_verdict v;
	struct km_buf b;

	km_buf_init(&b);
	group_wrap(g, party->evidence, party->evidence_len, &b);
	group_judge(g, b.data, b.len, &v);
	if (!v.culprit)
		fail_msg("%s", v.why);
	assert_int_equal(v.kind, party->evidence_kind);
	assert_int_equal(v.culprit, 3);
	assert_int_equal(v.index, pair_index);
	km_buf_clear(&b);
}

static void test_pairs(void **state)
{
	struct km_machine_ops ops;
	struct group g;

	for (pair_job = KM_JOB_POINTS; pair_job <= KM_JOB_BIND; pair_job += KM_JOB_BIND - KM_JOB_POINTS)
		for (pair_index = 0; pair_index < 3; pair_index++) {
			group_init(&g, 171, SET(5), 3, SET(5), 3, 7);
			honest_ops = g.m[2]->ops;
			ops = *honest_ops;
			if (pair_job == KM_JOB_POINTS) {
				ops.worked = pair_worked;
				g.m[2]->ops = g.m[3]->ops = &ops;
			} else {
				net_tap(g.net, pair_tap, &g);
			}
			net_run(g.net, 1);
			assert_int_equal(net_party(g.net, 1)->convicted, 6);
			assert_int_equal(net_party(g.net, 1)->evidence_kind,
					 pair_job == KM_JOB_POINTS ? KM_EV_C3_PROOF : KM_EV_EPSILON);
			assert_int_equal(net_party(g.net, 1)->done, pair_job == KM_JOB_BIND);
			evidence_proves(&g, net_party(g.net, 1));
			if (pair_job == KM_JOB_BIND) {
				group_take(&g);
				for (unsigned l = 0; l < 3; l++)
					assert_int_equal(group_presig(&g, 1, l) != NULL, l != pair_index);
			}
			group_clear(&g);
		}
}

/* ---- nonces of C3: u of a tuple's proof, from z = u + e a + e^2 c */

static struct km_scalar nonces[2];

static enum net_verdict nonce_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct group *g = ctx;
	const struct km_presign *s = g->m[from]->state;
	const struct km_curve *c = s->curve;
	struct km_scalar e, x, a;
	struct km_hash h;

	if ((*raw)[3] != KM_PRESIGN_C3 || from != 1)
		return NET_PASS;
	for (unsigned l = 0; l < 2; l++) {
		const uint8_t *row = *raw + KM_MSG_HEAD + KM_HASH_SIZE + 65 + l * (4 * 33 + 32);
		uint8_t w[32];

		km_scalar_encode(c, w, &s->w[l]);
		km_hash_init(&h, "c3");
		km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
		km_hash_u32(&h, l);
		km_hash_u8(&h, from);
		km_hash_field(&h, s->r_enc + l * 33, 33);
		km_hash_field(&h, w, 32);
		km_hash_field(&h, row + 2 * 33, 33);
		km_hash_field(&h, row, 33);
		km_hash_field(&h, row + 33, 33);
		km_hash_field(&h, row + 3 * 33, 33);
		km_scalar_from_hash(c, &e, &h);
		assert_int_equal(km_scalar_decode(c, &nonces[l], row + 4 * 33), KM_OK);
		km_secret_declassify(&x, &s->c[l]);
		km_scalar_mul(c, &x, &x, &e);
		km_secret_declassify(&a, &s->a[l]);
		km_scalar_add(c, &x, &x, &a);
		km_scalar_mul(c, &x, &x, &e);
		km_scalar_sub(c, &nonces[l], &nonces[l], &x);
	}
	return NET_PASS;
}

/* Peer 1 has one seed in both runs, another participant has not: a second transcript, so other nonces. */
static void test_nonces(void **state)
{
	struct km_scalar first[2];

	for (unsigned run = 0; run < 2; run++) {
		struct group g;

		group_init(&g, 180, SET(3), 2, SET(3), 2, 3);
		if (run) {
			struct km_presign_params p = {
				.table = &g.d.table, .x_i = &g.d.share[3], .batch = 2, .rows = g.rows,
			};

			km_machine_free(g.m[3]);
			net_params(&p.machine, g.keys, 180, g.d.curve, 3, SET(3));
			memcpy(p.machine.sid, g.setup.sid, KM_HASH_SIZE);
			p.machine.seed[0] ^= 1;
			assert_int_equal(km_presign_new(&g.m[3], &p), KM_OK);
			net_add(g.net, 3, g.m[3]);
		}
		net_tap(g.net, nonce_tap, &g);
		net_run(g.net, 0);
		assert_true(net_party(g.net, 1)->done);
		assert_false(km_scalar_equal(&nonces[0], &nonces[1]));
		if (!run)
			memcpy(first, nonces, sizeof(first));
		group_clear(&g);
	}
	for (unsigned l = 0; l < 2; l++)
		assert_false(km_scalar_equal(&first[l], &nonces[l]));
}

/* ---- the end of a run while its last job is out: peer 2 is seen to equivocate just when 1 has made its presignatures */

static struct group *binding;
static int caught;

static void bind_job(struct km_machine *m, struct km_job *job)
{
	static const uint8_t body[2 * KM_HASH_SIZE];
	struct km_presign *s = m->state;
	struct km_shape shape;
	struct km_identity id;
	struct km_outs outs;
	struct km_buf b;

	job->run(job);
	if (m->self != 1 || job->what != KM_JOB_BIND)
		return;
	assert_non_null(s->done[0]);
	km_buf_init(&b);
	km_outs_init(&outs);
	net_identity(binding->d.seed, 2, &id);
	assert_int_equal(km_presign_shape(s, KM_PRESIGN_M2, 2, 0, &shape), KM_OK);
	assert_int_equal(km_msg_build(&b, KM_PROTO_MAJORITY, KM_PRESIGN_M2, 2, 0, m->sid, &shape, body, &id), KM_OK);
	assert_int_equal(km_machine_message(m, net_now(binding->net), 2, 0, b.data, b.len, &outs), KM_OK);
	assert_true(m->ended);
	km_outs_clear(&outs);
	km_buf_clear(&b);
	caught = 1;
}

static void test_ended_while_binding(void **state)
{
	static const struct km_secret zero;
	const struct km_presign *s;
	struct group g;

	group_init(&g, 190, SET(3), 2, SET(3), 2, 3);
	binding = &g;
	caught = 0;
	net_jobs(g.net, bind_job);
	net_run(g.net, 1);
	assert_true(caught);
	assert_false(net_party(g.net, 1)->done);
	s = g.m[1]->state;
	for (unsigned o = 0; o < s->own; o++) {
		assert_null(s->done[o]);
		assert_memory_equal(&s->a[o], &zero, sizeof(zero));
		assert_memory_equal(&s->c[o], &zero, sizeof(zero));
	}
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_products), cmocka_unit_test(test_dealing_check), cmocka_unit_test(test_transcript),
	 cmocka_unit_test(test_one_encoding), cmocka_unit_test(test_sums), cmocka_unit_test(test_pairs),
	 cmocka_unit_test(test_nonces), cmocka_unit_test(test_ended_while_binding))
