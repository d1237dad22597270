/* SPDX-License-Identifier: MIT */
/*
 * supervisor/machine - runs the table of supervisor/lifecycle: looks up the step for an event,
 * enters the next phase and calls the handlers of the step's actions in the order of their bits.
 *
 * An event that is raised while a step runs is queued and handled when that step is complete. The
 * queue holds each kind of event at most once: a second event of the same kind says nothing new,
 * because a step never ends between the two. So OBI_LIFE_COUNT places are always enough.
 */
#ifndef OBI_SUPERVISOR_MACHINE_H
#define OBI_SUPERVISOR_MACHINE_H

#include "supervisor/lifecycle.h"

/* Does one action. event is the event of the step. */
typedef void obi_life_handler(void *user, enum obi_life_event event);

struct obi_machine_setup {
	obi_life_handler *const *handlers; /* OBI_ACT_COUNT of them, all set */
	void (*stepped)(void *user);	   /* a step is complete */
	void *user;
};

struct obi_machine {
	struct obi_machine_setup setup;
	enum obi_phase phase;
	bool running; /* a step is in progress */
	uint8_t count;
	uint8_t queue[OBI_LIFE_COUNT]; /* enum obi_life_event, the oldest first */
};

void obi_machine_init(struct obi_machine *machine, const struct obi_machine_setup *setup);

/* Handle the event and all events that this leads to; within a step: queue it. */
void obi_machine_raise(struct obi_machine *machine, enum obi_life_event event);

#endif
