/* SPDX-License-Identifier: MIT */
/*
 * log/sink - writes to a descriptor that others share, without waiting and without changing it.
 *
 * O_NONBLOCK belongs to the open file, which a child shares with its parent, its own children
 * and its shell, so it must not be set there. A FIFO or pipe is opened again through
 * /proc/self/fd, non-blocking. Where that is not allowed, poll(2) is asked for room before each
 * write of at most PIPE_BUF. Sockets have MSG_DONTWAIT. Files and terminals are written
 * directly, and may block for a short time.
 */
#ifndef OBI_LOG_SINK_H
#define OBI_LOG_SINK_H

#include <outboard/abi.h>

#include <sys/types.h>

struct obi_log_sink {
	int fd; /* for poll(2) */
	bool own;
	bool mask_sigpipe; /* EPIPE would kill the process */
	uint8_t way;
};

/* keep: hold the open file, so that fd may be closed meanwhile; otherwise fd itself is used,
 * except for FIFOs. */
int obi_log_sink_open(int fd, bool keep, struct obi_log_sink *ret, struct ob_error *reterr);

/* Write as much as fits. Returns the number of bytes, or a negative errno; -EAGAIN: there is no
 * room now. Up to PIPE_BUF bytes into a FIFO are written completely or not at all. Never raises
 * SIGPIPE. */
ssize_t obi_log_sink_write(const struct obi_log_sink *sink, const void *data, size_t len);

void obi_log_sink_close(struct obi_log_sink *sink);

#endif
