/* SPDX-License-Identifier: MIT */
#include "supervisor/supervisor.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/error.h"
#include "supervisor/attach.h"
#include "supervisor/backoff.h"
#include "supervisor/give_up.h"
#include "supervisor/give_up.h"
#include "supervisor/reason.h"
#include "supervisor/shell.h"

enum { KILL_WAIT_MS = 5000, LATE_MS = 1000 };

/* ---- Requests ---- */

/* The request is stored before the step, which may finish it. */
static void run_request(struct obi_supervisor *sup, struct obi_request *request)
{
	enum obi_life_event event = request->event;
	struct obi_step step = obi_lifecycle_step(sup->machine.phase, event);
	if ((step.actions & OBI_DO(REFUSE)) != 0) {
		sup->refused = request;
	} else if (obi_request_is_start(event)) {
		sup->requests.start = request;
		sup->reports.noted = sup->settled = sup->haste = false;
	} else if (event == OBI_LIFE_SUPERVISE) {
		sup->settled = sup->haste = false;
		obi_request_finish(request, OB_OK, NULL);
	} else {
		request->next = sup->requests.stops;
		sup->requests.stops = request;
		sup->settled = true;
	}
	obi_machine_raise(&sup->machine, event);
	if (sup->haste) {
		obi_machine_raise(&sup->machine, OBI_LIFE_KILL);
	}
}

static void run_requests(void *user)
{
	struct obi_supervisor *sup = user;
	struct obi_request *request;
	while ((request = obi_requests_next(&sup->requests)) != NULL) {
		run_request(sup, request);
	}
}

int obi_supervisor_request(struct obi_supervisor *sup, enum obi_life_event request,
			   ob_done_fn *done, void *user, uint64_t *ret_id, struct ob_error *reterr)
{
	uint64_t id;
	enum obi_life_event event = obi_attach_request(sup->options, request);
	if (event == OBI_LIFE_DETACH && request == OBI_LIFE_CLOSE) {
		(void)obi_requests_add(&sup->requests, event, NULL, NULL, &id, NULL);
		event = request;
	}
	int r = obi_requests_add(&sup->requests, event, done, user, &id, reterr);
	if (r == OB_OK) {
		obi_task_queue(sup->setup.loop, &sup->request_task);
	}
	if (r == OB_OK && ret_id != NULL) {
		*ret_id = id;
	}
	return r;
}

bool obi_supervisor_has_requests(const struct obi_supervisor *sup)
{
	return sup->requests.queue != NULL;
}

static void finish_aborted(struct obi_supervisor *sup, struct obi_request *request, int code)
{
	struct ob_error err;
	obi_fail(&err, code, 0,
		 code == OB_ETIMEDOUT ? "timeout waiting for outboard process %s"
				      : "waiting for outboard process %s was canceled",
		 sup->options->name);
	obi_request_finish(request, code, &err);
}

void obi_supervisor_abort(struct obi_supervisor *sup, uint64_t id, int code)
{
	struct obi_request *request = obi_requests_take(&sup->requests.queue, id);
	if (request != NULL) {
		obi_reports_changed(&sup->reports); /* it would have changed the state */
		finish_aborted(sup, request, code);
		return;
	}
	if (sup->requests.start != NULL && sup->requests.start->id == id) {
		sup->reports.noted = false; /* the abort is the reason, whatever failed before it */
		obi_reports_notef(&sup->reports, code,
				  code == OB_ETIMEDOUT
				      ? "timeout waiting for outboard process %s to be ready"
				      : "waiting for outboard process %s to be ready was canceled",
				  sup->options->name);
		obi_machine_raise(&sup->machine, OBI_LIFE_CANCEL);
		return;
	}
	request = obi_requests_take(&sup->requests.stops, id);
	if (request != NULL) {
		obi_machine_raise(&sup->machine, OBI_LIFE_KILL);
		finish_aborted(sup, request, code);
	}
}

