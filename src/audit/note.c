/* note.c: see note.h. */
#include "config.h"
#include "audit/note.h"

#include <string.h>
#include <nettle/base64.h>
#include "base/hash.h"

#define DASH "\xe2\x80\x94 "   /* U+2014 and a space */
#define DASH_LEN 4

void km_base64_put(struct km_buf *b, const uint8_t *p, size_t n)
{
	uint8_t *room = km_put_room(b, BASE64_ENCODE_RAW_LENGTH(n));

	if (room)
		base64_encode_raw((char *)room, n, p);
}

int km_base64_get(uint8_t *out, size_t max, size_t *len, const char *p, size_t n)
{
	struct base64_decode_ctx c;
	struct km_buf again;
	char text[BASE64_ENCODE_RAW_LENGTH(KM_NOTE_SIG_MAX + 8)];

	*len = BASE64_DECODE_LENGTH(n);
	if (n % 4 || n > sizeof(text) || *len > KM_NOTE_SIG_MAX + 8)
		return KM_E_ENCODING;
	uint8_t raw[KM_NOTE_SIG_MAX + 8];
	base64_decode_init(&c);
	if (!base64_decode_update(&c, len, raw, n, p) || !base64_decode_final(&c) || *len > max)
		return KM_E_ENCODING;
	/* WHY: bits that no byte takes, and white space, would give one signature many encodings */
	km_buf_init_fixed(&again, text, sizeof(text));
	km_base64_put(&again, raw, *len);
	if (again.err || again.len != n || memcmp(text, p, n) != 0)
		return KM_E_ENCODING;
	memcpy(out, raw, *len);
	return KM_OK;
}

int km_note_name_valid(const char *name, size_t n)
{
	if (n < 1 || n > KM_NOTE_NAME_MAX)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (name[i] <= 0x20 || name[i] > 0x7e || name[i] == '+')
			return 0;
	return 1;
}

void km_note_key_id(const char *name, size_t n, enum km_note_key type, const uint8_t pub[KM_IDKEY_SIZE], uint8_t id[KM_NOTE_ID])
{
	uint8_t in[KM_NOTE_NAME_MAX + 2 + KM_IDKEY_SIZE], hash[KM_HASH_SIZE];

	KM_ASSERT(n <= KM_NOTE_NAME_MAX);
	memcpy(in, name, n);
	in[n] = '\n';
	in[n + 1] = (uint8_t)type;
	memcpy(in + n + 2, pub, KM_IDKEY_SIZE);
	int err = km_sha2(256, in, n + 2 + KM_IDKEY_SIZE, hash);
	KM_ASSERT(!err);
	memcpy(id, hash, KM_NOTE_ID);
}

void km_note_put_sig(struct km_buf *b, const char *name, size_t n, const uint8_t id[KM_NOTE_ID], const uint8_t *sig, size_t len)
{
	uint8_t raw[KM_NOTE_ID + KM_NOTE_SIG_MAX];

	KM_ASSERT(len <= KM_NOTE_SIG_MAX);
	memcpy(raw, id, KM_NOTE_ID);
	memcpy(raw + KM_NOTE_ID, sig, len);
	km_put_bytes(b, DASH, DASH_LEN);
	km_put_bytes(b, name, n);
	km_put_u8(b, ' ');
	km_base64_put(b, raw, KM_NOTE_ID + len);
	km_put_u8(b, '\n');
}

/* Of a line without its newline. */
static int get_sig(struct km_note_sig *s, const char *p, size_t n)
{
	uint8_t raw[KM_NOTE_ID + KM_NOTE_SIG_MAX];
	const char *space;
	size_t len;

	if (n < DASH_LEN || memcmp(p, DASH, DASH_LEN) != 0)
		return KM_E_ENCODING;
	p += DASH_LEN;
	n -= DASH_LEN;
	space = memchr(p, ' ', n);
	if (!space || !km_note_name_valid(p, (size_t)(space - p)))
		return KM_E_ENCODING;
	s->name = p;
	s->name_len = (size_t)(space - p);
	int err = km_base64_get(raw, sizeof(raw), &len, space + 1, n - s->name_len - 1);
	if (err)
		return err;
	if (len <= KM_NOTE_ID)
		return KM_E_ENCODING;
	memcpy(s->id, raw, KM_NOTE_ID);
	s->len = len - KM_NOTE_ID;
	memcpy(s->sig, raw + KM_NOTE_ID, s->len);
	return KM_OK;
}

/* Where the signatures begin: behind the last empty line. */
static size_t text_end(const char *p, size_t n)
{
	for (size_t i = n; i >= 2; i--)
		if (p[i - 1] == '\n' && p[i - 2] == '\n')
			return i - 1;
	return 0;
}

int km_note_parse(struct km_note *note, const void *data, size_t n)
{
	const char *p = data;
	size_t at = n <= KM_NOTE_MAX ? text_end(p, n) : 0;
	int err = n > KM_NOTE_MAX ? KM_E_LIMIT : KM_OK;

	memset(note, 0, sizeof(*note));
	for (size_t i = 0; !err && i < n; i++)
		if (((unsigned char)p[i] < 0x20 && p[i] != '\n') || p[i] == 0x7f)
			err = KM_E_ENCODING;
	if (!err && (at < 1 || p[n - 1] != '\n'))
		err = KM_E_ENCODING;
	note->text = p;
	note->len = at;
	for (at++; !err && at < n;) {
		const char *end = memchr(p + at, '\n', n - at);

		if (note->n == KM_NOTE_SIGS)
			err = KM_E_LIMIT;
		else
			err = get_sig(&note->sigs[note->n++], p + at, (size_t)(end - p) - at);
		at = (size_t)(end - p) + 1;
	}
	if (!err && !note->n)
		err = KM_E_ENCODING;
	if (err)
		memset(note, 0, sizeof(*note));
	return err;
}

const struct km_note_sig *km_note_find(const struct km_note *note, const char *name, size_t n, const uint8_t id[KM_NOTE_ID])
{
	for (unsigned i = 0; i < note->n; i++) {
		const struct km_note_sig *s = &note->sigs[i];

		if (s->name_len == n && memcmp(s->name, name, n) == 0 && memcmp(s->id, id, KM_NOTE_ID) == 0)
			return s;
	}
	return NULL;
}
