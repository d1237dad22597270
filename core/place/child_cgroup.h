/* SPDX-License-Identifier: MIT */
/* place/child_cgroup - the cgroup of a local child: made for a start, watched while the child runs,
 * removed when it is gone. What is done to it when the process is dead is in place/remains. */
#ifndef OBI_PLACE_CHILD_CGROUP_H
#define OBI_PLACE_CHILD_CGROUP_H

#include "files/statefile.h"
#include "loop/loop.h"

/*
 * Make the cgroup that the options ask for, and open its cgroup.procs; none: *ret_procs is 0. One
 * of an earlier start is removed. Its name has the identity of the state directory, so that no
 * other child has the same one. "cgroup: ..."
 */
int obi_child_cgroup_make(const struct ob_connector_options *options,
			  const struct obi_statedir *dir, struct obi_local_state *state,
			  int *ret_procs, struct ob_error *reterr);

/* Remove the cgroup of the state. One that has processes stays, and stays in the state. */
void obi_child_cgroup_remove(struct obi_local_state *state);

/* Reads what a cgroup uses from time to time. fn, user and id must be set. */
struct obi_usage_watch {
	struct obi_timer timer;
	struct obi_loop *loop;
	const struct obi_cgroup_id *id;
	void (*fn)(void *user, const struct ob_cgroup_usage *usage);
	void *user;
};

/* Read it now, and again every 5 s. Without a cgroup nothing is read. */
void obi_usage_watch_start(struct obi_usage_watch *watch, struct obi_loop *loop);
/* Read it once more, and then no more. */
void obi_usage_watch_finish(struct obi_usage_watch *watch);
void obi_usage_watch_stop(struct obi_usage_watch *watch);

#endif
