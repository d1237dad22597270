/* SPDX-License-Identifier: MIT */
#include "place/local.h"

#include <stdio.h>
#include <stdlib.h>
#include <signal.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/kept_text.h"
#include "files/child_config.h"
#include "place/child_cgroup.h"
#include "place/exit_watch.h"
#include "place/local_pipes.h"
#include "place/remains.h"
#include "place/start_files.h"
#include "place/state_renewal.h"
#include "process/low_files.h"
#include "process/spawn.h"
#include "process/user.h"

enum { PARENT_LOOK_MS = 50 };

struct local_place {
	struct obi_place place; /* must be first */
	struct obi_place_local_setup setup;
	struct obi_statedir state_dir;
	struct obi_datadir dir;
	struct obi_local_state saved; /* what state.json says, or is to say */
	int save_code;		      /* why it does not; 0: it does */
	struct obi_kept_text save_error;
	struct obi_start_fds fds;    /* of the next start */
	struct obi_procid known;     /* the last process, dead or alive; pid 0: none */
	struct obi_procid leftovers; /* the dead leader of the group that holds the lock; pid 0 */
	struct obi_process process;  /* found, spawned or adopted */
	struct obi_exit_watch exit_watch;
	struct obi_usage_watch usage;
	struct obi_local_pipes pipes;
	struct obi_rename_watch config_watch;
	struct obi_remains remains; /* after the death of the process */
	bool probing;		    /* they are those of an earlier start */
	char *config_path;	    /* of outboard.json */
	struct {
		struct obi_timer timer; /* tries parent.lock again */
		uint64_t op;
		bool create;
		uid_t child;
		int64_t until; /* obi_now_ms() */
	} probe;	       /* the last one; it is under way while the timer runs */
};

static struct local_place *local_of(struct obi_place *place)
{
	return (struct local_place *)place;
}

static bool is_in_charge(const struct local_place *l)
{
	return l->state_dir.parent_lock >= 0;
}

static struct obi_place_child child_of(const struct obi_procid *id)
{
	struct obi_place_child child = {.pid = id->pid};
	if (id->pid > 0) {
		obi_procid_text(id, child.record);
	}
	return child;
}

/* ---- Files ---- */

static void close_files(struct local_place *l)
{
	obi_start_fds_close(&l->fds);
	obi_rename_watch_stop(&l->config_watch);
	obi_local_pipes_close(&l->pipes);
}

/* ---- Probe ---- */

/* Take charge: open the state directory, lock it, read the state. *ret_fresh: it was not ours
 * before, and there is a state that can be read. */
static int take_charge(struct local_place *l, struct obi_statefile *ret, bool *ret_fresh,
		       struct ob_error *reterr)
{
	const struct ob_connector_options *o = l->setup.options;
	bool was_in_charge = is_in_charge(l), create = l->probe.create;
	uid_t child = l->probe.child;
	*ret_fresh = false;
	int r = l->state_dir.fd >= 0
		    ? OB_OK
		    : obi_statedir_open(o->state_path, create, child, &l->state_dir, reterr);
	if (r == OB_ENOENT && !create) {
		return obi_fail(reterr, r, 0, "no existing config in %s", o->data_path);
	}
	r = r == OB_OK ? obi_statedir_lock(&l->state_dir, reterr) : r;
	if (r == OB_OK && !was_in_charge) {
		r = obi_state_take(&l->state_dir, child, NULL, ret, ret_fresh, reterr);
		l->saved = ret->local;
		l->known = obi_statefile_procid(ret);
	}
	return r;
}

/* For a child that lives: its directory as it was at its start. Without one it is supervised all
 * the same; it has no pipes and no config then. */
static void open_old_directory(struct local_place *l)
{
	obi_datadir_close(&l->dir);
	(void)obi_datadir_open(l->setup.options->data_path, l->saved.uid, l->saved.gid, &l->dir,
			       NULL);
	l->dir.made = l->saved.made; /* it stays known that we made it */
}

