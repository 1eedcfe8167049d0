/* transport.c: see transport.h. */
#include "config.h"
#include "mesh/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <zmq.h>
#include "base/secret.h"
#include "base/sig.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "mesh/pieces.h"
#include "mesh/zap.h"

#define MAX_ROUTING 255
/* Pause before the next try where a handshake failed; it doubles. */
#define AGAIN_MIN_US 1000000u
#define AGAIN_MAX_US 16000000u
/* Frames taken from one socket before the others have their turn. */
#define TURN 8
/* What is larger comes in pieces; a sharing for P-521 is secret and comes whole. */
#define MAX_PEER_FRAME ((int64_t)256 * 1024)
#define QUEUE 1000
#define FULL_US 5000
/* REQ with its bytes and an authenticator for every peer. */
#define MAX_FRONTEND_FRAME ((int64_t)KM_MAX_REQUEST_BYTES + 4096)
#define MAX_REPLY_FRAME ((int64_t)1024 * 1024)

enum role { ROLE_PEER_ROUTER, ROLE_FRONTEND_ROUTER, ROLE_PEER_DEALER, ROLE_FRONTEND_DEALER };

struct channel {
	struct kmd_transport *t;
	enum role role;
	uint8_t peer; /* of a DEALER */
	void *socket, *monitor;
	struct kmd_watch watch, monitor_watch;
	int dirty, monitor_dirty, up;
	struct kmd_pieces_out out;      /* of a peer's DEALER */
	uint64_t full_until_us;         /* ZeroMQ's queue was full */
	uint64_t again_us, pause_us;    /* of a DEALER whose handshake failed: when to connect anew, 0 = not */
};

struct route {
	uint8_t len, id[MAX_ROUTING];
};

struct kmd_transport {
	const struct kmd_config *config;
	struct kmd_loop *loop;
	const struct kmd_transport_ops *ops;
	void *ctx, *zmq;
	struct kmd_zap zap;
	struct kmd_watch zap_watch;
	int zap_dirty;
	struct channel *channels;
	unsigned n_channels;
	struct channel *frontend_router, *peer_dealer[KM_MAX_PEERS + 1], *frontend_dealer[KM_MAX_PEERS + 1];
	struct route *routes; /* by frontend id: where its last frame came from */
	uint8_t channel_pub[KM_CHANKEY_SIZE];
	struct kmd_pieces_in in[KM_MAX_PEERS + 1]; /* by peer */
	struct kmd_transport_stats stats;
};

/* ---- watching: a ZeroMQ descriptor is edge-triggered and says only "look"; so it marks, and pump reads until nothing is left.
 */

static void channel_ready(struct kmd_watch *w, uint32_t events)
{
	((struct channel *)w->ctx)->dirty = 1;
}

static void monitor_ready(struct kmd_watch *w, uint32_t events)
{
	((struct channel *)w->ctx)->monitor_dirty = 1;
}

static void zap_ready(struct kmd_watch *w, uint32_t events)
{
	((struct kmd_transport *)w->ctx)->zap_dirty = 1;
}

static int watch_socket(struct kmd_transport *t, void *socket, struct kmd_watch *w, void (*ready)(struct kmd_watch *, uint32_t),
			void *ctx)
{
	size_t size = sizeof(w->fd);

	if (zmq_getsockopt(socket, ZMQ_FD, &w->fd, &size))
		return KM_E_IO;
	w->ready = ready;
	w->ctx = ctx;
	return kmd_loop_add(t->loop, w, EPOLLIN);
}

/* ---- opening */

static int set_int(void *socket, int option, int v)
{
	return zmq_setsockopt(socket, option, &v, sizeof(v)) ? KM_E_IO : KM_OK;
}

