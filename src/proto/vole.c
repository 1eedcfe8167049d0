/* vole.c: random vector OLE, see vole.h. */
#include <stdlib.h>
#include <string.h>
#include "vole.h"
#include "../base/rules.h"
#include "../base/secret.h"

unsigned km_vole_xi(const struct km_curve *c)
{
	return km_curve_bits(c) + KM_VOLE_SPARE;
}

size_t km_vole_row_size(const struct km_curve *c)
{
	return (size_t)km_vole_xi(c) * KM_ROW_WIDTH * km_curve_scalar_size(c);
}

size_t km_vole_head_size(const struct km_curve *c, unsigned batch)
{
	return KM_HASH_SIZE + (size_t)batch * KM_VOLE_RHO * km_curve_scalar_size(c);
}

mp_limb_t *km_vole_gadget(const struct km_curve *c, const uint8_t sid[KM_HASH_SIZE])
{
	unsigned n = km_row_limbs(c), xi = km_vole_xi(c);
	mp_limb_t *g = calloc(2 * (size_t)xi * n, sizeof(*g));

	for (unsigned t = 0; g && t < xi; t++) {
		struct km_scalar s;
		struct km_hash h;

		km_hash_init(&h, "gadget");
		km_hash_field(&h, sid, KM_HASH_SIZE);
		km_hash_u32(&h, t);
		km_scalar_from_hash(c, &s, &h);
		memcpy(g + t * n, s.l, n * sizeof(*g));
		km_row_montgomery(c, g + (xi + t) * n, &s, 1);
	}
	return g;
}

void km_vole_chi(const struct km_vole *v, struct km_secret *chi, const uint8_t *beta, unsigned index)
{
	unsigned n = km_row_limbs(v->c);
	mp_limb_t sum[KM_LIMBS_MAX] = { 0 };

	for (unsigned t = 0; t < v->xi; t++)
		km_row_add_bit(v->c, sum, v->gadget + t * n, km_ot_bit(beta, (size_t)index * v->xi + t));
	km_row_to_secret(v->c, chi, sum, 1);
	km_wipe(sum, sizeof(sum));
}

/* ---- what both compute */

/* Merkle root over the payload, a leaf for each index. */
static int payload_root(const struct km_vole *v, const uint8_t *body, uint8_t root[KM_HASH_SIZE])
{
	uint8_t *leaves = malloc((size_t)v->batch * KM_HASH_SIZE);

	if (!leaves)
		return KM_E_NOMEM;
	for (unsigned l = 0; l < v->batch; l++)
		km_merkle_leaf(body + l * km_vole_row_size(v->c), km_vole_row_size(v->c), leaves + (size_t)l * KM_HASH_SIZE);
	km_merkle_root(leaves, v->batch, root);
	free(leaves);
	return KM_OK;
}

static void pair_hash(const struct km_vole *v, struct km_hash *h, const char *purpose)
{
	km_hash_init(h, purpose);
	km_hash_field(h, v->pair.sid, KM_HASH_SIZE);
	km_hash_u8(h, v->pair.alice);
	km_hash_u8(h, v->pair.bob);
}

/* theta of an index, in plain and in Montgomery form.
 * WHY over the whole payload: an Alice who knows theta before she makes a row hides other inputs in it (B4). */
static void theta_of(const struct km_vole *v, const uint8_t root[KM_HASH_SIZE], unsigned index,
		     struct km_scalar plain[KM_ROW_INPUTS], mp_limb_t *mont)
{
	for (unsigned i = 0; i < KM_ROW_INPUTS; i++) {
		struct km_hash h;

		pair_hash(v, &h, "theta");
		for (unsigned d = 0; d < 3; d++)
			km_hash_field(&h, v->digest[d], KM_HASH_SIZE);
		if (KM_RULE(km_rule_ole_theta))
			km_hash_field(&h, root, KM_HASH_SIZE);
		km_hash_u32(&h, index);
		km_hash_u8(&h, (uint8_t)i);
		km_scalar_from_hash(v->c, &plain[i], &h);
	}
	km_row_montgomery(v->c, mont, plain, KM_ROW_INPUTS);
}

/* acc, flat, is added to u and w (or taken from them). */
static void gather(const struct km_vole *v, const mp_limb_t *acc, int minus, struct km_secret *u, struct km_secret *w)
{
	struct km_secret s[KM_ROW_INPUTS];

	km_row_to_secret(v->c, s, acc, KM_ROW_INPUTS);
	if (minus) {
		km_secret_sub(v->c, u, u, &s[0]);
		km_secret_sub(v->c, w, w, &s[1]);
	} else {
		km_secret_add(v->c, u, u, &s[0]);
		km_secret_add(v->c, w, w, &s[1]);
	}
	km_wipe(s, sizeof(s));
}

