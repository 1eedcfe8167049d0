/* test_log.c: audit logs in a mesh whose network and machines fail: packets lost, late, twice and replayed, crashes, partitions, clocks
 * that jump, disks that refuse. No honest log is ever refused, and each is cosigned by all when it is calm again; a log that was put back
 * is refused by everybody who saw more of it, and never cosigned again, whatever happens. */
#include "../lib/test.h"

#include "sim.h"

#define N 4
#define SEEDS 8

static struct sim *mesh(uint64_t seed)
{
	struct sim_options o = {.seed = seed, .n = N, .threshold = 2, .frontends = 1, .batch = 16, .pool_target = 4, .pool_low = 2, .logs_ms = 700};

	o.faults = (struct sim_faults){.drop = 30, .duplicate = 30, .delay_min_us = 50, .delay_max_us = 20000, .slow = 10, .replay = 30,
				       .crash_every_ms = 4000, .restart_after_ms = 500, .silent_death = 300, .crash_at_persist = 50,
				       .partition_every_ms = 6000, .partition_ms = 1500, .skew_ms = 2000, .clock_step_every_ms = 5000,
				       .disk_error = 30, .rollback_every_ms = 1000, .job_max_us = 1000, .persist_max_us = 5000};
	return sim_new(&o);
}

static void unbroken(struct sim *s)
{
	if (sim_broken(s))
		fail_msg("%s", sim_broken(s));
}

static unsigned refusals(struct sim *s)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= N; i++)
		n += (unsigned)sim_log_refused(s, i);
	return n;
}

/* Refusals are counted in a life: looked at again and again. */
static int any_refusal(struct sim *s, void *ctx)
{
	return refusals(s) != 0;
}

static int all_cosigned(struct sim *s, void *ctx)
{
	for (unsigned i = 1; i <= N; i++)
		if (sim_log_cosigned(s, i) < N - 1 || !sim_log_checkpoint(s, i))
			return 0;
	return 1;
}

static void test_honest(void **state)
{
	uint64_t entries = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct sim *s = mesh(seed);

		sim_start(s);
		if (sim_run(s, 30000000, any_refusal, NULL))
			fail_msg("seed %u: an honest log was refused", (unsigned)seed);
		unbroken(s);
		sim_calm(s);
		if (!sim_run(s, 30000000, all_cosigned, NULL))
			fail_msg("seed %u: logs are not cosigned by all in calm", (unsigned)seed);
		assert_int_equal(refusals(s), 0);
		for (unsigned i = 1; i <= N; i++)
			entries += sim_log_size(s, i);
		unbroken(s);
		sim_free(s);
	}
	/* there was something to cosign */
	assert_true(entries > 20 * SEEDS);
}

static int others_cosigned(struct sim *s, void *ctx)
{
	for (unsigned i = 2; i <= N; i++)
		if (sim_log_cosigned(s, i) < N - 1)
			return 0;
	return 1;
}

static int grown(struct sim *s, void *ctx)
{
	return sim_log_size(s, 1) >= *(uint64_t *)ctx && sim_log_checkpoint(s, 1) >= *(uint64_t *)ctx && all_cosigned(s, NULL);
}

static void test_put_back(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct sim *s = mesh(100 + seed);
		uint64_t want = 0, size;

		sim_start(s);
		sim_run(s, 10000000, NULL, NULL);
		sim_log_keep(s, 1);
		size = sim_log_size(s, 1);
		want = size + 4;
		assert_true(sim_run(s, 120000000, grown, &want));
		unbroken(s);
		/* everybody saw more than what is put back now */
		sim_log_put_back(s, 1);
		for (unsigned round = 0; round < 20; round++) {
			sim_run(s, 1000000, NULL, NULL);
			/* also when it has grown past what was seen: it is another log */
			if (sim_log_checkpoint(s, 1) && sim_log_checkpoint(s, 1) != want && sim_log_size(s, 1) != want && round > 3)
				assert_int_equal(sim_log_cosigned(s, 1), 0);
		}
		sim_calm(s);
		sim_run(s, 10000000, NULL, NULL);
		unbroken(s);
		assert_int_equal(sim_log_cosigned(s, 1), 0);
		for (unsigned i = 2; i <= N; i++)
			if (!sim_log_refused(s, i))
				fail_msg("seed %u: peer %u has not noticed", (unsigned)seed, i);
		/* and nobody else is blamed for it */
		assert_true(sim_run(s, 10000000, others_cosigned, NULL));
		assert_int_equal(sim_log_refused(s, 1), 0);
		sim_free(s);
	}
}

KM_TESTS(cmocka_unit_test(test_honest), cmocka_unit_test(test_put_back))
