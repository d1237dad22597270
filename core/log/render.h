/* SPDX-License-Identifier: MIT */
/* log/render - records as lines: JSON for machines (and for the way from child to parent), text for
 * people. */
#ifndef OBI_LOG_RENDER_H
#define OBI_LOG_RENDER_H

#include <outboard/outboard.h>

/*
 * Append the record as one line of JSON, newline included: time, level, msg, source, attrs in their
 * order, "outboard" (the name, unless it is NULL), "truncated":true where that is so. Reading it
 * back gives the same record. What JSON cannot carry is not worth a record: bad UTF-8 becomes
 * U+FFFD, other bad values "!ERROR:...". False: it did not fit; out is as it was, but failed.
 */
bool obi_log_render_json(const struct ob_log_record *record, struct ob_sink *out);

/*
 * Append the record as one line for people, newline included:
 *
 *   2024-05-01T10:20:30.123+02:00 INFO  [name] message source=file:line key=value group.key="two
 * words"
 *
 * Nothing in it moves a terminal's cursor: control characters (C1 too) and bad UTF-8 are escaped.
 * color adds SGR sequences of our own. False as above.
 */
bool obi_log_render_human(const struct ob_log_record *record, bool color, struct ob_sink *out);

#endif
