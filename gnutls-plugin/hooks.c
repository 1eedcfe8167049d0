/* hooks.c: the GnuTLS calls this library stands in front of, and its constructor.
 *
 * libgnutls calls its own exported functions through the PLT; so a library loaded before it (LD_PRELOAD) sees the calls of
 * servers and those inside libgnutls alike:
 *
 *	gnutls_privkey_import_x509       every way to load a key file ends here: a stub becomes an external key
 *	gnutls_privkey_sign_data2 ...    the only place where all bytes to be signed are seen, not just their hash
 *	gnutls_certificate_set_...       compare a stub's public key with the certificate: GnuTLS's own test needs a signature
 *	gnutls_pubkey_import_privkey     an external key has no public key of its own in GnuTLS
 */
#include "config.h"
#include "plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <gnutls/x509.h>

#define EXPORT __attribute__((visibility("default")))

/* The function behind ours. WHY looked up on first use and not in the constructor: other libraries' constructors may run
 * before ours and call GnuTLS. */
static void *behind(void **cache, const char *name)
{
	void *f = __atomic_load_n(cache, __ATOMIC_ACQUIRE);

	if (f)
		return f;
	f = dlsym(RTLD_NEXT, name);
	if (!f) {
		fprintf(stderr, "keymesh: no %s behind libgnutls-keymesh.so\n", name);
		abort();
	}
	__atomic_store_n(cache, f, __ATOMIC_RELEASE);
	return f;
}

