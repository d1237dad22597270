/* SPDX-License-Identifier: MIT */
/*
 * outboard/transport.h - how bytes get from one process to another.
 *
 * A transport claims URI schemes and makes listeners, dials and streams. Every descriptor that it
 * returns is non-blocking and close-on-exec from its creation on; the library does all the
 * watching. The plugin defines the three incomplete structs as it likes.
 *
 * The life of a connection:
 *
 *   dial() -> finish_dial() until it returns 0, or accept()
 *   -> handshake() until it returns OB_HANDSHAKE_DONE, if the table has one
 *   -> peer() and binding() -> readv()/writev() -> shutdown_write() -> close()
 *
 * The contract of a stream:
 *
 *  - The library drives: a plugin never calls back, and starts nothing by itself. close() may come
 *    at any moment, also during the handshake.
 *  - readv() may return fewer bytes than there are. The library reads again when the descriptor is
 *    readable, or when pending() says so.
 *  - writev() may take fewer bytes than it is given. After OB_EAGAIN the next writev() begins with
 *    the same bytes, which may be at another address, cut into other pieces, and more. What it has
 *    returned a count for reaches the peer also if the stream is closed next.
 *  - 0 of readv() is an end that the peer has announced, by shutdown_write(). A transport that
 *    seals returns OB_ECONNLOST if the stream was cut: close() alone announces nothing. The library
 *    calls shutdown_write() before it closes such a stream, unless the stream has failed or cannot
 *    take all that is to be written.
 *  - A wrapper reaches the transport below it by that one's table only, its descriptor included: it
 *    may wait for the descriptor and ask for the size of its buffers, but not read, write or shut
 *    it down.
 *
 * The form of addresses is that of struct ob_uri: SCHEME://HOST:PORT or SCHEME:///PATH, with an
 * optional ?QUERY. local_uri() writes an address that another process can dial.
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

/* Facts for listen(). Read each member under OB_HAS(). */
struct ob_listen_params {
	uint32_t size;
	/* The heartbeat interval, from which keepalive or user timeouts may be set; 0: none. */
	uint32_t heartbeat_ms;
	void *state; /* from configure() of the plugin; NULL: it has none */
	/* Connections that may wait to be accepted; 0: the transport's default. */
	uint32_t backlog;
	/* The caller holds the lock of the address's directory, so a socket that is left there is
	 * stale without further proof. */
	bool lock_held;
	/* For socket files: give it to this user, and take over a dead one of this user as well.
	 * The caller vouches for the directory: this user cannot change what is in it. 0 and
	 * (uint32_t)-1: it stays ours. */
	uint32_t owner;
};

/* Facts for dial(). Read each member under OB_HAS(). */
struct ob_dial_params {
	uint32_t size;
	uint32_t heartbeat_ms; /* as above */
	void *state;	       /* as above */
	/* For unix sockets: the address must be a socket of this user, and not a symbolic link.
	 * (uint32_t)-1: any user, and links are followed. */
	uint32_t owner;
};

/* How far a handshake has come. A peer that has shown nothing is the first to lose its preauth
 * slot, and one that has proved who it is the last. */
enum ob_handshake_state {
	OB_HANDSHAKE_DONE = 0,	  /* the stream can be used */
	OB_HANDSHAKE_SILENT = 1,  /* nothing of it has arrived */
	OB_HANDSHAKE_TALKING = 2, /* the beginning of a valid handshake has arrived */
	OB_HANDSHAKE_PROVEN = 3	  /* the peer is who its certificate says; messages are missing */
};

enum { OB_HANDSHAKE_MAX = 16384 };

struct ob_transport_ops {
	uint32_t size;
	/* Bits of enum ob_transport_flag. 0: others can reach it, so the library requires a
	 * mechanism that seals. */
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
		      const struct ob_listen_params *params, struct ob_listener **ret_listener,
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
		    const struct ob_dial_params *params, struct ob_dial **ret_dial,
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
	 * OB_ECONNLOST if the connection broke; OB_EAUTH if the peer has refused this end after its
	 * own handshake was done; else OB_EIO. EINTR is handled inside. Required.
	 */
	ptrdiff_t (*readv)(struct ob_stream *stream, const struct iovec *pieces, int count,
			   struct ob_error *reterr);

