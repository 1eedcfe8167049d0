/* test_signing.c: threshold signing in a group of 17 elements: every key, every nonce, every message, by every quorum, beside
 * plain ECDSA made of schoolbook integers.
 *
 * What it shows: a quorum's signature is the one that a single signer with the key x and the nonce delta k makes, made low, and
 * it verifies; r = 0 and s = 0 end in KM_E_DEGENERATE and nowhere else (B17); verification accepts no pair (r, s) that the
 * equation does not; with one wrong share, whatever its value, no signature comes out that does not verify, and exactly its
 * author is named. */
#include "tiny.h"

#include <stdlib.h>
#include "base/rng.h"
#include "base/secret.h"
#include "proto/sign.h"

#define MEMBERS_MAX 5

static struct tiny g;
static struct km_rng rng;

static unsigned draw(void)
{
	return (unsigned)km_rng_below(&rng, g.q);
}

/* ---- plain ECDSA */

static unsigned plain_low(unsigned s)
{
	return 2 * s > g.q ? g.q - s : s;
}

/* 0 when r or s is zero. */
static int plain_sign(unsigned x, unsigned k, unsigned m, unsigned *r, unsigned *s)
{
	*r = g.at[k].x % g.q;
	*s = plain_low(tiny_inv(k, g.q) * (m + *r * x) % g.q);
	return *r && *s;
}

static int plain_verify(unsigned x, unsigned m, unsigned r, unsigned s)
{
	unsigned k;

	if (!r || !s)
		return 0;
	k = tiny_inv(s, g.q) * (m + r * x) % g.q;
	return k && g.at[k].x % g.q == r;
}

/* ---- a presignature over a quorum, all its secrets drawn but k and x; made as certify and bind make it */

struct quorum {
	uint32_t set;
	unsigned n, t;
	struct km_presig ps[MEMBERS_MAX];
	uint8_t enc[MEMBERS_MAX][4];
	unsigned alpha[MEMBERS_MAX], beta[MEMBERS_MAX];
};

/* Additive parts of a sum, none of them zero where a point is made of them. */
static void split(unsigned *part, unsigned n, unsigned sum)
{
	unsigned left;

	do {
		left = sum;
		for (unsigned i = 1; i < n; i++) {
			part[i] = 1 + (unsigned)km_rng_below(&rng, g.q - 1);
			left += g.q - part[i];
		}
		part[0] = left % g.q;
	} while (!part[0]);
}

static void quorum_make(struct quorum *qu, unsigned n, uint32_t set, unsigned x, unsigned k)
{
	unsigned coef[MEMBERS_MAX], a[MEMBERS_MAX], v[MEMBERS_MAX], c[MEMBERS_MAX], sum_a, sum_v, w, eps = 0, at = 0;

	memset(qu, 0, sizeof(*qu));
	qu->set = set;
	qu->n = n;
	qu->t = km_set_size(set);
	for (unsigned l = 1; l < qu->t; l++)
		coef[l] = draw();
	coef[0] = x;
	sum_a = 1 + (unsigned)km_rng_below(&rng, g.q - 1);
	sum_v = draw();
	split(a, qu->t, sum_a);
	split(v, qu->t, sum_v);
	split(c, qu->t, sum_a * sum_v % g.q);
	w = sum_a * k % g.q;
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i), at++) {
		struct km_scalar lambda;
		unsigned xi = 0;

		for (unsigned l = qu->t; l-- > 0;)
			xi = (xi * i + coef[l]) % g.q;
		km_shamir_lagrange(g.c, &lambda, set, i, 0);
		eps += tiny_value(&lambda) * xi + g.q - v[at];
	}
	eps %= g.q;
	at = 0;
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i), at++) {
		struct km_presig *p = &qu->ps[at];

		qu->alpha[at] = a[at] * tiny_inv(w, g.q) % g.q;
		qu->beta[at] = (eps * a[at] + c[at]) * tiny_inv(w, g.q) % g.q;
		p->owner = (uint8_t)km_set_next(set, 0);
		p->self = (uint8_t)i;
		p->quorum = set;
		p->curve = g.c;
		p->r = g.pt[k];
		p->w = tiny_scalar(w);
		p->epsilon = tiny_scalar(eps);
		p->n = qu->t;
		p->member_enc = qu->enc[0];
		memcpy(qu->enc[at], g.enc[a[at] * k % g.q], 2);
		memcpy(qu->enc[at] + 2, g.enc[c[at] * k % g.q], 2);
	}
}

