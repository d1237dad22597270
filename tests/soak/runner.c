/* SPDX-License-Identifier: MIT */
/*
 * soak-runner COMMAND... - runs the command as its child, in its own process group, hands signals
 * on and ends as the command ended: what `sh -c` and container runtimes do.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/wait.h>

extern char **environ;

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	posix_spawnattr_t attributes;
	sigset_t taken, before;
	pid_t pid;
	int status;
	if (argc < 2) {
		return 2;
	}
	sigemptyset(&taken);
	sigaddset(&taken, SIGINT);
	sigaddset(&taken, SIGTERM);
	sigaddset(&taken, SIGCHLD);
	sigprocmask(SIG_BLOCK, &taken, &before);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &before);
	if (posix_spawn(&pid, argv[1], NULL, &attributes, argv + 1, environ) != 0) {
		return 127;
	}
	posix_spawnattr_destroy(&attributes);
	for (;;) {
		int sig = sigwaitinfo(&taken, NULL);
		if (sig == SIGCHLD && waitpid(pid, &status, WNOHANG) == pid) {
			return status_of(status);
		}
		if (sig == SIGINT || sig == SIGTERM) {
			kill(pid, sig);
		}
	}
}
