/* metrics.c: the daemon's status as Prometheus text (exposition format 0.0.4). One table says what becomes of which field. */
#include "config.h"
#include "http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

enum scope { ROOT, MEMORY, IO, PEER, LINKS, KEYS, POOLS, FRONTEND, UPSTREAMS, FRONTEND_KEYS };

struct metric {
	enum scope scope;
	const char *field, *name, *type;
	double scale;
	const char *help;
};

/* clang-format off */
static const struct metric metrics[] = {
	/* names that the mission gives */
	{ KEYS, "threshold", "tls_threshold_quorum_size", "gauge", 1, "Peers that it takes to sign with this key." },
	{ KEYS, "ready", "tls_threshold_precompute_pool_depth", "gauge", 1, "Presignatures of this peer that are ready to be used." },
	{ PEER, "runs_dropped", "tls_threshold_abort_count", "counter", 1, "Protocol runs that ended without a result." },
	{ PEER, "convictions", "tls_threshold_malicious_flagged", "counter", 1, "Peers that this one has seen proved to have cheated." },

	{ ROOT, "uptime_s", "keymesh_uptime_seconds", "gauge", 1, "Since the daemon was started." },
	{ ROOT, "rollbacks", "keymesh_rollbacks_total", "counter", 1, "Times that the machine seemed restored, cloned or suspended." },
	{ MEMORY, "secret_bytes", "keymesh_secret_memory_bytes", "gauge", 1, "Memory for secrets that is in use." },
	{ MEMORY, "locked", "keymesh_secret_memory_locked", "gauge", 1, "1 when that memory is never written to a swap device." },

	{ IO, "frames_sent", "keymesh_frames_sent_total", "counter", 1, "Messages to other nodes." },
	{ IO, "frames_received", "keymesh_frames_received_total", "counter", 1, "Messages of other nodes." },
	{ IO, "frames_not_sent", "keymesh_frames_not_sent_total", "counter", 1, "Messages that found no room on their way out." },
	{ IO, "frames_malformed", "keymesh_frames_malformed_total", "counter", 1, "Messages that could not be read." },
	{ IO, "connections_refused", "keymesh_connections_refused_total", "counter", 1, "Connections with a key that is not in the configuration." },
	{ IO, "handshakes_failed", "keymesh_handshakes_failed_total", "counter", 1, "Connections whose handshake failed." },
	{ IO, "clients", "keymesh_local_clients", "gauge", 1, "Connections to the unix sockets." },
	{ IO, "clients_refused", "keymesh_local_clients_refused_total", "counter", 1, "Connections to the unix sockets that were refused." },
	{ IO, "requests_in_flight", "keymesh_local_requests_in_flight", "gauge", 1, "Requests of local clients that wait for their answer." },

	{ PEER, "signed_as_aggregator", "keymesh_signatures_aggregated_total", "counter", 1, "Signatures that this peer put together." },
	{ PEER, "signed_as_signer", "keymesh_shares_released_total", "counter", 1, "Shares of signatures that this peer gave to others." },
	{ PEER, "presigned", "keymesh_presignatures_made_total", "counter", 1, "Presignatures made." },
	{ PEER, "runs_active", "keymesh_runs_active", "gauge", 1, "Protocol runs that go on." },
	{ PEER, "runs_done", "keymesh_runs_done_total", "counter", 1, "Protocol runs that gave a result." },
	{ PEER, "runs_dropped", "keymesh_runs_dropped_total", "counter", 1, "Protocol runs that ended without a result." },
	{ PEER, "refused", "keymesh_requests_refused_total", "counter", 1, "Requests that this peer would not sign." },
	{ PEER, "retries", "keymesh_retries_total", "counter", 1, "Signatures begun anew with other peers." },
	{ PEER, "convictions", "keymesh_convictions_total", "counter", 1, "Peers that this one has seen proved to have cheated." },
	{ PEER, "disputes", "keymesh_disputes_total", "counter", 1, "Accusations between two peers." },
	{ PEER, "dropped_frames", "keymesh_frames_dropped_total", "counter", 1, "Messages of peers that were not valid." },
	{ PEER, "jobs", "keymesh_jobs_pending", "gauge", 1, "Work that waits for or is in a worker thread." },
	{ PEER, "audit_bytes", "keymesh_audit_bytes", "gauge", 1, "Size of the audit log." },

	{ LINKS, "live", "keymesh_peer_live", "gauge", 1, "1 when that peer answered within the last seconds." },
	{ LINKS, "rtt_us", "keymesh_peer_rtt_seconds", "gauge", 1e-6, "Round trip to that peer, smoothed." },
	{ LINKS, "clock_offset_ms", "keymesh_peer_clock_offset_seconds", "gauge", 1e-3, "Its clock less ours." },
	{ LINKS, "suspicion", "keymesh_peer_suspicion", "gauge", 1, "Score of the link to it; it decays." },
	{ LINKS, "suspected", "keymesh_peer_suspected", "gauge", 1, "1 when quorums with it are avoided." },
	{ LINKS, "quarantined", "keymesh_peer_quarantined", "gauge", 1, "1 when nothing is signed with it." },
	{ LINKS, "roster_mismatch", "keymesh_peer_roster_mismatch", "gauge", 1, "1 when its configuration names other peers than ours." },

	{ KEYS, "epoch", "keymesh_key_epoch", "gauge", 1, "Number of the epoch: unix time of its making, or later." },
	{ KEYS, "held", "keymesh_presignatures_held", "gauge", 1, "Presignatures held as a member of any quorum." },
	{ KEYS, "backup_age_s", "keymesh_backup_age_seconds", "gauge", 1, "Since this peer's share of the epoch was backed up last; +Inf: never." },
	{ KEYS, "drill_age_s", "keymesh_drill_age_seconds", "gauge", 1,
	  "Since the drill that is longest ago, of all members' backups of the epoch; +Inf: not of all yet." },
	{ POOLS, "ready", "keymesh_pool_ready", "gauge", 1, "Presignatures ready, by quorum." },
	{ POOLS, "alive", "keymesh_pool_alive", "gauge", 1, "1 when all members of the quorum are live." },

	{ FRONTEND, "requests", "keymesh_frontend_requests_total", "counter", 1, "Signatures asked for." },
	{ FRONTEND, "signatures", "keymesh_frontend_signatures_total", "counter", 1, "Signatures made and verified." },
	{ FRONTEND, "failed", "keymesh_frontend_failed_total", "counter", 1, "Requests that got no signature." },
	{ FRONTEND, "hedged", "keymesh_frontend_hedged_total", "counter", 1, "Requests sent to a second peer, as the first was slow." },
	{ FRONTEND, "bad_replies", "keymesh_frontend_bad_replies_total", "counter", 1, "Signatures of peers that did not verify." },
	{ FRONTEND, "in_flight", "keymesh_frontend_in_flight", "gauge", 1, "Requests at work." },
	{ UPSTREAMS, "live", "keymesh_frontend_peer_live", "gauge", 1, "1 when that peer answered within the last seconds." },
	{ UPSTREAMS, "rtt_us", "keymesh_frontend_peer_rtt_seconds", "gauge", 1e-6, "Round trip to that peer, smoothed." },
	{ UPSTREAMS, "reply_us", "keymesh_frontend_peer_reply_seconds", "gauge", 1e-6, "Time that peer takes to a signature, smoothed." },
	{ UPSTREAMS, "ready", "keymesh_frontend_peer_presignatures", "gauge", 1, "Presignatures it could use now." },
	{ UPSTREAMS, "score", "keymesh_frontend_peer_suspicion", "gauge", 1, "Score of that peer as seen from here; it decays." },
	{ FRONTEND_KEYS, "threshold", "keymesh_frontend_key_threshold", "gauge", 1, "Peers that it takes to sign with this key." },
	{ FRONTEND_KEYS, "handshakes", "keymesh_frontend_key_handshakes_total", "counter", 1, "Handshakes of local servers signed with this key." },
	{ FRONTEND_KEYS, "last_handshake_ms", "keymesh_frontend_key_last_handshake_timestamp_seconds", "gauge", 1e-3, "When the last one was; 0 = none yet." },
	{ FRONTEND_KEYS, "epoch", "keymesh_frontend_key_epoch", "gauge", 1, "Number of the epoch that the peers state." },
};
/* clang-format on */

