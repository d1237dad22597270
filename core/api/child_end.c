/* SPDX-License-Identifier: MIT */
/* The end of a child that no connector is in charge of. */
#include <outboard/child.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/blocking.h"
#include "api/child_directory.h"
#include "base/error.h"
#include "base/options.h"
#include "files/fifo.h"
#include "log/reader.h"
#include "log/splitter.h"
#include "place/agent_place.h"
#include "place/remains.h"

enum { STOP_TIMEOUT_MS = 10000 };

struct ending {
	struct ob_runtime *rt;
	struct ob_child_end_options options;
	struct obi_child_directory dir;
	struct obi_process process;
	struct obi_io death;
	struct obi_timer patience;
	struct obi_fifo pipes[2];
	struct obi_log_reader *logs[2];
	struct obi_log_splitter cleanup_log;
	char *config_path;
	struct obi_remains remains;
	struct obi_exit last_exit;
	struct obi_task begin; /* where no process lives */
	struct obi_leftover leftover;
	ob_done_fn *done; /* may be NULL */
	void *user;
};

static void free_ending(struct ending *e)
{
	obi_leftover_remove(&e->leftover);
	obi_io_stop(&e->death);
	obi_timer_stop(&e->patience);
	obi_task_stop(&e->begin);
	obi_remains_free(&e->remains);
	obi_log_splitter_stop(&e->cleanup_log);
	for (size_t i = 0; i < 2; i++) {
		obi_log_reader_free(e->logs[i]);
		obi_fifo_close(&e->pipes[i]);
	}
	obi_process_close(&e->process);
	obi_child_directory_close(&e->dir);
	free(e->config_path);
	free(e);
}

static void finish(struct ending *e, int result, const char *why)
{
	ob_done_fn *done = e->done;
	void *user = e->user;
	struct ob_error err;
	if (result < 0) {
		(void)obi_fail(&err, result, 0, "ending the child of %s: %s", e->dir.state_dir.path,
			       why);
	}
	free_ending(e);
	if (done != NULL) {
		done(user, result, result < 0 ? &err : NULL);
	}
}

static void on_runtime_end(void *user)
{
	finish(user, OB_ECANCELED, "canceled");
}

/* ---- After the process ---- */

/* Leave the directory as a connector leaves it after a stop. A failure stays one, unless the child
 * lived after it. */
static void tidy(struct ending *e)
{
	struct obi_statefile *state = &e->dir.state;
	if (e->dir.data.fd >= 0) {
		obi_datadir_clean(&e->dir.data, true);
	}
	if (!e->dir.has_state) {
		return;
	}
	if (state->state != OB_STATE_FAILED) {
		state->state = OB_STATE_STOPPED;
	}
	state->desired = OBI_DESIRED_STOPPED;
	state->record[0] = '\0';
	explicit_bzero(state->token, sizeof state->token);
	state->last_exit = e->last_exit;
	(void)obi_statefile_write(&e->dir.state_dir, state, NULL);
}

static enum obi_lock_look on_look(void *user)
{
	const struct ending *e = user;
	bool held = true;
	return obi_statedir_is_held(&e->dir.state_dir, &held, NULL) == OB_OK && !held
		   ? OBI_LOOK_FREE
		   : OBI_LOOK_HELD;
}

static void on_forget_lock(void *user)
{
	struct ending *e = user;
	obi_statedir_forget_lock(&e->dir.state_dir);
}

/* What matters of it is in the error. */
static void on_said(void *user, const char *text)
{
	(void)user;
	(void)text;
}

static void on_cleanup_log(void *user, struct ob_bytes chunk)
{
	struct ending *e = user;
	obi_log_splitter_feed(&e->cleanup_log, chunk);
}

static void on_cleanup_changed(void *user)
{
	struct ending *e = user;
	if (e->dir.has_state) {
		(void)obi_statefile_write(&e->dir.state_dir, &e->dir.state, NULL);
	}
}

static void on_gone(void *user, const struct ob_error *err)
{
	struct ending *e = user;
	obi_log_splitter_end(&e->cleanup_log);
	if (err != NULL) {
		finish(e, err->code, err->text);
	} else {
		tidy(e);
		finish(e, OB_OK, NULL);
	}
}

static void on_death(void *user, int events)
{
	struct ending *e = user;
	int32_t pid = e->process.id.pid;
	(void)events;
	obi_io_stop(&e->death);
	obi_timer_stop(&e->patience);
	if (obi_process_end(&e->process, &e->last_exit) == OB_EBUSY) {
		obi_orphans_add(&e->rt->strays, e->rt->loop, &e->process);
	}
	for (size_t i = 0; i < 2; i++) {
		if (e->logs[i] != NULL) {
			obi_log_reader_drain(e->logs[i]);
		}
	}
	e->dir.state.state = OB_STATE_STOPPED; /* even if it had been given up: it lived */
	/* As a stop does: what is left is killed, whatever `leftover` says. */
	obi_remains_begin(&e->remains, pid, OBI_REMAINS_HURRY);
}

