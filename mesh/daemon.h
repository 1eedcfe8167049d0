/* daemon.h: carries out what the nodes say. One thread; the nodes decide, this only does. */
#ifndef KMD_DAEMON_H
#define KMD_DAEMON_H

#include <signal.h>
#include "mesh/audit_log.h"
#include "mesh/clock.h"
#include "mesh/conf.h"
#include "mesh/local.h"
#include "mesh/log.h"
#include "mesh/loop.h"
#include "mesh/recovery.h"
#include "mesh/store.h"
#include "mesh/transport.h"
#include "mesh/workers.h"
#include "node/frontend.h"
#include "node/peer.h"
#include "node/step.h"

#define KMD_MAX_REQUESTS 4096	    /* of all local clients together */
#define KMD_MAX_CLIENT_REQUESTS 256 /* of one */
#define KMD_RATE_SECONDS 10

/* A local client's request on its way. */
struct kmd_request {
	struct kmd_client *client; /* NULL: free */
	enum kmd_side side;	   /* the node that has it */
	uint32_t seq, generation;
	uint64_t since_us;
	uint8_t key_id[KM_HASH_SIZE], context; /* of a signature */
	unsigned next_free;
};

/* An event for a node that could not be given at once, since a node was just at work. */
struct kmd_pending {
	enum kmd_side side;
	struct km_event event;
	uint8_t *data;
	int secret;
	struct kmd_pending *next;
};

/* How long signatures took: how many up to each bound, those up to the one below not counted again. */
#define KMD_TOOK_BOUNDS 15
struct kmd_took {
	uint64_t n[KMD_TOOK_BOUNDS], count, sum_us; /* count: also those above the last bound */
};
extern const uint32_t kmd_took_us[KMD_TOOK_BOUNDS];

/* Handshakes that local servers got signed, by key. */
struct kmd_served {
	uint8_t key_id[KM_HASH_SIZE];
	uint64_t n, last_ms; /* unix time */
};

struct kmd_sample {
	uint64_t signatures, presigned, requests;
};

struct kmd_daemon {
	struct kmd_config *config;
	struct kmd_loop *loop;
	struct kmd_transport *transport;
	struct kmd_local *local;
	struct kmd_workers *workers;
	struct kmd_store *store;
	struct km_peer *peer; /* NULL without the role */
	struct km_frontend *frontend;
	struct km_effects fx;
	struct kmd_pending *pending, **pending_tail;
	struct kmd_watch worker_watch, signal_watch;
	sigset_t signals;
	int worker_dirty, stopping;
	struct kmd_audit *audit;     /* NULL without the role peer */
	struct kmd_watch audit_watch;
	struct kmd_held_send *held, **held_tail;
	uint64_t checkpoint_at_us, checkpoint_size; /* when the next is due; entries of one that waits for the disk, 0: none */
	uint8_t checkpoint_root[KM_HASH_SIZE];
	uint64_t checkpointed; /* entries of the last one */
	struct kmd_reseal *reseal;   /* NULL when none is under way */
	struct kmd_recovery *recovery;
	struct kmd_clock_watch clock;
	struct kmd_log_bucket node_log[8];
	struct kmd_request requests[KMD_MAX_REQUESTS];
	unsigned free_request, n_requests;
	uint64_t started_us, next_second_us, watchdog_us, next_watchdog_us, rollbacks;
	uint64_t n_sign, n_signed, n_failed;		 /* local requests to sign */
	struct kmd_took took;
	struct kmd_served served[KM_MAX_KEYS];
	unsigned n_served;
	struct kmd_sample samples[KMD_RATE_SECONDS + 1]; /* one a second, ring */
	unsigned n_samples;
};

/* Opens everything; c is borrowed. f says what is wrong and what to do. */
int kmd_daemon_new(struct kmd_daemon **out, struct kmd_config *c, struct kmd_fail *f) KM_MUST;
/* Until SIGTERM or SIGINT. */
void kmd_daemon_run(struct kmd_daemon *d);
void kmd_daemon_free(struct kmd_daemon *d);

/* ---- between the files of the daemon */

/* Gives a node an event and carries out what comes of it. Not from within an effect: then kmd_daemon_post. */
void kmd_daemon_step(struct kmd_daemon *d, enum kmd_side side, struct km_event *ev);
/* The same later, with a copy of data. */
void kmd_daemon_post(struct kmd_daemon *d, enum kmd_side side, const struct km_event *ev, const void *data, size_t len,
		     int secret);

/* Carries out a SEND; takes e->data away where it can. */
void kmd_daemon_send(struct kmd_daemon *d, enum kmd_side side, struct km_effect *e);

/* audit_daemon.c */
int kmd_daemon_audit_open(struct kmd_daemon *d, struct kmd_fail *f) KM_MUST;
void kmd_daemon_audit_close(struct kmd_daemon *d);
/* Writes a draft into the log; on failure it is owed, and nothing that shows a share leaves before it is there. */
int kmd_daemon_audit(struct kmd_daemon *d, const uint8_t *draft, size_t len) KM_MUST;
/* 0: not, or not yet (then e->data was taken). */
int kmd_daemon_may_leave(struct kmd_daemon *d, enum kmd_side side, struct km_effect *e) KM_MUST;
void kmd_daemon_audit_second(struct kmd_daemon *d);
void kmd_daemon_checkpoint(struct kmd_daemon *d, const struct km_effect *e);
void kmd_daemon_prove(struct kmd_daemon *d, const struct km_effect *e);
/* What an operator has asked for, before it is done. */
int kmd_daemon_operator(struct kmd_daemon *d, enum km_audit_action action, unsigned uid, const char *text) KM_MUST;

extern const struct kmd_local_ops kmd_request_ops;
void kmd_request_init(struct kmd_daemon *d);
/* RESULT and PROGRESS of a node. */
void kmd_request_answer(struct kmd_daemon *d, enum kmd_side side, const struct km_effect *e);

/* An answer that is not a node's: err and text as in KM_EFFECT_RESULT. */
void kmd_request_done(struct kmd_daemon *d, uint64_t token, int err, const char *text);

/* Reads the configuration again, for its sealing key, and seals the state under it in a thread of its own; then answers token. */
int kmd_reseal_start(struct kmd_daemon *d, uint64_t token, struct kmd_fail *f) KM_MUST;
/* Waits for its end. */
void kmd_reseal_stop(struct kmd_daemon *d);

/* The state of all as JSON; malloc'd, NULL when memory is short. */
char *kmd_status_json(struct kmd_daemon *d);

#endif