static struct obi_place_facts take_facts(struct local_place *l, const struct obi_runner *runner)
{
	struct obi_place_facts facts = {.alive = runner->alive, .held = runner->held};
	facts.held = facts.held || (!facts.alive && obi_cgroup_is_populated(&l->saved.cgroup));
	if (facts.alive) {
		obi_process_close(&l->process);
		l->process = runner->process;
		l->known = runner->process.id;
		open_old_directory(l);
	} else {
		/* A lock that is free proves nothing about who is in the group now. */
		l->leftovers = facts.held ? runner->process.id : (struct obi_procid){0};
		facts.held = facts.held || l->saved.cleanup.pending;
	}
	facts.child = child_of(&l->known);
	return facts;
}

/* Whether the probe goes on later: its lock is another parent's, which may be about to let go. */
static bool tries_again(struct local_place *l, int r)
{
	int64_t left = l->probe.until - obi_now_ms();
	if (r != OB_EBUSY || left <= 0) {
		return false;
	}
	obi_timer_set(l->setup.loop, &l->probe.timer,
		      left < PARENT_LOOK_MS ? left : PARENT_LOOK_MS);
	return true;
}

static void try_probe(void *user)
{
	struct local_place *l = user;
	struct obi_runner runner = {.process = OBI_PROCESS_NONE};
	struct obi_statefile state = {0};
	struct ob_error err = {0};
	bool fresh = false;
	int r = take_charge(l, &state, &fresh, &err);
	if (tries_again(l, r)) {
		return;
	}
	r = r == OB_OK ? obi_statedir_probe(&l->state_dir, &l->known, &runner, &err) : r;
	if (r < 0) {
		l->place.events->probed(l->place.user, l->probe.op, NULL, NULL, &err);
	} else {
		struct obi_place_facts facts = take_facts(l, &runner);
		l->place.events->probed(l->place.user, l->probe.op, &facts, fresh ? &state : NULL,
					NULL);
	}
	explicit_bzero(&state, sizeof state);
}

static void local_probe(struct obi_place *place, uint64_t op, bool create)
{
	struct local_place *l = local_of(place);
	struct obi_user user;
	struct ob_error err = {0};
	if (obi_child_user(l->setup.options, &user, &err) < 0) {
		place->events->probed(place->user, op, NULL, NULL, &err);
		return;
	}
	l->probe.op = op;
	l->probe.create = create;
	l->probe.child = user.uid;
	l->probe.until = obi_now_ms() + l->setup.options->lock_wait_ms;
	try_probe(l);
}

/* ---- What is left of a dead process ---- */

/* The release of a lock makes no event, so it is looked at again and again. What an earlier start
 * left may turn out to be alive: when the first probe ran, it had been cloned but had not written
 * its pid yet. */
static enum obi_lock_look look_at_lock(void *user)
{
	struct local_place *l = user;
	struct obi_runner now = {.process = OBI_PROCESS_NONE};
	bool held = false;
	if (l->probing) {
		bool failed = obi_statedir_probe(&l->state_dir, &l->known, &now, NULL) < 0;
		obi_process_close(&now.process);
		held = failed || now.held;
	} else {
		held = obi_statedir_is_held(&l->state_dir, &held, NULL) < 0 || held;
	}
	return now.alive ? OBI_LOOK_ALIVE : held ? OBI_LOOK_HELD : OBI_LOOK_FREE;
}

static void on_forget_lock(void *user)
{
	obi_statedir_forget_lock(&((struct local_place *)user)->state_dir);
}

static void on_said(void *user, const char *text)
{
	struct local_place *l = user;
	l->place.events->remains(l->place.user, text);
}

static void on_cleanup_log(void *user, struct ob_bytes chunk)
{
	struct local_place *l = user;
	l->place.events->log(l->place.user, 3, chunk, 0);
}

static void on_cleanup_changed(void *user)
{
	struct local_place *l = user;
	l->place.events->unsaved(l->place.user);
}

static void local_end_holders(struct obi_place *place);

/* One that turned out to be alive may have died since. */
static void on_remains_done(void *user, const struct ob_error *err)
{
	struct local_place *l = user;
	struct obi_runner now = {.process = OBI_PROCESS_NONE};
	struct obi_place_facts facts = {.child = child_of(&l->known)};
	struct ob_error failure;
	if (err == NULL && l->probing &&
	    obi_statedir_probe(&l->state_dir, &l->known, &now, &failure) < 0) {
		err = &failure;
	}
	if (err == NULL && l->probing) {
		facts = take_facts(l, &now);
	}
	if (facts.held && !facts.alive) {
		local_end_holders(&l->place);
		return;
	}
	if (!facts.alive) {
		close_files(l);
	}
	l->place.events->gone(l->place.user, err == NULL ? &facts : NULL, err);
}

