/* attack_b19.c: a corrupt peer speaks in somebody else's name on its own channel: garbage "of" an honest peer, so that the honest
 * one is disputed for it. Stopped by: the sender field is the channel's identity, checked before anything is parsed. */
#include "node.h"

#define EVIL 3
#define VICTIM 2
#define READER 1

/* The victim's M2 to the reader is lost once; in its place the corrupt peer sends it with a signature that does not verify. */
static int swap_once(struct mesh *m, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	int *done = m->ctx;
	uint8_t *d = *data;

	if (*done || from.kind != KM_ADDR_PEER || from.id != VICTIM || to.kind != KM_ADDR_PEER || to.id != READER ||
	    d[0] != KM_FRAME_ENVELOPE)
		return 1;
	/* version u16 | proto | round | sender ... */
	if (*len < 1 + KM_MSG_HEAD || d[3] != KM_PROTO_MAJORITY || d[4] != 2)
		return 1;
	d[1 + KM_MSG_CONTENT] ^= 1;
	sim_inject(m->sim, to, peer(EVIL), d, *len);
	*done = 1;
	return 0;
}

static struct mesh *mount(int *done)
{
	struct mesh *m = mesh_new(19, 3, 2);

	*done = 0;
	m->ctx = done;
	m->tap = swap_once;
	sim_corrupt(m->sim, EVIL);
	return m;
}

static void test_dropped(void **state)
{
	int done;
	struct mesh *m = mount(&done);

	rules_all();
	mesh_key(m);
	assert_true(done);
	assert_true(sim_peer(m->sim, READER)->dropped[KM_DROP_SENDER] > 0);
	assert_int_equal(sim_peer(m->sim, READER)->disputed, 0);
	mesh_free(m, NULL);
}

static void test_without_rule(void **state)
{
	int done;
	struct mesh *m = mount(&done);

	rules_all();
	rule_off(km_rule_channel_sender);
	sim_start(m->sim);
	(void)sim_setup_key(m->sim, "www", 3);
	assert_true(done);
	mesh_free(m, "invariant 6: peer 1 against honest peer 2");
}

/* The same door for the other frames that name a sender. */
static void test_other_frames(void **state)
{
	struct mesh *m = mesh_ready(19, 3, 2);
	struct km_peer *p = sim_peer(m->sim, READER);
	uint8_t was[KM_NONCE_SIZE];
	struct km_hello h = {.version = KM_MSG_VERSION, .id = VICTIM, .n = 3, .time_ms = mesh_wall_ms(m, 1)};
	struct km_buf b;

	sim_corrupt(m->sim, EVIL);
	memcpy(was, p->link[VICTIM].incarnation, sizeof(was));
	unsigned held = mesh_www(m, READER)->held[VICTIM];
	assert_true(held > 0);
	/* "I am the victim, newly started": would burn what we share with it */
	km_buf_init(&b);
	km_hello_encode(&b, &h);
	sim_inject(m->sim, peer(READER), peer(EVIL), b.data, b.len);
	mesh_run(m, 10);
	assert_memory_equal(was, p->link[VICTIM].incarnation, sizeof(was));
	assert_int_equal(mesh_www(m, READER)->held[VICTIM], held);
	/* an envelope too short to name anybody */
	for (size_t n = 1; n <= KM_MSG_HEAD; n++) {
		uint8_t frame[1 + KM_MSG_HEAD] = {KM_FRAME_ENVELOPE, 0, KM_MSG_VERSION, KM_PROTO_SETUP, 1, EVIL};

		sim_inject(m->sim, peer(READER), peer(EVIL), frame, n);
	}
	mesh_run(m, 10);
	km_buf_clear(&b);
	mesh_free(m, NULL);
}

KM_TESTS(cmocka_unit_test(test_dropped), cmocka_unit_test(test_without_rule), cmocka_unit_test(test_other_frames))
