/* attack_a26_spoil.c: one corrupt peer wants that the others run out of presignatures: it has its runs make them for somebody else,
 * until that owner's quota is full; or it lets every run fail in which it takes part, in ways that prove nothing against it.
 * Stopped by: a run serves its initiator only; an owner whose runs go on failing tries with fewer peers, until one succeeds; and who does
 * not open a run that failed scores its links, so that the next one is made without it. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/mesh.h"
#include "node/peer_impl.h"

#define EVIL 5
#define OWNER 1

static struct mesh mesh;

static void setup(unsigned n, unsigned t)
{
	rules_all();
	mesh_init(&mesh, n, t, 261);
	for (unsigned i = 1; i <= n; i++) {
		mesh.node[i].s.pool_target = 4;
		mesh.node[i].s.pool_low = 3;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 2, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
}

/* ---- for somebody else */

static unsigned said;

static int tap_refuse(struct mesh *m, struct mesh_packet *k)
{
	if (k->data[0] == KM_FRAME_REFUSE && k->to.id == EVIL)
		said = k->data[1 + KM_HASH_SIZE];
	return 1;
}

/* What the victim says to a proposal whose row is for this owner. */
static unsigned propose(unsigned owner)
{
	struct km_peer *p = mesh.node[EVIL].peer;
	struct km_proposal prop = {.purpose = KM_PURPOSE_PRESIGN, .engine = KM_ENGINE_MAJORITY, .participants = 0x1f, .batch = 1};
	struct km_presign_row row = {.owner = (uint8_t)owner, .quorum = 0x13};
	struct km_event tick = {.kind = KM_EVENT_TICK};
	struct km_run *run;

	said = 0;
	memcpy(prop.hash, p->keys->share->table.hash, KM_HASH_SIZE);
	p->fx = &mesh.fx;
	p->now = mesh.now;
	assert_int_equal(km_session_propose(p, &prop, &row, p->keys, &run), KM_OK);
	p->fx = NULL;
	assert_int_equal(mesh_step(&mesh, EVIL, &tick), KM_OK);
	mesh_settle(&mesh);
	mesh_run(&mesh, 5000000);
	return said;
}

static void test_for_itself_only(void **state)
{
	setup(5, 3);
	mesh.tap = tap_refuse;
	assert_int_equal(propose(EVIL), 0);
	unsigned held = mesh.node[OWNER].peer->keys->held[OWNER];
	assert_int_equal(propose(OWNER), KM_REFUSE_ROWS);
	assert_int_equal(mesh.node[OWNER].peer->keys->held[OWNER], held);
	mesh_free(&mesh);
}

/* ---- every run fails */

static void say(struct mesh *m, unsigned to, uint8_t kind, const uint8_t id[KM_HASH_SIZE], const void *more, size_t len)
{
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, kind);
	km_put_bytes(&b, id, KM_HASH_SIZE);
	km_put_bytes(&b, more, len);
	mesh_send(m, (struct km_addr){KM_ADDR_PEER, EVIL}, (struct km_addr){KM_ADDR_PEER, (uint16_t)to}, b.data, b.len);
	km_buf_clear(&b);
}

static int is_envelope(const struct mesh_packet *k, unsigned proto, unsigned round)
{
	return k->data[0] == KM_FRAME_ENVELOPE && k->data[3] == proto && k->data[4] == round;
}

static uint32_t refusers;

static int tap_refusers(struct mesh *m, struct mesh_packet *k)
{
	struct km_msg msg;
	struct km_buf b;

	if (!km_set_has(refusers, k->to.id) || !is_envelope(k, KM_PROTO_SETUP, 1))
		return 1;
	assert_int_equal(km_msg_parse(&msg, k->data + 1, k->len - 1), KM_OK);
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_REFUSE);
	km_put_bytes(&b, msg.digest, KM_HASH_SIZE);
	km_put_u8(&b, KM_REFUSE_BUSY);
	km_put_u8(&b, 0);
	mesh_send(m, k->to, k->from, b.data, b.len);
	km_buf_clear(&b);
	return 0;
}