	/*
	 * Write the pieces. Returns a positive count, which may be short; OB_EAGAIN; OB_ECONNLOST;
	 * or OB_EIO. Raises no SIGPIPE. Required.
	 */
	ptrdiff_t (*writev)(struct ob_stream *stream, const struct iovec *pieces, int count,
			    struct ob_error *reterr);

	/*
	 * Send the end of the stream; reading goes on. OB_EAGAIN: call it again when the descriptor
	 * is writable. Required.
	 */
	int (*shutdown_write)(struct ob_stream *stream, struct ob_error *reterr);

	/* Close at once and free. stream may be NULL. Required. */
	void (*close)(struct ob_stream *stream);

	/*
	 * Fill in the facts about the peer that the kernel guarantees, or that the handshake has
	 * proved. ret->size is set by the caller. Called after accept(), and again after the
	 * handshake. A failure means that the peer is gone: the acceptor closes the stream. May be
	 * NULL: nothing is known.
	 */
	int (*peer)(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr);

	/*
	 * Take one step of the handshake, at either end: read at most once what has arrived, and
	 * write what there is to say. First called with revents 0, then after the wanted event;
	 * revents are bits of enum ob_io, or 0 when the deadline has passed, or when the library
	 * looks whether something has arrived, which it may do at any time. Returns enum
	 * ob_handshake_state, and unless it is OB_HANDSHAKE_DONE, *ret_want says what to wait for;
	 * or the code of a failure, with a reason for the log:
	 *
	 *   OB_EREFUSED, OB_ECONNLOST   the peer has ended, or the connection broke; who leaves
	 *                               while the state is OB_HANDSHAKE_SILENT has done no wrong
	 *   OB_EPROTO    not a handshake of this transport
	 *   OB_EAUTH     the peer is not who it should be, or says so of this end
	 *   OB_ETOOBIG   the peer sends more than OB_HANDSHAKE_MAX bytes
	 *   OB_EIO, OB_ENOMEM   no fault of the peer
	 *
	 * The plugin sends at most OB_HANDSHAKE_MAX bytes itself. The library limits the time, and
	 * closes the stream after a failure: what the peer shall learn of it is written before.
	 * NULL: there is no handshake.
	 */
	int (*handshake)(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			 struct ob_error *reterr);

	/*
	 * What to watch the descriptor for, bits of enum ob_io, so that the stream can do what
	 * `events` says: to read may need a write first. The library asks each time that it begins
	 * to wait; after any event it tries both reading and writing. NULL: `events` as they are.
	 */
	int (*want)(struct ob_stream *stream, int events);

	/*
	 * Whether readv() has something to return though the descriptor does not become readable:
	 * bytes that were read already, or an end or failure behind them. Then the library reads
	 * again without waiting. Asked after the handshake, and after each read or write. NULL: it
	 * never has.
	 */
	bool (*pending)(struct ob_stream *stream);

	/*
	 * The channel binding, after the handshake, as often as it is asked for: write
	 * OB_BINDING_MIN to OB_BINDING_MAX bytes (abi.h) that are the same at both ends, and that
	 * no one can make equal for two connections, whatever he sends. Required with
	 * OB_TRANSPORT_SEALED. A wrapper of a transport that seals passes it on. Else NULL.
	 */
	int (*binding)(struct ob_stream *stream, struct ob_sink *out);
};

enum ob_transport_flag {
	/* Only processes of this host can connect, and the kernel identifies them (unix): secrets
	 * may be sent without encryption. */
	OB_TRANSPORT_LOCAL = 1 << 0,
	/* Local, but a connection may die unnoticed: a silent one is replaced. */
	OB_TRANSPORT_MAY_FALL_SILENT = 1 << 1,
	/* One connection at a time, as on a serial line: another dial waits or fails in the
	 * meantime. An address has no file that a dead process could leave behind. */
	OB_TRANSPORT_SINGLE = 1 << 2,
	/* After its handshake every byte is encrypted and authenticated, and the acceptor has
	 * proved who it is: it needs no mechanism that seals, and no leave to send in the clear. */
	OB_TRANSPORT_SEALED = 1 << 3
};

#ifdef __cplusplus
}
#endif
#endif