/* ---- Alice */

struct sender {
	const struct km_vole *v;
	struct km_ot_pads pads;
	size_t wide;                              /* bytes of one pad */
	mp_limb_t *p0;                            /* [batch * xi] rows, kept until theta is known */
	struct km_secret *m;                      /* [batch] */
};

/* All transfers of one index, four at a time: two pads each. */
static void send_index(struct sender *s, unsigned l, const uint8_t *rows, const uint8_t delta[KM_OT_DELTA_SIZE],
		       const mp_limb_t *in, uint8_t *out, mp_limb_t *acc)
{
	const struct km_vole *v = s->v;
	unsigned n = km_row_limbs(v->c);
	mp_limb_t p1[KM_ROW_LIMBS_MAX];
	uint8_t wide[KM_OT_PADS * KM_OT_PAD_STRIDE], q[KM_OT_PADS][KM_OT_BLOCK];
	uint32_t number[KM_OT_PADS];

	for (unsigned t = 0; t < v->xi; t++) {
		size_t row = (size_t)l * v->xi + t;
		unsigned lane = 2 * (t % (KM_OT_PADS / 2));
		mp_limb_t *p0 = s->p0 + row * KM_ROW_WIDTH * n;

		for (unsigned i = 0; lane == 0 && i < KM_OT_PADS; i++) {
			/* rows beyond the index are not used */
			number[i] = (uint32_t)row + i / 2;
			memcpy(q[i], rows + (row + i / 2) * KM_OT_BLOCK, KM_OT_BLOCK);
			for (unsigned b = 0; (i & 1) && b < KM_OT_BLOCK; b++)
				q[i][b] ^= delta[b];
		}
		if (lane == 0)
			km_ot_pad(&s->pads, wide, s->wide, number, (const uint8_t(*)[KM_OT_BLOCK])q);
		km_row_pad(v->c, p0, wide + lane * KM_OT_PAD_STRIDE);
		km_row_pad(v->c, p1, wide + (lane + 1) * KM_OT_PAD_STRIDE);
		km_row_send(v->c, out + (size_t)t * KM_ROW_WIDTH * km_curve_scalar_size(v->c), p0, p1, in);
		km_row_sum(v->c, acc, p0, v->gadget + (v->xi + t) * n);
	}
	km_wipe(p1, sizeof(p1));
	km_wipe(wide, sizeof(wide));
	km_wipe(q, sizeof(q));
}

/* mu and eta, when the payload is complete. */
static int send_checks(struct sender *s, const struct km_secret *k, const struct km_secret *in_v, uint8_t *head,
		       const uint8_t *body)
{
	const struct km_vole *v = s->v;
	unsigned n = km_row_limbs(v->c);
	size_t ss = km_curve_scalar_size(v->c);
	uint8_t root[KM_HASH_SIZE], *line = km_secret_alloc(v->xi * ss);
	int err = line ? payload_root(v, body, root) : KM_E_NOMEM;
	struct km_hash h;

	pair_hash(v, &h, "mu");
	for (unsigned l = 0; l < v->batch && !err; l++) {
		struct km_scalar theta[KM_ROW_INPUTS];
		mp_limb_t mont[KM_ROW_LIMBS_MAX];
		struct km_secret eta = s->m[l];

		theta_of(v, root, l, theta, mont);
		km_secret_addmul_pub(v->c, &eta, &k[l], &theta[0]);
		km_secret_addmul_pub(v->c, &eta, &in_v[l], &theta[1]);
		km_secret_encode(v->c, head + KM_HASH_SIZE + l * ss, &eta);
		for (unsigned t = 0; t < v->xi; t++)
			km_row_check(v->c, line + t * ss, s->p0 + ((size_t)l * v->xi + t) * KM_ROW_WIDTH * n, mont, NULL, 0);
		km_hash_field(&h, line, v->xi * ss);
		km_wipe(&eta, sizeof(eta));
	}
	km_hash_final(&h, head);
	/* eta is hidden by m, mu by the pads */
	km_declassify(head, km_vole_head_size(v->c, v->batch));
	km_secret_free(line);
	return err;
}

int km_vole_send(const struct km_vole *v, const uint8_t *rows, const uint8_t delta[KM_OT_DELTA_SIZE], const struct km_secret *k,
		 const struct km_secret *in_v, struct km_rng *rng, uint8_t *head, uint8_t *body, struct km_secret *u,
		 struct km_secret *w)
{
	struct sender s = { .v = v, .wide = KM_ROW_WIDTH * km_curve_wide_size(v->c) };
	size_t rows_size = (size_t)v->batch * v->xi * KM_ROW_WIDTH * km_row_limbs(v->c) * sizeof(*s.p0);
	mp_limb_t in[KM_ROW_LIMBS_MAX], acc[KM_ROW_LIMBS_MAX];
	struct km_secret three[KM_ROW_WIDTH];
	int err = KM_E_NOMEM;

