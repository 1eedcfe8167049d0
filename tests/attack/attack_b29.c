/* B29: somebody whose key no operator has listed connects to a peer. CURVE alone encrypts for him as for everybody. What stops
 * it: the allow-list behind every socket; and a daemon that cannot have it does not listen. */
#include "config.h"
#include "tests/attack/attack.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>
#include "base/sig.h"
#include "mesh/files.h"
#include "mesh/log.h"
#include "mesh/transport.h"
#include "mesh/zap.h"

struct victim {
	struct kmd_config config;
	struct km_frontend_entry frontend;
	struct kmd_loop *loop;
	struct kmd_transport *transport;
	char listen[2][64];
	uint8_t public[32];
	unsigned messages;
	struct km_addr from;
};

static void on_message(void *ctx, enum kmd_side side, struct km_addr from, const uint8_t *data, size_t len)
{
	struct victim *v = ctx;

	v->messages++;
	v->from = from;
}

static void on_channel(void *ctx, enum kmd_side side, struct km_addr from)
{
}

static const struct kmd_transport_ops ops = {.message = on_message, .up = on_channel, .down = on_channel};

static void free_address(char out[64])
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(out, 64, "127.0.0.1:%u", ntohs(sa.sin_port));
	close(fd);
}

/* Peer 1, whose configuration lists a peer 2 and a frontend 2 that do not take part. */
static void victim_start(struct victim *v, struct kmd_fail *f)
{
	struct km_settings *s = &v->config.settings;

	kmd_log_init("victim", KM_LOG_ERROR);
	memset(v, 0, sizeof(*v));
	free_address(v->listen[0]);
	free_address(v->listen[1]);
	v->config.is_peer = 1;
	v->config.peer_id = s->self_peer = 1;
	v->config.listen_peers = v->listen[0];
	v->config.listen_frontends = v->listen[1];
	v->config.address[2] = "127.0.0.1:9";
	kmd_random(s->channel_priv, 32);
	km_x25519_public(s->channel_priv, v->public);
	s->roster.peer[1].id = 1;
	memcpy(s->roster.peer[1].channel, v->public, 32);
	s->roster.peer[2].id = 2;
	kmd_random(s->roster.peer[2].channel, 32);
	v->frontend.id = 2;
	kmd_random(v->frontend.channel, 32);
	s->frontends = &v->frontend;
	s->n_frontends = 1;
	assert_int_equal(kmd_loop_new(&v->loop), KM_OK);
	assert_int_equal(kmd_transport_open(&v->transport, &v->config, v->loop, &ops, v, f), KM_OK);
}

static void victim_stop(struct victim *v)
{
	kmd_transport_close(v->transport);
	kmd_loop_free(v->loop);
}

/* Connects with a key (NULL: one that nobody knows) and sends a frame. Returns whether the handshake succeeded. */
static int intrude(struct victim *v, const char *address, const uint8_t *secret)
{
	int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
		     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
	    zero = 0, in = -1, i;
	void *zmq = zmq_ctx_new(), *s = zmq_socket(zmq, ZMQ_DEALER), *monitor = zmq_socket(zmq, ZMQ_PAIR);
	uint8_t own[32], public[32], head[6], from[300];
	uint16_t event = 0;
	char endpoint[80];

	kmd_random(own, 32);
	if (!secret)
		secret = own;
	km_x25519_public(secret, public);
	zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, v->public, 32);
	zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, public, 32);
	zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, secret, 32);
	zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof(zero));
	assert_int_equal(zmq_socket_monitor(s, "inproc://m", events), 0);
	assert_int_equal(zmq_connect(monitor, "inproc://m"), 0);
	snprintf(endpoint, sizeof(endpoint), "tcp://%s", address);
	assert_int_equal(zmq_connect(s, endpoint), 0);
	assert_int_equal(zmq_send(s, "sign this", 9, ZMQ_DONTWAIT), 9);
	for (i = 0; i < 1000 && (in < 0 || (in && !v->messages)); i++) {
		kmd_transport_pump(v->transport);
		kmd_loop_wait(v->loop, 2000);
		while (zmq_recv(monitor, head, sizeof(head), ZMQ_DONTWAIT) == (int)sizeof(head)) {
			(void)zmq_recv(monitor, from, sizeof(from), ZMQ_DONTWAIT);
			memcpy(&event, head, sizeof(event));
			in = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
		}
	}
	zmq_close(monitor);
	zmq_close(s);
	zmq_ctx_term(zmq);
	return in;
}

static void test_refused(void **state)
{
	struct kmd_transport_stats st;
	struct kmd_fail f;
	struct victim v;

	rules_all();
	victim_start(&v, &f);
	assert_int_equal(intrude(&v, v.listen[0], NULL), 0);
	assert_int_equal(intrude(&v, v.listen[1], NULL), 0);
	assert_int_equal(v.messages, 0);
	kmd_transport_stats(v.transport, &st);
	assert_true(st.refused >= 2);
	victim_stop(&v);
}

/* The one who is listed does get in: what is refused above is the key and nothing else. */
static void test_listed(void **state)
{
	uint8_t secret[32];
	struct kmd_fail f;
	struct victim v;

	rules_all();
	victim_start(&v, &f);
	kmd_random(secret, 32);
	km_x25519_public(secret, v.frontend.channel);
	assert_int_equal(intrude(&v, v.listen[1], secret), 1);
	assert_int_equal(v.messages, 1);
	assert_int_equal(v.from.kind, KM_ADDR_FRONTEND);
	assert_int_equal(v.from.id, 2);
	/* but not at the other door */
	assert_int_equal(intrude(&v, v.listen[0], secret), 0);
	assert_int_equal(v.messages, 1);
	victim_stop(&v);
}

static void test_succeeds_without(void **state)
{
	struct kmd_fail f;
	struct victim v;

	rules_all();
	rule_off(km_rule_allow_list);
	victim_start(&v, &f);
	assert_int_equal(intrude(&v, v.listen[0], NULL), 1);
	assert_int_equal(v.messages, 1);
	assert_int_equal(v.from.kind, KM_ADDR_PEER);
	victim_stop(&v);
	rules_all();
}

/* No list, no listening: the handler's place is taken. */
static void test_not_open(void **state)
{
	struct km_settings s = {.self_peer = 1};
	struct kmd_zap first, second;
	void *zmq = zmq_ctx_new();

	rules_all();
	assert_int_equal(kmd_zap_open(&first, zmq, &s), KM_OK);
	assert_int_equal(kmd_zap_open(&second, zmq, &s), KM_E_IO);
	assert_null(second.socket);
	kmd_zap_close(&first);
	zmq_ctx_term(zmq);
}

KM_TESTS(cmocka_unit_test(test_refused), cmocka_unit_test(test_listed), cmocka_unit_test(test_succeeds_without),
	 cmocka_unit_test(test_not_open))
