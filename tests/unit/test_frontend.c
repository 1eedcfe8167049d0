/* The frontend among scripted peers: belief, election, hedging, verification, errors, idempotency, bounds. */
#include "tests/lib/test.h"
#include "tests/lib/fakemesh.h"

#include <stdlib.h>

static struct fake m;

static void begin(unsigned n, unsigned threshold)
{
	fake_init(&m, n, threshold);
	fake_run(&m, 100);
}

/* ---- learning */

static void test_learns_the_key(void **state)
{
	struct km_frontend_status st;

	(void)state;
	fake_init(&m, 5, 3);
	assert_null(km_frontend_key_by_name(m.f, "test"));
	fake_run(&m, 100);
	assert_non_null(km_frontend_key_by_name(m.f, "test"));
	assert_ptr_equal(km_frontend_key_by_name(m.f, "test"), km_frontend_key_by_id(m.f, m.dealer.table.key_id));
	assert_ptr_equal(km_frontend_key_by_name(m.f, "test"), km_frontend_key_by_point(m.f, &m.dealer.table.x, m.dealer.curve));
	assert_null(km_frontend_key_by_name(m.f, "tes"));
	assert_int_equal(km_frontend_status(m.f, &st), KM_OK);
	assert_int_equal(st.self, 7);
	assert_int_equal(st.n_peers, 5);
	assert_int_equal(st.n_keys, 1);
	assert_ptr_equal(st.keys[0], km_frontend_key_by_name(m.f, "test"));
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(st.peers[i].live, 1);
		assert_int_equal(st.peers[i].rtt_us, 600);
		assert_int_equal(st.peers[i].ready, 10);
		assert_true(st.peers[i].clock_offset_ms >= -1 && st.peers[i].clock_offset_ms <= 1);
	}
	km_frontend_status_clear(&st);
	/* one table, fetched once */
	fake_run(&m, 10000);
	assert_int_equal(m.peer[1].table_asks + m.peer[2].table_asks + m.peer[3].table_asks + m.peer[4].table_asks + m.peer[5].table_asks, 1);
	assert_in_range(m.peer[1].pings, 10, 12);
	fake_clear(&m);
}

static void test_needs_threshold_to_believe(void **state)
{
	(void)state;
	fake_init(&m, 5, 3);
	m.peer[3].states = m.peer[4].states = m.peer[5].states = 0;
	fake_run(&m, 5000);
	assert_null(km_frontend_key_by_name(m.f, "test"));
	m.peer[4].states = 1;
	fake_run(&m, 2000);
	assert_non_null(km_frontend_key_by_name(m.f, "test"));
	fake_clear(&m);
}

/* Two peers of five state another key under the same name, and speak first: with T = 2 they have the number, not the majority. */
static void test_minority_table(void **state)
{
	(void)state;
	fake_init(&m, 5, 2);
	m.peer[1].states = m.peer[2].states = 2;
	fake_run(&m, 100);
	assert_memory_equal(km_frontend_key_by_name(m.f, "test")->key_id, m.dealer.table.key_id, 32);
	assert_null(km_frontend_key_by_id(m.f, m.other.table.key_id));
	fake_run(&m, 10000);
	assert_null(km_frontend_key_by_id(m.f, m.other.table.key_id));
	/* loud, by name, and not every second */
	assert_int_equal(fake_logged(&m, "two keys under one name"), 2);
	assert_int_equal(fake_logged(&m, "peer 1 (p1) states key"), 1);
	assert_int_equal(fake_logged(&m, "peer 2 (p2) states key"), 1);
	fake_clear(&m);
}

/* Two liars are all that answers at first; they reach the threshold of the table that they made up. */
static void test_name_goes_to_the_majority(void **state)
{
	(void)state;
	fake_init(&m, 5, 3);
	dealer_init(&m.other, 43, km_curve_p256(), 0x18, 2);
	memcpy(m.other.table.idkeys[4], m.dealer.table.idkeys[4], KM_IDKEY_SIZE);
	memcpy(m.other.table.idkeys[5], m.dealer.table.idkeys[5], KM_IDKEY_SIZE);
	memcpy(m.other.table.name, m.dealer.table.name, sizeof(m.other.table.name));
	assert_int_equal(km_table_finish(&m.other.table), KM_OK);
	m.peer[4].states = m.peer[5].states = 2;
	m.peer[1].down = m.peer[2].down = m.peer[3].down = 1;
	fake_run(&m, 3000);
	m.peer[1].down = m.peer[2].down = m.peer[3].down = 0;
	fake_run(&m, 5000);
	assert_memory_equal(km_frontend_key_by_name(m.f, "test")->key_id, m.dealer.table.key_id, 32);
	assert_non_null(km_frontend_key_by_id(m.f, m.dealer.table.key_id));
	assert_true(fake_logged(&m, "which had the name until now") <= 1);
	/* the same two alone never take it back */
	m.peer[1].down = m.peer[2].down = 1;
	fake_run(&m, 5000);
	assert_memory_equal(km_frontend_key_by_name(m.f, "test")->key_id, m.dealer.table.key_id, 32);
	fake_clear(&m);
}

