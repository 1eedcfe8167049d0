/* frontend_answer.c: who waits for a request, how requests end, and the answers kept to be repeated. */
#include "config.h"
#include "node/frontend_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- answers to local clients */

void fe_token_id(uint64_t token, uint8_t out[KM_HASH_SIZE])
{
	memset(out, 0, KM_HASH_SIZE);
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(token >> (8 * i));
}

int fe_answer(struct km_effects *fx, uint64_t token, int err, const struct km_result *result, const char *text)
{
	struct km_effect *e = km_effects_add(fx, KM_EFFECT_RESULT);

	if (!e)
		return KM_E_NOMEM;
	e->token = token;
	e->err = err;
	if (result)
		e->result = *result;
	km_format(e->text, sizeof(e->text), "%s", text);
	return KM_OK;
}

static void waiter_free(struct km_frontend *f, struct fe_waiter *w)
{
	km_idmap_remove(&f->by_token, w->token_id);
	f->n_waiters--;
	free(w);
}

int fe_waiter_add(struct km_frontend *f, struct fe_request *r, uint64_t token, uint64_t deadline_us)
{
	struct fe_waiter *w;

	if (f->n_waiters >= FE_MAX_WAITERS)
		return KM_E_BUSY;
	w = calloc(1, sizeof(*w));
	if (!w)
		return KM_E_NOMEM;
	fe_token_id(token, w->token_id);
	w->token = token;
	w->deadline_us = deadline_us;
	w->request = r;
	if (km_idmap_add(&f->by_token, w)) {
		free(w);
		return KM_E_NOMEM;
	}
	w->next = r->waiters;
	r->waiters = w;
	f->n_waiters++;
	if (deadline_us > r->deadline_us)
		r->deadline_us = deadline_us;
	return KM_OK;
}

static void request_free(struct km_frontend *f, struct fe_request *r)
{
	struct fe_waiter *w;

	while ((w = r->waiters)) {
		r->waiters = w->next;
		waiter_free(f, w);
	}
	fe_timer_remove(f, r);
	km_idmap_remove(&f->by_id, r->id);
	km_idmap_remove(&f->by_idem, r->idem);
	if (r->next)
		r->next->prev = r->prev;
	if (r->prev)
		r->prev->next = r->next;
	else
		f->requests = r->next;
	f->bytes -= r->frame_len;
	f->in_flight--;
	free(r->frame);
	free(r);
}

/* ---- answers kept */

void fe_records_expire(struct km_frontend *f, unsigned most)
{
	struct fe_record *rec;

	while ((rec = f->record_head) && (f->n_records > most || rec->until_us <= f->now.mono_us)) {
		f->record_head = rec->next;
		if (!f->record_head)
			f->record_tail = &f->record_head;
		km_idmap_remove(&f->records, rec->idem);
		f->n_records--;
		free(rec);
	}
}

/* WHY only signatures: a client that repeats a request after a failure wants another try, not the old failure. */
void fe_record_answer(struct km_frontend *f, const struct fe_request *r, const struct km_result *result)
{
	struct fe_record *rec;

	if (km_idmap_find(&f->records, r->idem))
		return;
	fe_records_expire(f, FE_MAX_RECORDS - 1);
	rec = calloc(1, sizeof(*rec));
	/* without memory the answer is not repeated, the next request makes a new one */
	if (!rec)
		return;
	memcpy(rec->idem, r->idem, KM_HASH_SIZE);
	rec->result = *result;
	rec->until_us = f->now.mono_us + FE_RECORD_US;
	if (km_idmap_add(&f->records, rec)) {
		free(rec);
		return;
	}
	*f->record_tail = rec;
	f->record_tail = &rec->next;
	f->n_records++;
}

/* ---- ends */

static const char *asked_text(unsigned how)
{
	static const char *const status[] = {
		[KM_STATUS_OK] = "ok",
		[KM_STATUS_UNKNOWN_PRESIG] = "presignature not known to a signer",
		[KM_STATUS_BAD_MAC] = "authenticator refused",
		[KM_STATUS_STALE] = "clocks differ too much",
		[KM_STATUS_RIGHTS] = "not permitted",
		[KM_STATUS_RATE] = "over the rate limit",
		[KM_STATUS_CONTEXT] = "bytes do not fit the context",
		[KM_STATUS_EPOCH] = "another epoch of the key",
		[KM_STATUS_UNKNOWN_KEY] = "does not know the key",
		[KM_STATUS_EMPTY] = "no presignature left",
		[KM_STATUS_NO_QUORUM] = "no quorum alive",
		[KM_STATUS_BUSY] = "busy",
		[KM_STATUS_DEGENERATE] = "degenerate value",
		[KM_STATUS_INTERNAL] = "internal error",
	};

	if (how >= FE_STATUS)
		return how - FE_STATUS < sizeof(status) / sizeof(status[0]) ? status[how - FE_STATUS] : "unknown status";
	return how == FE_LOST ? "connection lost" : how == FE_WRONG ? "wrong signature" : "no answer";
}

