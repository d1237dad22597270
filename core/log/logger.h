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

#endif
