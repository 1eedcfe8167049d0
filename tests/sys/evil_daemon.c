/* evil_daemon: keymeshd of a corrupt peer, for system tests and the bench. All of the daemon is the real one; three functions are put
 * between its parts by the linker (--wrap): km_msg_build and km_msg_seal, so that what it signs is a lie it stands for, and
 * km_peer_step, so that what leaves it can differ from what it keeps.
 *
 *	KM_EVIL=share       every share of a signature is wrong, and so is the record that it signs (E5)
 *	KM_EVIL=silent      every share is wrong, and it never shows a record (dispute)
 *	KM_EVIL=deny        every share is wrong, its record is right (dispute)
 *	KM_EVIL=w           its share of w of the first presignature of a run of engine majority is wrong (the run is opened: E8)
 *	KM_EVIL=row         the first row of its OLE payload in a run of engine any is wrong (opened: E8)
 *	KM_EVIL=proof       the proof of its first tuple is wrong (E3)
 *	KM_EVIL=epsilon     its first epsilon is wrong (E4)
 *	KM_EVIL=equivocate  another M2 (Y3, C0) to the lowest of the others than to the rest (the run is opened: E8, E1)
 *	KM_EVIL_FILE=PATH   it is honest until this file exists, and whenever it does not
 *
 * Without KM_EVIL_FILE it cheats from the beginning; SIGUSR2 is as good as the file. At its first cheat it says
 * "evil: first cheat at UNIX_MS" on stderr. */
#include "config.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "node/peer_impl.h"

int __real_km_peer_step(struct km_peer *p, const struct km_event *ev, struct km_effects *fx);
int __wrap_km_peer_step(struct km_peer *p, const struct km_event *ev, struct km_effects *fx);
int __real_km_msg_build(struct km_buf *out, uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient,
			const uint8_t sid[KM_HASH_SIZE], const struct km_shape *shape, const uint8_t *body, const struct km_identity *id);
int __wrap_km_msg_build(struct km_buf *out, uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient,
			const uint8_t sid[KM_HASH_SIZE], const struct km_shape *shape, const uint8_t *body, const struct km_identity *id);
int __real_km_msg_seal(uint8_t *raw, uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient,
		       const uint8_t sid[KM_HASH_SIZE], const struct km_shape *shape, const struct km_identity *id);
int __wrap_km_msg_seal(uint8_t *raw, uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient,
		       const uint8_t sid[KM_HASH_SIZE], const struct km_shape *shape, const struct km_identity *id);

/* Rounds on the wire. */
enum { M2 = 2, M3 = 3, C3 = 4, ANY_Y3 = 3, ANY_C3 = 5, TO_C4 = 3 };

static volatile sig_atomic_t signalled;

static void on_signal(int sig)
{
	(void)sig;
	signalled = 1;
}

static int is(const char *habit)
{
	static const char *evil, *file;
	static int asked;

	if (!asked) {
		asked = 1;
		evil = getenv("KM_EVIL");
		file = getenv("KM_EVIL_FILE");
		signal(SIGUSR2, on_signal);
	}
	return evil && strcmp(evil, habit) == 0 && (!file || signalled || access(file, F_OK) == 0);
}

static void cheated(void)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	struct timespec ts;

	if (atomic_flag_test_and_set(&said))
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	fprintf(stderr, "evil: first cheat at %llu\n", (unsigned long long)ts.tv_sec * 1000 + (unsigned long long)ts.tv_nsec / 1000000);
}

/* ---- what it signs */

#define NOTHING ((size_t)-1)

