/* note.h: signed notes (C2SP signed-note): a text, an empty line, and lines of signatures:
 *
 *	— NAME BASE64(key id 4 | signature)
 *
 * The text is what is signed; lines of keys that a reader does not know mean nothing to it. */
#ifndef KM_AUDIT_NOTE_H
#define KM_AUDIT_NOTE_H

#include "../base/buf.h"
#include "../base/limits.h"

#define KM_NOTE_MAX 16384
#define KM_NOTE_NAME_MAX 255
#define KM_NOTE_SIGS (KM_MAX_PEERS + 8)
#define KM_NOTE_SIG_MAX 80
#define KM_NOTE_ID 4

enum km_note_key { KM_NOTE_ED25519 = 1, KM_NOTE_COSIGNATURE = 4 };

struct km_note_sig {
	const char *name;                  /* into the note */
	size_t name_len;
	uint8_t id[KM_NOTE_ID];
	uint8_t sig[KM_NOTE_SIG_MAX];
	size_t len;
};

struct km_note {
	const char *text;                  /* into the input; ends with its newline */
	size_t len;
	unsigned n;
	struct km_note_sig sigs[KM_NOTE_SIGS];
};

/* 1 for a name that can be a key's: no space, no plus, printable. */
int km_note_name_valid(const char *name, size_t n) KM_MUST;
/* SHA-256(name | \n | type | public key), its first four bytes. */
void km_note_key_id(const char *name, size_t n, enum km_note_key type, const uint8_t pub[KM_IDKEY_SIZE], uint8_t id[KM_NOTE_ID]);
/* Appends one signature line. */
void km_note_put_sig(struct km_buf *b, const char *name, size_t n, const uint8_t id[KM_NOTE_ID], const uint8_t *sig, size_t len);
/* KM_E_ENCODING, KM_E_LIMIT; borrows from p. */
int km_note_parse(struct km_note *note, const void *p, size_t n) KM_MUST;
/* The signature of a name and key; NULL. */
const struct km_note_sig *km_note_find(const struct km_note *note, const char *name, size_t n, const uint8_t id[KM_NOTE_ID]);

/* Base64 as notes have it (RFC 4648 section 4, padded). decode: KM_E_ENCODING unless exactly *len bytes at most max came out. */
void km_base64_put(struct km_buf *b, const uint8_t *p, size_t n);
int km_base64_get(uint8_t *out, size_t max, size_t *len, const char *p, size_t n) KM_MUST;

#endif
