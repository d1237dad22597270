/* SPDX-License-Identifier: MIT */
/*
 * outboard/outboard.h - run parts of a program out of process and treat them as a library.
 *
 * The parent makes an ob_runtime and, for each child, an ob_connector; it starts the child, calls
 * it through an ob_client, and gets its logs and events. The child makes an ob_server, exposes
 * interfaces on it and runs it. Both talk over a transport, a codec and authenticators that are
 * plugins, chosen by name in options or config.
 *
 * Conventions of this header:
 *
 *  - Functions return OB_OK or a negative OB_E... code (abi.h); reterr may be NULL, else it is
 * written on failure. Results (ret_...) are written on success only.
 *  - Options structs begin with `size`: set it to sizeof, and all else to zero for the default. A
 * newer struct works on an older library as long as the members it does not know are zero.
 *  - Durations are milliseconds. In options 0 means "the default" and -1 means "none".
 *  - timeout_ms of a blocking call: 0 is that call's default, a negative value no limit. The call
 * returns OB_ETIMEDOUT, or OB_ECANCELED when its ob_cancel (which may be NULL) fires.
 *  - Every blocking call has an _async twin. The twin returns OB_OK when the work has begun, and
 * then `done` (which may be NULL) is called exactly once, on the loop's thread; otherwise it
 * returns the failure and done is not called.
 *  - Strings are UTF-8 and are copied unless said otherwise.
 *  - Threads: on a threaded runtime every function may be called from any thread. On an inline or
 * attached runtime all calls come from the thread that runs the loop, but for those marked "any
 * thread". Callbacks run on the loop's thread and must not block; a blocking call made inside one
 * returns OB_EDEADLK. A threaded runtime's callbacks run under its lock: do not wait in one for a
 * mutex that another thread holds while it calls a function of this library. Freeing or closing any
 * object but the runtime inside a callback is allowed; it takes effect when the callback has
 *    returned.
 *  - The _free and _close functions take NULL.
 */
#ifndef OUTBOARD_OUTBOARD_H
#define OUTBOARD_OUTBOARD_H

#include <outboard/value.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(OB_BUILDING) && defined(__GNUC__)
#define OB_API __attribute__((visibility("default")))
#else
#define OB_API
#endif
#if defined(__GNUC__)
#define OB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define OB_NULL_ENDED	     __attribute__((sentinel))
#else
#define OB_PRINTF(fmt, args)
#define OB_NULL_ENDED
#endif

#define OB_VERSION_MAJOR 0
#define OB_VERSION_MINOR 1
#define OB_VERSION_PATCH 0

typedef struct ob_runtime ob_runtime;
typedef struct ob_connector ob_connector;
typedef struct ob_server ob_server;
typedef struct ob_client ob_client;
typedef struct ob_call ob_call;
typedef struct ob_reply ob_reply;
typedef struct ob_cancel ob_cancel;
typedef struct ob_logger ob_logger;
typedef struct ob_log_writer ob_log_writer;
struct ev_loop;

/* The library's version, as "0.1.0". Any thread. */
OB_API const char *ob_version(void);

/* The symbol of a code, as "OB_EBUSY"; "OB_?" for a number it does not know. Any thread. */
OB_API const char *ob_result_name(int code);

/* The end of an asynchronous operation. err is NULL when result is OB_OK, else valid for the length
 * of the call. */
typedef void ob_done_fn(void *user, int result, const struct ob_error *err);

/* ---- Runtime ---- */

/*
 * A runtime is a loop and the plugins it knows. Which thread turns the loop is its mode:
 *
 *  inline    none: a blocking call turns the loop until it is done, ob_runtime_run() turns it on
 * request. No thread switch, so it is the fastest for a plain program; nothing happens between
 * calls. threaded  a thread of its own. Blocking calls come from any other thread. attached  the
 * application's libev loop. Asynchronous calls only, from the loop's thread; blocking ones return
 *            OB_EDEADLK. libev's default loop is fine too.
 */
