/* SPDX-License-Identifier: MIT */
/* What a supervisor shows of its child. */
#include "supervisor/supervisor.h"

#include <stdio.h>

#include "base/clock.h"
#include "supervisor/attach.h"
#include "supervisor/reason.h"
#include "supervisor/shell.h"

/* That the process of a child lives is known, unless others started it: then only the link tells.
 */
uint32_t obi_supervisor_state(const struct obi_supervisor *sup)
{
	bool ready = sup->machine.phase == OBI_PHASE_READY;
	if (sup->instance.lingering) {
		return OB_STATE_LINGERING;
	}
	return ready && obi_is_attached(sup->options) && !sup->link.supervising
		   ? (uint32_t)OB_STATE_RECONNECTING
		   : obi_lifecycle_state(sup->machine.phase);
}

/* What went wrong before the child was well, or was stopped as asked, is history. */
static const char *why_not_well(const struct obi_supervisor *sup, const struct ob_status *status)
{
	const struct obi_instance *in = &sup->instance;
	bool cut_off =
	    in->watched && status->link != OB_LINK_UP && obi_kept_text(&sup->link.error)[0] != '\0';
	if (in->lost) {
		return obi_kept_text(&in->lost_error);
	}
	if (cut_off) {
		return obi_kept_text(&sup->link.error);
	}
	if (in->lingering) {
		return obi_kept_text(&sup->reports.cause);
	}
	bool well = (status->state == OB_STATE_READY && status->healthy != 0) ||
		    (status->state == OB_STATE_STOPPED && sup->settled) ||
		    status->state == OB_STATE_DONE;
	return well ? "" : in->state.last_error;
}

void obi_supervisor_status(const struct obi_supervisor *sup, struct ob_status *ret)
{
	const struct obi_instance *in = &sup->instance;
	bool running = obi_lifecycle_has_process(sup->machine.phase) && in->watched;
	*ret = (struct ob_status){.size = sizeof *ret, .usage = in->usage};
	ret->state = obi_supervisor_state(sup);
	ret->link = obi_link_monitor_state(&sup->link);
	ret->pid = running ? in->pid : 0;
	ret->uptime_ms = running ? obi_clock_ms(CLOCK_BOOTTIME) - in->state.started_boot_ms : -1;
	ret->next_try_ms = obi_supervisor_next_try(sup);
	ret->restarts = (uint32_t)in->state.restart.total;
	ret->healthy = running ? sup->link.healthy : -1;
	ret->version = in->state.version;
	ret->inner_pid = running && obi_is_attached(sup->options)
			     ? in->state.run.pid
			     : obi_child_run_inner_pid(&in->state.run, ret->pid);
	ret->adopted = running && in->state.adopted;
	ret->stale = running && strcmp(in->state.config_hash, sup->setup.config_hash) != 0;
	snprintf(ret->address, sizeof ret->address, "%s", in->address != NULL ? in->address : "");
	snprintf(ret->client_address, sizeof ret->client_address, "%.255s",
		 running ? in->state.client_address : "");
	snprintf(ret->last_error, sizeof ret->last_error, "%s", why_not_well(sup, ret));
}

const char *obi_supervisor_address(const struct obi_supervisor *sup)
{
	return sup->instance.address;
}
