/* SPDX-License-Identifier: MIT */
/*
 * Plugins of a child that have settings: {"use": NAME, "settings": {...}, "child_settings": {...}}
 * in place of NAME. Without child_settings the child gets none; "same" gives it those of the
 * parent. Those of a plugin for clients are the child's.
 */
#include "base/arena.h"
#include "base/value.h"
#include "cli/config/run_config_read.h"

enum { SCRATCH_MAX = 64 << 20 };

/* ---- One plugin ---- */

static void read_settings(struct obi_reading *r, const struct ob_value *value, void *at,
			  const void *more)
{
	(void)at, (void)more;
	if (value->type != OB_MAP) {
		obi_reading_fault(r, "must be an object");
	}
}

static bool is_same(const struct ob_value *value)
{
	struct ob_bytes text;
	return ob_get_string(value, &text) && ob_bytes_is(text, "same");
}

static void read_child_settings(struct obi_reading *r, const struct ob_value *value, void *at,
				const void *more)
{
	(void)at, (void)more;
	if (value->type != OB_MAP && !is_same(value)) {
		obi_reading_fault(r, "must be an object, or \"same\"");
	}
}

static void refuse_child_settings(struct obi_reading *r, const struct ob_value *value, void *at,
				  const void *more)
{
	(void)value, (void)at, (void)more;
	obi_reading_fault(r,
			  "is not for a plugin for clients: its settings are those of the child");
}

/* A name, or an object with these keys. */
static void read_plugin(struct obi_reading *r, const struct ob_value *value, void *at,
			const void *more, const struct obi_key *keys)
{
	if (value->type != OB_MAP) {
		obi_read_plugin_name(r, value, at, more);
		return;
	}
	obi_read_object(r, value, at, keys);
	if (ob_value_find(value, "use") == NULL) {
		size_t was = obi_reading_enter(r, ob_bytes_text("use"));
		obi_reading_fault(r, "is required");
		obi_reading_leave(r, was);
	}
}

void obi_read_plugin(struct obi_reading *r, const struct ob_value *value, void *at,
		     const void *more)
{
	static const struct obi_key keys[] = {
	    {"use", obi_read_plugin_name, 0, NULL},
	    {"settings", read_settings, 0, NULL},
	    {"child_settings", read_child_settings, 0, NULL},
	    {0},
	};
	read_plugin(r, value, at, more, keys);
}

void obi_read_client_plugin(struct obi_reading *r, const struct ob_value *value, void *at,
			    const void *more)
{
	static const struct obi_key keys[] = {
	    {"use", obi_read_plugin_name, 0, NULL},
	    {"settings", read_settings, 0, NULL},
	    {"child_settings", refuse_child_settings, 0, NULL},
	    {0},
	};
	read_plugin(r, value, at, more, keys);
}

/* ---- All of a child ---- */

/* The settings of one plugin, for the parent or for the child; NULL: none. */
static const struct ob_value *settings_of(const struct ob_value *plugin, bool of_child)
{
	const struct ob_value *settings = ob_value_find(plugin, "settings");
	const struct ob_value *childs = ob_value_find(plugin, "child_settings");
	return !of_child || is_same(childs) ? settings : childs;
}

static void add(struct ob_builder *b, struct ob_bytes key, const struct ob_value *settings,
		bool *ret_any)
{
	if (settings != NULL) {
		ob_build_value(b, ob_stringn((const char *)key.data, key.len));
		ob_build_value(b, *settings);
		*ret_any = true;
	}
}

static void add_auth(struct ob_builder *b, const char *key, const struct ob_value *list,
		     bool of_child, bool *ret_any)
{
	const struct ob_value one = list != NULL ? ob_array(list, 1) : ob_nil();
	struct ob_bytes name;
	list = list != NULL && list->type == OB_MAP ? &one : list;
	ob_build_key(b, key);
	ob_build_map(b);
	for (uint32_t i = 0; ob_value_at(list, i) != NULL; i++) {
		const struct ob_value *plugin = ob_value_at(list, i);
		if (ob_get_string(ob_value_find(plugin, "use"), &name)) {
			add(b, name, settings_of(plugin, of_child), ret_any);
		}
	}
	ob_build_end(b);
}

/* As ob_connector_options wants them; NULL: none. */
static const char *settings_text(struct obi_reading *r, const struct ob_value *child, bool of_child)
{
	struct obi_arena scratch;
	struct ob_builder b;
	struct ob_value tree;
	struct ob_bytes json;
	struct ob_error err = {0};
	const char *text = NULL;
	bool any = false;
	obi_arena_init(&scratch, SCRATCH_MAX);
	ob_builder_init(&b, &scratch.ob);
	ob_build_map(&b);
	add_auth(&b, "auth", ob_value_find(child, "auth"), of_child, &any);
	add(&b, ob_bytes_text("codec"), settings_of(ob_value_find(child, "codec"), of_child), &any);
	add(&b, ob_bytes_text("transport"),
	    settings_of(ob_value_find(child, "transport"), of_child), &any);
	if (of_child && ob_value_find(child, "client_listen") != NULL) {
		add_auth(&b, "client_auth", ob_value_find(child, "client_auth"), false, &any);
		add(&b, ob_bytes_text("client_transport"),
		    settings_of(ob_value_find(child, "client_transport"), false), &any);
	}
	ob_build_end(&b);
	if (any) {
		bool made = ob_builder_finish(&b, &tree) == OB_OK &&
			    ob_value_to_json(&tree, NULL, &scratch.ob, &json, &err) == OB_OK;
		text = made ? obi_arena_text(r->arena, (const char *)json.data, json.len) : NULL;
		if (text == NULL) {
			obi_reading_fault(r, err.text[0] != '\0' ? err.text : "out of memory");
		}
	}
	obi_arena_free(&scratch);
	return text;
}

void obi_read_all_settings(struct obi_reading *r, const struct ob_value *child,
			   struct ob_connector_options *options)
{
	options->settings = settings_text(r, child, false);
	options->child_settings = settings_text(r, child, true);
}
