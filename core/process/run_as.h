/* SPDX-License-Identifier: MIT */
/* process/run_as - whether a child can be this user, by what is known of this process. */
#ifndef OBI_PROCESS_RUN_AS_H
#define OBI_PROCESS_RUN_AS_H

#include <outboard/connector.h>

struct obi_run_as_facts {
	uint32_t euid;
	bool own_group;	 /* its gid is our group, or one of our groups */
	bool has_uid;	 /* its uid is a number of our user namespace */
	bool has_gid;	 /* and its gid */
	bool other_user; /* the command has a user or group of its own */
};

/* What stands against it, for people; NULL: nothing. */
const char *obi_run_as_fault(const struct ob_run_as *as, const struct obi_run_as_facts *facts);

#endif
