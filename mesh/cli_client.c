/* cli_client.c: a connection to the daemon, and the small things all commands need. */
#include "config.h"
#include "mesh/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "mesh/clock.h"
#include "mesh/files.h"

#define DEFAULT_SOCKET "/run/keymesh/keymesh.sock"
#define KEY_PATIENCE_MS 2500
#define KEY_PAUSE_MS 100
#define IN_MAX (KM_RPC_MAX_TO_CLIENT + 4u)

static int exit_status(int err)
{
	switch (err) {
	case KM_E_NOQUORUM:
	case KM_E_EMPTY:
	case KM_E_DEADLINE:
	case KM_E_BUSY:
	case KM_E_RATE:
		return KMD_EXIT_RETRY;
	case KM_E_IO:
		return KMD_EXIT_NO_DAEMON;
	default:
		return KMD_EXIT_FAILED;
	}
}

int kmd_cli_error(int err, const char *fmt, ...)
{
	va_list ap;

	fputs("keymesh: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return exit_status(err);
}

int kmd_cli_usage(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "keymesh %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; keymesh %s --help says more\n", command);
	return KMD_EXIT_USAGE;
}

long kmd_cli_number(const char *text, long min, long max)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	return errno || end == text || *end || v < min || v > max ? -1 : v;
}

int kmd_cli_write(const char *path, unsigned mode, const void *data, size_t len)
{
	struct kmd_fail f;
	int err;

	if (!path || !strcmp(path, "-")) {
		if (fwrite(data, 1, len, stdout) != len || fflush(stdout))
			return kmd_cli_error(KM_E_STATE, "the output cannot be written: %s", strerror(errno));
		return KMD_EXIT_OK;
	}
	err = kmd_file_create(path, mode, data, len, &f);
	return err ? kmd_cli_error(KM_E_STATE, "%s", f.text) : KMD_EXIT_OK;
}

int kmd_cli_open(struct kmd_cli *c, const char *socket_name)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t n;

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	if (!socket_name)
		socket_name = getenv("KEYMESH_SOCKET");
	if (!socket_name || !*socket_name)
		socket_name = DEFAULT_SOCKET;
	n = strlen(socket_name);
	if (n < 2 || n >= sizeof(sa.sun_path))
		return kmd_fail(&c->fail, KM_E_IO, "%s is no name of a unix socket; give --socket PATH or --socket @NAME",
				socket_name);
	memcpy(sa.sun_path, socket_name, n);
	if (socket_name[0] == '@')
		sa.sun_path[0] = '\0';
	c->in = malloc(IN_MAX);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!c->in || c->fd < 0)
		return kmd_fail(&c->fail, KM_E_NOMEM, "no memory or no socket: %s", strerror(errno));
	if (connect(c->fd, (struct sockaddr *)&sa,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (socket_name[0] != '@'))))
		return kmd_fail(&c->fail, KM_E_IO, "no keymeshd answers on %s: %s; is it running, is this the right --socket?",
				socket_name, strerror(errno));
	return KM_OK;
}

void kmd_cli_close(struct kmd_cli *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->in);
	c->fd = -1;
	c->in = NULL;
}

int kmd_cli_send(struct kmd_cli *c, const struct km_buf *b)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = send(c->fd, b->data + done, b->len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return kmd_fail(&c->fail, KM_E_IO, "the connection to keymeshd broke: %s", strerror(errno));
		done += (size_t)n;
	}
	return KM_OK;
}

int kmd_cli_recv(struct kmd_cli *c, int timeout_ms, struct km_rpc_frame *f)
{
	uint64_t end = kmd_mono_us() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms) * 1000;
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	size_t used;
	ssize_t n;
	int ret;

	memmove(c->in, c->in + c->in_used, c->in_len - c->in_used);
	c->in_len -= c->in_used;
	c->in_used = 0;
	while (!(ret = km_rpc_frame_next(c->in, c->in_len, KM_RPC_MAX_TO_CLIENT, &used, f))) {
		uint64_t now = kmd_mono_us();

		if (timeout_ms >= 0 && now >= end)
			return kmd_fail(&c->fail, KM_E_DEADLINE, "keymeshd did not answer in %d ms", timeout_ms);
		if (poll(&p, 1, timeout_ms < 0 ? -1 : (int)((end - now) / 1000 + 1)) <= 0)
			continue;
		n = recv(c->fd, c->in + c->in_len, IN_MAX - c->in_len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return kmd_fail(&c->fail, KM_E_IO, "keymeshd closed the connection");
		c->in_len += (size_t)n;
	}
	if (ret < 0)
		return kmd_fail(&c->fail, KM_E_STATE, "what answers there is no keymeshd: %s", km_strerror(ret));
	c->in_used = used;
	return KM_OK;
}

