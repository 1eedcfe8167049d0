/* peer_impl.h: the inside of a peer, shared by its files only.
 *
 *	peer.c      life, dispatch of events, deadline          links.c     HELLO, HEALTH, liveness, round trips, rosters
 *	blame.c     scores of links, quarantine                  dispute.c   signed accusations
 *	evidence.c  proofs held and handed on                   session.c   PROPOSE, JOIN, REFUSE, the sid
 *	accept.c    whether to join
 *	run.c       runs: messages, jobs, deadlines             relay.c     STALL, RELAY, ABORT, HEADERS
 *	keygen.c    from the operator's wish to a usable key    keys.c      epochs of keys, their files, candidates
 *	certs.c     certificates, and when old shares go        reshare.c   refresh, reshare, recovery, as their initiator
 *	retire.c    the end of a key here
 *	canary.c    first signatures of a new key               pool.c      presignatures held, READY, burning
 *	refill.c    what to presign, and with whom              admit.c     what a request must fulfil
 *	lot.c       what one run gave: READY and its rows       inquiry.c   RECORD? to whose share was wrong
 *	signer.c    SIGN -> SHARE, records                      aggregate.c REQ -> SIGN, SHARE -> REPLY, retries
 *	late.c      SHAREs that are late, and what counts        queue.c     requests that found the pools empty
 *	status.c    what an operator sees
 *
 * Everything is decided by the seed and the events; loops go in ascending order of ids or in order of arrival. */
#ifndef KM_NODE_PEER_IMPL_H
#define KM_NODE_PEER_IMPL_H

#include "idmap.h"
#include "peer.h"
#include "wire.h"
#include "../audit/checkpoint.h"
#include "../audit/entry.h"
#include "../base/rng.h"
#include "../base/rules.h"
#include "../proto/epoch.h"
#include "../proto/evidence.h"
#include "../proto/presign.h"
#include "../proto/ready.h"
#include "../proto/replay.h"
#include "../proto/reshare.h"
#include "../proto/setup.h"

/* ---- bounds and times */

#define KM_RUN_SLOTS 8            /* presign runs of engine majority at once: see run_slot_free in accept.c */
#define KM_ANY_SLOTS 2            /* ... of engine any: each receives up to KM_PRESIGN_ANY_RECEIVED */
#define KM_RUN_LINGER 8           /* ended runs kept a while to answer STALL */
#define KM_EARLY_JOINS 8          /* JOINs of one sender kept before their PROPOSE is here */
#define KM_EARLY_ENVELOPE 65536   /* largest first-round message kept before the sid is known */
#define KM_POOLS_MAX 128          /* pools (quorums) of one key */
#define KM_WANTED_MAX 32          /* quorums kept filled */
#define KM_HELD_PER_OWNER 4096    /* presignatures held of one key for one owner, or twice what our own settings would want */
#define KM_CANDIDATES_MAX 8       /* stored, never usable shares of one key name, made by key generations */
#define KM_STUCK_MAX 4096         /* ... made by reshares: each is a promise, and they come at most once a day after the first ten */
#define KM_FLIGHT_BYTES_MAX (32u * 1024 * 1024)
#define KM_FLIGHT_MAX 4096        /* requests in work or just answered */
#define KM_QUEUE_MAX 4096         /* requests that found the pools empty and are told when they are not */
#define KM_QUEUE_FRONTEND_MAX 1024 /* ... of one frontend */
#define KM_QUEUE_TELLS 4          /* how often one is told, and finds nothing all the same */
#define KM_SPENDS_PER_REQUEST 8   /* presignatures a signer spends on one request id */
#define KM_DKG_RESTARTS 4
#define KM_CANARY_TRIES 64

#define KM_HEALTH_US 1000000u
#define KM_LIVE_US 3000000u
#define KM_JOIN_US 2000000u
#define KM_LINGER_US 3000000u
#define KM_FLIGHT_LINGER_US 3000000u
#define KM_FLIGHT_GIVEUP_US 2500000u
#define KM_READY_TIMES 3
#define KM_READY_WAIT_US 15000000u     /* own presignatures that a member never reported READY go */
#define KM_RECORD_US 120000000u
#define KM_OVERRULED_MAX 1024      /* digests that an operator does not want to hear of again */
#define KM_UNFIT_MAX 64            /* digests of what proved nothing here */
#define KM_EVID_WANT_MAX 64        /* digests of one peer still to be asked for */
#define KM_SCORE_HALF_US 600000000u
#define KM_PROPOSE_CLOCK_MS 30000u
#define KM_SHARE_TIMEOUT_MIN_US 50000u
#define KM_QUEUE_US 1000000u       /* a request that waits is asked again within 400 ms, or is over */
#define KM_QUEUE_TOLD_US 50000u    /* who was told and does not ask by then has its signature from somebody else */
#define KM_LATE_US 1000000u        /* a late SHARE that has not come by then counts against the link */
#define KM_RUN_PENALTY_MAX_US 60000000u

#define KM_SCORE_UNIT 1024u       /* one missed deadline of a run */
#define KM_SCORED 512u            /* a link from here on is suspected: one unit counts for ten minutes */

enum km_engine { KM_ENGINE_NONE = 0, KM_ENGINE_MAJORITY = KM_PRESIGN_MAJORITY, KM_ENGINE_ANY = KM_PRESIGN_ANY };

/* Why no JOIN; u8 in REFUSE beside a text. */
enum km_refuse { KM_REFUSE_BUSY = 1, KM_REFUSE_CLOCK, KM_REFUSE_ROSTER, KM_REFUSE_KEY, KM_REFUSE_TABLE, KM_REFUSE_ROWS, KM_REFUSE_QUOTA,
		 KM_REFUSE_QUARANTINE, KM_REFUSE_ENGINE };

/* ---- other peers */

struct km_bucket { uint64_t micro, at_us; };

#define KM_OLD_INCARNATIONS 4

/* A SHARE that was late and is waited for. */
struct km_late {
	uint8_t presig_id[KM_HASH_SIZE];
	uint64_t asked_us, until_us;       /* until 0: none */
};

