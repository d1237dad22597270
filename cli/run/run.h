/* SPDX-License-Identifier: MIT */
/*
 * run - what the parts of `outboard run` share: the supervisor of a config's children, in one
 * thread on one loop.
 *
 *   run.c          the command: beginning, signals, end        run_members.c  the children of the
 * config run_root.c     data_root, its lock and the record          run_removed.c  children that
 * are no longer in the config run_say.c      records of our own run_orders.c   what status, start,
 * stop and restart ask for run_reap.c     grandchildren that came to us
 */
#ifndef OBI_CLI_RUN_RUN_H
#define OBI_CLI_RUN_RUN_H

#include <outboard/outboard.h>

#include "cli/config/load.h"

struct obi_order;
struct obi_order_item;
struct obi_removed;
struct obi_run;

/* ---- run_root.c ---- */

/* A child that this or an earlier run is, or was, in charge of: enough to end it without its
 * config. */
struct obi_record_entry {
	struct obi_record_entry *next;
	const char *name;
	const char *data_path;
	int stop_signal;
	int64_t stop_timeout_ms; /* negative: none */
};

struct obi_root {
	const char *path; /* borrowed */
	int fd;
	int lock; /* -1: not held */
	struct obi_arena arena;
	struct obi_record_entry *record; /* as it was read */
};

/* Open data_root, making it if need be, take its lock and read the record. OB_EBUSY: another
 * `outboard run` has it. */
int obi_root_open(const char *path, struct obi_root *ret, struct ob_error *reterr);
void obi_root_close(struct obi_root *root);

/* Write the record: what an `outboard run` of another config would have to end. */
int obi_root_write(const struct obi_root *root, const struct obi_record_entry *entries,
		   struct ob_error *reterr);

/* Read the record of a data_root that somebody else may hold; the entries are made in arena. NULL:
 * there is none. */
struct obi_record_entry *obi_root_read(int fd, uid_t owner, struct obi_arena *arena);

/* ---- run_members.c ---- */

struct obi_member {
	struct obi_run *run;
	const struct ob_connector_options *options;
	ob_connector *connector;
	struct obi_order_item *waiting; /* for it to become ready */
	bool held; /* to be started when an earlier child of its name, in another directory, has
		      ended */
};

/* Make a connector for each child; nothing is started. */
int obi_members_make(struct obi_run *run, struct ob_error *reterr);

/* Start or adopt those that are not held. */
void obi_members_begin(struct obi_run *run);

/* The same for one that was held. */
void obi_member_begin(struct obi_member *member);

/* Stop all, or let all go; obi_run_done_one() is called when each is done. */
void obi_members_stop(struct obi_run *run);
void obi_members_detach(struct obi_run *run);

void obi_members_close(struct obi_run *run);

/* ---- run_removed.c ---- */

/* Look for live children that are not in the config, and begin to end them. */
void obi_removed_begin(struct obi_run *run);

/* Forget those that are still being ended; they end by themselves. */
void obi_removed_close(struct obi_run *run);

/* Write the record anew: the members, and what is still being ended. */
int obi_removed_record(struct obi_run *run, struct ob_error *reterr);

/* ---- run_say.c ---- */

/* A record of our own: about the child of that name, or (NULL) of us. attrs is a format of ob_build
 * that makes one map, or NULL. */
void obi_run_log(struct obi_run *run, const char *name, int level, const char *message,
		 const char *attrs, ...);
void obi_run_log_event(struct obi_run *run, const struct ob_event *event, bool asked_for);

/* A logger whose records come back as records of our own: for the server. */
int obi_run_log_open(struct obi_run *run, struct ob_error *reterr);
void obi_run_log_close(struct obi_run *run);

/* ---- run_orders.c ---- */

int obi_orders_serve(struct obi_run *run, struct ob_error *reterr);

/* Something happened to a child that somebody may wait for. */
void obi_orders_event(struct obi_member *member, const struct ob_event *event);

/* Answer everybody who still waits, and stop serving. */
void obi_orders_close(struct obi_run *run);

/* ---- run_reap.c ---- */

/* Become the parent of every orphan below us. */
int obi_reap_begin(struct obi_run *run, struct ob_error *reterr);

/* Reap what is dead and not a member's own child. */
void obi_reap(struct obi_run *run);

/* Nothing of ours is to live on: kill the grandchildren that came to us. */
void obi_reap_kill(struct obi_run *run);

/* ---- run.c ---- */

enum { OBI_RUN_SIGNALS = 4 };

enum obi_run_mode { OBI_RUN_SERVING = 0, OBI_RUN_STOPPING, OBI_RUN_DETACHING };

struct obi_run {
	const char *file; /* of the config */
	struct obi_run_config config;
	ob_runtime *rt;
	struct obi_root root;
	enum obi_run_mode mode;
	uint32_t pending; /* children that must be done before we end */
	struct obi_member *members;
	uint32_t count;
	struct obi_removed *removed;
	ob_watch *signals[OBI_RUN_SIGNALS];
	ob_watch *reap_again;

	uint32_t log_format; /* enum ob_log_format */
	ob_log_writer *writer;
	ob_logger *logger; /* of the server; it writes into own_pipe */
	int own_pipe[2];
	ob_log_reader *own_log;

	char address[4096]; /* of the server */
	ob_server *server;
	struct obi_order *orders;
};

/* End all children, then us. A second call does nothing. */
void obi_run_stop(struct obi_run *run);

/* One of run->pending is done. */
void obi_run_done_one(struct obi_run *run);

#endif
