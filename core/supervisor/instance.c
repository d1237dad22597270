/* SPDX-License-Identifier: MIT */
#include "supervisor/instance.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "supervisor/start_config.h"

static void tell(struct obi_instance *in, enum obi_life_event event, const struct ob_error *err)
{
	in->setup.events.happened(in->setup.events.user, event, err);
}

static void __attribute__((format(printf, 4, 5)))
tell_failure(struct obi_instance *in, enum obi_life_event event, int code, const char *format, ...)
{
	struct ob_error err;
	va_list args;
	va_start(args, format);
	obi_failv(&err, code, 0, format, args);
	va_end(args);
	tell(in, event, &err);
}

static const struct obi_place_ops *ops_of(const struct obi_instance *in)
{
	return in->setup.place->ops;
}

/* The number of a new operation. Answers to earlier ones are ignored from now on. */
static uint64_t begin_op(struct obi_instance *in)
{
	in->preparing = false;
	in->op = ++in->last_op;
	return in->op;
}

/* Whether this is the answer that is due; it is due no more. */
static bool is_due(uint64_t *due, uint64_t op)
{
	if (op == 0 || *due != op) {
		return false;
	}
	*due = 0;
	return true;
}

/* ---- Logs ---- */

static void on_log(void *user, int stream, struct ob_bytes chunk, uint64_t lost)
{
	struct obi_instance *in = user;
	struct obi_log_splitter *splitter = stream == 2 ? &in->err : &in->out;
	obi_log_splitter_lose(splitter, lost);
	obi_log_splitter_feed(splitter, chunk);
}

/* ---- Probe and holders ---- */

void obi_instance_probe(struct obi_instance *in, bool create)
{
	ops_of(in)->probe(in->setup.place, begin_op(in), create);
}

static void report_facts(struct obi_instance *in, const struct obi_place_facts *facts)
{
	in->found = facts->child;
	if (facts->alive) {
		in->pid = facts->child.pid;
		tell(in, OBI_LIFE_LOCK_LIVE, NULL);
	} else {
		tell(in, facts->held ? OBI_LIFE_LOCK_LEFTOVERS : OBI_LIFE_LOCK_FREE, NULL);
	}
}

static void on_probed(void *user, uint64_t op, const struct obi_place_facts *facts,
		      const struct obi_statefile *state, const struct ob_error *err)
{
	struct obi_instance *in = user;
	if (!is_due(&in->op, op)) {
		return;
	}
	if (err != NULL) {
		tell(in, OBI_LIFE_LOCK_FAILED, err);
		return;
	}
	if (state != NULL) {
		in->state = *state;
	}
	if (in->forgiven) {
		obi_restart_state_clear(&in->state.restart);
		in->forgiven = false;
	}
	report_facts(in, facts);
}

void obi_instance_end_holders(struct obi_instance *in)
{
	in->ending_holders = true;
	ops_of(in)->end_holders(in->setup.place);
}

static void on_holders(void *user, const struct obi_place_facts *facts)
{
	struct obi_instance *in = user;
	if (in->ending_holders) {
		in->ending_holders = facts->held && !facts->alive;
		report_facts(in, facts);
	}
}

void obi_instance_replace_lock(struct obi_instance *in)
{
	in->replace_lock = true;
}

/* ---- Starting ---- */

static bool is_dialed_at_once(const struct ob_connector_options *options)
{
	return options->ready == OB_READY_RPC ||
	       (options->ready == OB_READY_NONE && options->connect != NULL);
}

/* The config of the child says nothing that matters if its address is known. */
static uint32_t watch_flag(const struct obi_instance *in)
{
	return is_dialed_at_once(in->setup.options) ? 0 : OBI_PLACE_WATCH;
}

/* address may be NULL: not known. OB_ENOMEM. */
static int set_address(struct obi_instance *in, const char *address)
{
	char *copy = address != NULL ? strdup(address) : NULL;
	free(in->address);
	in->address = copy;
	snprintf(in->state.address, sizeof in->state.address, "%s", copy != NULL ? copy : "");
	return copy != NULL || address == NULL ? OB_OK : OB_ENOMEM;
}

