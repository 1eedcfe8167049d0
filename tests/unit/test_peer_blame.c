/* test_peer_blame.c: who cheats is named, to everybody, and nobody else is: wrong shares and their records, disputes, gossip, and what
 * an operator decides. */
#include <stdlib.h>
#include "lib/test.h"
#include "lib/mesh.h"
#include "base/sig.h"
#include "node/peer_impl.h"
#include "proto/evidence_impl.h"

#define N 5
#define T 3
#define OWNER 1
#define CHEAT 3
#define ALL 0x1fu

static struct mesh mesh;

static struct km_peer *peer(unsigned i)
{
	return mesh.node[i].peer;
}

static const struct km_table *table(void)
{
	return &peer(OWNER)->keys->share->table;
}

static void setup(uint64_t seed)
{
	mesh_init(&mesh, N, T, seed);
	for (unsigned i = 1; i <= N; i++) {
		mesh.node[i].s.pool_target = 6;
		mesh.node[i].s.pool_low = 3;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, OWNER, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
}

/* ---- a cheat */

static struct {
	unsigned shares, records;      /* that it spoilt */
	int spoil_record, hide_record;
	uint32_t deaf;                 /* hears of no evidence */
} evil;

static void spoil_share(struct mesh_packet *k)
{
	struct km_share_msg m;
	struct km_buf b;

	assert_int_equal(km_share_msg_decode(&m, k->data, k->len), KM_OK);
	if (m.status)
		return;
	m.s[31] ^= 1;
	km_buf_init(&b);
	km_share_msg_encode(&b, &m);
	free(k->data);
	k->data = km_buf_take(&b, &k->len);
	evil.shares++;
}

/* The same lie, signed. */
static void spoil_record(struct mesh *m, struct mesh_packet *k)
{
	const struct km_curve *c = table()->curve;
	struct km_record_body body;
	struct km_msg msg;
	struct km_buf b;
	uint8_t s[32];

	assert_int_equal(km_msg_parse(&msg, k->data + 1, k->len - 1), KM_OK);
	assert_int_equal(km_record_get(c, &body, &msg), KM_OK);
	km_scalar_encode(c, s, &body.s);
	s[31] ^= 1;
	assert_int_equal(km_scalar_decode(c, &body.s, s), KM_OK);
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	assert_int_equal(km_record_build(&b, msg.sender, msg.recipient, c, &body, &m->node[msg.sender].s.identity), KM_OK);
	free(k->data);
	k->data = km_buf_take(&b, &k->len);
}

static int tap(struct mesh *m, struct mesh_packet *k)
{
	if (k->to.kind == KM_ADDR_PEER && km_set_has(evil.deaf, k->to.id) && k->data[0] >= KM_FRAME_EVID_HAVE && k->data[0] <= KM_FRAME_EVID)
		return 0;
	if (k->from.kind != KM_ADDR_PEER || k->from.id != CHEAT)
		return 1;
	if (k->data[0] == KM_FRAME_SHARE) {
		spoil_share(k);
	} else if (k->data[0] == KM_FRAME_ENVELOPE && k->data[3] == KM_PROTO_RECORD) {
		evil.records++;
		if (evil.hide_record)
			return 0;
		if (evil.spoil_record)
			spoil_record(m, k);
	}
	return 1;
}

static void badsig(void)
{
	struct km_badsig m = {.n = mesh.reply.n};
	struct km_buf b;

	memcpy(m.request_id, mesh.reply.request_id, KM_HASH_SIZE);
	memcpy(m.r, mesh.reply.r, m.n);
	memcpy(m.s, mesh.reply.s, m.n);
	km_buf_init(&b);
	km_badsig_encode(&b, &m);
	mesh_send(&mesh, (struct km_addr){KM_ADDR_FRONTEND, MESH_FRONTEND}, (struct km_addr){KM_ADDR_PEER, OWNER}, b.data, b.len);
	km_buf_clear(&b);
}

/* Asks the owner until a share of the cheat is in an answer; that request is tried again and comes out right. Returns how often. */
static unsigned cheated_request(void)
{
	const struct km_curve *c = table()->curve;
	struct km_point x = table()->x;

	evil.shares = 0;
	for (unsigned salt = 1; salt < 40; salt++) {
		unsigned replies = mesh.replies;
		uint64_t retries = peer(OWNER)->n_retries;

		mesh_request(&mesh, OWNER, table()->key_id, salt, ALL);
		mesh_settle(&mesh);
		mesh_run(&mesh, 1000);
		assert_int_equal(mesh.replies, replies + 1);
		assert_int_equal(mesh.reply.status, KM_STATUS_OK);
		if (!evil.shares) {
			assert_true(mesh_verify(&mesh, salt, c, &x));
			continue;
		}
		assert_false(mesh_verify(&mesh, salt, c, &x));
		badsig();
		mesh_settle(&mesh);
		mesh_run(&mesh, 1000);
		assert_int_equal(mesh.replies, replies + 2);
		assert_true(mesh_verify(&mesh, salt, c, &x));
		assert_false(km_set_has(mesh.reply.quorum, CHEAT));
		return (unsigned)(peer(OWNER)->n_retries - retries);
	}
	fail_msg("the cheat was never asked");
	return 0;
}

static void blames(uint32_t who, uint32_t quarantined, uint32_t accuses)
{
	for (unsigned i = km_set_next(who, 0); i; i = km_set_next(who, i)) {
		if (peer(i)->quarantined != quarantined || peer(i)->accusers[CHEAT] != accuses)
			fail_msg("peer %u: quarantined %x, accusers %x", i, peer(i)->quarantined, peer(i)->accusers[CHEAT]);
		for (unsigned j = 1; j <= N; j++)
			if (j != CHEAT)
				assert_int_equal(peer(i)->accusers[j], 0);
	}
}

static uint32_t honest(void)
{
	return ALL & ~km_set_bit(CHEAT);
}

/* ---- wrong shares */

static void test_wrong_share_convicts(void **state)
{
	setup(1);
	memset(&evil, 0, sizeof(evil));
	evil.spoil_record = 1;
	mesh.tap = tap;
	assert_int_equal(cheated_request(), 1);
	assert_int_equal(evil.records, 1);
	/* everybody knows within a second, by evidence that each has judged itself */
	mesh_run(&mesh, 900000);
	blames(honest(), km_set_bit(CHEAT), 0);
	for (unsigned i = km_set_next(honest(), 0); i; i = km_set_next(honest(), i)) {
		assert_int_equal(peer(i)->proof[CHEAT]->kind, KM_EV_RECORD);
		assert_int_equal(mesh.node[i].evidence, 1);
		assert_int_equal(peer(i)->keys->held[CHEAT], 0);
		/* and has nothing more to do with it */
		mesh_request(&mesh, i, table()->key_id, 100 + i, ALL);
		mesh_settle(&mesh);
		mesh_run(&mesh, 1000);
		assert_true(mesh_verify(&mesh, 100 + i, table()->curve, &table()->x));
		assert_false(km_set_has(mesh.reply.quorum, CHEAT));
	}
	mesh_free(&mesh);
}

/* What it stands for is right, what it sent was not: parted, not proved. */
static void test_right_record_is_a_dispute(void **state)
{
	setup(2);
	memset(&evil, 0, sizeof(evil));
	mesh.tap = tap;
	assert_int_equal(cheated_request(), 1);
	assert_int_equal(evil.records, 1);
	mesh_run(&mesh, 2000000);
	blames(honest(), 0, km_set_bit(OWNER));
	assert_int_equal(peer(OWNER)->disputed, km_set_bit(CHEAT));
	mesh_free(&mesh);
}

static void test_no_record_is_a_dispute(void **state)
{
	setup(3);
	memset(&evil, 0, sizeof(evil));
	evil.hide_record = 1;
	mesh.tap = tap;
	assert_int_equal(cheated_request(), 1);
	/* bounded: there is time to answer, and it ends */
	mesh_run(&mesh, 1500000);
	blames(km_set_bit(OWNER), 0, 0);
	mesh_run(&mesh, 2000000);
	blames(honest(), 0, km_set_bit(OWNER));
	assert_int_equal(peer(OWNER)->n_inquiries, 0);
	mesh_free(&mesh);
}

/* Shares that are no numbers, more at once than there are inquiries, and no presignature left to try again with: the dispute that ends
 * the first inquiry gives up all that waits for the cheat, but for what is just being answered. */
static int no_number(struct mesh *m, struct mesh_packet *k)
{
	if (k->from.kind != KM_ADDR_PEER || k->from.id != CHEAT)
		return 1;
	if (k->data[0] == KM_FRAME_ENVELOPE && k->data[3] == KM_PROTO_RECORD)
		return 0;
	if (k->data[0] == KM_FRAME_SHARE) {
		memset(k->data + k->len - 32, 0xff, 32);
		evil.shares++;
	}
	return 1;
}

static void test_many_inquiries(void **state)
{
	mesh_init(&mesh, N, T, 11);
	for (unsigned i = 1; i <= N; i++) {
		mesh.node[i].s.pool_target = 24;
		mesh.node[i].s.pool_low = 12;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, OWNER, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
	memset(&evil, 0, sizeof(evil));
	mesh.tap = no_number;
	unsigned replies = mesh.replies;
	for (unsigned salt = 1; salt <= 6 * 24; salt++)
		mesh_request(&mesh, OWNER, table()->key_id, salt, ALL);
	mesh_settle(&mesh);
	assert_true(evil.shares > 32);
	mesh_run(&mesh, 3000000);
	assert_int_equal(mesh.replies, replies + 6 * 24);
	assert_int_equal(peer(OWNER)->disputed, km_set_bit(CHEAT));
	assert_int_equal(peer(OWNER)->n_inquiries, 0);
	mesh_free(&mesh);
}

/* ---- gossip */

static void test_who_was_down_learns_it(void **state)
{
	setup(4);
	memset(&evil, 0, sizeof(evil));
	evil.spoil_record = 1;
	mesh_kill(&mesh, 5);
	mesh.tap = tap;
	mesh_run(&mesh, 4000000);
	assert_int_equal(cheated_request(), 1);
	mesh_run(&mesh, 1000000);
	mesh_kill(&mesh, OWNER);
	mesh_start(&mesh, 5);
	assert_int_equal(peer(5)->quarantined, 0);
	mesh_run(&mesh, 2500000);
	assert_int_equal(peer(5)->quarantined, km_set_bit(CHEAT));
	/* and who found it still knows after a restart, for itself and for others */
	mesh_start(&mesh, OWNER);
	assert_int_equal(peer(OWNER)->quarantined, km_set_bit(CHEAT));
	assert_non_null(peer(OWNER)->proof[CHEAT]);
	assert_true(peer(OWNER)->proof[CHEAT]->durable);
	mesh_free(&mesh);
}

/* Who comes under the number of a convicted peer with another identity is somebody else. */
static void test_successor(void **state)
{
	uint8_t priv[KM_IDKEY_SIZE] = {77};
	struct km_roster *roster = &mesh.node[OWNER].s.roster;

	setup(12);
	memset(&evil, 0, sizeof(evil));
	evil.spoil_record = 1;
	mesh.tap = tap;
	assert_int_equal(cheated_request(), 1);
	mesh_run(&mesh, 1000000);
	mesh_kill(&mesh, OWNER);
	struct km_roster old = *roster;
	km_ed25519_public(priv, roster->peer[CHEAT].identity);
	assert_int_equal(km_roster_finish(roster), KM_OK);
	mesh_start(&mesh, OWNER);
	assert_int_equal(peer(OWNER)->quarantined, 0);
	assert_null(peer(OWNER)->proof[CHEAT]);
	mesh_kill(&mesh, OWNER);
	*roster = old;
	mesh_start(&mesh, OWNER);
	assert_int_equal(peer(OWNER)->quarantined, km_set_bit(CHEAT));
	mesh_free(&mesh);
}

static void frame(unsigned from, unsigned to, struct km_buf *b)
{
	assert_int_equal(b->err, KM_OK);
	mesh_send(&mesh, (struct km_addr){KM_ADDR_PEER, (uint16_t)from}, (struct km_addr){KM_ADDR_PEER, (uint16_t)to}, b->data, b->len);
	km_buf_clear(b);
	mesh_settle(&mesh);
}

static void have(unsigned from, unsigned to, const uint8_t digest[KM_HASH_SIZE])
{
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_EVID_HAVE);
	km_put_u8(&b, 1);
	km_put_bytes(&b, digest, KM_HASH_SIZE);
	frame(from, to, &b);
}

static void evid(unsigned from, unsigned to, unsigned kind, const uint8_t *data, size_t len)
{
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_EVID);
	km_put_u8(&b, (uint8_t)kind);
	km_put_bytes(&b, data, len);
	frame(from, to, &b);
}

