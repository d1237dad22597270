/* SPDX-License-Identifier: MIT */
/*
 * log/splitter - makes one record of each line of a stream that arrives in chunks.
 *
 * Memory: none without an incomplete line, 4 KiB with one, at most 1 MiB for a long line; and,
 * during the delivery of a record, its tree (at most 17 bytes for each byte of the line).
 *
 * A line that has not ended a second after its first byte is delivered as it is then, flagged
 * OB_LOG_PARTIAL; what follows of it is flagged OB_LOG_CONTINUED. So a prompt is seen. A line that
 * begins like a record ('{') waits 10 seconds: ob_log() writes the rest of a record that a full
 * pipe cut with the next one. Bytes that show nothing (log/line.h) wait for the next byte.
 *
 * A line over 1 MiB is cut: its first 1 MiB becomes one text record with the flag
 * OB_LOG_TRUNCATED when the line ends, or is delivered as above; its attribute "discarded" is the
 * number of missing bytes. A line in which bytes were lost is treated in the same way.
 */
#ifndef OBI_LOG_SPLITTER_H
#define OBI_LOG_SPLITTER_H

#include <outboard/log.h>

#include "base/buf.h"
#include "loop/loop.h"

#define OBI_LOG_LINE_MAX ((size_t)1 << 20)

struct obi_log_splitter {
	struct obi_loop *loop;
	const char *name; /* of the child; borrowed */
	int stream;	  /* 1: stdout, 2: stderr */
	ob_log_fn *fn;	  /* user code; may be NULL: everything is dropped */
	void *user;	  /* of fn */
	/* May be NULL: a stop within fn has taken effect. May free the splitter. */
	void (*on_stopped)(void *owner);
	void *owner;
	struct obi_timer timer; /* looks at the incomplete line; armed once for many lines */
	int64_t begun_ms;	/* when the incomplete line was begun */
	struct obi_buf line;	/* an incomplete line */
	uint64_t discarded;	/* bytes of this line that are missing */
	bool excused;		/* this line got its time anew */
	bool continued;		/* the beginning of this line was delivered */
	bool busy;		/* fn is running */
	bool stopped;		/* within fn */
};

/* The members above: loop, name, stream, fn and user. */
void obi_log_splitter_init(struct obi_log_splitter *splitter, struct obi_loop *loop,
			   const char *name, int stream, ob_log_fn *fn, void *user);

/* The next bytes of the stream. Must not be called within fn. */
void obi_log_splitter_feed(struct obi_log_splitter *splitter, struct ob_bytes chunk);

/* So many bytes are missing before the next chunk. */
void obi_log_splitter_lose(struct obi_log_splitter *splitter, uint64_t bytes);

/* The stream has ended: deliver a last line without a newline. Does nothing within fn. */
void obi_log_splitter_end(struct obi_log_splitter *splitter);

/* Deliver the incomplete line, flagged OB_LOG_PARTIAL. Does nothing within fn. */
void obi_log_splitter_flush(struct obi_log_splitter *splitter);

/* Drop the incomplete line and free the memory. Within fn: fn is not called again, and its record
 * stays valid until it returns. The splitter can be used again after that. */
void obi_log_splitter_stop(struct obi_log_splitter *splitter);

#endif
