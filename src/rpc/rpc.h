/* rpc.h: what a plugin or the operator's tool and keymeshd say to each other over a unix stream socket.
 *
 * Bytes only: no socket, no clock. A stream is a row of frames:
 *
 *	u32 length of what follows | u8 version = 1 | u8 type | u32 seq | body
 *
 * seq is chosen by the client and echoed in every answer to that request. Every request gets exactly one last answer
 * (KEY_INFO, SIGNATURE, JSON, DONE or ERROR); PROGRESS may come before it. Answers to different requests may overtake
 * each other. An ERROR of seq 0 is about the connection (user not admitted, too many clients): the daemon closes it, clients
 * choose other numbers. Integers big endian; one encoding per value; a decoder refuses trailing bytes.
 *
 * A connection on which the splitter reports an error is closed: after a broken frame nothing can be trusted.
 *
 *	reading:  while ((ret = km_rpc_frame_next(p, n, KM_RPC_MAX_TO_DAEMON, &used, &frame)) > 0) { ... p += used; n -= used; }
 *	writing:  err = km_rpc_encode_sign(&buf, seq, &sign);      appends one whole frame
 */
#ifndef KM_RPC_RPC_H
#define KM_RPC_RPC_H

#include <stddef.h>
#include <stdint.h>
#include "../base/buf.h"
#include "../base/limits.h"

#define KM_RPC_VERSION 1
#define KM_RPC_HEAD_SIZE 10                                      /* length, version, type, seq */
#define KM_RPC_MAX_TO_DAEMON (KM_MAX_REQUEST_BYTES + 4096u)      /* bounds of the length field */
#define KM_RPC_MAX_TO_CLIENT (1024u * 1024u)
#define KM_RPC_MAX_TEXT 1024u                                    /* PROGRESS, DONE, ERROR */
#define KM_RPC_MAX_JSON (KM_RPC_MAX_TO_CLIENT - 4096u)
#define KM_RPC_MAX_DEADLINE_MS 60000u
#define KM_RPC_POINT_MAX (1 + 2 * KM_SCALAR_MAX)                 /* uncompressed SEC1 point */

/* Wire values. 6..63 are free for later requests, 70..127 for later answers. */
enum km_rpc_type {
	KM_RPC_KEY = 1,
	KM_RPC_SIGN = 2,
	KM_RPC_STATUS = 3,
	KM_RPC_KEYGEN = 4,
	KM_RPC_CLEAR = 5,
	KM_RPC_RESEAL = 20,                                      /* no body */
	KM_RPC_RETIRE = 30,
	KM_RPC_RESHARE = 31,
	KM_RPC_RECORD = 21,
	KM_RPC_KEY_INFO = 64,
	KM_RPC_SIGNATURE = 65,
	KM_RPC_JSON = 66,
	KM_RPC_PROGRESS = 67,
	KM_RPC_DONE = 68,
	KM_RPC_ERROR = 69
};

struct km_rpc_frame {
	uint8_t type;
	uint32_t seq;
	const uint8_t *body;   /* into the input */
	size_t len;
};

/* How a KEY request names its key. */
enum km_rpc_by { KM_RPC_BY_NAME = 1, KM_RPC_BY_POINT = 2, KM_RPC_BY_ID = 3 };

struct km_rpc_key {
	uint8_t by;
	char name[KM_MAX_NAME + 1];            /* by name */
	uint8_t point[KM_RPC_POINT_MAX];       /* by public key: 0x04 | x | y */
	size_t point_len;
	uint8_t id[KM_HASH_SIZE];              /* by key id */
};

struct km_rpc_sign {
	uint8_t key_id[KM_HASH_SIZE];
	uint8_t context;                       /* base/context.h; never the canary */
	uint32_t deadline_ms;                  /* 1 .. KM_RPC_MAX_DEADLINE_MS, counted from arrival */
	uint8_t random[KM_NONCE_SIZE];         /* a repeated request with the same random is the same request */
	const uint8_t *data;                   /* all bytes to be signed, 1 .. KM_MAX_REQUEST_BYTES; into the input */
	size_t len;
};

