/* SPDX-License-Identifier: MIT */
/*
 * outboard/connector.h - the parent's side: start, supervise, adopt and stop a child.
 */
#ifndef OUTBOARD_CONNECTOR_H
#define OUTBOARD_CONNECTOR_H

#include <outboard/client.h>
#include <outboard/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The parent's side: connector ---- */

/* Automatic restart, on every exit that was not asked for, status 0 included. */
struct ob_restart_policy {
	int32_t max_restarts;	 /* give up after so many within the window; 0: never give up; -1:
				    never restart */
	int64_t backoff_base_ms; /* default 2 s; doubled with each restart */
	int64_t backoff_max_ms;	 /* default 60 s */
	int64_t reset_window_ms; /* default 5 min: a restart later than this after the last begins
				    anew */
	double
	    jitter; /* 0 to 1: each delay is shortened by up to this share, at random. Default 0 */
};

/* The defaults, spelled out. */
OB_API struct ob_restart_policy ob_restart_policy_default(void);

enum ob_ready_mode {
	OB_READY_CONFIG =
	    0,	      /* the child writes ready into outboard.json, or is connected to earlier */
	OB_READY_RPC, /* it can be dialled, authenticates and answers health: for children that
			 cannot write our files */
	OB_READY_NONE /* it is ready once it runs */
};

enum ob_health_action {
	OB_HEALTH_EVENT = 0, /* tell, with an `unresponsive` or `unhealthy` event */
	OB_HEALTH_RESTART    /* end the child and let the restart policy go on */
};

/* A resource limit, as setrlimit(2). */
struct ob_rlimit {
	const char *name; /* "nofile", "core", "as", ...: the lower-case suffix of RLIMIT_ */
	uint64_t soft;	  /* UINT64_MAX: unlimited */
	uint64_t hard;
};

enum ob_event_type {
	OB_EVENT_STARTING = 1, /* a process was started; pid is set */
	OB_EVENT_READY,
	OB_EVENT_UNHEALTHY,    /* it answers, and says it is not healthy */
	OB_EVENT_UNRESPONSIVE, /* it does not answer; the process lives */
	OB_EVENT_EXITED,       /* the process is dead; status says how, if that can be known */
	OB_EVENT_RESTARTING,   /* another start follows after delay_ms */
	OB_EVENT_FAILED,       /* gave up */
	OB_EVENT_ADOPTED,      /* a child of an earlier parent was taken over */
	OB_EVENT_DETACHED,
	OB_EVENT_STOPPED
};

enum ob_exit_kind { OB_EXIT_UNKNOWN = 0, OB_EXIT_CODE, OB_EXIT_SIGNAL };

/* Valid for the length of the callback. */
struct ob_event {
	uint32_t size;
	uint32_t type;	  /* enum ob_event_type */
	const char *name; /* of the child */
	int32_t pid;	  /* 0: none */
	uint32_t
	    exit_kind;	/* enum ob_exit_kind: of EXITED, and of what led to RESTARTING or FAILED */
	int exit_value; /* exit code or signal number */
	const char *cause; /* one line for a person; never NULL */
	uint32_t restarts; /* within the window */
	int64_t delay_ms;  /* of RESTARTING */
};

/* "ready", "exited", ... Any thread. */
OB_API const char *ob_event_name(uint32_t type);

typedef void ob_event_fn(void *user, const struct ob_event *event);