static void test_forged_evidence(void **state)
{
	uint8_t digest[KM_HASH_SIZE], junk[300];
	struct km_buf b;

	setup(5);
	/* made of the real thing, which one peer is kept from hearing of */
	memset(&evil, 0, sizeof(evil));
	evil.spoil_record = 1;
	evil.deaf = km_set_bit(2);
	mesh.tap = tap;
	assert_int_equal(cheated_request(), 1);
	mesh_run(&mesh, 1000000);
	const struct km_proof *pf = peer(OWNER)->proof[CHEAT];
	assert_non_null(pf);
	assert_int_equal(peer(2)->quarantined, 0);
	km_buf_init(&b);
	km_put_bytes(&b, pf->data, pf->len);
	mesh.tap = NULL;
	struct km_peer *p = peer(2);
	uint64_t dropped = p->dropped[KM_DROP_GARBAGE] + p->dropped[KM_DROP_STALE];
	/* not asked for */
	evid(4, 2, 1, b.data, b.len);
	assert_int_equal(p->quarantined, 0);
	assert_true(p->dropped[KM_DROP_GARBAGE] + p->dropped[KM_DROP_STALE] > dropped);
	/* asked for, and other than announced */
	memset(digest, 7, sizeof(digest));
	have(4, 2, digest);
	evid(4, 2, 1, b.data, b.len);
	assert_int_equal(p->quarantined, 0);
	/* asked for, and void: whoever hands it on is scored, nobody is convicted */
	for (unsigned i = 0; i < 3; i++) {
		size_t at = i == 0 ? KM_EVIDENCE_HEAD + 1 + 4 : i == 1 ? KM_EVIDENCE_HEAD + 1 + KM_MSG_HEAD + 5 : b.len - 1;

		b.data[at] ^= 1;
		km_evidence_digest(b.data, b.len, digest);
		p->score[2][4] = 0;
		p->link[4].asking = 0;
		have(4, 2, digest);
		evid(4, 2, 1, b.data, b.len);
		assert_int_equal(p->quarantined, 0);
		if (!p->score[2][4])
			fail_msg("change %u: not scored; asking %d, want %u", i, p->link[4].asking, p->link[4].n_want);
		/* asked for once, judged once */
		uint64_t stale = p->dropped[KM_DROP_STALE];
		evid(4, 2, 1, b.data, b.len);
		assert_int_equal(p->dropped[KM_DROP_STALE], stale + 1);
		b.data[at] ^= 1;
	}
	memset(junk, 9, sizeof(junk));
	km_evidence_digest(junk, sizeof(junk), digest);
	have(4, 2, digest);
	evid(4, 2, 1, junk, sizeof(junk));
	assert_int_equal(p->quarantined, 0);
	/* the true one convicts, whoever brings it */
	p->link[4].asking = 0;
	km_evidence_digest(b.data, b.len, digest);
	have(4, 2, digest);
	evid(4, 2, 1, b.data, b.len);
	assert_int_equal(p->quarantined, km_set_bit(CHEAT));
	km_buf_clear(&b);
	mesh_free(&mesh);
}

