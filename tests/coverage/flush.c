/* SPDX-License-Identifier: MIT */
/*
 * coverage/flush - linked into every program, library and plugin of a build with coverage. The
 * counters are written at exit only; this writes them also when SIGINT or SIGTERM ends the process,
 * and before the process ends itself without exit().
 *
 * libgcov keeps one list of counters per process, so one copy of this writes those of all
 * libraries.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#define HIDDEN __attribute__((visibility("hidden")))

void __gcov_dump(void);
void __gcov_reset(void);

/* The linker puts these in the place of kill(), raise() and _exit(): see cmake/Coverage.cmake. */
HIDDEN int __wrap_kill(pid_t pid, int sig);
HIDDEN int __wrap_raise(int sig);
HIDDEN _Noreturn void __wrap__exit(int status);
int __real_kill(pid_t pid, int sig);
int __real_raise(int sig);
_Noreturn void __real__exit(int status);

/* What is counted afterwards is added by the next flush. */
static void flush(void)
{
	__gcov_dump();
	__gcov_reset();
}

static void flush_and_end(int sig)
{
	flush();
	signal(sig, SIG_DFL);
	__real_raise(sig);
}

/* Only where the signal would end the process. */
static void install(int sig)
{
	struct sigaction now;
	if (sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
		signal(sig, flush_and_end);
	}
}

__attribute__((constructor)) static void begin(void)
{
	install(SIGINT);
	install(SIGTERM);
}

int __wrap_kill(pid_t pid, int sig)
{
	if (pid == getpid() && sig == SIGKILL) {
		flush();
	}
	return __real_kill(pid, sig);
}

int __wrap_raise(int sig)
{
	if (sig == SIGKILL) {
		flush();
	}
	return __real_raise(sig);
}

_Noreturn void __wrap__exit(int status)
{
	flush();
	__real__exit(status);
}