enum ob_runtime_mode { OB_RUNTIME_INLINE = 0, OB_RUNTIME_THREADED, OB_RUNTIME_ATTACHED };

struct ob_runtime_options {
	uint32_t size;
	uint32_t mode;	      /* enum ob_runtime_mode */
	struct ev_loop *loop; /* attached only; must outlive the runtime */
	/*
	 * Directories of plugins, absolute, ended by NULL. NULL: those of OUTBOARD_PLUGIN_PATH
	 * (colon-separated; ignored in a setuid program), then the directory of the installation. A
	 * plugin `unix` is DIR/unix.so, loaded when first needed.
	 */
	const char *const *plugin_path;
	/* After I/O, poll without sleeping for so long before sleeping again: lower latency for
	 * CPU. Default 0: off. */
	uint32_t busy_poll_us;
};

/* Make a runtime. options may be NULL: an inline one. */
OB_API int ob_runtime_new(const struct ob_runtime_options *options, ob_runtime **ret_runtime,
			  struct ob_error *reterr);

/* Free it. Its connectors, servers and clients must have been closed before; a threaded one's
 * thread is joined. */
OB_API void ob_runtime_free(ob_runtime *runtime);

/*
 * Inline only: turn the loop until ob_runtime_stop(), or until timeout_ms have passed (then
 * OB_ETIMEDOUT; 0 handles what is ready and returns; negative: no limit).
 */
OB_API int ob_runtime_run(ob_runtime *runtime, int64_t timeout_ms);

/* Make ob_runtime_run() return OB_OK. Any thread; safe in a signal handler. */
OB_API void ob_runtime_stop(ob_runtime *runtime);

/*
 * Register plugins that are linked into the program, as if loaded from a file called origin (for
 * messages). The list must stay valid. OB_EEXIST: a name or scheme is taken.
 */
OB_API int ob_plugin_register(ob_runtime *runtime, ob_plugin_list list, const char *origin,
			      struct ob_error *reterr);

/* Load a plugin file now: a bare name from the plugin path, or an absolute path. Loading one twice
 * is no error. */
OB_API int ob_plugin_load(ob_runtime *runtime, const char *name_or_path, struct ob_error *reterr);

/* What is registered. */
struct ob_plugin_info {
	uint32_t size;
	uint32_t kind; /* enum ob_plugin_kind */
	const char *name;
	const char *version;
	const char *origin;	    /* the file, or what ob_plugin_register() was told */
	const char *const *schemes; /* of a transport, ended by NULL; else NULL */
};

/* Call fn for each registered plugin, in order of registration; a non-zero result of fn ends it and
 * is returned. */
OB_API int ob_plugin_each(ob_runtime *runtime,
			  int (*fn)(void *user, const struct ob_plugin_info *info), void *user);

/* ---- Cancelling a blocking call ---- */

/* A flag that any number of blocking calls may watch. Fired once, it stays fired. */
OB_API int ob_cancel_new(ob_cancel **ret_cancel, struct ob_error *reterr);

/* End every call that watches it with OB_ECANCELED. Any thread; safe in a signal handler. */
OB_API void ob_cancel_fire(ob_cancel *cancel);

/* No call may be watching it any more. */
OB_API void ob_cancel_free(ob_cancel *cancel);

/* ---- Building values by format ---- */

/*
 * Append values to a builder as format says; white space, ',' and ':' are only for the reader. The
 * pieces:
 *
 *   n  nil                     s  const char * (NULL makes nil)         [ ]  an array
 *   b  int, a truth value      S  const char *, size_t                  { }  a map: an s or S key,
 * then a value, ... i  int                     B  const void *, size_t (binary)         v    const
 * struct ob_value *, the whole tree I  int64_t                 U  uint64_t d    double
 *
 * Strings and trees are borrowed. Errors are remembered in the builder (see ob_builder_finish).
 */
