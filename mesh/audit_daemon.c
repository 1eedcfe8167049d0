/* audit_daemon.c: the audit log in the daemon: what is written before what leaves. */
#include "config.h"
#include "mesh/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/secret.h"
#include "node/wire.h"

#define FLUSH_MS 50
#define FIRST_CHECKPOINT_US 3000000 /* others are heard by then */

/* A message that shows a share, waiting until its entry is on the disk (audit.sync = always). */
struct kmd_held_send {
	struct kmd_held_send *next;
	uint64_t seq;
	struct km_effect e;
};

static int always(const struct kmd_daemon *d)
{
	return !strcmp(d->config->audit_sync, "always");
}

/* ---- writing */

int kmd_daemon_audit(struct kmd_daemon *d, const uint8_t *draft, size_t len)
{
	struct kmd_fail f;

	if (!d->audit || (!kmd_audit_settle(d->audit, &f) && !kmd_audit_append(d->audit, draft, len, &f)))
		return KM_OK;
	kmd_audit_owe(d->audit, draft, len);
	kmd_log_limited(KM_LOG_ERROR, "not signing: %s", f.text);
	return KM_E_IO;
}

static int put(struct kmd_daemon *d, const struct km_audit_entry *e)
{
	uint8_t draft[KM_AUDIT_ENTRY_MAX];
	struct kmd_fail f;
	struct km_buf b;

	if (!d->audit)
		return KM_OK;
	km_buf_init_fixed(&b, draft, sizeof(draft));
	if (km_audit_draft(&b, e))
		return KM_E_INVAL;
	int err = kmd_audit_settle(d->audit, &f);
	if (!err)
		err = kmd_audit_append(d->audit, b.data, b.len, &f);
	if (err)
		kmd_log(KM_LOG_ERROR, "the audit log could not be written: %s", f.text);
	return err;
}

int kmd_daemon_operator(struct kmd_daemon *d, enum km_audit_action action, unsigned uid, const char *text)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_OPERATOR, .time_ms = kmd_wall_ms()};

	e.u.op.action = (uint8_t)action;
	e.u.op.uid = uid;
	snprintf(e.u.op.text, sizeof(e.u.op.text), "%s", text);
	return put(d, &e);
}

static int put_process(struct kmd_daemon *d, enum km_audit_process_what what, const char *text)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_PROCESS, .time_ms = kmd_wall_ms()};

	e.u.process.what = (uint8_t)what;
	snprintf(e.u.process.text, sizeof(e.u.process.text), "%s", text);
	return put(d, &e);
}

/* ---- leaving */

/* Takes e's data; without memory the message is a lost one. */
static void hold(struct kmd_daemon *d, struct km_effect *e)
{
	struct kmd_held_send *h = calloc(1, sizeof(*h));

	if (!h)
		return;
	h->seq = kmd_audit_size(d->audit);
	h->e = *e;
	e->data = NULL;
	e->len = 0;
	*d->held_tail = h;
	d->held_tail = &h->next;
}

static void held_free(struct kmd_held_send *h)
{
	if (h->e.secret)
		km_secret_free(h->e.data);
	else if (h->e.data)
		free(h->e.data - h->e.room);
	free(h);
}

/* WHY not only in the step that made the share: a signer repeats it when asked again, and an aggregator's own one leaves with the
 * signature, when the last of the others' has come. */
int kmd_daemon_may_leave(struct kmd_daemon *d, enum kmd_side side, struct km_effect *e)
{
	struct kmd_fail f;

	if (side != KMD_SIDE_PEER || !d->audit || !e->len || (e->data[0] != KM_FRAME_SHARE && e->data[0] != KM_FRAME_REPLY))
		return 1;
	if (kmd_audit_settle(d->audit, &f))
		return 0;
	if (!always(d) || kmd_audit_synced(d->audit) == kmd_audit_size(d->audit))
		return 1;
	hold(d, e);
	return 0;
}

static void release(struct kmd_daemon *d)
{
	uint64_t synced = kmd_audit_synced(d->audit);
	struct kmd_held_send *h;
	struct kmd_fail f;

	while ((h = d->held) && h->seq <= synced) {
		d->held = h->next;
		if (!d->held)
			d->held_tail = &d->held;
		if (!kmd_audit_settle(d->audit, &f))
			kmd_daemon_send(d, KMD_SIDE_PEER, &h->e);
		held_free(h);
	}
}

