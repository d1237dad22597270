/* SPDX-License-Identifier: MIT */
/*
 * outboard/abi.h - what the library and its plugins share.
 *
 * A plugin is a shared object that exports one function, outboard_plugin_v1(), written by
 * OB_PLUGIN_ENTRY(). It sees the headers abi.h, value.h and one of transport.h, codec.h, auth.h;
 * everything in them is inline code or a table of function pointers, so a plugin never links
 * liboutboard.
 *
 * Conventions that hold for every table in these headers:
 *
 *  - Size is the minor version. The first member of every table that may grow is `uint32_t size`,
 * set to the sizeof the writer was compiled with. Members are only ever appended. Test a member
 * that came later with OB_HAS().
 *  - Memory never changes hands. Input is borrowed for the length of the call; output goes into a
 * caller's sink or arena. What a plugin allocates, it frees itself, in its own destroy or close.
 *  - Functions return OB_OK (0) or a positive count or state, or a negative OB_E... code. Results
 * are written only on success. A failure that a person should read goes through host->fail(), which
 * fills the caller's ob_error and returns the code.
 *  - No call blocks. All calls on one object come from one thread and are never re-entered.
 */
#ifndef OUTBOARD_ABI_H
#define OUTBOARD_ABI_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Result codes ---- */

/* Every function that can fail returns one of these. The numbers never change; new ones are
 * appended. */
enum ob_result {
	OB_OK = 0,
	OB_EINVAL = -1, /* an argument, option or config value is not acceptable */
	OB_ENOMEM = -2, /* out of memory, or a bounded buffer or arena is full */
	OB_EIO = -3,	/* a system call failed; ob_error.sys says which errno */
	OB_EAGAIN =
	    -4, /* not now: nothing to read or accept, or an out-queue is full; try again later */
	OB_EBUSY = -5,	   /* somebody else holds it: another connector has this data directory */
	OB_ETIMEDOUT = -6, /* the deadline passed */
	OB_ECANCELED = -7, /* the caller, or a newer event, called it off */
	OB_EDEADLK = -8,   /* a blocking call on the loop's own thread, or on an attached runtime */
	OB_EREFUSED = -9,  /* nobody listens there, or the peer refused us */
	OB_ECONNLOST =
	    -10, /* the connection ended while the call was in flight; whether it ran is unknown */
	OB_EAUTH = -11,	  /* authentication failed */
	OB_EPROTO = -12,  /* the bytes are not what the protocol allows */
	OB_ETOOBIG = -13, /* over a size limit */
	OB_ENOENT = -14,  /* no such file, plugin, interface or method */
	OB_EEXIST =
	    -15,	/* it is already there: address in use, duplicate name, already connected */
	OB_EPERM = -16, /* not permitted: ownership, mode or policy */
	OB_EDOWN = -17, /* the child is not running, or there is no connection to it now */
	OB_EREMOTE =
	    -18, /* the remote side answered with an error; ob_error.remote_code has its number */
	OB_EEXITED = -19, /* the child exited before it was ready */
	OB_EPLUGIN = -20, /* a plugin is missing, malformed, or of an unknown version */
	OB_ENOTSUP = -21, /* this object, transport or kernel cannot do that */
	OB_ECLOSED = -22  /* the object was closed */
};

/* ---- Errors ---- */

/*
 * One code for the program and one line for a person. The caller owns it (usually on its stack) and
 * may pass NULL to any function that takes one. It is written on failure only.
 */
struct ob_error {
	int code;	     /* the negative OB_E... code that was returned */
	int sys;	     /* the errno behind it, or 0 */
	int64_t remote_code; /* with OB_EREMOTE: the error number of the remote side (PROTOCOL lists
				them), else 0 */
	char text[488];	     /* NUL-terminated, no newline, may be cut at the end */
};

/* ---- Bytes ---- */

/* A borrowed view of bytes, not NUL-terminated. data may be NULL when len is 0. */
struct ob_bytes {
	const uint8_t *data;
	size_t len;
};

/* The view of len bytes at data. */
static inline struct ob_bytes ob_bytes_of(const void *data, size_t len)
{
	struct ob_bytes view = {(const uint8_t *)data, len};
	return view;
}

/* The view of a NUL-terminated string, without its NUL. text may be NULL: an empty view. */
static inline struct ob_bytes ob_bytes_text(const char *text)
{
	return ob_bytes_of(text, text != NULL ? strlen(text) : 0);
}