/* name="value" with what the format wants escaped. */
static void put_label(char *out, size_t size, const char *name, const char *value)
{
	size_t n = strlen(out);

	n += (size_t)snprintf(out + n, size - n, "%s%s=\"", n ? "," : "", name);
	for (; *value && n + 4 < size; value++) {
		if (*value == '"' || *value == '\\' || *value == '\n')
			out[n++] = '\\';
		out[n++] = *value == '\n' ? 'n' : *value;
	}
	out[n++] = '"';
	out[n] = '\0';
}

static void put_value(struct km_buf *b, const json_t *v, double scale)
{
	char text[40];

	if (json_is_null(v)) /* an age of what never was: alarms on large ones go off */
		snprintf(text, sizeof(text), "+Inf");
	else if (json_is_boolean(v))
		snprintf(text, sizeof(text), "%d", json_is_true(v));
	else if (json_is_integer(v) && scale == 1)
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
	else
		snprintf(text, sizeof(text), "%.9g", json_number_value(v) * scale);
	km_put_bytes(b, text, strlen(text));
}

static void put_sample(struct km_buf *b, const struct metric *m, const json_t *o, const char *labels)
{
	const json_t *v = json_object_get(o, m->field);

	if (!v)
		return;
	km_put_bytes(b, m->name, strlen(m->name));
	if (*labels) {
		km_put_u8(b, '{');
		km_put_bytes(b, labels, strlen(labels));
		km_put_u8(b, '}');
	}
	km_put_u8(b, ' ');
	put_value(b, v, m->scale);
	km_put_u8(b, '\n');
}