static void local_end_holders(struct obi_place *place)
{
	struct local_place *l = local_of(place);
	if (l->leftovers.pid > 0) {
		(void)obi_leftovers_kill(&l->leftovers, NULL);
	}
	l->probing = true;
	obi_remains_begin(&l->remains, l->leftovers.pid, 0);
}

/* ---- Config ---- */

/* The directory of a child that runs is open only while it is watched. */
static void rest(struct local_place *l)
{
	if (l->config_watch.hub == NULL) {
		obi_datadir_rest(&l->dir);
	}
}

static void local_read_config(struct obi_place *place)
{
	struct local_place *l = local_of(place);
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	int r = obi_datadir_wake(&l->dir, &err);
	r = r == OB_OK ? obi_datadir_read_config(&l->dir, &config, &err) : r;
	if (r < 0) {
		obi_rename_watch_again(&l->config_watch);
	}
	rest(l);
	place->events->config(place->user, r == OB_OK ? &config : NULL, r == OB_OK ? NULL : &err);
	obi_child_config_clear(&config);
}

static void on_rename(void *user)
{
	local_read_config(user);
}

static void local_unwatch(struct obi_place *place)
{
	struct local_place *l = local_of(place);
	obi_rename_watch_stop(&l->config_watch);
	rest(l);
}

static int watch_config(struct local_place *l, uint32_t flags, struct ob_error *reterr)
{
	return (flags & OBI_PLACE_WATCH) == 0 || l->dir.fd < 0
		   ? OB_OK
		   : obi_rename_watch_start(l->setup.loop, l->setup.watches, &l->config_watch,
					    l->dir.fd, reterr);
}

static void local_resolve(struct obi_place *place, uint64_t op, const char *address)
{
	place->events->resolved(place->user, op, address, NULL);
}

/* ---- The process ---- */

static void on_usage(void *user, const struct ob_cgroup_usage *usage)
{
	struct local_place *l = user;
	l->place.events->usage(l->place.user, usage);
}

static void on_death(void *user)
{
	struct local_place *l = user;
	int32_t pid = l->process.id.pid;
	obi_usage_watch_finish(&l->usage);
	struct obi_exit how = obi_exit_watch_reap(&l->exit_watch, &l->process, l->setup.orphans);
	l->known.pid = 0;
	l->probing = false;
	obi_rename_watch_stop(&l->config_watch);
	obi_local_pipes_drain(&l->pipes);
	l->place.events->exited(l->place.user, &how);
	obi_remains_begin(&l->remains, pid,
			  how.kind == OB_EXIT_CODE && how.value == 0 ? OBI_REMAINS_WELL : 0);
}

static void watch_process(struct local_place *l)
{
	l->known = l->process.id;
	obi_usage_watch_start(&l->usage, l->setup.loop);
	obi_remains_note_living(&l->remains, l->known.pid);
	obi_exit_watch_start(&l->exit_watch, l->setup.loop, &l->process);
}

static int make_files(struct local_place *l, struct ob_config *config, uint32_t flags,
		      struct ob_error *reterr)
{
	const struct ob_connector_options *o = l->setup.options;
	int r = obi_start_directory(o, &l->saved.made, &l->dir, reterr);
	r = r == OB_OK
		? obi_local_pipes_make(&l->pipes, l->setup.loop, &l->dir, o->log_pipe_bytes, reterr)
		: r;
	r = r == OB_OK ? obi_start_config(o, &l->dir, l->setup.token_file, config, reterr) : r;
	r = r == OB_OK ? obi_start_cleanup(o, &l->saved, reterr) : r;
	r = r == OB_OK ? obi_start_fds_make(o, &l->state_dir, &l->saved, &l->fds, reterr) : r;
	/* The watch is set before there is a process that can write. */
	return r == OB_OK ? watch_config(l, flags, reterr) : r;
}

