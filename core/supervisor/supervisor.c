/* SPDX-License-Identifier: MIT */
#include "supervisor/supervisor.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "supervisor/supervise_private.h"

enum { KILL_WAIT_MS = 5000, LATE_MS = 1000 };

/* ---- Notes and events ---- */

void obi_supervisor_note_error(struct obi_supervisor *sup, const struct ob_error *err)
{
	if (!sup->noted) {
		sup->note = *err;
		sup->noted = true;
	}
	snprintf(sup->state.last_error, sizeof sup->state.last_error, "%.255s", err->text);
}

void obi_supervisor_note(struct obi_supervisor *sup, int code, const char *format, ...)
{
	struct ob_error err;
	va_list args;
	va_start(args, format);
	obi_failv(&err, code, 0, format, args);
	va_end(args);
	obi_supervisor_note_error(sup, &err);
}

void obi_supervisor_cause(struct obi_supervisor *sup, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(sup->cause, sizeof sup->cause, format, args);
	va_end(args);
}

void obi_supervisor_emit(struct obi_supervisor *sup, enum ob_event_type type, int64_t delay_ms)
{
	struct ob_event event = {
	    .size = sizeof event,
	    .type = type,
	    .name = sup->options->name,
	    .pid = sup->process.id.pid,
	    .exit_kind = sup->last_exit.kind,
	    .exit_value = sup->last_exit.value,
	    .cause = sup->cause,
	    .restarts = sup->state.restart.count,
	    .delay_ms = delay_ms,
	};
	if (type == OB_EVENT_RESTARTING || type == OB_EVENT_FAILED || type == OB_EVENT_UNHEALTHY ||
	    type == OB_EVENT_UNRESPONSIVE) {
		snprintf(sup->state.last_error, sizeof sup->state.last_error, "%s", sup->cause);
	}
	obi_supervisor_changed(sup);
	if (sup->setup.events.event != NULL) {
		sup->setup.events.event(sup->setup.events.user, &event);
	}
}

void obi_supervisor_changed(struct obi_supervisor *sup)
{
	sup->setup.events.changed(sup->setup.events.user);
}

/* ---- Requests ---- */

static bool is_start(enum obi_life_event event)
{
	return event == OBI_LIFE_START || event == OBI_LIFE_RECONNECT ||
	       event == OBI_LIFE_START_OR_RECONNECT;
}

static void finish(struct obi_request *request, int code, const struct ob_error *err)
{
	struct obi_request *mine =
	    request->lasting ? NULL : request; /* the supervisor may go meanwhile */
	if (request->done != NULL) {
		request->done(request->user, code, err);
	}
	free(mine);
}

static void finish_start(struct obi_supervisor *sup, bool ok)
{
	struct obi_request *request = sup->start;
	struct ob_error err = sup->note;
	if (!sup->noted) {
		obi_fail(&err, OB_ECANCELED, 0, "the start of outboard process %s was called off",
			 sup->options->name);
	}
	sup->start = NULL;
	sup->noted = false;
	if (request != NULL) {
		finish(request, ok ? OB_OK : err.code, ok ? NULL : &err);
	}
}

static void finish_stops(struct obi_supervisor *sup)
{
	struct obi_request *request = sup->stops;
	sup->stops = NULL;
	while (request != NULL) {
		struct obi_request *next = request->next;
		finish(request, OB_OK, NULL);
		request = next;
	}
}

static void refuse(struct obi_supervisor *sup, struct obi_request *request)
{
	struct ob_error err;
	int code = obi_lifecycle_refusal(sup->machine.phase, request->event);
	switch (code) {
	case OB_EEXIST:
		obi_fail(&err, code, 0,
			 is_start(request->event) && request->event != OBI_LIFE_START
			     ? "already connected"
			     : "outboard process %s is already running",
			 sup->options->name);
		break;
	case OB_ECLOSED:
		obi_fail(&err, code, 0, "the connector is closed");
		break;
	default:
		obi_fail(&err, code, 0, "outboard process %s is busy with another request",
			 sup->options->name);
		break;
	}
	finish(request, code, &err);
}

