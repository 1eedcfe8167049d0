/* key.c: a key of the mesh behind a gnutls_privkey_t, and its signatures.
 *
 * GnuTLS gives no way from a gnutls_privkey_t to the data of its callbacks, and the hooks need one; so our keys are kept in a
 * table by address, from import to deinit (GnuTLS calls deinit before the address can be used again). */
#include "config.h"
#include "plugin.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include "base/context.h"
#include "rpc/der.h"

/* The daemon's deadline is this much before ours: a part of it, at most so many ms. */
enum { ANSWER_PART = 16, ANSWER_MS = 100 };

struct kmg_key {
	struct kmg_key *next;
	gnutls_privkey_t owner;
	gnutls_x509_privkey_t release;
	unsigned curve;
	uint8_t point[KM_RPC_POINT_MAX];
	size_t point_len;
	pthread_mutex_t lock; /* of what follows: a stub's id is learnt from the daemon */
	int id_known;
	uint8_t id[KM_HASH_SIZE];
	char name[KM_MAX_NAME + 1];
};

static const struct {
	gnutls_ecc_curve_t curve;
	const char *oid_name;
	gnutls_digest_algorithm_t digest;
	gnutls_sign_algorithm_t tls12, tls13;
	unsigned bits;
} algorithms[] = {
    {GNUTLS_ECC_CURVE_INVALID, "", GNUTLS_DIG_UNKNOWN, GNUTLS_SIGN_UNKNOWN, GNUTLS_SIGN_UNKNOWN, 0},
    {GNUTLS_ECC_CURVE_SECP256R1, "P-256", GNUTLS_DIG_SHA256, GNUTLS_SIGN_ECDSA_SHA256, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, 256},
    {GNUTLS_ECC_CURVE_SECP384R1, "P-384", GNUTLS_DIG_SHA384, GNUTLS_SIGN_ECDSA_SHA384, GNUTLS_SIGN_ECDSA_SECP384R1_SHA384, 384},
    {GNUTLS_ECC_CURVE_SECP521R1, "P-521", GNUTLS_DIG_SHA512, GNUTLS_SIGN_ECDSA_SHA512, GNUTLS_SIGN_ECDSA_SECP521R1_SHA512, 528},
};

#define BUCKETS 64
#define GREET_MS 500 /* for asking the daemon while a server loads its keys */

static struct {
	pthread_mutex_t lock;
	struct kmg_key *bucket[BUCKETS];
} keys = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_uint counter;

/* Never 0: that is the connection's own. */
static uint32_t next_seq(void)
{
	uint32_t seq = atomic_fetch_add(&counter, 1);

	return seq ? seq : atomic_fetch_add(&counter, 1);
}

static void before_fork(void)
{
	pthread_mutex_lock(&keys.lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&keys.lock);
}

/* The table was consistent (we held its lock); a key's own lock may have been held by a thread that is gone. */
static void after_fork_in_child(void)
{
	pthread_mutex_init(&keys.lock, NULL);
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct kmg_key *k = keys.bucket[i]; k; k = k->next)
			pthread_mutex_init(&k->lock, NULL);
}

