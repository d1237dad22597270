/* SPDX-License-Identifier: MIT */
/*
 * log/render - records as lines: JSON for machines (and for the way from child to parent), text for
 * people.
 *
 * A record with a stream is what a child printed; one without is the parent's own word, an event
 * for example. The two have different shapes in both formats, and no content changes the shape:
 * the name and the stream are the parent's, and stand before everything that the child wrote
 * freely.
 */
#ifndef OBI_LOG_RENDER_H
#define OBI_LOG_RENDER_H

#include <outboard/outboard.h>

/*
 * Append the record as one line of JSON, newline included:
 *
 *   {"outboard":name,"stream":stream,"time":...,"level":...,"msg":...,"source":{...},attributes}
 *
 * Without "outboard" where the name is NULL, without "stream" where it is 0. "partial", "continued"
 * and "truncated", each only with true, stand behind the stream. An attribute of a child with one
 * of these names, or "event" or "discarded", is renamed: "child." stands before it. Reading the
 * line of a record without name, stream and marks gives the same record. Bytes that are not UTF-8
 * become U+FFFD, other values that JSON cannot carry "!ERROR:...". False: it did not fit; out is as
 * it was, but failed.
 */
bool obi_log_render_json(const struct ob_log_record *record, struct ob_sink *out);

/*
 * Append the record as one line for people, newline included; what a child printed, and what the
 * parent says of it:
 *
 *   2024-05-01T10:20:30.123+02:00 INFO  [name stdout] message source=file:line key=value
 *   2024-05-01T10:20:30.123+02:00 INFO  [name] message group.key="two words"
 *
 * The marks stand in the brackets: [name stdout partial]. Attributes are renamed as above. All that
 * a terminal obeys is escaped (base/text.h). color adds SGR sequences. False as above.
 */
bool obi_log_render_human(const struct ob_log_record *record, bool color, struct ob_sink *out);

/* "stdout", "stderr". */
const char *obi_log_stream_name(int stream);

#endif
