/* SPDX-License-Identifier: MIT */
/* logger - the child's side of logs; ob_log() and its like are in outboard.h. */
#ifndef OBI_LOG_LOGGER_H
#define OBI_LOG_LOGGER_H

#include <outboard/outboard.h>

/* Try to write what waits: the rest of a record, and the count of those that were dropped. True
 * when nothing waits any more. Any thread. ob_log() does it before each record; this is for those
 * who have a timer and nothing to say. */
bool obi_logger_flush(struct ob_logger *logger);

#endif