/* A request whose delta is the one wanted: one in sixteen is. */
static void find_request(const struct quorum *qu, struct km_sign_input *in, unsigned m, unsigned delta)
{
	struct km_sign_nonce nonce;
	uint32_t try = 0;
	int err;

	memset(in, 0, sizeof(*in));
	in->context = KM_CTX_TLS13_SERVER;
	in->m = tiny_scalar(m);
	do {
		/* where r = 0 nothing tells delta but the abscissa itself */
		memcpy(in->request_id, &try, sizeof(try));
		err = km_sign_nonce(&qu->ps[0], in, &nonce);
		if (err && g.at[delta * tiny_log(&g, &qu->ps[0].r) % g.q].x % g.q == 0)
			return;
		assert_true(try++ < 5000);
	} while (err || tiny_value(&nonce.delta) != delta);
}

static void fill(struct quorum *qu)
{
	for (unsigned at = 0; at < qu->t; at++) {
		qu->ps[at].alpha = tiny_secret(qu->alpha[at]);
		qu->ps[at].beta = tiny_secret(qu->beta[at]);
	}
}

/* All shares; the same nonce at every member. */
static int shares_of(struct quorum *qu, const struct km_sign_input *in, struct km_sign_nonce *nonce, struct km_scalar *share)
{
	fill(qu);
	for (unsigned at = 0; at < qu->t; at++) {
		int err = km_sign_nonce(&qu->ps[at], in, nonce);

		if (err)
			return err;
		km_sign_share(&qu->ps[at], in, nonce, &share[at]);
		/* spent */
		assert_int_equal(tiny_seen(&qu->ps[at].alpha) + tiny_seen(&qu->ps[at].beta), 0);
	}
	return KM_OK;
}

static struct { unsigned good, zero_r, zero_s, cheats, same; } did;

static void sign_one(struct quorum *qu, const struct km_sign_input *in, unsigned x, unsigned k)
{
	struct km_scalar share[MEMBERS_MAX], s;
	struct km_sign_nonce nonce;
	unsigned m = tiny_value(&in->m), r1, s1;
	int whole = plain_sign(x, k, m, &r1, &s1), err = shares_of(qu, in, &nonce, share);

	if (!r1) {
		assert_int_equal(err, KM_E_DEGENERATE);
		did.zero_r++;
		return;
	}
	assert_int_equal(err, KM_OK);
	assert_int_equal(tiny_value(&nonce.r), r1);
	assert_int_equal(tiny_log(&g, &nonce.rr), k);
	err = km_sign_combine(g.c, &s, share, qu->t);
	if (!s1) {
		assert_int_equal(err, KM_E_DEGENERATE);
		did.zero_s++;
		return;
	}
	assert_true(whole && err == KM_OK);
	assert_int_equal(tiny_value(&s), s1);
	assert_false(km_scalar_is_high(g.c, &s));
	assert_int_equal(km_ecdsa_verify_var(g.c, &g.pt[x], &in->m, &nonce.r, &s), KM_OK);
	did.good++;
}

/* k is the effective nonce: delta times the presignature's. */
static void each_key_nonce_message(unsigned n, uint32_t set)
{
	for (unsigned m = 0; m < g.q; m++) {
		unsigned delta = 1 + m % (g.q - 1);

		for (unsigned k = 1; k < g.q; k++) {
			unsigned drawn = k * tiny_inv(delta, g.q) % g.q;
			struct km_sign_input in;
			struct quorum qu;

			quorum_make(&qu, n, set, 1, drawn);
			find_request(&qu, &in, m, delta);
			for (unsigned x = 1; x < g.q; x++) {
				quorum_make(&qu, n, set, x, drawn);
				sign_one(&qu, &in, x, k);
			}
		}
	}
}

static void setup(void)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 4 };

	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	km_rng_init(&rng, seed, "signing", NULL, 0);
	memset(&did, 0, sizeof(did));
}

static void test_every_quorum(void **state)
{
	static const unsigned sizes[][2] = { { 2, 2 }, { 3, 2 }, { 4, 3 }, { 5, 3 } };
	unsigned quorums = 0;

	setup();
	for (unsigned i = 0; i < 4; i++)
		for (uint32_t set = (1u << sizes[i][1]) - 1; set; set = tiny_next_subset(set, sizes[i][0])) {
			each_key_nonce_message(sizes[i][0], set);
			quorums++;
		}
	assert_int_equal(quorums, 1 + 3 + 4 + 10);
	assert_int_equal(did.good + did.zero_r + did.zero_s, quorums * 16 * 16 * 17);
	/* two nonces have the abscissa 17; for the others one message each, m = -rx, gives s = 0 */
	assert_int_equal(did.zero_r, quorums * 2 * 16 * 17);
	assert_int_equal(did.zero_s, quorums * 14 * 16);
}

