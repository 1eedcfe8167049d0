/* attack_b15.c: a request that is read as another one. An aggregator passes a frontend's request on with another context, another
 * key, another frontend or another time and keeps the authenticators: they cover the request id, so all hangs on what the id covers.
 * Stopped by: every field is in the id, each with its length before it. */
#include "attack.h"

#include "node/wire.h"

static const uint8_t text[] = "bytes to be signed";
static const uint8_t key[32] = { 42 };

/* What the frontend asked for, with its authenticator for peer 2. */
static struct km_req asked(uint8_t mac[32])
{
	struct km_req r = { .version = KM_REQ_VERSION, .frontend = 7, .context = 2, .time_ms = 1700000000000, .data = text, .len = sizeof(text) };
	uint8_t id[32];

	r.key_id[0] = 1;
	r.random[0] = 2;
	km_req_id(&r, id);
	km_auth_mac(key, id, 2, mac);
	return r;
}

/* The signer's check. */
static int accepted(const struct km_req *r, const uint8_t mac[32])
{
	uint8_t id[32];

	km_req_id(r, id);
	return km_auth_check(key, id, 2, mac) == KM_OK;
}

/* The aggregator's pen. */
static unsigned relabelled(void)
{
	uint8_t mac[32];
	struct km_req r = asked(mac), q[5];
	unsigned n = 0;

	for (unsigned i = 0; i < 5; i++)
		q[i] = r;
	q[0].context = 3;
	q[1].key_id[0] = 9;
	q[2].frontend = 8;
	q[3].time_ms += 3600000;
	q[4].version++;
	assert_true(accepted(&r, mac));
	for (unsigned i = 0; i < 5; i++)
		n += (unsigned)accepted(&q[i], mac);
	return n;
}

static void test_stopped(void **state)
{
	(void)state;
	rules_all();
	assert_int_equal(relabelled(), 0);
}

static void test_without_rule(void **state)
{
	(void)state;
	rules_all();
	rule_off(km_rule_request_id);
	assert_int_equal(relabelled(), 5);
}

/* No byte can wander from one field into the next: all splits of one string into two fields give different ids. */
static void test_boundaries(void **state)
{
	uint8_t id[sizeof(text) + 1][32], whole[16 + sizeof(text)];

	(void)state;
	rules_all();
	memset(whole, 0x41, sizeof(whole));
	for (uint32_t n = 1; n <= sizeof(text); n++) {
		struct km_req r = { .version = KM_REQ_VERSION, .frontend = 7, .context = 2, .data = whole + 16, .len = n };

		memcpy(r.random, whole, 16);
		km_req_id(&r, id[n]);
		for (uint32_t i = 1; i < n; i++)
			assert_memory_not_equal(id[i], id[n], 32);
	}
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule), cmocka_unit_test(test_boundaries))
