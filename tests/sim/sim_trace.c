/* sim_trace.c: what happened, as a hash for the test of determinism and as lines for people. */
#include "sim_impl.h"

#include <stdio.h>
#include <string.h>
#include "proto/presign_impl.h"

static const char *frame_name(uint8_t kind)
{
	switch (kind) {
	case KM_FRAME_HELLO: return "HELLO";
	case KM_FRAME_HEALTH: return "HEALTH";
	case KM_FRAME_RELAY: return "RELAY";
	case KM_FRAME_STALL: return "STALL";
	case KM_FRAME_ABORT: return "ABORT";
	case KM_FRAME_READY: return "READY";
	case KM_FRAME_REFUSE: return "REFUSE";
	case KM_FRAME_ROSTER: return "ROSTER";
	case KM_FRAME_SIGN: return "SIGN";
	case KM_FRAME_SHARE: return "SHARE";
	case KM_FRAME_RECORD_ASK: return "RECORD?";
	case KM_FRAME_REQ: return "REQ";
	case KM_FRAME_REPLY: return "REPLY";
	case KM_FRAME_BADSIG: return "BADSIG";
	case KM_FRAME_PING: return "PING";
	case KM_FRAME_PONG: return "PONG";
	case KM_FRAME_TABLE_ASK: return "TABLE?";
	case KM_FRAME_TABLE: return "TABLE";
	default: return "?";
	}
}

static const char *round_name(uint8_t proto, uint8_t round)
{
	static const char *const setup[] = {"PROPOSE", "JOIN"}, *const dkg[] = {"G1", "G2", "G3", "G4", "G5", "STORED"};
	static const char *const presign[] = {"M1", "M2", "M3", "C3", "OK", "PASS", "C4"};
	static const char *const any[] = {"Y1", "Y2", "Y3", "Y4", "C3", "OK", "PASS", "C4"};

	if (proto == KM_PROTO_SETUP && round >= 1 && round <= 2)
		return setup[round - 1];
	if (proto == KM_PROTO_DKG && round >= 1 && round <= 6)
		return dkg[round - 1];
	if (proto == KM_PROTO_MAJORITY && round >= 1 && round <= 7)
		return presign[round - 1];
	if (proto == KM_PROTO_ANY && round >= 1 && round <= 8)
		return any[round - 1];
	return "envelope";
}

/* "C3 5f1e02ab", "HEALTH": enough to follow a run by eye. */
static void describe(char *out, size_t size, const uint8_t *data, size_t len)
{
	struct km_msg m;

	if (len && data[0] == KM_FRAME_ENVELOPE && km_msg_parse(&m, data + 1, len - 1) == KM_OK) {
		/* a JOIN is told by its proposal, as a PROPOSE by its digest */
		const uint8_t *id = m.sid;

		if (m.proto == KM_PROTO_SETUP)
			id = m.round == 2 && m.body_len >= KM_HASH_SIZE ? m.body : m.digest;
		snprintf(out, size, "%s%s %02x%02x%02x%02x", round_name(m.proto, m.round), m.recipient ? "p" : "", id[0], id[1],
			 id[2], id[3]);
	} else if (len >= 5 && data[0] != KM_FRAME_PING && data[0] != KM_FRAME_PONG) {
		snprintf(out, size, "%s %02x%02x%02x%02x", frame_name(data[0]), data[1], data[2], data[3], data[4]);
	} else {
		snprintf(out, size, "%s", len ? frame_name(data[0]) : "nothing");
	}
}

static char letter(struct km_addr a)
{
	return a.kind == KM_ADDR_PEER ? 'P' : a.kind == KM_ADDR_FRONTEND ? 'F' : '-';
}

static void line(const struct sim *s, struct km_addr a)
{
	printf("# %12.6f %c%-2u ", (double)s->now_us / 1e6, letter(a), a.id);
}

/* WHY no cryptographic hash: two runs of a seed are compared, by nobody who looks for collisions, and every byte goes through here. */
static void mix(uint64_t h[4], const uint8_t *p, size_t n)
{
	uint64_t w[4];

	h[0] ^= n;
	for (size_t at = 0; at < n; at += sizeof(w)) {
		size_t k = n - at < sizeof(w) ? n - at : sizeof(w);

		if (k < sizeof(w))
			memset(w, 0, sizeof(w));
		memcpy(w, p + at, k);
		for (unsigned i = 0; i < 4; i++) {
			h[i] = (h[i] ^ w[i]) * 0x9e3779b97f4a7c15u;
			h[i] ^= h[i] >> 29;
		}
	}
	/* the lanes into each other */
	for (unsigned i = 0; i < 4; i++)
		h[i] = (h[i] + (h[(i + 1) & 3] << 31 | h[(i + 1) & 3] >> 33)) * 0xd6e8feb86659fd93u;
}

