/* checkpoint.c: see checkpoint.h. */
#include "config.h"
#include "audit/checkpoint.h"

#include <string.h>
#include "base/sig.h"

#define COSIGN "cosignature/v1\ntime "

static size_t put_decimal(char out[21], uint64_t v)
{
	size_t n = 20;

	out[n] = 0;
	do {
		out[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	memmove(out, out + n, 21 - n);
	return 20 - n;
}

/* One form: no sign, no zero in front. */
static int get_decimal(uint64_t *v, const char *p, size_t n)
{
	*v = 0;
	if (n < 1 || n > 19 || (n > 1 && p[0] == '0'))
		return KM_E_ENCODING;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return KM_E_ENCODING;
		*v = *v * 10 + (uint64_t)(p[i] - '0');
	}
	return KM_OK;
}

void km_checkpoint_origin(char out[KM_NOTE_NAME_MAX + 1], const char *mesh, const char *peer)
{
	struct km_buf b;

	km_buf_init_fixed(&b, out, KM_NOTE_NAME_MAX);
	km_put_bytes(&b, "keymesh/", 8);
	km_put_bytes(&b, mesh, strlen(mesh));
	km_put_u8(&b, '/');
	km_put_bytes(&b, peer, strlen(peer));
	KM_ASSERT(!b.err);
	out[b.len] = 0;
}

void km_checkpoint_sign(struct km_buf *b, const struct km_checkpoint *c, const uint8_t pub[KM_IDKEY_SIZE], const uint8_t priv[32])
{
	uint8_t id[KM_NOTE_ID], sig[KM_SIG_SIZE];
	size_t from = b->len, n = strlen(c->origin);
	char size[21];

	km_put_bytes(b, c->origin, n);
	km_put_u8(b, '\n');
	km_put_bytes(b, size, put_decimal(size, c->size));
	km_put_u8(b, '\n');
	km_base64_put(b, c->root, KM_HASH_SIZE);
	km_put_u8(b, '\n');
	if (b->err)
		return;
	km_ed25519_sign(pub, priv, b->data + from, b->len - from, sig);
	km_note_key_id(c->origin, n, KM_NOTE_ED25519, pub, id);
	km_put_u8(b, '\n');
	km_note_put_sig(b, c->origin, n, id, sig, sizeof(sig));
}

int km_checkpoint_parse(struct km_checkpoint *c, const char *text, size_t n)
{
	const char *line[3];
	size_t len[3], root_len = 0;
	int err = KM_OK;

	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < 3; i++) {
		const char *end = memchr(text, '\n', n);

		if (!end)
			return KM_E_ENCODING;
		line[i] = text;
		len[i] = (size_t)(end - text);
		n -= len[i] + 1;
		text = end + 1;
	}
	if (!km_note_name_valid(line[0], len[0]))
		return KM_E_ENCODING;
	memcpy(c->origin, line[0], len[0]);
	err = get_decimal(&c->size, line[1], len[1]);
	if (!err)
		err = km_base64_get(c->root, KM_HASH_SIZE, &root_len, line[2], len[2]);
	if (!err && root_len != KM_HASH_SIZE)
		err = KM_E_ENCODING;
	if (err)
		memset(c, 0, sizeof(*c));
	return err;
}

int km_checkpoint_open(struct km_checkpoint *c, struct km_note *note, const void *p, size_t n, const uint8_t pub[KM_IDKEY_SIZE])
{
	const struct km_note_sig *s;
	uint8_t id[KM_NOTE_ID];

	memset(c, 0, sizeof(*c));
	int err = km_note_parse(note, p, n);
	if (!err)
		err = km_checkpoint_parse(c, note->text, note->len);
	if (err)
		return err;
	km_note_key_id(c->origin, strlen(c->origin), KM_NOTE_ED25519, pub, id);
	s = km_note_find(note, c->origin, strlen(c->origin), id);
	if (!s || s->len != KM_SIG_SIZE || km_ed25519_verify(pub, note->text, note->len, s->sig)) {
		memset(c, 0, sizeof(*c));
		return KM_E_VERIFY;
	}
	return KM_OK;
}

/* ---- cosignatures */

static void cosigned(struct km_buf *b, const char *text, size_t n, uint64_t time_s)
{
	char time[21];

	km_put_bytes(b, COSIGN, sizeof(COSIGN) - 1);
	km_put_bytes(b, time, put_decimal(time, time_s));
	km_put_u8(b, '\n');
	km_put_bytes(b, text, n);
}

uint64_t km_cosign_time(const uint8_t sig[KM_COSIG_LEN])
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | sig[i];
	return v;
}

void km_cosign(uint8_t sig[KM_COSIG_LEN], const char *text, size_t n, uint64_t time_s, const uint8_t pub[KM_IDKEY_SIZE], const uint8_t priv[32])
{
	uint8_t mem[KM_NOTE_MAX + 64];
	struct km_buf b;

	km_buf_init_fixed(&b, mem, sizeof(mem));
	cosigned(&b, text, n, time_s);
	KM_ASSERT(!b.err);
	for (unsigned i = 0; i < 8; i++)
		sig[i] = (uint8_t)(time_s >> (56 - 8 * i));
	km_ed25519_sign(pub, priv, b.data, b.len, sig + 8);
}

int km_cosign_check(const uint8_t sig[KM_COSIG_LEN], const char *text, size_t n, const uint8_t pub[KM_IDKEY_SIZE])
{
	uint8_t mem[KM_NOTE_MAX + 64];
	struct km_buf b;

	km_buf_init_fixed(&b, mem, sizeof(mem));
	cosigned(&b, text, n, km_cosign_time(sig));
	return b.err ? KM_E_VERIFY : km_ed25519_verify(pub, b.data, b.len, sig + 8);
}

void km_cosign_put(struct km_buf *b, const char *name, const uint8_t pub[KM_IDKEY_SIZE], const uint8_t sig[KM_COSIG_LEN])
{
	uint8_t id[KM_NOTE_ID];

	km_note_key_id(name, strlen(name), KM_NOTE_COSIGNATURE, pub, id);
	km_note_put_sig(b, name, strlen(name), id, sig, KM_COSIG_LEN);
}

int km_cosign_of(const struct km_note *note, const char *name, const uint8_t pub[KM_IDKEY_SIZE], uint64_t *time_s)
{
	const struct km_note_sig *s;
	uint8_t id[KM_NOTE_ID];

	*time_s = 0;
	km_note_key_id(name, strlen(name), KM_NOTE_COSIGNATURE, pub, id);
	s = km_note_find(note, name, strlen(name), id);
	if (!s)
		return KM_E_NOTFOUND;
	if (s->len != KM_COSIG_LEN || km_cosign_check(s->sig, note->text, note->len, pub))
		return KM_E_VERIFY;
	*time_s = km_cosign_time(s->sig);
	return KM_OK;
}
