/* SPDX-License-Identifier: MIT */
/*
 * log/sink - a descriptor of somebody else, written without waiting and without changing anything
 * about it.
 *
 * O_NONBLOCK belongs to the open file, which a child shares with its parent, its own children and
 * its shell; so it is never set there. A FIFO or pipe is opened once more through /proc/self/fd,
 * non-blocking. Where that is not allowed, it is asked for room before each write of PIPE_BUF at
 * most. Sockets have MSG_DONTWAIT. Files and terminals are written as they are: those may take
 * their time.
 */
#ifndef OBI_LOG_SINK_H
#define OBI_LOG_SINK_H

#include <outboard/abi.h>

#include <sys/types.h>

struct obi_log_sink {
	int fd; /* for poll(2) */
	bool own;
	bool mask_sigpipe; /* the process would die of EPIPE */
	uint8_t way;
};

/* keep: hold on to the open file, so that fd may be closed meanwhile; else, but for FIFOs, fd
 * itself is used. */
int obi_log_sink_open(int fd, bool keep, struct obi_log_sink *ret, struct ob_error *reterr);

/* Write some of it. Returns how much was taken, or a negative errno; -EAGAIN: there is no room now.
 * Up to PIPE_BUF bytes into a FIFO are taken whole or not at all. Never raises SIGPIPE. */
ssize_t obi_log_sink_write(const struct obi_log_sink *sink, const void *data, size_t len);

void obi_log_sink_close(struct obi_log_sink *sink);

#endif
