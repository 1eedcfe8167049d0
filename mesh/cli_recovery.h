/* cli_recovery.h: what keymesh backup, restore and drill share. */
#ifndef KMD_CLI_RECOVERY_H
#define KMD_CLI_RECOVERY_H

#include "mesh/backup.h"
#include "mesh/cli.h"
#include "mesh/record.h"

/* A tool asks people for a passphrase or a touch. */
#define KMD_TOOL_TIMEOUT_S 600

/* How a custodian decrypts: age with the identity of a file, else gpg. */
struct kmd_opener {
	const char *identity;
	int gpg;
};

struct kmd_opened {
	uint8_t *raw;                   /* the whole file */
	size_t raw_len;
	struct kmd_backup_head head;    /* into raw */
	uint8_t *text;                  /* decrypted; plain points into it */
	struct kmd_backup_plain *plain; /* in the secret arena, as are the two others */
	struct km_share *share;
};

/* Reads, decrypts and checks one file; f begins with its path. */
int kmd_opened_read(struct kmd_opened *o, const char *path, const struct kmd_opener *how, struct kmd_fail *f) KM_MUST;
void kmd_opened_clear(struct kmd_opened *o);
/* Hands a record to the daemon at the socket. KM_E_IO: none answers. f: what it said, also when all is well. */
int kmd_cli_hand_in(const char *socket, const struct kmd_record *r, struct kmd_fail *f) KM_MUST;
/* The record as a line of text, on out. */
void kmd_cli_put_record(FILE *out, const struct kmd_record *r);

#endif