static int set_options(struct kmd_transport *t, struct channel *ch, const char *address)
{
	static const struct {
		int option, value;
	} opts[] = {
	    {ZMQ_LINGER, 0},
	    {ZMQ_SNDHWM, QUEUE},
	    {ZMQ_RCVHWM, QUEUE},
	    {ZMQ_IMMEDIATE, 1},
	    {ZMQ_HANDSHAKE_IVL, 5000},
	    {ZMQ_HEARTBEAT_IVL, 1000},
	    {ZMQ_HEARTBEAT_TIMEOUT, 4000},
	    {ZMQ_HEARTBEAT_TTL, 5000},
	    {ZMQ_TCP_KEEPALIVE, 1},
	    {ZMQ_TCP_KEEPALIVE_IDLE, 30},
	    {ZMQ_TCP_KEEPALIVE_INTVL, 10},
	    {ZMQ_TCP_KEEPALIVE_CNT, 3},
	    {ZMQ_RECONNECT_IVL, 50},
	    {ZMQ_RECONNECT_IVL_MAX, 1000},
	    {ZMQ_CONNECT_TIMEOUT, 3000},
	    {ZMQ_BACKLOG, 256},
	};
	int64_t max = ch->role == ROLE_FRONTEND_ROUTER	 ? MAX_FRONTEND_FRAME
		      : ch->role == ROLE_FRONTEND_DEALER ? MAX_REPLY_FRAME
							 : MAX_PEER_FRAME;
	int err = KM_OK;
	size_t i;

	for (i = 0; i < sizeof(opts) / sizeof(opts[0]) && !err; i++)
		err = set_int(ch->socket, opts[i].option, opts[i].value);
	if (!err && zmq_setsockopt(ch->socket, ZMQ_MAXMSGSIZE, &max, sizeof(max)))
		err = KM_E_IO;
	if (!err && strchr(address, '['))
		err = set_int(ch->socket, ZMQ_IPV6, 1);
	return err;
}

static int set_curve(struct kmd_transport *t, struct channel *ch)
{
	const struct km_settings *s = &t->config->settings;
	const char *domain = ch->role == ROLE_PEER_ROUTER ? KMD_ZAP_PEERS : KMD_ZAP_FRONTENDS;
	int err;

	if (ch->peer) {
		if (zmq_setsockopt(ch->socket, ZMQ_CURVE_SERVERKEY, s->roster.peer[ch->peer].channel, 32) ||
		    zmq_setsockopt(ch->socket, ZMQ_CURVE_PUBLICKEY, t->channel_pub, 32) ||
		    zmq_setsockopt(ch->socket, ZMQ_CURVE_SECRETKEY, s->channel_priv, 32))
			return KM_E_IO;
		return KM_OK;
	}
	err = set_int(ch->socket, ZMQ_CURVE_SERVER, 1);
	/* WHY mandatory: an answer to a frontend that is gone is a counted drop, not a silent one. */
	if (!err)
		err = set_int(ch->socket, ZMQ_ROUTER_MANDATORY, 1);
	if (!err && (zmq_setsockopt(ch->socket, ZMQ_CURVE_SECRETKEY, s->channel_priv, 32) ||
		     zmq_setsockopt(ch->socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain))))
		err = KM_E_IO;
	return err;
}

static int open_monitor(struct kmd_transport *t, struct channel *ch)
{
	int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
		     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
	char name[64];

	snprintf(name, sizeof(name), "inproc://monitor-%u", (unsigned)(ch - t->channels));
	if (zmq_socket_monitor(ch->socket, name, events))
		return KM_E_IO;
	ch->monitor = zmq_socket(t->zmq, ZMQ_PAIR);
	if (!ch->monitor || set_int(ch->monitor, ZMQ_LINGER, 0) || zmq_connect(ch->monitor, name))
		return KM_E_IO;
	return watch_socket(t, ch->monitor, &ch->monitor_watch, monitor_ready, ch);
}

