/* SPDX-License-Identifier: MIT */
/* log/render - records as lines: JSON for machines (and from child to parent), text for
 * people. */
#ifndef OBI_LOG_RENDER_H
#define OBI_LOG_RENDER_H

#include <outboard/outboard.h>

/*
 * Append the record as one line of JSON with a newline: time, level, msg, source, attrs in
 * order, "outboard" (the name, unless it is NULL), and "truncated":true if it is. Parsing the
 * line gives the same record. Malformed UTF-8 becomes U+FFFD, other values that JSON cannot
 * represent "!ERROR:...". Returns false if it did not fit: out is unchanged, but failed.
 */
bool obi_log_render_json(const struct ob_log_record *record, struct ob_sink *out);

/*
 * Append the record as one line for people, with a newline:
 *
 *   2024-05-01T10:20:30.123+02:00 INFO  [name] message source=file:line key=value group.key="two
 *   words"
 *
 * Control characters (C1 too) and malformed UTF-8 are escaped, so that nothing in it can move a
 * terminal's cursor. color adds SGR sequences of our own. Returns false as above.
 */
bool obi_log_render_human(const struct ob_log_record *record, bool color, struct ob_sink *out);

/*
 * What stands before the message of the record as one of the two renders it: with JSON up to the
 * quote that opens the message. It depends on the time, the level, the name, the stream and the
 * flags alone, so lines that were read at once share it. Returns false as above.
 */
bool obi_log_render_head(const struct ob_log_record *record, bool json, bool color,
			 struct ob_sink *out);

/* Whether a line is the head, the message as it is, and an end: OBI_LOG_END_JSON or a newline. */
bool obi_log_is_plain(const struct ob_log_record *record, bool json);
#define OBI_LOG_END_JSON "\"}\n"

/* How many bytes of a message, whole characters, take at most room bytes when they are rendered. */
size_t obi_log_message_fit(struct ob_bytes message, bool json, size_t room);

/* "stdout", "stderr", "cleanup". */
const char *obi_log_stream_name(int stream);

#endif
