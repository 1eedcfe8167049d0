/* monitor.h: holds the logs of all peers against each other. Every signature must stand in the log of each member of its quorum; a
 * presignature is for one request. Fed with entries in the order of each log; memory is bounded, what
 * is complete is forgotten first.
 *
 * A share that is missing is called so only when its peer's log has gone on past it, or is silent for too long. */
#ifndef KM_AUDIT_MONITOR_H
#define KM_AUDIT_MONITOR_H

#include "entry.h"

enum km_alert_kind {
	KM_ALERT_MISSING = 1,  /* a signature was made, and a member of its quorum has no entry of its share */
	KM_ALERT_REUSED,       /* one presignature, two requests: somebody may compute the key */
	KM_ALERT_ABORTS,       /* many shares, no signatures */
	KM_ALERT_BLIND,        /* a bare digest was signed */
	KM_ALERT_RATE,         /* far more signatures of a key than usual */
	KM_ALERT_SILENT,       /* a log does not go on while others name its peer */
	KM_ALERT_WITNESS,      /* a peer has logged that another's log was cut or forked */
	KM_ALERT_QUARANTINE,   /* a peer was convicted */
	KM_ALERT_FULL,         /* more signatures that are not complete than memory is kept for: some were not checked */
	KM_ALERT_SIGNATURE,    /* a signature without a share of its aggregator */
};

struct km_alert {
	enum km_alert_kind kind;
	uint8_t peer;                   /* whom it is about, 0 = nobody */
	uint64_t time_ms, count;
	uint8_t presig_id[KM_HASH_SIZE], key_id[KM_HASH_SIZE];
};

const char *km_alert_name(unsigned kind);

struct km_monitor_params {
	uint32_t peers;                 /* whose logs are followed */
	uint64_t grace_ms;              /* logs may differ by so much */
	uint64_t silent_ms;             /* a log that is named by others and says nothing for so long */
	uint64_t open_max;              /* signatures remembered */
	uint64_t aborts;                /* in a window: an abort storm */
	uint64_t rate_floor, rate_times; /* more than floor signatures of a key in a window, and times those of the one before */
	uint64_t window_ms;
};
void km_monitor_defaults(struct km_monitor_params *p);

struct km_monitor;
typedef void (*km_alert_fn)(void *ctx, const struct km_alert *a);

int km_monitor_new(struct km_monitor **out, const struct km_monitor_params *p, km_alert_fn fn, void *ctx) KM_MUST;
void km_monitor_free(struct km_monitor *m);
/* The next entry of that peer's log. KM_E_NOMEM. */
int km_monitor_entry(struct km_monitor *m, unsigned peer, const struct km_audit_entry *e) KM_MUST;
/* Earlier parts of that log were pruned: it cannot be asked for what was before this time. */
void km_monitor_begins(struct km_monitor *m, unsigned peer, uint64_t time_ms);
/* That log was read up to its end at this time. */
void km_monitor_at_end(struct km_monitor *m, unsigned peer, uint64_t now_ms);
void km_monitor_tick(struct km_monitor *m, uint64_t now_ms);
/* Nothing more will come: everything still open is judged. */
void km_monitor_finish(struct km_monitor *m);

struct km_monitor_counts {
	uint64_t entries, complete, aborted, missing, open, alerts;
};
void km_monitor_counts(const struct km_monitor *m, struct km_monitor_counts *out);

#endif
