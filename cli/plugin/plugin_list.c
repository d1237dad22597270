/* SPDX-License-Identifier: MIT */
/* outboard plugin list: the plugins of the plugin path, and the files that are refused. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "base/value.h"
#include "cli/config/load.h"
#include "cli/plugin/plugin.h"
#include "cli/report.h"
#include "cli/table.h"

enum { LIST_MEMORY = 16 << 20 };

struct listing {
	ob_runtime *rt;
	struct obi_arena arena;
	struct obi_table table;
	struct ob_builder json;
	uint32_t refused;
};

/* ---- Finding ---- */

static int is_module(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	return len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0;
}

/* By its bare name: a file that an earlier directory hides is never loaded. */
static void load(struct listing *l, const char *file)
{
	char name[NAME_MAX + 1];
	struct ob_error err;
	snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - 3), file);
	if (ob_plugin_load(l->rt, name, &err) < 0) {
		obi_complain("%s", err.text);
		l->refused++;
	}
}

/* A directory may be missing: the default ones need not exist. */
static void load_all(struct listing *l, const char *dir)
{
	struct dirent **files;
	int count = scandir(dir, &files, is_module, alphasort);
	if (count < 0 && errno != ENOENT) {
		obi_complain("%s: %s", dir, strerror(errno));
		l->refused++;
	}
	for (int i = 0; i < count; i++) {
		load(l, files[i]->d_name);
		free(files[i]);
	}
	if (count >= 0) {
		free(files);
	}
}

/* ---- Showing ---- */

static void join_schemes(const struct ob_plugin_info *info, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0, len = 0; info->schemes != NULL && info->schemes[i] != NULL && len < size;
	     i++) {
		const char *scheme = info->schemes[i],
			   *any = scheme[strlen(scheme) - 1] == '+' ? "*" : "";
		int n =
		    snprintf(text + len, size - len, "%s%s%s://", i > 0 ? " " : "", scheme, any);
		len += n > 0 ? (size_t)n : 0;
	}
}

static int add_row(void *user, const struct ob_plugin_info *info)
{
	struct listing *l = user;
	char schemes[256];
	join_schemes(info, schemes, sizeof schemes);
	obi_table_row(&l->table);
	obi_table_cell(&l->table, "%s", info->name);
	obi_table_cell(&l->table, "%s", ob_plugin_kind_name(info->kind));
	obi_table_cell(&l->table, "%s", info->version);
	obi_table_cell(&l->table, "%s", schemes);
	obi_table_cell(&l->table, "%s", info->origin);
	return 0;
}

static int add_json(void *user, const struct ob_plugin_info *info)
{
	struct ob_builder *b = &((struct listing *)user)->json;
	ob_build(b, "{s:s,s:s,s:s,s:[", "name", info->name, "kind", ob_plugin_kind_name(info->kind),
		 "version", info->version, "schemes");
	for (size_t i = 0; info->schemes != NULL && info->schemes[i] != NULL; i++) {
		ob_build_string(b, info->schemes[i]);
	}
	ob_build(b, "],s:s}", "file", info->origin);
	return 0;
}

static int show(struct listing *l, bool json)
{
	static const char *const headings[] = {"NAME",	    "KIND", "VERSION",
					       "ADDRESSES", "FILE", NULL};
	struct ob_error err = {0};
	struct ob_value list;
	if (!json) {
		obi_table_init(&l->table, &l->arena, headings);
		(void)ob_plugin_each(l->rt, add_row, l);
		return obi_table_print(&l->table, &err) == OB_OK ? OBI_EXIT_OK
								 : obi_give_up(NULL, &err);
	}
	ob_builder_init(&l->json, &l->arena.ob);
	ob_build_array(&l->json);
	(void)ob_plugin_each(l->rt, add_json, l);
	ob_build_end(&l->json);
	if (ob_builder_finish(&l->json, &list) < 0 || obi_print_json(stdout, &list, &err) < 0) {
		obi_complain("%s", err.text[0] != '\0' ? err.text : "out of memory");
		return OBI_EXIT_USAGE;
	}
	return OBI_EXIT_OK;
}

static int list_plugins(bool json)
{
	struct listing l = {.refused = 0};
	struct ob_error err;
	if (obi_load_runtime(NULL, &l.rt, &err) < 0) {
		return obi_give_up(NULL, &err);
	}
	obi_arena_init(&l.arena, LIST_MEMORY);
	for (const char *const *dir = ob_plugin_path(l.rt); *dir != NULL; dir++) {
		load_all(&l, *dir);
	}
	int status = show(&l, json);
	obi_arena_free(&l.arena);
	ob_runtime_free(l.rt);
	return status == OBI_EXIT_OK && l.refused > 0 ? OBI_EXIT_USAGE : status;
}

int obi_plugin_list(int argc, char **argv)
{
	bool json = false;
	const struct obi_option options[] = {
	    {"json", NULL, "print them as a JSON array of {name, kind, version, schemes, file}",
	     OBI_OPTION_FLAG, &json},
	    {0},
	};
	const struct obi_usage usage = {
	    .command = "plugin list",
	    .words = "",
	    .about =
		"Lists every plugin in the directories of OUTBOARD_PLUGIN_PATH and of the "
		"installation.\n"
		"Files that are refused are reported with the reason; the exit status is then 2.\n",
	    .options = options,
	    .min_words = 0,
	    .max_words = 0,
	};
	struct obi_words words;
	int status;
	return obi_args_read(&usage, argc, argv, &words, &status) ? list_plugins(json) : status;
}
