/* SPDX-License-Identifier: MIT */
/*
 * outboard/runtime.h - the event loop and the plugins that all other objects share.
 *
 * Conventions of all headers for users:
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

/* ---- Cancelling a blocking call ---- */

/* A flag that any number of blocking calls may watch. Fired once, it stays fired. */
OB_API int ob_cancel_new(ob_cancel **ret_cancel, struct ob_error *reterr);

/* End every call that watches it with OB_ECANCELED. Any thread; safe in a signal handler. */
OB_API void ob_cancel_fire(ob_cancel *cancel);

/* No call may be watching it any more. */
OB_API void ob_cancel_free(ob_cancel *cancel);

/* ---- Durations as text ---- */

/*
 * Parse a duration such as "250ms", "2s" or "1m30s" into milliseconds: numbers with the units h, m,
 * s and ms, in this order. Fractions ("1.5s") may not be finer than a millisecond. A unit is
 * required ("0s", not "0"). At most 10 years. OB_EINVAL says what is wrong. Any thread.
 */
OB_API int ob_duration_parse(const char *text, int64_t *ret_ms, struct ob_error *reterr);

/*
 * Write a duration as "1m30s", "1.5s", "250ms" or "0s"; a negative one as "none". 32 bytes are
 * always enough; a longer text is cut. Any thread.
 */
OB_API void ob_duration_format(int64_t ms, char *text, size_t size);

/* ---- Memory for values ---- */

/*
 * Make an arena: memory for trees, freed all at once. It gives at most budget bytes, rounded up to
 * its block size. An arena has no lock: use it on one thread at a time.
 */
OB_API int ob_arena_new(size_t budget, struct ob_arena **ret_arena, struct ob_error *reterr);

/* Forget all pieces. One block of memory is kept for the next ones. */
OB_API void ob_arena_reset(struct ob_arena *arena);

/* Free it, with all pieces. arena may be NULL. */
OB_API void ob_arena_free(struct ob_arena *arena);

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

#ifdef __cplusplus
}
#endif
#endif
