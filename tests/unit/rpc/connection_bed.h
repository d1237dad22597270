/* SPDX-License-Identifier: MIT */
/* connection_bed - a connection of ours on a socket, whose other end is a descriptor of the test.
 * There is no authentication, and the codec is JSON-RPC, so a test can write the messages. */
#ifndef OB_TESTS_UNIT_CONNECTION_BED_H
#define OB_TESTS_UNIT_CONNECTION_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/connection.h"
#include "transports/common/stream.h"
#include "unit/registry_bed.h"

struct line {
	struct obi_connection *conn;
	int fd; /* the peer's end */
	bool opened, closed;
	void (*called)(struct line *line, struct ob_call *call);
};

static const struct ob_transport_ops line_transport = {
    .size = sizeof line_transport,
    .fd = obi_stream_fd,
    .readv = obi_stream_readv,
    .writev = obi_stream_writev,
    .shutdown_write = obi_stream_shutdown_write,
    .peer = obi_stream_peer_unix,
    .close = obi_stream_close,
};

static inline void line_opened(void *user, struct obi_connection *conn)
{
	(void)conn;
	((struct line *)user)->opened = true;
}

static inline void line_closed(void *user, struct obi_connection *conn, const struct ob_error *err)
{
	(void)conn;
	(void)err;
	((struct line *)user)->closed = true;
}

static inline void line_called(void *user, struct ob_call *call)
{
	struct line *line = user;
	line->called(line, call);
}

static inline const struct ob_codec_ops *line_codec(const char *name)
{
	const struct obi_plugin *plugin;
	struct ob_error err;
	assert_int_equal(obi_registry_codec(registry, name, &plugin, &err), OB_OK);
	return &plugin->as.codec;
}

static inline void line_open(struct line *line, struct obi_loop *loop, const char *codec)
{
	int ends[2];
	struct obi_connection_setup setup = {
	    .loop = loop,
	    .host = obi_registry_host(registry),
	    .transport = &line_transport,
	    .codec = line_codec(codec),
	    .limits =
		{.message = 8 << 20, .preauth = 4096, .queue = 8 << 20, .calls = 64, .depth = 32},
	    .events = {.opened = line_opened, .closed = line_closed, .user = line},
	    .handler = {line_called, line}};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	struct ob_stream *stream = obi_stream_new(obi_registry_host(registry));
	assert_non_null(stream);
	stream->fd = ends[0];
	line->fd = ends[1];
	assert_int_equal(obi_connection_accept(&setup, stream, &line->conn, NULL), OB_OK);
	while (!line->opened) {
		obi_loop_turn(loop, false);
	}
}

static inline void line_close(struct line *line)
{
	obi_connection_free(line->conn);
	close(line->fd);
}

#endif
