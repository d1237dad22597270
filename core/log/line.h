/* SPDX-License-Identifier: MIT */
/*
 * log/line - one line of a child's output becomes one record.
 *
 * A line that is exactly one JSON object is a record as slog writes it: time, level, msg and source
 * are taken out, all other keys are attributes, in their order, duplicates kept. Of several equal
 * keys the first counts; a time, level, msg or source that cannot be understood stays an attribute,
 * so that nothing is lost. Every other line (text, cut JSON, an object with something behind it) is
 * an INFO record whose message is the whole line, in whatever bytes it was written.
 */
#ifndef OBI_LOG_LINE_H
#define OBI_LOG_LINE_H

#include <outboard/outboard.h>

/* Where a line came from. */
struct obi_log_line_from {
	const char *name; /* of the child */
	int stream;	  /* 1 or 2 */
	struct timespec read_at;
	bool cut; /* the line was longer than the limit; it is not JSON any more */
};

/*
 * Turn line (no newline; one '\r' at its end is not counted) into *ret, which borrows from line,
 * from->name and arena. An arena that is too small for the line's tree makes it a line of text.
 * Groups nest at most OBI_VALUE_DEPTH_MAX deep (base/value.h); a deeper line is text too. Returns
 * false, and leaves *ret alone, when the line is empty.
 */
bool obi_log_line_parse(const struct obi_log_line_from *from, struct ob_bytes line,
			struct ob_arena *arena, struct ob_log_record *ret);

/* "INFO", "DEBUG-4", "warn+1" -> its number. */
bool obi_log_level_parse(struct ob_bytes text, int *ret_level);

/* The level as slog writes it; cap 24 is enough. */
void obi_log_level_text(int level, char *text, size_t cap);

#endif