static int bind_failed(const char *key, const char *address, struct kmd_fail *f)
{
	int e = errno;

	if (e == EADDRINUSE)
		return kmd_fail(f, KM_E_IO,
				"listen.%s: %s is in use by another program; stop that one (ss -ltnp shows which), or write "
				"another port there and in the roster",
				key, address);
	if (e == EADDRNOTAVAIL || e == ENODEV || e == EINVAL)
		return kmd_fail(f, KM_E_IO,
				"listen.%s: %s is no address of this machine; write one of its IP addresses (ip addr shows "
				"them), or 0.0.0.0:port",
				key, address);
	if (e == EACCES)
		return kmd_fail(f, KM_E_IO, "listen.%s: %s: no permission; write a port above 1023", key, address);
	return kmd_fail(f, KM_E_IO, "listen.%s: %s cannot be bound: %s", key, address, zmq_strerror(e));
}

static int open_channel(struct kmd_transport *t, enum role role, uint8_t peer, const char *address, struct kmd_fail *f)
{
	struct channel *ch = &t->channels[t->n_channels];
	int server = role == ROLE_PEER_ROUTER || role == ROLE_FRONTEND_ROUTER, err;
	char endpoint[300];

	*ch = (struct channel){
	    .t = t, .role = role, .peer = peer, .dirty = 1, .monitor_dirty = 1, .watch.fd = -1, .monitor_watch.fd = -1};
	ch->socket = zmq_socket(t->zmq, server ? ZMQ_ROUTER : ZMQ_DEALER);
	if (!ch->socket)
		return kmd_fail(f, KM_E_NOMEM, "no more sockets: %s", zmq_strerror(errno));
	t->n_channels++;
	err = set_options(t, ch, address);
	if (!err)
		err = set_curve(t, ch);
	if (!err)
		err = open_monitor(t, ch);
	if (err)
		return kmd_fail(f, err, "a socket for %s cannot be set up: %s", address, zmq_strerror(errno));
	snprintf(endpoint, sizeof(endpoint), "tcp://%s", address);
	if (server && zmq_bind(ch->socket, endpoint))
		return bind_failed(role == ROLE_PEER_ROUTER ? "peers" : "frontends", address, f);
	if (!server && zmq_connect(ch->socket, endpoint))
		return kmd_fail(f, KM_E_IO, "peer %u: address %s cannot be used: %s; write host:port", peer, address,
				zmq_strerror(errno));
	err = watch_socket(t, ch->socket, &ch->watch, channel_ready, ch);
	if (err)
		return kmd_fail(f, err, "a socket for %s cannot be watched", address);
	if (role == ROLE_FRONTEND_ROUTER)
		t->frontend_router = ch;
	else if (role == ROLE_PEER_DEALER)
		t->peer_dealer[peer] = ch;
	else if (role == ROLE_FRONTEND_DEALER)
		t->frontend_dealer[peer] = ch;
	return KM_OK;
}

static int open_channels(struct kmd_transport *t, struct kmd_fail *f)
{
	const struct kmd_config *c = t->config;
	unsigned i;
	int err = KM_OK;

	if (c->is_peer) {
		err = open_channel(t, ROLE_PEER_ROUTER, 0, c->listen_peers, f);
		if (!err)
			err = open_channel(t, ROLE_FRONTEND_ROUTER, 0, c->listen_frontends, f);
	}
	for (i = 1; i <= KM_MAX_PEERS && !err; i++) {
		if (!c->settings.roster.peer[i].id)
			continue;
		/* A frontend reaches the peer in its own process without a socket: that is the daemon's affair. */
		if (c->is_peer && i == c->peer_id)
			continue;
		if (c->is_peer)
			err = open_channel(t, ROLE_PEER_DEALER, (uint8_t)i, c->address[i], f);
		if (!err && c->is_frontend && !(c->settings.roster.removed >> (i - 1) & 1))
			err = open_channel(t, ROLE_FRONTEND_DEALER, (uint8_t)i, c->frontend_address[i], f);
	}
	return err;
}

