/* SPDX-License-Identifier: MIT */
/*
 * outboard/runtime.h - the event loop that all other objects share, and small common types.
 *
 * Conventions of all headers for users:
 *
 *  - Results. Functions return OB_OK or a negative OB_E... code (abi.h). reterr may be NULL; else
 *    it is written on failure. Results (ret_...) are written only on success.
 *  - Options structs begin with `size`: set it to sizeof the struct, and every member that is not
 *    needed to zero, which means its default. A newer struct works with an older library as long
 *    as the members that the library does not know are zero. Result structs begin with `size` too;
 *    set it where the function says so.
 *  - Members marked "Required" must be set. Pointers may be NULL where the header says so.
 *  - Durations are milliseconds. In options 0 means the default and -1 means none.
 *  - timeout_ms of a blocking call: 0 means the default of that call, a negative value no limit.
 *    The call returns OB_ETIMEDOUT, or OB_ECANCELED when its ob_cancel (which may be NULL) is
 *    fired.
 *  - Every blocking call has an _async twin. The twin returns OB_OK when the work has begun; then
 *    `done` (which may be NULL) is called exactly once, on the loop's thread. Otherwise the twin
 *    returns the failure, and done is not called.
 *  - Strings are UTF-8. The library copies them unless the header says that they are borrowed.
 *  - Threads. On a threaded runtime every function may be called from any thread. On an inline or
 *    attached runtime all calls come from the thread that runs the loop, except for functions
 *    marked "any thread".
 *  - Callbacks run on the loop's thread and must not block; a blocking call inside a callback
 *    returns OB_EDEADLK. On a threaded runtime callbacks run under the lock of the runtime: do not
 *    wait in one for a mutex that another thread holds while it calls this library. A callback may
 *    free or close any object except the runtime; that takes effect when the callback has returned.
 *  - The _free and _close functions accept NULL.
 */
#ifndef OUTBOARD_RUNTIME_H
#define OUTBOARD_RUNTIME_H

#include <outboard/value.h>

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

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ob_runtime ob_runtime;
typedef struct ob_connector ob_connector;
typedef struct ob_server ob_server;
typedef struct ob_client ob_client;
typedef struct ob_call ob_call;
typedef struct ob_reply ob_reply;
typedef struct ob_cancel ob_cancel;
typedef struct ob_logger ob_logger;
typedef struct ob_log_writer ob_log_writer;
typedef struct ob_log_reader ob_log_reader;
struct ev_loop;

/* The version of the library, such as "0.1.0". Any thread. */
OB_API const char *ob_version(void);

/* The name of a code, such as "OB_EBUSY"; "OB_?" for an unknown number. Any thread. */
OB_API const char *ob_result_name(int code);

/*
 * The end of an asynchronous operation. err is NULL if result is OB_OK; else it is valid for the
 * length of the call.
 */
typedef void ob_done_fn(void *user, int result, const struct ob_error *err);

/* ---- Runtime ---- */

/*
 * A runtime is an event loop and the plugins it has loaded. The mode says which thread turns the
 * loop:
 *
 *   inline    The thread that calls. A blocking call turns the loop until it is done;
 *             ob_runtime_run() turns it on request. Nothing happens between calls. There is no
 *             thread switch, so this is the fastest mode for a plain program.
 *   threaded  A thread of the runtime. Blocking calls may come from any other thread.
 *   attached  The application, with its own libev loop (libev's default loop works too). Only
 *             asynchronous calls, from the loop's thread; blocking calls return OB_EDEADLK.
 */
enum ob_runtime_mode { OB_RUNTIME_INLINE = 0, OB_RUNTIME_THREADED, OB_RUNTIME_ATTACHED };

/* Whose plugin files are loaded. */
enum ob_plugin_trust {
	/* Those of root and of the own user, in a directory of root or of the own user. */
	OB_PLUGIN_TRUST_OWNED = 0,
	/*
	 * Also those of users that have no number in the user namespace of this process, if root of
	 * the machine has none there either: so the files of root look in a sandbox of an
	 * ordinary user. Neither the file nor a directory of its path may be writable for this
	 * process, unless the directory is its own, nor for a group or others. Other users without
	 * a number, and a user `nobody` of the namespace, cannot be told from root: only
	 * directories that root alone can change should be in plugin_path. Without effect in a
	 * setuid program.
	 */
	OB_PLUGIN_TRUST_UNMAPPED
};

struct ob_runtime_options {
	uint32_t size;
	uint32_t mode;	      /* enum ob_runtime_mode */
	struct ev_loop *loop; /* Required for attached, else NULL. Must outlive the runtime */
	/*
	 * Directories of plugins: absolute, ended by NULL. NULL means the directories of the
	 * environment variable OUTBOARD_PLUGIN_PATH (separated by colons; ignored in a setuid
	 * program), then the one of the installation. The plugin `unix` is the file DIR/unix.so; it
	 * is loaded when it is first needed.
	 */
	const char *const *plugin_path;
	/*
	 * After I/O, poll for this many microseconds before sleeping. Lowers latency and costs CPU
	 * time. Default 0: off.
	 */
	uint32_t busy_poll_us;
	/* enum ob_plugin_trust. A server whose outboard.json says so trusts unmapped users, too; so
	 * does a runtime, from then on, that ob_child_connect() finds a child for by such a file of
	 * its own user, where there is no state directory. */
	uint32_t plugin_trust;
};

