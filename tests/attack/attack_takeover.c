/* attack_takeover.c: how an epoch of a key takes over from the one before, and what is lost or won by who hinders it: A10, A13, A18, A19,
 * B10. Whole peers. The corrupt ones are real ones that fall silent at the right moment, forget, or keep an old configuration. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/mesh.h"
#include "../lib/reshare_help.h"
#include "node/peer_impl.h"

static struct mesh mesh;

static struct km_peer *peer(unsigned i)
{
	return mesh.node[i].peer;
}

static struct km_key_policy *policy(unsigned i)
{
	return &mesh.node[i].key[0];
}

/* A mesh with a key, all rules on. */
static void setup(unsigned n, unsigned t, uint64_t seed)
{
	rules_all();
	mesh_init(&mesh, n, t, seed);
	for (unsigned i = 1; i <= n; i++) {
		mesh.node[i].s.pool_target = 2;
		mesh.node[i].s.pool_low = 1;
		mesh.node[i].s.batch = 12;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
	mesh_run(&mesh, 5000000);
}

static void done(void)
{
	mesh_free(&mesh);
	rules_all();
}

/* The highest epoch that a peer signs in. */
static const struct km_table *top(unsigned i)
{
	const struct km_key *k = km_key_by_name(peer(i), "www");

	return k && k->share->usable ? &k->share->table : NULL;
}

static int request(unsigned at, enum km_request_kind kind)
{
	struct km_request rq = {.kind = kind, .name = "www"};

	return mesh_operate(&mesh, at, &rq, 120000000);
}

/* 1 when a request to that peer is answered with a signature. */
static int signs(unsigned at, const struct km_table *t)
{
	static unsigned salt;

	mesh.replies = 0;
	mesh_request(&mesh, at, t->key_id, ++salt, UINT32_MAX);
	mesh_run(&mesh, 3000000);
	return mesh.replies && mesh_verify(&mesh, salt, t->curve, &t->x);
}

/* Who steals disks: the shares of an epoch that these peers' files hold. */
static uint32_t stolen(uint32_t from, const struct km_table *of, struct km_secret x[KM_MAX_PEERS + 1])
{
	struct km_share *s = km_secret_alloc(sizeof(*s));
	uint32_t have = 0;

	assert_non_null(s);
	for (unsigned i = km_set_next(from, 0); i; i = km_set_next(from, i))
		for (unsigned k = 0; k < mesh.node[i].n_files; k++) {
			const struct mesh_file *f = &mesh.node[i].file[k];

			if (!f->data || !strstr(f->name, ".share") || km_share_decode(s, f->data, f->len) ||
			    memcmp(s->table.hash, of->hash, KM_HASH_SIZE) != 0)
				continue;
			x[i] = s->x_i;
			have |= km_set_bit(i);
		}
	km_secret_free(s);
	return have;
}

/* A STORED of a reshare, or certificates, which have them too. */
static int tells_stored(const struct mesh_packet *k)
{
	return k->data[0] == KM_FRAME_CERT ||
	       (k->data[0] == KM_FRAME_ENVELOPE && k->data[3] == KM_PROTO_RESHARE && k->data[4] == KM_STORED_ROUND);
}

/* ---- A10, A13: c members certify an epoch, a corrupt one among them, and wipe what was before. The member that was away then shares no
 * epoch any more with those that are left. */

/* 1 when T honest peers that are up cannot sign. */
static int strands_by_wiping(int off)
{
	struct km_table old;

	setup(4, 2, 10);
	old = *top(1);
	if (off)
		rule_off(km_rule_wipe_all);
	mesh_kill(&mesh, 3);
	assert_int_equal(request(1, KM_REQUEST_REFRESH), KM_OK);
	mesh_run(&mesh, 120000000);
	assert_true(top(2)->number > old.number);
	/* 4 was corrupt and says nothing any more, 1 dies */
	mesh_kill(&mesh, 4);
	mesh_kill(&mesh, 1);
	mesh_start(&mesh, 3);
	mesh_run(&mesh, 90000000);
	int stranded = !signs(3, &old) && !signs(2, &old);
	struct km_secret x[KM_MAX_PEERS + 1];
	assert_int_equal(stolen(0x6, &old, x), off ? 0x4 : 0x6);
	done();
	return stranded;
}

static void test_wipe_all(void **state)
{
	assert_false(strands_by_wiping(0));
	assert_true(strands_by_wiping(1));
}

static void lose_disk(unsigned i)
{
	mesh_kill(&mesh, i);
	for (unsigned k = 0; k < mesh.node[i].n_files; k++)
		free(mesh.node[i].file[k].data);
	memset(mesh.node[i].file, 0, sizeof(mesh.node[i].file));
	mesh.node[i].n_files = 0;
}

/* Two at once: 5 is in both, whose honest members do not hear each other, and says STORED twice. */
static int tap_two_halves(struct mesh *m, struct mesh_packet *k)
{
	if (k->from.kind != KM_ADDR_PEER || k->to.kind != KM_ADDR_PEER || k->from.id == 5 || k->to.id == 5)
		return 1;
	return (k->from.id <= 2) == (k->to.id <= 2);
}

/* 1 when each half has wiped the old epoch for one of its own. */
static int splits(int off)
{
	struct km_table old, a, b;
	struct km_secret x[KM_MAX_PEERS + 1];

	setup(5, 2, 11);
	old = *top(1);
	if (off)
		rule_off(km_rule_wipe_all);
	mesh.tap = tap_two_halves;
	mesh_run(&mesh, 5000000);
	assert_int_equal(request(1, KM_REQUEST_REFRESH), KM_OK);
	mesh_run(&mesh, 1000000);
	/* 5 forgets what it has promised, and promises again */
	lose_disk(5);
	policy(5)->pinned = 1;
	memcpy(policy(5)->pin, old.key_id, KM_HASH_SIZE);
	mesh_start(&mesh, 5);
	mesh_run(&mesh, 5000000);
	assert_int_equal(request(3, KM_REQUEST_REFRESH), KM_OK);
	mesh_run(&mesh, 120000000);
	a = *top(1);
	b = *top(3);
	assert_true(a.number > old.number && b.number > old.number);
	assert_memory_not_equal(a.hash, b.hash, KM_HASH_SIZE);
	mesh.tap = NULL;
	mesh_kill(&mesh, 5);
	mesh_kill(&mesh, 1);
	mesh_kill(&mesh, 3);
	mesh_run(&mesh, 120000000);
	int split = !signs(2, &old) && !signs(4, &old);
	assert_int_equal(stolen(0x1f, &old, x) & 0xf, off ? 0 : 0xf);
	done();
	return split;
}

static void test_double_stored(void **state)
{
	assert_false(splits(0));
	assert_true(splits(1));
}

/* ---- A10: a run that is slow ends below an epoch that was certified meanwhile. Who knows that one may wipe below it at once, and so must
 * not promise to keep what the run has made. */

/* The CERT of an epoch far above, as if the members had made it elsewhere: X_j = X + j G. */
static void higher(const struct km_table *old, struct km_buf *frame)
{
	const struct km_shape shape = {.head = KM_STORED_BODY};
	uint8_t body[KM_STORED_BODY], prev[KM_HASH_SIZE] = {0};
	struct km_table t = *old;
	struct km_point d, at;
	struct km_cert cert;
	struct km_epoch e;
	struct km_buf b;

	t.number += 100000;
	memset(t.sid, 0x77, sizeof(t.sid));
	km_point_generator(t.curve, &d);
	at = t.x;
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		km_point_add(t.curve, &at, &at, &d);
		t.xi[i] = at;
	}
	assert_int_equal(km_table_finish(&t), KM_OK);
	km_cert_init(&cert, KM_PROTO_RESHARE);
	km_epoch_of(&e, &t);
	for (unsigned i = km_set_next(t.members, 0); i; i = km_set_next(t.members, i)) {
		km_stored_put(body, prev, &e);
		km_buf_init(&b);
		int err = km_msg_build(&b, KM_PROTO_RESHARE, KM_STORED_ROUND, (uint8_t)i, 0, t.sid, &shape, body, &mesh.node[i].s.identity);
		assert_int_equal(err, KM_OK);
		assert_int_equal(km_cert_add(&cert, &t, b.data, b.len), KM_OK);
		km_buf_clear(&b);
	}
	assert_int_equal(km_cert_verify(&cert, &t), KM_OK);
	km_buf_init(&b);
	assert_int_equal(km_table_encode(&t, &b), KM_OK);
	km_buf_init(frame);
	km_put_u8(frame, KM_FRAME_CERT);
	km_put_lbytes(frame, b.data, b.len);
	assert_int_equal(km_cert_encode(&cert, frame), KM_OK);
	km_buf_clear(&b);
}

