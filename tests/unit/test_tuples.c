/* test_tuples.c: what is dealt and extracted in a presign run, told a second time: degrees and secrets of every polynomial of an
 * honest dealer, and each extracted sharing as its own combination of all dealers. A run with a lower degree or with
 * combinations that depend on each other makes presignatures that sign well, and gives the key away. */
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/dealer.h"
#include "base/secret.h"
#include "proto/presign_impl.h"

#define SET(n) ((uint32_t)(((uint64_t)1 << (n)) - 1))
#define BATCH 5

static const struct km_curve *c;
static struct group g;
static unsigned n, t;

/* own dealings, kept: [dealer] */
static uint8_t *dealt[KM_MAX_PEERS + 1];

static const uint8_t *share_at(const struct km_presign *s, const uint8_t *body, unsigned group, unsigned kind)
{
	return body + KM_SEED_SIZE + (group * KM_KINDS + kind) * s->ss;
}

static const uint8_t *body_for(const struct km_presign *s, const uint8_t *deal, unsigned recipient)
{
	return deal + (recipient - 1) * (s->deal_len / s->n);
}

static void polynomial(const struct km_presign *s, unsigned group, unsigned kind, struct km_scalar v[KM_MAX_PEERS])
{
	for (unsigned j = 1; j <= n; j++)
		assert_int_equal(km_scalar_decode(c, &v[j - 1], share_at(s, body_for(s, s->deal, j), group, kind)), KM_OK);
}

static void check_dealing(const struct km_presign *s)
{
	struct km_scalar v[KM_MAX_PEERS], at0[KM_KINDS];

	for (unsigned group = 0; group < s->groups; group++) {
		for (unsigned kind = 0; kind < KM_KINDS; kind++) {
			unsigned degree = kind == KM_KIND_R2 || kind == KM_KIND_Z ? 2 * t : t;

			polynomial(s, group, kind, v);
			assert_int_equal(km_shamir_degree_check(c, v, SET(n), degree), KM_OK);
			/* and no lower: of degree t, a zero sharing would not hide the product it is added to */
			assert_int_equal(km_shamir_degree_check(c, v, SET(n), degree - 1), KM_E_VERIFY);
			km_shamir_interpolate(c, &at0[kind], v, SET(n), 0);
			assert_int_equal(km_scalar_is_zero(&at0[kind]), kind == KM_KIND_Z);
		}
		assert_true(km_scalar_equal(&at0[KM_KIND_RT], &at0[KM_KIND_R2]));
		for (unsigned a = 0; a < KM_KINDS; a++)
			for (unsigned b = 0; b < a; b++)
				assert_int_equal(km_scalar_equal(&at0[a], &at0[b]), a == KM_KIND_R2 && b == KM_KIND_RT);
	}
}

static void keep_deal(struct km_machine *m, struct km_job *job)
{
	const struct km_presign *s = m->state;

	job->run(job);
	if (job->what != KM_JOB_DEAL)
		return;
	check_dealing(s);
	dealt[m->self] = malloc(s->deal_len);
	assert_non_null(dealt[m->self]);
	memcpy(dealt[m->self], s->deal, s->deal_len);
}

/* Index l is row l mod (n-t) of group l / (n-t): sum over the dealers of id^row times what they dealt in that group. The mask is
 * the last row of the last group. */
static void check_extraction(const struct km_presign *s, unsigned kind, unsigned l)
{
	unsigned at = l == s->batch ? s->groups * (n - t) - 1 : l, group = at / (n - t), row = at % (n - t);
	struct km_scalar want, x, power, id, have;

	km_scalar_zero(&want);
	for (unsigned d = 1; d <= n; d++) {
		km_scalar_set_u32(&id, d);
		km_scalar_set_u32(&power, 1);
		for (unsigned i = 0; i < row; i++)
			km_scalar_mul(c, &power, &power, &id);
		assert_int_equal(km_scalar_decode(c, &x, share_at(s, body_for(s, dealt[d], s->m->self), group, kind)), KM_OK);
		km_scalar_mul(c, &x, &x, &power);
		km_scalar_add(c, &want, &want, &x);
	}
	km_secret_declassify(&have, &s->sh[kind][l]);
	assert_true(km_scalar_equal(&want, &have));
}

static enum net_verdict extraction_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct km_presign *s = g.m[from]->state;

	/* deal_len is kept when the dealing is gone */
	if ((*raw)[3] == KM_PRESIGN_M3)
		for (unsigned kind = 0; kind < KM_KINDS; kind++)
			for (unsigned l = 0; l <= s->batch; l++)
				check_extraction(s, kind, l);
	return NET_PASS;
}

static void run(unsigned peers, unsigned threshold)
{
	c = km_curve_p256();
	n = peers;
	t = threshold - 1;
	group_init(&g, 200 + n, SET(n), threshold, SET(n), BATCH, 0);
	net_jobs(g.net, keep_deal);
	net_tap(g.net, extraction_tap, NULL);
	net_run(g.net, 0);
	for (unsigned i = 1; i <= n; i++) {
		assert_true(net_party(g.net, (uint8_t)i)->done);
		free(dealt[i]);
		dealt[i] = NULL;
	}
	group_clear(&g);
}

static void test_dealt_and_extracted(void **state)
{
	run(3, 2);
	run(4, 2);
	run(5, 3);
	run(7, 3);
}

/* Two indices share nothing: their R are no small multiples of each other, as they would be if one combination served both. */
static void test_indices_are_independent(void **state)
{
	struct km_point r[BATCH];

	c = km_curve_p256();
	group_init(&g, 210, SET(3), 2, SET(3), BATCH, 3);
	net_run(g.net, 0);
	group_take(&g);
	for (unsigned l = 0; l < BATCH; l++)
		r[l] = group_presig(&g, 1, l)->r;
	for (unsigned a = 0; a < BATCH; a++)
		for (unsigned b = 0; b < BATCH; b++) {
			struct km_point p = r[b];

			for (unsigned k = 1; k <= 32; k++) {
				if (a != b)
					assert_false(km_point_equal_var(c, &p, &r[a]));
				km_point_add(c, &p, &p, &r[b]);
			}
		}
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_dealt_and_extracted), cmocka_unit_test(test_indices_are_independent))
