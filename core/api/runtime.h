/* SPDX-License-Identifier: MIT */
/*
 * runtime - what the API's objects share: the loop, the plugins, and the rules of the three modes.
 *
 * One lock guards everything of a threaded runtime. Its thread holds it but while it sleeps in the
 * poll; every API function takes it with obi_enter() and gives it back with obi_leave(), which also
 * wakes the loop to what was changed. On the loop's own thread, and in the other two modes, both do
 * nothing. So below the API there is one thread.
 */
#ifndef OBI_API_RUNTIME_H
#define OBI_API_RUNTIME_H

#include <outboard/outboard.h>
#include <pthread.h>
#include <stdatomic.h>

#include "plugin/registry.h"
#include "loop/loop.h"
#include "supervisor/dial_limiter.h"
#include "process/orphans.h"

struct obi_rename_watch_hub;

struct ob_runtime {
	enum ob_runtime_mode mode;
	struct obi_loop *loop;
	struct obi_registry *registry;
	char **plugin_path;	/* as in force, ended by NULL */
	char *plugin_path_text; /* the same, joined by colons: for children */
	bool turning;		/* inline: inside a turn, so inside a callback */
	atomic_bool stop;	/* ob_runtime_stop() was called */
	pthread_mutex_t lock;	/* threaded only, as all below */
	pthread_t thread;
	bool started;
	bool ending;
	struct obi_rename_watch_hub *watches; /* the one inotify instance */
	struct obi_orphans strays;
	struct obi_dial_limiter dials; /* of all its connectors */
	struct ob_connector *closing;  /* connectors whose close is under way; connector.c */
};

struct ob_cancel {
	int fd; /* an eventfd: readable once fired */
};

void obi_enter(struct ob_runtime *rt);
void obi_leave(struct ob_runtime *rt);

/* Inline: one turn of the loop, waiting for something. */
void obi_runtime_turn(struct ob_runtime *rt);

/* Whether we may be inside a callback: always so on an attached runtime, where it cannot be told.
 */
bool obi_in_callback(const struct ob_runtime *rt);

/* OB_EDEADLK when a blocking call is not allowed here. */
int obi_check_may_block(struct ob_runtime *rt, struct ob_error *reterr);

/*
 * A blocking operation made of an asynchronous one. The caller fills in rt and what its callbacks
 * need, begins the work between obi_enter() and obi_leave(), then waits; the work ends with
 * obi_wait_done(), which may come before the wait.
 */
struct obi_wait {
	struct ob_runtime *rt;
	/* Time is up or the cancel fired: make the work end soon with code. Called once at most. */
	void (*abort)(struct obi_wait *wait, int code);
	void *user;
	bool done;
	int result;
	struct ob_error err;
	/* private */
	pthread_cond_t changed;
	struct obi_timer timer;
	struct obi_io cancel;
};

/* Threaded mode: also valid as an ob_done_fn with the wait as its user. */
void obi_wait_done(void *wait, int result, const struct ob_error *err);

/* Between obi_enter() and obi_leave(): wait for the end. timeout_ms < 0: no limit. Returns the
 * result; *reterr as usual. */
int obi_wait_for(struct obi_wait *wait, int64_t timeout_ms, ob_cancel *cancel,
		 struct ob_error *reterr);

#endif
