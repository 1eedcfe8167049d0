/* test_peer_reshare.c: refresh, reshare and recovery between whole peers: what comes of them, what stands in their way, and what an
 * operator is told. */
#include <stdlib.h>
#include "lib/test.h"
#include "lib/mesh.h"
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

/* n peers, of which `members` make the key. */
static void setup(unsigned n, unsigned t, uint32_t members, uint64_t seed)
{
	mesh_init(&mesh, n, t, seed);
	for (unsigned i = 1; i <= n; i++) {
		mesh.node[i].s.pool_target = 2;
		mesh.node[i].s.pool_low = 1;
		mesh.node[i].s.batch = 12;
		policy(i)->members = members;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
	mesh_run(&mesh, 5000000);
}

static struct km_key *top(unsigned i)
{
	struct km_key *k = km_key_by_name(peer(i), "www");

	return k && k->share->usable ? k : NULL;
}

/* Shares of the key that a peer holds in whatever state. */
static unsigned shares(unsigned i)
{
	unsigned n = 0;

	for (const struct km_key *k = peer(i)->keys; k; k = k->next)
		n += k->holder && !k->wiped;
	return n;
}

static unsigned files(unsigned i, const char *ending)
{
	unsigned n = 0;

	for (unsigned k = 0; k < mesh.node[i].n_files; k++)
		n += mesh.node[i].file[k].data && strstr(mesh.node[i].file[k].name, ending);
	return n;
}

static void assert_text(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void nobody_blamed(void)
{
	for (unsigned i = 1; i <= mesh.n; i++)
		if (peer(i))
			assert_int_equal(peer(i)->quarantined | peer(i)->disputed, 0);
}

static int request(unsigned at, enum km_request_kind kind, unsigned who)
{
	struct km_request rq = {.kind = kind, .name = "www", .peer = (uint8_t)who};

	return mesh_operate(&mesh, at, &rq, 120000000);
}

static void signs(unsigned i, unsigned salt)
{
	const struct km_table *t = &top(i)->share->table;

	mesh.replies = 0;
	mesh_request(&mesh, i, t->key_id, salt, UINT32_MAX);
	mesh_run(&mesh, 500000);
	assert_int_equal(mesh.replies, 1);
	assert_int_equal(mesh.reply.status, KM_STATUS_OK);
	assert_true(mesh_verify(&mesh, salt, t->curve, &t->x));
}

/* All of `set` have one epoch above that number, alone, and it signs. */
static uint64_t settled(uint32_t set, uint64_t above, const struct km_point *x)
{
	const struct km_table *t = NULL;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		assert_non_null(top(i));
		const struct km_table *own = &top(i)->share->table;
		if (!t)
			t = own;
		assert_memory_equal(own->hash, t->hash, KM_HASH_SIZE);
		assert_true(own->number > above);
		assert_true(km_point_equal_var(own->curve, &own->x, x));
		assert_int_equal(shares(i), 1);
		assert_int_equal(files(i, ".share"), 1);
		assert_int_equal(files(i, ".cert"), 1);
	}
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		signs(i, i);
	return t->number;
}

static void test_refresh(void **state)
{
	struct km_share old;

	setup(5, 3, 0, 1);
	old = *top(2)->share;
	assert_int_equal(request(2, KM_REQUEST_REFRESH, 0), KM_OK);
	assert_text(mesh.result_text, "key 'www' is ready");
	mesh_run(&mesh, 70000000);
	settled(0x1f, old.table.number, &old.table.x);
	for (unsigned i = 1; i <= 5; i++)
		assert_false(km_point_equal_var(old.table.curve, &old.table.xi[i], &top(2)->share->table.xi[i]));
	/* and once more, from the new one, by another */
	uint64_t number = top(1)->share->table.number;
	assert_int_equal(request(5, KM_REQUEST_REFRESH, 0), KM_OK);
	mesh_run(&mesh, 70000000);
	settled(0x1f, number, &old.table.x);
	nobody_blamed();
	mesh_free(&mesh);
}

static void test_add(void **state)
{
	struct km_table old;

	setup(5, 2, 0xf, 2);
	old = top(1)->share->table;
	assert_null(top(5));
	assert_int_equal(request(1, KM_REQUEST_RESHARE, 0), KM_OK); /* the same committee is one, too */
	mesh_run(&mesh, 70000000);
	for (unsigned i = 1; i <= 5; i++)
		policy(i)->members = 0x1f;
	assert_int_equal(request(1, KM_REQUEST_REFRESH, 0), KM_E_MISMATCH);
	assert_text(mesh.result_text, "that is a reshare");
	assert_int_equal(request(1, KM_REQUEST_RESHARE, 0), KM_E_RIGHTS);
	assert_text(mesh.result_text, "peer 5 (p5): its configuration does not say which key that is");
	/* another key than the one that is asked for: it looks at no certificate of it */
	policy(5)->pinned = 1;
	memset(policy(5)->pin, 1, KM_HASH_SIZE);
	assert_int_equal(request(1, KM_REQUEST_RESHARE, 0), KM_E_RIGHTS);
	assert_text(mesh.result_text, "peer 5 (p5): it does not know that epoch");
	memcpy(policy(5)->pin, old.key_id, KM_HASH_SIZE);
	assert_int_equal(request(1, KM_REQUEST_RESHARE, 0), KM_OK);
	mesh_run(&mesh, 70000000);
	settled(0x1f, old.number, &old.x);
	nobody_blamed();
	mesh_free(&mesh);
}

static void test_not_approved(void **state)
{
	setup(5, 3, 0, 3);
	policy(4)->threshold = 2;
	assert_int_equal(request(1, KM_REQUEST_REFRESH, 0), KM_E_RIGHTS);
	assert_text(mesh.result_text, "peer 4 (p4): it has not approved: its configuration says members 1-5, threshold 2");
	policy(4)->threshold = 3;
	policy(5)->members = 0x1b;
	assert_int_equal(request(1, KM_REQUEST_REFRESH, 0), KM_E_RIGHTS);
	assert_text(mesh.result_text, "members 1,2,4,5, threshold 3");
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(shares(i), 1);
	nobody_blamed();
	mesh_free(&mesh);
}

static void test_remove(void **state)
{
	struct km_table old;

	setup(5, 3, 0, 4);
	old = top(1)->share->table;
	for (unsigned i = 1; i <= 5; i++)
		policy(i)->members = 0x17;
	assert_int_equal(request(1, KM_REQUEST_RESHARE, 0), KM_OK);
	mesh_run(&mesh, 70000000);
	settled(0x17, old.number, &old.x);
	/* the removed one has wiped, too */
	assert_null(top(4));
	assert_int_equal(shares(4), 0);
	assert_int_equal(files(4, ".share"), 0);
	nobody_blamed();
	mesh_free(&mesh);
}

static void test_threshold(void **state)
{
	struct km_table old;

	setup(5, 2, 0, 5);
	old = top(1)->share->table;
	for (unsigned i = 1; i <= 5; i++)
		policy(i)->threshold = 3;
	assert_int_equal(request(3, KM_REQUEST_RESHARE, 0), KM_OK);
	mesh_run(&mesh, 70000000);
	uint64_t number = settled(0x1f, old.number, &old.x);
	assert_int_equal(top(1)->share->table.threshold, 3);
	for (unsigned i = 1; i <= 5; i++)
		policy(i)->threshold = 2;
	assert_int_equal(request(4, KM_REQUEST_RESHARE, 0), KM_OK);
	mesh_run(&mesh, 70000000);
	settled(0x1f, number, &old.x);
	assert_int_equal(top(1)->share->table.threshold, 2);
	mesh_free(&mesh);
}

static void lose_disk(unsigned i)
{
	mesh_kill(&mesh, i);
	for (unsigned k = 0; k < mesh.node[i].n_files; k++)
		free(mesh.node[i].file[k].data);
	memset(mesh.node[i].file, 0, sizeof(mesh.node[i].file));
	mesh.node[i].n_files = 0;
}

static void test_recover(void **state)
{
	struct km_table old;

	setup(5, 2, 0, 6);
	old = top(1)->share->table;
	lose_disk(4);
	policy(4)->pinned = 1;
	memcpy(policy(4)->pin, old.key_id, KM_HASH_SIZE);
	mesh_start(&mesh, 4);
	mesh_run(&mesh, 5000000);
	assert_null(top(4));
	assert_int_equal(request(4, KM_REQUEST_RECOVER, 4), KM_E_NOTFOUND);
	assert_text(mesh.result_text, "ask a peer that has one");
	assert_int_equal(request(2, KM_REQUEST_RECOVER, 4), KM_OK);
	mesh_run(&mesh, 70000000);
	settled(0x1f, old.number, &old.x);
	nobody_blamed();
	mesh_free(&mesh);
}

/* One member is down: c of the others make a certificate, but nothing is wiped until it has its share. */
static void test_silent_member(void **state)
{
	struct km_table old;

	setup(5, 2, 0, 7);
	old = top(1)->share->table;
	mesh_kill(&mesh, 3);
	assert_int_equal(request(1, KM_REQUEST_RECOVER, 3), KM_E_NOQUORUM);
	assert_text(mesh.result_text, "peers 3 (p3) do not answer");
	assert_int_equal(request(1, KM_REQUEST_REFRESH, 0), KM_OK);
	mesh_run(&mesh, 90000000);
	uint32_t set = 0x1b;
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		assert_true(top(i)->share->table.number > old.number);
		assert_int_equal(shares(i), 2);
		signs(i, i);
	}
	uint64_t number = top(1)->share->table.number;
	/* it is back, and signs on in the old epoch with the others until it is recovered */
	mesh_start(&mesh, 3);
	mesh_run(&mesh, 20000000);
	assert_true(top(3)->share->table.number == old.number);
	assert_int_equal(shares(3), 1);
	assert_memory_equal(km_cert_bar(peer(3), old.key_id)->share->table.hash, top(1)->share->table.hash, KM_HASH_SIZE);
	signs(3, 30);
	assert_int_equal(request(1, KM_REQUEST_RECOVER, 3), KM_OK);
	mesh_run(&mesh, 70000000);
	settled(0x1f, number, &old.x);
	nobody_blamed();
	mesh_free(&mesh);
}

