/* SPDX-License-Identifier: MIT */
/*
 * log/line - turns one line of a child's output into one record.
 *
 * A line that is exactly one JSON object, or one behind terminal escape sequences and white space,
 * is a record in the form of slog: time, level, msg and
 * source are taken out; all other keys are attributes, in order, with duplicates. Of several
 * equal keys the first counts. A time, level, msg or source that is not valid stays an
 * attribute, so that nothing is lost. Every other line (text, incomplete JSON, an object
 * followed by something else) is an INFO record whose message is the whole line, with its bytes
 * unchanged.
 */
#ifndef OBI_LOG_LINE_H
#define OBI_LOG_LINE_H

#include <outboard/outboard.h>

/* Keys, values and groups of a record, in all. A line with more is text: the size of a line does
 * not bound the time that it takes, since numbers cost much for each of their bytes. */
enum { OBI_LOG_LINE_VALUES = 32 * 1024 };

/* The origin of a line. */
struct obi_log_line_from {
	const char *name; /* of the child */
	int stream;	  /* 1 or 2 */
	struct timespec read_at;
	uint32_t flags; /* of the record. A line that is OB_LOG_TRUNCATED is no longer JSON */
};

/* How many bytes at the beginning of a line show nothing: terminal escape sequences, spaces, tabs,
 * CR and NUL. A serial console may write such before a record. */
size_t obi_log_line_skip(struct ob_bytes line);

/*
 * Parse line (without the newline; one '\r' at its end is dropped) into *ret, which borrows from
 * line, from->name and arena. If the arena is too small for the tree, the record is text. So it
 * is if groups nest deeper than OBI_VALUE_DEPTH_MAX (base/value.h), or it has more than
 * OBI_LOG_LINE_VALUES values. Returns false, without a change of *ret, when the line is empty; but
 * one that is OB_LOG_TRUNCATED is a record all the same: it says that something is missing.
 */
bool obi_log_line_parse(const struct obi_log_line_from *from, struct ob_bytes line,
			struct ob_arena *arena, struct ob_log_record *ret);

/* Whether the line is text beyond doubt, as nearly all text is: it is not empty, and begins with
 * neither an object nor what may stand before one. */
static inline bool obi_log_line_is_text(struct ob_bytes line)
{
	return line.len > 0 && line.data[0] > ' ' && line.data[0] != '{';
}

/* The record of a line of text, without its message and line. */
struct ob_log_record obi_log_line_text(const char *name, int stream, struct timespec read_at);

/* "INFO", "DEBUG-4", "warn+1" -> its number. */
bool obi_log_level_parse(struct ob_bytes text, int *ret_level);

/* The level as slog writes it; cap 24 is enough. */
void obi_log_level_text(int level, char *text, size_t cap);

#endif
