/* SPDX-License-Identifier: MIT */
/*
 * The unix transport: unix:///absolute/path, a stream socket in the file system.
 *
 * The directory and the mode of the socket decide who may connect. The mode is 0600, or that of
 * ?mode=0660 behind the path (a dialer ignores it). The kernel identifies the peer. So this
 * transport is OB_TRANSPORT_LOCAL.
 */
#include "common/stream.h"
#include "common/unixpath.h"

#include <stdlib.h>
#include <sys/socket.h>

/* SEND_ROOM: what was measured to be best for messages of 1 MiB. */
enum { DEFAULT_MODE = 0600, SEND_ROOM = 300 * 1024 };

struct ob_listener {
	const struct ob_host *host;
	struct obi_unixpath place;
};

/* A connect to a unix socket succeeds or fails at once: the dial only keeps the stream until
 * finish_dial(). */
struct ob_dial {
	struct ob_stream *stream;
};

/* Read "mode=0660", in octal; an empty query is the default. The owner must have read and write. */
static bool read_mode(struct ob_bytes query, mode_t *ret)
{
	static const char key[] = "mode=";
	size_t n = sizeof key - 1;
	mode_t mode = 0;
	*ret = DEFAULT_MODE;
	if (query.len == 0) {
		return true;
	}
	if (query.len < n + 3 || query.len > n + 4 || memcmp(query.data, key, n) != 0) {
		return false;
	}
	for (size_t i = n; i < query.len; i++) {
		if (query.data[i] < '0' || query.data[i] > '7') {
			return false;
		}
		mode = mode * 8 + (mode_t)(query.data[i] - '0');
	}
	*ret = mode;
	return (mode & ~(mode_t)0777) == 0 && (mode & DEFAULT_MODE) == DEFAULT_MODE;
}

/* The path of uri, terminated by NUL; NULL, with the reason in *reterr, if the URI has another
 * form. */
static const char *path_of(const struct ob_host *host, const struct ob_uri *uri, mode_t *ret_mode,
			   struct ob_error *reterr)
{
	const char *path = (const char *)uri->path.data;
	if (uri->host.len != 0 || uri->port != -1 || uri->path.len < 2 || path[0] != '/' ||
	    !read_mode(uri->query, ret_mode)) {
		host->fail(reterr, OB_EINVAL, 0,
			   "'%.*s' is not of the form unix:///absolute/path[?mode=0660]",
			   (int)uri->text.len, (const char *)uri->text.data);
		return NULL;
	}
	return path;
}

/* ---- Listener ---- */

static void unix_listener_close(struct ob_listener *listener)
{
	if (listener != NULL) {
		obi_unixpath_close(&listener->place);
		free(listener);
	}
}

static int unix_listen(const struct ob_host *host, const struct ob_uri *uri,
		       const struct ob_listen_params *params, struct ob_listener **ret_listener,
		       struct ob_error *reterr)
{
	mode_t mode;
	const char *path = path_of(host, uri, &mode, reterr);
	if (path == NULL) {
		return OB_EINVAL;
	}
	struct ob_listener *listener = malloc(sizeof *listener);
	if (listener == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "listening on %s: out of memory", path);
	}
	listener->host = host;
	int rc = obi_unixpath_listen(host, path, params, &listener->place, reterr);
	if (rc != OB_OK) {
		free(listener);
		return rc;
	}
	if (mode != DEFAULT_MODE &&
	    (rc = obi_unixpath_set_mode(host, &listener->place, mode, reterr)) != OB_OK) {
		unix_listener_close(listener);
		return rc;
	}
	*ret_listener = listener;
	return OB_OK;
}

static int unix_listener_fd(struct ob_listener *listener)
{
	return listener->place.fd;
}

static int unix_accept(struct ob_listener *listener, struct ob_stream **ret_stream,
		       struct ob_error *reterr)
{
	int rc = obi_stream_accept(listener->host, listener->place.fd, ret_stream, reterr);
	if (rc == OB_OK) {
		obi_stream_send_room((*ret_stream)->fd, SEND_ROOM);
	}
	return rc;
}

static int unix_local_uri(struct ob_listener *listener, struct ob_sink *out)
{
	ob_sink_text(out, "unix://");
	return obi_unixpath_encode(listener->place.path, out) ? OB_OK : OB_ENOMEM;
}

/* ---- Dial ---- */

static void unix_dial_close(struct ob_dial *dial)
{
	if (dial != NULL) {
		obi_stream_close(dial->stream);
		free(dial);
	}
}

static int unix_dial(const struct ob_host *host, const struct ob_uri *uri,
		     const struct ob_dial_params *params, struct ob_dial **ret_dial,
		     struct ob_want *ret_want, struct ob_error *reterr)
{
	mode_t mode;
	const char *path = path_of(host, uri, &mode, reterr);
	uid_t owner = OB_HAS(params, owner) ? params->owner : OBI_UNIXPATH_ANY_OWNER;
	if (path == NULL) {
		return OB_EINVAL;
	}
	struct ob_dial *dial = malloc(sizeof *dial);
	struct ob_stream *stream = obi_stream_new(host);
	if (dial == NULL || stream == NULL) {
		free(dial);
		obi_stream_close(stream);
		return host->fail(reterr, OB_ENOMEM, 0, "connecting to %s: out of memory", path);
	}
	dial->stream = stream;
	int rc = obi_unixpath_connect(host, path, owner, &stream->fd, reterr);
	if (rc != OB_OK) {
		unix_dial_close(dial);
		return rc;
	}
	obi_stream_send_room(stream->fd, SEND_ROOM);
	*ret_dial = dial;
	*ret_want = (struct ob_want){.fd = -1, .deadline = 0};
	return OB_OK;
}

static int unix_finish_dial(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			    struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)revents, (void)ret_want, (void)reterr;
	*ret_stream = dial->stream;
	dial->stream = NULL;
	return OB_OK;
}

/* ---- Table ---- */

static const char *const schemes[] = {"unix", NULL};

static const struct ob_transport_ops ops = {
    .size = sizeof ops,
    .schemes = schemes,
    .listen = unix_listen,
    .listener_fd = unix_listener_fd,
    .accept = unix_accept,
    .local_uri = unix_local_uri,
    .listener_close = unix_listener_close,
    .dial = unix_dial,
    .finish_dial = unix_finish_dial,
    .dial_close = unix_dial_close,
    .fd = obi_stream_fd,
    .readv = obi_stream_readv,
    .writev = obi_stream_writev,
    .shutdown_write = obi_stream_shutdown_write,
    .peer = obi_stream_peer_unix,
    .close = obi_stream_close,
    .flags = OB_TRANSPORT_LOCAL,
};

static const struct ob_plugin unix_plugin = {
    .size = sizeof unix_plugin,
    .kind = OB_PLUGIN_TRANSPORT,
    .name = "unix",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&unix_plugin);