void sim_trace(struct sim *s, const char *what, struct km_addr a, uint64_t v, const void *data, size_t len)
{
	const uint64_t head[3] = {s->now_us, (uint64_t)a.kind << 16 | a.id, v};

	mix(s->trace, (const uint8_t *)what, strlen(what));
	mix(s->trace, (const uint8_t *)head, sizeof(head));
	mix(s->trace, data, len);
	if (s->opt.verbose && !len) {
		line(s, a);
		printf("%s %llu\n", what, (unsigned long long)v);
	}
}

static int dull(const uint8_t *data, size_t len)
{
	return len && (data[0] == KM_FRAME_HEALTH || data[0] == KM_FRAME_PING || data[0] == KM_FRAME_PONG);
}

void sim_trace_packet(struct sim *s, const char *what, struct km_addr from, struct km_addr to, const uint8_t *data, size_t len)
{
	char text[80];

	if (!s->opt.verbose || dull(data, len))
		return;
	describe(text, sizeof(text), data, len);
	line(s, from);
	printf("  %s to %c%u: %s\n", what, letter(to), to.id, text);
}

void sim_trace_event(struct sim *s, const struct sim_node *node, const struct km_event *ev)
{
	static const char *const names[] = {"?",  "start", "message",  "tick",       "persisted", "worked", "request", "cancel",
					    "up", "down",  "rollback", "checkpoint", "proof",	  "stop"};
	char text[80];
	int verbose = s->opt.verbose;

	s->opt.verbose = 0;
	KM_ASSERT(ev->kind < sizeof(names) / sizeof(names[0]));
	sim_trace(s, names[ev->kind], node->addr, ev->token + ((uint64_t)ev->from.kind << 56) + ((uint64_t)ev->from.id << 40),
		  ev->data, ev->len);
	s->opt.verbose = verbose;
	if (!verbose || ev->kind == KM_EVENT_TICK || dull(ev->data, ev->len))
		return;
	line(s, node->addr);
	if (ev->kind == KM_EVENT_MESSAGE) {
		describe(text, sizeof(text), ev->data, ev->len);
		printf("< %c%u %s (%zu)\n", letter(ev->from), ev->from.id, text, ev->len);
	} else if (ev->from.kind) {
		printf("%s %c%u\n", names[ev->kind], letter(ev->from), ev->from.id);
	} else {
		printf("%s %llu\n", names[ev->kind], (unsigned long long)ev->token);
	}
}

void sim_trace_effect(struct sim *s, const struct sim_node *node, const struct km_effect *e)
{
	char text[80];
	int verbose = s->opt.verbose, pub = !e->secret && e->data != NULL;

	s->opt.verbose = 0;
	sim_trace(s, "effect", node->addr, e->kind | e->token << 8 | (uint64_t)e->to.id << 48, pub ? e->data : NULL,
		  pub ? e->len : 0);
	mix(s->trace, (const uint8_t *)e->text, strlen(e->text));
	s->opt.verbose = verbose;
	if (!verbose || (e->kind == KM_EFFECT_SEND && dull(e->data, e->len)))
		return;
	line(s, node->addr);
	switch (e->kind) {
	case KM_EFFECT_SEND:
		describe(text, sizeof(text), e->data, e->len);
		printf("  > %c%u %s (%zu)\n", letter(e->to), e->to.id, text, e->len);
		break;
	case KM_EFFECT_PERSIST:
		printf("  persist %s (%zu) %llu\n", e->name, e->len, (unsigned long long)e->token);
		break;
	case KM_EFFECT_WORK:
		printf("  job %u\n", e->job->what);
		break;
	case KM_EFFECT_RESULT:
		printf("  result %llu: %s %s\n", (unsigned long long)e->token, km_errname(e->err), e->text);
		break;
	case KM_EFFECT_AUDIT:
		printf("  audit (%zu)\n", e->len);
		break;
	case KM_EFFECT_EVIDENCE:
		printf("  evidence %d against P%u: %s\n", e->err, e->to.id, e->text);
		break;
	default:
		printf("  %s\n", e->text);
	}
}
