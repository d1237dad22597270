/* SPDX-License-Identifier: MIT */
#include "json/json_skim.h"

#include "base/text.h"

/* at is behind an opening quote. Returns the place behind the closing quote, or end. */
static const uint8_t *skip_string(const uint8_t *at, const uint8_t *end)
{
	for (at = obi_text_plain(at, end); at < end; at = obi_text_plain(at, end)) {
		if (*at == '"') {
			return at + 1;
		}
		at += *at == '\\' && end - at > 1 ? 2 : 1;
	}
	return end;
}

size_t obi_json_count_marks(const uint8_t *at, const uint8_t *end)
{
	size_t count = 0;
	while (at < end) {
		uint8_t c = *at++;
		if (c == '"') {
			at = skip_string(at, end);
		} else {
			count += c == ',' || c == ':' || c == '[' || c == '{';
		}
	}
	return count;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end)
{
	while (at < end && is_space(*at)) {
		at++;
	}
	return at;
}

/* The end of the value at `at`: the next comma or closing bracket that does not belong to it. */
static const uint8_t *skip_value(const uint8_t *at, const uint8_t *end)
{
	size_t depth = 0;
	while (at < end) {
		uint8_t c = *at;
		if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
			break;
		}
		at++;
		if (c == '"') {
			at = skip_string(at, end);
		} else {
			depth += c == '[' || c == '{';
			depth -= c == ']' || c == '}';
		}
	}
	return at;
}

struct obi_json_pieces obi_json_pieces_of(struct ob_bytes text)
{
	const uint8_t *end = text.data + text.len;
	return (struct obi_json_pieces){skip_space(text.data, end), end};
}

/* at is on the bracket or comma before the piece. */
struct ob_bytes obi_json_piece_next(struct obi_json_pieces *pieces)
{
	const uint8_t *end = pieces->end;
	const uint8_t *at = skip_space(pieces->at + (pieces->at < end), end);
	if (at < end && *at == '"') {
		/* A key if a colon follows; otherwise the value itself. */
		const uint8_t *colon = skip_space(skip_string(at + 1, end), end);
		at = colon < end && *colon == ':' ? skip_space(colon + 1, end) : at;
	}
	const uint8_t *stop = skip_value(at, end);
	pieces->at = stop;
	while (stop > at && is_space(stop[-1])) {
		stop--;
	}
	return ob_bytes_of(at, (size_t)(stop - at));
}
