/* SPDX-License-Identifier: MIT */
/*
 * log/reader - reads one stream of a child, and delivers one record for each line.
 *
 * It makes one read of at most 64 KiB in a turn of the loop, so that a child that floods its log
 * does not delay anything else; the rest waits in the pipe. Lines that span several reads are
 * joined. Memory: none without an incomplete line, 4 KiB with one, at most 1 MiB for a long
 * line; and, during the delivery of a record, its tree (at most 17 bytes for each byte of the
 * line).
 *
 * A line that has not ended a second after its first byte is delivered as it is then, flagged
 * OB_LOG_PARTIAL; what follows of it is flagged OB_LOG_CONTINUED. So a prompt is seen. A line that
 * begins like a record ('{') waits 10 seconds: ob_log() writes the rest of a record that a full
 * pipe cut with the next one. Bytes that show nothing (log/line.h) wait for the next byte.
 *
 * A line over 1 MiB is cut: its first 1 MiB becomes one text record with the flag
 * OB_LOG_TRUNCATED when the line ends, or is delivered as above; its attribute "discarded" is the
 * number of missing bytes.
 */
#ifndef OBI_LOG_READER_H
#define OBI_LOG_READER_H

#include <outboard/outboard.h>

#include "loop/loop.h"

#define OBI_LOG_LINE_MAX ((size_t)1 << 20)

struct obi_log_reader;

struct obi_log_reader_setup {
	struct obi_loop *loop;
	int fd; /* borrowed; non-blocking. A FIFO that we also hold open for writing has no end */
	int stream;	  /* 1: stdout, 2: stderr */
	const char *name; /* of the child; copied */
	ob_log_fn *fn;	  /* user code; may be NULL: what is read is discarded */
	void *user;
};

/* Start reading on the loop. */
int obi_log_reader_new(const struct obi_log_reader_setup *setup, struct obi_log_reader **ret,
		       struct ob_error *reterr);

/* The child is dead: deliver everything that is in the pipe now, then a last line without a
 * newline. The amount is bounded by the size of the pipe, so that a grandchild that goes on
 * writing cannot keep us here. Does nothing inside fn. */
void obi_log_reader_drain(struct obi_log_reader *reader);

/* Deliver the incomplete line, flagged OB_LOG_PARTIAL. For a detach: bytes that were read cannot go
 * back into the pipe. Does nothing inside fn. */
void obi_log_reader_flush(struct obi_log_reader *reader);

/* Stop reading and free; an incomplete line is dropped. May be called inside fn: then fn is not
 * called again, fd is not used any more, and the record given to fn stays valid until fn
 * returns. reader may be NULL. */
void obi_log_reader_free(struct obi_log_reader *reader);

#endif