/* Of the epoch in force one holder is left; who has lost its disk knows that epoch, and has to take a share of the one before. */
static void test_recover_from_lower(void **state)
{
	struct km_table old;

	setup(4, 2, 0, 12);
	old = top(1)->share->table;
	mesh_kill(&mesh, 3);
	assert_int_equal(request(1, KM_REQUEST_REFRESH, 0), KM_OK);
	mesh_run(&mesh, 20000000);
	mesh_kill(&mesh, 1);
	lose_disk(4);
	policy(4)->pinned = 1;
	memcpy(policy(4)->pin, old.key_id, KM_HASH_SIZE);
	mesh_start(&mesh, 4);
	mesh_start(&mesh, 3);
	mesh_run(&mesh, 20000000);
	uint64_t number = km_cert_bar(peer(4), old.key_id)->share->table.number;
	assert_true(number > old.number);
	assert_int_equal(request(2, KM_REQUEST_RECOVER, 4), KM_OK);
	mesh_run(&mesh, 70000000);
	for (unsigned i = 2; i <= 4; i++) {
		assert_true(top(i)->share->table.number > number);
		signs(i, i);
	}
	nobody_blamed();
	mesh_free(&mesh);
}

/* An operator excludes a member for good: its STORED is not waited for. */
static void test_excluded(void **state)
{
	struct km_table old;

	setup(5, 2, 0, 8);
	old = top(1)->share->table;
	mesh_kill(&mesh, 5);
	assert_int_equal(request(1, KM_REQUEST_REFRESH, 0), KM_OK);
	mesh_run(&mesh, 90000000);
	assert_int_equal(shares(1), 2);
	for (unsigned i = 1; i <= 4; i++)
		policy(i)->excluded = km_set_bit(5);
	mesh_run(&mesh, 90000000);
	settled(0xf, old.number, &old.x);
	mesh_free(&mesh);
}

