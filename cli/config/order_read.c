/* SPDX-License-Identifier: MIT */
/* The keys of a child that are for the command, and no options of a connector. */
#include "cli/config/run_config_read.h"

#include "base/names.h"
#include "cli/config/canonical.h"
#include "cli/config/where.h"

static void read_name(struct obi_reading *r, const struct ob_value *value, void *at,
		      const void *more)
{
	const char **name = at;
	(void)more;
	*name = obi_reading_text(r, value);
	if (*name != NULL && !obi_name_is_child(ob_bytes_text(*name))) {
		obi_reading_fault(r, "must be the name of a child");
	}
}

static void read_names(struct obi_reading *r, const struct ob_value *value, void *at,
		       const void *more)
{
	(void)more;
	obi_read_list(r, value, at, read_name);
}

static void read_where(struct obi_reading *r, const struct ob_value *value, void *at,
		       const void *more)
{
	(void)more;
	uint32_t index = 0;
	obi_read_word(r, value, &index, obi_where_names);
	*(uint32_t *)at = OBI_WHERE_HOST + index;
}

#define AT(member) offsetof(struct obi_child_order, member)
static const struct obi_key keys[] = {
    {"after", read_names, AT(after), NULL},
    {"within", read_name, AT(within), NULL},
    {"via", read_name, AT(via), NULL},
    {"where", read_where, AT(where), NULL},
    {0},
};
#undef AT

static const struct obi_key *find_key(const struct ob_pair *pair)
{
	const struct obi_key *key = keys;
	while (key->name != NULL &&
	       !ob_bytes_is(ob_bytes_of(pair->key.as.string, pair->key.count), key->name)) {
		key++;
	}
	return key->name != NULL ? key : NULL;
}

/* The value is read again, from the child with what it uses. */
void obi_check_order_key(struct obi_reading *r, const struct ob_value *value, void *at,
			 const void *more)
{
	struct obi_child_order ignored = {.where = 0};
	const struct obi_key *key = keys;
	(void)at;
	while (strcmp(key->name, more) != 0) {
		key++;
	}
	key->read(r, value, (char *)&ignored + key->offset, NULL);
}

void obi_read_order(struct obi_reading *r, const struct ob_value *child,
		    struct obi_child_order *order)
{
	static const struct obi_run_config_setup nothing;
	/* Its faults were told where they are. */
	struct obi_reading silent = {.arena = r->arena, .setup = &nothing};
	for (uint32_t i = 0; child->type == OB_MAP && i < child->count; i++) {
		const struct obi_key *key = find_key(&child->as.pairs[i]);
		if (key != NULL) {
			key->read(&silent, &child->as.pairs[i].value, (char *)order + key->offset,
				  NULL);
		}
	}
	order->within = order->within != NULL ? order->within : order->via;
	if (silent.count > 0 && r->count == 0) {
		obi_reading_fault(r, silent.first); /* out of memory */
	}
}

static bool is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool obi_child_order_equals(const struct obi_child_order *a, const struct obi_child_order *b)
{
	size_t i = 0;
	if (!is_same(a->within, b->within) || !is_same(a->via, b->via) || a->where != b->where ||
	    (a->after == NULL) != (b->after == NULL)) {
		return false;
	}
	while (a->after != NULL && a->after[i] != NULL && is_same(a->after[i], b->after[i])) {
		i++;
	}
	return a->after == NULL || (a->after[i] == NULL && b->after[i] == NULL);
}

/* Where it runs is an option of the child, too. */
static bool is_order(const struct ob_pair *pair)
{
	const struct obi_key *key = find_key(pair);
	return key != NULL && strcmp(key->name, "via") != 0;
}

const char *obi_text_without_order(struct obi_reading *r, const struct ob_value *child)
{
	struct ob_value kept = *child;
	if (child->type == OB_MAP) {
		struct ob_pair *pairs =
		    ob_arena_alloc(&r->arena->ob, ((size_t)child->count + 1) * sizeof *pairs);
		if (pairs == NULL) {
			return NULL;
		}
		kept = ob_map(pairs, 0);
		for (uint32_t i = 0; i < child->count; i++) {
			if (!is_order(&child->as.pairs[i])) {
				pairs[kept.count++] = child->as.pairs[i];
			}
		}
	}
	return obi_canonical_text(&kept, r->arena);
}