/* ---- proofs that take long */

static struct km_job *judging(struct km_effects *fx)
{
	struct km_job *job = NULL;
	struct km_effect *e;

	while ((e = km_effects_pop(fx))) {
		if (e->kind == KM_EFFECT_WORK) {
			assert_null(job);
			job = e->job;
		}
		km_effects_recycle(fx, e);
	}
	return job;
}

/* Of proofs that come while another one is judged none of our own is forgotten; of each other peer one waits. */
static void test_heavy_proofs_wait(void **state)
{
	static const uint8_t from[6] = {4, 2, 2, 4, 4, 5};
	static const int err[6] = {0, 0, 0, 0, KM_E_BUSY, 0};
	uint8_t ev[KM_EVIDENCE_HEAD + 8] = {KM_EVIDENCE_VERSION, KM_EV_OPENED};
	struct km_effects fx;
	struct km_job *job;
	unsigned judged = 0;

	setup(10);
	struct km_peer *p = peer(2);
	struct km_effects *was = p->fx;
	km_effects_init(&fx);
	p->fx = &fx;
	for (unsigned i = 0; i < 6; i++) {
		ev[sizeof(ev) - 1] = (uint8_t)i;
		assert_int_equal(km_evidence_take(p, from[i], ev, sizeof(ev)), err[i]);
	}
	unsigned unfit = p->unfit_at;
	while ((job = judging(&fx))) {
		job->run(job);
		assert_int_equal(km_evidence_worked(p, job), 1);
		assert_int_equal(p->unfit_at, unfit + ++judged);
	}
	assert_int_equal(judged, 5);
	assert_null(p->judging);
	/* who made us judge nonsense is not heard again at once; we are */
	ev[sizeof(ev) - 1] = 7;
	assert_int_equal(km_evidence_take(p, 4, ev, sizeof(ev)), KM_E_BUSY);
	assert_null(judging(&fx));
	assert_int_equal(km_evidence_take(p, 2, ev, sizeof(ev)), 0);
	assert_non_null(job = judging(&fx));
	job->run(job);
	assert_int_equal(km_evidence_worked(p, job), 1);
	km_effects_clear(&fx);
	p->fx = was;
	mesh_free(&mesh);
}

