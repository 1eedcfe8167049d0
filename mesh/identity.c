/* identity.c: see identity.h. */
#include "config.h"
#include "mesh/identity.h"

#include <stdio.h>
#include <string.h>
#include "base/secret.h"
#include "base/sig.h"
#include "mesh/files.h"

static void derive(struct kmd_identity *id)
{
	km_ed25519_public(id->sign.priv, id->sign.pub);
	km_x25519_public(id->channel_priv, id->channel_pub);
	km_declassify(id->sign.pub, sizeof(id->sign.pub));
	km_declassify(id->channel_pub, sizeof(id->channel_pub));
}

void kmd_identity_make(struct kmd_identity *id)
{
	kmd_random(id->sign.priv, sizeof(id->sign.priv));
	kmd_random(id->channel_priv, sizeof(id->channel_priv));
	derive(id);
}

size_t kmd_identity_format(char buf[KMD_IDENTITY_TEXT], const struct kmd_identity *id)
{
	static const char head[] = "# keymesh identity. Secret: whoever reads it can speak as this node.\nversion 1\ned25519 ";
	static const char middle[] = "\nx25519 ";
	char *p = buf;

	/* WHY not snprintf: stdio may leave copies of the digits behind. */
	memcpy(p, head, sizeof(head) - 1);
	p += sizeof(head) - 1;
	kmd_hex_encode(p, id->sign.priv, 32);
	p += 64;
	memcpy(p, middle, sizeof(middle) - 1);
	p += sizeof(middle) - 1;
	kmd_hex_encode(p, id->channel_priv, 32);
	p += 64;
	*p++ = '\n';
	*p = '\0';
	return (size_t)(p - buf);
}

enum { SEEN_VERSION = 1, SEEN_ED25519 = 2, SEEN_X25519 = 4, SEEN_ALL = 7 };

static int parse_line(struct kmd_identity *id, char *line, unsigned *seen, struct kmd_fail *f)
{
	char *value = strchr(line, ' ');
	unsigned bit;
	int err = KM_OK;

	if (!value)
		return kmd_fail(f, KM_E_ENCODING, "a line is not of the form \"name value\"");
	*value++ = '\0';
	if (!strcmp(line, "version")) {
		bit = SEEN_VERSION;
		if (strcmp(value, "1"))
			err = kmd_fail(f, KM_E_VERSION, "its version is not 1; this keymesh is too old for it");
	} else if (!strcmp(line, "ed25519")) {
		bit = SEEN_ED25519;
		err = kmd_hex_decode(id->sign.priv, 32, value, strlen(value));
	} else if (!strcmp(line, "x25519")) {
		bit = SEEN_X25519;
		err = kmd_hex_decode(id->channel_priv, 32, value, strlen(value));
	} else {
		return kmd_fail(f, KM_E_ENCODING, "a line begins with none of version, ed25519, x25519");
	}
	if (err == KM_E_ENCODING)
		return kmd_fail(f, err, "the value of %s is not 64 hex digits", bit == SEEN_ED25519 ? "ed25519" : "x25519");
	if (!err && (*seen & bit))
		err = kmd_fail(f, KM_E_ENCODING, "a line stands there twice");
	*seen |= bit;
	return err;
}

int kmd_identity_parse(struct kmd_identity *id, char *text, struct kmd_fail *f)
{
	unsigned seen = 0;
	int err = KM_OK;
	char *line, *next;

	memset(id, 0, sizeof(*id));
	for (line = text; line && *line && !err; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (*line && *line != '#')
			err = parse_line(id, line, &seen, f);
	}
	if (!err && seen != SEEN_ALL)
		err = kmd_fail(f, KM_E_TRUNCATED, "a line is missing; it needs version, ed25519 and x25519");
	if (err)
		kmd_identity_wipe(id);
	else
		derive(id);
	return err;
}

int kmd_identity_load(struct kmd_identity *id, const char *path, struct kmd_fail *f)
{
	struct kmd_fail why = {""};
	uint8_t *text;
	size_t len;
	int err;

	memset(id, 0, sizeof(*id));
	err = kmd_file_read(path, KMD_FILE_PRIVATE, 4096, &text, &len, f);
	if (err)
		return err;
	if (memchr(text, 0, len))
		err =
		    kmd_fail(f, KM_E_ENCODING, "%s is no keymesh identity: it has a zero byte; make one with keymesh init", path);
	else if ((err = kmd_identity_parse(id, (char *)text, &why)))
		kmd_fail(f, err, "%s is no keymesh identity: %s; make one with keymesh init", path, why.text);
	km_secret_free(text);
	return err;
}

void kmd_identity_wipe(struct kmd_identity *id)
{
	km_wipe(id, sizeof(*id));
}
