/* evidence_tool DIR: writes evidence files of every kind, as a peer would keep them: NAME, the same of somebody honest as NAME.void,
 * and for each a NAME.roster (a roster.conf) with the peers alice, bob and carol, who is the culprit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mesh/files.h"
#include "tests/lib/evid.h"

static void write_file(const char *dir, const char *name, const char *ending, const void *p, size_t n)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s%s", dir, name, ending);
	f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f)) {
		perror(path);
		exit(1);
	}
}

static void write_evidence(const char *dir, unsigned which, int honest)
{
	struct km_buf b;
	struct evid e;

	evid_make(&e, which, honest);
	km_buf_init(&b);
	if (e.ev) {
		evid_file(&e, &b);
		write_file(dir, e.name, honest ? ".void" : "", b.data, b.len);
		if (!honest)
			write_file(dir, e.name, ".raw", e.ev, e.len);
	}
	km_buf_clear(&b);
	evid_clear(&e);
}

static void write_roster(const char *dir, unsigned which)
{
	static const char *const names[] = { "", "alice", "bob", "carol" };
	char text[2048] = "peers = (\n", identity[65], channel[65];
	struct evid e;

	evid_make(&e, which, 0);
	for (unsigned i = 1; i <= 3; i++) {
		uint8_t key[KM_CHANKEY_SIZE];

		net_channel(e.seed, (uint8_t)i, key);
		kmd_hex_encode(identity, e.idkeys[i], KM_IDKEY_SIZE);
		kmd_hex_encode(channel, key, sizeof(key));
		size_t at = strlen(text);
		snprintf(text + at, sizeof(text) - at,
			 " { id = %u; name = \"%s\"; address = \"127.0.0.1:%u\"; frontend_address = \"127.0.0.1:%u\"; identity = \"%s\"; channel = \"%s\"; }%s\n",
			 i, names[i], 7100 + i, 7200 + i, identity, channel, i < 3 ? "," : ");");
	}
	write_file(dir, e.name, ".roster", text, strlen(text));
	evid_clear(&e);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: evidence_tool DIR\n");
		return 2;
	}
	for (unsigned k = 0; k < evid_count(); k++) {
		write_evidence(argv[1], k, 0);
		write_evidence(argv[1], k, 1);
		write_roster(argv[1], k);
		puts(evid_name(k));
	}
	return 0;
}
