/* test_peer_retire.c: the end of a key, each peer for itself. */
#include <string.h>
#include "lib/test.h"
#include "lib/mesh.h"
#include "node/peer_impl.h"

#define IDLE_US 600000000u

static struct mesh mesh;

static void setup(uint64_t seed)
{
	mesh_init(&mesh, 3, 2, seed);
	for (unsigned i = 1; i <= 3; i++) {
		mesh.node[i].s.pool_target = 2;
		mesh.node[i].s.pool_low = 1;
		mesh.node[i].s.batch = 12;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
	mesh_run(&mesh, 5000000);
}

static int retire(unsigned at, const char *name, int force)
{
	struct km_request rq = {.kind = KM_REQUEST_RETIRE, .force = force};

	strcpy(rq.name, name);
	return mesh_operate(&mesh, at, &rq, 1000000);
}

static unsigned share_files(unsigned i)
{
	unsigned n = 0;

	for (unsigned k = 0; k < mesh.node[i].n_files; k++)
		n += mesh.node[i].file[k].data && strstr(mesh.node[i].file[k].name, ".share");
	return n;
}

static unsigned status_of(unsigned at, const uint8_t key_id[KM_HASH_SIZE], unsigned salt)
{
	mesh.replies = 0;
	mesh_request(&mesh, at, key_id, salt, UINT32_MAX);
	mesh_run(&mesh, 500000);
	assert_int_equal(mesh.replies, 1);
	return mesh.reply.status;
}

static void test_refused_in_use(void **state)
{
	uint8_t key_id[KM_HASH_SIZE];

	setup(1);
	memcpy(key_id, mesh.node[1].peer->keys->share->table.key_id, KM_HASH_SIZE);
	assert_int_equal(retire(1, "none", 1), KM_E_NOTFOUND);
	assert_int_equal(retire(1, "www", 0), KM_E_BUSY);
	mesh_run(&mesh, IDLE_US);
	assert_int_equal(status_of(1, key_id, 7), KM_STATUS_OK);
	assert_int_equal(retire(1, "www", 0), KM_E_BUSY);
	mesh_run(&mesh, IDLE_US - 2000000u);
	assert_int_equal(retire(1, "www", 0), KM_E_BUSY);
	assert_int_equal(share_files(1), 1);
	mesh_run(&mesh, 3000000);
	assert_int_equal(retire(1, "www", 0), KM_OK);
	assert_int_equal(share_files(1), 0);
	assert_int_equal(retire(1, "www", 0), KM_E_NOTFOUND);
	mesh_free(&mesh);
}

static void test_gone_with_the_threshold(void **state)
{
	uint8_t key_id[KM_HASH_SIZE];

	setup(2);
	struct km_key *k = mesh.node[1].peer->keys;
	memcpy(key_id, k->share->table.key_id, KM_HASH_SIZE);
	assert_int_equal(retire(1, "www", 1), KM_OK);
	/* the secret has left memory too, and the peer signs nothing more */
	for (size_t i = 0; i < sizeof(k->share->x_i); i++)
		assert_int_equal(((const uint8_t *)&k->share->x_i)[i], 0);
	assert_int_not_equal(status_of(1, key_id, 1), KM_STATUS_OK);
	/* two are left of two that it takes: they make presignatures without it */
	mesh_run(&mesh, 120000000);
	assert_int_equal(status_of(2, key_id, 2), KM_STATUS_OK);
	assert_int_equal(retire(2, "www", 1), KM_OK);
	mesh_run(&mesh, 5000000);
	assert_int_not_equal(status_of(3, key_id, 3), KM_STATUS_OK);
	/* nobody is to blame for any of it */
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(mesh.node[i].peer->quarantined | mesh.node[i].peer->disputed, 0);
	mesh_free(&mesh);
}

static void test_stays_away(void **state)
{
	setup(3);
	assert_int_equal(retire(1, "www", 1), KM_OK);
	mesh_kill(&mesh, 1);
	mesh_run(&mesh, 5000000);
	/* its operator has taken the key out of the file: what others say of it binds it to nothing */
	mesh.node[1].s.n_keys = 0;
	mesh_start(&mesh, 1);
	mesh_run(&mesh, 60000000);
	assert_null(km_key_by_name(mesh.node[1].peer, "www"));
	assert_int_equal(share_files(1), 0);
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_refused_in_use), cmocka_unit_test(test_gone_with_the_threshold), cmocka_unit_test(test_stays_away))