/* Two operators ask at the same time. */
static void test_two_at_once(void **state)
{
	struct km_request rq = {.kind = KM_REQUEST_REFRESH, .name = "www"};
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .token = 98, .request = &rq};
	struct km_table old;

	setup(5, 3, 0, 9);
	old = top(1)->share->table;
	assert_int_equal(mesh_step(&mesh, 2, &ev), KM_OK);
	(void)request(4, KM_REQUEST_REFRESH, 0);
	mesh_run(&mesh, 200000000);
	settled(0x1f, old.number, &old.x);
	nobody_blamed();
	mesh_free(&mesh);
}

static void test_scheduled(void **state)
{
	struct km_table old;

	setup(4, 2, 0, 10);
	old = top(1)->share->table;
	for (unsigned i = 1; i <= 4; i++)
		policy(i)->refresh_s = 3600;
	for (unsigned k = 0; k < 20; k++) {
		mesh_run(&mesh, 300000000);
		for (unsigned i = 1; i <= 4; i++)
			mesh_run(&mesh, 1000000);
	}
	uint64_t number = settled(0xf, old.number, &old.x);
	assert_true(number >= old.number + 3600 && number < old.number + 3600 + 1200);
	nobody_blamed();
	mesh_free(&mesh);
}

/* A peer dies after its n-th effect, for every n, and starts again with what its disk has. */
static int crash_at(unsigned victim, unsigned effect)
{
	struct km_table old;

	setup(3, 2, 0, 11);
	old = top(1)->share->table;
	struct km_request rq = {.kind = KM_REQUEST_REFRESH, .name = "www"};
	mesh_crash_after(&mesh, victim, effect);
	(void)mesh_operate(&mesh, 1, &rq, 3000000);
	int crashed = !peer(victim);
	mesh.crash_id = 0;
	if (crashed)
		mesh_start(&mesh, victim);
	mesh_run(&mesh, 60000000);
	/* one epoch in common, or the next attempt makes it */
	for (unsigned i = 1; i <= 3; i++) {
		assert_non_null(top(i));
		signs(i, i);
	}
	for (unsigned k = 0; k < 3; k++) {
		mesh_run(&mesh, 200000000);
		if (request(1 + k, KM_REQUEST_REFRESH, 0) == KM_OK)
			break;
	}
	mesh_run(&mesh, 70000000);
	settled(7, old.number, &old.x);
	nobody_blamed();
	mesh_free(&mesh);
	return crashed;
}