static int tap_busy(struct mesh *m, struct mesh_packet *k)
{
	refusers = km_set_bit(EVIL);
	return tap_refusers(m, k);
}

static int abort_in(struct mesh *m, struct mesh_packet *k, unsigned round, int code)
{
	const uint8_t why[5] = {(uint8_t)-code};

	if (k->from.id == EVIL && (is_envelope(k, KM_PROTO_MAJORITY, round) || is_envelope(k, KM_PROTO_ANY, round)))
		say(m, k->to.id, KM_FRAME_ABORT, k->data + 1 + 10, why, sizeof(why));
	return 1;
}

static int tap_mismatch(struct mesh *m, struct mesh_packet *k)
{
	return abort_in(m, k, 2, KM_E_MISMATCH);
}

static int tap_stale(struct mesh *m, struct mesh_packet *k)
{
	return abort_in(m, k, 3, KM_E_STALE);
}

static int tap_first_round(struct mesh *m, struct mesh_packet *k)
{
	struct km_msg msg;

	if (k->from.id == EVIL && is_envelope(k, KM_PROTO_SETUP, 2) && km_msg_parse(&msg, k->data + 1, k->len - 1) == KM_OK) {
		const uint8_t why[5] = {(uint8_t)-KM_E_STALE};

		say(m, k->to.id, KM_FRAME_ABORT, msg.body, why, sizeof(why));
		return 0;
	}
	return 1;
}

/* Another content of every opening to everybody: views differ, and no two of them meet. */
static int tap_split(struct mesh *m, struct mesh_packet *k)
{
	struct km_msg msg;
	uint8_t *body;

	if (k->from.id != EVIL || !is_envelope(k, KM_PROTO_MAJORITY, 2))
		return 1;
	assert_int_equal(km_msg_parse(&msg, k->data + 1, k->len - 1), KM_OK);
	body = malloc(msg.body_len);
	assert_non_null(body);
	memcpy(body, msg.body, msg.body_len);
	body[msg.body_len - 1] ^= (uint8_t)k->to.id;
	struct km_shape shape = {.head = msg.body_len};
	struct km_buf b;
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	assert_int_equal(km_msg_build(&b, msg.proto, msg.round, EVIL, msg.recipient, msg.sid, &shape, body,
				      &m->node[EVIL].s.identity), KM_OK);
	assert_int_equal(b.len, k->len);
	memcpy(k->data, b.data, b.len);
	km_buf_clear(&b);
	free(body);
	return 1;
}

/* Own ready presignatures without the corrupt peer, when all were used up and a minute has passed. */
static unsigned left_after(unsigned threshold, int (*tap)(struct mesh *, struct mesh_packet *))
{
	struct km_peer *p;
	unsigned status, n;

	setup(5, threshold);
	p = mesh.node[OWNER].peer;
	mesh.tap = tap;
	for (struct km_held *h; (h = km_pool_choose(p, p->keys, 0, &status));)
		km_pool_burn(p, h);
	mesh_run(&mesh, 60000000);
	n = km_pool_ready(p->keys, 0x1f & ~km_set_bit(EVIL));
	for (unsigned i = 1; i < EVIL; i++)
		assert_int_equal(mesh.node[i].peer->quarantined & ~km_set_bit(EVIL), 0);
	mesh_free(&mesh);
	return n;
}

static void test_refuses(void **state)
{
	assert_true(left_after(2, tap_busy) > 0);
}

static void test_aborts(void **state)
{
	assert_true(left_after(2, tap_mismatch) > 0);
	assert_true(left_after(2, tap_stale) > 0);
	assert_true(left_after(2, tap_first_round) > 0);
}

static void test_splits(void **state)
{
	assert_true(left_after(2, tap_split) > 0);
}

