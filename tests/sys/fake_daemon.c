/* fake_daemon.c: a test tool that stands in for keymeshd on its unix socket and signs with an ORDINARY PRIVATE KEY FILE.
 *
 * For tests of the plugin alone. It has no mesh, no threshold and no policy but the few lines below; never installed.
 *
 *	fake_daemon --key key.pem --name web --socket PATH|@NAME [--socket ...] [--log FILE] [--stub FILE]
 *	            [--mode sign|hang|refuse|garbage|hangup|badsig|drip|closed] [--delay MS] [--allow-digest]
 *
 * Writes a line per request to the log: "KEY point ok", "SIGN tls13-server 130 ok uid=0". Ends by SIGTERM. */
#include "config.h"
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include "base/context.h"
#include "rpc/der.h"
#include "rpc/rpc.h"
#include "rpc/stubkey.h"

#define MAX_CLIENTS 128
#define MAX_LISTEN 4
#define INPUT (KM_RPC_MAX_TO_DAEMON + 4)

enum mode { SIGN, HANG, REFUSE, GARBAGE, HANGUP, BADSIG, DRIP, CLOSED };
static const char *const mode_names[] = {"sign", "hang", "refuse", "garbage", "hangup", "badsig", "drip", "closed"};

static struct {
	gnutls_privkey_t key;
	struct km_rpc_key_info info;
	enum mode mode;
	int delay_ms, allow_digest;
	FILE *log;
} fake;

static struct client {
	int fd;
	unsigned uid;
	size_t have;
	uint8_t *in;
} clients[MAX_CLIENTS];

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	stop = 1;
}

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "fake_daemon: %s: %s\n", what, why);
	exit(1);
}

static void check(int ret, const char *what)
{
	if (ret < 0)
		die(what, gnutls_strerror(ret));
}

static void right_align(uint8_t *out, size_t size, const gnutls_datum_t *d)
{
	memset(out, 0, size);
	memcpy(out + (d->size < size ? size - d->size : 0), d->data + (d->size > size ? d->size - size : 0),
	       d->size < size ? d->size : size);
}

static void load_key(const char *file, const char *name)
{
	gnutls_datum_t pem, x, y;
	gnutls_ecc_curve_t curve;
	gnutls_pubkey_t pub;
	size_t size;

	check(gnutls_load_file(file, &pem), file);
	check(gnutls_privkey_init(&fake.key), "key");
	check(gnutls_privkey_import_x509_raw(fake.key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0), file);
	check(gnutls_pubkey_init(&pub), "key");
	check(gnutls_pubkey_import_privkey(pub, fake.key, 0, 0), file);
	check(gnutls_pubkey_export_ecc_raw(pub, &curve, &x, &y), file);
	fake.info.curve = curve == GNUTLS_ECC_CURVE_SECP256R1 ? 1 : curve == GNUTLS_ECC_CURVE_SECP384R1 ? 2 : 3;
	size = km_rpc_scalar_size(fake.info.curve);
	fake.info.point[0] = 4;
	right_align(fake.info.point + 1, size, &x);
	right_align(fake.info.point + 1 + size, size, &y);
	fake.info.point_len = 1 + 2 * size;
	fake.info.threshold = 3;
	fake.info.peers = 5;
	snprintf(fake.info.name, sizeof(fake.info.name), "%s", name);
	check(gnutls_hash_fast(GNUTLS_DIG_SHA256, fake.info.point, fake.info.point_len, fake.info.key_id), "key id");
	gnutls_free(pem.data);
	gnutls_free(x.data);
	gnutls_free(y.data);
	gnutls_pubkey_deinit(pub);
}

static void write_stub(const char *file)
{
	struct km_buf b;
	FILE *f = fopen(file, "w");

	km_buf_init(&b);
	if (!f || km_stub_put_pem(&b, fake.info.curve, fake.info.point, fake.info.point_len) != KM_OK ||
	    fwrite(b.data, 1, b.len, f) != b.len || fclose(f) != 0)
		die(file, "cannot write");
	km_buf_clear(&b);
}

static int listen_on(const char *name)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || n < 2 || n >= sizeof(sa.sun_path))
		die(name, "no socket");
	memcpy(sa.sun_path, name, n);
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	else
		unlink(name);
	if (bind(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (name[0] != '@'))) != 0 ||
	    listen(fd, 64) != 0)
		die(name, strerror(errno));
	return fd;
}

/* ---- answers ---- */

static gnutls_sign_algorithm_t algorithm(void)
{
	return fake.info.curve == 1   ? GNUTLS_SIGN_ECDSA_SHA256
	       : fake.info.curve == 2 ? GNUTLS_SIGN_ECDSA_SHA384
				      : GNUTLS_SIGN_ECDSA_SHA512;
}