void kmg_key_init(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static struct kmg_key **bucket_of(gnutls_privkey_t pkey)
{
	uintptr_t v = (uintptr_t)pkey;

	return &keys.bucket[(v >> 4 ^ v >> 10) % BUCKETS];
}

struct kmg_key *kmg_key_find(gnutls_privkey_t pkey)
{
	struct kmg_key *k;

	pthread_mutex_lock(&keys.lock);
	for (k = *bucket_of(pkey); k && k->owner != pkey; k = k->next)
		;
	pthread_mutex_unlock(&keys.lock);
	return k;
}

void kmg_key_point(const struct kmg_key *k, const uint8_t **point, size_t *len, unsigned *curve)
{
	*point = k->point;
	*len = k->point_len;
	*curve = k->curve;
}

gnutls_sign_algorithm_t kmg_key_sign_algorithm(const struct kmg_key *k)
{
	return algorithms[k->curve].tls12;
}

static int fits(const struct kmg_key *k, gnutls_sign_algorithm_t algo)
{
	return algo == algorithms[k->curve].tls12 || algo == algorithms[k->curve].tls13;
}

/* ---- the callbacks of the external key ---- */

static void on_deinit(gnutls_privkey_t pkey, void *userdata)
{
	struct kmg_key *k = userdata, **at;

	pthread_mutex_lock(&keys.lock);
	for (at = bucket_of(k->owner); *at && *at != k; at = &(*at)->next)
		;
	if (*at)
		*at = k->next;
	pthread_mutex_unlock(&keys.lock);
	if (k->release)
		gnutls_x509_privkey_deinit(k->release);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

/* Steers GnuTLS to the one digest of the curve. It is no gate: the signing functions check again. */
static int on_info(gnutls_privkey_t pkey, unsigned flags, void *userdata)
{
	const struct kmg_key *k = userdata;

	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return GNUTLS_PK_ECDSA;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)algorithms[k->curve].bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return fits(k, (gnutls_sign_algorithm_t)GNUTLS_FLAGS_TO_SIGN_ALGO(flags));
	if (flags & GNUTLS_PRIVKEY_INFO_SIGN_ALGO)
		return (int)algorithms[k->curve].tls12;
	return -1;
}

/* Reached by what goes around the hooks: X.509 signing, PKCS#7, a caller with a hash. */
static int on_sign_hash(gnutls_privkey_t pkey, gnutls_sign_algorithm_t algo, void *userdata, unsigned flags,
			const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	return kmg_sign_hash(userdata, algo, hash, signature);
}

static void set_id(struct kmg_key *k, const struct km_rpc_key_info *info)
{
	pthread_mutex_lock(&k->lock);
	memcpy(k->id, info->key_id, sizeof(k->id));
	memcpy(k->name, info->name, sizeof(k->name));
	k->id_known = 1;
	pthread_mutex_unlock(&k->lock);
}

static int get_id(struct kmg_key *k, uint8_t id[KM_HASH_SIZE])
{
	int known;

	pthread_mutex_lock(&k->lock);
	known = k->id_known;
	memcpy(id, k->id, sizeof(k->id));
	pthread_mutex_unlock(&k->lock);
	return known;
}

static void forget_id(struct kmg_key *k)
{
	pthread_mutex_lock(&k->lock);
	k->id_known = 0;
	pthread_mutex_unlock(&k->lock);
}

/* For the log; a stub whose daemon never answered has no name yet. */
static const char *name_of(struct kmg_key *k, char name[KM_MAX_NAME + 1])
{
	pthread_mutex_lock(&k->lock);
	memcpy(name, k->name, sizeof(k->name));
	pthread_mutex_unlock(&k->lock);
	return name[0] ? name : "(a stub not yet known to keymeshd)";
}

int kmg_key_attach(gnutls_privkey_t pkey, const struct km_rpc_key_info *info, gnutls_x509_privkey_t release)
{
	struct kmg_key *k = calloc(1, sizeof(*k)), **at;
	int ret;

	if (!k)
		return GNUTLS_E_MEMORY_ERROR;
	k->owner = pkey;
	k->release = release;
	k->curve = info->curve;
	k->point_len = info->point_len;
	memcpy(k->point, info->point, sizeof(k->point));
	pthread_mutex_init(&k->lock, NULL);
	if (info->name[0] != '\0')
		set_id(k, info);
	ret =
	    gnutls_privkey_import_ext4(pkey, k, NULL, on_sign_hash, NULL, on_deinit, on_info, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE);
	if (ret < 0) {
		/* not owned by pkey: neither k nor what the caller gave */
		pthread_mutex_destroy(&k->lock);
		free(k);
		return ret;
	}
	pthread_mutex_lock(&keys.lock);
	at = bucket_of(pkey);
	k->next = *at;
	*at = k;
	pthread_mutex_unlock(&keys.lock);
	return GNUTLS_E_SUCCESS;
}

/* ---- public keys ---- */

int kmg_pubkey_import(gnutls_pubkey_t pub, unsigned curve, const uint8_t *point)
{
	unsigned size = (unsigned)km_rpc_scalar_size(curve);
	uint8_t xy[2 * KM_SCALAR_MAX];
	gnutls_datum_t x = {xy, size}, y = {xy + size, size};

	memcpy(xy, point + 1, 2 * (size_t)size);
	return gnutls_pubkey_import_ecc_raw(pub, algorithms[curve].curve, &x, &y);
}

int kmg_pubkey_is(gnutls_pubkey_t pub, unsigned curve, const uint8_t *point)
{
	gnutls_pubkey_t own;
	gnutls_datum_t a = {NULL, 0}, b = {NULL, 0};
	int same = 0;

	if (gnutls_pubkey_init(&own) < 0)
		return 0;
	if (kmg_pubkey_import(own, curve, point) >= 0 && gnutls_pubkey_export2(own, GNUTLS_X509_FMT_DER, &a) >= 0 &&
	    gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &b) >= 0)
		same = a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
	gnutls_free(a.data);
	gnutls_free(b.data);
	gnutls_pubkey_deinit(own);
	return same;
}

/* ---- asking the daemon ---- */