static void local_prepare(struct obi_place *place, uint64_t op, struct ob_config *config,
			  uint32_t flags)
{
	struct local_place *l = local_of(place);
	struct ob_error err = {0};
	obi_remains_stop(&l->remains);
	close_files(l);
	int r = make_files(l, config, flags, &err);
	if (r < 0) {
		l->saved.cleanup.pending = false; /* nothing ran */
		close_files(l);
		obi_child_cgroup_remove(&l->saved);
	}
	place->events->prepared(place->user, op, r < 0 ? &err : NULL);
}

static int spawn(struct local_place *l, struct ob_error *reterr)
{
	struct obi_spawn s = {
	    .options = l->setup.options,
	    .config_path = l->config_path,
	    .plugin_path = l->setup.plugin_path,
	    .out_fd = l->pipes.out.fifo.child_fd,
	    .err_fd = l->pipes.err.fifo.child_fd,
	    .lock_fd = l->fds.lock,
	    .start_fd = l->fds.start,
	    .cgroup_fd = l->fds.cgroup,
	};
	/* A child whose state is not saved could be found by no later parent. */
	int r = l->save_code == OB_OK
		    ? obi_spawn(&s, &l->process, reterr)
		    : obi_fail(reterr, l->save_code, 0, "%s", obi_kept_text(&l->save_error));
	obi_start_fds_close(&l->fds);
	return r;
}

static void local_spawn(struct obi_place *place, uint64_t op)
{
	struct local_place *l = local_of(place);
	struct ob_error err = {0};
	int r = spawn(l, &err);
	obi_local_pipes_close_child(&l->pipes);
	if (r < 0) {
		/* One that was executed may have made something before it was ended. */
		l->saved.cleanup.pending = l->saved.cleanup.pending && l->process.id.pid > 0;
		l->process = OBI_PROCESS_NONE;
		close_files(l);
		obi_cgroup_kill(&l->saved.cgroup);
		obi_child_cgroup_remove(&l->saved);
		place->events->spawned(place->user, op, NULL, &err);
		return;
	}
	watch_process(l);
	rest(l);
	struct obi_place_child child = child_of(&l->process.id);
	place->events->spawned(place->user, op, &child, NULL);
}

static void local_adopt(struct obi_place *place, uint64_t op, const char *record, uint32_t flags)
{
	struct local_place *l = local_of(place);
	const struct obi_exit unknown = {OB_EXIT_UNKNOWN, 0};
	struct ob_error err = {0};
	/* The process of this record must be the one that was found. */
	int r = obi_procid_expect(&l->process.id, record, &err);
	obi_remains_stop(&l->remains);
	if (l->process.pidfd < 0) {
		place->events->adopted(place->user, op, &err);
		place->events->exited(place->user, &unknown);
		obi_remains_begin(&l->remains, 0, 0);
		return;
	}
	obi_orphans_remove(l->setup.orphans, &l->process.id);
	watch_process(l);
	obi_local_pipes_open(&l->pipes, l->setup.loop, &l->dir);
	r = r == OB_OK ? watch_config(l, flags, &err) : r;
	rest(l);
	place->events->adopted(place->user, op, r < 0 ? &err : NULL);
}

static void local_signal(struct obi_place *place, int signal)
{
	(void)obi_process_signal(&local_of(place)->process, signal, NULL);
}

/* All of it, and the process, which may have left its group and cgroup. */
static int kill_process(const struct local_place *l, struct ob_error *reterr)
{
	obi_cgroup_kill(&l->saved.cgroup);
	(void)obi_process_signal_group(&l->process, SIGKILL, NULL);
	return obi_process_signal(&l->process, SIGKILL, reterr);
}

static void local_end(struct obi_place *place, int64_t wait_ms)
{
	struct local_place *l = local_of(place);
	struct ob_error err;
	if (l->process.pidfd < 0) {
		obi_remains_hurry(&l->remains);
		return;
	}
	int r = kill_process(l, &err);
	if (wait_ms > 0 && obi_process_dies(&l->process, wait_ms)) {
		obi_exit_watch_stop(&l->exit_watch);
		on_death(l);
	} else if (r < 0 && r != OB_ENOENT) {
		place->events->stuck(place->user, &err);
	}
}

/* ---- State, and the end ---- */