struct ob_connector_options {
	uint32_t size;
	const char *name;      /* for messages, events and logs. Must be there */
	const char *data_path; /* absolute; made with mode 0700. Must be there */
	const char *const *
	    argv; /* the command, ended by NULL; argv[0] absolute or found in PATH. Must be there */
	const char *const
	    *env;	     /* "NAME=value", ended by NULL, added to our own without OUTBOARD_* */
	bool env_clear;	     /* start from an empty environment instead */
	const char *listen;  /* where the child listens; default unix://<data_path>/rpc.sock */
	const char *connect; /* where to dial it; default what it writes as rpc_addr */
	const char *transport; /* plugin for whichever of these two has a scheme it claims; default
				  by scheme */
	const char *codec;     /* default "msgpack" */
	const char *const
	    *auth; /* mechanisms in order, ended by NULL; default as in ob_client_options */
	bool allow_plaintext; /* permit unsealed mechanisms on a transport that others can reach */
	uint32_t ready;	      /* enum ob_ready_mode */
	int64_t ready_timeout_ms; /* default 60 s */
	struct ob_restart_policy restart;
	int stop_signal;	    /* default SIGINT */
	int64_t stop_timeout_ms;    /* then SIGKILL; default 10 s */
	int64_t health_interval_ms; /* between heartbeats; default 10 s, -1: none */
	uint32_t health_misses; /* so many unanswered in a row make it unresponsive; default 2 */
	uint32_t health_action; /* enum ob_health_action */
	uint64_t version; /* what we expect of the child; a lower one shuts down and is restarted;
			     0: do not ask */
	const char *user; /* run as: names or numbers; default unchanged */
	const char *group;
	const char *cwd;
	int32_t umask;			/* 0: inherited; -1: really 000 */
	const struct ob_rlimit *limits; /* ended by a NULL name */
	const char *stdin_path;		/* default /dev/null */
	uint32_t log_pipe_bytes;	/* default 256 KiB */
	uint32_t message_max;		/* bytes; default 4 MiB */
	int64_t call_timeout_ms;	/* default 30 s */
	ob_event_fn *on_event;
	ob_log_fn *on_log;
	void *user_data; /* of on_event and on_log */
	/*
	 * Who may call what of the child, ended by NULL; NULL: whoever authenticates may call
	 * everything. A rule is "allow|deny [CONDITION...] METHOD...", with the conditions
	 * subject=TEXT method=NAME uid=NUMBER gid=NUMBER cid=NUMBER parent, and methods as
	 * "interface.method", "interface.*" or "*". The first that fits decides; the last must be
	 * "allow *" or "deny *". The parent may always call outboard-control.
	 * outboard-control.shutdown and outboard.supervise are not reached by "*", nor by the
	 * "interface.*" of a rule that allows: they are the parent's alone, and anybody's who knows
	 * the secret and the instance, unless a rule names them.
	 */
	const char *const *rules;
	const char *const *peer_users; /* names or numbers: whom peercred admits to the child
					  besides its own user, root, and us */
	const char *const
	    *peer_groups; /* the same by group: the one that the peer ran with when it connected */
	/* Where the child sees us come from over a network, for it to keep seats for us: see
	 * ob_server_options. NULL: not told */
	const char *parent_address;
};

/* ---- Faults in options ---- */

enum ob_fault_kind {
	OB_FAULT_ERROR = 0, /* the options are refused */
	OB_FAULT_FILE,	    /* a file is missing: a start would fail now, and may succeed later */
	OB_FAULT_WARNING    /* allowed, but not safe */
};

/* One fault. Valid for the length of the callback. */
struct ob_fault {
	uint32_t size;
	uint32_t kind;	    /* enum ob_fault_kind */
	const char *option; /* "cwd", "restart.jitter"; "" for the options as a whole */
	const char *reason;
};

typedef void ob_fault_fn(void *user, const struct ob_fault *fault);

/*
 * Report every fault in options, one call of fault each, before this returns. Found are the faults
 * that ob_connector_new() would refuse, and besides:
 *
 *  - the transport of listen is not installed here (ob_connector_new() accepts that if connect is
 *    set: the child may be elsewhere),
 *  - user 65534 together with peercred, which refuses it,
 *  - files that are missing (OB_FAULT_FILE) and unsafe choices (OB_FAULT_WARNING).
 *
 * Nothing is started or made. Plugins that the options name are loaded. fault may be NULL; it must
 * not call functions of this runtime. Returns OB_OK if no fault is an OB_FAULT_ERROR; else
 * OB_EINVAL, with their number and the first one in *reterr.
 */
OB_API int ob_connector_options_check(ob_runtime *runtime,
				      const struct ob_connector_options *options,
				      ob_fault_fn *fault, void *user, struct ob_error *reterr);

/* ---- The connector ---- */

/* Make a connector; nothing is started or touched. Everything in options is checked and copied. */
OB_API int ob_connector_new(ob_runtime *runtime, const struct ob_connector_options *options,
			    ob_connector **ret_connector, struct ob_error *reterr);

/*
 * Offer methods to the child: its calls and notifications arrive at these handlers. Before the
 * first start or reconnect only. The table and user must outlive the connector.
 */
OB_API int ob_connector_expose(ob_connector *connector, const char *interface_name,
			       const struct ob_method *methods, void *user,
			       struct ob_error *reterr);

/*
 * Start the child and wait until it is ready. OB_EBUSY: another connector holds its data directory;
 * OB_EEXIST: it is running already; OB_EEXITED: it exited first; OB_ETIMEDOUT: not ready in
 * ready_timeout_ms (the child is ended). A caller's timeout or cancel ends the child too. Default
 * timeout: none beside ready_timeout_ms.
 */
OB_API int ob_connector_start(ob_connector *connector, int64_t timeout_ms, ob_cancel *cancel,
			      struct ob_error *reterr);
OB_API int ob_connector_start_async(ob_connector *connector, ob_done_fn *done, void *user,
				    struct ob_error *reterr);

