/* make_signature.c: `make_signature DIR`: a group of five presigns and signs; writes DIR/key.der (SubjectPublicKeyInfo) and, for
 * three messages, DIR/N.txt and DIR/N.der, for another implementation to verify. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/dealer.h"

static void put(const char *dir, const char *name, const void *p, size_t n)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f)) {
		perror(path);
		exit(2);
	}
}

/* RFC 5480: id-ecPublicKey, secp256r1. */
static const uint8_t spki_head[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
				     0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 };

int main(int argc, char **argv)
{
	static const char *const texts[] = { "", "the first handshake", "another one\n" };
	uint8_t key[sizeof(spki_head) + 65], der[2 * KM_SCALAR_MAX + 9];
	struct km_sign_input in;
	struct km_scalar r, s;
	struct group g;
	char name[16];

	if (argc != 2)
		return 2;
	group_init(&g, 7, 0x1f, 3, 0x1f, 3, 0);
	net_run(g.net, 0);
	group_take(&g);
	memcpy(key, spki_head, sizeof(spki_head));
	if (km_point_encode_uncompressed_var(g.d.curve, key + sizeof(spki_head), &g.d.table.x))
		return 1;
	put(argv[1], "key.der", key, sizeof(key));
	for (unsigned i = 0; i < 3; i++) {
		group_input(&g, &in, texts[i]);
		if (group_sign(&g, i, &in, &r, &s))
			return 1;
		snprintf(name, sizeof(name), "%u.txt", i);
		put(argv[1], name, texts[i], strlen(texts[i]));
		snprintf(name, sizeof(name), "%u.der", i);
		put(argv[1], name, der, km_ecdsa_der(g.d.curve, der, &r, &s));
	}
	group_clear(&g);
	return 0;
}
