/* SPDX-License-Identifier: MIT */
/*
 * common/stream - a connection over a socket, and the parts of accept and dial that do not depend
 * on the kind of address.
 *
 * The functions have the types of the members of struct ob_transport_ops. Every socket transport
 * is linked with them.
 */
#ifndef OB_TRANSPORTS_COMMON_STREAM_H
#define OB_TRANSPORTS_COMMON_STREAM_H

#include <outboard/transport.h>

struct ob_stream {
	const struct ob_host *host;
	int fd;
	int pidfd; /* of the peer; -1 until it is asked for */
};

/* A stream without a socket: no allocation is left that could fail after connect() or accept().
 * The caller sets fd, or closes the stream. NULL: out of memory. */
struct ob_stream *obi_stream_new(const struct ob_host *host);

int obi_stream_fd(struct ob_stream *stream);
ptrdiff_t obi_stream_readv(struct ob_stream *stream, const struct iovec *pieces, int count,
			   struct ob_error *reterr);
ptrdiff_t obi_stream_writev(struct ob_stream *stream, const struct iovec *pieces, int count,
			    struct ob_error *reterr);
int obi_stream_shutdown_write(struct ob_stream *stream, struct ob_error *reterr);
void obi_stream_close(struct ob_stream *stream);

/*
 * The peer of an AF_UNIX socket: the process that called connect() or listen(). The pid is missing
 * if it is not visible in our pid namespace, the pidfd if the kernel cannot give one. The pidfd
 * belongs to the stream.
 */
int obi_stream_peer_unix(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr);

/* Let the kernel keep this many bytes that were written and not read, if it keeps fewer; at most
 * what net.core.wmem_max allows. The kernel counts what it needs around the bytes as well. */
void obi_stream_send_room(int fd, int bytes);

/*
 * Accept a connection, with the results of ob_transport_ops.accept. OB_EAGAIN also if the
 * connection ended, or a firewall removed it, before it was accepted. OB_ENOMEM: out of
 * descriptors or buffers.
 */
int obi_stream_accept(const struct ob_host *host, int listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr);

/* The state of a connect() in progress: 0 if connected, EINPROGRESS, or the errno of the failure.
 */
int obi_connect_outcome(int fd);

/* The OB_E... code for a failed socket(), bind() or connect(). */
int obi_socket_code(int sys);

#endif
