/* test_dealing.c: what bad dealings and wrong products come to, in the field of 17 elements (A6, A1).
 *
 * The dealing check opens sum_l e_l f_l + mask for one random e_l a sharing. Counted here over all challenges, for every way to
 * be wrong: a dealing of bad degree, of a secret that should be zero, of two secrets that should be equal passes for exactly
 * one e of q, or none, whatever the dealer added to the mask: 1/q per kind. Then real runs with such a dealer: the check says
 * what the challenge of that very run says it must, no other member is ever named, and no signature comes of it. */
#include "../attack/rush.h"
#include "run.h"

#include <stdlib.h>
#include "base/rng.h"

static struct tiny g;
static struct km_rng rng;

static void setup(void)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 6 };

	km_rules_off = 0;
	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	km_rng_init(&rng, seed, "dealing", NULL, 0);
}

static unsigned draw(void)
{
	return (unsigned)km_rng_below(&rng, g.q);
}

/* ---- over all challenges */

#define N 4
#define ALL 0xfu

/* Values at 1..4 of a random polynomial. */
static void sharing(unsigned *f, unsigned degree, unsigned secret)
{
	unsigned coef[N] = { secret };

	for (unsigned l = 1; l <= degree; l++)
		coef[l] = draw();
	for (unsigned x = 1; x <= N; x++) {
		f[x - 1] = 0;
		for (unsigned l = degree + 1; l-- > 0;)
			f[x - 1] = (f[x - 1] * x + coef[l]) % g.q;
	}
}

static void combine(struct km_scalar *out, const unsigned *f, const unsigned *mask, unsigned e)
{
	for (unsigned i = 0; i < N; i++)
		out[i] = tiny_scalar((e * f[i] + mask[i]) % g.q);
}

/* T = 2, N = 4: all errors of a sharing of degree 1 up to what is itself one (those at the first two points are zero), all
 * errors of the mask. */
static void test_degree(void **state)
{
	unsigned f[N], mask[N], passed = 0;
	struct km_scalar v[N];

	setup();
	for (unsigned err = 1; err < g.q * g.q; err++)
		for (unsigned merr = 0; merr < g.q * g.q; merr++) {
			unsigned good = 0, want = 0;

			sharing(f, 1, draw());
			sharing(mask, 1, draw());
			f[2] = (f[2] + err / g.q) % g.q;
			f[3] = (f[3] + err % g.q) % g.q;
			mask[2] = (mask[2] + merr / g.q) % g.q;
			mask[3] = (mask[3] + merr % g.q) % g.q;
			for (unsigned e = 0; e < g.q; e++) {
				combine(v, f, mask, e);
				good += km_shamir_degree_check(g.c, v, ALL, 1) == KM_OK;
				want += (e * (err / g.q) + merr / g.q) % g.q == 0 && (e * (err % g.q) + merr % g.q) % g.q == 0;
			}
			assert_int_equal(good, want);
			assert_true(good <= 1);
			passed += good;
		}
	/* each error has, for each challenge, the one mask that goes with it */
	assert_int_equal(passed, (g.q * g.q - 1) * g.q);
}

static unsigned secret_of(const struct km_scalar *v)
{
	struct km_scalar s;

	km_shamir_interpolate(g.c, &s, v, ALL, 0);
	return tiny_value(&s);
}

/* A secret that is not zero, and two that are not equal: all values, all secrets of the masks. */
static void test_secrets(void **state)
{
	unsigned z[N], zm[N], t[N], tm[N], d[N], dm[N];
	struct km_scalar v[N], w[N];

	setup();
	for (unsigned off = 1; off < g.q; off++)
		for (unsigned moff = 0; moff < g.q; moff++) {
			unsigned good_z = 0, good_rho = 0, rho = draw(), mrho = draw();

			sharing(z, 2, off);
			sharing(zm, 2, moff);
			sharing(t, 1, rho);
			sharing(tm, 1, mrho);
			sharing(d, 2, (rho + off) % g.q);
			sharing(dm, 2, (mrho + moff) % g.q);
			for (unsigned e = 0; e < g.q; e++) {
				combine(v, z, zm, e);
				assert_int_equal(km_shamir_degree_check(g.c, v, ALL, 2), KM_OK);
				good_z += secret_of(v) == 0;
				combine(v, t, tm, e);
				combine(w, d, dm, e);
				good_rho += secret_of(v) == secret_of(w);
			}
			assert_int_equal(good_z, 1);
			assert_int_equal(good_rho, 1);
		}
}

