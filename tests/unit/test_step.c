/* test_step.c: the queue of effects and its texts; and the map from ids to objects. */
#include <stdlib.h>
#include "lib/test.h"
#include "base/secret.h"
#include "node/idmap.h"
#include "node/step.h"

static void test_queue(void **state)
{
	struct km_effects fx;
	struct km_effect *e, *first;

	km_effects_init(&fx);
	assert_null(km_effects_pop(&fx));
	assert_int_equal(km_effects_send(&fx, (struct km_addr){KM_ADDR_PEER, 3}, "abc", 3), KM_OK);
	assert_int_equal(km_effects_send(&fx, (struct km_addr){KM_ADDR_FRONTEND, 4}, NULL, 0), KM_OK);
	e = km_effects_add(&fx, KM_EFFECT_PERSIST);
	assert_non_null(e);
	e->data = km_secret_alloc(10);
	e->len = 10;
	e->secret = 1;

	first = e = km_effects_pop(&fx);
	assert_int_equal(e->kind, KM_EFFECT_SEND);
	assert_int_equal(e->to.id, 3);
	assert_int_equal(e->len, 3);
	assert_memory_equal(e->data, "abc", 3);
	km_effects_recycle(&fx, e);
	/* what came back is used again, clean */
	e = km_effects_add(&fx, KM_EFFECT_AUDIT);
	assert_ptr_equal(e, first);
	assert_null(e->data);
	assert_int_equal(e->len, 0);
	assert_int_equal(e->to.id, 0);

	e = km_effects_pop(&fx);
	assert_int_equal(e->to.kind, KM_ADDR_FRONTEND);
	assert_int_equal(e->len, 0);
	km_effects_recycle(&fx, e);
	e = km_effects_pop(&fx);
	assert_int_equal(e->kind, KM_EFFECT_PERSIST);
	size_t before = km_secret_in_use();
	km_effects_recycle(&fx, e);
	assert_true(km_secret_in_use() < before);
	e = km_effects_pop(&fx);
	assert_int_equal(e->kind, KM_EFFECT_AUDIT);
	km_effects_recycle(&fx, e);
	assert_null(km_effects_pop(&fx));
	km_effects_recycle(&fx, NULL);
	/* effects that nobody carried out are freed with the queue */
	assert_int_equal(km_effects_send(&fx, (struct km_addr){KM_ADDR_PEER, 1}, "x", 1), KM_OK);
	km_effects_clear(&fx);
	assert_int_equal(fx.n_spare, 0);
}

static void test_many_spares(void **state)
{
	struct km_effects fx;
	struct km_effect *e[600];

	km_effects_init(&fx);
	for (unsigned i = 0; i < 600; i++)
		assert_non_null(km_effects_add(&fx, KM_EFFECT_LOG));
	for (unsigned i = 0; i < 600; i++)
		e[i] = km_effects_pop(&fx);
	for (unsigned i = 0; i < 600; i++)
		km_effects_recycle(&fx, e[i]);
	/* bounded: a burst is not kept for ever */
	assert_true(fx.n_spare > 0 && fx.n_spare < 600);
	km_effects_clear(&fx);
}

static void test_format(void **state)
{
	uint8_t h[KM_HASH_SIZE] = {0x00, 0x1f, 0xab, 0xff};
	char text[64], tiny[5];

	km_format(text, sizeof(text), "%s %u %d %d", "a", 4294967295u, -2147483647 - 1, 7);
	assert_string_equal(text, "a 4294967295 -2147483648 7");
	km_format(text, sizeof(text), "%U %x %H %%", UINT64_MAX, (uint32_t)0xbeef, h);
	assert_string_equal(text, "18446744073709551615 0000beef 001fabff %");
	km_format(text, sizeof(text), "%s|%u|", (const char *)NULL, 0u);
	assert_string_equal(text, "(none)|0|");
	km_format(text, sizeof(text), "end %");
	assert_string_equal(text, "end %");
	km_format(tiny, sizeof(tiny), "%s", "too long");
	assert_string_equal(tiny, "too ");
	tiny[0] = 'x';
	km_format(tiny, 0, "%s", "nothing");
	assert_int_equal(tiny[0], 'x');
	km_format(tiny, 1, "%s", "nothing");
	assert_string_equal(tiny, "");
}

