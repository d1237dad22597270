/* SPDX-License-Identifier: MIT */
/*
 * supervisor/instance - the process of a child with its files and its logs, from the probe to the
 * end. It is one struct for all the processes that follow each other.
 */
#ifndef OBI_SUPERVISOR_INSTANCE_H
#define OBI_SUPERVISOR_INSTANCE_H

#include <outboard/outboard.h>

#include "files/datadir.h"
#include "files/fifo.h"
#include "files/statefile.h"
#include "log/reader.h"
#include "loop/rename_watch.h"
#include "process/orphans.h"
#include "supervisor/lifecycle.h"

struct obi_instance_events {
	/* Required. The events that answer PROBE, SPAWN and ADOPT, BECAME_READY and READY_TIMEOUT
	 * where readiness is not the link's matter, and EXITED. err: why, for a failure; may be
	 * NULL. */
	void (*happened)(void *user, enum obi_life_event event, const struct ob_error *err);
	/* Required. instance.address can be dialled. */
	void (*reachable)(void *user);
	/* Required. The token of the process: authenticate with it. */
	int (*token)(void *user, const char *token, struct ob_error *reterr);
	ob_log_fn *log; /* NULL: logs are read and dropped */
	void *user;
	void *log_user;
};

struct obi_instance_setup {
	struct obi_loop *loop;
	struct obi_rename_watch_hub **watches;
	struct obi_orphans *orphans;
	const struct ob_connector_options *options;
	const char *plugin_path;      /* for the child's environment */
	const char *config_hash;      /* of the options, 64 hex digits */
	const char *listen_transport; /* for the child's config; NULL: by scheme */
	struct obi_instance_events events;
};

struct obi_instance {
	struct obi_instance_setup setup;
	struct obi_statefile state; /* what state.json says, or is to say */
	bool forgiven; /* the restart counters of state.json are void when it is read */
	struct obi_process process;
	struct obi_exit exit; /* of the last process */
	char *address;	      /* where to dial; NULL: not known yet */

	struct obi_datadir dir;
	struct obi_procid leftovers; /* whose group holds outboard.lock; pid 0: not known */
	bool exit_known;	     /* the default loop reaped it and told us */
	struct obi_io death;
	struct obi_task death_task;
	struct obi_child_watcher child;
	struct obi_fifo out, err;
	struct obi_log_reader *out_log, *err_log;
	struct obi_rename_watch watch; /* for outboard.json */
	struct obi_timer lock_timer;   /* looks again at outboard.lock while leftovers hold it */
};

void obi_instance_init(struct obi_instance *instance, const struct obi_instance_setup *setup);
void obi_instance_free(struct obi_instance *instance);

/* Take parent.lock and look who is there. create: make the data directory if it is missing. Leads
 * to LOCK_FREE, LOCK_LIVE, LOCK_LEFTOVERS or LOCK_FAILED. */
void obi_instance_probe(struct obi_instance *instance, bool create);

/* Kill the leftovers that the probe found. LOCK_FREE or LOCK_LIVE follows when that is so, unless
 * the lock is released first. */
void obi_instance_kill_leftovers(struct obi_instance *instance);
void obi_instance_replace_lock(struct obi_instance *instance);

/* Make files, spawn. Leads to SPAWNED or SPAWN_FAILED. */
void obi_instance_spawn(struct obi_instance *instance);
/* After SPAWNED: wait for readiness as the ready mode says. */
void obi_instance_await_ready(struct obi_instance *instance);
/* Take over the process that the probe found. May lead to ADOPT_OK or ADOPT_FAILED. */
void obi_instance_adopt(struct obi_instance *instance);

void obi_instance_signal_stop(struct obi_instance *instance);
void obi_instance_kill(struct obi_instance *instance);
/* SIGKILL, and wait for its death for at most ms. Whether it is dead; it must be reaped then. */
bool obi_instance_kill_now(struct obi_instance *instance, int64_t ms);
/* After EXITED: reap it, drain its logs; exit and state.last_exit say how it ended. */
void obi_instance_reap(struct obi_instance *instance);
void obi_instance_let_go(struct obi_instance *instance);

/* These do nothing without parent.lock. */
void obi_instance_clean(struct obi_instance *instance);
void obi_instance_save(struct obi_instance *instance, uint32_t state);
void obi_instance_release(struct obi_instance *instance);
bool obi_instance_is_locked(const struct obi_instance *instance);

#endif