/* ---- every run is opened, and who spoilt it does not open
 *
 * Nobody is convicted then: what keeps them out of the next run is the score of their links alone. */

static unsigned spoilt, proposed;
static uint32_t silent_ones;

static void other_view(struct mesh *m, struct mesh_packet *k)
{
	struct km_msg msg;
	uint8_t *body;

	assert_int_equal(km_msg_parse(&msg, k->data + 1, k->len - 1), KM_OK);
	struct km_shape shape = {.head = msg.body_len};
	struct km_buf b;
	body = malloc(msg.body_len);
	assert_non_null(body);
	memcpy(body, msg.body, msg.body_len);
	body[0] ^= 1;
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	assert_int_equal(km_msg_build(&b, msg.proto, msg.round, msg.sender, 0, msg.sid, &shape, body, &m->node[msg.sender].s.identity), KM_OK);
	assert_int_equal(b.len, k->len);
	memcpy(k->data, b.data, b.len);
	km_buf_clear(&b);
	free(body);
	spoilt++;
}

static int tap_silent(struct mesh *m, struct mesh_packet *k)
{
	if (k->from.kind != KM_ADDR_PEER)
		return 1;
	if (k->from.id == OWNER && is_envelope(k, KM_PROTO_SETUP, 1) && k->to.id == 2)
		proposed++;
	if (!km_set_has(silent_ones, k->from.id) || m->node[k->from.id].peer == NULL)
		return 1;
	if (k->data[0] == KM_FRAME_RELAY || k->data[0] == KM_FRAME_ABORT)
		return 0;
	/* the commitments: a head that begins with the view */
	if ((is_envelope(k, KM_PROTO_MAJORITY, 2) || is_envelope(k, KM_PROTO_ANY, 3)) && !k->data[6])
		other_view(m, k);
	return !is_envelope(k, KM_PROTO_MAJORITY, 5) && !is_envelope(k, KM_PROTO_MAJORITY, 6) && !is_envelope(k, KM_PROTO_ANY, 6) &&
	       !is_envelope(k, KM_PROTO_ANY, 7);
}

static void silent(unsigned n, uint32_t who)
{
	struct km_peer *p;
	unsigned status;

	setup(n, 3);
	p = mesh.node[OWNER].peer;
	silent_ones = who;
	spoilt = proposed = 0;
	mesh.tap = tap_silent;
	for (struct km_held *h; (h = km_pool_choose(p, p->keys, 0, &status));)
		km_pool_burn(p, h);
	while (!km_pool_ready(p->keys, p->s->roster.members & ~who) && proposed < 10)
		mesh_run(&mesh, 500000);
	/* the first was spoilt by whom nothing marks, the second leaves them out */
	assert_true(spoilt > 0);
	assert_in_range(proposed, 2, 3);
	for (unsigned i = km_set_next(p->s->roster.members & ~who, 0); i; i = km_set_next(p->s->roster.members & ~who, i)) {
		assert_int_equal(mesh.node[i].peer->quarantined | mesh.node[i].peer->disputed, 0);
		assert_int_equal(mesh.node[i].peer->scored[OWNER] & ~who, 0);
	}
	mesh_free(&mesh);
}

static void test_silent(void **state)
{
	silent(5, 1u << 3 | 1u << 4);
	silent(7, 1u << 3 | 1u << 6);
	silent(5, 1u << 4);
}

/* With five peers and T = 3 engine majority has nobody to leave out: engine any makes presignatures by quorums without it. */
static void test_nobody_to_spare(void **state)
{
	assert_true(left_after(3, tap_busy) > 0);
	assert_true(left_after(3, tap_mismatch) > 0);
	assert_true(left_after(3, tap_stale) > 0);
}

/* ---- T-1 of them refuse, and have made others look bad, or sit where nobody comes past them
 *
 * Enough honest peers are there, which can talk; they have to be found. */

