/* outs.c: the queue of what a run wants done. */
#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"
#include "machine.h"

void km_outs_init(struct km_outs *o)
{
	o->head = NULL;
	o->tail = &o->head;
}

void km_out_free(struct km_out *out)
{
	if (!out)
		return;
	if (out->secret)
		km_secret_free(out->data);
	else if (out->data)
		free(out->data - out->room);
	free(out);
}

void km_outs_clear(struct km_outs *o)
{
	struct km_out *out;

	while ((out = km_outs_pop(o)))
		km_out_free(out);
}

struct km_out *km_outs_pop(struct km_outs *o)
{
	struct km_out *out = o->head;

	if (!out)
		return NULL;
	o->head = out->next;
	if (!o->head)
		o->tail = &o->head;
	out->next = NULL;
	return out;
}

static int add(struct km_outs *o, enum km_out_kind kind, uint8_t peer, int code, const void *data, size_t len, int secret)
{
	struct km_out *out = calloc(1, sizeof(*out));

	if (!out)
		return KM_E_NOMEM;
	out->kind = kind;
	out->peer = peer;
	out->code = code;
	out->secret = secret;
	if (len) {
		out->data = secret ? km_secret_alloc(len) : malloc(len);
		if (!out->data) {
			free(out);
			return KM_E_NOMEM;
		}
		memcpy(out->data, data, len);
		out->len = len;
	}
	*o->tail = out;
	o->tail = &out->next;
	return KM_OK;
}

int km_outs_add(struct km_outs *o, enum km_out_kind kind, uint8_t peer, int code, const void *data, size_t len)
{
	return add(o, kind, peer, code, data, len, 0);
}

int km_outs_add_secret(struct km_outs *o, enum km_out_kind kind, uint8_t peer, int code, const void *data, size_t len)
{
	return add(o, kind, peer, code, data, len, 1);
}
