/* step.h: the contract between the pure nodes (peer, frontend) and whatever drives them (daemon or simulator).
 *
 * One entry each: km_peer_step(peer, event, effects), km_frontend_step(frontend, event, effects). Time comes in with the event,
 * everything else goes out as effects, carried out in their order. Nothing blocks; heavy work is a WORK effect, to be run by
 * any thread and handed back as a WORKED event. A negative return means an operating error and that nothing changed. What a
 * peer did wrong is an effect, never a return code. Duplicated events are harmless.
 *
 * An effect with after != 0 must wait until PERSISTED(after) has been delivered... the node does that itself by emitting it
 * only then; a driver only has to keep the order. */
#ifndef KM_NODE_STEP_H
#define KM_NODE_STEP_H

#include "../proto/machine.h"

enum km_addr_kind { KM_ADDR_PEER = 1, KM_ADDR_FRONTEND = 2 };

/* An authenticated channel identity: what the transport knows, never a field of a message. */
struct km_addr {
	uint8_t kind;
	uint16_t id;
};

struct km_time {
	uint64_t mono_us;  /* monotonic, microseconds: deadlines and latencies */
	uint64_t wall_ms;  /* unix time, milliseconds: freshness of requests, epoch numbers */
};

enum km_event_kind {
	KM_EVENT_START = 1,   /* stored files are given with km_peer_load before it */
	KM_EVENT_MESSAGE,     /* from, data */
	KM_EVENT_TICK,        /* time has passed; also any event may carry later time */
	KM_EVENT_PERSISTED,   /* token of a PERSIST effect is durable; err if the disk refused */
	KM_EVENT_WORKED,      /* job of a WORK effect came back */
	KM_EVENT_REQUEST,     /* request (a local client's); token names it in RESULT and PROGRESS */
	KM_EVENT_CANCEL,      /* token: the local client went away */
	KM_EVENT_UP,          /* from: a channel to this node was (re)made: say HELLO */
	KM_EVENT_DOWN,        /* from: the channel was lost */
	KM_EVENT_ROLLBACK,    /* the machine may have been restored, cloned or suspended: drop every presignature. data: fresh
			       * randomness if the driver has some */
	KM_EVENT_CHECKPOINT,  /* the own audit log, on the disk: data = size u64 | root 32 */
	KM_EVENT_PROOF,       /* answer to PROVE: from = its `to`, token = prove.old, data = hashes; or err */
	KM_EVENT_STOP,        /* wipe; nothing will be sent after it */
};

enum km_request_kind {
	KM_REQUEST_SIGN = 1,  /* frontend */
	KM_REQUEST_KEYGEN,    /* peer */
	KM_REQUEST_CLEAR,     /* peer: what is held against another one is forgotten here */
	KM_REQUEST_REFRESH,   /* peer: new shares of a key for the committee of the configuration */
	KM_REQUEST_RESHARE,   /* peer: the same, for another committee or threshold than the present one */
	KM_REQUEST_RECOVER,   /* peer: the same, and `peer` must be among those that get a share */
	KM_REQUEST_RETIRE,    /* peer: its shares of a key are wiped for good */
};

struct km_request {
	enum km_request_kind kind;
	/* SIGN */
	uint8_t key_id[KM_HASH_SIZE];
	uint8_t context;
	uint8_t random[KM_NONCE_SIZE];  /* the client's idempotency: same bytes and random within the window = same request */
	uint32_t deadline_ms;           /* from now */
	const uint8_t *data;            /* the bytes to be signed, borrowed */
	size_t len;
	/* KEYGEN, REFRESH, RESHARE, RECOVER, RETIRE */
	char name[KM_MAX_NAME + 1];
	uint8_t threshold, curve;       /* RESHARE: 0 = as configured */
	uint32_t members;               /* RESHARE: 0 = as configured */
	/* CLEAR, RECOVER */
	uint8_t peer;
	int force;                      /* RETIRE: also while it is in use */
};

