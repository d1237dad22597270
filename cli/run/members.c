/* SPDX-License-Identifier: MIT */
/* The children of the config: a connector each, supervised from beginning to end. */
#include <stdlib.h>

#include "base/error.h"
#include "cli/run/run.h"

/* ---- What the connectors tell ---- */

/* An exit that somebody asked for is no surprise. */
static bool is_asked_for(const struct obi_member *member)
{
	struct ob_status status = {.size = sizeof status};
	ob_connector_status(member->connector, &status);
	return status.state == OB_STATE_STOPPED || status.state == OB_STATE_STOPPING;
}

static void on_event(void *user, const struct ob_event *event)
{
	struct obi_member *member = user;
	obi_run_log_event(member->run, event,
			  event->type == OB_EVENT_EXITED && is_asked_for(member));
	obi_orders_event(member, event);
}

static void on_log(void *user, const struct ob_log_record *record)
{
	struct obi_member *member = user;
	ob_log_writer_record(member->run->writer, record);
}

/* ---- Beginning ---- */

static int make_one(struct obi_member *member, struct ob_error *reterr)
{
	struct ob_connector_options options = *member->options;
	options.on_event = on_event;
	options.on_log = on_log;
	options.user_data = member;
	int r = ob_connector_new(member->run->rt, &options, &member->connector, reterr);
	return r < 0 ? obi_wrap(reterr, "children.%s", options.name) : OB_OK;
}

int obi_members_make(struct obi_run *run, struct ob_error *reterr)
{
	run->members = calloc((size_t)run->config.count + 1, sizeof *run->members);
	if (run->members == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	for (uint32_t i = 0; i < run->config.count; i++) {
		struct obi_member *member = &run->members[i];
		member->run = run;
		member->options = &run->config.children[i];
		int r = make_one(member, reterr);
		if (r < 0) {
			return r;
		}
		run->count++;
	}
	return OB_OK;
}

void obi_member_begin(struct obi_member *member)
{
	struct ob_error err;
	member->held = false;
	if (member->run->mode == OBI_RUN_SERVING &&
	    ob_connector_supervise(member->connector, &err) < 0) {
		obi_run_log(member->run, member->options->name, OB_LOG_ERROR,
			    "cannot be supervised", "{s:s}", "cause", err.text);
	}
}

void obi_members_begin(struct obi_run *run)
{
	for (uint32_t i = 0; i < run->count; i++) {
		if (!run->members[i].held) {
			obi_member_begin(&run->members[i]);
		}
	}
}

/* ---- End ---- */

static void on_done(void *user, int result, const struct ob_error *err)
{
	struct obi_member *member = user;
	if (result < 0) {
		obi_run_log(member->run, member->options->name, OB_LOG_ERROR,
			    "cannot be left in order", "{s:s}", "cause", err->text);
	}
	obi_run_done_one(member->run);
}

static void end_all(struct obi_run *run,
		    int (*end)(ob_connector *, ob_done_fn *, void *, struct ob_error *))
{
	for (uint32_t i = 0; i < run->count; i++) {
		struct ob_error err;
		run->pending++;
		if (end(run->members[i].connector, on_done, &run->members[i], &err) < 0) {
			on_done(&run->members[i], err.code, &err);
		}
	}
}

void obi_members_stop(struct obi_run *run)
{
	end_all(run, ob_connector_stop_async);
}

void obi_members_detach(struct obi_run *run)
{
	end_all(run, ob_connector_detach_async);
}

void obi_members_close(struct obi_run *run)
{
	for (uint32_t i = 0; i < run->count; i++) {
		ob_connector_close(run->members[i].connector);
	}
	run->count = 0;
	free(run->members);
	run->members = NULL;
}
