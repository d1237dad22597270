/* SPDX-License-Identifier: MIT */
#include "cli/config/canonical.h"

#include <outboard/json.h>
#include <stdlib.h>
#include <string.h>

enum { SORTED_MEMORY = 1 << 30 };

static int compare_keys(const void *a, const void *b)
{
	const struct ob_value *x = &((const struct ob_pair *)a)->key;
	const struct ob_value *y = &((const struct ob_pair *)b)->key;
	size_t len = x->count < y->count ? x->count : y->count;
	int order = len > 0 ? memcmp(x->as.string, y->as.string, len) : 0;
	return order != 0 ? order : (x->count > y->count) - (x->count < y->count);
}

static bool sort(const struct ob_value *value, struct obi_arena *arena, struct ob_value *ret);

static bool sort_map(const struct ob_value *value, struct obi_arena *arena, struct ob_value *ret)
{
	struct ob_pair *pairs = ob_arena_alloc(&arena->ob, (value->count + 1) * sizeof *pairs);
	bool good = pairs != NULL;
	for (uint32_t i = 0; good && i < value->count; i++) {
		pairs[i].key = value->as.pairs[i].key;
		good = sort(&value->as.pairs[i].value, arena, &pairs[i].value);
	}
	if (good) {
		qsort(pairs, value->count, sizeof *pairs, compare_keys);
		*ret = ob_map(pairs, value->count);
	}
	return good;
}

static bool sort_array(const struct ob_value *value, struct obi_arena *arena, struct ob_value *ret)
{
	struct ob_value *items = ob_arena_alloc(&arena->ob, (value->count + 1) * sizeof *items);
	bool good = items != NULL;
	for (uint32_t i = 0; good && i < value->count; i++) {
		good = sort(&value->as.items[i], arena, &items[i]);
	}
	if (good) {
		*ret = ob_array(items, value->count);
	}
	return good;
}

/* The reader of JSON limits the depth. */
static bool sort(const struct ob_value *value, struct obi_arena *arena, struct ob_value *ret)
{
	*ret = *value;
	return value->type == OB_MAP	 ? sort_map(value, arena, ret)
	       : value->type == OB_ARRAY ? sort_array(value, arena, ret)
					 : true;
}

const char *obi_canonical_text(const struct ob_value *value, struct obi_arena *arena)
{
	struct obi_arena scratch;
	struct ob_value sorted;
	struct ob_bytes text;
	const char *copy = NULL;
	obi_arena_init(&scratch, SORTED_MEMORY);
	if (sort(value, &scratch, &sorted) &&
	    ob_value_to_json(&sorted, NULL, &scratch.ob, &text, NULL) == OB_OK) {
		copy = obi_arena_text(arena, (const char *)text.data, text.len);
	}
	obi_arena_free(&scratch);
	return copy;
}
