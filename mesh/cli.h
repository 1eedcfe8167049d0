/* cli.h: what the commands of keymesh share. */
#ifndef KMD_CLI_H
#define KMD_CLI_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "mesh/fail.h"
#include "rpc/rpc.h"

/* Exit status of keymesh. */
enum kmd_exit {
	KMD_EXIT_OK = 0,
	KMD_EXIT_FAILED = 1,	/* the daemon refused, or a file could not be read or written */
	KMD_EXIT_RETRY = 2,	/* no quorum, no presignature, deadline, busy: may work later */
	KMD_EXIT_NO_DAEMON = 3, /* no keymeshd answers on the socket */
	KMD_EXIT_USAGE = 64,
};

struct kmd_command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
	const char *summary, *usage;
};

/* The commands, each in its own file. */
int kmd_cmd_init(int argc, char **argv);
int kmd_cmd_keygen(int argc, char **argv);
int kmd_cmd_status(int argc, char **argv);
int kmd_cmd_stub(int argc, char **argv);
int kmd_cmd_csr(int argc, char **argv);
int kmd_cmd_selfsign(int argc, char **argv);
int kmd_cmd_sign(int argc, char **argv);
int kmd_cmd_bench(int argc, char **argv);
int kmd_cmd_evidence(int argc, char **argv);
int kmd_cmd_transcript(int argc, char **argv);
int kmd_cmd_quarantine(int argc, char **argv);
int kmd_cmd_rotate(int argc, char **argv);
int kmd_cmd_retire(int argc, char **argv);
int kmd_cmd_refresh(int argc, char **argv);
int kmd_cmd_reshare(int argc, char **argv);
int kmd_cmd_recover(int argc, char **argv);
int kmd_cmd_audit(int argc, char **argv);
/* Of audit logs, on standard output: one entry as a line; a unix time in ms; " name=HEX". */
void kmd_cli_show_entry(uint64_t seq, const uint8_t *entry, size_t len);
void kmd_cli_put_time(uint64_t ms);
void kmd_cli_put_hex(const char *name, const uint8_t *p, size_t n);
int kmd_cmd_reseal(int argc, char **argv);
int kmd_cmd_backup(int argc, char **argv);
int kmd_cmd_restore(int argc, char **argv);
int kmd_cmd_drill(int argc, char **argv);

/* Says "keymesh: ..." on stderr and returns the exit status of err. */
int kmd_cli_error(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Wrong usage: says so, points to --help. */
int kmd_cli_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A decimal number of min..max; -1 if it is none. */
long kmd_cli_number(const char *text, long min, long max);
/* Writes to path ("-" or NULL: stdout; else a new file of that mode). */
int kmd_cli_write(const char *path, unsigned mode, const void *data, size_t len) KM_MUST;

/* ---- files of proofs; each has said on stderr what is wrong when it gives NULL or not 0 */

struct km_roster;
struct km_table;
/* "-": standard input. Malloc'd. */
uint8_t *kmd_cli_read_file(const char *path, size_t *len);
/* The list `peers` of roster.conf, or of a keymesh.conf that includes it. */
int kmd_cli_read_roster(struct km_roster *r, const char *path) KM_MUST;
/* A table alone, or that of an evidence file. */
int kmd_cli_read_table(struct km_table *t, const char *path) KM_MUST;

/* ---- talking to the daemon */

struct kmd_cli {
	int fd;
	uint32_t seq;
	uint8_t *in;
	size_t in_len, in_used;
	struct kmd_fail fail;
};

/* socket: --socket's argument, else $KEYMESH_SOCKET, else /run/keymesh/keymesh.sock; "@name" is abstract. */
int kmd_cli_open(struct kmd_cli *c, const char *socket) KM_MUST;
void kmd_cli_close(struct kmd_cli *c);
int kmd_cli_send(struct kmd_cli *c, const struct km_buf *b) KM_MUST;
/* The next frame, valid until the next call. KM_E_DEADLINE after timeout_ms (negative: none), KM_E_IO. */
int kmd_cli_recv(struct kmd_cli *c, int timeout_ms, struct km_rpc_frame *f) KM_MUST;
/* Sends b (one request with seq c->seq), shows PROGRESS on stderr, takes the last answer of `type`. An ERROR becomes its code,
 * its text is in c->fail. */
int kmd_cli_call(struct kmd_cli *c, const struct km_buf *b, unsigned type, int timeout_ms, struct km_rpc_frame *f) KM_MUST;
/* The daemon's status, JSON; text borrows from c until the next call. */
int kmd_cli_status(struct kmd_cli *c, struct km_rpc_text *text) KM_MUST;
int kmd_cli_key(struct kmd_cli *c, const char *name, struct km_rpc_key_info *info) KM_MUST;
int kmd_cli_sign(struct kmd_cli *c, const uint8_t key_id[KM_HASH_SIZE], unsigned context, const void *data, size_t len,
		 struct km_rpc_signature *sig) KM_MUST;

#define KMD_CLI_DEADLINE_MS 10000
/* How long a key generation may take: ten rounds of waiting for a slow peer. */
#define KMD_CLI_KEYGEN_MS 180000
/* A reshare: waiting for peers that are busy, the run, the certificate, a canary of every quorum. */
#define KMD_CLI_RESHARE_MS 300000

#endif
