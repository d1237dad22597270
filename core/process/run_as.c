/* SPDX-License-Identifier: MIT */
#include "process/run_as.h"

const char *obi_run_as_fault(const struct ob_run_as *as, const struct obi_run_as_facts *facts)
{
	if (as->uid == UINT32_MAX || as->gid == UINT32_MAX) {
		return "uid and gid must be below 4294967295";
	}
	if (facts->other_user) {
		return "excludes user and group: it is for a command that keeps the supervisor's "
		       "user, and changes the child's by itself";
	}
	if (!facts->has_uid) {
		return "its uid has no number in the supervisor's user namespace";
	}
	if (!facts->has_gid) {
		return "its gid has no number in the supervisor's user namespace";
	}
	if (facts->euid != 0 && as->uid != facts->euid) {
		return "its uid is not the supervisor's: only root can give the data directory to "
		       "another user";
	}
	if (facts->euid != 0 && !facts->own_group) {
		return "its gid is none of the supervisor's groups: only root can give the data "
		       "directory to another group";
	}
	return NULL;
}
