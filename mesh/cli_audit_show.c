/* cli_audit_show.c: entries of audit logs as lines for people. */
#include "config.h"
#include "mesh/cli.h"

#include <time.h>
#include "audit/entry.h"
#include "base/context.h"

void kmd_cli_put_time(uint64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];

	if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		printf("%s.%03uZ", text, (unsigned)(ms % 1000));
}

void kmd_cli_put_hex(const char *name, const uint8_t *p, size_t n)
{
	printf(" %s=", name);
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
}

static void put_set(const char *name, uint32_t set)
{
	int any = 0;

	printf(" %s=", name);
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (set >> (i - 1) & 1)
			printf(any++ ? ",%u" : "%u", i);
}

static void show_share(const struct km_audit_share *s)
{
	const char *context = km_context_name(s->context);

	printf(" context=%s frontend=%u aggregator=%u", context ? context : "?", s->frontend, s->owner);
	put_set("quorum", s->quorum);
	printf(" epoch=%llu", (unsigned long long)s->epoch);
	kmd_cli_put_hex("key", s->key_id, KM_HASH_SIZE);
	kmd_cli_put_hex("request", s->request_id, KM_HASH_SIZE);
	kmd_cli_put_hex("presignature", s->presig_id, KM_HASH_SIZE);
	kmd_cli_put_hex("table", s->table, KM_HASH_SIZE);
	kmd_cli_put_hex("sha256", s->bytes_hash, KM_HASH_SIZE);
	kmd_cli_put_hex("R", s->rr, s->n);
}

static void show_body(const struct km_audit_entry *e)
{
	static const char *const purposes[] = {"?", "keygen", "refresh", "reshare", "recovery"}, *const whats[] = {"?", "stored", "usable", "failed", "wiped"},
				 *const verdicts[] = {"?", "convicted", "cleared", "accused"}, *const process[] = {"?", "start", "stop", "rollback"},
				 *const witness[] = {"?", "shrunk", "forked", "not-proved"};

	switch (e->kind) {
	case KM_AUDIT_SHARE:
		show_share(&e->u.share);
		break;
	case KM_AUDIT_SIGNATURE:
		kmd_cli_put_hex("request", e->u.signature.request_id, KM_HASH_SIZE);
		kmd_cli_put_hex("presignature", e->u.signature.presig_id, KM_HASH_SIZE);
		kmd_cli_put_hex("r", e->u.signature.r, e->u.signature.n);
		kmd_cli_put_hex("s", e->u.signature.s, e->u.signature.n);
		break;
	case KM_AUDIT_EPOCH:
		printf(" %s %s name=%s epoch=%llu threshold=%u", purposes[e->u.epoch.purpose], whats[e->u.epoch.what], e->u.epoch.name,
		       (unsigned long long)e->u.epoch.epoch, e->u.epoch.threshold);
		put_set("members", e->u.epoch.members);
		kmd_cli_put_hex("key", e->u.epoch.key_id, KM_HASH_SIZE);
		kmd_cli_put_hex("table", e->u.epoch.table, KM_HASH_SIZE);
		break;
	case KM_AUDIT_QUARANTINE:
		printf(" %s peer=%u evidence=%u", verdicts[e->u.quarantine.what], e->u.quarantine.peer, e->u.quarantine.evidence);
		kmd_cli_put_hex("digest", e->u.quarantine.digest, KM_HASH_SIZE);
		break;
	case KM_AUDIT_OPERATOR:
		printf(" %s uid=%u text=\"%s\"", km_audit_action_name(e->u.op.action), (unsigned)e->u.op.uid, e->u.op.text);
		break;
	case KM_AUDIT_PROCESS:
		printf(" %s text=\"%s\"", process[e->u.process.what], e->u.process.text);
		break;
	case KM_AUDIT_WITNESS:
		printf(" %s peer=%u seen=%llu said=%llu", witness[e->u.witness.what], e->u.witness.peer, (unsigned long long)e->u.witness.seen_size,
		       (unsigned long long)e->u.witness.said_size);
		kmd_cli_put_hex("seen-root", e->u.witness.seen_root, KM_HASH_SIZE);
		kmd_cli_put_hex("said-root", e->u.witness.said_root, KM_HASH_SIZE);
		break;
	default:
		break;
	}
}

void kmd_cli_show_entry(uint64_t seq, const uint8_t *entry, size_t len)
{
	struct km_audit_entry e;
	int err = km_audit_decode(&e, entry, len);

	printf("%llu ", (unsigned long long)seq);
	if (err) {
		printf("not readable by this version: %s\n", km_strerror(err));
		return;
	}
	kmd_cli_put_time(e.time_ms);
	printf(" %s", km_audit_kind_name(e.kind));
	show_body(&e);
	putchar('\n');
}