/* Stop it: signal, wait, SIGKILL to its process group. Succeeds when it is not running. A timeout
 * or cancel kills at once. */
OB_API int ob_connector_stop(ob_connector *connector, int64_t timeout_ms, ob_cancel *cancel,
			     struct ob_error *reterr);
OB_API int ob_connector_stop_async(ob_connector *connector, ob_done_fn *done, void *user,
				   struct ob_error *reterr);

/* Let go: the child lives on, and everything needed to find it again stays. Succeeds when it is not
 * running. */
OB_API int ob_connector_detach(ob_connector *connector, struct ob_error *reterr);
OB_API int ob_connector_detach_async(ob_connector *connector, ob_done_fn *done, void *user,
				     struct ob_error *reterr);

/* Take over a child that runs already. Never starts one, never ends one. Default timeout:
 * ready_timeout_ms. */
OB_API int ob_connector_reconnect(ob_connector *connector, int64_t timeout_ms, ob_cancel *cancel,
				  struct ob_error *reterr);
OB_API int ob_connector_reconnect_async(ob_connector *connector, ob_done_fn *done, void *user,
					struct ob_error *reterr);

/* Reconnect if a child is there, else start one. A child that lives but does not answer is waited
 * for, never doubled. */
OB_API int ob_connector_start_or_reconnect(ob_connector *connector, int64_t timeout_ms,
					   ob_cancel *cancel, struct ob_error *reterr);
OB_API int ob_connector_start_or_reconnect_async(ob_connector *connector, ob_done_fn *done,
						 void *user, struct ob_error *reterr);

/*
 * Start or adopt, and follow the restart policy from the first failure on, with nobody waiting:
 * what becomes of it is told by events. What a supervisor of many children wants, where
 * ob_connector_start() gives up when the first start fails.
 */
OB_API int ob_connector_supervise(ob_connector *connector, struct ob_error *reterr);

/*
 * Stop the child, unless it was detached, and free the connector. Blocks for at most 15 s on an
 * inline or threaded runtime; on an attached one, or inside a callback, it goes on by itself.
 */
OB_API void ob_connector_close(ob_connector *connector);

/* Any thread, and never waiting for anything. */
OB_API bool ob_connector_is_running(const ob_connector *connector);

/* The child's pid, or 0. Any thread. */
OB_API int32_t ob_connector_pid(const ob_connector *connector);

enum ob_state {
	OB_STATE_IDLE = 0,
	OB_STATE_WAITING,
	OB_STATE_STARTING,
	OB_STATE_ADOPTING,
	OB_STATE_READY,
	OB_STATE_STOPPING,
	OB_STATE_STOPPED,
	OB_STATE_BACKOFF,
	OB_STATE_FAILED,
	OB_STATE_DETACHED
};
enum ob_link { OB_LINK_DOWN = 0, OB_LINK_DIALING, OB_LINK_UP, OB_LINK_UNRESPONSIVE };

/* All that is known of a child at one moment. Strings are copied into the struct. */
struct ob_status {
	uint32_t size;
	uint32_t state;	   /* enum ob_state */
	uint32_t link;	   /* enum ob_link */
	int32_t pid;	   /* 0: none */
	int64_t uptime_ms; /* since the process started; -1: not running */
	uint32_t restarts; /* in all, by this connector and those before it */
	int healthy;	   /* 1, 0, or -1: not known */
	uint64_t version;  /* what it last said; 0: not known */
	bool adopted;
	bool stale; /* its options changed since it was started */
	char address[256];
	char last_error[256]; /* why it is not well; of one that runs and has no link, why the last
				 dial failed */
};

/* ret->size must be set. Any thread. */
OB_API void ob_connector_status(const ob_connector *connector, struct ob_status *ret);

/* "ready", "up", ... Any thread. */
OB_API const char *ob_state_name(uint32_t state);
OB_API const char *ob_link_name(uint32_t link);

/* The client of the whole child. Borrowed; valid until the connector is closed. */
OB_API ob_client *ob_connector_client(ob_connector *connector);

/* The client of its control interface. Borrowed. */
OB_API ob_client *ob_connector_control(ob_connector *connector);

/*
 * A client of one of the child's interfaces, whose methods are then called by their bare names.
 * OB_ENOENT, "unknown object: NAME", when the child has none of that name. Free it with
 * ob_client_free().
 */
OB_API int ob_connector_connect_interface(ob_connector *connector, const char *interface_name,
					  int64_t timeout_ms, ob_client **ret_client,
					  struct ob_error *reterr);
OB_API int ob_connector_connect_interface_async(ob_connector *connector, const char *interface_name,
						ob_client_fn *done, void *user,
						struct ob_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
