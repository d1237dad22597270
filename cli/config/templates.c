/* SPDX-License-Identifier: MIT */
#include "cli/config/templates.h"

#include "base/names.h"

#include <stdio.h>

/* Maps and the list of templates are searched one by one, and templates completed by recursion. */
enum { COMPARED_MAX = 1 << 24, TEMPLATES_MAX = 4096, USED_MAX = 64, DEPTH_MAX = 64 };

enum progress { UNSEEN = 0, UNDER_WAY, DONE };

struct obi_template {
	struct ob_bytes name;
	const struct ob_value *own;
	struct ob_value whole; /* with what it uses */
	enum progress progress;
};

/* ---- Merging ---- */

static bool is_plugin(struct ob_bytes key)
{
	static const char *const plugins[] = {"auth", "codec", "transport", "client_auth",
					      "client_transport"};
	bool found = false;
	for (size_t i = 0; i < sizeof plugins / sizeof plugins[0]; i++) {
		found = found || ob_bytes_is(key, plugins[i]);
	}
	return found;
}

static struct ob_bytes key_of(const struct ob_pair *pair)
{
	return ob_bytes_of(pair->key.as.string, pair->key.count);
}

static struct ob_value merge(struct obi_reading *r, struct ob_arena *arena,
			     const struct ob_value *under, const struct ob_value *over, bool top);

/* Put a pair of `over` on those of `under`, which are the first. */
static void put(struct obi_reading *r, struct ob_arena *arena, struct obi_merged *merged,
		uint32_t under, const struct ob_pair *pair, bool top)
{
	uint32_t i = 0;
	while (i < under && !ob_bytes_equal(key_of(&merged->pairs[i]), key_of(pair))) {
		i++;
	}
	i = i < under ? i : merged->count++;
	struct ob_pair *at = &merged->pairs[i];
	bool both = i < under && at->value.type == OB_MAP && pair->value.type == OB_MAP;
	if (both && top && !is_plugin(key_of(pair))) {
		at->value = merge(r, arena, &at->value, &pair->value, false);
	} else {
		*at = *pair;
	}
	merged->inherited[i] = false;
}

static struct obi_merged *new_merged(struct obi_reading *r, struct ob_arena *arena, size_t most)
{
	struct obi_merged *merged = ob_arena_alloc(arena, sizeof *merged);
	struct ob_pair *pairs = ob_arena_alloc(arena, (most + 1) * sizeof *pairs);
	bool *inherited = ob_arena_alloc(arena, most + 1);
	if (merged == NULL || pairs == NULL || inherited == NULL) {
		obi_reading_fault(r, "out of memory");
		return NULL;
	}
	*merged = (struct obi_merged){r->merged, pairs, inherited, 0};
	r->merged = merged;
	return merged;
}

/* top: their objects are merged, too. */
static struct ob_value merge(struct obi_reading *r, struct ob_arena *arena,
			     const struct ob_value *under, const struct ob_value *over, bool top)
{
	if (over->count > 0 && under->count > COMPARED_MAX / over->count) {
		obi_reading_fault(r, "has too many keys to be merged with a template");
		return *over;
	}
	struct obi_merged *merged =
	    new_merged(r, arena, (size_t)under->count + (size_t)over->count);
	if (merged == NULL) {
		return *over;
	}
	for (; merged->count < under->count; merged->count++) {
		merged->pairs[merged->count] = under->as.pairs[merged->count];
		merged->inherited[merged->count] = true;
	}
	for (uint32_t i = 0; i < over->count; i++) {
		put(r, arena, merged, under->count, &over->as.pairs[i], top);
	}
	return ob_map(merged->pairs, merged->count);
}

/* ---- What is used ---- */

static struct obi_template *find(struct obi_templates *templates, struct ob_bytes name)
{
	for (uint32_t i = 0; i < templates->count; i++) {
		if (ob_bytes_equal(templates->items[i].name, name)) {
			return &templates->items[i];
		}
	}
	return NULL;
}

static void fault_about(struct obi_reading *r, const char *format, struct ob_bytes name)
{
	char reason[160];
	int len = (int)(name.len < 64 ? name.len : 64);
	snprintf(reason, sizeof reason, format, len, (const char *)name.data);
	obi_reading_fault(r, reason);
}

static void complete(struct obi_reading *r, struct obi_templates *templates,
		     struct obi_template *item);

/* Put a template on what is there so far. */
static void use_one(struct obi_reading *r, struct obi_templates *templates,
		    const struct ob_value *name, struct ob_value *whole)
{
	struct ob_bytes text;
	if (!ob_get_string(name, &text)) {
		obi_reading_fault(r, "must be the name of a template, or a list of names");
		return;
	}
	struct obi_template *item = find(templates, text);
	if (item == NULL) {
		fault_about(r, "no template \"%.*s\" exists", text);
	} else if (item->progress == UNDER_WAY) {
		fault_about(r, "template \"%.*s\" uses itself, directly or by others", text);
	} else if (templates->depth == DEPTH_MAX) {
		obi_reading_fault(r, "templates use each other more than 64 levels deep");
	} else {
		complete(r, templates, item);
		*whole = merge(r, templates->arena, whole, &item->whole, true);
	}
}