/* Two bad sharings under challenges of their own: q of q^2, no more than one of them alone. */
static void test_two(void **state)
{
	unsigned f[N], h[N], mask[N];
	struct km_scalar v[N];

	setup();
	for (unsigned a = 1; a < g.q; a++)
		for (unsigned b = 1; b < g.q; b++)
			for (unsigned m = 0; m < g.q; m++) {
				unsigned good = 0;

				sharing(f, 2, draw());
				sharing(h, 2, draw());
				sharing(mask, 2, draw());
				f[3] = (f[3] + a) % g.q;
				h[3] = (h[3] + b) % g.q;
				mask[3] = (mask[3] + m) % g.q;
				for (unsigned e = 0; e < g.q * g.q; e++) {
					for (unsigned i = 0; i < N; i++)
						v[i] = tiny_scalar((e / g.q * f[i] + e % g.q * h[i] + mask[i]) % g.q);
					good += km_shamir_degree_check(g.c, v, ALL, 2) == KM_OK;
				}
				assert_int_equal(good, g.q);
			}
}

/* ---- real runs: peer 4 deals one wrong share, or to everybody (itself included) shares of a secret that is off. With N = 4, T
 * = 2 a group of four dealings gives three sharings: the first is that of index 0, where peer 4's has the weight 1, the last
 * the mask, where it has 4^2. */

#define CORRUPT 4

static int lied;   /* in this run; a zero by chance may end it before */

static struct {
	unsigned kind, to, by;          /* what is dealt wrong, to whom (0: all), by how much */
	unsigned judged, passed;
	struct tally tally;
} at;

static void deal_badly(void *ctx, struct km_presign *s)
{
	size_t size = s->deal_len / s->n;
	struct km_shape shape;

	lied = 1;
	for (unsigned to = 1; to <= N; to++) {
		uint8_t *body = s->deal + (to - 1) * size, *share = body + KM_SEED_SIZE + at.kind;

		if (at.to && at.to != to)
			continue;
		*share = (uint8_t)((*share + at.by) % g.q);
		if (to == CORRUPT)
			continue;
		assert_int_equal(km_presign_shape(s, KM_PRESIGN_M1, CORRUPT, to, &shape), KM_OK);
		assert_int_equal(km_msg_root(s->body + (to - 1) * KM_HASH_SIZE, &shape, body), KM_OK);
	}
}

/* e of index 0 */
static unsigned deal_challenge(const struct km_presign *s)
{
	static const char *const names[KM_KINDS] = { "k", "a", "v", "rho", "rho", "z" };
	struct km_scalar e;
	struct km_hash h;

	km_hash_init(&h, "dealcheck");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_str(&h, names[at.kind]);
	km_hash_u32(&h, 0);
	km_hash_u32(&h, 0);
	km_hash_field(&h, km_presign_prev(s, KM_PRESIGN_M2), KM_HASH_SIZE);
	km_scalar_from_hash(g.c, &e, &h);
	return tiny_value(&e);
}

/* Whether the round's checks pass, again and again: wrong products slip once in 16, as their randomiser has it. */
static int checks(struct km_presign *s, unsigned *passed)
{
	unsigned tries = 20;

	*passed = 0;
	for (unsigned i = 0; i < tries; i++) {
		tiny_forget(s, KM_TUPLE_RAW);
		assert_int_equal(s->engine->check(s), KM_OK);
		assert_int_equal(tiny_guilty(s), 0);
		*passed += !s->fail;
	}
	tiny_forget(s, KM_TUPLE_RAW);
	return *passed == tries;
}

static void judge_dealing(struct km_presign *s, unsigned what)
{
	unsigned passed;
	int want, products;

	if (what != KM_JOB_POINTS || s->m->self == CORRUPT || s->fail)
		return;
	want = (deal_challenge(s) + CORRUPT * CORRUPT) % g.q == 0;
	/* another k, a or v is as good as the one its seed gives */
	if (!at.to && at.kind <= KM_KIND_V)
		want = 1;
	/* the other check of the same bodies: of the products */
	km_rules_off = (uint64_t)1 << km_rule_dealing_check;
	products = checks(s, &passed);
	km_rules_off = 0;
	assert_int_equal(checks(s, &passed), want && products);
	/* what the dealing check sees, it sees always */
	assert_true(want || !passed);
	at.judged++;
	at.passed += want && (at.to || at.kind > KM_KIND_V);
}

/* Whoever stops convicts exactly the corrupt member, by what all open (E8). Where nobody stops, no honest member is blamed for
 * what comes of it. Returns whether a signature could have come. */
