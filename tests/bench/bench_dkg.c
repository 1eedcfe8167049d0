/* How key generation and refresh grow with N: CPU of one peer and of the group, bytes sent, and the time of the whole run if every peer has
 * a core of its own (the slowest peer's CPU; the network adds six round trips). */
#include <stdio.h>
#include <stdlib.h>
#include "tests/lib/reshare_help.h"

static void print(const char *what, const struct dkg *d, unsigned n, unsigned t)
{
	uint64_t cpu = 0, slowest = 0, bytes = 0;

	if (dkg_done(d) != d->set) {
		fprintf(stderr, "bench_dkg: a run of %u peers did not end\n", n);
		exit(1);
	}
	for (unsigned i = 1; i <= n; i++) {
		const struct net_party *p = dkg_party(d, i);

		cpu += p->cpu_ns;
		slowest = p->cpu_ns > slowest ? p->cpu_ns : slowest;
		bytes += p->sent_bytes;
	}
	printf("%s%4u %4u %14.1f %14.1f %14.1f %14.1f\n", what, n, t, (double)slowest / 1e6, (double)cpu / 1e6,
	       (double)bytes / (n - 1) / 1e3, (double)bytes / 1e3);
}

static uint32_t first(unsigned n)
{
	return n == 32 ? 0xffffffff : ((uint32_t)1 << n) - 1;
}

static void bench(unsigned n, unsigned t)
{
	struct dkg d;

	dkg_init(&d, n, first(n), t);
	dkg_run(&d, 0);
	print("", &d, n, t);
	dkg_clear(&d);
}

/* STORED of J goes to the participants here, and counts; certificates come on top. */
static void refresh(unsigned n, unsigned t)
{
	static struct rsh_key key;
	struct rsh r;

	rsh_key_make(&key, n, km_curve_p256(), first(n), t);
	rsh_init(&r, &key, n, first(t), first(n), first(n), t);
	dkg_run(&r.d, 0);
	print("refresh ", &r.d, n, t);
	rsh_clear(&r);
}

int main(void)
{
	printf("DKG, P-256\n   N    T    peer CPU ms   group CPU ms  broadcasts kB      on wire kB\n");
	bench(3, 2);
	bench(5, 3);
	bench(7, 4);
	bench(16, 9);
	bench(32, 16);
	printf("refresh, P-256\n   N    T    peer CPU ms   group CPU ms  broadcasts kB      on wire kB\n");
	refresh(3, 2);
	refresh(5, 3);
	refresh(7, 4);
	refresh(16, 9);
	refresh(32, 16);
	return 0;
}