OB_API void ob_build(struct ob_builder *builder, const char *format, ...);
OB_API void ob_buildv(struct ob_builder *builder, const char *format, va_list args);

/* ---- Calls out: the client ---- */

/*
 * A client sends calls to one peer: to a child (ob_connector_client,
 * ob_connector_connect_interface), to the parent (ob_server_parent), or to any address
 * (ob_client_connect). It survives restarts of the child: calls while there is no connection fail
 * at once with OB_EDOWN, calls in flight when it breaks end with OB_ECONNLOST and are never
 * repeated. Every call ends exactly once.
 *
 * method is "interface.method"; on a client of one interface (ob_connector_connect_interface) it is
 * the bare method.
 */

struct ob_client_options {
	uint32_t size;
	const char *address; /* URI; its scheme selects the transport. Must be there */
	const char *codec;   /* default "msgpack" */
	const char *const
	    *auth; /* mechanisms in order, ended by NULL. Default: {"peercred", "token"} on a local
		    * transport, and
		    * {"noise"} where others can reach the wire. {"none"}: no authentication, for
		    * foreign servers only; then nothing of outboard's own protocol is sent */
	const char *token;	    /* 64 hex digits; NULL: none */
	int64_t connect_timeout_ms; /* default 10 s, authentication included */
	uint32_t message_max;	    /* bytes; default 4 MiB */
	bool allow_plaintext;  /* permit unsealed mechanisms on a transport that others can reach */
	uint32_t allowed_uid;  /* for peercred: whom to trust besides ourselves and root; 0: nobody
				  else */
	const char *transport; /* plugin name; default by the scheme of the address */
};

/* Connect and authenticate once. The client does not redial: when its connection ends, calls fail
 * with OB_EDOWN. */
OB_API int ob_client_connect(ob_runtime *runtime, const struct ob_client_options *options,
			     ob_cancel *cancel, ob_client **ret_client, struct ob_error *reterr);

/* The end of ob_client_connect_async(): on success client is the caller's. */
typedef void ob_client_fn(void *user, ob_client *client, int result, const struct ob_error *err);
OB_API int ob_client_connect_async(ob_runtime *runtime, const struct ob_client_options *options,
				   ob_client_fn *done, void *user, struct ob_error *reterr);

/* Free a client made by ob_client_connect or ob_connector_connect_interface; its calls in flight
 * end with OB_ECLOSED. Not for borrowed ones. */
OB_API void ob_client_free(ob_client *client);

/* Whether a connection is up at this moment. Any thread. */
OB_API bool ob_client_is_connected(const ob_client *client);

/* Holds the result of a call; reuse one for many calls and there is no allocation per call. */
OB_API int ob_reply_new(ob_reply **ret_reply, struct ob_error *reterr);
OB_API void ob_reply_free(ob_reply *reply);

/* The result of the last successful call that used it; after OB_EREMOTE the peer's whole error
 * value. Never NULL; valid until the next use. */
OB_API const struct ob_value *ob_reply_value(const ob_reply *reply);

/*
 * Call and wait. params is an array or a map, or NULL for none. The result goes to reply, which may
 * be NULL. Default timeout 30 s. OB_EREMOTE: the peer answered with an error. OB_EAGAIN: too much
 * is queued to the peer already, or too many calls are in flight. OB_ETOOBIG: larger than the
 * message limit.
 */
OB_API int ob_client_call(ob_client *client, const char *method, const struct ob_value *params,
			  int64_t timeout_ms, ob_cancel *cancel, ob_reply *reply,
			  struct ob_error *reterr);

/* The same with parameters by format (see ob_build), which must make one array or map, or be NULL.
 */
OB_API int ob_client_callf(ob_client *client, int64_t timeout_ms, ob_reply *reply,
			   struct ob_error *reterr, const char *method, const char *format, ...);

