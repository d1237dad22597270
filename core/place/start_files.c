/* SPDX-License-Identifier: MIT */
#include "place/start_files.h"

#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "place/child_cgroup.h"
#include "process/user.h"

static char *path_of(const struct ob_connector_options *o, const char *name)
{
	char *path = NULL;
	return asprintf(&path, "%s/%s", o->data_path, name) < 0 ? NULL : path;
}

int obi_start_config(const struct ob_connector_options *o, const struct obi_datadir *dir,
		     bool token_file, struct ob_config *config, struct ob_error *reterr)
{
	config->fifo_stdout = path_of(o, OBI_FILE_STDOUT);
	config->fifo_stderr = path_of(o, OBI_FILE_STDERR);
	if (config->fifo_stdout == NULL || config->fifo_stderr == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "writing outboard config: out of memory");
	}
	int r = obi_datadir_write_config(dir, config, reterr);
	return r == OB_OK && token_file ? obi_datadir_write_token(dir, config->token, reterr) : r;
}

int obi_start_directory(const struct ob_connector_options *o, struct obi_directory_id *made,
			struct obi_datadir *dir, struct ob_error *reterr)
{
	struct obi_user user;
	int r = obi_child_user(o, &user, reterr);
	obi_datadir_close(dir);
	r = r == OB_OK ? obi_datadir_make(o->data_path, user.uid, user.gid, made, dir, reterr) : r;
	if (r == OB_OK) {
		obi_datadir_clean(dir, true);
	}
	return r;
}

int obi_start_cleanup(const struct ob_connector_options *o, struct obi_local_state *state,
		      struct ob_error *reterr)
{
	state->leftover = o->leftover;
	state->cleanup.timeout_ms = o->cleanup_timeout_ms > 0 ? o->cleanup_timeout_ms : 0;
	int r = obi_cleanup_state_set(&state->cleanup, o->cleanup, reterr);
	state->cleanup.pending = r == OB_OK && o->cleanup != NULL;
	return r;
}

int obi_start_fds_make(const struct ob_connector_options *o, const struct obi_statedir *dir,
		       struct obi_local_state *state, struct obi_start_fds *ret,
		       struct ob_error *reterr)
{
	int r = obi_statedir_make_lock(dir, &ret->lock, &state->lock, reterr);
	r = r == OB_OK ? obi_statedir_make_start(dir, &ret->start, reterr) : r;
	return r == OB_OK ? obi_child_cgroup_make(o, dir, state, &ret->cgroup, reterr) : r;
}

void obi_start_fds_close(struct obi_start_fds *fds)
{
	const int all[] = {fds->lock, fds->start, fds->cgroup > 0 ? fds->cgroup : -1};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (all[i] >= 0) {
			close(all[i]);
		}
	}
	*fds = OBI_START_FDS_NONE;
}