static int make_signature(const struct km_rpc_sign *m, struct km_rpc_signature *out)
{
	gnutls_datum_t data = {(uint8_t *)(uintptr_t)m->data, (unsigned)m->len}, sig;
	int ret, err;

	if (m->context == KM_CTX_DIGEST)
		ret = gnutls_privkey_sign_hash2(fake.key, algorithm(), 0, &data, &sig);
	else
		ret = gnutls_privkey_sign_data2(fake.key, algorithm(), 0, &data, &sig);
	if (ret < 0)
		return KM_E_VERIFY;
	memset(out, 0, sizeof(*out));
	out->size = km_rpc_scalar_size(fake.info.curve);
	err = km_der_get_signature(sig.data, sig.size, out->r, out->s, out->size);
	gnutls_free(sig.data);
	out->quorum = 7;
	out->aggregator = 1;
	out->time = (uint64_t)time(NULL) * 1000;
	if (fake.mode == BADSIG)
		out->s[out->size - 1] ^= 1;
	return err;
}

static int is_our_key(const struct km_rpc_key *q)
{
	if (q->by == KM_RPC_BY_NAME)
		return strcmp(q->name, fake.info.name) == 0;
	if (q->by == KM_RPC_BY_ID)
		return memcmp(q->id, fake.info.key_id, KM_HASH_SIZE) == 0;
	return q->point_len == fake.info.point_len && memcmp(q->point, fake.info.point, q->point_len) == 0;
}

static void answer_key(const struct km_rpc_frame *f, const struct client *c, struct km_buf *out)
{
	static const char *const by[] = {"?", "name", "point", "id"};
	struct km_rpc_key q;
	int ours, err = km_rpc_decode_key(f, &q);

	if (err) {
		fprintf(fake.log, "KEY malformed %s\n", km_errname(err));
		(void)!km_rpc_encode_error(out, f->seq, err, NULL);
		return;
	}
	ours = is_our_key(&q);
	fprintf(fake.log, "KEY %s %s uid=%u\n", by[q.by], ours ? "ok" : "unknown", c->uid);
	if (ours)
		err = km_rpc_encode_key_info(out, f->seq, &fake.info);
	else
		err = km_rpc_encode_error(out, f->seq, KM_E_NOTFOUND, "no such key here");
	if (err)
		die("answer", km_strerror(err));
}

static void answer_sign(const struct km_rpc_frame *f, const struct client *c, struct km_buf *out)
{
	struct km_rpc_signature sig;
	struct km_rpc_sign m;
	int err = km_rpc_decode_sign(f, &m);

	if (!err && memcmp(m.key_id, fake.info.key_id, KM_HASH_SIZE) != 0)
		err = KM_E_NOTFOUND;
	else if (!err && m.context == KM_CTX_DIGEST && !fake.allow_digest)
		err = KM_E_RIGHTS;
	else if (!err && fake.mode == REFUSE)
		err = KM_E_NOQUORUM;
	if (!err)
		err = make_signature(&m, &sig);
	fprintf(fake.log, "SIGN %s %zu %s uid=%u deadline=%u\n", m.context ? km_context_name(m.context) : "?", m.len,
		err ? km_errname(err) : "ok", c->uid, m.deadline_ms);
	if (err)
		(void)!km_rpc_encode_error(out, f->seq, err, NULL);
	else if (km_rpc_encode_signature(out, f->seq, &sig) != KM_OK)
		die("answer", "signature");
}

/* Writes slowly, a byte at a time: answers must come together again. */
static int put_out(int fd, const struct km_buf *out)
{
	size_t at = 0, step = fake.mode == DRIP ? 1 : out->len;
	struct timespec pause = {0, 200000};

	while (at < out->len) {
		ssize_t n = send(fd, out->data + at, out->len - at < step ? out->len - at : step, MSG_NOSIGNAL);

		if (n < 0)
			return -1;
		at += (size_t)n;
		if (fake.mode == DRIP)
			nanosleep(&pause, NULL);
	}
	return 0;
}

/* Returns -1 to hang up. */
static int answer(struct client *c, const struct km_rpc_frame *f)
{
	struct timespec pause = {fake.delay_ms / 1000, fake.delay_ms % 1000 * 1000000L};
	struct km_buf out;
	int ret = 0;

	if (f->type == KM_RPC_SIGN && (fake.mode == HANG || fake.mode == HANGUP)) {
		fprintf(fake.log, "SIGN %s\n", fake.mode == HANG ? "hang" : "hangup");
		return fake.mode == HANG ? 0 : -1;
	}
	if (f->type == KM_RPC_SIGN && fake.delay_ms)
		nanosleep(&pause, NULL);
	km_buf_init(&out);
	if (f->type == KM_RPC_SIGN && fake.mode == GARBAGE)
		km_put_bytes(&out, "HTTP/1.0 200 OK\r\n\r\nhello, who is there?\r\n", 42);
	else if (f->type == KM_RPC_KEY)
		answer_key(f, c, &out);
	else if (f->type == KM_RPC_SIGN)
		answer_sign(f, c, &out);
	else
		(void)!km_rpc_encode_error(&out, f->seq, KM_E_INVAL, "this is only a stand-in");
	ret = put_out(c->fd, &out);
	km_buf_clear(&out);
	return ret;
}

