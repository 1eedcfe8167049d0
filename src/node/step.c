/* step.c: the queue of effects, and the small formatter of texts for people. */
#include "step.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"

/* Shells kept for reuse: enough for the effects of one busy step. */
#define SPARE_MAX 256

void km_effects_init(struct km_effects *fx)
{
	memset(fx, 0, sizeof(*fx));
	fx->tail = &fx->head;
}

static void drop_data(struct km_effect *e)
{
	if (e->data && e->secret) {
		km_secret_free(e->data);
	} else if (e->data && e->room) {
		free(e->data - e->room);
	} else if (e->data) {
		km_wipe(e->data, e->len);
		free(e->data);
	}
	e->data = NULL;
}

void km_effects_clear(struct km_effects *fx)
{
	struct km_effect *e;

	while ((e = km_effects_pop(fx))) {
		drop_data(e);
		free(e);
	}
	while ((e = fx->spare)) {
		fx->spare = e->next;
		free(e);
	}
	fx->n_spare = 0;
}

struct km_effect *km_effects_pop(struct km_effects *fx)
{
	struct km_effect *e = fx->head;

	if (!e)
		return NULL;
	fx->head = e->next;
	if (!fx->head)
		fx->tail = &fx->head;
	e->next = NULL;
	return e;
}

void km_effects_recycle(struct km_effects *fx, struct km_effect *e)
{
	if (!e)
		return;
	drop_data(e);
	if (fx->n_spare >= SPARE_MAX) {
		free(e);
		return;
	}
	e->next = fx->spare;
	fx->spare = e;
	fx->n_spare++;
}

struct km_effect *km_effects_add(struct km_effects *fx, enum km_effect_kind kind)
{
	struct km_effect *e = fx->spare;

	if (e) {
		fx->spare = e->next;
		fx->n_spare--;
		memset(e, 0, sizeof(*e));
	} else {
		e = calloc(1, sizeof(*e));
		if (!e)
			return NULL;
	}
	e->kind = kind;
	*fx->tail = e;
	fx->tail = &e->next;
	return e;
}

int km_effects_send(struct km_effects *fx, struct km_addr to, const void *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct km_effect *e;

	if (!copy)
		return KM_E_NOMEM;
	if (len)
		memcpy(copy, data, len);
	e = km_effects_add(fx, KM_EFFECT_SEND);
	if (!e) {
		free(copy);
		return KM_E_NOMEM;
	}
	e->to = to;
	e->data = copy;
	e->len = len;
	return KM_OK;
}

/* ---- texts */

struct text {
	char *out;
	size_t size, len;
};

static void put_char(struct text *t, char c)
{
	if (t->len + 1 < t->size)
		t->out[t->len++] = c;
}

static void put_str(struct text *t, const char *s)
{
	for (s = s ? s : "(none)"; *s; s++)
		put_char(t, *s);
}

static void put_number(struct text *t, uint64_t v, unsigned base, unsigned width)
{
	char digits[24];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n < width)
		digits[n++] = '0';
	while (n)
		put_char(t, digits[--n]);
}

static void put_arg(struct text *t, char what, va_list *ap)
{
	switch (what) {
	case 's':
		put_str(t, va_arg(*ap, const char *));
		break;
	case 'u':
		put_number(t, va_arg(*ap, unsigned), 10, 0);
		break;
	case 'U':
		put_number(t, va_arg(*ap, uint64_t), 10, 0);
		break;
	case 'd': {
		int v = va_arg(*ap, int);
		if (v < 0)
			put_char(t, '-');
		put_number(t, v < 0 ? (uint64_t)(-(int64_t)v) : (uint64_t)v, 10, 0);
		break;
	}
	case 'x':
		put_number(t, va_arg(*ap, uint32_t), 16, 8);
		break;
	case 'H': {
		const uint8_t *h = va_arg(*ap, const uint8_t *);
		for (unsigned i = 0; i < 4; i++)
			put_number(t, h[i], 16, 2);
		break;
	}
	case '%':
		put_char(t, '%');
		break;
	default:
		KM_ASSERT(!"unknown format");
	}
}

static void format(char *out, size_t size, const char *fmt, va_list *ap)
{
	struct text t = {out, size, 0};

	if (!size)
		return;
	for (; *fmt; fmt++) {
		if (*fmt == '%' && fmt[1])
			put_arg(&t, *++fmt, ap);
		else
			put_char(&t, *fmt);
	}
	out[t.len] = 0;
}

void km_format(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(out, size, fmt, &ap);
	va_end(ap);
}

void km_effects_log(struct km_effects *fx, enum km_log_level level, const char *fmt, ...)
{
	struct km_effect *e = km_effects_add(fx, KM_EFFECT_LOG);
	va_list ap;

	if (!e)
		return;
	e->level = level;
	va_start(ap, fmt);
	format(e->text, sizeof(e->text), fmt, &ap);
	va_end(ap);
}