/* What is known of an earlier process does not hold for the next one. */
static void begin(struct obi_instance *in)
{
	(void)set_address(in, NULL);
	in->exit = (struct obi_exit){0};
	in->demand = OBI_DEMAND_NONE;
	in->ending_holders = in->taking_over = false;
	in->resolve_op = 0;
	obi_log_splitter_stop(&in->out);
	obi_log_splitter_stop(&in->err);
}

static int make_config(struct obi_instance *in, struct ob_config *config, struct ob_error *reterr)
{
	int r =
	    obi_start_config_make(in->setup.options, in->setup.listen_transport, config, reterr);
	if (r < 0) {
		return r;
	}
	snprintf(in->state.instance, sizeof in->state.instance, "%s", config->instance);
	return in->setup.events.token(in->setup.events.user, config->token, reterr);
}

void obi_instance_spawn(struct obi_instance *in)
{
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	uint32_t flags = watch_flag(in) | (in->replace_lock ? OBI_PLACE_REPLACE_LOCK : 0);
	begin(in);
	in->replace_lock = false;
	if (make_config(in, &config, &err) < 0) {
		tell(in, OBI_LIFE_SPAWN_FAILED, &err);
	} else {
		uint64_t op = begin_op(in);
		in->preparing = true;
		ops_of(in)->prepare(in->setup.place, op, &config, flags);
	}
	ob_config_clear(&config);
}

static void on_prepared(void *user, uint64_t op, const struct ob_error *err)
{
	struct obi_instance *in = user;
	if (!is_due(&in->op, op)) {
		return;
	}
	if (err != NULL) {
		tell(in, OBI_LIFE_SPAWN_FAILED, err);
	} else {
		ops_of(in)->spawn(in->setup.place, begin_op(in));
	}
}

static void on_spawned(void *user, uint64_t op, const struct obi_place_child *child,
		       const struct ob_error *err)
{
	struct obi_instance *in = user;
	if (!is_due(&in->op, op)) {
		return;
	}
	if (err != NULL) {
		tell(in, OBI_LIFE_SPAWN_FAILED, err);
		return;
	}
	in->pid = child->pid;
	in->watched = true;
	memcpy(in->state.record, child->record, sizeof in->state.record);
	in->state.started_ms = obi_clock_ms(CLOCK_REALTIME);
	in->state.started_boot_ms = obi_clock_ms(CLOCK_BOOTTIME);
	in->state.adopted = in->state.was_ready = false;
	in->state.version = 0;
	snprintf(in->state.config_hash, sizeof in->state.config_hash, "%s", in->setup.config_hash);
	tell(in, OBI_LIFE_SPAWNED, NULL);
}

void obi_instance_drop_spawn(struct obi_instance *in)
{
	if (in->preparing && in->op != 0) {
		in->op = 0;
		tell(in, OBI_LIFE_SPAWN_FAILED, NULL);
	}
}

/* ---- Readiness ---- */

/* Where to dial: the option, else what the child wrote, which may be NULL; a child that writes
 * nothing listens where it was told to. NULL: not known. */
static const char *find_address(const struct ob_connector_options *options, const char *rpc_addr)
{
	if (options->connect != NULL) {
		return options->connect;
	}
	return rpc_addr == NULL && options->ready == OB_READY_RPC ? options->listen : rpc_addr;
}

static void dial(struct obi_instance *in, const char *address, enum obi_life_event failure)
{
	if (set_address(in, address) < 0) {
		tell_failure(in, failure, OB_ENOMEM, "out of memory for the child's address");
	} else {
		in->setup.events.reachable(in->setup.events.user);
	}
}

/* The option `connect` is meant as seen from here; the child's own words are resolved. failure: the
 * event for a failure. */
static void reach(struct obi_instance *in, const char *address, enum obi_life_event failure)
{
	if (in->setup.options->connect != NULL) {
		dial(in, address, failure);
		return;
	}
	in->unreachable = failure;
	in->resolve_op = ++in->last_op;
	ops_of(in)->resolve(in->setup.place, in->resolve_op, address);
}

static void on_resolved(void *user, uint64_t op, const char *address, const struct ob_error *err)
{
	struct obi_instance *in = user;
	if (!is_due(&in->resolve_op, op) || !in->watched) {
		return;
	}
	if (err != NULL) {
		tell(in, in->unreachable, err);
	} else {
		dial(in, address, in->unreachable);
	}
}

