/* sign.c: POST /v1/sign.
 *
 *	{ "key": "www", "context": "tls13-server", "data": base64 }        the bytes to be signed, whole: signers read them
 *	{ "key": "www", "hash": hex }                                      context digest, where a key allows it
 */
#include "config.h"
#include "http/http.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/context.h"
#include "base/hash.h"
#include "http/idem.h"
#include "mesh/clock.h"
#include "mesh/files.h"
#include "rpc/der.h"

#define RETRY_PAUSE_MS 20
#define RETRIES 5

struct asked {
	const char *key;
	unsigned context;
	uint8_t data[KMH_MAX_BODY];
	size_t len;
};

/* ---- the request */

static int known_members(const json_t *o)
{
	static const char *const names[] = { "hash", "data", "context", "key", "nonce_policy" };
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)o, key, v) {
		size_t i;

		for (i = 0; i < sizeof(names) / sizeof(names[0]) && strcmp(names[i], key); i++)
			;
		if (i == sizeof(names) / sizeof(names[0]) || !json_is_string(v))
			return 0;
	}
	return 1;
}

static int take_data(struct asked *a, const char *text)
{
	struct base64_decode_ctx ctx;
	size_t n = strlen(text), out = sizeof(a->data);

	base64_decode_init(&ctx);
	if (n > KMH_MAX_BODY || !base64_decode_update(&ctx, &out, a->data, n, text) || !base64_decode_final(&ctx) || !out)
		return KM_E_ENCODING;
	a->len = out;
	return KM_OK;
}

static int take_hash(struct asked *a, const char *text)
{
	size_t n = strlen(text) / 2;

	if (n != 32 && n != 48 && n != 64)
		return KM_E_ENCODING;
	a->len = n;
	return kmd_hex_decode(a->data, n, text, strlen(text));
}

/* 0, or the status of the problem in r. */
static unsigned read_request(const json_t *o, struct asked *a, struct kmh_reply *r)
{
	const char *hash = json_string_value(json_object_get(o, "hash")), *data = json_string_value(json_object_get(o, "data"));
	const char *context = json_string_value(json_object_get(o, "context")), *nonce = json_string_value(json_object_get(o, "nonce_policy"));

	a->key = json_string_value(json_object_get(o, "key"));
	if (!json_is_object(o) || !known_members(o))
		*r = kmh_problem(400, "InvalidRequest", "the body is a JSON object with strings: key, context, data or hash, nonce_policy");
	else if (!a->key || !km_rpc_name_valid(a->key, strlen(a->key)))
		*r = kmh_problem(400, "InvalidRequest", "key is the name of a key: 1 to 63 of a-z 0-9 . _ -");
	else if (!hash == !data)
		*r = kmh_problem(400, "InvalidRequest", "either data (base64 of the bytes to be signed) or hash (hex) is needed");
	else if (nonce && strcmp(nonce, "precomputed"))
		*r = kmh_problem(400, "InvalidRequest", "nonce_policy is precomputed: nonces of this mesh never come from a request");
	else if (hash && take_hash(a, hash))
		*r = kmh_problem(400, "InvalidHashFormat", "hash is 64, 96 or 128 hex digits");
	else if (data && take_data(a, data))
		*r = kmh_problem(400, "InvalidRequest", "data is not base64 (RFC 4648, with padding), or empty, or too long");
	else if (!context && data)
		*r = kmh_problem(400, "InvalidRequest", "context says what data is, such as tls13-server");
	else if (context && !km_context_by_name(context))
		*r = kmh_problem(400, "InvalidRequest", "there is no such context; keymesh.conf(5) lists them");
	else if (context && hash && km_context_by_name(context) != KM_CTX_DIGEST)
		*r = kmh_problem(400, "InvalidRequest", "a hash has the context digest; for others give the bytes in data: signers read what they sign");
	else
		r->status = 0;
	a->context = context ? km_context_by_name(context) : KM_CTX_DIGEST;
	return r->status;
}

static int may(const struct kmh_client *client, const struct asked *a)
{
	for (unsigned i = 0; i < client->n_keys; i++)
		if (!strcmp(client->keys[i], a->key))
			return (client->contexts & km_context_bit(a->context)) != 0;
	return 0;
}

static int within_rate(struct kmh_conf *c, struct kmh_client *client)
{
	int ok = 1;

	if (!client->rate)
		return 1;
	pthread_mutex_lock(&c->rates);
	uint64_t now = kmd_mono_us(), since = client->at_us ? now - client->at_us : 1000000;
	int64_t most = (int64_t)client->rate * 1000000;

	client->micro += since > 1000000 ? most : (int64_t)(since * client->rate);
	if (client->micro > most)
		client->micro = most;
	client->at_us = now;
	if (client->micro >= 1000000)
		client->micro -= 1000000;
	else
		ok = 0;
	pthread_mutex_unlock(&c->rates);
	return ok;
}

