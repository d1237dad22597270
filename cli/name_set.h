/* SPDX-License-Identifier: MIT */
/* name_set - a set of names. Adding and looking up cost the same however many there are. */
#ifndef OBI_CLI_NAME_SET_H
#define OBI_CLI_NAME_SET_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/key_table.h"

/* Zeroed, with an arena: empty. */
struct obi_name_set {
	struct obi_arena *arena;
	struct obi_key_table table;
};

/* Add a name, which must stay valid. False: it is in the set already. */
bool obi_name_set_add(struct obi_name_set *set, const char *name);

bool obi_name_set_has(const struct obi_name_set *set, const char *name);

/* The names, and what the arena holds, stay. */
void obi_name_set_free(struct obi_name_set *set);

#endif