void obi_supervisor_hurry(struct obi_supervisor *sup)
{
	bool asked = sup->requests.stops != NULL;
	for (const struct obi_request *r = sup->requests.queue; r != NULL; r = r->next) {
		asked = asked || r->event == OBI_LIFE_STOP || r->event == OBI_LIFE_CLOSE;
	}
	if (asked && !sup->haste) {
		sup->haste = true;
		obi_machine_raise(&sup->machine, OBI_LIFE_KILL);
	}
}

/* ---- The timer ---- */

/*
 * A timer that is late shows that this process did not run (it was stopped, or the machine was
 * suspended), so the child did not have the time that it was to have. It gets as much time again
 * as was lost.
 */
static bool is_given_more_time(struct obi_supervisor *sup)
{
	int64_t late = obi_now_ms() - sup->timer.at, most = sup->options->ready_timeout_ms;
	if (late < LATE_MS) {
		return false;
	}
	obi_timer_set(sup->setup.loop, &sup->timer, late < most ? late : most);
	return true;
}

static void on_ready_timeout(struct obi_supervisor *sup)
{
	const char *name = sup->options->name, *link = obi_kept_text(&sup->link.error);
	char time[OBI_DURATION_SIZE];
	obi_duration_text(sup->options->ready_timeout_ms, time, sizeof time);
	obi_reports_notef(&sup->reports, OB_ETIMEDOUT,
			  "timeout waiting for outboard process %s to be ready%s%s", name,
			  link[0] != '\0' ? ": " : "", link);
	bool silent =
	    sup->options->ready == OB_READY_CONFIG && sup->instance.state.address[0] == '\0';
	obi_reports_reason(&sup->reports, "not ready within %s (ready.timeout)%s%.100s", time,
			   link[0] != '\0' ? "; last dial: "
			   : silent	   ? "; one that is no outboard needs ready.mode none"
					   : "",
			   link);
	obi_machine_raise(&sup->machine, OBI_LIFE_READY_TIMEOUT);
}

static void on_adopt_timeout(struct obi_supervisor *sup)
{
	const char *link = obi_kept_text(&sup->link.error);
	char time[OBI_DURATION_SIZE];
	obi_duration_text(sup->options->ready_timeout_ms, time, sizeof time);
	obi_reports_notef(
	    &sup->reports, OB_ETIMEDOUT,
	    "RPC connection failed: timeout waiting for outboard process %s to be ready",
	    sup->options->name);
	obi_reports_reason(&sup->reports, "not adopted within %s (ready.timeout)%s%.100s", time,
			   link[0] != '\0' ? "; last dial: " : "", link);
	obi_machine_raise(&sup->machine, sup->instance.state.was_ready ? OBI_LIFE_ADOPT_FAILED
								       : OBI_LIFE_READY_TIMEOUT);
}

static void on_timer(void *user)
{
	struct obi_supervisor *sup = user;
	bool starting = obi_lifecycle_is_starting(sup->machine.phase);
	bool adopting = obi_lifecycle_is_adopting(sup->machine.phase);
	if ((starting || adopting) && is_given_more_time(sup)) {
		return;
	}
	if (starting) {
		on_ready_timeout(sup);
	} else if (adopting) {
		on_adopt_timeout(sup);
	} else {
		obi_machine_raise(&sup->machine, sup->machine.phase == OBI_PHASE_BACKOFF
						     ? OBI_LIFE_BACKOFF_OVER
						     : OBI_LIFE_STOP_TIMEOUT);
	}
}

/* ---- What the instance reports ---- */

static void note_nobody(struct obi_supervisor *sup)
{
	int32_t pid = sup->instance.found.pid;
	if (pid > 0) {
		obi_reports_notef(&sup->reports, OB_ENOENT, "process not running (pid %d)", pid);
	} else {
		obi_reports_notef(&sup->reports, OB_ENOENT, "no existing config in %s",
				  sup->options->data_path);
	}
}