static int open_context(struct kmd_transport *t, struct kmd_fail *f)
{
	t->zmq = zmq_ctx_new();
	if (!t->zmq)
		return kmd_fail(f, KM_E_NOMEM, "no ZeroMQ context: %s", zmq_strerror(errno));
	if (!zmq_has("curve"))
		return kmd_fail(f, KM_E_IO, "this libzmq was built without CURVE; install Debian's libzmq5");
	zmq_ctx_set(t->zmq, ZMQ_IO_THREADS, 1);
	zmq_ctx_set(t->zmq, ZMQ_BLOCKY, 0);
	zmq_ctx_set(t->zmq, ZMQ_MAX_SOCKETS, 4096);
	/* WHY before any other socket: what listens without the handler would let everybody in. */
	if (kmd_zap_open(&t->zap, t->zmq, &t->config->settings) || watch_socket(t, t->zap.socket, &t->zap_watch, zap_ready, t))
		return kmd_fail(f, KM_E_IO, "the access handler cannot be started (%s); refusing to listen without it",
				zmq_strerror(errno));
	t->zap_dirty = 1;
	return KM_OK;
}

int kmd_transport_open(struct kmd_transport **out, const struct kmd_config *c, struct kmd_loop *loop,
		       const struct kmd_transport_ops *ops, void *ctx, struct kmd_fail *f)
{
	struct kmd_transport *t = calloc(1, sizeof(*t));
	int err;

	*out = NULL;
	if (!t)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	t->config = c;
	t->loop = loop;
	t->ops = ops;
	t->ctx = ctx;
	t->zap_watch.fd = -1;
	km_x25519_public(c->settings.channel_priv, t->channel_pub);
	t->channels = calloc(2 + 2 * KM_MAX_PEERS, sizeof(*t->channels));
	t->routes = calloc(KM_MAX_FRONTENDS + 1, sizeof(*t->routes));
	err = t->channels && t->routes ? open_context(t, f) : kmd_fail(f, KM_E_NOMEM, "out of memory");
	if (!err)
		err = open_channels(t, f);
	if (err)
		kmd_transport_close(t);
	else
		*out = t;
	return err;
}

static void unwatch(struct kmd_transport *t, struct kmd_watch *w)
{
	if (w->fd >= 0)
		kmd_loop_remove(t->loop, w);
	w->fd = -1;
}

void kmd_transport_close(struct kmd_transport *t)
{
	unsigned i;

	if (!t)
		return;
	for (i = 0; i < t->n_channels; i++) {
		struct channel *ch = &t->channels[i];

		unwatch(t, &ch->watch);
		unwatch(t, &ch->monitor_watch);
		if (ch->monitor) {
			(void)zmq_socket_monitor(ch->socket, NULL, 0);
			zmq_close(ch->monitor);
		}
		if (ch->socket)
			zmq_close(ch->socket);
		(void)kmd_pieces_clear(&ch->out);
	}
	for (i = 0; i <= KM_MAX_PEERS; i++)
		kmd_pieces_in_clear(&t->in[i]);
	unwatch(t, &t->zap_watch);
	kmd_zap_close(&t->zap);
	if (t->zmq)
		zmq_ctx_term(t->zmq);
	free(t->channels);
	free(t->routes);
	free(t);
}

/* ---- sending */

static void free_secret(void *data, void *hint)
{
	km_secret_free(data);
}

/* Takes secret data in every case. */
static int send_frame(struct channel *ch, const struct route *route, void *data, size_t len, int secret)
{
	zmq_msg_t m;
	int sent;

	/* WHY: sending takes the mark off the descriptor, and with it a frame that came in the meantime would be overlooked. */
	ch->dirty = 1;
	if (secret ? zmq_msg_init_data(&m, data, len, free_secret, NULL) : zmq_msg_init_size(&m, len)) {
		if (secret)
			km_secret_free(data);
		return KM_E_NOMEM;
	}
	if (!secret)
		memcpy(zmq_msg_data(&m), data, len);
	sent = route ? zmq_send(ch->socket, route->id, route->len, ZMQ_SNDMORE | ZMQ_DONTWAIT) : 0;
	if (sent >= 0)
		sent = zmq_msg_send(&m, ch->socket, ZMQ_DONTWAIT);
	if (sent < 0)
		zmq_msg_close(&m);
	return sent < 0 ? KM_E_BUSY : KM_OK;
}

