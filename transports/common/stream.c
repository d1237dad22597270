/* SPDX-License-Identifier: MIT */
#include "common/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5, asm-generic; older C libraries do not know it */
#endif

struct ob_stream *obi_stream_new(const struct ob_host *host)
{
	struct ob_stream *stream = malloc(sizeof *stream);
	if (stream != NULL) {
		*stream = (struct ob_stream){.host = host, .fd = -1, .pidfd = -1};
	}
	return stream;
}

int obi_stream_fd(struct ob_stream *stream)
{
	return stream->fd;
}

void obi_stream_close(struct ob_stream *stream)
{
	if (stream == NULL) {
		return;
	}
	if (stream->pidfd >= 0) {
		close(stream->pidfd);
	}
	if (stream->fd >= 0) {
		close(stream->fd);
	}
	free(stream);
}

/* ---- Bytes ---- */

/* The result for errno of a failed call. OB_EAGAIN is no failure and sets no error text. */
static int broken(const struct ob_stream *stream, const char *doing, struct ob_error *reterr)
{
	switch (errno) {
	case EAGAIN:
		return OB_EAGAIN;
	case EPIPE:
	case ECONNRESET:
	case ECONNABORTED:
	case ENOTCONN:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
		return stream->host->fail(reterr, OB_ECONNLOST, errno, "%s the connection", doing);
	default:
		return stream->host->fail(reterr, OB_EIO, errno, "%s the connection", doing);
	}
}

static int limited(int count)
{
	return count < IOV_MAX ? count : IOV_MAX;
}

/* Most often there is one piece, and recv() and send() are cheaper for one than readv() and
 * sendmsg(). */
static ssize_t read_pieces(int fd, const struct iovec *pieces, int count)
{
	return count == 1 ? recv(fd, pieces->iov_base, pieces->iov_len, 0)
			  : readv(fd, pieces, limited(count));
}

static ssize_t write_pieces(int fd, const struct iovec *pieces, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
			     .msg_iovlen = (size_t)limited(count)};
	return count == 1 ? send(fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL)
			  : sendmsg(fd, &msg, MSG_NOSIGNAL);
}

/* There is no buffer for control messages, so the kernel drops descriptors that the peer sends. */
ptrdiff_t obi_stream_readv(struct ob_stream *stream, const struct iovec *pieces, int count,
			   struct ob_error *reterr)
{
	ssize_t n;
	do {
		n = read_pieces(stream->fd, pieces, count);
	} while (n < 0 && errno == EINTR);
	return n >= 0 ? n : broken(stream, "reading from", reterr);
}

ptrdiff_t obi_stream_writev(struct ob_stream *stream, const struct iovec *pieces, int count,
			    struct ob_error *reterr)
{
	ssize_t n;
	do {
		n = write_pieces(stream->fd, pieces, count);
	} while (n < 0 && errno == EINTR);
	return n >= 0 ? n : broken(stream, "writing to", reterr);
}

int obi_stream_shutdown_write(struct ob_stream *stream, struct ob_error *reterr)
{
	return shutdown(stream->fd, SHUT_WR) == 0 ? OB_OK : broken(stream, "shutting down", reterr);
}

/* The kernel doubles what it is told, and reports the double. */
void obi_stream_send_room(int fd, int bytes)
{
	int now = 0;
	socklen_t len = sizeof now;
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &now, &len) == 0 && now < 2 * bytes) {
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	}
}

/* ---- Peer facts ---- */

/* Asked once for each stream, because each getsockopt() makes a new descriptor. */
static int peer_pidfd(struct ob_stream *stream)
{
	int pidfd;
	socklen_t len = sizeof pidfd;
	if (stream->pidfd < 0 &&
	    getsockopt(stream->fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0) {
		stream->pidfd = pidfd;
	}
	return stream->pidfd;
}

int obi_stream_peer_unix(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	if (getsockopt(stream->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
		return stream->host->fail(reterr, OB_EIO, errno, "looking up the peer");
	}
	ret->known = OB_PEER_UID;
	ret->uid = cred.uid;
	ret->gid = cred.gid;
	if (cred.pid > 0) {
		ret->known |= OB_PEER_PID;
		ret->pid = cred.pid;
	}
	if (OB_HAS(ret, pidfd) && peer_pidfd(stream) >= 0) {
		ret->known |= OB_PEER_PIDFD;
		ret->pidfd = stream->pidfd;
	}
	return OB_OK;
}

/* ---- Accept and dial ---- */

static int accept_failure(const struct ob_host *host, struct ob_error *reterr)
{
	switch (errno) {
	case EAGAIN:
	case EINTR:
	/* The connection was aborted, or refused by a security module or a firewall, while it
	 * waited. */
	case ECONNABORTED:
	case EPROTO:
	case EPERM:
	/* Linux reports errors that are pending on the new socket. */
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return OB_EAGAIN;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return host->fail(reterr, OB_ENOMEM, errno, "accepting a connection");
	default:
		return host->fail(reterr, OB_EIO, errno, "accepting a connection");
	}
}

int obi_stream_accept(const struct ob_host *host, int listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr)
{
	struct ob_stream *stream = obi_stream_new(host);
	if (stream == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "accepting a connection: out of memory");
	}
	stream->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (stream->fd < 0) {
		int rc = accept_failure(host, reterr);
		obi_stream_close(stream);
		return rc;
	}
	*ret_stream = stream;
	return OB_OK;
}

int obi_connect_outcome(int fd)
{
	struct pollfd now = {.fd = fd, .events = POLLOUT};
	int sys = 0;
	socklen_t len = sizeof sys;
	int n;
	do {
		n = poll(&now, 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0) {
		return EINPROGRESS;
	}
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) == 0 ? sys : errno;
}

int obi_socket_code(int sys)
{
	switch (sys) {
	case EAGAIN:
		return OB_EAGAIN;
	case ECONNREFUSED:
		return OB_EREFUSED;
	case ENOENT:
	case ENOTDIR:
		return OB_ENOENT;
	case EACCES:
	case EPERM:
		return OB_EPERM;
	case EADDRINUSE:
		return OB_EEXIST;
	case EINVAL:
	case ENAMETOOLONG:
	case EAFNOSUPPORT:
	case EADDRNOTAVAIL:
		return OB_EINVAL;
	case ETIMEDOUT:
		return OB_ETIMEDOUT;
	case ECONNRESET:
		return OB_ECONNLOST;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return OB_ENOMEM;
	default:
		return OB_EIO;
	}
}
