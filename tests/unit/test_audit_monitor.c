/* test_audit_monitor.c: what is said when the logs of peers do not agree, and that nothing is said when they do. */
#include "config.h"
#include "lib/test.h"

#include "audit/monitor.h"
#include "base/context.h"

#define QUORUM 0x7 /* peers 1, 2, 3 */
#define OWNER 1

static struct km_monitor *m;
static unsigned alerts[16];
static struct km_alert last;

static void on_alert(void *ctx, const struct km_alert *a)
{
	alerts[a->kind]++;
	last = *a;
}

static void begin(uint64_t open_max)
{
	struct km_monitor_params p;

	km_monitor_defaults(&p);
	p.peers = 0xf;
	p.open_max = open_max;
	p.aborts = 5;
	p.rate_floor = 20;
	memset(alerts, 0, sizeof(alerts));
	assert_int_equal(km_monitor_new(&m, &p, on_alert, NULL), KM_OK);
	km_monitor_tick(m, 1000000);
}

static void end(unsigned n_alerts)
{
	struct km_monitor_counts c;

	km_monitor_finish(m);
	km_monitor_counts(m, &c);
	assert_int_equal(c.alerts, n_alerts);
	assert_int_equal(c.open, 0);
	km_monitor_free(m);
}

static void share(unsigned peer, unsigned presig, unsigned request, uint64_t time_ms)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_SHARE, .time_ms = time_ms};

	memset(e.u.share.presig_id, (int)presig, KM_HASH_SIZE);
	memset(e.u.share.request_id, (int)request, KM_HASH_SIZE);
	e.u.share.context = KM_CTX_TLS13_SERVER;
	e.u.share.owner = OWNER;
	e.u.share.quorum = QUORUM;
	assert_int_equal(km_monitor_entry(m, peer, &e), KM_OK);
}

static void signature(unsigned presig, uint64_t time_ms)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_SIGNATURE, .time_ms = time_ms};

	memset(e.u.signature.presig_id, (int)presig, KM_HASH_SIZE);
	assert_int_equal(km_monitor_entry(m, OWNER, &e), KM_OK);
}

/* Every order in which logs are read. */
static void test_whole(void **state)
{
	struct km_monitor_counts c;

	begin(64);
	share(1, 1, 1, 10);
	share(2, 1, 1, 11);
	share(3, 1, 1, 12);
	signature(1, 13);
	signature(2, 20);
	share(3, 2, 2, 20);
	share(2, 2, 2, 20);
	share(1, 2, 2, 20);
	share(3, 3, 3, 30);
	share(1, 3, 3, 30);
	signature(3, 30);
	share(2, 3, 3, 30);
	km_monitor_counts(m, &c);
	assert_int_equal(c.complete, 3);
	assert_int_equal(c.open, 0);
	assert_int_equal(c.entries, 12);
	end(0);
}

/* A member did not log: only once its log has gone on past it. */
static void test_missing(void **state)
{
	begin(64);
	share(1, 1, 1, 1000);
	share(3, 1, 1, 1000);
	signature(1, 1000);
	share(2, 9, 9, 2000); /* within the grace */
	km_monitor_tick(m, 1001000);
	assert_int_equal(alerts[KM_ALERT_MISSING], 0);
	share(2, 8, 8, 100000);
	km_monitor_tick(m, 1002000);
	assert_int_equal(alerts[KM_ALERT_MISSING], 1);
	assert_int_equal(last.peer, 2);
	assert_int_equal(last.presig_id[0], 1);
	/* said once */
	km_monitor_tick(m, 1003000);
	assert_int_equal(alerts[KM_ALERT_MISSING], 1);
	end(1);
}

/* What a pruned log could have said is not held against it. */
static void test_pruned(void **state)
{
	begin(64);
	km_monitor_begins(m, 2, 500000);
	share(1, 1, 1, 1000);
	share(3, 1, 1, 1000);
	signature(1, 1000);
	assert_int_equal(alerts[KM_ALERT_MISSING], 0);
	share(1, 2, 2, 700000);
	share(3, 2, 2, 700000);
	signature(2, 700000);
	km_monitor_finish(m);
	assert_int_equal(alerts[KM_ALERT_MISSING], 1);
	end(1);
}

/* A log that ends and is read to its end again and again. */
static void test_silent(void **state)
{
	begin(64);
	share(1, 1, 1, 1000);
	share(3, 1, 1, 1000);
	signature(1, 1000);
	km_monitor_at_end(m, 2, 2000);
	km_monitor_tick(m, 1000000 + 599999);
	assert_int_equal(alerts[KM_ALERT_SILENT], 0);
	km_monitor_tick(m, 1000000 + 600000);
	assert_int_equal(alerts[KM_ALERT_SILENT], 1);
	assert_int_equal(last.peer, 2);
	km_monitor_tick(m, 1000000 + 700000);
	assert_int_equal(alerts[KM_ALERT_SILENT], 1);
	km_monitor_at_end(m, 2, 700000);
	km_monitor_tick(m, 1000000 + 700001);
	assert_int_equal(alerts[KM_ALERT_MISSING], 1);
	end(2);
}

