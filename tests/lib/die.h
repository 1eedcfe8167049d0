/* die.h: runs a function in a child process and says which signal ended it.
 *
 *	static void twice(void) { ... }
 *	assert_int_equal(km_death_of(twice), SIGABRT);
 */
#ifndef KM_TEST_DIE_H
#define KM_TEST_DIE_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The signal that ended the child, 0 when it ended by itself. */
static inline int km_death_of(void (*fn)(void))
{
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit none = { 0, 0 };

		(void)setrlimit(RLIMIT_CORE, &none);
		for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
			(void)signal(signals[i], SIG_DFL);
		fn();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

#endif