struct km_rpc_keygen {
	char name[KM_MAX_NAME + 1];
	uint8_t threshold;                     /* KM_MIN_THRESHOLD .. KM_MAX_PEERS */
	uint8_t curve;                         /* enum km_curve_id */
};

/* The shares of a key are wiped at the peer that is asked. */
struct km_rpc_retire {
	char name[KM_MAX_NAME + 1];
	uint8_t force;                         /* 1: also while it is in use */
};

enum km_rpc_reshare_kind { KM_RPC_REFRESH_SHARES = 1, KM_RPC_RESHARE_KEY = 2, KM_RPC_RECOVER_PEER = 3 };

/* New shares of a key. What is 0 is as the configuration of the asked peer says. */
struct km_rpc_reshare {
	char name[KM_MAX_NAME + 1];
	uint8_t kind;                          /* enum km_rpc_reshare_kind */
	uint8_t threshold;                     /* RESHARE_KEY: 0, or KM_MIN_THRESHOLD .. KM_MAX_PEERS */
	uint32_t members;                      /* RESHARE_KEY: bit i-1 = peer i */
	uint8_t peer;                          /* RECOVER_PEER: 1 .. KM_MAX_PEERS */
};

/* What is held against a peer is forgotten at the one that is asked. */
struct km_rpc_clear {
	uint8_t peer;                          /* 1 .. KM_MAX_PEERS */
};

/* What is known of a backup: a record of mesh/record.h. */
#define KM_RPC_MAX_RECORD 1024u
struct km_rpc_record {
	const uint8_t *data;                   /* into the input */
	size_t len;
};

struct km_rpc_key_info {
	char name[KM_MAX_NAME + 1];
	uint8_t key_id[KM_HASH_SIZE];
	uint8_t curve;
	uint8_t point[KM_RPC_POINT_MAX];       /* 0x04 | x | y, 1 + 2*km_rpc_scalar_size(curve) bytes */
	size_t point_len;
	uint8_t threshold, peers;
	uint8_t table[KM_HASH_SIZE];
};

struct km_rpc_signature {
	uint8_t r[KM_SCALAR_MAX], s[KM_SCALAR_MAX];   /* big endian */
	size_t size;                                  /* of each: 32, 48 or 66 */
	uint32_t quorum;                              /* bit i-1 = peer i */
	uint8_t presig[KM_HASH_SIZE];
	uint8_t aggregator;
	uint64_t time;                                /* unix ms */
};

/* JSON, PROGRESS, DONE and ERROR. */
struct km_rpc_text {
	int err;               /* ERROR: a negative KM_E_*, else 0 */
	const char *text;      /* not terminated; into the input */
	size_t len;
};

/* Encoded scalar size of a curve (32, 48, 66), 0 for an unknown one. Ids as in enum km_curve_id. */
size_t km_rpc_scalar_size(unsigned curve);
/* The curve whose uncompressed point has len bytes, 0 for none. */
unsigned km_rpc_curve_by_point_size(size_t len);
/* 1 for a name of 1..KM_MAX_NAME characters [a-z0-9._-] that starts with a letter or digit. */
int km_rpc_name_valid(const char *name, size_t len) KM_MUST;

/* Cuts the next frame off n bytes of a stream, of which max bounds the length field.
 * Returns 1 and the frame, *used = its bytes; 0 when it is not whole yet, *used = total bytes needed to get on (> n);
 * KM_E_LIMIT, KM_E_ENCODING or KM_E_VERSION when the stream is broken (seen as early as possible). */
int km_rpc_frame_next(const void *p, size_t n, size_t max, size_t *used, struct km_rpc_frame *frame) KM_MUST;

