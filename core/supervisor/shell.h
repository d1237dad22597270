/* SPDX-License-Identifier: MIT */
/* supervisor/shell - the parts of a supervisor, and what the actions of its machine do to them. */
#ifndef OBI_SUPERVISOR_SHELL_H
#define OBI_SUPERVISOR_SHELL_H

#include "supervisor/instance.h"
#include "supervisor/link_monitor.h"
#include "supervisor/log_fetch.h"
#include "supervisor/machine.h"
#include "supervisor/reports.h"
#include "supervisor/requests.h"
#include "supervisor/setup.h"

struct obi_supervisor {
	struct obi_supervisor_setup setup;
	const struct ob_connector_options *options;
	struct obi_machine machine;
	struct obi_timer timer; /* of the phase */
	struct obi_requests requests;
	struct obi_task request_task;
	struct obi_request *refused; /* the request of an event that is refused */
	bool settled;		     /* the last request was a stop, detach or close */
	bool haste; /* the stop that was asked for skips all before SIGKILL, until the next start */
	struct obi_reports reports;
	bool left_dead; /* what was let go was what a dead process left */
	struct obi_instance instance;
	struct obi_link_monitor link;
	struct obi_restart_state uncounted; /* before the last restart was counted */
	bool can_uncount;		    /* that was the last thing counted */
	struct obi_log_fetch logs;
	int64_t well_since; /* CLOCK_BOOTTIME of this process's first link; 0: none yet */
};

/* The child refuses to shut down: the step of the stop that asked it is over. */
void obi_shell_shutdown_refused(void *user, const struct ob_error *err);

/* The child is going to dial: listen there. The user is a struct obi_supervisor. */
int obi_shell_listen(void *user, const char *uri, struct ob_error *reterr);

/* Somebody who dialled in place of the child was refused. */
void obi_shell_warn(void *user, const char *text);

/* The user of each is a struct obi_supervisor. */
extern obi_life_handler *const obi_shell_handlers[OBI_ACT_COUNT];

#endif