void kmd_transport_send(struct kmd_transport *t, enum kmd_side side, struct km_addr to, void *data, size_t len, int secret)
{
	struct channel *ch = NULL;
	const struct route *route = NULL;
	int err = KM_E_NOTFOUND;

	if (to.kind == KM_ADDR_PEER && to.id <= KM_MAX_PEERS) {
		ch = side == KMD_SIDE_PEER ? t->peer_dealer[to.id] : t->frontend_dealer[to.id];
	} else if (to.kind == KM_ADDR_FRONTEND && side == KMD_SIDE_PEER && to.id <= KM_MAX_FRONTENDS && t->routes[to.id].len) {
		ch = t->frontend_router;
		route = &t->routes[to.id];
	}
	if (ch)
		err = send_frame(ch, route, data, len, secret);
	else if (secret)
		km_secret_free(data);
	if (!err) {
		t->stats.sent++;
		return;
	}
	t->stats.not_sent++;
	kmd_log_limited(KM_LOG_DEBUG, "a frame of %zu bytes for %s %u was not sent: no connection, or its queue is full", len,
			to.kind == KM_ADDR_PEER ? "peer" : "frontend", to.id);
}

/* ---- large frames */

/* As many pieces as may go. A full queue is looked at again a little later. */
static void send_pieces(struct kmd_transport *t, struct channel *ch)
{
	uint8_t piece[KMD_PIECE_MAX];
	uint64_t now_us;
	size_t n;

	if (!ch->out.head)
		return;
	now_us = kmd_mono_us();
	t->stats.not_sent += kmd_pieces_tick(&ch->out, now_us);
	while (now_us >= ch->full_until_us && (n = kmd_pieces_next(&ch->out, piece))) {
		if (send_frame(ch, NULL, piece, n, 0)) {
			ch->full_until_us = now_us + FULL_US;
			break;
		}
		kmd_pieces_sent(&ch->out, now_us);
		t->stats.sent++;
	}
}

void kmd_transport_send_block(struct kmd_transport *t, struct km_addr to, uint8_t *block, const uint8_t *data, size_t len)
{
	struct channel *ch = to.kind == KM_ADDR_PEER && to.id <= KM_MAX_PEERS ? t->peer_dealer[to.id] : NULL;

	if (len <= KMD_PIECES_OVER) {
		kmd_transport_send(t, KMD_SIDE_PEER, to, (void *)(uintptr_t)data, len, 0);
		free(block);
		return;
	}
	if (!ch || !ch->up) {
		free(block);
	} else if (kmd_pieces_add(&ch->out, block, data, len, kmd_mono_us()) == KM_OK) {
		send_pieces(t, ch);
		return;
	}
	t->stats.not_sent++;
	kmd_log_limited(KM_LOG_DEBUG, "a frame of %zu bytes for peer %u was not sent: no connection, or too much is waiting for it", len,
			to.id);
}

/* A piece, or a word that one has come; 0 for other frames. */
static int take_piece(struct kmd_transport *t, struct km_addr from, const uint8_t *d, size_t n)
{
	struct channel *back = t->peer_dealer[from.id];
	uint8_t got_frame[KMD_GOT_SIZE], *block;
	size_t len;
	int got, whole;

	if (!n || (d[0] != KMD_PIECE && d[0] != KMD_PIECE_GOT))
		return 0;
	t->stats.received++;
	if (d[0] == KMD_PIECE_GOT) {
		if (back && kmd_pieces_on_got(&back->out, d, n, kmd_mono_us()) == KM_E_ENCODING)
			t->stats.malformed++;
		else if (back)
			send_pieces(t, back);
		return 1;
	}
	whole = kmd_pieces_take(&t->in[from.id], d, n, kmd_mono_us(), &block, &len, got_frame, &got);
	if (whole == KM_E_ENCODING)
		t->stats.malformed++;
	if (got && back)
		(void)send_frame(back, NULL, got_frame, sizeof(got_frame), 0);
	if (whole == 1) {
		t->ops->large(t->ctx, KMD_SIDE_PEER, from, len, &block);
		free(block);
	}
	return 1;
}

