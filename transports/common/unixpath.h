/* SPDX-License-Identifier: MIT */
/*
 * common/unixpath - stream sockets in the file system: bind, remove, connect.
 *
 * Paths longer than the 107 bytes of a sockaddr_un need a mounted /proc: they are reached through a
 * descriptor.
 */
#ifndef OB_TRANSPORTS_COMMON_UNIXPATH_H
#define OB_TRANSPORTS_COMMON_UNIXPATH_H

#include <outboard/transport.h>
#include <sys/types.h>

/* A listening socket and its place in the file system. */
struct obi_unixpath {
	int fd;	 /* non-blocking, close-on-exec */
	int dir; /* the directory of the socket; it may be moved while we listen */
	char *path;
	bool bound; /* we created the socket at path; its identity is: */
	dev_t dev;
	ino_t ino;
};

/*
 * Bind and listen. The socket has mode 0600 (less the umask) from the beginning. The umask of the
 * process, which other threads share, is not changed.
 *
 * An existing file at path is removed only if it is a dead socket of our user, or of params->owner,
 * who also gets the new one. It is dead if lock_held is set or a connect is refused. Without the
 * lock, two servers that start at the same moment may both find the old socket dead; the later one
 * then gets the path. A server that must exclude this takes a lock.
 *
 * OB_EEXIST: the file at path belongs to a live server or another user, or is not a socket.
 * OB_ENOENT: no such directory. OB_EINVAL: path is not absolute, ends in '/', or its last part is
 * too long. Otherwise as obi_socket_code(). On success, close *ret.
 */
int obi_unixpath_listen(const struct ob_host *host, const char *path,
			const struct ob_listen_params *params, struct obi_unixpath *ret,
			struct ob_error *reterr);

/* Change the mode of the socket file, whatever the umask. The file must still be the one that we
 * created. */
int obi_unixpath_set_mode(const struct ob_host *host, const struct obi_unixpath *place, mode_t mode,
			  struct ob_error *reterr);

/* Remove the socket file if it is still the one that we created, and close the socket. */
void obi_unixpath_close(struct obi_unixpath *place);

/* Any user's socket, and through symbolic links. */
#define OBI_UNIXPATH_ANY_OWNER ((uid_t)-1)

/*
 * Connect without waiting: it succeeds or fails at once. With an owner, path must be a socket of
 * that user: it is opened first, without following a link, and the connect goes to the opened file,
 * so that it cannot be replaced in between. OB_EAGAIN: the backlog is full, and no descriptor tells
 * when it has room: try again later. OB_ENOENT, OB_EREFUSED (no listener, or not a socket),
 * OB_EPERM.
 */
int obi_unixpath_connect(const struct ob_host *host, const char *path, uid_t owner, int *ret_fd,
			 struct ob_error *reterr);

/* Append path in the form of a URI, percent-encoded where needed. Returns whether it fits. */
bool obi_unixpath_encode(const char *path, struct ob_sink *out);

#endif
