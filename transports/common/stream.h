/* SPDX-License-Identifier: MIT */
/*
 * common/stream - a connection over a socket, the same for every transport; and the parts of
 * accepting and dialing that do not depend on the address either.
 *
 * The functions have the shapes of struct ob_transport_ops, and go into its table as they are.
 * Compiled into each transport; it needs no library.
 */
#ifndef OB_TRANSPORTS_COMMON_STREAM_H
#define OB_TRANSPORTS_COMMON_STREAM_H

#include <outboard/transport.h>

struct ob_stream {
	const struct ob_host *host;
	int fd;
	int pidfd; /* of the peer, once asked for; -1 */
};

/* A stream that has no socket yet, so that nothing can fail once there is one: set fd, or close it.
 * NULL: out of memory. */
struct ob_stream *obi_stream_new(const struct ob_host *host);

int obi_stream_fd(struct ob_stream *stream);
ptrdiff_t obi_stream_readv(struct ob_stream *stream, const struct iovec *pieces, int count,
			   struct ob_error *reterr);
ptrdiff_t obi_stream_writev(struct ob_stream *stream, const struct iovec *pieces, int count,
			    struct ob_error *reterr);
int obi_stream_shutdown_write(struct ob_stream *stream, struct ob_error *reterr);
void obi_stream_close(struct ob_stream *stream);

/*
 * Who is at the other end of an AF_UNIX socket: the process that called connect(), or listen(). The
 * pid is left out when it is not visible from our pid namespace, the pidfd where the kernel has
 * none to give. The pidfd stays the stream's.
 */
int obi_stream_peer_unix(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr);

/*
 * Take a connection from a listening socket, with the results that ob_transport_ops.accept
 * promises: OB_EAGAIN also for one that died, or that a firewall took back, before we had it;
 * OB_ENOMEM when out of descriptors or buffers.
 */
int obi_stream_accept(const struct ob_host *host, int listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr);

/* What became of a connect() that was under way: 0, connected; EINPROGRESS; or why it failed. */
int obi_connect_outcome(int fd);

/* The OB_E... code for a failed socket(), bind() or connect(). */
int obi_socket_code(int sys);

#endif
