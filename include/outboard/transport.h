/* SPDX-License-Identifier: MIT */
/*
 * outboard/transport.h - how bytes get across.
 *
 * A transport claims URI schemes and makes listeners, dials and streams. Every descriptor it hands
 * out is non-blocking and close-on-exec from birth; the library does all watching. The plugin
 * defines the three incomplete structs as it likes.
 *
 * A connection's life: dial() -> finish_dial() until it is 0 -> readv()/writev() ->
 * shutdown_write() -> close().
 */
#ifndef OUTBOARD_TRANSPORT_H
#define OUTBOARD_TRANSPORT_H

#include <outboard/abi.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ob_listener; /* a bound, listening address */
struct ob_dial;	    /* one attempt to connect, under way */
struct ob_stream;   /* a connection */

/* What a dial waits for next. */
struct ob_want {
	int fd;	    /* watch this; -1: nothing but the deadline. It may change from call to call */
	int events; /* enum ob_io */
	int64_t deadline; /* CLOCK_MONOTONIC ms at which finish_dial() is called with revents 0; -1:
			     none */
};

/* Facts for listen() and dial(): read under OB_HAS(). */
struct ob_stream_params {
	uint32_t size;
	/* A heartbeat interval, for transports that set keepalive or user timeouts from it; 0:
	 * none. */
	uint32_t heartbeat_ms;
	/* listen only: the caller holds the lock of this address's directory, so a socket left
	 * there is stale without further proof. */
	bool lock_held;
	/* listen only: connections waiting to be accepted; 0: the transport's default. */
	uint32_t backlog;
	/* dial only, of unix sockets: what is at the address must be a socket of this user, and no
	 * symbolic link. Only where check_owner is set. */
	uint32_t owner;
	bool check_owner;
};

struct ob_transport_ops {
	uint32_t size;

	/*
	 * The schemes it claims, lower case, ended by NULL. Must be there, with at least one. One
	 * that ends in '+' stands for all that begin so, but for those that another claims in full:
	 * a wrapper of transports claims "chaos+".
	 */
	const char *const *schemes;

	/*
	 * Bind and listen. An address left behind by a dead process is taken over; one that
	 * answers, or that is not ours, is OB_EEXIST; something in its place that is no socket is
	 * never removed. Port 0 asks for a free one. OB_EINVAL: the URI is not one of ours, or too
	 * long. Must be there.
	 */
	int (*listen)(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_stream_params *params, struct ob_listener **ret_listener,
		      struct ob_error *reterr);

	/* The descriptor to watch for OB_READABLE. Must be there. */
	int (*listener_fd)(struct ob_listener *listener);

	/*
	 * Take one waiting connection. OB_EAGAIN: none now, or it went away again before we took it
	 * (call again when readable). OB_ENOMEM: out of descriptors or buffers (the caller pauses).
	 * Any other failure is final. Must be there.
	 */
	int (*accept)(struct ob_listener *listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr);

	/* Write the URI that was really bound, a port 0 resolved. Must be there. */
	int (*local_uri)(struct ob_listener *listener, struct ob_sink *out);

	/* Stop listening; remove what bind created, if it is still ours. listener may be NULL. Must
	 * be there. */
	void (*listener_close)(struct ob_listener *listener);

	/*
	 * Begin to connect; never blocks. On OB_OK, *ret_want says what to wait for (an attempt
	 * that completed at once wants OB_WRITABLE, or a deadline of 0). OB_EINVAL as for listen;
	 * OB_EREFUSED, OB_ENOENT and OB_EAGAIN (a full backlog: dial anew later, there is nothing
	 * to watch) at once where the kernel says so at once. Must be there.
	 */
	int (*dial)(const struct ob_host *host, const struct ob_uri *uri,
		    const struct ob_stream_params *params, struct ob_dial **ret_dial,
		    struct ob_want *ret_want, struct ob_error *reterr);

	/*
	 * Go on after the wanted event; revents is enum ob_io, or 0 when the deadline passed. 0:
	 * connected, *ret_stream is set (the dial still must be closed). OB_EAGAIN: wait for
	 * *ret_want, which is still to come. Else it failed: with OB_ETIMEDOUT or OB_EREFUSED where
	 * nobody answers. Must be there.
	 */
	int (*finish_dial)(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			   struct ob_want *ret_want, struct ob_error *reterr);

	/* Give up or clean up a dial, in any state; its stream, if it gave one, stays. dial may be
	 * NULL. Must be there. */
	void (*dial_close)(struct ob_dial *dial);

	/* The descriptor to watch. Constant over the stream's life. Must be there. */
	int (*fd)(struct ob_stream *stream);

	/*
	 * Read into the pieces. A positive count; 0 at the end of the stream; OB_EAGAIN;
	 * OB_ECONNLOST when the connection broke; else OB_EIO. Interrupted calls are repeated
	 * inside. Must be there.
	 */
	ptrdiff_t (*readv)(struct ob_stream *stream, const struct iovec *pieces, int count,
			   struct ob_error *reterr);

	/* Write the pieces: a positive count (maybe short), OB_EAGAIN, OB_ECONNLOST or OB_EIO.
	 * Raises no SIGPIPE. Must be there. */
	ptrdiff_t (*writev)(struct ob_stream *stream, const struct iovec *pieces, int count,
			    struct ob_error *reterr);

	/* Send an end of stream and keep reading. Must be there. */
	int (*shutdown_write)(struct ob_stream *stream, struct ob_error *reterr);

	/*
	 * Fill in what the kernel vouches for. ret->size is set by the caller. A failure says that
	 * nobody is there any more: an acceptor closes the stream. May be NULL: nothing is known.
	 */
	int (*peer)(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr);

	/* Close at once and free. stream may be NULL. Must be there. */
	void (*close)(struct ob_stream *stream);

	/*
	 * Bits of enum ob_transport_flag. Absent or 0: reachable by others, so the library demands
	 * encryption.
	 */
	uint32_t flags;
};

enum ob_transport_flag {
	/* Only processes of this host whom the kernel identifies can connect (unix): secrets may
	   cross in the clear. */
	OB_TRANSPORT_LOCAL = 1 << 0,
	/* Local, and yet a connection may die without a word while both ends live: one that is
	   silent is dialled anew. */
	OB_TRANSPORT_MAY_FALL_SILENT = 1 << 1,
	/* One connection at a time, as over a serial line: another dial waits or fails while there
	 * is one, and an address has no file that a dead process could leave behind. */
	OB_TRANSPORT_SINGLE = 1 << 2
};

#ifdef __cplusplus
}
#endif
#endif