struct km_link {
	int live, have_incarnation, mismatch;
	/* When our channel to it closed; 0 = it is up. It may be heard all the same: a peer that restarts reaches others before they
	 * reach it, and what they send it meanwhile is lost. */
	uint64_t broken_us;
	uint64_t heard_us;
	uint8_t incarnation[KM_NONCE_SIZE];
	uint8_t old[KM_OLD_INCARNATIONS][KM_NONCE_SIZE];  /* never accepted again: late frames of before a restart */
	unsigned n_old;
	uint64_t echo_us, echo_at_us;      /* its last sent_us, and when that came */
	uint32_t rtt_us, share_us;         /* smoothed; 0 = unknown */
	int64_t offset_ms;
	int offset_warned;
	unsigned n_tables;
	uint8_t table[KM_HEALTH_MAX_TABLES][KM_HASH_SIZE];
	uint32_t ready[KM_HEALTH_MAX_TABLES]; /* own presignatures it says it has ready */
	uint64_t avoid_until_us;           /* late with a SHARE: not first choice for a while */
	uint32_t avoid_us;
	struct km_late late;
	uint64_t roster_sent_us, roster_seen_us; /* 0 = never */
	uint8_t roster_told[KM_HASH_SIZE]; /* the roster hash an operator was told about */
	uint64_t refuse_until_us;          /* after a failed run of its own */
	uint64_t heavy_after_us;           /* after a dear proof that proved nothing: not one more before */
	uint64_t propose_tokens, propose_at_us;
	struct km_bucket spend;            /* second and further presignatures on one request: counts against the owner */
	uint64_t relay_tokens, relay_at_us; /* answers to its STALLs */
	struct km_bucket said;             /* lines of the log that it caused */
	uint64_t lost_us;                  /* when it last went silent or restarted, 0 = never */
	uint32_t claimed;                  /* whom it says it lost while we still hear them; until claim_until_us */
	unsigned n_claims;
	uint64_t claim_until_us;
	/* proofs and disputes: what we told it that we have, what it has and we want */
	uint32_t have_version;
	uint64_t have_us, asked_us;
	int asking;
	uint8_t asked[KM_HASH_SIZE];
	unsigned n_want;
	uint8_t want[KM_EVID_WANT_MAX][KM_HASH_SIZE];
	struct km_bucket haves, gets, gives;
	struct km_shown *shown;            /* its last, or NULL */
	struct km_bucket certs;
};

/* ---- proofs and disputes */

/* What convicted a peer. */
struct km_proof {
	uint8_t digest[KM_HASH_SIZE];
	unsigned kind;                     /* enum km_evidence_kind */
	uint64_t since_ms;
	uint64_t token;                    /* of its file on its way to the disk */
	int durable;
	unsigned n_also;                   /* other proofs of the same culprit that we have seen */
	uint8_t also[KM_MAX_PEERS][KM_HASH_SIZE];
	size_t len;
	uint8_t *data;
};

#define KM_DISPUTE_BODY (2 + KM_HASH_SIZE + 8)
#define KM_DISPUTE_LEN (KM_MSG_HEAD + KM_DISPUTE_BODY)

struct km_dispute {
	uint8_t digest[KM_HASH_SIZE];
	uint8_t raw[KM_DISPUTE_LEN];
	uint8_t accuser, accused;
	int code, durable;
	uint64_t since_ms;
	struct km_dispute *next;           /* oldest first */
};

/* ---- keys and presignatures */

struct km_lot;

struct km_held {
	uint8_t id[KM_HASH_SIZE];          /* first: the key of the map */
	struct km_presig *ps;
	struct km_key *key;
	struct km_lot *lot;
	struct km_pool *pool;              /* own ones only */
	int ready;                         /* own: in the pool's list */
	struct km_held *next, *prev;       /* in the pool */
	struct km_held *lot_next, *lot_prev;
};

struct km_pool {
	uint32_t quorum;
	unsigned ready, waiting;
	struct km_held *head, *tail;       /* ready ones, oldest first */
};

/* What a member of our own presignatures of one run stands for. */
struct km_lot_member {
	uint8_t ready[KM_READY_HELD];      /* indices it said READY to, with our values */
	size_t len;
	uint8_t said[];                    /* that READY */
};

/* What one run gave. */
struct km_lot {
	uint8_t sid[KM_HASH_SIZE], table[KM_HASH_SIZE];
	uint32_t participants, ready;      /* who reported READY, self included */
	unsigned engine;                   /* of an own run, else KM_ENGINE_NONE */
	int useful;                        /* own: some of it came into use */
	uint64_t made_us;
	struct km_lot_member *member[KM_MAX_PEERS + 1]; /* the others of own presignatures, once they said READY */
	unsigned users;                    /* requests whose presignature came from here: it is needed to show who cheated */
	int waited;                        /* READY came in time or will not come */
	struct km_buf said;                /* our own READY, signed once */
	unsigned ready_sent;               /* READY is said again, as a message may be lost */
	struct km_held *helds;
	struct km_lot *next;               /* oldest first */
};

struct km_key {
	struct km_share *share;            /* arena */
	uint32_t barred;                   /* by disputes, as last told to the operator */
	const struct km_key_policy *policy; /* NULL: not in the operator's file, signs nothing */
	int holder;                        /* the share is here; else what we have is a certificate */
	int wiped;                         /* the share is gone; the table stays until nothing refers to it */
	int bound;                         /* certified, on the disk, and so far as this peer is concerned: no vote below this name */
	int durable;                       /* the share is on the disk: our STORED may be said */
	uint64_t say_at_us;                /* candidates: own STORED again */
	uint64_t persist_token;            /* of the share on its way to the disk */
	struct km_cert cert;               /* every STORED that has come, enough or not */
	uint32_t cert_disk, cert_writing;  /* whose STORED is in the certificate on the disk; on its way there */
	uint64_t cert_token, cert_again_us;
	uint64_t cert_at_us;               /* when to hand it on again, 0 = nobody lacks it */
	uint32_t have[KM_MAX_PEERS + 1];   /* by peer: whose STORED it says it has */
	uint32_t answered;                 /* who said so in its present life */
	uint64_t full_us;                  /* since when nobody's STORED is missing, 0 = not yet: lower shares go soon */
	uint64_t made_ms;                  /* candidates: unix time */
	int told;                          /* the operator was told that a share is missing */
	uint64_t used_us;                  /* when something was last signed with it for a frontend; 0 = not since the start */
	int serves;                        /* own pools have been filled once: what is asked comes out of these */
	struct km_pool pool[KM_POOLS_MAX];
	unsigned n_pools;
	unsigned held[KM_MAX_PEERS + 1];   /* by owner */
	uint32_t *canaries;                /* quorums that signed their canary here */
	size_t n_canaries, cap_canaries;
	unsigned n_queued, n_told, spare;  /* requests that wait: not told, told; presignatures for them */
	unsigned any_cap;                  /* batch of runs by engine any while pools are low, 0 = no less than what is short */
	uint64_t unheard_us;               /* since when enough peers for majority are there but do not hold the epoch; 0 = not */
	struct km_key *next;
};