/* Whether both views hold the same bytes. Not for secrets: its time depends on the content. */
static inline bool ob_bytes_equal(struct ob_bytes a, struct ob_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Whether the view holds exactly the characters of text. */
static inline bool ob_bytes_is(struct ob_bytes bytes, const char *text)
{
	return ob_bytes_equal(bytes, ob_bytes_text(text));
}

/* ---- Sink: bounded output ---- */

/*
 * Where output goes. The owner sets data, cap, max and grow; writers use the functions below only.
 * A sink that could not take something is `failed` from then on, so a writer may check once at the
 * end.
 */
struct ob_sink {
	uint8_t *data; /* len bytes written so far, cap bytes there */
	size_t len;
	size_t cap;
	size_t max;  /* never more than this */
	bool failed; /* something did not fit, or memory ran out */
	/* Make room for `more` bytes behind len, or return false. NULL: the sink cannot grow. */
	bool (*grow)(struct ob_sink *sink, size_t more);
};

/* A sink over the caller's fixed memory. */
static inline struct ob_sink ob_sink_fixed(void *memory, size_t cap)
{
	struct ob_sink sink;
	sink.data = (uint8_t *)memory;
	sink.len = 0;
	sink.cap = cap;
	sink.max = cap;
	sink.failed = false;
	sink.grow = NULL;
	return sink;
}

/* Room for n bytes behind what is there; NULL when it cannot be had. Follow with ob_sink_commit().
 */
static inline uint8_t *ob_sink_reserve(struct ob_sink *sink, size_t n)
{
	if (n <= sink->cap - sink->len && !sink->failed) {
		return sink->data + sink->len;
	}
	if (sink->failed || n > sink->max - sink->len || sink->grow == NULL ||
	    !sink->grow(sink, n)) {
		sink->failed = true;
		return NULL;
	}
	return sink->data + sink->len;
}

/* n bytes of the reserved room are now written. */
static inline void ob_sink_commit(struct ob_sink *sink, size_t n)
{
	sink->len += n;
}

/* Append n bytes. Returns false, and marks the sink failed, when they do not fit. */
static inline bool ob_sink_put(struct ob_sink *sink, const void *data, size_t n)
{
	uint8_t *room;
	if (n == 0) {
		return !sink->failed; /* a sink may have no memory yet */
	}
	room = ob_sink_reserve(sink, n);
	if (room == NULL) {
		return false;
	}
	memcpy(room, data, n);
	sink->len += n;
	return true;
}

/* Append one byte. */
static inline bool ob_sink_byte(struct ob_sink *sink, uint8_t byte)
{
	return ob_sink_put(sink, &byte, 1);
}

/* Append a NUL-terminated string without its NUL. */
static inline bool ob_sink_text(struct ob_sink *sink, const char *text)
{
	return ob_sink_put(sink, text, strlen(text));
}

/* ---- Arena: memory that is freed all at once ---- */

/*
 * Pieces are handed out in order and never freed one by one. The owner decides how long the pieces
 * live and how much there may be in all; a plugin only takes from it.
 */
struct ob_arena {
	uint8_t *next; /* the next free byte of the current block, 16-byte aligned */
	uint8_t *end;
	/* Give size bytes (a multiple of 16) from a new block, or NULL when memory or the budget is
	 * used up. */
	void *(*more)(struct ob_arena *arena, size_t size);
};

/* size bytes, aligned to 16, not cleared; NULL when the budget or memory is used up. */
static inline void *ob_arena_alloc(struct ob_arena *arena, size_t size)
{
	size_t want;
	uint8_t *piece = arena->next;
	if (size > SIZE_MAX - 15) {
		return NULL;
	}
	/* Nothing is a piece too: NULL means that there is no room. */
	want = size > 0 ? (size + 15) & ~(size_t)15 : 16;
	if (want > (size_t)(arena->end - piece)) {
		return arena->more != NULL ? arena->more(arena, want) : NULL;
	}
	arena->next = piece + want;
	return piece;
}

/* ---- Readiness ---- */

/* What a descriptor is ready for, as in poll(2). Bits. */
enum ob_io { OB_READABLE = 1, OB_WRITABLE = 2 };

/* ---- Peer facts ---- */

/* Which members of ob_peer are known. A transport sets a bit only for what the kernel vouched for.
 */
enum ob_peer_known {
	OB_PEER_PID = 1 << 0,
	OB_PEER_UID = 1 << 1, /* uid and gid */
	OB_PEER_CID = 1 << 2, /* the vsock context id */
	OB_PEER_ADDRESS = 1 << 3,
	OB_PEER_PIDFD = 1 << 4
};

/* Facts about the other end of a connection, host to plugin: read each member under OB_HAS() and
 * its known bit. */
struct ob_peer {
	uint32_t size;
	uint32_t known; /* enum ob_peer_known */
	int32_t pid;	/* in our pid namespace */
	uint32_t uid;
	uint32_t gid;
	uint32_t cid;
	char address[112]; /* printable, NUL-terminated, for logs and penalties; never for trust */
	int32_t pidfd;	   /* of the peer, owned by the stream that told it; -1 when not known */
};

/* ---- Parsed address ---- */

/*
 * scheme://host:port/path?query, split but not decoded further; every view borrows from `text`. For
 * unix and hvsock URIs host is empty and path is absolute. The port is -1 when absent. In
 * hvsock:///path:port the port follows the path.
 */
struct ob_uri {
	uint32_t size;
	int32_t port;
	struct ob_bytes text; /* the whole, also NUL-terminated */
	struct ob_bytes scheme;
	struct ob_bytes host; /* without the brackets of an IPv6 literal */
	struct ob_bytes path; /* with its leading slash, percent-decoded, and NUL-terminated */
	struct ob_bytes query;
};

/* ---- Host services ---- */

struct ob_transport_ops;

/* What the library offers to plugins. It outlives every object made from the plugin. */
struct ob_host {
	uint32_t size;
	/*
	 * Write a formatted line into *reterr (may be NULL) and return code. sys is an errno whose
	 * text is appended, or 0. Never put a secret into the line.
	 */
	int (*fail)(struct ob_error *reterr, int code, int sys, const char *format, ...)
#if defined(__GNUC__)
	    __attribute__((format(printf, 4, 5)))
#endif
	    ;
	/* Milliseconds of CLOCK_MONOTONIC. */
	int64_t (*now_ms)(void);
	/* The transport that claims this scheme, for transports that wrap another; NULL when there
	 * is none. */
	const struct ob_transport_ops *(*find_transport)(const struct ob_host *host,
							 struct ob_bytes scheme);
	/* Split text into a URI, as the library does. text must stay valid and be NUL-terminated.
	 * The path is decoded into `arena`. */
	int (*parse_uri)(const char *text, struct ob_arena *arena, struct ob_uri *ret_uri,
			 struct ob_error *reterr);
};

/* ---- Descriptor and entry ---- */

enum ob_plugin_kind { OB_PLUGIN_TRANSPORT = 1, OB_PLUGIN_CODEC = 2, OB_PLUGIN_AUTH = 3 };

/* One thing that a plugin offers. Static data of the plugin, never freed. */
struct ob_plugin {
	uint32_t size;
	uint32_t kind;	  /* enum ob_plugin_kind */
	const char *name; /* as it stands in config: [a-z][a-z0-9_-]*, at most 31 characters, unique
			     within its kind */
	const char *version; /* for people */
	const void *ops;     /* struct ob_transport_ops, ob_codec_ops or ob_auth_ops, by kind */
};

/* The list that a plugin returns: pointers to its descriptors, then NULL. */
typedef const struct ob_plugin *const *ob_plugin_list;

/* The type of the one exported function. The ABI's major version is in its name. It has no side
 * effect. */
typedef ob_plugin_list (*ob_plugin_entry_fn)(void);
#define OB_PLUGIN_ENTRY_NAME "outboard_plugin_v1"

#if defined(__GNUC__)
#define OB_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define OB_PLUGIN_EXPORT
#endif

#ifdef __cplusplus
#define OB_PLUGIN_LINKAGE extern "C"
#else
#define OB_PLUGIN_LINKAGE
#endif

/*
 * The last line of a plugin: OB_PLUGIN_ENTRY(&one, &two). Writes outboard_plugin_v1() over a static
 * list.
 */
#define OB_PLUGIN_ENTRY(...)                                                        \
	OB_PLUGIN_LINKAGE OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void); \
	OB_PLUGIN_LINKAGE OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void)  \
	{                                                                           \
		static const struct ob_plugin *const list[] = {__VA_ARGS__, NULL};  \
		return list;                                                        \
	}                                                                           \
	typedef int ob_plugin_entry_needs_semicolon

/* Whether the object at ptr is new enough to have this member. */
#define OB_HAS(ptr, member) \
	((ptr)->size >=     \
	 (size_t)((const char *)(&(ptr)->member) - (const char *)(ptr)) + sizeof((ptr)->member))

#ifdef __cplusplus
}
#endif
#endif
