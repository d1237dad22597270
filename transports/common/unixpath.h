/* SPDX-License-Identifier: MIT */
/*
 * common/unixpath - stream sockets in the file system: bind one, remove it again, connect to one.
 *
 * Paths longer than the 107 bytes of a sockaddr_un work where /proc is mounted: they are reached
 * through a descriptor.
 */
#ifndef OB_TRANSPORTS_COMMON_UNIXPATH_H
#define OB_TRANSPORTS_COMMON_UNIXPATH_H

#include <outboard/transport.h>
#include <sys/types.h>

/* A listening socket and its place in the file system. */
struct obi_unixpath {
	int fd;	 /* non-blocking, close-on-exec */
	int dir; /* its directory, which may be moved while we listen */
	char *path;
	bool bound; /* path holds a socket that we made, with this identity: */
	dev_t dev;
	ino_t ino;
};

/*
 * Bind and listen. The socket has mode 0600 (less the umask) from its first moment, and the umask
 * of the process, which other threads share, is left alone.
 *
 * What lies at path already is removed only if it is a socket, belongs to our user, and is dead:
 * lock_held says so, or a connect is refused. Without the lock, two servers that start at the same
 * moment may both find the old socket dead, and the later one wins the path: who needs certainty,
 * takes a lock.
 *
 * OB_EEXIST: a live server, another user's socket, or no socket at all, is in the way. OB_ENOENT:
 * no such directory. OB_EINVAL: path is not absolute, ends in '/', or its last part is too long.
 * Else as obi_socket_code(). On success *ret must be closed.
 */
int obi_unixpath_listen(const struct ob_host *host, const char *path, bool lock_held,
			uint32_t backlog, struct obi_unixpath *ret, struct ob_error *reterr);

/* Give the socket's file another mode, whatever the umask. Only what we made is touched, and only
 * there. */
int obi_unixpath_set_mode(const struct ob_host *host, const struct obi_unixpath *place, mode_t mode,
			  struct ob_error *reterr);

/* Remove the socket from the file system, if what is there is still what we made; close it. */
void obi_unixpath_close(struct obi_unixpath *place);

/* Any user's socket, and through symbolic links. */
#define OBI_UNIXPATH_ANY_OWNER ((uid_t)-1)

/*
 * Connect, non-blocking: it succeeds or fails at once. With an owner, what lies at path must be a
 * socket of that user: it is opened first, without following a link, and connected to as it is, so
 * that nobody can put another in its place between the look and the connect. OB_EAGAIN: the backlog
 * is full; there is nothing to watch, so try anew later. OB_ENOENT, OB_EREFUSED (nobody listens, or
 * it is no socket), OB_EPERM.
 */
int obi_unixpath_connect(const struct ob_host *host, const char *path, uid_t owner, int *ret_fd,
			 struct ob_error *reterr);

/* Append path as a URI has it, percent-encoded where it must be. Returns whether it fits. */
bool obi_unixpath_encode(const char *path, struct ob_sink *out);

#endif