/* A failure to start is a reason of its own. All others add to what is known of the process. */
static void note_failure(struct obi_supervisor *sup, enum obi_life_event event,
			 const struct ob_error *err)
{
	obi_reports_note(&sup->reports, err);
	if (event == OBI_LIFE_SPAWN_FAILED || event == OBI_LIFE_LOCK_FAILED) {
		obi_kept_text_clear(&sup->reports.reason);
	}
	if (event == OBI_LIFE_NOT_GONE || event == OBI_LIFE_STUCK ||
	    event == OBI_LIFE_LOCK_FAILED) {
		obi_reports_not_gone(&sup->reports, err);
	} else {
		obi_reports_reason(&sup->reports, "%s", err->text);
	}
	obi_reports_cause(&sup->reports, "%s", err->text);
}

static void on_happened(void *user, enum obi_life_event event, const struct ob_error *err)
{
	struct obi_supervisor *sup = user;
	enum obi_phase phase = sup->machine.phase;
	if (err != NULL) {
		note_failure(sup, event, err);
	}
	if (phase == OBI_PHASE_WAIT_RECONNECT &&
	    (event == OBI_LIFE_LOCK_FREE || event == OBI_LIFE_LOCK_LEFTOVERS)) {
		note_nobody(sup);
	}
	if (event == OBI_LIFE_LOCK_LIVE &&
	    (phase == OBI_PHASE_WAIT_START || phase == OBI_PHASE_CLEAR_START)) {
		obi_reports_notef(&sup->reports, OB_EEXIST,
				  "outboard process %s is already running", sup->options->name);
	}
	/* A start that has ended meanwhile cannot fail any more. */
	bool waits = obi_lifecycle_is_starting(phase) || obi_lifecycle_is_adopting(phase);
	if (waits || event != OBI_LIFE_READY_TIMEOUT) {
		obi_machine_raise(&sup->machine, event);
	}
}

/* A stop, and the end of a start that failed, kill what is left, whatever the policy for other ends
 * is. */
static void hurry_if_stopping(struct obi_supervisor *sup)
{
	enum obi_phase phase = sup->machine.phase;
	bool stopping = phase == OBI_PHASE_STOP_ASKED || phase == OBI_PHASE_STOP_CLOSE ||
			phase == OBI_PHASE_STOP_FAILED || phase == OBI_PHASE_CLEAR_STOP ||
			phase == OBI_PHASE_CLEAR_CLOSE;
	if (stopping && sup->instance.lingering && sup->instance.demand != OBI_DEMAND_END) {
		obi_instance_end(&sup->instance);
	}
}

static void on_remains(void *user, const char *text)
{
	struct obi_supervisor *sup = user;
	obi_reports_cause(&sup->reports, "%s", text);
	obi_reports_emit(&sup->reports, OB_EVENT_LINGERING, 0);
	hurry_if_stopping(sup);
}

static void on_reachable(void *user)
{
	struct obi_supervisor *sup = user;
	sup->well_since = 0;
	if (obi_is_attached(sup->options)) {
		obi_attach_note(sup->options, sup->setup.config_hash, &sup->instance.state);
	}
	/* The limit of the child that runs, which an earlier parent may have started. */
	if (sup->instance.state.message_max != 0) {
		sup->link.setup.connection.limits.message = sup->instance.state.message_max;
	}
	obi_link_monitor_start(&sup->link, sup->instance.address, sup->instance.state.instance,
			       &sup->instance.state.run);
}

static int on_token(void *user, const char *token, uint32_t uid, struct ob_error *reterr)
{
	struct obi_supervisor *sup = user;
	return sup->setup.events.token(sup->setup.events.user, token, uid, reterr);
}

/* ---- What the link monitor reports ---- */

/* Whether this life was well for so long that what was before it does not matter any more. An
 * adopted child has lived since its start. */
static void judge_life(struct obi_supervisor *sup)
{
	if (sup->well_since > 0) {
		obi_backoff_lived(&sup->options->restart, &sup->instance.state.restart,
				  obi_clock_ms(CLOCK_BOOTTIME) - sup->well_since);
	}
}

