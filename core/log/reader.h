/* SPDX-License-Identifier: MIT */
/* log/reader - reads one stream of a child, and makes one record of each line: log/pipe and
 * log/splitter together. */
#ifndef OBI_LOG_READER_H
#define OBI_LOG_READER_H

#include "log/splitter.h"
#include "loop/loop.h"

struct obi_log_reader;

struct obi_log_reader_setup {
	struct obi_loop *loop;
	int fd;		  /* borrowed, non-blocking */
	int stream;	  /* 1: stdout, 2: stderr */
	const char *name; /* of the child; copied */
	ob_log_fn *fn;	  /* user code. NULL: what is read is dropped */
	void *user;
};

/* Begin to read on the loop. */
int obi_log_reader_new(const struct obi_log_reader_setup *setup, struct obi_log_reader **ret,
		       struct ob_error *reterr);

/* The child is dead: read what the pipe holds now; a last line needs no newline. Does nothing
 * within fn. */
void obi_log_reader_drain(struct obi_log_reader *reader);

/* Deliver the incomplete line, flagged OB_LOG_PARTIAL. For a detach: bytes that were read cannot go
 * back into the pipe. Does nothing within fn. */
void obi_log_reader_flush(struct obi_log_reader *reader);

/* Stop reading and free; an incomplete line is dropped. Within fn: no further call of fn follows,
 * fd is not used any more, and the record stays valid until fn returns. reader may be NULL. */
void obi_log_reader_free(struct obi_log_reader *reader);

#endif