int kmd_cli_call(struct kmd_cli *c, const struct km_buf *b, unsigned type, int timeout_ms, struct km_rpc_frame *f)
{
	uint32_t seq = c->seq++;
	struct km_rpc_text text;
	struct kmd_fail broke;
	int err = b->err ? b->err : kmd_cli_send(c, b);

	/* Who is refused at the door finds it closed, with the reason left behind. */
	if (err == KM_E_IO) {
		broke = c->fail;
		err = kmd_cli_recv(c, 100, f);
		if (!err && f->type == KM_RPC_ERROR && !km_rpc_decode_text(f, &text))
			return kmd_fail(&c->fail, text.err, "%.*s", (int)text.len, text.text);
		c->fail = broke;
		return KM_E_IO;
	}
	while (!err) {
		err = kmd_cli_recv(c, timeout_ms, f);
		/* seq 0 with an ERROR is a refusal at the door. */
		if (err || (f->seq != seq && !(f->type == KM_RPC_ERROR && f->seq == 0)))
			continue;
		if (f->type == type)
			return KM_OK;
		err = km_rpc_decode_text(f, &text);
		if (err || (f->type != KM_RPC_PROGRESS && f->type != KM_RPC_ERROR))
			return kmd_fail(&c->fail, KM_E_STATE, "keymeshd sent an answer of type %u that does not belong here",
					f->type);
		if (f->type == KM_RPC_ERROR)
			return kmd_fail(&c->fail, text.err, "%.*s", (int)text.len, text.text);
		fprintf(stderr, "%.*s\n", (int)text.len, text.text);
	}
	return err;
}

static int ask_key(struct kmd_cli *c, const struct km_rpc_key *m, struct km_rpc_key_info *info)
{
	struct km_rpc_frame f;
	struct km_buf b;
	int err;

	km_buf_init(&b);
	err = km_rpc_encode_key(&b, c->seq, m);
	if (!err)
		err = kmd_cli_call(c, &b, KM_RPC_KEY_INFO, KMD_CLI_DEADLINE_MS, &f);
	if (!err && km_rpc_decode_key_info(&f, info))
		err = kmd_fail(&c->fail, KM_E_STATE, "keymeshd's description of the key is malformed");
	km_buf_clear(&b);
	return err;
}

/* A frontend hears of a new key with its next pings: who asks right after the key generation is patient for that long. */
int kmd_cli_key(struct kmd_cli *c, const char *name, struct km_rpc_key_info *info)
{
	static const struct timespec pause = {.tv_nsec = KEY_PAUSE_MS * 1000000};
	struct km_rpc_key m = {.by = KM_RPC_BY_NAME};
	int err;

	if (!km_rpc_name_valid(name, strlen(name)))
		return kmd_fail(&c->fail, KM_E_INVAL,
				"\"%s\" is no name of a key: 1 to 63 of a-z 0-9 . _ - beginning with a letter or digit", name);
	memcpy(m.name, name, strlen(name));
	for (unsigned waited_ms = 0;; waited_ms += KEY_PAUSE_MS) {
		err = ask_key(c, &m, info);
		if ((err != KM_E_NOTFOUND && err != KM_E_NOQUORUM) || waited_ms >= KEY_PATIENCE_MS)
			return err;
		nanosleep(&pause, NULL);
	}
}

int kmd_cli_sign(struct kmd_cli *c, const uint8_t key_id[KM_HASH_SIZE], unsigned context, const void *data, size_t len,
		 struct km_rpc_signature *sig)
{
	struct km_rpc_sign m = {.context = (uint8_t)context, .deadline_ms = KMD_CLI_DEADLINE_MS, .data = data, .len = len};
	struct km_rpc_frame f;
	struct km_buf b;
	int err;

	memcpy(m.key_id, key_id, KM_HASH_SIZE);
	kmd_random(m.random, sizeof(m.random));
	km_buf_init(&b);
	err = km_rpc_encode_sign(&b, c->seq, &m);
	if (err)
		kmd_fail(&c->fail, err, "%zu bytes in context %u cannot be asked for (limit %u bytes)", len, context,
			 KM_MAX_REQUEST_BYTES);
	else
		err = kmd_cli_call(c, &b, KM_RPC_SIGNATURE, KMD_CLI_DEADLINE_MS + 1000, &f);
	if (!err && km_rpc_decode_signature(&f, sig))
		err = kmd_fail(&c->fail, KM_E_STATE, "keymeshd's signature is malformed");
	km_buf_clear(&b);
	return err;
}

int kmd_cli_status(struct kmd_cli *c, struct km_rpc_text *text)
{
	struct km_rpc_frame f;
	struct km_buf b;
	int err;

	km_buf_init(&b);
	err = km_rpc_encode_status(&b, c->seq);
	if (!err)
		err = kmd_cli_call(c, &b, KM_RPC_JSON, KMD_CLI_DEADLINE_MS, &f);
	if (!err)
		err = km_rpc_decode_text(&f, text);
	km_buf_clear(&b);
	return err;
}
