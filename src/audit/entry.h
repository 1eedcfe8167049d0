/* entry.h: what stands in an audit log. One entry, the leaf of the tree:
 *
 *	version u8 = 2 | kind u8 | seq u64 | time u64 (unix ms) | prev 32 | body
 *
 * prev is the leaf hash (km_merkle_leaf) of the entry before it, zeros in the first: each entry pins all before it. Who decides that
 * something is to be logged makes a *draft* (kind u8 | time u64 | body); the log alone knows seq and prev. A body has one encoding;
 * an entry of a kind that this version does not know can be chained and proved, not shown. */
#ifndef KM_AUDIT_ENTRY_H
#define KM_AUDIT_ENTRY_H

#include "../base/buf.h"
#include "../base/limits.h"

#define KM_AUDIT_VERSION 2
#define KM_AUDIT_HEAD (2 + 8 + 8 + KM_HASH_SIZE)
#define KM_AUDIT_DRAFT 9                /* bytes of a draft before its body */
#define KM_AUDIT_ENTRY_MAX 1024
#define KM_AUDIT_TEXT_MAX 200

enum km_audit_kind {
	KM_AUDIT_SHARE = 1,     /* a share of a signature leaves */
	KM_AUDIT_SIGNATURE = 2, /* the aggregator has put one together */
	KM_AUDIT_EPOCH = 3,     /* key generation, refresh, reshare: an epoch of a key */
	KM_AUDIT_QUARANTINE = 4,
	KM_AUDIT_OPERATOR = 5,
	KM_AUDIT_PROCESS = 6,
	KM_AUDIT_WITNESS = 7,   /* another peer's log does not go on from what it was */
};

enum km_audit_purpose { KM_AUDIT_KEYGEN = 1, KM_AUDIT_REFRESH = 2, KM_AUDIT_RESHARE = 3, KM_AUDIT_RECOVERY = 4 };
enum km_audit_epoch_what { KM_AUDIT_STORED = 1, KM_AUDIT_USABLE = 2, KM_AUDIT_FAILED = 3, KM_AUDIT_WIPED = 4 };
enum km_audit_quarantine_what { KM_AUDIT_CONVICTED = 1, KM_AUDIT_CLEARED = 2, KM_AUDIT_ACCUSED = 3 };
enum km_audit_action {
	KM_AUDIT_DO_KEYGEN = 1, KM_AUDIT_DO_CLEAR, KM_AUDIT_DO_REFRESH, KM_AUDIT_DO_RESHARE, KM_AUDIT_DO_BACKUP, KM_AUDIT_DO_RESTORE,
	KM_AUDIT_DO_DRILL, KM_AUDIT_DO_OTHER, KM_AUDIT_ACTIONS,
};
enum km_audit_process_what { KM_AUDIT_START = 1, KM_AUDIT_STOP = 2, KM_AUDIT_ROLLBACK = 3 };
enum km_audit_witness_what { KM_AUDIT_SHRUNK = 1, KM_AUDIT_FORKED = 2, KM_AUDIT_NOT_PROVED = 3 };

struct km_audit_share {
	uint8_t presig_id[KM_HASH_SIZE], request_id[KM_HASH_SIZE], key_id[KM_HASH_SIZE], table[KM_HASH_SIZE];
	uint64_t epoch;
	uint8_t context;                /* enum km_context */
	uint8_t bytes_hash[KM_HASH_SIZE]; /* SHA-256 of what is signed */
	uint16_t frontend;              /* 0: a canary */
	uint8_t owner;                  /* the aggregator */
	uint32_t quorum;
	uint8_t n;                      /* R', compressed */
	uint8_t rr[KM_POINT_MAX];
};

struct km_audit_signature {
	uint8_t presig_id[KM_HASH_SIZE], request_id[KM_HASH_SIZE];
	uint8_t n;
	uint8_t r[KM_SCALAR_MAX], s[KM_SCALAR_MAX];
};

struct km_audit_epoch {
	uint8_t purpose, what;
	uint8_t key_id[KM_HASH_SIZE], table[KM_HASH_SIZE]; /* zeros when it failed */
	uint64_t epoch;
	uint8_t threshold;
	uint32_t members;
	char name[KM_MAX_NAME + 1];
};

struct km_audit_quarantine {
	uint8_t what, peer, evidence;   /* enum km_evidence_kind, 0: none */
	uint8_t digest[KM_HASH_SIZE];
};

struct km_audit_operator {
	uint8_t action;
	uint32_t uid;
	char text[KM_AUDIT_TEXT_MAX + 1];
};

struct km_audit_process {
	uint8_t what;
	char text[KM_AUDIT_TEXT_MAX + 1];
};

struct km_audit_witness {
	uint8_t what, peer;
	uint64_t seen_size, said_size;
	uint8_t seen_root[KM_HASH_SIZE], said_root[KM_HASH_SIZE];
};

struct km_audit_entry {
	uint8_t kind;
	uint64_t seq, time_ms;
	uint8_t prev[KM_HASH_SIZE];
	union {
		struct km_audit_share share;
		struct km_audit_signature signature;
		struct km_audit_epoch epoch;
		struct km_audit_quarantine quarantine;
		struct km_audit_operator op;
		struct km_audit_process process;
		struct km_audit_witness witness;
	} u;
};

/* Appends the draft of e (its seq and prev do not matter). KM_E_INVAL for a kind that does not exist. */
int km_audit_draft(struct km_buf *b, const struct km_audit_entry *e) KM_MUST;
/* The entry of a draft. KM_E_ENCODING when it is none, KM_E_LIMIT. */
int km_audit_entry_make(struct km_buf *b, uint64_t seq, const uint8_t prev[KM_HASH_SIZE], const uint8_t *draft, size_t len) KM_MUST;
/* What every entry has, whatever its kind: kind, seq, time_ms, prev. KM_E_TRUNCATED, KM_E_VERSION, KM_E_LIMIT. */
int km_audit_head_decode(struct km_audit_entry *e, const uint8_t *p, size_t n) KM_MUST;
/* The whole; KM_E_VERSION for a kind that is not known here (the head is filled in), KM_E_RANGE, KM_E_ENCODING ... */
int km_audit_decode(struct km_audit_entry *e, const uint8_t *p, size_t n) KM_MUST;
/* "share", ...; NULL for none. */
const char *km_audit_kind_name(unsigned kind);
const char *km_audit_action_name(unsigned action);

/* What the next entry continues. */
struct km_audit_chain {
	uint64_t seq;
	uint8_t prev[KM_HASH_SIZE];
};

/* KM_OK when this entry is the next one; then the chain goes on to it, and leaf is its hash. KM_E_STALE: another seq;
 * KM_E_MISMATCH: another prev; or km_audit_head_decode's. */
int km_audit_chain_next(struct km_audit_chain *c, const uint8_t *p, size_t n, uint8_t leaf[KM_HASH_SIZE]) KM_MUST;

#endif
