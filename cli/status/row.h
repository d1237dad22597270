/* SPDX-License-Identifier: MIT */
/* row - how one child is: as the supervisor tells it, or as its data directory does; shown as a
 * table or as JSON. */
#ifndef OBI_CLI_STATUS_ROW_H
#define OBI_CLI_STATUS_ROW_H

#include <outboard/outboard.h>

struct obi_row {
	struct obi_row *next;
	const char *name;
	const char *data_path;
	bool supervised;   /* a parent is in charge of it */
	bool link_unknown; /* nobody has asked the child */
	struct ob_status status;
};

/* Rows in their order. */
struct obi_rows {
	struct obi_row *first;
	struct obi_row *last;
};

/* Append one, zeroed, made in arena; NULL: out of memory. */
struct obi_row *obi_rows_add(struct obi_rows *rows, struct ob_arena *arena);

/* Append the row to a builder as a map: what `status --json` prints, and the supervisor's status
 * answers. What is not known is nil. */
void obi_row_build(struct ob_builder *builder, const struct obi_row *row);

/* The way back. Texts are borrowed from value, names copied into arena. False: it is no such map.
 */
bool obi_row_read(const struct ob_value *value, struct ob_arena *arena, struct obi_row *ret);

#endif
