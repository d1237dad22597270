/* SPDX-License-Identifier: MIT */
/*
 * supervisor/backoff - when to start a dead child again. Pure arithmetic: the caller brings the
 * clock and the dice.
 *
 * If the last restart lies further back than the window, the count begins anew; if max_restarts is
 * reached, give up; else the delay is the base doubled `count` times, at most the maximum.
 */
#ifndef OBI_SUPERVISOR_BACKOFF_H
#define OBI_SUPERVISOR_BACKOFF_H

#include <outboard/outboard.h>

#include "files/restart_state.h"

/* The policy with each field that is zero replaced by its default. */
struct ob_restart_policy obi_backoff_policy(const struct ob_restart_policy *given);

/* The option that is out of range, as "restart.jitter", and why; NULL: none is. */
const char *obi_backoff_check(const struct ob_restart_policy *policy, const char **ret_reason);

/*
 * Decide about one exit, or one failed restart. True: start again after *ret_delay_ms, and *state
 * has counted it. False: give up, *state is unchanged. policy is as given by the user (zero fields
 * mean defaults). now_ms is CLOCK_BOOTTIME, random is in [0, 1). A last_ms in the future belongs to
 * another boot and counts as long ago.
 */
bool obi_backoff_next(const struct ob_restart_policy *policy, struct obi_restart_state *state,
		      int64_t now_ms, double random, int64_t *ret_delay_ms);

#endif
