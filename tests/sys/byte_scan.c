/* byte_scan.c: looks for secrets in files.
 *
 *	byte_scan PATTERNS FILE...     PATTERNS: lines NAME HEX; exit 1 and a line for each hit, 0 when there is none
 *
 * Every secret is looked for as its bytes, the bytes reversed (as limbs lie in memory), hex of both, and base64 at each of its
 * three alignments; and by any 16 bytes of it at a multiple of 8, so that a part is found, too. */
#include "config.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NEEDLES 4096
#define PART 16

struct needle {
	char what[48];
	uint8_t bytes[2 * PART];
	size_t len;
};

static struct needle needles[MAX_NEEDLES];
static unsigned n_needles;
static unsigned first[65536], next[MAX_NEEDLES]; /* by their first two bytes; number + 1 */

static void add(const char *name, const char *form, const uint8_t *p, size_t n)
{
	struct needle *d = &needles[n_needles];

	if (n_needles == MAX_NEEDLES || n > sizeof(d->bytes))
		abort();
	snprintf(d->what, sizeof(d->what), "%.30s, %s", name, form);
	memcpy(d->bytes, p, n);
	d->len = n;
	next[n_needles] = first[p[0] << 8 | p[1]];
	first[p[0] << 8 | p[1]] = ++n_needles;
}

static void add_hex(const char *name, const uint8_t *p, size_t n, int upper)
{
	char hex[2 * PART + 1];

	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, upper ? "%02X" : "%02x", p[i]);
	add(name, "hex", (uint8_t *)hex, 2 * n);
}

/* 15 bytes from a place that begins a group of three are 20 letters, wherever the whole began. */
static void add_base64(const char *name, const uint8_t *p)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t out[20];

	for (unsigned i = 0; i < 5; i++) {
		unsigned v = (unsigned)p[3 * i] << 16 | (unsigned)p[3 * i + 1] << 8 | p[3 * i + 2];

		for (unsigned k = 0; k < 4; k++)
			out[4 * i + k] = (uint8_t)letters[v >> (18 - 6 * k) & 63];
	}
	add(name, "base64", out, sizeof(out));
}

static void add_secret(const char *name, const uint8_t *p, size_t n)
{
	uint8_t back[128];

	for (size_t i = 0; i < n; i++)
		back[i] = p[n - 1 - i];
	for (size_t at = 0; at + PART <= n; at += 8) {
		add(name, "bytes", p + at, PART);
		add(name, "bytes reversed", back + at, PART);
		add_hex(name, p + at, PART, 0);
		add_hex(name, p + at, PART, 1);
		add_hex(name, back + at, PART, 0);
		add_hex(name, back + at, PART, 1);
	}
	for (size_t at = 0; at < 3; at++)
		add_base64(name, p + at);
}

static int load(const char *path)
{
	char name[32], hex[300];
	FILE *f = fopen(path, "r");
	uint8_t bytes[128];

	if (!f)
		return -1;
	while (fscanf(f, "%31s %299s", name, hex) == 2) {
		size_t n = strlen(hex) / 2;

		if (n < PART || n > sizeof(bytes) || n % 8)
			return -1;
		for (size_t i = 0; i < n; i++) {
			char two[3] = {hex[2 * i], hex[2 * i + 1], 0};

			bytes[i] = (uint8_t)strtoul(two, NULL, 16);
		}
		add_secret(name, bytes, n);
	}
	fclose(f);
	return n_needles ? 0 : -1;
}

static unsigned scan(const char *path)
{
	FILE *f = fopen(path, "rb");
	unsigned hits = 0;
	uint8_t *data;
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET)) {
		fprintf(stderr, "byte_scan: %s cannot be read\n", path);
		exit(2);
	}
	data = malloc((size_t)size + 1);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
		exit(2);
	fclose(f);
	for (size_t at = 0; at + 1 < (size_t)size; at++) {
		for (unsigned k = first[data[at] << 8 | data[at + 1]]; k; k = next[k - 1]) {
			unsigned i = k - 1;

			if (needles[i].len <= (size_t)size - at && !memcmp(data + at, needles[i].bytes, needles[i].len)) {
				printf("%s: %s at byte %zu\n", path, needles[i].what, at);
				hits++;
			}
		}
	}
	free(data);
	return hits;
}

int main(int argc, char **argv)
{
	unsigned hits = 0;

	if (argc < 3 || load(argv[1])) {
		fprintf(stderr, "usage: byte_scan PATTERNS FILE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		hits += scan(argv[i]);
	return hits != 0;
}