static void on_link(void *user, struct obi_connection *link)
{
	struct obi_supervisor *sup = user;
	const struct obi_statefile *state = &sup->instance.state;
	if (link == NULL) {
		judge_life(sup);
	} else if (sup->well_since == 0) {
		sup->well_since = state->adopted && state->was_ready ? state->started_boot_ms
								     : obi_clock_ms(CLOCK_BOOTTIME);
	}
	sup->setup.events.link(sup->setup.events.user, link);
	obi_log_fetch_link(&sup->logs, link);
	obi_attach_link(sup, link != NULL);
}

/* The phases other than READY ignore UNWELL. While the place is lost, silence says nothing about
 * the child. */
static void restart_if_wanted(struct obi_supervisor *sup, const char *why)
{
	if (sup->options->health_action == OB_HEALTH_RESTART && !sup->instance.lost) {
		obi_reports_reason(&sup->reports, "%s", why);
		obi_machine_raise(&sup->machine, OBI_LIFE_UNWELL);
	}
}

/* Emit an event that does not become the cause of a later one. */
static void say(struct obi_supervisor *sup, enum ob_event_type type, const char *why)
{
	struct obi_kept_text cause = sup->reports.cause;
	sup->reports.cause = (struct obi_kept_text){NULL};
	obi_reports_cause(&sup->reports, "%s", why);
	obi_reports_emit(&sup->reports, type, 0);
	obi_kept_text_clear(&sup->reports.cause);
	sup->reports.cause = cause;
}

static void on_good(void *user)
{
	struct obi_supervisor *sup = user;
	bool adopting = obi_lifecycle_is_adopting(sup->machine.phase);
	sup->instance.state.was_ready = true;
	if (sup->machine.phase == OBI_PHASE_READY) {
		say(sup, OB_EVENT_LINK_UP, "connected"); /* adopted when it could not be reached */
	}
	obi_machine_raise(&sup->machine, adopting ? OBI_LIFE_ADOPT_OK : OBI_LIFE_BECAME_READY);
	/* `unhealthy` was emitted before the child was ready, when it could not be restarted. */
	if (sup->link.healthy == 0) {
		restart_if_wanted(sup, "not healthy when it became ready");
	}
}

static void on_unwell(void *user, enum ob_event_type type, const char *why)
{
	struct obi_supervisor *sup = user;
	obi_reports_cause(&sup->reports, "%s", why);
	obi_reports_emit(&sup->reports, type, 0);
	restart_if_wanted(sup, why);
}

static void on_version(void *user, uint64_t version)
{
	struct obi_supervisor *sup = user;
	char why[128];
	sup->instance.state.version = version;
	if (obi_is_attached(sup->options) && version < sup->options->version) {
		snprintf(why, sizeof why, "version %llu is older than the expected %llu",
			 (unsigned long long)version, (unsigned long long)sup->options->version);
		say(sup, OB_EVENT_UNHEALTHY, why);
	}
}

static int on_dialing(void *user, struct ob_error *reterr)
{
	struct obi_supervisor *sup = user;
	return obi_is_attached(sup->options) ? obi_attach_token(sup, reterr) : OB_OK;
}

/*
 * A child that is too old is replaced at once, and that does not count: it was asked for. If it
 * happens again before a child was well for the window, then what is started is too old, too, and
 * would be replaced for ever: that counts. So does a child that was just started. A request that
 * waits for an adoption is answered by one restart.
 */
static void on_outdated(void *user, uint64_t version, bool was_good)
{
	struct obi_supervisor *sup = user;
	bool failed = !was_good && !sup->instance.state.adopted;
	bool is_asked = obi_lifecycle_start_open(sup->machine.phase) && !failed;
	judge_life(sup);
	bool is_repeated = obi_backoff_version(&sup->instance.state.restart);
	bool counts = failed || (is_repeated && !is_asked);
	obi_reports_reason(&sup->reports, "version %llu is older than the required %llu",
			   (unsigned long long)version, (unsigned long long)sup->options->version);
	if (failed) {
		obi_reports_notef(&sup->reports, OB_EEXITED,
				  "waiting for outboard process to be ready: %s",
				  obi_kept_text(&sup->reports.reason));
	}
	obi_machine_raise(&sup->machine, counts ? OBI_LIFE_UNWELL : OBI_LIFE_VERSION_OLD);
}

