/* SPDX-License-Identifier: MIT */
#include "cli/agent/init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/standard_fds.h"
#include "cli/agent/init_mounts.h"
#include "cli/report.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Of the PID namespace that the kernel makes at boot (PROC_PID_INIT_INO of linux/proc_ns.h). */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCU

/* END_MS: for the agent to end its children, of which one may not die. */
enum { START_EVERY_MS = 1000, KILL_MS = 5000, END_MS = 15000 };

extern char **environ;

struct init {
	char program[4096];
	char **argv;
	sigset_t signals;
	pid_t agent; /* 0: it does not run */
	int64_t started_ms;
	bool ending;	/* it was told to end */
	int64_t end_ms; /* ... and must have ended by then */
	bool over;	/* it has ended, and is not started again */
	int status;	/* the exit status */
};

/* ---- The start ---- */

/* --init becomes --end-children: it is this process that is the first. */
static bool make_arguments(struct init *in, int argc, char **argv)
{
	static char agent[] = "agent", end_children[] = "--end-children";
	in->argv = calloc((size_t)argc + 3, sizeof *in->argv);
	if (in->argv == NULL) {
		return false;
	}
	in->argv[0] = in->program;
	in->argv[1] = agent;
	for (int i = 0; i < argc; i++) {
		in->argv[i + 2] = strcmp(argv[i], "--init") == 0 ? end_children : argv[i];
	}
	return true;
}

/* A kernel that found no /dev/console has started this process without standard streams. */
static void use_console(void)
{
	int console = open("/dev/console", O_RDWR | O_NOCTTY);
	while (console >= 0 && console < STDERR_FILENO) {
		console = dup(console);
	}
	if (console > STDERR_FILENO) {
		close(console);
	}
	obi_standard_fds_fill();
}

static int find_program(struct init *in, struct ob_error *reterr)
{
	ssize_t n = readlink("/proc/self/exe", in->program, sizeof in->program - 1);
	if (n < 0) {
		return obi_fail(reterr, OB_EIO, errno, "--init: /proc/self/exe");
	}
	in->program[n] = '\0';
	return OB_OK;
}

static int set_up(struct init *in, int argc, char **argv, struct ob_error *reterr)
{
	const char *path = getenv("PATH");
	bool has_streams = fcntl(STDERR_FILENO, F_GETFD) >= 0;
	(void)umask(022);
	int r = obi_init_mounts(reterr);
	if (!has_streams) {
		use_console();
	}
	r = r == OB_OK ? find_program(in, reterr) : r;
	if (r == OB_OK &&
	    (chdir("/") < 0 || !make_arguments(in, argc, argv) ||
	     ((path == NULL || *path == '\0') && setenv("PATH", PATH_DEFAULT, 1) < 0))) {
		r = obi_fail(reterr, OB_EIO, errno, "--init");
	}
	return r;
}

/* A session of its own: what a terminal sends to this process is passed on, and comes once. */
static void start(struct init *in)
{
	posix_spawnattr_t attributes;
	sigset_t blocked, pipe;
	sigemptyset(&blocked); /* one that comes before the agent watches for it must not kill it */
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						  POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attributes, &blocked);
	posix_spawnattr_setsigdefault(&attributes, &pipe);
	int error = posix_spawn(&in->agent, in->program, NULL, &attributes, in->argv, environ);
	posix_spawnattr_destroy(&attributes);
	in->started_ms = obi_now_ms();
	if (error != 0) {
		obi_complain("agent: --init: %s: %s", in->program, strerror(error));
		in->agent = 0;
		in->over = true;
		in->status = OBI_EXIT_UNREACHABLE;
	}
}

/* ---- While it runs ---- */

static void on_agent_end(struct init *in, const siginfo_t *dead)
{
	in->agent = 0;
	if (dead->si_code == CLD_EXITED) {
		in->over = true;
		in->status = dead->si_status;
	} else if (in->ending) {
		in->over = true;
		in->status = OBI_EXIT_UNREACHABLE;
	} else {
		obi_complain("agent: --init: the agent was killed by signal %d; it is started "
			     "again",
			     dead->si_status);
	}
}

