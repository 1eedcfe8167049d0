/* mesh_tool.c: a bad neighbour for the system tests of the daemon.
 *
 *	mesh_tool tcp-garbage HOST:PORT COUNT            random bytes on COUNT connections
 *	mesh_tool unix-garbage PATH COUNT
 *	mesh_tool null HOST:PORT                         speaks ZMTP without CURVE
 *	mesh_tool curve HOST:PORT SERVERKEY              CURVE with a key nobody knows
 *	mesh_tool as SECRETFILE HOST:PORT SERVERKEY COUNT    with a known key: COUNT random frames, some of several parts
 *	mesh_tool notified PATH                          prints what comes to a notification socket, until STOPPING=1
 * null, curve and as print and return whether the handshake succeeded (0) or was refused (1). */
#include "config.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>
#include "base/sig.h"
#include "mesh/files.h"
#include "mesh/identity.h"

static int dial_tcp(const char *address)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *ai;
	char host[256];
	const char *colon = strrchr(address, ':');
	int fd;

	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	if (getaddrinfo(host, colon + 1, &hints, &ai))
		return -1;
	fd = socket(ai->ai_family, ai->ai_socktype, 0);
	if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen)) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(ai);
	return fd;
}

static int dial_unix(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Every third one begins like ZMTP 3, so that the garbage gets past the greeting. */
static int garbage(const char *where, unsigned count, int (*dial)(const char *))
{
	static const uint8_t greeting[12] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0};
	uint8_t junk[5000];
	unsigned i;

	for (i = 0; i < count; i++) {
		int fd = dial(where);
		uint16_t len;

		if (fd < 0)
			return 1;
		kmd_random(junk, sizeof(junk));
		kmd_random(&len, sizeof(len));
		if (i % 3 == 0)
			memcpy(junk, greeting, sizeof(greeting));
		if (i % 6 == 0) {
			memset(junk + 12, 0, 52);
			memcpy(junk + 12, "CURVE", 5);
		}
		(void)!send(fd, junk, 1 + len % sizeof(junk), MSG_NOSIGNAL);
		close(fd);
	}
	return 0;
}

static int handshake(void *monitor)
{
	uint8_t head[6], address[300];
	uint16_t event = 0;
	int timeout = 3000;

	zmq_setsockopt(monitor, ZMQ_RCVTIMEO, &timeout, sizeof(timeout));
	while (zmq_recv(monitor, head, sizeof(head), 0) == (int)sizeof(head)) {
		(void)zmq_recv(monitor, address, sizeof(address), 0);
		memcpy(&event, head, sizeof(event));
		if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
			return 0;
		if (event != ZMQ_EVENT_CONNECTED)
			break;
	}
	return 1;
}

static void send_random(void *socket, unsigned count)
{
	uint8_t junk[3000];
	unsigned i;

	for (i = 0; i < count; i++) {
		uint16_t len;

		kmd_random(junk, sizeof(junk));
		kmd_random(&len, sizeof(len));
		junk[0] %= 64; /* often a kind that exists */
		if (i % 10 == 0)
			(void)zmq_send(socket, junk, 10, ZMQ_SNDMORE);
		(void)zmq_send(socket, junk, len % sizeof(junk), 0);
	}
	usleep(300000);
}

/* secret NULL: no CURVE at all. */
static int connect_zmq(const char *address, const uint8_t *secret, const char *server_hex, unsigned count)
{
	int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
		     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;
	void *zmq = zmq_ctx_new(), *s = zmq_socket(zmq, ZMQ_DEALER), *monitor = zmq_socket(zmq, ZMQ_PAIR);
	uint8_t server[32], public[32];
	char endpoint[300];
	int ret, zero = 0;

	if (secret) {
		if (kmd_hex_decode(server, 32, server_hex, strlen(server_hex)))
			return 2;
		km_x25519_public(secret, public);
		zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, server, 32);
		zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, public, 32);
		zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, secret, 32);
	}
	zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof(zero));
	zmq_socket_monitor(s, "inproc://m", events);
	zmq_connect(monitor, "inproc://m");
	snprintf(endpoint, sizeof(endpoint), "tcp://%s", address);
	if (zmq_connect(s, endpoint))
		return 2;
	ret = handshake(monitor);
	puts(ret ? "refused" : "accepted");
	if (!ret)
		send_random(s, count);
	zmq_close(monitor);
	zmq_close(s);
	zmq_ctx_term(zmq);
	return ret;
}

static int notified(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char line[500];
	ssize_t n;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return 1;
	while ((n = recv(fd, line, sizeof(line) - 1, 0)) > 0) {
		line[n] = '\0';
		puts(line);
		fflush(stdout);
		if (strstr(line, "STOPPING=1"))
			return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct kmd_identity id;
	struct kmd_fail f = {""};

	if (argc == 4 && !strcmp(argv[1], "tcp-garbage"))
		return garbage(argv[2], (unsigned)atoi(argv[3]), dial_tcp);
	if (argc == 4 && !strcmp(argv[1], "unix-garbage"))
		return garbage(argv[2], (unsigned)atoi(argv[3]), dial_unix);
	if (argc == 3 && !strcmp(argv[1], "notified"))
		return notified(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "null"))
		return connect_zmq(argv[2], NULL, NULL, 0);
	if (argc == 4 && !strcmp(argv[1], "curve")) {
		kmd_identity_make(&id);
		return connect_zmq(argv[2], id.channel_priv, argv[3], 0);
	}
	if (argc == 6 && !strcmp(argv[1], "as")) {
		if (kmd_identity_load(&id, argv[2], &f)) {
			fprintf(stderr, "%s\n", f.text);
			return 2;
		}
		return connect_zmq(argv[3], id.channel_priv, argv[4], (unsigned)atoi(argv[5]));
	}
	fputs("see the head of mesh_tool.c\n", stderr);
	return 2;
}
