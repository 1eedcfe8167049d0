/* exim_user.c: preloaded into a privately unpacked Exim, which insists that the user it was built for exists on this machine.
 * Says that "Debian-exim" has the ids in EXIM_TEST_UID and EXIM_TEST_GID; all other names are the system's. */
#include "config.h"
#include <dlfcn.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static unsigned id_from(const char *variable)
{
	const char *value = getenv(variable);

	return value ? (unsigned)strtoul(value, NULL, 10) : 65534;
}

/* Exim purges its environment, so the ids are read before its main(). */
static unsigned uid, gid;

__attribute__((constructor)) static void start(void)
{
	uid = id_from("EXIM_TEST_UID");
	gid = id_from("EXIM_TEST_GID");
}

EXPORT struct passwd *getpwnam(const char *name)
{
	static char login[] = "Debian-exim", none[] = "*", empty[] = "", dir[] = "/", shell[] = "/bin/false";
	static struct passwd pw;

	if (strcmp(name, login) != 0)
		return ((struct passwd * (*)(const char *)) dlsym(RTLD_NEXT, "getpwnam"))(name);
	pw = (struct passwd){login, none, uid, gid, empty, dir, shell};
	return &pw;
}

EXPORT struct group *getgrnam(const char *name)
{
	static char login[] = "Debian-exim", none[] = "*", *members[1];
	static struct group gr;

	if (strcmp(name, login) != 0)
		return ((struct group * (*)(const char *)) dlsym(RTLD_NEXT, "getgrnam"))(name);
	gr = (struct group){login, none, gid, members};
	return &gr;
}
