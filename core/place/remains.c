/* SPDX-License-Identifier: MIT */
#include "place/remains.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "place/child_cgroup.h"

enum {
	SETTLE_MS = 100,
	LOOK_MS = 20,
	SEARCH_MS = 200,	 /* between two searches */
	SEARCH_CALMLY_MS = 2000, /* the same, when nothing is to be killed */
	HURRY_MS = 2000,
	LOOK_CALMLY_MS = 200, /* between two looks, when nothing is to be killed */
	TIMEOUT_MS = 10000,   /* without a stop_timeout */
	RETRY_MS = 5000,      /* for a command that cannot be started for want of resources */
	NAMED_MAX = 3
};

static void tick(void *user);

static bool is_to_be_killed(const struct obi_remains *r)
{
	return r->hurry || r->setup.state->leftover == OB_LEFTOVER_KILL;
}

static void look_later(struct obi_remains *r)
{
	bool calm = r->searched && r->cleaned && !is_to_be_killed(r);
	obi_timer_set(r->setup.loop, &r->timer, calm ? LOOK_CALMLY_MS : LOOK_MS);
}

static void __attribute__((format(printf, 2, 3)))
say(struct obi_remains *r, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	uint64_t key = obi_key_of_text(ob_bytes_text(text));
	if (key != r->said) {
		r->said = key;
		r->setup.events.said(r->setup.events.user, text);
	}
}

/* Without an error nothing is in the cgroup any more, or the process lives after all. */
static void finish(struct obi_remains *r, const struct ob_error *err)
{
	obi_remains_stop(r);
	if (err == NULL && !r->lives) {
		obi_child_cgroup_remove(r->setup.state);
	}
	r->setup.events.done(r->setup.events.user, err);
}

static void __attribute__((format(printf, 3, 4)))
fail(struct obi_remains *r, int code, const char *format, ...)
{
	struct ob_error err;
	va_list args;
	va_start(args, format);
	obi_failv(&err, code, 0, format, args);
	va_end(args);
	finish(r, &err);
}

/* ---- The cleanup command ---- */

/* One that an earlier parent started may still run. OB_OK: it does not; OB_EAGAIN: it was killed,
 * and is not dead yet. */
static int end_earlier_one(const struct obi_remains *r, struct ob_error *reterr)
{
	struct obi_procid id;
	struct obi_process process;
	const char *record = r->setup.state->cleanup.record;
	if (record[0] == '\0' || obi_procid_parse(record, &id) < 0) {
		return OB_OK;
	}
	int found = obi_process_open(&id, &process, reterr);
	if (found < 0) {
		return found == OB_ENOENT ? OB_OK : found;
	}
	(void)obi_process_signal_group(&process, SIGKILL, NULL);
	int r2 = obi_process_signal(&process, SIGKILL, reterr);
	obi_process_close(&process);
	return r2 == OB_OK || r2 == OB_ENOENT ? OB_EAGAIN : r2;
}

static void note_cleanup(struct obi_remains *r, bool pending, const struct obi_procid *id)
{
	struct obi_cleanup_state *cleanup = &r->setup.state->cleanup;
	cleanup->pending = pending;
	cleanup->record[0] = '\0';
	if (id != NULL) {
		obi_procid_text(id, cleanup->record);
	}
	r->setup.events.changed(r->setup.events.user);
}

/* Nothing is known of the holders, and they get their time. */
static void begin_lingering(struct obi_remains *r)
{
	r->lingering = r->searched = r->ours_live = r->thorough = false;
	r->holders[0] = '\0';
	r->settle_at = obi_now_ms() + SETTLE_MS;
}

/* What was found before does not count any more: the command ends what it is made to end. */
static void on_cleaned(void *user, const struct ob_error *err)
{
	struct obi_remains *r = user;
	r->cleaned = true;
	note_cleanup(r, err != NULL, NULL);
	if (err != NULL) {
		finish(r, err);
		return;
	}
	obi_holder_search_stop(&r->search);
	begin_lingering(r);
	tick(r);
}

static int try_cleanup(struct obi_remains *r, struct ob_error *reterr)
{
	const char *argv[OBI_CLEANUP_ARGS_MAX + 1];
	const struct obi_cleanup_state *state = &r->setup.state->cleanup;
	const struct ob_connector_options *o = r->setup.options;
	int code = end_earlier_one(r, reterr);
	if (code < 0) {
		return code;
	}
	obi_cleanup_argv(state, argv);
	code =
	    obi_cleanup_start(&r->cleanup, argv, o->env, o->env_clear, state->timeout_ms, reterr);
	if (code == OB_OK) {
		note_cleanup(r, true, &r->cleanup.process.id);
		say(r, "cleaning up: %.200s", argv[0]);
	}
	return code;
}

