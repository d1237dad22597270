/* SPDX-License-Identifier: MIT */
#include "supervisor/instance.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "files/child_address.h"
#include "supervisor/await_dial.h"
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
	struct obi_log_splitter *splitter = stream == 3	  ? &in->cleanup
					    : stream == 2 ? &in->err
							  : &in->out;
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
	in->unlocked = facts->alive && !facts->held;
	if (facts->alive) {
		in->pid = facts->child.pid;
		tell(in, OBI_LIFE_LOCK_LIVE, NULL);
	} else {
		tell(in, facts->held ? OBI_LIFE_LOCK_LEFTOVERS : OBI_LIFE_LOCK_FREE, NULL);
	}
}

static void know_numbers(const struct obi_instance *in)
{
	const struct obi_number_source *numbers = &in->setup.numbers;
	if (numbers->known != NULL) {
		numbers->known(numbers->user, &in->state);
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
		know_numbers(in);
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

static void on_remains(void *user, const char *text)
{
	struct obi_instance *in = user;
	if (in->leaving || in->ending_holders) {
		in->lingering = true;
		in->setup.events.remains(in->setup.events.user, text);
	}
}

static void on_unsaved(void *user)
{
	struct obi_instance *in = user;
	ops_of(in)->save(in->setup.place, &in->state);
}

static void on_gone(void *user, const struct obi_place_facts *facts, const struct ob_error *err)
{
	struct obi_instance *in = user;
	bool of_earlier = in->ending_holders;
	if (!in->leaving && !of_earlier) {
		return;
	}
	in->leaving = in->lingering = in->ending_holders = false;
	in->demand = OBI_DEMAND_NONE;
	obi_log_splitter_end(&in->out);
	obi_log_splitter_end(&in->err);
	obi_log_splitter_end(&in->cleanup);
	if (err != NULL) {
		tell(in, OBI_LIFE_NOT_GONE, err);
	} else if (of_earlier) {
		report_facts(in, facts);
	} else {
		tell(in, OBI_LIFE_GONE, NULL);
	}
}

/* ---- Starting ---- */

static bool is_dialed_at_once(const struct ob_connector_options *options)
{
	return options->ready == OB_READY_RPC || obi_is_home_dialer(options) ||
	       (options->ready == OB_READY_NONE && options->connect != NULL);
}

/* The config of the child says nothing that matters if its address is known. */
static uint32_t watch_flag(const struct obi_instance *in)
{
	return is_dialed_at_once(in->setup.options) ? 0 : OBI_PLACE_WATCH;
}

/* OB_ENOMEM. */
static int set_address(struct obi_instance *in, const char *address)
{
	char *copy = strdup(address);
	free(in->address);
	in->address = copy;
	snprintf(in->state.address, sizeof in->state.address, "%s", copy != NULL ? copy : "");
	return copy != NULL ? OB_OK : OB_ENOMEM;
}

/* What is known of an earlier process does not hold for the next one. */
static void begin(struct obi_instance *in)
{
	free(in->address);
	in->address = NULL;
	in->exit = (struct obi_exit){0};
	obi_kept_text_clear(&in->exit_cause);
	in->usage = OBI_CGROUP_USAGE_NONE;
	in->was_ended = false;
	in->demand = OBI_DEMAND_NONE;
	in->ending_holders = in->leaving = in->lingering = false;
	in->resolve_op = 0;
	obi_log_splitter_stop(&in->out);
	obi_log_splitter_stop(&in->err);
	obi_log_splitter_stop(&in->cleanup);
}

static int make_config(struct obi_instance *in, struct ob_config *config, struct ob_error *reterr)
{
	const struct ob_connector_options *o = in->setup.options;
	const struct obi_number_source *numbers = &in->setup.numbers;
	int r = numbers->choose != NULL ? numbers->choose(numbers->user, &in->state.numbers, reterr)
					: OB_OK;
	r = r == OB_OK ? obi_start_config_make(o, in->setup.listen_transport, config, reterr) : r;
	r = r == OB_OK ? obi_start_config_keep(config, &in->state, reterr) : r;
	return r == OB_OK ? in->setup.events.token(in->setup.events.user, config->token, UINT32_MAX,
						   reterr)
			  : r;
}

void obi_instance_spawn(struct obi_instance *in)
{
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	bool renewed;
	begin(in);
	/* The state directory may have been removed since the last start. */
	if (obi_instance_renew(in, &renewed, &err) < 0 || make_config(in, &config, &err) < 0 ||
	    obi_await_dial_start(in, &err) < 0) {
		tell(in, OBI_LIFE_SPAWN_FAILED, &err);
	} else {
		uint64_t op = begin_op(in);
		in->preparing = true;
		ops_of(in)->prepare(in->setup.place, op, &config, watch_flag(in));
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
		return;
	}
	/* Saved before there is a process: a parent that comes after us must know how to reach it.
	 */
	in->state.record[0] = in->state.address[0] = '\0';
	in->state.adopted = in->state.was_ready = false;
	in->state.run = (struct obi_child_run){0};
	snprintf(in->state.config_hash, sizeof in->state.config_hash, "%s", in->setup.config_hash);
	in->state.state = OB_STATE_STARTING;
	in->state.desired = OBI_DESIRED_RUNNING;
	ops_of(in)->save(in->setup.place, &in->state);
	ops_of(in)->spawn(in->setup.place, begin_op(in));
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
	in->state.version = 0;
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

static void dial(struct obi_instance *in, const char *address, enum obi_life_event failure)
{
	if (set_address(in, address) < 0) {
		tell_failure(in, failure, OB_ENOMEM, "out of memory for the child's address");
	} else {
		in->setup.events.reachable(in->setup.events.user);
	}
}

/* Dial the child. rpc_addr: what it wrote; NULL: nothing. failure: the event for a failure. The
 * option `connect` is an address here; all others are those of the place, and are resolved. */
static void reach(struct obi_instance *in, const char *rpc_addr, enum obi_life_event failure)
{
	const struct ob_connector_options *o = in->setup.options;
	char address[OBI_ADDRESS_SIZE];
	struct ob_sink out = ob_sink_fixed(address, sizeof address - 1);
	struct ob_error err;
	if (obi_is_home_dialer(o)) {
		obi_await_dial_begin(in, failure);
		return;
	}
	if (o->connect != NULL) {
		dial(in, o->connect, failure);
		return;
	}
	if (obi_child_address(in->state.listen, rpc_addr, &out, &err) < 0) {
		tell(in, failure, &err);
		return;
	}
	address[out.len] = '\0';
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
	ops_of(in)->unwatch(in->setup.place);
	/* The options of this parent may be other ones than those of the start. */
	if (strcmp(in->state.config_hash, in->setup.config_hash) == 0) {
		obi_start_config_keep_clients(o->client_listen, config->client_addr, &in->state);
	}
	if (o->connect != NULL || config->rpc_addr != NULL) {
		reach(in, config->rpc_addr, OBI_LIFE_READY_TIMEOUT);
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
		reach(in, NULL, OBI_LIFE_READY_TIMEOUT);
	} else {
		ops_of(in)->read_config(in->setup.place); /* it may have changed already */
	}
	if (o->ready == OB_READY_NONE) {
		tell(in, OBI_LIFE_BECAME_READY, NULL);
	}
}

/* ---- Taking over ---- */

static void on_config(void *user, const struct ob_config *config, const struct ob_error *err)
{
	struct obi_instance *in = user;
	if (in->watched && in->op == 0 && in->address == NULL && in->resolve_op == 0 &&
	    err == NULL) {
		look_for_readiness(in, config);
	}
}

/* A child that was ready is dialled where it was; what it writes since then does not matter. */
static bool is_where_it_was(const struct obi_instance *in)
{
	return in->state.was_ready &&
	       (in->setup.options->connect != NULL || in->state.address[0] != '\0');
}

void obi_instance_adopt(struct obi_instance *in)
{
	uint32_t flags = is_where_it_was(in) ? 0 : watch_flag(in);
	begin(in);
	memcpy(in->state.record, in->found.record, sizeof in->state.record);
	in->state.adopted = true;
	in->watched = true;
	ops_of(in)->adopt(in->setup.place, begin_op(in), in->found.record, flags);
}

/*
 * What an earlier parent saved tells how to reach the child; nothing that the child wrote since
 * counts. A child whose parent died before it was ready is waited for as after a start. In the
 * ready mode `none`, being alive is enough.
 */
static void take_over(struct obi_instance *in)
{
	const struct ob_connector_options *o = in->setup.options;
	struct ob_error err = {0};
	if ((in->state.token[0] != '\0' &&
	     in->setup.events.token(in->setup.events.user, in->state.token, in->state.local.uid,
				    &err) < 0) ||
	    obi_await_dial_adopt(in, &err) < 0) {
		tell(in, OBI_LIFE_ADOPT_FAILED, &err);
		return;
	}
	if (o->ready == OB_READY_NONE) {
		tell(in, OBI_LIFE_ADOPT_OK, NULL);
	}
	if (is_where_it_was(in) && o->connect == NULL && !obi_is_home_dialer(o)) {
		char address[OBI_ADDRESS_SIZE];
		memcpy(address, in->state.address, sizeof address);
		dial(in, address, OBI_LIFE_ADOPT_FAILED);
	} else if (is_dialed_at_once(o) || (in->state.was_ready && o->connect != NULL)) {
		reach(in, NULL, OBI_LIFE_ADOPT_FAILED);
	} else {
		ops_of(in)->read_config(in->setup.place);
	}
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
		take_over(in);
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
	in->watched = in->ending_holders = in->leaving = in->lingering = false;
	in->demand = OBI_DEMAND_NONE;
	in->op = in->resolve_op = 0;
}

static void on_exited(void *user, const struct obi_exit *how)
{
	struct obi_instance *in = user;
	if (!in->watched) {
		return;
	}
	in->was_ended = in->demand != OBI_DEMAND_NONE;
	forget(in);
	obi_log_splitter_end(&in->out);
	obi_log_splitter_end(&in->err);
	in->leaving = !in->quiet;
	in->exit = in->state.last_exit = *how;
	in->state.record[0] = '\0';
	explicit_bzero(in->state.token, sizeof in->state.token);
	if (!in->quiet) {
		tell(in, OBI_LIFE_EXITED, NULL);
	}
}

static void on_usage(void *user, const struct ob_cgroup_usage *usage)
{
	struct obi_instance *in = user;
	in->usage = *usage;
	in->setup.events.changed(in->setup.events.user);
}

static void on_stuck(void *user, const struct ob_error *err)
{
	tell(user, OBI_LIFE_STUCK, err);
}

void obi_instance_let_go(struct obi_instance *in)
{
	forget(in);
	/* What was read of a line cannot go back to the place. */
	obi_log_splitter_flush(&in->out);
	obi_log_splitter_flush(&in->err);
	obi_log_splitter_flush(&in->cleanup);
	in->pid = 0;
}

/* ---- The place ---- */

static void on_lost(void *user, const struct ob_error *err)
{
	struct obi_instance *in = user;
	in->lost = true;
	obi_kept_text_set(&in->lost_error, err->text);
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

void obi_instance_save(struct obi_instance *in, uint32_t state)
{
	in->state.state = state;
	in->state.desired =
	    state == OB_STATE_STOPPED || state == OB_STATE_STOPPING || state == OB_STATE_IDLE
		? OBI_DESIRED_STOPPED
		: OBI_DESIRED_RUNNING;
	ops_of(in)->save(in->setup.place, &in->state);
}

int obi_instance_renew(struct obi_instance *in, bool *ret_renewed, struct ob_error *reterr)
{
	return ops_of(in)->renew(in->setup.place, &in->state, ret_renewed, reterr);
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
    .remains = on_remains,
    .unsaved = on_unsaved,
    .gone = on_gone,
    .stuck = on_stuck,
    .config = on_config,
    .log = on_log,
    .usage = on_usage,
    .cause = obi_instance_note_cause,
    .exited = on_exited,
    .lost = on_lost,
    .back = on_back,
};

void obi_instance_init(struct obi_instance *in, const struct obi_instance_setup *setup)
{
	*in = (struct obi_instance){.setup = *setup, .usage = OBI_CGROUP_USAGE_NONE};
	const char *name = setup->options->name;
	obi_log_splitter_init(&in->out, setup->loop, name, 1, setup->log, setup->log_user);
	obi_log_splitter_init(&in->err, setup->loop, name, 2, setup->log, setup->log_user);
	obi_log_splitter_init(&in->cleanup, setup->loop, name, 3, setup->log, setup->log_user);
	setup->place->events = &events;
	setup->place->user = in;
}

void obi_instance_free(struct obi_instance *in)
{
	obi_instance_let_go(in);
	ops_of(in)->free(in->setup.place);
	begin(in); /* it frees what is known of the last process */
	obi_kept_text_clear(&in->lost_error);
	explicit_bzero(&in->state, sizeof in->state);
}