/* The same key, under another name by those who answer first. */
static void test_key_goes_by_its_majority_name(void **state)
{
	(void)state;
	fake_init(&m, 5, 2);
	m.other.table = m.dealer.table;
	memset(m.other.table.name, 0, sizeof(m.other.table.name));
	memcpy(m.other.table.name, "loud", 4);
	assert_int_equal(km_table_finish(&m.other.table), KM_OK);
	m.peer[4].states = m.peer[5].states = 2;
	m.peer[1].down = m.peer[2].down = m.peer[3].down = 1;
	fake_run(&m, 3000);
	assert_non_null(km_frontend_key_by_name(m.f, "loud"));
	m.peer[1].down = m.peer[2].down = m.peer[3].down = 0;
	fake_run(&m, 5000);
	assert_non_null(km_frontend_key_by_name(m.f, "test"));
	assert_null(km_frontend_key_by_name(m.f, "loud"));
	assert_int_equal(m.f->n_keys, 1);
	fake_clear(&m);
}

/* A few peers may fill half of the places for tables, never all. */
static void test_places_for_the_majority(void **state)
{
	(void)state;
	fake_init(&m, 5, 2);
	m.f->n_believed = FE_MAX_TABLES / 2;
	m.peer[3].states = m.peer[4].states = m.peer[5].states = 0;
	fake_run(&m, 3000);
	assert_null(km_frontend_key_by_name(m.f, "test"));
	m.peer[3].states = 1;
	fake_run(&m, 3000);
	assert_non_null(km_frontend_key_by_name(m.f, "test"));
	fake_clear(&m);
}

static void test_tie_is_not_believed(void **state)
{
	(void)state;
	fake_init(&m, 4, 2);
	m.peer[1].states = m.peer[2].states = 2;
	m.peer[3].states = m.peer[4].states = 0;
	m.peer[3].down = m.peer[4].down = 1;
	m.peer[1].states = 1;
	fake_run(&m, 3000);
	assert_null(km_frontend_key_by_name(m.f, "test"));
	m.peer[3].down = m.peer[4].down = 0;
	m.peer[3].states = 2;
	m.peer[4].states = 1;
	fake_run(&m, 3000);
	assert_null(km_frontend_key_by_name(m.f, "test"));
	assert_true(fake_logged(&m, "but peers") >= 1);
	m.peer[3].states = 1;
	fake_run(&m, 3000);
	assert_memory_equal(km_frontend_key_by_name(m.f, "test")->key_id, m.dealer.table.key_id, 32);
	fake_clear(&m);
}

/* Epochs of one key take over from each other for ever. */
static void test_many_epochs(void **state)
{
	(void)state;
	fake_init(&m, 5, 3);
	fake_run(&m, 3000);
	for (unsigned i = 0; i < 2 * KM_MAX_KEYS + 8; i++) {
		m.dealer.table.number++;
		assert_int_equal(km_table_finish(&m.dealer.table), KM_OK);
		fake_run(&m, 2100);
	}
	assert_memory_equal(km_frontend_key_by_name(m.f, "test")->hash, m.dealer.table.hash, KM_HASH_SIZE);
	fake_clear(&m);
}

static void test_table_against_own_file(void **state)
{
	struct km_key_policy k = { .name = "test", .curve = KM_CURVE_P256, .threshold = 4 };

	(void)state;
	fake_init(&m, 5, 3);
	m.s.keys = &k;
	m.s.n_keys = 1;
	fake_run(&m, 3000);
	/* the threshold is being changed: as many as the higher of the two say so */
	assert_int_equal(km_frontend_key_by_name(m.f, "test")->threshold, 3);
	fake_clear(&m);
	fake_init(&m, 5, 3);
	m.s.keys = &k;
	m.s.n_keys = 1;
	m.peer[4].states = m.peer[5].states = 0;
	fake_run(&m, 3000);
	assert_null(km_frontend_key_by_name(m.f, "test"));
	m.peer[4].states = 1;
	fake_run(&m, 3000);
	assert_non_null(km_frontend_key_by_name(m.f, "test"));
	fake_clear(&m);
	fake_init(&m, 5, 3);
	for (unsigned i = 1; i <= 3; i++)
		m.s.roster.peer[i].identity[0] ^= 1;
	fake_run(&m, 3000);
	assert_null(km_frontend_key_by_name(m.f, "test"));
	assert_int_equal(fake_logged(&m, "its members are not the peers of our configuration"), 1);
	fake_clear(&m);
}

static void test_roster_and_clock_are_noted_once(void **state)
{
	(void)state;
	fake_init(&m, 5, 3);
	m.peer[2].other_roster = 1;
	m.peer[4].clock_ms = -20000;
	fake_run(&m, 5000);
	assert_int_equal(fake_logged(&m, "roster mismatch: peer 2 (p2)"), 1);
	assert_int_equal(fake_logged(&m, "peer 4 (p4): its clock is"), 1);
	assert_int_equal(fake_logged(&m, "behind ours"), 1);
	m.peer[2].other_roster = 0;
	fake_run(&m, 2000);
	assert_int_equal(fake_logged(&m, "peer 2 (p2) has our roster again"), 1);
	fake_clear(&m);
}

