/* SPDX-License-Identifier: MIT */
#include "agent/agent_child_place.h"

#include <stdio.h>

#include "agent/agent_file.h"
#include "api/connector_place.h"
#include "base/clock.h"
#include "base/error.h"

void obi_agent_child_changed(struct obi_agent_child *child)
{
	child->facts.version = ++*child->setup->version;
	child->setup->changed(child->setup->user, child);
}

int obi_agent_child_keep(struct obi_agent_child *child, struct ob_error *reterr)
{
	struct ob_error err = {0};
	struct obi_agent_file file = {
	    .spawned = child->spawned, .exit = child->facts.exit, .exited_at = child->exited_at};
	memcpy(file.instance, child->facts.instance, sizeof file.instance);
	memcpy(file.spent, child->spent, sizeof file.spent);
	if (child->place != NULL) {
		file.options = child->settings.raw;
	}
	int r = obi_agent_file_write(child->state_path, &file, &err);
	if (r < 0) {
		child->setup->warned(child->setup->user, child, &err);
		return obi_fail(reterr, r, 0, "%s", err.text);
	}
	return OB_OK;
}

static void save(struct obi_agent_child *child)
{
	child->place->ops->save(child->place, &child->state);
}

/* ---- Answers of the place ---- */

static void note_answer(struct obi_agent_child *child, const struct ob_error *err)
{
	child->answer.err = err != NULL ? *err : (struct ob_error){0};
}

static void on_probed(void *user, uint64_t op, const struct obi_place_facts *facts,
		      const struct obi_statefile *state, const struct ob_error *err)
{
	struct obi_agent_child *child = user;
	(void)op;
	note_answer(child, err);
	if (err == NULL) {
		child->answer.facts = *facts;
	}
	if (state != NULL) {
		child->state = *state;
	}
}

static void on_prepared(void *user, uint64_t op, const struct ob_error *err)
{
	(void)op;
	note_answer(user, err);
}

static void on_spawned(void *user, uint64_t op, const struct obi_place_child *process,
		       const struct ob_error *err)
{
	struct obi_agent_child *child = user;
	(void)op;
	note_answer(child, err);
	if (err == NULL) {
		child->answer.child = *process;
	}
}

static void on_resolved(void *user, uint64_t op, const char *address, const struct ob_error *err)
{
	(void)user;
	(void)op;
	(void)address;
	(void)err;
}

/* ---- Events ---- */

static void on_remains(void *user, const char *text)
{
	struct obi_agent_child *child = user;
	obi_agent_text_set(child->facts.remains, text);
	obi_agent_child_changed(child);
}

static void on_unsaved(void *user)
{
	save(user);
}

/* What cannot be done within an event of the place. */
static void on_later(void *user)
{
	struct obi_agent_child *child = user;
	if (child->facts.state == OBI_AGENT_ABSENT) {
		obi_agent_child_close(child);
	} else if (child->hurry && child->facts.state == OBI_AGENT_LINGERING) {
		child->place->ops->end(child->place, 0);
	}
}

static void do_later(struct obi_agent_child *child)
{
	child->later.fn = on_later;
	child->later.user = child;
	obi_task_queue(child->setup->rt->loop, &child->later);
}

static void on_gone(void *user, const struct obi_place_facts *facts, const struct ob_error *err)
{
	struct obi_agent_child *child = user;
	child->facts.remains[0] = '\0';
	save(child);
	if (err != NULL) {
		obi_agent_text_set(child->facts.error, err->text);
		child->facts.state = OBI_AGENT_FAILED;
	} else {
		child->answer.facts = *facts;
		obi_agent_child_take(child);
	}
	obi_agent_child_changed(child);
	do_later(child);
}

static void on_stuck(void *user, const struct ob_error *err)
{
	struct obi_agent_child *child = user;
	child->stuck = true;
	obi_agent_text_set(child->facts.error, err->text);
	obi_agent_child_changed(child);
}

/* Once the child is ready the host knows what it needs. */
static void on_written(struct obi_agent_child *child, const struct ob_config *config)
{
	child->facts.config_version++;
	if (config->ready && config->instance != NULL &&
	    strcmp(config->instance, child->facts.instance) == 0) {
		child->place->ops->unwatch(child->place);
	}
	obi_agent_child_changed(child);
}

static void on_config(void *user, const struct ob_config *config, const struct ob_error *err)
{
	struct obi_agent_child *child = user;
	if (child->reader.fn != NULL) {
		child->reader.fn(child->reader.user, config, err);
	} else if (err == NULL) {
		on_written(child, config);
	}
}

static void on_log(void *user, int stream, struct ob_bytes chunk, uint64_t lost)
{
	struct obi_agent_child *child = user;
	obi_agent_spool_add(&child->spool, stream, chunk, lost);
	child->setup->logged(child->setup->user, child);
}

