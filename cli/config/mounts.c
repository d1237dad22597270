/* SPDX-License-Identifier: MIT */
#include "cli/config/mounts.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bundle.h"
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

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words != NULL && strcmp(*words, word) != 0) {
		words++;
	}
	return *words != NULL;
}

/* ---- bubblewrap ---- */

static const char *const without_arguments[] = {
    "--unshare-all",	 "--share-net",	     "--unshare-user",	     "--unshare-user-try",
    "--unshare-ipc",	 "--unshare-pid",    "--unshare-net",	     "--unshare-uts",
    "--unshare-cgroup",	 "--disable-userns", "--unshare-cgroup-try", "--assert-userns-disabled",
    "--die-with-parent", "--new-session",    "--as-pid-1",	     NULL};
static const char *const with_one[] = {
    "--userns",	   "--userns2",		"--pidns",	"--uid",
    "--gid",	   "--hostname",	"--chdir",	"--unsetenv",
    "--lock-file", "--sync-fd",		"--exec-label", "--file-label",
    "--seccomp",   "--cap-add",		"--cap-drop",	"--add-seccomp-fd",
    "--block-fd",  "--userns-block-fd", "--info-fd",	"--dir",
    "--perms",	   "--json-status-fd",	"--size",	"--argv0",
    NULL};
static const char *const with_two[] = {"--file",    "--bind-data", "--ro-bind-data",
				       "--symlink", "--chmod",	   NULL};
static const char *const of_no_host[] = {"--proc", "--dev", "--tmpfs", "--mqueue", NULL};
static const char *const binds[] = {"--bind", "--bind-try", "--dev-bind", "--dev-bind-try", NULL};
static const char *const read_only[] = {"--ro-bind", "--ro-bind-try", NULL};

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

/* The arguments that an option takes; -1: it is not known. */
static int read_option(const char *const *at, struct obi_arena *arena, struct obi_mounts *ret)
{
	const char *one = at[1], *two = one != NULL ? at[2] : NULL;
	if (is_one_of(at[0], without_arguments)) {
		return 0;
	}
	if (strcmp(at[0], "--clearenv") == 0) {
		ret->config = "";
		return 0;
	}
	if (one == NULL || is_one_of(at[0], with_one)) {
		return one != NULL ? 1 : -1;
	}
	if (strcmp(at[0], "--remount-ro") == 0) {
		remount(ret, one, arena);
		return 1;
	}
	if (is_one_of(at[0], of_no_host)) {
		return add(ret, arena, one, NULL, true) ? 1 : -1;
	}
	if (two == NULL || is_one_of(at[0], with_two)) {
		return two != NULL ? 2 : -1;
	}
	if (strcmp(at[0], "--setenv") == 0) {
		ret->config = strcmp(one, "OUTBOARD_CONFIG") == 0 ? two : ret->config;
		return 2;
	}
	bool writable = is_one_of(at[0], binds);
	return (writable || is_one_of(at[0], read_only)) && add(ret, arena, two, one, writable)
		   ? 2
		   : -1;
}

static bool read_bwrap(const char *const *argv, struct obi_arena *arena, struct obi_mounts *ret)
{
	const char *const *at = argv + 1;
	if (!has_room(ret, arena) || !add(ret, arena, "/", NULL, true)) {
		return false;
	}
	while (*at != NULL && (*at)[0] == '-' && strcmp(*at, "--") != 0) {
		int count = read_option(at, arena, ret);
		if (count < 0) {
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

static const char *program_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

bool obi_mounts_of_command(const char *const *argv, const char *cwd, struct obi_arena *arena,
			   struct obi_mounts *ret)
{
	if (argv == NULL || argv[0] == NULL) {
		return false;
	}
	if (strcmp(program_of(argv[0]), "bwrap") == 0) {
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
