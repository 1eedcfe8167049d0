/* poke.c: knocks at keymeshd's sockets with what does not belong there.
 *
 *	poke curve ADDRESS SERVERKEY [SECRET]   a CURVE client (own new key, or the hex SECRET): prints admitted, refused or failed,
 *	                                        and when admitted sends garbage; SERVERKEY is 64 hex digits
 *	poke null ADDRESS                       the same without CURVE
 *	poke tcp HOST:PORT                      raw garbage, a ZMTP greeting that breaks off, a greeting and garbage; "done N"
 *	poke local PATH                         broken and unknown frames; prints what became of each connection
 *
 * Garbage is of a fixed generator: every run sends the same. */
#include "config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#define WAIT_MS 5000

static uint64_t state = 88172645463325252u;

static uint8_t garbage(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint8_t)(state >> 24);
}

static void fill(uint8_t *p, size_t n)
{
	while (n--)
		*p++ = garbage();
}

static int hex_key(uint8_t out[32], const char *hex)
{
	char byte[3] = "";
	char *end;

	if (strlen(hex) != 64)
		return -1;
	for (int i = 0; i < 32; i++) {
		memcpy(byte, hex + 2 * i, 2);
		out[i] = (uint8_t)strtoul(byte, &end, 16);
		if (*end)
			return -1;
	}
	return 0;
}

/* ---- ZeroMQ */

static int set_curve(void *s, const char *server_hex, const char *secret_hex)
{
	char pub[41], sec[41];
	uint8_t server[32], secret[32];

	if (hex_key(server, server_hex))
		return -1;
	if (!secret_hex) {
		if (zmq_curve_keypair(pub, sec))
			return -1;
	} else if (hex_key(secret, secret_hex) || !zmq_z85_encode(sec, secret, 32) || zmq_curve_public(pub, sec)) {
		return -1;
	}
	return zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, server, 32) || zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, pub, 41) ||
	       zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, sec, 41);
}

/* What became of the handshake. */
static const char *outcome(void *monitor)
{
	uint8_t head[6], address[300];
	uint16_t event;

	while (zmq_recv(monitor, head, sizeof(head), 0) == (int)sizeof(head)) {
		zmq_recv(monitor, address, sizeof(address), 0);
		memcpy(&event, head, sizeof(event));
		if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
			return "admitted";
		if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
			return "refused";
		if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL || event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL || event == ZMQ_EVENT_DISCONNECTED)
			return "failed";
	}
	return "failed";
}

/* Every first byte, several lengths, sometimes in several parts. */
static unsigned send_garbage(void *s)
{
	static uint8_t data[65536];
	unsigned sent = 0;

	for (unsigned i = 0; i < 1024; i++) {
		size_t n = i % 16 == 15 ? 20000 + 40 * (size_t)garbage() : i % 4 == 3 ? 4 * (size_t)garbage() : i % 64;

		fill(data, n);
		if (n)
			data[0] = (uint8_t)(i / 4);
		if (zmq_send(s, data, n, i % 50 == 49 ? ZMQ_SNDMORE : 0) >= 0)
			sent++;
	}
	zmq_send(s, "", 0, 0);
	return sent;
}

static int knock(const char *address, int curve, const char *server_hex, const char *secret_hex)
{
	void *ctx = zmq_ctx_new(), *s = zmq_socket(ctx, ZMQ_DEALER), *monitor = zmq_socket(ctx, ZMQ_PAIR);
	int wait = WAIT_MS;
	const char *what;
	char endpoint[300];

	snprintf(endpoint, sizeof(endpoint), "tcp://%s", address);
	zmq_setsockopt(monitor, ZMQ_RCVTIMEO, &wait, sizeof(wait));
	zmq_setsockopt(s, ZMQ_SNDTIMEO, &wait, sizeof(wait));
	zmq_setsockopt(s, ZMQ_LINGER, &wait, sizeof(wait));
	if ((curve && set_curve(s, server_hex, secret_hex)) || zmq_socket_monitor(s, "inproc://m", ZMQ_EVENT_ALL) || zmq_connect(monitor, "inproc://m") ||
	    zmq_connect(s, endpoint)) {
		fprintf(stderr, "poke: %s\n", zmq_strerror(errno));
		return 1;
	}
	what = outcome(monitor);
	puts(what);
	if (!strcmp(what, "admitted")) {
		printf("sent %u\n", send_garbage(s));
	} else {
		wait = 0;
		zmq_setsockopt(s, ZMQ_LINGER, &wait, sizeof(wait));
	}
	zmq_socket_monitor(s, NULL, 0);
	zmq_close(monitor);
	zmq_close(s);
	zmq_ctx_term(ctx);
	return 0;
}

/* ---- plain sockets */

