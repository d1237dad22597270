/* SPDX-License-Identifier: MIT */
/*
 * supervisor/backoff - when to restart a dead child. Pure arithmetic: the caller supplies the time
 * and the random number.
 *
 * If the last restart is older than the window, the count starts again; if max_restarts is reached,
 * the policy gives up; else the delay is the base doubled `count` times, at most the maximum.
 */
#ifndef OBI_SUPERVISOR_BACKOFF_H
#define OBI_SUPERVISOR_BACKOFF_H

#include <outboard/outboard.h>

#include "files/restart_state.h"

/* The policy, with defaults for the fields that are zero. */
struct ob_restart_policy obi_backoff_policy(const struct ob_restart_policy *given);

/* The option that is out of range, as "restart.jitter", and why; NULL: none is. */
const char *obi_backoff_check(const struct ob_restart_policy *policy, const char **ret_reason);

/*
 * Decide about one exit or one failed restart. True: restart after *ret_delay_ms; it is counted in
 * *state. False: give up; *state is unchanged. Zero fields of policy mean their defaults. now_ms is
 * CLOCK_BOOTTIME, random is in [0, 1). A last_ms in the future belongs to another boot, and counts
 * as older than the window.
 */
bool obi_backoff_next(const struct ob_restart_policy *policy, struct obi_restart_state *state,
		      int64_t now_ms, double random, int64_t *ret_delay_ms);

/* Count a restart that the child has done by itself: after it, obi_backoff_next() goes on as if it
 * had decided for it. */
void obi_backoff_count(const struct ob_restart_policy *policy, struct obi_restart_state *state,
		       int64_t now_ms);

/* Note a restart because of the version. True: it is not the first one in a row, and is to be
 * counted like any other. */
bool obi_backoff_version(struct obi_restart_state *state);

/* A child was well for so long. If that is longer than the window, the next restart because of the
 * version is the first one in a row. */
void obi_backoff_lived(const struct ob_restart_policy *policy, struct obi_restart_state *state,
		       int64_t well_ms);

#endif
