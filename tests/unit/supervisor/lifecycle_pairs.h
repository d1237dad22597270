/* SPDX-License-Identifier: MIT */
/* lifecycle_pairs - every pair of phase and event. */
#ifndef OB_TESTS_UNIT_LIFECYCLE_PAIRS_H
#define OB_TESTS_UNIT_LIFECYCLE_PAIRS_H

#include "supervisor/lifecycle.h"

#define EVERY_PAIR(phase, event)                              \
	for (int phase = 0; phase < OBI_PHASE_COUNT; phase++) \
		for (int event = 0; event < OBI_LIFE_COUNT; event++)

static inline struct obi_step step_of(int phase, int event)
{
	return obi_lifecycle_step((enum obi_phase)phase, (enum obi_life_event)event);
}

#endif
