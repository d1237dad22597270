/* SPDX-License-Identifier: MIT */
/* outboard status: the state of children, from their supervisor or from their data directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/args.h"
#include "base/error.h"
#include "base/value.h"
#include "cli/commands.h"
#include "cli/call/connect.h"
#include "cli/config/load.h"
#include "base/names.h"
#include "cli/report.h"
#include "cli/run/root.h"
#include "cli/status/probe.h"
#include "cli/table.h"

enum { ROWS_MEMORY = 256 << 20, PATH_SIZE = 4096 };

struct asking {
	struct obi_arena arena;
	struct obi_rows rows;
	ob_runtime *rt; /* with the plugin path of the config */
	int exit_status;
};

static void give_up(struct asking *a, const char *what, const struct ob_error *err)
{
	int status = obi_give_up(what, err);
	a->exit_status = a->exit_status == OBI_EXIT_OK ? status : a->exit_status;
}

static const char *copy(struct asking *a, const char *text)
{
	return obi_arena_text(&a->arena, text, strlen(text));
}

/* ---- From a supervisor ---- */

static int read_rows(struct asking *a, const struct ob_value *list, struct ob_error *reterr)
{
	for (uint32_t i = 0; ob_value_at(list, i) != NULL; i++) {
		struct obi_row *row = obi_rows_add(&a->rows, &a->arena.ob);
		if (row == NULL || !obi_row_read(ob_value_at(list, i), &a->arena.ob, row)) {
			return obi_fail(reterr, OB_EPROTO, 0, "run.status: unexpected answer");
		}
	}
	return OB_OK;
}

/* If no supervisor runs there, *ret_runs is false; that is not an error. */
static int ask_supervisor(struct asking *a, const char *root, bool *ret_runs,
			  struct ob_error *reterr)
{
	ob_client *client;
	ob_reply *reply;
	int r = obi_connect_supervisor(a->rt, root, &client, reterr);
	*ret_runs = r != OB_ENOENT && r != OB_EREFUSED;
	if (r < 0) {
		return *ret_runs ? r : OB_OK;
	}
	r = ob_reply_new(&reply, reterr);
	if (r == OB_OK) {
		r = ob_client_call(client, "run.status", NULL, 0, NULL, reply, reterr);
		r = r == OB_OK ? read_rows(a, ob_reply_value(reply), reterr) : r;
		ob_reply_free(reply);
	}
	ob_client_free(client);
	return r;
}

/* ---- From data directories ---- */

/* missing_ok: a child without a directory was never started, and is idle. */
static void ask_directory(struct asking *a, const char *name, const char *path,
			  const struct ob_connector_options *options, bool missing_ok)
{
	struct ob_error err = {0};
	struct obi_row *row = obi_rows_add(&a->rows, &a->arena.ob);
	const char *name_copy = copy(a, name), *path_copy = copy(a, path);
	if (row == NULL || name_copy == NULL || path_copy == NULL) {
		return;
	}
	row->name = name_copy;
	row->data_path = path_copy;
	int r = obi_status_probe(a->rt, options, row, &err);
	if (r < 0 && !(r == OB_ENOENT && missing_ok)) {
		give_up(a, path, &err);
	}
}

static bool has_file(const char *dir, const char *name)
{
	char path[PATH_SIZE];
	struct stat st;
	int n = snprintf(path, sizeof path, "%s/%s", dir, name);
	return n > 0 && (size_t)n < sizeof path && lstat(path, &st) == 0;
}

static bool is_shown(const struct asking *a, const char *path)
{
	struct stat one, other;
	for (const struct obi_row *row = a->rows.first; row != NULL; row = row->next) {
		if (row->data_path != NULL && stat(path, &one) == 0 &&
		    stat(row->data_path, &other) == 0 && one.st_dev == other.st_dev &&
		    one.st_ino == other.st_ino) {
			return true;
		}
	}
	return false;
}