/* The daemon's own words for a refusal; KM_OK when the frame is of the type wanted. */
static int check_answer(const struct km_rpc_frame *f, unsigned type, char *why, size_t why_size)
{
	struct km_rpc_text t;

	if (f->type == type)
		return KM_OK;
	if (f->type != KM_RPC_ERROR || km_rpc_decode_text(f, &t) != KM_OK) {
		snprintf(why, why_size, "an answer of type %u that was not asked for", f->type);
		return KM_E_ENCODING;
	}
	snprintf(why, why_size, "keymeshd: %.*s (%s)", (int)(t.len < 160 ? t.len : 160), t.text, km_errname(t.err));
	return t.err;
}

int kmg_key_ask(const struct km_rpc_key *query, int64_t deadline, int patient, struct km_rpc_key_info *info, char *why,
		size_t why_size)
{
	uint8_t out[512], in[KMG_ANSWER_SIZE];
	uint32_t seq = next_seq();
	struct km_rpc_frame frame;
	struct km_buf request;
	int err;

	memset(info, 0, sizeof(*info));
	snprintf(why, why_size, "the request cannot be written");
	km_buf_init_fixed(&request, out, sizeof(out));
	err = km_rpc_encode_key(&request, seq, query);
	if (!err)
		err = kmg_client_call(&request, seq, deadline, patient, in, sizeof(in), &frame, why, why_size);
	if (!err)
		err = check_answer(&frame, KM_RPC_KEY_INFO, why, why_size);
	if (err)
		return err;
	err = km_rpc_decode_key_info(&frame, info);
	if (err)
		snprintf(why, why_size, "a damaged answer of keymeshd: %s", km_strerror(err));
	return err;
}

/* Learns the id of a key that came as a stub: by its point. Two threads may ask at once, to the same end. */
static int learn_id(struct kmg_key *k, int64_t deadline, int patient, uint8_t id[KM_HASH_SIZE], char *why, size_t why_size)
{
	struct km_rpc_key query = {.by = KM_RPC_BY_POINT, .point_len = k->point_len};
	struct km_rpc_key_info info;
	int err;

	if (get_id(k, id))
		return KM_OK;
	memcpy(query.point, k->point, sizeof(query.point));
	err = kmg_key_ask(&query, deadline, patient, &info, why, why_size);
	if (err)
		return err;
	if (info.curve != k->curve || info.point_len != k->point_len || memcmp(info.point, k->point, info.point_len) != 0) {
		snprintf(why, why_size, "keymeshd answered with another key");
		return KM_E_MISMATCH;
	}
	set_id(k, &info);
	memcpy(id, info.key_id, KM_HASH_SIZE);
	return KM_OK;
}

void kmg_key_greet(struct kmg_key *k)
{
	uint8_t id[KM_HASH_SIZE];
	char why[KMG_WHY_SIZE];
	int err;

	if (kmg_settings.broken[0]) {
		kmg_log("a key of the mesh is loaded, but nothing will be signed: %s", kmg_settings.broken);
		return;
	}
	err = learn_id(k, kmg_now_ms() + GREET_MS, 0, id, why, sizeof(why));
	if (err)
		kmg_log("a key of the mesh is loaded, but cannot sign yet: %s", why);
}

/* ---- signing ---- */

static int is_test_text(const gnutls_datum_t *data)
{
	return data->size == 9 && memcmp(data->data, "test text", 9) == 0;
}

static int is_test_digest(const struct kmg_key *k, const gnutls_datum_t *hash)
{
	uint8_t digest[64];
	unsigned n = gnutls_hash_get_len(algorithms[k->curve].digest);

	return hash->size == n && gnutls_hash_fast(algorithms[k->curve].digest, "test text", 9, digest) == 0 &&
	       memcmp(digest, hash->data, n) == 0;
}

/* WHY refused: the load succeeds all the same, a server starts without a quorum, and Exim pays for no signature but the
 * handshake's own. The hooks compare the public keys instead. */
static int refuse_test(const struct kmg_key *k)
{
	struct kmg_tested *t = kmg_tested();

	t->seen = 1;
	t->curve = k->curve;
	memcpy(t->point, k->point, sizeof(t->point));
	return GNUTLS_E_PK_SIGN_FAILED;
}

static int put_signature(const struct kmg_key *k, const struct km_rpc_signature *m, gnutls_datum_t *signature, char *why,
			 size_t why_size)
{
	uint8_t der[KM_DER_SIGNATURE_MAX];
	struct km_buf b;

	km_buf_init_fixed(&b, der, sizeof(der));
	if (m->size != km_rpc_scalar_size(k->curve) || km_der_put_signature(&b, m->r, m->s, m->size) != KM_OK) {
		snprintf(why, why_size, "keymeshd answered with no signature of this curve");
		return KM_E_ENCODING;
	}
	signature->data = gnutls_malloc(b.len);
	if (!signature->data) {
		snprintf(why, why_size, "out of memory");
		return KM_E_NOMEM;
	}
	memcpy(signature->data, der, b.len);
	signature->size = (unsigned)b.len;
	return KM_OK;
}