/* The byte to change in a body, the last of a number, so that it stays one. P-256. */
static size_t lie(uint8_t proto, uint8_t round, uint8_t recipient, const struct km_shape *shape)
{
	const size_t scalar = 32, point = 33;
	int majority = proto == KM_PROTO_MAJORITY, any = proto == KM_PROTO_ANY;
	unsigned c3 = majority ? C3 : ANY_C3;

	if (proto == KM_PROTO_RECORD && is("share"))
		return shape->head - 1;
	if (!shape->rows || (!majority && !any))
		return NOTHING;
	if (majority && round == M3 && is("w"))
		return shape->head + scalar - 1;
	if (any && round == ANY_Y3 && recipient && is("row"))
		return shape->head + scalar - 1;
	if (round == c3 && is("proof"))
		return shape->head + 4 * point + scalar - 1;
	if (round == c3 + TO_C4 && is("epsilon"))
		return shape->head + scalar - 1;
	return NOTHING;
}

int __wrap_km_msg_build(struct km_buf *out, uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient,
			const uint8_t sid[KM_HASH_SIZE], const struct km_shape *shape, const uint8_t *body, const struct km_identity *id)
{
	size_t at = lie(proto, round, recipient, shape);
	uint8_t *copy;
	int err;

	if (at == NOTHING)
		return __real_km_msg_build(out, proto, round, sender, recipient, sid, shape, body, id);
	copy = malloc(km_shape_size(shape));
	if (!copy)
		return KM_E_NOMEM;
	memcpy(copy, body, km_shape_size(shape));
	copy[at] ^= 1;
	err = __real_km_msg_build(out, proto, round, sender, recipient, sid, shape, copy, id);
	free(copy);
	cheated();
	return err;
}

/* Large messages are made in place, on a worker's thread. */
int __wrap_km_msg_seal(uint8_t *raw, uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient,
		       const uint8_t sid[KM_HASH_SIZE], const struct km_shape *shape, const struct km_identity *id)
{
	size_t at = lie(proto, round, recipient, shape);

	if (at != NOTHING) {
		raw[KM_MSG_HEAD + at] ^= 1;
		cheated();
	}
	return __real_km_msg_seal(raw, proto, round, sender, recipient, sid, shape, id);
}

/* ---- what it sends */

static void other_version(struct km_peer *p, struct km_effect *e)
{
	struct km_shape shape;
	struct km_msg m;
	struct km_buf b;

	if (km_msg_parse(&m, e->data + 1, e->len - 1) || m.recipient ||
	    !((m.proto == KM_PROTO_MAJORITY && m.round == M2) || (m.proto == KM_PROTO_ANY && m.round == ANY_Y3)))
		return;
	uint8_t *body = malloc(m.body_len);
	if (!body)
		return;
	memcpy(body, m.body, m.body_len);
	body[m.body_len - 1] ^= 1;
	shape = (struct km_shape){.head = m.body_len};
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	if (__real_km_msg_build(&b, m.proto, m.round, m.sender, 0, m.sid, &shape, body, &p->s->identity) == KM_OK) {
		free(e->data);
		e->data = km_buf_take(&b, &e->len);
		cheated();
	}
	km_buf_clear(&b);
	free(body);
}

static void spoil(struct km_peer *p, struct km_effect *e)
{
	/* no share of a canary, no refusal: those with a scalar */
	int wrong = is("share") || is("silent") || is("deny");

	if (e->kind != KM_EFFECT_SEND || !e->data || !e->len || e->to.kind != KM_ADDR_PEER)
		return;
	if (e->data[0] == KM_FRAME_SHARE && e->len > 1 + 2 * KM_HASH_SIZE + 2 && wrong) {
		e->data[e->len - 1] ^= 1;
		cheated();
	}
	if (e->data[0] == KM_FRAME_ENVELOPE && e->len > 4 && e->data[3] == KM_PROTO_RECORD && is("silent"))
		e->data[0] = 0;
	if (e->data[0] == KM_FRAME_ENVELOPE && !e->secret && is("equivocate") && e->to.id == (p->self == 1 ? 2 : 1))
		other_version(p, e);
}

int __wrap_km_peer_step(struct km_peer *p, const struct km_event *ev, struct km_effects *fx)
{
	int err = __real_km_peer_step(p, ev, fx);

	for (struct km_effect *e = fx->head; e; e = e->next)
		spoil(p, e);
	return err;
}