static void test_liveness(void **state)
{
	struct km_event down = { .kind = KM_EVENT_DOWN, .from = { KM_ADDR_PEER, 2 } };

	(void)state;
	begin(5, 3);
	m.peer[5].down = 1;
	fake_run(&m, 2500);
	assert_true(fe_live_set(m.f) == 0x1f);
	fake_run(&m, 2000);
	assert_true(fe_live_set(m.f) == 0x0f);
	assert_int_equal(fake_logged(&m, "peer 5 (p5) does not answer"), 1);
	fake_event(&m, &down);
	assert_true(fe_live_set(m.f) == 0x0d);
	fake_run(&m, 1100);
	assert_true(fe_live_set(m.f) == 0x0f);
	/* a pong nobody asked for proves nothing */
	m.peer[5].down = 0;
	fake_inject(&m, 5, "\x24\0\0\0\0\0\0\0\1\0\0", 11);
	fake_run(&m, 1);
	assert_true(fe_live_set(m.f) == 0x0f);
	fake_clear(&m);
}

/* ---- signing */

static void test_signs(void **state)
{
	char text[] = "request 0";
	unsigned used = 0;

	(void)state;
	begin(5, 3);
	for (unsigned i = 0; i < 40; i++) {
		uint8_t order[32];

		text[8] = (char)('0' + i);
		(void)fake_order(&m, text, order);
		fake_sign(&m, 100 + i, text, 2000);
		fake_run(&m, 5);
		assert_true(fake_good(&m, fake_result(&m, 100 + i), text));
		assert_int_equal(fake_result(&m, 100 + i)->result.aggregator, order[0]);
		assert_true(fake_result(&m, 100 + i)->result.quorum == 7);
		used |= 1u << order[0];
	}
	/* one aggregator a request, and all took their turn */
	assert_int_equal(m.sent_reqs, 40);
	assert_int_equal(used, 0x3e);
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(m.peer[i].bad_macs, 0);
	assert_int_equal(m.n_results, 40);
	fake_clear(&m);
}

static void test_hedges_to_the_next(void **state)
{
	uint8_t order[32];

	(void)state;
	begin(5, 3);
	(void)fake_order(&m, "a", order);
	m.peer[order[0]].does = FAKE_SILENT;
	m.peer[order[1]].delay_us = 400000;
	fake_sign(&m, 1, "a", 2000);
	fake_run(&m, 249);
	assert_int_equal(m.sent_reqs, 1);
	fake_run(&m, 2);
	assert_int_equal(m.sent_reqs, 2);
	fake_run(&m, 1000);
	/* the third was asked at 500 ms and answered before the second did at 650 */
	assert_int_equal(m.sent_reqs, 3);
	assert_true(fake_good(&m, fake_result(&m, 1), "a"));
	assert_int_equal(fake_result(&m, 1)->result.aggregator, order[2]);
	assert_int_equal(m.f->hedged, 2);
	/* a peer that keeps silent is asked last before long */
	for (unsigned i = 0; i < 20; i++) {
		char text[] = "silence a";

		text[8] = (char)('a' + i);
		fake_sign(&m, 10 + i, text, 2000);
		fake_run(&m, 1500);
		assert_true(fake_good(&m, fake_result(&m, 10 + i), text));
	}
	assert_in_range(m.peer[order[0]].reqs, 2, FE_SUSPECT);
	fake_clear(&m);
}

/* The first answer counts, from whomever that was asked: a slow aggregator's late one is taken, not thrown away. */
static void test_late_answer_is_taken(void **state)
{
	uint8_t order[32];

	(void)state;
	begin(5, 3);
	(void)fake_order(&m, "late", order);
	for (unsigned i = 1; i <= 5; i++)
		m.peer[i].does = FAKE_SILENT;
	m.peer[order[0]].does = FAKE_SIGN;
	m.peer[order[0]].delay_us = 700000;
	fake_sign(&m, 1, "late", 2000);
	fake_run(&m, 2500);
	assert_true(fake_good(&m, fake_result(&m, 1), "late"));
	assert_int_equal(fake_result(&m, 1)->result.aggregator, order[0]);
	fake_clear(&m);
}

static void test_channel_loss_moves_on_at_once(void **state)
{
	struct km_event down = { .kind = KM_EVENT_DOWN, .from = { KM_ADDR_PEER, 0 } };
	uint8_t order[32];

	(void)state;
	begin(5, 3);
	(void)fake_order(&m, "b", order);
	m.peer[order[0]].does = FAKE_SILENT;
	fake_sign(&m, 1, "b", 2000);
	fake_run(&m, 10);
	down.from.id = order[0];
	fake_event(&m, &down);
	fake_run(&m, 5);
	assert_true(fake_good(&m, fake_result(&m, 1), "b"));
	assert_int_equal(fake_result(&m, 1)->result.aggregator, order[1]);
	assert_int_equal(m.f->hedged, 0);
	fake_clear(&m);
}

