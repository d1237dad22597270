/* SPDX-License-Identifier: MIT */
#include "cli/run/reap.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/error.h"

enum { LOOK_AGAIN_MS = 20, KILL_ROUNDS = 64, KILL_WAIT_MS = 2000 };

static void on_again(void *user, int what)
{
	(void)what;
	obi_reap(user);
}

int obi_reap_begin(struct obi_reaper *reaper, ob_runtime *rt, struct ob_error *reterr)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
		return obi_fail(reterr, OB_EIO, errno, "becoming the parent of orphans");
	}
	return ob_watch_timer(rt, -1, on_again, reaper, &reaper->again, reterr);
}

void obi_reap_end(struct obi_reaper *reaper)
{
	ob_watch_free(reaper->again);
	reaper->again = NULL;
}

/* The pids of the members. A search through all members for each dead process would let a child
 * that leaves many behind hold up the loop. false: out of memory. */
static bool index_members(struct obi_key_table *pids, struct obi_key_node **ret_nodes,
			  const struct obi_members *members)
{
	struct obi_key_node *nodes = calloc((size_t)members->count + 1, sizeof *nodes);
	for (uint32_t i = 0; nodes != NULL && i < members->count; i++) {
		obi_key_add(pids, &nodes[i],
			    (uint64_t)ob_connector_pid(members->list[i].connector));
	}
	*ret_nodes = nodes;
	return nodes != NULL;
}

/* The kernel shows one dead child at a time, until it is reaped. Returns its pid; 0: none. */
static pid_t dead_child(void)
{
	siginfo_t dead = {.si_pid = 0};
	return waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) < 0 ? 0 : dead.si_pid;
}

/* While the kernel shows the dead child of a member, which its connector reaps, others may be
 * hidden: look again soon. */
void obi_reap(struct obi_reaper *reaper)
{
	struct obi_key_table pids = {0};
	struct obi_key_node *nodes = NULL;
	siginfo_t info;
	pid_t pid = dead_child();
	bool indexed = pid != 0 && index_members(&pids, &nodes, reaper->members);
	while (indexed && pid != 0 && obi_key_find(&pids, (uint64_t)pid) == NULL) {
		(void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
		pid = dead_child();
	}
	if (pid != 0) {
		ob_watch_set_timer(reaper->again, LOOK_AGAIN_MS);
	}
	obi_key_table_free(&pids);
	free(nodes);
}

/* ---- The end ---- */

/* Send SIGKILL to each child of one thread of this process. They are not reaped yet, so their pids
 * cannot be those of other processes. Returns their number. */
static size_t kill_children_of(const char *thread)
{
	char path[64];
	size_t count = 0;
	int pid;
	snprintf(path, sizeof path, "/proc/self/task/%.16s/children", thread);
	FILE *file = fopen(path, "re");
	while (file != NULL && fscanf(file, "%d", &pid) == 1) {
		count += kill(pid, SIGKILL) == 0;
	}
	if (file != NULL) {
		fclose(file);
	}
	return count;
}

static size_t kill_children(void)
{
	size_t count = 0;
	DIR *threads = opendir("/proc/self/task");
	const struct dirent *entry;
	while (threads != NULL && (entry = readdir(threads)) != NULL) {
		if (entry->d_name[0] != '.') {
			count += kill_children_of(entry->d_name);
		}
	}
	if (threads != NULL) {
		closedir(threads);
	}
	return count;
}

/* Wait for each and reap it. SIGCHLD is blocked, so none is missed. */
static void await_children(void)
{
	const struct timespec patience = {.tv_sec = KILL_WAIT_MS / 1000};
	sigset_t children;
	siginfo_t dead;
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	for (;;) {
		dead.si_pid = 0;
		if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG) < 0) {
			return;
		}
		if (dead.si_pid == 0 && sigtimedwait(&children, NULL, &patience) < 0 &&
		    errno == EAGAIN) {
			return;
		}
	}
}

/* Children of a killed process become children of this one: again, until there are none. */
void obi_reap_kill(struct obi_run_log *log)
{
	for (int round = 0; round < KILL_ROUNDS; round++) {
		size_t count = kill_children();
		if (count == 0) {
			return;
		}
		obi_run_log(log, NULL, OB_LOG_WARN, "killed processes that children left behind",
			    "{s:U}", "processes", (uint64_t)count);
		await_children();
	}
}
