/* cli_bench.c: keymesh bench.
 *
 * With a rate it is an open loop: request k is due at k/rate, whatever became of the others, and its latency counts from then.
 * WHY: a closed loop stops asking while the system is slow, and then reports only its good moments. */
#include "config.h"
#include "mesh/cli.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/context.h"
#include "mesh/clock.h"
#include "mesh/files.h"
#include "mesh/sched.h"

#define MAX_CLIENTS 256
#define GRACE_US 3000000
#define TLS13_SIZE (64 + 34 + 32)

struct bench {
	const char *socket, *name;
	long n_clients, rate, seconds;
	int json;
	struct kmd_cli client[MAX_CLIENTS];
	struct pollfd poll[MAX_CLIENTS];
	struct km_rpc_key_info info;
	uint64_t start_us, end_us;
	uint64_t *due_us;     /* by request number */
	uint32_t *latency_us; /* of those that were answered well */
	size_t n_max, n_sent, n_ok, n_failed;
	char first_failure[256];
};

static int parse(struct bench *o, int argc, char **argv)
{
	static const struct option options[] = {
	    {"socket", required_argument, NULL, 's'}, {"clients", required_argument, NULL, 'c'},
	    {"rate", required_argument, NULL, 'r'},   {"seconds", required_argument, NULL, 't'},
	    {"json", no_argument, NULL, 'j'},	      {NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's')
			o->socket = optarg;
		else if (opt == 'c')
			o->n_clients = kmd_cli_number(optarg, 1, MAX_CLIENTS);
		else if (opt == 'r')
			o->rate = kmd_cli_number(optarg, 0, 100000);
		else if (opt == 't')
			o->seconds = kmd_cli_number(optarg, 1, 3600);
		else if (opt == 'j')
			o->json = 1;
		else
			return kmd_cli_usage("bench", "wrong option");
	}
	if (o->n_clients < 0 || o->rate < 0 || o->seconds < 0)
		return kmd_cli_usage("bench", "--clients 1..%d, --rate 0..100000, --seconds 1..3600", MAX_CLIENTS);
	if (optind + 1 != argc)
		return kmd_cli_usage("bench", "one NAME of a key is needed");
	o->name = argv[optind];
	return KMD_EXIT_OK;
}

/* What a TLS 1.3 server signs (RFC 8446, 4.4.3), with a hash that is a number. */
static void fill_tls13(uint8_t out[TLS13_SIZE])
{
	memset(out, ' ', 64);
	memcpy(out + 64, "TLS 1.3, server CertificateVerify", 34); /* with the zero byte at its end */
	kmd_random(out + 64 + 34, 32);
}

static int ask(struct bench *o, struct kmd_cli *c, uint64_t due_us)
{
	struct km_rpc_sign m = {.context = KM_CTX_TLS13_SERVER, .deadline_ms = 5000};
	uint8_t data[TLS13_SIZE];
	struct km_buf b;
	int err;

	if (o->n_sent == o->n_max)
		return KM_OK;
	fill_tls13(data);
	memcpy(m.key_id, o->info.key_id, sizeof(m.key_id));
	kmd_random(m.random, sizeof(m.random));
	m.data = data;
	m.len = sizeof(data);
	km_buf_init(&b);
	err = km_rpc_encode_sign(&b, (uint32_t)o->n_sent, &m);
	o->due_us[o->n_sent++] = due_us;
	if (!err)
		err = kmd_cli_send(c, &b);
	km_buf_clear(&b);
	return err;
}

static void take(struct bench *o, const struct km_rpc_frame *f, uint64_t now_us)
{
	struct km_rpc_signature sig;
	struct km_rpc_text text;

	if (f->type == KM_RPC_SIGNATURE && f->seq < o->n_sent && !km_rpc_decode_signature(f, &sig)) {
		o->latency_us[o->n_ok++] = (uint32_t)(now_us - o->due_us[f->seq]);
		return;
	}
	if (!o->n_failed++ && !km_rpc_decode_text(f, &text))
		snprintf(o->first_failure, sizeof(o->first_failure), "%.*s", (int)text.len, text.text);
}

/* Takes what one connection has; in a closed loop each answer brings the next request. */
static int drain(struct bench *o, struct kmd_cli *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, KM_RPC_MAX_TO_CLIENT + 4u - c->in_len, MSG_DONTWAIT);
	uint64_t now_us = kmd_mono_us();
	struct km_rpc_frame f;
	size_t used, done = 0;
	int ret, err = KM_OK;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return KM_OK;
	if (n <= 0)
		return kmd_fail(&c->fail, KM_E_IO, "keymeshd closed the connection");
	c->in_len += (size_t)n;
	while (!err && (ret = km_rpc_frame_next(c->in + done, c->in_len - done, KM_RPC_MAX_TO_CLIENT, &used, &f)) > 0) {
		take(o, &f, now_us);
		done += used;
		if (!o->rate && now_us < o->end_us)
			err = ask(o, c, now_us);
	}
	memmove(c->in, c->in + done, c->in_len - done);
	c->in_len -= done;
	return err;
}

