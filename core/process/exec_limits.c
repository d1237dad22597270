/* SPDX-License-Identifier: MIT */
#include "process/exec_limits.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"

/* How long a process may take from the change of its memory to the start of the new program, on a
 * busy machine; and to the change. The latter cannot be told from the end where both programs have
 * their code at the same address. */
enum { EXEC_MS = 1000, CHANGE_MS = 20 };

enum { FIELD_STATE = 3, FIELD_STARTCODE = 26 };

/* Why: an errno of exec, or the negated signal that the kernel sends. */
static const struct {
	int resource;
	int why;
} culprits[] = {
    {RLIMIT_STACK, E2BIG},   {RLIMIT_NPROC, EAGAIN},   {RLIMIT_AS, ENOMEM},
    {RLIMIT_DATA, ENOMEM},   {RLIMIT_STACK, ENOMEM},   {RLIMIT_AS, -SIGSEGV},
    {RLIMIT_DATA, -SIGSEGV}, {RLIMIT_STACK, -SIGSEGV}, {RLIMIT_AS, -SIGKILL},
    {RLIMIT_DATA, -SIGKILL}, {RLIMIT_STACK, -SIGKILL}, {RLIMIT_CPU, -SIGKILL},
    {RLIMIT_CPU, -SIGXCPU},  {RLIMIT_FSIZE, -SIGXFSZ},
};

static bool may_cause(int resource, int why)
{
	for (size_t i = 0; i < sizeof culprits / sizeof culprits[0]; i++) {
		if (culprits[i].resource == resource && culprits[i].why == why) {
			return true;
		}
	}
	return false;
}

void obi_exec_limits_blame(const struct obi_spawn_child *child, int why, char *text, size_t cap)
{
	size_t len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < child->limit_count && len < cap; i++) {
		const struct obi_spawn_limit *limit = &child->limits[i];
		if (limit->limit.rlim_cur != RLIM64_INFINITY && may_cause(limit->resource, why)) {
			len += (size_t)snprintf(text + len, cap - len, "%s%s",
						len == 0 ? " (limit " : ", ", limit->name);
		}
	}
	if (len > 0 && len < cap) {
		snprintf(text + len, cap - len, ")");
	}
}

/* Where the code of a process begins, as /proc shows it. False: the process is dead, or /proc does
 * not show it at all. */
static bool code_of_process(const char *pid, uint64_t *ret_code)
{
	char path[32], text[1024];
	snprintf(path, sizeof path, "/proc/%s/stat", pid);
	const char *at = obi_proc_read(path, text, sizeof text) == 0 ? strrchr(text, ')') : NULL;
	if (at == NULL || strlen(at) < 3 || at[2] == 'Z' || at[2] == 'X') {
		return false;
	}
	for (int field = FIELD_STATE - 1; field < FIELD_STARTCODE && at != NULL; field++) {
		at = strchr(at + 1, ' ');
	}
	*ret_code = at != NULL ? strtoull(at + 1, NULL, 10) : 0;
	return at != NULL;
}

/* /proc shows the address of our code until exec has changed the memory of the process, then 0
 * until nothing can fail any more, then that of the new program; and 1 to readers without
 * permission. */
static void await_program(int32_t pid)
{
	char text[16];
	uint64_t ours = 0, code = 0;
	int64_t begin = obi_now_ms();
	snprintf(text, sizeof text, "%d", (int)pid);
	(void)code_of_process("self", &ours);
	while (code_of_process(text, &code) && (code == 0 || code == ours) &&
	       obi_now_ms() - begin < (code == 0 ? EXEC_MS : CHANGE_MS)) {
		sched_yield();
	}
}

/* The signal that has killed the process; 0: it has not been killed. The process is not reaped. */
static int killed_by(const struct obi_process *process, int flags)
{
	siginfo_t info = {0};
	int r;
	do {
		r = waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOWAIT | flags);
	} while (r < 0 && errno == EINTR);
	return r == 0 && info.si_pid != 0 && info.si_code != CLD_EXITED ? info.si_status : 0;
}

static bool has_memory_limit(const struct obi_spawn_child *child)
{
	char blame[128];
	obi_exec_limits_blame(child, ENOMEM, blame, sizeof blame);
	return blame[0] != '\0';
}

int obi_exec_limits_await(const struct obi_spawn_child *child, const struct obi_process *process,
			  int32_t pid, struct ob_error *reterr)
{
	char blame[128];
	int number = 0;
	if (child->step != OBI_SPAWN_EXEC) {
		number = killed_by(process, 0); /* it is dying */
	} else if (has_memory_limit(child)) {
		await_program(pid);
		number = killed_by(process, WNOHANG);
	}
	obi_exec_limits_blame(child, -number, blame, sizeof blame);
	if (number == 0 || (blame[0] == '\0' && child->step == OBI_SPAWN_EXEC)) {
		return OB_OK;
	}
	return obi_fail(reterr, OB_EEXITED, 0, "exec %s: killed by signal %d at once%s",
			child->file, number, blame);
}
