/* SPDX-License-Identifier: MIT */
/* api/child_directory - the two directories of a child that another process may supervise. */
#ifndef OBI_API_CHILD_DIRECTORY_H
#define OBI_API_CHILD_DIRECTORY_H

#include "files/datadir.h"
#include "files/statefile.h"

struct obi_child_directory {
	struct obi_statedir state_dir; /* fd -1: this process must not look into it */
	struct obi_datadir data;       /* fd -1: it is missing */
	struct obi_statefile state;    /* zeroed where it cannot be read */
	bool has_state;
	uid_t believed_uid; /* of the child: from the state, or who owns the data directory */
};

/*
 * Open both for a look. data_path may be relative, and a link. state_path: the state directory;
 * NULL: DATA_PATH.state, or ../.state/NAME, whichever is there.
 *
 * The state is believed if this process's user owns it. Root opens the directory of any user, which
 * tells whether the child lives, and believes no state but its own. The child's own
 * user has no access to it and gets the data directory alone. OB_ENOENT: neither is there.
 * OB_EPERM: the data directory is another user's, and there is no state for this user.
 */
int obi_child_directory_open(const char *data_path, const char *state_path,
			     struct obi_child_directory *ret, struct ob_error *reterr);

/* The same for the state alone: OB_ENOENT also if this user must not believe it. */
int obi_child_directory_open_state(const char *state_path, struct obi_child_directory *ret,
				   struct ob_error *reterr);

void obi_child_directory_close(struct obi_child_directory *dir);

#endif