static void test_status_moves_on_at_once(void **state)
{
	static const uint8_t soft[] = { KM_STATUS_EMPTY, KM_STATUS_NO_QUORUM, KM_STATUS_BUSY, KM_STATUS_INTERNAL, KM_STATUS_DEGENERATE, 99, 255 };

	(void)state;
	for (size_t i = 0; i < sizeof(soft); i++) {
		uint8_t order[32];

		begin(5, 3);
		(void)fake_order(&m, "c", order);
		m.peer[order[0]].does = m.peer[order[1]].does = FAKE_STATUS;
		m.peer[order[0]].status = m.peer[order[1]].status = soft[i];
		fake_sign(&m, 1, "c", 2000);
		fake_run(&m, 10);
		assert_true(fake_good(&m, fake_result(&m, 1), "c"));
		assert_int_equal(fake_result(&m, 1)->result.aggregator, order[2]);
		fake_clear(&m);
	}
}

static void test_prefers_peers_with_presignatures(void **state)
{
	uint8_t order[32];

	(void)state;
	fake_init(&m, 5, 3);
	for (unsigned i = 1; i <= 5; i++)
		m.peer[i].ready = i == 4;
	fake_run(&m, 100);
	for (unsigned i = 0; i < 10; i++) {
		char text[] = "ready 0";

		text[6] = (char)('0' + i);
		(void)fake_order(&m, text, order);
		fake_sign(&m, i + 1, text, 1000);
		fake_run(&m, 10);
		assert_int_equal(fake_result(&m, i + 1)->result.aggregator, 4);
	}
	fake_clear(&m);
}

/* All are out of presignatures, then one has some: the request waits for it as long as its deadline lets it. */
static void test_asks_again_until_the_deadline(void **state)
{
	(void)state;
	begin(5, 3);
	for (unsigned i = 1; i <= 5; i++) {
		m.peer[i].does = FAKE_STATUS;
		m.peer[i].status = KM_STATUS_EMPTY;
	}
	fake_sign(&m, 1, "d", 2000);
	fake_run(&m, 1000);
	assert_null(fake_result(&m, 1));
	/* five at once, then with pauses */
	assert_in_range(m.sent_reqs, 10, 40);
	m.peer[3].does = FAKE_SIGN;
	fake_run(&m, 700);
	assert_true(fake_good(&m, fake_result(&m, 1), "d"));
	fake_clear(&m);
}

static void say_again(unsigned peer)
{
	struct km_reply r = { .status = KM_STATUS_AGAIN };
	struct km_buf b;

	memcpy(r.request_id, m.f->requests->id, KM_HASH_SIZE);
	km_buf_init(&b);
	km_reply_encode(&b, &r);
	fake_inject(&m, peer, b.data, b.len);
	km_buf_clear(&b);
}

/* Who was empty says that it no longer is: it is asked at once, and not with the next pass. */
static void test_again_is_heard(void **state)
{
	unsigned reqs;

	(void)state;
	begin(5, 3);
	for (unsigned i = 1; i <= 5; i++) {
		m.peer[i].does = FAKE_STATUS;
		m.peer[i].status = KM_STATUS_EMPTY;
	}
	fake_sign(&m, 1, "again", 5000);
	/* the pause that began at 350 ms lasts until 750 */
	fake_run(&m, 450);
	assert_null(fake_result(&m, 1));
	reqs = m.sent_reqs;
	say_again(3);
	fake_run(&m, 10);
	assert_int_equal(m.sent_reqs, reqs + 1);
	/* it lied: again and again, but no more than so often in a pass */
	for (unsigned i = 0; i < 20; i++) {
		say_again(3);
		fake_run(&m, 5);
	}
	assert_int_equal(m.sent_reqs, reqs + FE_MAX_OFFERS);
	assert_null(fake_result(&m, 1));
	/* a suspect is not heard, nor one that was not asked */
	m.f->peer[4].score = FE_SUSPECT;
	say_again(4);
	fake_run(&m, 5);
	assert_int_equal(m.sent_reqs, reqs + FE_MAX_OFFERS);
	m.peer[2].does = FAKE_SIGN;
	say_again(2);
	fake_run(&m, 5);
	assert_true(fake_good(&m, fake_result(&m, 1), "again"));
	assert_int_equal(fake_result(&m, 1)->result.aggregator, 2);
	fake_clear(&m);
}

