/* What a corrupt partner in a presign run by engine any can say, with its signature under it: points, columns, payload, shares.
 * Whatever the bytes, the honest peer convicts nobody else and ends the run one way or the other; and what it keeps signs.
 *
 * Input: which message | its body. Two peers, T = 2, one presignature; peer 2 is the corrupt one: its message is replaced. */
#include "fuzz.h"
#include "tests/lib/dealer.h"
#include "proto/presign_impl.h"

const char fuzz_name[] = "any";
const unsigned fuzz_rounds = 6;

#define EVIL 2

/* Every message of a run: its round, private or not. */
static const struct {
	uint8_t round, private;
	const char *name;
} kinds[] = {
	{ KM_ANY_Y1, 1, "y1" }, { KM_ANY_Y2, 1, "y2" }, { KM_ANY_Y3, 1, "y3-payload" }, { KM_ANY_Y3, 0, "y3-c0" },
	{ KM_ANY_Y4, 0, "y4" }, { 5, 0, "c3" },	      { 6, 0, "ok" },		 { 7, 0, "pass" },
	{ 8, 0, "c4" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct replace {
	struct group g;
	unsigned kind;
	const uint8_t *p;    /* NULL: let it pass and keep it */
	size_t n;
	uint8_t *kept;
	size_t kept_len;
};

static enum net_verdict tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct replace *r = ctx;
	struct km_identity id;
	struct km_shape shape;
	uint8_t *again;
	size_t size = *len - KM_MSG_HEAD;
	int err;

	if (from != EVIL || to != 1 || (*raw)[3] != kinds[r->kind].round || ((*raw)[5] != 0) != kinds[r->kind].private)
		return NET_PASS;
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
	const struct net_party *p;
	int done;

	group_init_any(&r->g, 77, 3, 3, 1);
	net_tap(r->g.net, tap, r);
	net_run(r->g.net, 1);
	p = net_party(r->g.net, 1);
	KM_ASSERT(p->done != p->dropped);
	KM_ASSERT(!(p->convicted & ~km_set_bit(EVIL)) && !p->disputed && !p->err);
	/* the other one is honest but for the message that was changed: it convicts nobody */
	KM_ASSERT(!net_party(r->g.net, EVIL)->convicted);
	done = p->done;
	if (done) {
		struct km_sign_input in;
		struct km_scalar a, b;

		group_take(&r->g);
		group_input(&r->g, &in, "fuzz");
		if (group_presig(&r->g, 1, 0) && net_party(r->g.net, EVIL)->done) {
			int err = group_sign(&r->g, 0, &in, &a, &b);

			KM_ASSERT(!err || err == KM_E_EMPTY);
		}
		done = r->g.nps[1] == 1;
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
		uint8_t *seed;

		KM_ASSERT(run(&r));
		seed = malloc(1 + r.kept_len);
		KM_ASSERT(seed);
		seed[0] = (uint8_t)kind;
		memcpy(seed + 1, r.kept, r.kept_len);
		emit(ctx, kinds[kind].name, seed, 1 + r.kept_len);
		free(seed);
		free(r.kept);
	}
}