/* All that `use` of a child or a template names; the later ones come before the earlier ones. */
static struct ob_value used_by(struct obi_reading *r, struct obi_templates *templates,
			       const struct ob_value *use)
{
	struct ob_value whole = ob_map(NULL, 0);
	size_t was = obi_reading_enter(r, ob_bytes_text("use"));
	if (use->type != OB_ARRAY) {
		use_one(r, templates, use, &whole);
	} else if (use->count > USED_MAX) {
		obi_reading_fault(r, "must have at most 64 names");
		use = NULL;
	}
	for (uint32_t i = 0; ob_value_at(use, i) != NULL; i++) {
		char number[16];
		snprintf(number, sizeof number, "%u", i);
		size_t inner = obi_reading_enter(r, ob_bytes_text(number));
		use_one(r, templates, ob_value_at(use, i), &whole);
		obi_reading_leave(r, inner);
	}
	obi_reading_leave(r, was);
	return whole;
}

/* The object without `use`. */
static struct ob_value without_use(struct obi_reading *r, struct ob_arena *arena,
				   const struct ob_value *object)
{
	struct ob_pair *pairs = ob_arena_alloc(arena, ((size_t)object->count + 1) * sizeof *pairs);
	uint32_t count = 0;
	if (pairs == NULL) {
		obi_reading_fault(r, "out of memory");
		return *object;
	}
	for (uint32_t i = 0; i < object->count; i++) {
		if (!ob_bytes_is(key_of(&object->as.pairs[i]), "use")) {
			pairs[count++] = object->as.pairs[i];
		}
	}
	return ob_map(pairs, count);
}

static struct ob_value with_used(struct obi_reading *r, struct obi_templates *templates,
				 const struct ob_value *object)
{
	const struct ob_value *use = ob_value_find(object, "use");
	if (use == NULL) {
		return *object;
	}
	struct ob_value own = without_use(r, templates->arena, object);
	struct ob_value used = used_by(r, templates, use);
	return merge(r, templates->arena, &used, &own, true);
}

/* Its own faults are reported where it is, whoever uses it first. */
static void complete(struct obi_reading *r, struct obi_templates *templates,
		     struct obi_template *item)
{
	char key[OBI_READING_KEY_MAX];
	size_t len = r->key_len;
	if (item->progress != UNSEEN) {
		return;
	}
	item->progress = UNDER_WAY;
	memcpy(key, r->key, len + 1);
	obi_reading_leave(r, 0);
	obi_reading_enter(r, ob_bytes_text("templates"));
	obi_reading_enter(r, item->name);
	templates->depth++;
	item->whole = with_used(r, templates, item->own);
	templates->depth--;
	memcpy(r->key, key, len + 1);
	r->key_len = len;
	item->progress = DONE;
}

struct ob_value obi_templates_apply(struct obi_reading *r, struct obi_templates *templates,
				    const struct ob_value *child)
{
	r->merged = NULL;
	return child->type == OB_MAP ? with_used(r, templates, child) : *child;
}

/* ---- Reading ---- */

static void read_one(struct obi_reading *r, struct obi_templates *templates,
		     const struct ob_pair *pair, const struct obi_key *keys,
		     struct obi_template *ret)
{
	static const struct ob_value nothing = {.type = OB_MAP};
	struct ob_connector_options unused = {.size = sizeof unused};
	size_t was = obi_reading_enter(r, key_of(pair));
	if (!obi_name_is_child(key_of(pair))) {
		obi_reading_fault(r, "is not a valid name: 1 to 64 of A-Z a-z 0-9 . _ -");
	}
	if (pair->value.type == OB_MAP) {
		struct ob_value own = without_use(r, templates->arena, &pair->value);
		obi_read_object(r, &own, &unused, keys);
	} else {
		obi_reading_fault(r, "must be an object");
	}
	*ret = (struct obi_template){.name = key_of(pair),
				     .own = pair->value.type == OB_MAP ? &pair->value : &nothing};
	obi_reading_leave(r, was);
}

void obi_templates_read(struct obi_reading *r, const struct ob_value *tree,
			const struct obi_key *keys, struct ob_arena *arena,
			struct obi_templates *ret)
{
	const struct ob_value *value = ob_value_find(tree, "templates");
	*ret = (struct obi_templates){.arena = arena};
	if (value == NULL) {
		return;
	}
	size_t was = obi_reading_enter(r, ob_bytes_text("templates"));
	if (value->type != OB_MAP) {
		obi_reading_fault(r, "must be an object");
	} else if (value->count > TEMPLATES_MAX) {
		obi_reading_fault(r, "must have at most 4096 templates");
	} else {
		ret->items = ob_arena_alloc(arena, ((size_t)value->count + 1) * sizeof *ret->items);
		if (ret->items == NULL) {
			obi_reading_fault(r, "out of memory");
		}
	}
	for (uint32_t i = 0; ret->items != NULL && i < value->count; i++) {
		read_one(r, ret, &value->as.pairs[i], keys, &ret->items[ret->count++]);
	}
	obi_reading_leave(r, was);
	for (uint32_t i = 0; i < ret->count; i++) {
		complete(r, ret, &ret->items[i]);
	}
}
