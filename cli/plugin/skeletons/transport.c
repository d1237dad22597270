/* SPDX-License-Identifier: MIT */
/*
 * skeleton - a transport for outboard: skeleton:///absolute/path, a stream socket in the file
 * system. It is small, complete, and meant to be changed.
 *
 * Every descriptor is created non-blocking and close-on-exec. No function waits: the library
 * watches the descriptors, and calls again when one is ready.
 */
#define _GNU_SOURCE
#include <outboard/transport.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct ob_stream {
	const struct ob_host *host;
	int fd;
};

/* A connect to such a socket succeeds or fails at once, so a dial only holds the stream. */
struct ob_dial {
	struct ob_stream *stream;
};

struct ob_listener {
	const struct ob_host *host;
	int fd;
	struct sockaddr_un address;
	dev_t dev; /* of the file: only the same file is removed at the end */
	ino_t ino;
};

/* ---- Addresses ---- */

static int address_of(const struct ob_host *host, const struct ob_uri *uri, struct sockaddr_un *ret,
		      struct ob_error *reterr)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (uri->host.len != 0 || uri->port != -1 || uri->query.len != 0 || uri->path.len < 2 ||
	    uri->path.data[0] != '/') {
		return host->fail(reterr, OB_EINVAL, 0,
				  "'%.*s' is not of the form skeleton:///absolute/path",
				  (int)uri->text.len, (const char *)uri->text.data);
	}
	if (uri->path.len >= sizeof ret->sun_path) {
		return host->fail(reterr, OB_EINVAL, ENAMETOOLONG, "%s",
				  (const char *)uri->path.data);
	}
	memcpy(ret->sun_path, uri->path.data, uri->path.len);
	return OB_OK;
}

/* The code for an errno of bind, connect or accept. */
static int code_of(int sys)
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
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return OB_ENOMEM;
	default:
		return OB_EIO;
	}
}

/* A connected socket, or a negative errno. */
static int connect_to(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
		int sys = errno;
		close(fd);
		return -sys;
	}
	return fd >= 0 ? fd : -errno;
}

/* ---- Listener ---- */

/* Remove the socket of a dead server, but not one that answers, nor any other kind of file. */
static bool make_way(const struct sockaddr_un *address)
{
	struct stat st;
	if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid()) {
		return false;
	}
	int fd = connect_to(address);
	if (fd >= 0) {
		close(fd);
	}
	return fd == -ECONNREFUSED && unlink(address->sun_path) == 0;
}

/* The file gets the mode of the socket, so others can never connect. */
static int bind_to(struct ob_listener *l)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	l->fd = fd;
	if (fd < 0 || fchmod(fd, S_IRUSR | S_IWUSR) != 0) {
		return errno;
	}
	return bind(fd, (const struct sockaddr *)&l->address, sizeof l->address) == 0 ? 0 : errno;
}

static int start(struct ob_listener *l, uint32_t backlog)
{
	struct stat st;
	int sys = bind_to(l);
	if (sys == EADDRINUSE && make_way(&l->address)) {
		close(l->fd);
		sys = bind_to(l);
	}
	if (sys == 0 && listen(l->fd, backlog < INT_MAX ? (int)backlog : INT_MAX) != 0) {
		sys = errno;
	}
	if (sys == 0 && lstat(l->address.sun_path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	return sys;
}

static int listen_at(const struct ob_host *host, const struct ob_uri *uri,
		     const struct ob_listen_params *params, struct ob_listener **ret_listener,
		     struct ob_error *reterr)
{
	uint32_t backlog =
	    OB_HAS(params, backlog) && params->backlog > 0 ? params->backlog : SOMAXCONN;
	struct ob_listener own = {.host = host, .fd = -1};
	int rc = address_of(host, uri, &own.address, reterr);
	if (rc < 0) {
		return rc;
	}
	struct ob_listener *l = malloc(sizeof *l);
	int sys = l != NULL ? start(&own, backlog) : ENOMEM;
	if (sys != 0) {
		if (own.fd >= 0) {
			close(own.fd);
		}
		free(l);
		return host->fail(reterr, code_of(sys), sys, "listening on %s",
				  own.address.sun_path);
	}
	*l = own;
	*ret_listener = l;
	return OB_OK;
}

static int listener_fd(struct ob_listener *l)
{
	return l->fd;
}

static int local_uri(struct ob_listener *l, struct ob_sink *out)
{
	return ob_sink_text(out, "skeleton://") && ob_sink_text(out, l->address.sun_path)
		   ? OB_OK
		   : OB_ENOMEM;
}

static void listener_close(struct ob_listener *l)
{
	struct stat st;
	if (l == NULL) {
		return;
	}
	if (lstat(l->address.sun_path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino) {
		unlink(l->address.sun_path);
	}
	close(l->fd);
	free(l);
}

/* ---- Streams ---- */

static struct ob_stream *stream_of(const struct ob_host *host, int fd)
{
	struct ob_stream *s = malloc(sizeof *s);
	if (s != NULL) {
		*s = (struct ob_stream){host, fd};
	} else if (fd >= 0) {
		close(fd);
	}
	return s;
}

static int accept_one(struct ob_listener *l, struct ob_stream **ret_stream, struct ob_error *reterr)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		bool gone = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
		return gone
			   ? OB_EAGAIN
			   : l->host->fail(reterr, code_of(errno), errno, "accepting a connection");
	}
	struct ob_stream *s = stream_of(l->host, fd);
	if (s == NULL) {
		return l->host->fail(reterr, OB_ENOMEM, 0, "accepting a connection: out of memory");
	}
	*ret_stream = s;
	return OB_OK;
}

static int stream_fd(struct ob_stream *s)
{
	return s->fd;
}

static int broken(const struct ob_stream *s, struct ob_error *reterr)
{
	if (errno == EAGAIN) {
		return OB_EAGAIN; /* not a failure */
	}
	bool lost = errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN;
	return s->host->fail(reterr, lost ? OB_ECONNLOST : OB_EIO, errno, "the connection broke");
}

static ptrdiff_t stream_readv(struct ob_stream *s, const struct iovec *pieces, int count,
			      struct ob_error *reterr)
{
	ssize_t n;
	do {
		n = readv(s->fd, pieces, count < IOV_MAX ? count : IOV_MAX);
	} while (n < 0 && errno == EINTR);
	return n >= 0 ? n : broken(s, reterr);
}

/* MSG_NOSIGNAL: a peer that is gone must not raise SIGPIPE. */
static ptrdiff_t stream_writev(struct ob_stream *s, const struct iovec *pieces, int count,
			       struct ob_error *reterr)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
			     .msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX)};
	ssize_t n;
	do {
		n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n >= 0 ? n : broken(s, reterr);
}

