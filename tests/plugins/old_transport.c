/* SPDX-License-Identifier: MIT */
/*
 * A plugin for an older library: its table was compiled before `peer` was added. It must work.
 *
 * The transport connects a dial and a listener of one process by a socket pair; one dial waits
 * at a time.
 */
#include <outboard/transport.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct old_transport_ops {
	uint32_t size;
	uint32_t flags;
	const char *const *schemes;
	int (*listen)(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_listen_params *params, struct ob_listener **ret_listener,
		      struct ob_error *reterr);
	int (*listener_fd)(struct ob_listener *listener);
	int (*accept)(struct ob_listener *listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr);
	int (*local_uri)(struct ob_listener *listener, struct ob_sink *out);
	void (*listener_close)(struct ob_listener *listener);
	int (*dial)(const struct ob_host *host, const struct ob_uri *uri,
		    const struct ob_dial_params *params, struct ob_dial **ret_dial,
		    struct ob_want *ret_want, struct ob_error *reterr);
	int (*finish_dial)(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			   struct ob_want *ret_want, struct ob_error *reterr);
	void (*dial_close)(struct ob_dial *dial);
	int (*fd)(struct ob_stream *stream);
	ptrdiff_t (*readv)(struct ob_stream *stream, const struct iovec *pieces, int count,
			   struct ob_error *reterr);
	ptrdiff_t (*writev)(struct ob_stream *stream, const struct iovec *pieces, int count,
			    struct ob_error *reterr);
	int (*shutdown_write)(struct ob_stream *stream, struct ob_error *reterr);
	void (*close)(struct ob_stream *stream);
};

struct ob_stream {
	int fd;
};

struct ob_listener {
	int event;   /* readable while a connection waits */
	int waiting; /* the acceptor's end, or -1 */
};

struct ob_dial {
	struct ob_stream *stream;
};

static struct ob_listener only = {.event = -1, .waiting = -1};

static int fail_here(const struct ob_host *host, struct ob_error *reterr)
{
	return host->fail(reterr, OB_EIO, errno, "old transport");
}

static int old_listen(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_listen_params *params, struct ob_listener **ret_listener,
		      struct ob_error *reterr)
{
	(void)uri, (void)params;
	only.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (only.event < 0) {
		return fail_here(host, reterr);
	}
	*ret_listener = &only;
	return OB_OK;
}

static int old_listener_fd(struct ob_listener *listener)
{
	return listener->event;
}

static int old_accept(struct ob_listener *listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr)
{
	eventfd_t count;
	(void)reterr;
	if (eventfd_read(listener->event, &count) != 0) {
		return OB_EAGAIN;
	}
	struct ob_stream *stream = malloc(sizeof *stream);
	if (stream == NULL) {
		return OB_ENOMEM;
	}
	stream->fd = listener->waiting;
	listener->waiting = -1;
	*ret_stream = stream;
	return OB_OK;
}

static int old_local_uri(struct ob_listener *listener, struct ob_sink *out)
{
	(void)listener;
	return ob_sink_text(out, "old:///") ? OB_OK : OB_ENOMEM;
}

static void old_listener_close(struct ob_listener *listener)
{
	if (listener != NULL) {
		close(listener->event);
		listener->event = -1;
	}
}

static int old_dial(const struct ob_host *host, const struct ob_uri *uri,
		    const struct ob_dial_params *params, struct ob_dial **ret_dial,
		    struct ob_want *ret_want, struct ob_error *reterr)
{
	int pair[2];
	struct ob_dial *dial = malloc(sizeof *dial);
	struct ob_stream *stream = malloc(sizeof *stream);
	(void)uri, (void)params;
	if (dial == NULL || stream == NULL || only.event < 0 || only.waiting >= 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
		free(dial);
		free(stream);
		return fail_here(host, reterr);
	}
	only.waiting = pair[1];
	eventfd_write(only.event, 1);
	stream->fd = pair[0];
	dial->stream = stream;
	*ret_dial = dial;
	*ret_want = (struct ob_want){.fd = -1, .deadline = 0};
	return OB_OK;
}

static int old_finish_dial(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			   struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)revents, (void)ret_want, (void)reterr;
	*ret_stream = dial->stream;
	dial->stream = NULL;
	return OB_OK;
}

static int old_fd(struct ob_stream *stream)
{
	return stream->fd;
}

static ptrdiff_t old_readv(struct ob_stream *stream, const struct iovec *pieces, int count,
			   struct ob_error *reterr)
{
	(void)reterr;
	ssize_t n = readv(stream->fd, pieces, count);
	return n >= 0 ? n : errno == EAGAIN ? OB_EAGAIN : OB_EIO;
}

static ptrdiff_t old_writev(struct ob_stream *stream, const struct iovec *pieces, int count,
			    struct ob_error *reterr)
{
	(void)reterr;
	ssize_t n = writev(stream->fd, pieces, count);
	return n >= 0 ? n : errno == EAGAIN ? OB_EAGAIN : OB_EIO;
}

static int old_shutdown_write(struct ob_stream *stream, struct ob_error *reterr)
{
	(void)reterr;
	return shutdown(stream->fd, SHUT_WR) == 0 ? OB_OK : OB_EIO;
}

static void old_close(struct ob_stream *stream)
{
	if (stream != NULL) {
		close(stream->fd);
		free(stream);
	}
}

static void old_dial_close(struct ob_dial *dial)
{
	if (dial != NULL) {
		old_close(dial->stream);
		free(dial);
	}
}

static const char *const schemes[] = {"old", NULL};

static const struct old_transport_ops ops = {
    sizeof ops,
    0,
    schemes,
    old_listen,
    old_listener_fd,
    old_accept,
    old_local_uri,
    old_listener_close,
    old_dial,
    old_finish_dial,
    old_dial_close,
    old_fd,
    old_readv,
    old_writev,
    old_shutdown_write,
    old_close,
};

static const struct ob_plugin plugin = {.size = sizeof plugin,
					.kind = OB_PLUGIN_TRANSPORT,
					.name = "old_transport",
					.version = "0",
					.ops = &ops};

OB_PLUGIN_ENTRY(&plugin);
