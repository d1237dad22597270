/* SPDX-License-Identifier: MIT */
#include "cli/config/mounts.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/runner.h"
#include "base/value.h"
#include "cli/config/resolve.h"
#include "json/json.h"

enum { MOUNTS_MAX = 1024 };

static bool add(struct obi_mounts *mounts, struct obi_arena *arena, const char *inside,
		const char *source, bool writable)
{
	struct obi_mount mount = {.inside = obi_path_resolve(inside, arena), .writable = writable};
	if (source != NULL) {
		mount.source = obi_path_resolve(source, arena);
	}
	if (mount.inside == NULL || (source != NULL && mount.source == NULL) ||
	    mounts->count == MOUNTS_MAX) {
		return false;
	}
	mounts->list[mounts->count++] = mount;
	return true;
}

static bool has_room(struct obi_mounts *mounts, struct obi_arena *arena)
{
	*mounts = (struct obi_mounts){.count = 0};
	mounts->list = ob_arena_alloc(&arena->ob, MOUNTS_MAX * sizeof *mounts->list);
	return mounts->list != NULL;
}

/* ---- bubblewrap ---- */

static const char *const of_no_host[] = {"--proc", "--dev", "--tmpfs", "--mqueue", NULL};
static const char *const binds[] = {"--bind", "--bind-try", "--dev-bind", "--dev-bind-try", NULL};
static const char *const read_only[] = {"--ro-bind", "--ro-bind-try", NULL};
/* What is behind a descriptor cannot be told. */
static const char *const unknown[] = {"--bind-fd", "--ro-bind-fd", NULL};

static void remount(struct obi_mounts *mounts, const char *inside, struct obi_arena *arena)
{
	const char *path = obi_path_resolve(inside, arena);
	for (uint32_t i = mounts->count; path != NULL && i > 0; i--) {
		if (strcmp(mounts->list[i - 1].inside, path) == 0) {
			mounts->list[i - 1].writable = false;
			return;
		}
	}
}

/* An option with its arguments. False: what it mounts is not known. */
static bool read_option(const char *const *at, struct obi_arena *arena, struct obi_mounts *ret)
{
	bool writable = obi_runner_word_is_in(at[0], binds);
	if (strcmp(at[0], "--clearenv") == 0) {
		ret->config = "";
	} else if (strcmp(at[0], "--remount-ro") == 0) {
		remount(ret, at[1], arena);
	} else if (strcmp(at[0], "--setenv") == 0) {
		ret->config = strcmp(at[1], "OUTBOARD_CONFIG") == 0 ? at[2] : ret->config;
	} else if (obi_runner_word_is_in(at[0], of_no_host)) {
		return add(ret, arena, at[1], NULL, true);
	} else if (writable || obi_runner_word_is_in(at[0], read_only)) {
		return add(ret, arena, at[2], at[1], writable);
	}
	return !obi_runner_word_is_in(at[0], unknown);
}

static bool read_bwrap(const char *const *argv, struct obi_arena *arena, struct obi_mounts *ret)
{
	const char *const *at = argv + 1;
	if (!has_room(ret, arena) || !add(ret, arena, "/", NULL, true)) {
		return false;
	}
	while (*at != NULL && (*at)[0] == '-' && strcmp(*at, "--") != 0) {
		int count = obi_bwrap_arity(*at), given = 0;
		while (given < count && at[1 + given] != NULL) {
			given++;
		}
		if (given != count || !read_option(at, arena, ret)) {
			return false;
		}
		at += 1 + count;
	}
	return ret->config == NULL || ret->config[0] != '\0';
}

/* ---- runc ---- */

static const char *text_of(const struct ob_value *value, struct obi_arena *arena)
{
	struct ob_bytes text;
	return ob_get_string(value, &text) && text.len > 0 &&
		       memchr(text.data, '\0', text.len) == NULL
		   ? obi_arena_text(arena, (const char *)text.data, text.len)
		   : NULL;
}

static bool has(const struct ob_value *list, const char *word)
{
	struct ob_bytes text;
	bool found = false;
	for (uint32_t i = 0; ob_value_at(list, i) != NULL; i++) {
		found = found ||
			(ob_get_string(ob_value_at(list, i), &text) && ob_bytes_is(text, word));
	}
	return found;
}

/* A path of a bundle, which may be relative to it. */
static const char *in_bundle(const char *bundle, const char *path, struct obi_arena *arena)
{
	size_t size = strlen(bundle) + 1 + strlen(path) + 1;
	char *whole = path[0] != '/' ? ob_arena_alloc(&arena->ob, size) : NULL;
	if (whole != NULL) {
		snprintf(whole, size, "%s/%s", bundle, path);
	}
	return path[0] == '/' ? path : whole;
}

