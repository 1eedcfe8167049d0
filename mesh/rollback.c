/* rollback.c: see rollback.h. */
#include "config.h"
#include "mesh/rollback.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/files.h"

#define PREFIX "keymesh-counter"
#define ID 8

static void own_id(const struct kmd_config *c, char out[2 * ID + 1])
{
	kmd_hex_encode(out, c->settings.identity.pub, ID);
}

static int read_inner(struct kmd_store *s, uint64_t *n, struct kmd_fail *f)
{
	struct km_reader r;
	uint8_t *data;
	size_t len;
	int err = kmd_store_get(s, KMD_ROLLBACK_NAME, &data, &len, f);

	*n = 0;
	if (err)
		return err == KM_E_NOTFOUND ? KM_OK : err;
	km_reader_init(&r, data, len);
	*n = km_get_u64(&r);
	err = km_reader_end(&r);
	km_secret_free(data);
	return err ? kmd_fail(f, err, "the sealed counter is of another version of keymesh") : KM_OK;
}

static int write_inner(struct kmd_store *s, uint64_t n, struct kmd_fail *f)
{
	uint8_t mem[8];
	struct km_buf b;

	km_buf_init_fixed(&b, mem, sizeof(mem));
	km_put_u64(&b, n);
	return kmd_store_put(s, KMD_ROLLBACK_NAME, mem, sizeof(mem), f);
}

/* *n = 0 when there is no file. */
static int read_outer(const struct kmd_config *c, uint64_t *n, struct kmd_fail *f)
{
	char id[2 * ID + 1], want[64], *end;
	uint8_t *text;
	size_t len;
	int err = kmd_file_read(c->state_counter, 0, 128, &text, &len, f);

	*n = 0;
	if (err)
		return err == KM_E_NOTFOUND ? KM_OK : err;
	own_id(c, id);
	snprintf(want, sizeof(want), PREFIX " %s ", id);
	errno = 0;
	if (strncmp((char *)text, PREFIX " ", strlen(PREFIX) + 1)) {
		err = kmd_fail(f, KM_E_ENCODING, "%s is no counter of keymesh: name another file in state_counter", c->state_counter);
	} else if (strncmp((char *)text, want, strlen(want))) {
		err = kmd_fail(f, KM_E_ENCODING, "%s counts for another peer: each peer has its own file in state_counter", c->state_counter);
	} else {
		*n = strtoull((char *)text + strlen(want), &end, 10);
		if (errno || !*n || strcmp(end, "\n"))
			err = kmd_fail(f, KM_E_ENCODING, "%s is damaged: no number stands at its end; put it back, or remove it if this state is "
							 "surely the newest",
				       c->state_counter);
	}
	km_secret_free(text);
	return err;
}

static int write_outer(const struct kmd_config *c, uint64_t n, struct kmd_fail *f)
{
	char id[2 * ID + 1], line[100], dir[4096], name[4096];
	struct kmd_fail why = {""};
	int fd, err;

	own_id(c, id);
	snprintf(line, sizeof(line), PREFIX " %s %" PRIu64 "\n", id, n);
	snprintf(dir, sizeof(dir), "%s", c->state_counter);
	snprintf(name, sizeof(name), "%s", c->state_counter);
	fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return kmd_fail(f, KM_E_IO, "the directory of %s cannot be opened: %s", c->state_counter, strerror(errno));
	err = kmd_file_replace(fd, basename(name), line, strlen(line), &why);
	close(fd);
	return err ? kmd_fail(f, err, "%s: %s", c->state_counter, why.text) : KM_OK;
}

/* WHY the inner one first: after a crash in between the state is ahead of the file, which is nothing to be afraid of. */
static int write_both(struct kmd_store *s, const struct kmd_config *c, uint64_t n, struct kmd_fail *f)
{
	int err = write_inner(s, n, f);

	return err ? err : write_outer(c, n, f);
}

int kmd_rollback_start(struct kmd_store *s, const struct kmd_config *c, int *warn, struct kmd_fail *f)
{
	uint64_t in, out;
	int err;

	*warn = 0;
	if (!c->state_counter)
		return KM_OK;
	err = read_inner(s, &in, f);
	if (!err)
		err = read_outer(c, &out, f);
	if (err)
		return err;
	if (out > in)
		return kmd_fail(f, KM_E_STALE,
				"%s is older than it was: it counts %" PRIu64 ", %s counts %" PRIu64 ": the disk was put back to an earlier time, "
				"and may hold shares that were wiped. Put the newest state back; or begin with an empty state_dir and keymesh "
				"restore. Only if no key was made or refreshed since that time: remove %s",
				c->state_dir, in, c->state_counter, out, c->state_counter);
	/* one behind is a crash between the two */
	*warn = in > out + 1 || (in && !out);
	return write_both(s, c, in + 1, f);
}

int kmd_rollback_count(struct kmd_store *s, const struct kmd_config *c, struct kmd_fail *f)
{
	uint64_t in;
	int err;

	if (!c->state_counter)
		return KM_OK;
	err = read_inner(s, &in, f);
	return err ? err : write_both(s, c, in + 1, f);
}

int kmd_rollback_accept(struct kmd_store *s, const struct kmd_config *c, struct kmd_fail *f)
{
	uint64_t in, out;
	int err;

	if (!c->state_counter)
		return KM_OK;
	err = read_inner(s, &in, f);
	if (!err)
		err = read_outer(c, &out, f);
	return err || in >= out ? err : write_inner(s, out, f);
}