/* ---- disputes */

static void make_dispute(struct km_buf *b, unsigned accuser, unsigned accused, unsigned salt)
{
	uint8_t body[KM_DISPUTE_BODY] = {(uint8_t)accused, (uint8_t)-KM_E_VERIFY, (uint8_t)salt}, sid[KM_HASH_SIZE];
	struct km_shape shape = {.head = sizeof(body)};
	struct km_hash h;

	km_hash_init(&h, "dispute");
	km_hash_field(&h, body, sizeof(body));
	km_hash_final(&h, sid);
	km_buf_init(b);
	assert_int_equal(km_msg_build(b, KM_PROTO_DISPUTE, 1, (uint8_t)accuser, 0, sid, &shape, body, &mesh.node[accuser].s.identity), KM_OK);
	assert_int_equal(b->len, 180);
}

static int hands_over(unsigned from, unsigned to, const struct km_buf *b)
{
	struct km_msg m;

	assert_int_equal(km_msg_parse(&m, b->data, b->len), KM_OK);
	peer(to)->link[from].asking = 0;
	have(from, to, m.digest);
	evid(from, to, 2, b->data, b->len);
	for (const struct km_dispute *d = peer(to)->disputes; d; d = d->next)
		if (memcmp(d->digest, m.digest, KM_HASH_SIZE) == 0)
			return 1;
	return 0;
}

