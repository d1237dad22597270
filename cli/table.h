/* SPDX-License-Identifier: MIT */
/* table - rows of cells, printed in columns of the width that they need. */
#ifndef OBI_CLI_TABLE_H
#define OBI_CLI_TABLE_H

#include "base/arena.h"

enum { OBI_TABLE_COLUMNS_MAX = 16 };

struct obi_table_row;

/* Everything in it lives in the arena. */
struct obi_table {
	struct obi_arena *arena;
	struct obi_table_row *first;
	struct obi_table_row *last;
	size_t widths[OBI_TABLE_COLUMNS_MAX];
	uint32_t columns;
	bool full; /* the arena is full: a part of the table is missing */
};

/* Make a table with these headings, ended by NULL. */
void obi_table_init(struct obi_table *table, struct obi_arena *arena, const char *const *headings);

/* Begin a row; then add its cells from left to right. Missing cells at its end are empty. */
void obi_table_row(struct obi_table *table);
void obi_table_cell(struct obi_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Print it on stdout. Empty cells are shown as "-", except in the last column. OB_ENOMEM: there was
 * no memory for all of it, and nothing was printed. */
int obi_table_print(const struct obi_table *table, struct ob_error *reterr);

#endif