/* ---- the answer */

static json_t *hex(const uint8_t *p, size_t n)
{
	char text[2 * KM_RPC_POINT_MAX + 1];

	kmd_hex_encode(text, p, n);
	return json_string(text);
}

static json_t *der_of(const struct km_rpc_signature *sig)
{
	char text[BASE64_ENCODE_RAW_LENGTH(KM_DER_SIGNATURE_MAX) + 1] = "";
	struct km_buf b;
	json_t *v = NULL;

	km_buf_init(&b);
	if (!km_der_put_signature(&b, sig->r, sig->s, sig->size)) {
		base64_encode_raw(text, b.len, b.data);
		text[BASE64_ENCODE_RAW_LENGTH(b.len)] = '\0';
		v = json_string(text);
	}
	km_buf_clear(&b);
	return v;
}

static json_t *members(uint32_t quorum)
{
	json_t *a = json_array();

	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (quorum >> (i - 1) & 1)
			json_array_append_new(a, json_integer(i));
	return a;
}

static json_t *time_of(uint64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	char text[64], zone[80];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(zone, sizeof(zone), "%s.%03uZ", text, (unsigned)(ms % 1000));
	return json_string(zone);
}

static struct kmh_reply answer(const struct km_rpc_key_info *info, const struct km_rpc_signature *sig)
{
	json_t *o = json_object();

	json_object_set_new(o, "key", json_string(info->name));
	json_object_set_new(o, "r", hex(sig->r, sig->size));
	json_object_set_new(o, "s", hex(sig->s, sig->size));
	json_object_set_new(o, "der", der_of(sig));
	json_object_set_new(o, "pubkey", hex(info->point, info->point_len));
	json_object_set_new(o, "quorum", members(sig->quorum));
	json_object_set_new(o, "precompute_id", hex(sig->presig, KM_HASH_SIZE));
	json_object_set_new(o, "timestamp", time_of(sig->time));
	if (json_object_size(o) != 8) {
		json_decref(o);
		o = NULL;
	}
	return kmh_reply_json(200, o);
}

static struct kmh_reply refusal(int err, const struct kmd_fail *f)
{
	switch (err) {
	case KM_E_RIGHTS:
	case KM_E_AUTH:
		return kmh_problem(403, "Forbidden", f->text);
	case KM_E_CONTEXT:
		return kmh_problem(400, "ContextMismatch", f->text);
	case KM_E_INVAL:
	case KM_E_LIMIT:
		return kmh_problem(400, "InvalidRequest", f->text);
	case KM_E_NOTFOUND:
		return kmh_problem(404, "UnknownKey", f->text);
	case KM_E_NOQUORUM:
		return kmh_problem(409, "QuorumInsufficient", f->text);
	case KM_E_EMPTY:
		return kmh_problem(424, "PrecomputeDepleted", f->text);
	case KM_E_RATE:
		return kmh_problem(429, "RateLimited", f->text);
	case KM_E_BUSY:
	case KM_E_DEADLINE:
	case KM_E_IO:
		return kmh_problem(503, "Unavailable", f->text);
	default:
		return kmh_problem(500, "InternalAggregationError", f->text);
	}
}

/* ---- asking keymeshd */

static int call(struct kmd_cli *a, const struct km_buf *b, unsigned type, unsigned ms, struct km_rpc_frame *frame, struct kmd_fail *f)
{
	int err = kmd_cli_call(a, b, type, (int)ms, frame);

	if (err)
		*f = a->fail;
	/* WHY also after a deadline of ours: an answer that still comes must not be taken for that of the next request */
	if (err == KM_E_IO || err == KM_E_DEADLINE || err == KM_E_STATE)
		kmh_agent_drop();
	return err;
}

static int ask_key(const struct kmh_conf *c, const char *name, struct km_rpc_key_info *info, struct kmd_fail *f)
{
	struct km_rpc_key m = {.by = KM_RPC_BY_NAME};
	struct km_rpc_frame frame;
	struct km_buf b;
	int err = KM_E_IO;

	memcpy(m.name, name, strlen(name));
	/* twice: the daemon may have been restarted since the connection was made */
	for (int i = 0; i < 2 && err == KM_E_IO; i++) {
		struct kmd_cli *a = kmh_agent(c, f);

		if (!a)
			return KM_E_IO;
		km_buf_init(&b);
		err = km_rpc_encode_key(&b, a->seq, &m);
		if (!err)
			err = call(a, &b, KM_RPC_KEY_INFO, c->deadline_ms, &frame, f);
		if (!err && km_rpc_decode_key_info(&frame, info))
			err = kmd_fail(f, KM_E_STATE, "keymeshd's description of the key cannot be read");
		km_buf_clear(&b);
	}
	return err;
}