/* Was the config written by this process, and is it ready? */
static void look_for_readiness(struct obi_instance *in, const struct ob_config *config)
{
	const struct ob_connector_options *o = in->setup.options;
	bool own = config->instance != NULL && strcmp(config->instance, in->state.instance) == 0;
	if (!own || !config->ready) {
		return;
	}
	const char *address = find_address(o, config->rpc_addr);
	ops_of(in)->unwatch(in->setup.place);
	if (address != NULL) {
		reach(in, address, OBI_LIFE_READY_TIMEOUT);
	} else if (o->ready != OB_READY_NONE) {
		tell_failure(in, OBI_LIFE_READY_TIMEOUT, OB_EPROTO,
			     "empty RPC address: outboard process %s is ready, but its config does "
			     "not say where it listens",
			     o->name);
	}
}

void obi_instance_await_ready(struct obi_instance *in)
{
	const struct ob_connector_options *o = in->setup.options;
	if (is_dialed_at_once(o)) {
		reach(in, find_address(o, NULL), OBI_LIFE_READY_TIMEOUT);
	} else {
		ops_of(in)->read_config(in->setup.place); /* it may have changed already */
	}
	if (o->ready == OB_READY_NONE) {
		tell(in, OBI_LIFE_BECAME_READY, NULL);
	}
}

/* ---- Taking over ---- */

/*
 * A child that was ready is dialled where it listens. One whose parent died before that is waited
 * for as after a start. In the ready mode `none`, being alive is enough.
 */
static void take_over(struct obi_instance *in, const struct ob_config *config)
{
	const struct ob_connector_options *o = in->setup.options;
	const char *address = find_address(o, config->rpc_addr);
	if (config->instance != NULL) {
		snprintf(in->state.instance, sizeof in->state.instance, "%s", config->instance);
	}
	in->state.was_ready = in->state.was_ready || config->ready;
	if (o->ready == OB_READY_NONE) {
		tell(in, OBI_LIFE_ADOPT_OK, NULL);
	}
	if (address != NULL && (config->ready || is_dialed_at_once(o))) {
		reach(in, address, OBI_LIFE_ADOPT_FAILED);
	} else if (config->ready && o->ready != OB_READY_NONE) {
		tell_failure(in, OBI_LIFE_ADOPT_FAILED, OB_EINVAL,
			     "invalid config state: pid=%lld, addr=, ready=true",
			     (long long)config->pid);
	}
}

static void take_over_or_fail(struct obi_instance *in, const struct ob_config *config,
			      const struct ob_error *given)
{
	struct ob_error err = {0};
	int r = given != NULL ? given->code : OB_OK;
	if (r == OB_OK && config->token != NULL) {
		r = in->setup.events.token(in->setup.events.user, config->token, &err);
	}
	if (r < 0) {
		tell(in, OBI_LIFE_ADOPT_FAILED, given != NULL ? given : &err);
	} else {
		take_over(in, config);
	}
}

static void on_config(void *user, const struct ob_config *config, const struct ob_error *err)
{
	struct obi_instance *in = user;
	if (in->taking_over) {
		in->taking_over = false;
		take_over_or_fail(in, config, err);
	} else if (in->watched && in->op == 0 && in->address == NULL && in->resolve_op == 0 &&
		   err == NULL) {
		look_for_readiness(in, config);
	}
}

void obi_instance_adopt(struct obi_instance *in)
{
	begin(in);
	memcpy(in->state.record, in->found.record, sizeof in->state.record);
	in->state.adopted = true;
	in->watched = true;
	ops_of(in)->adopt(in->setup.place, begin_op(in), in->found.record, watch_flag(in));
}

static void on_adopted(void *user, uint64_t op, const struct ob_error *err)
{
	struct obi_instance *in = user;
	if (!is_due(&in->op, op)) {
		return;
	}
	if (err != NULL) {
		tell(in, OBI_LIFE_ADOPT_FAILED, err);
	} else {
		in->taking_over = true;
		ops_of(in)->read_config(in->setup.place);
	}
}

