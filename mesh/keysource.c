/* keysource.c: see keysource.h. */
#include "config.h"
#include "mesh/keysource.h"

#include <argon2.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/files.h"
#include "mesh/spawn.h"

#define SALT 16
/* RFC 9106, section 4, its second choice: 64 MiB, three passes. */
#define KDF_PASSES 3
#define KDF_MEMORY_KIB 65536
#define KDF_LANES 4
#define KDF_MAX_MEMORY_KIB (4u * 1024 * 1024)
#define TEXT_MAX 256

static size_t trimmed(uint8_t *text, size_t len)
{
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' '))
		text[--len] = '\0';
	return len;
}

static int take_hex(struct kmd_config *c, const char *what, uint8_t *text, size_t len, struct kmd_fail *f)
{
	len = trimmed(text, len);
	c->seal_key = km_secret_alloc(32);
	if (!c->seal_key)
		return kmd_fail(f, KM_E_NOMEM, "no locked memory for the sealing key (see ulimit -l)");
	if (kmd_hex_decode(c->seal_key, 32, (char *)text, len)) {
		km_secret_free(c->seal_key);
		c->seal_key = NULL;
		return kmd_fail(f, KM_E_CONFIG, "%s is not 64 hex digits; make a sealing key with keymesh init", what);
	}
	return KM_OK;
}

static int from_file(struct kmd_config *c, const char *path, unsigned flags, struct kmd_fail *f)
{
	uint8_t *text;
	size_t len;
	int err = kmd_file_read(path, flags, TEXT_MAX, &text, &len, f);

	if (!err)
		err = take_hex(c, path, text, len, f);
	km_secret_free(text);
	return err;
}

static int from_credential(struct kmd_config *c, struct kmd_fail *f)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[4096];

	if (!dir || strchr(c->seal_credential, '/'))
		return kmd_fail(f, KM_E_CONFIG,
				"no systemd credential \"%s\" was given to this process; start it by a unit with "
				"LoadCredentialEncrypted=, or write key_file",
				c->seal_credential);
	snprintf(path, sizeof(path), "%s/%s", dir, c->seal_credential);
	/* WHY credentials are not held to mode 0600: systemd lets the service user in by an ACL, which shows as group bits. */
	return from_file(c, path, 0, f);
}

static int from_command(struct kmd_config *c, struct kmd_fail *f)
{
	struct kmd_spawn s = {.argv = (const char *const *)c->seal_command.v, .max = TEXT_MAX, .timeout_s = c->seal_command_timeout};
	char what[300];
	uint8_t *text;
	size_t len;
	int err;

	if (c->seal_command.v[0][0] != '/')
		return kmd_fail(f, KM_E_CONFIG, "\"%s\" is no path from the root; write where the program lies, such as /usr/bin/vault",
				c->seal_command.v[0]);
	err = kmd_spawn(&s, &text, &len, f);
	snprintf(what, sizeof(what), "what %s writes", c->seal_command.v[0]);
	if (!err)
		err = take_hex(c, what, text, len, f);
	km_secret_free(text);
	return err;
}

static int from_passphrase(struct kmd_config *c, struct kmd_fail *f)
{
	size_t len;
	int err = kmd_file_read(c->seal_passphrase_file, KMD_FILE_PRIVATE, KMD_PASSPHRASE_MAX + 2, &c->seal_pass, &len, f);

	if (err)
		return err;
	len = trimmed(c->seal_pass, len);
	/* WHY a least length: whoever has the disk may try as many as he likes. */
	if (len < KMD_PASSPHRASE_MIN || len > KMD_PASSPHRASE_MAX || memchr(c->seal_pass, 0, len) || memchr(c->seal_pass, '\n', len))
		return kmd_fail(f, KM_E_CONFIG, "%s is not one line of %d to %d bytes; write a passphrase of at least six random words",
				c->seal_passphrase_file, KMD_PASSPHRASE_MIN, KMD_PASSPHRASE_MAX);
	return KM_OK;
}

int kmd_keysource_read(struct kmd_config *c, const char **key, struct kmd_fail *f)
{
	*key = c->seal_key_file ? "key_file" : c->seal_credential ? "credential" : c->seal_command.n ? "command" : "passphrase_file";
	if (c->seal_key_file)
		return from_file(c, c->seal_key_file, KMD_FILE_PRIVATE, f);
	if (c->seal_credential)
		return from_credential(c, f);
	return c->seal_command.n ? from_command(c, f) : from_passphrase(c, f);
}

/* ---- passphrases */

