/* cli_rotate.c: keymesh rotate: from one key to the next without a failed handshake.
 *
 * There is no state of a rotation: each call looks where it is, does what can be done, and says what only a person can do. The new
 * key has a name of its own, in the file of every peer: so each operator agrees to it, and servers take one or the other by its
 * public point, as their certificates say. */
#include "config.h"
#include "mesh/cli.h"

#include <errno.h>
#include <getopt.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/files.h"
#include "mesh/clock.h"

#define MAX_NAMES 100
#define MAX_PEM (256u * 1024)
/* A key is idle when no handshake was signed with it this long: more than two attempts of a slow mail server. */
#define IDLE_S 600

struct rotation {
	const char *old, *dir, *certificate, *peer_socket, *frontend_socket, *dns[MAX_NAMES];
	unsigned n_dns;
	char next[KM_MAX_NAME + 1];
	long long threshold;
	json_t *frontend; /* its status */
	char stub[4096], csr[4096];
};

static int parse(struct rotation *r, int argc, char **argv)
{
	static const struct option options[] = {
	    {"dir", required_argument, NULL, 'd'},	   {"certificate", required_argument, NULL, 'c'}, {"dns", required_argument, NULL, 'n'},
	    {"peer-socket", required_argument, NULL, 'p'}, {"socket", required_argument, NULL, 's'},	  {NULL, 0, NULL, 0},
	};
	int opt;

	r->dir = ".";
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'd')
			r->dir = optarg;
		else if (opt == 'c')
			r->certificate = optarg;
		else if (opt == 'p')
			r->peer_socket = optarg;
		else if (opt == 's')
			r->frontend_socket = optarg;
		else if (opt == 'n' && r->n_dns < MAX_NAMES && *optarg)
			r->dns[r->n_dns++] = optarg;
		else
			return kmd_cli_usage("rotate", "wrong option");
	}
	if (optind + 1 != argc)
		return kmd_cli_usage("rotate", "the NAME of the key to be replaced is needed");
	r->old = argv[optind];
	if (!r->peer_socket)
		r->peer_socket = r->frontend_socket;
	return KMD_EXIT_OK;
}

static void step(const char *mark, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void step(const char *mark, const char *fmt, ...)
{
	va_list ap;

	printf("%-5s ", mark);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* ---- where it is */

static json_t *status_of(const char *socket, int *status)
{
	struct km_rpc_text text;
	struct kmd_cli c;
	json_t *o = NULL;
	int err = kmd_cli_open(&c, socket);

	if (!err)
		err = kmd_cli_status(&c, &text);
	if (!err && !(o = json_loadb(text.text, text.len, 0, NULL)))
		err = kmd_fail(&c.fail, KM_E_STATE, "the status of keymeshd cannot be read");
	if (err)
		*status = kmd_cli_error(err, "%s", c.fail.text[0] ? c.fail.text : km_strerror(err));
	kmd_cli_close(&c);
	return o;
}

static const json_t *by_name(const json_t *list, const char *member, const char *name)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		const char *is = json_string_value(json_object_get(o, member));

		if (is && !strcmp(is, name))
			return o;
	}
	return NULL;
}

static const json_t *frontend_key(const struct rotation *r, const char *name)
{
	return by_name(json_object_get(json_object_get(r->frontend, "frontend"), "keys"), "name", name);
}

static int look(struct rotation *r)
{
	int status = KMD_EXIT_OK;

	json_decref(r->frontend);
	r->frontend = status_of(r->frontend_socket, &status);
	if (r->frontend && !json_object_get(r->frontend, "frontend"))
		return kmd_cli_error(KM_E_STATE, "the keymeshd at --socket has not the role frontend; give the socket of one that has");
	return status;
}

