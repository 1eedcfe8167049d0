/* setup.c: bytes of PROPOSE and JOIN, and the sid that they make.
 *
 * WHY a JOIN of everybody: an initiator alone could repeat a sid after a restart of another, make an honest peer contradict
 * itself and replay old verdicts. WHY a JOIN's own sid field holds its nonce: a peer that restarted and joins a replayed proposal
 * again must not look like one that equivocates. */
#include "setup.h"

#include <string.h>
#include "../base/hash.h"
#include "../base/rules.h"

#define PROPOSE_DKG (KM_PROPOSE_HEAD + 1 + KM_MAX_NAME + 2)
#define PROPOSE_RESHARE (PROPOSE_DKG + 3 * 4 + 2 * KM_HASH_SIZE)

_Static_assert(KM_MSG_HEAD + PROPOSE_RESHARE <= KM_PROPOSE_MAX, "every PROPOSE fits its bound");

struct km_shape km_setup_propose_shape(const struct km_proposal *pr)
{
	if (pr->purpose == KM_PURPOSE_DKG)
		return (struct km_shape){PROPOSE_DKG, 0, 0};
	if (pr->purpose == KM_PURPOSE_RESHARE)
		return (struct km_shape){PROPOSE_RESHARE, 0, 0};
	return (struct km_shape){KM_PROPOSE_HEAD, KM_PROPOSE_ROW, pr->batch};
}

struct km_shape km_setup_join_shape(unsigned purpose)
{
	return (struct km_shape){.head = purpose == KM_PURPOSE_RESHARE ? KM_JOIN_RESHARE : KM_JOIN_BODY};
}

void km_setup_put(struct km_buf *b, const struct km_proposal *pr, const struct km_presign_row *rows)
{
	km_put_u8(b, pr->purpose);
	km_put_bytes(b, pr->hash, KM_HASH_SIZE);
	km_put_u32(b, pr->participants);
	km_put_u8(b, pr->engine);
	km_put_u16(b, pr->batch);
	km_put_u64(b, pr->time_ms);
	km_put_bytes(b, pr->incarnation, KM_NONCE_SIZE);
	km_put_bytes(b, pr->nonce, KM_NONCE_SIZE);
	if (pr->purpose != KM_PURPOSE_PRESIGN) {
		km_put_u8(b, (uint8_t)strlen(pr->name));
		km_put_bytes(b, pr->name, KM_MAX_NAME);
		km_put_u8(b, pr->threshold);
		km_put_u8(b, pr->curve);
	}
	if (pr->purpose == KM_PURPOSE_RESHARE) {
		km_put_u32(b, pr->dealers);
		km_put_u32(b, pr->joiners);
		km_put_u32(b, pr->members);
		km_put_bytes(b, pr->committee, KM_HASH_SIZE);
		km_put_bytes(b, pr->cert, KM_HASH_SIZE);
	}
	if (pr->purpose != KM_PURPOSE_PRESIGN)
		return;
	for (unsigned i = 0; i < pr->batch; i++) {
		km_put_u8(b, rows[i].owner);
		km_put_u32(b, rows[i].quorum);
	}
}

static void get_key(struct km_proposal *pr, struct km_reader *r)
{
	size_t n = km_get_u8(r);

	km_get_bytes(r, pr->name, KM_MAX_NAME);
	pr->threshold = km_get_u8(r);
	pr->curve = km_get_u8(r);
	/* one name, one encoding */
	if (strlen(pr->name) != n || !km_name_valid(pr->name, n) || pr->batch)
		km_reader_fail(r, KM_E_ENCODING);
	for (size_t i = n; i < KM_MAX_NAME; i++)
		if (pr->name[i])
			km_reader_fail(r, KM_E_ENCODING);
}

static void get_reshare(struct km_proposal *pr, struct km_reader *r)
{
	pr->dealers = km_get_u32(r);
	pr->joiners = km_get_u32(r);
	pr->members = km_get_u32(r);
	km_get_bytes(r, pr->committee, KM_HASH_SIZE);
	km_get_bytes(r, pr->cert, KM_HASH_SIZE);
	if (pr->engine || pr->participants != (pr->dealers | pr->joiners) || (pr->joiners & ~pr->members))
		km_reader_fail(r, KM_E_ENCODING);
}

int km_setup_get(struct km_proposal *pr, struct km_presign_row *rows, const uint8_t *body, size_t len)
{
	struct km_reader r;

	memset(pr, 0, sizeof(*pr));
	km_reader_init(&r, body, len);
	pr->purpose = km_get_u8(&r);
	km_get_bytes(&r, pr->hash, KM_HASH_SIZE);
	pr->participants = km_get_u32(&r);
	pr->engine = km_get_u8(&r);
	pr->batch = km_get_u16(&r);
	pr->time_ms = km_get_u64(&r);
	km_get_bytes(&r, pr->incarnation, KM_NONCE_SIZE);
	km_get_bytes(&r, pr->nonce, KM_NONCE_SIZE);
	if (pr->purpose == KM_PURPOSE_DKG) {
		get_key(pr, &r);
	} else if (pr->purpose == KM_PURPOSE_RESHARE) {
		get_key(pr, &r);
		get_reshare(pr, &r);
	} else if (pr->purpose == KM_PURPOSE_PRESIGN) {
		if (pr->batch < 1 || pr->batch > KM_MAX_BATCH)
			return KM_E_LIMIT;
		for (unsigned i = 0; i < pr->batch; i++) {
			rows[i].owner = km_get_u8(&r);
			rows[i].quorum = km_get_u32(&r);
		}
	} else {
		km_reader_fail(&r, KM_E_ENCODING);
	}
	return km_reader_end(&r);
}

