/* SPDX-License-Identifier: MIT */
#include "supervisor/shell.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/error.h"
#include "base/signal_names.h"
#include "supervisor/attach.h"
#include "supervisor/backoff.h"
#include "supervisor/exit_reason.h"
#include "supervisor/link_home.h"

enum { KILLED_WAIT_MS = 10000 };

static void do_never(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	char text[128];
	snprintf(text, sizeof text, "internal error: event %s in phase %s",
		 obi_life_event_name(event), obi_phase_name(sup->machine.phase));
	obi_reports_fault(&sup->reports, text);
#ifdef OB_FAILPOINTS
	fprintf(stderr, "%s: %s\n", sup->options->name, text);
	abort();
#endif
}

static void refuse(struct obi_supervisor *sup, struct obi_request *request)
{
	const char *name = sup->options->name;
	struct ob_error err;
	int code = obi_lifecycle_refusal(sup->machine.phase, request->event);
	switch (code) {
	case OB_EEXIST:
		if (obi_request_is_start(request->event) && request->event != OBI_LIFE_START) {
			obi_fail(&err, code, 0, "already connected");
		} else {
			obi_fail(&err, code, 0, "outboard process %s is already running", name);
		}
		break;
	case OB_ECLOSED:
		obi_fail(&err, code, 0, "the connector is closed");
		break;
	default:
		obi_fail(&err, code, 0, "outboard process %s is busy with another request", name);
		break;
	}
	obi_request_finish(request, code, &err);
}

static void do_refuse(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	refuse(sup, sup->refused);
}

static void do_forgive(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_restart_state_clear(&sup->instance.state.restart);
	sup->instance.forgiven = true; /* so are the counters that will be read */
}

static void do_disarm(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_timer_stop(&sup->timer);
}

/* ---- A child that dials ---- */

int obi_shell_listen(void *user, const char *uri, struct ob_error *reterr)
{
	struct obi_supervisor *sup = user;
	int r = sup->setup.check_accept != NULL ? sup->setup.check_accept(sup->options, uri, reterr)
						: OB_OK;
	return r == OB_OK ? obi_link_monitor_listen(&sup->link, uri, reterr) : r;
}

void obi_shell_warn(void *user, const char *text)
{
	struct obi_supervisor *sup = user;
	obi_reports_warn(&sup->reports, text);
}

/* ---- Stopping ---- */