/* ---- Ending ---- */

static void send_demand(struct obi_instance *in)
{
	if (in->demand == OBI_DEMAND_STOP) {
		ops_of(in)->signal(in->setup.place, in->setup.options->stop_signal);
		/* A process that is stopped handles the signal only when it goes on. */
		ops_of(in)->signal(in->setup.place, SIGCONT);
	} else if (in->demand == OBI_DEMAND_END) {
		ops_of(in)->end(in->setup.place, 0);
	}
}

void obi_instance_stop(struct obi_instance *in)
{
	in->demand = OBI_DEMAND_STOP;
	send_demand(in);
}

void obi_instance_end(struct obi_instance *in)
{
	in->demand = OBI_DEMAND_END;
	send_demand(in);
}

bool obi_instance_end_now(struct obi_instance *in, int64_t ms)
{
	in->quiet = true;
	ops_of(in)->end(in->setup.place, ms);
	in->quiet = false;
	return !in->watched;
}

/* No answer is waited for any more. */
static void forget(struct obi_instance *in)
{
	in->watched = in->taking_over = in->ending_holders = false;
	in->demand = OBI_DEMAND_NONE;
	in->op = in->resolve_op = 0;
}

static void on_exited(void *user, const struct obi_exit *how)
{
	struct obi_instance *in = user;
	if (!in->watched) {
		return;
	}
	forget(in);
	obi_log_splitter_end(&in->out);
	obi_log_splitter_end(&in->err);
	in->exit = in->state.last_exit = *how;
	in->state.record[0] = '\0';
	if (!in->quiet) {
		tell(in, OBI_LIFE_EXITED, NULL);
	}
}

void obi_instance_let_go(struct obi_instance *in)
{
	forget(in);
	/* What was read of a line cannot go back to the place. */
	obi_log_splitter_flush(&in->out);
	obi_log_splitter_flush(&in->err);
	in->pid = 0;
}

/* ---- The place ---- */

static void on_lost(void *user, const struct ob_error *err)
{
	struct obi_instance *in = user;
	in->lost = true;
	snprintf(in->lost_error, sizeof in->lost_error, "%.255s", err->text);
	in->setup.events.changed(in->setup.events.user);
	tell(in, OBI_LIFE_PLACE_LOST, NULL);
}

static void on_back(void *user)
{
	struct obi_instance *in = user;
	in->lost = false;
	in->setup.events.changed(in->setup.events.user);
	send_demand(in);
}

void obi_instance_clear(struct obi_instance *in)
{
	ops_of(in)->clear(in->setup.place);
}

void obi_instance_save(struct obi_instance *in, uint32_t state)
{
	in->state.state = state;
	in->state.desired =
	    state == OB_STATE_STOPPED || state == OB_STATE_STOPPING || state == OB_STATE_IDLE
		? OBI_DESIRED_STOPPED
		: OBI_DESIRED_RUNNING;
	ops_of(in)->save(in->setup.place, &in->state);
}

void obi_instance_release(struct obi_instance *in)
{
	forget(in);
	ops_of(in)->detach(in->setup.place);
}

/* ---- Life ---- */

static const struct obi_place_events events = {
    .probed = on_probed,
    .prepared = on_prepared,
    .spawned = on_spawned,
    .adopted = on_adopted,
    .resolved = on_resolved,
    .holders = on_holders,
    .config = on_config,
    .log = on_log,
    .exited = on_exited,
    .lost = on_lost,
    .back = on_back,
};

void obi_instance_init(struct obi_instance *in, const struct obi_instance_setup *setup)
{
	*in = (struct obi_instance){.setup = *setup};
	const char *name = setup->options->name;
	obi_log_splitter_init(&in->out, setup->loop, name, 1, setup->log, setup->log_user);
	obi_log_splitter_init(&in->err, setup->loop, name, 2, setup->log, setup->log_user);
	setup->place->events = &events;
	setup->place->user = in;
}

void obi_instance_free(struct obi_instance *in)
{
	obi_instance_let_go(in);
	ops_of(in)->free(in->setup.place);
	obi_log_splitter_stop(&in->out);
	obi_log_splitter_stop(&in->err);
	free(in->address);
}
