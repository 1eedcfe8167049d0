/* frontend_impl.h: private to the frontend: its state, and what its files ask of each other.
 *
 *	frontend.c         life, dispatch, look-ups, status
 *	frontend_peers.c   pings, liveness, which tables to believe
 *	frontend_sign.c    requests: election, hedging, verification
 *	frontend_answer.c  who waits for them, how they end, answers kept
 *	frontend_timer.c   a heap of requests by when they want to be looked at again
 */
#ifndef KM_NODE_FRONTEND_IMPL_H
#define KM_NODE_FRONTEND_IMPL_H

#include "frontend.h"
#include "idmap.h"
#include "wire.h"
#include "../proto/sign.h"

#define FE_PING_US 1000000u
#define FE_LIVE_US 3000000u           /* live = heard within this */
#define FE_PINGS 4                    /* pings that may be on their way at once */
#define FE_MAX_IN_FLIGHT 4096         /* requests */
#define FE_MAX_WAITERS 8192           /* local clients waiting for them */
#define FE_MAX_BYTES (64u << 20)      /* request bytes held */
#define FE_RECORD_US 120000000u       /* how long an answer is repeated */
#define FE_MAX_RECORDS 16384
#define FE_MAX_TABLES (2 * KM_MAX_KEYS) /* believed */
#define FE_MAX_DEADLINE_MS 60000u
#define FE_MAX_VERIFY 3               /* replies of one aggregator to one request that we are ready to verify */
#define FE_SUSPECT 3                  /* score from which a peer is asked after the others */
#define FE_SCORE_LATE 1
#define FE_SCORE_BAD 8
#define FE_SCORE_MAX 64
#define FE_SCORE_HALVE_US 600000000u
#define FE_HEDGE_MIN_US 100000u
#define FE_HEDGE_MAX_US 1000000u
#define FE_P99_START_US 50000u
#define FE_SAY_AGAIN_US 10000000u     /* the same complaint about a peer in the log */
#define FE_BRIEF_US 10000u            /* wait for one that is believed dead */
#define FE_MAX_OFFERS 4               /* of one peer to one request before all are asked once more */
#define FE_PASS_US 50000u             /* pause before all peers are asked once more; doubles */

/* A peer as this frontend sees it. */
struct fe_peer {
	int member;                   /* of the roster */
	int heard, live_said;         /* a pong since the channel was made; what the log said last */
	uint64_t heard_us;
	uint64_t ping[FE_PINGS];      /* sent and unanswered, 0 = free */
	unsigned ping_at;
	uint32_t rtt_us, reply_us, p99_us;
	int64_t offset_ms;
	int roster_mismatch, clock_said;
	uint32_t score;
	unsigned tables_due;          /* TABLE frames it owes us */
	uint64_t wrong_said_us;       /* when the log last named it for a wrong signature */
	uint8_t *key;                 /* of its authenticators, in the secret arena */
};

/* A table that some peer states. Held until nobody states it; the last believed one of a key for good. */
struct fe_table {
	uint8_t hash[KM_HASH_SIZE];   /* must stay first: idmap */
	struct fe_table *next;
	uint8_t key_id[KM_HASH_SIZE]; /* as stated; as it is once fetched */
	char name[KM_MAX_NAME + 1];
	uint32_t stated;              /* by whom */
	uint32_t voters;              /* members whose identity in it is the one in our roster */
	uint32_t disputed_said;
	uint32_t ready[KM_MAX_PEERS + 1];
	uint64_t asked_us;
	uint8_t asked;
	int believed, refused;
	struct km_table *t;           /* NULL until fetched */
};

/* A key of which at least one table is believed. */
struct fe_key {
	uint8_t key_id[KM_HASH_SIZE]; /* must stay first */
	uint8_t name_id[KM_HASH_SIZE];
	struct fe_table *table;       /* the believed one stated by most */
	uint32_t conflict, conflict_said; /* who states another key under its name */
	int named;                    /* found by its name */
	struct fe_key *next;
};

struct fe_waiter {
	uint8_t token_id[KM_HASH_SIZE]; /* must stay first: the token, padded */
	uint64_t token, deadline_us;
	struct fe_request *request;
	struct fe_waiter *next;
};

/* What became of asking a peer. 16 and more: 16 + the status it answered. */
enum fe_asked { FE_NOT_ASKED = 0, FE_WAITING = 1, FE_LATE = 2, FE_LOST = 3, FE_WRONG = 4, FE_STATUS = 16 };

struct fe_request {
	uint8_t id[KM_HASH_SIZE];     /* must stay first */
	uint8_t idem[KM_HASH_SIZE];   /* H(key, context, random, bytes): what makes two local requests one */
	struct fe_request *next, *prev;
	struct fe_waiter *waiters;
	const struct km_table *table;
	struct fe_table *stated;
	struct km_scalar m;
	uint8_t *frame;               /* REQ as sent to every aggregator */
	size_t frame_len;
	uint64_t deadline_us;         /* the last of its waiters' */
	uint64_t go_on_us;            /* hedge or next pass */
	uint64_t next_us;             /* that, or the next deadline of a waiter */
	size_t heap_at;
	uint8_t order[KM_MAX_PEERS];
	unsigned n_order, at, pass;
	uint8_t last;                 /* asked last, 0 = nobody */
	uint8_t how[KM_MAX_PEERS + 1]; /* enum fe_asked */
	uint8_t verified[KM_MAX_PEERS + 1];
	uint64_t sent_us[KM_MAX_PEERS + 1];
	uint32_t asked, waiting, refused, wrong;
	uint32_t offers;              /* who was empty and says that it no longer is */
	uint8_t offered[KM_MAX_PEERS + 1]; /* how often, in this pass */
	int refused_err;
};

