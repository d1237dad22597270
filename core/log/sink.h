/* SPDX-License-Identifier: MIT */
/*
 * log/sink - writes to a descriptor that others share, without waiting and without changing it.
 *
 * O_NONBLOCK belongs to the open file, which a child shares with its parent, its own children
 * and its shell, so it must not be set there. A FIFO or pipe is opened again through
 * /proc/self/fd, non-blocking; on request a terminal too. Where that is not allowed, poll(2) is
 * asked for room before each write of at most PIPE_BUF. Sockets have MSG_DONTWAIT. Files are
 * written directly.
 *
 * Terminals and other devices that are not opened again may block for ever, and so may a pipe that
 * is not, if another process writes to it too: write those in a thread of their own.
 */
#ifndef OBI_LOG_SINK_H
#define OBI_LOG_SINK_H

#include <outboard/abi.h>

#include <sys/types.h>

struct obi_log_sink {
	int fd; /* for poll(2) */
	bool own;
	bool mask_sigpipe; /* EPIPE would kill the process */
	bool may_block;	   /* see above */
	bool asks;	   /* poll(2) is asked before each write */
	uint8_t way;
};

enum obi_log_sink_flag {
	OBI_LOG_SINK_KEEP = 1 << 0,    /* hold the open file, so that fd may be closed meanwhile */
	OBI_LOG_SINK_TERMINAL = 1 << 1 /* open a terminal again; poll(2) may say of it that it is
					  writable when it is not */
};

int obi_log_sink_open(int fd, int flags, struct obi_log_sink *ret, struct ob_error *reterr);

/* Write as much as fits. Returns the number of bytes, or a negative errno; -EAGAIN: there is no
 * room now. Up to PIPE_BUF bytes into a FIFO are written completely or not at all. Never raises
 * SIGPIPE. */
ssize_t obi_log_sink_write(const struct obi_log_sink *sink, const void *data, size_t len);

void obi_log_sink_close(struct obi_log_sink *sink);

#endif