/* The process was dead before. */
static void on_begin(void *user)
{
	struct ending *e = user;
	if (e->process.id.pid > 0) {
		(void)obi_leftovers_kill(&e->process.id, NULL);
	}
	obi_remains_begin(&e->remains, e->process.id.pid, OBI_REMAINS_HURRY);
}

/* ---- The process ---- */

static const char *name_of(const struct ending *e)
{
	return e->options.name != NULL ? e->options.name : strrchr(e->dir.state_dir.path, '/') + 1;
}

/* A full pipe must not keep the child from ending. */
static void open_logs(struct ending *e)
{
	static const char *const files[] = {OBI_FILE_STDOUT, OBI_FILE_STDERR};
	static const char *const names[] = {"stdout", "stderr"};
	struct obi_log_reader_setup setup = {.loop = e->rt->loop,
					     .name = name_of(e),
					     .fn = e->options.on_log,
					     .user = e->options.user_data};
	for (int i = 0; i < 2; i++) {
		if (obi_fifo_open(e->dir.data.fd, files[i], names[i], e->dir.data.uid, &e->pipes[i],
				  NULL) == OB_OK) {
			setup.fd = e->pipes[i].fd;
			setup.stream = i + 1;
			(void)obi_log_reader_new(&setup, &e->logs[i], NULL);
		}
	}
}

static void on_impatience(void *user)
{
	struct ending *e = user;
	struct ob_error err;
	/* Both: the group may be out of reach, or the process may have left it. */
	(void)obi_process_signal_group(&e->process, SIGKILL, NULL);
	int r = obi_process_signal(&e->process, SIGKILL, &err);
	if (r < 0 && r != OB_ENOENT) {
		finish(e, r, err.text); /* it would not end for us, ever */
	}
}

static void stop_process(struct ending *e)
{
	int64_t timeout_ms =
	    e->options.stop_timeout_ms != 0 ? e->options.stop_timeout_ms : STOP_TIMEOUT_MS;
	int number = e->options.stop_signal != 0 ? e->options.stop_signal : SIGINT;
	obi_orphans_remove(&e->rt->strays, &e->process.id);
	open_logs(e);
	obi_io_set(e->rt->loop, &e->death, e->process.pidfd, OB_READABLE);
	if (timeout_ms > 0) {
		obi_timer_set(e->rt->loop, &e->patience, timeout_ms);
	}
	(void)obi_process_signal(&e->process, number, NULL);
	(void)obi_process_signal(&e->process, SIGCONT, NULL);
}

/* ---- Beginning ---- */

static int look(struct ending *e, struct ob_error *reterr)
{
	struct obi_runner runner;
	if (e->dir.state_dir.fd < 0) {
		return obi_fail(reterr, OB_ENOENT, 0,
				"%s: no state directory of this user was found", e->dir.data.path);
	}
	obi_log_splitter_init(&e->cleanup_log, e->rt->loop, name_of(e), 3, e->options.on_log,
			      e->options.user_data);
	e->last_exit = e->dir.state.last_exit;
	if (e->dir.data.path != NULL &&
	    asprintf(&e->config_path, "%s/" OBI_FILE_CONFIG, e->dir.data.path) < 0) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	e->remains.setup.config_path = e->config_path;
	int r = obi_statedir_lock(&e->dir.state_dir, reterr);
	struct obi_procid known = obi_statefile_procid(&e->dir.state);
	r = r == OB_OK ? obi_statedir_probe(&e->dir.state_dir, &known, &runner, reterr) : r;
	if (r < 0) {
		return r;
	}
	if (runner.alive) {
		e->process = runner.process;
		stop_process(e);
		return OB_OK;
	}
	if (runner.held) {
		e->process.id = runner.process.id; /* dead: what it left is in its group */
	}
	obi_task_queue(e->rt->loop, &e->begin);
	return OB_OK;
}

/* Those of the child are not known here: its cleanup command gets our environment. */
static const struct ob_connector_options no_options;

static void init_remains(struct ending *e)
{
	const struct obi_remains_setup setup = {
	    .loop = e->rt->loop,
	    .hub = &e->rt->remains,
	    .state = &e->dir.state.local,
	    .options = &no_options,
	    .events = {on_look, on_forget_lock, on_said, on_cleanup_log, on_cleanup_changed,
		       on_gone, e},
	};
	obi_remains_init(&e->remains, &setup);
}