/* An answer kept for whoever asks the same again. */
struct fe_record {
	uint8_t idem[KM_HASH_SIZE];   /* must stay first */
	struct km_result result;
	uint64_t until_us;
	struct fe_record *next;
};

struct km_frontend {
	const struct km_settings *s;
	struct km_time now;
	int started, stopped;
	uint64_t next_ping_us, halve_us;
	struct fe_peer peer[KM_MAX_PEERS + 1];
	struct km_idmap tables, keys, names;
	struct fe_table *table_list;
	struct fe_key *key_list;
	unsigned n_tables, n_believed, n_keys;
	struct km_idmap by_id, by_idem, by_token, records;
	struct fe_request *requests;
	unsigned in_flight, n_waiters;
	size_t bytes;
	struct fe_request **heap;     /* FE_MAX_IN_FLIGHT entries */
	size_t heap_n;
	struct fe_record *record_head, **record_tail;
	unsigned n_records;
	uint64_t requests_seen, signatures, failed, hedged, bad_replies;
};

/* ---- frontend_peers.c */
int fe_live(const struct km_frontend *f, unsigned id);
uint32_t fe_live_set(const struct km_frontend *f);
void fe_peers_tick(struct km_frontend *f, struct km_effects *fx);
void fe_peer_up(struct km_frontend *f, unsigned id, struct km_effects *fx);
void fe_peer_down(struct km_frontend *f, unsigned id, struct km_effects *fx);
int fe_pong(struct km_frontend *f, unsigned from, const uint8_t *p, size_t n, struct km_effects *fx) KM_MUST;
int fe_table_frame(struct km_frontend *f, unsigned from, const uint8_t *p, size_t n, struct km_effects *fx) KM_MUST;
struct fe_key *fe_key_find(const struct km_frontend *f, const uint8_t key_id[KM_HASH_SIZE]);
void fe_name_id(const char *name, uint8_t out[KM_HASH_SIZE]);
/* "1 2 5" */
void fe_set_text(uint32_t set, char *out, size_t size);
void fe_text_append(char *out, size_t size, const char *part);
void fe_peers_free(struct km_frontend *f);

/* ---- frontend_sign.c */
int fe_sign(struct km_frontend *f, uint64_t token, const struct km_request *req, struct km_effects *fx) KM_MUST;
int fe_reply(struct km_frontend *f, unsigned from, const uint8_t *p, size_t n, struct km_effects *fx) KM_MUST;
int fe_requests_tick(struct km_frontend *f, struct km_effects *fx) KM_MUST;
/* The channel of a peer was lost: whoever waits for it asks the next. */
int fe_requests_lost(struct km_frontend *f, unsigned id, struct km_effects *fx) KM_MUST;

/* ---- frontend_answer.c */
void fe_token_id(uint64_t token, uint8_t out[KM_HASH_SIZE]);
int fe_answer(struct km_effects *fx, uint64_t token, int err, const struct km_result *result, const char *text) KM_MUST;
/* KM_E_BUSY, KM_E_NOMEM. Moves the request's deadline when this one is later. */
int fe_waiter_add(struct km_frontend *f, struct fe_request *r, uint64_t token, uint64_t deadline_us) KM_MUST;
void fe_cancel(struct km_frontend *f, uint64_t token);
/* Those whose deadline has passed are told what was tried; with the last deadline the request ends. Returns 1 when it did. */
int fe_expire_waiters(struct km_frontend *f, struct fe_request *r, struct km_effects *fx) KM_MUST;
/* Answers everybody who waits and forgets the request. On KM_E_NOMEM those not yet answered still wait. */
int fe_finish(struct km_frontend *f, struct fe_request *r, int err, const struct km_result *result, const char *text, struct km_effects *fx) KM_MUST;
/* The same with a text that says what was tried: "key www: what; peer 2: no answer, peer 4: no presignature left; 2 of 5 peers alive". */
int fe_finish_tried(struct km_frontend *f, struct fe_request *r, int err, const char *what, struct km_effects *fx) KM_MUST;
void fe_record_answer(struct km_frontend *f, const struct fe_request *r, const struct km_result *result);
/* Forgets answers that are too old, and more than `most`. */
void fe_records_expire(struct km_frontend *f, unsigned most);
int fe_requests_stop(struct km_frontend *f, struct km_effects *fx) KM_MUST;
void fe_requests_free(struct km_frontend *f);

/* ---- frontend_timer.c */
void fe_timer_add(struct km_frontend *f, struct fe_request *r);
void fe_timer_remove(struct km_frontend *f, struct fe_request *r);
void fe_timer_moved(struct km_frontend *f, struct fe_request *r); /* next_us has changed */
struct fe_request *fe_timer_first(const struct km_frontend *f);

#endif
