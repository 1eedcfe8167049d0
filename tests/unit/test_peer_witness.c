/* test_peer_witness.c: audit logs under each other's eyes: cosignatures, restarts, and logs that were cut, changed or told in two ways. */
#include "config.h"
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include "lib/mesh.h"

#define N 4

static struct mesh mesh;

static void begin(void)
{
	mesh_init(&mesh, N, 2, 77);
	for (unsigned i = 1; i <= N; i++)
		mesh_start(&mesh, i);
	mesh_run(&mesh, 3000000);
}

/* The peer's log gets an entry: its machine was suspended. */
static void grow(unsigned id, unsigned n)
{
	while (n--) {
		struct km_event ev = {.kind = KM_EVENT_ROLLBACK};
		uint64_t size = mesh.node[id].tree.size;

		mesh.now.wall_ms++;
		assert_int_equal(mesh_step(&mesh, id, &ev), KM_OK);
		assert_int_equal(mesh.node[id].tree.size, size + 1);
	}
	mesh_run(&mesh, 3000000);
}

static unsigned cosigners(unsigned id)
{
	const struct mesh_node *nd = &mesh.node[id];
	struct km_checkpoint c;
	struct km_note note;
	unsigned n = 0;
	uint64_t when;

	assert_int_equal(km_checkpoint_open(&c, &note, nd->note, nd->note_len, nd->s.identity.pub), KM_OK);
	for (unsigned i = 1; i <= N; i++) {
		char name[64];

		snprintf(name, sizeof(name), "keymesh/mesh/p%u", i);
		n += km_cosign_of(&note, name, mesh.node[i].s.identity.pub, &when) == KM_OK;
	}
	return n;
}

static void checkpoint(unsigned id)
{
	mesh_checkpoint(&mesh, id);
	mesh_settle(&mesh);
	mesh_run(&mesh, 10000000);
}

static unsigned errors_of_others(unsigned id)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= N; i++)
		n += i == id ? 0 : mesh.node[i].errors;
	return n;
}

static void test_grows(void **state)
{
	begin();
	for (unsigned round = 0; round < 6; round++) {
		grow(1, 1 + round);
		checkpoint(1);
		assert_int_equal(cosigners(1), N - 1);
	}
	/* the same again: nothing new, the same answer */
	checkpoint(1);
	assert_int_equal(cosigners(1), N - 1);
	assert_int_equal(errors_of_others(0), 0);
	mesh_free(&mesh);
}

/* Neither a witness nor the owner forgets by a restart; and who was away cosigns when it is back. */
static void test_restart(void **state)
{
	begin();
	grow(1, 3);
	checkpoint(1);
	mesh_kill(&mesh, 2);
	mesh_kill(&mesh, 3);
	grow(1, 4);
	checkpoint(1);
	assert_int_equal(cosigners(1), 1);
	mesh_start(&mesh, 2);
	mesh_run(&mesh, 20000000);
	assert_int_equal(cosigners(1), 2);
	mesh_kill(&mesh, 1);
	mesh_start(&mesh, 1);
	mesh_start(&mesh, 3);
	mesh_run(&mesh, 5000000);
	grow(1, 2);
	checkpoint(1);
	assert_int_equal(cosigners(1), 3);
	assert_int_equal(errors_of_others(0), 0);
	mesh_free(&mesh);
}

/* A cosignature is given when what was seen is on the disk, not before and not without. */
static void test_disk(void **state)
{
	begin();
	mesh.node[2].disk_err = KM_E_IO;
	grow(1, 3);
	checkpoint(1);
	assert_int_equal(cosigners(1), N - 2);
	mesh_free(&mesh);
}

/* The log of peer 1 as it was kept aside. */
static struct mesh_node kept;

static void keep_aside(void)
{
	const struct mesh_node *nd = &mesh.node[1];

	kept.chain = nd->chain;
	kept.tree = nd->tree;
}

static void roll_back(void)
{
	mesh.node[1].chain = kept.chain;
	mesh.node[1].tree = kept.tree;
}

static unsigned logged(unsigned id)
{
	return (unsigned)mesh.node[id].tree.size;
}