/* False: there is no child any more. */
static bool reap(struct init *in)
{
	siginfo_t dead = {.si_pid = 1};
	while (dead.si_pid != 0) {
		dead.si_pid = 0;
		if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG) < 0) {
			return false;
		}
		if (dead.si_pid != 0 && dead.si_pid == in->agent) {
			on_agent_end(in, &dead);
		}
	}
	return true;
}

/* Returns the number of the signal, or -1 after wait_ms; negative: no limit. */
static int wait_for_signal(const struct init *in, int64_t wait_ms)
{
	struct timespec left = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
	return wait_ms < 0 ? sigwaitinfo(&in->signals, NULL)
			   : sigtimedwait(&in->signals, NULL, &left);
}

/* An agent that is killed again and again is started once in a second. */
static void start_if_due(struct init *in, int64_t *ret_wait_ms)
{
	int64_t wait_ms = in->started_ms + START_EVERY_MS - obi_now_ms();
	*ret_wait_ms = -1;
	if (in->agent != 0) {
		return;
	}
	if (in->started_ms == 0 || wait_ms <= 0) {
		start(in);
	} else {
		*ret_wait_ms = wait_ms;
	}
}

static void pass_on(struct init *in, int number)
{
	in->end_ms = in->ending ? in->end_ms : obi_now_ms() + END_MS;
	in->ending = true;
	if (in->agent != 0) {
		(void)kill(in->agent, number);
	} else {
		in->over = true; /* its children, if it had any, are killed with the rest */
	}
}

static void serve(struct init *in)
{
	while (!in->over) {
		int64_t wait_ms;
		start_if_due(in, &wait_ms);
		if (in->ending) {
			int64_t left_ms = in->end_ms - obi_now_ms();
			wait_ms = left_ms > 0 ? left_ms : 0;
			in->over = in->over || left_ms <= 0;
		}
		int number = in->over ? 0 : wait_for_signal(in, wait_ms);
		(void)reap(in);
		if (number == SIGTERM || number == SIGINT) {
			pass_on(in, number);
		}
	}
}

/* ---- The end ---- */

/* One that is dead may still be a child of one that lives, so all of them are seen here. */
static void kill_the_rest(struct init *in)
{
	int64_t end = obi_now_ms() + KILL_MS, left_ms;
	(void)kill(-1, SIGKILL);
	while (reap(in) && (left_ms = end - obi_now_ms()) > 0) {
		(void)wait_for_signal(in, left_ms);
	}
}

static bool is_machine(void)
{
	struct stat namespace;
	return stat("/proc/self/ns/pid", &namespace) == 0 &&
	       namespace.st_ino == FIRST_PID_NAMESPACE;
}

static void end_machine(void)
{
	const char *how = getenv("OUTBOARD_END");
	sync();
	(void)reboot(how != NULL && strcmp(how, "reboot") == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
	obi_complain("agent: --init: the machine cannot be ended: %s", strerror(errno));
}

static void block_signals(struct init *in)
{
	sigemptyset(&in->signals);
	sigaddset(&in->signals, SIGCHLD);
	sigaddset(&in->signals, SIGTERM);
	sigaddset(&in->signals, SIGINT);
	sigprocmask(SIG_BLOCK, &in->signals, NULL);
	signal(SIGCHLD, SIG_DFL); /* one that is ignored lets the kernel reap */
}

int obi_agent_init(int argc, char **argv)
{
	struct ob_error err = {0};
	struct init in = {0};
	if (getpid() != 1) {
		obi_complain("agent: --init: is for the first process of a machine or a "
			     "container; this is process %d",
			     (int)getpid());
		return OBI_EXIT_USAGE;
	}
	block_signals(&in);
	int r = set_up(&in, argc, argv, &err);
	bool machine = is_machine();
	if (r < 0) {
		in.status = obi_give_up("agent", &err);
	} else {
		if (machine) {
			(void)reboot(RB_DISABLE_CAD); /* the kernel sends SIGINT for it */
		}
		serve(&in);
		kill_the_rest(&in);
	}
	free(in.argv);
	if (machine) {
		end_machine();
	}
	return in.status;
}