static struct km_buf late;

/* It reaches 1 before the last round of the run does. */
static int tap_late(struct mesh *m, struct mesh_packet *k)
{
	if (late.len && k->to.id == 1 && k->data[0] == KM_FRAME_ENVELOPE && k->data[3] == KM_PROTO_RESHARE && k->data[4] == KM_DKG_G5) {
		struct km_buf frame = late;

		km_buf_init(&late);
		mesh_send(m, k->from, k->to, frame.data, frame.len);
		km_buf_clear(&frame);
	}
	return 1;
}

static void test_no_vote_below(void **state)
{
	struct km_secret x[KM_MAX_PEERS + 1];
	struct km_table old, made;

	setup(3, 2, 16);
	old = *top(1);
	higher(&old, &late);
	mesh.tap = tap_late;
	(void)request(2, KM_REQUEST_REFRESH);
	assert_int_equal(late.len, 0);
	assert_true(km_cert_bar(peer(1), old.key_id)->share->table.number > old.number + 1000);
	memset(&made, 0, sizeof(made));
	for (const struct km_key *k = peer(2)->keys; k; k = k->next)
		if (k->holder && k->share->table.number > old.number)
			made = k->share->table;
	assert_int_equal(made.members, 0x7);
	assert_int_equal(stolen(0x2, &made, x), 0x2);
	assert_int_equal(stolen(0x1, &made, x), 0);
	assert_int_equal(stolen(0x1, &old, x), 0x1);
	done();
}