/* Those of a set of whom the same is to be said as of its first. */
static uint32_t asked_alike(const struct fe_request *r, uint32_t set, const char *said)
{
	uint32_t alike = 0;

	for (unsigned id = km_set_next(set, 0); id; id = km_set_next(set, id))
		if (asked_text(r->how[id]) == said)
			alike |= km_set_bit(id);
	return alike;
}

/* "key www: deadline passed; peers 1 3: no answer, peer 4: no presignature left; 2 of 5 peers alive" */
static void tried_text(const struct km_frontend *f, const struct fe_request *r, const char *what, char *out, size_t size)
{
	char part[160], who[100], alive[48];
	uint32_t left = r->asked;
	const char *sep = "; ";

	km_format(alive, sizeof(alive), "; %u of %u peers alive", km_set_size(fe_live_set(f)), f->s->roster.n);
	km_format(out, size, "key %s: %s", r->table->name, what);
	while (left) {
		const char *said = asked_text(r->how[km_set_next(left, 0)]);
		uint32_t alike = asked_alike(r, left, said);

		fe_set_text(alike, who, sizeof(who));
		km_format(part, sizeof(part), "%speer%s %s: %s", sep, alike & (alike - 1) ? "s" : "", who, said);
		/* what does not fit is left out whole, the last part never */
		if (strlen(out) + strlen(part) + strlen(alive) + 5 >= size) {
			fe_text_append(out, size, " ...");
			break;
		}
		fe_text_append(out, size, part);
		left &= ~alike;
		sep = ", ";
	}
	fe_text_append(out, size, alive);
}

int fe_finish(struct km_frontend *f, struct fe_request *r, int err, const struct km_result *result, const char *text, struct km_effects *fx)
{
	struct fe_waiter *w;

	while ((w = r->waiters)) {
		if (fe_answer(fx, w->token, err, result, text)) {
			r->next_us = f->now.mono_us + FE_PASS_US;
			fe_timer_moved(f, r);
			return KM_E_NOMEM;
		}
		r->waiters = w->next;
		waiter_free(f, w);
	}
	if (err)
		f->failed++;
	else
		f->signatures++;
	request_free(f, r);
	return KM_OK;
}

int fe_finish_tried(struct km_frontend *f, struct fe_request *r, int err, const char *what, struct km_effects *fx)
{
	char text[sizeof(((struct km_effect *)0)->text)];

	tried_text(f, r, what, text, sizeof(text));
	return fe_finish(f, r, err, NULL, text, fx);
}

int fe_expire_waiters(struct km_frontend *f, struct fe_request *r, struct km_effects *fx)
{
	char text[sizeof(((struct km_effect *)0)->text)];
	struct fe_waiter *w, **at = &r->waiters;
	int err;

	if (f->now.mono_us >= r->deadline_us) {
		err = fe_finish_tried(f, r, KM_E_DEADLINE, "deadline passed", fx);
		return err ? err : 1;
	}
	while ((w = *at)) {
		if (f->now.mono_us < w->deadline_us) {
			at = &w->next;
			continue;
		}
		tried_text(f, r, "deadline passed", text, sizeof(text));
		if (fe_answer(fx, w->token, KM_E_DEADLINE, NULL, text))
			return KM_E_NOMEM;
		*at = w->next;
		waiter_free(f, w);
	}
	return 0;
}

/* The request itself goes on: the client may have lost its connection only, and will find the answer recorded. */
void fe_cancel(struct km_frontend *f, uint64_t token)
{
	uint8_t tid[KM_HASH_SIZE];
	struct fe_waiter *w, **at;

	fe_token_id(token, tid);
	w = km_idmap_find(&f->by_token, tid);
	if (!w)
		return;
	for (at = &w->request->waiters; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	waiter_free(f, w);
}

/* ---- the end of the node */

int fe_requests_stop(struct km_frontend *f, struct km_effects *fx)
{
	while (f->requests) {
		int err = fe_finish(f, f->requests, KM_E_STATE, NULL, "stopping", fx);

		if (err)
			return err;
	}
	return KM_OK;
}

void fe_requests_free(struct km_frontend *f)
{
	while (f->requests)
		request_free(f, f->requests);
	f->now.mono_us = UINT64_MAX;
	fe_records_expire(f, 0);
	km_idmap_clear(&f->by_id);
	km_idmap_clear(&f->by_idem);
	km_idmap_clear(&f->by_token);
	km_idmap_clear(&f->records);
}
