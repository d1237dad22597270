/* SPDX-License-Identifier: MIT */
#include "supervisor/shell.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "supervisor/backoff.h"

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

static void do_signal_stop(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_stop(&sup->instance);
}

static void do_kill_group(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_end(&sup->instance);
}

static void do_kill_leftovers(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_end_holders(&sup->instance);
}

static void tell_exit(struct obi_supervisor *sup)
{
	const struct obi_exit *end = &sup->instance.exit;
	int32_t pid = sup->instance.pid;
	if (end->kind == OB_EXIT_CODE) {
		obi_reports_cause(&sup->reports, "process %d exited with status %d", pid,
				  end->value);
	} else if (end->kind == OB_EXIT_SIGNAL) {
		obi_reports_cause(&sup->reports, "process %d was killed by signal %d", pid,
				  end->value);
	} else {
		obi_reports_cause(&sup->reports, "process %d exited; its status is not known", pid);
	}
}

static void do_reap(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_link_monitor_stop(&sup->link);
	tell_exit(sup);
	if (sup->requests.start != NULL) {
		obi_reports_notef(&sup->reports, OB_EEXITED,
				  "waiting for outboard process to be ready: %s",
				  sup->reports.cause);
	}
}

static void do_let_go(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_link_monitor_stop(&sup->link);
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

static void do_emit_exited(void *user, enum obi_life_event event)
{
	(void)event;
	emit(user, OB_EVENT_EXITED, NULL);
}

static void do_emit_restarting(void *user, enum obi_life_event event)
{
	(void)event;
	emit(user, OB_EVENT_RESTARTING, NULL);
}

static void do_probe(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_probe(&sup->instance, sup->machine.phase != OBI_PHASE_WAIT_RECONNECT);
}

static void do_replace_lock(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_replace_lock(&sup->instance);
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

static void do_arm_stop(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	if (sup->options->stop_timeout_ms >= 0) {
		obi_timer_set(sup->setup.loop, &sup->timer, sup->options->stop_timeout_ms);
	}
}

static double dice(void)
{
	return (double)randombytes_random() / 4294967296.0;
}

static void do_arm_backoff(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	int64_t delay_ms;
	(void)event;
	if (!obi_backoff_next(&sup->options->restart, &sup->instance.state.restart,
			      obi_clock_ms(CLOCK_BOOTTIME), dice(), &delay_ms)) {
		obi_reports_cause(&sup->reports, "gave up after %u restarts",
				  sup->instance.state.restart.count);
		obi_machine_raise(&sup->machine, OBI_LIFE_GAVE_UP);
		return;
	}
	obi_timer_set(sup->setup.loop, &sup->timer, delay_ms);
	obi_reports_emit(&sup->reports, OB_EVENT_RESTARTING, delay_ms);
}

static void do_cleanup(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_clear(&sup->instance);
}

static void do_save(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_save(&sup->instance, obi_lifecycle_state(sup->machine.phase));
}

static void do_release(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_instance_release(&sup->instance);
}

static void do_emit_starting(void *user, enum obi_life_event event)
{
	(void)event;
	emit(user, OB_EVENT_STARTING, "started");
}

static void do_emit_ready(void *user, enum obi_life_event event)
{
	(void)event;
	emit(user, OB_EVENT_READY, "ready");
}

static void do_emit_adopted(void *user, enum obi_life_event event)
{
	(void)event;
	const struct obi_supervisor *sup = user;
	emit(user, OB_EVENT_ADOPTED,
	     sup->instance.unlocked
		 ? "taken over from an earlier parent; the child has closed descriptor 3, so "
		   "processes that it leaves behind cannot be found"
		 : "taken over from an earlier parent");
}

static void do_emit_detached(void *user, enum obi_life_event event)
{
	(void)event;
	emit(user, OB_EVENT_DETACHED, "detached; the process keeps running");
}

static void do_emit_failed(void *user, enum obi_life_event event)
{
	(void)event;
	emit(user, OB_EVENT_FAILED, NULL);
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
    [OBI_ACT_SIGNAL_STOP] = do_signal_stop,
    [OBI_ACT_KILL_GROUP] = do_kill_group,
    [OBI_ACT_KILL_LEFTOVERS] = do_kill_leftovers,
    [OBI_ACT_REAP] = do_reap,
    [OBI_ACT_LET_GO] = do_let_go,
    [OBI_ACT_EMIT_EXITED] = do_emit_exited,
    [OBI_ACT_EMIT_RESTARTING] = do_emit_restarting,
    [OBI_ACT_PROBE] = do_probe,
    [OBI_ACT_REPLACE_LOCK] = do_replace_lock,
    [OBI_ACT_SPAWN] = do_spawn,
    [OBI_ACT_DROP_SPAWN] = do_drop_spawn,
    [OBI_ACT_ADOPT] = do_adopt,
    [OBI_ACT_ARM_READY] = do_arm_ready,
    [OBI_ACT_ARM_STOP] = do_arm_stop,
    [OBI_ACT_ARM_BACKOFF] = do_arm_backoff,
    [OBI_ACT_CLEANUP] = do_cleanup,
    [OBI_ACT_SAVE] = do_save,
    [OBI_ACT_RELEASE] = do_release,
    [OBI_ACT_EMIT_STARTING] = do_emit_starting,
    [OBI_ACT_EMIT_READY] = do_emit_ready,
    [OBI_ACT_EMIT_ADOPTED] = do_emit_adopted,
    [OBI_ACT_EMIT_DETACHED] = do_emit_detached,
    [OBI_ACT_EMIT_FAILED] = do_emit_failed,
    [OBI_ACT_EMIT_STOPPED] = do_emit_stopped,
    [OBI_ACT_START_OK] = do_start_ok,
    [OBI_ACT_START_FAIL] = do_start_fail,
    [OBI_ACT_STOP_DONE] = do_stop_done,
    [OBI_ACT_CLOSE_DONE] = do_stop_done,
};
