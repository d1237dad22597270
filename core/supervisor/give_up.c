/* SPDX-License-Identifier: MIT */
#include "supervisor/give_up.h"

bool obi_give_up_event(enum obi_phase phase, bool watched, enum obi_life_event *ret)
{
	switch (phase) {
	case OBI_PHASE_WAIT_STOP: /* the probe */
		*ret = OBI_LIFE_LOCK_FAILED;
		return true;
	case OBI_PHASE_CLEAR_STOP: /* the end of what an earlier start left */
	case OBI_PHASE_CLEAR_CLOSE:
		*ret = OBI_LIFE_NOT_GONE;
		return true;
	case OBI_PHASE_STOP_ASKED: /* the end of what the process left */
	case OBI_PHASE_STOP_CLOSE:
		*ret = OBI_LIFE_STUCK;
		return !watched;
	default:
		return false;
	}
}