/* A certified epoch that another showed us and that binds us not: what a new member deals with may be one of these. */
struct km_shown {
	struct km_table table;
	struct km_cert cert;
};

/* A file that was to go and did not. */
struct km_removal {
	char name[64];
	uint64_t token, again_us;
	struct km_removal *next;
};

struct km_cert_file {
	struct km_cert_file *next;
	size_t len;
	uint8_t data[];
};

/* ---- runs */

enum km_run_state { KM_RUN_JOINING = 1, KM_RUN_ACTIVE, KM_RUN_LINGERS, KM_RUN_DYING };

struct km_run {
	enum km_run_state state;
	uint64_t id;
	uint8_t initiator;
	uint8_t proposal_id[KM_HASH_SIZE];
	struct km_proposal prop;
	struct km_presign_row *rows;
	struct km_key *key;                /* presign */
	uint32_t joined;
	uint8_t join_digest[KM_MAX_PEERS + 1][KM_HASH_SIZE];
	uint8_t join[KM_MAX_PEERS + 1][KM_JOIN_MAX]; /* signed, for those who missed one */
	uint8_t *propose;                  /* the signed envelope: sent again by its initiator, shown with evidence */
	size_t propose_len;
	int nudged;                        /* somebody was asked for missing JOINs */
	uint8_t sid[KM_HASH_SIZE];
	struct km_machine *m;
	uint64_t since_us, until_us;       /* until: of JOINING and LINGERS */
	uint32_t ready;                    /* READY that came before our own end */
	struct km_buf said[KM_MAX_PEERS + 1]; /* those */
	uint32_t convicted;                /* by this run */
	uint32_t shown;                    /* who has shown its HEADERS */
	uint8_t ended_by;                  /* who said ABORT, 0 = nobody */
	unsigned stalled_round;            /* the round that these two are of: */
	uint32_t round_live;               /* who was live when it began */
	uint64_t stall_at_us;
	uint64_t persist_token, persist_until_us;
	int persist_code;
	struct km_run *next;               /* in order of their making */
};

struct km_early {
	uint8_t *raw;
	size_t len;
	int secret;
	uint64_t at_us;
	struct km_early *next;
};

struct km_early_join {
	uint8_t raw[KM_JOIN_MAX];
	size_t len;
	uint64_t at_us;
};

/* ---- key generation, as its initiator sees it */

enum km_keygen_state { KM_KEYGEN_IDLE = 0, KM_KEYGEN_WAIT_PEERS, KM_KEYGEN_RUN, KM_KEYGEN_CERTIFY, KM_KEYGEN_CANARY };

struct km_keygen {
	enum km_keygen_state state;
	unsigned purpose;                  /* KM_PURPOSE_DKG or KM_PURPOSE_RESHARE */
	const char *what;                  /* "key generation", "refresh", ... */
	uint32_t members, must;            /* reshare: the new committee; whom of it there is no use without */
	uint32_t joiners;                  /* ... who takes part in the present attempt */
	uint8_t table[KM_HASH_SIZE];       /* ... what it has made */
	uint64_t asked_us;
	uint64_t token;                    /* 0: the client went away */
	char name[KM_MAX_NAME + 1];
	uint8_t threshold, curve;
	uint32_t left_out;                 /* silent or convicted in an earlier attempt */
	unsigned attempts;
	uint64_t run_id;
	uint64_t until_us, next_try_us;
	unsigned told_round;
	struct km_key *key;
	int flying;                        /* a canary is on its way */
	uint32_t uncovered;                /* members no canary has shown yet */
	uint32_t tried[KM_CANARY_TRIES];
	unsigned n_tried;
};

/* ---- requests */

struct km_fe {
	const struct km_frontend_entry *entry;
	uint8_t *key;                      /* arena, KM_MAC_SIZE */
	unsigned n_queued;
	uint64_t round;                    /* of the last of these */
	struct km_bucket badsig;           /* answers of ours that it calls wrong, and we look into */
	struct km_bucket *rate;            /* by index of the policy; made when first needed */
};

struct km_record {
	uint8_t presig_id[KM_HASH_SIZE];   /* first: the key of the map */
	uint8_t request_id[KM_HASH_SIZE];
	uint64_t at_us;
	uint8_t context, owner, scalar_size;
	uint8_t s[KM_SCALAR_MAX], m[KM_SCALAR_MAX];
	const struct km_curve *curve;
	struct km_point rr;
	struct km_spend *spend;
	struct km_record *next;
};

struct km_spend {
	uint8_t request_id[KM_HASH_SIZE];  /* first: the key of the map */
	unsigned n;                        /* presignatures it has cost here */
	unsigned records;                  /* that still name it */
};

/* A wrong share, whose author was asked for its record. */
struct km_inquiry {
	uint32_t suspects;                 /* who has not answered yet */
	uint64_t until_us;
	uint8_t request_id[KM_HASH_SIZE];
	struct km_presig *ps;              /* spent */
	struct km_lot *lot;
	struct km_scalar share[KM_MAX_PEERS];
	struct km_req req;
	struct km_inquiry *next;           /* oldest first */
	uint8_t data[];                    /* of req */
};

/* A request that found the pools empty. */
struct km_queued {
	uint8_t request_id[KM_HASH_SIZE];  /* first: the key of the map */
	struct km_key *key;
	uint16_t frontend;
	unsigned tells;
	uint64_t round;                    /* how many of its frontend are before it, counted on */
	uint64_t told_us, until_us;        /* told 0: not since it was refused */
	struct km_queued *next, *prev;     /* by round, then in the order in which they came */
};

enum km_flight_state { KM_FLIGHT_WORKING = 1, KM_FLIGHT_DONE };