struct kdf {
	unsigned passes, memory_kib, lanes;
	uint8_t salt[SALT];
};

/* 1 when *text begins with a decimal number of 1..max and a blank, which are taken off it. */
static int take_number(const char **text, unsigned *v, unsigned long max)
{
	char *end;
	unsigned long n = **text >= '1' && **text <= '9' ? strtoul(*text, &end, 10) : 0;

	if (!n || n > max || *end != ' ')
		return 0;
	*v = (unsigned)n;
	*text = end + 1;
	return 1;
}

static int parse_kdf(struct kdf *k, const char *path, const char *text, size_t len, struct kmd_fail *f)
{
	static const char algorithm[] = "argon2id ";
	const char *at = text + sizeof(algorithm) - 1;

	if (strlen(text) == len && !strncmp(text, algorithm, sizeof(algorithm) - 1) && take_number(&at, &k->passes, 1000) &&
	    take_number(&at, &k->memory_kib, KDF_MAX_MEMORY_KIB) && take_number(&at, &k->lanes, 64) && k->memory_kib >= 8 * k->lanes &&
	    strlen(at) == 2 * SALT + 1 && at[2 * SALT] == '\n' && !kmd_hex_decode(k->salt, SALT, at, (size_t)2 * SALT))
		return KM_OK;
	return kmd_fail(f, KM_E_SEAL,
			"%s is damaged: it is not one line argon2id PASSES KIB LANES SALT; put it back from a copy: without its "
			"salt the passphrase opens nothing",
			path);
}

static int has_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int found = 0;

	if (!d)
		return errno != ENOENT;
	while ((e = readdir(d)))
		found |= e->d_name[0] != '.';
	closedir(d);
	return found;
}

static int make_kdf(struct kdf *k, const struct kmd_config *c, const char *path, enum kmd_keysource_for what, struct kmd_fail *f)
{
	char sealed[4096], hex[2 * SALT + 1], line[128];
	int err, fd, n;

	snprintf(sealed, sizeof(sealed), "%s/sealed", c->state_dir);
	if (what == KMD_KEY_OF_STATE && has_files(sealed))
		return kmd_fail(f, KM_E_NOTFOUND,
				"%s is missing, and there are sealed files: put it back from a copy of state_dir: without its salt the "
				"passphrase opens nothing",
				path);
	*k = (struct kdf){.passes = KDF_PASSES, .memory_kib = KDF_MEMORY_KIB, .lanes = KDF_LANES};
	kmd_random(k->salt, SALT);
	kmd_hex_encode(hex, k->salt, SALT);
	n = snprintf(line, sizeof(line), "argon2id %u %u %u %s\n", k->passes, k->memory_kib, k->lanes, hex);
	fd = kmd_dir_open(c->state_dir, f);
	if (fd < 0)
		return fd;
	err = kmd_file_create(path, 0600, line, (size_t)n, f);
	/* WHY before anything is sealed with it: a salt that is lost in a power cut is a lost share. */
	if (!err && fsync(fd))
		err = kmd_fail(f, KM_E_IO, "%s cannot be written: %s", c->state_dir, strerror(errno));
	close(fd);
	return err;
}

int kmd_keysource_derive(struct kmd_config *c, enum kmd_keysource_for what, struct kmd_fail *f)
{
	struct kdf k = {0};
	char path[4096];
	uint8_t *text;
	size_t len;
	int err, why;

	if (c->seal_key || !c->seal_pass)
		return KM_OK;
	snprintf(path, sizeof(path), "%s/kdf", c->state_dir);
	err = kmd_file_read(path, KMD_FILE_PRIVATE, TEXT_MAX, &text, &len, f);
	if (err == KM_E_NOTFOUND)
		err = make_kdf(&k, c, path, what, f);
	else if (!err)
		err = parse_kdf(&k, path, (char *)text, len, f);
	km_secret_free(text);
	if (err)
		return err;
	c->seal_key = km_secret_alloc(32);
	if (!c->seal_key)
		return kmd_fail(f, KM_E_NOMEM, "no locked memory for the sealing key (see ulimit -l)");
	why = argon2id_hash_raw(k.passes, k.memory_kib, k.lanes, c->seal_pass, strlen((char *)c->seal_pass), k.salt, SALT, c->seal_key, 32);
	if (why) {
		km_secret_free(c->seal_key);
		c->seal_key = NULL;
		return kmd_fail(f, KM_E_NOMEM, "the sealing key cannot be made of the passphrase: %s (it needs %u KiB of memory)",
				argon2_error_message(why), k.memory_kib);
	}
	return KM_OK;
}
