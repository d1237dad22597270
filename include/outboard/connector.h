/* SPDX-License-Identifier: MIT */
/*
 * outboard/connector.h - the side of the parent: start, supervise, adopt and stop a child.
 */
#ifndef OUTBOARD_CONNECTOR_H
#define OUTBOARD_CONNECTOR_H

#include <outboard/cgroup.h>
#include <outboard/check.h>
#include <outboard/client.h>
#include <outboard/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Options ---- */

/* After which exits that were not requested a child is started again. */
enum ob_restart_on {
	OB_RESTART_ON_EXIT = 0, /* after every one, also with status 0 */
	OB_RESTART_ON_FAILURE,	/* not after status 0: the child is done then */
	OB_RESTART_NEVER
};

struct ob_restart_policy {
	/* Give up after this many restarts within the window. 0: never give up; -1: no restart,
	 * as with OB_RESTART_NEVER. */
	int32_t max_restarts;
	int64_t backoff_base_ms; /* first delay, doubled with each restart; default 2 s */
	int64_t backoff_max_ms;	 /* longest delay; default 60 s */
	/* A restart that comes later than this after the last one starts the count anew. */
	int64_t reset_window_ms; /* default 5 min */
	double jitter; /* 0 to 1: shorten each delay by a random part of this share; default 0 */
	uint32_t on;   /* enum ob_restart_on */
};

/* The policy with all defaults filled in. */
OB_API struct ob_restart_policy ob_restart_policy_default(void);

/* When a started child counts as ready. */
enum ob_ready_mode {
	/* When it has set `ready` in outboard.json, or when a connection to it succeeds earlier. */
	OB_READY_CONFIG = 0,
	/* When it accepts a connection, authenticates and answers health: for a child that cannot
	 * write to the data directory. */
	OB_READY_RPC,
	/* As soon as its process runs. */
	OB_READY_NONE,
	/* When it has dialled its parent, at `accept`, authenticates and answers health: for a
	 * child that cannot be dialled, such as one in a guest or behind a network. */
	OB_READY_DIAL_HOME
};

/* What to do when a child is unhealthy or does not answer. */
enum ob_health_action {
	OB_HEALTH_EVENT = 0, /* report an event */
	OB_HEALTH_RESTART    /* also end the child, and apply the restart policy */
};

/*
 * What to do with processes of a child that live on after the process that was started has ended,
 * such as a container whose runner was killed. They are found by the descriptor 3 that they
 * inherited, or by a mapping of its file. While one lives the child is `lingering`, and no other
 * one is started.
 */
enum ob_leftover {
	/* Kill those that are the child's beyond doubt: in its cgroup, descendants of this process,
	 * in the session of the child, with its own user, or with its OUTBOARD_CONFIG in their
	 * environment. Others are named and left alone; after stop_timeout_ms they do not count any
	 * more. */
	OB_LEFTOVER_KILL = 0,
	OB_LEFTOVER_WAIT, /* wait until they end; a stop kills them */
	OB_LEFTOVER_FAIL  /* the child is `failed`; a start fails while they live */
};

/* How the records of a child's logger come to its parent. */
enum ob_logs {
	OB_LOGS_DEFAULT = 0, /* OB_LOGS_OUTPUT; OB_LOGS_RPC for a child that others start */
	OB_LOGS_OUTPUT,	     /* by its stdout and stderr: pipes that its parent has made */
	/* By calls of outboard-control.logs, for a child whose stdout does not reach the parent or
	 * is shared, as in a virtual machine. What else the child prints still comes by the pipes.
	 */
	OB_LOGS_RPC
};

/* A resource limit, as in setrlimit(2). */
struct ob_rlimit {
	const char *name; /* the name after RLIMIT_ in lower case: "nofile", "core", "as", ... */
	uint64_t soft;	  /* UINT64_MAX: unlimited */
	uint64_t hard;
};

/* A user and a group, by the numbers that they have in the user namespace of this process. */
struct ob_run_as {
	uint32_t uid;
	uint32_t gid;
};