/* The end of ob_client_call_async(): value is valid for the length of the call; it is NULL unless
 * result is OB_OK or OB_EREMOTE. */
typedef void ob_reply_fn(void *user, int result, const struct ob_value *value,
			 const struct ob_error *err);

/*
 * Call and go on; done is called exactly once if this returns OB_OK, and not at all otherwise.
 * params is encoded or copied before this returns. *ret_id (may be NULL) names the call for
 * ob_client_cancel().
 */
OB_API int ob_client_call_async(ob_client *client, const char *method,
				const struct ob_value *params, int64_t timeout_ms,
				ob_reply_fn *done, void *user, uint64_t *ret_id,
				struct ob_error *reterr);

/* End a call in flight with OB_ECANCELED and tell the peer, if it is an outboard, that nobody
 * waits. Unknown ids: nothing. */
OB_API void ob_client_cancel(ob_client *client, uint64_t id);

/* Send a notification: no reply, and no word on whether it arrived. */
OB_API int ob_client_notify(ob_client *client, const char *method, const struct ob_value *params,
			    struct ob_error *reterr);
OB_API int ob_client_notifyf(ob_client *client, struct ob_error *reterr, const char *method,
			     const char *format, ...);

/* ---- Calls in: handlers ---- */

/* Who a peer proved to be. Views are valid as long as the call they were asked of. */
struct ob_identity {
	uint32_t size;
	uint32_t known;		 /* enum ob_peer_known */
	struct ob_bytes subject; /* "outboard" after token and bearer */
	struct ob_bytes method;	 /* the authenticator's name */
	uint32_t uid;
	uint32_t gid;
	int32_t pid;
	uint32_t cid;
	bool parent; /* the connection is the one that supervises this child */
};

/*
 * Handles a call. It must answer before it returns, or say ob_call_defer() and see to it that
 * somebody answers later. A call that is neither answered nor deferred is answered with an internal
 * error. The params are valid until the handler returns.
 */
typedef void ob_handler_fn(void *user, ob_call *call, const struct ob_value *params);

/* One method of an interface; a table of them ends with a NULL name. */
struct ob_method {
	const char *name;
	ob_handler_fn *handler;
};

/* Error numbers of the wire: JSON-RPC's, and outboard's own. Applications use positive numbers or
 * others of their own. */
enum ob_rpc_code {
	OB_RPC_PARSE = -32700,
	OB_RPC_INVALID_REQUEST = -32600,
	OB_RPC_NO_METHOD = -32601,
	OB_RPC_INVALID_PARAMS = -32602,
	OB_RPC_INTERNAL = -32603,
	OB_RPC_REFUSED = -32000,      /* authentication failed, or is missing */
	OB_RPC_BUSY = -32001,	      /* too many calls in flight, or too much queued */
	OB_RPC_CANCELED = -32002,     /* the caller cancelled it */
	OB_RPC_NO_INTERFACE = -32003, /* "unknown object: NAME" */
	OB_RPC_TOO_BIG = -32004,      /* the result is larger than the message limit */
	OB_RPC_DENIED = -32005,	      /* the caller is not allowed to */
	OB_RPC_CLOSING = -32006	      /* this side is shutting down */
};

/* The full method name, borrowed until answered. Any thread once deferred. */
OB_API const char *ob_call_method(const ob_call *call);

/* Whether it is a notification, so that an answer goes nowhere. */
OB_API bool ob_call_is_notification(const ob_call *call);

/* Who calls. ret->size must be set. */
OB_API void ob_call_identity(const ob_call *call, struct ob_identity *ret);

/*
 * Keep the call beyond the handler. Returns the params, copied so that they are valid until the
 * answer; NULL when memory ran out (then the call has been answered with an error, and is gone).
 * The answer may come from any thread.
 */
OB_API const struct ob_value *ob_call_defer(ob_call *call);

