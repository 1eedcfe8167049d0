/* tempdir.h: a private directory for a test, gone when the test program ends; and small files in it. */
#ifndef KM_TEST_TEMPDIR_H
#define KM_TEST_TEMPDIR_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char km_tempdir[64];

static inline int km_tempdir_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void km_tempdir_remove(void)
{
	(void)nftw(km_tempdir, km_tempdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes it at the first call. Returns "DIR/name", of one of eight buffers in turn. */
static inline const char *km_temp(const char *name)
{
	static char path[8][300];
	static unsigned turn;
	char *p = path[turn++ % 8];

	if (!km_tempdir[0]) {
		strcpy(km_tempdir, "/tmp/keymesh-unit.XXXXXX");
		if (!mkdtemp(km_tempdir))
			abort();
		atexit(km_tempdir_remove);
	}
	snprintf(p, 300, "%s/%s", km_tempdir, name);
	return p;
}

static inline void km_temp_write(const char *name, const void *data, size_t len, unsigned mode)
{
	int fd = open(km_temp(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len || fchmod(fd, mode))
		abort();
	close(fd);
}

#endif