static void burn_own(struct km_peer *p)
{
	unsigned status;

	for (struct km_held *h; (h = km_pool_choose(p, p->keys, 0, &status));)
		km_pool_burn(p, h);
}

/* Only the owner refills, so that the test ends soon. */
static void others_rest(unsigned n)
{
	for (unsigned i = 1; i <= n; i++) {
		mesh.node[i].peer->refill_not_before_us = i == OWNER ? 0 : mesh.now.mono_us + 3600000000u;
		mesh.node[i].peer->refill_wanted = 0;
	}
}

/* Seven peers, T = 3: the five honest ones are enough for engine majority, and they alone. Each of the others has a dispute, or a suspected
 * link, with another honest one. Whom the owner asks: at first never those five, and once runs go on failing them too. */
static void slander(int disputes)
{
	const uint32_t honest = 0x1f, all = 0x7f;
	const struct km_table *t;
	struct km_peer *p;
	unsigned found = 0;

	p = mesh.node[OWNER].peer;
	t = &p->keys->share->table;
	for (unsigned i = 2; i <= 3; i++) {
		if (disputes) {
			p->feud[i] |= km_set_bit(i + 4);
			p->feud[i + 4] |= km_set_bit(i);
		} else {
			km_blame_link(p, i, i + 4, 64 * KM_SCORE_UNIT);
		}
	}
	p->refill_failures = 0;
	for (unsigned i = 0; i < 64; i++)
		assert_int_not_equal(km_refill_majority(p, t, all), honest);
	p->refill_failures = 3;
	p->refill_few = 0;
	for (unsigned i = 0; i < 64; i++)
		found += km_refill_majority(p, t, all) == honest;
	/* one in four */
	assert_in_range(found, 4, 32);
	/* with which a run succeeded is asked again */
	p->fx = &mesh.fx;
	km_refill_succeeded(p, KM_ENGINE_MAJORITY, honest);
	p->fx = NULL;
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(km_refill_majority(p, t, all), honest);
	for (unsigned i = 2; i <= 3; i++) {
		p->feud[i] = p->feud[i + 4] = 0;
		km_blame_forget(p, i, i + 4);
	}
}

static void test_slander(void **state)
{
	setup(7, 3);
	slander(0);
	slander(1);
	mesh_free(&mesh);
}

/* Nine peers, T = 4, with more quorums than are kept filled: no window of the ring is without one of the three. */
static void test_in_every_window(void **state)
{
	const uint32_t evil = km_set_bit(3) | km_set_bit(6) | km_set_bit(9);
	uint32_t wanted[KM_WANTED_MAX];
	struct km_peer *p;
	unsigned s = 0;

	setup(9, 4);
	refusers = evil;
	p = mesh.node[OWNER].peer;
	mesh.tap = tap_refusers;
	others_rest(9);
	unsigned n = km_refill_wanted(p, 4, 0x1ff, wanted);
	assert_int_equal(n, 8);
	for (unsigned i = 0; i < n; i++)
		assert_true(wanted[i] & evil);
	km_pool_burn_all(p);
	for (; s < 180 && !km_pool_ready(p->keys, 0x1ff & ~evil); s++)
		mesh_run(&mesh, 1000000);
	print_message("# found after %u s\n", s);
	assert_true(km_pool_ready(p->keys, 0x1ff & ~evil) > 0);
	/* known now, it is asked again at once */
	burn_own(p);
	mesh_run(&mesh, 10000000);
	assert_true(km_pool_ready(p->keys, 0x1ff & ~evil) > 0);
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_slander), cmocka_unit_test(test_in_every_window), cmocka_unit_test(test_silent), cmocka_unit_test(test_for_itself_only), cmocka_unit_test(test_refuses), cmocka_unit_test(test_aborts),
	 cmocka_unit_test(test_splits), cmocka_unit_test(test_nobody_to_spare))