static int open_clients(struct bench *o)
{
	long i;
	int err = KM_OK;

	for (i = 0; i < o->n_clients; i++)
		o->client[i].fd = -1;
	for (i = 0; i < o->n_clients && !err; i++) {
		err = kmd_cli_open(&o->client[i], o->socket);
		o->poll[i] = (struct pollfd){.fd = o->client[i].fd, .events = POLLIN};
		if (err)
			o->client[0].fail = o->client[i].fail;
	}
	if (!err)
		err = kmd_cli_key(&o->client[0], o->name, &o->info);
	/* drain() cuts its own frames: what kmd_cli_recv has already given out must not be seen again. */
	o->client[0].in_len = o->client[0].in_used = 0;
	return err;
}

/* Sends all that is due. Returns when the next is, in microseconds from now. */
static int send_due(struct bench *o, uint64_t now_us, uint64_t *wait_us)
{
	uint64_t due_us = o->start_us;
	int err = KM_OK;

	*wait_us = GRACE_US;
	while (o->rate && !err && o->n_sent < o->n_max) {
		due_us = o->start_us + o->n_sent * 1000000 / (uint64_t)o->rate;
		if (due_us > now_us) {
			*wait_us = due_us - now_us;
			break;
		}
		err = ask(o, &o->client[o->n_sent % (size_t)o->n_clients], due_us);
	}
	return err;
}

static int measure(struct bench *o)
{
	uint64_t now_us, wait_us;
	struct timespec ts;
	long i;
	int err = KM_OK;

	/* WHY: what this process itself comes late would count as the daemon's. */
	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	kmd_sched_prompt();
	o->start_us = kmd_mono_us();
	o->end_us = o->start_us + (uint64_t)o->seconds * 1000000;
	for (i = 0; !o->rate && i < o->n_clients && !err; i++)
		err = ask(o, &o->client[i], o->start_us);
	while (!err) {
		now_us = kmd_mono_us();
		err = send_due(o, now_us, &wait_us);
		if (now_us >= o->end_us && (o->n_ok + o->n_failed >= o->n_sent || now_us >= o->end_us + GRACE_US))
			break;
		if (now_us < o->end_us && wait_us > o->end_us - now_us)
			wait_us = o->end_us - now_us;
		if (now_us >= o->end_us)
			wait_us = 100000;
		ts = (struct timespec){.tv_sec = (time_t)(wait_us / 1000000), .tv_nsec = (long)(wait_us % 1000000 * 1000)};
		if (!err && ppoll(o->poll, (nfds_t)o->n_clients, &ts, NULL) <= 0)
			continue;
		for (i = 0; i < o->n_clients && !err; i++)
			if (o->poll[i].revents && (err = drain(o, &o->client[i])))
				o->client[0].fail = o->client[i].fail;
	}
	return err;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double at(const struct bench *o, unsigned per_mille)
{
	size_t i = o->n_ok * per_mille / 1000;

	return o->n_ok ? o->latency_us[i < o->n_ok ? i : o->n_ok - 1] / 1000.0 : 0;
}

static void report(struct bench *o)
{
	double seconds = (double)o->seconds;

	qsort(o->latency_us, o->n_ok, sizeof(*o->latency_us), by_size);
	if (o->json) {
		printf("{\"requests\": %zu, \"signatures\": %zu, \"failed\": %zu, \"per_second\": %.1f, \"p50_ms\": %.3f, "
		       "\"p90_ms\": %.3f, \"p99_ms\": %.3f, "
		       "\"p999_ms\": %.3f, \"max_ms\": %.3f}\n",
		       o->n_sent, o->n_ok, o->n_sent - o->n_ok, (double)o->n_ok / seconds, at(o, 500), at(o, 900), at(o, 990),
		       at(o, 999), at(o, 1000));
		return;
	}
	printf("%zu requests in %ld s by %ld clients", o->n_sent, o->seconds, o->n_clients);
	if (o->rate)
		printf(", %ld a second", o->rate);
	printf("\n%zu signatures (%.1f/s), %zu failed\n", o->n_ok, (double)o->n_ok / seconds, o->n_sent - o->n_ok);
	printf("latency  p50 %.3f ms   p90 %.3f ms   p99 %.3f ms   p99.9 %.3f ms   max %.3f ms\n", at(o, 500), at(o, 900),
	       at(o, 990), at(o, 999), at(o, 1000));
	if (o->first_failure[0])
		printf("first failure: %s\n", o->first_failure);
}

int kmd_cmd_bench(int argc, char **argv)
{
	static struct bench o = {.n_clients = 8, .rate = 200, .seconds = 10};
	int status = parse(&o, argc, argv), err;
	long i;

	if (status)
		return status;
	o.n_max = o.rate ? (size_t)(o.rate * o.seconds) : (size_t)o.seconds * 100000;
	o.due_us = calloc(o.n_max + 1, sizeof(*o.due_us));
	o.latency_us = calloc(o.n_max + 1, sizeof(*o.latency_us));
	err = o.due_us && o.latency_us ? open_clients(&o) : KM_E_NOMEM;
	if (!err)
		err = measure(&o);
	if (err) {
		status =
		    kmd_cli_error(err, "%s: %s", o.name, o.client[0].fail.text[0] ? o.client[0].fail.text : km_strerror(err));
	} else {
		report(&o);
		status = o.n_ok == o.n_sent ? KMD_EXIT_OK : KMD_EXIT_RETRY;
	}
	for (i = 0; i < o.n_clients; i++)
		kmd_cli_close(&o.client[i]);
	free(o.due_us);
	free(o.latency_us);
	return status;
}