/* The caller gave up, or its connection is gone. Any thread. An answer is still required; it goes
 * nowhere. */
OB_API bool ob_call_is_canceled(const ob_call *call);

/*
 * Answer, exactly once; then the call is gone. Any thread once deferred. A result that cannot be
 * sent (too large, not encodable) turns into an error for the caller, and the code of that is
 * returned.
 */
OB_API int ob_call_reply(ob_call *call, const struct ob_value *result);
OB_API int ob_call_replyf(ob_call *call, const char *format, ...);

/* Answer with an error: a number (enum ob_rpc_code, or your own) and a message. */
OB_API int ob_call_fail(ob_call *call, int64_t code, const char *format, ...) OB_PRINTF(3, 4);

/* ---- Logs ---- */

/* Levels as Go's slog numbers them; values between are offsets: -2 is DEBUG+2. */
enum ob_log_level { OB_LOG_DEBUG = -4, OB_LOG_INFO = 0, OB_LOG_WARN = 4, OB_LOG_ERROR = 8 };

enum ob_log_flag {
	OB_LOG_PARSED =
	    1 << 0, /* the line was one JSON object; otherwise message is the whole line */
	OB_LOG_TRUNCATED = 1 << 1, /* the line was longer than 1 MiB and was cut */
	OB_LOG_HAS_TIME =
	    1 << 2 /* time came from the record; otherwise it is the time of reading */
};

/* One record of a child. Everything in it is valid for the length of the callback. */
struct ob_log_record {
	uint32_t size;
	uint32_t flags;	      /* enum ob_log_flag */
	const char *name;     /* of the child: the attribute outboard=<name> */
	int stream;	      /* 1: stdout, 2: stderr */
	int level;	      /* enum ob_log_level, with offsets */
	struct timespec time; /* UTC */
	int32_t utc_offset;   /* seconds east of UTC in which the child wrote the time */
	struct ob_bytes message;
	struct ob_bytes source_function; /* each empty when absent */
	struct ob_bytes source_file;
	int64_t source_line;
	struct ob_value attrs; /* a map in the record's order; a key may occur more than once */
	struct ob_bytes line;  /* as it was read, without the newline */
};

/* Called on the loop's thread for each record. Do not block: the child's pipe fills meanwhile. */
typedef void ob_log_fn(void *user, const struct ob_log_record *record);

enum ob_log_format { OB_LOG_FORMAT_JSON = 1, OB_LOG_FORMAT_TEXT = 2 };

struct ob_log_writer_options {
	uint32_t size;
	uint32_t format; /* enum ob_log_format; must be there */
	int color; /* text: 0 when fd is a terminal and NO_COLOR is unset or empty, 1 always, -1
		      never */
	uint32_t queue_bytes; /* what may wait for a slow fd; default 1 MiB. More is dropped,
				 counted, and reported */
};

/*
 * A sink: writes records to a descriptor (borrowed; any kind) from a thread of its own, so that a
 * slow or dead one never holds up the reading. Give ob_log_writer_record as the ob_log_fn and the
 * writer as its user.
 */
OB_API int ob_log_writer_new(int fd, const struct ob_log_writer_options *options,
			     ob_log_writer **ret_writer, struct ob_error *reterr);
OB_API void ob_log_writer_record(void *writer, const struct ob_log_record *record);

/* Write what is queued, for at most timeout_ms (0: 1 s), then free. */
OB_API void ob_log_writer_close(ob_log_writer *writer, int64_t timeout_ms);

/*
 * The child's side: one JSON record a line, as slog writes it. attrs is a format of ob_build that
 * makes one map, or NULL. Any thread. Never blocks: what a full pipe cannot take is dropped and
 * counted in a later record.
 */
OB_API void ob_log(ob_logger *logger, int level, const char *message, const char *attrs, ...);

/* Records below this level are not written. Default OB_LOG_INFO. Any thread. */
OB_API void ob_logger_set_level(ob_logger *logger, int level);

