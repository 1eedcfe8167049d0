/* plugin_host.c: a program that uses GnuTLS as servers do, run with the plugin preloaded and fake_daemon behind it.
 *
 *	plugin_host STUB.pem CERT.pem OTHER-CERT.pem [allow-digest]
 *
 * With allow-digest it expects KEYMESH_LOG=auto too. Speaks TAP. Linked with GnuTLS only: it knows nothing of the plugin. */
#include "config.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

static int count;
static gnutls_datum_t stub, cert, other_cert;
static gnutls_pubkey_t cert_pub;
static int digest_allowed;

static void ok(int good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, name);
}

static _Noreturn void die(const char *what)
{
	printf("Bail out! %s\n", what);
	exit(1);
}

static gnutls_privkey_t load(const gnutls_datum_t *pem)
{
	gnutls_privkey_t key;

	if (gnutls_privkey_init(&key) < 0 || gnutls_privkey_import_x509_raw(key, pem, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
		die("a key does not load");
	return key;
}

static gnutls_datum_t tls13_content(const char *label)
{
	static unsigned char mem[64 + 64 + 48];
	size_t n = strlen(label) + 1;

	memset(mem, 0x20, 64);
	memcpy(mem + 64, label, n);
	if (gnutls_rnd(GNUTLS_RND_NONCE, mem + 64 + n, 32) < 0)
		die("random");
	return (gnutls_datum_t){mem, (unsigned)(64 + n + 32)};
}

static gnutls_datum_t tls12_content(void)
{
	static unsigned char mem[64 + 4 + 32];

	if (gnutls_rnd(GNUTLS_RND_NONCE, mem, sizeof(mem)) < 0)
		die("random");
	memcpy(mem + 64, "\x03\x00\x1d\x20", 4);
	return (gnutls_datum_t){mem, sizeof(mem)};
}

/* 0 when key signs data and the certificate's key verifies it. */
static int signs(gnutls_privkey_t key, gnutls_sign_algorithm_t algo, const gnutls_datum_t *data)
{
	gnutls_datum_t sig = {NULL, 0};
	int ret = gnutls_privkey_sign_data2(key, algo, 0, data, &sig);

	if (ret >= 0)
		ret = gnutls_pubkey_verify_data2(cert_pub, algo, 0, data, &sig);
	gnutls_free(sig.data);
	return ret < 0 ? ret : 0;
}

static const char tls13_server[] = "TLS 1.3, server CertificateVerify";

static int signs_tls13(gnutls_privkey_t key)
{
	unsigned char mem[64 + sizeof(tls13_server) + 32];
	gnutls_datum_t data = {mem, sizeof(mem)};

	memset(mem, 0x20, 64);
	memcpy(mem + 64, tls13_server, sizeof(tls13_server));
	if (gnutls_rnd(GNUTLS_RND_NONCE, mem + 64 + sizeof(tls13_server), 32) < 0)
		return -1;
	return signs(key, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, &data);
}

/* ---- signing with a stub ---- */

static void test_contents(void)
{
	gnutls_privkey_t key = load(&stub);
	gnutls_datum_t data = tls13_content(tls13_server), sig = {NULL, 0};
	gnutls_datum_t text = {(unsigned char *)(uintptr_t) "hello", 5};

	ok(signs(key, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, &data) == 0, "TLS 1.3 content is signed");
	ok(gnutls_privkey_sign_data(key, GNUTLS_DIG_SHA256, 0, &data, &sig) >= 0 &&
	       gnutls_pubkey_verify_data2(cert_pub, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &sig) >= 0,
	   "also by gnutls_privkey_sign_data");
	gnutls_free(sig.data);
	data.data[3] = 0x21;
	ok(signs(key, GNUTLS_SIGN_ECDSA_SHA256, &data) == GNUTLS_E_PK_SIGN_FAILED, "one space wrong: refused");
	data = tls13_content(tls13_server);
	data.size--;
	ok(signs(key, GNUTLS_SIGN_ECDSA_SHA256, &data) == GNUTLS_E_PK_SIGN_FAILED, "a transcript hash of 31 bytes: refused");
	data = tls13_content("TLS 1.3, client CertificateVerify");
	ok(signs(key, GNUTLS_SIGN_ECDSA_SHA256, &data) == GNUTLS_E_PK_SIGN_FAILED, "a TLS 1.3 client's content: refused");
	data = tls12_content();
	ok(signs(key, GNUTLS_SIGN_ECDSA_SHA256, &data) == 0, "TLS 1.2 content is signed");
	data.data[67] = 31;
	ok(signs(key, GNUTLS_SIGN_ECDSA_SHA256, &data) == GNUTLS_E_PK_SIGN_FAILED, "a point of the wrong length: refused");
	ok(signs(key, GNUTLS_SIGN_ECDSA_SHA256, &text) == GNUTLS_E_PK_SIGN_FAILED, "any other bytes: refused");
	data = tls13_content(tls13_server);
	ok(signs(key, GNUTLS_SIGN_ECDSA_SHA384, &data) == GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM,
	   "SHA-384 with P-256: refused");
	gnutls_privkey_deinit(key);
}

static void test_hash_only(void)
{
	gnutls_privkey_t key = load(&stub);
	unsigned char mem[32];
	gnutls_datum_t hash = {mem, 32}, sig = {NULL, 0};
	int ret;

	memset(mem, 7, 32);
	ret = gnutls_privkey_sign_hash2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &hash, &sig);
	ok(digest_allowed ? ret >= 0 && gnutls_pubkey_verify_hash2(cert_pub, GNUTLS_SIGN_ECDSA_SHA256, 0, &hash, &sig) >= 0
			  : ret == GNUTLS_E_PK_SIGN_FAILED,
	   digest_allowed ? "a bare hash is signed where the daemon allows it" : "a bare hash is refused");
	gnutls_free(sig.data);
	sig.data = NULL;
	ret = gnutls_privkey_sign_hash(key, GNUTLS_DIG_SHA256, 0, &hash, &sig);
	ok(digest_allowed ? ret >= 0 : ret == GNUTLS_E_PK_SIGN_FAILED, "the same by gnutls_privkey_sign_hash");
	gnutls_free(sig.data);
	sig.data = NULL;
	hash.size = 20;
	ok(gnutls_privkey_sign_hash2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &hash, &sig) < 0, "a hash of 20 bytes is refused");
	gnutls_privkey_deinit(key);
}

