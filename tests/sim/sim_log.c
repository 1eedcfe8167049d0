/* sim_log.c: the audit logs of a simulation: what peers append, checkpoints in turns, and the proofs they ask their driver for. A log lies
 * on a disk of its own, on which an entry is durable at once. */
#include "sim_impl.h"

#include <stdlib.h>
#include <string.h>
#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/tree.h"
#include "node/peer_impl.h"

#define PROOF_US 100

struct sim_log {
	struct km_audit_chain chain, kept_chain;
	struct km_tree tree, kept_tree;
	uint8_t (*stored)[KM_HASH_SIZE];
	size_t cap;
	uint64_t checkpoint;
	unsigned cosigned;
	uint8_t data[8 + KM_HASH_SIZE];
};

static void next(struct sim *s, const struct sim_node *node)
{
	sim_push(s, &(struct sim_item){.at_us = s->now_us + 1000ull * s->opt.logs_ms, .what = SIM_LOG, .to = node->addr, .life = node->life});
}

void sim_log_birth(struct sim *s, struct sim_node *node)
{
	if (!s->opt.logs_ms || !node->peer || sim_is_clone(s, node))
		return;
	if (!node->log)
		node->log = calloc(1, sizeof(*node->log));
	KM_ASSERT(node->log);
	next(s, node);
}

void sim_log_free(struct sim_node *node)
{
	if (node->log)
		free(node->log->stored);
	free(node->log);
	node->log = NULL;
}

static void append(struct sim_log *l, const struct km_effect *e)
{
	uint8_t mem[KM_AUDIT_ENTRY_MAX], leaf[KM_HASH_SIZE];
	struct km_buf b;

	while (l->cap < km_tree_stored_total(l->tree.size + 1)) {
		l->cap = l->cap ? 2 * l->cap : 1024;
		l->stored = realloc(l->stored, l->cap * KM_HASH_SIZE);
		KM_ASSERT(l->stored);
	}
	km_buf_init_fixed(&b, mem, sizeof(mem));
	KM_ASSERT(km_audit_entry_make(&b, l->chain.seq, l->chain.prev, e->data, e->len) == KM_OK);
	KM_ASSERT(km_audit_chain_next(&l->chain, b.data, b.len, leaf) == KM_OK);
	(void)km_tree_add(&l->tree, leaf, l->stored + km_tree_stored_total(l->tree.size));
}

static int look(void *ctx, unsigned level, uint64_t index, uint8_t out[KM_HASH_SIZE])
{
	const struct sim_log *l = ctx;

	memcpy(out, l->stored[km_tree_stored(level, index)], KM_HASH_SIZE);
	return KM_OK;
}

static void keep_note(struct sim *s, struct sim_node *node, const struct km_effect *e)
{
	struct km_checkpoint c;
	struct km_note note;

	if (km_checkpoint_open(&c, &note, e->data, e->len, node->settings.identity.pub)) {
		sim_break(s, "peer %u signed a checkpoint that is none", node->addr.id);
		return;
	}
	node->log->checkpoint = c.size;
	node->log->cosigned = note.n - 1;
}

static void prove(struct sim *s, struct sim_node *node, const struct km_effect *e)
{
	struct sim_item it = {.at_us = s->now_us + PROOF_US, .what = SIM_PROOF, .to = node->addr, .from = e->to, .life = node->life};
	struct km_tree_proof p;

	it.token = e->prove.old;
	it.err = km_tree_prove_consistent(&p, look, node->log, e->prove.old, e->prove.size);
	it.len = it.err ? 0 : p.n * KM_HASH_SIZE;
	it.data = malloc(it.len + 1);
	KM_ASSERT(it.data);
	memcpy(it.data, p.node, it.len);
	sim_push(s, &it);
}

void sim_log_effect(struct sim *s, struct sim_node *node, const struct km_effect *e)
{
	if (!node->log)
		return;
	if (e->kind == KM_EFFECT_PROVE)
		prove(s, node, e);
	else if (e->len && e->kind == KM_EFFECT_AUDIT)
		append(node->log, e);
	else if (e->len)
		keep_note(s, node, e);
}

void sim_log_event(struct sim *s, struct sim_node *node, const struct sim_item *it, struct km_event *ev)
{
	struct km_buf b;

	if (it->what == SIM_PROOF) {
		ev->kind = KM_EVENT_PROOF;
		ev->data = it->data;
		ev->len = it->len;
		ev->err = it->err;
		return;
	}
	next(s, node);
	km_buf_init_fixed(&b, node->log->data, 8);
	km_put_u64(&b, node->log->tree.size);
	km_tree_root(&node->log->tree, node->log->data + 8);
	ev->kind = KM_EVENT_CHECKPOINT;
	ev->data = node->log->data;
	ev->len = sizeof(node->log->data);
}

/* ---- for tests */

uint64_t sim_log_size(struct sim *s, unsigned peer)
{
	return s->peers[peer].log->tree.size;
}

uint64_t sim_log_checkpoint(struct sim *s, unsigned peer)
{
	return s->peers[peer].log->checkpoint;
}

unsigned sim_log_cosigned(struct sim *s, unsigned peer)
{
	return s->peers[peer].log->cosigned;
}

void sim_log_keep(struct sim *s, unsigned peer)
{
	struct sim_log *l = s->peers[peer].log;

	l->kept_chain = l->chain;
	l->kept_tree = l->tree;
}

void sim_log_put_back(struct sim *s, unsigned peer)
{
	struct sim_log *l = s->peers[peer].log;

	l->chain = l->kept_chain;
	l->tree = l->kept_tree;
}

uint64_t sim_log_refused(struct sim *s, unsigned peer)
{
	return s->peers[peer].peer ? s->peers[peer].peer->n_log_forks : 0;
}
