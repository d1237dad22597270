/* SPDX-License-Identifier: MIT */
/* place/state_renewal - reading the state of a child that we begin to supervise, and making its
 * directory anew after somebody removed it or a file in it: a cleaner of temporary files, say. */
#ifndef OBI_PLACE_STATE_RENEWAL_H
#define OBI_PLACE_STATE_RENEWAL_H

#include "files/statefile.h"

/*
 * Read the state of a directory that was locked just now. uid is the child's user as long as no
 * state says another. agent: the state directory of the agent that the child is to be behind; NULL:
 * of none. *ret_has: there is a state that can be believed. If that cannot be told, the directory
 * is unlocked again, so that the next attempt reads it: OB_ENOMEM, OB_EIO. So it is if a process of
 * the child may live behind another agent, which must not be forgotten: OB_EEXIST.
 */
int obi_state_take(struct obi_statedir *dir, uid_t uid, const char *agent,
		   struct obi_statefile *ret, bool *ret_has, struct ob_error *reterr);

/*
 * Make the directory at path (absolute), parent.lock and state.json anew where they are missing, or
 * where path leads to another directory than dir, which is then closed. parent.lock of dir must be
 * held. saved is what state.json is to say, and lives: there is a process, so it must be there.
 * *ret_renewed: something was made. What belongs to somebody else is left alone: OB_EBUSY, another
 * connector holds it; OB_EEXIST, its state.json names another process that lives.
 */
int obi_state_renew(struct obi_statedir *dir, const char *path, const struct obi_statefile *saved,
		    bool lives, bool *ret_renewed, struct ob_error *reterr);

#endif
