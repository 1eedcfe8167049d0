/* frontend_timer.c: a binary heap of requests, the one that wants attention first on top. */
#include "config.h"
#include "node/frontend_impl.h"

static void put(struct km_frontend *f, size_t at, struct fe_request *r)
{
	f->heap[at] = r;
	r->heap_at = at;
}

static void up(struct km_frontend *f, size_t at)
{
	struct fe_request *r = f->heap[at];

	while (at && f->heap[(at - 1) / 2]->next_us > r->next_us) {
		put(f, at, f->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(f, at, r);
}

static void down(struct km_frontend *f, size_t at)
{
	struct fe_request *r = f->heap[at];
	size_t child;

	while ((child = 2 * at + 1) < f->heap_n) {
		if (child + 1 < f->heap_n && f->heap[child + 1]->next_us < f->heap[child]->next_us)
			child++;
		if (f->heap[child]->next_us >= r->next_us)
			break;
		put(f, at, f->heap[child]);
		at = child;
	}
	put(f, at, r);
}

void fe_timer_add(struct km_frontend *f, struct fe_request *r)
{
	KM_ASSERT(f->heap_n < FE_MAX_IN_FLIGHT);
	put(f, f->heap_n++, r);
	up(f, r->heap_at);
}

void fe_timer_remove(struct km_frontend *f, struct fe_request *r)
{
	struct fe_request *last = f->heap[--f->heap_n];
	size_t at = r->heap_at;

	if (last == r)
		return;
	put(f, at, last);
	up(f, at);
	down(f, last->heap_at);
}

void fe_timer_moved(struct km_frontend *f, struct fe_request *r)
{
	up(f, r->heap_at);
	down(f, r->heap_at);
}

struct fe_request *fe_timer_first(const struct km_frontend *f)
{
	return f->heap_n ? f->heap[0] : NULL;
}