/* Make a runtime. options may be NULL: an inline runtime. */
OB_API int ob_runtime_new(const struct ob_runtime_options *options, ob_runtime **ret_runtime,
			  struct ob_error *reterr);

/*
 * Free a runtime. Its connectors, servers, clients, watches and log readers must have been closed
 * before. The thread of a threaded runtime is joined.
 */
OB_API void ob_runtime_free(ob_runtime *runtime);

/*
 * Inline runtimes only: turn the loop until ob_runtime_stop() is called (OB_OK) or timeout_ms have
 * passed (OB_ETIMEDOUT). 0: handle what is ready and return. Negative: no limit.
 */
OB_API int ob_runtime_run(ob_runtime *runtime, int64_t timeout_ms);

/*
 * Whether this runtime itself reaps the process: a cleanup command of a child, or a child that was
 * let go. For a program that reaps all its dead children, because it is a subreaper say: it must
 * leave these alone, and those whose pid is ob_connector_pid(). On the thread of the loop.
 */
OB_API bool ob_runtime_owns_process(const ob_runtime *runtime, int32_t pid);

/* Make ob_runtime_run() return OB_OK. Any thread; safe in a signal handler. */
OB_API void ob_runtime_stop(ob_runtime *runtime);

/* ---- Cancelling a call ---- */

/* A flag that any number of calls may watch. Once fired it stays fired. */
OB_API int ob_cancel_new(ob_cancel **ret_cancel, struct ob_error *reterr);

/* End every call that watches the flag with OB_ECANCELED. Any thread; safe in a signal handler. */
OB_API void ob_cancel_fire(ob_cancel *cancel);

/* Free the flag. No call may be watching it. cancel may be NULL. */
OB_API void ob_cancel_free(ob_cancel *cancel);

/* ---- The message limit ---- */

/*
 * The option message_max, in bytes: the largest message that is sent or accepted after
 * authentication. Both ends of a connection should have the same. A connector writes its own into
 * outboard.json, for the child, and into its state, for ob_child_connect(); so it is set there and
 * nowhere else. Memory is taken as messages need it, not for the limit.
 */
#define OB_MESSAGE_MAX_DEFAULT 4194304	   /* 4 MiB: what 0 means */
#define OB_MESSAGE_MAX_LOWEST  4096	   /* smaller and larger options are refused, OB_EINVAL */
#define OB_MESSAGE_MAX_HIGHEST 1073741824u /* 1 GiB */

/* ---- Durations as text ---- */

/*
 * Parse a duration such as "250ms", "2s" or "1m30s" into milliseconds: numbers with the units h, m,
 * s and ms, in this order. Fractions ("1.5s") must not be finer than a millisecond. A unit is
 * required ("0s", not "0"). At most 10 years. OB_EINVAL says what is wrong. Any thread.
 */
OB_API int ob_duration_parse(const char *text, int64_t *ret_ms, struct ob_error *reterr);

/*
 * Write a duration as "1m30s", "1.5s", "250ms" or "0s"; a negative one as "none". 32 bytes are
 * always enough; a longer text is cut. Any thread.
 */
OB_API void ob_duration_format(int64_t ms, char *text, size_t size);

/* ---- Descriptors ---- */

/*
 * Raise the soft limit of descriptors (RLIMIT_NOFILE) of this process to the hard one, for a parent
 * of many children. Children that connectors start get the soft limit from before, unless their
 * option `limits` names another: a program may not expect descriptors that select() cannot take.
 * The same holds for the calling process and its plugins. ret_limit gets the limit from then on; it
 * may be NULL. Any thread.
 */
OB_API int ob_raise_descriptor_limit(uint64_t *ret_limit, struct ob_error *reterr);

/* ---- Memory for values ---- */

/*
 * Make an arena: memory for trees of values, which is freed all at once. Besides its first block of
 * 4 KiB or one piece it gives at most budget bytes. An arena has no lock: use it on one thread at a
 * time.
 */
OB_API int ob_arena_new(size_t budget, struct ob_arena **ret_arena, struct ob_error *reterr);

/* Forget all pieces. The first block of memory is kept and used again. */
OB_API void ob_arena_reset(struct ob_arena *arena);

/* Free an arena with all its pieces. arena may be NULL. */
OB_API void ob_arena_free(struct ob_arena *arena);

/* ---- Building values by format ---- */

/*
 * Append values to a builder, as the format says. White space, ',' and ':' are ignored. Each other
 * character is a piece, and most take arguments:
 *
 *   n  nil
 *   b  int: a truth value
 *   i  int
 *   I  int64_t
 *   U  uint64_t
 *   d  double
 *   s  const char *: a string; NULL makes nil
 *   S  const char *, size_t: a string of this length
 *   B  const void *, size_t: binary
 *   v  const struct ob_value *: a whole tree; NULL makes nil
 *   [ ]  an array
 *   { }  a map: a key (s or S), then a value, and so on
 *
 * Strings and trees are borrowed. The builder remembers errors: see ob_builder_finish().
 */
OB_API void ob_build(struct ob_builder *builder, const char *format, ...);
OB_API void ob_buildv(struct ob_builder *builder, const char *format, va_list args);

#ifdef __cplusplus
}
#endif
#endif