/* ---- A13: 3 takes part in a refresh and never says STORED, so that 1 and 2 hold a promise for ever. Their operators then leave it out. */

static int tap_never_stored(struct mesh *m, struct mesh_packet *k)
{
	if (k->from.id != 3 || k->from.kind != KM_ADDR_PEER)
		return 1;
	return !tells_stored(k);
}

/* 1 when no later run comes to its end. */
static int blocks(int off)
{
	struct km_table old;

	setup(3, 2, 13);
	old = *top(1);
	if (off)
		rule_off(km_rule_vote_again);
	mesh.tap = tap_never_stored;
	assert_int_equal(request(1, KM_REQUEST_REFRESH), KM_E_DEADLINE);
	assert_non_null(strstr(mesh.result_text, "peers 3 (p3) have not said that they stored"));
	mesh_run(&mesh, 120000000);
	assert_memory_equal(top(1)->hash, old.hash, KM_HASH_SIZE);
	policy(1)->members = policy(2)->members = 0x3;
	int err = request(2, KM_REQUEST_RESHARE);
	mesh_run(&mesh, 120000000);
	int blocked = top(1)->number == old.number && top(2)->number == old.number;
	assert_int_equal(err, blocked ? KM_E_BUSY : KM_OK);
	if (!blocked)
		assert_true(top(1)->members == 0x3 && signs(1, &old) && signs(2, &old));
	done();
	return blocked;
}

static void test_vote_again(void **state)
{
	assert_false(blocks(0));
	assert_true(blocks(1));
}

/* ---- A13: 3 says at JOIN that it has stored an epoch of ten years ahead. What is built on that is taken once, and nothing after it. */

#define TEN_YEARS_S 315360000u

/* 1 when no refresh is possible any more. */
static int ages(int off)
{
	struct km_table old, far;
	struct km_key *k;

	setup(5, 2, 14);
	far = old = *top(1);
	far.number += TEN_YEARS_S;
	assert_int_equal(km_table_finish(&far), KM_OK);
	k = km_key_add_table(peer(3), &far, KM_PROTO_RESHARE);
	assert_non_null(k);
	if (off)
		rule_off(km_rule_epoch_clock);
	/* whoever is asked leaves it out */
	assert_int_equal(request(1, KM_REQUEST_REFRESH), KM_OK);
	mesh_run(&mesh, 120000000);
	assert_true(top(1)->number > old.number);
	assert_int_equal(top(1)->number > far.number, off);
	if (!off)
		assert_memory_equal(top(3)->hash, old.hash, KM_HASH_SIZE);
	rules_all();
	int over = request(2, KM_REQUEST_REFRESH) == KM_E_STALE;
	done();
	return over;
}

static void test_epoch_clock(void **state)
{
	assert_false(ages(0));
	assert_true(ages(1));
}

/* A member that refuses every run does not end the refreshes that nobody asks for: they go on without it. */
static void test_refuses_for_ever(void **state)
{
	struct km_table old;

	setup(5, 2, 15);
	old = *top(1);
	for (unsigned i = 1; i <= 5; i++)
		policy(i)->refresh_s = 3600;
	policy(5)->threshold = 3;
	for (unsigned k = 0; k < 12; k++)
		mesh_run(&mesh, 600000000);
	for (unsigned i = 1; i <= 4; i++)
		assert_true(top(i)->number > old.number);
	assert_memory_equal(top(5)->hash, old.hash, KM_HASH_SIZE);
	done();
}

