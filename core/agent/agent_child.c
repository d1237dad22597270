/* SPDX-License-Identifier: MIT */
#include "agent/agent_child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/agent_child_place.h"
#include "agent/agent_file.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/names.h"
#include "place/agent_options.h"
#include "supervisor/start_config.h"

int obi_agent_fail(struct ob_error *reterr, int64_t number, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int r = obi_failv(reterr, OB_EREMOTE, 0, format, args);
	va_end(args);
	if (reterr != NULL) {
		reterr->remote_code = number;
	}
	return r;
}

static int not_in_this_state(const struct obi_agent_child *child, struct ob_error *reterr)
{
	return obi_agent_fail(reterr, OBI_AGENT_STATE, "%s is %s", child->facts.name,
			      obi_agent_state_name(child->facts.state));
}

static bool is_instance(const struct obi_agent_child *child, const char *instance)
{
	return child->facts.state != OBI_AGENT_ABSENT &&
	       strcmp(child->facts.instance, instance) == 0;
}

static int check_instance(const struct obi_agent_child *child, const char *instance,
			  struct ob_error *reterr)
{
	return is_instance(child, instance)
		   ? OB_OK
		   : obi_agent_fail(reterr, OBI_AGENT_UNKNOWN, "%s: unknown instance %s",
				    child->facts.name, instance);
}

/* ---- Life ---- */