static void test_crash_everywhere(void **state)
{
	for (unsigned victim = 1; victim <= 2; victim++) {
		unsigned n = 0;

		for (unsigned step = 7; crash_at(victim, n) && n < 600; n += step)
			;
		print_message("# peer %u: a crash after its effects, to the %uth\n", victim, n);
	}
}

/* Presignatures of an epoch at its owner or, with own = 0, of others there: those with that member. */
static unsigned held_with(unsigned i, const struct km_key *k, int own, unsigned member)
{
	unsigned n = 0;

	for (const struct km_lot *lot = peer(i)->lots; lot; lot = lot->next)
		for (const struct km_held *h = lot->helds; h; h = h->lot_next)
			n += h->key == k && (h->ps->owner == i) == own && km_set_has(h->ps->quorum, member);
	return n;
}

static struct km_lot *own_lot_with(unsigned i, const struct km_key *k, unsigned member)
{
	for (struct km_lot *lot = peer(i)->lots; lot; lot = lot->next)
		for (const struct km_held *h = lot->helds; h; h = h->lot_next)
			if (h->key == k && h->ps->owner == i && km_set_has(h->ps->quorum, member))
				return lot;
	return NULL;
}

/* A member that has wiped its share of a lower epoch knows none of its presignatures: one answer is enough. */
static void test_unknown_in_a_lower_epoch(void **state)
{
	struct km_request rq = {.kind = KM_REQUEST_REFRESH, .name = "www"};
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .token = 99, .request = &rq};
	struct km_key *lower, *higher;
	struct km_lot *lot;

	setup(5, 3, 0, 41);
	/* more than one run is needed for that */
	mesh.node[1].s.pool_target = 6;
	mesh.node[1].s.pool_low = 5;
	mesh_run(&mesh, 5000000);
	lower = top(1);
	assert_non_null(lower);
	assert_int_equal(mesh_step(&mesh, 1, &ev), KM_OK);
	for (unsigned k = 0; k < 3000 && top(1) == lower; k++)
		mesh_run(&mesh, 10000);
	higher = top(1);
	assert_ptr_not_equal(higher, lower);
	assert_true(lower->share->usable);
	lot = own_lot_with(1, lower, 2);
	assert_non_null(lot);
	unsigned others = held_with(1, lower, 0, 2), above = held_with(1, higher, 1, 2);
	unsigned all = held_with(1, lower, 1, 1), with = held_with(1, lower, 1, 2);
	unsigned of_lot = 0;
	for (const struct km_held *h = lot->helds; h; h = h->lot_next)
		of_lot += km_set_has(h->ps->quorum, 2);
	assert_true(with > of_lot && all > with);
	km_pool_unknown(peer(1), lot, 2);
	assert_int_equal(held_with(1, lower, 1, 2), 0);
	assert_int_equal(held_with(1, lower, 1, 1), all - with);
	assert_int_equal(held_with(1, lower, 0, 2), others);
	assert_int_equal(held_with(1, higher, 1, 2), above);
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_refresh), cmocka_unit_test(test_add), cmocka_unit_test(test_not_approved), cmocka_unit_test(test_remove),
	 cmocka_unit_test(test_threshold), cmocka_unit_test(test_recover), cmocka_unit_test(test_silent_member), cmocka_unit_test(test_recover_from_lower),
	 cmocka_unit_test(test_excluded), cmocka_unit_test(test_two_at_once), cmocka_unit_test(test_scheduled), cmocka_unit_test(test_unknown_in_a_lower_epoch),
	 cmocka_unit_test(test_crash_everywhere))
