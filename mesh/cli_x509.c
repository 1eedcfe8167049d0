/* cli_x509.c: keymesh csr and selfsign.
 *
 * The mesh signs only bytes that it can read, so the whole to-be-signed part is needed and not its hash, which is all that a
 * GnuTLS callback gets for ECDSA. So: GnuTLS writes the request or certificate with the mesh's public key and a signature by a
 * throwaway key of the same kind; the mesh signs the to-be-signed part of that; the outer SEQUENCE is put together anew and
 * checked. */
#include "config.h"
#include "mesh/cli.h"

#include <getopt.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/context.h"
#include "ec/curve.h"
#include "mesh/files.h"
#include "rpc/der.h"

#define MAX_NAMES 100

struct request {
	const char *socket, *out, *key, *dns[MAX_NAMES];
	unsigned n_dns;
	long days;
};

static int parse(struct request *r, int argc, char **argv, int days_allowed)
{
	static const struct option options[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"output", required_argument, NULL, 'o'},
	    {"dns", required_argument, NULL, 'n'},
	    {"days", required_argument, NULL, 'd'},
	    {NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (opt == 's') {
			r->socket = optarg;
		} else if (opt == 'o') {
			r->out = optarg;
		} else if (opt == 'n' && r->n_dns < MAX_NAMES && *optarg && strlen(optarg) <= 253) {
			r->dns[r->n_dns++] = optarg;
		} else if (opt == 'n') {
			return kmd_cli_usage(argv[0], "--dns is a host name, at most %d of them", MAX_NAMES);
		} else if (opt == 'd' && days_allowed) {
			r->days = kmd_cli_number(optarg, 1, 3650);
			if (r->days < 0)
				return kmd_cli_usage(argv[0], "--days is a number from 1 to 3650");
		} else {
			return kmd_cli_usage(argv[0], "wrong option");
		}
	}
	if (optind + 1 != argc || !r->n_dns)
		return kmd_cli_usage(argv[0], "one NAME of a key and at least one --dns are needed");
	r->key = argv[optind];
	return KMD_EXIT_OK;
}

/* ---- GnuTLS objects of a key */

static int import_public(gnutls_pubkey_t *pub, const struct km_rpc_key_info *info)
{
	unsigned size = (unsigned)km_rpc_scalar_size(info->curve);
	uint8_t point[KM_RPC_POINT_MAX];
	gnutls_datum_t x = {point + 1, size}, y = {point + 1 + size, size};
	int ret;

	memcpy(point, info->point, info->point_len);
	ret = gnutls_pubkey_init(pub);
	return ret ? ret : gnutls_pubkey_import_ecc_raw(*pub, GNUTLS_ECC_CURVE_SECP256R1, &x, &y);
}