int obi_agent_child_new(const struct obi_agent_child_setup *setup, const char *name,
			struct obi_agent_child **ret, struct ob_error *reterr)
{
	struct obi_agent_child *child = calloc(1, sizeof *child);
	char state_path[4200];
	if (child == NULL || !obi_state_path(setup->root, name, state_path, sizeof state_path) ||
	    asprintf(&child->data_path, "%s/%s", setup->root, name) < 0) {
		free(child);
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	child->state_path = strdup(state_path);
	if (child->state_path == NULL) {
		free(child->data_path);
		free(child);
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	child->setup = setup;
	child->spool.max = setup->log_memory;
	snprintf(child->facts.name, sizeof child->facts.name, "%s", name);
	*ret = child;
	return OB_OK;
}

void obi_agent_child_free(struct obi_agent_child *child)
{
	obi_agent_child_close(child);
	obi_agent_spool_clear(&child->spool);
	free(child->data_path);
	free(child->state_path);
	free(child);
}

struct obi_agent_facts obi_agent_child_facts(const struct obi_agent_child *child)
{
	struct obi_agent_facts facts = child->facts;
	int64_t age = obi_clock_ms(CLOCK_BOOTTIME) - child->exited_at;
	facts.exit.ago_ms = age > 0 ? age : 0; /* it may have been in an earlier boot */
	if (facts.state == OBI_AGENT_ABSENT) {
		facts.instance[0] = '\0';
		facts.exit.known = false;
	}
	return facts;
}

static void fail(struct obi_agent_child *child, const struct ob_error *err)
{
	obi_agent_text_set(child->facts.error, err->text);
	child->facts.state = OBI_AGENT_FAILED;
}

/* A start that was prepared, and never came to be, ended with its agent. */
static void find_process(struct obi_agent_child *child, const struct obi_agent_file *file)
{
	struct ob_error err = {0};
	int r = obi_agent_child_open(child, &file->options, &err);
	r = r == OB_OK ? obi_agent_child_probe(child, false, &err) : r;
	if (r < 0) {
		fail(child, &err);
		return;
	}
	obi_agent_child_take(child);
	if (child->facts.state == OBI_AGENT_ABSENT) {
		child->place->ops->clear(child->place);
		obi_agent_child_close(child);
	}
}

void obi_agent_child_find(struct obi_agent_child *child)
{
	struct obi_agent_file file;
	struct ob_error err = {0};
	struct obi_arena arena;
	obi_arena_init(&arena, OBI_AGENT_OPTIONS_ARENA);
	int r = obi_agent_file_read(child->state_path, &arena, &file, &err);
	if (r == OB_OK) {
		memcpy(child->facts.instance, file.instance, sizeof file.instance);
		memcpy(child->spent, file.spent, sizeof file.spent);
		child->spawned = file.spawned;
		child->facts.exit = file.exit;
		child->exited_at = file.exited_at;
	}
	if (r == OB_OK && file.options.argv != NULL) {
		find_process(child, &file);
	} else if (r < 0 && r != OB_ENOENT) {
		fail(child, &err);
	}
	if (child->facts.state != OBI_AGENT_ABSENT) {
		obi_agent_child_changed(child);
	}
	obi_arena_free(&arena);
}

/* ---- Prepare ---- */

/* There is no process, and this instance is over. */
static void give_up(struct obi_agent_child *child)
{
	child->spawned = false;
	child->facts.state = OBI_AGENT_ABSENT;
	child->state.state = OB_STATE_STOPPED;
	child->state.desired = OBI_DESIRED_STOPPED;
	explicit_bzero(child->state.token, sizeof child->state.token);
	child->place->ops->clear(child->place);
	child->place->ops->save(child->place, &child->state);
	obi_agent_child_close(child);
	(void)obi_agent_child_keep(child, NULL);
	obi_agent_child_changed(child);
}

/* Nothing of the last start holds any more. */
static void forget(struct obi_agent_child *child, const char *instance)
{
	struct obi_agent_facts *facts = &child->facts;
	snprintf(facts->instance, sizeof facts->instance, "%s", instance);
	facts->exit = (struct obi_agent_exit){0};
	facts->pid = 0;
	facts->record[0] = facts->remains[0] = facts->error[0] = '\0';
	facts->config_version = 0;
	facts->has_usage = false;
	child->last = (struct obi_place_child){0};
	child->spawned = child->hurry = false;
	obi_agent_spool_clear(&child->spool);
}

static int answered(const struct obi_agent_child *child, struct ob_error *reterr)
{
	const struct ob_error *err = &child->answer.err;
	return err->code == OB_OK ? OB_OK : obi_fail(reterr, err->code, 0, "%s", err->text);
}

static int make_files(struct obi_agent_child *child, struct ob_config *config,
		      struct ob_error *reterr)
{
	const struct obi_place_ops *ops = child->place->ops;
	int r = ob_config_set(&config->listen, child->settings.options.listen);
	r = r == OB_OK ? ob_config_set(&config->instance, child->facts.instance) : r;
	r = r == OB_OK ? ob_config_set(&config->name, child->facts.name) : r;
	if (r < 0) {
		return obi_fail(reterr, r, 0, "out of memory");
	}
	r = obi_start_config_keep(config, &child->state, reterr);
	if (r < 0) {
		return r;
	}
	ops->prepare(child->place, OBI_AGENT_OP, config, OBI_PLACE_WATCH);
	r = answered(child, reterr);
	if (r == OB_OK) {
		child->state.record[0] = child->state.address[0] = '\0';
		child->state.adopted = child->state.was_ready = false;
		child->state.state = OB_STATE_STARTING;
		child->state.desired = OBI_DESIRED_RUNNING;
		ops->save(child->place, &child->state);
	}
	return r;
}

/* Open the place and see that nothing lives. */
static int take_charge(struct obi_agent_child *child, const struct ob_connector_options *options,
		       struct ob_error *reterr)
{
	int r = obi_agent_child_open(child, options, reterr);
	if (r < 0) {
		return r;
	}
	r = obi_agent_allow_check(child->setup->allow, &child->settings.options, reterr);
	if (r == OB_EPERM && reterr != NULL) {
		reterr->code = r = OB_EREMOTE;
		reterr->remote_code = OBI_AGENT_REFUSED;
	}
	r = r == OB_OK ? obi_agent_child_probe(child, true, reterr) : r;
	if (r == OB_OK && (child->answer.facts.alive || child->answer.facts.held)) {
		snprintf(child->facts.instance, sizeof child->facts.instance, "%s",
			 child->state.instance);
		obi_agent_child_take(child);
		obi_agent_child_changed(child);
		r = not_in_this_state(child, reterr);
	}
	return r;
}

int obi_agent_child_prepare(struct obi_agent_child *child, const char *instance,
			    const struct ob_connector_options *options, struct ob_config *config,
			    struct ob_error *reterr)
{
	enum obi_agent_state state = child->facts.state;
	if (is_instance(child, instance) && state != OBI_AGENT_HELD && state != OBI_AGENT_FAILED) {
		return OB_OK; /* the answer was lost */
	}
	if (strcmp(child->spent, instance) == 0) {
		return obi_agent_fail(reterr, OBI_AGENT_STATE, "%s: instance %s was started before",
				      child->facts.name, instance);
	}
	if (state != OBI_AGENT_ABSENT && state != OBI_AGENT_PREPARED) {
		return not_in_this_state(child, reterr);
	}
	if (state == OBI_AGENT_PREPARED) {
		give_up(child);
	}
	obi_agent_child_close(child);
	int r = take_charge(child, options, reterr);
	if (r == OB_OK) {
		forget(child, instance);
		r = obi_agent_child_keep(child, reterr);
		r = r == OB_OK ? make_files(child, config, reterr) : r;
	}
	if (r == OB_OK) {
		child->facts.state = OBI_AGENT_PREPARED;
	} else if (child->facts.state == OBI_AGENT_ABSENT) {
		obi_agent_child_close(child);
	}
	if (child->facts.state != state) {
		obi_agent_child_changed(child);
	}
	return r;
}

/* ---- Spawn ---- */

static int spawn(struct obi_agent_child *child, struct ob_error *reterr)
{
	const struct obi_place_ops *ops = child->place->ops;
	/* First what must not be forgotten: that there may be a process. */
	child->spawned = true;
	memcpy(child->spent, child->facts.instance, sizeof child->spent);
	int r = obi_agent_child_keep(child, reterr);
	if (r == OB_OK) {
		ops->spawn(child->place, OBI_AGENT_OP);
		r = answered(child, reterr);
	}
	if (r < 0) {
		obi_agent_text_set(child->facts.error, reterr->text);
		give_up(child);
		return obi_agent_fail(reterr, OB_RPC_INTERNAL, "%s", child->facts.error);
	}
	child->last = child->answer.child;
	child->facts.pid = child->last.pid;
	memcpy(child->facts.record, child->last.record, sizeof child->facts.record);
	memcpy(child->state.record, child->last.record, sizeof child->state.record);
	child->state.started_ms = obi_clock_ms(CLOCK_REALTIME);
	child->state.started_boot_ms = obi_clock_ms(CLOCK_BOOTTIME);
	child->facts.state = OBI_AGENT_RUNNING;
	ops->save(child->place, &child->state);
	obi_agent_child_changed(child);
	return OB_OK;
}

int obi_agent_child_spawn(struct obi_agent_child *child, const char *instance,
			  struct ob_error *reterr)
{
	int r = check_instance(child, instance, reterr);
	if (r < 0 || child->spawned) {
		return r; /* done already; child->last says which it was */
	}
	return child->facts.state == OBI_AGENT_PREPARED ? spawn(child, reterr)
							: not_in_this_state(child, reterr);
}

/* ---- Signals and the end ---- */

int obi_agent_child_signal(struct obi_agent_child *child, const char *instance, int signal,
			   struct ob_error *reterr)
{
	int r = check_instance(child, instance, reterr);
	if (r < 0) {
		return r;
	}
	if (child->facts.state != OBI_AGENT_RUNNING) {
		return not_in_this_state(child, reterr);
	}
	child->place->ops->signal(child->place, signal);
	return OB_OK;
}

static void on_end_timer(void *user)
{
	struct obi_agent_child *child = user;
	child->place->ops->end(child->place, 0);
}

/* timeout_ms 0: at once, and what it leaves, too. */
static void end(struct obi_agent_child *child, int signal, int64_t timeout_ms)
{
	const struct obi_place_ops *ops = child->place->ops;
	bool running = child->facts.state == OBI_AGENT_RUNNING;
	if (signal == SIGKILL || timeout_ms == 0) {
		child->hurry = true;
		ops->end(child->place, 0);
	} else if (running && !child->ending) {
		ops->signal(child->place, signal);
		/* A process that is stopped handles the signal only when it goes on. */
		ops->signal(child->place, SIGCONT);
		child->end_timer.fn = on_end_timer;
		child->end_timer.user = child;
		obi_timer_set(child->setup->rt->loop, &child->end_timer, timeout_ms);
	}
}

int obi_agent_child_end(struct obi_agent_child *child, const char *instance, int signal,
			int64_t timeout_ms, struct ob_error *reterr)
{
	int r = check_instance(child, instance, reterr);
	if (r < 0) {
		return r;
	}
	switch (child->facts.state) {
	case OBI_AGENT_RUNNING:
	case OBI_AGENT_LINGERING:
		child->stuck = false;
		end(child, signal, timeout_ms);
		return child->stuck
			   ? obi_agent_fail(reterr, OBI_AGENT_REFUSED, "%s", child->facts.error)
			   : OB_OK;
	case OBI_AGENT_PREPARED:
		give_up(child);
		return OB_OK;
	case OBI_AGENT_HELD:
	case OBI_AGENT_FAILED:
		return not_in_this_state(child, reterr);
	default:
		return OB_OK;
	}
}

/* What failed may have changed. */
static int look_again(struct obi_agent_child *child, struct ob_error *reterr)
{
	if (child->place == NULL) {
		return obi_fail(reterr, OB_EIO, 0, "%s", child->facts.error);
	}
	int r = obi_agent_child_probe(child, false, reterr);
	if (r == OB_OK) {
		child->facts.error[0] = '\0';
		obi_agent_child_take(child);
		obi_agent_child_changed(child);
	}
	return r;
}

int obi_agent_child_end_holders(struct obi_agent_child *child, struct ob_error *reterr)
{
	int r = child->facts.state == OBI_AGENT_FAILED ? look_again(child, reterr) : OB_OK;
	if (r < 0) {
		return r;
	}
	switch (child->facts.state) {
	case OBI_AGENT_HELD:
		child->facts.state = OBI_AGENT_LINGERING;
		child->hurry = false;
		obi_agent_child_changed(child);
		child->place->ops->end_holders(child->place);
		return OB_OK;
	case OBI_AGENT_RUNNING:
	case OBI_AGENT_PREPARED:
		return not_in_this_state(child, reterr);
	default:
		return OB_OK;
	}
}

int obi_agent_child_ack_exit(struct obi_agent_child *child, const char *instance,
			     struct ob_error *reterr)
{
	if (child->facts.state == OBI_AGENT_ABSENT && strcmp(child->spent, instance) == 0) {
		return OB_OK; /* the answer was lost */
	}
	int r = check_instance(child, instance, reterr);
	if (r == OB_OK && child->facts.state != OBI_AGENT_ENDED) {
		return not_in_this_state(child, reterr);
	}
	if (r == OB_OK) {
		child->facts.exit = (struct obi_agent_exit){0};
		give_up(child);
	}
	return r;
}

int obi_agent_child_read_config(struct obi_agent_child *child, const char *instance,
				obi_agent_config_fn *fn, void *user, struct ob_error *reterr)
{
	int r = check_instance(child, instance, reterr);
	if (r < 0) {
		return r;
	}
	if (child->place == NULL) {
		return not_in_this_state(child, reterr);
	}
	child->reader.fn = fn;
	child->reader.user = user;
	child->place->ops->read_config(child->place);
	child->reader.fn = NULL;
	return OB_OK;
}

void obi_agent_child_shut_down(struct obi_agent_child *child, int signal, int64_t timeout_ms)
{
	if (child->facts.state == OBI_AGENT_RUNNING) {
		end(child, signal, timeout_ms);
	} else if (child->facts.state == OBI_AGENT_HELD) {
		(void)obi_agent_child_end_holders(child, NULL);
	}
	child->ending = true;
	if (child->facts.state == OBI_AGENT_LINGERING) {
		end(child, SIGKILL, 0);
	}
}
