/* wire.h: every frame between nodes that is not a protocol envelope. First byte: enum km_frame. All encoders append to a km_buf
 * (sticky error), all decoders are strict. Sizes of P-256 in messages.md's table are upper-level figures; scalars are
 * scalar_size of the key's curve, length-prefixed by u8. */
#ifndef KM_NODE_WIRE_H
#define KM_NODE_WIRE_H

#include "../base/buf.h"
#include "../base/limits.h"
#include "../proto/request.h"

enum km_frame {
	/* peer <-> peer */
	KM_FRAME_HELLO = 1,
	KM_FRAME_HEALTH = 2,
	KM_FRAME_ENVELOPE = 3,  /* rest: one signed protocol message */
	KM_FRAME_RELAY = 4,     /* u8 count <= 32, (u32 len | envelope)*: broadcasts of others */
	KM_FRAME_STALL = 5,     /* sid, round: which senders' messages are missing here */
	KM_FRAME_ABORT = 6,     /* sid, code: sender dropped the run */
	KM_FRAME_READY = 7,     /* signed READY: sender holds these presignatures of a run, they may be used */
	KM_FRAME_REFUSE = 8,    /* proposal hash, code, text: why no JOIN */
	KM_FRAME_ROSTER = 9,    /* digests of every roster entry: tells both operators what differs */
	KM_FRAME_HEADERS = 10,  /* sid, signed headers of one round: settles who sent two versions */
	KM_FRAME_EVID_HAVE = 11, /* u8 count, digests of proofs and disputes that the sender holds */
	KM_FRAME_EVID_GET = 12, /* digest: send me that one */
	KM_FRAME_EVID = 13,     /* u8 kind, the object */
	KM_FRAME_CHECKPOINT = 14, /* of the sender's audit log, with a proof: witness.c */
	KM_FRAME_COSIGN = 15,   /* the answer to it */
	KM_FRAME_SIGN = 16,
	KM_FRAME_SHARE = 17,
	KM_FRAME_RECORD_ASK = 18,
	KM_FRAME_CERT = 19,     /* u32 len, table, certificate of an epoch */
	KM_FRAME_HAVE = 20,     /* table hash, u32 members: whose STORED of it the sender has on its disk */
	/* frontend <-> peer */
	KM_FRAME_REQ = 32,
	KM_FRAME_REPLY = 33,
	KM_FRAME_BADSIG = 34,
	KM_FRAME_PING = 35,
	KM_FRAME_PONG = 36,
	KM_FRAME_TABLE_ASK = 37, /* table hash */
	KM_FRAME_TABLE = 38,     /* table encoding */
};

/* Why a signer or aggregator did not sign; travels as u8. */
enum km_status {
	KM_STATUS_OK = 0, KM_STATUS_UNKNOWN_PRESIG = 1, KM_STATUS_BAD_MAC = 2, KM_STATUS_STALE = 3, KM_STATUS_RIGHTS = 4, KM_STATUS_RATE = 5,
	KM_STATUS_CONTEXT = 6, KM_STATUS_EPOCH = 7, KM_STATUS_UNKNOWN_KEY = 8, KM_STATUS_EMPTY = 9, KM_STATUS_NO_QUORUM = 10, KM_STATUS_BUSY = 11,
	KM_STATUS_DEGENERATE = 12, KM_STATUS_INTERNAL = 13,
	KM_STATUS_AGAIN = 14, /* REPLY after EMPTY: there are presignatures now */
};
/* KM_OK for OK, the error nearest in meaning else; KM_E_ENCODING for a status that does not exist. */
int km_status_to_err(unsigned status);

struct km_hello {
	uint16_t version;
	uint8_t id, n;
	uint8_t incarnation[KM_NONCE_SIZE];
	uint8_t roster[KM_HASH_SIZE];
	uint64_t time_ms;
};

#define KM_HEALTH_MAX_TABLES 32
struct km_health {                       /* peer -> peer, every second, jittered */
	uint8_t incarnation[KM_NONCE_SIZE];
	uint8_t roster[KM_HASH_SIZE];
	uint64_t time_ms;
	uint64_t echo_us, delay_us;      /* receiver's last sent_us seen by us, and how long ago: round trip = now - echo - delay */
	uint64_t sent_us;
	uint8_t n_tables;
	uint8_t table[KM_HEALTH_MAX_TABLES][KM_HASH_SIZE]; /* usable epochs with own share */
	uint32_t ready[KM_HEALTH_MAX_TABLES];              /* own presignatures ready in it */
};

struct km_pong_key {
	uint8_t key_id[KM_HASH_SIZE], table[KM_HASH_SIZE];
	char name[KM_MAX_NAME + 1];
	uint32_t ready;                  /* presignatures this peer owns and could use now with live members */
};
struct km_pong {                         /* peer -> frontend */
	uint64_t echo_us;                /* of the PING */
	uint8_t roster[KM_HASH_SIZE];
	uint64_t time_ms;
	uint32_t live;                   /* peers this one believes live, itself included */
	unsigned n_keys;
	struct km_pong_key *keys;        /* decode: malloc'd, km_pong_clear */
};