/* Processes, descriptors or memory may be there again in a moment. */
static void start_cleanup(struct obi_remains *r)
{
	struct ob_error err = {0};
	int code = obi_cleanup_is_full(&r->setup.hub->cleanups) ? 1 : try_cleanup(r, &err);
	bool passing = code == OB_EAGAIN || code == OB_ENOMEM;
	if (r->cleanup_by == 0) {
		r->cleanup_by = obi_now_ms() + RETRY_MS;
	}
	if (code > 0) {
		r->cleanup_by = 0; /* its turn has not come */
		look_later(r);
	} else if (passing && obi_now_ms() < r->cleanup_by) {
		look_later(r);
	} else if (code < 0) {
		finish(r, &err);
	}
}

static void on_cleanup_log(void *user, struct ob_bytes chunk)
{
	struct obi_remains *r = user;
	r->setup.events.log(r->setup.events.user, chunk);
}

/* ---- Holders ---- */

static void name_holder(struct obi_remains *r, const struct obi_holder *holder, unsigned count)
{
	size_t len = strlen(r->holders);
	char name[sizeof holder->name];
	snprintf(name, sizeof name, "%s", holder->name);
	obi_text_clean(name); /* the process chose it */
	if (count < NAMED_MAX) {
		snprintf(r->holders + len, sizeof r->holders - len, "%s\"%s\" (pid %d)",
			 count > 0 ? ", " : "", name, (int)holder->process.id.pid);
	} else if (count == NAMED_MAX) {
		snprintf(r->holders + len, sizeof r->holders - len, " and others");
	}
}

/* Name all; end those that are the child's, if `kill`. */
static void go_through(struct obi_remains *r, const struct obi_holders_found *found, bool kill)
{
	const struct obi_holder_rule rule = {.session = r->session,
					     .child_uid = r->setup.state->uid,
					     .config_path = r->setup.config_path,
					     .spared = found->living,
					     .spared_count = found->living_count};
	unsigned count = 0;
	r->holders[0] = '\0';
	r->ours_live = false;
	for (size_t i = 0; i < found->count; i++) {
		const struct obi_holder *holder = &found->all[i];
		if (holder->lock != found->lock) {
			continue;
		}
		name_holder(r, holder, count++);
		if (obi_holder_may_be_killed(holder, &rule)) {
			r->ours_live = true;
			if (kill) {
				(void)obi_process_signal(&holder->process, SIGKILL, NULL);
			}
		}
	}
}

/* Who is in the cgroup is the child's, also without the lock. */
static void add_members(struct obi_remains *r)
{
	if (obi_cgroup_is_populated(&r->setup.state->cgroup)) {
		r->ours_live = true;
		if (r->holders[0] == '\0') {
			obi_cgroup_names(&r->setup.state->cgroup, r->holders, sizeof r->holders);
		}
	}
}

static void tell_holders(struct obi_remains *r)
{
	if (r->holders[0] == '\0') {
		say(r, "its process is dead, but its lock is held by a process that cannot be "
		       "seen");
	} else if (r->exited_well) {
		say(r,
		    "its process ended with status 0, but %s is still running: a command must "
		    "stay in the foreground",
		    r->holders);
	} else {
		say(r, "its process is dead, but %s is still running", r->holders);
	}
}

static void on_found(void *user, const struct obi_holders_found *found)
{
	struct obi_remains *r = user;
	go_through(r, found, r->cleaned && is_to_be_killed(r));
	add_members(r);
	tell_holders(r);
	r->searched = true;
	r->complete = found->complete;
	r->search_at = obi_now_ms() + (is_to_be_killed(r) ? SEARCH_MS : SEARCH_CALMLY_MS);
}

/* ---- The sequence ---- */

/* The lock is held and the patience is over. Processes that are certainly the child's are not gone,
 * so there must be no second one; nor may there be one if it is not known who holds the lock for
 * want of descriptors. Others are not ended, and do not count. */
static void give_up(struct obi_remains *r)
{
	if (r->ours_live) {
		fail(r, OB_ETIMEDOUT, "cannot be ended: %s", r->holders);
		return;
	}
	if (!r->complete) {
		fail(r, OB_ENOMEM,
		     "its lock is held, and the holders could not all be searched "
		     "for: out of descriptors or memory");
		return;
	}
	say(r, "its lock is still held by %s, which is left alone; the next start makes a new lock",
	    r->holders[0] != '\0' ? r->holders : "a process that cannot be seen");
	r->setup.events.forget_lock(r->setup.events.user);
	finish(r, NULL);
}

/* Looking goes on meanwhile. */
static void search(struct obi_remains *r)
{
	static const struct obi_holders_found nobody = {.complete = true};
	r->search_at = INT64_MAX; /* set anew when it is complete */
	/* If nobody was found who may be killed, one may hide behind one who may not. */
	r->thorough = r->searched && !r->ours_live;
	if (r->only_cgroup) {
		on_found(r, &nobody);
	} else {
		obi_holder_search_start(&r->search, &r->setup.state->lock, r->thorough);
	}
	look_later(r);
}

