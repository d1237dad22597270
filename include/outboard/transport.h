/* SPDX-License-Identifier: MIT */
/*
 * outboard/transport.h - how bytes get from one process to another.
 *
 * A transport claims URI schemes and makes listeners, dials and streams. Every descriptor that it
 * returns is non-blocking and close-on-exec from its creation on; the library does all the
 * watching. The plugin defines the three incomplete structs as it likes.
 *
 * The life of a connection that is dialled:
 *
 *   dial() -> finish_dial() until it returns 0 -> readv()/writev() -> shutdown_write() -> close()
 */
#ifndef OUTBOARD_TRANSPORT_H
#define OUTBOARD_TRANSPORT_H

#include <outboard/abi.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ob_listener; /* a bound, listening address */
struct ob_dial;	    /* an attempt to connect */
struct ob_stream;   /* a connection */

/* Facts for listen() and dial(). Read each member under OB_HAS(). */
struct ob_stream_params {
	uint32_t size;
	/* The heartbeat interval, from which keepalive or user timeouts may be set; 0: none. */
	uint32_t heartbeat_ms;
	void *state; /* from configure() of the plugin; NULL: it has none */
	/* listen only: the caller holds the lock of the address's directory, so a socket that is
	 * left there is stale without further proof. */
	bool lock_held;
	/* listen only: connections that may wait to be accepted; 0: the transport's default. */
	uint32_t backlog;
	/* dial only, for unix sockets, and only if check_owner is set: the address must be a socket
	 * of this user, and not a symbolic link. */
	uint32_t owner;
	bool check_owner;
};

struct ob_transport_ops {
	uint32_t size;
	/* Bits of enum ob_transport_flag. 0: others can reach it, so the library requires
	 * encryption. */
	uint32_t flags;

	/*
	 * The schemes that it claims: lower case, ended by NULL. Required, with at least one. A
	 * scheme that ends in '+' stands for all that begin like it, except those that another
	 * transport claims in full: a wrapper of other transports claims "chaos+".
	 */
	const char *const *schemes;

	/*
	 * Bind and listen. An address left behind by a dead process is taken over. Port 0 asks for
	 * a free port. Required.
	 *
	 *   OB_EEXIST  the address is in use, belongs to another user, or is not a socket (which is
	 *              never removed)
	 *   OB_EINVAL  the URI is not one of this transport, or is too long
	 */
	int (*listen)(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_stream_params *params, struct ob_listener **ret_listener,
		      struct ob_error *reterr);

	/* The descriptor to watch for OB_READABLE. Required. */
	int (*listener_fd)(struct ob_listener *listener);

	/*
	 * Accept one waiting connection. Required.
	 *
	 *   OB_EAGAIN  none is waiting, or it is gone already: call again when readable
	 *   OB_ENOMEM  out of descriptors or buffers: the caller pauses
	 *
	 * Any other failure is final.
	 */
	int (*accept)(struct ob_listener *listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr);

	/* Write the URI that was bound, with the real port in place of port 0. Required. */
	int (*local_uri)(struct ob_listener *listener, struct ob_sink *out);

	/*
	 * Stop listening, and remove what bind created if it is still the same. listener may be
	 * NULL. Required.
	 */
	void (*listener_close)(struct ob_listener *listener);

	/*
	 * Begin to connect. Never blocks. On OB_OK *ret_want says what to wait for; an attempt that
	 * succeeded at once wants OB_WRITABLE, or a deadline of 0. Required.
	 *
	 *   OB_EINVAL    as for listen
	 *   OB_EREFUSED, OB_ENOENT   when the kernel reports it at once
	 *   OB_EAGAIN    the backlog of the peer is full: dial again later, nothing to watch
	 */
	int (*dial)(const struct ob_host *host, const struct ob_uri *uri,
		    const struct ob_stream_params *params, struct ob_dial **ret_dial,
		    struct ob_want *ret_want, struct ob_error *reterr);

	/*
	 * Continue after the wanted event. revents are bits of enum ob_io, or 0 when the deadline
	 * has passed. Required.
	 *
	 *   0          connected: *ret_stream is set. The dial must still be closed
	 *   OB_EAGAIN  wait for *ret_want
	 *
	 * Anything else means that the attempt failed: OB_ETIMEDOUT or OB_EREFUSED if nothing
	 * listens there.
	 */
	int (*finish_dial)(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			   struct ob_want *ret_want, struct ob_error *reterr);

	/*
	 * End a dial in any state and free it. A stream that it returned is not affected. dial may
	 * be NULL. Required.
	 */
	void (*dial_close)(struct ob_dial *dial);

	/* The descriptor to watch. It never changes. Required. */
	int (*fd)(struct ob_stream *stream);

	/*
	 * Read into the pieces. Returns a positive count; 0 at the end of the stream; OB_EAGAIN;
	 * OB_ECONNLOST if the connection broke; else OB_EIO. EINTR is handled inside. Required.
	 */
	ptrdiff_t (*readv)(struct ob_stream *stream, const struct iovec *pieces, int count,
			   struct ob_error *reterr);

	/*
	 * Write the pieces. Returns a positive count, which may be short; OB_EAGAIN; OB_ECONNLOST;
	 * or OB_EIO. Raises no SIGPIPE. Required.
	 */
	ptrdiff_t (*writev)(struct ob_stream *stream, const struct iovec *pieces, int count,
			    struct ob_error *reterr);

	/* Send the end of the stream; reading goes on. Required. */
	int (*shutdown_write)(struct ob_stream *stream, struct ob_error *reterr);

	/* Close at once and free. stream may be NULL. Required. */
	void (*close)(struct ob_stream *stream);

	/*
	 * Fill in the facts about the peer that the kernel guarantees. ret->size is set by the
	 * caller. A failure means that the peer is gone: the acceptor closes the stream. May be
	 * NULL: nothing is known.
	 */
	int (*peer)(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr);
};

enum ob_transport_flag {
	/* Only processes of this host can connect, and the kernel identifies them (unix): secrets
	 * may be sent without encryption. */
	OB_TRANSPORT_LOCAL = 1 << 0,
	/* Local, but a connection may die unnoticed: a silent one is replaced. */
	OB_TRANSPORT_MAY_FALL_SILENT = 1 << 1,
	/* One connection at a time, as on a serial line: another dial waits or fails in the
	 * meantime. An address has no file that a dead process could leave behind. */
	OB_TRANSPORT_SINGLE = 1 << 2
};

#ifdef __cplusplus
}
#endif
#endif