/* A request enters the machine. It is stored before the step, which may finish it. */
static void run_request(struct obi_supervisor *sup, struct obi_request *request)
{
	enum obi_life_event event = request->event;
	struct obi_step step = obi_lifecycle_step(sup->machine.phase, event);
	if ((step.actions & OBI_DO(REFUSE)) != 0) {
		sup->incoming = request;
	} else if (is_start(event)) {
		sup->start = request;
		sup->noted = false;
	} else if (event == OBI_LIFE_SUPERVISE) {
		finish(request, OB_OK, NULL);
	} else {
		request->next = sup->stops;
		sup->stops = request;
	}
	obi_machine_raise(&sup->machine, event);
}

static void run_queue(void *user)
{
	struct obi_supervisor *sup = user;
	while (sup->queue != NULL) {
		struct obi_request *request = sup->queue;
		sup->queue = request->next;
		request->next = NULL;
		run_request(sup, request);
	}
}

int obi_supervisor_request(struct obi_supervisor *sup, enum obi_life_event request,
			   ob_done_fn *done, void *user, uint64_t *ret_id, struct ob_error *reterr)
{
	struct obi_request **last = &sup->queue;
	bool lasting = request == OBI_LIFE_CLOSE && sup->close.id == 0;
	struct obi_request *r = lasting ? &sup->close : calloc(1, sizeof *r);
	if (r == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	*r = (struct obi_request){
	    .event = request, .id = ++sup->next_id, .done = done, .user = user, .lasting = lasting};
	while (*last != NULL) {
		last = &(*last)->next;
	}
	*last = r;
	obi_task_queue(sup->setup.loop, &sup->queue_task);
	if (ret_id != NULL) {
		*ret_id = r->id;
	}
	return OB_OK;
}

static struct obi_request *take_by_id(struct obi_request **list, uint64_t id)
{
	while (*list != NULL && (*list)->id != id) {
		list = &(*list)->next;
	}
	struct obi_request *found = *list;
	if (found != NULL) {
		*list = found->next;
	}
	return found;
}

static void finish_aborted(struct obi_supervisor *sup, struct obi_request *request, int code)
{
	struct ob_error err;
	obi_fail(&err, code, 0,
		 code == OB_ETIMEDOUT ? "timeout waiting for outboard process %s"
				      : "waiting for outboard process %s was canceled",
		 sup->options->name);
	finish(request, code, &err);
}

void obi_supervisor_abort(struct obi_supervisor *sup, uint64_t id, int code)
{
	struct obi_request *request = take_by_id(&sup->queue, id);
	if (request != NULL) {
		finish_aborted(sup, request, code);
		return;
	}
	if (sup->start != NULL && sup->start->id == id) {
		sup->noted = false; /* whatever went wrong before, this is what ends it */
		obi_supervisor_note(
		    sup, code,
		    code == OB_ETIMEDOUT
			? "timeout waiting for outboard process %s to be ready"
			: "waiting for outboard process %s to be ready was canceled",
		    sup->options->name);
		obi_machine_raise(&sup->machine, OBI_LIFE_CANCEL);
		return;
	}
	request = take_by_id(&sup->stops, id);
	if (request != NULL) {
		obi_machine_raise(&sup->machine, OBI_LIFE_KILL);
		finish_aborted(sup, request, code);
	}
}

/* ---- The machine ---- */

/*
 * A timer that is late says that we did not run (stopped, or the whole machine): the child was not
 * given the time that it was to have. So it is given as much again as we were away for, and is
 * looked at anew before it is judged.
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

static void on_timer(void *user)
{
	struct obi_supervisor *sup = user;
	bool waits = obi_lifecycle_is_starting(sup->machine.phase) ||
		     obi_lifecycle_is_adopting(sup->machine.phase);
	if (waits && is_given_more_time(sup)) {
		return;
	}
	switch (sup->machine.phase) {
	case OBI_PHASE_BACKOFF:
		obi_machine_raise(&sup->machine, OBI_LIFE_BACKOFF_OVER);
		break;
	case OBI_PHASE_STARTING_FIRST:
	case OBI_PHASE_STARTING_AGAIN:
		obi_supervisor_note(
		    sup, OB_ETIMEDOUT, "timeout waiting for outboard process %s to be ready%s%s",
		    sup->options->name, sup->link_error[0] != '\0' ? ": " : "", sup->link_error);
		obi_supervisor_cause(sup, "not ready in %lld ms",
				     (long long)sup->options->ready_timeout_ms);
		obi_machine_raise(&sup->machine, OBI_LIFE_READY_TIMEOUT);
		break;
	case OBI_PHASE_ADOPTING_RECONNECT:
	case OBI_PHASE_ADOPTING_EITHER:
	case OBI_PHASE_ADOPTING_AGAIN:
		obi_supervisor_note(
		    sup, OB_ETIMEDOUT,
		    "RPC connection failed: timeout waiting for outboard process %s to be ready",
		    sup->options->name);
		obi_supervisor_cause(sup, "cannot be taken over in %lld ms",
				     (long long)sup->options->ready_timeout_ms);
		obi_machine_raise(&sup->machine, sup->state.was_ready ? OBI_LIFE_ADOPT_FAILED
								      : OBI_LIFE_READY_TIMEOUT);
		break;
	default:
		obi_machine_raise(&sup->machine, OBI_LIFE_STOP_TIMEOUT);
		break;
	}
}

/* ---- What the actions mean ---- */

static void do_never(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	char text[128];
	struct ob_log_record record = {.size = sizeof record, .stream = 2, .level = OB_LOG_ERROR};
	snprintf(text, sizeof text, "internal error: event %s in phase %s",
		 obi_life_event_name(event), obi_phase_name(sup->machine.phase));
	record.name = sup->options->name;
	record.message = record.line = ob_bytes_text(text);
	record.attrs = ob_map(NULL, 0);
	clock_gettime(CLOCK_REALTIME, &record.time);
	snprintf(sup->state.last_error, sizeof sup->state.last_error, "%s", text);
	if (sup->setup.events.log != NULL) {
		sup->setup.events.log(sup->setup.events.user, &record);
	}
#ifdef OB_FAILPOINTS
	fprintf(stderr, "%s: %s\n", sup->options->name, text);
	abort();
#endif
}

static void do_refuse(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	refuse(sup, sup->incoming);
}

static void do_forgive(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_restart_state_clear(&sup->state.restart);
	sup->forgiven = sup->dir.parent_lock < 0; /* so are the counters that are not read yet */
}

static void do_disarm(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_timer_stop(&sup->timer);
}

static void do_signal_stop(void *user, enum obi_life_event event)
{
	(void)event;
	obi_instance_signal_stop(user);
}

static void do_kill_group(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	(void)obi_process_signal_group(&sup->process, SIGKILL, NULL);
}

static void do_kill_leftovers(void *user, enum obi_life_event event)
{
	(void)event;
	obi_instance_kill_leftovers(user);
}

static void do_reap(void *user, enum obi_life_event event)
{
	(void)event;
	obi_instance_reap(user);
}

static void do_let_go(void *user, enum obi_life_event event)
{
	(void)event;
	obi_instance_let_go(user);
}

static void do_emit_exited(void *user, enum obi_life_event event)
{
	(void)event;
	obi_supervisor_emit(user, OB_EVENT_EXITED, 0);
}

static void do_emit_restarting(void *user, enum obi_life_event event)
{
	(void)event;
	obi_supervisor_emit(user, OB_EVENT_RESTARTING, 0);
}

static void do_probe(void *user, enum obi_life_event event)
{
	(void)event;
	obi_instance_probe(user);
}

static void do_replace_lock(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	(void)obi_datadir_replace_lock(&sup->dir, NULL);
}

static void do_spawn(void *user, enum obi_life_event event)
{
	(void)event;
	obi_instance_spawn(user);
}

static void do_adopt(void *user, enum obi_life_event event)
{
	(void)event;
	obi_instance_adopt(user);
}

static void do_arm_ready(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	if (sup->options->ready_timeout_ms >= 0) {
		obi_timer_set(sup->setup.loop, &sup->timer, sup->options->ready_timeout_ms);
	}
	obi_instance_await_ready(sup);
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
	if (!obi_backoff_next(&sup->options->restart, &sup->state.restart,
			      obi_clock_ms(CLOCK_BOOTTIME), dice(), &delay_ms)) {
		obi_supervisor_cause(sup, "gave up after %u restarts", sup->state.restart.count);
		obi_machine_raise(&sup->machine, OBI_LIFE_GAVE_UP);
		return;
	}
	obi_timer_set(sup->setup.loop, &sup->timer, delay_ms);
	obi_supervisor_emit(sup, OB_EVENT_RESTARTING, delay_ms);
}

static void do_cleanup(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	if (sup->dir.parent_lock >= 0) {
		obi_datadir_clean(&sup->dir, true);
	}
}

static void do_save(void *user, enum obi_life_event event)
{
	(void)event;
	obi_instance_save(user);
}

static void do_release(void *user, enum obi_life_event event)
{
	struct obi_supervisor *sup = user;
	(void)event;
	obi_datadir_close(&sup->dir);
}

static void emit(struct obi_supervisor *sup, enum ob_event_type type, const char *cause)
{
	obi_supervisor_cause(sup, "%s", cause);
	obi_supervisor_emit(sup, type, 0);
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
	emit(user, OB_EVENT_ADOPTED, "taken over from an earlier parent");
}

static void do_emit_detached(void *user, enum obi_life_event event)
{
	(void)event;
	emit(user, OB_EVENT_DETACHED, "let go; it goes on running");
}

static void do_emit_failed(void *user, enum obi_life_event event)
{
	(void)event;
	obi_supervisor_emit(user, OB_EVENT_FAILED, 0);
}

static void do_emit_stopped(void *user, enum obi_life_event event)
{
	(void)event;
	emit(user, OB_EVENT_STOPPED, "stopped");
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
	(void)event;
	finish_stops(user);
}

static obi_life_handler *const handlers[OBI_ACT_COUNT] = {
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

static void on_stepped(void *user)
{
	obi_supervisor_changed(user);
}

/* ---- Life of the shell ---- */

int obi_supervisor_new(const struct obi_supervisor_setup *setup, struct obi_supervisor **ret,
		       struct ob_error *reterr)
{
	struct obi_supervisor *sup = calloc(1, sizeof *sup);
	if (sup == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	sup->setup = *setup;
	sup->options = setup->options;
	obi_machine_init(&sup->machine, &(struct obi_machine_setup){handlers, on_stepped, sup});
	sup->healthy = -1;
	sup->timer.fn = on_timer;
	sup->queue_task.fn = run_queue;
	sup->timer.user = sup->queue_task.user = sup;
	obi_link_monitor_init(sup);
	int r = obi_instance_init(sup, reterr);
	if (r < 0) {
		obi_supervisor_free(sup);
		return r;
	}
	*ret = sup;
	return OB_OK;
}

static void end_all(struct obi_supervisor *sup, struct obi_request **list)
{
	struct ob_error err;
	obi_fail(&err, OB_ECLOSED, 0, "the connector is closed");
	while (*list != NULL) {
		struct obi_request *request = *list;
		*list = request->next;
		finish(request, OB_ECLOSED, &err);
	}
	(void)sup;
}

void obi_supervisor_free(struct obi_supervisor *sup)
{
	if (sup == NULL) {
		return;
	}
	obi_timer_stop(&sup->timer);
	obi_task_stop(&sup->queue_task);
	obi_link_monitor_stop(sup);
	obi_instance_free(sup);
	end_all(sup, &sup->start);
	end_all(sup, &sup->stops);
	end_all(sup, &sup->queue);
	free(sup);
}

void obi_supervisor_kill(struct obi_supervisor *sup)
{
	if (!obi_lifecycle_has_process(sup->machine.phase)) {
		return;
	}
	(void)obi_process_signal_group(&sup->process, SIGKILL, NULL);
	if (obi_process_dies(&sup->process, KILL_WAIT_MS)) {
		obi_instance_reap(sup);
		obi_datadir_clean(&sup->dir, true);
		obi_instance_save(sup);
	}
}

void obi_supervisor_status(const struct obi_supervisor *sup, struct ob_status *ret)
{
	bool running = obi_lifecycle_has_process(sup->machine.phase);
	memset(ret, 0, sizeof *ret);
	ret->size = sizeof *ret;
	ret->state = obi_lifecycle_state(sup->machine.phase);
	ret->link = obi_link_monitor_state(sup);
	ret->pid = running ? sup->process.id.pid : 0;
	ret->uptime_ms = running ? obi_clock_ms(CLOCK_BOOTTIME) - sup->state.started_boot_ms : -1;
	ret->restarts = (uint32_t)sup->state.restart.total;
	ret->healthy = running ? sup->healthy : -1;
	ret->version = sup->state.version;
	ret->adopted = running && sup->state.adopted;
	ret->stale = running && strcmp(sup->state.config_hash, sup->setup.config_hash) != 0;
	snprintf(ret->address, sizeof ret->address, "%s", sup->address != NULL ? sup->address : "");
	bool cut_off = running && ret->link != OB_LINK_UP && sup->link_error[0] != '\0';
	snprintf(ret->last_error, sizeof ret->last_error, "%s",
		 cut_off ? sup->link_error : sup->state.last_error);
}