static int assert_harmless(struct group *gr, unsigned corrupt, uint32_t quorum)
{
	unsigned held = 0;

	for (unsigned i = km_set_next(gr->participants, 0); i; i = km_set_next(gr->participants, i)) {
		const struct net_party *p = net_party(gr->net, (uint8_t)i);

		if (i == corrupt)
			continue;
		assert_int_equal(p->err, 0);
		assert_true(p->done != p->dropped);
		assert_int_equal(p->convicted, p->dropped && lied ? km_set_bit(corrupt) : 0);
		assert_int_equal(p->disputed, 0);
	}
	for (unsigned i = km_set_next(gr->participants, 0); i; i = km_set_next(gr->participants, i))
		if (net_party(gr->net, (uint8_t)i)->done && !km_presign_take(gr->m[i], &gr->ps[i], &gr->nps[i]))
			held += km_set_has(quorum, i) && group_presig(gr, i, 0);
	if (held < km_set_size(quorum))
		return 0;
	/* all shares are as the presignature says: if the sum is wrong, no honest member is blamed for it */
	struct km_sign_input in = { .context = KM_CTX_TLS13_SERVER, .m = tiny_scalar(7) };
	struct km_scalar share[KM_MAX_PEERS];
	struct km_sign_nonce nonce;
	unsigned judge = km_set_next(quorum & ~km_set_bit(corrupt), 0);
	uint32_t culprits;

	if (group_shares(gr, 0, &in, &nonce, share))
		return 1;
	assert_int_equal(km_sign_culprits_var(group_presig(gr, judge, 0), &in, &nonce, share, &culprits), KM_OK);
	assert_int_equal(culprits & ~km_set_bit(corrupt), 0);
	return 1;
}

static int run_with(struct rush *r, uint64_t seed, uint32_t members, unsigned corrupt, uint32_t quorum)
{
	struct group gr;
	int held;

	if (group_make(&gr, g.c, KM_PRESIGN_MAJORITY, seed, members, 2, members, 1, quorum))
		return -1;
	lied = 0;
	rush_attach(r, gr.m[corrupt]);
	net_jobs(gr.net, tiny_job);
	rush_run(&gr);
	held = assert_harmless(&gr, corrupt, quorum);
	group_clear(&gr);
	return held;
}

/* Every kind, every recipient and all, every error. */
static void test_runs(void **state)
{
	uint64_t seed = 1;

	setup();
	memset(&at, 0, sizeof(at));
	tiny_hook = judge_dealing;
	for (at.kind = 0; at.kind < KM_KINDS; at.kind++)
		for (at.to = 0; at.to <= 3; at.to++)
			for (at.by = 1; at.by < g.q; at.by++) {
				unsigned before = at.judged;

				/* a run may end in a zero before it is judged */
				while (at.judged == before) {
					struct rush r = { .change = { [KM_JOB_DEAL] = deal_badly } };

					run_with(&r, seed++, ALL, CORRUPT, 3);
				}
			}
	tiny_hook = NULL;
	print_message("# %u dealings judged, %u passed\n", at.judged, at.passed);
	assert_true(at.judged >= 6 * 4 * 16);
	/* 1/17 */
	assert_in_range(at.passed * 17 * 100 / at.judged, 50, 170);
}

/* ---- a wrong share of w or delta where no share is spare: the points of C3 contradict it */

static struct { unsigned which, by; } wrong;

static void open_badly(void *ctx, struct km_presign *s)
{
	uint8_t *share = rush_m3_share(s, s->body, 0, wrong.which);

	*share = (uint8_t)((*share + wrong.by) % g.q);
	lied = 1;
}

/* N = 3, T = 2: every quorum, every member (also the one outside the quorum), w and delta, every error. */
static void test_products(void **state)
{
	unsigned runs = 0, slipped = 0;
	uint64_t seed = 1;

	setup();
	tiny_hook = NULL;
	for (uint32_t quorum = 3; quorum; quorum = tiny_next_subset(quorum, 3))
		for (unsigned corrupt = 1; corrupt <= 3; corrupt++)
			for (wrong.which = 0; wrong.which < 2; wrong.which++)
				for (wrong.by = 1; wrong.by < g.q; wrong.by++, seed++) {
					struct rush r = { .change = { [KM_JOB_OPEN] = open_badly } };
					int held = run_with(&r, seed, 7, corrupt, quorum);

					runs += held >= 0;
					slipped += held > 0;
				}
	print_message("# %u runs with a wrong product, %u slipped\n", runs, slipped);
	/* both members of a quorum judge with randomisers of their own: 1/256 */
	assert_true(runs > 200 && slipped < runs / 10);
}

KM_TESTS(cmocka_unit_test(test_degree), cmocka_unit_test(test_secrets), cmocka_unit_test(test_two), cmocka_unit_test(test_runs),
	 cmocka_unit_test(test_products))