static int make_throwaway(gnutls_privkey_t *key)
{
	int ret = gnutls_privkey_init(key);

	return ret ? ret : gnutls_privkey_generate(*key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
}

/* ---- DER: just enough to find the first element of the outer SEQUENCE, of bytes that GnuTLS wrote */

static int der_header(const uint8_t *p, size_t n, size_t *head, size_t *len)
{
	size_t i, bytes;

	if (n < 2)
		return KM_E_TRUNCATED;
	*head = 2;
	*len = p[1];
	if (p[1] & 0x80) {
		bytes = p[1] & 0x7f;
		if (bytes < 1 || bytes > 3 || n < 2 + bytes)
			return KM_E_ENCODING;
		*head += bytes;
		for (*len = 0, i = 0; i < bytes; i++)
			*len = *len << 8 | p[2 + i];
	}
	return *len > n - *head ? KM_E_TRUNCATED : KM_OK;
}

/* The first two elements of the outer SEQUENCE: what is signed, and by which algorithm. */
static int split(const gnutls_datum_t *der, gnutls_datum_t *tbs, gnutls_datum_t *alg)
{
	size_t head, len, at;
	int err = der_header(der->data, der->size, &head, &len);

	if (err)
		return err;
	at = head;
	err = der_header(der->data + at, der->size - at, &head, &len);
	if (err)
		return err;
	*tbs = (gnutls_datum_t){der->data + at, (unsigned)(head + len)};
	at += head + len;
	err = der_header(der->data + at, der->size - at, &head, &len);
	if (err)
		return err;
	*alg = (gnutls_datum_t){der->data + at, (unsigned)(head + len)};
	return KM_OK;
}

static int join(struct km_buf *out, const gnutls_datum_t *tbs, const gnutls_datum_t *alg, const struct km_buf *sig)
{
	struct km_buf bits;
	int err;

	km_buf_init(&bits);
	km_der_put_head(&bits, 0x03, sig->len + 1);
	km_put_u8(&bits, 0);
	km_put_bytes(&bits, sig->data, sig->len);
	km_der_put_head(out, 0x30, tbs->size + alg->size + bits.len);
	km_put_bytes(out, tbs->data, tbs->size);
	km_put_bytes(out, alg->data, alg->size);
	km_put_bytes(out, bits.data, bits.len);
	err = bits.err ? bits.err : out->err;
	km_buf_clear(&bits);
	return err;
}

/* Has the mesh sign the TBS of `draft` and appends the finished object to out, verified under pub. */
static int mesh_sign(struct kmd_cli *c, const struct km_rpc_key_info *info, unsigned context, gnutls_pubkey_t pub,
		     const gnutls_datum_t *draft, struct km_buf *out)
{
	struct km_rpc_signature rs;
	gnutls_datum_t tbs, alg, sig;
	struct km_buf b;
	int err = split(draft, &tbs, &alg);

	if (err)
		return kmd_fail(&c->fail, err, "what GnuTLS wrote cannot be taken apart");
	km_buf_init(&b);
	err = kmd_cli_sign(c, info->key_id, context, tbs.data, tbs.size, &rs);
	if (!err)
		err = km_der_put_signature(&b, rs.r, rs.s, rs.size);
	sig = (gnutls_datum_t){b.data, (unsigned)b.len};
	if (!err && gnutls_pubkey_verify_data2(pub, GNUTLS_SIGN_ECDSA_SHA256, 0, &tbs, &sig) < 0)
		err = kmd_fail(&c->fail, KM_E_UNVERIFIED,
			       "the mesh's signature does not verify under the key's public point; nothing was written");
	if (!err)
		err = join(out, &tbs, &alg, &b);
	km_buf_clear(&b);
	return err;
}

/* ---- the two kinds */

static int draft_csr(const struct request *r, gnutls_pubkey_t pub, gnutls_privkey_t throwaway, gnutls_datum_t *der)
{
	gnutls_x509_crq_t crq;
	int ret = gnutls_x509_crq_init(&crq);
	unsigned i;

	if (ret < 0)
		return ret;
	ret = gnutls_x509_crq_set_version(crq, 1);
	if (ret >= 0)
		ret = gnutls_x509_crq_set_dn_by_oid(crq, GNUTLS_OID_X520_COMMON_NAME, 0, r->dns[0], (unsigned)strlen(r->dns[0]));
	for (i = 0; i < r->n_dns && ret >= 0; i++)
		ret = gnutls_x509_crq_set_subject_alt_name(crq, GNUTLS_SAN_DNSNAME, r->dns[i], (unsigned)strlen(r->dns[i]),
							   i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
	if (ret >= 0)
		ret = gnutls_x509_crq_set_pubkey(crq, pub);
	if (ret >= 0)
		ret = gnutls_x509_crq_privkey_sign(crq, throwaway, GNUTLS_DIG_SHA256, 0);
	if (ret >= 0)
		ret = gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_DER, der);
	gnutls_x509_crq_deinit(crq);
	return ret;
}

static int fill_cert(gnutls_x509_crt_t crt, const struct request *r, gnutls_pubkey_t pub)
{
	uint8_t serial[16], id[20];
	size_t id_size = sizeof(id);
	time_t now = time(NULL);
	unsigned i;
	int ret = gnutls_x509_crt_set_version(crt, 3);

	kmd_random(serial, sizeof(serial));
	serial[0] = (serial[0] & 0x3f) | 0x40; /* positive, and never a zero byte in front */
	if (ret >= 0)
		ret = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
	if (ret >= 0)
		ret = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, r->dns[0], (unsigned)strlen(r->dns[0]));
	if (ret >= 0)
		ret = gnutls_x509_crt_set_issuer_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, r->dns[0],
							   (unsigned)strlen(r->dns[0]));
	/* An hour back: clocks of clients are not all right. */
	if (ret >= 0)
		ret = gnutls_x509_crt_set_activation_time(crt, now - 3600);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_expiration_time(crt, now + r->days * 86400);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_pubkey(crt, pub);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
	for (i = 0; i < r->n_dns && ret >= 0; i++)
		ret = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, r->dns[i], (unsigned)strlen(r->dns[i]),
							   i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
	if (ret >= 0)
		ret = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (ret >= 0)
		ret = gnutls_pubkey_get_key_id(pub, GNUTLS_KEYID_USE_SHA1, id, &id_size);
	return ret >= 0 ? gnutls_x509_crt_set_subject_key_id(crt, id, id_size) : ret;
}

