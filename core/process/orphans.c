/* SPDX-License-Identifier: MIT */
#include "process/orphans.h"

#include <stdlib.h>
#include <sys/wait.h>

enum { TRACED_LOOK_MS = 100 };

struct orphan {
	struct obi_key_node node;
	struct obi_orphans *list;
	struct obi_loop *loop;
	struct obi_process process;
	struct obi_io io;
	struct obi_timer look_again;
};

static void forget(struct orphan *orphan)
{
	obi_key_remove(&orphan->list->table, &orphan->node);
	obi_io_stop(&orphan->io);
	obi_timer_stop(&orphan->look_again);
	obi_process_close(&orphan->process);
	free(orphan);
}

/* Its group is not killed: it was let go as well. A dead process that is traced cannot be reaped
 * until its tracer has seen it. */
static void reap(void *user)
{
	struct orphan *orphan = user;
	siginfo_t info = {0};
	int r = waitid(P_PIDFD, (id_t)orphan->process.pidfd, &info, WEXITED | WNOHANG);
	if (r == 0 && info.si_pid == 0) {
		obi_io_stop(&orphan->io);
		obi_timer_set(orphan->loop, &orphan->look_again, TRACED_LOOK_MS);
		return;
	}
	forget(orphan);
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

void obi_orphans_add(struct obi_orphans *orphans, struct obi_loop *loop,
		     struct obi_process *process)
{
	struct orphan *orphan = is_child_of_ours(process) && !obi_loop_is_default(loop)
				    ? calloc(1, sizeof *orphan)
				    : NULL;
	if (orphan == NULL) {
		obi_process_close(process);
		return;
	}
	orphan->process = *process;
	orphan->list = orphans;
	orphan->loop = loop;
	orphan->io.fn = on_death;
	orphan->look_again.fn = reap;
	orphan->io.user = orphan->look_again.user = orphan;
	obi_key_add(&orphans->table, &orphan->node, (uint64_t)orphan->process.id.pid);
	*process = OBI_PROCESS_NONE;
	obi_io_set(loop, &orphan->io, orphan->process.pidfd, OB_READABLE);
}

void obi_orphans_remove(struct obi_orphans *orphans, const struct obi_procid *id)
{
	struct obi_key_node *node = obi_key_find(&orphans->table, (uint64_t)id->pid);
	for (; node != NULL; node = obi_key_again(node)) {
		struct orphan *orphan = (struct orphan *)(void *)node;
		if (obi_procid_equal(&orphan->process.id, id)) {
			forget(orphan);
			return;
		}
	}
}

void obi_orphans_free(struct obi_orphans *orphans)
{
	struct obi_key_node *node = obi_key_next(&orphans->table, NULL);
	while (node != NULL) {
		struct orphan *orphan = (struct orphan *)(void *)node;
		node = obi_key_next(&orphans->table, node);
		forget(orphan);
	}
	obi_key_table_free(&orphans->table);
}