static void test_log(void **state)
{
	struct km_effects fx;
	struct km_effect *e;
	char longer[400];

	memset(longer, 'y', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	km_effects_init(&fx);
	km_effects_log(&fx, KM_LOG_WARN, "peer %u: %s", 3u, longer);
	e = km_effects_pop(&fx);
	assert_int_equal(e->kind, KM_EFFECT_LOG);
	assert_int_equal(e->level, KM_LOG_WARN);
	assert_memory_equal(e->text, "peer 3: yyy", 11);
	assert_int_equal(strlen(e->text), sizeof(e->text) - 1);
	km_effects_recycle(&fx, e);
	km_effects_clear(&fx);
}

/* ---- ids */

struct object {
	unsigned other;
	uint8_t id[KM_HASH_SIZE];
	int in;
};

/* Ids that fall into few buckets, so that runs of neighbours form, wrap around and break up. */
static void test_map(void **state)
{
	static struct object o[500];
	struct km_idmap m;
	uint64_t x = 1;
	unsigned in = 0;

	km_idmap_init(&m, offsetof(struct object, id), 0x9e3779b97f4a7c15u);
	assert_null(km_idmap_find(&m, o[0].id));
	km_idmap_remove(&m, o[0].id);
	for (unsigned i = 0; i < 500; i++) {
		/* the first eight bytes make the bucket: only five values */
		o[i].id[0] = (uint8_t)(i % 5);
		o[i].id[20] = (uint8_t)i;
		o[i].id[21] = (uint8_t)(i >> 8);
	}
	for (unsigned k = 0; k < 40000; k++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		struct object *at = &o[(x >> 33) % 500];

		if (at->in) {
			km_idmap_remove(&m, at->id);
			in--;
		} else {
			assert_int_equal(km_idmap_add(&m, at), KM_OK);
			in++;
		}
		at->in = !at->in;
		assert_int_equal(m.n, in);
		if (k % 97 == 0)
			for (unsigned i = 0; i < 500; i++)
				assert_ptr_equal(km_idmap_find(&m, o[i].id), o[i].in ? &o[i] : NULL);
	}
	km_idmap_clear(&m);
	assert_null(km_idmap_find(&m, o[0].id));
}

/* Ids that are alike in all that a careless choice of bits would look at: they must not stand in one row. */
static void test_map_of_chosen_ids(void **state)
{
	static struct object {
		uint8_t id[KM_HASH_SIZE];
	} o[1024];
	struct km_idmap m;
	unsigned row = 0, longest = 0;

	for (unsigned at = 0; at <= 6; at++) {
		km_idmap_init(&m, offsetof(struct object, id), 0x9e3779b97f4a7c15u);
		memset(o, 0x5a, sizeof(o));
		for (unsigned i = 0; i < 1024; i++) {
			o[i].id[at] = (uint8_t)i;
			o[i].id[at + 1] = (uint8_t)(i >> 8);
			assert_int_equal(km_idmap_add(&m, &o[i]), KM_OK);
		}
		for (size_t i = 0; i < m.cap; i++) {
			row = m.slot[i] ? row + 1 : 0;
			longest = row > longest ? row : longest;
		}
		km_idmap_clear(&m);
	}
	assert_in_range(longest, 1, 64);
}

KM_TESTS(cmocka_unit_test(test_queue), cmocka_unit_test(test_many_spares), cmocka_unit_test(test_format), cmocka_unit_test(test_log),
	 cmocka_unit_test(test_map), cmocka_unit_test(test_map_of_chosen_ids))
