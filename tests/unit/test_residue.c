/* test_residue.c: what a job leaves behind on the stack it ran on. A worker's stack is ordinary memory that nobody wipes
 * afterwards: a secret left there outlives its run and the wiping before PASS. Every job of a run is run on a stack of its own,
 * which is searched for all secrets of the run as soon as the job is done. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/dealer.h"
#include "../lib/dkg_help.h"
#include "../lib/reshare_help.h"
#include "base/secret.h"
#include "proto/any_impl.h"

#define STACK (1 << 20)

static uint8_t *stack;

static void *run_job(void *job)
{
	struct km_job *j = job;

	j->run(j);
	return NULL;
}

/* Runs fn(arg) with nothing on the stack before, and leaves the stack as it was left. */
static void on_own_stack(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	if (!stack)
		assert_int_equal(posix_memalign((void **)&stack, 4096, STACK), 0);
	memset(stack, 0, STACK);
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstack(&attr, stack, STACK), 0);
	assert_int_equal(pthread_create(&t, &attr, fn, arg), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	pthread_attr_destroy(&attr);
}

static void absent_bytes(const void *p, size_t n, const char *what)
{
	static const uint8_t zero[64];
	const uint8_t *at = memcmp(p, zero, n) == 0 ? NULL : memmem(stack, STACK, p, n);

	if (at)
		fail_msg("%s lies on the stack, %zu bytes below its top", what, (size_t)(stack + STACK - at));
}

/* Half of it is enough to be found: as limbs and as encoded. */
static void absent(const struct km_secret *x, const char *what)
{
	const struct km_curve *c = km_curve_p256();
	uint8_t enc[KM_SCALAR_MAX];

	km_secret_encode(c, enc, x);
	absent_bytes(x->l, 16, what);
	absent_bytes(x->l + 2, 16, what);
	absent_bytes(enc, 16, what);
	absent_bytes(enc + 16, 16, what);
}

static const char *const kinds[KM_KINDS] = {
	"share of k", "share of a", "share of v", "share of rho", "share of rho (2t)", "share of zero",
};

static void presign_clean(const struct km_presign *s)
{
	if (s->fail)
		return;
	absent_bytes(s->early->seed, KM_SEED_SIZE / 2, "the seed of the run");
	absent_bytes(s->early->blind, KM_HASH_SIZE / 2, "the blind of C0");
	for (unsigned j = 1; j <= KM_MAX_PEERS; j++) {
		absent_bytes(s->early->pair[j], 16, "a pair seed");
		absent_bytes(s->early->pair[j] + 16, 16, "a pair seed");
	}
	for (unsigned kind = 0; s->sh[0] && kind < KM_KINDS; kind++)
		for (unsigned l = 0; l <= s->batch; l++)
			absent(&s->sh[kind][l], kinds[kind]);
	for (unsigned o = 0; o < s->own; o++) {
		absent(&s->k[o], "k_i");
		absent(&s->a[o], "a_i");
		absent(&s->v[o], "v_i");
		absent(&s->c[o], "c_i");
		if (s->done && s->done[o]) {
			absent(&s->done[o]->alpha, "alpha_i");
			absent(&s->done[o]->beta, "beta_i");
		}
	}
	absent(s->x_i, "x_i");
}

static void job_presign(struct km_machine *m, struct km_job *job)
{
	const struct km_presign *s = m->state;

	on_own_stack(run_job, job);
	if (job->what == KM_JOB_DEAL)
		for (size_t i = 0; i + 16 <= s->deal_len; i += 16)
			absent_bytes(s->deal + i, 16, "a dealt share");
	presign_clean(s);
}

static void test_presign(void **state)
{
	struct group g;

	group_init(&g, 1, 7, 2, 7, 3, 0);
	net_jobs(g.net, job_presign);
	net_run(g.net, 0);
	for (unsigned i = 1; i <= 3; i++)
		assert_true(net_party(g.net, (uint8_t)i)->done);
	group_clear(&g);
}

