/* SPDX-License-Identifier: MIT */
#include "place/agent_place.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "files/child_config.h"
#include "place/agent_place_life.h"
#include "place/agent_options.h"
#include "place/agent_place_probe.h"

enum {
	/* The agent waits so much longer than stop_timeout_ms before it kills: a supervisor that is
	 * there does so first, and says why. */
	STOP_MARGIN_MS = 1000
};

static struct obi_agent_place *child_of(struct obi_place *place)
{
	return (struct obi_agent_place *)place;
}

static const char *agent_name(const struct obi_agent_place *a)
{
	return obi_agent_hub_name(a->setup.hub);
}

static bool is_up(const struct obi_agent_place *a)
{
	return obi_agent_hub_link(a->setup.hub) == OBI_AGENT_UP;
}

static void out_of_memory(const struct obi_agent_place *a, struct ob_error *reterr)
{
	obi_fail(reterr, OB_ENOMEM, 0, "%s: out of memory for a request", agent_name(a));
}

static void agent_probe(struct obi_place *place, uint64_t op, bool create)
{
	struct obi_agent_place *a = child_of(place);
	(void)create;
	a->probe_op = op;
	obi_state_charge_begin(&a->charge);
}

/* ---- Start ---- */

/* Forget what was known of an earlier process. */
static void begin(struct obi_agent_place *a, uint32_t flags)
{
	a->life = OBI_AGENT_AT_REST;
	a->drained = a->holders_asked = a->stopping = a->killed = a->fresh = a->ack_due = false;
	a->watch_config = (flags & OBI_PLACE_WATCH) != 0;
	a->config_version = 0;
	a->said[0] = '\0';
	obi_agent_log_reader_stop(&a->logs);
}

static void on_prepared(void *user, const struct obi_agent_request *request,
			const struct ob_value *result, const struct ob_error *err)
{
	struct obi_agent_place *a = user;
	(void)result;
	a->place.events->prepared(a->place.user, request->op, err);
}

static int build_prepare(struct obi_agent_place *a, struct obi_agent_request *request,
			 const struct ob_config *config, struct ob_error *reterr)
{
	struct ob_builder *b = &request->builder;
	ob_build_key(b, "options");
	obi_agent_options_build(b, a->setup.raw);
	ob_build_key(b, "config");
	return obi_agent_config_build(b, &request->arena, OBI_AGENT_CONFIG_GIVEN, config, reterr);
}

static void agent_prepare(struct obi_place *place, uint64_t op, struct ob_config *config,
			  uint32_t flags)
{
	struct obi_agent_place *a = child_of(place);
	struct ob_error err;
	begin(a, flags);
	a->known = false; /* the facts are not of this start */
	snprintf(a->instance, sizeof a->instance, "%s", config->instance);
	struct obi_agent_request *request =
	    obi_agent_place_request(a, "prepare", a->instance, on_prepared);
	int r = OB_OK;
	if (request == NULL) {
		out_of_memory(a, &err);
		r = err.code;
	} else {
		r = build_prepare(a, request, config, &err);
	}
	if (r < 0) {
		obi_agent_request_free(request);
		place->events->prepared(place->user, op, &err);
		return;
	}
	request->op = op;
	obi_agent_queue_add(&a->queue, request);
}

static bool read_process(const struct ob_value *result, struct obi_place_child *ret)
{
	char record[OBI_PLACE_RECORD_SIZE - sizeof OBI_AGENT_RECORD + 1];
	int64_t pid;
	if (!ob_get_int(ob_value_find(result, "pid"), &pid) || pid <= 0 || pid > INT32_MAX ||
	    !obi_agent_text(ob_value_find(result, "record"), record, sizeof record)) {
		return false;
	}
	for (const char *at = record; *at != '\0'; at++) {
		if (*at < 0x20 || *at > 0x7e) {
			return false;
		}
	}
	ret->pid = (int32_t)pid;
	snprintf(ret->record, sizeof ret->record, OBI_AGENT_RECORD "%s", record);
	return true;
}

static void watch(struct obi_agent_place *a)
{
	a->life = OBI_AGENT_WATCHED;
	obi_agent_log_reader_start(&a->logs, a->instance);
}