struct km_flight {
	uint8_t request_id[KM_HASH_SIZE];  /* first: the key of the map */
	enum km_flight_state state;
	struct km_req req;                 /* data: behind this struct */
	struct km_req_macs macs;
	struct km_key *key;
	int canary;
	struct km_sign_input in;
	struct km_sign_nonce nonce;
	struct km_presig *ps;              /* of the present attempt, or of the answer */
	struct km_lot *lot;                /* that it came from */
	uint32_t missing, excluded;
	struct km_scalar share[KM_MAX_PEERS]; /* by position in the quorum */
	int owed;                          /* SIGNs are out, own share not yet computed */
	uint64_t started_us, attempt_us, until_us;
	unsigned attempts;
	unsigned refusals;
	uint8_t last_status;
	int checked;                       /* BADSIG of this answer was looked into */
	struct km_reply reply;
	struct km_flight *next, *prev;     /* among the working or the done ones, oldest first */
	struct km_flight *owed_next;
};

struct km_flights {
	struct km_flight *head, *tail;
};

/* ---- the peer */

enum km_drop_reason { KM_DROP_GARBAGE, KM_DROP_SENDER, KM_DROP_STALE, KM_DROP_SIGNATURE, KM_DROP_UNKNOWN_SENDER, KM_DROP_LIMIT, KM_DROP_REASONS };

struct km_peer {
	const struct km_settings *s;
	uint8_t self;
	uint8_t idkeys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct km_rng *rng;                /* arena */
	uint8_t incarnation[KM_NONCE_SIZE];
	int started, stopped;
	uint64_t started_us;
	struct km_time now;
	struct km_effects *fx;             /* of the step being taken */
	uint8_t **block;                   /* of its event, not NULL */
	uint64_t wake_us;                  /* when anything wants a TICK */
	uint64_t next_token;

	struct km_link link[KM_MAX_PEERS + 1];
	uint64_t next_health_us, decay_at_us;
	uint32_t score[KM_MAX_PEERS + 1][KM_MAX_PEERS + 1];
	uint32_t scored[KM_MAX_PEERS + 1]; /* by peer: ends of its suspected links */
	uint32_t disputed;                 /* with us: in no quorum of ours */
	uint32_t quarantined;              /* by proof, for every key */
	uint64_t quarantined_ms[KM_MAX_PEERS + 1], cleared_ms[KM_MAX_PEERS + 1]; /* unix time, 0 = never */
	uint32_t feud[KM_MAX_PEERS + 1];   /* by peer: the other ends of its disputes */
	uint32_t accusers[KM_MAX_PEERS + 1]; /* by peer: who accuses it */
	struct km_dispute *disputes;
	uint64_t disputes_token;
	struct km_proof *proof[KM_MAX_PEERS + 1]; /* by culprit */
	struct km_replay_memo replayed;    /* the latest opened run that was replayed here */
	struct km_judging *judging;        /* heavy proofs: the first is at work, the others wait */
	uint32_t evidence_version;         /* counts changes of what we can hand on */
	unsigned n_overruled, unfit_at;
	uint8_t overruled[KM_OVERRULED_MAX][KM_HASH_SIZE], unfit[KM_UNFIT_MAX][KM_HASH_SIZE];

	struct km_key *keys;
	struct km_cert_file *certs;        /* loaded, until START */
	struct km_removal *removals;
	struct km_idmap presigs;           /* of km_held */
	struct km_lot *lots, **lots_tail;
	size_t n_held;

	struct km_run *runs;
	struct km_early *early[KM_MAX_PEERS + 1];
	unsigned n_early[KM_MAX_PEERS + 1];
	struct km_early_join early_join[KM_MAX_PEERS + 1][KM_EARLY_JOINS];
	unsigned early_join_at[KM_MAX_PEERS + 1];
	uint64_t refresh_not_before_us;    /* after a scheduled refresh that failed */
	uint64_t refill_at_us, refill_not_before_us;
	uint64_t told_us;                  /* when we last told others that we dropped a run, and on whose word (0: our own) */
	uint8_t told_by;
	uint64_t refill_turn_us;           /* engine any: until then others go first, if we are not empty */
	uint32_t refill_backoff_us;
	unsigned refill_turn;
	int refill_wanted;
	unsigned refill_busy;              /* own runs in a row that found somebody busy, and do not count as failed */
	unsigned refill_failures;          /* own runs that failed one after the other */
	uint32_t refill_few;               /* participants, tried while runs with all fail; of an own run that did not */
	uint64_t refill_all_at_us;         /* when all are tried again, 0 = not yet set */
	struct km_keygen keygen;

	struct km_fe *fes;                 /* [s->n_frontends] */
	uint16_t fe_by_id[KM_MAX_FRONTENDS + 1]; /* index + 1, 0 = none */
	struct km_idmap flights;
	struct km_flights working, done;
	struct km_idmap queued;
	struct km_queued *queue_head, *queue_tail;
	struct km_inquiry *inquiries;
	unsigned n_inquiries;
	size_t flight_bytes;               /* to be signed, held in flights */
	struct km_flight *owed, **owed_tail; /* own shares to be computed once the SIGNs are on their way */
	struct km_idmap records, spends;
	struct km_record *record_head, **record_tail;
	size_t n_records;
	struct km_buf scratch;             /* frames being made */
	struct km_witness *witness;        /* NULL until a checkpoint was made or seen */

	uint64_t n_log_forks;              /* checkpoints of others that were refused */
	uint64_t n_aggregated, n_signed, n_presigned, n_presigned_any, n_late, n_runs_done, n_runs_dropped, n_refused, n_retries, n_convictions, n_disputes;
	uint64_t dropped[KM_DROP_REASONS];
};

/* peer.c */
static inline struct km_addr km_peer_addr(unsigned id) { return (struct km_addr){KM_ADDR_PEER, (uint16_t)id}; }
/* Sends p->scratch's content (which is then reset) to one, or to all of a set but self. */
void km_peer_send(struct km_peer *p, struct km_addr to);
void km_peer_send_set(struct km_peer *p, uint32_t set);
void km_peer_wake(struct km_peer *p, uint64_t at_us);
void km_peer_drop_frame(struct km_peer *p, enum km_drop_reason why);
void km_peer_persist(struct km_peer *p, const char *name, const void *data, size_t len, int secret, uint64_t token);
const char *km_peer_name(const struct km_peer *p, unsigned id);
/* "2 (bob), 4 (dave)" */
void km_peer_names(const struct km_peer *p, uint32_t set, char *out, size_t size);
uint64_t km_bucket_take(uint64_t *micro, uint64_t *at_us, uint64_t now_us, uint64_t rate, uint64_t burst) KM_MUST;