/* The lock is held, and the command has run. */
static void apply_policy(struct obi_remains *r)
{
	int64_t now = obi_now_ms();
	bool late = now >= r->deadline && is_to_be_killed(r);
	bool searching = r->search_at == INT64_MAX;
	if (r->setup.state->leftover == OB_LEFTOVER_FAIL && !r->hurry) {
		fail(r, OB_EBUSY, "%s is still running (leftover: fail)",
		     r->holders[0] != '\0' ? r->holders : "a process that cannot be seen");
	} else if (!searching && late && (r->ours_live || r->thorough)) {
		give_up(r);
	} else if (!searching && (late || now >= r->search_at)) {
		search(r);
	} else {
		look_later(r);
	}
}

static void linger(struct obi_remains *r)
{
	int64_t given = r->setup.options->stop_timeout_ms;
	int64_t patience = given > 0 ? given : TIMEOUT_MS;
	r->lingering = true;
	r->deadline = obi_now_ms() + (r->hurry ? HURRY_MS : patience);
	search(r);
}

/* What is in the cgroup counts as a holder. It is killed as the process group was: at once if the
 * process is known to be dead. */
static enum obi_lock_look look_at_all(struct obi_remains *r)
{
	enum obi_lock_look look = r->setup.events.look(r->setup.events.user);
	r->lives = look == OBI_LOOK_ALIVE;
	r->only_cgroup = look == OBI_LOOK_FREE;
	if (look == OBI_LOOK_FREE && obi_cgroup_is_populated(&r->setup.state->cgroup)) {
		look = OBI_LOOK_HELD;
	}
	bool settled = r->session > 0 || obi_now_ms() >= r->settle_at;
	if (look == OBI_LOOK_HELD && settled && r->cleaned && is_to_be_killed(r)) {
		obi_cgroup_kill(&r->setup.state->cgroup);
	}
	return look;
}

static void tick(void *user)
{
	struct obi_remains *r = user;
	if (!r->active || obi_cleanup_is_running(&r->cleanup)) {
		return;
	}
	enum obi_lock_look look = look_at_all(r);
	bool held = look == OBI_LOOK_HELD;
	bool settling = held && obi_now_ms() < r->settle_at;
	if (look == OBI_LOOK_ALIVE || (look == OBI_LOOK_FREE && r->cleaned)) {
		finish(r, NULL);
	} else if (settling || (held && r->lingering && !r->searched)) {
		look_later(r);
	} else if (held && !r->lingering) {
		linger(r);
	} else if (!r->cleaned) {
		start_cleanup(r);
	} else {
		apply_policy(r);
	}
}

void obi_remains_begin(struct obi_remains *r, int32_t pid, uint32_t flags)
{
	obi_remains_stop(r);
	r->active = true;
	r->lives = false;
	begin_lingering(r);
	r->hurry = (flags & OBI_REMAINS_HURRY) != 0;
	r->exited_well = (flags & OBI_REMAINS_WELL) != 0;
	r->search.session = 0;
	r->session = pid;
	r->cleaned = !r->setup.state->cleanup.pending;
	r->said = 0;
	r->cleanup_by = 0;
	tick(r);
}

void obi_remains_hurry(struct obi_remains *r)
{
	int64_t soon = obi_now_ms() + HURRY_MS;
	if (r->active && !r->hurry) {
		r->hurry = true;
		r->deadline = r->lingering && r->deadline < soon ? r->deadline : soon;
		r->search_at = r->lingering && r->search_at != INT64_MAX ? 0 : r->search_at;
	}
}

void obi_remains_stop(struct obi_remains *r)
{
	r->active = false;
	obi_timer_stop(&r->timer);
	obi_holder_search_stop(&r->search);
	obi_cleanup_let_go(&r->cleanup);
}

void obi_remains_note_living(struct obi_remains *r, int32_t pid)
{
	r->search.session = pid;
}

void obi_remains_init(struct obi_remains *r, const struct obi_remains_setup *setup)
{
	*r = (struct obi_remains){.setup = *setup};
	obi_holder_search_init(&r->search, setup->loop, &setup->hub->holders);
	r->search.found = on_found;
	obi_cleanup_init(&r->cleanup, setup->loop, &setup->hub->cleanups);
	r->cleanup.log = on_cleanup_log;
	r->cleanup.done = on_cleaned;
	r->timer.fn = tick;
	r->search.user = r->cleanup.user = r->timer.user = r;
}

void obi_remains_free(struct obi_remains *r)
{
	obi_remains_stop(r);
	obi_holder_search_free(&r->search);
}
