/* cli_recovery.c: see cli_recovery.h. */
#include "config.h"
#include "mesh/cli_recovery.h"

#include <string.h>
#include "base/hash.h"
#include "base/secret.h"
#include "mesh/files.h"
#include "mesh/spawn.h"

static int decrypt(struct kmd_opened *o, const struct kmd_opener *how, const uint8_t *payload, size_t n, size_t *len, struct kmd_fail *f)
{
	const char *age[] = {"age", "--decrypt", "--identity", how->identity, NULL},
		   *gpg[] = {"gpg", "--batch", "--quiet", "--decrypt", NULL};
	struct kmd_spawn s = {.argv = how->gpg ? gpg : age,
			      .in = payload,
			      .in_len = n,
			      .max = KMD_BACKUP_PLAIN_MAX,
			      .timeout_s = KMD_TOOL_TIMEOUT_S};
	int err = kmd_spawn(&s, &o->text, len, f);

	if (err == KM_E_NOTFOUND)
		return kmd_fail(f, err, "%s is not installed (Debian: apt-get install %s)", s.argv[0], how->gpg ? "gnupg" : "age");
	return err;
}

int kmd_opened_read(struct kmd_opened *o, const char *path, const struct kmd_opener *how, struct kmd_fail *f)
{
	struct kmd_fail why = {""};
	const uint8_t *payload;
	size_t n, len = 0;
	int err;

	memset(o, 0, sizeof(*o));
	err = kmd_file_read(path, 0, KMD_BACKUP_MAX, &o->raw, &o->raw_len, f);
	if (err)
		return err;
	o->plain = km_secret_alloc(sizeof(*o->plain));
	o->share = km_secret_alloc(sizeof(*o->share));
	if (!o->plain || !o->share) {
		err = kmd_fail(&why, KM_E_NOMEM, "no locked memory (see ulimit -l)");
		goto out;
	}
	err = kmd_backup_parse(&o->head, &payload, &n, o->raw, o->raw_len, &why);
	if (!err)
		err = decrypt(o, how, payload, n, &len, &why);
	if (!err && (err = kmd_backup_plain_decode(o->plain, o->text, len)))
		kmd_fail(&why, err, "what is encrypted in it is no backup of keymesh: %s", km_strerror(err));
	if (!err)
		err = kmd_backup_open_share(o->share, &o->head, o->plain, &why);
out:
	if (err) {
		kmd_fail(f, err, "%s: %s", path, why.text);
		kmd_opened_clear(o);
	}
	return err;
}

void kmd_opened_clear(struct kmd_opened *o)
{
	km_secret_free(o->raw);
	km_secret_free(o->text);
	km_secret_free(o->plain);
	km_secret_free(o->share);
	memset(o, 0, sizeof(*o));
}

int kmd_cli_hand_in(const char *socket, const struct kmd_record *r, struct kmd_fail *f)
{
	uint8_t mem[KMD_RECORD_MAX];
	struct km_rpc_record m;
	struct km_rpc_frame frame;
	struct km_rpc_text text;
	struct kmd_cli c;
	struct km_buf body, b;
	int err;

	km_buf_init_fixed(&body, mem, sizeof(mem));
	km_buf_init(&b);
	err = kmd_cli_open(&c, socket);
	if (!err)
		err = kmd_record_encode(r, &body);
	m = (struct km_rpc_record){.data = body.data, .len = body.len};
	if (!err)
		err = km_rpc_encode_record(&b, c.seq, &m);
	if (!err)
		err = kmd_cli_call(&c, &b, KM_RPC_DONE, KMD_CLI_DEADLINE_MS, &frame);
	if (!err)
		err = km_rpc_decode_text(&frame, &text);
	if (!err)
		kmd_fail(f, KM_OK, "%.*s", (int)text.len, text.text);
	else
		kmd_fail(f, err, "%s", c.fail.text[0] ? c.fail.text : km_strerror(err));
	kmd_cli_close(&c);
	km_buf_clear(&b);
	return err;
}

void kmd_cli_put_record(FILE *out, const struct kmd_record *r)
{
	char hex[2 * KMD_RECORD_MAX + 1];
	uint8_t mem[KMD_RECORD_MAX];
	struct km_buf b;

	km_buf_init_fixed(&b, mem, sizeof(mem));
	if (kmd_record_encode(r, &b))
		return;
	kmd_hex_encode(hex, b.data, b.len);
	fprintf(out, KMD_RECORD_PREFIX "%s\n", hex);
}
