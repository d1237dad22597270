/* SPDX-License-Identifier: MIT */
/* process/user - the ids of users and groups. The system's databases are asked, which may block. */
#ifndef OBI_PROCESS_USER_H
#define OBI_PROCESS_USER_H

#include "base/arena.h"

#include <outboard/outboard.h>
#include <sys/types.h>

/* The user and group of the command; those of this process where they are not set. */
struct obi_user {
	uid_t uid;
	gid_t gid;
	bool change; /* they differ from those of this process */
};
int obi_spawn_user(const struct ob_connector_options *options, struct obi_user *ret,
		   struct ob_error *reterr);

/* Whom the child is: run_as, or the user of the command. */
int obi_child_user(const struct ob_connector_options *options, struct obi_user *ret,
		   struct ob_error *reterr);

/* The number of a user or group that is given by name or number. */
int obi_user_number(const char *user, uint32_t *ret, struct ob_error *reterr);
int obi_group_number(const char *group, uint32_t *ret, struct ob_error *reterr);

/* The supplementary groups of user (a name or a number, or NULL), gid among them. The list is made
 * in arena. */
int obi_user_groups(const char *user, gid_t gid, struct obi_arena *arena, const gid_t **ret_groups,
		    size_t *ret_count, struct ob_error *reterr);

#endif
