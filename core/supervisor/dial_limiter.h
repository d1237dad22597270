/* SPDX-License-Identifier: MIT */
/*
 * supervisor/dial_limiter - at most so many dials of a runtime at once. A parent that comes back to
 * a thousand children would else knock at a thousand doors in one moment, and find backlogs full
 * and descriptors used up; so the others wait in line.
 */
#ifndef OBI_SUPERVISOR_DIAL_LIMITER_H
#define OBI_SUPERVISOR_DIAL_LIMITER_H

#include "loop/loop.h"

enum { OBI_DIAL_LIMITER_MAX = 100 };

struct obi_dial_limiter;

/* One who dials. Zeroed memory, but for fn and user, has no turn and does not want one. */
struct obi_dial_turn {
	struct obi_dial_turn *next;	/* in line */
	struct obi_dial_limiter *pacer; /* NULL: no turn wanted */
	struct obi_loop *loop;
	bool holding;
	struct obi_task task;
	void (*fn)(void *user); /* it is its turn now; called from the loop */
	void *user;
};

/* Zeroed memory is one that nobody has asked yet. */
struct obi_dial_limiter {
	uint32_t holding;
	struct obi_dial_turn *first;
	struct obi_dial_turn *last;
};

/* Ask for a turn. true: it is there at once. false: it waits in line, and fn follows. Either must
 * be given back. */
bool obi_dial_limiter_ask(struct obi_dial_limiter *pacer, struct obi_loop *loop,
			  struct obi_dial_turn *turn);

/* Give it back, or leave the line: the next one is called from the loop. It may have been given
 * back already. */
void obi_dial_turn_end(struct obi_dial_turn *turn);

/* Whether it holds a turn or waits for one. */
bool obi_dial_turn_is_wanted(const struct obi_dial_turn *turn);

#endif
