/* SPDX-License-Identifier: MIT */
/* row - the state of one child, from its supervisor or from its data directory. */
#ifndef OBI_CLI_STATUS_ROW_H
#define OBI_CLI_STATUS_ROW_H

#include <outboard/outboard.h>

struct obi_row {
	struct obi_row *next;
	const char *name; /* NULL: not to be shown */
	const char *data_path;
	const char *state_path;	    /* NULL: beside the data directory */
	const char *settings;	    /* of plugins, to ask the child; NULL: none */
	const char *agent_settings; /* the same, of the agent that the child is behind */
	bool supervised;	    /* a parent supervises it */
	bool link_unknown;	    /* the child was not asked */
	bool blocked;		    /* it waits for others before it is started */
	const char *where;	    /* "host"; NULL: unknown */
	ob_runtime *rt; /* that is to ask the child; NULL: it is not to be asked (any more) */
	struct ob_status status;
};

/* Rows in their order. */
struct obi_rows {
	struct obi_row *first;
	struct obi_row *last;
};

/* Append an empty row, made in arena. NULL: out of memory. */
struct obi_row *obi_rows_add(struct obi_rows *rows, struct ob_arena *arena);

/* The name of its state. */
const char *obi_row_state(const struct obi_row *row);

/* Append the row to a builder as a map, as `status --json` prints it and run.status answers it.
 * Unknown values are nil. */
void obi_row_build(struct ob_builder *builder, const struct obi_row *row);

/* Read such a map. Names are copied into arena. False: it is not one. */
bool obi_row_read(const struct ob_value *value, struct ob_arena *arena, struct obi_row *ret);

#endif
