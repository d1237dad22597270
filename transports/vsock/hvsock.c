/* SPDX-License-Identifier: MIT */
/*
 * The hvsock transport: hvsock:///path/to/v.sock:port, the hybrid vsock of Firecracker and Cloud
 * Hypervisor: a unix socket of the VMM on the host, without vsock in the host's kernel.
 *
 * To a guest: connect to the path, send "CONNECT port\n", read "OK hostport\n"; the bytes that
 * follow are the guest's. From a guest: the VMM connects to a unix socket that we bind at
 * path_port.
 *
 * The kernel's facts about the peer describe the VMM, not the program in the guest.
 */
#include "vsock/vsock.h"

#include "common/stream.h"
#include "common/unixpath.h"
#include "vsock/reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A guest that is not ready may never answer. A new attempt is better then. */
enum { HANDSHAKE_MS = 3000 };

struct ob_listener {
	const struct ob_host *host;
	struct obi_unixpath place;
	char *path; /* the socket of the VMM */
	int32_t port;
};

struct ob_dial {
	const struct ob_host *host;
	struct ob_stream *stream;
	int64_t deadline;
	int32_t port;
	char line[OBI_HVSOCK_REPLY_MAX];
	size_t len;
};

static int check_form(const struct ob_host *host, const struct ob_uri *uri, int32_t least,
		      struct ob_error *reterr)
{
	const uint8_t *path = uri->path.data;
	if (uri->host.len != 0 || uri->query.len != 0 || uri->path.len < 2 || path[0] != '/' ||
	    uri->port < least) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "'%.*s' is not of the form hvsock:///path/to/v.sock:port, with a "
				  "port from %d on",
				  (int)uri->text.len, (const char *)uri->text.data, least);
	}
	return OB_OK;
}

/* ---- Listener ---- */

static void hvsock_listener_close(struct ob_listener *listener)
{
	if (listener != NULL) {
		obi_unixpath_close(&listener->place);
		free(listener->path);
		free(listener);
	}
}

static int listen_at(struct ob_listener *listener, int32_t port,
		     const struct ob_listen_params *params, struct ob_error *reterr)
{
	char *path;
	if (asprintf(&path, "%s_%d", listener->path, port) < 0) {
		return listener->host->fail(reterr, OB_ENOMEM, 0, "listening: out of memory");
	}
	int rc = obi_unixpath_listen(listener->host, path, params, &listener->place, reterr);
	listener->port = port;
	free(path);
	return rc;
}

static int listen_somewhere(struct ob_listener *listener, int32_t port,
			    const struct ob_listen_params *params, struct ob_error *reterr)
{
	int rc = OB_EEXIST;
	if (port != 0) {
		return listen_at(listener, port, params, reterr);
	}
	for (int tries = 0; rc == OB_EEXIST && tries < OBI_VSOCK_TRIES; tries++) {
		rc = listen_at(listener, obi_vsock_any_port(), params, reterr);
	}
	return rc;
}

static int hvsock_listen(const struct ob_host *host, const struct ob_uri *uri,
			 const struct ob_listen_params *params, struct ob_listener **ret_listener,
			 struct ob_error *reterr)
{
	int rc = check_form(host, uri, 0, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	struct ob_listener *listener = malloc(sizeof *listener);
	if (listener == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "listening: out of memory");
	}
	*listener = (struct ob_listener){.host = host,
					 .place = {.fd = -1, .dir = -1},
					 .path = strdup((const char *)uri->path.data)};
	rc = listener->path != NULL ? listen_somewhere(listener, uri->port, params, reterr)
				    : host->fail(reterr, OB_ENOMEM, 0, "listening: out of memory");
	if (rc != OB_OK) {
		hvsock_listener_close(listener);
		return rc;
	}
	*ret_listener = listener;
	return OB_OK;
}

static int hvsock_listener_fd(struct ob_listener *listener)
{
	return listener->place.fd;
}

static int hvsock_accept(struct ob_listener *listener, struct ob_stream **ret_stream,
			 struct ob_error *reterr)
{
	return obi_stream_accept(listener->host, listener->place.fd, ret_stream, reterr);
}

static int hvsock_local_uri(struct ob_listener *listener, struct ob_sink *out)
{
	char port[16];
	snprintf(port, sizeof port, ":%d", listener->port);
	ob_sink_text(out, "hvsock://");
	obi_unixpath_encode(listener->path, out);
	return ob_sink_text(out, port) ? OB_OK : OB_ENOMEM;
}

/* ---- Dial ---- */

static void hvsock_dial_close(struct ob_dial *dial)
{
	if (dial != NULL) {
		obi_stream_close(dial->stream);
		free(dial);
	}
}

static int gone(const struct ob_dial *dial, int sys, struct ob_error *reterr)
{
	return dial->host->fail(reterr, OB_EREFUSED, sys,
				"the VMM closed the connection on CONNECT %d: no listener on this "
				"port in the guest, or the guest is not ready",
				dial->port);
}

