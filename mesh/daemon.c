/* daemon.c: see daemon.h. */
#include "config.h"
#include "mesh/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/files.h"
#include "mesh/keysource.h"
#include "mesh/pieces.h"
#include "mesh/rollback.h"
#include "mesh/notify.h"
#include "node/wire.h"

/* Wait this long before a node that wants to be woken in the past is woken again. */
#define MIN_WAIT_US 500

/* ---- effects */

void kmd_daemon_post(struct kmd_daemon *d, enum kmd_side side, const struct km_event *ev, const void *data, size_t len,
		     int secret)
{
	struct kmd_pending *p = calloc(1, sizeof(*p));

	if (p && data) {
		p->data = secret ? km_secret_alloc(len ? len : 1) : malloc(len ? len : 1);
		if (!p->data) {
			free(p);
			p = NULL;
		}
	}
	if (!p) {
		kmd_log_limited(KM_LOG_ERROR, "out of memory: an event was lost");
		return;
	}
	p->side = side;
	p->event = *ev;
	p->secret = secret;
	if (data)
		memcpy(p->data, data, len);
	p->event.data = p->data;
	p->event.len = len;
	*d->pending_tail = p;
	d->pending_tail = &p->next;
}

static void pending_free(struct kmd_pending *p)
{
	if (p->secret)
		km_secret_free(p->data);
	else
		free(p->data);
	free(p);
}

/* What a node sends to the other node of this very daemon needs no socket. */
void kmd_daemon_send(struct kmd_daemon *d, enum kmd_side side, struct km_effect *e)
{
	struct km_event ev = {.kind = KM_EVENT_MESSAGE};

	if (side == KMD_SIDE_FRONTEND && d->peer && e->to.kind == KM_ADDR_PEER && e->to.id == d->config->peer_id) {
		ev.from = (struct km_addr){.kind = KM_ADDR_FRONTEND, .id = (uint16_t)d->config->frontend_id};
		kmd_daemon_post(d, KMD_SIDE_PEER, &ev, e->data, e->len, e->secret);
	} else if (side == KMD_SIDE_PEER && d->frontend && e->to.kind == KM_ADDR_FRONTEND && e->to.id == d->config->frontend_id) {
		ev.from = (struct km_addr){.kind = KM_ADDR_PEER, .id = (uint16_t)d->config->peer_id};
		kmd_daemon_post(d, KMD_SIDE_FRONTEND, &ev, e->data, e->len, e->secret);
	} else if (e->room || (!e->secret && e->len > KMD_PIECES_OVER && side == KMD_SIDE_PEER && e->to.kind == KM_ADDR_PEER)) {
		kmd_transport_send_block(d->transport, e->to, e->data - e->room, e->data, e->len);
		e->data = NULL; /* the transport's now */
	} else {
		kmd_transport_send(d->transport, side, e->to, e->data, e->len, e->secret);
		if (e->secret)
			e->data = NULL; /* the transport's now */
	}
}

static int is_share(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && !strcmp(dot, ".share");
}

static void do_persist(struct kmd_daemon *d, enum kmd_side side, const struct km_effect *e)
{
	struct km_event ev = {.kind = KM_EVENT_PERSISTED, .token = e->token};
	struct kmd_fail f;

	ev.err =
	    d->store ? kmd_store_put(d->store, e->name, e->data, e->len, &f) : kmd_fail(&f, KM_E_IO, "there is no state_dir");
	if (!ev.err && d->store && is_share(e->name))
		ev.err = kmd_rollback_count(d->store, d->config, &f);
	if (ev.err)
		kmd_log(KM_LOG_ERROR, "%s could not be stored: %s", e->name, f.text);
	kmd_daemon_post(d, side, &ev, NULL, 0, 0);
}

static void do_work(struct kmd_daemon *d, enum kmd_side side, const struct km_effect *e)
{
	struct km_event ev = {.kind = KM_EVENT_WORKED, .token = e->token, .job = e->job};

	/* Only peers have jobs; so the token alone is enough on the way back. */
	KM_ASSERT(side == KMD_SIDE_PEER);
	if (!kmd_workers_submit(d->workers, e->job, e->token))
		return;
	e->job->err = KM_E_NOMEM;
	kmd_daemon_post(d, side, &ev, NULL, 0, 0);
}

