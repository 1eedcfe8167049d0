/* test_local.c: unix sockets: frames in every cut, limits, garbage, slow and crowding clients. */
#include "config.h"
#include "lib/test.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "lib/tempdir.h"
#include "mesh/local.h"
#include "mesh/log.h"

struct server {
	struct kmd_loop *loop;
	struct kmd_local *local;
	unsigned frames, closed;
	int deny, flood;
	struct kmd_client *last;
};

static int admit(void *ctx, uid_t uid)
{
	struct server *s = ctx;

	assert_int_equal(uid, geteuid());
	return s->deny ? KM_E_RIGHTS : KM_OK;
}

/* Answers a STATUS with DONE; refuses another type. */
static int frame(void *ctx, struct kmd_client *c, const struct km_rpc_frame *f)
{
	struct server *s = ctx;
	struct km_buf b;
	int i;

	if (f->type != KM_RPC_STATUS && f->type != KM_RPC_SIGN)
		return KM_E_ENCODING;
	s->frames++;
	s->last = c;
	assert_int_equal(kmd_client_uid(c), geteuid());
	km_buf_init(&b);
	for (i = 0; i < (s->flood ? 3000 : 1); i++)
		assert_int_equal(km_rpc_encode_done(&b, f->seq,
						    s->flood
							? "0123456789012345678901234567890123456789012345678901234567890123456789"
							  "012345678901234567890123456789012345678901234567890123456789"
							: "yes"),
				 KM_OK);
	kmd_client_send(c, &b);
	km_buf_clear(&b);
	return KM_OK;
}

static void closed(void *ctx, struct kmd_client *c)
{
	struct server *s = ctx;

	s->closed++;
	if (s->last == c)
		s->last = NULL;
}

static const struct kmd_local_ops ops = {admit, frame, closed};

static int start(void **state)
{
	static struct server s;
	struct kmd_local_params p = {
	    .path = km_temp("sock"), .abstract = strrchr(km_temp("sock"), '/') - 6, .max_clients = 4, .ops = &ops, .ctx = &s};
	struct kmd_fail f = {""};

	kmd_log_init("test", KM_LOG_ERROR);
	memset(&s, 0, sizeof(s));
	if (kmd_loop_new(&s.loop) || kmd_local_open(&s.local, &p, s.loop, &f)) {
		print_message("# %s\n", f.text);
		return -1;
	}
	*state = &s;
	return 0;
}

static int stop(void **state)
{
	struct server *s = *state;

	kmd_local_close(s->local);
	kmd_loop_free(s->loop);
	assert_int_not_equal(access(km_temp("sock"), F_OK), 0);
	return 0;
}

static void turn(struct server *s)
{
	int i;

	for (i = 0; i < 5; i++)
		kmd_loop_wait(s->loop, 1000);
}

static int dial(struct server *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", km_temp("sock"));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	turn(s);
	return fd;
}

static void status_frame(struct km_buf *b, uint32_t seq)
{
	km_buf_init(b);
	assert_int_equal(km_rpc_encode_status(b, seq), KM_OK);
}

static void expect_done(int fd, uint32_t seq)
{
	struct km_rpc_frame f;
	uint8_t in[200];
	ssize_t n = recv(fd, in, sizeof(in), 0);
	size_t used;

	assert_true(n > 0);
	assert_int_equal(km_rpc_frame_next(in, (size_t)n, KM_RPC_MAX_TO_CLIENT, &used, &f), 1);
	assert_int_equal(used, n);
	assert_int_equal(f.type, KM_RPC_DONE);
	assert_int_equal(f.seq, seq);
}

