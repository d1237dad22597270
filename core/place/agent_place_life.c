/* SPDX-License-Identifier: MIT */
#include "place/agent_place_life.h"

#include <signal.h>
#include <stdio.h>

#include "base/error.h"

/* An agent waits for at most a day. */
enum { STOP_MAX_MS = 23 * 3600 * 1000 };

static bool is_up(const struct obi_agent_place *a)
{
	return obi_agent_hub_link(a->setup.hub) == OBI_AGENT_UP;
}

static const struct obi_place_events *events_of(const struct obi_agent_place *a)
{
	return a->place.events;
}

/* ---- Requests ---- */

struct obi_agent_request *obi_agent_place_request(struct obi_agent_place *a, const char *method,
						  const char *instance,
						  obi_agent_answered_fn *answered)
{
	return obi_agent_request_new(&a->queue, method, obi_agent_place_name(a), instance,
				     answered);
}

void obi_agent_request_put(struct obi_agent_request *request, const char *key, int64_t number)
{
	ob_build_key(&request->builder, key);
	ob_build_int(&request->builder, number);
}

void obi_agent_place_tell(struct obi_agent_place *a, const char *method, const char *instance)
{
	const struct ob_pair pairs[] = {
	    {ob_string("host"), ob_string(obi_agent_hub_host(a->setup.hub))},
	    {ob_string("name"), ob_string(obi_agent_place_name(a))},
	    {ob_string("instance"), ob_string(instance)},
	    {ob_string("signal"), ob_int(SIGKILL)}, /* of `end` only */
	    {ob_string("timeout_ms"), ob_int(0)}};
	const struct ob_value params = ob_map(pairs, strcmp(method, "end") == 0 ? 5 : 3);
	if (is_up(a) && instance[0] != '\0') {
		(void)obi_agent_hub_call(a->setup.hub, method, &params, OBI_AGENT_CALL_MS, NULL,
					 NULL, NULL, NULL);
	}
}

void obi_agent_place_inspect(struct obi_agent_place *a)
{
	struct obi_agent_request *request =
	    obi_agent_queue_has(&a->queue, "inspect")
		? NULL
		: obi_agent_place_request(a, "inspect", "", a->inspected);
	if (request != NULL) {
		obi_agent_queue_add(&a->queue, request);
	}
}

int64_t obi_agent_place_stop_ms(const struct obi_agent_place *a)
{
	int64_t ms = a->setup.options->stop_timeout_ms;
	return ms < 0 || ms > STOP_MAX_MS ? STOP_MAX_MS : ms;
}

/* ---- Facts ---- */

bool obi_agent_place_is_ours(const struct obi_agent_place *a)
{
	return a->facts.state != OBI_AGENT_ABSENT && a->instance[0] != '\0' &&
	       strcmp(a->facts.instance, a->instance) == 0;
}

static bool is_dead(const struct obi_agent_facts *f)
{
	return f->state == OBI_AGENT_LINGERING || f->state == OBI_AGENT_ENDED ||
	       f->state == OBI_AGENT_FAILED || f->state == OBI_AGENT_HELD;
}

struct obi_place_child obi_agent_place_process(const struct obi_agent_place *a)
{
	struct obi_place_child child = {.pid = a->facts.pid};
	snprintf(child.record, sizeof child.record, OBI_AGENT_RECORD "%.*s",
		 (int)(sizeof child.record - sizeof OBI_AGENT_RECORD), a->facts.record);
	return child;
}

static void say_remains(struct obi_agent_place *a)
{
	const struct obi_agent_facts *f = &a->facts;
	const char *text = f->remains[0] != '\0' ? f->remains : f->error;
	if (text[0] != '\0' && strcmp(text, a->said) != 0) {
		memcpy(a->said, text, sizeof a->said);
		events_of(a)->remains(a->place.user, a->said);
	}
}

/* ---- The end ---- */