static void carry_out(struct kmd_daemon *d, enum kmd_side side, struct km_effect *e)
{
	struct kmd_fail f;

	switch (e->kind) {
	case KM_EFFECT_SEND:
		kmd_daemon_send(d, side, e);
		break;
	case KM_EFFECT_PERSIST:
		do_persist(d, side, e);
		break;
	case KM_EFFECT_WORK:
		do_work(d, side, e);
		break;
	case KM_EFFECT_RESULT:
	case KM_EFFECT_PROGRESS:
		kmd_request_answer(d, side, e);
		break;
	case KM_EFFECT_AUDIT:
		break;
	case KM_EFFECT_EVIDENCE:
		/* a dispute (a negative code) convinces nobody else; the node keeps it in its own state */
		if (e->err > 0 && d->store && kmd_store_evidence(d->store, e->data, e->len, &f))
			kmd_log(KM_LOG_ERROR, "evidence could not be kept: %s", f.text);
		break;
	case KM_EFFECT_CHECKPOINT:
		kmd_daemon_checkpoint(d, e);
		break;
	case KM_EFFECT_PROVE:
		kmd_daemon_prove(d, e);
		break;
	case KM_EFFECT_LOG:
		kmd_log_from_bucket(&d->node_log[e->level & 7], e->level, "%s", e->text);
		break;
	}
}

void kmd_daemon_step(struct kmd_daemon *d, enum kmd_side side, struct km_event *ev)
{
	struct km_effect *e;
	int err = KM_OK, unlogged = 0;

	ev->now = kmd_now();
	if (side == KMD_SIDE_PEER && d->peer)
		err = km_peer_step(d->peer, ev, &d->fx);
	else if (side == KMD_SIDE_FRONTEND && d->frontend)
		err = km_frontend_step(d->frontend, ev, &d->fx);
	if (err)
		kmd_log_limited(KM_LOG_ERROR, "the %s could not take an event (kind %d): %s",
				side == KMD_SIDE_PEER ? "peer" : "frontend", (int)ev->kind, km_strerror(err));
	while ((e = km_effects_pop(&d->fx))) {
		if (e->kind == KM_EFFECT_AUDIT)
			unlogged |= kmd_daemon_audit(d, e->data, e->len) != KM_OK;
		/* WHY: a share leaves only after it was written down. The presignature is spent all the same. */
		if (e->kind != KM_EFFECT_SEND || (!unlogged && kmd_daemon_may_leave(d, side, e)))
			carry_out(d, side, e);
		km_effects_recycle(&d->fx, e);
	}
}

static void give_pending(struct kmd_daemon *d)
{
	struct kmd_pending *p;

	while ((p = d->pending)) {
		d->pending = p->next;
		if (!d->pending)
			d->pending_tail = &d->pending;
		kmd_daemon_step(d, p->side, &p->event);
		pending_free(p);
	}
}

/* ---- what comes from outside */

static void on_message(void *ctx, enum kmd_side side, struct km_addr from, const uint8_t *data, size_t len)
{
	struct km_event ev = {.kind = KM_EVENT_MESSAGE, .from = from, .data = data, .len = len};

	kmd_daemon_step(ctx, side, &ev);
}

static void on_large(void *ctx, enum kmd_side side, struct km_addr from, size_t len, uint8_t **block)
{
	struct km_event ev = {.kind = KM_EVENT_MESSAGE, .from = from, .data = *block, .len = len, .block = block};

	kmd_daemon_step(ctx, side, &ev);
}

static void on_channel(struct kmd_daemon *d, enum kmd_side side, struct km_addr from, enum km_event_kind kind)
{
	struct km_event ev = {.kind = kind, .from = from};

	kmd_log(KM_LOG_INFO, "%s: channel to peer %u (%s) is %s", side == KMD_SIDE_PEER ? "peer" : "frontend", from.id,
		d->config->settings.roster.peer[from.id].name, kind == KM_EVENT_UP ? "up" : "down");
	kmd_daemon_step(d, side, &ev);
}

