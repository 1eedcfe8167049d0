/* test_workers.c: the thread pool, and that its threads stand back behind the main one. */
#include "config.h"
#include "lib/test.h"

#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <unistd.h>
#include "mesh/workers.h"

struct sum {
	struct km_job job;
	unsigned n;
	uint64_t sum;
	int nice_value, policy;
	pid_t tid;
	unsigned sleep_ms;
};

static sem_t begun, held[2];

static void run_sum(struct km_job *job)
{
	struct sum *s = (struct sum *)(void *)job;
	unsigned i;

	sem_post(&begun);
	for (i = 1; i <= s->n; i++)
		s->sum += i;
	s->tid = gettid();
	s->nice_value = getpriority(PRIO_PROCESS, (id_t)s->tid);
	s->policy = sched_getscheduler(0);
	if (s->sleep_ms)
		usleep(s->sleep_ms * 1000);
}

static void run_held(struct km_job *job)
{
	run_sum(job);
	while (sem_wait(&held[job->patient]))
		;
}

static void wait_fd(const struct kmd_workers *w)
{
	struct pollfd p = {.fd = kmd_workers_fd(w), .events = POLLIN};

	assert_int_equal(poll(&p, 1, 10000), 1);
}

#define JOBS 200

static void test_all_come_back(void **state)
{
	static struct sum jobs[JOBS];
	struct kmd_workers *w;
	int own = getpriority(PRIO_PROCESS, 0);
	unsigned i, got = 0;
	uint64_t token;

	assert_int_equal(sem_init(&begun, 0, 0), 0);
	assert_int_equal(kmd_workers_new(&w, 3, 19), KM_OK);
	for (i = 0; i < JOBS; i++) {
		jobs[i] = (struct sum){.job.run = run_sum, .n = i};
		assert_int_equal(kmd_workers_submit(w, &jobs[i].job, i), KM_OK);
	}
	while (got < JOBS) {
		struct km_job *job;

		wait_fd(w);
		while ((job = kmd_workers_take(w, &token))) {
			struct sum *s = (struct sum *)(void *)job;

			assert_true(token < JOBS);
			assert_ptr_equal(s, &jobs[token]);
			assert_int_equal(s->sum, (uint64_t)s->n * (s->n + 1) / 2);
			assert_int_not_equal(s->tid, gettid());
			assert_int_equal(s->nice_value, 19);
			assert_int_equal(s->policy, SCHED_BATCH);
			got++;
		}
	}
	assert_int_equal(kmd_workers_pending(w), 0);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), own);
	kmd_workers_free(w);
}

static void test_empty(void **state)
{
	struct kmd_workers *w;
	uint64_t token;

	assert_int_equal(kmd_workers_new(&w, 1, 0), KM_OK);
	assert_null(kmd_workers_take(w, &token));
	assert_int_equal(kmd_workers_pending(w), 0);
	kmd_workers_free(w);
	kmd_workers_free(NULL);
	assert_int_equal(kmd_workers_new(&w, 0, 0), KM_E_INVAL);
	assert_null(w);
}

/* Stopping waits for what runs, and gives back what did not with an error. */
static void test_stop(void **state)
{
	static struct sum jobs[20], late;
	unsigned i, done = 0, unrun = 0;
	struct kmd_workers *w;
	struct km_job *job;
	uint64_t token;

	assert_int_equal(sem_init(&begun, 0, 0), 0);
	assert_int_equal(kmd_workers_new(&w, 1, 19), KM_OK);
	for (i = 0; i < 20; i++) {
		jobs[i] = (struct sum){.job.run = run_sum, .n = 10, .sleep_ms = 50};
		assert_int_equal(kmd_workers_submit(w, &jobs[i].job, i), KM_OK);
	}
	assert_int_equal(sem_wait(&begun), 0);
	kmd_workers_stop(w);
	assert_int_equal(kmd_workers_submit(w, &late.job, 99), KM_OK);
	while ((job = kmd_workers_take(w, &token))) {
		if (job->err == KM_E_STATE)
			unrun++;
		else
			done++;
	}
	assert_int_equal(done + unrun, 21);
	assert_true(done >= 1 && unrun >= 2);
	kmd_workers_free(w);
}

/* A patient job holds up no other, and jobs of older runs come first. */
static void test_lanes_and_order(void **state)
{
	static struct sum long_job, jobs[4];
	struct kmd_workers *w;
	struct km_job *job;
	uint64_t token, last = 0;
	unsigned got = 0;

	assert_int_equal(sem_init(&begun, 0, 0), 0);
	assert_int_equal(sem_init(&held[0], 0, 0), 0);
	assert_int_equal(sem_init(&held[1], 0, 0), 0);
	assert_int_equal(kmd_workers_new(&w, 1, 10), KM_OK);
	long_job = (struct sum){.job.run = run_held, .job.patient = 1};
	assert_int_equal(kmd_workers_submit(w, &long_job.job, 9), KM_OK);
	assert_int_equal(sem_wait(&begun), 0);
	/* the first keeps the thread until the others are there */
	jobs[0] = (struct sum){.job.run = run_held, .job.order = 7};
	assert_int_equal(kmd_workers_submit(w, &jobs[0].job, 0), KM_OK);
	assert_int_equal(sem_wait(&begun), 0);
	for (unsigned i = 1; i < 4; i++) {
		jobs[i] = (struct sum){.job.run = run_sum, .job.order = 4 - i, .n = 3};
		assert_int_equal(kmd_workers_submit(w, &jobs[i].job, 4 - i), KM_OK);
	}
	assert_int_equal(sem_post(&held[0]), 0);
	while (got < 5) {
		wait_fd(w);
		while ((job = kmd_workers_take(w, &token))) {
			got++;
			assert_int_equal(token == 9, got == 5);
			assert_true(token == 9 || !last || token == last + 1);
			last = token == 9 ? last : token;
			/* all others are back while the patient one is still at work */
			if (got == 4)
				assert_int_equal(sem_post(&held[1]), 0);
		}
	}
	assert_int_equal(long_job.nice_value, 10);
	assert_int_equal(last, 3);
	assert_int_equal(jobs[1].nice_value, 10);
	assert_int_not_equal(jobs[1].tid, long_job.tid);
	kmd_workers_free(w);
}

KM_TESTS(cmocka_unit_test(test_lanes_and_order), cmocka_unit_test(test_all_come_back), cmocka_unit_test(test_empty), cmocka_unit_test(test_stop))
