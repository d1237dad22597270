/* SPDX-License-Identifier: MIT */
#include "agent/agent_file.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "files/file.h"
#include "json/json.h"
#include "place/agent_options.h"

enum { FILE_MAX = 1 << 20, TREE_MAX = 16 << 20 };

/* ---- Writing ---- */

static void build_text(struct ob_builder *b, const char *key, const char *text)
{
	if (text[0] != '\0') {
		ob_build_key(b, key);
		ob_build_string(b, text);
	}
}

static void build(struct ob_builder *b, const struct obi_agent_file *file)
{
	ob_build_map(b);
	ob_build_key(b, "version");
	ob_build_int(b, OBI_AGENT_VERSION);
	build_text(b, "instance", file->instance);
	build_text(b, "spent", file->spent);
	ob_build_key(b, "spawned");
	ob_build_bool(b, file->spawned);
	if (file->exit.known) {
		ob_build_key(b, "exit");
		obi_agent_exit_build(b, &file->exit, "at_ms", file->exited_at);
	}
	if (file->options.argv != NULL) {
		ob_build_key(b, "options");
		obi_agent_options_build(b, &file->options);
	}
	ob_build_end(b);
}

static int format(const struct obi_agent_file *file, struct ob_sink *out, struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value value = ob_nil();
	obi_arena_init(&arena, TREE_MAX);
	ob_builder_init(&b, &arena.ob);
	build(&b, file);
	int r = ob_builder_finish(&b, &value);
	r = r == OB_OK ? obi_json_write(&value, out, reterr)
		       : obi_fail(reterr, r, 0, OBI_AGENT_FILE ": out of memory");
	obi_arena_free(&arena);
	return r;
}

int obi_agent_file_write(const char *path, const struct obi_agent_file *file,
			 struct ob_error *reterr)
{
	struct obi_buf text;
	int fd = -1;
	obi_buf_init(&text, FILE_MAX);
	int r = format(file, obi_buf_sink(&text), reterr);
	r = r == OB_OK ? ob_directory_open(path, 0, &fd, reterr) : r;
	if (r == OB_OK) {
		r = obi_file_replace(fd, OBI_AGENT_FILE, "agent", obi_buf_bytes(&text), 0,
				     (uid_t)-1, (gid_t)-1, reterr);
		close(fd);
	}
	obi_buf_free(&text);
	return r;
}

/* ---- Reading ---- */

static int malformed(struct ob_error *reterr, const char *key)
{
	return obi_fail(reterr, OB_EPROTO, 0, OBI_AGENT_FILE ": %s: malformed", key);
}

static bool read_id(const struct ob_value *map, const char *key, char ret[OBI_AGENT_ID_SIZE])
{
	const struct ob_value *value = ob_value_find(map, key);
	ret[0] = '\0';
	return ob_is_nil(value) || obi_agent_id(value, ret);
}

static int take(const struct ob_value *map, struct obi_arena *arena, struct obi_agent_file *ret,
		struct ob_error *reterr)
{
	const struct ob_value *options = ob_value_find(map, "options");
	if (map->type != OB_MAP || !read_id(map, "instance", ret->instance) ||
	    !read_id(map, "spent", ret->spent)) {
		return malformed(reterr, "instance");
	}
	if (!ob_get_bool(ob_value_find(map, "spawned"), &ret->spawned)) {
		return malformed(reterr, "spawned");
	}
	if (!obi_agent_exit_read(ob_value_find(map, "exit"), "at_ms", &ret->exit,
				 &ret->exited_at)) {
		return malformed(reterr, "exit");
	}
	return ob_is_nil(options) ? OB_OK
				  : obi_agent_options_read(options, arena, &ret->options, reterr);
}

int obi_agent_file_read(const char *path, struct obi_arena *arena, struct obi_agent_file *ret,
			struct ob_error *reterr)
{
	const struct obi_json_limits limits = {.depth = OB_DEPTH_MAX, .flags = OBI_JSON_BINARY};
	struct obi_arena tree;
	struct obi_buf text;
	struct ob_value map = ob_nil();
	int fd = -1;
	*ret = (struct obi_agent_file){0};
	obi_arena_init(&tree, TREE_MAX);
	obi_buf_init(&text, FILE_MAX);
	int r = ob_directory_open(path, 0, &fd, reterr);
	if (r == OB_OK) {
		r = obi_file_read(fd, OBI_AGENT_FILE, (uid_t)-1, obi_buf_sink(&text), reterr);
		close(fd);
	}
	r = r == OB_OK ? obi_json_parse(obi_buf_bytes(&text), &tree.ob, &limits, &map, reterr) : r;
	r = r == OB_OK ? take(&map, arena, ret, reterr) : r;
	obi_buf_free(&text);
	obi_arena_free(&tree);
	return r;
}