enum ob_event_type {
	OB_EVENT_STARTING = 1, /* a process was started; pid is set */
	OB_EVENT_READY,
	OB_EVENT_UNHEALTHY,    /* the child answers that it is not healthy */
	OB_EVENT_UNRESPONSIVE, /* the child does not answer; its process lives */
	OB_EVENT_EXITED,       /* the process is dead; exit_kind says how, if known */
	OB_EVENT_RESTARTING,   /* another start follows after delay_ms */
	OB_EVENT_FAILED,       /* there will be no other start */
	OB_EVENT_ADOPTED,      /* a child of an earlier parent was adopted */
	OB_EVENT_DETACHED,     /* not supervised any more; its process lives */
	OB_EVENT_STOPPED,
	/* Another process answers in place of the one that was supervised, for example since the
	 * machine behind its runner has booted anew: what the child had in memory is lost. Counted
	 * as a restart. pid is still the runner's. */
	OB_EVENT_REPLACED,
	OB_EVENT_REWOUND, /* the same process answers, and its clock was set back (a snapshot) */
	/* Calls can pass again after LINK_DOWN; or for the first time, if no earlier event said so:
	 * in the ready mode `none`, and after an adoption without a connection. */
	OB_EVENT_LINK_UP,
	/* Calls could pass and cannot any more, while the process lives. Not emitted for an exit, a
	 * stop or a detach. It comes up to half a second late, until it is known that the process
	 * has not ended. */
	OB_EVENT_LINK_DOWN,
	OB_EVENT_STOPPING,  /* one step of a stop was taken; cause says which */
	OB_EVENT_LINGERING, /* the process is dead, but not all is gone; cause says what is left */
	OB_EVENT_DONE	    /* the child ended with status 0, and is not restarted */
};

enum ob_exit_kind { OB_EXIT_UNKNOWN = 0, OB_EXIT_CODE, OB_EXIT_SIGNAL };

/* Valid for the length of the callback. */
struct ob_event {
	uint32_t size;
	uint32_t type;	  /* enum ob_event_type */
	const char *name; /* of the child */
	int32_t pid;	  /* 0: none */
	/* enum ob_exit_kind: of EXITED, and of the exit that led to RESTARTING or FAILED. */
	uint32_t exit_kind;
	int exit_value;	   /* exit code or signal number */
	const char *cause; /* one line for a person; never NULL */
	uint32_t restarts; /* within the window */
	int64_t delay_ms;  /* of RESTARTING */
	/* Of EXITED: the child was being ended, or is done. Of DETACHED: it was asked for;
	 * otherwise the child could not be ended. */
	bool expected;
	struct ob_cgroup_usage usage; /* as it was read last; of EXITED, at the end */
};

/* The name of an event, such as "ready" or "exited". Any thread. */
OB_API const char *ob_event_name(uint32_t type);

/* Called on the loop's thread. */
typedef void ob_event_fn(void *user, const struct ob_event *event);

/*
 * Descriptors that a connector takes at most while its child runs: the pidfd, the connection, two
 * FIFOs, the lock, and the state directory. Until the child has written its config the data
 * directory is open in place of the connection. Some more are open for the moment of a start. A
 * number that is allocated (ports, cids) takes one more, and `accept` three.
 */
#define OB_DESCRIPTORS_PER_CHILD 6

