/* SPDX-License-Identifier: MIT */
/* log/logger - the child's side of logs; ob_log() and the related functions are in
 * outboard/log.h. */
#ifndef OBI_LOG_LOGGER_H
#define OBI_LOG_LOGGER_H

#include <outboard/outboard.h>

/* Try to write what is pending: the rest of a record, and the count of dropped records. True
 * when nothing is pending any more. May be called from any thread. ob_log() does it before each
 * record; this is for the timer of a program that logs nothing at the moment. */
bool obi_logger_flush(struct ob_logger *logger);

/*
 * Show each record to fn, as its JSON line with the newline: on the thread that logs it, within the
 * lock of the logger, so fn must not log. only: the record goes nowhere else. fn NULL: no more.
 */
void obi_logger_set_tap(struct ob_logger *logger, void (*fn)(void *user, struct ob_bytes line),
			void *user, bool only);

/* Write whole lines where the records go. What does not fit is lost. Does nothing for a descriptor
 * that may block. */
void obi_logger_put(struct ob_logger *logger, struct ob_bytes lines);

#endif