static int serve(struct client *c)
{
	struct km_rpc_frame f;
	size_t used, at = 0;
	int ret;
	ssize_t n = read(c->fd, c->in + c->have, INPUT - c->have);

	if (n <= 0)
		return -1;
	c->have += (size_t)n;
	while ((ret = km_rpc_frame_next(c->in + at, c->have - at, KM_RPC_MAX_TO_DAEMON, &used, &f)) > 0) {
		if (answer(c, &f) < 0)
			return -1;
		at += used;
	}
	if (ret < 0) {
		fprintf(fake.log, "BROKEN %s\n", km_errname(ret));
		return -1;
	}
	memmove(c->in, c->in + at, c->have - at);
	c->have -= at;
	return 0;
}

static void drop(struct client *c)
{
	close(c->fd);
	free(c->in);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

/* As keymeshd does with a user it does not admit. */
static void turn_away(int fd)
{
	struct km_buf b;

	km_buf_init(&b);
	if (km_rpc_encode_error(&b, 0, KM_E_RIGHTS, "this user is not in listen.users") != KM_OK ||
	    send(fd, b.data, b.len, MSG_NOSIGNAL) < 0)
		fprintf(fake.log, "TURNED AWAY unheard\n");
	km_buf_clear(&b);
	close(fd);
}

static void welcome(int lfd)
{
	struct ucred cred = {0};
	socklen_t len = sizeof(cred);
	int fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (fake.mode == CLOSED) {
		turn_away(fd);
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	for (int i = 0; i < MAX_CLIENTS; i++) {
		if (clients[i].fd < 0) {
			clients[i] = (struct client){.fd = fd, .uid = cred.uid, .in = malloc(INPUT)};
			fprintf(fake.log, "CONNECT uid=%u pid=%d\n", cred.uid, (int)cred.pid);
			return;
		}
	}
	close(fd);
}

static void loop(const int *listen_fds, unsigned listens)
{
	struct pollfd p[MAX_LISTEN + MAX_CLIENTS];

	while (!stop) {
		for (unsigned i = 0; i < listens; i++)
			p[i] = (struct pollfd){.fd = listen_fds[i], .events = POLLIN};
		for (unsigned i = 0; i < MAX_CLIENTS; i++)
			p[listens + i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
		if (poll(p, listens + MAX_CLIENTS, -1) < 0)
			continue;
		for (unsigned i = 0; i < MAX_CLIENTS; i++)
			if (clients[i].fd >= 0 && p[listens + i].revents && serve(&clients[i]) < 0)
				drop(&clients[i]);
		for (unsigned i = 0; i < listens; i++)
			if (p[i].revents)
				welcome(listen_fds[i]);
	}
}

static enum mode mode_by_name(const char *name)
{
	for (unsigned i = 0; i < sizeof(mode_names) / sizeof(mode_names[0]); i++)
		if (strcmp(name, mode_names[i]) == 0)
			return (enum mode)i;
	die(name, "no such mode");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"key", 1, NULL, 'k'},   {"name", 1, NULL, 'n'},	     {"socket", 1, NULL, 's'},
	    {"log", 1, NULL, 'l'},   {"stub", 1, NULL, 'S'},	     {"mode", 1, NULL, 'm'},
	    {"delay", 1, NULL, 'd'}, {"allow-digest", 0, NULL, 'D'}, {NULL, 0, NULL, 0},
	};
	const char *key = NULL, *name = "web", *stub = NULL, *sockets[MAX_LISTEN];
	struct sigaction sa = {.sa_handler = on_term};
	int fds[MAX_LISTEN], c;
	unsigned n = 0, i;

	fake.log = stdout;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			key = optarg;
			break;
		case 'n':
			name = optarg;
			break;
		case 's':
			if (n < MAX_LISTEN)
				sockets[n++] = optarg;
			break;
		case 'l':
			fake.log = fopen(optarg, "a");
			break;
		case 'S':
			stub = optarg;
			break;
		case 'm':
			fake.mode = mode_by_name(optarg);
			break;
		case 'd':
			fake.delay_ms = atoi(optarg);
			break;
		case 'D':
			fake.allow_digest = 1;
			break;
		default:
			return 2;
		}
	}
	if (!key || !fake.log)
		die("usage", "--key FILE --socket NAME ...");
	setvbuf(fake.log, NULL, _IOLBF, 0);
	sigaction(SIGTERM, &sa, NULL);
	load_key(key, name);
	if (stub)
		write_stub(stub);
	for (i = 0; i < MAX_CLIENTS; i++)
		clients[i].fd = -1;
	for (i = 0; i < n; i++)
		fds[i] = listen_on(sockets[i]);
	if (n)
		fprintf(fake.log, "READY\n");
	if (n)
		loop(fds, n);
	for (i = 0; i < n; i++)
		if (sockets[i][0] == '/')
			unlink(sockets[i]);
	for (i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].fd >= 0)
			drop(&clients[i]);
	gnutls_privkey_deinit(fake.key);
	fclose(fake.log);
	return 0;
}