/* A disk restored from a copy: the log is shorter than what others saw, and then goes on another way. */
static void test_rolled_back(void **state)
{
	unsigned before;

	begin();
	grow(1, 5);
	keep_aside();
	grow(1, 4);
	checkpoint(1);
	assert_int_equal(cosigners(1), N - 1);
	mesh_kill(&mesh, 1);
	roll_back();
	mesh_start(&mesh, 1);
	mesh_run(&mesh, 5000000);
	before = logged(2);
	checkpoint(1);
	assert_int_equal(cosigners(1), 0);
	assert_int_equal(errors_of_others(1), N - 1);
	assert_non_null(strstr(mesh.node[2].last_error, "AUDIT: the log of peer 1 (p1) has fewer"));
	assert_true(mesh.node[1].errors > 0);
	assert_non_null(strstr(mesh.node[1].last_error, "restored from a copy"));
	/* it stands in the log of the witness, once */
	assert_int_equal(logged(2), before + 1);
	checkpoint(1);
	assert_int_equal(logged(2), before + 1);
	/* as long as before, and longer: another story */
	grow(1, 4);
	checkpoint(1);
	assert_int_equal(cosigners(1), 0);
	assert_non_null(strstr(mesh.node[3].last_error, "has other"));
	grow(1, 4);
	checkpoint(1);
	assert_int_equal(cosigners(1), 0);
	assert_non_null(strstr(mesh.node[3].last_error, "does not go on"));
	/* also after a restart of the witness */
	mesh_kill(&mesh, 3);
	mesh_start(&mesh, 3);
	mesh_run(&mesh, 20000000);
	assert_int_equal(cosigners(1), 0);
	/* until its operator has looked into it */
	struct km_request rq = {.kind = KM_REQUEST_CLEAR, .peer = 1};
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .request = &rq};
	assert_int_equal(mesh_step(&mesh, 2, &ev), KM_OK);
	checkpoint(1);
	assert_int_equal(cosigners(1), 1);
	mesh_free(&mesh);
}

static int lose_to_2(struct mesh *m, struct mesh_packet *k)
{
	return k->to.id != 2 || k->data[0] != KM_FRAME_CHECKPOINT;
}

/* Two stories at a time: one for peer 2, one for the others. The next that one of them hears of the other gives it away. */
static void test_two_stories(void **state)
{
	begin();
	grow(1, 5);
	checkpoint(1);
	keep_aside();
	grow(1, 2);
	mesh.tap = lose_to_2;
	checkpoint(1); /* told to 3 and 4 */
	assert_int_equal(cosigners(1), N - 2);
	mesh.tap = NULL;
	roll_back();
	grow(1, 3);
	checkpoint(1); /* told to 2; 3 and 4 are asked too */
	assert_int_equal(cosigners(1), 1);
	assert_true(mesh.node[3].errors && mesh.node[4].errors);
	assert_int_equal(mesh.node[2].errors, 0);
	mesh_free(&mesh);
}

static struct mesh_packet late;

static int keep_late(struct mesh *m, struct mesh_packet *k)
{
	if (k->to.id == 2 && k->data[0] == KM_FRAME_CHECKPOINT && !late.data) {
		late = *k;
		late.data = malloc(k->len);
		assert_non_null(late.data);
		memcpy(late.data, k->data, k->len);
	}
	return 1;
}

/* A frame of before that comes once more shows a shorter log, and is nobody's fault. */
static void test_late(void **state)
{
	begin();
	grow(1, 3);
	mesh.tap = keep_late;
	checkpoint(1);
	mesh.tap = NULL;
	grow(1, 3);
	checkpoint(1);
	assert_int_equal(cosigners(1), N - 1);
	mesh_send(&mesh, late.from, late.to, late.data, late.len);
	mesh_settle(&mesh);
	assert_int_equal(errors_of_others(0), 0);
	free(late.data);
	mesh_free(&mesh);
}

/* Garbage, somebody else's checkpoint, and too many of them. */
static void test_garbage(void **state)
{
	uint8_t frame[KM_NOTE_MAX + 100] = {KM_FRAME_CHECKPOINT};
	unsigned before;

	begin();
	grow(1, 3);
	grow(2, 3);
	checkpoint(2);
	/* peer 1 shows the log of peer 2 as its own */
	before = mesh.node[3].errors;
	memset(frame + 1, 0xff, 8);
	memcpy(frame + 18, mesh.node[2].note, mesh.node[2].note_len);
	mesh_send(&mesh, (struct km_addr){KM_ADDR_PEER, 1}, (struct km_addr){KM_ADDR_PEER, 3}, frame, 18 + mesh.node[2].note_len);
	mesh_settle(&mesh);
	for (size_t n = 1; n < 18 + mesh.node[2].note_len; n += 3) {
		mesh_send(&mesh, (struct km_addr){KM_ADDR_PEER, 2}, (struct km_addr){KM_ADDR_PEER, 3}, frame, n);
		mesh_settle(&mesh);
	}
	frame[0] = KM_FRAME_COSIGN;
	for (size_t n = 1; n < 130; n++) {
		for (frame[1] = 0; frame[1] < 4; frame[1]++)
			mesh_send(&mesh, (struct km_addr){KM_ADDR_PEER, 2}, (struct km_addr){KM_ADDR_PEER, 1}, frame, n);
		mesh_settle(&mesh);
	}
	assert_int_equal(mesh.node[3].errors, before);
	mesh_run(&mesh, 20000000);
	checkpoint(1);
	assert_int_equal(cosigners(1), N - 1);
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_grows), cmocka_unit_test(test_restart), cmocka_unit_test(test_disk), cmocka_unit_test(test_rolled_back),
	 cmocka_unit_test(test_two_stories), cmocka_unit_test(test_late), cmocka_unit_test(test_garbage))