static int ask_signature(const struct kmh_conf *c, const struct asked *a, const uint8_t key_id[KM_HASH_SIZE], const uint8_t random[KM_NONCE_SIZE],
			 struct km_rpc_signature *sig, struct kmd_fail *f)
{
	struct km_rpc_sign m = {.context = (uint8_t)a->context, .deadline_ms = c->deadline_ms, .data = a->data, .len = a->len};
	struct kmd_cli *agent = kmh_agent(c, f);
	struct km_rpc_frame frame;
	struct km_buf b;
	int err;

	if (!agent)
		return KM_E_IO;
	memcpy(m.key_id, key_id, KM_HASH_SIZE);
	memcpy(m.random, random, KM_NONCE_SIZE);
	km_buf_init(&b);
	err = km_rpc_encode_sign(&b, agent->seq, &m);
	if (err)
		kmd_fail(f, KM_E_INVAL, "these bytes cannot be asked for");
	else
		err = call(agent, &b, KM_RPC_SIGNATURE, c->deadline_ms + 500, &frame, f);
	if (!err && km_rpc_decode_signature(&frame, sig))
		err = kmd_fail(f, KM_E_STATE, "keymeshd's signature cannot be read");
	km_buf_clear(&b);
	return err;
}

static int sign_with_retry(const struct kmh_conf *c, const struct asked *a, const uint8_t key_id[KM_HASH_SIZE], const uint8_t random[KM_NONCE_SIZE],
			   struct km_rpc_signature *sig, struct kmd_fail *f)
{
	static const struct timespec pause = {.tv_nsec = RETRY_PAUSE_MS * 1000000};
	uint64_t end = kmd_mono_us() + (uint64_t)c->deadline_ms * 1000;
	int err = ask_signature(c, a, key_id, random, sig, f);

	for (int i = 0; i < RETRIES && err == KM_E_EMPTY && kmd_mono_us() < end; i++) {
		nanosleep(&pause, NULL);
		err = ask_signature(c, a, key_id, random, sig, f);
	}
	return err;
}

/* With an Idempotency-Key the random of the request comes from it: also the mesh takes a repetition for the same request. */
static void identify(const struct kmh_client *client, const struct asked *a, const char *idem, uint8_t key[KM_HASH_SIZE], uint8_t request[KM_HASH_SIZE],
		     uint8_t random[KM_NONCE_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "http-request");
	km_hash_str(&h, a->key);
	km_hash_u8(&h, (uint8_t)a->context);
	km_hash_field(&h, a->data, a->len);
	km_hash_final(&h, request);
	if (!idem) {
		kmd_random(random, KM_NONCE_SIZE);
		return;
	}
	km_hash_init(&h, "http-idempotency");
	km_hash_str(&h, client->fingerprint);
	km_hash_str(&h, idem);
	km_hash_final(&h, key);
	memcpy(random, key + KM_HASH_SIZE - KM_NONCE_SIZE, KM_NONCE_SIZE);
}

static struct kmh_reply sign(struct kmh_conf *c, struct kmh_client *client, const struct asked *a, const char *idem)
{
	uint8_t key[KM_HASH_SIZE], request[KM_HASH_SIZE], random[KM_NONCE_SIZE];
	struct km_rpc_key_info info;
	struct km_rpc_signature sig;
	struct kmd_fail f = {""};
	int err;

	err = ask_key(c, a->key, &info, &f);
	if (err)
		return refusal(err, &f);
	identify(client, a, idem, key, request, random);
	err = idem ? kmh_idem_find(key, request, kmd_mono_us(), &sig) : KM_E_NOTFOUND;
	if (err == KM_E_MISMATCH)
		return kmh_problem(422, "IdempotencyMismatch", "this Idempotency-Key was used for another request");
	if (err) {
		err = sign_with_retry(c, a, info.key_id, random, &sig, &f);
		if (err)
			return refusal(err, &f);
		if (idem)
			kmh_idem_keep(key, request, kmd_mono_us(), &sig);
	}
	return answer(&info, &sig);
}

struct kmh_reply kmh_sign(struct kmh_conf *c, struct kmh_client *client, const char *body, size_t len, const char *idem)
{
	struct kmh_reply r = {.status = 0};
	struct asked *a;
	json_t *o;

	if (!within_rate(c, client))
		return kmh_problem(429, "RateLimited", "this client asks for more than its rate allows");
	if (idem && (!*idem || strlen(idem) > KMH_MAX_IDEM_KEY))
		return kmh_problem(400, "InvalidRequest", "Idempotency-Key has 1 to 255 characters");
	a = calloc(1, sizeof(*a));
	if (!a)
		return kmh_problem(503, "Unavailable", "out of memory");
	o = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	if (!o)
		r = kmh_problem(400, "InvalidRequest", "the body is not JSON");
	else if (read_request(o, a, &r))
		;
	else if (!may(client, a))
		r = kmh_problem(403, "Forbidden", "this client may not ask for this key in this context");
	else
		r = sign(c, client, a, idem);
	json_decref(o);
	free(a);
	return r;
}
