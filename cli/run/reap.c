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

enum { LOOK_AGAIN_MS = 20, KILL_MS = 5000, KILL_LOOK_MS = 20, REAP_MAX = 64 };

static void on_again(void *user, int what)
{
	(void)what;
	obi_reap(user);
}

int obi_reap_begin(struct obi_reaper *reaper, ob_runtime *rt, struct ob_error *reterr)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
		return obi_fail(reterr, OB_EIO, errno, "becoming the parent of orphans: prctl");
	}
	reaper->rt = rt;
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
	size_t count = (size_t)members->count + members->leaving_count;
	struct obi_key_node *nodes = calloc(count + 1, sizeof *nodes), *node = nodes;
	for (uint32_t i = 0; nodes != NULL && i < members->count; i++) {
		obi_key_add(pids, node++, (uint64_t)ob_connector_pid(members->list[i]->connector));
	}
	for (const struct obi_member *m = members->leaving; nodes != NULL && m != NULL;
	     m = m->next_leaving) {
		obi_key_add(pids, node++, (uint64_t)ob_connector_pid(m->connector));
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
	while (indexed && pid != 0 && obi_key_find(&pids, (uint64_t)pid) == NULL &&
	       !ob_runtime_owns_process(reaper->rt, pid)) {
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

/* Reap some of those that are dead; *count grows. False: there is no child any more. */
static bool reap_some(size_t *count)
{
	siginfo_t dead = {.si_pid = 1};
	for (int i = 0; i < REAP_MAX && dead.si_pid != 0; i++) {
		dead.si_pid = 0;
		if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG) < 0) {
			return false;
		}
		*count += dead.si_pid != 0;
	}
	return true;
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Children of a killed process become children of this one, so this goes on until there are none. A
 * process that forks and exits for ever is a new one each time: only a kill that is fast, and not
 * kept waiting by the dead ones, reaches one before it has forked. */
void obi_reap_kill(struct obi_run_log *log)
{
	const struct timespec pause = {.tv_nsec = KILL_LOOK_MS * 1000000};
	int64_t end = now_ms() + KILL_MS;
	sigset_t children;
	size_t count = 0;
	bool left = true;
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	while (left && now_ms() < end) {
		size_t before = count;
		(void)kill_children();
		while ((left = reap_some(&count)) && count - before >= REAP_MAX) {
			before = count; /* many are dead: there is no need to kill them again */
		}
		if (left && count == before) {
			(void)sigtimedwait(&children, NULL, &pause);
		}
	}
	if (count > 0) {
		obi_run_log(log, NULL, OB_LOG_WARN, "killed processes that children left behind",
			    "{s:U}", "processes", (uint64_t)count);
	}
	if (left) {
		obi_run_log(log, NULL, OB_LOG_ERROR,
			    "processes that children left behind cannot be ended", NULL);
	}
}