static void on_up(void *ctx, enum kmd_side side, struct km_addr from)
{
	on_channel(ctx, side, from, KM_EVENT_UP);
}

static void on_down(void *ctx, enum kmd_side side, struct km_addr from)
{
	on_channel(ctx, side, from, KM_EVENT_DOWN);
}

static const struct kmd_transport_ops transport_ops = {.message = on_message, .large = on_large, .up = on_up, .down = on_down};

static void worker_ready(struct kmd_watch *w, uint32_t events)
{
	((struct kmd_daemon *)w->ctx)->worker_dirty = 1;
}

static void take_worked(struct kmd_daemon *d)
{
	struct km_event ev = {.kind = KM_EVENT_WORKED};

	d->worker_dirty = 0;
	while ((ev.job = kmd_workers_take(d->workers, &ev.token))) {
		kmd_daemon_step(d, KMD_SIDE_PEER, &ev);
		give_pending(d);
	}
}

static void signal_ready(struct kmd_watch *w, uint32_t events)
{
	struct kmd_daemon *d = w->ctx;
	struct signalfd_siginfo si;

	while (read(w->fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGHUP) {
			kmd_log(KM_LOG_NOTICE, "SIGHUP: nothing to read again (a changed configuration takes effect by a restart)");
			continue;
		}
		kmd_log(KM_LOG_NOTICE, "signal %s: stopping", si.ssi_signo == SIGTERM ? "TERM" : "INT");
		d->stopping = 1;
	}
}

/* ---- time */

static uint64_t node_deadline(const struct kmd_daemon *d, enum kmd_side side)
{
	if (side == KMD_SIDE_PEER)
		return d->peer ? km_peer_deadline(d->peer) : UINT64_MAX;
	return d->frontend ? km_frontend_deadline(d->frontend) : UINT64_MAX;
}

static void tick(struct kmd_daemon *d, enum kmd_side side, uint64_t now_us)
{
	struct km_event ev = {.kind = KM_EVENT_TICK};

	if (node_deadline(d, side) <= now_us)
		kmd_daemon_step(d, side, &ev);
}

static void check_clock(struct kmd_daemon *d)
{
	const char *what = kmd_clock_watch_now(&d->clock);
	struct km_event ev = {.kind = KM_EVENT_ROLLBACK};
	uint8_t fresh[KM_SEED_SIZE];

	if (!what)
		return;
	kmd_log(KM_LOG_WARN, "%s: dropping all presignatures", what);
	d->rollbacks++;
	kmd_random(fresh, sizeof(fresh));
	ev.data = fresh;
	ev.len = sizeof(fresh);
	kmd_daemon_step(d, KMD_SIDE_PEER, &ev);
	kmd_daemon_step(d, KMD_SIDE_FRONTEND, &ev);
	km_wipe(fresh, sizeof(fresh));
}

static void sample(struct kmd_daemon *d)
{
	struct kmd_sample *s = &d->samples[d->n_samples++ % (KMD_RATE_SECONDS + 1)];
	struct km_peer_status st;

	s->signatures = d->n_signed;
	s->requests = d->n_sign;
	s->presigned = 0;
	if (d->peer && !km_peer_status(d->peer, &st)) {
		s->presigned = st.presigned;
		km_peer_status_clear(&st);
	}
}

static void every_second(struct kmd_daemon *d, uint64_t now_us)
{
	if (now_us >= d->next_second_us) {
		d->next_second_us = now_us + 1000000;
		sample(d);
		kmd_daemon_audit_second(d);
	}
	if (d->watchdog_us && now_us >= d->next_watchdog_us) {
		d->next_watchdog_us = now_us + d->watchdog_us;
		kmd_notify("WATCHDOG=1");
	}
}

static uint64_t wait_us(const struct kmd_daemon *d, uint64_t now_us)
{
	uint64_t at = d->next_second_us, p = node_deadline(d, KMD_SIDE_PEER), f = node_deadline(d, KMD_SIDE_FRONTEND);

	if (p < at)
		at = p;
	if (f < at)
		at = f;
	if (d->watchdog_us && d->next_watchdog_us < at)
		at = d->next_watchdog_us;
	return at > now_us + MIN_WAIT_US ? at - now_us : MIN_WAIT_US;
}