static void synced(struct kmd_watch *w, uint32_t events)
{
	uint64_t beats;

	if (read(w->fd, &beats, sizeof(beats)) == (ssize_t)sizeof(beats))
		release(w->ctx);
}

/* ---- checkpoints */

/* Of what is on the disk when it is: until then it waits. */
static void checkpoint(struct kmd_daemon *d, uint64_t now_us)
{
	uint8_t data[8 + KM_HASH_SIZE];
	struct km_event ev = {.kind = KM_EVENT_CHECKPOINT};
	struct km_buf b;

	if (!d->checkpoint_size && now_us >= d->checkpoint_at_us && kmd_audit_size(d->audit) > d->checkpointed) {
		d->checkpoint_size = kmd_audit_size(d->audit);
		kmd_audit_root(d->audit, d->checkpoint_root);
	}
	if (!d->checkpoint_size || kmd_audit_synced(d->audit) < d->checkpoint_size)
		return;
	km_buf_init_fixed(&b, data, sizeof(data));
	km_put_u64(&b, d->checkpoint_size);
	km_put_bytes(&b, d->checkpoint_root, KM_HASH_SIZE);
	d->checkpointed = d->checkpoint_size;
	d->checkpoint_size = 0;
	d->checkpoint_at_us = now_us + (uint64_t)d->config->audit_checkpoint * 1000000;
	kmd_daemon_post(d, KMD_SIDE_PEER, &ev, data, sizeof(data), 0);
}

void kmd_daemon_checkpoint(struct kmd_daemon *d, const struct km_effect *e)
{
	if (d->audit && e->len && kmd_audit_put_checkpoint(d->audit, e->data, e->len, kmd_wall_ms()))
		kmd_log_limited(KM_LOG_ERROR, "out of memory: a checkpoint of the audit log is not kept");
}

void kmd_daemon_prove(struct kmd_daemon *d, const struct km_effect *e)
{
	struct km_event ev = {.kind = KM_EVENT_PROOF, .from = e->to, .token = e->prove.old};
	struct km_tree_proof p = {.n = 0};

	ev.err = d->audit ? kmd_audit_prove(d->audit, e->prove.old, e->prove.size, &p) : KM_E_STATE;
	kmd_daemon_post(d, KMD_SIDE_PEER, &ev, p.node, ev.err ? 0 : (size_t)p.n * KM_HASH_SIZE, 0);
}

/* ---- its life */

void kmd_daemon_audit_second(struct kmd_daemon *d)
{
	struct kmd_fail f;

	if (!d->audit)
		return;
	if (kmd_audit_complaint(d->audit, &f))
		kmd_log(KM_LOG_ERROR, "%s", f.text);
	checkpoint(d, kmd_mono_us());
}

int kmd_daemon_audit_open(struct kmd_daemon *d, struct kmd_fail *f)
{
	const struct kmd_config *c = d->config;
	char path[4096];
	struct kmd_audit_params p = {.dir = path,
				     .flush_ms = always(d) ? 0 : FLUSH_MS,
				     .pub = c->settings.identity.pub,
				     .export_dir = c->audit_export_dir,
				     .publish_dir = c->audit_publish_dir,
				     .max_bytes = (uint64_t)c->audit_max_mb << 20};
	size_t cut;

	snprintf(path, sizeof(path), "%s/audit", c->state_dir);
	d->held_tail = &d->held;
	d->checkpoint_at_us = kmd_mono_us() + FIRST_CHECKPOINT_US;
	int err = kmd_audit_open(&d->audit, &p, &cut, f);
	if (err)
		return err;
	if (cut)
		kmd_log(KM_LOG_WARN, "%s: %zu bytes at its end were no whole entries and are gone: the machine or keymeshd crashed", path, cut);
	d->audit_watch = (struct kmd_watch){.fd = kmd_audit_fd(d->audit), .ready = synced, .ctx = d};
	if (kmd_loop_add(d->loop, &d->audit_watch, EPOLLIN))
		return kmd_fail(f, KM_E_IO, "the audit log cannot be watched");
	return put_process(d, KM_AUDIT_START, "version " PACKAGE_VERSION) ? kmd_fail(f, KM_E_IO, "%s cannot be written", path) : KM_OK;
}

void kmd_daemon_audit_close(struct kmd_daemon *d)
{
	struct kmd_held_send *h;

	while ((h = d->held)) {
		d->held = h->next;
		held_free(h);
	}
	if (d->audit)
		(void)!put_process(d, KM_AUDIT_STOP, "");
	kmd_audit_close(d->audit);
	d->audit = NULL;
}