/* A logger of your own on any descriptor (borrowed); the server has one already. */
OB_API int ob_logger_new(int fd, ob_logger **ret_logger, struct ob_error *reterr);
OB_API void ob_logger_free(ob_logger *logger);

/* ---- The file both sides share ---- */

/* outboard.json. Every string is the struct's own, NULL when absent: set them with ob_config_set().
 */
struct ob_config {
	uint32_t size;
	char *token; /* 64 hex digits */
	char *fifo_stdout;
	char *fifo_stderr;
	int64_t pid;	/* 0: absent */
	char *rpc_addr; /* the URI where the child really listens */
	bool ready;
	char *name;
	char *listen; /* the URI where it is to listen */
	char *codec;
	char *auth;	      /* mechanisms in order, joined by commas */
	char *instance;	      /* nonce of this start */
	void *extra;	      /* keys this version does not know, kept over a rewrite */
	bool allow_plaintext; /* the parent permits unsealed mechanisms on a transport that others
				 can reach */
	char *rules;	      /* who may call what, joined by ';': see ob_connector_options */
	char *peer_uids;      /* for peercred: numbers, joined by commas */
	char *peer_gids;
	char *parent_address; /* where the parent dials from: seats are kept for it (see
				 ob_server_options) */
	char *transport;      /* the plugin for listen; NULL: by its scheme */
	int64_t heartbeat_ms; /* how often the parent sends something at the least; 0: it does not
				 say */
};

/* Read and check the file: a regular file of ours with mode 0600 or stricter, at most 1 MiB. Start
 * with
 * {.size = sizeof (struct ob_config)}. The texts begin "reading outboard config" or "parsing
 * outboard config". */
OB_API int ob_config_read(const char *path, struct ob_config *ret_config, struct ob_error *reterr);

/* Write it atomically, mode 0600: a temporary file beside it, fsync, rename, fsync of the
 * directory. */
OB_API int ob_config_write(const char *path, const struct ob_config *config,
			   struct ob_error *reterr);

/* Replace one string of a config by a copy of text, which may be NULL. */
OB_API int ob_config_set(char **field, const char *text);

/* Free what it holds and wipe the token. */
OB_API void ob_config_clear(struct ob_config *config);

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

/* What outboard-control.health answers. */
struct ob_health {
	uint32_t size;
	bool healthy;
	struct timespec timestamp;
	int64_t pid;
	int64_t uptime_ns;
	char last_error[256]; /* of the probes; empty: none */
};

/* Ask the child how it is. client is any client of a child. ret->size must be set. */
OB_API int ob_control_health(ob_client *client, int64_t timeout_ms, struct ob_health *ret,
			     struct ob_error *reterr);

/* Ask for its version. If expected is higher it answers needs_restart, and shuts down. */
OB_API int ob_control_check_version(ob_client *client, uint64_t expected, int64_t timeout_ms,
				    uint64_t *ret_current, bool *ret_needs_restart,
				    struct ob_error *reterr);

/* ---- The child's side: server ---- */

/* Is this part of the application well? Write the reason into *why on false. Called on the loop's
 * thread. */
typedef bool ob_probe_fn(void *user, struct ob_error *why);

/* Called on the loop's thread when the child is to end: on outboard-control.shutdown, and on
 * checkVersion after the reply has been flushed. The default makes ob_server_run() return. */
typedef void ob_shutdown_fn(void *user, ob_server *server);

