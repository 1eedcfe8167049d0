/* handshakes.c: a TLS client that does N full handshakes and says how long they took.
 *
 *	handshakes --port P --ca FILE [--count N] [--parallel K] [--tls12]
 *	-> "count 200 failed 0 p50_us 1234 p99_us 2345 max_us 3456 per_s 789"; exit 1 if one failed
 *
 * Every handshake is a new connection without resumption; the certificate is verified for "localhost". */
#include <arpa/inet.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct client {
	pthread_t thread;
	unsigned count, failed;
	uint64_t *us;          /* [count], of the good ones */
	unsigned good;
	char why[160];
};

static uint16_t port;
static const char *priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
static gnutls_certificate_credentials_t trust;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static int dial(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = 10};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* 0 or a GnuTLS error. */
static int handshake(void)
{
	gnutls_session_t s;
	int fd = dial(), ret;

	if (fd < 0)
		return GNUTLS_E_PUSH_ERROR;
	gnutls_init(&s, GNUTLS_CLIENT | GNUTLS_NO_TICKETS);
	gnutls_priority_set_direct(s, priority, NULL);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, trust);
	gnutls_server_name_set(s, GNUTLS_NAME_DNS, "localhost", 9);
	gnutls_session_set_verify_cert(s, "localhost", 0);
	gnutls_transport_set_int(s, fd);
	do {
		ret = gnutls_handshake(s);
	} while (ret < 0 && !gnutls_error_is_fatal(ret) && ret != GNUTLS_E_AGAIN);
	if (ret == 0)
		gnutls_bye(s, GNUTLS_SHUT_WR);
	gnutls_deinit(s);
	close(fd);
	return ret;
}

static void *run(void *arg)
{
	struct client *c = arg;

	for (unsigned i = 0; i < c->count; i++) {
		uint64_t t = now_us();
		int ret = handshake();

		if (ret < 0) {
			c->failed++;
			snprintf(c->why, sizeof(c->why), "%s", gnutls_strerror(ret));
			continue;
		}
		c->us[c->good++] = now_us() - t;
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int usage(void)
{
	fputs("usage: handshakes --port P --ca FILE [--count N] [--parallel K] [--tls12]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"port", 1, NULL, 'p'}, {"ca", 1, NULL, 'c'}, {"count", 1, NULL, 'n'},
						{"parallel", 1, NULL, 'k'}, {"tls12", 0, NULL, '2'}, {NULL, 0, NULL, 0}};
	const char *ca = NULL;
	unsigned count = 200, parallel = 1, good = 0, failed = 0;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'p')
			port = (uint16_t)atoi(optarg);
		else if (opt == 'c')
			ca = optarg;
		else if (opt == 'n')
			count = (unsigned)atoi(optarg);
		else if (opt == 'k')
			parallel = (unsigned)atoi(optarg);
		else if (opt == '2')
			priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
		else
			return usage();
	}
	if (!port || !ca || count < 1 || count > 1000000 || parallel < 1 || parallel > 256 || optind < argc)
		return usage();
	gnutls_certificate_allocate_credentials(&trust);
	if (gnutls_certificate_set_x509_trust_file(trust, ca, GNUTLS_X509_FMT_PEM) < 1) {
		fprintf(stderr, "handshakes: no certificate in %s\n", ca);
		return 2;
	}
	struct client *c = calloc(parallel, sizeof(*c));
	uint64_t *all = calloc(count + parallel, sizeof(*all));
	if (!c || !all)
		return 2;
	uint64_t t0 = now_us();
	for (unsigned i = 0; i < parallel; i++) {
		c[i].count = count / parallel + (i < count % parallel);
		c[i].us = calloc(c[i].count + 1, sizeof(uint64_t));
		if (!c[i].us || pthread_create(&c[i].thread, NULL, run, &c[i]))
			return 2;
	}
	for (unsigned i = 0; i < parallel; i++) {
		pthread_join(c[i].thread, NULL);
		memcpy(all + good, c[i].us, c[i].good * sizeof(uint64_t));
		good += c[i].good;
		failed += c[i].failed;
		if (c[i].failed)
			fprintf(stderr, "handshakes: %u failed: %s\n", c[i].failed, c[i].why);
		free(c[i].us);
	}
	uint64_t took = now_us() - t0;
	qsort(all, good, sizeof(*all), by_size);
	printf("count %u failed %u p50_us %llu p99_us %llu max_us %llu per_s %llu\n", good, failed, good ? (unsigned long long)all[good / 2] : 0,
	       good ? (unsigned long long)all[good * 99 / 100] : 0, good ? (unsigned long long)all[good - 1] : 0,
	       took ? (unsigned long long)((uint64_t)good * 1000000u / took) : 0);
	free(all);
	free(c);
	gnutls_certificate_free_credentials(trust);
	return failed || !good;
}