/* X.509 signing goes around the hooks and reaches the callback. */
static void test_request_for_certificate(void)
{
	gnutls_privkey_t key = load(&stub);
	gnutls_pubkey_t pub;
	gnutls_x509_crq_t crq;
	int ret;

	if (gnutls_pubkey_init(&pub) < 0 || gnutls_x509_crq_init(&crq) < 0)
		die("memory");
	ok(gnutls_pubkey_import_privkey(pub, key, 0, 0) >= 0 && gnutls_x509_crq_set_pubkey(crq, pub) >= 0,
	   "a stub gives its public key");
	(void)gnutls_x509_crq_set_version(crq, 1);
	(void)gnutls_x509_crq_set_dn(crq, "CN=localhost", NULL);
	ret = gnutls_x509_crq_privkey_sign(crq, key, GNUTLS_DIG_SHA256, 0);
	ok(digest_allowed ? ret >= 0 && gnutls_x509_crq_verify(crq, 0) >= 0 : ret < 0,
	   digest_allowed ? "a certificate request is signed as a digest" : "a certificate request is refused");
	gnutls_x509_crq_deinit(crq);
	gnutls_pubkey_deinit(pub);
	gnutls_privkey_deinit(key);
}

/* ---- key and certificate ---- */

static int pair_mem(const gnutls_datum_t *c, int how)
{
	gnutls_certificate_credentials_t cred;
	gnutls_pcert_st pcert;
	gnutls_privkey_t key;
	gnutls_x509_privkey_t xkey;
	gnutls_x509_crt_t crt;
	int ret;

	if (gnutls_certificate_allocate_credentials(&cred) < 0)
		die("memory");
	if (how == 0) {
		ret = gnutls_certificate_set_x509_key_mem(cred, c, &stub, GNUTLS_X509_FMT_PEM);
	} else if (how == 1) {
		if (gnutls_pcert_import_x509_raw(&pcert, c, GNUTLS_X509_FMT_PEM, 0) < 0)
			die("certificate");
		key = load(&stub);
		ret = gnutls_certificate_set_key(cred, NULL, 0, &pcert, 1, key);
		if (ret < 0) {
			gnutls_privkey_deinit(key);
			gnutls_pcert_deinit(&pcert);
		}
	} else {
		if (gnutls_x509_privkey_init(&xkey) < 0 || gnutls_x509_privkey_import(xkey, &stub, GNUTLS_X509_FMT_PEM) < 0 ||
		    gnutls_x509_crt_init(&crt) < 0 || gnutls_x509_crt_import(crt, c, GNUTLS_X509_FMT_PEM) < 0)
			die("pair");
		ret = gnutls_certificate_set_x509_key(cred, &crt, 1, xkey);
		gnutls_x509_privkey_deinit(xkey);
		gnutls_x509_crt_deinit(crt);
	}
	gnutls_certificate_free_credentials(cred);
	return ret;
}

