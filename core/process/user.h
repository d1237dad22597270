/* SPDX-License-Identifier: MIT */
/* process/user - the ids behind the names of users and groups. Asks the system's databases, which
 * may take a while. */
#ifndef OBI_PROCESS_USER_H
#define OBI_PROCESS_USER_H

#include "base/arena.h"

#include <outboard/outboard.h>
#include <sys/types.h>

/* What the options' user and group mean; those of this process where they are not set. */
struct obi_user {
	uid_t uid;
	gid_t gid;
	bool change; /* they differ from ours */
};
int obi_spawn_user(const struct ob_connector_options *options, struct obi_user *ret,
		   struct ob_error *reterr);

/* The number of a user, or of a group, given by name or number. */
int obi_user_number(const char *user, uint32_t *ret, struct ob_error *reterr);
int obi_group_number(const char *group, uint32_t *ret, struct ob_error *reterr);

/* The supplementary groups of user (a name or a number, or NULL), gid among them. The list is made
 * in arena. */
int obi_user_groups(const char *user, gid_t gid, struct obi_arena *arena, const gid_t **ret_groups,
		    size_t *ret_count, struct ob_error *reterr);

#endif