static bool read_mount(const char *bundle, const struct ob_value *mount, struct obi_arena *arena,
		       struct obi_mounts *ret)
{
	const struct ob_value *options = ob_value_find(mount, "options");
	const char *inside = text_of(ob_value_find(mount, "destination"), arena);
	const char *type = text_of(ob_value_find(mount, "type"), arena);
	const char *source = text_of(ob_value_find(mount, "source"), arena);
	bool bind = (type != NULL && strcmp(type, "bind") == 0) || has(options, "bind") ||
		    has(options, "rbind");
	if (inside == NULL || (bind && source == NULL)) {
		return false;
	}
	source = bind ? in_bundle(bundle, source, arena) : NULL;
	return (!bind || source != NULL) && add(ret, arena, inside, source, !has(options, "ro"));
}

/* OUTBOARD_CONFIG is what the bundle says, and nothing else. */
static const char *config_of(const struct ob_value *tree, struct obi_arena *arena)
{
	static const char name[] = "OUTBOARD_CONFIG=";
	const struct ob_value *env = ob_value_find(ob_value_find(tree, "process"), "env");
	for (uint32_t i = 0; ob_value_at(env, i) != NULL; i++) {
		const char *text = text_of(ob_value_at(env, i), arena);
		if (text != NULL && strncmp(text, name, sizeof name - 1) == 0) {
			return text + sizeof name - 1;
		}
	}
	return NULL;
}

static bool read_bundle(const char *bundle, const struct ob_value *tree, struct obi_arena *arena,
			struct obi_mounts *ret)
{
	const struct ob_value *root = ob_value_find(tree, "root");
	const struct ob_value *mounts = ob_value_find(tree, "mounts");
	const char *path = text_of(ob_value_find(root, "path"), arena);
	bool fixed = false;
	ret->config = config_of(tree, arena);
	if (path == NULL || ret->config == NULL) {
		return false;
	}
	(void)ob_get_bool(ob_value_find(root, "readonly"), &fixed);
	path = in_bundle(bundle, path, arena);
	bool good = path != NULL && add(ret, arena, "/", path, !fixed);
	for (uint32_t i = 0; good && ob_value_at(mounts, i) != NULL; i++) {
		good = read_mount(bundle, ob_value_at(mounts, i), arena, ret);
	}
	return good;
}

static bool read_bundle_at(const char *bundle, struct obi_arena *arena, struct obi_mounts *ret)
{
	const char *path = in_bundle(bundle, "config.json", arena);
	struct ob_value tree;
	size_t len = 0;
	uint8_t *text = path != NULL && has_room(ret, arena) ? obi_bundle_read(path, &len) : NULL;
	const char *copy = text != NULL ? obi_arena_text(arena, (const char *)text, len) : NULL;
	free(text);
	return copy != NULL &&
	       obi_json_parse(ob_bytes_of(copy, len), &arena->ob, NULL, &tree, NULL) == OB_OK &&
	       read_bundle(bundle, &tree, arena, ret);
}

/* ---- Both ---- */

bool obi_mounts_of_command(const char *const *argv, const char *cwd, struct obi_arena *arena,
			   struct obi_mounts *ret)
{
	if (argv == NULL || argv[0] == NULL) {
		return false;
	}
	if (strcmp(obi_runner_name(argv), "bwrap") == 0) {
		return read_bwrap(argv, arena, ret);
	}
	const char *bundle = obi_bundle_of(argv);
	if (bundle != NULL && bundle[0] != '/') {
		bundle = cwd != NULL ? in_bundle(cwd, bundle, arena) : NULL;
	}
	return bundle != NULL && read_bundle_at(bundle, arena, ret);
}

const char *obi_mounts_outside(const struct obi_mounts *mounts, const char *inside,
			       struct obi_arena *arena, bool *ret_writable)
{
	const char *path = obi_path_resolve(inside, arena);
	uint32_t i = mounts->count;
	*ret_writable = false;
	while (path != NULL && i > 0 && !obi_path_is_inside(path, mounts->list[i - 1].inside)) {
		i--;
	}
	if (path == NULL || i == 0 || mounts->list[i - 1].source == NULL) {
		return NULL;
	}
	const struct obi_mount *mount = &mounts->list[i - 1];
	const char *rest = path + strlen(mount->inside);
	size_t size = strlen(mount->source) + strlen(rest) + 1;
	char *outside = ob_arena_alloc(&arena->ob, size);
	if (outside != NULL) {
		snprintf(outside, size, "%s%s", mount->source, rest);
	}
	*ret_writable = mount->writable;
	return outside;
}