struct ob_connector_options {
	uint32_t size;
	const char *name; /* Required: for messages, events and logs; [A-Za-z0-9._-]{1,64} */
	/* Required: the child's directory, absolute. It is made with mode 0700 and given to the
	 * child's user (run_as or user). One that exists must belong to that user. Without argv
	 * nothing is made: it only names the default of state_path, and may be NULL if that is set.
	 */
	const char *data_path;
	/* The parent's own directory for this child, absolute; default <data_path>.state. It holds
	 * what the parent believes, so the child must have no access to it: never mount it into a
	 * container. The directories above both must belong to root or to this user. */
	const char *state_path;
	/*
	 * The command, ended by NULL. argv[0] is absolute, or a name that is looked up in the PATH
	 * of env, or in that of this process if env has none.
	 *
	 * NULL: the child is started by others, and the connector attaches to it: connect is
	 * required, and token_file where a mechanism needs a secret. Whatever is about a process,
	 * its directory or its config must then be left out (env, listen, user, limits, cleanup,
	 * rules, ...). A start waits until the child answers. A stop lets go of it, or calls
	 * outboard-control.shutdown if stop_rpc_ms is set; it never sends a signal. A lost
	 * connection is never its end: the state is OB_STATE_RECONNECTING until it is back.
	 */
	const char *const *argv;
	/* "NAME=value", ended by NULL: added to the parent's environment without OUTBOARD_*. */
	const char *const *env;
	bool env_clear;	     /* start with an empty environment instead of the parent's */
	const char *listen;  /* URI where the child listens; default unix://<data_path>/rpc.sock */
	const char *connect; /* URI to connect to; default the child's rpc_addr */
	/* Plugin for that of listen and connect whose scheme it claims; default by scheme. */
	const char *transport;
	const char *codec;	 /* default "msgpack" */
	const char *const *auth; /* mechanisms in order, ended by NULL; see ob_client_options */
	/* Permit mechanisms without encryption on a transport that others can reach. */
	bool allow_plaintext;
	uint32_t ready;		  /* enum ob_ready_mode */
	int64_t ready_timeout_ms; /* default 60 s */
	struct ob_restart_policy restart;
	int stop_signal;	 /* default SIGINT */
	int64_t stop_timeout_ms; /* from stop_signal to SIGKILL; default 10 s */
	/* Before the signal, call outboard-control.shutdown and wait so long for the child's end.
	 * 0: no call. Left out while there is no connection. */
	int64_t stop_rpc_ms;
	/*
	 * A command, ended by NULL, that removes what the child may have left outside of its
	 * processes, such as {"/usr/bin/runc", "delete", "--force", "name", NULL}. It runs when the
	 * process is dead, after a stop and before every restart, with the environment of the child
	 * but without its token and its lock, as the user of this process. Its output becomes log
	 * records with stream 3. Until it has succeeded the child is not stopped, and is not
	 * started again; if it fails, the child is `failed`, and a start or stop tries it again.
	 * It must be able to run twice, and for a child of which nothing was made yet. At most 32
	 * arguments and 510 bytes. NULL: none.
	 */
	const char *const *cleanup;
	int64_t cleanup_timeout_ms; /* from its start to SIGKILL; default 30 s, -1: none */
	uint32_t leftover;	    /* enum ob_leftover */
	int64_t health_interval_ms; /* between heartbeats; default 10 s, -1: none */
	/* After this many unanswered heartbeats in a row it is unresponsive; default 2. */
	uint32_t health_misses;
	uint32_t health_action; /* enum ob_health_action */
	/* Expected version: a child with a lower one is restarted. 0: do not ask. */
	uint64_t version;
	const char *user;		/* name or number to run as; default unchanged */
	const char *group;		/* the same */
	const char *cwd;		/* absolute; default unchanged */
	int32_t umask;			/* 0: unchanged; -1: 000 */
	const struct ob_rlimit *limits; /* ended by a NULL name */
	const char *stdin_path;		/* default /dev/null */
	uint32_t log_pipe_bytes;	/* default 256 KiB */
	uint32_t message_max;		/* also the child's: see OB_MESSAGE_MAX_DEFAULT */
	int64_t call_timeout_ms;	/* default 30 s */
	ob_event_fn *on_event;		/* may be NULL */
	ob_log_fn *on_log;		/* may be NULL */
	void *user_data;		/* for on_event and on_log */
	/*
	 * The ACL of the child, ended by NULL: who may call what. NULL: every authenticated peer
	 * may call everything. A rule is
	 *
	 *   allow|deny [CONDITION...] METHOD...
	 *
	 *   CONDITION  subject=TEXT, claim.NAME=TEXT, method=NAME, uid=NUMBER, gid=NUMBER,
	 *              cid=NUMBER, listener=parent, listener=client or parent
	 *   METHOD     "interface.method", "interface.*" or "*"
	 *
	 * The first rule that matches decides; the last one must be "allow *" or "deny *". The
	 * parent may always call outboard-control. outboard-control.shutdown and outboard.supervise
	 * are not matched by "*", nor by "interface.*" in an allow rule: without a rule that names
	 * them they are only for peers that know the secret and the instance, such as the parent.
	 */
	const char *const *rules;
	/* Users that peercred admits to the child besides its own, root and the parent's: names or
	 * numbers, ended by NULL. If there is a client_listen, they are admitted there only. */
	const char *const *peer_users;
	/* The same for groups: the one that the peer ran with when it connected. */
	const char *const *peer_groups;
	/* The parent's address as the child sees it over a network:
	 * ob_server_options.parent_address. NULL: unknown. */
	const char *parent_address;
	/* For a handover: while another connector has the child, a start, reconnect or supervise
	 * waits for this long before it fails with OB_EBUSY, in OB_STATE_WAITING. A stop, detach,
	 * close, timeout or cancel ends the waiting. Default 0: it does not wait. */
	int64_t lock_wait_ms;
	/* Settings of the plugins on the parent's side, as in ob_client_options. NULL: none. */
	const char *settings;
	/* The same for the child, which gets them in its outboard.json. NULL: none: what the parent
	 * knows, such as its key, is not for the child. */
	const char *child_settings;
	/*
	 * A second listener of the child, for everybody but the parent. auth and listen are between
	 * parent and child: here others come in, with a list of their own, so that a mechanism that
	 * asks people, or is not available, never stands between parent and child. Who comes by it
	 * can never supervise the child. All three are for the child alone: nothing dials there.
	 * Settings of the plugins are in child_settings, as client_auth and client_transport.
	 */
	const char *client_listen;	/* URI, another one than listen; NULL: none */
	const char *const *client_auth; /* ended by NULL; default as for auth, by client_listen */
	const char *client_transport;	/* name of a plugin; NULL: by the scheme of client_listen */
	/*
	 * Replace placeholders in argv, env, listen, connect, client_listen, accept, dial and
	 * cleanup:
	 *
	 *   ${name}        name
	 *   ${data_path}   data_path
	 *   ${config}      <data_path>/outboard.json
	 *   ${token_file}  <data_path>/token: a file that holds only the token of this start, 64
	 *                  hex digits, with mode 0600, of the child's user. It is made only if
	 *                  one of these options refers to it, and removed with the other files
	 *   ${port}        a number from the range `ports`
	 *   ${cid}         a number from the range `cids`
	 *
	 * "$$" is a dollar; a dollar before anything but "{" and "$" stands for itself. "${" with
	 * anything else behind it is refused. In addresses paths are percent-encoded as needed.
	 * Default false: every text is taken as it is.
	 */
	bool placeholders;
	/*
	 * Ranges for ${port} and ${cid}, such as "20000-20999" and "100-999", of at most 65536
	 * numbers. Required where one of the options refers to it. A start takes the number of the
	 * last start, which is kept in the state directory, or else a free one: no other connector
	 * in this network namespace has it, of any process, and nobody listens on the port. If none
	 * is free the start fails with OB_EBUSY. It is held until the connector is closed. That a
	 * child has another number than before is no change of its options. Without argv neither
	 * may be referred to: whoever starts the child chooses its numbers.
	 */
	const char *ports;
	const char *cids;
	/*
	 * Whom the child is, where the command changes the user itself: a container whose process
	 * runs as another user, or a user namespace that maps users. data_path and what is in it
	 * belong to this user, peercred expects it, and what a dead child leaves may be killed if
	 * it runs as this user (unless that is root or our own). The command keeps the user of this
	 * process, so it excludes user and group. Another user than our own requires root. NULL:
	 * the child is whom the command runs as.
	 */
	const struct ob_run_as *run_as;
	/* enum ob_plugin_trust, for the child, which gets it in its outboard.json: what it needs in
	 * a user namespace without root. */
	uint32_t plugin_trust;
	const struct ob_cgroup *cgroup; /* NULL: the child stays in the cgroup of this process */
	/*
	 * OB_READY_DIAL_HOME, and only then. Required: where this process listens for the child, as
	 * a URI with a fixed port; for the hybrid vsock of a VMM hvsock:///path:port. It listens
	 * from before the start until the child is gone, and again after an adoption. Nobody else
	 * is let in: the connection must authenticate, as a child that dials, and name the
	 * instance. A socket file is given to the user of the child; it must not lie in data_path,
	 * nor in a directory that another user can write to (except a sticky one).
	 *
	 * `listen` has no default then, and `connect` is refused. With a `listen` of its own, whose
	 * port must be fixed, the child also listens there, for others.
	 */
	const char *accept;
	/* What the child dials to reach accept. NULL: accept itself; for hvsock and vsock
	 * vsock://host:PORT, as a guest sees its host. */
	const char *dial;
	/*
	 * Without argv: a file with the token of the child, 64 hex digits, that belongs to root or
	 * to this user and has no permissions for others. It is read again for each connection, so
	 * that whoever starts the child can renew it. Absolute. NULL: none.
	 */
	const char *token_file;
	uint32_t logs; /* enum ob_logs */
	/*
	 * The agent that runs the child: `outboard agent` in a guest, in a container or on another
	 * machine, as another connector of this runtime sees it. The agent starts the process,
	 * reads its pipes and ends it, as this connector says; calls go through connections to the
	 * agent. All paths, users and limits are the agent's, which also decides what may be
	 * started. A connection to the agent that is lost is never the end of the child. When the
	 * agent has started anew and does not know the child any more, the child has exited, with
	 * "AGENT is gone" as the cause.
	 *
	 * The connector of the agent must be made before this one, and closed after it; it must not
	 * dial home, nor be behind an agent itself. argv is required. data_path may be NULL if
	 * state_path is set: nothing is made there. listen, connect, transport, client_listen,
	 * accept, ports, cids and parent_address are refused. peer_users and peer_groups are names
	 * of this machine: write numbers. pid in events and in the status is the process's number
	 * where the agent is: never signal it. NULL: the child runs here.
	 */
	ob_connector *via;
};

