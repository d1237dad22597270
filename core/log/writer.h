/* SPDX-License-Identifier: MIT */
/* log/writer - ob_log_writer_new() and the related functions of outboard/log.h, and what the logger
 * needs of them. */
#ifndef OBI_LOG_WRITER_H
#define OBI_LOG_WRITER_H

#include <outboard/outboard.h>

/*
 * ob_log_writer_new() for the caller of ob_log(), on a descriptor that may block. A terminal is
 * opened again, non-blocking, and as long as it accepts output a record is written by the caller,
 * so that the last records before a crash are not lost in a queue.
 */
int obi_log_writer_direct(int fd, const struct ob_log_writer_options *options,
			  struct ob_log_writer **ret_writer, struct ob_error *reterr);

#endif