/* ---- receiving */

static void deliver(struct kmd_transport *t, struct channel *ch, struct km_addr from, zmq_msg_t *m)
{
	enum kmd_side side = ch->role == ROLE_FRONTEND_DEALER ? KMD_SIDE_FRONTEND : KMD_SIDE_PEER;

	t->stats.received++;
	t->ops->message(t->ctx, side, from, zmq_msg_data(m), zmq_msg_size(m));
}

/* The frame's last part is in m, with what ZAP said of its connection. */
static int router_from(struct kmd_transport *t, struct channel *ch, zmq_msg_t *m, const struct route *route, struct km_addr *from)
{
	uint8_t want = ch->role == ROLE_PEER_ROUTER ? KM_ADDR_PEER : KM_ADDR_FRONTEND;

	if (kmd_zap_user_parse(zmq_msg_gets(m, "User-Id"), from) || from->kind != want)
		return KM_E_AUTH;
	if (want == KM_ADDR_FRONTEND)
		t->routes[from->id] = *route;
	return KM_OK;
}

/* One whole frame. Returns 0 when nothing is waiting. */
static int receive(struct kmd_transport *t, struct channel *ch)
{
	int router = ch->role == ROLE_PEER_ROUTER || ch->role == ROLE_FRONTEND_ROUTER, parts = 0, got, bad = 0;
	struct km_addr from = {.kind = KM_ADDR_PEER, .id = ch->peer};
	struct route route = {0};
	zmq_msg_t m;

	for (;;) {
		zmq_msg_init(&m);
		got = zmq_msg_recv(&m, ch->socket, ZMQ_DONTWAIT);
		if (got < 0) {
			zmq_msg_close(&m);
			return parts > 0;
		}
		parts++;
		if (router && parts == 1 && got <= MAX_ROUTING) {
			route.len = (uint8_t)got;
			memcpy(route.id, zmq_msg_data(&m), (size_t)got);
		} else if (parts > router + 1) {
			bad = 1;
		}
		if (!zmq_msg_more(&m))
			break;
		zmq_msg_close(&m);
	}
	if (!bad && parts == router + 1 && (!router || router_from(t, ch, &m, &route, &from) == KM_OK) &&
	    ch->role != ROLE_PEER_DEALER) {
		if (ch->role != ROLE_PEER_ROUTER || !take_piece(t, from, zmq_msg_data(&m), zmq_msg_size(&m)))
			deliver(t, ch, from, &m);
	} else {
		t->stats.malformed++;
		kmd_log_limited(KM_LOG_WARN, "dropped a message of %d parts without a valid sender", parts);
	}
	/* WHY: dealings come this way, and ZeroMQ frees without wiping. */
	if (ch->role == ROLE_PEER_ROUTER)
		km_wipe(zmq_msg_data(&m), zmq_msg_size(&m));
	zmq_msg_close(&m);
	return 1;
}

/* ---- connections made and lost */

