/* attack_b5_lives.c: one presignature over the lives of a peer, B5: retries, two requests at once, kill -9 between every two steps,
 * a disk put back, memory copied while it runs. Over all SHAREs that ever leave, no presignature may be seen with two requests.
 * Stopped by: presignatures are in memory alone and leave the pool first; a peer that starts anew has a new incarnation, and a peer
 * that is told that its memory may have been copied forgets them all. Memory that is copied without any sign is beyond this: the
 * last case shows what it costs. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/mesh.h"
#include "node/peer_impl.h"

#define OWNER 1
#define SIGNER 2
#define SEEN_MAX 512

static struct mesh mesh;

/* Every share that left anybody, by presignature. */
static struct {
	uint8_t presig[KM_HASH_SIZE], request[KM_HASH_SIZE];
} seen[SEEN_MAX];
static unsigned n_seen, twice;

static int tap(struct mesh *m, struct mesh_packet *k)
{
	struct km_share_msg s;

	if (k->data[0] != KM_FRAME_SHARE)
		return 1;
	assert_int_equal(km_share_msg_decode(&s, k->data, k->len), KM_OK);
	if (s.status)
		return 1;
	for (unsigned i = 0; i < n_seen; i++)
		if (memcmp(seen[i].presig, s.presig_id, KM_HASH_SIZE) == 0 && memcmp(seen[i].request, s.request_id, KM_HASH_SIZE) != 0)
			twice++;
	assert_true(n_seen < SEEN_MAX);
	memcpy(seen[n_seen].presig, s.presig_id, KM_HASH_SIZE);
	memcpy(seen[n_seen++].request, s.request_id, KM_HASH_SIZE);
	return 1;
}

