/* SPDX-License-Identifier: MIT */
/* Taking back a restart that was counted. */
#include "supervisor/shell.h"
#include "supervisor/supervisor.h"

bool obi_supervisor_uncount(struct obi_supervisor *sup)
{
	if (!sup->can_uncount || sup->machine.phase != OBI_PHASE_BACKOFF) {
		return false;
	}
	sup->can_uncount = false;
	sup->instance.state.restart = sup->uncounted;
	obi_instance_save(&sup->instance, obi_supervisor_state(sup));
	obi_reports_changed(&sup->reports);
	return true;
}