	s.p0 = km_secret_alloc(rows_size);
	s.m = km_secret_alloc(v->batch * sizeof(*s.m));
	if (!s.p0 || !s.m)
		goto out;
	km_ot_pads_init(&s.pads, &v->pair);
	for (unsigned l = 0; l < v->batch; l++) {
		km_secret_random(v->c, &s.m[l], rng);
		three[0] = k[l];
		three[1] = in_v[l];
		three[2] = s.m[l];
		km_row_from_secret(v->c, in, three, KM_ROW_WIDTH);
		memset(acc, 0, sizeof(acc));
		send_index(&s, l, rows, delta, in, body + l * km_vole_row_size(v->c), acc);
		gather(v, acc, 1, &u[l], &w[l]);
	}
	/* hidden by the pad that Bob does not know */
	km_declassify(body, v->batch * km_vole_row_size(v->c));
	err = send_checks(&s, k, in_v, head, body);
out:
	km_secret_free(s.p0);
	km_secret_free(s.m);
	km_wipe(in, sizeof(in));
	km_wipe(acc, sizeof(acc));
	km_wipe(three, sizeof(three));
	return err;
}

/* ---- Bob */

static int receive_index(const struct km_vole *v, const struct km_ot_pads *pads, unsigned l, const uint8_t *rows,
			 const uint8_t *beta, const uint8_t *in, const mp_limb_t *theta, const mp_limb_t *eta, uint8_t *line,
			 mp_limb_t *acc)
{
	unsigned n = km_row_limbs(v->c);
	size_t ss = km_curve_scalar_size(v->c), pad = KM_ROW_WIDTH * km_curve_wide_size(v->c);
	mp_limb_t d[KM_ROW_LIMBS_MAX];
	uint8_t wide[KM_OT_PADS * KM_OT_PAD_STRIDE];
	uint32_t number[KM_OT_PADS];
	int err = KM_OK;

	for (unsigned t = 0; t < v->xi && !err; t++) {
		size_t row = (size_t)l * v->xi + t;
		unsigned bit = km_ot_bit(beta, row), lane = t % KM_OT_PADS;

		for (unsigned i = 0; lane == 0 && i < KM_OT_PADS; i++)
			number[i] = (uint32_t)row + i;
		if (lane == 0)
			km_ot_pad(pads, wide, pad, number, (const uint8_t(*)[KM_OT_BLOCK])(rows + row * KM_OT_BLOCK));
		km_row_pad(v->c, d, wide + lane * KM_OT_PAD_STRIDE);
		err = km_row_receive(v->c, d, in + t * KM_ROW_WIDTH * ss, bit);
		km_row_check(v->c, line + t * ss, d, theta, eta, bit);
		km_row_sum(v->c, acc, d, v->gadget + (v->xi + t) * n);
	}
	km_wipe(d, sizeof(d));
	km_wipe(wide, sizeof(wide));
	return err;
}

int km_vole_receive(const struct km_vole *v, const uint8_t *rows, const uint8_t *beta, const uint8_t *head, const uint8_t *body,
		    struct km_secret *u, struct km_secret *w)
{
	size_t ss = km_curve_scalar_size(v->c);
	mp_limb_t acc[KM_ROW_LIMBS_MAX], mont[KM_ROW_LIMBS_MAX];
	uint8_t root[KM_HASH_SIZE], mu[KM_HASH_SIZE], *line = km_secret_alloc(v->xi * ss);
	int err = line ? payload_root(v, body, root) : KM_E_NOMEM, good;
	struct km_ot_pads pads;
	struct km_hash h;

	km_ot_pads_init(&pads, &v->pair);
	pair_hash(v, &h, "mu");
	for (unsigned l = 0; l < v->batch && !err; l++) {
		struct km_scalar theta[KM_ROW_INPUTS], eta;

		err = km_scalar_decode(v->c, &eta, head + KM_HASH_SIZE + l * ss);
		if (err)
			break;
		theta_of(v, root, l, theta, mont);
		memset(acc, 0, sizeof(acc));
		err = receive_index(v, &pads, l, rows, beta, body + l * km_vole_row_size(v->c), mont, eta.l, line, acc);
		km_hash_field(&h, line, v->xi * ss);
		gather(v, acc, 0, &u[l], &w[l]);
	}
	km_hash_final(&h, mu);
	good = km_equal_ct(mu, head, sizeof(mu));
	km_declassify(&good, sizeof(good));
	if (!err && !good)
		err = KM_E_VERIFY;
	km_secret_free(line);
	km_wipe(acc, sizeof(acc));
	return err;
}
