/* reseal.c: another sealing key while the daemon runs. In a thread: the key may come from a slow command or out of a passphrase, and
 * every file is forced to the disk twice. */
#include "config.h"
#include "mesh/daemon.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "mesh/keysource.h"

struct kmd_reseal {
	struct kmd_store *store;
	const char *path, *state_dir;
	pthread_t thread;
	struct kmd_watch watch; /* readable when the thread is through */
	uint64_t token;
	unsigned n;
	int err;
	struct kmd_fail fail;
};

static void *run(void *arg)
{
	struct kmd_reseal *r = arg;
	struct kmd_config *c;
	uint64_t one = 1;

	r->err = kmd_config_load(&c, r->path, &r->fail);
	if (!r->err) {
		if (!c->is_peer)
			r->err = kmd_fail(&r->fail, KM_E_CONFIG, "%s is not that of a peer any more", r->path);
		else if (strcmp(c->state_dir, r->state_dir))
			r->err = kmd_fail(&r->fail, KM_E_CONFIG, "state_dir in %s is not the one that is in use; restart keymeshd first", r->path);
		if (!r->err)
			r->err = kmd_keysource_derive(c, KMD_KEY_NEW, &r->fail);
		if (!r->err)
			r->err = kmd_store_reseal(r->store, c->seal_key, &r->n, &r->fail);
		kmd_config_free(c);
	}
	(void)!write(r->watch.fd, &one, sizeof(one));
	return NULL;
}

static void finish(struct kmd_daemon *d)
{
	struct kmd_reseal *r = d->reseal;
	char tag[17], text[sizeof(r->fail.text)];

	pthread_join(r->thread, NULL);
	kmd_loop_remove(d->loop, &r->watch);
	close(r->watch.fd);
	kmd_store_key_tag(d->store, tag);
	if (!r->err)
		snprintf(text, sizeof(text), "%u files are sealed under key %s", r->n, tag);
	else if (r->err == KM_E_EXISTS)
		snprintf(text, sizeof(text), "all is sealed under key %s already: that is what group seal of keymesh.conf gives", tag);
	else
		snprintf(text, sizeof(text), "%s", r->fail.text);
	kmd_log(r->err && r->err != KM_E_EXISTS ? KM_LOG_ERROR : KM_LOG_NOTICE, "re-sealing: %s", r->err ? r->fail.text : text);
	d->reseal = NULL;
	kmd_request_done(d, r->token, r->err == KM_E_EXISTS ? KM_OK : r->err, text);
	free(r);
}

static void ready(struct kmd_watch *w, uint32_t events)
{
	finish(w->ctx);
}

int kmd_reseal_start(struct kmd_daemon *d, uint64_t token, struct kmd_fail *f)
{
	struct kmd_reseal *r;
	int why;

	if (d->reseal)
		return kmd_fail(f, KM_E_BUSY, "re-sealing is under way already");
	r = calloc(1, sizeof(*r));
	if (!r)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	r->store = d->store;
	r->path = d->config->file;
	r->state_dir = d->config->state_dir;
	r->token = token;
	r->watch = (struct kmd_watch){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = ready, .ctx = d};
	if (r->watch.fd < 0 || kmd_loop_add(d->loop, &r->watch, EPOLLIN)) {
		why = errno;
	} else {
		why = pthread_create(&r->thread, NULL, run, r);
		if (!why) {
			d->reseal = r;
			return KM_OK;
		}
		kmd_loop_remove(d->loop, &r->watch);
	}
	if (r->watch.fd >= 0)
		close(r->watch.fd);
	free(r);
	return kmd_fail(f, KM_E_IO, "re-sealing cannot be started: %s", strerror(why));
}

void kmd_reseal_stop(struct kmd_daemon *d)
{
	if (d->reseal)
		finish(d);
}
