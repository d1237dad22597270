/* SPDX-License-Identifier: MIT */
#include "place/start_files.h"

#include <stdio.h>

#include "base/error.h"
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