static void report_exit(struct obi_agent_place *a, const struct obi_exit *how, const char *cause)
{
	a->life = OBI_AGENT_DEAD;
	a->watch_config = a->drained = false;
	if (cause[0] != '\0') {
		events_of(a)->cause(a->place.user, cause);
	}
	events_of(a)->exited(a->place.user, how);
}

static void report_gone(struct obi_agent_place *a, const struct obi_place_facts *facts,
			const struct ob_error *err)
{
	a->life = OBI_AGENT_AT_REST;
	obi_agent_log_reader_stop(&a->logs);
	events_of(a)->gone(a->place.user, facts, err);
}

void obi_agent_place_vanish(struct obi_agent_place *a, const char *cause)
{
	const struct obi_exit unknown = {OB_EXIT_UNKNOWN, 0};
	const struct obi_place_facts facts = {.alive = false};
	if (a->life == OBI_AGENT_WATCHED) {
		report_exit(a, &unknown, cause);
	}
	if (a->life == OBI_AGENT_DEAD || a->life == OBI_AGENT_OF_EARLIER) {
		report_gone(a, &facts, NULL);
	}
}

void obi_agent_place_fail(struct obi_agent_place *a, int code, const char *text)
{
	struct ob_error err;
	obi_fail(&err, code, 0, "%s: %s", obi_agent_hub_name(a->setup.hub),
		 text[0] != '\0' ? text : "something is left of it");
	report_gone(a, NULL, &err);
}

/* What it wrote comes before `exited`, and what its cleanup command wrote before `gone`. */
static bool is_drained(struct obi_agent_place *a)
{
	if (!a->drained) {
		obi_agent_log_reader_drain(&a->logs);
	}
	return a->drained;
}

void obi_agent_place_drained(void *user)
{
	struct obi_agent_place *a = user;
	a->drained = true;
	obi_agent_place_step(a);
}

static void report_usage(struct obi_agent_place *a)
{
	struct ob_cgroup_usage usage = a->facts.usage;
	if (a->facts.has_usage) {
		a->facts.has_usage = false; /* it is told once */
		events_of(a)->usage(a->place.user, &usage);
	}
}

static void step_living(struct obi_agent_place *a)
{
	const struct obi_agent_facts *f = &a->facts;
	if (a->killed && f->error[0] != '\0') {
		struct ob_error err;
		obi_fail(&err, OB_EPERM, 0, "%s: %s", obi_agent_hub_name(a->setup.hub), f->error);
		a->killed = false;
		events_of(a)->stuck(a->place.user, &err);
	} else if (a->watch_config && f->config_version != a->config_version &&
		   !obi_agent_queue_has(&a->queue, "read_config")) {
		a->config_version = f->config_version;
		a->place.ops->read_config(&a->place);
	}
}

static void step_watched(struct obi_agent_place *a)
{
	report_usage(a);
	if (a->life != OBI_AGENT_WATCHED) {
		return;
	}
	if (!is_dead(&a->facts)) {
		step_living(a);
	} else if (is_drained(a)) {
		struct obi_agent_exit end = a->facts.exit;
		report_exit(a, &end.how, end.cause);
		obi_agent_place_step(a);
	}
}

static void on_holders_asked(void *user, const struct obi_agent_request *request,
			     const struct ob_value *result, const struct ob_error *err)
{
	struct obi_agent_place *a = user;
	(void)request;
	(void)result;
	(void)err; /* the facts say what is there */
	a->holders_asked = true;
	a->known = false; /* the facts are older than the request */
	obi_agent_place_inspect(a);
}

void obi_agent_place_ask_holders(struct obi_agent_place *a)
{
	if (obi_agent_queue_has(&a->queue, "end_holders")) {
		return;
	}
	struct obi_agent_request *request =
	    obi_agent_place_request(a, "end_holders", "", on_holders_asked);
	if (request == NULL) {
		obi_agent_place_fail(a, OB_ENOMEM, "out of memory for a request");
	} else {
		obi_agent_queue_add(&a->queue, request);
	}
}

