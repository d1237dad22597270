/* SPDX-License-Identifier: MIT */
/*
 * reap - orphans: processes that children left behind and that became children of this process.
 *
 * The child of a member must be reaped by its connector, which needs the exit status. So a dead
 * child is looked at before it is reaped.
 */
#ifndef OBI_CLI_RUN_REAP_H
#define OBI_CLI_RUN_REAP_H

#include "cli/run/members.h"

struct obi_reaper {
	ob_runtime *rt;
	const struct obi_members *members;
	ob_watch *again;
};

/* Become the parent of every orphan among the descendants. */
int obi_reap_begin(struct obi_reaper *reaper, ob_runtime *rt, struct ob_error *reterr);

/* Reap dead children, except those of members and of the runtime. For SIGCHLD. */
void obi_reap(struct obi_reaper *reaper);

/* Reap no more. */
void obi_reap_end(struct obi_reaper *reaper);

/* Kill all children of this process, and their children, and reap them. Ends after some seconds,
 * also if they make new ones for ever. SIGCHLD is blocked. */
void obi_reap_kill(struct obi_run_log *log);

#endif
