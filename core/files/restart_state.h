/* SPDX-License-Identifier: MIT */
/* files/restart_state - the restart counters in state.json. */
#ifndef OBI_FILES_RESTART_STATE_H
#define OBI_FILES_RESTART_STATE_H

#include <stdint.h>

/* The restarts so far; zeroed: none. state.json also has the boot id that last_ms belongs to. */
struct obi_restart_state {
	uint32_t count;	 /* restarts within the window */
	int64_t last_ms; /* CLOCK_BOOTTIME of the last one */
	uint64_t total;	 /* restarts in all; never reset */
	/* Restarts because of the version in a row, without a life in between that was well for the
	 * window. */
	uint32_t versions;
};

/* Restart the count; the total stays. */
static inline void obi_restart_state_clear(struct obi_restart_state *state)
{
	state->count = 0;
	state->last_ms = 0;
	state->versions = 0;
}

#endif
