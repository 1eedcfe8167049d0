/* bench_presign.c: `bench_presign [N T B [runs [majority|any]]]`: CPU of the whole group and bytes per presignature, one thread.
 * Engine any runs among the first T of N. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/dealer.h"

int main(int argc, char **argv)
{
	unsigned n = argc > 3 ? (unsigned)atoi(argv[1]) : 5, t = argc > 3 ? (unsigned)atoi(argv[2]) : 3;
	unsigned b = argc > 3 ? (unsigned)atoi(argv[3]) : 256, runs = argc > 4 ? (unsigned)atoi(argv[4]) : 3;
	unsigned engine = argc > 5 && !strcmp(argv[5], "any") ? KM_PRESIGN_ANY : KM_PRESIGN_MAJORITY;
	uint32_t set = (uint32_t)(((uint64_t)1 << n) - 1), members = set;
	double best = 0;

	if (engine == KM_PRESIGN_ANY) {
		n = t;
		set = (uint32_t)(((uint64_t)1 << t) - 1);
	}
	for (unsigned k = 0; k < runs; k++) {
		uint64_t cpu = 0, bytes = 0;
		struct group g;
		double ms;

		group_init_engine(&g, engine, k + 1, members, t, set, b, 0);
		net_run(g.net, 0);
		for (unsigned i = 1; i <= n; i++) {
			if (!net_party(g.net, (uint8_t)i)->done)
				return 1;
			cpu += net_party(g.net, (uint8_t)i)->cpu_ns;
			bytes += net_party(g.net, (uint8_t)i)->sent_bytes;
		}
		group_clear(&g);
		ms = (double)cpu / 1e6 / b;
		if (k == 0 || ms < best)
			best = ms;
		printf(
		    "%s N=%u T=%u B=%u: group CPU %.3f ms, %.2f kB sent by the group, %.0f B per peer, for each presignature\n",
		    engine == KM_PRESIGN_ANY ? "any" : "majority", n, t, b, ms, (double)bytes / b / 1e3, (double)bytes / b / n);
	}
	printf("presign_%sgroup_cpu_ms %.3f\n", engine == KM_PRESIGN_ANY ? "any_" : "", best);
	return 0;
}