static void ask_record(struct asking *a, const char *root)
{
	struct stat st;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		return;
	}
	for (const struct obi_record_entry *e = obi_root_read(fd, st.st_uid, &a->arena); e != NULL;
	     e = e->next) {
		if (!is_shown(a, e->data_path)) {
			ask_directory(a, e->name, e->data_path, NULL, true);
		}
	}
	close(fd);
}

/* The children of a data_root: those in the record, and those whose directories are in it. */
static void ask_root(struct asking *a, const char *root)
{
	struct dirent **entries;
	ask_record(a, root);
	int count = scandir(root, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char path[PATH_SIZE];
		const char *name = entries[i]->d_name;
		int n = snprintf(path, sizeof path, "%s/%s", root, name);
		if (n > 0 && (size_t)n < sizeof path && obi_name_is_child(ob_bytes_text(name)) &&
		    ob_child_exists(path) && !is_shown(a, path)) {
			ask_directory(a, name, path, NULL, false);
		}
		free(entries[i]);
	}
	if (count >= 0) {
		free(entries);
	}
}

/* ---- Targets ---- */

static void ask_config(struct asking *a, const char *path)
{
	struct obi_run_config config;
	struct obi_faults faults;
	struct ob_error err = {0};
	bool runs = false;
	obi_faults_init(&faults, path);
	if (!obi_load_config(path, &config, &faults)) {
		obi_faults_print(&faults);
		obi_faults_free(&faults);
		a->exit_status = OBI_EXIT_USAGE;
		return;
	}
	int r = obi_load_runtime(&config, &a->rt, &err);
	if (r == OB_OK && config.data_root != NULL) {
		r = ask_supervisor(a, config.data_root, &runs, &err);
	}
	if (r < 0) {
		give_up(a, path, &err);
	}
	for (uint32_t i = 0; r == OB_OK && !runs && i < config.count; i++) {
		const struct ob_connector_options *o = &config.children[i];
		ask_directory(a, o->name, o->data_path, o, true);
	}
	obi_run_config_free(&config);
	obi_faults_free(&faults);
}

/* The last part of a path from realpath(). */
static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static void ask_root_or_child(struct asking *a, const char *path)
{
	struct ob_error err = {0};
	bool runs = false;
	int r = obi_load_runtime(NULL, &a->rt, &err);
	if (r == OB_OK && has_file(path, OBI_ROOT_LOCK)) {
		r = ask_supervisor(a, path, &runs, &err);
		if (r == OB_OK && !runs) {
			ask_root(a, path);
		}
	} else if (r == OB_OK && ob_child_exists(path)) {
		ask_directory(a, last_part(path), path, NULL, false);
	} else if (r == OB_OK) {
		r = obi_fail(&err, OB_EINVAL, 0,
			     "neither a child's data directory nor a data_root");
	}
	if (r < 0) {
		give_up(a, path, &err);
	}
}

static void ask_target(struct asking *a, const char *target)
{
	struct ob_error err;
	struct stat st;
	char *path = realpath(target, NULL);
	if (path == NULL || stat(path, &st) < 0) {
		obi_fail(&err, OB_EINVAL, errno, "cannot be opened");
		give_up(a, target, &err);
	} else if (S_ISDIR(st.st_mode)) {
		ask_root_or_child(a, path);
	} else {
		ask_config(a, target);
	}
	ob_runtime_free(a->rt);
	a->rt = NULL;
	free(path);
}

/* ---- Showing ---- */

static const char *note_of(const struct obi_row *row)
{
	return row->status.state == OB_STATE_READY && row->status.healthy != 0
		   ? ""
		   : row->status.last_error;
}

