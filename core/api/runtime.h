/* SPDX-License-Identifier: MIT */
/*
 * api/runtime - what the objects of the API share: the loop, the plugins, and the rules of the
 * three modes.
 *
 * One lock guards everything of a threaded runtime. The thread of the loop holds it except while it
 * sleeps in the poll. Every API function takes it with obi_enter() and releases it with
 * obi_leave(), which also wakes the loop so that it notices changes. On the thread of the loop, and
 * in the other two modes, both do nothing. Below the API there is therefore one thread.
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
#include "place/remains.h"

struct obi_rename_watch_hub;

/* Something that must end with the runtime: a connector whose close is under way. */
struct obi_leftover {
	struct obi_leftover *next;
	struct obi_leftover **slot; /* points to this; NULL: not in the list */
	void (*end)(void *user);
	void *user;
};

struct ob_runtime {
	enum ob_runtime_mode mode;
	struct obi_loop *loop;
	struct obi_registry *registry;
	char **plugin_path;	   /* in effect; ends with NULL */
	char *plugin_path_text;	   /* the same, joined by colons, for children */
	bool turning;		   /* inline: inside a turn, and so inside a callback */
	atomic_bool stop;	   /* ob_runtime_stop() was called */
	struct obi_loop_lock lock; /* of a threaded runtime, as are the next three */
	pthread_t thread;
	bool started;
	bool ending;
	struct obi_rename_watch_hub *watches; /* the one inotify instance */
	struct obi_orphans strays;
	struct obi_remains_hub remains;
	struct obi_dial_limiter dials; /* of all its connectors */
	struct obi_leftover *leftovers;
	char host_id[33];     /* for agents: 32 hex digits; "": not made yet */
	char host_label[128]; /* the same for people */
};

void obi_enter(struct ob_runtime *rt);
void obi_leave(struct ob_runtime *rt);

/* Inline: one turn of the loop, waiting for something. */
void obi_runtime_turn(struct ob_runtime *rt);

/* Whether the caller may be inside a callback. Always true on an attached runtime, where this is
 * not known. */
bool obi_in_callback(const struct ob_runtime *rt);

/* OB_EDEADLK if a blocking call is not allowed here. */
int obi_check_may_block(struct ob_runtime *rt, struct ob_error *reterr);

/* Take over what an outboard.json says of plugin_trust; NULL: nothing. OB_EINVAL: another word than
 * "unmapped". It can only add to what is trusted. */
int obi_runtime_take_trust(struct ob_runtime *rt, const char *word, struct ob_error *reterr);

/* Call end when the runtime is freed, unless the leftover is removed before. */
void obi_leftover_add(struct ob_runtime *rt, struct obi_leftover *leftover);
void obi_leftover_remove(struct obi_leftover *leftover);

#endif