/* links.c */
void km_links_start(struct km_peer *p);
void km_links_hello(struct km_peer *p, unsigned to);
void km_links_on_hello(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_links_on_health(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_links_on_roster(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_links_up(struct km_peer *p, unsigned to);
void km_links_down(struct km_peer *p, unsigned from);
void km_links_tick(struct km_peer *p);
void km_links_health_now(struct km_peer *p);
/* `from` dropped a run because it lost the peers of `set`. */
void km_links_claim(struct km_peer *p, unsigned from, uint32_t set);
/* `from` dropped a run itself: who said so was right, now it is up to `from`. */
void km_links_aborted(struct km_peer *p, unsigned from, uint32_t waited);
uint32_t km_links_live(const struct km_peer *p);       /* whom we hear and reach; self included */
/* 1 if what this peer did may have a line in the log: a corrupt one must not fill our disk. */
int km_links_may_log(struct km_peer *p, unsigned id);
int km_links_has_table(const struct km_peer *p, unsigned id, const uint8_t table[KM_HASH_SIZE]);
/* Own presignatures of that epoch that it says it has ready. */
uint32_t km_links_ready(const struct km_peer *p, unsigned id, const uint8_t table[KM_HASH_SIZE]);

/* blame.c */
void km_blame_link(struct km_peer *p, unsigned a, unsigned b, uint32_t amount);
void km_blame_forget(struct km_peer *p, unsigned a, unsigned b);
void km_blame_set(struct km_peer *p, unsigned a, uint32_t set, uint32_t amount);
unsigned km_blame_cost(const struct km_peer *p, uint32_t set);
/* Who of the set, self aside, has the most of these links (by peer: the other ends) within it; 0 where there are none. draw: any who
 * has one. */
unsigned km_blame_worst(const struct km_peer *p, uint32_t set, const uint32_t *links, int draw);
void km_blame_tick(struct km_peer *p);
/* What a machine has against a participant of its run (kind u8 | count | items): made into evidence, judged, and if it holds acted on. */
void km_blame_convict(struct km_peer *p, const struct km_run *run, unsigned peer, int kind, const uint8_t *items, size_t len);
/* Evidence that was judged. why: a clause for people, or NULL. */
void km_blame_proved(struct km_peer *p, unsigned peer, unsigned kind, const char *why, const uint8_t *ev, size_t len);
/* An operator has decided: everything held against the peer is forgotten, here, for good. KM_E_NOTFOUND: there was nothing. */
int km_blame_clear(struct km_peer *p, unsigned peer) KM_MUST;
void km_blame_request_clear(struct km_peer *p, uint64_t token, const struct km_request *rq);
void km_blame_save(struct km_peer *p);
int km_blame_load(struct km_peer *p, const uint8_t *data, size_t len) KM_MUST;
/* Members of the table that take part in nothing: convicted, or accused by as many as its threshold. */
uint32_t km_blame_barred(const struct km_peer *p, const struct km_table *t);
/* Members of the table that a run may ask now: live, with our keys, not barred; and those of them that are not disputed with us either:
 * who may be in a quorum of ours. */
uint32_t km_blame_reachable(const struct km_peer *p, const struct km_table *t);
uint32_t km_blame_usable(const struct km_peer *p, const struct km_table *t);
#define KM_QUARANTINE_FILE "quarantine.state"

/* dispute.c */
#define KM_DISPUTES_FILE "disputes.state"
/* Our signed word against a peer about what it sent us. code: KM_E_*; digest of the message, if any. */
void km_dispute_raise(struct km_peer *p, unsigned peer, int code, const uint8_t *digest, size_t len);
int km_dispute_take(struct km_peer *p, const uint8_t *raw, size_t len) KM_MUST;
unsigned km_dispute_clear(struct km_peer *p, unsigned peer);
int km_dispute_load(struct km_peer *p, const uint8_t *data, size_t len) KM_MUST;
int km_dispute_persisted(struct km_peer *p, uint64_t token, int err);
void km_dispute_free(struct km_peer *p);
/* 1 if two of the set are disputed: no quorum. */
int km_dispute_within(const struct km_peer *p, uint32_t set);
/* Members of the table accused by T of its members. */
uint32_t km_dispute_barred(const struct km_peer *p, const struct km_table *t);
/* Participants of a run: the set without ends of disputes, the most disputed first (draw: by chance), while `need` remain; self
 * stays. */
uint32_t km_dispute_part(const struct km_peer *p, uint32_t set, unsigned need, int draw);

/* evidence.c */
#define KM_PROOF_FILE "proof-"
/* Judges evidence of peer `from`, or of our own making (from = self), and acts. 1 when it convicts at once; 0 also when a job will tell.
 * KM_E_NOMEM, KM_E_BUSY: it was not judged. */
int km_evidence_take(struct km_peer *p, unsigned from, const uint8_t *ev, size_t len);
void km_evidence_keep(struct km_peer *p, unsigned culprit, unsigned kind, const uint8_t *data, size_t len);
void km_evidence_clear(struct km_peer *p, unsigned culprit);
void km_evidence_overrule(struct km_peer *p, const uint8_t digest[KM_HASH_SIZE]);
void km_evidence_export(struct km_peer *p, unsigned about, int code, const uint8_t *data, size_t len, const char *what);
int km_evidence_load(struct km_peer *p, const uint8_t *data, size_t len) KM_MUST;
void km_evidence_persisted(struct km_peer *p, uint64_t token, int err);
int km_evidence_worked(struct km_peer *p, struct km_job *job);   /* 1: the job was ours */
void km_evidence_free(struct km_peer *p);
/* What we have has changed: tells everybody. */
void km_evidence_announce(struct km_peer *p);
void km_evidence_health(struct km_peer *p, unsigned to);
void km_evidence_up(struct km_peer *p, unsigned to);
void km_evidence_on_have(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_evidence_on_get(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_evidence_on_evid(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_evidence_tick(struct km_peer *p);

struct km_refusal;

/* session.c */
int km_session_propose(struct km_peer *p, struct km_proposal *prop, const struct km_presign_row *rows, struct km_key *key, struct km_run **out) KM_MUST;
void km_session_on_setup(struct km_peer *p, unsigned from, int relayed, const struct km_msg *msg);
void km_session_refuse(struct km_peer *p, unsigned to, const uint8_t proposal[KM_HASH_SIZE], const struct km_refusal *why);
void km_session_on_refuse(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_session_early(struct km_peer *p, unsigned from, const struct km_msg *msg);
struct km_early *km_session_early_take(struct km_peer *p, const uint8_t sid[KM_HASH_SIZE]);
void km_session_early_free(struct km_early *e);
void km_session_tick(struct km_peer *p);

/* accept.c */
#define KM_REFUSE_TEXT 120
struct km_refusal {
	unsigned code;                     /* enum km_refuse */
	char text[KM_REFUSE_TEXT + 1];
};
/* Whether one more run by engine any has room here; from: who begins it. */
int km_run_any_free(const struct km_peer *p, unsigned from);
/* 1 to join; key: the presigning one. */
int km_refuse(struct km_refusal *why, enum km_refuse code, const char *text);   /* returns 0 */
int km_accept(struct km_peer *p, unsigned from, const struct km_proposal *pr, const struct km_presign_row *rows, struct km_key **key, struct km_refusal *why);

/* run.c */
struct km_run *km_run_new(struct km_peer *p, unsigned initiator, const struct km_proposal *prop);
/* A key generation or a reshare. */
int km_run_ceremony(const struct km_run *run);
size_t km_run_join_len(const struct km_run *run);
/* In its last round, in which everybody's part stands for itself: what is complete stays, whoever drops the run. */
int km_run_stands(const struct km_run *run);
int km_run_rows(struct km_run *run, const struct km_presign_row *rows) KM_MUST;
struct km_run *km_run_by_id(struct km_peer *p, uint64_t id);
struct km_run *km_run_by_sid(struct km_peer *p, const uint8_t sid[KM_HASH_SIZE]);
struct km_run *km_run_by_proposal(struct km_peer *p, const uint8_t id[KM_HASH_SIZE]);
/* Runs that still do something, of one initiator (0 = all) and purpose. */
unsigned km_run_count(const struct km_peer *p, unsigned initiator, unsigned purpose);
/* Presign runs of that kind, of whomever. */
unsigned km_run_count_engine(const struct km_peer *p, unsigned engine);
void km_run_begin(struct km_peer *p, struct km_run *run);
/* block: what raw lies in, if it may be kept (struct km_event), or NULL. */
void km_run_envelope(struct km_peer *p, unsigned from, int relayed, const uint8_t *raw, size_t len, uint8_t **block);
/* Carries out what a machine wants, in order; the run may be gone afterwards. err is what the machine returned. */
void km_run_carry_out(struct km_peer *p, struct km_run *run, int err, struct km_outs *outs);
void km_run_worked(struct km_peer *p, struct km_job *job);
void km_run_persisted(struct km_peer *p, uint64_t token, int err);
void km_run_tick(struct km_peer *p);
/* Ends a run without result; tells the others when `tell`. waited = peers it waited for. */
void km_run_drop(struct km_peer *p, struct km_run *run, int code, uint32_t waited, int tell);
void km_run_drop_with(struct km_peer *p, unsigned peer);   /* all that a peer takes part in */
void km_run_lost(struct km_peer *p, unsigned peer);         /* ... and that still need something of it */
void km_run_drop_key(struct km_peer *p, const struct km_key *key); /* presigning under it */
void km_run_resend(struct km_peer *p, unsigned to);        /* STORED, on a new channel */
void km_run_free_all(struct km_peer *p);

/* relay.c */
void km_relay_ask(struct km_peer *p, const uint8_t id[KM_HASH_SIZE], unsigned round, uint32_t missing, uint32_t to);
void km_relay_stall(struct km_peer *p, struct km_run *run, uint32_t missing);
void km_relay_headers(struct km_peer *p, struct km_run *run);
void km_relay_on_relay(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_relay_on_stall(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_relay_on_abort(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_relay_on_headers(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);

/* keygen.c */
void km_keygen_request(struct km_peer *p, uint64_t token, const struct km_request *rq);
void km_keygen_cancel(struct km_peer *p, uint64_t token);
void km_keygen_refused(struct km_peer *p, struct km_run *run, unsigned by, unsigned code, const char *text);
void km_keygen_dropped(struct km_peer *p, struct km_run *run, int code, uint32_t waited);
void km_keygen_progress(struct km_peer *p, struct km_run *run);
/* The transcript of a run that has made a table, with its set-up (proto/transcript.h). old: NULL for a key generation. */
int km_run_transcript(const struct km_run *run, const struct km_table *table, const struct km_table *old, struct km_buf *out) KM_MUST;
void km_keygen_persist(struct km_peer *p, struct km_run *run, int code, const uint8_t *share, size_t len);
void km_keygen_done(struct km_peer *p, struct km_run *run);
void km_keygen_tick(struct km_peer *p);
/* Its run has failed: what for. */
void km_keygen_again(struct km_peer *p, const char *why);
void km_keygen_differ(struct km_peer *p, uint32_t differ);
void km_keygen_say(struct km_peer *p, const char *text);
void km_keygen_end(struct km_peer *p, int err, const char *text);

/* reshare.c */
void km_reshare_request(struct km_peer *p, uint64_t token, const struct km_request *rq);
void km_reshare_refused(struct km_peer *p, struct km_run *run, unsigned by, unsigned code, const char *text);
void km_reshare_dropped(struct km_peer *p, struct km_run *run, int code, uint32_t waited);
void km_reshare_done(struct km_peer *p, struct km_run *run);
void km_reshare_tick(struct km_peer *p);
/* When another candidate of this key may be made (unix ms); 0 = any time. */
uint64_t km_reshare_not_before_ms(const struct km_peer *p, const uint8_t key_id[KM_HASH_SIZE]);
int km_reshare_accept(struct km_peer *p, unsigned from, const struct km_proposal *pr, struct km_refusal *why);
/* The part of a JOIN that only reshares have: ours, and whether the run can be with that of another (else it is gone). */
void km_reshare_join(struct km_peer *p, const struct km_run *run, uint8_t body[KM_JOIN_RESHARE]);
int km_reshare_may_join(struct km_peer *p, struct km_run *run, const struct km_msg *join);
int km_reshare_machine(struct km_peer *p, struct km_run *run, const struct km_machine_params *mp) KM_MUST;
/* What the run deals from. */
const struct km_table *km_reshare_old(struct km_peer *p, const struct km_run *run);
/* A candidate may be stored: no certificate of a higher name is here. */
int km_reshare_may_vote(struct km_peer *p, const struct km_table *t);

/* keys.c */
struct km_key *km_key_find(struct km_peer *p, const uint8_t table[KM_HASH_SIZE]);
/* The usable epoch with the highest name; of a name also a candidate, where there is no other. */
struct km_key *km_key_by_id(struct km_peer *p, const uint8_t key_id[KM_HASH_SIZE]);
struct km_key *km_key_by_name(struct km_peer *p, const char *name);
/* Names of two epochs: < 0, 0, > 0. */
int km_key_cmp(const struct km_key *a, const struct km_key *b);
int km_key_same(const struct km_key *a, const struct km_key *b);               /* epochs of one key */
struct km_key *km_key_add(struct km_peer *p, const struct km_share *share);   /* a copy; NULL without memory */
/* An epoch of which we have no share. */
struct km_key *km_key_add_table(struct km_peer *p, const struct km_table *t, unsigned proto);
void km_key_file(const struct km_table *t, const char *ending, char *out, size_t size);
void km_key_usable(struct km_peer *p, struct km_key *k);
void km_key_stored(struct km_peer *p, unsigned from, int relayed, const uint8_t *raw, size_t len);
void km_key_say_stored(struct km_peer *p, unsigned to);
void km_key_persisted(struct km_peer *p, uint64_t token, int err);
int km_key_load(struct km_peer *p, const uint8_t *data, size_t len) KM_MUST;
void km_key_start(struct km_peer *p);
void km_key_tick(struct km_peer *p);
/* The share goes, from memory and disk, and all that was made with it. */
void km_key_wipe(struct km_peer *p, struct km_key *k);
void km_key_free_all(struct km_peer *p);

/* certs.c */
/* Members of the committee in the operator's file. */
uint32_t km_policy_committee(const struct km_peer *p, const struct km_key_policy *k);
/* Participants that a key generation needs. */
unsigned km_policy_dkg_least(const struct km_peer *p, const struct km_key_policy *k);
/* Something has come: is it a certificate, has it effect, may lower shares go? */
void km_cert_consider(struct km_peer *p, struct km_key *k);
/* The highest certified epoch of a key that binds us; NULL. */
struct km_key *km_cert_bar(struct km_peer *p, const uint8_t key_id[KM_HASH_SIZE]);
/* A table and its certificate by hash, ours or shown by this peer. 0 when there is none. */
int km_cert_base(struct km_peer *p, unsigned from, const uint8_t table[KM_HASH_SIZE], const struct km_table **t, const struct km_cert **cert) KM_MUST;
void km_cert_send(struct km_peer *p, const struct km_key *k, unsigned to);
void km_cert_on_cert(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_cert_on_have(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_cert_reset(struct km_peer *p, unsigned peer);      /* it has restarted, or its channel is new */
int km_cert_load(struct km_peer *p, const uint8_t *data, size_t len) KM_MUST;
void km_cert_start(struct km_peer *p);
int km_cert_persisted(struct km_peer *p, uint64_t token, int err);
void km_cert_tick(struct km_peer *p);
void km_cert_free(struct km_peer *p);

/* retire.c */
void km_retire_request(struct km_peer *p, uint64_t token, const struct km_request *rq);

/* canary.c */
void km_canary_plan(struct km_peer *p, struct km_key *key);
void km_canary_tick(struct km_peer *p);
void km_canary_result(struct km_peer *p, struct km_flight *f, int err, uint32_t culprits);
/* The bytes of the canary of a quorum; and whether this peer still has to sign it (remembers that it did). */
void km_canary_bytes(const struct km_key *key, uint32_t quorum, uint8_t out[KM_HASH_SIZE]);
int km_canary_once(struct km_key *key, uint32_t quorum) KM_MUST;

/* pool.c */
void km_pool_init(struct km_peer *p, uint64_t mult);
void km_pool_take_run(struct km_peer *p, struct km_run *run);
void km_pool_abort(struct km_peer *p, unsigned from, const uint8_t sid[KM_HASH_SIZE]);
/* A member holds nothing of that run; of an epoch that has a successor: nothing of ours of that epoch. */
void km_pool_unknown(struct km_peer *p, struct km_lot *lot, unsigned member);
void km_pool_tick(struct km_peer *p);
void km_pool_burn_with(struct km_peer *p, unsigned peer);
void km_pool_burn_own_of(struct km_peer *p, uint32_t pair);  /* own ones whose quorum has all of these */
void km_pool_burn_all(struct km_peer *p);
void km_pool_burn_key(struct km_peer *p, const struct km_key *key);
void km_pool_burn_own(struct km_peer *p, const struct km_key *key);   /* those we own */
/* Takes it out of every list (and the map); the presignature is the caller's. */
struct km_presig *km_pool_spend(struct km_peer *p, struct km_held *h);
void km_pool_burn(struct km_peer *p, struct km_held *h);
/* The best ready own presignature, NULL and why. */
struct km_held *km_pool_choose(struct km_peer *p, struct km_key *key, uint32_t excluded, unsigned *status);
struct km_pool *km_pool_get(struct km_key *key, uint32_t quorum);
/* The same; without a place left, the pool with the least of those whose members are not all usable gives up its own.
 * WHY: peers that come and go would leave stranded presignatures in every place, and nothing could be made until they are old. */
struct km_pool *km_pool_place(struct km_peer *p, struct km_key *key, uint32_t quorum, uint32_t usable);
unsigned km_pool_ready(const struct km_key *key, uint32_t usable);   /* own ready ones whose members are all in the set */
int km_pool_low(const struct km_peer *p, const struct km_pool *pool);

/* Puts those in the list that their whole quorum is ready for. */
void km_pool_promote(struct km_peer *p, struct km_lot *lot);

/* lot.c */
struct km_lot *km_lot_find(struct km_peer *p, const uint8_t sid[KM_HASH_SIZE]);
/* A lot for what a run gave, not in the list; NULL without memory. */
struct km_lot *km_lot_new(struct km_peer *p, const struct km_run *run, struct km_presig *const *got, size_t n);
void km_lot_free(struct km_lot *lot);
void km_lot_say_ready(struct km_peer *p, struct km_lot *lot);
void km_lot_on_ready(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
/* A READY of before our own end of the run. */
void km_lot_heard(struct km_peer *p, struct km_lot *lot, unsigned from, const uint8_t *raw, size_t len);
/* Every other member of the quorum is ready for this own presignature. */
int km_lot_complete(const struct km_lot *lot, const struct km_presig *ps);
/* The READY of a member of an own presignature, and behind it the row of the presignature: what E5 needs. KM_E_NOTFOUND,
 * KM_E_NOMEM. */
int km_lot_show(const struct km_lot *lot, unsigned member, const struct km_presig *ps, struct km_msg *ready, struct km_buf *row) KM_MUST;

/* refill.c */
void km_refill_tick(struct km_peer *p);
void km_refill_soon(struct km_peer *p, uint32_t delay_us);
/* busy: a member had no room for one more run by engine any. */
void km_refill_failed(struct km_peer *p, uint64_t lasted_us, int busy, unsigned engine);
void km_refill_succeeded(struct km_peer *p, unsigned engine, uint32_t participants);
unsigned km_refill_wanted(const struct km_peer *p, unsigned threshold, uint32_t usable, uint32_t *out);
/* Who of `all` makes presignatures by engine majority; 0: engine any has to. */
uint32_t km_refill_majority(const struct km_peer *p, const struct km_table *t, uint32_t all);

/* admit.c */
int km_admit_init(struct km_peer *p) KM_MUST;
void km_admit_free(struct km_peer *p);
/* Steps 2 to 6 of section 10 for a request; nothing changes. KM_STATUS_*. owner: who spends (self or the sender of a SIGN). */
unsigned km_admit_request(struct km_peer *p, const struct km_req *req, const uint8_t request_id[KM_HASH_SIZE], const uint8_t mac[KM_MAC_SIZE], unsigned owner,
			  struct km_key **key);
/* Steps 8 and on count: the spend, and the frontend's or the owner's rate. KM_E_NOMEM. */
int km_admit_spent(struct km_peer *p, const struct km_req *req, struct km_key *key, const uint8_t request_id[KM_HASH_SIZE], unsigned owner,
		   struct km_spend **spend) KM_MUST;
void km_admit_unspend(struct km_peer *p, struct km_spend *spend);

/* witness.c: checkpoints of audit logs, ours and those of others */
#define KM_WITNESS_FILE "witness.state"
void km_witness_checkpoint(struct km_peer *p, const struct km_event *ev);
void km_witness_proof(struct km_peer *p, const struct km_event *ev);
void km_witness_up(struct km_peer *p, unsigned peer);
void km_witness_on_checkpoint(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_witness_on_cosign(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_witness_persisted(struct km_peer *p, uint64_t token, int err);
int km_witness_load(struct km_peer *p, const uint8_t *data, size_t len) KM_MUST;
/* An operator has looked into a log that was refused: it is begun anew with it. 1 if there was something. */
unsigned km_witness_forget(struct km_peer *p, unsigned peer);
void km_witness_free(struct km_peer *p);

/* journal.c: what goes into the audit log. Of a share, and of a signature put together: before it leaves. */
int km_journal_share(struct km_peer *p, const struct km_req *req, const uint8_t request_id[KM_HASH_SIZE], const struct km_presig *ps,
		     const struct km_table *t, const struct km_point *rr) KM_MUST;
int km_journal_signature(struct km_peer *p, const struct km_reply *r, const uint8_t request_id[KM_HASH_SIZE]) KM_MUST;
void km_journal_epoch(struct km_peer *p, enum km_audit_purpose purpose, enum km_audit_epoch_what what, const struct km_table *t);
void km_journal_keygen_failed(struct km_peer *p, const char *name, unsigned threshold);
void km_journal_quarantine(struct km_peer *p, enum km_audit_quarantine_what what, unsigned peer, unsigned evidence, const uint8_t *digest);
void km_journal_process(struct km_peer *p, enum km_audit_process_what what, const char *text);
void km_journal_witness(struct km_peer *p, enum km_audit_witness_what what, unsigned peer, const struct km_checkpoint *seen,
			const struct km_checkpoint *said);

void km_admit_on_ping(struct km_peer *p, unsigned frontend, const uint8_t *d, size_t n);
void km_admit_on_table_ask(struct km_peer *p, unsigned frontend, const uint8_t *d, size_t n);

/* signer.c */
void km_signer_on_sign(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_signer_on_record_ask(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_signer_tick(struct km_peer *p);
void km_signer_free(struct km_peer *p);
/* Keeps what was signed; counts the spend. NULL without memory. */
struct km_record *km_signer_record(struct km_peer *p, const struct km_req *req, const struct km_presig *ps, const struct km_sign_input *in,
				   const struct km_sign_nonce *nonce, const struct km_scalar *s_i, struct km_key *key);

/* late.c */
/* The SHARE of `from` for this attempt has not come in its time. */
void km_late_note(struct km_peer *p, const struct km_flight *f, unsigned from);
/* 0, or how long it took if this is the one that is waited for: then it does not count. */
uint64_t km_late_came(struct km_peer *p, unsigned from, const uint8_t presig_id[KM_HASH_SIZE]);
void km_late_tick(struct km_peer *p);

/* queue.c */
void km_queue_free(struct km_peer *p);
/* 1: others have waited longer for presignatures of this key. */
int km_queue_behind(struct km_peer *p, struct km_key *key, const uint8_t request_id[KM_HASH_SIZE]);
/* A key has another highest epoch now. */
void km_queue_move(struct km_peer *p, const struct km_key *of);
/* It was refused because pools are empty, or others wait: it will be told. */
void km_queue_add(struct km_peer *p, struct km_key *key, unsigned frontend, const uint8_t request_id[KM_HASH_SIZE]);
void km_queue_remove(struct km_peer *p, const uint8_t request_id[KM_HASH_SIZE]);
void km_queue_tick(struct km_peer *p);

/* aggregate.c */
void km_aggregate_on_req(struct km_peer *p, unsigned frontend, const uint8_t *d, size_t n);
void km_aggregate_on_share(struct km_peer *p, unsigned from, const uint8_t *d, size_t n);
void km_aggregate_on_badsig(struct km_peer *p, unsigned frontend, const uint8_t *d, size_t n);
void km_aggregate_down(struct km_peer *p, unsigned peer);
void km_aggregate_owed(struct km_peer *p);
void km_aggregate_tick(struct km_peer *p);
void km_aggregate_free(struct km_peer *p);
/* A canary: like a request, of nobody. KM_E_EMPTY and the like. */
int km_aggregate_canary(struct km_peer *p, struct km_key *key, uint32_t quorum) KM_MUST;

/* inquiry.c */
/* Asks the suspects for their records. Takes the presignature of the flight's attempt with it. */
void km_inquiry_open(struct km_peer *p, struct km_flight *f, uint32_t suspects);
void km_inquiry_on_record(struct km_peer *p, unsigned from, const struct km_msg *msg);
void km_inquiry_tick(struct km_peer *p);
void km_inquiry_free(struct km_peer *p);

#endif