/* All (x, m, r, s), r and s from 0 on. */
static void test_verification(void **state)
{
	unsigned accepted = 0;

	setup();
	for (unsigned x = 0; x < g.q; x++)
		for (unsigned m = 0; m < g.q; m++)
			for (unsigned r = 0; r < g.q; r++)
				for (unsigned s = 0; s < g.q; s++) {
					struct km_scalar mm = tiny_scalar(m), rr = tiny_scalar(r), ss = tiny_scalar(s);
					int want = x && plain_verify(x, m, r, s);

					assert_int_equal(km_ecdsa_verify_var(g.c, &g.pt[x], &mm, &rr, &ss),
							 want ? KM_OK : KM_E_VERIFY);
					accepted += (unsigned)want;
				}
	assert_true(accepted > 0);
}

/* ---- one wrong share: every value */

static void cheat(struct quorum *qu, const struct km_sign_input *in, unsigned x)
{
	struct km_scalar share[MEMBERS_MAX], s, sum;
	struct km_sign_nonce nonce;
	uint32_t culprits;
	unsigned at = 0;

	if (shares_of(qu, in, &nonce, share))
		return;
	int degenerate = km_sign_combine(g.c, &s, share, qu->t);

	assert_int_equal(km_sign_culprits_var(&qu->ps[0], in, &nonce, share, &culprits), KM_OK);
	assert_int_equal(culprits, 0);
	for (unsigned j = km_set_next(qu->set, 0); j; j = km_set_next(qu->set, j), at++)
		for (unsigned d = 1; d < g.q; d++) {
			struct km_scalar good = share[at];
			int verifies, err;

			share[at] = tiny_scalar((tiny_value(&good) + d) % g.q);
			err = km_sign_combine(g.c, &sum, share, qu->t);
			verifies = !err && km_ecdsa_verify_var(g.c, &g.pt[x], &in->m, &nonce.r, &sum) == KM_OK;
			assert_int_equal(verifies, !err && plain_verify(x, tiny_value(&in->m), tiny_value(&nonce.r),
									tiny_value(&sum)));
			/* -2s added to s is -s, which made low is the signature itself: the only way to be wrong and yet right */
			assert_int_equal(verifies, !degenerate && !err && km_scalar_equal(&sum, &s));
			did.same += (unsigned)verifies;
			assert_int_equal(km_sign_culprits_var(&qu->ps[0], in, &nonce, share, &culprits), KM_OK);
			assert_int_equal(culprits, km_set_bit(j));
			share[at] = good;
			did.cheats++;
		}
}

static void cheats_of(unsigned n, unsigned t, unsigned step)
{
	for (uint32_t set = (1u << t) - 1; set; set = tiny_next_subset(set, n))
		for (unsigned m = 0; m < g.q; m++)
			for (unsigned k = 1; k < g.q; k += step)
				for (unsigned x = 1; x < g.q; x += step) {
					struct km_sign_input in;
					struct quorum qu;

					quorum_make(&qu, n, set, x, k);
					memset(&in, 0, sizeof(in));
					in.m = tiny_scalar(m);
					cheat(&qu, &in, x);
				}
}

/* Every quorum, every message, every member, every other value of its share; T = 2 with every key and nonce, T = 3 with every
 * fifth. */
static void test_single_cheats(void **state)
{
	setup();
	cheats_of(2, 2, 1);
	cheats_of(4, 3, 5);
	cheats_of(5, 3, 5);
	assert_true(did.cheats > 250000 && did.same > 0 && did.same < did.cheats / 10);
}

/* m = 0 is no degenerate case, and a request that gives delta = 0 signs nothing. */
static void test_delta(void **state)
{
	unsigned zero = 0, all = 0;

	setup();
	for (unsigned k = 1; k < g.q; k++) {
		struct quorum qu;

		quorum_make(&qu, 3, 3, 5, k);
		for (uint32_t id = 0; id < 500; id++) {
			struct km_sign_input in = { .context = KM_CTX_TLS13_SERVER };
			struct km_sign_nonce nonce;

			memcpy(in.request_id, &id, sizeof(id));
			all++;
			if (km_sign_nonce(&qu.ps[0], &in, &nonce) == KM_E_DEGENERATE) {
				zero++;
				continue;
			}
			unsigned d = tiny_value(&nonce.delta);
			assert_int_not_equal(d, 0);
			assert_int_equal(d * tiny_value(&nonce.delta_inv) % g.q, 1);
			assert_int_equal(tiny_log(&g, &nonce.rr), d * k % g.q);
			assert_int_equal(tiny_value(&nonce.r), g.at[d * k % g.q].x % g.q);
		}
	}
	/* delta = 0, or one of the nonces whose abscissa is zero modulo q */
	unsigned bad = 1;
	for (unsigned k = 1; k < g.q; k++)
		bad += g.at[k].x % g.q == 0;
	assert_true(zero * g.q > all * bad / 2 && zero * g.q < all * bad * 2);
}

KM_TESTS(cmocka_unit_test(test_every_quorum), cmocka_unit_test(test_verification), cmocka_unit_test(test_single_cheats),
	 cmocka_unit_test(test_delta))
