/* SPDX-License-Identifier: MIT */
/*
 * outboard/abi.h - the types that the library and its plugins share.
 *
 * A plugin is a shared object that exports one function, outboard_plugin_v1(), which the macro
 * OB_PLUGIN_ENTRY() writes. It includes abi.h, value.h and one of transport.h, codec.h, auth.h.
 * Everything in them is inline code or a table of function pointers, so a plugin is not linked with
 * liboutboard.
 *
 * Conventions of every table in these headers:
 *
 *  - The size is the minor version. A struct that may grow begins with `uint32_t size`, which its
 *    writer sets to the sizeof it was compiled with. Members are only appended. Test a member that
 *    was added later with OB_HAS().
 *  - Ownership of memory never moves. Input is borrowed for the length of the call; output goes to
 *    a sink or an arena of the caller. A plugin frees what it allocates, in its own destroy or
 *    close.
 *  - Functions return OB_OK (0), or a positive count or state, or a negative OB_E... code. Results
 *    are written only on success. host->fail() formats a message for people into the caller's
 *    ob_error and returns the code.
 *  - No call blocks. All calls on one object come from one thread at a time and are never nested.
 *  - "Required" members of a table must be set; the loader refuses a plugin that lacks one. Others
 *    may be NULL where the header says so.
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
	OB_EINVAL = -1,	    /* an argument, option or config value is not acceptable */
	OB_ENOMEM = -2,	    /* out of memory, or a bounded buffer or arena is full */
	OB_EIO = -3,	    /* a system call failed; ob_error.sys is its errno */
	OB_EAGAIN = -4,	    /* not now: nothing to read or accept, or a queue is full */
	OB_EBUSY = -5,	    /* in use: for example, another connector holds the data directory */
	OB_ETIMEDOUT = -6,  /* the deadline has passed */
	OB_ECANCELED = -7,  /* cancelled by the caller or by a newer request */
	OB_EDEADLK = -8,    /* a blocking call on the loop's thread or on an attached runtime */
	OB_EREFUSED = -9,   /* nothing listens there, or the peer refused the connection */
	OB_ECONNLOST = -10, /* the connection ended during a call; whether it ran is unknown */
	OB_EAUTH = -11,	    /* authentication failed */
	OB_EPROTO = -12,    /* the bytes do not follow the protocol */
	OB_ETOOBIG = -13,   /* over a size limit */
	OB_ENOENT = -14,    /* no such file, interface or method */
	OB_EEXIST = -15,    /* it exists: address in use, duplicate name, already connected */
	OB_EPERM = -16,	    /* not permitted: owner, mode or policy */
	OB_EDOWN = -17,	    /* the child is not running, or there is no connection to it */
	OB_EREMOTE = -18,   /* the peer answered with an error: see ob_error.remote_code */
	OB_EEXITED = -19,   /* the child exited before it was ready */
	OB_EPLUGIN = -20,   /* a plugin is missing, malformed, or of an unknown version */
	OB_ENOTSUP = -21,   /* this object, transport or kernel cannot do it */
	OB_ECLOSED = -22    /* the object was closed */
};

/* ---- Errors ---- */

/*
 * A code for the program and a line for people. The caller owns it (usually on its stack) and may
 * pass NULL to any function that takes one. It is written only on failure.
 */
