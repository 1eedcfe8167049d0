/* Evidence as anybody may hand it in, to a peer by gossip or to `keymesh evidence verify` as a file. Whatever the bytes, the judge
 * convicts nobody but peer 3, whose key alone the accuser has.
 *
 * Under libFuzzer: -detect_leaks=0, see fuzz_dkg.c.
 * Input: how | which piece of evidence (tests/lib/evid.h) | bytes. RAW: they are the evidence, judged with what is known of that piece.
 * CHANGED, SIGNED: at u24 | value u8, as often as there are: so much is changed in the piece; SIGNED: what peer 3 says in it is signed
 * again. FILE: they are a file. */
#include "fuzz.h"
#include <stdio.h>
#include "tests/lib/evid.h"

const char fuzz_name[] = "evidence";
const unsigned fuzz_rounds = 40;

#define PIECES_MAX 64
#define CHANGES_MAX 16
#define RAW_SEED_MAX 6000
enum { RAW, CHANGED, SIGNED, FILES, HOWS };

static struct evid piece[PIECES_MAX];

static const struct evid *piece_at(unsigned which)
{
	KM_ASSERT(which < evid_count() && evid_count() <= PIECES_MAX);
	if (!piece[which].ev)
		evid_make(&piece[which], which, 0);
	return &piece[which];
}

static int judge(const struct evid *e, const uint8_t *p, size_t n)
{
	struct km_verdict v;

	evid_judge(e, p, n, &v);
	KM_ASSERT(v.why);
	KM_ASSERT(v.culprit == 0 || v.culprit == EVID_CULPRIT);
	return v.culprit != 0;
}

/* Everything under the culprit's name gets a signature that holds; a body of one piece gets its root, too. */
static void sign_again(const struct evid *e, uint8_t *ev)
{
	struct km_identity id;
	size_t at[256];
	unsigned n = evid_items(ev, e->len, at, 256);

	net_identity(e->seed, EVID_CULPRIT, &id);
	for (unsigned i = 1; i < n; i++) {
		size_t len = at[i + 1] - at[i];
		uint8_t *raw = ev + at[i] + 1;
		struct km_buf b;
		struct km_msg m;

		if (ev[at[i]] != KM_FORM_WHOLE || len < 1 + KM_MSG_HEAD || km_msg_parse(&m, raw, len - 1) || m.sender != EVID_CULPRIT ||
		    (m.proto != KM_PROTO_READY && m.proto != KM_PROTO_RECORD && m.proto != KM_PROTO_SETUP))
			continue;
		struct km_shape shape = {.head = m.body_len};
		km_buf_init(&b);
		int err = km_msg_build(&b, m.proto, m.round, m.sender, m.recipient, m.sid, &shape, m.body, &id);
		KM_ASSERT(!err && b.len == len - 1);
		memcpy(raw, b.data, b.len);
		km_buf_clear(&b);
	}
}

static int changed(const struct evid *e, const uint8_t *p, size_t n, int again)
{
	uint8_t *ev;
	int ret;

	if (n % 4 || n / 4 > CHANGES_MAX)
		return 0;
	ev = malloc(e->len);
	KM_ASSERT(ev);
	memcpy(ev, e->ev, e->len);
	for (size_t i = 0; i < n; i += 4)
		ev[((size_t)p[i] << 16 | (size_t)p[i + 1] << 8 | p[i + 2]) % e->len] ^= p[i + 3];
	if (again)
		sign_again(e, ev);
	ret = judge(e, ev, e->len);
	free(ev);
	return ret;
}

static int file(const uint8_t *p, size_t n)
{
	struct km_evidence_file *f = malloc(sizeof(*f));
	struct km_verdict v;
	int ret = 0;

	KM_ASSERT(f);
	if (km_evidence_file_get(f, p, n) == KM_OK) {
		struct km_judge j = {.table = f->has_table ? &f->table : NULL, .roster = f->roster};
		int err = km_evidence_judge(f->ev, f->len, &j, &v);

		KM_ASSERT(!err && v.why);
		ret = 1;
	}
	free(f);
	return ret;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	unsigned which = data[1] % evid_count();

	switch (data[0] % (unsigned)HOWS) {
	case RAW:
		return judge(piece_at(which), data + 2, size - 2);
	case CHANGED:
		return changed(piece_at(which), data + 2, size - 2, 0);
	case SIGNED:
		return changed(piece_at(which), data + 2, size - 2, 1);
	default:
		return file(data + 2, size - 2);
	}
}

static void out(fuzz_emit_fn *emit, void *ctx, const char *prefix, unsigned how, unsigned which, const uint8_t *p, size_t n)
{
	char name[64];
	struct km_buf b;

	snprintf(name, sizeof(name), "%s-%s", prefix, evid_name(which));
	km_buf_init(&b);
	km_put_u8(&b, (uint8_t)how);
	km_put_u8(&b, (uint8_t)which);
	km_put_bytes(&b, p, n);
	emit(ctx, name, b.data, b.len);
	km_buf_clear(&b);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	for (unsigned k = 0; k < evid_count(); k++) {
		const struct evid *e = piece_at(k);
		struct km_buf b;

		out(emit, ctx, "changed", CHANGED, k, (const uint8_t *)"", 0);
		if (e->kind == KM_EV_RECORD)
			out(emit, ctx, "signed", SIGNED, k, (const uint8_t *)"", 0);
		if (e->len > RAW_SEED_MAX)
			continue;
		out(emit, ctx, "raw", RAW, k, e->ev, e->len);
		km_buf_init(&b);
		evid_file(e, &b);
		out(emit, ctx, "file", FILES, k, b.data, b.len);
		km_buf_clear(&b);
	}
}