static void put_head(struct km_buf *b, const char *name, const char *type, const char *help)
{
	char text[400];

	snprintf(text, sizeof(text), "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
	km_put_bytes(b, text, strlen(text));
}

static void put_pools(struct km_buf *b, const struct metric *m, const json_t *key)
{
	const json_t *pool, *id;
	size_t i, j;

	json_array_foreach(json_object_get(key, "pools"), i, pool) {
		char labels[300] = "", quorum[KM_MAX_PEERS * 3 + 1] = "";
		size_t n = 0;

		json_array_foreach(json_object_get(pool, "quorum"), j, id)
			if (n < sizeof(quorum) - 4)
				n += (size_t)snprintf(quorum + n, sizeof(quorum) - n, "%s%d", n ? "-" : "", (int)json_integer_value(id) & 63);
		put_label(labels, sizeof(labels), "key", json_string_value(json_object_get(key, "name")));
		put_label(labels, sizeof(labels), "quorum", quorum);
		put_sample(b, m, pool, labels);
	}
}

static void put_list(struct km_buf *b, const struct metric *m, const json_t *list)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		const char *name = json_string_value(json_object_get(o, "name"));
		char labels[300] = "", id[12];

		if (!name || json_is_true(json_object_get(o, "self")))
			continue;
		if (m->scope == POOLS) {
			put_pools(b, m, o);
			continue;
		}
		if (m->scope == LINKS || m->scope == UPSTREAMS) {
			snprintf(id, sizeof(id), "%d", (int)json_integer_value(json_object_get(o, "id")));
			put_label(labels, sizeof(labels), "id", id);
			put_label(labels, sizeof(labels), "peer", name);
		} else {
			put_label(labels, sizeof(labels), "key", name);
		}
		put_sample(b, m, o, labels);
	}
}

static void put_metric(struct km_buf *b, const struct metric *m, const json_t *status)
{
	const json_t *peer = json_object_get(status, "peer"), *frontend = json_object_get(status, "frontend"), *o = NULL, *list = NULL;

	switch (m->scope) {
	case ROOT:
		o = status;
		break;
	case MEMORY:
		o = json_object_get(status, "memory");
		break;
	case IO:
		o = json_object_get(status, "io");
		break;
	case PEER:
		o = peer;
		break;
	case LINKS:
		list = json_object_get(peer, "peers");
		break;
	case KEYS:
	case POOLS:
		list = json_object_get(peer, "keys");
		break;
	case FRONTEND:
		o = frontend;
		break;
	case UPSTREAMS:
		list = json_object_get(frontend, "peers");
		break;
	case FRONTEND_KEYS:
		list = json_object_get(frontend, "keys");
		break;
	}
	if (!o && !json_array_size(list))
		return;
	put_head(b, m->name, m->type, m->help);
	if (o)
		put_sample(b, m, o, "");
	else
		put_list(b, m, list);
}

/* The daemon counts in microseconds: bounds "le", counts "n" of each bucket alone, "count" and "sum" of all. */
static void put_histogram(struct km_buf *b, const json_t *h, const char *name, double scale, const char *help)
{
	const json_t *le = json_object_get(h, "le"), *n = json_object_get(h, "n");
	long long count = json_integer_value(json_object_get(h, "count")), below = 0;
	char text[160];

	if (!json_array_size(le))
		return;
	put_head(b, name, "histogram", help);
	for (size_t i = 0; i < json_array_size(le); i++) {
		below += json_integer_value(json_array_get(n, i));
		snprintf(text, sizeof(text), "%s_bucket{le=\"%.9g\"} %lld\n", name, (double)json_integer_value(json_array_get(le, i)) * scale, below);
		km_put_bytes(b, text, strlen(text));
	}
	snprintf(text, sizeof(text), "%s_bucket{le=\"+Inf\"} %lld\n%s_sum %.9g\n%s_count %lld\n", name, count, name,
		 (double)json_integer_value(json_object_get(h, "sum")) * scale, name, count);
	km_put_bytes(b, text, strlen(text));
}

static void put_build_info(struct km_buf *b, const json_t *status)
{
	const char *version = json_string_value(json_object_get(status, "version")), *node = json_string_value(json_object_get(status, "name"));
	char labels[300] = "";

	put_head(b, "keymesh_build_info", "gauge", "Always 1; what runs here.");
	put_label(labels, sizeof(labels), "node", node ? node : "");
	put_label(labels, sizeof(labels), "version", version ? version : "");
	km_put_bytes(b, "keymesh_build_info{", 19);
	km_put_bytes(b, labels, strlen(labels));
	km_put_bytes(b, "} 1\n", 4);
}

char *kmh_metrics(const json_t *status)
{
	const json_t *sign = json_object_get(status, "sign_us");
	char *text = NULL;
	struct km_buf b;

	km_buf_init(&b);
	put_build_info(&b, status);
	put_histogram(&b, sign, "tls_threshold_sign_duration_ms", 1e-3, "Time from a local request to its verified signature.");
	put_histogram(&b, sign, "keymesh_sign_duration_seconds", 1e-6, "Time from a local request to its verified signature.");
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		put_metric(&b, &metrics[i], status);
	km_put_u8(&b, 0);
	if (!b.err)
		text = strdup((const char *)b.data);
	km_buf_clear(&b);
	return text;
}