static int draft_cert(const struct request *r, gnutls_pubkey_t pub, gnutls_privkey_t throwaway, gnutls_datum_t *der)
{
	gnutls_x509_crt_t crt;
	int ret = gnutls_x509_crt_init(&crt);

	if (ret < 0)
		return ret;
	ret = fill_cert(crt, r, pub);
	if (ret >= 0)
		ret = gnutls_x509_crt_privkey_sign(crt, crt, throwaway, GNUTLS_DIG_SHA256, 0);
	if (ret >= 0)
		ret = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, der);
	gnutls_x509_crt_deinit(crt);
	return ret;
}

/* Reads it back as a client would. */
static int check_csr(const gnutls_datum_t *der)
{
	gnutls_x509_crq_t crq;
	int ret = gnutls_x509_crq_init(&crq);

	if (ret < 0)
		return ret;
	ret = gnutls_x509_crq_import(crq, der, GNUTLS_X509_FMT_DER);
	if (ret >= 0)
		ret = gnutls_x509_crq_verify(crq, 0);
	gnutls_x509_crq_deinit(crq);
	return ret;
}

static int check_cert(const gnutls_datum_t *der)
{
	gnutls_x509_crt_t crt;
	int ret = gnutls_x509_crt_init(&crt);

	if (ret < 0)
		return ret;
	ret = gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER);
	if (ret >= 0 && !gnutls_x509_crt_check_issuer(crt, crt))
		ret = GNUTLS_E_CERTIFICATE_ERROR;
	gnutls_x509_crt_deinit(crt);
	return ret;
}

static int make(struct kmd_cli *c, const struct request *r, unsigned context, struct km_buf *out)
{
	gnutls_pubkey_t pub = NULL;
	gnutls_privkey_t throwaway = NULL;
	gnutls_datum_t draft = {NULL, 0}, der;
	struct km_rpc_key_info info;
	int ret, err = kmd_cli_key(c, r->key, &info);

	if (err)
		return err;
	if (info.curve != KM_CURVE_P256)
		return kmd_fail(&c->fail, KM_E_STATE, "certificates of this curve are not made by this version");
	ret = import_public(&pub, &info);
	if (ret >= 0)
		ret = make_throwaway(&throwaway);
	if (ret >= 0)
		ret = context == KM_CTX_CSR ? draft_csr(r, pub, throwaway, &draft) : draft_cert(r, pub, throwaway, &draft);
	if (ret < 0)
		err = kmd_fail(&c->fail, KM_E_STATE, "GnuTLS: %s", gnutls_strerror(ret));
	if (!err)
		err = mesh_sign(c, &info, context, pub, &draft, out);
	der = (gnutls_datum_t){out->data, (unsigned)out->len};
	if (!err && (ret = context == KM_CTX_CSR ? check_csr(&der) : check_cert(&der)) < 0)
		err = kmd_fail(&c->fail, KM_E_UNVERIFIED, "the result does not verify, nothing was written: %s",
			       gnutls_strerror(ret));
	gnutls_free(draft.data);
	gnutls_privkey_deinit(throwaway);
	gnutls_pubkey_deinit(pub);
	return err;
}

static int run(const struct request *r, unsigned context, const char *label)
{
	gnutls_datum_t der, pem = {NULL, 0};
	struct kmd_cli c;
	struct km_buf out;
	int status, err;

	km_buf_init(&out);
	err = kmd_cli_open(&c, r->socket);
	if (!err)
		err = make(&c, r, context, &out);
	der = (gnutls_datum_t){out.data, (unsigned)out.len};
	if (!err && gnutls_pem_base64_encode2(label, &der, &pem) < 0)
		err = KM_E_NOMEM;
	if (err)
		status = kmd_cli_error(err, "%s: %s", r->key, c.fail.text[0] ? c.fail.text : km_strerror(err));
	else
		status = kmd_cli_write(r->out, 0644, pem.data, pem.size);
	gnutls_free(pem.data);
	kmd_cli_close(&c);
	km_buf_clear(&out);
	return status;
}

int kmd_cmd_csr(int argc, char **argv)
{
	struct request r = {.days = 0};
	int status = parse(&r, argc, argv, 0);

	return status ? status : run(&r, KM_CTX_CSR, "CERTIFICATE REQUEST");
}

int kmd_cmd_selfsign(int argc, char **argv)
{
	struct request r = {.days = 90};
	int status = parse(&r, argc, argv, 1);

	return status ? status : run(&r, KM_CTX_X509_SELF, "CERTIFICATE");
}
