/* SPDX-License-Identifier: MIT */
/* json/json_skim - finding the parts of JSON text without making values. */
#ifndef OBI_JSON_JSON_SKIM_H
#define OBI_JSON_JSON_SKIM_H

#include <outboard/value.h>

/* The number of ',', ':', '[' and '{' outside of strings. */
size_t obi_json_count_marks(const uint8_t *at, const uint8_t *end);

/* Iterates over the texts of the items, or of the members' values, of the outermost
 * container. */
struct obi_json_pieces {
	const uint8_t *at;
	const uint8_t *end;
};

/* text must be an array or an object that obi_json_parse() accepted. */
struct obi_json_pieces obi_json_pieces_of(struct ob_bytes text);

/* The next text, without the white space around it. At most one call for each item or member. */
struct ob_bytes obi_json_piece_next(struct obi_json_pieces *pieces);

#endif
