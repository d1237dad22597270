/* SPDX-License-Identifier: MIT */
#include "place/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "process/spawn.h"

enum { KILLED_WAIT_MS = 10000 };

static void close_pipe(struct obi_cleanup *c)
{
	obi_log_pipe_stop(&c->pipe);
	if (c->pipe_fd >= 0) {
		close(c->pipe_fd);
	}
	c->pipe_fd = -1;
}

static void leave_hub(struct obi_cleanup *c)
{
	obi_key_remove(&c->hub->pids, &c->node);
	c->hub->count--;
	obi_timer_stop(&c->patience);
	close_pipe(c);
}

static int judge(const struct obi_cleanup *c, const struct obi_exit *how, struct ob_error *ret)
{
	if (c->timed_out) {
		return obi_fail(ret, OB_ETIMEDOUT, 0,
				"cleanup: did not end in time (stop.cleanup_timeout), killed");
	}
	if (how->kind == OB_EXIT_UNKNOWN) {
		return obi_fail(ret, OB_EIO, 0, "cleanup: ended, its status is not known");
	}
	if (how->kind == OB_EXIT_SIGNAL || how->value != 0) {
		return obi_fail(ret, OB_EEXITED, 0,
				how->kind == OB_EXIT_SIGNAL ? "cleanup: killed by signal %d"
							    : "cleanup: exited with status %d",
				how->value);
	}
	return OB_OK;
}

static void on_exit_of(void *user)
{
	struct obi_cleanup *c = user;
	struct obi_exit how = obi_exit_watch_reap(&c->exit_watch, &c->process, c->hub->orphans);
	struct ob_error err;
	obi_process_close(&c->process);
	obi_log_pipe_drain(&c->pipe);
	leave_hub(c);
	int r = judge(c, &how, &err);
	c->done(c->user, r < 0 ? &err : NULL);
}

static void on_impatience(void *user)
{
	struct obi_cleanup *c = user;
	struct ob_error err;
	if (c->timed_out) {
		obi_cleanup_let_go(c);
		obi_fail(&err, OB_ETIMEDOUT, 0, "cleanup: does not end though SIGKILL was sent");
		c->done(c->user, &err);
		return;
	}
	c->timed_out = true;
	(void)obi_process_signal_group(&c->process, SIGKILL, NULL);
	obi_timer_set(c->loop, &c->patience, KILLED_WAIT_MS);
}

static bool on_chunk(void *user, struct ob_bytes chunk)
{
	struct obi_cleanup *c = user;
	c->log(c->user, chunk);
	return true;
}

void obi_cleanup_init(struct obi_cleanup *c, struct obi_loop *loop, struct obi_cleanup_hub *hub)
{
	*c = (struct obi_cleanup){
	    .loop = loop, .hub = hub, .process = OBI_PROCESS_NONE, .pipe_fd = -1};
	c->exit_watch.fn = on_exit_of;
	c->patience.fn = on_impatience;
	c->pipe.fn = on_chunk;
	c->exit_watch.user = c->patience.user = c->pipe.user = c;
}

static int spawn(struct obi_cleanup *c, const struct ob_connector_options *options,
		 struct ob_error *reterr)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno, "pipe");
	}
	(void)fcntl(fds[1], F_SETFL, 0); /* the command expects one that blocks */
	struct obi_spawn s = {
	    .options = options, .out_fd = fds[1], .err_fd = fds[1], .lock_fd = -1, .start_fd = -1};
	int r = obi_spawn(&s, &c->process, reterr);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return r;
	}
	c->pipe_fd = fds[0];
	return OB_OK;
}

int obi_cleanup_start(struct obi_cleanup *c, const char *const *argv, const char *const *env,
		      bool env_clear, int64_t timeout_ms, struct ob_error *reterr)
{
	const struct ob_connector_options options = {
	    .argv = argv, .env = env, .env_clear = env_clear};
	int r = spawn(c, &options, reterr);
	if (r < 0) {
		return obi_wrap(reterr, "cleanup");
	}
	c->timed_out = false;
	c->hub->count++;
	obi_key_add(&c->hub->pids, &c->node, (uint64_t)c->process.id.pid);
	obi_log_pipe_start(c->loop, &c->pipe, c->pipe_fd);
	obi_exit_watch_start(&c->exit_watch, c->loop, &c->process);
	if (timeout_ms > 0) {
		obi_timer_set(c->loop, &c->patience, timeout_ms);
	}
	return OB_OK;
}

bool obi_cleanup_is_running(const struct obi_cleanup *c)
{
	return c->process.pidfd >= 0;
}

void obi_cleanup_let_go(struct obi_cleanup *c)
{
	if (obi_cleanup_is_running(c)) {
		obi_exit_watch_stop(&c->exit_watch);
		leave_hub(c);
		obi_orphans_add(c->hub->orphans, c->loop, &c->process);
	}
}