/* ---- The connector ---- */

/*
 * Make a connector. The options are checked and copied; nothing is started, and no file is touched.
 * Close it with ob_connector_close().
 */
OB_API int ob_connector_new(ob_runtime *runtime, const struct ob_connector_options *options,
			    ob_connector **ret_connector, struct ob_error *reterr);

/*
 * Offer methods to the child: its calls and notifications go to these handlers. Only before the
 * first start or reconnect. The table and user must outlive the connector.
 */
OB_API int ob_connector_expose(ob_connector *connector, const char *interface_name,
			       const struct ob_method *methods, void *user,
			       struct ob_error *reterr);

/*
 * Start the child and wait until it is ready. Default timeout: none besides ready_timeout_ms. If
 * the call times out or is cancelled, the child is ended.
 *
 *   OB_EBUSY      another connector has the child, and did not let go within lock_wait_ms
 *   OB_EEXIST     the child is running already
 *   OB_EEXITED    it exited before it was ready
 *   OB_ETIMEDOUT  it was not ready in time, and was ended
 */
OB_API int ob_connector_start(ob_connector *connector, int64_t timeout_ms, ob_cancel *cancel,
			      struct ob_error *reterr);
OB_API int ob_connector_start_async(ob_connector *connector, ob_done_fn *done, void *user,
				    struct ob_error *reterr);

