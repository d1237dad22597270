/* SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include <stdio.h>

#include "base/error.h"
#include "cli/report.h"

enum { GAP = 2, CELL_MAX = 512 };

struct obi_table_row {
	struct obi_table_row *next;
	uint32_t count;
	const char *cells[OBI_TABLE_COLUMNS_MAX];
};

void obi_table_init(struct obi_table *table, struct obi_arena *arena, const char *const *headings)
{
	*table = (struct obi_table){.arena = arena};
	while (headings[table->columns] != NULL) {
		table->columns++;
	}
	obi_table_row(table);
	for (uint32_t i = 0; i < table->columns; i++) {
		obi_table_cell(table, "%s", headings[i]);
	}
}

void obi_table_row(struct obi_table *table)
{
	struct obi_table_row *row = ob_arena_alloc(&table->arena->ob, sizeof *row);
	if (row == NULL) {
		table->full = true;
		return;
	}
	*row = (struct obi_table_row){.next = NULL};
	if (table->last != NULL) {
		table->last->next = row;
	} else {
		table->first = row;
	}
	table->last = row;
}

void obi_table_cell(struct obi_table *table, const char *format, ...)
{
	char text[CELL_MAX];
	struct obi_table_row *row = table->last;
	va_list args;
	if (table->full || row->count == table->columns) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	char *copy = obi_arena_text(table->arena, text, strlen(text));
	if (copy == NULL) {
		table->full = true;
		return;
	}
	size_t width = obi_columns(ob_bytes_text(copy));
	if (width > table->widths[row->count]) {
		table->widths[row->count] = width;
	}
	row->cells[row->count++] = copy;
}

static void print_cell(const struct obi_table *table, const struct obi_table_row *row, uint32_t i,
		       size_t *pending)
{
	bool last = i + 1 == table->columns;
	const char *text = i < row->count ? row->cells[i] : "";
	if (*text == '\0' && !last) {
		text = "-";
	}
	if (*text == '\0') {
		return; /* without the blanks before it */
	}
	size_t width = obi_columns(ob_bytes_text(text));
	printf("%*s", (int)*pending, "");
	obi_print_safe(stdout, ob_bytes_text(text));
	*pending = table->widths[i] - (width < table->widths[i] ? width : table->widths[i]) + GAP;
}

int obi_table_print(const struct obi_table *table, struct ob_error *reterr)
{
	if (table->full) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	for (const struct obi_table_row *row = table->first; row != NULL; row = row->next) {
		size_t pending = 0;
		for (uint32_t i = 0; i < table->columns; i++) {
			print_cell(table, row, i, &pending);
		}
		putchar('\n');
	}
	return OB_OK;
}