struct km_event {
	enum km_event_kind kind;
	struct km_time now;
	struct km_addr from;
	const uint8_t *data;            /* borrowed for the call */
	size_t len;
	uint64_t token;
	int err;
	struct km_job *job;
	const struct km_request *request;
	uint8_t **block;                /* NULL, or where the malloc'd block that data lies in is held: who keeps data sets it to NULL */
};

enum km_effect_kind {
	KM_EFFECT_SEND = 1,   /* data to `to` */
	KM_EFFECT_PERSIST,    /* file `name` := data (sealed and durable), or remove it (data NULL); then PERSISTED(token) */
	KM_EFFECT_WORK,       /* run job->run(job), then WORKED(job); token */
	KM_EFFECT_RESULT,     /* answer to request token: err, and struct km_result for a SIGN, text otherwise */
	KM_EFFECT_PROGRESS,   /* text for request token */
	KM_EFFECT_AUDIT,      /* data: append to the audit log before any later effect is carried out */
	KM_EFFECT_EVIDENCE,   /* to = the peer it is about; err > 0: a conviction of that kind, data: a file of evidence for
			       * third parties; err < 0: a dispute of our own, data: its envelope */
	KM_EFFECT_CHECKPOINT, /* data: the signed note about the own audit log, to be kept and published */
	KM_EFFECT_PROVE,      /* `to` wants to see that the own audit log goes on from prove.old to prove.size: PROOF */
	KM_EFFECT_LOG,        /* text, level: for people */
};

enum km_log_level { KM_LOG_ERROR = 3, KM_LOG_WARN = 4, KM_LOG_NOTICE = 5, KM_LOG_INFO = 6, KM_LOG_DEBUG = 7 };

struct km_result {
	uint8_t r[KM_SCALAR_MAX], s[KM_SCALAR_MAX];  /* big endian, scalar_size bytes */
	uint8_t scalar_size;
	uint32_t quorum;
	uint8_t aggregator;
	uint8_t presig_id[KM_HASH_SIZE];
	uint64_t time_ms;
};

struct km_effect {
	enum km_effect_kind kind;
	struct km_addr to;
	uint64_t token;
	int err;
	enum km_log_level level;
	struct km_job *job;            /* borrowed: belongs to the node until WORKED */
	uint8_t *data;                 /* owned by the effect; may be NULL */
	size_t len;
	int secret;                    /* data lies in the secret arena */
	size_t room;                   /* not 0: data is large, public, and so far into its malloc'd block */
	char name[KM_MAX_NAME + 33];   /* PERSIST: file name, [a-z0-9._-] */
	struct km_result result;
	struct { uint64_t old, size; } prove;
	char text[200];                /* RESULT, PROGRESS, LOG: for people, always terminated */
	struct km_effect *next;
};

/* A queue of effects with a free list, so that the hot path does not allocate for each. */
struct km_effects {
	struct km_effect *head, **tail;
	struct km_effect *spare;
	size_t n_spare;
};

void km_effects_init(struct km_effects *fx);
void km_effects_clear(struct km_effects *fx);                       /* frees all, also the spares */
struct km_effect *km_effects_pop(struct km_effects *fx);            /* NULL when empty */
void km_effects_recycle(struct km_effects *fx, struct km_effect *e); /* frees data (wiped), keeps the shell */
/* Appends a zeroed effect of a kind; NULL on KM_E_NOMEM. */
struct km_effect *km_effects_add(struct km_effects *fx, enum km_effect_kind kind);
/* SEND with a copy of data. KM_E_NOMEM. */
int km_effects_send(struct km_effects *fx, struct km_addr to, const void *data, size_t len) KM_MUST;
/* LOG; a small formatter without stdio: %s %u (unsigned) %U (uint64_t) %d (int) %x (8 hex digits of a uint32_t)
 * %H (first 4 bytes of a hash as hex). */
void km_effects_log(struct km_effects *fx, enum km_log_level level, const char *fmt, ...);
/* The same formatter into a buffer; always terminates. */
void km_format(char *out, size_t size, const char *fmt, ...);

#endif