struct km_req_macs {                     /* REQ: one HMAC per peer of the roster */
	uint32_t peers;
	uint8_t mac[KM_MAX_PEERS + 1][KM_MAC_SIZE];
};
struct km_sign {                         /* owner -> signer */
	uint8_t presig_id[KM_HASH_SIZE];
	uint8_t incarnation[KM_NONCE_SIZE]; /* the recipient's, as the owner knows it */
	struct km_req req;
	uint8_t mac[KM_MAC_SIZE];           /* the recipient's */
	uint8_t macs_of_retry;              /* reserved, zero */
};
struct km_share_msg {                    /* signer -> owner */
	uint8_t presig_id[KM_HASH_SIZE], request_id[KM_HASH_SIZE];
	uint8_t status;
	uint8_t n;                       /* scalar bytes */
	uint8_t s[KM_SCALAR_MAX];
};
struct km_reply {                        /* aggregator -> frontend */
	uint8_t request_id[KM_HASH_SIZE];
	uint8_t status;
	uint8_t n;
	uint8_t r[KM_SCALAR_MAX], s[KM_SCALAR_MAX];
	uint32_t quorum;
	uint8_t presig_id[KM_HASH_SIZE];
	uint64_t time_ms;
};

struct km_badsig {                       /* frontend -> aggregator: this did not verify */
	uint8_t request_id[KM_HASH_SIZE];
	uint8_t n;
	uint8_t r[KM_SCALAR_MAX], s[KM_SCALAR_MAX];
};

void km_hello_encode(struct km_buf *b, const struct km_hello *h);
int km_hello_decode(struct km_hello *h, const uint8_t *p, size_t n) KM_MUST;      /* p, n: the whole frame, kind byte included, as all below */
void km_health_encode(struct km_buf *b, const struct km_health *h);
int km_health_decode(struct km_health *h, const uint8_t *p, size_t n) KM_MUST;
void km_ping_encode(struct km_buf *b, uint64_t sent_us);
int km_ping_decode(uint64_t *sent_us, const uint8_t *p, size_t n) KM_MUST;
void km_pong_encode(struct km_buf *b, const struct km_pong *p);
int km_pong_decode(struct km_pong *out, const uint8_t *p, size_t n) KM_MUST;
void km_pong_clear(struct km_pong *p);
void km_req_encode(struct km_buf *b, const struct km_req *r, const struct km_req_macs *macs);
int km_req_decode(struct km_req *r, struct km_req_macs *macs, const uint8_t *p, size_t n) KM_MUST;
void km_sign_encode(struct km_buf *b, const struct km_sign *s);
int km_sign_decode(struct km_sign *s, const uint8_t *p, size_t n) KM_MUST;
void km_share_msg_encode(struct km_buf *b, const struct km_share_msg *s);
int km_share_msg_decode(struct km_share_msg *s, const uint8_t *p, size_t n) KM_MUST;
void km_reply_encode(struct km_buf *b, const struct km_reply *r);
int km_reply_decode(struct km_reply *r, const uint8_t *p, size_t n) KM_MUST;
void km_badsig_encode(struct km_buf *b, const struct km_badsig *s);
int km_badsig_decode(struct km_badsig *s, const uint8_t *p, size_t n) KM_MUST;
/* TABLE_ASK: table hash. (TABLE is the kind byte, then km_table_encode's bytes.) */
void km_table_ask_encode(struct km_buf *b, const uint8_t table[KM_HASH_SIZE]);
int km_table_ask_decode(uint8_t table[KM_HASH_SIZE], const uint8_t *p, size_t n) KM_MUST;

/* Request authenticators: key = KDF(X25519(frontend, peer), both ids), MAC = HMAC-SHA256 over (request id, peer id).
 * Keys are made once per pair and kept by the node in the secret arena. */
int km_auth_key(const uint8_t own_priv[32], const uint8_t their_pub[32], uint16_t frontend, uint8_t peer, uint8_t key[32]) KM_MUST;
void km_auth_mac(const uint8_t key[32], const uint8_t request_id[KM_HASH_SIZE], uint8_t peer, uint8_t mac[KM_MAC_SIZE]);
int km_auth_check(const uint8_t key[32], const uint8_t request_id[KM_HASH_SIZE], uint8_t peer, const uint8_t mac[KM_MAC_SIZE]) KM_MUST;

/* Rendezvous order: peers of `members` by descending H("elect", roster hash, key id, request id, peer). out has room for 32. */
unsigned km_elect_order(const uint8_t roster[KM_HASH_SIZE], const uint8_t key_id[KM_HASH_SIZE], const uint8_t request_id[KM_HASH_SIZE], uint32_t members,
			uint8_t *out);

#endif