/* The buffer of a new socket has room for this line. */
static int say_connect(struct ob_dial *dial, struct ob_error *reterr)
{
	char line[32];
	int len = snprintf(line, sizeof line, "CONNECT %d\n", dial->port);
	ssize_t n = send(dial->stream->fd, line, (size_t)len, MSG_NOSIGNAL);
	if (n == len) {
		return OB_OK;
	}
	return n < 0 && (errno == EPIPE || errno == ECONNRESET)
		   ? gone(dial, errno, reterr)
		   : dial->host->fail(reterr, OB_EIO, n < 0 ? errno : 0,
				      "sending CONNECT %d to the VMM", dial->port);
}

static int hvsock_dial(const struct ob_host *host, const struct ob_uri *uri,
		       const struct ob_dial_params *params, struct ob_dial **ret_dial,
		       struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)params;
	int rc = check_form(host, uri, 1, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	struct ob_dial *dial = calloc(1, sizeof *dial);
	if (dial == NULL || (dial->stream = obi_stream_new(host)) == NULL) {
		free(dial);
		return host->fail(reterr, OB_ENOMEM, 0, "connecting: out of memory");
	}
	dial->host = host;
	dial->port = uri->port;
	dial->deadline = host->now_ms() + HANDSHAKE_MS;
	rc = obi_unixpath_connect(host, (const char *)uri->path.data, OBI_UNIXPATH_ANY_OWNER,
				  &dial->stream->fd, reterr);
	rc = rc == OB_OK ? say_connect(dial, reterr) : rc;
	if (rc != OB_OK) {
		hvsock_dial_close(dial);
		return rc;
	}
	*ret_dial = dial;
	*ret_want = (struct ob_want){
	    .fd = dial->stream->fd, .events = OB_READABLE, .deadline = dial->deadline};
	return OB_OK;
}

/* How many of the n peeked bytes belong to the reply. The bytes that follow are the guest's. */
static size_t of_the_reply(const char *at, size_t n)
{
	const char *end = memchr(at, '\n', n);
	return end != NULL ? (size_t)(end - at) + 1 : n;
}

/* Read what has come of the reply. Returns a positive count, 0 at the end of the stream, or -1 with
 * errno. */
static ssize_t take_some(struct ob_dial *dial)
{
	char *at = dial->line + dial->len;
	size_t room = sizeof dial->line - dial->len;
	ssize_t n = recv(dial->stream->fd, at, room, MSG_PEEK);
	return n > 0 ? recv(dial->stream->fd, at, of_the_reply(at, (size_t)n), 0) : n;
}

/* Wait for more of the reply, until the deadline. */
static int wait_on(const struct ob_dial *dial, struct ob_want *ret_want, struct ob_error *reterr)
{
	if (dial->host->now_ms() >= dial->deadline) {
		return dial->host->fail(
		    reterr, OB_ETIMEDOUT, 0,
		    "the VMM did not answer CONNECT %d in %d ms: the guest is not ready",
		    dial->port, HANDSHAKE_MS);
	}
	*ret_want = (struct ob_want){
	    .fd = dial->stream->fd, .events = OB_READABLE, .deadline = dial->deadline};
	return OB_EAGAIN;
}

static int hvsock_finish_dial(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			      struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)revents;
	for (;;) {
		ssize_t n = take_some(dial);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return wait_on(dial, ret_want, reterr);
		}
		if (n <= 0) {
			return gone(dial, n < 0 ? errno : 0, reterr);
		}
		dial->len += (size_t)n;
		switch (obi_hvsock_judge(dial->line, dial->len)) {
		case OBI_HVSOCK_GOOD:
			*ret_stream = dial->stream;
			dial->stream = NULL;
			return OB_OK;
		case OBI_HVSOCK_BAD:
			return dial->host->fail(reterr, OB_EPROTO, 0,
						"the answer to CONNECT %d is not \"OK port\": this "
						"is not a socket of hybrid vsock",
						dial->port);
		case OBI_HVSOCK_MORE:
			break;
		}
	}
}

/* ---- Peer facts ---- */

/* The only fact is the name of the VMM's socket. */
static int hvsock_peer(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof address;
	if (getpeername(stream->fd, (struct sockaddr *)&address, &len) != 0) {
		return stream->host->fail(reterr, OB_EIO, errno, "looking up the peer");
	}
	ret->known = OB_PEER_ADDRESS;
	snprintf(ret->address, sizeof ret->address, "%.*s", (int)sizeof address.sun_path,
		 address.sun_path[0] != '\0' ? address.sun_path : "a VMM");
	return OB_OK;
}

/* ---- Table ---- */

static const char *const schemes[] = {"hvsock", NULL};

static const struct ob_transport_ops ops = {
    .size = sizeof ops,
    .schemes = schemes,
    .listen = hvsock_listen,
    .listener_fd = hvsock_listener_fd,
    .accept = hvsock_accept,
    .local_uri = hvsock_local_uri,
    .listener_close = hvsock_listener_close,
    .dial = hvsock_dial,
    .finish_dial = hvsock_finish_dial,
    .dial_close = hvsock_dial_close,
    .fd = obi_stream_fd,
    .readv = obi_stream_readv,
    .writev = obi_stream_writev,
    .shutdown_write = obi_stream_shutdown_write,
    .peer = hvsock_peer,
    .close = obi_stream_close,
};

const struct ob_plugin obi_hvsock_plugin = {
    .size = sizeof obi_hvsock_plugin,
    .kind = OB_PLUGIN_TRANSPORT,
    .name = "hvsock",
    .version = "1",
    .ops = &ops,
};