static void link_clean(const struct km_any_link *link, size_t len)
{
	absent(&link->y, "y");
	absent_bytes(link->delta, 16, "Delta");
	for (size_t i = 0; i + 16 <= len; i += 16)
		absent_bytes(link->beta + i, 16, "choices");
	for (unsigned p = 0; p < KM_OT_KAPPA; p++) {
		absent(&link->x[p], "x");
		absent_bytes(link->chosen[p], 16, "a chosen key");
		absent_bytes(link->both[p][0], 16, "a key");
		absent_bytes(link->both[p][1], 16, "a key");
	}
}

static void job_any(struct km_machine *m, struct km_job *job)
{
	const struct km_presign *s = m->state;

	on_own_stack(run_job, job);
	presign_clean(s);
	if (!s->any || s->fail)
		return;
	for (unsigned l = 0; l < s->batch; l++)
		if (job->what != KM_JOB_ANY_SHARES)   /* then it is in the body, to be opened */
			absent(&s->any->w[l], "w_i");
	for (unsigned j = 1; j <= KM_MAX_PEERS; j++)
		if (s->any->link[j])
			link_clean(s->any->link[j], s->any->len);
}

static void test_any(void **state)
{
	struct group g;

	group_init_any(&g, 1, 7, 7, 1);
	net_jobs(g.net, job_any);
	net_run(g.net, 0);
	for (unsigned i = 1; i <= 3; i++)
		assert_true(net_party(g.net, (uint8_t)i)->done);
	group_clear(&g);
}

static void job_dkg(struct km_machine *m, struct km_job *job)
{
	const struct km_dkg_state *st = m->state;

	on_own_stack(run_job, job);
	if (st->sec) {
		for (unsigned l = 0; km_dkg_deals(&st->group, m->self) && l < st->group.threshold; l++)
			absent(&st->sec->coef[l], "a coefficient");
		absent(&st->sec->e, "e");
		if (km_dkg_receives(&st->group, m->self))
			absent(&st->sec->x, "a sum of shares");
	}
	if (st->share && km_dkg_receives(&st->group, m->self))
		absent(&st->share->x_i, "x_i");
}

static void test_dkg(void **state)
{
	struct dkg d;

	dkg_init(&d, 1, 7, 2);
	net_jobs(d.net, job_dkg);
	dkg_run(&d, 0);
	for (unsigned i = 1; i <= 3; i++)
		assert_true(dkg_party(&d, i)->done);
	dkg_clear(&d);
}

/* The same of a reshare, with the old share on top of it. */
static void test_reshare(void **state)
{
	static struct rsh_key key;
	struct rsh r;

	rsh_key_make(&key, 1, km_curve_p256(), 7, 2);
	rsh_init(&r, &key, 1, 3, 14, 14, 2);
	net_jobs(r.d.net, job_dkg);
	dkg_run(&r.d, 0);
	for (unsigned i = 1; i <= 4; i++)
		assert_true(dkg_party(&r.d, i)->done);
	rsh_clear(&r);
}

struct signing {
	struct km_presig *p;
	struct km_sign_input in;
	struct km_sign_nonce nonce;
	struct km_scalar s_i;
};

static void *sign(void *arg)
{
	struct signing *s = arg;

	km_sign_share(s->p, &s->in, &s->nonce, &s->s_i);
	return NULL;
}

static void test_sign(void **state)
{
	struct km_secret alpha, beta;
	struct signing s;
	struct group g;

	group_init(&g, 2, 7, 2, 7, 1, 3);
	net_run(g.net, 0);
	group_take(&g);
	s.p = group_presig(&g, 1, 0);
	assert_non_null(s.p);
	alpha = s.p->alpha;
	beta = s.p->beta;
	group_input(&g, &s.in, "hello");
	assert_int_equal(km_sign_nonce(s.p, &s.in, &s.nonce), KM_OK);
	on_own_stack(sign, &s);
	absent(&alpha, "alpha_i");
	absent(&beta, "beta_i");
	/* with m, r and delta public, these are as good */
	km_secret_mul_pub(s.p->curve, &alpha, &alpha, &s.in.m);
	absent(&alpha, "alpha_i m");
	km_secret_mul_pub(s.p->curve, &beta, &beta, &s.nonce.r);
	absent(&beta, "r beta_i");
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_presign), cmocka_unit_test(test_any), cmocka_unit_test(test_dkg),
	 cmocka_unit_test(test_reshare), cmocka_unit_test(test_sign))