static void add_numbers(struct obi_table *table, const struct ob_status *s)
{
	char uptime[32] = "", pid[16] = "", version[24] = "";
	if (s->pid != 0) {
		snprintf(pid, sizeof pid, "%" PRId32, s->pid);
	}
	if (s->version != 0) {
		snprintf(version, sizeof version, "%" PRIu64, s->version);
	}
	if (s->uptime_ms >= 0) {
		ob_duration_format(s->uptime_ms / 1000 * 1000, uptime, sizeof uptime);
	}
	obi_table_cell(table, "%s", pid);
	obi_table_cell(table, "%s", uptime);
	obi_table_cell(table, "%u", s->restarts);
	obi_table_cell(table, "%s", s->healthy < 0 ? "" : s->healthy != 0 ? "yes" : "no");
	obi_table_cell(table, "%s", version);
}

static void print_table(struct asking *a)
{
	static const char *const headings[] = {"NAME",	  "STATE",    "LINK",	 "PID",
					       "UPTIME",  "RESTARTS", "HEALTHY", "VERSION",
					       "ADDRESS", "NOTE",     NULL};
	struct obi_table table;
	obi_table_init(&table, &a->arena, headings);
	for (const struct obi_row *row = a->rows.first; row != NULL; row = row->next) {
		if (row->name == NULL) {
			continue;
		}
		const struct ob_status *s = &row->status;
		obi_table_row(&table);
		obi_table_cell(&table, "%s", row->name);
		obi_table_cell(&table, "%s%s", ob_state_name(s->state), s->stale ? " (stale)" : "");
		obi_table_cell(&table, "%s", row->link_unknown ? "" : ob_link_name(s->link));
		add_numbers(&table, s);
		obi_table_cell(&table, "%s", s->address);
		obi_table_cell(&table, "%s", note_of(row));
	}
	obi_table_print(&table);
}

static void print_json(struct asking *a)
{
	struct ob_error err = {0};
	struct ob_builder b;
	struct ob_value list;
	ob_builder_init(&b, &a->arena.ob);
	ob_build_array(&b);
	for (const struct obi_row *row = a->rows.first; row != NULL; row = row->next) {
		if (row->name != NULL) {
			obi_row_build(&b, row);
		}
	}
	ob_build_end(&b);
	int r = ob_builder_finish(&b, &list);
	r = r == OB_OK ? obi_print_json(&list, &err) : obi_fail(&err, r, 0, "out of memory");
	if (r < 0) {
		give_up(a, NULL, &err);
	}
}

static const char about[] =
    "Shows the state of children. CONFIG is the config file of \"outboard run\": its supervisor "
    "is\n"
    "asked or, if it does not run, the data directories of the children and the children\n"
    "themselves. DATA_DIR is a data_root, or the data directory of one child.\n";

int obi_cmd_status(int argc, char **argv)
{
	const char *config = NULL, *root = NULL;
	bool json = false;
	const struct obi_option options[] = {
	    {"config", "CONFIG", "the same as CONFIG", OBI_OPTION_TEXT, &config},
	    {"data-root", "DIR", "the same as DATA_DIR", OBI_OPTION_TEXT, &root},
	    {"json", NULL, "print a JSON array of objects", OBI_OPTION_FLAG, &json},
	    {0},
	};
	const struct obi_usage usage = {.command = "status",
					.words = "[CONFIG|DATA_DIR...]",
					.about = about,
					.options = options,
					.max_words = -1};
	struct asking a = {.exit_status = OBI_EXIT_OK};
	struct obi_words words;
	int status;
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	const char *named[] = {config, root};
	obi_arena_init(&a.arena, ROWS_MEMORY);
	for (size_t i = 0; i < 2; i++) {
		if (named[i] != NULL) {
			ask_target(&a, named[i]);
		}
	}
	for (int i = 0; i < words.count; i++) {
		ask_target(&a, words.items[i]);
	}
	if (config == NULL && root == NULL && words.count == 0) {
		obi_complain("status: a CONFIG or a DATA_DIR is required");
		a.exit_status = OBI_EXIT_USAGE;
	} else if (a.rows.first != NULL || a.exit_status == OBI_EXIT_OK) {
		json ? print_json(&a) : print_table(&a);
	}
	obi_arena_free(&a.arena);
	return a.exit_status;
}
