/* poke.c: local requests that are none, and guests who never leave.
 *
 *	poke local PATH              broken and unknown frames at a unix socket; prints what became of each connection
 *	poke idle ADDRESS|PATH N     N connections that begin nothing or a greeting and stay until it ends; prints "there"
 *
 * Garbage is of a fixed generator: every run sends the same. */
#include "config.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

/* Connections that say nothing, or begin a ZMTP greeting, and stay. */
static int poke_idle(const char *where, int count)
{
	static const uint8_t greeting[20] = {0xff, [8] = 1, [9] = 0x7f, 3};

	for (int i = 0; i < count; i++) {
		int fd = where[0] == '/' ? dial_local(where) : dial_tcp(where);

		put(fd, greeting, i % 2 ? sizeof(greeting) : 0);
	}
	puts("there");
	fflush(stdout);
	pause();
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
	if (argc == 3 && !strcmp(argv[1], "local"))
		return poke_local(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "idle"))
		return poke_idle(argv[2], atoi(argv[3]));
	fprintf(stderr, "usage: poke local PATH | idle ADDRESS|PATH COUNT\n");
	return 64;
}