static int shutdown_write(struct ob_stream *s, struct ob_error *reterr)
{
	return shutdown(s->fd, SHUT_WR) == 0 ? OB_OK : broken(s, reterr);
}

/* Only facts that the kernel guarantees are set in `known`. */
static int peer(struct ob_stream *s, struct ob_peer *ret, struct ob_error *reterr)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
		return s->host->fail(reterr, OB_EIO, errno, "looking up the peer");
	}
	ret->known = OB_PEER_UID | (cred.pid > 0 ? OB_PEER_PID : 0);
	ret->uid = cred.uid;
	ret->gid = cred.gid;
	ret->pid = cred.pid;
	return OB_OK;
}

static void stream_close(struct ob_stream *s)
{
	if (s != NULL) {
		close(s->fd);
		free(s);
	}
}

/* ---- Dials ---- */

static int dial(const struct ob_host *host, const struct ob_uri *uri,
		const struct ob_dial_params *params, struct ob_dial **ret_dial,
		struct ob_want *ret_want, struct ob_error *reterr)
{
	struct sockaddr_un address;
	(void)params;
	int rc = address_of(host, uri, &address, reterr);
	if (rc < 0) {
		return rc;
	}
	int fd = connect_to(&address);
	if (fd < 0) {
		return host->fail(reterr, code_of(-fd), -fd, "connecting to %s", address.sun_path);
	}
	struct ob_dial *d = malloc(sizeof *d);
	struct ob_stream *s = stream_of(host, fd);
	if (d == NULL || s == NULL) {
		free(d);
		stream_close(s);
		return host->fail(reterr, OB_ENOMEM, 0, "connecting to %s: out of memory",
				  address.sun_path);
	}
	d->stream = s;
	*ret_dial = d;
	*ret_want = (struct ob_want){.fd = -1, .deadline = 0}; /* nothing to wait for */
	return OB_OK;
}

static int finish_dial(struct ob_dial *d, int revents, struct ob_stream **ret_stream,
		       struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)revents, (void)ret_want, (void)reterr;
	*ret_stream = d->stream;
	d->stream = NULL;
	return OB_OK;
}

static void dial_close(struct ob_dial *d)
{
	if (d != NULL) {
		stream_close(d->stream);
		free(d);
	}
}

/* ---- Table ---- */

static const char *const schemes[] = {"skeleton", NULL};

/* OB_TRANSPORT_LOCAL: only processes of this host can connect, and the kernel identifies them.
 * Without this flag the library requires encryption. */
static const struct ob_transport_ops ops = {
    .size = sizeof ops,
    .schemes = schemes,
    .listen = listen_at,
    .listener_fd = listener_fd,
    .accept = accept_one,
    .local_uri = local_uri,
    .listener_close = listener_close,
    .dial = dial,
    .finish_dial = finish_dial,
    .dial_close = dial_close,
    .fd = stream_fd,
    .readv = stream_readv,
    .writev = stream_writev,
    .shutdown_write = shutdown_write,
    .peer = peer,
    .close = stream_close,
    .flags = OB_TRANSPORT_LOCAL,
};

static const struct ob_plugin plugin = {
    .size = sizeof plugin,
    .kind = OB_PLUGIN_TRANSPORT,
    .name = "skeleton",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&plugin);