static void accuse(unsigned accuser, unsigned accused, unsigned by, unsigned to)
{
	struct km_buf b;

	make_dispute(&b, accuser, accused, 1);
	assert_int_equal(hands_over(by, to, &b), 1);
	km_buf_clear(&b);
}

static unsigned own_with(unsigned i, uint32_t pair)
{
	unsigned n = 0;

	for (const struct km_lot *lot = peer(i)->lots; lot; lot = lot->next)
		for (const struct km_held *h = lot->helds; h; h = h->lot_next)
			n += h->ps->owner == i && !(pair & ~h->ps->quorum);
	return n;
}

static void test_accusers(void **state)
{
	setup(6);
	/* T - 1 may all lie: the accused goes on with everybody else */
	accuse(2, 4, 2, 1);
	accuse(3, 4, 2, 1);
	mesh_run(&mesh, 3000000);
	for (unsigned i = 1; i <= N; i++) {
		assert_int_equal(peer(i)->accusers[4], km_set_bit(2) | km_set_bit(3));
		assert_int_equal(km_blame_barred(peer(i), table()), 0);
		assert_int_equal(peer(i)->quarantined, 0);
		/* the two ends of a dispute are in no quorum, of anybody */
		assert_int_equal(own_with(i, km_set_bit(4) | km_set_bit(2)), 0);
		assert_int_equal(own_with(i, km_set_bit(4) | km_set_bit(3)), 0);
	}
	assert_true(own_with(1, km_set_bit(4) | km_set_bit(5)) > 0);
	assert_true(own_with(4, km_set_bit(1) | km_set_bit(5)) > 0);
	/* a second word of the same two adds nothing */
	struct km_buf b;
	make_dispute(&b, 3, 4, 2);
	assert_int_equal(hands_over(3, 5, &b), 0);
	km_buf_clear(&b);
	/* the T-th */
	accuse(5, 4, 5, 1);
	mesh_run(&mesh, 3000000);
	for (unsigned i = 1; i <= N; i++) {
		assert_int_equal(km_blame_barred(peer(i), table()), km_set_bit(4));
		/* for that key, not as one that is convicted */
		assert_int_equal(peer(i)->quarantined, 0);
		if (i != 4)
			assert_int_equal(own_with(i, km_set_bit(4)), 0);
	}
	mesh_request(&mesh, 1, table()->key_id, 9, ALL);
	mesh_settle(&mesh);
	mesh_run(&mesh, 1000);
	assert_true(mesh_verify(&mesh, 9, table()->curve, &table()->x));
	assert_false(km_set_has(mesh.reply.quorum, 4));
	/* it outlives a restart */
	mesh_kill(&mesh, 1);
	mesh_start(&mesh, 1);
	assert_int_equal(km_blame_barred(peer(1), table()), km_set_bit(4));
	mesh_free(&mesh);
}

