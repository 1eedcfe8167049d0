/* secure.c: see secure.h. */
#include "config.h"
#include "mesh/secure.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "base/secret.h"

static void raise_limit(int what)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)what, &r))
		return;
	r.rlim_cur = r.rlim_max;
	/* As far as it goes; who needs more hears of it where it is missing. */
	(void)setrlimit((__rlimit_resource_t)what, &r);
}

int kmd_secure_process(struct kmd_fail *f)
{
	struct rlimit none = {0, 0};

	umask(077);
	if (setrlimit(RLIMIT_CORE, &none))
		return kmd_fail(f, KM_E_IO, "core dumps cannot be forbidden: %s", strerror(errno));
	/* WHY also this: RLIMIT_CORE does not hold when the kernel pipes cores into a program; and nobody may attach with ptrace.
	 */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return kmd_fail(f, KM_E_IO, "the process cannot be protected: %s", strerror(errno));
	raise_limit(RLIMIT_MEMLOCK);
	raise_limit(RLIMIT_NOFILE);
	km_secret_guard_gmp();
	return KM_OK;
}