#define BEHIND(fn)                                                                                                               \
	({                                                                                                                       \
		static void *cache_;                                                                                             \
		(__typeof__(&(fn)))behind(&cache_, #fn);                                                                         \
	})

/* ---- keys ---- */

EXPORT int gnutls_privkey_import_x509(gnutls_privkey_t pkey, gnutls_x509_privkey_t key, unsigned flags)
{
	struct km_rpc_key_info info;
	int ret;

	if (!kmg_stub_recognise(key, &info))
		return BEHIND(gnutls_privkey_import_x509)(pkey, key, flags);
	ret = kmg_key_attach(pkey, &info, flags & GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE ? key : NULL);
	if (ret >= 0 && !kmg_selftest_running())
		kmg_key_greet(kmg_key_find(pkey));
	return ret;
}

EXPORT int gnutls_pubkey_import_privkey(gnutls_pubkey_t key, gnutls_privkey_t pkey, unsigned usage, unsigned flags)
{
	struct kmg_key *k = kmg_key_find(pkey);
	const uint8_t *point;
	unsigned curve;
	size_t len;
	int ret;

	if (!k)
		return BEHIND(gnutls_pubkey_import_privkey)(key, pkey, usage, flags);
	kmg_key_point(k, &point, &len, &curve);
	ret = kmg_pubkey_import(key, curve, point);
	if (ret >= 0 && usage)
		ret = gnutls_pubkey_set_key_usage(key, usage);
	return ret;
}

/* ---- signatures ---- */

EXPORT int gnutls_privkey_sign_data2(gnutls_privkey_t signer, gnutls_sign_algorithm_t algo, unsigned flags,
				     const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	struct kmg_key *k = kmg_key_find(signer);

	return k ? kmg_sign_data(k, algo, data, signature)
		 : BEHIND(gnutls_privkey_sign_data2)(signer, algo, flags, data, signature);
}

EXPORT int gnutls_privkey_sign_hash2(gnutls_privkey_t signer, gnutls_sign_algorithm_t algo, unsigned flags,
				     const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	struct kmg_key *k = kmg_key_find(signer);

	return k ? kmg_sign_hash(k, algo, hash, signature)
		 : BEHIND(gnutls_privkey_sign_hash2)(signer, algo, flags, hash, signature);
}

EXPORT int gnutls_privkey_sign_data(gnutls_privkey_t signer, gnutls_digest_algorithm_t hash, unsigned flags,
				    const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	struct kmg_key *k = kmg_key_find(signer);

	if (!k)
		return BEHIND(gnutls_privkey_sign_data)(signer, hash, flags, data, signature);
	return kmg_sign_data(k, gnutls_pk_to_sign(GNUTLS_PK_ECDSA, hash), data, signature);
}

EXPORT int gnutls_privkey_sign_hash(gnutls_privkey_t signer, gnutls_digest_algorithm_t hash, unsigned flags,
				    const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	struct kmg_key *k = kmg_key_find(signer);

	if (!k)
		return BEHIND(gnutls_privkey_sign_hash)(signer, hash, flags, data, signature);
	return kmg_sign_hash(k, gnutls_pk_to_sign(GNUTLS_PK_ECDSA, hash), data, signature);
}

/* ---- key and certificate ---- */

static __thread struct kmg_tested tested;

struct kmg_tested *kmg_tested(void)
{
	return &tested;
}

/* The certificate of the pair added last; 0 and a public key, or a GnuTLS error. */
static int last_certificate(gnutls_certificate_credentials_t cred, gnutls_pubkey_t *pub)
{
	gnutls_datum_t cert, last = {NULL, 0};
	unsigned i;
	int ret;

	for (i = 0; gnutls_certificate_get_crt_raw(cred, i, 0, &cert) >= 0; i++)
		last = cert;
	if (!last.data)
		return GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
	ret = gnutls_pubkey_init(pub);
	if (ret < 0)
		return ret;
	ret = gnutls_pubkey_import_x509_raw(*pub, &last, GNUTLS_X509_FMT_DER, 0);
	if (ret < 0)
		gnutls_pubkey_deinit(*pub);
	return ret;
}

static int mismatch(void)
{
	kmg_log("the certificate is not of this key of the mesh: their public keys differ");
	return GNUTLS_E_CERTIFICATE_KEY_MISMATCH;
}

/* After GnuTLS added a pair: if its test met a key of ours (and was refused), we compare in its place. The calls nest; the
 * innermost finds the answer, the outer ones find nothing left to do. */
static int compared(gnutls_certificate_credentials_t cred, int ret)
{
	gnutls_pubkey_t pub;
	int same;

	if (!tested.seen)
		return ret;
	tested.seen = 0;
	if (ret < 0 || last_certificate(cred, &pub) < 0)
		return ret;
	same = kmg_pubkey_is(pub, tested.curve, tested.point);
	gnutls_pubkey_deinit(pub);
	return same ? ret : mismatch();
}

EXPORT int gnutls_certificate_set_key(gnutls_certificate_credentials_t res, const char **names, int names_size,
				      gnutls_pcert_st *pcert_list, int pcert_list_size, gnutls_privkey_t key)
{
	struct kmg_key *k = kmg_key_find(key);
	const uint8_t *point;
	unsigned curve;
	size_t len;

	/* WHY before the call: it takes key and certificates over, and on a mismatch they must stay the caller's */
	if (k && pcert_list_size > 0) {
		kmg_key_point(k, &point, &len, &curve);
		if (!kmg_pubkey_is(pcert_list[0].pubkey, curve, point))
			return mismatch();
	}
	return BEHIND(gnutls_certificate_set_key)(res, names, names_size, pcert_list, pcert_list_size, key);
}

EXPORT int gnutls_certificate_set_x509_key(gnutls_certificate_credentials_t res, gnutls_x509_crt_t *cert_list, int cert_list_size,
					   gnutls_x509_privkey_t key)
{
	tested.seen = 0;
	return compared(res, BEHIND(gnutls_certificate_set_x509_key)(res, cert_list, cert_list_size, key));
}

EXPORT int gnutls_certificate_set_x509_key_mem(gnutls_certificate_credentials_t res, const gnutls_datum_t *cert,
					       const gnutls_datum_t *key, gnutls_x509_crt_fmt_t type)
{
	tested.seen = 0;
	return compared(res, BEHIND(gnutls_certificate_set_x509_key_mem)(res, cert, key, type));
}

EXPORT int gnutls_certificate_set_x509_key_mem2(gnutls_certificate_credentials_t res, const gnutls_datum_t *cert,
						const gnutls_datum_t *key, gnutls_x509_crt_fmt_t type, const char *pass,
						unsigned flags)
{
	tested.seen = 0;
	return compared(res, BEHIND(gnutls_certificate_set_x509_key_mem2)(res, cert, key, type, pass, flags));
}

EXPORT int gnutls_certificate_set_x509_key_file(gnutls_certificate_credentials_t res, const char *certfile, const char *keyfile,
						gnutls_x509_crt_fmt_t type)
{
	tested.seen = 0;
	return compared(res, BEHIND(gnutls_certificate_set_x509_key_file)(res, certfile, keyfile, type));
}

EXPORT int gnutls_certificate_set_x509_key_file2(gnutls_certificate_credentials_t res, const char *certfile, const char *keyfile,
						 gnutls_x509_crt_fmt_t type, const char *pass, unsigned flags)
{
	tested.seen = 0;
	return compared(res, BEHIND(gnutls_certificate_set_x509_key_file2)(res, certfile, keyfile, type, pass, flags));
}

/* ---- start ---- */

/* WHY an alias: the exported name would give the address of whichever library is first. */
extern __typeof__(gnutls_privkey_sign_data2) own_sign_data2
    __attribute__((visibility("hidden"), alias("gnutls_privkey_sign_data2")));

__attribute__((constructor)) static void start(void)
{
	kmg_log_init();
	kmg_settings_load();
	kmg_client_init();
	kmg_key_init();
	kmg_url_register();
	kmg_selftest((void *)own_sign_data2);
}
