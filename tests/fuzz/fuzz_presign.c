/* What a corrupt participant of a presign run can say, with its signature under it. Whatever the bytes, honest peers convict nobody
 * else and end the run one way or the other.
 *
 * Input: which message | its body. Three peers, T = 2, two presignatures; peer 2 is the corrupt one: its message is replaced. */
#include "fuzz.h"
#include "tests/lib/dealer.h"
#include "proto/presign_impl.h"

const char fuzz_name[] = "presign";
const unsigned fuzz_rounds = 120;

#define EVIL 2
#define KINDS 8      /* 0: the private M1 for peer 1; else the broadcast of that round */

struct replace {
	struct group g;
	unsigned kind;
	const uint8_t *p;    /* NULL: let it pass and keep it */
	size_t n;
	uint8_t *kept;
	size_t kept_len;
};

static int is_it(const struct replace *r, uint8_t from, uint8_t to, const uint8_t *raw)
{
	if (from != EVIL || to != 1)
		return 0;
	return r->kind ? raw[3] == r->kind && raw[5] == 0 : raw[3] == KM_PRESIGN_M1 && raw[5] == 1;
}

static enum net_verdict tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct replace *r = ctx;
	struct km_identity id;
	struct km_shape shape;
	uint8_t *again;
	size_t size;
	int err;

	if (!is_it(r, from, to, *raw))
		return NET_PASS;
	size = *len - KM_MSG_HEAD;
	if (!r->p) {
		r->kept = malloc(size);
		KM_ASSERT(r->kept);
		memcpy(r->kept, *raw + KM_MSG_HEAD, size);
		r->kept_len = size;
		return NET_PASS;
	}
	/* a body of another length has no shape: the machine's own door, fuzzed elsewhere */
	memset(*raw + KM_MSG_HEAD, 0, size);
	memcpy(*raw + KM_MSG_HEAD, r->p, r->n < size ? r->n : size);
	err = km_presign_shape(r->g.m[EVIL]->state, (*raw)[3], EVIL, (*raw)[5], &shape);
	KM_ASSERT(!err);
	net_identity(r->g.d.seed, EVIL, &id);
	again = net_resign(&id, *raw, *len, &shape, len);
	free(*raw);
	*raw = again;
	return NET_PASS;
}

static int run(struct replace *r)
{
	int done;

	group_init(&r->g, 77, 7, 2, 7, 2, 3);
	net_tap(r->g.net, tap, r);
	net_run(r->g.net, 1);
	for (unsigned i = 1; i <= 3; i += 2) {
		const struct net_party *p = net_party(r->g.net, (uint8_t)i);

		KM_ASSERT(p->done != p->dropped);
		KM_ASSERT(!(p->convicted & ~km_set_bit(EVIL)) && !p->disputed && !p->err);
	}
	done = net_party(r->g.net, 1)->done;
	if (done) {
		struct km_sign_input in;
		struct km_scalar a, b;

		/* what a run gives always signs */
		group_take(&r->g);
		group_input(&r->g, &in, "fuzz");
		if (group_presig(&r->g, 1, 0)) {
			int err = group_sign(&r->g, 0, &in, &a, &b);

			KM_ASSERT(!err || err == KM_E_EMPTY);
		}
		done = r->g.nps[1] == 2;
	}
	group_clear(&r->g);
	return done;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct replace r = { .p = data + 1, .n = size - 1 };

	if (size < 1 || size > 65536 || data[0] >= KINDS)
		return 0;
	r.kind = data[0];
	return run(&r);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct replace r = { .kind = kind };
		char name[] = "message-0";
		uint8_t *seed;

		KM_ASSERT(run(&r));
		seed = malloc(1 + r.kept_len);
		KM_ASSERT(seed);
		seed[0] = (uint8_t)kind;
		memcpy(seed + 1, r.kept, r.kept_len);
		name[8] = (char)('0' + kind);
		emit(ctx, name, seed, 1 + r.kept_len);
		free(seed);
		free(r.kept);
	}
}
