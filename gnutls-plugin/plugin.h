/* plugin.h: the parts of libgnutls-keymesh.so.
 *
 *	hooks.c      the interposed GnuTLS calls: which keys are ours, which bytes are to be signed
 *	stub.c       recognises a stub in a key that a server loaded
 *	url.c        keymesh:NAME
 *	key.c        a key of the mesh behind a gnutls_privkey_t
 *	classify.c   what the bytes are (TLS 1.3 or 1.2 server), strictly
 *	client.c     the unix socket to keymeshd, with a hard deadline
 *	settings.c   /etc/keymesh/plugin.conf and the environment, read once
 *	selftest.c   do the hooks get called in this process?
 *	log.c        one line to stderr or syslog, rate-limited
 *
 * The host process is a TLS server with its own threads, forks, chroot and seccomp filter; so: no thread, no secret, no
 * callback into the server, nothing kept locked over a system call that waits. */
#ifndef KMG_PLUGIN_H
#define KMG_PLUGIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include "base/buf.h"
#include "base/err.h"
#include "rpc/rpc.h"

/* ---- log.c ---- */

enum kmg_log_to { KMG_LOG_AUTO, KMG_LOG_STDERR, KMG_LOG_SYSLOG };

/* Notes which file stderr is now: servers close it later and the number comes back as a client's socket. */
void kmg_log_init(void);
/* One line. At most KMG_LOG_BURST at once and one every KMG_LOG_EVERY_MS after that; says how many it left out. */
void kmg_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define KMG_LOG_BURST 10
#define KMG_LOG_EVERY_MS 6000

/* ---- settings.c ---- */

#define KMG_DEFAULT_CONFIG "/etc/keymesh/plugin.conf"
#define KMG_DEFAULT_SOCKET "/run/keymesh/keymesh.sock"
#define KMG_MAX_SOCKETS 4
#define KMG_SOCKET_SIZE 108 /* sun_path of a unix address */

struct kmg_settings {
	char sockets[KMG_MAX_SOCKETS][KMG_SOCKET_SIZE]; /* tried in order; "/path" or "@abstract" */
	unsigned socket_count;
	uint32_t deadline_ms; /* a signature, connecting included */
	uint32_t retry_ms;    /* waiting for a daemon that is down */
	int64_t daemon_uid;   /* -1: any */
	enum kmg_log_to log;
	char broken[256]; /* why nothing can be signed; "" when all is well */
};

extern struct kmg_settings kmg_settings;

/* Reads the file, then the environment (only if the process is not setuid). Never fails: what is wrong is logged, put in
 * broken, and every signature is refused: a server must not run with settings that were not meant. */
void kmg_settings_load(void);
/* One file's contents into s; why gets "line 3: ..." on failure. Pure, for tests. */
int kmg_settings_parse(struct kmg_settings *s, const char *text, size_t len, char *why, size_t why_size) KM_MUST;
void kmg_settings_defaults(struct kmg_settings *s);

/* ---- client.c ---- */

int64_t kmg_now_ms(void); /* monotonic */
void kmg_client_init(void);
/* Sends one whole frame (with this seq) and receives the last answer to it into mem; *frame points into mem.
 * deadline: on kmg_now_ms's clock, never passed by more than scheduling. patient 0: a daemon that is down is not waited for.
 * Returns KM_OK, KM_E_DEADLINE, or KM_E_IO / KM_E_AUTH / another code with a line for the log in why. */
int kmg_client_call(const struct km_buf *request, uint32_t seq, int64_t deadline, int patient, uint8_t *mem, size_t size,
		    struct km_rpc_frame *frame, char *why, size_t why_size) KM_MUST;

#define KMG_ANSWER_SIZE 8192 /* KEY_INFO, SIGNATURE and ERROR are far smaller */
#define KMG_WHY_SIZE 256

/* ---- classify.c ---- */

/* KM_CTX_TLS13_SERVER, KM_CTX_TLS12_SERVER, or 0 for anything else. */
unsigned kmg_classify(const uint8_t *data, size_t len);

/* ---- key.c ---- */

struct kmg_key;

/* Makes pkey a key of the mesh (external key with callbacks). release: freed with it, or NULL. Returns a GnuTLS code. */
int kmg_key_attach(gnutls_privkey_t pkey, const struct km_rpc_key_info *info, gnutls_x509_privkey_t release);
/* The key behind pkey, NULL for one that is not ours. */
struct kmg_key *kmg_key_find(gnutls_privkey_t pkey);
void kmg_key_init(void);
void kmg_key_point(const struct kmg_key *k, const uint8_t **point, size_t *len, unsigned *curve);
/* For gnutls_pubkey_t. Returns a GnuTLS code. */
int kmg_pubkey_import(gnutls_pubkey_t pub, unsigned curve, const uint8_t *point);
/* 1 when pub is exactly this point. */
int kmg_pubkey_is(gnutls_pubkey_t pub, unsigned curve, const uint8_t *point);
/* Asks the daemon for a key by name or point. */
int kmg_key_ask(const struct km_rpc_key *query, int64_t deadline, int patient, struct km_rpc_key_info *info, char *why,
		size_t why_size) KM_MUST;
/* At load: connects (a server may chroot soon) and learns the key's id; a failure is only logged. */
void kmg_key_greet(struct kmg_key *k);
/* The signatures. Return GnuTLS codes; never AGAIN or INTERRUPTED (GnuTLS would skip CertificateVerify). */
int kmg_sign_data(struct kmg_key *k, gnutls_sign_algorithm_t algo, const gnutls_datum_t *data, gnutls_datum_t *signature);
int kmg_sign_hash(struct kmg_key *k, gnutls_sign_algorithm_t algo, const gnutls_datum_t *hash, gnutls_datum_t *signature);
gnutls_sign_algorithm_t kmg_key_sign_algorithm(const struct kmg_key *k);

/* GnuTLS compares key and certificate at load by signing "test text"; the last such key of this thread. */
struct kmg_tested {
	int seen;
	unsigned curve;
	uint8_t point[KM_RPC_POINT_MAX];
};
struct kmg_tested *kmg_tested(void);

/* ---- stub.c ---- */

/* 1 when key is a stub: then info has curve and point. The secret of an ordinary key is wiped at once. */
int kmg_stub_recognise(gnutls_x509_privkey_t key, struct km_rpc_key_info *info);

/* ---- url.c ---- */

void kmg_url_register(void);

/* ---- selftest.c ---- */

/* Loads a dummy stub the way servers do and logs clearly when the hooks were not called. own: the address of our
 * gnutls_privkey_sign_data2. */
void kmg_selftest(void *own);
/* 1 while the self-test runs: its dummy key is not worth a connection. */
int kmg_selftest_running(void);

#endif
