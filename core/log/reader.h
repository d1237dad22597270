/* SPDX-License-Identifier: MIT */
/*
 * log/reader - reads one stream of a child, and hands on one record for each line.
 *
 * One read of at most 64 KiB a turn of the loop, so that a child that floods its log cannot hold up
 * anything else; what it writes meanwhile waits in the pipe. A line that reads cut apart is put
 * together again. Memory: nothing while no line is begun, 4 KiB after that, at most 1 MiB for a
 * long line; while a record is handed on, its tree beside that (17 bytes for a byte of the line at
 * most).
 *
 * A line over 1 MiB is cut there: its first 1 MiB becomes one text record flagged OB_LOG_TRUNCATED
 * when the line ends, with the attribute "discarded", the number of bytes that are missing.
 */
#ifndef OBI_LOG_READER_H
#define OBI_LOG_READER_H

#include <outboard/outboard.h>

#include "loop/loop.h"

#define OBI_LOG_LINE_MAX ((size_t)1 << 20)

struct obi_log_reader;

struct obi_log_reader_setup {
	struct obi_loop *loop;
	int fd; /* borrowed; non-blocking. A FIFO that we hold open for writing too never says that
		   it ended */
	int stream;	  /* 1: stdout, 2: stderr */
	const char *name; /* of the child; copied */
	ob_log_fn *fn;	  /* user code. NULL: what is read is thrown away */
	void *user;
};

/* Begin to read on the loop. */
int obi_log_reader_new(const struct obi_log_reader_setup *setup, struct obi_log_reader **ret,
		       struct ob_error *reterr);

/*
 * The child is dead: hand on all that the pipe holds now, bounded by the pipe's size, so that a
 * grandchild that writes on cannot keep us here; then a last line without newline. Not inside fn,
 * where it does nothing.
 */
void obi_log_reader_drain(struct obi_log_reader *reader);

/* Hand on a line that is begun, as if it ended here. For a detach: what was read cannot go back
 * into the pipe. As above. */
void obi_log_reader_flush(struct obi_log_reader *reader);

/* Stop reading and free; a line that is begun is dropped. Anywhere, inside fn too: then no other
 * call of fn follows, fd is not used any more, and the record that fn was given stays valid until
 * fn returns. NULL is fine. */
void obi_log_reader_free(struct obi_log_reader *reader);

#endif
