/* SPDX-License-Identifier: MIT */
/*
 * supervisor/link_monitor - the connection to a child: dials for as long as it is started, or waits
 * for the child to dial, sends heartbeats, and asks for health and version.
 *
 * A broken connection is a state of the link and says nothing about the process. What is reported
 * about the child is what the child says, and its silence.
 *
 * The end of a process closes its connection before it is reported, so a loss of the link is
 * reported when the link is back, or when it stays away and the monitor is not stopped meanwhile.
 */
#ifndef OBI_SUPERVISOR_LINK_MONITOR_H
#define OBI_SUPERVISOR_LINK_MONITOR_H

#include <outboard/outboard.h>

#include "base/kept_text.h"
#include "rpc/connection.h"
#include "supervisor/child_run.h"
#include "supervisor/dial_limiter.h"
#include "supervisor/home.h"

/* All but `dialing` are required. Each may stop the monitor; none may free it. */
struct obi_link_monitor_events {
	/* Calls may pass on this connection; NULL: no longer. */
	void (*link)(void *user, struct obi_connection *link);
	/* The child answered the first questions: once after each start. */
	void (*good)(void *user);
	/* OB_EVENT_UNHEALTHY: the child says so. OB_EVENT_UNRESPONSIVE: it does not answer. */
	void (*unwell)(void *user, enum ob_event_type type, const char *why);
	void (*version)(void *user, uint64_t version);
	/* The child is older than options.version and ends itself. was_good: `good` came before. */
	void (*outdated)(void *user, uint64_t version, bool was_good);
	/* A question failed. The connection is closed and dialled again. */
	void (*failed)(void *user, const struct ob_error *err);
	/* A dial ended with OB_EAUTH or OB_EPERM. It is repeated unless the monitor is stopped. */
	void (*refused)(void *user, const struct ob_error *err);
	/* Before each dial, which an error fails. May be NULL. */
	int (*dialing)(void *user, struct ob_error *reterr);
	/* The answer to obi_link_monitor_shutdown() is an error. */
	void (*shutdown_refused)(void *user, const struct ob_error *err);
	/* An answer of health told of the process: monitor->run is set. */
	void (*identified)(void *user, const struct obi_child_run *run);
	/* OB_EVENT_REPLACED, REWOUND: judged once on each connection, after `good`.
	 * OB_EVENT_LINK_UP, LINK_DOWN: as in ob_event_type, except that the end of the process is
	 * not known here. */
	void (*report)(void *user, enum ob_event_type type, const char *why);
	/* The state, the health or the error has changed. */
	void (*changed)(void *user);
	/* Somebody who dialled was refused; at most once a second. */
	void (*warn)(void *user, const char *text);
	void *user;
};

struct obi_link_monitor_setup {
	struct obi_loop *loop;
	struct obi_dial_limiter *dials;
	const struct ob_connector_options *options; /* ready, health_..., version */
	struct obi_connection_setup connection;	    /* without events and open_timeout_ms */
	bool local; /* the transport cannot break while both ends live */
	struct obi_link_monitor_events events;
};

struct obi_link_monitor {
	struct obi_link_monitor_setup setup;
	const char *address;	     /* where to dial; NULL: stopped */
	const char *instance;	     /* of the child */
	struct obi_connection *link; /* dialling or open; NULL: down */
	struct obi_home *home;	     /* where the child dials; NULL: it is dialled */
	char caller[OBI_RUN_SIZE];   /* the run that the child said there; "": none */
	bool supervising;	     /* the child has accepted us as its parent: calls may pass */
	bool judged;		     /* `good` was reported */
	bool awaited;		     /* a request waits for the child: redial fast */
	uint32_t failures;	     /* failed dials in a row */
	uint32_t misses;	     /* heartbeats in a row without an answer */
	bool waiting;		     /* the last heartbeat is not answered yet */
	bool unresponsive;
	int healthy;	    /* 1, 0, -1: not known */
	int64_t down_since; /* 0: the link was up, or was not dialled yet */
	int64_t dialed_at;  /* when the last dial began */
	/* The process that answers, as it says. */
	struct obi_child_run run;
	bool run_due; /* to be compared with the first answer of health on this connection */
	/* Losses. */
	bool told;	      /* the user knows that calls can pass */
	bool lost;	      /* they cannot any more, which is not reported yet */
	bool renewing;	      /* the connection is replaced for new keys: that is no loss */
	int64_t up_at;	      /* when the link came up */
	int64_t lost_at;      /* when it was lost; 0: it is back */
	uint32_t short_lives; /* connections in a row that broke soon */
	struct obi_kept_text lost_error; /* why it was lost */
	struct obi_timer patience;	 /* until a loss is reported */
	/* What could not be asked, because the queue was full; asked again with `redial`. NULL:
	 * none */
	void (*question)(struct obi_link_monitor *monitor);
	struct obi_timer redial;
	struct obi_dial_turn turn; /* held until the connection is authenticated or has failed */
	struct obi_timer beat;
	struct obi_kept_text error; /* why the last dial failed; empty while the link is up */
	/* The answer to obi_link_monitor_shutdown(): neither, until it is there. */
	bool shutdown_agreed;
	struct obi_kept_text shutdown_error;
};

void obi_link_monitor_init(struct obi_link_monitor *monitor,
			   const struct obi_link_monitor_setup *setup);

/* Dial until the monitor is stopped; or expect the child, if it listens. address and instance must
 * stay valid until then. run: what is known of the process from an earlier parent; zeroed: nothing.
 */
void obi_link_monitor_start(struct obi_link_monitor *monitor, const char *address,
			    const char *instance, const struct obi_child_run *run);

/* The child has dialled (supervisor/link_home): the connection, which is open, belongs to the
 * monitor, and replaces the present one. */
void obi_link_monitor_take(struct obi_link_monitor *monitor, struct obi_connection *connection);

/* Drop the connection, stop listening, and dial no more. Idempotent. */
void obi_link_monitor_stop(struct obi_link_monitor *monitor);

/* Whether a request waits for the child. While one does, dials follow each other faster, and
 * silence is not judged. */
void obi_link_monitor_set_awaited(struct obi_link_monitor *monitor, bool awaited);

/* Ask the child to shut down. False: calls cannot pass now. */
bool obi_link_monitor_shutdown(struct obi_link_monitor *monitor);

enum ob_link obi_link_monitor_state(const struct obi_link_monitor *monitor);

#endif
