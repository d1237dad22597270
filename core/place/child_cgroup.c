/* SPDX-License-Identifier: MIT */
#include "place/child_cgroup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "process/cgroup_parent.h"

enum { NAME_SIZE = 160, USAGE_MS = 5000 };

/* No other state directory has this device and inode while we hold its lock. */
static int make_name(const struct ob_connector_options *o, const struct obi_statedir *dir,
		     char name[NAME_SIZE], struct ob_error *reterr)
{
	struct stat st;
	if (fstat(dir->fd, &st) < 0) {
		return obi_fail(reterr, OB_EIO, errno, "%s", dir->path);
	}
	snprintf(name, NAME_SIZE, "outboard-%s-%" PRIx64 ".%" PRIx64, o->name, (uint64_t)st.st_dev,
		 (uint64_t)st.st_ino);
	return OB_OK;
}

static int make(const struct ob_connector_options *o, const char *name, struct obi_cgroup_id *ret,
		struct ob_error *reterr)
{
	struct obi_cgroup_parent parent;
	int r = obi_cgroup_parent_open(o->cgroup, &parent, reterr);
	r = r == OB_OK ? obi_cgroup_parent_prepare(&parent, o->cgroup, reterr) : r;
	r = r == OB_OK ? obi_cgroup_make(o->cgroup, parent.path, name, ret, reterr) : r;
	obi_cgroup_parent_close(&parent);
	return r;
}

int obi_child_cgroup_make(const struct ob_connector_options *o, const struct obi_statedir *dir,
			  struct obi_local_state *state, int *ret_procs, struct ob_error *reterr)
{
	char name[NAME_SIZE];
	*ret_procs = 0;
	obi_child_cgroup_remove(state);
	if (o->cgroup == NULL) {
		return OB_OK;
	}
	int r = make_name(o, dir, name, reterr);
	r = r == OB_OK ? make(o, name, &state->cgroup, reterr) : r;
	r = r == OB_OK ? obi_cgroup_open_procs(&state->cgroup, ret_procs, reterr) : r;
	if (r < 0) {
		obi_child_cgroup_remove(state);
		return reterr != NULL ? obi_wrap(reterr, "cgroup") : r;
	}
	return OB_OK;
}

void obi_child_cgroup_remove(struct obi_local_state *state)
{
	if (obi_cgroup_remove(&state->cgroup, NULL) == OB_OK) {
		state->cgroup = (struct obi_cgroup_id){.inode = 0};
	}
}

static void read_now(void *user)
{
	struct obi_usage_watch *watch = user;
	struct ob_cgroup_usage usage = obi_cgroup_usage(watch->id);
	obi_timer_set(watch->loop, &watch->timer, USAGE_MS);
	watch->fn(watch->user, &usage);
}

void obi_usage_watch_start(struct obi_usage_watch *watch, struct obi_loop *loop)
{
	if (watch->id->path[0] != '\0') {
		watch->loop = loop;
		watch->timer.fn = read_now;
		watch->timer.user = watch;
		obi_timer_set(loop, &watch->timer, 0);
	}
}

void obi_usage_watch_finish(struct obi_usage_watch *watch)
{
	obi_usage_watch_stop(watch);
	if (watch->id->path[0] != '\0') {
		struct ob_cgroup_usage usage = obi_cgroup_usage(watch->id);
		watch->fn(watch->user, &usage);
	}
}

void obi_usage_watch_stop(struct obi_usage_watch *watch)
{
	obi_timer_stop(&watch->timer);
}