static void test_pairs(void)
{
	static const char *const names[] = {"set_x509_key_mem", "set_key", "set_x509_key"};
	char text[100];

	for (int how = 0; how < 3; how++) {
		snprintf(text, sizeof(text), "gnutls_certificate_%s takes the stub with its certificate", names[how]);
		ok(pair_mem(&cert, how) >= 0, text);
		snprintf(text, sizeof(text), "gnutls_certificate_%s refuses another certificate", names[how]);
		ok(pair_mem(&other_cert, how) == GNUTLS_E_CERTIFICATE_KEY_MISMATCH, text);
	}
}

static void test_urls(void)
{
	gnutls_privkey_t key;
	gnutls_pubkey_t pub;

	if (gnutls_privkey_init(&key) < 0 || gnutls_pubkey_init(&pub) < 0)
		die("memory");
	ok(gnutls_url_is_supported("keymesh:web"), "keymesh: is a known URL");
	ok(gnutls_privkey_import_url(key, "keymesh:web", 0) >= 0 && signs_tls13(key) == 0, "keymesh:web signs");
	ok(gnutls_privkey_get_pk_algorithm(key, NULL) == GNUTLS_PK_ECDSA, "and is an ECDSA key");
	gnutls_privkey_deinit(key);
	ok(gnutls_pubkey_import_url(pub, "keymesh:web", 0) >= 0, "keymesh:web is a public key too");
	gnutls_pubkey_deinit(pub);
	if (gnutls_privkey_init(&key) < 0)
		die("memory");
	ok(gnutls_privkey_import_url(key, "keymesh:nobody", 0) < 0, "keymesh:nobody does not exist");
	ok(gnutls_privkey_import_url(key, "keymesh:../etc", 0) < 0, "keymesh:../etc is no name");
	ok(gnutls_privkey_import_url(key, "keymesh:", 0) < 0, "an empty name is none");
	gnutls_privkey_deinit(key);
}

/* ---- ordinary keys ---- */

static int ordinary(gnutls_pk_algorithm_t pk, unsigned bits, gnutls_sign_algorithm_t algo)
{
	gnutls_datum_t data = {(unsigned char *)(uintptr_t) "any bytes", 9}, sig = {NULL, 0};
	gnutls_privkey_t key;
	gnutls_pubkey_t pub;
	int ret;

	if (gnutls_privkey_init(&key) < 0 || gnutls_pubkey_init(&pub) < 0)
		die("memory");
	ret = gnutls_privkey_generate(key, pk, bits, 0);
	if (ret >= 0)
		ret = gnutls_pubkey_import_privkey(pub, key, 0, 0);
	if (ret >= 0)
		ret = gnutls_privkey_sign_data2(key, algo, 0, &data, &sig);
	if (ret >= 0)
		ret = gnutls_pubkey_verify_data2(pub, algo, 0, &data, &sig);
	gnutls_free(sig.data);
	gnutls_pubkey_deinit(pub);
	gnutls_privkey_deinit(key);
	return ret >= 0;
}

static void test_ordinary_keys(void)
{
	ok(ordinary(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), GNUTLS_SIGN_ECDSA_SHA256),
	   "an ordinary P-256 key works");
	ok(ordinary(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1), GNUTLS_SIGN_ECDSA_SHA512),
	   "an ordinary P-521 key works");
	ok(ordinary(GNUTLS_PK_RSA, 2048, GNUTLS_SIGN_RSA_SHA256), "an ordinary RSA key works");
	ok(ordinary(GNUTLS_PK_EDDSA_ED25519, 256, GNUTLS_SIGN_EDDSA_ED25519), "an ordinary Ed25519 key works");
}

/* The table of our keys goes by address: a freed address must be an ordinary key's again. */
static void test_addresses_again(void)
{
	gnutls_privkey_t key = NULL;
	int good = 1;

	for (int i = 0; i < 2000; i++) {
		key = load(&stub);
		gnutls_privkey_deinit(key);
		if (i % 100 == 0)
			good &=
			    ordinary(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), GNUTLS_SIGN_ECDSA_SHA256);
	}
	ok(good, "2000 stubs loaded and freed, ordinary keys in between");
	key = load(&stub);
	ok(signs_tls13(key) == 0, "and a stub still signs");
	gnutls_privkey_deinit(key);
}

/* ---- processes and threads ---- */

#define ROUNDS 25

static int sign_rounds(gnutls_privkey_t key)
{
	for (int i = 0; i < ROUNDS; i++)
		if (signs_tls13(key) != 0)
			return 0;
	return 1;
}

static void test_fork(void)
{
	gnutls_privkey_t key = load(&stub);
	pid_t pids[4];
	int status, good = signs_tls13(key) == 0;

	fflush(stdout);
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(sign_rounds(key) ? 0 : 1);
	}
	good &= sign_rounds(key);
	for (int i = 0; i < 4; i++)
		good &= pids[i] > 0 && waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	ok(good, "a parent and four children sign at once with a key loaded before the fork");
	gnutls_privkey_deinit(key);
}

