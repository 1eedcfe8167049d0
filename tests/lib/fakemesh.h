/* fakemesh.h: for tests of the frontend: peers that are a script. One dealt key; every peer answers PING and TABLE_ASK, checks the
 * authenticator of a REQ and signs with the whole key, or misbehaves as told. Virtual clock, no network.
 *
 *	struct fake m;
 *	fake_init(&m, 5, 3);
 *	fake_run(&m, 2000);                          two seconds: it has learned the key
 *	m.peer[2].does = FAKE_SILENT;
 *	fake_sign(&m, 1, "text", 2000);
 *	fake_run(&m, 2000);
 *	fake_result(&m, 1)->err                      what the local client got
 *	fake_clear(&m);
 */
#ifndef KM_TEST_FAKEMESH_H
#define KM_TEST_FAKEMESH_H

#include "dealer.h"
#include "node/frontend_impl.h"

enum fake_does {
	FAKE_SIGN = 0,
	FAKE_SILENT,      /* takes requests and never answers */
	FAKE_WRONG,       /* s is changed */
	FAKE_SWAP_R,      /* a good s with another r */
	FAKE_INVENT,      /* random r and s */
	FAKE_REPLAY,      /* the first signature it ever made, whatever is asked */
	FAKE_OTHER,       /* a good signature on bytes nobody asked for */
	FAKE_ZERO,        /* r = s = 0 */
	FAKE_STATUS,      /* answers with .status */
	FAKE_WRONG_ONCE,  /* a wrong signature, then the right one */
};

struct fake_peer {
	enum fake_does does;
	unsigned status;
	int down;                       /* nothing goes in or out */
	uint64_t delay_us;              /* of its answers, besides the way */
	uint32_t ready;
	int states;                     /* which of the mesh's tables it states: 0 none, 1 the first, 2 the second */
	int other_roster;
	int64_t clock_ms;
	unsigned pings, reqs, badsigs, table_asks, bad_macs;
	struct km_reply first;          /* for FAKE_REPLAY */
	int has_first;
};

struct fake_frame {
	uint64_t at;
	unsigned peer;                  /* of the fake mesh, whichever way */
	int to_frontend;
	uint8_t *data;
	size_t len;
};

struct fake_result {
	uint64_t token, at_us;
	int err;
	struct km_result result;
	char text[200];
};

#define FAKE_FRAMES 16384
#define FAKE_RESULTS 8192

struct fake {
	struct km_settings s;
	struct dealer dealer, other;    /* .other: a second key under the same name */
	uint8_t chan_priv[KM_MAX_PEERS + 1][32];
	struct fake_peer peer[KM_MAX_PEERS + 1];
	struct km_frontend *f;
	struct km_time now;
	struct km_effects fx;
	struct km_rng rng;
	struct fake_frame *frames;      /* by no order: the earliest is looked for */
	size_t n_frames;
	struct fake_result *results;
	size_t n_results;
	char log[65536];                /* "level text\n" */
	size_t log_len;
	uint64_t way_us;                /* one way */
	unsigned sent_reqs;
};

void fake_init(struct fake *m, unsigned n, unsigned threshold);
void fake_clear(struct fake *m);
/* A frontend on the mesh as it is now; fake_init makes the first. */
void fake_restart(struct fake *m);
void fake_run(struct fake *m, uint64_t ms);
void fake_event(struct fake *m, struct km_event *ev);
/* 98 + 32 bytes that are a TLS 1.3 CertificateVerify; text decides the hash. */
size_t fake_tbs(uint8_t out[130], const char *text);
/* A SIGN request for the dealt key over fake_tbs(text); the request's random is H(text). */
void fake_sign(struct fake *m, uint64_t token, const char *text, uint32_t deadline_ms);
void fake_sign_key(struct fake *m, uint64_t token, const uint8_t key_id[KM_HASH_SIZE], const char *text, uint32_t deadline_ms);
/* NULL while there is none. The first with that token. */
const struct fake_result *fake_result(const struct fake *m, uint64_t token);
/* Does the result hold a signature over fake_tbs(text) by the dealt key? */
int fake_good(const struct fake *m, const struct fake_result *r, const char *text);
/* Puts a frame on its way to the frontend, as from that peer. */
void fake_inject(struct fake *m, unsigned peer, const void *data, size_t len);
unsigned fake_logged(const struct fake *m, const char *part);
/* The order the frontend will take for a request made now, all peers alike. */
unsigned fake_order(const struct fake *m, const char *text, uint8_t *out);
/* ECDSA with the whole key: what the mesh would answer. */
void fake_ecdsa(struct fake *m, const struct dealer *d, const uint8_t *bytes, size_t len, struct km_reply *out);

#endif