/*
 * Stop the child, in steps as far as they are needed: the call of stop_rpc_ms, stop_signal, after
 * stop_timeout_ms SIGKILL to its process and its process group, then to what it left behind
 * (leftover), and the cleanup command. Succeeds when all is gone, or if nothing runs. If the call
 * times out or is cancelled, SIGKILL is sent at once.
 *
 *   OB_EPERM     the process cannot be signalled
 *   OB_ETIMEDOUT it does not end though it was killed
 *   OB_EBUSY     what it left behind still runs (OB_LEFTOVER_FAIL)
 *   OB_EEXITED   the cleanup command failed
 */
OB_API int ob_connector_stop(ob_connector *connector, int64_t timeout_ms, ob_cancel *cancel,
			     struct ob_error *reterr);
OB_API int ob_connector_stop_async(ob_connector *connector, ob_done_fn *done, void *user,
				   struct ob_error *reterr);

/*
 * Shorten the stop (or close) that was asked for: SIGKILL is sent at once, to what the child left
 * running too. The call of stop_rpc_ms and stop_signal are skipped, the cleanup command never is.
 * Those who wait for the stop get its result, as without this. Does nothing if no stop is under
 * way. Any thread; never blocks.
 */
OB_API void ob_connector_hurry(ob_connector *connector);