static void setup(void)
{
	rules_all();
	n_seen = twice = 0;
	mesh_init(&mesh, 3, 2, 55);
	for (unsigned i = 1; i <= 3; i++) {
		mesh.node[i].s.batch = 8;
		mesh.node[i].s.pool_target = 4;
		mesh.node[i].s.pool_low = 2;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 3, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
	mesh.tap = tap;
}

static const uint8_t *key_id(void)
{
	for (unsigned i = 1; i <= 3; i++)
		if (mesh.node[i].peer && mesh.node[i].peer->keys)
			return mesh.node[i].peer->keys->share->table.key_id;
	fail();
	return NULL;
}

/* A ready presignature of OWNER with SIGNER. */
static struct km_held *victim(void)
{
	for (struct km_lot *lot = mesh.node[OWNER].peer->lots; lot; lot = lot->next)
		for (struct km_held *h = lot->helds; h; h = h->lot_next)
			if (h->ready && h->ps->quorum == (km_set_bit(OWNER) | km_set_bit(SIGNER)))
				return h;
	fail();
	return NULL;
}

/* SIGN as a corrupt OWNER sends it: any genuine request under any presignature, the life of the signer that it names. */
static size_t sign_frame(uint8_t *out, size_t max, const uint8_t presig_id[KM_HASH_SIZE], const uint8_t incarnation[KM_NONCE_SIZE],
			 unsigned salt)
{
	struct km_sign m = {.req = {.version = KM_REQ_VERSION, .frontend = MESH_FRONTEND, .context = KM_CTX_TLS13_SERVER}};
	uint8_t bytes[130], key[32], id[KM_HASH_SIZE];
	struct km_buf b;
	size_t n;

	memcpy(m.presig_id, presig_id, KM_HASH_SIZE);
	memcpy(m.incarnation, incarnation, KM_NONCE_SIZE);
	memcpy(m.req.key_id, key_id(), KM_HASH_SIZE);
	m.req.time_ms = mesh.now.wall_ms;
	m.req.random[0] = (uint8_t)salt;
	m.req.len = (uint32_t)mesh_bytes(salt, bytes);
	m.req.data = bytes;
	km_req_id(&m.req, id);
	assert_int_equal(km_auth_key(mesh.frontend_priv, mesh.node[1].s.roster.peer[SIGNER].channel, MESH_FRONTEND, SIGNER, key),
			 KM_OK);
	km_auth_mac(key, id, SIGNER, m.mac);
	km_buf_init(&b);
	km_sign_encode(&b, &m);
	assert_true(!b.err && b.len <= max);
	n = b.len;
	memcpy(out, b.data, n);
	km_buf_clear(&b);
	return n;
}

/* Status of the answer; a share that is given is seen by the tap. */
static unsigned ask(const uint8_t presig_id[KM_HASH_SIZE], const uint8_t incarnation[KM_NONCE_SIZE], unsigned salt)
{
	uint8_t frame[512];
	size_t n = sign_frame(frame, sizeof(frame), presig_id, incarnation, salt);
	struct km_event ev = {.kind = KM_EVENT_MESSAGE, .from = {KM_ADDR_PEER, OWNER}, .data = frame, .len = n};
	unsigned before = n_seen;

	assert_int_equal(mesh_step(&mesh, SIGNER, &ev), KM_OK);
	return n_seen > before ? KM_STATUS_OK : KM_STATUS_UNKNOWN_PRESIG;
}

/* ---- retries and requests at once */

/* The last presignatures of a pool: as many requests as there are, at the same moment, each at two aggregators and each twice. */
static void burst(void)
{
	for (unsigned i = 0; i < 8; i++)
		for (unsigned again = 0; again < 2; again++)
			for (unsigned to = 1; to <= 2; to++)
				mesh_request(&mesh, to, key_id(), 100 + i, 7);
	mesh_run(&mesh, 3000000);
}

static void test_at_once(void **state)
{
	setup();
	burst();
	assert_true(n_seen >= 8);
	assert_int_equal(twice, 0);
	mesh_free(&mesh);
}

/* A corrupt owner asks twice, with and without the rule: so the count can fail. */
static void test_count(void **state)
{
	uint8_t id[KM_HASH_SIZE];

	setup();
	memcpy(id, victim()->id, sizeof(id));
	assert_int_equal(ask(id, mesh.node[SIGNER].peer->incarnation, 1), KM_STATUS_OK);
	assert_int_equal(ask(id, mesh.node[SIGNER].peer->incarnation, 2), KM_STATUS_UNKNOWN_PRESIG);
	assert_int_equal(twice, 0);
	km_pool_burn(mesh.node[OWNER].peer, victim());
	rule_off(km_rule_burn_first);
	memcpy(id, victim()->id, sizeof(id));
	assert_int_equal(ask(id, mesh.node[SIGNER].peer->incarnation, 3), KM_STATUS_OK);
	assert_int_equal(ask(id, mesh.node[SIGNER].peer->incarnation, 4), KM_STATUS_OK);
	assert_int_equal(twice, 1);
	rules_all();
	mesh_free(&mesh);
}

/* ---- kill -9 */

/* A request at the owner; `dies` is gone after its n-th effect of it, and comes back with its disk. The frontend asks again, and for
 * something else, at both. 1 if there was a step to die at. */
static int crash_at(unsigned dies, unsigned effect)
{
	uint8_t presig[KM_HASH_SIZE], life[KM_NONCE_SIZE];
	int crashed;

	setup();
	memcpy(presig, victim()->id, sizeof(presig));
	memcpy(life, mesh.node[SIGNER].peer->incarnation, sizeof(life));
	mesh_crash_after(&mesh, dies, effect);
	for (unsigned salt = 1; salt <= 3; salt++)
		mesh_request(&mesh, OWNER, key_id(), salt, 7);
	mesh_settle(&mesh);
	crashed = !mesh.node[dies].peer;
	mesh.crash_id = 0;
	if (crashed)
		mesh_start(&mesh, dies);
	/* what the owner's earlier life may have sent already, again for another request */
	(void)ask(presig, life, 50);
	(void)ask(presig, mesh.node[SIGNER].peer->incarnation, 51);
	for (unsigned salt = 1; salt <= 3; salt++) {
		mesh_request(&mesh, OWNER, key_id(), salt, 7);
		mesh_request(&mesh, SIGNER, key_id(), salt + 10, 7);
	}
	mesh_run(&mesh, 10000000);
	assert_int_equal(twice, 0);
	/* the mesh goes on */
	mesh_request(&mesh, OWNER, key_id(), 70, 7);
	mesh_run(&mesh, 1000000);
	assert_true(mesh_verify(&mesh, 70, km_curve_p256(), &mesh.node[OWNER].peer->keys->share->table.x));
	mesh_free(&mesh);
	return crashed;
}

static void test_crash_everywhere(void **state)
{
	for (unsigned dies = 1; dies <= 2; dies++) {
		unsigned n = 0;

		while (n < 200 && crash_at(dies, n))
			n++;
		print_message("# peer %u: killed after each of its %u effects\n", dies, n);
		assert_true(n >= 3 && n < 200);
	}
}

/* ---- a disk put back */

static void test_restored_disk(void **state)
{
	struct mesh_file old[16];
	uint8_t presig[KM_HASH_SIZE], life[KM_NONCE_SIZE];
	struct mesh_node *nd = &mesh.node[SIGNER];
	unsigned n;

	setup();
	memcpy(presig, victim()->id, sizeof(presig));
	memcpy(life, nd->peer->incarnation, sizeof(life));
	n = nd->n_files;
	for (unsigned i = 0; i < n; i++) {
		old[i] = nd->file[i];
		old[i].data = malloc(old[i].len + 1);
		assert_non_null(old[i].data);
		if (old[i].len)
			memcpy(old[i].data, nd->file[i].data, old[i].len);
	}
	assert_int_equal(ask(presig, life, 1), KM_STATUS_OK);
	mesh_kill(&mesh, SIGNER);
	for (unsigned i = 0; i < nd->n_files; i++)
		free(nd->file[i].data);
	nd->n_files = n;
	memcpy(nd->file, old, sizeof(old));
	mesh_start(&mesh, SIGNER);
	assert_memory_not_equal(nd->peer->incarnation, life, sizeof(life));
	assert_int_equal(nd->peer->n_held, 0);
	assert_int_equal(ask(presig, life, 2), KM_STATUS_UNKNOWN_PRESIG);
	assert_int_equal(ask(presig, nd->peer->incarnation, 3), KM_STATUS_UNKNOWN_PRESIG);
	assert_int_equal(twice, 0);
	mesh_free(&mesh);
}

/* ---- an earlier life */

/* The owner that thinks of an earlier life of the signer is told so, whatever the pool says; and who hears of a new life of a peer
 * forgets what it shared with the old one. */
static void test_incarnation(void **state)
{
	uint8_t presig[KM_HASH_SIZE], other[KM_NONCE_SIZE] = {1};

	setup();
	memcpy(presig, victim()->id, sizeof(presig));
	assert_int_equal(ask(presig, other, 1), KM_STATUS_UNKNOWN_PRESIG);
	assert_non_null(km_idmap_find(&mesh.node[SIGNER].peer->presigs, presig));
	mesh_kill(&mesh, SIGNER);
	mesh_start(&mesh, SIGNER);
	mesh_settle(&mesh);
	assert_null(km_idmap_find(&mesh.node[OWNER].peer->presigs, presig));
	mesh_free(&mesh);
}

static void test_incarnation_without_rule(void **state)
{
	uint8_t presig[KM_HASH_SIZE], other[KM_NONCE_SIZE] = {1};

	setup();
	rule_off(km_rule_incarnation);
	memcpy(presig, victim()->id, sizeof(presig));
	mesh_kill(&mesh, 3);
	mesh_start(&mesh, 3);
	mesh_settle(&mesh);
	assert_int_equal(ask(presig, other, 1), KM_STATUS_OK);
	/* the owner goes on with presignatures that a restarted member has no more */
	memcpy(presig, victim()->id, sizeof(presig));
	mesh_kill(&mesh, SIGNER);
	mesh_start(&mesh, SIGNER);
	mesh_settle(&mesh);
	assert_non_null(km_idmap_find(&mesh.node[OWNER].peer->presigs, presig));
	rules_all();
	mesh_free(&mesh);
}

/* ---- memory copied: a second machine of the same state. A peer is a function of its seed and its events, so a copy is made by
 * playing all events of the signer to another one of the same seed. */

#define EVENTS_MAX 4096

static struct {
	struct km_event ev[EVENTS_MAX];
	uint8_t *data[EVENTS_MAX];
	unsigned n;
} tape;

static void record(struct mesh *m, unsigned id, const struct km_event *ev)
{
	if (id != SIGNER || ev->kind == KM_EVENT_WORKED)
		return;
	assert_true(tape.n < EVENTS_MAX);
	tape.ev[tape.n] = *ev;
	tape.data[tape.n] = malloc(ev->len + 1);
	assert_non_null(tape.data[tape.n]);
	if (ev->len)
		memcpy(tape.data[tape.n], ev->data, ev->len);
	tape.ev[tape.n].data = tape.data[tape.n];
	tape.n++;
}

static void step_alone(struct km_peer *p, struct km_event *ev, struct km_effects *fx)
{
	struct km_effect *e;

	assert_int_equal(km_peer_step(p, ev, fx), KM_OK);
	while ((e = km_effects_pop(fx))) {
		struct km_event back = {.now = ev->now, .token = e->token};

		if (e->kind == KM_EFFECT_WORK) {
			e->job->run(e->job);
			back.kind = KM_EVENT_WORKED;
			back.job = e->job;
			assert_int_equal(km_peer_step(p, &back, fx), KM_OK);
		}
		km_effects_recycle(fx, e);
	}
}

static struct km_peer *clone_of_signer(struct km_effects *fx)
{
	struct km_peer *p;
	uint8_t seed[KM_SEED_SIZE];

	mesh_seed(&mesh, SIGNER, 0, seed);
	assert_int_equal(km_peer_new(&p, &mesh.node[SIGNER].s, seed), KM_OK);
	for (unsigned i = 0; i < tape.n; i++)
		step_alone(p, &tape.ev[i], fx);
	return p;
}

/* What the copy answers: 1 a share. */
static int clone_asked(struct km_peer *p, struct km_effects *fx, const uint8_t presig_id[KM_HASH_SIZE], unsigned salt)
{
	uint8_t frame[512];
	struct km_event ev = {.kind = KM_EVENT_MESSAGE, .from = {KM_ADDR_PEER, OWNER}, .data = frame, .now = mesh.now};
	struct km_share_msg s;
	struct km_effect *e;
	int gave = 0;

	ev.len = sign_frame(frame, sizeof(frame), presig_id, p->incarnation, salt);
	assert_int_equal(km_peer_step(p, &ev, fx), KM_OK);
	while ((e = km_effects_pop(fx))) {
		if (e->kind == KM_EFFECT_SEND && e->data[0] == KM_FRAME_SHARE) {
			assert_int_equal(km_share_msg_decode(&s, e->data, e->len), KM_OK);
			gave |= s.status == KM_STATUS_OK;
		}
		km_effects_recycle(fx, e);
	}
	return gave;
}

/* The original signs one request, its copy (told of it by the clock, or not) another. 1: two shares under one presignature. */
static int two_from_two(int told)
{
	struct km_event sign_of_it = {.kind = KM_EVENT_ROLLBACK};
	struct km_effects fx;
	uint8_t presig[KM_HASH_SIZE];

	km_effects_init(&fx);
	rules_all();
	tape.n = 0;
	mesh.seen = NULL;
	n_seen = twice = 0;
	mesh_init(&mesh, 3, 2, 55);
	mesh.seen = record;
	for (unsigned i = 1; i <= 3; i++) {
		mesh.node[i].s.batch = 8;
		mesh.node[i].s.pool_target = 4;
		mesh.node[i].s.pool_low = 2;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 3, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
	mesh.tap = tap;
	struct km_peer *copy = clone_of_signer(&fx);
	mesh.seen = NULL;
	memcpy(presig, victim()->id, sizeof(presig));
	assert_non_null(km_idmap_find(&copy->presigs, presig));
	assert_memory_equal(copy->incarnation, mesh.node[SIGNER].peer->incarnation, KM_NONCE_SIZE);
	assert_int_equal(ask(presig, copy->incarnation, 1), KM_STATUS_OK);
	if (told == 2)
		rule_off(km_rule_rollback);
	sign_of_it.now = mesh.now;
	if (told)
		step_alone(copy, &sign_of_it, &fx);
	int gave = clone_asked(copy, &fx, presig, 2);
	if (told == 1) {
		assert_int_equal(copy->n_held, 0);
		assert_memory_not_equal(copy->incarnation, mesh.node[SIGNER].peer->incarnation, KM_NONCE_SIZE);
	}
	rules_all();
	km_peer_free(copy);
	km_effects_clear(&fx);
	mesh_free(&mesh);
	for (unsigned i = 0; i < tape.n; i++)
		free(tape.data[i]);
	return gave;
}

static void test_cloned(void **state)
{
	assert_false(two_from_two(1));
}

static void test_cloned_without_rule(void **state)
{
	assert_true(two_from_two(2));
}

/* No clock shows it: best effort ends here, as the documentation says. */
static void test_cloned_without_sign(void **state)
{
	assert_true(two_from_two(0));
}

KM_TESTS(cmocka_unit_test(test_at_once), cmocka_unit_test(test_count), cmocka_unit_test(test_crash_everywhere),
	 cmocka_unit_test(test_restored_disk), cmocka_unit_test(test_incarnation), cmocka_unit_test(test_incarnation_without_rule),
	 cmocka_unit_test(test_cloned), cmocka_unit_test(test_cloned_without_rule), cmocka_unit_test(test_cloned_without_sign))