/* For argv of another command, which does not write to it. */
static char *arg(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* ---- the steps; each returns an exit status, and *more = 0 when a person has to do something first */

static int find_next(struct rotation *r, int *more)
{
	const json_t *next = by_name(json_object_get(r->frontend, "configured"), "replaces", r->old);
	const json_t *old = by_name(json_object_get(r->frontend, "configured"), "name", r->old);

	if (next) {
		snprintf(r->next, sizeof(r->next), "%s", json_string_value(json_object_get(next, "name")));
		r->threshold = (long long)json_integer_value(json_object_get(next, "threshold"));
		step("done", "the configuration says that %s takes the place of %s", r->next, r->old);
		return KMD_EXIT_OK;
	}
	*more = 0;
	if (!old && !frontend_key(r, r->old))
		return kmd_cli_error(KM_E_NOTFOUND, "there is no key %s; keymesh status shows those there are", r->old);
	step("to do", "a key to take the place of %s: add to keys in the configuration of every peer and frontend, and restart them one by one:\n\n"
		      "        { name = \"%s-2\"; replaces = \"%s\"; threshold = %lld; contexts = [...]; frontends = [...]; }\n\n"
		      "      with the contexts and frontends of %s. Then call this again.",
	     r->old, r->old, r->old, old ? (long long)json_integer_value(json_object_get(old, "threshold")) : 2, r->old);
	return KMD_EXIT_OK;
}

static int make_key(struct rotation *r)
{
	char threshold[24], *with[] = {arg("keygen"), r->next, arg("--threshold"), threshold, arg("--socket"), arg(r->peer_socket), NULL};
	int status = KMD_EXIT_OK;

	if (!frontend_key(r, r->next)) {
		snprintf(threshold, sizeof(threshold), "%lld", r->threshold);
		optind = 0;
		status = kmd_cmd_keygen(r->peer_socket ? 6 : 4, with);
	}
	if (!status)
		step("done", "key %s is there", r->next);
	return status;
}

static int stub_and_csr(struct rotation *r, int *more)
{
	char *argv[2 * MAX_NAMES + 8];
	int argc = 0, status = KMD_EXIT_OK;

	snprintf(r->stub, sizeof(r->stub), "%s/%s.key", r->dir, r->next);
	snprintf(r->csr, sizeof(r->csr), "%s/%s.csr", r->dir, r->next);
	argv[argc++] = arg("stub");
	argv[argc++] = r->next;
	argv[argc++] = arg("-o");
	argv[argc++] = r->stub;
	if (r->frontend_socket) {
		argv[argc++] = arg("--socket");
		argv[argc++] = arg(r->frontend_socket);
	}
	argv[argc] = NULL;
	optind = 0;
	if (access(r->stub, F_OK))
		status = kmd_cmd_stub(argc, argv);
	if (status)
		return status;
	step("done", "%s is the key file for servers", r->stub);
	if (!access(r->csr, F_OK)) {
		step("done", "%s is the certificate request", r->csr);
		return KMD_EXIT_OK;
	}
	if (!r->n_dns) {
		*more = 0;
		step("to do", "the certificate request: call this again with --dns HOST for every name of the certificate");
		return KMD_EXIT_OK;
	}
	argv[0] = arg("csr");
	argv[3] = r->csr;
	for (unsigned i = 0; i < r->n_dns; i++) {
		argv[argc++] = arg("--dns");
		argv[argc++] = arg(r->dns[i]);
	}
	argv[argc] = NULL;
	optind = 0;
	status = kmd_cmd_csr(argc, argv);
	if (!status)
		step("done", "%s is the certificate request", r->csr);
	return status;
}

/* The public point of a certificate, as the daemon says it: 0x04 | x | y. */
static int point_of(const char *path, uint8_t *out, size_t size, size_t *len)
{
	gnutls_datum_t x = {NULL, 0}, y = {NULL, 0}, pem;
	gnutls_ecc_curve_t curve;
	gnutls_x509_crt_t crt;
	gnutls_pubkey_t pub;
	struct kmd_fail f;
	uint8_t *data;
	size_t n;
	int err = kmd_file_read(path, 0, MAX_PEM, &data, &n, &f), ret;

	if (err)
		return kmd_cli_error(KM_E_STATE, "%s", f.text);
	gnutls_x509_crt_init(&crt);
	gnutls_pubkey_init(&pub);
	pem = (gnutls_datum_t){data, (unsigned)n};
	ret = gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM);
	if (ret >= 0)
		ret = gnutls_pubkey_import_x509(pub, crt, 0);
	if (ret >= 0)
		ret = gnutls_pubkey_export_ecc_raw2(pub, &curve, &x, &y, GNUTLS_EXPORT_FLAG_NO_LZ);
	*len = 0;
	if (ret >= 0 && 1 + 2 * (size_t)x.size <= size && x.size == y.size) {
		out[0] = 4;
		memcpy(out + 1, x.data, x.size);
		memcpy(out + 1 + x.size, y.data, y.size);
		*len = 1 + 2 * (size_t)x.size;
	}
	gnutls_free(x.data);
	gnutls_free(y.data);
	gnutls_pubkey_deinit(pub);
	gnutls_x509_crt_deinit(crt);
	km_secret_free(data);
	return *len ? KMD_EXIT_OK : kmd_cli_error(KM_E_STATE, "%s is no certificate of an ECDSA key in PEM", path);
}

