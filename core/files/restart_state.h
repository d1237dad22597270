/* SPDX-License-Identifier: MIT */
/* files/restart_state - the count of restarts that state.json keeps. */
#ifndef OBI_FILES_RESTART_STATE_H
#define OBI_FILES_RESTART_STATE_H

#include <stdint.h>

/* What has happened so far; zeroed: nothing. Kept in state.json, together with the boot id that
 * last_ms belongs to. */
struct obi_restart_state {
	uint32_t count;	 /* restarts within the window */
	int64_t last_ms; /* CLOCK_BOOTTIME of the last one */
	uint64_t total;	 /* restarts in all; never reset */
};

/* Begin the count anew; the total stays. */
static inline void obi_restart_state_clear(struct obi_restart_state *state)
{
	state->count = 0;
	state->last_ms = 0;
}

#endif