static struct ending *make(struct ob_runtime *rt, const struct ob_child_end_options *options)
{
	struct ending *e = calloc(1, sizeof *e);
	if (e != NULL) {
		e->rt = rt;
		e->options = *options;
		e->dir = (struct obi_child_directory){.state_dir = OBI_STATEDIR_NONE,
						      .data = OBI_DATADIR_NONE};
		e->process = OBI_PROCESS_NONE;
		e->pipes[0] = e->pipes[1] = OBI_FIFO_NONE;
		e->death.fn = on_death;
		e->patience.fn = on_impatience;
		e->begin.fn = on_begin;
		e->death.user = e->patience.user = e->begin.user = e;
		e->leftover.end = on_runtime_end;
		e->leftover.user = e;
		init_remains(e);
	}
	return e;
}

/* Nothing of it is here: what is known of it is all there is to find it with. */
static int check_is_here(const struct ending *e, struct ob_error *reterr)
{
	const struct obi_statefile *state = &e->dir.state;
	if (!obi_may_be_at_agent(state)) {
		return OB_OK;
	}
	return obi_fail(reterr, OB_ENOTSUP, 0,
			"it was started behind an agent (%.255s): only its supervisor can end it",
			state->address[0] != '\0' ? state->address : state->agent);
}

/* Between obi_enter() and obi_leave(). The end comes from the loop. */
static int begin(struct ob_runtime *rt, const char *data_path, const char *state_path,
		 const struct ob_child_end_options *given, struct ending **ret,
		 struct ob_error *reterr)
{
	struct ob_child_end_options options;
	int r = obi_options_copy(&options, sizeof options, given, reterr);
	if (r < 0) {
		return r;
	}
	if (options.stop_signal < 0 || options.stop_signal > 64) {
		return obi_fail(reterr, OB_EINVAL, 0, "stop_signal: %d is not a signal",
				options.stop_signal);
	}
	struct ending *e = make(rt, &options);
	if (e == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	r = obi_child_directory_open(data_path, state_path, &e->dir, reterr);
	r = r == OB_OK ? check_is_here(e, reterr) : r;
	r = r == OB_OK ? look(e, reterr) : r;
	if (r < 0) {
		free_ending(e);
		return r;
	}
	obi_leftover_add(rt, &e->leftover);
	*ret = e;
	return OB_OK;
}

int ob_child_end_async(ob_runtime *rt, const char *data_path, const char *state_path,
		       const struct ob_child_end_options *options, ob_done_fn *done, void *user,
		       struct ob_error *reterr)
{
	struct ending *e;
	obi_enter(rt);
	int r = begin(rt, data_path, state_path, options, &e, reterr);
	if (r == OB_OK) {
		e->done = done;
		e->user = user;
	}
	obi_leave(rt);
	return r;
}

void ob_child_end_hurry(ob_runtime *rt)
{
	obi_enter(rt);
	for (const struct obi_leftover *l = rt->leftovers; l != NULL; l = l->next) {
		struct ending *e = l->end == on_runtime_end ? l->user : NULL;
		if (e != NULL && e->death.loop != NULL) {
			obi_timer_set(rt->loop, &e->patience, 0); /* it may end here otherwise */
		}
	}
	obi_leave(rt);
}

/* ---- The blocking twin ---- */

struct blocking_end {
	struct obi_blocking blocking;
	const char *data_path;
	const char *state_path;
	const struct ob_child_end_options *options;
	struct ending *ending;
};

static int begin_blocking(void *user, struct ob_error *reterr)
{
	struct blocking_end *b = user;
	int r = begin(b->blocking.rt, b->data_path, b->state_path, b->options, &b->ending, reterr);
	if (r == OB_OK) {
		b->ending->done = obi_blocking_done;
		b->ending->user = &b->blocking;
	}
	return r;
}

static void abort_blocking(void *user, int code)
{
	struct blocking_end *b = user;
	finish(b->ending, code, code == OB_ETIMEDOUT ? "it has not ended in time" : "canceled");
}

int ob_child_end(ob_runtime *rt, const char *data_path, const char *state_path,
		 const struct ob_child_end_options *options, int64_t timeout_ms, ob_cancel *cancel,
		 struct ob_error *reterr)
{
	struct blocking_end b = {
	    .blocking = {.rt = rt,
			 .begin = begin_blocking,
			 .abort = abort_blocking,
			 .user = &b,
			 .timeout_ms = timeout_ms != 0 ? timeout_ms : -1,
			 .cancel = cancel},
	    .data_path = data_path,
	    .state_path = state_path,
	    .options = options,
	};
	return obi_block(&b.blocking, reterr);
}