/* While another one works at it, it is remembered and asked next. */
static void test_again_waits_its_turn(void **state)
{
	unsigned reqs;

	(void)state;
	begin(5, 3);
	for (unsigned i = 1; i <= 5; i++) {
		m.peer[i].does = FAKE_STATUS;
		m.peer[i].status = KM_STATUS_EMPTY;
	}
	fake_sign(&m, 1, "turn", 5000);
	fake_run(&m, 450);
	m.peer[3].does = FAKE_SILENT;
	m.peer[5].does = FAKE_SIGN;
	reqs = m.sent_reqs;
	say_again(3);
	fake_run(&m, 5);
	say_again(5);
	fake_run(&m, 5);
	assert_int_equal(m.sent_reqs, reqs + 1);
	assert_null(fake_result(&m, 1));
	/* its time is over, and the other is asked before the next pass begins */
	fake_run(&m, 300);
	assert_true(fake_good(&m, fake_result(&m, 1), "turn"));
	assert_int_equal(m.sent_reqs, reqs + 2);
	fake_clear(&m);
}

/* Two are dead, the pools of the others are empty for half a second: the answer comes with the next pass and not after the dead
 * had their time. */
static void test_does_not_wait_for_the_dead(void **state)
{
	const struct fake_result *r;

	(void)state;
	begin(5, 3);
	m.peer[4].down = m.peer[5].down = 1;
	fake_run(&m, 10000);
	for (unsigned id = 4; id <= 5; id++)
		m.f->peer[id].p99_us = FE_HEDGE_MAX_US;
	assert_int_equal(fe_live_set(m.f), 0x07);
	for (unsigned i = 1; i <= 3; i++) {
		m.peer[i].does = FAKE_STATUS;
		m.peer[i].status = KM_STATUS_EMPTY;
	}
	fake_sign(&m, 1, "dead", 5000);
	fake_run(&m, 500);
	assert_null(fake_result(&m, 1));
	for (unsigned i = 1; i <= 3; i++)
		m.peer[i].does = FAKE_SIGN;
	/* the longest pause between two passes, and both that are dead */
	fake_run(&m, 8 * FE_PASS_US / 1000 + 2 * FE_BRIEF_US / 1000 + 20);
	r = fake_result(&m, 1);
	assert_non_null(r);
	assert_int_equal(r->err, KM_OK);
	/* they were asked all the same, and are not scored for what was known */
	assert_true(m.f->peer[4].score < FE_SUSPECT && m.f->peer[5].score < FE_SUSPECT);
	fake_clear(&m);
}

static void test_deadline_says_what_was_tried(void **state)
{
	const struct fake_result *r;

	(void)state;
	begin(5, 3);
	for (unsigned i = 1; i <= 5; i++)
		m.peer[i].does = FAKE_SILENT;
	m.peer[4].does = FAKE_STATUS;
	m.peer[4].status = KM_STATUS_EMPTY;
	m.peer[2].does = FAKE_WRONG;
	fake_sign(&m, 1, "e", 1500);
	fake_run(&m, 1499);
	assert_null(fake_result(&m, 1));
	fake_run(&m, 2);
	r = fake_result(&m, 1);
	assert_non_null(r);
	assert_int_equal(r->err, KM_E_DEADLINE);
	assert_non_null(strstr(r->text, "key test: deadline passed"));
	assert_non_null(strstr(r->text, "; peers 1 3 5: no answer, "));
	assert_non_null(strstr(r->text, "peer 2: wrong signature"));
	assert_non_null(strstr(r->text, "peer 4: no presignature left"));
	assert_non_null(strstr(r->text, "5 of 5 peers alive"));
	fake_clear(&m);
	/* with 32 peers the text still ends well */
	begin(32, 3);
	for (unsigned i = 1; i <= 32; i++) {
		m.peer[i].does = FAKE_STATUS;
		m.peer[i].status = i % 3 == 0 ? KM_STATUS_UNKNOWN_PRESIG : i % 3 == 1 ? KM_STATUS_EMPTY : KM_STATUS_BUSY;
	}
	fake_sign(&m, 1, "e", 100);
	fake_run(&m, 200);
	r = fake_result(&m, 1);
	assert_int_equal(r->err, KM_E_DEADLINE);
	assert_non_null(strstr(r->text, "peers 1 4 7 10 13 16 19 22 25 28 31: no presignature left"));
	assert_non_null(strstr(r->text, " ...; 32 of 32 peers alive"));
	fake_clear(&m);
}

static void test_unknown_key(void **state)
{
	static const uint8_t key[32] = { 0xab, 0xcd };
	const struct fake_result *r;

	(void)state;
	fake_init(&m, 5, 3);
	fake_sign_key(&m, 1, key, "f", 1000);
	r = fake_result(&m, 1);
	assert_int_equal(r->err, KM_E_NOQUORUM);
	assert_non_null(strstr(r->text, "no peer has answered yet (asked: 1 2 3 4 5)"));
	m.peer[2].down = 1;
	fake_run(&m, 100);
	fake_sign_key(&m, 2, key, "f", 1000);
	r = fake_result(&m, 2);
	assert_int_equal(r->err, KM_E_NOTFOUND);
	assert_non_null(strstr(r->text, "no key abcd0000 on this mesh: peers 1 3 4 5 were asked, no answer from 2"));
	fake_clear(&m);
}