static void on_spawned(void *user, const struct obi_agent_request *request,
		       const struct ob_value *result, const struct ob_error *err)
{
	struct obi_agent_place *a = user;
	struct obi_place_child child = {.pid = 0};
	struct ob_error own;
	if (err == NULL && !read_process(result, &child)) {
		obi_fail(&own, OB_EPROTO, 0, "%s: spawn: the answer is malformed", agent_name(a));
		obi_agent_place_tell(a, "end", a->instance);
		err = &own;
	}
	if (err != NULL) {
		a->place.events->spawned(a->place.user, request->op, NULL, err);
		return;
	}
	watch(a);
	a->place.events->spawned(a->place.user, request->op, &child, NULL);
	obi_agent_place_step(a);
}

static void agent_spawn(struct obi_place *place, uint64_t op)
{
	struct obi_agent_place *a = child_of(place);
	struct obi_agent_request *request =
	    obi_agent_place_request(a, "spawn", a->instance, on_spawned);
	struct ob_error err;
	if (request == NULL) {
		out_of_memory(a, &err);
		place->events->spawned(place->user, op, NULL, &err);
		return;
	}
	request->op = op;
	obi_agent_queue_add(&a->queue, request);
}

static void agent_adopt(struct obi_place *place, uint64_t op, const char *record, uint32_t flags)
{
	struct obi_agent_place *a = child_of(place);
	(void)record; /* the agent knows it by the instance */
	begin(a, flags);
	watch(a);
	place->events->adopted(place->user, op, NULL);
	obi_agent_place_step(a);
}

static void on_log(void *user, int stream, struct ob_bytes chunk, uint64_t lost)
{
	struct obi_agent_place *a = user;
	a->place.events->log(a->place.user, stream, chunk, lost);
}

/* ---- Config ---- */