static int judge_certificate(struct rotation *r, int *more)
{
	uint8_t point[KM_RPC_POINT_MAX];
	struct km_rpc_key_info info;
	struct kmd_cli c;
	size_t len;
	int err, status;

	if (!r->certificate) {
		*more = 0;
		step("to do", "have %s signed by your authority, then call this again with --certificate FILE", r->csr);
		return KMD_EXIT_OK;
	}
	status = point_of(r->certificate, point, sizeof(point), &len);
	if (status)
		return status;
	err = kmd_cli_open(&c, r->frontend_socket);
	if (!err)
		err = kmd_cli_key(&c, r->next, &info);
	if (err)
		status = kmd_cli_error(err, "%s", c.fail.text[0] ? c.fail.text : km_strerror(err));
	else if (info.point_len != len || memcmp(info.point, point, len))
		status = kmd_cli_error(KM_E_MISMATCH, "%s is the certificate of another key than %s: have %s signed", r->certificate, r->next, r->csr);
	else
		step("done", "%s is a certificate of %s: give it to the servers, with %s, and reload them; those with the old one go on", r->certificate, r->next,
		     r->stub);
	kmd_cli_close(&c);
	return status;
}

/* How long ago a key was used here, in words. */
static const char *ago(const json_t *key, char *out, size_t size, long long *idle_s)
{
	long long last = (long long)json_integer_value(json_object_get(key, "last_handshake_ms"));

	*idle_s = last ? ((long long)kmd_wall_ms() - last) / 1000 : -1;
	if (!last)
		snprintf(out, size, "none since it was started");
	else
		snprintf(out, size, "last %lld s ago", *idle_s);
	return out;
}

static void show_use(const struct rotation *r)
{
	const json_t *old = frontend_key(r, r->old), *next = frontend_key(r, r->next);
	long long old_s = -1, next_s = -1;
	char a[64], b[64];

	printf("\n      Handshakes at this frontend: with %s %s, with %s %s.\n", r->next, ago(next, b, sizeof(b), &next_s), r->old, ago(old, a, sizeof(a), &old_s));
	if (!old)
		step("done", "%s is gone from this mesh", r->old);
	else if (next_s < 0)
		step("to do", "reload the servers with the new certificate; none has signed a handshake with %s yet", r->next);
	else if (old_s >= 0 && old_s < IDLE_S)
		step("to do", "servers still use %s; when none has for %d minutes at every frontend, retire it", r->old, IDLE_S / 60);
	else
		step("to do", "when no frontend uses %s any more: keymesh retire %s at every peer, then take it out of every configuration", r->old, r->old);
}

int kmd_cmd_rotate(int argc, char **argv)
{
	struct rotation r = {.old = NULL};
	int more = 1, status = parse(&r, argc, argv);

	if (!status)
		status = look(&r);
	if (!status)
		status = find_next(&r, &more);
	if (!status && more)
		status = make_key(&r);
	if (!status && more)
		status = stub_and_csr(&r, &more);
	if (!status && more)
		status = judge_certificate(&r, &more);
	if (!status && more)
		status = look(&r);
	if (!status && more)
		show_use(&r);
	json_decref(r.frontend);
	return status;
}

/* ---- keymesh retire */

int kmd_cmd_retire(int argc, char **argv)
{
	static const struct option options[] = {{"force", no_argument, NULL, 'f'}, {"socket", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	struct km_rpc_retire m = {.force = 0};
	const char *socket = NULL;
	struct km_rpc_frame f;
	struct km_rpc_text text;
	struct kmd_cli c;
	struct km_buf b;
	int opt, err, status = KMD_EXIT_OK;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'f')
			m.force = 1;
		else if (opt == 's')
			socket = optarg;
		else
			return kmd_cli_usage("retire", "wrong option");
	}
	if (optind + 1 != argc || !km_rpc_name_valid(argv[optind], strlen(argv[optind])))
		return kmd_cli_usage("retire", "one NAME of a key is needed");
	memcpy(m.name, argv[optind], strlen(argv[optind]));
	km_buf_init(&b);
	err = kmd_cli_open(&c, socket);
	if (!err)
		err = km_rpc_encode_retire(&b, c.seq, &m);
	if (!err)
		err = kmd_cli_call(&c, &b, KM_RPC_DONE, KMD_CLI_DEADLINE_MS, &f);
	if (!err)
		err = km_rpc_decode_text(&f, &text);
	if (err)
		status = kmd_cli_error(err, "%s", c.fail.text[0] ? c.fail.text : km_strerror(err));
	else
		printf("%.*s\n", (int)text.len, text.text);
	kmd_cli_close(&c);
	km_buf_clear(&b);
	return status;
}
