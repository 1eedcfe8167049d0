/* identity.h: the secret file of a node: its Ed25519 signing key and its X25519 channel key, as text.
 *
 *	# keymesh identity. Secret: whoever reads it can speak as this node.
 *	version 1
 *	ed25519 <64 hex digits>
 *	x25519 <64 hex digits>
 *
 * The channel key is also the node's CurveZMQ key. */
#ifndef KMD_IDENTITY_H
#define KMD_IDENTITY_H

#include "base/limits.h"
#include "mesh/fail.h"
#include "proto/msg.h"

struct kmd_identity {
	struct km_identity sign;
	uint8_t channel_priv[32];
	uint8_t channel_pub[KM_CHANKEY_SIZE];
};

/* New keys. */
void kmd_identity_make(struct kmd_identity *id);
/* The file's text into buf (KMD_IDENTITY_TEXT bytes), which the caller wipes. */
#define KMD_IDENTITY_TEXT 320
size_t kmd_identity_format(char buf[KMD_IDENTITY_TEXT], const struct kmd_identity *id);
/* KM_E_ENCODING, KM_E_VERSION; derives the public keys. text ends with a zero byte and is changed. */
int kmd_identity_parse(struct kmd_identity *id, char *text, struct kmd_fail *f) KM_MUST;
int kmd_identity_load(struct kmd_identity *id, const char *path, struct kmd_fail *f) KM_MUST;
void kmd_identity_wipe(struct kmd_identity *id);

#endif
