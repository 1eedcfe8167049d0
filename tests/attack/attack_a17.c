/* attack_a17.c: one epoch name with two tables, A17. A dealer that is a member too deals one polynomial to 1 and another to 2, and keeps
 * a face for each: both hold shares of the key, and no two of them fit. When the old epoch is wiped for that, the key is lost.
 * Stopped by: a round of two views ends the run, and names the dealer; and STORED counts for the table it names, so that the two tables
 * lend each other no votes. */
#include "attack.h"
#include "../lib/reshare_help.h"

#define EVIL 3

static const struct km_curve *curve;

/* Envelopes for peer 3, to be shown to its second face as well. */
struct copies {
	struct { uint8_t from; uint8_t *raw; size_t len; } e[64];
	size_t n;
};

static enum net_verdict two_faces(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct copies *c = ctx;

	if (to == EVIL) {
		assert_true(c->n < 64);
		c->e[c->n].from = from;
		c->e[c->n].raw = malloc(*len);
		memcpy(c->e[c->n].raw, *raw, *len);
		c->e[c->n++].len = *len;
	}
	/* what the first face says is not for peer 2 */
	return from == EVIL && to == 2 ? NET_DROP : NET_PASS;
}

/* The honest shares for peer 3 are sealed for one face; the other says ACK without looking. */
static void ack_always(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job != KM_DKG_JOB_CHECK)
		return;
	st->g5[KM_HASH_SIZE] = KM_DKG_ACK;
	st->g5_len = KM_HASH_SIZE + 1;
}

static void second_face_out(struct dkg *d, struct km_machine *m, struct km_outs *outs)
{
	struct km_out *out;
	int err = KM_OK;

	while ((out = km_outs_pop(outs))) {
		if (out->kind == KM_OUT_SEND) {
			net_inject(d->net, EVIL, 2, out->data, out->len);
		} else if (out->kind == KM_OUT_JOB) {
			out->job->run(out->job);
			err = km_machine_worked(m, 0, outs);
		} else if (out->kind == KM_OUT_PERSIST) {
			err = km_machine_persisted(m, 0, out->code, outs);
		}
		assert_int_equal(err, KM_OK);
		km_out_free(out);
	}
}

static void run_both(struct dkg *d, struct km_machine *face, struct copies *c)
{
	struct km_outs outs;

	km_outs_init(&outs);
	dkg_run(d, 0);
	assert_int_equal(km_machine_start(face, 0, &outs), KM_OK);
	second_face_out(d, face, &outs);
	for (size_t at = 0;;) {
		dkg_run(d, 0);
		if (at == c->n)
			break;
		for (; at < c->n; at++) {
			int err = km_machine_message(face, 0, c->e[at].from, 0, c->e[at].raw, c->e[at].len, &outs);

			assert_true(err == KM_OK || err == KM_E_STALE);
			second_face_out(d, face, &outs);
			free(c->e[at].raw);
		}
	}
	dkg_run(d, 1);
}

/* The run. 1 when 1 and 2 store shares of the same key under one number and sid, and of two tables. */
static int two_tables(struct rsh *r, const struct rsh_key *key, struct km_share *s1, struct km_share *s2)
{
	struct km_reshare_params p;
	struct km_machine *face;
	struct copies c = { .n = 0 };

	rsh_init(r, key, 1, 0x05, 0x07, 0x07, 2);
	dkg_corrupt(&r->d, EVIL, ack_always, NULL);
	net_tap(r->d.net, two_faces, &c);
	rsh_params(r, EVIL, &p);
	p.machine.seed[0] ^= 1;
	assert_int_equal(km_reshare_new(&face, &p), KM_OK);
	face->ops = &dkg_evil.ops;
	run_both(&r->d, face, &c);
	km_machine_free(face);
	if (km_reshare_take(r->d.m[1], s1) || km_reshare_take(r->d.m[2], s2))
		return 0;
	assert_int_equal(s1->table.number, s2->table.number);
	assert_memory_equal(s1->table.sid, s2->table.sid, KM_HASH_SIZE);
	assert_memory_equal(s1->table.key_id, key->table.key_id, KM_HASH_SIZE);
	return memcmp(s1->table.hash, s2->table.hash, KM_HASH_SIZE) != 0;
}

/* What a peer counts: its own STORED, the other's, and that of 3, which says what is wanted. 1: it may wipe what was before. */
static int certified(const struct km_share *s1, const struct km_share *s2)
{
	uint8_t raw[KM_STORED_MAX];
	struct km_cert cert;
	int err;

	km_cert_init(&cert, KM_PROTO_RESHARE);
	assert_int_equal(km_cert_add(&cert, &s1->table, s1->stored, s1->stored_len), KM_OK);
	rsh_stored(9, EVIL, KM_PROTO_RESHARE, &s1->table, raw);
	assert_int_equal(km_cert_add(&cert, &s1->table, raw, sizeof(raw)), KM_OK);
	assert_false(km_cert_complete(&cert, &s1->table));
	err = km_cert_add(&cert, &s1->table, s2->stored, s2->stored_len);
	assert_int_equal(err, KM_RULE(km_rule_full_name) ? KM_E_MISMATCH : KM_OK);
	return km_cert_complete(&cert, &s1->table);
}

static void test_two_tables(void **state)
{
	static struct rsh_key key;
	struct km_share s1, s2;
	struct km_secret x[KM_MAX_PEERS + 1];
	struct km_scalar got;
	struct rsh r;

	rules_all();
	rsh_key_make(&key, 9, curve, 0x07, 2);
	/* the run ends before a share is dealt, and blames nobody honest */
	assert_false(two_tables(&r, &key, &s1, &s2));
	for (unsigned i = 1; i <= 2; i++) {
		const struct net_party *p = dkg_party(&r.d, i);

		assert_true(p->dropped && !p->done);
		assert_int_equal(p->drop_code, KM_E_MISMATCH);
		assert_int_equal(p->convicted & ~km_set_bit(EVIL), 0);
		assert_null(km_machine_find(r.d.m[i], KM_DKG_G4, i));
	}
	rsh_clear(&r);
	/* without that, what was before stays: neither table has its certificate */
	rule_off(km_rule_echo);
	assert_true(two_tables(&r, &key, &s1, &s2));
	assert_false(certified(&s1, &s2));
	assert_false(certified(&s2, &s1));
	/* without either, both wipe, and the two honest shares are not the key */
	rule_off(km_rule_full_name);
	assert_true(certified(&s1, &s2));
	assert_true(certified(&s2, &s1));
	x[1] = s1.x_i;
	x[2] = s2.x_i;
	rsh_interpolate(curve, &got, x, 0x3);
	assert_false(rsh_is_key(&key.table, &got));
	rsh_clear(&r);
	rules_all();
}

static int setup(void **state)
{
	curve = km_curve_p256();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_tables),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