static void tagged(const char *purpose, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, purpose);
	km_hash_field(&h, a, a_len);
	if (b)
		km_hash_field(&h, b, b_len);
	km_hash_final(&h, out);
}

void km_setup_propose_sid(const uint8_t *body, size_t len, uint8_t sid[KM_HASH_SIZE])
{
	tagged("propose", body, len, NULL, 0, sid);
}

void km_setup_join_sid(const uint8_t body[KM_JOIN_BODY], uint8_t sid[KM_HASH_SIZE])
{
	tagged("join", body, KM_HASH_SIZE, body + KM_HASH_SIZE + KM_NONCE_SIZE, KM_NONCE_SIZE, sid);
}

void km_setup_join_put(uint8_t body[KM_JOIN_BODY], const uint8_t proposal_id[KM_HASH_SIZE], const uint8_t incarnation[KM_NONCE_SIZE],
		       const uint8_t nonce[KM_NONCE_SIZE])
{
	memcpy(body, proposal_id, KM_HASH_SIZE);
	memcpy(body + KM_HASH_SIZE, incarnation, KM_NONCE_SIZE);
	memcpy(body + KM_HASH_SIZE + KM_NONCE_SIZE, nonce, KM_NONCE_SIZE);
}

void km_setup_join_put_epoch(uint8_t body[KM_JOIN_RESHARE], const struct km_epoch *highest, const uint8_t *cert)
{
	static const struct km_epoch none;
	static const uint8_t no_cert[KM_HASH_SIZE];
	const struct km_epoch *e = highest ? highest : &none;
	struct km_buf b;

	km_buf_init_fixed(&b, body + KM_JOIN_BODY, KM_JOIN_RESHARE - KM_JOIN_BODY);
	km_put_u64(&b, e->number);
	km_put_bytes(&b, e->sid, KM_HASH_SIZE);
	km_put_bytes(&b, e->table, KM_HASH_SIZE);
	km_put_bytes(&b, cert ? cert : no_cert, KM_HASH_SIZE);
	KM_ASSERT(!b.err && b.len == KM_JOIN_RESHARE - KM_JOIN_BODY);
}

void km_setup_join_get_epoch(const uint8_t body[KM_JOIN_RESHARE], struct km_epoch *highest, uint8_t cert[KM_HASH_SIZE])
{
	struct km_reader r;

	km_reader_init(&r, body + KM_JOIN_BODY, KM_JOIN_RESHARE - KM_JOIN_BODY);
	highest->number = km_get_u64(&r);
	km_get_bytes(&r, highest->sid, KM_HASH_SIZE);
	km_get_bytes(&r, highest->table, KM_HASH_SIZE);
	km_get_bytes(&r, cert, KM_HASH_SIZE);
}

int km_setup_number(const struct km_proposal *pr, const struct km_epoch *highest, uint64_t *number)
{
	uint64_t top = pr->time_ms / 1000;

	*number = 0;
	for (unsigned i = km_set_next(pr->participants, 0); i; i = km_set_next(pr->participants, i)) {
		if (highest[i].number == UINT64_MAX)
			return KM_E_RANGE;
		if (highest[i].number + 1 > top)
			top = highest[i].number + 1;
	}
	*number = top;
	return KM_OK;
}

void km_setup_committee(uint32_t members, unsigned threshold, const uint8_t (*idkeys)[KM_IDKEY_SIZE], uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "committee");
	km_hash_u8(&h, (uint8_t)threshold);
	for (unsigned i = km_set_next(members, 0); i; i = km_set_next(members, i)) {
		km_hash_u8(&h, (uint8_t)i);
		km_hash_field(&h, idkeys[i], KM_IDKEY_SIZE);
	}
	km_hash_final(&h, out);
}

void km_setup_sid(const uint8_t proposal_id[KM_HASH_SIZE], uint32_t participants, const uint8_t (*join_digest)[KM_HASH_SIZE],
		  uint8_t sid[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "sid");
	km_hash_u16(&h, KM_MSG_VERSION);
	km_hash_field(&h, proposal_id, KM_HASH_SIZE);
	for (unsigned i = km_set_next(participants, 0); i; i = km_set_next(participants, i))
		if (KM_RULE(km_rule_fresh_sid))
			km_hash_field(&h, join_digest[i], KM_HASH_SIZE);
	km_hash_final(&h, sid);
}