/*
 * In OB_STATE_BACKOFF: take back the restart that was counted last, because the child was not the
 * cause of its end; the machine or the container that it ran in has ended, say. It then counts
 * neither for max_restarts nor for the length of later delays, nor in ob_status.restarts. The delay
 * that runs already stays; a stop and another start end it. False: there is nothing to take back.
 * Any thread; never blocks.
 */
OB_API bool ob_connector_uncount(ob_connector *connector);

/*
 * Stop supervising the child, which keeps running; another connector can adopt it. Succeeds if it
 * is not running.
 */
OB_API int ob_connector_detach(ob_connector *connector, struct ob_error *reterr);
OB_API int ob_connector_detach_async(ob_connector *connector, ob_done_fn *done, void *user,
				     struct ob_error *reterr);

/*
 * Adopt a child that is running. Never starts or ends a child. Default timeout: ready_timeout_ms.
 * OB_EEXIST, "already connected": this connector has the child already.
 */
OB_API int ob_connector_reconnect(ob_connector *connector, int64_t timeout_ms, ob_cancel *cancel,
				  struct ob_error *reterr);
OB_API int ob_connector_reconnect_async(ob_connector *connector, ob_done_fn *done, void *user,
					struct ob_error *reterr);

/*
 * Adopt the child if it is running, else start it. A child that runs but does not answer is waited
 * for; a second one is never started. OB_OK at once if this connector's child is ready already.
 */
OB_API int ob_connector_start_or_reconnect(ob_connector *connector, int64_t timeout_ms,
					   ob_cancel *cancel, struct ob_error *reterr);
OB_API int ob_connector_start_or_reconnect_async(ob_connector *connector, ob_done_fn *done,
						 void *user, struct ob_error *reterr);

/*
 * Adopt or start the child without waiting, and apply the restart policy from the first failure on;
 * events report the outcome. For supervisors. ob_connector_start(), in contrast, fails if the first
 * start fails.
 */
OB_API int ob_connector_supervise(ob_connector *connector, struct ob_error *reterr);

/*
 * Stop the child unless it was detached, and free the connector. Blocks for at most 15 s on an
 * inline or threaded runtime. On an attached one, or inside a callback, it returns at once and the
 * work goes on. connector may be NULL.
 */
OB_API void ob_connector_close(ob_connector *connector);

/* ---- State ---- */

/* Whether the child is running. Any thread; never blocks. */
OB_API bool ob_connector_is_running(const ob_connector *connector);

/* The pid of the child, or 0. Any thread; never blocks. */
OB_API int32_t ob_connector_pid(const ob_connector *connector);

enum ob_state {
	OB_STATE_IDLE = 0, /* never started */
	/* Looking for a child that runs already, or waiting for its lock (lock_wait_ms). */
	OB_STATE_WAITING,
	OB_STATE_STARTING,
	OB_STATE_ADOPTING,
	OB_STATE_READY,
	OB_STATE_STOPPING,
	OB_STATE_STOPPED,
	OB_STATE_BACKOFF, /* the next start follows after a delay */
	OB_STATE_FAILED,  /* not restarted any more */
	OB_STATE_DETACHED,
	OB_STATE_LINGERING,   /* the process is dead, but not all that it left is gone */
	OB_STATE_DONE,	      /* ended with status 0, and the restart policy wants no more */
	OB_STATE_RECONNECTING /* of a child that others start: it cannot be reached */
};

/* The connection to the child. */
enum ob_link { OB_LINK_DOWN = 0, OB_LINK_DIALING, OB_LINK_UP, OB_LINK_UNRESPONSIVE };