struct ob_error {
	int code; /* the negative OB_E... code that was returned */
	int sys;  /* the errno of a system call, or 0 */
	int64_t
	    remote_code; /* with OB_EREMOTE: the peer's error number (enum ob_rpc_code), else 0 */
	char text[488];	 /* NUL-terminated, without a newline; may be cut at the end */
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

/* Whether both views have the same bytes. Not for secrets: the time depends on the content. */
static inline bool ob_bytes_equal(struct ob_bytes a, struct ob_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Whether the view has exactly the characters of text. */
static inline bool ob_bytes_is(struct ob_bytes bytes, const char *text)
{
	return ob_bytes_equal(bytes, ob_bytes_text(text));
}

/* ---- Sink: bounded output ---- */

/*
 * Where output goes. The owner sets data, cap, max and grow; writers use only the functions below.
 * After the first failure a sink stays `failed`, so a writer may check once at the end.
 */
struct ob_sink {
	uint8_t *data;
	size_t len;  /* bytes written */
	size_t cap;  /* bytes allocated */
	size_t max;  /* limit of len */
	bool failed; /* something did not fit, or memory ran out */
	/* Make room for `more` bytes behind len, or return false. NULL: the sink cannot grow. */
	bool (*grow)(struct ob_sink *sink, size_t more);
};

/* A sink that writes into memory of the caller. */
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

/* Room for n bytes at the end; NULL: there is none. Call ob_sink_commit() after writing them. */
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

/* n bytes of the reserved room were written. */
static inline void ob_sink_commit(struct ob_sink *sink, size_t n)
{
	sink->len += n;
}

/* Append n bytes. If they do not fit, returns false and marks the sink failed. */
static inline bool ob_sink_put(struct ob_sink *sink, const void *data, size_t n)
{
	uint8_t *room;
	if (n == 0) {
		return !sink->failed; /* the sink may have no memory yet */
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
 * Pieces are allocated one after another and never freed one by one. The owner decides how long
 * they live and how much memory they may take; a plugin only allocates.
 */
struct ob_arena {
	uint8_t *next; /* the next free byte of the current block, 16-byte aligned */
	uint8_t *end;
	/* Return size bytes (a multiple of 16) of a new block; NULL: out of memory or budget. */
	void *(*more)(struct ob_arena *arena, size_t size);
};

/* size bytes, aligned to 16, not cleared; NULL: out of memory or budget. */
static inline void *ob_arena_alloc(struct ob_arena *arena, size_t size)
{
	size_t want;
	uint8_t *piece = arena->next;
	if (size > SIZE_MAX - 15) {
		return NULL;
	}
	/* 0 bytes are a piece too, since NULL means failure. */
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

/* What an object of a plugin waits for: a descriptor, a time, or whichever comes first. */
struct ob_want {
	int fd;	    /* descriptor to watch; -1: only the deadline. May differ from call to call */
	int events; /* bits of enum ob_io */
	/* CLOCK_MONOTONIC in ms at which the wait ends; -1: none. */
	int64_t deadline;
};

/* The length of a channel binding, in bytes: see binding() in transport.h and auth.h. */
enum { OB_BINDING_MIN = 16, OB_BINDING_MAX = 64 };

/* ---- Peer facts ---- */

/* Which members of ob_peer are known. A transport sets only bits that the kernel guarantees, or
 * that its handshake has proved. */
enum ob_peer_known {
	OB_PEER_PID = 1 << 0,
	OB_PEER_UID = 1 << 1, /* uid and gid */
	OB_PEER_CID = 1 << 2, /* the vsock context id */
	OB_PEER_ADDRESS = 1 << 3,
	OB_PEER_PIDFD = 1 << 4,
	OB_PEER_SUBJECT = 1 << 5
};

/* Facts about the other end of a connection. Read each member under OB_HAS() and its known bit. */
struct ob_peer {
	uint32_t size;
	uint32_t known; /* enum ob_peer_known */
	int32_t pid;	/* in our pid namespace */
	uint32_t uid;
	uint32_t gid;
	uint32_t cid;
	char address[112]; /* printable text for logs and penalties; not to be trusted */
	/* Who the peer is, as the handshake of the transport has proved: UTF-8, 1 to 255 bytes;
	 * valid as long as the stream. It is the subject, unless a mechanism says another. */
	struct ob_bytes subject;
	/* Of the peer, owned by the stream; -1: unknown. Authenticators get it if they have the
	 * flag OB_AUTH_USES_PIDFD. */
	int32_t pidfd;
};

/* ---- Parsed address ---- */

/*
 * scheme://host:port/path?query, split. Every view but path borrows from `text`. In unix and hvsock
 * URIs host is empty and path is absolute; in hvsock:///path:port the port follows the path.
 */
struct ob_uri {
	uint32_t size;
	int32_t port;	      /* -1: none */
	struct ob_bytes text; /* the whole URI, NUL-terminated */
	struct ob_bytes scheme;
	struct ob_bytes host; /* without the brackets of an IPv6 literal */
	struct ob_bytes path; /* with its leading slash, percent-decoded, NUL-terminated */
	struct ob_bytes query;
};

/* ---- Host services ---- */

struct ob_codec_ops;
struct ob_transport_ops;
struct ob_value;

/* What the library offers to plugins. It lives longer than every object of the plugin. */
struct ob_host {
	uint32_t size;
	/*
	 * Write a formatted line into *reterr (may be NULL) and return code. sys is an errno whose
	 * text is appended, or 0. The line must not contain a secret.
	 */
	int (*fail)(struct ob_error *reterr, int code, int sys, const char *format, ...)
#if defined(__GNUC__)
	    __attribute__((format(printf, 4, 5)))
#endif
	    ;
	/* CLOCK_MONOTONIC in milliseconds. */
	int64_t (*now_ms)(void);
	/* The transport that claims this scheme, for transports that wrap another; NULL: none. */
	const struct ob_transport_ops *(*find_transport)(const struct ob_host *host,
							 struct ob_bytes scheme);
	/* Split text into a URI, as the library does. text is NUL-terminated and must stay valid.
	 * The decoded path is made in `arena`. */
	int (*parse_uri)(const char *text, struct ob_arena *arena, struct ob_uri *ret_uri,
			 struct ob_error *reterr);
	/*
	 * The codec of this name, for plugins that talk to a program of their own. The caller
	 * passes params of its own, without a state. NULL: there is none, or it takes settings.
	 */
	const struct ob_codec_ops *(*find_codec)(const struct ob_host *host, const char *name);
};

/* ---- Descriptor and entry ---- */

enum ob_plugin_kind { OB_PLUGIN_TRANSPORT = 1, OB_PLUGIN_CODEC = 2, OB_PLUGIN_AUTH = 3 };

/* One transport, codec or authenticator. Static data of the plugin, never freed. */
struct ob_plugin {
	uint32_t size;
	uint32_t kind; /* enum ob_plugin_kind */
	/* Required: the name in configs, [a-z][a-z0-9_-]{0,30}, unique within its kind. */
	const char *name;
	const char *version; /* Required: for people */
	const void *ops;     /* Required: ob_transport_ops, ob_codec_ops or ob_auth_ops, by kind */

	/*
	 * Settings; both may be NULL: the plugin takes none. configure() is called once for each
	 * use of the plugin, a connector, a client or a server, before any other function, and for
	 * a check of a config. settings is a map of what the config says, nil if it says nothing,
	 * and valid for the length of the call. *ret_state is the `state` of the params of all
	 * later calls; it may be NULL. Files may be read here. A failure leaves nothing behind, and
	 * its text names the key: "key: /etc/x: No such file or directory".
	 *
	 * unconfigure() frees the state when no object is left that was made with it.
	 */
	int (*configure)(const struct ob_host *host, const struct ob_value *settings,
			 void **ret_state, struct ob_error *reterr);
	void (*unconfigure)(void *state);
};

/* The list that a plugin returns: pointers to descriptors, ended by NULL. */
typedef const struct ob_plugin *const *ob_plugin_list;

/* The exported function. Its name contains the major version of the ABI. It has no side effect. */
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

/* The last line of a plugin: OB_PLUGIN_ENTRY(&one, &two); defines outboard_plugin_v1(). */
#define OB_PLUGIN_ENTRY(...)                                                        \
	OB_PLUGIN_LINKAGE OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void); \
	OB_PLUGIN_LINKAGE OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void)  \
	{                                                                           \
		static const struct ob_plugin *const list[] = {__VA_ARGS__, NULL};  \
		return list;                                                        \
	}                                                                           \
	typedef int ob_plugin_entry_needs_semicolon

/* Whether the struct at ptr, by its size, has this member. */
#define OB_HAS(ptr, member) \
	((ptr)->size >=     \
	 (size_t)((const char *)(&(ptr)->member) - (const char *)(ptr)) + sizeof((ptr)->member))

#ifdef __cplusplus
}
#endif
#endif