/* A refusal costs T peers, not all of them: one of T is honest. */
static void test_refusals(void **state)
{
	static const struct {
		unsigned status;
		int err;
	} rows[] = { { KM_STATUS_RIGHTS, KM_E_RIGHTS }, { KM_STATUS_CONTEXT, KM_E_CONTEXT }, { KM_STATUS_RATE, KM_E_RATE },
		     { KM_STATUS_BAD_MAC, KM_E_AUTH }, { KM_STATUS_STALE, KM_E_STALE }, { KM_STATUS_UNKNOWN_KEY, KM_E_NOTFOUND } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(5, 3);
		for (unsigned id = 1; id <= 5; id++) {
			m.peer[id].does = FAKE_STATUS;
			m.peer[id].status = rows[i].status;
		}
		fake_sign(&m, 1, "g", 2000);
		fake_run(&m, 10);
		assert_int_equal(fake_result(&m, 1)->err, rows[i].err);
		assert_non_null(strstr(fake_result(&m, 1)->text, "key test: refused; peer"));
		assert_int_equal(m.sent_reqs, 3);
		fake_clear(&m);
	}
	/* T - 1 liars who refuse do not stop a request */
	for (unsigned i = 0; i < 10; i++) {
		char text[] = "liars 0";

		text[6] = (char)('0' + i);
		begin(5, 3);
		m.peer[1].does = m.peer[2].does = FAKE_STATUS;
		m.peer[1].status = m.peer[2].status = KM_STATUS_RIGHTS;
		fake_sign(&m, 1, text, 2000);
		fake_run(&m, 10);
		assert_true(fake_good(&m, fake_result(&m, 1), text));
		fake_clear(&m);
	}
}

static void test_refuses_locally(void **state)
{
	static uint8_t big[KM_MAX_REQUEST_BYTES + 1];
	struct km_request q = { .kind = KM_REQUEST_SIGN, .context = KM_CTX_TLS13_SERVER, .deadline_ms = 1000, .data = big, .len = 130 };
	struct km_event ev = { .kind = KM_EVENT_REQUEST, .token = 1, .request = &q };

	(void)state;
	begin(5, 3);
	memcpy(q.key_id, m.dealer.table.key_id, 32);
	fake_event(&m, &ev);
	assert_int_equal(fake_result(&m, 1)->err, KM_E_CONTEXT);
	ev.token = 2;
	q.context = KM_CTX_CANARY;
	fake_event(&m, &ev);
	assert_int_equal(fake_result(&m, 2)->err, KM_E_CONTEXT);
	ev.token = 3;
	q.context = KM_CTX_CSR;
	q.len = sizeof(big);
	fake_event(&m, &ev);
	assert_int_equal(fake_result(&m, 3)->err, KM_E_LIMIT);
	ev.token = 4;
	q.len = 0;
	fake_event(&m, &ev);
	assert_int_equal(fake_result(&m, 4)->err, KM_E_LIMIT);
	ev.token = 5;
	q.kind = KM_REQUEST_KEYGEN;
	fake_event(&m, &ev);
	assert_int_equal(fake_result(&m, 5)->err, KM_E_INVAL);
	assert_int_equal(m.sent_reqs, 0);
	fake_clear(&m);
}

/* ---- wrong answers */

static void test_wrong_signatures(void **state)
{
	static const enum fake_does lies[] = { FAKE_WRONG, FAKE_SWAP_R, FAKE_INVENT, FAKE_OTHER, FAKE_ZERO };

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint8_t order[32];

		begin(5, 3);
		(void)fake_order(&m, "h", order);
		m.peer[order[0]].does = m.peer[order[1]].does = lies[i];
		fake_sign(&m, 1, "h", 2000);
		fake_run(&m, 10);
		assert_true(fake_good(&m, fake_result(&m, 1), "h"));
		assert_int_equal(fake_result(&m, 1)->result.aggregator, order[2]);
		assert_int_equal(m.peer[order[0]].badsigs, 1);
		assert_int_equal(m.peer[order[1]].badsigs, 1);
		assert_int_equal(m.f->peer[order[0]].score, FE_SCORE_BAD);
		assert_int_equal(m.f->bad_replies, 2);
		assert_int_equal(fake_logged(&m, "does not verify"), 2);
		/* the next requests ask others first */
		fake_sign(&m, 2, "i", 2000);
		fake_run(&m, 10);
		assert_int_equal(m.peer[order[0]].reqs + m.peer[order[1]].reqs, 2);
		/* and after a long time they get a new chance */
		fake_run(&m, 4 * FE_SCORE_HALVE_US / 1000);
		assert_int_equal(m.f->peer[order[0]].score, 0);
		fake_clear(&m);
	}
}

static void test_told_of_a_bad_one_the_aggregator_mends_it(void **state)
{
	uint8_t order[32];

	(void)state;
	begin(5, 3);
	for (unsigned i = 1; i <= 5; i++)
		m.peer[i].does = FAKE_SILENT;
	(void)fake_order(&m, "mend", order);
	m.peer[order[0]].does = FAKE_WRONG_ONCE;
	fake_sign(&m, 1, "mend", 2000);
	fake_run(&m, 5);
	assert_true(fake_good(&m, fake_result(&m, 1), "mend"));
	assert_int_equal(m.peer[order[0]].badsigs, 1);
	fake_clear(&m);
}

