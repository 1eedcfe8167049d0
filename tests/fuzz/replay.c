/* replay.c: a target without libFuzzer. Replays its corpus and changes of it, speaking TAP.
 *
 * A file named ok-* must be accepted (else the corpus has fallen behind the format), bad-* must be refused; any other file is an
 * input that once found a bug. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "fuzz.h"
#include "base/limits.h"
#include "base/rng.h"

#define SEED_MAX 65536
#define FILES_MAX 512

struct seed {
	char name[256];
	uint8_t *data;
	size_t size;
};

static struct seed seeds[FILES_MAX];
static size_t n_seeds;

/* A copy of exactly this size, so that a sanitizer sees the first byte read too far. */
static int run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	KM_ASSERT(copy);
	memcpy(copy, data, size);
	int ret = fuzz_one(copy, size);
	KM_ASSERT(ret == 0 || ret == 1);
	free(copy);
	return ret;
}

static size_t mutate(struct km_rng *rng, uint8_t *p, size_t n, size_t cap)
{
	static const uint8_t edge[] = { 0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff };
	unsigned changes = 1 + (unsigned)km_rng_below(rng, 4);

	while (changes--) {
		size_t at = n ? (size_t)km_rng_below(rng, n) : 0, len;

		switch (km_rng_below(rng, 6)) {
		case 0:
			if (n)
				p[at] ^= (uint8_t)(1u << km_rng_below(rng, 8));
			break;
		case 1:
			if (n)
				p[at] = (uint8_t)km_rng_u64(rng);
			break;
		case 2:
			if (n)
				p[at] = edge[km_rng_below(rng, sizeof(edge))];
			break;
		case 3:  /* take bytes out */
			len = n - at < 8 ? n - at : 1 + (size_t)km_rng_below(rng, 8);
			memmove(p + at, p + at + len, n - at - len);
			n -= len;
			break;
		case 4:  /* put bytes in */
			len = 1 + (size_t)km_rng_below(rng, 8);
			if (n + len > cap)
				break;
			memmove(p + at + len, p + at, n - at);
			km_rng_bytes(rng, p + at, len);
			n += len;
			break;
		default:  /* repeat a piece somewhere else */
			len = n - at < 32 ? n - at : 32;
			if (n)
				memmove(p + km_rng_below(rng, n - len + 1), p + at, len);
		}
	}
	return n;
}

/* Cut and changed; returns how many were accepted, for the reader. */
static unsigned torment(const struct seed *s)
{
	const uint8_t key[KM_SEED_SIZE] = { 0xf2 };
	size_t step = 1 + s->size / (fuzz_rounds < 1024 ? fuzz_rounds : 1024);
	uint8_t *buf = malloc(s->size + 64);
	unsigned accepted = 0;
	struct km_rng rng;

	KM_ASSERT(buf);
	for (size_t n = 0; n < s->size; n += step)
		accepted += (unsigned)run(s->data, n);
	km_rng_init(&rng, key, "fuzz", s->name, strlen(s->name));
	for (unsigned k = 0; k < fuzz_rounds; k++) {
		memcpy(buf, s->data, s->size);
		accepted += (unsigned)run(buf, mutate(&rng, buf, s->size, s->size + 64));
	}
	free(buf);
	return accepted;
}

static void add(void *ctx, const char *name, const uint8_t *data, size_t size)
{
	struct seed *s = &seeds[n_seeds];

	(void)ctx;
	KM_ASSERT(n_seeds < FILES_MAX && strlen(name) < sizeof(s->name));
	strcpy(s->name, name);
	s->data = malloc(size ? size : 1);
	KM_ASSERT(s->data);
	memcpy(s->data, data, size);
	s->size = size;
	n_seeds++;
}

static void read_file(const char *dir, const char *name)
{
	static uint8_t buf[SEED_MAX];
	char path[2048];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	KM_ASSERT(f);
	size_t n = fread(buf, 1, sizeof(buf), f);
	KM_ASSERT(!ferror(f));
	fclose(f);
	add(NULL, name, buf, n);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct seed *)a)->name, ((const struct seed *)b)->name);
}

static void read_corpus(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			read_file(dir, e->d_name);
	closedir(d);
	qsort(seeds, n_seeds, sizeof(seeds[0]), by_name);
}

static void write_seed(void *ctx, const char *name, const uint8_t *data, size_t size)
{
	char path[2048];

	KM_ASSERT(fuzz_one(data, size) == 1);
	snprintf(path, sizeof(path), "%s/ok-%s", (const char *)ctx, name);
	FILE *f = fopen(path, "wb");
	KM_ASSERT(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

static void aborted(int sig)
{
	ssize_t n = write(2, km_assert_message, strlen(km_assert_message));

	(void)n;
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

int main(int argc, char **argv)
{
	const char *src = getenv("top_srcdir");
	char dir[1024];
	size_t from_files;
	int failed = 0;

	(void)signal(SIGABRT, aborted);
	if (argc == 3 && !strcmp(argv[1], "--write")) {
		fuzz_seeds(write_seed, argv[2]);
		return 0;
	}
	if (argc == 2)
		snprintf(dir, sizeof(dir), "%s", argv[1]);
	else
		snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", src ? src : ".", fuzz_name);
	read_corpus(dir);
	from_files = n_seeds;
	/* the seeds as today's code makes them, whatever is in the files */
	fuzz_seeds(add, NULL);
	printf("1..%zu\n", n_seeds + 1);
	printf("%s 1 - %s: corpus found\n", from_files ? "ok" : "not ok", fuzz_name);
	failed |= !from_files;
	for (size_t i = 0; i < n_seeds; i++) {
		const struct seed *s = &seeds[i];
		int accepted = run(s->data, s->size), good = 1;

		if (i >= from_files || !strncmp(s->name, "ok-", 3))
			good = accepted == 1;
		else if (!strncmp(s->name, "bad-", 4))
			good = accepted == 0;
		printf("%s %zu - %s: %s", good ? "ok" : "not ok", i + 2, fuzz_name, s->name);
		if (i < from_files)
			printf(", %u changes of it accepted\n", torment(s));
		else
			printf(" (made now)\n");
		fflush(stdout);
		failed |= !good;
	}
	return failed;
}