static void *thread_main(void *key)
{
	return sign_rounds(key) ? key : NULL;
}

static int run_threads(gnutls_privkey_t key, int n)
{
	pthread_t threads[64];
	void *result;
	int good = 1;

	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, thread_main, key) != 0)
			die("thread");
	for (int i = 0; i < n; i++)
		good &= pthread_join(threads[i], &result) == 0 && result == key;
	return good;
}

static void test_threads(void)
{
	gnutls_privkey_t key = load(&stub);

	ok(run_threads(key, 64), "64 threads sign at once with one key");
	gnutls_privkey_deinit(key);
}

/* Forks while other threads are in the middle of signing: locks and connections of theirs must not matter. */
static void test_fork_among_threads(void)
{
	gnutls_privkey_t key = load(&stub);
	pthread_t threads[8];
	void *result;
	int status, good = 1;

	fflush(stdout);
	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, thread_main, key) != 0)
			die("thread");
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(20);
			_exit(signs_tls13(key) == 0 ? 0 : 1);
		}
		good &= pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	for (int i = 0; i < 8; i++)
		good &= pthread_join(threads[i], &result) == 0 && result == key;
	ok(good, "20 forks while 8 threads sign: every child signs, every thread goes on");
	gnutls_privkey_deinit(key);
}

/* Sockets of this process; bad counts those a program started by exec would inherit. */
static int count_sockets(int *bad)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int n = 0;

	*bad = 0;
	if (!d)
		die("/proc/self/fd");
	while ((e = readdir(d))) {
		int fd = atoi(e->d_name), domain = 0;
		socklen_t len = sizeof(domain);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain != AF_UNIX || fd <= 2)
			continue;
		n++;
		if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			(*bad)++;
	}
	closedir(d);
	return n;
}

static void test_sockets(void)
{
	int bad, n = count_sockets(&bad), status;
	pid_t pid;

	printf("# %d connections kept\n", n);
	ok(n >= 1 && n <= 65, "connections are kept, and not too many");
	ok(bad == 0, "none is inherited by exec");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(count_sockets(&bad));
	ok(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0,
	   "none is left open in a child");
}

/* A server closes its stderr, and a client's socket gets the number: no line of ours may go there. (KEYMESH_LOG=auto) */
static void test_stderr_taken_by_a_client(void)
{
	gnutls_privkey_t key = load(&stub);
	gnutls_datum_t seven = {(unsigned char *)(uintptr_t) "7 bytes", 7}, six = {seven.data, 6};
	int pair[2], saved = dup(2);
	char got[200];
	ssize_t n;

	if (saved < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || dup2(pair[0], 2) < 0)
		die("socketpair");
	ok(signs(key, GNUTLS_SIGN_ECDSA_SHA256, &seven) < 0, "something is refused and logged");
	n = recv(pair[1], got, sizeof(got), MSG_DONTWAIT);
	ok(n < 0, "not to a socket that has come in the place of stderr");
	if (dup2(saved, 2) < 0)
		die("dup2");
	close(saved);
	close(pair[0]);
	close(pair[1]);
	ok(signs(key, GNUTLS_SIGN_ECDSA_SHA256, &six) < 0, "and again with the first stderr");
	gnutls_privkey_deinit(key);
}

int main(int argc, char **argv)
{
	if (argc < 4 || gnutls_load_file(argv[1], &stub) < 0 || gnutls_load_file(argv[2], &cert) < 0 ||
	    gnutls_load_file(argv[3], &other_cert) < 0)
		die("usage: plugin_host STUB CERT OTHER-CERT [allow-digest]");
	digest_allowed = argc > 4;
	if (gnutls_pubkey_init(&cert_pub) < 0 || gnutls_pubkey_import_x509_raw(cert_pub, &cert, GNUTLS_X509_FMT_PEM, 0) < 0)
		die("the certificate does not load");
	printf("1..%d\n", digest_allowed ? 42 : 39);
	if (digest_allowed)
		test_stderr_taken_by_a_client();
	test_pairs(); /* first: its lines must be in the log before the rate limit begins */
	test_contents();
	test_hash_only();
	test_request_for_certificate();
	test_urls();
	test_ordinary_keys();
	test_addresses_again();
	test_fork();
	test_threads();
	test_fork_among_threads();
	test_sockets();
	gnutls_pubkey_deinit(cert_pub);
	gnutls_free(stub.data);
	gnutls_free(cert.data);
	gnutls_free(other_cert.data);
	return 0;
}