/* 1 when the other side has closed. */
static int is_closed(int fd)
{
	uint8_t in[4096];
	ssize_t n;

	while ((n = recv(fd, in, sizeof(in), 0)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

static void stats(struct server *s, struct kmd_local_stats *st)
{
	kmd_local_stats(s->local, st);
}

static void test_one(void **state)
{
	struct server *s = *state;
	int fd = dial(s);
	struct km_buf b;

	status_frame(&b, 77);
	assert_int_equal(send(fd, b.data, b.len, 0), b.len);
	turn(s);
	expect_done(fd, 77);
	close(fd);
	turn(s);
	assert_int_equal(s->closed, 1);
	km_buf_clear(&b);
}

static void test_byte_by_byte(void **state)
{
	struct server *s = *state;
	int fd = dial(s);
	struct km_buf b;
	size_t i;

	status_frame(&b, 5);
	for (i = 0; i < b.len; i++) {
		assert_int_equal(s->frames, 0);
		assert_int_equal(send(fd, b.data + i, 1, 0), 1);
		turn(s);
	}
	expect_done(fd, 5);
	close(fd);
	km_buf_clear(&b);
}

static void test_many_at_once(void **state)
{
	struct server *s = *state;
	int fd = dial(s), i;
	struct km_buf b;

	km_buf_init(&b);
	for (i = 0; i < 100; i++)
		assert_int_equal(km_rpc_encode_status(&b, (uint32_t)i), KM_OK);
	assert_int_equal(send(fd, b.data, b.len - 3, 0), b.len - 3);
	turn(s);
	assert_int_equal(s->frames, 99);
	assert_int_equal(send(fd, b.data + b.len - 3, 3, 0), 3);
	turn(s);
	assert_int_equal(s->frames, 100);
	close(fd);
	km_buf_clear(&b);
}

/* The largest request passes, whatever the pieces; one byte more in the length field does not. */
static void test_limit(void **state)
{
	static uint8_t bytes[KM_MAX_REQUEST_BYTES];
	struct km_rpc_sign m = {.context = 1, .deadline_ms = 1, .data = bytes, .len = sizeof(bytes)};
	struct kmd_local_stats st;
	struct server *s = *state;
	uint8_t over[4] = {(uint8_t)((KM_RPC_MAX_TO_DAEMON + 1) >> 24), (uint8_t)((KM_RPC_MAX_TO_DAEMON + 1) >> 16),
			   (uint8_t)((KM_RPC_MAX_TO_DAEMON + 1) >> 8), (uint8_t)(KM_RPC_MAX_TO_DAEMON + 1)};
	int fd = dial(s), i;
	struct km_buf b;
	size_t done = 0;

	km_buf_init(&b);
	assert_int_equal(km_rpc_encode_sign(&b, 1, &m), KM_OK);
	for (i = 0; i < 1000 && done < b.len; i++) {
		ssize_t n = send(fd, b.data + done, b.len - done < 10007 ? b.len - done : 10007, 0);

		done += n > 0 ? (size_t)n : 0;
		kmd_loop_wait(s->loop, 100);
	}
	turn(s);
	assert_int_equal(s->frames, 1);
	expect_done(fd, 1);
	assert_int_equal(send(fd, over, 4, 0), 4);
	turn(s);
	assert_true(is_closed(fd));
	stats(s, &st);
	assert_int_equal(st.malformed, 1);
	assert_int_equal(s->closed, 1);
	close(fd);
	km_buf_clear(&b);
}

static void test_garbage(void **state)
{
	struct server *s = *state;
	struct kmd_local_stats st;
	unsigned i, k, seed = 7;

	for (i = 0; i < 200; i++) {
		int fd = dial(s);
		uint8_t junk[300];

		for (k = 0; k < sizeof(junk); k++) {
			seed = seed * 1103515245 + 12345;
			junk[k] = (uint8_t)(seed >> 16);
		}
		assert_true(send(fd, junk, 1 + seed % sizeof(junk), 0) > 0);
		turn(s);
		close(fd);
		turn(s);
	}
	stats(s, &st);
	assert_int_equal(st.clients, 0);
	assert_int_equal(st.accepted, 200);
	assert_int_equal(s->closed, 200);
	s->closed = 0;
	test_one(state);
}

static void test_wrong_type(void **state)
{
	struct server *s = *state;
	struct km_rpc_key m = {.by = KM_RPC_BY_NAME, .name = "a"};
	int fd = dial(s);
	struct km_buf b;

	km_buf_init(&b);
	assert_int_equal(km_rpc_encode_key(&b, 1, &m), KM_OK);
	assert_int_equal(send(fd, b.data, b.len, 0), b.len);
	turn(s);
	assert_true(is_closed(fd));
	close(fd);
	km_buf_clear(&b);
}

static void test_denied(void **state)
{
	struct kmd_local_stats st;
	struct server *s = *state;
	struct km_rpc_frame f;
	uint8_t in[300];
	size_t used;
	ssize_t n;
	int fd;

	s->deny = 1;
	fd = dial(s);
	n = recv(fd, in, sizeof(in), 0);
	assert_true(n > 0);
	assert_int_equal(km_rpc_frame_next(in, (size_t)n, KM_RPC_MAX_TO_CLIENT, &used, &f), 1);
	assert_int_equal(f.type, KM_RPC_ERROR);
	assert_true(is_closed(fd));
	stats(s, &st);
	assert_int_equal(st.refused, 1);
	assert_int_equal(st.clients, 0);
	close(fd);
}

static void test_too_many(void **state)
{
	struct server *s = *state;
	int fd[5], i;
	struct km_buf b;

	for (i = 0; i < 5; i++)
		fd[i] = dial(s);
	assert_true(is_closed(fd[4]));
	status_frame(&b, 1);
	assert_int_equal(send(fd[0], b.data, b.len, 0), b.len);
	turn(s);
	expect_done(fd[0], 1);
	for (i = 0; i < 5; i++)
		close(fd[i]);
	turn(s);
	i = dial(s);
	assert_int_equal(send(i, b.data, b.len, 0), b.len);
	turn(s);
	expect_done(i, 1);
	close(i);
	km_buf_clear(&b);
}

/* Who asks and never reads is cut off when 2 MiB wait for it; nobody else notices. */
static void test_slow(void **state)
{
	struct server *s = *state;
	struct kmd_local_stats st;
	int fd = dial(s), i, sent = 0;
	struct km_buf b;

	s->flood = 1;
	status_frame(&b, 1);
	for (i = 0; i < 20; i++) {
		sent += send(fd, b.data, b.len, MSG_NOSIGNAL) > 0;
		turn(s);
	}
	stats(s, &st);
	assert_int_equal(st.cut_off, 1);
	assert_int_equal(st.clients, 0);
	assert_true(sent < 20 || is_closed(fd));
	close(fd);
	s->flood = 0;
	s->closed = 0;
	km_buf_clear(&b);
	test_one(state);
}

/* A large answer goes out in pieces as the client reads. */
static void test_reads_slowly(void **state)
{
	struct server *s = *state;
	int fd = dial(s), i;
	size_t total = 0;
	struct km_buf b;

	s->flood = 1;
	status_frame(&b, 1);
	assert_int_equal(send(fd, b.data, b.len, 0), b.len);
	for (i = 0; i < 20000 && total < 3000 * (size_t)(10 + 4 + 130); i++) {
		uint8_t in[1000];
		ssize_t n;

		kmd_loop_wait(s->loop, 0);
		n = recv(fd, in, sizeof(in), 0);
		total += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(total, 3000 * (10 + 4 + 130));
	close(fd);
	km_buf_clear(&b);
}

static void test_abstract(void **state)
{
	struct server *s = *state;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const char *name = strrchr(km_temp("sock"), '/') - 6;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct km_buf b;

	memcpy(sa.sun_path + 1, name, strlen(name));
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))), 0);
	turn(s);
	status_frame(&b, 3);
	assert_int_equal(send(fd, b.data, b.len, 0), b.len);
	turn(s);
	expect_done(fd, 3);
	close(fd);
	km_buf_clear(&b);
}

