/* SPDX-License-Identifier: MIT */
/*
 * supervisor/give_up - a stop in haste, of a child whose place is lost: it does not wait for an
 * answer, which may never come. A spawn is waited for all the same: no process is forgotten.
 */
#ifndef OBI_SUPERVISOR_GIVE_UP_H
#define OBI_SUPERVISOR_GIVE_UP_H

#include <stdbool.h>

#include "supervisor/lifecycle.h"

/* The event that ends such a stop in this phase. False: it does not wait for the place, or has a
 * timer that ends it. watched: the process is not known to be dead. */
bool obi_give_up_event(enum obi_phase phase, bool watched, enum obi_life_event *ret);

#endif