static void on_usage(void *user, const struct ob_cgroup_usage *usage)
{
	struct obi_agent_child *child = user;
	child->facts.usage = *usage;
	child->facts.has_usage = true;
	obi_agent_child_changed(child);
}

static void note_exit(struct obi_agent_child *child, struct obi_exit how)
{
	child->facts.exit = (struct obi_agent_exit){.known = true, .how = how};
	child->exited_at = obi_clock_ms(CLOCK_BOOTTIME);
	child->facts.pid = 0;
	child->facts.record[0] = child->state.record[0] = '\0';
	child->state.last_exit = how;
}

static void on_exited(void *user, const struct obi_exit *how)
{
	struct obi_agent_child *child = user;
	obi_timer_stop(&child->end_timer);
	note_exit(child, *how);
	child->facts.state = OBI_AGENT_LINGERING;
	child->hurry = child->hurry || child->ending;
	/* In this order: a record of a dead process does no harm, and the exit is not forgotten. */
	(void)obi_agent_child_keep(child, NULL);
	save(child);
	obi_agent_child_changed(child);
	do_later(child);
}

/* This machine is never lost. */
static void on_lost(void *user, const struct ob_error *err)
{
	(void)user;
	(void)err;
}

static void on_back(void *user)
{
	(void)user;
}

static const struct obi_place_events events = {
    .probed = on_probed,
    .prepared = on_prepared,
    .spawned = on_spawned,
    .adopted = on_prepared,
    .resolved = on_resolved,
    .remains = on_remains,
    .unsaved = on_unsaved,
    .gone = on_gone,
    .stuck = on_stuck,
    .config = on_config,
    .log = on_log,
    .usage = on_usage,
    .exited = on_exited,
    .lost = on_lost,
    .back = on_back,
};

/* ---- The place ---- */

int obi_agent_child_open(struct obi_agent_child *child, const struct ob_connector_options *given,
			 struct ob_error *reterr)
{
	struct ob_runtime *rt = child->setup->rt;
	struct ob_connector_options options = *given;
	options.name = child->facts.name;
	options.data_path = child->data_path;
	options.state_path = child->state_path;
	int r = obi_connector_settings(rt, &options, &child->settings, reterr);
	r = r == OB_OK ? obi_settings_local_place(rt, &child->settings, &child->place, reterr) : r;
	if (r < 0) {
		obi_connector_settings_free(&child->settings);
		return r;
	}
	child->place->events = &events;
	child->place->user = child;
	return OB_OK;
}

void obi_agent_child_close(struct obi_agent_child *child)
{
	obi_timer_stop(&child->end_timer);
	obi_task_stop(&child->later);
	if (child->place != NULL) {
		child->place->ops->free(child->place);
		obi_connector_settings_free(&child->settings);
		child->place = NULL;
	}
	explicit_bzero(&child->state, sizeof child->state);
}

int obi_agent_child_probe(struct obi_agent_child *child, bool create, struct ob_error *reterr)
{
	child->answer.facts = (struct obi_place_facts){0};
	child->place->ops->probe(child->place, OBI_AGENT_OP, create);
	const struct ob_error *err = &child->answer.err;
	return err->code == OB_OK ? OB_OK : obi_fail(reterr, err->code, 0, "%s", err->text);
}

/* ---- What lives ---- */

static void adopt(struct obi_agent_child *child)
{
	const struct obi_place_ops *ops = child->place->ops;
	struct obi_agent_facts *facts = &child->facts;
	memcpy(child->state.record, child->last.record, sizeof child->state.record);
	memcpy(facts->record, child->last.record, sizeof facts->record);
	facts->pid = child->last.pid;
	facts->state = OBI_AGENT_RUNNING;
	facts->exit = (struct obi_agent_exit){0};
	facts->error[0] = '\0';
	child->spawned = child->state.adopted = true;
	child->hurry = false;
	ops->adopt(child->place, OBI_AGENT_OP, child->last.record, OBI_PLACE_WATCH);
	if (child->answer.err.code != OB_OK) {
		obi_agent_text_set(facts->error, child->answer.err.text);
	}
	save(child);
	if (facts->state == OBI_AGENT_RUNNING) {
		ops->read_config(child->place); /* it may have been written meanwhile */
	}
}

void obi_agent_child_take(struct obi_agent_child *child)
{
	const struct obi_place_facts *found = &child->answer.facts;
	if (found->child.pid > 0) {
		child->last = found->child;
	}
	if (found->alive) {
		adopt(child);
		return;
	}
	if (child->spawned && !child->facts.exit.known) {
		note_exit(child, (struct obi_exit){OB_EXIT_UNKNOWN, 0});
	}
	child->facts.state = found->held	       ? OBI_AGENT_HELD
			     : child->facts.exit.known ? OBI_AGENT_ENDED
						       : OBI_AGENT_ABSENT;
	(void)obi_agent_child_keep(child, NULL);
}