static void test_path_taken(void **state)
{
	struct server *s = *state;
	struct kmd_local_params p = {.path = km_temp("sock"), .max_clients = 1, .ops = &ops, .ctx = s};
	struct kmd_local *other;
	struct kmd_fail f = {""};
	int fd;

	assert_int_equal(kmd_local_open(&other, &p, s->loop, &f), KM_E_BUSY);
	assert_non_null(strstr(f.text, "another keymeshd answers"));
	assert_null(other);
	fd = dial(s); /* the first one still works */
	close(fd);
	/* A file that is no socket is left alone. */
	km_temp_write("file", "x", 1, 0600);
	p.path = km_temp("file");
	assert_int_equal(kmd_local_open(&other, &p, s->loop, &f), KM_E_EXISTS);
	assert_int_equal(access(km_temp("file"), F_OK), 0);
}

/* The socket of a daemon that crashed is taken over. */
static void test_stale_path(void **state)
{
	struct server *s = *state;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct kmd_local_params p = {.path = km_temp("stale"), .max_clients = 1, .ops = &ops, .ctx = s};
	struct kmd_local *other;
	struct kmd_fail f = {""};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", km_temp("stale"));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	assert_int_equal(kmd_local_open(&other, &p, s->loop, &f), KM_OK);
	kmd_local_close(other);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, start, stop)
KM_TESTS(T(test_one), T(test_byte_by_byte), T(test_many_at_once), T(test_limit), T(test_garbage), T(test_wrong_type),
	 T(test_denied), T(test_too_many), T(test_slow), T(test_reads_slowly), T(test_abstract), T(test_path_taken),
	 T(test_stale_path))
