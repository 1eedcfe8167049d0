/* keysource.h: where the sealing key comes from: exactly one of
 *
 *	key_file         64 hex digits, mode 0600
 *	credential       the same as a systemd credential
 *	command          the same as the standard output of a program
 *	passphrase_file  any text in one line, mode 0600; the key is Argon2id of it, salt and cost stand in state_dir/kdf
 *
 *	kdf:  "argon2id" passes KiB-of-memory lanes salt, 32 hex digits; one line, no secret */
#ifndef KMD_KEYSOURCE_H
#define KMD_KEYSOURCE_H

#include <stdint.h>
#include "mesh/conf.h"
#include "mesh/fail.h"

#define KMD_PASSPHRASE_MIN 12
#define KMD_PASSPHRASE_MAX 1024

/* The material: c->seal_key, or c->seal_pass of a passphrase. *key says which key of the group seal it is about. */
int kmd_keysource_read(struct kmd_config *c, const char **key, struct kmd_fail *f) KM_MUST;
enum kmd_keysource_for {
	KMD_KEY_OF_STATE, /* the key that state_dir is sealed under: a missing kdf is made when there are no sealed files yet */
	KMD_KEY_NEW,	  /* one that it will be sealed under: a missing kdf is made */
};
/* Makes c->seal_key of c->seal_pass; nothing to do for the other sources. Takes some tenths of a second. */
int kmd_keysource_derive(struct kmd_config *c, enum kmd_keysource_for what, struct kmd_fail *f) KM_MUST;

#endif
