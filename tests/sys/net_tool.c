/* net_tool.c: what the shell lacks for tests: free ports, and waiting for a port or socket instead of sleeping.
 *
 *	net_tool port [N]                 prints N TCP ports of 127.0.0.1 that are free now
 *	net_tool wait PORT|PATH|@NAME MS [PID]    0 when it accepts connections; 1 after MS; 2 when process PID is gone
 *	net_tool elapsed COMMAND...       runs it, prints its wall time in ms on fd 3, exits as it does
 */
#include "config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOWEST_PORT = 12000, PORTS = 20000 };

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000L + ts.tv_nsec / 1000000;
}

/* A free port below those that the kernel gives to outgoing connections: one of these may be gone before its server is there. */
static int bind_somewhere(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	for (int i = 0; fd >= 0 && i < 1000; i++) {
		int port = LOWEST_PORT + (int)(random() % PORTS);

		sa.sin_port = htons((uint16_t)port);
		if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
			return port;
	}
	return -1;
}

/* All are held until all are found, so that they differ. */
static int print_ports(int n)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	srandom((unsigned)ts.tv_nsec ^ (unsigned)getpid() << 16);
	for (int i = 0; i < n; i++) {
		int port = bind_somewhere();

		if (port < 0)
			return 1;
		printf("%s%d", i ? " " : "", port);
	}
	putchar('\n');
	return 0;
}

static int try_connect(const char *where)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t n = strlen(where);
	int fd, ok;

	if (where[0] != '/' && where[0] != '@') {
		in.sin_port = htons((uint16_t)atoi(where));
		fd = socket(AF_INET, SOCK_STREAM, 0);
		ok = connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0;
	} else {
		if (n >= sizeof(un.sun_path))
			return 0;
		memcpy(un.sun_path, where, n);
		if (where[0] == '@')
			un.sun_path[0] = '\0';
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		ok = connect(fd, (struct sockaddr *)&un,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (where[0] == '/'))) == 0;
	}
	close(fd);
	return ok;
}

static int wait_for(const char *where, long ms, pid_t pid)
{
	long end = now_ms() + ms;

	while (!try_connect(where)) {
		if (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH)
			return 2;
		if (now_ms() >= end)
			return 1;
		poll(NULL, 0, 10);
	}
	return 0;
}

static int elapsed(char **argv)
{
	long begin = now_ms();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 126;
	dprintf(3, "%ld\n", now_ms() - begin);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "port") == 0)
		return print_ports(argc > 2 ? atoi(argv[2]) : 1);
	if (argc >= 4 && strcmp(argv[1], "wait") == 0)
		return wait_for(argv[2], atol(argv[3]), argc > 4 ? (pid_t)atol(argv[4]) : 0);
	if (argc >= 3 && strcmp(argv[1], "elapsed") == 0)
		return elapsed(argv + 2);
	fprintf(stderr, "usage: net_tool port [N] | wait PORT|PATH|@NAME MS [PID] | elapsed COMMAND...\n");
	return 64;
}