static void save(struct obi_supervisor *sup)
{
	obi_instance_save(&sup->instance, obi_lifecycle_state(sup->machine.phase));
}

/* Before READY the next step saves it. */
static void on_identified(void *user, const struct obi_child_run *run)
{
	struct obi_supervisor *sup = user;
	struct obi_child_run *known = &sup->instance.state.run;
	bool is_new = strcmp(known->id, run->id) != 0 || known->pid != run->pid;
	*known = *run;
	if (is_new) {
		obi_reports_changed(&sup->reports);
	}
	if (is_new && sup->machine.phase == OBI_PHASE_READY) {
		save(sup);
	}
}

/* What happens while a child is started or ended is told by the events of that. */
static void on_report(void *user, enum ob_event_type type, const char *why)
{
	struct obi_supervisor *sup = user;
	if (sup->machine.phase != OBI_PHASE_READY) {
		return;
	}
	if (type == OB_EVENT_REPLACED) {
		obi_backoff_count(&sup->options->restart, &sup->instance.state.restart,
				  obi_clock_ms(CLOCK_BOOTTIME));
		save(sup);
	}
	say(sup, type, why);
}

static void on_question_failed(void *user, const struct ob_error *err)
{
	struct obi_supervisor *sup = user;
	obi_reports_note(&sup->reports, err);
}

/*
 * A refusal by the permissions of this system, or by the identity of an adopted child, will not
 * change, so a request that waits fails at once. A child that we started has our secret: a refusal
 * by it may come from a stranger at its address, and the dial is repeated.
 */
static void on_refused(void *user, const struct ob_error *err)
{
	struct obi_supervisor *sup = user;
	bool adopting = obi_lifecycle_is_adopting(sup->machine.phase);
	bool starting = obi_lifecycle_is_starting(sup->machine.phase);
	bool matters = adopting || (starting && err->code == OB_EPERM);
	if (matters && sup->options->ready != OB_READY_NONE) {
		obi_reports_notef(&sup->reports, err->code, "RPC connection failed: %s", err->text);
		obi_reports_reason(&sup->reports, "%s", err->text);
		obi_machine_raise(&sup->machine,
				  adopting ? OBI_LIFE_ADOPT_FAILED : OBI_LIFE_READY_TIMEOUT);
	}
}

static void on_part_changed(void *user)
{
	struct obi_supervisor *sup = user;
	obi_reports_changed(&sup->reports);
}

static void give_up_lost(struct obi_supervisor *sup)
{
	enum obi_life_event event;
	struct ob_error err;
	if (sup->instance.lost && sup->haste &&
	    obi_give_up_event(sup->machine.phase, sup->instance.watched, &event)) {
		obi_fail(&err, OB_ECONNLOST, 0, "not stopped, it may run on: %s",
			 obi_kept_text(&sup->instance.lost_error));
		on_happened(sup, event, &err);
	}
}

static void on_stepped(void *user)
{
	struct obi_supervisor *sup = user;
	obi_link_monitor_set_awaited(&sup->link, sup->machine.phase != OBI_PHASE_READY);
	hurry_if_stopping(sup);
	if (sup->instance.lost && sup->machine.phase == OBI_PHASE_STOP_FAILED) {
		obi_machine_raise(&sup->machine, OBI_LIFE_PLACE_LOST);
	}
	give_up_lost(sup);
	obi_reports_changed(&sup->reports);
}

/* ---- Life ---- */