/* A flood of wrong answers is verified three times and no more. */
static void test_flood_of_wrong_answers(void **state)
{
	struct km_reply rep = { .n = 32 };
	struct km_buf b;
	uint8_t order[32];

	(void)state;
	begin(5, 3);
	(void)fake_order(&m, "flood", order);
	for (unsigned i = 1; i <= 5; i++)
		m.peer[i].does = FAKE_SILENT;
	fake_sign(&m, 1, "flood", 2000);
	memcpy(rep.request_id, m.f->requests->id, 32);
	rep.r[31] = rep.s[31] = 1;
	km_buf_init(&b);
	km_reply_encode(&b, &rep);
	for (unsigned i = 0; i < 50; i++) {
		fake_inject(&m, order[0], b.data, b.len);
		/* who was not asked is not even heard */
		fake_inject(&m, order[4], b.data, b.len);
	}
	fake_run(&m, 2);
	assert_int_equal(m.f->bad_replies, FE_MAX_VERIFY);
	assert_int_equal(m.peer[order[0]].badsigs, FE_MAX_VERIFY);
	assert_int_equal(m.f->peer[order[4]].score, 0);
	km_buf_clear(&b);
	fake_clear(&m);
}

/* ---- idempotency, bounds, life */

static void test_same_request_joins_and_repeats(void **state)
{
	const struct fake_result *a, *b, *c;

	(void)state;
	begin(5, 3);
	fake_sign(&m, 1, "same", 2000);
	fake_sign(&m, 2, "same", 2000);
	fake_sign(&m, 2, "same", 2000);
	fake_run(&m, 10);
	fake_sign(&m, 3, "same", 2000);
	a = fake_result(&m, 1);
	b = fake_result(&m, 2);
	c = fake_result(&m, 3);
	assert_true(fake_good(&m, a, "same"));
	assert_memory_equal(&a->result, &b->result, sizeof(a->result));
	assert_memory_equal(&a->result, &c->result, sizeof(a->result));
	assert_int_equal(m.n_results, 3);
	assert_int_equal(m.sent_reqs, 1);
	/* remembered for two minutes */
	fake_run(&m, 119000);
	fake_sign(&m, 4, "same", 2000);
	assert_non_null(fake_result(&m, 4));
	assert_int_equal(m.sent_reqs, 1);
	fake_run(&m, 2000);
	fake_sign(&m, 5, "same", 2000);
	assert_null(fake_result(&m, 5));
	fake_run(&m, 10);
	assert_int_equal(m.sent_reqs, 2);
	assert_memory_not_equal(fake_result(&m, 5)->result.r, a->result.r, 32);
	fake_clear(&m);
}

/* A failure is not remembered; each client has its own deadline; who went away is not answered. */
static void test_waiters(void **state)
{
	struct km_event cancel = { .kind = KM_EVENT_CANCEL, .token = 3 };

	(void)state;
	begin(5, 3);
	for (unsigned i = 1; i <= 5; i++)
		m.peer[i].does = FAKE_SILENT;
	fake_sign(&m, 1, "w", 1000);
	fake_sign(&m, 2, "w", 300);
	fake_sign(&m, 3, "w", 2000);
	fake_run(&m, 10);
	fake_event(&m, &cancel);
	fake_event(&m, &cancel);
	fake_run(&m, 289);
	assert_null(fake_result(&m, 2));
	fake_run(&m, 2);
	assert_int_equal(fake_result(&m, 2)->err, KM_E_DEADLINE);
	assert_null(fake_result(&m, 1));
	fake_run(&m, 700);
	assert_int_equal(fake_result(&m, 1)->err, KM_E_DEADLINE);
	fake_run(&m, 2000);
	assert_null(fake_result(&m, 3));
	assert_int_equal(m.f->in_flight, 0);
	assert_int_equal(m.f->n_waiters, 0);
	assert_int_equal(m.f->by_token.n, 0);
	for (unsigned i = 1; i <= 5; i++)
		m.peer[i].does = FAKE_SIGN;
	fake_sign(&m, 4, "w", 1000);
	fake_run(&m, 10);
	assert_true(fake_good(&m, fake_result(&m, 4), "w"));
	fake_clear(&m);
}

static void test_bounds(void **state)
{
	char text[] = "bound 0000";
	unsigned busy = 0;

	(void)state;
	begin(3, 2);
	for (unsigned i = 1; i <= 3; i++)
		m.peer[i].does = FAKE_SILENT;
	for (unsigned i = 0; i < FE_MAX_IN_FLIGHT + 10; i++) {
		km_format(text, sizeof(text), "bound %u", i);
		fake_sign(&m, i + 1, text, 200);
	}
	assert_int_equal(m.f->in_flight, FE_MAX_IN_FLIGHT);
	for (size_t i = 0; i < m.n_results; i++)
		busy += m.results[i].err == KM_E_BUSY;
	assert_int_equal(busy, 10);
	fake_run(&m, 300);
	assert_int_equal(m.f->in_flight, 0);
	assert_int_equal(m.f->bytes, 0);
	assert_int_equal(m.f->heap_n, 0);
	assert_int_equal(m.n_results, FE_MAX_IN_FLIGHT + 10);
	fake_clear(&m);
}

