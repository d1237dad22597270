/* SPDX-License-Identifier: MIT */
#include "log/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, SIZE_UNKNOWN = 1024 * 1024 };

/* One read of at most max bytes. Returns their number; 0: there are none, or the pipe is
 * stopped or freed. */
static size_t read_once(struct obi_log_pipe *pipe, size_t max)
{
	uint8_t chunk[CHUNK];
	ssize_t n;
	do {
		n = read(pipe->fd, chunk, max < CHUNK ? max : CHUNK);
	} while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		/* A descriptor that ended or broke stays readable. */
		obi_io_stop(&pipe->io);
	}
	if (n <= 0) {
		return 0;
	}
	pipe->busy = true;
	if (!pipe->fn(pipe->user, ob_bytes_of(chunk, (size_t)n))) {
		return 0;
	}
	pipe->busy = false;
	return pipe->loop != NULL ? (size_t)n : 0;
}

/* How many bytes the pipe can hold. */
static size_t size_of(int fd)
{
	int size = fcntl(fd, F_GETPIPE_SZ);
	return size > 0 ? (size_t)size : SIZE_UNKNOWN;
}

static void on_readable(void *user, int events)
{
	struct obi_log_pipe *pipe = user;
	(void)events;
	size_t n = read_once(pipe, CHUNK);
	if (n > 0 && obi_log_pace_rests(&pipe->pace, n, obi_loop_now(pipe->loop)) &&
	    size_of(pipe->fd) >= CHUNK) {
		obi_io_stop(&pipe->io);
		obi_timer_set(pipe->loop, &pipe->rest, OBI_LOG_REST_MS);
	}
}

/* It reads at once: another timer of this turn may ask what has come. */
static void on_rested(void *user)
{
	struct obi_log_pipe *pipe = user;
	obi_io_set(pipe->loop, &pipe->io, pipe->fd, OB_READABLE);
	on_readable(pipe, OB_READABLE);
}

void obi_log_pipe_start(struct obi_loop *loop, struct obi_log_pipe *pipe, int fd)
{
	pipe->loop = loop;
	pipe->fd = fd;
	pipe->io.fn = on_readable;
	pipe->io.user = pipe;
	pipe->rest.fn = on_rested;
	pipe->rest.user = pipe;
	obi_io_set(loop, &pipe->io, fd, OB_READABLE);
}

void obi_log_pipe_drain(struct obi_log_pipe *pipe)
{
	if (pipe->loop == NULL || pipe->busy) {
		return;
	}
	size_t left = size_of(pipe->fd), n;
	while (left > 0 && (n = read_once(pipe, left)) > 0) {
		left -= n;
	}
}

void obi_log_pipe_stop(struct obi_log_pipe *pipe)
{
	obi_io_stop(&pipe->io);
	obi_timer_stop(&pipe->rest);
	pipe->loop = NULL;
}
