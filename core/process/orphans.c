/* SPDX-License-Identifier: MIT */
#include "process/orphans.h"

#include <stdlib.h>
#include <sys/wait.h>

enum { TRACED_LOOK_MS = 100 };

struct obi_orphan {
	struct obi_orphan *next;
	struct obi_orphans *list;
	struct obi_loop *loop;
	struct obi_process process;
	struct obi_io io;
	struct obi_timer look_again;
};

static void forget(struct obi_orphan *stray)
{
	struct obi_orphan **slot = &stray->list->first;
	while (*slot != stray) {
		slot = &(*slot)->next;
	}
	*slot = stray->next;
	obi_io_stop(&stray->io);
	obi_timer_stop(&stray->look_again);
	obi_process_close(&stray->process);
	free(stray);
}

/* Its group is not killed: it was let go as well. A dead process that is traced cannot be reaped
 * until its tracer has seen it. */
static void reap(void *user)
{
	struct obi_orphan *stray = user;
	siginfo_t info = {0};
	int r = waitid(P_PIDFD, (id_t)stray->process.pidfd, &info, WEXITED | WNOHANG);
	if (r == 0 && info.si_pid == 0) {
		obi_io_stop(&stray->io);
		obi_timer_set(stray->loop, &stray->look_again, TRACED_LOOK_MS);
		return;
	}
	forget(stray);
}

static void on_death(void *user, int events)
{
	(void)events;
	reap(user);
}

/* Asked of the kernel: a child that was detached and adopted again is ours, though it was not
 * started through this obi_process. */
static bool is_child_of_ours(const struct obi_process *process)
{
	siginfo_t info;
	return process->pidfd >= 0 &&
	       waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOWAIT | WNOHANG) == 0;
}

void obi_orphans_add(struct obi_orphans *strays, struct obi_loop *loop, struct obi_process *process)
{
	struct obi_orphan *stray = is_child_of_ours(process) && !obi_loop_is_default(loop)
				       ? calloc(1, sizeof *stray)
				       : NULL;
	if (stray == NULL) {
		obi_process_close(process);
		return;
	}
	stray->process = *process;
	stray->list = strays;
	stray->loop = loop;
	stray->next = strays->first;
	stray->io.fn = on_death;
	stray->look_again.fn = reap;
	stray->io.user = stray->look_again.user = stray;
	strays->first = stray;
	*process = OBI_PROCESS_NONE;
	obi_io_set(loop, &stray->io, stray->process.pidfd, OB_READABLE);
}

void obi_orphans_remove(struct obi_orphans *strays, const struct obi_procid *id)
{
	for (struct obi_orphan *stray = strays->first; stray != NULL; stray = stray->next) {
		if (obi_procid_equal(&stray->process.id, id)) {
			forget(stray);
			return;
		}
	}
}

void obi_orphans_free(struct obi_orphans *strays)
{
	while (strays->first != NULL) {
		forget(strays->first);
	}
}