static void test_stop(void **state)
{
	struct km_event stop = { .kind = KM_EVENT_STOP };

	(void)state;
	begin(5, 3);
	fake_sign(&m, 1, "stop", 2000);
	fake_event(&m, &stop);
	assert_int_equal(fake_result(&m, 1)->err, KM_E_STATE);
	assert_true(km_frontend_deadline(m.f) == UINT64_MAX);
	m.n_results = 0;
	fake_sign(&m, 2, "stop", 2000);
	fake_run(&m, 3000);
	assert_int_equal(m.n_results, 0);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(m.f->peer[1].key[i], 0);
	fake_clear(&m);
}

/* Frames of every kind, cut and changed at random, from every peer, while requests go on: nothing breaks, nothing wrong comes out. */
static void test_garbage(void **state)
{
	uint8_t junk[200];
	unsigned good = 0;

	(void)state;
	begin(5, 3);
	for (unsigned i = 0; i < 300; i++) {
		char text[20];

		km_format(text, sizeof(text), "junk %u", i);
		fake_sign(&m, i + 1, text, 2000);
		for (unsigned j = 0; j < 20; j++) {
			size_t n = (size_t)km_rng_below(&m.rng, sizeof(junk));

			km_rng_bytes(&m.rng, junk, sizeof(junk));
			junk[0] = (uint8_t)(32 + km_rng_below(&m.rng, 8));
			if (km_rng_below(&m.rng, 2) && m.f->requests)
				memcpy(junk + 1, m.f->requests->id, 32);
			junk[33] = (uint8_t)km_rng_below(&m.rng, 3);
			junk[34] = junk[33] ? 0 : 32;
			fake_inject(&m, 1 + (unsigned)km_rng_below(&m.rng, 2), junk, km_rng_below(&m.rng, 2) ? n : 143);
		}
		fake_run(&m, 20);
		good += (unsigned)fake_good(&m, fake_result(&m, i + 1), text);
		assert_true(!fake_result(&m, i + 1) || fake_result(&m, i + 1)->err || fake_good(&m, fake_result(&m, i + 1), text));
	}
	fake_run(&m, 3000);
	for (unsigned i = 0; i < 300; i++)
		assert_non_null(fake_result(&m, i + 1));
	/* peers 1 and 2 forge refusals at random; two refusals never stop a request */
	assert_true(good > 200);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(fake_result(&m, i + 1)->err, KM_OK);
	fake_clear(&m);
}

/* The p99 estimate follows: fast peers near the floor, a slow one above its slowness. */
static void test_estimator(void **state)
{
	(void)state;
	begin(2, 2);
	m.peer[1].delay_us = 180000;
	for (unsigned i = 0; i < 600; i++) {
		char text[20];

		km_format(text, sizeof(text), "sample %u", i);
		fake_sign(&m, i + 1, text, 2000);
		fake_run(&m, 300);
		assert_int_equal(fake_result(&m, i + 1)->err, KM_OK);
	}
	assert_in_range(m.f->peer[1].p99_us, 150000, 260000);
	assert_in_range(m.f->peer[2].p99_us, 600, 50000);
	assert_in_range(m.f->peer[1].reply_us, 170000, 190000);
	assert_in_range(m.f->peer[2].reply_us, 500, 700);
	fake_clear(&m);
}

#define T(f) cmocka_unit_test(f)
KM_TESTS(T(test_learns_the_key), T(test_needs_threshold_to_believe), T(test_minority_table), T(test_name_goes_to_the_majority), T(test_key_goes_by_its_majority_name), T(test_places_for_the_majority), T(test_tie_is_not_believed), T(test_many_epochs), T(test_table_against_own_file),
	 T(test_roster_and_clock_are_noted_once), T(test_liveness), T(test_signs), T(test_hedges_to_the_next), T(test_late_answer_is_taken),
	 T(test_channel_loss_moves_on_at_once), T(test_status_moves_on_at_once), T(test_prefers_peers_with_presignatures),
	 T(test_asks_again_until_the_deadline), T(test_again_is_heard), T(test_again_waits_its_turn), T(test_does_not_wait_for_the_dead), T(test_deadline_says_what_was_tried), T(test_unknown_key), T(test_refusals), T(test_refuses_locally),
	 T(test_wrong_signatures), T(test_told_of_a_bad_one_the_aggregator_mends_it), T(test_flood_of_wrong_answers),
	 T(test_same_request_joins_and_repeats), T(test_waiters), T(test_bounds), T(test_stop), T(test_garbage), T(test_estimator))
