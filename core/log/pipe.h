/* SPDX-License-Identifier: MIT */
/*
 * log/pipe - reads one stream of a child, piece by piece: at most one read of 64 KiB in a turn of
 * the loop, so that a child that floods its log cannot hold up anything else. What it writes in the
 * meantime waits in the pipe. One that writes line by line is read once a millisecond.
 */
#ifndef OBI_LOG_PIPE_H
#define OBI_LOG_PIPE_H

#include "log/pace.h"
#include "loop/loop.h"

struct obi_log_pipe {
	struct obi_loop *loop; /* NULL: stopped */
	int fd;
	struct obi_io io;
	struct obi_timer rest; /* the end of a rest (log/pace) */
	struct obi_log_pace pace;
	bool busy; /* fn is running */
	/* Returns false when it has freed the pipe. */
	bool (*fn)(void *user, struct ob_bytes chunk);
	void *user;
};

/* Begin to read. fn and user must be set. fd is borrowed and non-blocking. A FIFO that is also open
 * for writing here never ends. */
void obi_log_pipe_start(struct obi_loop *loop, struct obi_log_pipe *pipe, int fd);

/*
 * The writer is dead: read what the pipe holds now. It is bounded by the pipe's size, so that a
 * grandchild that writes on cannot keep us here. Does nothing on a stopped pipe, or within fn.
 */
void obi_log_pipe_drain(struct obi_log_pipe *pipe);

/* No further call of fn follows, and fd is not used any more. May be called within fn, and on a
 * pipe that is stopped. */
void obi_log_pipe_stop(struct obi_log_pipe *pipe);

#endif
