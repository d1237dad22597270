/* SPDX-License-Identifier: MIT */
/* place/start_files - the files in the data directory of a local child, and what is noted of it,
 * for a start. */
#ifndef OBI_PLACE_START_FILES_H
#define OBI_PLACE_START_FILES_H

#include <outboard/connector.h>

#include "files/datadir.h"
#include "files/statefile.h"

/* Make the directory of the child and open it: *dir is closed before. One that was made for an
 * earlier user of the child is given to the present one. */
int obi_start_directory(const struct ob_connector_options *options, struct obi_directory_id *made,
			struct obi_datadir *dir, struct ob_error *reterr);

/* Write the config, with the names of the pipes. token_file: write the token alone, too. */
int obi_start_config(const struct ob_connector_options *options, const struct obi_datadir *dir,
		     bool token_file, struct ob_config *config, struct ob_error *reterr);

/* What a new process gets from us before it is executed: its lock, the file `start`, and
 * cgroup.procs of its cgroup. -1, and 0 for the cgroup: none. */
struct obi_start_fds {
	int lock, start, cgroup;
};

#define OBI_START_FDS_NONE ((struct obi_start_fds){-1, -1, 0})

/* Make them, and what they belong to; note that in the state. parent.lock must be held. */
int obi_start_fds_make(const struct ob_connector_options *options, const struct obi_statedir *dir,
		       struct obi_local_state *state, struct obi_start_fds *ret,
		       struct ob_error *reterr);
void obi_start_fds_close(struct obi_start_fds *fds);

/* Note what is to be done after the death of the process. It belongs to this start: the options may
 * be others by then. */
int obi_start_cleanup(const struct ob_connector_options *options, struct obi_local_state *state,
		      struct ob_error *reterr);

#endif