/* One presignature for two requests, also long after the first was whole; and twice in one log. */
static void test_reused(void **state)
{
	begin(64);
	share(1, 1, 1, 10);
	share(2, 1, 1, 10);
	share(3, 1, 1, 10);
	signature(1, 10);
	assert_int_equal(alerts[KM_ALERT_REUSED], 0);
	share(2, 1, 2, 5000);
	assert_int_equal(alerts[KM_ALERT_REUSED], 1);
	assert_int_equal(last.peer, 2);
	share(3, 1, 1, 6000);
	assert_int_equal(alerts[KM_ALERT_REUSED], 2);
	end(2);
}

static void test_aborts(void **state)
{
	struct km_monitor_counts c;

	begin(64);
	for (unsigned i = 1; i <= 6; i++) {
		share(2, i, i, 1000);
		share(1, i, i, 1000);
	}
	share(1, 99, 99, 200000); /* the aggregator's log goes on without signatures */
	km_monitor_tick(m, 1000001);
	assert_int_equal(alerts[KM_ALERT_ABORTS], 1);
	km_monitor_counts(m, &c);
	assert_int_equal(c.aborted, 6);
	end(1);
	/* a few are none */
	begin(64);
	for (unsigned i = 1; i <= 4; i++)
		share(2, i, i, 1000);
	end(0);
}

static void test_other(void **state)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_WITNESS, .time_ms = 1};

	begin(64);
	e.u.witness.peer = 4;
	assert_int_equal(km_monitor_entry(m, 2, &e), KM_OK);
	assert_int_equal(alerts[KM_ALERT_WITNESS], 1);
	assert_int_equal(last.peer, 4);
	memset(&e, 0, sizeof(e));
	e.kind = KM_AUDIT_QUARANTINE;
	e.u.quarantine.what = KM_AUDIT_CLEARED;
	assert_int_equal(km_monitor_entry(m, 2, &e), KM_OK);
	e.u.quarantine.what = KM_AUDIT_CONVICTED;
	assert_int_equal(km_monitor_entry(m, 2, &e), KM_OK);
	assert_int_equal(alerts[KM_ALERT_QUARANTINE], 1);
	memset(&e, 0, sizeof(e));
	e.kind = KM_AUDIT_SHARE;
	e.u.share.context = KM_CTX_DIGEST;
	e.u.share.owner = 1;
	e.u.share.quorum = 1;
	assert_int_equal(km_monitor_entry(m, 1, &e), KM_OK);
	assert_int_equal(alerts[KM_ALERT_BLIND], 1);
	signature(7, 1000);
	assert_int_equal(km_monitor_entry(m, 0, &e), KM_E_RANGE);
	km_monitor_finish(m);
	assert_int_equal(alerts[KM_ALERT_SIGNATURE], 1);
	end(4);
}

/* Twenty and more in a minute, and ten times those of the minute before. */
static void test_rate(void **state)
{
	begin(512);
	for (unsigned i = 0; i < 3; i++)
		share(1, i, i, 1000);
	for (unsigned i = 3; i < 33; i++)
		share(1, i, i, 61000);
	assert_int_equal(alerts[KM_ALERT_RATE], 0);
	share(1, 33, 33, 61000);
	assert_int_equal(alerts[KM_ALERT_RATE], 1);
	assert_int_equal(last.count, 31);
	share(1, 34, 34, 61000);
	assert_int_equal(alerts[KM_ALERT_RATE], 1);
	km_monitor_free(m);
}

/* Memory is bounded: what is whole goes first without a word, what is not is told. */
static void test_bounded(void **state)
{
	begin(4);
	for (unsigned i = 1; i <= 40; i++) {
		for (unsigned peer = 1; peer <= 3; peer++)
			share(peer, i, i, 10);
		signature(i, 10);
	}
	assert_int_equal(alerts[KM_ALERT_FULL], 0);
	for (unsigned i = 50; i < 54; i++)
		share(2, i, i, 10);
	assert_int_equal(alerts[KM_ALERT_FULL], 0);
	share(2, 54, 54, 10);
	assert_int_equal(alerts[KM_ALERT_FULL], 1);
	assert_int_equal(alerts[KM_ALERT_RATE], 1); /* all in one minute */
	end(2);
}

KM_TESTS(cmocka_unit_test(test_whole), cmocka_unit_test(test_missing), cmocka_unit_test(test_pruned), cmocka_unit_test(test_silent), cmocka_unit_test(test_reused),
	 cmocka_unit_test(test_aborts), cmocka_unit_test(test_other), cmocka_unit_test(test_rate), cmocka_unit_test(test_bounded))
