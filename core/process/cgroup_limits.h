/* SPDX-License-Identifier: MIT */
/* process/cgroup_limits - the limits of a child's cgroup as files: which has which value, and which
 * controller it needs. Pure. */
#ifndef OBI_PROCESS_CGROUP_LIMITS_H
#define OBI_PROCESS_CGROUP_LIMITS_H

#include <outboard/connector.h>

enum { OBI_CGROUP_LIMITS = 7, OBI_CGROUP_VALUE_SIZE = 48 };

struct obi_cgroup_limit {
	const char *file;		   /* "memory.max" */
	const char *controller;		   /* "memory" */
	char value[OBI_CGROUP_VALUE_SIZE]; /* as it is written into the file; "": not set */
};

/* The limit with this index, below OBI_CGROUP_LIMITS. */
struct obi_cgroup_limit obi_cgroup_limit_at(const struct ob_cgroup *cgroup, int index);

/* The file that first needs this controller; NULL: none does. */
const char *obi_cgroup_needs(const struct ob_cgroup *cgroup, const char *controller);

/* OB_EINVAL, with the file: a value is out of range, or one lacks another. */
int obi_cgroup_limits_check(const struct ob_cgroup *cgroup, struct ob_error *reterr);

#endif