struct ob_server_options {
	uint32_t size;
	ob_runtime *runtime;	 /* NULL: an inline one of its own */
	const char *config_path; /* NULL: that of OUTBOARD_CONFIG */
	uint64_t version;	 /* what checkVersion reports */
	ob_shutdown_fn *shutdown;
	void *user_data;	 /* of shutdown */
	uint32_t message_max;	 /* bytes; default 4 MiB */
	uint32_t calls_max;	 /* in flight for one connection; default 256 */
	uint32_t queue_max;	 /* bytes that may wait for one connection; default 8 MiB */
	uint32_t preauth_max;	 /* connections that have not authenticated yet; default 64 */
	int64_t auth_timeout_ms; /* default 5 s */
	bool allow_plaintext;
	/*
	 * To serve without a parent and without a config file: where to listen, and what else the
	 * file would say. Only with listen set do the others count. Copied.
	 */
	const char *listen; /* URI */
	const char *codec;  /* default "msgpack" */
	const char *const
	    *auth;	   /* mechanisms in order, ended by NULL; default as in ob_client_options */
	const char *token; /* 64 hex digits; NULL: none */
	uint32_t allowed_uid; /* for peercred: whom to trust besides ourselves and root; 0: nobody
				 else */
	ob_logger *logger;    /* borrowed; NULL: one of its own, on stdout */
	/* Who may call what, if the config file has no rules: see ob_connector_options. Copied. */
	const char *const *rules;
	/*
	 * Where the parent dials from: a numeric IPv4 or IPv6 address, or a vsock context id. A
	 * quarter of preauth_max is kept for it, and failures from there carry no penalty; it must
	 * authenticate like anybody. Our own user, root, allowed_uid, the host of a virtual
	 * machine, and wherever a parent supervised us from last, have the same without it. Only
	 * with listen set does it count: else the config file says it.
	 */
	const char *parent_address;
};

/*
 * Read the config, ignore SIGPIPE, make the logger on stdout. Nothing listens yet. options may be
 * NULL. OB_ENOENT: the process was not started as an outboard (no OUTBOARD_CONFIG), and
 * options.listen is not set either.
 */
OB_API int ob_server_open(const struct ob_server_options *options, ob_server **ret_server,
			  struct ob_error *reterr);

/* Offer an interface. Before ob_server_start() only, so that a client never meets half a server:
 * OB_EBUSY after it. The table and user must outlive the server. OB_EINVAL: a name with a dot, or
 * one that begins with "outboard". */
OB_API int ob_server_expose(ob_server *server, const char *interface_name,
			    const struct ob_method *methods, void *user, struct ob_error *reterr);

/* Add a health probe; health is healthy while all say so. name stands before its reason in
 * last_error. */
OB_API int ob_server_add_probe(ob_server *server, const char *name, ob_probe_fn *probe, void *user,
			       struct ob_error *reterr);

/* Listen, then write rpc_addr, pid and ready into the config, if it is a file. */
OB_API int ob_server_start(ob_server *server, struct ob_error *reterr);

/* Turn the loop until ob_server_stop() or a shutdown (inline runtime), or wait for that (threaded).
 */
OB_API int ob_server_run(ob_server *server, struct ob_error *reterr);

/* Make ob_server_run() return. Any thread; safe in a signal handler. */
OB_API void ob_server_stop(ob_server *server);

/* The logger on the stdout that the parent reads. Borrowed. */
OB_API ob_logger *ob_server_logger(ob_server *server);

/* A client of the parent that supervises us: it follows from parent to parent, and is down while
 * there is none. Borrowed. */
OB_API ob_client *ob_server_parent(ob_server *server);

/* The config as read at open, or as last written. Borrowed; valid until the next update. */
OB_API const struct ob_config *ob_server_config(ob_server *server);

/* Read the file, let fn change it, write it back; a negative result of fn writes nothing and is
 * returned. OB_ENOTSUP: there is no file (options.listen). */
OB_API int ob_server_update_config(ob_server *server,
				   int (*fn)(void *user, struct ob_config *config), void *user,
				   struct ob_error *reterr);

/* Stop listening, end all connections, free. Calls that were deferred must still be answered; that
 * then does nothing. */
OB_API void ob_server_close(ob_server *server);

#ifdef __cplusplus
}
#endif
#endif