static int request_signature(struct kmg_key *k, unsigned context, const gnutls_datum_t *data, int64_t deadline,
			     gnutls_datum_t *signature, char *why, size_t why_size)
{
	struct km_rpc_sign sign = {.context = (uint8_t)context, .data = data->data, .len = data->size};
	uint32_t seq = next_seq();
	struct km_rpc_signature answer;
	struct km_rpc_frame frame;
	uint8_t in[KMG_ANSWER_SIZE];
	struct km_buf request;
	int64_t left;
	int err;

	km_buf_init(&request);
	err = learn_id(k, deadline, 1, sign.key_id, why, why_size);
	if (err)
		goto out;
	/* WHY earlier than ours: then the daemon's reason gets here in time for the log, instead of "no answer in time" */
	left = deadline - kmg_now_ms();
	left -= left / ANSWER_PART < ANSWER_MS ? left / ANSWER_PART : ANSWER_MS;
	sign.deadline_ms = left > 1 ? (uint32_t)left : 1;
	snprintf(why, why_size, "the request cannot be written");
	err = gnutls_rnd(GNUTLS_RND_NONCE, sign.random, sizeof(sign.random)) < 0 ? KM_E_IO : KM_OK;
	if (!err)
		err = km_rpc_encode_sign(&request, seq, &sign);
	if (!err)
		err = kmg_client_call(&request, seq, deadline, 1, in, sizeof(in), &frame, why, why_size);
	if (!err)
		err = check_answer(&frame, KM_RPC_SIGNATURE, why, why_size);
	if (err)
		goto out;
	err = km_rpc_decode_signature(&frame, &answer);
	if (err)
		snprintf(why, why_size, "a damaged answer of keymeshd: %s", km_strerror(err));
	else
		err = put_signature(k, &answer, signature, why, why_size);
out:
	/* ask again next time: the mesh may have been set up anew with this key */
	if (err == KM_E_NOTFOUND)
		forget_id(k);
	km_buf_clear(&request);
	return err;
}

static int sign_in_time(struct kmg_key *k, unsigned context, const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	int64_t begin = kmg_now_ms();
	char why[KMG_WHY_SIZE], name[KM_MAX_NAME + 1];
	int err;

	if (kmg_settings.broken[0]) {
		kmg_log("nothing is signed: %s", kmg_settings.broken);
		return GNUTLS_E_PK_SIGN_FAILED;
	}
	err = request_signature(k, context, data, begin + kmg_settings.deadline_ms, signature, why, sizeof(why));
	if (!err)
		return GNUTLS_E_SUCCESS;
	kmg_log("no %s signature with key %s after %d ms: %s; %s", km_context_name(context), name_of(k, name),
		(int)(kmg_now_ms() - begin), why,
		context == KM_CTX_DIGEST ? "only a hash is known of what is to be signed" : "the client's handshake fails");
	return GNUTLS_E_PK_SIGN_FAILED;
}

int kmg_sign_data(struct kmg_key *k, gnutls_sign_algorithm_t algo, const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	unsigned context;

	if (!fits(k, algo)) {
		kmg_log("a signature by %s is asked of a %s key: refused", gnutls_sign_get_name(algo),
			algorithms[k->curve].oid_name);
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	}
	if (is_test_text(data))
		return refuse_test(k);
	context = kmg_classify(data->data, data->size);
	if (context == 0) {
		kmg_log("%u bytes to be signed are neither a TLS 1.3 nor a TLS 1.2 server's: refused", data->size);
		return GNUTLS_E_PK_SIGN_FAILED;
	}
	return sign_in_time(k, context, data, signature);
}

/* Only the hash is known: the context "digest", which the mesh refuses unless the operator allows it for this key. */
int kmg_sign_hash(struct kmg_key *k, gnutls_sign_algorithm_t algo, const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	if (!fits(k, algo) || hash->size != gnutls_hash_get_len(algorithms[k->curve].digest)) {
		kmg_log("a signature by %s of a hash of %u bytes is asked of a %s key: refused", gnutls_sign_get_name(algo),
			hash->size, algorithms[k->curve].oid_name);
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	}
	if (is_test_digest(k, hash))
		return refuse_test(k);
	return sign_in_time(k, KM_CTX_DIGEST, hash, signature);
}