static void local_save(struct obi_place *place, const struct obi_statefile *given)
{
	struct local_place *l = local_of(place);
	struct obi_statefile state = *given;
	struct ob_error err = {0};
	if (!is_in_charge(l)) {
		return;
	}
	obi_statefile_note_boot(&state);
	if (l->dir.path != NULL) {
		l->saved.made = l->dir.made;
		l->saved.uid = l->dir.uid;
		l->saved.gid = l->dir.gid;
	}
	state.local = l->saved;
	l->save_code = obi_statefile_write(&l->state_dir, &state, &err);
	obi_kept_text_set(&l->save_error, err.text);
	OBI_CRASHPOINT("state_written");
}

static int local_renew(struct obi_place *place, const struct obi_statefile *given,
		       bool *ret_renewed, struct ob_error *reterr)
{
	struct local_place *l = local_of(place);
	struct obi_statefile state = *given;
	bool lives = l->process.pidfd >= 0;
	*ret_renewed = false;
	obi_statefile_note_boot(&state);
	state.local = l->saved;
	return is_in_charge(l) ? obi_state_renew(&l->state_dir, l->setup.options->state_path,
						 &state, lives, ret_renewed, reterr)
			       : OB_OK;
}

static void local_clear(struct obi_place *place)
{
	struct local_place *l = local_of(place);
	/* One that was prepared only never ran. */
	l->saved.cleanup.pending = l->saved.cleanup.pending && l->fds.lock < 0;
	if (is_in_charge(l) && obi_datadir_wake(&l->dir, NULL) == OB_OK) {
		obi_datadir_clean(&l->dir, true);
	}
}

static void local_detach(struct obi_place *place)
{
	struct local_place *l = local_of(place);
	obi_remains_stop(&l->remains);
	obi_remains_note_living(&l->remains, 0);
	obi_timer_stop(&l->probe.timer);
	obi_usage_watch_stop(&l->usage);
	obi_exit_watch_stop(&l->exit_watch);
	close_files(l);
	obi_orphans_add(l->setup.orphans, l->setup.loop, &l->process);
	obi_datadir_close(&l->dir);
	obi_statedir_close(&l->state_dir);
	l->known.pid = 0;
}

static void local_free(struct obi_place *place)
{
	struct local_place *l = local_of(place);
	local_detach(place);
	obi_remains_free(&l->remains);
	obi_low_files_release();
	obi_kept_text_clear(&l->save_error);
	free(l->config_path);
	free(l);
}

static const struct obi_place_ops ops = {
    .probe = local_probe,
    .prepare = local_prepare,
    .spawn = local_spawn,
    .adopt = local_adopt,
    .read_config = local_read_config,
    .unwatch = local_unwatch,
    .resolve = local_resolve,
    .signal = local_signal,
    .end = local_end,
    .end_holders = local_end_holders,
    .save = local_save,
    .renew = local_renew,
    .clear = local_clear,
    .detach = local_detach,
    .free = local_free,
};

static void init_remains(struct local_place *l)
{
	const struct obi_remains_setup setup = {
	    .loop = l->setup.loop,
	    .hub = l->setup.remains,
	    .state = &l->saved,
	    .config_path = l->config_path,
	    .options = l->setup.options,
	    .events = {look_at_lock, on_forget_lock, on_said, on_cleanup_log, on_cleanup_changed,
		       on_remains_done, l},
	};
	obi_remains_init(&l->remains, &setup);
}

int obi_place_local_new(const struct obi_place_local_setup *setup, struct obi_place **ret,
			struct ob_error *reterr)
{
	struct local_place *l = calloc(1, sizeof *l);
	if (l == NULL ||
	    asprintf(&l->config_path, "%s/" OBI_FILE_CONFIG, setup->options->data_path) < 0) {
		free(l);
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	l->setup = *setup;
	l->place.ops = &ops;
	l->dir = OBI_DATADIR_NONE;
	l->state_dir = OBI_STATEDIR_NONE;
	l->fds = OBI_START_FDS_NONE;
	l->usage.id = &l->saved.cgroup;
	l->usage.fn = on_usage;
	l->process = OBI_PROCESS_NONE;
	obi_local_pipes_init(&l->pipes, &l->place);
	l->exit_watch.fn = on_death;
	l->config_watch.fn = on_rename;
	l->probe.timer.fn = try_probe;
	l->exit_watch.user = l->config_watch.user = l->probe.timer.user = l->usage.user = l;
	init_remains(l);
	obi_low_files_hold();
	*ret = &l->place;
	return OB_OK;
}