static int dial_tcp(const char *address)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const char *colon = strrchr(address, ':');
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_port = htons((uint16_t)atoi(colon ? colon + 1 : address));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	perror("poke");
	exit(1);
}

static int dial_local(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	perror("poke");
	exit(1);
}

static void put(int fd, const void *data, size_t n)
{
	/* the other side may have hung up already: that is an outcome, too */
	(void)!send(fd, data, n, MSG_NOSIGNAL);
}

static int poke_tcp(const char *address)
{
	static const uint8_t greeting[64] = {0xff, [8] = 1, [9] = 0x7f, 3, 1, 'C', 'U', 'R', 'V', 'E'};
	static uint8_t data[100000];
	unsigned done = 0;

	for (unsigned i = 0; i < 40; i++) {
		size_t n = i % 4 == 3 ? sizeof(data) : 1 + 7 * (size_t)garbage();
		int fd = dial_tcp(address);

		fill(data, n);
		if (i % 2)
			put(fd, greeting, i % 8 == 5 ? 20 : sizeof(greeting));
		if (i % 8 == 7)
			memcpy(data, "\x04\x06\x05HELLO", 8); /* a command that begins well */
		put(fd, data, n);
		close(fd);
		done++;
	}
	printf("done %u\n", done);
	return 0;
}

/* "cut" when the daemon hangs up without a word, "answer TYPE" when it says something, "waits" when it wants more. */
static void say_outcome(const char *name, int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t in[2048];
	ssize_t n;

	printf("%s: ", name);
	if (poll(&p, 1, ms) <= 0)
		puts("waits");
	else if ((n = recv(fd, in, sizeof(in), 0)) <= 0)
		puts("cut");
	else
		printf("answer %u\n", n > 5 ? in[5] : 0);
	close(fd);
}

static int poke_local(const char *path)
{
	static const struct {
		const char *name;
		uint8_t bytes[16];
		size_t n, zeros; /* zeros: how many follow */
	} cases[] = {
	    {"text", "GET / HTTP/1.0\r\n", 16, 0},
	    {"length 0", {0}, 4, 0},
	    {"length below a head", {0, 0, 0, 3, 1, 1, 0}, 7, 0},
	    {"length 2^32-1", {0xff, 0xff, 0xff, 0xff}, 4, 0},
	    {"length over the limit", {0, 1, 16, 1}, 4, 0},
	    {"another version", {0, 0, 0, 6, 9, 3, 0, 0, 0, 1}, 10, 0},
	    {"an unknown request", {0, 0, 0, 6, 1, 63, 0, 0, 0, 1}, 10, 0},
	    {"an answer as a request", {0, 0, 0, 6, 1, 65, 0, 0, 0, 1}, 10, 0},
	    {"a status with a tail", {0, 0, 0, 8, 1, 3, 0, 0, 0, 1, 0, 0}, 12, 0},
	    {"a signature of zeros", {0, 0, 4, 6, 1, 2, 0, 0, 0, 1}, 10, 1024},
	    {"a key of zeros", {0, 0, 0, 106, 1, 1, 0, 0, 0, 1}, 10, 100},
	    {"a key generation of zeros", {0, 0, 0, 106, 1, 4, 0, 0, 0, 1}, 10, 100},
	    {"half a frame", {0, 0, 1, 0, 1, 2}, 6, 0},
	};
	static uint8_t zeros[4096], data[70000];
	int fd;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fd = dial_local(path);
		put(fd, cases[i].bytes, cases[i].n);
		put(fd, zeros, cases[i].zeros);
		say_outcome(cases[i].name, fd, strcmp(cases[i].name, "half a frame") ? WAIT_MS : 300);
	}
	for (unsigned i = 0; i < 60; i++) {
		size_t n = 1 + 256 * (size_t)garbage() % sizeof(data);

		fd = dial_local(path);
		fill(data, n);
		if (i % 2) /* a good head of a known request, garbage for a body */
			memcpy(data, (uint8_t[10]){0, 0, 0, 90, 1, (uint8_t)(1 + i / 2 % 4), 0, 0, 0, 1}, n < 10 ? n : 10);
		put(fd, data, n);
		close(fd);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "curve"))
		return knock(argv[2], 1, argv[3], argc > 4 ? argv[4] : NULL);
	if (argc == 3 && !strcmp(argv[1], "null"))
		return knock(argv[2], 0, NULL, NULL);
	if (argc == 3 && !strcmp(argv[1], "tcp"))
		return poke_tcp(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "local"))
		return poke_local(argv[2]);
	fprintf(stderr, "usage: poke curve ADDRESS SERVERKEY [SECRET] | null ADDRESS | tcp ADDRESS | local PATH\n");
	return 64;
}