static void channel_event(struct kmd_transport *t, struct channel *ch, unsigned event)
{
	enum kmd_side side = ch->role == ROLE_FRONTEND_DEALER ? KMD_SIDE_FRONTEND : KMD_SIDE_PEER;
	struct km_addr peer = {.kind = KM_ADDR_PEER, .id = ch->peer};
	uint32_t state;
	size_t size = sizeof(state);

	if (!ch->peer) {
		if (event != ZMQ_EVENT_HANDSHAKE_SUCCEEDED && event != ZMQ_EVENT_DISCONNECTED) {
			t->stats.failed_handshakes++;
			kmd_log_limited(KM_LOG_INFO, "a connection to the socket for %s failed in its handshake",
					ch->role == ROLE_PEER_ROUTER ? "peers" : "frontends");
		}
		return;
	}
	if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
		/* WHY: the socket learns of its new pipe by a command; without a look at it the first send would find none. */
		(void)zmq_getsockopt(ch->socket, ZMQ_EVENTS, &state, &size);
		ch->up = 1;
		ch->again_us = ch->pause_us = 0;
		t->ops->up(t->ctx, side, peer);
		return;
	}
	if (event == ZMQ_EVENT_DISCONNECTED) {
		t->stats.not_sent += kmd_pieces_clear(&ch->out);
		if (ch->up)
			t->ops->down(t->ctx, side, peer);
		ch->up = 0;
		return;
	}
	if (!ch->again_us) {
		ch->pause_us = !ch->pause_us ? AGAIN_MIN_US : ch->pause_us < AGAIN_MAX_US ? 2 * ch->pause_us : AGAIN_MAX_US;
		ch->again_us = kmd_mono_us() + ch->pause_us;
	}
	if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
		kmd_log_limited(KM_LOG_WARN,
				"peer %u (%s) refuses our channel key: is this node's line in its configuration the right one?",
				ch->peer, t->config->settings.roster.peer[ch->peer].name);
	} else {
		kmd_log_limited(KM_LOG_INFO, "the handshake with peer %u (%s) failed: is its channel key in peers the right one?",
				ch->peer, t->config->settings.roster.peer[ch->peer].name);
	}
}

static void monitor_pump(struct kmd_transport *t, struct channel *ch)
{
	uint8_t head[6], address[300];
	uint16_t event;

	while (zmq_recv(ch->monitor, head, sizeof(head), ZMQ_DONTWAIT) == (int)sizeof(head)) {
		(void)zmq_recv(ch->monitor, address, sizeof(address), ZMQ_DONTWAIT);
		memcpy(&event, head, sizeof(event));
		channel_event(t, ch, event);
	}
}

/* WHY: libzmq gives an endpoint up for ever when its handshake was refused; but the other side's operator may add our key, and
 * then nobody should have to restart this daemon. The daemon comes by at least once a second. */
static void connect_again(struct kmd_transport *t, struct channel *ch)
{
	const char *address = ch->role == ROLE_PEER_DEALER ? t->config->address[ch->peer] : t->config->frontend_address[ch->peer];
	char endpoint[300];

	if (!ch->again_us || kmd_mono_us() < ch->again_us)
		return;
	ch->again_us = 0;
	if (ch->up)
		return;
	snprintf(endpoint, sizeof(endpoint), "tcp://%s", address);
	/* fails where it was given up: as it should be */
	(void)zmq_disconnect(ch->socket, endpoint);
	if (zmq_connect(ch->socket, endpoint))
		ch->again_us = kmd_mono_us() + AGAIN_MAX_US;
	ch->dirty = 1;
}

int kmd_transport_pump(struct kmd_transport *t)
{
	int more = 0, n;
	unsigned i;

	if (t->zap_dirty) {
		t->zap_dirty = 0;
		kmd_zap_pump(&t->zap);
	}
	for (i = 0; i < t->n_channels; i++) {
		struct channel *ch = &t->channels[i];

		if (ch->monitor_dirty) {
			ch->monitor_dirty = 0;
			monitor_pump(t, ch);
		}
		connect_again(t, ch);
		send_pieces(t, ch);
		if (!ch->dirty)
			continue;
		ch->dirty = 0;
		for (n = 0; n < TURN && receive(t, ch); n++)
			;
		if (n == TURN)
			ch->dirty = 1;
	}
	for (i = 1; i <= KM_MAX_PEERS; i++)
		if (t->in[i].block)
			t->stats.malformed += (unsigned)kmd_pieces_in_tick(&t->in[i], kmd_mono_us());
	/* What was sent on a socket after its turn has marked it again. */
	for (i = 0; i < t->n_channels; i++)
		more |= t->channels[i].dirty | t->channels[i].monitor_dirty;
	return more | t->zap_dirty;
}

void kmd_transport_stats(const struct kmd_transport *t, struct kmd_transport_stats *out)
{
	*out = t->stats;
	out->refused = t->zap.refused;
}
