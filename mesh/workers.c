/* workers.c: see workers.h.
 *
 * Two lanes with threads of their own. WHY: a replay takes more than a second, and with one thread no presignatures were made
 * meanwhile, just when those with the accused are to be thrown away. As nice as the others: until the verdict every run with the
 * culprit fails. Within a lane jobs of older runs come first. WHY: runs that share the cores in turns all end together, and until then
 * there is nothing; one after the other they take no longer in all, and the first ends early. */
#include "config.h"
#include "mesh/workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "mesh/sched.h"

#define MAX_THREADS 64

struct item {
	struct km_job *job;
	uint64_t token;
	struct item *next;
};

struct queue {
	struct item *head, **tail;
};

enum { PROMPT, PATIENT, LANES };

struct lane {
	struct kmd_workers *workers;
	pthread_cond_t wake;
	struct queue todo;
};

struct kmd_workers {
	pthread_mutex_t lock;
	struct lane lane[LANES];
	struct queue done;
	unsigned pending, n_threads, nice_value;
	int stopping, fd;
	pthread_t thread[MAX_THREADS + 1];
};

static void push(struct queue *q, struct item *i)
{
	i->next = NULL;
	*q->tail = i;
	q->tail = &i->next;
}

/* Before those of younger runs. There are a dozen at the most. */
static void insert(struct queue *q, struct item *i)
{
	struct item **at = &q->head;

	while (*at && (*at)->job->order <= i->job->order)
		at = &(*at)->next;
	i->next = *at;
	*at = i;
	if (!i->next)
		q->tail = &i->next;
}

static struct item *pop(struct queue *q)
{
	struct item *i = q->head;

	if (!i)
		return NULL;
	q->head = i->next;
	if (!q->head)
		q->tail = &q->head;
	return i;
}

static void announce(const struct kmd_workers *w)
{
	uint64_t one = 1;

	/* Fails only when the counter is at its end, and then it is readable anyway. */
	if (write(w->fd, &one, sizeof(one)) < 0)
		return;
}

static void *thread_main(void *arg)
{
	struct lane *l = arg;
	struct kmd_workers *w = l->workers;
	struct item *i;

	kmd_sched_background(w->nice_value);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!l->todo.head && !w->stopping)
			pthread_cond_wait(&l->wake, &w->lock);
		if (w->stopping)
			break;
		i = pop(&l->todo);
		pthread_mutex_unlock(&w->lock);
		kmd_sched_work_begin();
		i->job->run(i->job);
		kmd_sched_work_end();
		pthread_mutex_lock(&w->lock);
		push(&w->done, i);
		announce(w);
	}
	pthread_mutex_unlock(&w->lock);
	kmd_sched_background_end();
	return NULL;
}

/* WHY signals are blocked: they are the main thread's, which reads them from a descriptor. */
static int start_threads(struct kmd_workers *w, unsigned threads)
{
	sigset_t all, old;
	int err = KM_OK;

	/* one more: the patient one */
	threads++;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (w->n_threads < threads && !err) {
		if (pthread_create(&w->thread[w->n_threads], NULL, thread_main, &w->lane[w->n_threads ? PROMPT : PATIENT]))
			err = KM_E_NOMEM;
		else
			w->n_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

int kmd_workers_new(struct kmd_workers **out, unsigned threads, unsigned nice_value)
{
	struct kmd_workers *w;

	*out = NULL;
	if (threads < 1 || threads > MAX_THREADS)
		return KM_E_INVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return KM_E_NOMEM;
	w->done.tail = &w->done.head;
	w->nice_value = nice_value;
	pthread_mutex_init(&w->lock, NULL);
	for (unsigned i = 0; i < LANES; i++) {
		struct lane *l = &w->lane[i];

		l->workers = w;
		l->todo.tail = &l->todo.head;
		pthread_cond_init(&l->wake, NULL);
	}
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0 || start_threads(w, threads)) {
		kmd_workers_free(w);
		return KM_E_NOMEM;
	}
	*out = w;
	return KM_OK;
}

int kmd_workers_submit(struct kmd_workers *w, struct km_job *job, uint64_t token)
{
	struct lane *l = &w->lane[job->patient ? PATIENT : PROMPT];
	struct item *i = malloc(sizeof(*i));

	if (!i)
		return KM_E_NOMEM;
	i->job = job;
	i->token = token;
	pthread_mutex_lock(&w->lock);
	w->pending++;
	if (w->stopping) {
		job->err = KM_E_STATE;
		push(&w->done, i);
		announce(w);
	} else {
		insert(&l->todo, i);
		pthread_cond_signal(&l->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return KM_OK;
}

int kmd_workers_fd(const struct kmd_workers *w)
{
	return w->fd;
}

struct km_job *kmd_workers_take(struct kmd_workers *w, uint64_t *token)
{
	struct km_job *job = NULL;
	struct item *i;
	uint64_t count;

	pthread_mutex_lock(&w->lock);
	i = pop(&w->done);
	if (!i && read(w->fd, &count, sizeof(count)) < 0)
		KM_ASSERT(errno == EAGAIN);
	if (i)
		w->pending--;
	pthread_mutex_unlock(&w->lock);
	if (i) {
		job = i->job;
		*token = i->token;
		free(i);
	}
	return job;
}

unsigned kmd_workers_pending(struct kmd_workers *w)
{
	unsigned n;

	pthread_mutex_lock(&w->lock);
	n = w->pending;
	pthread_mutex_unlock(&w->lock);
	return n;
}

void kmd_workers_stop(struct kmd_workers *w)
{
	struct item *i;
	unsigned t;

	pthread_mutex_lock(&w->lock);
	w->stopping = 1;
	for (unsigned n = 0; n < LANES; n++)
		pthread_cond_broadcast(&w->lane[n].wake);
	pthread_mutex_unlock(&w->lock);
	for (t = 0; t < w->n_threads; t++)
		pthread_join(w->thread[t], NULL);
	w->n_threads = 0;
	for (unsigned n = 0; n < LANES; n++) {
		while ((i = pop(&w->lane[n].todo))) {
			i->job->err = KM_E_STATE;
			push(&w->done, i);
			announce(w);
		}
	}
}

void kmd_workers_free(struct kmd_workers *w)
{
	uint64_t token;

	if (!w)
		return;
	kmd_workers_stop(w);
	while (kmd_workers_pending(w) && kmd_workers_take(w, &token))
		;
	if (w->fd >= 0)
		close(w->fd);
	for (unsigned n = 0; n < LANES; n++)
		pthread_cond_destroy(&w->lane[n].wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
