/* test_peer_mesh.c: whole peers in a perfect network: key generation, presigning, signing, restart, loss of peers. */
#include "lib/test.h"
#include "lib/mesh.h"
#include "node/peer_impl.h"

static struct mesh mesh;

static void start_all(unsigned n, unsigned t, uint64_t seed)
{
	mesh_init(&mesh, n, t, seed);
	for (unsigned i = 1; i <= n; i++)
		mesh_start(&mesh, i);
	mesh_run(&mesh, 100000);
}

static const struct km_table *the_table(unsigned peer)
{
	assert_non_null(mesh.node[peer].peer->keys);
	return &mesh.node[peer].peer->keys->share->table;
}

static void sign_by(unsigned aggregator, unsigned salt)
{
	const struct km_table *t = the_table(aggregator);

	mesh.replies = 0;
	mesh_request(&mesh, aggregator, t->key_id, salt, UINT32_MAX);
	mesh_settle(&mesh);
	mesh_run(&mesh, 1000);
	assert_int_equal(mesh.replies, 1);
	assert_int_equal(mesh.reply.status, KM_STATUS_OK);
	assert_true(mesh_verify(&mesh, salt, t->curve, &t->x));
}

static void test_keygen_and_sign(void **state)
{
	start_all(5, 3, 1);
	int err = mesh_keygen(&mesh, 2, 30000000);
	if (err)
		print_message("# %s\n", mesh.result_text);
	assert_int_equal(err, KM_OK);
	mesh_run(&mesh, 10000000);
	for (unsigned i = 1; i <= 5; i++) {
		struct km_peer_status st;

		assert_int_equal(km_peer_status(mesh.node[i].peer, &st), KM_OK);
		assert_int_equal(st.n_keys, 1);
		assert_int_equal(st.keys[0].n_pools, 6);
		assert_true(st.keys[0].ready >= 6 * 48);
		assert_int_equal(st.runs_dropped, 0);
		assert_int_equal(st.convictions + st.disputes, 0);
		km_peer_status_clear(&st);
		assert_int_equal(mesh.node[i].errors, 0);
		sign_by(i, i);
	}
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_keygen_and_sign))
