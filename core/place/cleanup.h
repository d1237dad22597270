/* SPDX-License-Identifier: MIT */
/*
 * place/cleanup - runs the command that cleans up after a dead child, such as `runc delete`.
 *
 * The command has a session of its own, the user and the directory of this process, and neither the
 * child's lock nor its token. Both of its outputs go into one pipe. At its timeout its process
 * group gets SIGKILL; if that does not end it, it is given up.
 */
#ifndef OBI_PLACE_CLEANUP_H
#define OBI_PLACE_CLEANUP_H

#include <outboard/connector.h>

#include "base/key_table.h"
#include "log/pipe.h"
#include "place/exit_watch.h"

/* The commands that run now, of all children of a runtime. Zeroed: none. */
struct obi_cleanup_hub {
	struct obi_key_table pids;
	unsigned count;
	struct obi_orphans *orphans; /* of the runtime; set before the first start */
};

/* So many commands run at once; others wait. */
enum { OBI_CLEANUPS_MAX = 8 };

struct obi_cleanup {
	struct obi_key_node node; /* in the hub while it runs; must be first */
	struct obi_loop *loop;
	struct obi_cleanup_hub *hub;
	struct obi_process process; /* pidfd -1: it does not run */
	struct obi_exit_watch exit_watch;
	struct obi_timer patience;
	int pipe_fd; /* -1: none */
	struct obi_log_pipe pipe;
	bool timed_out;
	void (*log)(void *user, struct ob_bytes chunk);
	/* It has ended; err: not with status 0. */
	void (*done)(void *user, const struct ob_error *err);
	void *user;
};

/* log, done and user are set by the caller. */
void obi_cleanup_init(struct obi_cleanup *cleanup, struct obi_loop *loop,
		      struct obi_cleanup_hub *hub);

/* Whether so many commands run that no other one may be started now. */
static inline bool obi_cleanup_is_full(const struct obi_cleanup_hub *hub)
{
	return hub->count >= OBI_CLEANUPS_MAX;
}

/* Start the command. env and env_clear as in the options of a connector. */
int obi_cleanup_start(struct obi_cleanup *cleanup, const char *const *argv, const char *const *env,
		      bool env_clear, int64_t timeout_ms, struct ob_error *reterr);

bool obi_cleanup_is_running(const struct obi_cleanup *cleanup);

/* Wait for it no more; done is not called. The command goes on, without a timeout: its record tells
 * the next parent of it. */
void obi_cleanup_let_go(struct obi_cleanup *cleanup);

#endif
