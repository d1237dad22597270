/* SPDX-License-Identifier: MIT */
/* process/cgroup_parent - the cgroup in which those of the children are made: where it is, whether
 * limits can be set below it, and making that so. */
#ifndef OBI_PROCESS_CGROUP_PARENT_H
#define OBI_PROCESS_CGROUP_PARENT_H

#include <outboard/connector.h>

#include "process/cgroup_text.h"

#define OBI_CGROUP_LEAF "outboard-supervisor" /* where a process moves itself */

struct obi_cgroup_parent {
	char path[OBI_CGROUP_PATH_SIZE]; /* its directory */
	int fd;
	bool own;			     /* this process is in it, or in its leaf */
	char own_path[OBI_CGROUP_PATH_SIZE]; /* directory of this process's cgroup; "": not known */
};

/* Find and open it. options->parent: NULL: that of this process. OB_ENOTSUP: there is no cgroup
 * v2. */
int obi_cgroup_parent_open(const struct ob_cgroup *options, struct obi_cgroup_parent *ret,
			   struct ob_error *reterr);
void obi_cgroup_parent_close(struct obi_cgroup_parent *parent);

/* Whether children with these limits can be started in it, as far as that can be told without
 * changing anything. */
int obi_cgroup_parent_check(const struct obi_cgroup_parent *parent, const struct ob_cgroup *options,
			    struct ob_error *reterr);

/* Enable the controllers that the limits need, and those that tell what is used where that is
 * possible at once. If a controller is needed, this process moves into the leaf of its own
 * cgroup. */
int obi_cgroup_parent_prepare(const struct obi_cgroup_parent *parent,
			      const struct ob_cgroup *options, struct ob_error *reterr);

#endif
