/* SPDX-License-Identifier: MIT */
/* supervisor/supervise_private - what supervise.c (the machine), child.c (process and files) and
 * heart.c (the link) share. */
#ifndef OBI_SUPERVISOR_SUPERVISE_PRIVATE_H
#define OBI_SUPERVISOR_SUPERVISE_PRIVATE_H

#include "supervisor/backoff.h"
#include "files/datadir.h"
#include "files/fifo.h"
#include "log/reader.h"
#include "files/statefile.h"
#include "supervisor/machine.h"
#include "supervisor/supervisor.h"

/* Somebody waits for a request. */
struct obi_request {
	struct obi_request *next;
	enum obi_life_event event;
	uint64_t id;
	ob_done_fn *done;
	void *user;
	bool lasting; /* part of the supervisor */
};

/* heart.c: the link to the child, as long as it lives. */
struct obi_link_monitor {
	struct obi_connection *link; /* dialling or open; NULL: down */
	bool supervising;	     /* the child has taken us for its parent: calls may pass */
	bool judged;		     /* readiness was reported for this process */
	bool asking_version;
	uint32_t failures; /* dials in a row that came to nothing */
	int refused;	   /* OB_EAUTH or OB_EPERM: the last dial ended so; 0: it did not */
	uint32_t misses;   /* heartbeats in a row without an answer */
	bool waiting;	   /* a heartbeat is not answered yet */
	bool unresponsive;
	int64_t down_since; /* 0: the link was up, or nobody has dialled yet */
	int64_t dialed_at;  /* when the dial that is under way, or the last one, began */
	struct obi_timer redial;
	struct obi_dial_turn
	    turn; /* to dial: held until it is authenticated, or has come to nothing */
	struct obi_timer beat;
};

struct obi_supervisor {
	struct obi_supervisor_setup setup;
	const struct ob_connector_options *options;
	struct obi_machine machine;
	struct obi_timer timer;	   /* the machine's one timer */
	struct obi_request *queue; /* not looked at yet */
	struct obi_task queue_task;
	struct obi_request *incoming; /* the one that is fed to the machine now */
	struct obi_request *start;    /* whose start, reconnect or start-or-reconnect is open */
	struct obi_request *stops;    /* whose stop, detach or close is open */
	struct obi_request
	    close; /* that one must not fail for want of memory: a child would be left behind */
	uint64_t next_id;
	bool forgiven;	      /* the counters that state.json holds do not count any more */
	char link_error[256]; /* why the last dial of this process came to nothing */
	struct ob_error note; /* why the open request is about to fail */
	bool noted;
	char cause[256]; /* of the next event */

	/* child.c */
	struct obi_datadir dir;
	struct obi_statefile state;
	struct obi_process process;
	struct obi_occupant occupant; /* what the probe found */
	struct obi_exit last_exit;
	bool exit_known; /* the default loop reaped it and told us */
	struct obi_io death;
	struct obi_task death_task;
	struct obi_child_watcher child;
	struct obi_fifo out, err;
	struct obi_log_reader *out_log, *err_log;
	struct obi_rename_watch watch; /* for outboard.json */
	struct obi_timer lock_timer;   /* looks again at outboard.lock while leftovers hold it */
	char *address;		       /* where to dial; NULL: not known yet */

	struct obi_link_monitor heart;
	int healthy; /* 1, 0, -1: not known */
};

/* ---- supervise.c ---- */

/* Why the open request is about to fail; the first note counts until it is used. */
void obi_supervisor_note(struct obi_supervisor *sup, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void obi_supervisor_note_error(struct obi_supervisor *sup, const struct ob_error *err);
/* What the next event is to say as its cause. */
void obi_supervisor_cause(struct obi_supervisor *sup, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void obi_supervisor_emit(struct obi_supervisor *sup, enum ob_event_type type, int64_t delay_ms);
void obi_supervisor_changed(struct obi_supervisor *sup);

/* ---- child.c ---- */

int obi_instance_init(struct obi_supervisor *sup, struct ob_error *reterr);
void obi_instance_free(struct obi_supervisor *sup);
void obi_instance_probe(struct obi_supervisor *sup);
void obi_instance_kill_leftovers(struct obi_supervisor *sup);
void obi_instance_spawn(struct obi_supervisor *sup);
void obi_instance_adopt(struct obi_supervisor *sup);
/* Watch for readiness, as the ready mode says. */
void obi_instance_await_ready(struct obi_supervisor *sup);
void obi_instance_signal_stop(struct obi_supervisor *sup);
void obi_instance_reap(struct obi_supervisor *sup);
void obi_instance_let_go(struct obi_supervisor *sup);
void obi_instance_save(struct obi_supervisor *sup);

/* ---- heart.c ---- */

void obi_link_monitor_init(struct obi_supervisor *sup);
/* Begin to dial sup->address, and go on for as long as there is a process. */
void obi_link_monitor_start(struct obi_supervisor *sup);
/* The link is not wanted any more. */
void obi_link_monitor_stop(struct obi_supervisor *sup);
enum ob_link obi_link_monitor_state(const struct obi_supervisor *sup);

#endif
