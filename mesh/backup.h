/* backup.h: the file that one peer's share of one epoch is kept in, encrypted to recovery recipients.
 *
 *	keymesh-backup 1
 *	mesh ROSTER-HASH            hex; so are key-id and table
 *	peer ID NAME
 *	key NAME
 *	key-id HASH
 *	epoch NUMBER
 *	table HASH
 *	made UNIX-MS
 *	recipient STRING            one line for each
 *	payload BYTES
 *	(an empty line, then what the tool (age, gpg) made of:)
 *
 *	"KMBKUP" | version u16 = 1 | SHA-256 of the lines before "payload" | Ed25519 and X25519 private keys 32 each | files u8 |
 *	(name, contents)*, each with its length as u32 before it
 *
 * The files are the stored share (proto/table.h) and, if there is one, its certificate. One file, one peer, one share. */
#ifndef KMD_BACKUP_H
#define KMD_BACKUP_H

#include "base/buf.h"
#include "mesh/conf.h"
#include "mesh/fail.h"
#include "proto/table.h"

#define KMD_BACKUP_RECIPIENTS 16
#define KMD_BACKUP_RECIPIENT 2000      /* characters of one; age's are 62, ssh keys are longer */
#define KMD_BACKUP_COMMAND 32          /* words of the command that encrypts */
#define KMD_BACKUP_HEAD_MAX (KMD_BACKUP_RECIPIENTS * (KMD_BACKUP_RECIPIENT + 16) + 1024)
#define KMD_BACKUP_FILES 2
#define KMD_BACKUP_PLAIN_MAX 65536
#define KMD_BACKUP_MAX (KMD_BACKUP_HEAD_MAX + 2 * KMD_BACKUP_PLAIN_MAX + 8192)
#define KMD_BACKUP_ENDING ".keymesh-backup"

/* The head, in clear. Strings point into the text it was parsed from. */
struct kmd_backup_head {
	uint8_t mesh[KM_HASH_SIZE], key_id[KM_HASH_SIZE], table[KM_HASH_SIZE];
	unsigned peer;
	char peer_name[KM_MAX_NAME + 1], key_name[KM_MAX_NAME + 1];
	uint64_t number, made_ms;
	unsigned n_recipients;
	const char *recipient[KMD_BACKUP_RECIPIENTS];
	size_t recipient_len[KMD_BACKUP_RECIPIENTS];
	uint8_t hash[KM_HASH_SIZE]; /* of its lines, without the last */
};

struct kmd_backup_file {
	char name[KM_MAX_NAME + 34];
	const uint8_t *data;
	size_t len;
};

/* What was encrypted. data of files points into the text it was parsed from, or is the maker's. */
struct kmd_backup_plain {
	uint8_t head[KM_HASH_SIZE], ed25519[32], x25519[32];
	unsigned n_files;
	struct kmd_backup_file file[KMD_BACKUP_FILES];
};

/* Appends the head; fills in h->hash. */
int kmd_backup_put_head(struct km_buf *out, struct kmd_backup_head *h, size_t payload) KM_MUST;
/* The whole file: head, and where the payload is. f says what is wrong. KM_E_ENCODING, KM_E_VERSION. */
int kmd_backup_parse(struct kmd_backup_head *h, const uint8_t **payload, size_t *payload_len, const uint8_t *p, size_t n,
		     struct kmd_fail *f) KM_MUST;
/* 1 when a recipient of both is the same; it is copied to name. */
int kmd_backup_shared(const struct kmd_backup_head *a, const struct kmd_backup_head *b, char *name, size_t size);
int kmd_backup_plain_encode(struct km_buf *out, const struct kmd_backup_plain *p) KM_MUST;
int kmd_backup_plain_decode(struct kmd_backup_plain *out, const uint8_t *p, size_t n) KM_MUST;
/* Opens the share in p (a stored share of peer h->peer, x_i G = X_i, the table that the head names, a valid own STORED) and checks that it
 * is what h says. share is wiped on failure. KM_E_MISMATCH ...; f says what does not fit. */
int kmd_backup_open_share(struct km_share *share, const struct kmd_backup_head *h, const struct kmd_backup_plain *p,
			  struct kmd_fail *f) KM_MUST;
/* The own STORED that a share brings: by the identity the table has for it. */
int kmd_share_check(const struct km_share *s) KM_MUST;

#endif