static void test_forged_disputes(void **state)
{
	struct km_buf b;

	setup(7);
	/* under another's name; its own, with another content; against itself; against nobody */
	make_dispute(&b, 2, 4, 1);
	b.data[4] = 3;
	assert_int_equal(hands_over(2, 1, &b), 0);
	b.data[4] = 2;
	b.data[KM_MSG_HEAD] = 5;
	assert_int_equal(hands_over(2, 1, &b), 0);
	km_buf_clear(&b);
	make_dispute(&b, 2, 2, 1);
	assert_int_equal(hands_over(2, 1, &b), 0);
	km_buf_clear(&b);
	make_dispute(&b, 2, 9, 1);
	assert_int_equal(hands_over(2, 1, &b), 0);
	km_buf_clear(&b);
	assert_null(peer(1)->disputes);
	assert_true(peer(1)->score[1][2] > 0);
	mesh_free(&mesh);
}

/* With exactly 2T-1 there a run has both ends of a dispute in it, and no quorum has; with one more, one end stays out. */
static void test_majority_with_a_dispute(void **state)
{
	setup(8);
	accuse(2, 4, 2, 1);
	struct km_peer *p = peer(1);
	uint32_t five = ALL, six = ALL | km_set_bit(6), pair = km_set_bit(2) | km_set_bit(4);
	assert_int_equal(km_dispute_part(p, five, 2 * T - 1, 0), five);
	assert_int_equal(km_set_size(km_dispute_part(p, six, 2 * T - 1, 0) & pair), 1);
	assert_int_equal(km_refill_majority(p, table(), five), five);
	uint32_t wanted[KM_WANTED_MAX];
	unsigned n = km_refill_wanted(p, T, five, wanted);
	assert_int_equal(n, 5);
	for (unsigned i = 0; i < n; i++)
		assert_true((wanted[i] & pair) != pair);
	/* others do not join for one */
	struct km_proposal pr = {.purpose = KM_PURPOSE_PRESIGN, .engine = KM_ENGINE_MAJORITY, .participants = five, .batch = 1,
				 .time_ms = mesh.now.wall_ms};
	struct km_presign_row row = {.owner = 2, .quorum = pair | km_set_bit(1)};
	struct km_refusal why;
	struct km_key *key;
	memcpy(pr.hash, table()->hash, KM_HASH_SIZE);
	assert_int_equal(km_accept(p, 2, &pr, &row, &key, &why), 0);
	assert_int_equal(why.code, KM_REFUSE_ROWS);
	row.quorum = km_set_bit(1) | km_set_bit(2) | km_set_bit(3);
	assert_int_equal(km_accept(p, 2, &pr, &row, &key, &why), 1);
	mesh_free(&mesh);
}

/* ---- the operator */

static int clear(unsigned at, unsigned who)
{
	struct km_request rq = {.kind = KM_REQUEST_CLEAR, .peer = (uint8_t)who};
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .token = 5, .request = &rq};

	mesh.result = 0;
	assert_int_equal(mesh_step(&mesh, at, &ev), KM_OK);
	assert_int_equal(mesh.result, 1);
	return mesh.result_err;
}