/* Where the child listens is the matter of the agent. */
static int read_config(const struct obi_agent_place *a, const struct ob_value *result,
		       struct ob_config *ret, struct ob_error *reterr)
{
	int r = obi_agent_config_read(result, OBI_AGENT_CONFIG_WRITTEN, ret, reterr);
	if (r == OB_OK && ret->rpc_addr != NULL &&
	    ob_config_set(&ret->rpc_addr, a->setup.options->listen) < 0) {
		r = obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	return r;
}

static void on_config(void *user, const struct obi_agent_request *request,
		      const struct ob_value *result, const struct ob_error *err)
{
	struct obi_agent_place *a = user;
	struct ob_config config = {.size = sizeof config};
	struct ob_error own;
	if (strcmp(request->instance, a->instance) != 0) {
		return;
	}
	if (err == NULL && read_config(a, result, &config, &own) < 0) {
		err = &own;
	}
	a->place.events->config(a->place.user, err == NULL ? &config : NULL, err);
	obi_child_config_clear(&config);
	obi_agent_place_step(a); /* it may have changed meanwhile */
}

static void agent_read_config(struct obi_place *place)
{
	struct obi_agent_place *a = child_of(place);
	struct obi_agent_request *request =
	    obi_agent_place_request(a, "read_config", a->instance, on_config);
	struct ob_error err;
	if (request == NULL) {
		out_of_memory(a, &err);
		place->events->config(place->user, NULL, &err);
	} else {
		obi_agent_queue_add(&a->queue, request);
	}
}

static void agent_unwatch(struct obi_place *place)
{
	child_of(place)->watch_config = false;
}

static void agent_resolve(struct obi_place *place, uint64_t op, const char *address)
{
	const struct obi_agent_place *a = child_of(place);
	char uri[2 * OBI_AGENT_NAME_SIZE + 8];
	(void)address;
	snprintf(uri, sizeof uri, "via://%.64s/%.64s", agent_name(a), obi_agent_place_name(a));
	place->events->resolved(place->user, op, uri, NULL);
}

/* ---- Signals and the end ---- */

static void on_told(void *user, const struct obi_agent_request *request,
		    const struct ob_value *result, const struct ob_error *err)
{
	struct obi_agent_place *a = user;
	(void)result;
	bool ours = strcmp(request->instance, a->instance) == 0 && a->life == OBI_AGENT_WATCHED;
	if (err == NULL || !ours || err->remote_code == OBI_AGENT_TAKEN) {
		return;
	}
	if (err->remote_code == OBI_AGENT_REFUSED && strcmp(request->method, "end") == 0) {
		a->place.events->stuck(a->place.user, err);
	} else {
		obi_agent_place_inspect(a); /* it may have ended */
	}
}

static void send_end(struct obi_agent_place *a, const char *instance, int signal, int64_t ms)
{
	struct obi_agent_request *request =
	    instance[0] != '\0' ? obi_agent_place_request(a, "end", instance, on_told) : NULL;
	if (request != NULL) {
		obi_agent_request_put(request, "signal", signal);
		obi_agent_request_put(request, "timeout_ms", ms);
		obi_agent_queue_add(&a->queue, request);
	}
}

/* What is sent while the agent cannot be reached is sent again by the supervisor. */
static void agent_signal(struct obi_place *place, int signal)
{
	struct obi_agent_place *a = child_of(place);
	const struct ob_connector_options *o = a->setup.options;
	if (!is_up(a) || (signal == SIGCONT && a->stopping)) {
		return;
	}
	if (signal == o->stop_signal) {
		a->stopping = true;
		send_end(a, a->instance, signal, obi_agent_place_stop_ms(a) + STOP_MARGIN_MS);
		return;
	}
	struct obi_agent_request *request =
	    obi_agent_place_request(a, "signal", a->instance, on_told);
	if (request != NULL) {
		obi_agent_request_put(request, "signal", signal);
		obi_agent_queue_add(&a->queue, request);
	}
}

/* The wait would be for a machine that may be gone: it is not waited. */
static void agent_end(struct obi_place *place, int64_t wait_ms)
{
	struct obi_agent_place *a = child_of(place);
	bool earlier = a->life == OBI_AGENT_OF_EARLIER;
	(void)wait_ms;
	if (is_up(a)) {
		a->killed = true;
		send_end(a, earlier ? a->facts.instance : a->instance, SIGKILL, 0);
	}
}

static void agent_end_holders(struct obi_place *place)
{
	struct obi_agent_place *a = child_of(place);
	begin(a, 0);
	a->life = OBI_AGENT_OF_EARLIER;
	if (a->known && a->facts.state == OBI_AGENT_RUNNING) {
		obi_agent_place_step(a);
		return;
	}
	obi_agent_place_ask_holders(a);
}

/* ---- State, and letting go ---- */

static void agent_save(struct obi_place *place, const struct obi_statefile *state)
{
	struct obi_agent_place *a = child_of(place);
	obi_state_charge_save(&a->charge, state);
	if (a->ack_due) {
		a->ack_due = false;
		obi_agent_place_tell(a, "ack_exit", a->instance);
	}
}

static int agent_renew(struct obi_place *place, const struct obi_statefile *state,
		       bool *ret_renewed, struct ob_error *reterr)
{
	struct obi_agent_place *a = child_of(place);
	return obi_state_charge_renew(&a->charge, state, a->life != OBI_AGENT_AT_REST, ret_renewed,
				      reterr);
}

/* The agent does, when the exit is acknowledged. */
static void agent_clear(struct obi_place *place)
{
	(void)place;
}

static void agent_detach(struct obi_place *place)
{
	struct obi_agent_place *a = child_of(place);
	bool spawning = obi_agent_queue_has(&a->queue, "spawn");
	obi_agent_queue_clear(&a->queue);
	if (spawning) {
		obi_agent_place_tell(a, "end", a->instance);
	}
	begin(a, 0);
	a->probe_op = 0;
	a->has_state = false;
	explicit_bzero(&a->state, sizeof a->state);
	obi_agent_hub_charge(&a->member, false);
	obi_state_charge_release(&a->charge);
}

static void agent_free(struct obi_place *place)
{
	struct obi_agent_place *a = child_of(place);
	agent_detach(place);
	obi_agent_hub_remove(&a->member);
	obi_agent_hub_unref(a->setup.hub);
	free(a);
}

static const struct obi_place_ops ops = {
    .probe = agent_probe,
    .prepare = agent_prepare,
    .spawn = agent_spawn,
    .adopt = agent_adopt,
    .read_config = agent_read_config,
    .unwatch = agent_unwatch,
    .resolve = agent_resolve,
    .signal = agent_signal,
    .end = agent_end,
    .end_holders = agent_end_holders,
    .save = agent_save,
    .renew = agent_renew,
    .clear = agent_clear,
    .detach = agent_detach,
    .free = agent_free,
};

/* ---- The agent ---- */

static void on_up(void *user, bool fresh)
{
	struct obi_agent_place *a = user;
	if (!a->member.in_charge) {
		obi_agent_place_set_lost(a, false, NULL);
		return;
	}
	a->fresh = a->fresh || fresh;
	a->holders_asked = a->holders_asked && !fresh;
	a->known = a->known && !fresh; /* its versions begin anew */
	obi_agent_queue_resume(&a->queue);
	obi_agent_place_inspect(a); /* it is back when this is answered */
	obi_agent_log_reader_resume(&a->logs);
}

static void on_down(void *user, const char *why)
{
	struct obi_agent_place *a = user;
	obi_agent_queue_pause(&a->queue);
	obi_agent_log_reader_pause(&a->logs);
	if (a->member.in_charge) {
		obi_agent_place_set_lost(a, true, why);
	}
}

static void on_facts(void *user, const struct obi_agent_facts *facts)
{
	struct obi_agent_place *a = user;
	if (!a->known || facts->version >= a->facts.version) {
		a->known = true;
		a->facts = *facts;
		obi_agent_place_step(a);
	}
}

static void fail_requests(struct obi_agent_place *a, int code, const char *why)
{
	struct ob_error err;
	obi_fail(&err, code, 0, "%s: %s", agent_name(a), why);
	obi_agent_queue_fail(&a->queue, &err);
}

/* A probe goes on: the agent may be started again. */
static void on_gone(void *user, const char *why)
{
	struct obi_agent_place *a = user;
	if (!a->member.in_charge) {
		return;
	}
	if (a->probe_op == 0) {
		fail_requests(a, OB_EDOWN, why);
	}
	a->known = false;
	a->fresh = true;
	obi_agent_place_lose(a);
}

static void on_taken(void *user, const char *why)
{
	struct obi_agent_place *a = user;
	struct ob_error err;
	enum obi_agent_life life = a->life;
	obi_fail(&err, OB_EBUSY, 0, "%s: %s", agent_name(a), why);
	a->life = OBI_AGENT_AT_REST;
	obi_agent_log_reader_stop(&a->logs);
	obi_agent_place_set_lost(a, false, NULL); /* it is known where the child is */
	fail_requests(a, OB_EBUSY, why);
	if (a->probe_op != 0) {
		obi_agent_probe_answer(a, NULL, &err);
	} else if (life == OBI_AGENT_WATCHED) {
		a->place.events->stuck(a->place.user, &err);
	} else if (life != OBI_AGENT_AT_REST) {
		a->place.events->gone(a->place.user, NULL, &err);
	}
}

int obi_place_agent_new(const struct obi_place_agent_setup *setup, struct obi_place **ret,
			struct ob_error *reterr)
{
	struct obi_agent_place *a = calloc(1, sizeof *a);
	if (a == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	a->place.ops = &ops;
	a->setup = *setup;
	a->inspected = obi_agent_place_inspected;
	a->member = (struct obi_agent_member){.name = setup->options->name,
					      .up = on_up,
					      .down = on_down,
					      .facts = on_facts,
					      .gone = on_gone,
					      .taken = on_taken,
					      .user = a};
	a->charge = (struct obi_state_charge){.loop = setup->loop,
					      .options = setup->options,
					      .agent = setup->agent_state,
					      .taken = obi_agent_probe_charged,
					      .user = a};
	obi_state_charge_init(&a->charge);
	obi_agent_queue_init(&a->queue, setup->loop, setup->hub, a);
	obi_agent_log_reader_init(
	    &a->logs, &(struct obi_agent_log_reader_setup){.loop = setup->loop,
							   .hub = setup->hub,
							   .name = setup->options->name,
							   .answer_max = setup->answer_max,
							   .log = on_log,
							   .drained = obi_agent_place_drained,
							   .user = a});
	obi_agent_hub_ref(setup->hub);
	obi_agent_hub_add(setup->hub, &a->member);
	*ret = &a->place;
	return OB_OK;
}