/* The state of a child at one moment. The texts are copies. */
struct ob_status {
	uint32_t size;
	uint32_t state;	   /* enum ob_state */
	uint32_t link;	   /* enum ob_link */
	int32_t pid;	   /* 0: none */
	int64_t uptime_ms; /* since the process was started; -1: not running */
	uint32_t restarts; /* in total, by this connector and earlier ones */
	int healthy;	   /* 1, 0, or -1: unknown */
	uint64_t version;  /* as last reported by the child; 0: unknown */
	bool adopted;
	bool stale; /* the options have changed since it was started */
	char address[256];
	/* Why the child is not well; if it runs without a connection, why the last dial failed. */
	char last_error[256];
	/* The pid of the process that answers, as the child reports it, if that is another one than
	 * pid: its own number inside a container or a guest, behind a runner. 0: unknown, or the
	 * same. It is a claim of the child, in a namespace that is not ours: never signal it. */
	int32_t inner_pid;
	int64_t next_try_ms; /* OB_STATE_BACKOFF: until the next start; -1: none is due */
	/* Where others connect, client_listen with the port that the child reports if that was left
	 * open. To be shown: the port is a claim of the child. Empty: none, or unknown. */
	char client_address[256];
	/* Of the child's cgroup: at most 5 s old while the child runs, else as it was at its end.
	 */
	struct ob_cgroup_usage usage;
};

/* ret->size must be set. Any thread. */
OB_API void ob_connector_status(const ob_connector *connector, struct ob_status *ret);

/*
 * See whether the state directory of the child is still where the next parent looks for it, with
 * what that needs to find the child; make it anew if somebody removed it or moved it away. For
 * directories that a cleaner of temporary files can reach: call it from time to time. It does
 * nothing while the connector is not in charge of a child. What processes leave behind that live
 * when the directory is removed cannot be seen any more: outboard.lock cannot be made anew.
 *
 * *ret_renewed (may be NULL): something was made. OB_EBUSY, OB_EEXIST, OB_EPERM: there is another
 * directory at that path, which belongs to somebody else; it is left alone.
 */
OB_API int ob_connector_renew(ob_connector *connector, bool *ret_renewed, struct ob_error *reterr);

/*
 * Wait until the child is in a state (enum ob_state). OB_OK at once if it is in it. Default
 * timeout: none. Any number of threads may wait, for different states too.
 *
 *   OB_EDOWN      the state will not come unless another request is made: the child is idle,
 *                 stopped, failed or detached, and no request is queued; the text says why. For
 *                 OB_STATE_IDLE: a request was made
 *   OB_ETIMEDOUT, OB_ECANCELED  the child goes on as it was
 *   OB_ECLOSED    the connector was closed meanwhile, or is being closed
 *
 * Requests that were made before count: after ob_connector_supervise() or
 * ob_connector_start_async(), a wait for OB_STATE_READY ends when the child is ready or the start
 * has failed, and not because the child is still idle. While the restart policy is at work the wait
 * goes on.
 *
 * Every state that the child enters while the wait is open ends it, however short the state is.
 * Two waits one after the other can miss a state between them. A state that ended a wait may be
 * over when the call returns: see ob_connector_status().
 */
OB_API int ob_connector_wait(ob_connector *connector, uint32_t state, int64_t timeout_ms,
			     ob_cancel *cancel, struct ob_error *reterr);

/*
 * The same, without blocking. done (may be NULL) is called once, from the loop, with the results
 * above; it may do anything, such as wait again or close the connector. It is not called if this
 * returns an error: OB_EINVAL, OB_ENOMEM or OB_ECLOSED.
 */
OB_API int ob_connector_wait_async(ob_connector *connector, uint32_t state, int64_t timeout_ms,
				   ob_done_fn *done, void *user, struct ob_error *reterr);

/* The name of a state or link, such as "ready" or "up". Any thread. */
OB_API const char *ob_state_name(uint32_t state);
OB_API const char *ob_link_name(uint32_t link);

/* ---- Clients of the child ---- */

/* The client of all interfaces. Borrowed; valid until the connector is closed. */
OB_API ob_client *ob_connector_client(ob_connector *connector);

/* The client of the interface outboard-control. Borrowed in the same way. */
OB_API ob_client *ob_connector_control(ob_connector *connector);

/*
 * Make a client of one interface, on which methods have their bare names. Free it with
 * ob_client_free(). OB_ENOENT, "unknown object: NAME": the child has no such interface.
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