/* Another proof of what the cheat did: a second false share for the same request. */
static void another_proof(struct km_buf *b, const struct km_proof *pf)
{
	const struct km_curve *c = table()->curve;
	struct km_record_body body;
	struct km_buf record;
	struct km_msg m;
	struct km_ev ev;
	uint8_t s[32];

	assert_int_equal(km_ev_read(&ev, pf->data, pf->len), KM_OK);
	assert_int_equal(km_record_get(c, &body, &ev.item[0].msg), KM_OK);
	km_scalar_encode(c, s, &body.s);
	s[31] ^= 2;
	assert_int_equal(km_scalar_decode(c, &body.s, s), KM_OK);
	km_buf_init(&record);
	assert_int_equal(km_record_build(&record, CHEAT, ev.item[0].msg.recipient, c, &body, &mesh.node[CHEAT].s.identity), KM_OK);
	assert_int_equal(km_msg_parse(&m, record.data, record.len), KM_OK);
	km_buf_init(b);
	km_evidence_begin(b, KM_EV_RECORD, ev.context, 4);
	km_evidence_whole(b, &m);
	km_evidence_whole(b, &ev.item[1].msg);
	km_evidence_bytes(b, ev.item[2].p, ev.item[2].len);
	km_evidence_bytes(b, ev.item[3].p, ev.item[3].len);
	km_buf_clear(&record);
	km_ev_clear(&ev);
}

static void test_clear(void **state)
{
	uint8_t digest[KM_HASH_SIZE];

	setup(9);
	memset(&evil, 0, sizeof(evil));
	evil.spoil_record = 1;
	mesh.tap = tap;
	assert_int_equal(cheated_request(), 1);
	mesh_run(&mesh, 1000000);
	mesh.tap = NULL;
	accuse(4, CHEAT, 4, 2);
	mesh_run(&mesh, 1000000);
	blames(honest(), km_set_bit(CHEAT), km_set_bit(4));
	assert_int_equal(clear(2, 2), KM_E_INVAL);
	assert_int_equal(clear(2, 9), KM_E_INVAL);
	assert_int_equal(clear(2, 5), KM_E_NOTFOUND);
	assert_int_equal(clear(2, CHEAT), KM_OK);
	assert_int_equal(clear(2, CHEAT), KM_E_NOTFOUND);
	/* each operator for its own; and gossip does not bring it back, nor does a restart */
	for (unsigned i = 0; i < 2; i++) {
		mesh_run(&mesh, 35000000);
		blames(km_set_bit(2), 0, 0);
		blames(honest() & ~km_set_bit(2), km_set_bit(CHEAT), km_set_bit(4));
		mesh_kill(&mesh, 2);
		mesh_start(&mesh, 2);
	}
	/* nor does another true proof of what it did before */
	struct km_judge j = {.idkeys = (const uint8_t (*)[KM_IDKEY_SIZE])peer(2)->idkeys, .table = table()};
	struct km_verdict v;
	struct km_buf b;
	another_proof(&b, peer(OWNER)->proof[CHEAT]);
	assert_int_equal(km_evidence_judge(b.data, b.len, &j, &v), KM_OK);
	assert_int_equal(v.culprit, CHEAT);
	km_evidence_digest(b.data, b.len, digest);
	unsigned overruled = peer(2)->n_overruled;
	have(4, 2, digest);
	evid(4, 2, 1, b.data, b.len);
	km_buf_clear(&b);
	assert_int_equal(peer(2)->n_overruled, overruled + 1);
	assert_int_equal(peer(2)->quarantined, 0);
	/* what it does from now on counts again */
	mesh.now.wall_ms += 1000;
	make_dispute(&b, 5, CHEAT, 7);
	assert_int_equal(hands_over(5, 2, &b), 1);
	km_buf_clear(&b);
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_wrong_share_convicts), cmocka_unit_test(test_right_record_is_a_dispute),
	 cmocka_unit_test(test_no_record_is_a_dispute), cmocka_unit_test(test_many_inquiries),
	 cmocka_unit_test(test_heavy_proofs_wait), cmocka_unit_test(test_who_was_down_learns_it),
	 cmocka_unit_test(test_successor), cmocka_unit_test(test_forged_evidence), cmocka_unit_test(test_accusers), cmocka_unit_test(test_forged_disputes),
	 cmocka_unit_test(test_majority_with_a_dispute), cmocka_unit_test(test_clear))
