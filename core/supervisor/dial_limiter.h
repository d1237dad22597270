/* SPDX-License-Identifier: MIT */
/*
 * supervisor/dial_limiter - at most so many dials of a runtime at once; the others wait in line. A
 * parent that comes back to a thousand children would else dial all of them in one moment.
 *
 * Children that do not answer must not hold up those that do. So while others wait, a dial has its
 * turn for OBI_DIAL_LIMITER_MS only; then it is told to end, and the next one of that child is a
 * silent one: it waits behind all that are not, and its turn is twice as long each time, unless one
 * that is not silent waits. While no others wait a dial may take as long as its own timeout allows.
 */
#ifndef OBI_SUPERVISOR_DIAL_LIMITER_H
#define OBI_SUPERVISOR_DIAL_LIMITER_H

#include "loop/loop.h"

enum { OBI_DIAL_LIMITER_MAX = 100, OBI_DIAL_LIMITER_MS = 400 };

struct obi_dial_limiter;

enum obi_dial_place {
	OBI_DIAL_NOWHERE,
	OBI_DIAL_WAITING,
	OBI_DIAL_HOLDING, /* a turn */
	OBI_DIAL_TOLD	  /* to give its turn back */
};

/* One that dials. Zeroed memory, but for fn, overdue and user, has no turn and does not want one.
 */
struct obi_dial_turn {
	struct obi_dial_turn *next, *previous; /* in one of the limiter's lines */
	struct obi_dial_limiter *limiter;
	struct obi_loop *loop;
	uint8_t place;	/* enum obi_dial_place */
	uint8_t silent; /* dials in a row that took a whole turn and more */
	int64_t since;	/* when its turn began */
	struct obi_task task;
	void (*fn)(void *user);	     /* its turn has come; called from the loop */
	void (*overdue)(void *user); /* its turn is over: end the dial. Called from the loop */
	void *user;
};

struct obi_dial_line {
	struct obi_dial_turn *first;
	struct obi_dial_turn *last;
};

/* Zeroed memory is one that has not been asked yet. */
struct obi_dial_limiter {
	uint32_t holding;
	struct obi_dial_line waiting; /* those that have always answered in time */
	struct obi_dial_line silent;  /* and the others that wait */
	struct obi_dial_line holders;
	struct obi_timer timer; /* while some wait: when the first turn is over */
};

/* Ask for a turn. true: it is there at once. false: it waits in line, and fn follows. Either must
 * be given back. */
bool obi_dial_limiter_ask(struct obi_dial_limiter *limiter, struct obi_loop *loop,
			  struct obi_dial_turn *turn);

/* Give it back, or leave the line: the next one is called from the loop. It may have been given
 * back already. */
void obi_dial_turn_end(struct obi_dial_turn *turn);

/* Whether it holds a turn or waits for one. */
bool obi_dial_turn_is_wanted(const struct obi_dial_turn *turn);

#endif