void kmd_daemon_run(struct kmd_daemon *d)
{
	struct km_event start = {.kind = KM_EVENT_START};
	struct km_event up = {.kind = KM_EVENT_UP, .from = {.kind = KM_ADDR_PEER, .id = (uint16_t)d->config->peer_id}};

	kmd_daemon_step(d, KMD_SIDE_PEER, &start);
	kmd_daemon_step(d, KMD_SIDE_FRONTEND, &start);
	if (d->peer)
		kmd_daemon_step(d, KMD_SIDE_FRONTEND, &up);
	kmd_log(KM_LOG_NOTICE, "started as %s%s%s %s, version %s", d->peer ? "peer" : "", d->peer && d->frontend ? " and " : "",
		d->frontend ? "frontend" : "", d->config->self_name, PACKAGE_VERSION);
	kmd_notify("READY=1\nSTATUS=serving");
	while (!d->stopping) {
		uint64_t now_us;
		int more;

		/* WHY before anything is read: what waited in the sockets of a machine that slept or was restored must not find
		 * a presignature of before (attack B5). */
		check_clock(d);
		give_pending(d);
		more = kmd_transport_pump(d->transport);
		give_pending(d);
		if (d->worker_dirty)
			take_worked(d);
		/* WHY only now: what these steps put off until their messages were out is due at once, and not when the next
		 * event comes. */
		now_us = kmd_mono_us();
		tick(d, KMD_SIDE_PEER, now_us);
		tick(d, KMD_SIDE_FRONTEND, now_us);
		give_pending(d);
		every_second(d, now_us);
		/* WHY pump again: what was just sent may have taken the mark off a descriptor (see transport.c). */
		more |= kmd_transport_pump(d->transport) | (d->pending != NULL) | d->worker_dirty;
		kmd_loop_wait(d->loop, more ? 0 : wait_us(d, kmd_mono_us()));
	}
}

/* ---- making and ending */

static int load_file(void *ctx, const char *name, const uint8_t *data, size_t len, struct kmd_fail *f)
{
	int err = strcmp(name, KMD_ROLLBACK_NAME) ? km_peer_load(ctx, name, data, len) : KM_OK;

	return err ? kmd_fail(f, err, "stored file %s does not fit this peer: %s; is state_dir that of another node?", name,
			      km_strerror(err))
		   : KM_OK;
}

static int known_epoch(void *ctx, const uint8_t table[KM_HASH_SIZE])
{
	return km_peer_table(ctx, table) != NULL;
}

static int make_nodes(struct kmd_daemon *d, struct kmd_fail *f)
{
	uint8_t seed[KM_SEED_SIZE];
	int err = KM_OK;

	if (d->config->is_peer) {
		kmd_random(seed, sizeof(seed));
		err = km_peer_new(&d->peer, &d->config->settings, seed);
	}
	if (!err && d->config->is_frontend) {
		kmd_random(seed, sizeof(seed));
		err = km_frontend_new(&d->frontend, &d->config->settings, seed);
	}
	km_wipe(seed, sizeof(seed));
	if (err)
		return kmd_fail(f, err, "the node cannot be made of this configuration: %s", km_strerror(err));
	err = d->peer ? kmd_store_each(d->store, load_file, d->peer, f) : KM_OK;
	if (!err && d->peer)
		kmd_recovery_forget(d->recovery, known_epoch, d->peer);
	return err;
}