/* Each appends one whole frame to b. Returns KM_OK, KM_E_INVAL (a field out of bounds, nothing appended) or the sticky
 * error of b. */
int km_rpc_encode_key(struct km_buf *b, uint32_t seq, const struct km_rpc_key *m) KM_MUST;
int km_rpc_encode_sign(struct km_buf *b, uint32_t seq, const struct km_rpc_sign *m) KM_MUST;
int km_rpc_encode_status(struct km_buf *b, uint32_t seq) KM_MUST;
int km_rpc_encode_keygen(struct km_buf *b, uint32_t seq, const struct km_rpc_keygen *m) KM_MUST;
int km_rpc_encode_retire(struct km_buf *b, uint32_t seq, const struct km_rpc_retire *m) KM_MUST;
int km_rpc_encode_reshare(struct km_buf *b, uint32_t seq, const struct km_rpc_reshare *m) KM_MUST;
int km_rpc_encode_clear(struct km_buf *b, uint32_t seq, const struct km_rpc_clear *m) KM_MUST;
int km_rpc_encode_reseal(struct km_buf *b, uint32_t seq) KM_MUST;
int km_rpc_encode_record(struct km_buf *b, uint32_t seq, const struct km_rpc_record *m) KM_MUST;
int km_rpc_encode_key_info(struct km_buf *b, uint32_t seq, const struct km_rpc_key_info *m) KM_MUST;
int km_rpc_encode_signature(struct km_buf *b, uint32_t seq, const struct km_rpc_signature *m) KM_MUST;
int km_rpc_encode_json(struct km_buf *b, uint32_t seq, const char *text, size_t len) KM_MUST;
/* Texts are one line: other bytes become '?', what is over KM_RPC_MAX_TEXT is cut. text NULL in an ERROR: km_strerror(err). */
int km_rpc_encode_progress(struct km_buf *b, uint32_t seq, const char *text) KM_MUST;
int km_rpc_encode_done(struct km_buf *b, uint32_t seq, const char *text) KM_MUST;
int km_rpc_encode_error(struct km_buf *b, uint32_t seq, int err, const char *text) KM_MUST;

/* Each decodes the body of a frame of its type (KM_E_INVAL for another type). Returns KM_OK, KM_E_TRUNCATED,
 * KM_E_TRAILING, KM_E_LIMIT, KM_E_RANGE or KM_E_ENCODING; then *m is zeroed. References point into the frame. */
int km_rpc_decode_key(const struct km_rpc_frame *f, struct km_rpc_key *m) KM_MUST;
int km_rpc_decode_sign(const struct km_rpc_frame *f, struct km_rpc_sign *m) KM_MUST;
int km_rpc_decode_status(const struct km_rpc_frame *f) KM_MUST;
int km_rpc_decode_keygen(const struct km_rpc_frame *f, struct km_rpc_keygen *m) KM_MUST;
int km_rpc_decode_retire(const struct km_rpc_frame *f, struct km_rpc_retire *m) KM_MUST;
int km_rpc_decode_reshare(const struct km_rpc_frame *f, struct km_rpc_reshare *m) KM_MUST;
int km_rpc_decode_clear(const struct km_rpc_frame *f, struct km_rpc_clear *m) KM_MUST;
int km_rpc_decode_reseal(const struct km_rpc_frame *f) KM_MUST;
int km_rpc_decode_record(const struct km_rpc_frame *f, struct km_rpc_record *m) KM_MUST;
int km_rpc_decode_key_info(const struct km_rpc_frame *f, struct km_rpc_key_info *m) KM_MUST;
int km_rpc_decode_signature(const struct km_rpc_frame *f, struct km_rpc_signature *m) KM_MUST;
/* JSON, PROGRESS, DONE, ERROR. */
int km_rpc_decode_text(const struct km_rpc_frame *f, struct km_rpc_text *m) KM_MUST;

#endif