static void say_step(struct obi_supervisor *sup, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say_step(struct obi_supervisor *sup, const char *format, ...)
{
	char text[200];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	obi_reports_cause(&sup->reports, "%s", text);
	obi_reports_emit(&sup->reports, OB_EVENT_STOPPING, 0);
}

static void arm(struct obi_supervisor *sup, int64_t ms)
{
	if (ms >= 0) {
		obi_timer_set(sup->setup.loop, &sup->timer, ms);
	} else {
		obi_timer_stop(&sup->timer); /* that of the step before */
	}
}

static void send_signal(struct obi_supervisor *sup)
{
	char name[OBI_SIGNAL_NAME_SIZE];
	obi_instance_stop(&sup->instance);
	arm(sup, sup->options->stop_timeout_ms);
	say_step(sup, "sent %s", obi_signal_text(sup->options->stop_signal, name));
}

/* Nothing is known of a process whose place is lost: who is in haste does not wait for it. */
static bool gives_up(const struct obi_supervisor *sup)
{
	return sup->instance.lost && sup->haste;
}

static void kill_now(struct obi_supervisor *sup)
{
	if (sup->instance.watched) {
		arm(sup, gives_up(sup) ? 0 : KILLED_WAIT_MS);
	}
	obi_instance_end(&sup->instance);
}

static void kill_in_haste(struct obi_supervisor *sup)
{
	if (sup->instance.watched && sup->instance.demand != OBI_DEMAND_END) {
		say_step(sup, "killed at once, as asked");
	}
	kill_now(sup);
}

/* A process that is dead cannot be asked to end: what it left is killed. */
static void do_stop(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	if (!sup->instance.watched) {
		obi_instance_end(&sup->instance);
	} else if (obi_is_attached(sup->options)) {
		obi_attach_stop(sup);
	} else if (sup->haste) {
		kill_in_haste(sup);
	} else if (sup->options->stop_rpc_ms > 0 && obi_link_monitor_shutdown(&sup->link)) {
		obi_instance_expect_end(&sup->instance);
		arm(sup, sup->options->stop_rpc_ms);
		say_step(sup, "called outboard-control.shutdown");
	} else {
		send_signal(sup);
	}
}

static void give_reason(struct obi_supervisor *sup, int64_t ms, const char *after, const char *then)
{
	char text[OBI_DURATION_SIZE];
	obi_duration_text(ms, text, sizeof text);
	obi_reports_reason(&sup->reports, "did not end within %s (%s)%s", text, after, then);
}

static void fail_to_end(struct obi_supervisor *sup)
{
	struct ob_error err;
	if (gives_up(sup)) {
		obi_fail(&err, OB_ECONNLOST, 0, "not stopped, it may run on: %s",
			 obi_kept_text(&sup->instance.lost_error));
	} else {
		obi_fail(&err, OB_ETIMEDOUT, 0, "process %d does not end though SIGKILL was sent",
			 sup->instance.pid);
	}
	obi_reports_not_gone(&sup->reports, &err);
}

static void do_stop_next(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	const struct ob_connector_options *o = sup->options;
	(void)event;
	if (obi_is_attached(o)) {
		obi_attach_stop_next(sup);
		return;
	}
	switch (sup->instance.demand) {
	case OBI_DEMAND_ASKED:
		send_signal(sup);
		break;
	case OBI_DEMAND_STOP:
		give_reason(sup, o->stop_timeout_ms, "stop.timeout", ", killed");
		say_step(sup, "%s", obi_kept_text(&sup->reports.reason));
		kill_now(sup);
		break;
	default:
		if (sup->instance.lost && !sup->haste) {
			arm(sup, KILLED_WAIT_MS);
			break;
		}
		fail_to_end(sup);
		obi_machine_raise(&sup->machine, OBI_LIFE_STUCK);
		break;
	}
}

static void do_kill(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	if (obi_is_attached(sup->options)) {
		obi_attach_kill(sup);
	} else if (event == OBI_LIFE_KILL && sup->haste) {
		kill_in_haste(sup);
	} else {
		kill_now(sup);
	}
}

static void do_await_end(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_expect_end(&sup->instance);
	arm(sup, sup->options->stop_timeout_ms);
}

void obi_shell_shutdown_refused(void *user, const struct ob_error *err)
{
	struct obi_supervisor *sup = user;
	if (obi_lifecycle_state(sup->machine.phase) == OB_STATE_STOPPING &&
	    sup->instance.demand == OBI_DEMAND_ASKED) {
		say_step(sup, "outboard-control.shutdown: %.150s", err->text);
		obi_timer_stop(&sup->timer);
		obi_machine_raise(&sup->machine, OBI_LIFE_STOP_TIMEOUT);
	}
}

static void do_end_leftovers(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_end_holders(&sup->instance);
}

/* ---- The end of a process ---- */

/* The reasons for an end that was demanded stay in front of it. */
static void tell_exit(struct obi_supervisor *sup)
{
	const struct obi_instance *in = &sup->instance;
	char text[OBI_EXIT_REASON_SIZE];
	obi_exit_reason(in->pid, &in->exit, in->was_ended, &in->usage, text);
	obi_reports_reason(&sup->reports, "%s",
			   obi_is_attached(sup->options) ? "shut down, as asked"
			   : obi_kept_text(&in->exit_cause)[0] != '\0'
			       ? obi_kept_text(&in->exit_cause)
			       : text);
}

static void do_reap(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_link_monitor_stop(&sup->link);
	obi_log_fetch_end(&sup->logs);
	tell_exit(sup);
	if (sup->requests.start != NULL) {
		obi_reports_notef(&sup->reports, OB_EEXITED,
				  "waiting for outboard process to be ready: %s",
				  obi_kept_text(&sup->reports.reason));
	}
}

static void do_let_go(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	sup->left_dead = sup->instance.leaving;
	obi_link_monitor_stop(&sup->link);
	obi_log_fetch_end(&sup->logs);
	obi_instance_let_go(&sup->instance);
}

/* cause: NULL: it is set already. */
static void emit(struct obi_supervisor *sup, enum ob_event_type type, const char *cause)
{
	if (cause != NULL) {
		obi_reports_cause(&sup->reports, "%s", cause);
	}
	obi_reports_emit(&sup->reports, type, 0);
}

/* Whether the exit was a success that the policy does not follow with a restart. */
static bool is_done(const struct obi_supervisor *sup)
{
	const struct obi_instance *in = &sup->instance;
	bool restarted = sup->options->restart.on == OB_RESTART_ON_EXIT &&
			 sup->options->restart.max_restarts >= 0;
	return !restarted && !in->was_ended && in->exit.kind == OB_EXIT_CODE && in->exit.value == 0;
}

static void do_emit_exited(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	sup->reports.expected = sup->instance.was_ended || is_done(sup);
	emit(sup, OB_EVENT_EXITED, obi_kept_text(&sup->reports.reason));
}

static void do_emit_restarting(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	emit(sup, OB_EVENT_RESTARTING, obi_kept_text(&sup->reports.reason));
}

static void do_probe(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_probe(&sup->instance, sup->machine.phase != OBI_PHASE_WAIT_RECONNECT);
}

static void do_spawn(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_spawn(&sup->instance);
}

static void do_drop_spawn(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_drop_spawn(&sup->instance);
}

static void do_adopt(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_adopt(&sup->instance);
}

static void do_arm_ready(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	if (sup->options->ready_timeout_ms >= 0) {
		obi_timer_set(sup->setup.loop, &sup->timer, sup->options->ready_timeout_ms);
	}
	if (!obi_lifecycle_is_adopting(sup->machine.phase)) {
		obi_instance_await_ready(&sup->instance);
	}
}

static double dice(void)
{
	return (double)randombytes_random() / 4294967296.0;
}

static void tell_gave_up(struct obi_supervisor *sup)
{
	char last[200];
	snprintf(last, sizeof last, "%.199s", obi_kept_text(&sup->reports.reason));
	if (sup->options->restart.on == OB_RESTART_NEVER) {
		obi_reports_cause(&sup->reports, "not restarted (restart.on): %s", last);
	} else if (sup->options->restart.max_restarts < 0) {
		obi_reports_cause(&sup->reports, "not restarted (restart.max_restarts): %s", last);
	} else {
		uint32_t count = sup->instance.state.restart.count;
		obi_reports_cause(&sup->reports, "gave up after %u restart%s; last: %s", count,
				  count == 1 ? "" : "s", last);
	}
}

static void do_arm_backoff(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	int64_t delay_ms;
	(void)obi_link_monitor_listen(&sup->link, NULL, NULL); /* of a start that failed */
	if (event == OBI_LIFE_GONE && is_done(sup)) {
		obi_machine_raise(&sup->machine, OBI_LIFE_DONE);
		return;
	}
	sup->uncounted = sup->instance.state.restart;
	sup->can_uncount = false;
	if (sup->options->restart.on == OB_RESTART_NEVER ||
	    !obi_backoff_next(&sup->options->restart, &sup->instance.state.restart,
			      obi_clock_ms(CLOCK_BOOTTIME), dice(), &delay_ms)) {
		tell_gave_up(sup);
		obi_machine_raise(&sup->machine, OBI_LIFE_GAVE_UP);
		return;
	}
	sup->can_uncount = true;
	obi_timer_set(sup->setup.loop, &sup->timer, delay_ms);
	obi_reports_cause(&sup->reports, "%s", obi_kept_text(&sup->reports.reason));
	obi_reports_emit(&sup->reports, OB_EVENT_RESTARTING, delay_ms);
}

static void do_cleanup(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_clear(&sup->instance);
}

/* Why the child has failed; it is saved before the event tells it. */
static const char *why_failed(const struct obi_supervisor *sup, enum obi_life_event event)
{
	return event == OBI_LIFE_GAVE_UP ? obi_kept_text(&sup->reports.cause)
					 : obi_kept_text(&sup->reports.reason);
}

static void do_save(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	uint32_t state = obi_lifecycle_state(sup->machine.phase);
	const char *why = why_failed(sup, event);
	if (state == OB_STATE_FAILED && why[0] != '\0') {
		snprintf(sup->instance.state.last_error, sizeof sup->instance.state.last_error,
			 "%.255s", why);
	}
	obi_instance_save(&sup->instance, state);
}

static void do_release(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	(void)obi_link_monitor_listen(&sup->link, NULL, NULL); /* of a start that failed */
	obi_instance_release(&sup->instance);
}

static void do_emit_starting(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_kept_text_clear(&sup->reports.reason);
	emit(sup, OB_EVENT_STARTING, "started");
}

static void do_emit_ready(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_kept_text_clear(&sup->reports.reason);
	emit(sup, OB_EVENT_READY, "ready");
}

static void do_emit_adopted(void *user, enum obi_life_event event)
{
	(void)event;
	struct obi_supervisor *sup = user;
	char text[256];
	obi_kept_text_clear(&sup->reports.reason);
	emit(sup, OB_EVENT_ADOPTED,
	     obi_is_attached(sup->options) ? obi_attach_cause(sup, text, sizeof text)
	     : sup->instance.unlocked
		 ? "taken over from an earlier parent; the child holds no lock (it has closed "
		   "descriptor 3, or its state directory was removed), so "
		   "processes that it leaves behind cannot be found"
		 : "taken over from an earlier parent");
}

static void do_emit_detached(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	sup->reports.expected = event != OBI_LIFE_STUCK;
	emit(sup, OB_EVENT_DETACHED,
	     event == OBI_LIFE_STUCK ? obi_kept_text(&sup->reports.reason)
	     : sup->left_dead	     ? "detached; what the process left may keep running"
	     : obi_is_attached(sup->options)
		 ? "let go of a child that others have started; it keeps running"
		 : "detached; the process keeps running");
}

/* After GAVE_UP the cause was set with it. */
static void do_emit_failed(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	emit(sup, OB_EVENT_FAILED,
	     event == OBI_LIFE_GAVE_UP ? NULL : obi_kept_text(&sup->reports.reason));
}

static void do_emit_done(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	emit(sup, OB_EVENT_DONE, obi_kept_text(&sup->reports.reason));
}

static void do_emit_stopped(void *user, enum obi_life_event event)
{
	(void)event;
	emit(user, OB_EVENT_STOPPED, "stopped");
}

static void finish_start(struct obi_supervisor *sup, bool ok)
{
	struct obi_request *request = sup->requests.start;
	struct ob_error err = obi_reports_take_note(&sup->reports);
	sup->requests.start = NULL;
	if (request != NULL) {
		obi_request_finish(request, ok ? OB_OK : err.code, ok ? NULL : &err);
	}
}

static void do_start_ok(void *user, enum obi_life_event event)
{
	(void)event;
	finish_start(user, true);
}

static void do_start_fail(void *user, enum obi_life_event event)
{
	(void)event;
	finish_start(user, false);
}

static void do_stop_fail(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	struct ob_error err = obi_reports_why_not_gone(&sup->reports);
	obi_requests_finish_all(&sup->requests.stops, err.code, &err);
}

/* Stop, detach and close requests are kept in one list. */
static void do_stop_done(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_requests_finish_all(&sup->requests.stops, OB_OK, NULL);
}

obi_life_handler *const obi_shell_handlers[OBI_ACT_COUNT] = {
    [OBI_ACT_NEVER] = do_never,
    [OBI_ACT_REFUSE] = do_refuse,
    [OBI_ACT_FORGIVE] = do_forgive,
    [OBI_ACT_DISARM] = do_disarm,
    [OBI_ACT_END_LEFTOVERS] = do_end_leftovers,
    [OBI_ACT_REAP] = do_reap,
    [OBI_ACT_LET_GO] = do_let_go,
    [OBI_ACT_EMIT_EXITED] = do_emit_exited,
    [OBI_ACT_EMIT_RESTARTING] = do_emit_restarting,
    [OBI_ACT_PROBE] = do_probe,
    [OBI_ACT_SPAWN] = do_spawn,
    [OBI_ACT_DROP_SPAWN] = do_drop_spawn,
    [OBI_ACT_ADOPT] = do_adopt,
    [OBI_ACT_STOP] = do_stop,
    [OBI_ACT_STOP_NEXT] = do_stop_next,
    [OBI_ACT_KILL] = do_kill,
    [OBI_ACT_AWAIT_END] = do_await_end,
    [OBI_ACT_ARM_READY] = do_arm_ready,
    [OBI_ACT_ARM_BACKOFF] = do_arm_backoff,
    [OBI_ACT_CLEANUP] = do_cleanup,
    [OBI_ACT_SAVE] = do_save,
    [OBI_ACT_RELEASE] = do_release,
    [OBI_ACT_EMIT_STARTING] = do_emit_starting,
    [OBI_ACT_EMIT_READY] = do_emit_ready,
    [OBI_ACT_EMIT_ADOPTED] = do_emit_adopted,
    [OBI_ACT_EMIT_DETACHED] = do_emit_detached,
    [OBI_ACT_EMIT_FAILED] = do_emit_failed,
    [OBI_ACT_EMIT_DONE] = do_emit_done,
    [OBI_ACT_EMIT_STOPPED] = do_emit_stopped,
    [OBI_ACT_START_OK] = do_start_ok,
    [OBI_ACT_START_FAIL] = do_start_fail,
    [OBI_ACT_STOP_FAIL] = do_stop_fail,
    [OBI_ACT_STOP_DONE] = do_stop_done,
    [OBI_ACT_CLOSE_DONE] = do_stop_done,
};