static int watch_all(struct kmd_daemon *d, struct kmd_fail *f)
{
	sigemptyset(&d->signals);
	sigaddset(&d->signals, SIGTERM);
	sigaddset(&d->signals, SIGINT);
	sigaddset(&d->signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &d->signals, NULL);
	d->signal_watch =
	    (struct kmd_watch){.fd = signalfd(-1, &d->signals, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signal_ready, .ctx = d};
	if (d->signal_watch.fd < 0 || kmd_loop_add(d->loop, &d->signal_watch, EPOLLIN))
		return kmd_fail(f, KM_E_IO, "signals cannot be watched: %s", strerror(errno));
	if (!d->workers)
		return KM_OK;
	d->worker_watch = (struct kmd_watch){.fd = kmd_workers_fd(d->workers), .ready = worker_ready, .ctx = d};
	d->worker_dirty = 1;
	return kmd_loop_add(d->loop, &d->worker_watch, EPOLLIN) ? kmd_fail(f, KM_E_IO, "workers cannot be watched") : KM_OK;
}

static int open_parts(struct kmd_daemon *d, struct kmd_fail *f)
{
	const struct kmd_config *c = d->config;
	struct kmd_local_params local = {.path = c->listen_local,
					 .abstract = c->listen_abstract,
					 .max_clients = c->max_clients,
					 .ops = &kmd_request_ops,
					 .ctx = d};
	int err = KM_OK, behind = 0;

	if (kmd_loop_new(&d->loop))
		return kmd_fail(f, KM_E_NOMEM, "no event loop: %s", strerror(errno));
	if (c->is_peer) {
		err = kmd_keysource_derive(d->config, KMD_KEY_OF_STATE, f);
		if (!err)
			err = kmd_store_open(&d->store, c->state_dir, c->seal_key, f);
		if (!err)
			err = kmd_rollback_start(d->store, c, &behind, f);
		if (!err && behind)
			kmd_log(KM_LOG_WARN, "%s was behind %s, or missing; it goes on from here, but nobody knows what it would have shown",
				c->state_counter, c->state_dir);
		if (!err)
			err = kmd_daemon_audit_open(d, f);
		if (!err)
			err = kmd_recovery_open(&d->recovery, c->state_dir, f);
		if (!err && kmd_workers_new(&d->workers, c->workers, c->worker_nice))
			err = kmd_fail(f, KM_E_NOMEM, "worker threads cannot be started");
	}
	if (!err)
		err = watch_all(d, f);
	if (!err)
		err = make_nodes(d, f);
	if (!err)
		err = kmd_transport_open(&d->transport, c, d->loop, &transport_ops, d, f);
	if (!err)
		err = kmd_local_open(&d->local, &local, d->loop, f);
	return err;
}

int kmd_daemon_new(struct kmd_daemon **out, struct kmd_config *c, struct kmd_fail *f)
{
	struct kmd_daemon *d = calloc(1, sizeof(*d));
	int err;

	*out = NULL;
	if (!d)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	d->config = c;
	d->pending_tail = &d->pending;
	d->signal_watch.fd = d->worker_watch.fd = -1;
	km_effects_init(&d->fx);
	kmd_request_init(d);
	d->started_us = kmd_mono_us();
	d->watchdog_us = kmd_notify_watchdog_us();
	err = open_parts(d, f);
	if (err)
		kmd_daemon_free(d);
	else
		*out = d;
	return err;
}

/* WHY in this order: no running job, then the nodes wipe and tell the clients that wait; then nothing is left that could use a
 * secret, nor an answer for a client, and these go. The loop no longer turns: no request comes in on the way. */
void kmd_daemon_free(struct kmd_daemon *d)
{
	struct km_event worked = {.kind = KM_EVENT_WORKED}, stop = {.kind = KM_EVENT_STOP};
	struct kmd_pending *p;

	if (!d)
		return;
	kmd_notify("STOPPING=1");
	kmd_reseal_stop(d);
	if (d->workers && d->transport) {
		kmd_workers_stop(d->workers);
		while ((worked.job = kmd_workers_take(d->workers, &worked.token)))
			kmd_daemon_step(d, KMD_SIDE_PEER, &worked);
	}
	if (d->transport) {
		kmd_daemon_step(d, KMD_SIDE_PEER, &stop);
		kmd_daemon_step(d, KMD_SIDE_FRONTEND, &stop);
	}
	kmd_daemon_audit_close(d);
	kmd_local_close(d->local);
	while ((p = d->pending)) {
		d->pending = p->next;
		pending_free(p);
	}
	km_peer_free(d->peer);
	km_frontend_free(d->frontend);
	km_effects_clear(&d->fx);
	kmd_workers_free(d->workers);
	kmd_transport_close(d->transport);
	kmd_recovery_close(d->recovery);
	kmd_store_close(d->store);
	if (d->signal_watch.fd >= 0)
		close(d->signal_watch.fd);
	kmd_loop_free(d->loop);
	free(d);
}