static void step_dead(struct obi_agent_place *a)
{
	const struct obi_place_facts facts = {.alive = false};
	if (a->facts.state == OBI_AGENT_LINGERING) {
		a->drained = false;
		say_remains(a);
	} else if (a->facts.state == OBI_AGENT_HELD && !a->holders_asked) {
		a->drained = false;
		obi_agent_place_ask_holders(a); /* another agent has found it */
	} else if (!is_dead(&a->facts) || !is_drained(a)) {
		return;
	} else if (a->facts.state == OBI_AGENT_ENDED) {
		a->ack_due = true;
		report_gone(a, &facts, NULL);
	} else {
		obi_agent_place_fail(a, OB_EBUSY, a->facts.error);
	}
}

/* ---- What an earlier start left ---- */

static void on_other_told(void *user, const struct obi_agent_request *request,
			  const struct ob_value *result, const struct ob_error *err)
{
	struct obi_agent_place *a = user;
	(void)request;
	(void)result;
	if (err != NULL && a->life == OBI_AGENT_OF_EARLIER &&
	    err->remote_code == OBI_AGENT_REFUSED) {
		obi_agent_place_fail(a, OB_EPERM, err->text);
	}
}

/* The process of another start, whose token is not known here. */
static void end_other(struct obi_agent_place *a)
{
	const struct ob_connector_options *o = a->setup.options;
	if (o->leftover == OB_LEFTOVER_FAIL) {
		obi_agent_place_fail(a, OB_EBUSY, "a process of another start runs there");
		return;
	}
	if (o->leftover == OB_LEFTOVER_WAIT || a->stopping) {
		return;
	}
	struct obi_agent_request *request =
	    obi_agent_place_request(a, "end", a->facts.instance, on_other_told);
	if (request != NULL) {
		obi_agent_request_put(request, "signal", o->stop_signal);
		obi_agent_request_put(request, "timeout_ms", obi_agent_place_stop_ms(a));
		a->stopping = true;
		obi_agent_queue_add(&a->queue, request);
	}
}

static void report_alive(struct obi_agent_place *a)
{
	const struct obi_place_facts facts = {
	    .alive = true, .held = true, .child = obi_agent_place_process(a)};
	report_gone(a, &facts, NULL);
}

static void step_of_earlier(struct obi_agent_place *a)
{
	const struct obi_place_facts nothing = {.alive = false};
	switch (a->facts.state) {
	case OBI_AGENT_RUNNING:
		if (obi_agent_place_is_ours(a)) {
			report_alive(a);
		} else {
			end_other(a);
		}
		break;
	case OBI_AGENT_FAILED:
		if (a->holders_asked) {
			obi_agent_place_fail(a, OB_EBUSY, a->facts.error);
		}
		break;
	case OBI_AGENT_HELD:
		say_remains(a);
		if (!a->holders_asked) {
			obi_agent_place_ask_holders(a);
		}
		break;
	case OBI_AGENT_LINGERING:
		say_remains(a);
		break;
	case OBI_AGENT_ENDED:
		obi_agent_place_tell(a, "ack_exit", a->facts.instance);
		report_gone(a, &nothing, NULL);
		break;
	case OBI_AGENT_ABSENT:
	case OBI_AGENT_PREPARED:
		report_gone(a, &nothing, NULL);
		break;
	}
}

void obi_agent_place_step(struct obi_agent_place *a)
{
	if (!a->known || a->life == OBI_AGENT_AT_REST || !is_up(a)) {
		return;
	}
	if (a->life == OBI_AGENT_OF_EARLIER) {
		step_of_earlier(a);
	} else if (!obi_agent_place_is_ours(a)) {
		obi_agent_place_inspect(a); /* they may be older than our start */
	} else if (a->life == OBI_AGENT_WATCHED) {
		step_watched(a);
	} else {
		step_dead(a);
	}
}