/* ---- A18: 5 is evicted while 4 is away, and asks for a plain refresh of the old committee, in which 4 agrees in good faith */

/* 1 when 5 has a share of the newest epoch. */
static int returns(int off)
{
	struct km_table next;

	setup(5, 2, 18);
	mesh_kill(&mesh, 4);
	for (unsigned i = 1; i <= 3; i++)
		policy(i)->members = 0xf;
	assert_int_equal(request(1, KM_REQUEST_RESHARE), KM_OK);
	mesh_run(&mesh, 20000000);
	next = *top(1);
	assert_int_equal(next.members, 0xf);
	mesh_start(&mesh, 4);
	mesh_run(&mesh, 20000000);
	if (off)
		rule_off(km_rule_own_file);
	int err = request(5, KM_REQUEST_REFRESH);
	mesh_run(&mesh, 90000000);
	int back = km_set_has(top(1)->members, 5) && top(5)->number > next.number && memcmp(top(5)->hash, top(1)->hash, KM_HASH_SIZE) == 0;
	if (!off) {
		assert_int_equal(err, KM_E_RIGHTS);
		assert_non_null(strstr(mesh.result_text, "it has not approved: its configuration says members 1-4"));
		assert_memory_equal(top(1)->hash, next.hash, KM_HASH_SIZE);
		/* nor do 4 and 5 get anywhere alone */
		for (unsigned i = 1; i <= 3; i++)
			mesh_kill(&mesh, i);
		assert_int_equal(request(5, KM_REQUEST_REFRESH), KM_E_NOQUORUM);
	} else {
		assert_int_equal(err, KM_OK);
	}
	done();
	return back;
}

static void test_own_file(void **state)
{
	assert_false(returns(0));
	assert_true(returns(1));
}

/* ---- A19: two members are removed, and years later somebody reads their disks */

static int key_from_removed(int off)
{
	struct km_table old;
	struct km_secret x[KM_MAX_PEERS + 1];
	struct km_scalar got;

	setup(5, 2, 19);
	old = *top(1);
	if (off)
		rule_off(km_rule_wipe_unlisted);
	for (unsigned i = 1; i <= 5; i++)
		policy(i)->members = 0x7;
	assert_int_equal(request(1, KM_REQUEST_RESHARE), KM_OK);
	mesh_run(&mesh, 120000000);
	assert_int_equal(top(1)->members, 0x7);
	/* who is in it has wiped, whatever those do */
	assert_int_equal(stolen(0x7, &old, x), 0);
	uint32_t have = stolen(0x18, &old, x);
	int is_key = 0;
	if (have == 0x18) {
		rsh_interpolate(old.curve, &got, x, have);
		is_key = rsh_is_key(&old, &got);
	} else {
		assert_int_equal(have, 0);
		assert_null(top(4));
		assert_null(top(5));
	}
	done();
	return is_key;
}

static void test_wipe_unlisted(void **state)
{
	assert_false(key_from_removed(0));
	assert_true(key_from_removed(1));
}

/* ---- B10: 3 says STORED of a refresh to 1 alone. Only by 1 can 2 know that the epoch is certified. */

static int tap_selective(struct mesh *m, struct mesh_packet *k)
{
	if (k->from.id != 3 || k->from.kind != KM_ADDR_PEER || k->to.id == 1)
		return 1;
	return !tells_stored(k);
}

static int one_alone(int off)
{
	struct km_table old;

	setup(3, 2, 12);
	old = *top(1);
	if (off)
		rule_off(km_rule_certificate);
	mesh.tap = tap_selective;
	(void)request(1, KM_REQUEST_REFRESH);
	mesh_run(&mesh, 30000000);
	assert_true(top(1)->number > old.number);
	int alone = top(2)->number == old.number;
	done();
	return alone;
}

static void test_handed_on(void **state)
{
	assert_false(one_alone(0));
	assert_true(one_alone(1));
}

KM_TESTS(cmocka_unit_test(test_wipe_all), cmocka_unit_test(test_double_stored), cmocka_unit_test(test_no_vote_below),
	 cmocka_unit_test(test_vote_again), cmocka_unit_test(test_epoch_clock), cmocka_unit_test(test_refuses_for_ever),
	 cmocka_unit_test(test_own_file), cmocka_unit_test(test_wipe_unlisted), cmocka_unit_test(test_handed_on))
