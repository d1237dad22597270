/* SPDX-License-Identifier: MIT */
#include "place/local_pipes.h"

static bool on_chunk(void *user, struct ob_bytes chunk)
{
	struct obi_local_pipe *pipe = user;
	pipe->place->events->log(pipe->place->user, pipe->stream, chunk, 0);
	return true;
}

static void init(struct obi_local_pipe *pipe, struct obi_place *place, int stream)
{
	*pipe = (struct obi_local_pipe){.fifo = OBI_FIFO_NONE, .place = place, .stream = stream};
	pipe->pipe.fn = on_chunk;
	pipe->pipe.user = pipe;
}

void obi_local_pipes_init(struct obi_local_pipes *pipes, struct obi_place *place)
{
	init(&pipes->out, place, 1);
	init(&pipes->err, place, 2);
}

static void start(struct obi_local_pipes *pipes, struct obi_loop *loop)
{
	if (pipes->out.fifo.fd >= 0) {
		obi_log_pipe_start(loop, &pipes->out.pipe, pipes->out.fifo.fd);
	}
	if (pipes->err.fifo.fd >= 0) {
		obi_log_pipe_start(loop, &pipes->err.pipe, pipes->err.fifo.fd);
	}
}

int obi_local_pipes_make(struct obi_local_pipes *pipes, struct obi_loop *loop,
			 const struct obi_datadir *dir, uint32_t bytes, struct ob_error *reterr)
{
	int r = obi_fifo_make(dir->fd, OBI_FILE_STDOUT, "stdout", bytes, dir->uid, dir->gid,
			      &pipes->out.fifo, reterr);
	if (r == OB_OK) {
		r = obi_fifo_make(dir->fd, OBI_FILE_STDERR, "stderr", bytes, dir->uid, dir->gid,
				  &pipes->err.fifo, reterr);
	}
	if (r == OB_OK) {
		start(pipes, loop);
	}
	return r;
}

void obi_local_pipes_open(struct obi_local_pipes *pipes, struct obi_loop *loop,
			  const struct obi_datadir *dir)
{
	(void)obi_fifo_open(dir->fd, OBI_FILE_STDOUT, "stdout", dir->uid, &pipes->out.fifo, NULL);
	(void)obi_fifo_open(dir->fd, OBI_FILE_STDERR, "stderr", dir->uid, &pipes->err.fifo, NULL);
	start(pipes, loop);
}

void obi_local_pipes_close_child(struct obi_local_pipes *pipes)
{
	obi_fifo_close_child(&pipes->out.fifo);
	obi_fifo_close_child(&pipes->err.fifo);
}

void obi_local_pipes_drain(struct obi_local_pipes *pipes)
{
	obi_log_pipe_drain(&pipes->out.pipe);
	obi_log_pipe_drain(&pipes->err.pipe);
}

void obi_local_pipes_close(struct obi_local_pipes *pipes)
{
	obi_log_pipe_stop(&pipes->out.pipe);
	obi_log_pipe_stop(&pipes->err.pipe);
	obi_fifo_close(&pipes->out.fifo);
	obi_fifo_close(&pipes->err.fifo);
}
