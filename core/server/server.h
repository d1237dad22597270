/* SPDX-License-Identifier: MIT */
/* server - the child's side, shared by server.c (life), accept.c and serve.c (connections) and
 * control.c (the control interface). */
#ifndef OBI_SERVER_SERVER_H
#define OBI_SERVER_SERVER_H

#include "api/client.h"
#include "rpc/interfaces.h"
#include "access/admission.h"
#include "access/acl.h"
#include "api/runtime.h"

struct obi_server_connection;

/* Who a warning is about. Each kind has its own measure, so that noise at the door does not drown
 * what happens inside. */
enum obi_warn { OBI_WARN_STRANGER, OBI_WARN_CALLER, OBI_WARN_KINDS };

struct obi_warned {
	int64_t ms;    /* when the last one was written; 0: never */
	uint64_t left; /* how many were not, since */
};

struct obi_probe {
	struct obi_probe *next;
	ob_probe_fn *fn;
	void *user;
	char name[];
};

struct ob_server {
	struct ob_runtime *rt;
	bool own_runtime;
	struct ob_server_options options; /* defaults filled in */
	char *config_path;
	char *instance;	  /* of the config at the start: the rest of it may be replaced by another
			     thread */
	bool close_asked; /* inside a callback */
	struct obi_task close_task;
	/* NULL: no file, options.listen and its like said it all */
	struct ob_config config;
	pthread_mutex_t config_lock;
	int lock_fd; /* outboard.lock, for as long as we live; -1: none */
	struct ob_logger *logger;
	bool own_logger;
	struct obi_interfaces interfaces;
	struct obi_probe *probes;
	int64_t opened_ns; /* CLOCK_BOOTTIME */
	bool started;
	bool ending; /* the shutdown function has been, or is about to be, called */
	atomic_bool stop;
	int stop_fd; /* an eventfd for a run() that does not turn the loop */

	/* serve.c, accept.c */
	struct obi_endpoint endpoint;
	struct ob_listener *listener;
	struct obi_io accept_io;
	struct obi_timer pause; /* nothing is accepted before */
	int reserve_fd; /* given up for a moment to refuse a connection when there are none left */
	struct obi_server_connection *connections;
	struct obi_server_connection *supervisor;
	struct obi_acl rules;
	struct obi_server_connection *looking; /* at this one, if it is still there, and not open */
	struct ob_stream *waiting;	       /* accepted, and there is no seat yet */
	struct obi_admission gate;
	struct obi_replay_cache seen;
	struct obi_peer *parent_peer;
	struct ob_client *parent;
	struct obi_warned warned[OBI_WARN_KINDS];
};

/* Listen as the config says. */
int obi_server_listen(struct ob_server *s, struct ob_error *reterr);

/* Where we really listen, as a new string; NULL: out of memory. */
char *obi_server_address(struct ob_server *s);

/* Stop listening and end every connection. */
void obi_server_hang_up(struct ob_server *s);

/* Answer nothing more to the link that carries call; once what is queued to it is flushed, run the
 * shutdown function. */
void obi_server_end_after(struct ob_server *s, struct ob_call *call);

/* Whether the caller may end the server: shutdown is asked for by its name, and by a version that
 * is expected. */
bool obi_server_may_end(const struct ob_server *s, const struct ob_call *call);

/* Run the shutdown function, once. */
void obi_server_shut_down(struct ob_server *s);

/* Expose outboard-control. */
int obi_control_expose(struct ob_server *s, struct ob_error *reterr);

#endif