static void init_instance(struct obi_supervisor *sup)
{
	const struct obi_supervisor_setup *s = &sup->setup;
	struct obi_instance_setup setup = {
	    .loop = s->loop,
	    .place = s->place,
	    .options = s->options,
	    .config_hash = s->config_hash,
	    .listen_transport = s->listen_transport,
	    .numbers = s->numbers,
	    .log = s->events.log,
	    .log_user = s->events.user,
	    .events = {on_happened, on_reachable, on_token, obi_shell_listen, on_remains,
		       on_part_changed, sup},
	};
	obi_instance_init(&sup->instance, &setup);
}

static void init_link(struct obi_supervisor *sup)
{
	const struct obi_supervisor_setup *s = &sup->setup;
	struct obi_link_monitor_setup setup = {
	    .loop = s->loop,
	    .dials = s->dials,
	    .options = s->options,
	    .connection = s->link,
	    .local = s->local,
	    .events = {on_link, on_good, on_unwell, on_version, on_outdated, on_question_failed,
		       on_refused, on_dialing, obi_shell_shutdown_refused, on_identified, on_report,
		       on_part_changed, obi_shell_warn, sup},
	};
	obi_link_monitor_init(&sup->link, &setup);
}

static void init_reports(struct obi_supervisor *sup)
{
	const struct obi_supervisor_events *events = &sup->setup.events;
	sup->reports.setup = (struct obi_reports_setup){
	    .name = sup->options->name,
	    .instance = &sup->instance,
	    .last_error = sup->instance.state.last_error,
	    .event = events->event,
	    .log = events->log,
	    .changed = events->changed,
	    .user = events->user,
	};
}

int obi_supervisor_new(const struct obi_supervisor_setup *setup, struct obi_supervisor **ret,
		       struct ob_error *reterr)
{
	struct obi_supervisor *sup = calloc(1, sizeof *sup);
	if (sup == NULL) {
		setup->place->ops->free(setup->place);
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	sup->setup = *setup;
	sup->options = setup->options;
	sup->timer.fn = on_timer;
	sup->request_task.fn = run_requests;
	sup->timer.user = sup->request_task.user = sup;
	obi_machine_init(&sup->machine,
			 &(struct obi_machine_setup){obi_shell_handlers, on_stepped, sup});
	init_link(sup);
	init_instance(sup);
	obi_log_fetch_init(&sup->logs, setup->loop, setup->options, setup->events.log,
			   setup->events.user);
	init_reports(sup);
	*ret = sup;
	return OB_OK;
}

void obi_supervisor_free(struct obi_supervisor *sup)
{
	struct ob_error err;
	if (sup == NULL) {
		return;
	}
	obi_fail(&err, OB_ECLOSED, 0, "the connector is closed");
	obi_timer_stop(&sup->timer);
	obi_task_stop(&sup->request_task);
	obi_link_monitor_stop(&sup->link);
	obi_log_fetch_stop(&sup->logs);
	obi_instance_free(&sup->instance);
	obi_reports_free(&sup->reports);
	obi_requests_finish_all(&sup->requests.start, OB_ECLOSED, &err);
	obi_requests_finish_all(&sup->requests.stops, OB_ECLOSED, &err);
	obi_requests_finish_all(&sup->requests.queue, OB_ECLOSED, &err);
	free(sup);
}

void obi_supervisor_kill(struct obi_supervisor *sup)
{
	if (sup->instance.watched && obi_instance_end_now(&sup->instance, KILL_WAIT_MS)) {
		obi_shell_handlers[OBI_ACT_REAP](sup, OBI_LIFE_EXITED);
		obi_shell_handlers[OBI_ACT_CLEANUP](sup, OBI_LIFE_EXITED);
		obi_shell_handlers[OBI_ACT_SAVE](sup, OBI_LIFE_EXITED);
	}
}

int obi_supervisor_renew(struct obi_supervisor *sup, bool *ret_renewed, struct ob_error *reterr)
{
	return obi_instance_renew(&sup->instance, ret_renewed, reterr);
}
