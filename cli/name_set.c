/* SPDX-License-Identifier: MIT */
#include "cli/name_set.h"

#include <string.h>

struct name_entry {
	struct obi_key_node node;
	const char *name;
};

bool obi_name_set_has(const struct obi_name_set *set, const char *name)
{
	struct obi_key_node *node = obi_key_find(&set->table, obi_key_of_text(ob_bytes_text(name)));
	for (; node != NULL; node = obi_key_again(node)) {
		if (strcmp(((const struct name_entry *)(const void *)node)->name, name) == 0) {
			return true;
		}
	}
	return false;
}

bool obi_name_set_add(struct obi_name_set *set, const char *name)
{
	if (obi_name_set_has(set, name)) {
		return false;
	}
	struct name_entry *entry = ob_arena_alloc(&set->arena->ob, sizeof *entry);
	if (entry != NULL) {
		entry->name = name;
		obi_key_add(&set->table, &entry->node, obi_key_of_text(ob_bytes_text(name)));
	}
	return true;
}

void obi_name_set_free(struct obi_name_set *set)
{
	obi_key_table_free(&set->table);
}
