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
#include "cli/name_set.h"
#include "base/error.h"
#include "base/value.h"
#include "cli/commands.h"
#include "cli/call/connect.h"
#include "cli/config/load.h"
#include "cli/config/where.h"
#include "base/names.h"
#include "cli/report.h"
#include "cli/run/root.h"
#include "cli/status/probe.h"
#include "cli/status/usage.h"
#include "cli/table.h"

enum { ROWS_MEMORY = 256 << 20, PATH_SIZE = 4096 };

struct asking {
	struct obi_arena arena;
	struct obi_rows rows;
	ob_runtime *rt;		/* of the target: with the plugin path of its config, or plain */
	ob_runtime *plain;	/* for targets without a config; NULL: there was none yet */
	const char *state_path; /* of one child's directory; NULL: beside it */
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

static int unexpected(struct ob_error *reterr)
{
	return obi_fail(reterr, OB_EPROTO, 0, "run.status: unexpected answer");
}

/* *cursor moves on; 0: this was the last page. */
static int read_page(struct asking *a, const struct ob_value *page, uint64_t *cursor,
		     struct ob_error *reterr)
{
	const struct ob_value *list = ob_value_find(page, "children");
	const struct ob_value *next = ob_value_find(page, "next");
	uint64_t before = *cursor;
	if (list == NULL || list->type != OB_ARRAY) {
		return unexpected(reterr);
	}
	for (uint32_t i = 0; i < list->count; i++) {
		struct obi_row *row = obi_rows_add(&a->rows, &a->arena.ob);
		if (row == NULL) {
			return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
		}
		if (!obi_row_read(ob_value_at(list, i), &a->arena.ob, row)) {
			return unexpected(reterr);
		}
	}
	*cursor = 0;
	/* Each page that is not the last one brings something: there is an end. */
	return ob_is_nil(next) || (list->count > 0 && ob_get_uint(next, cursor) && *cursor > before)
		   ? OB_OK
		   : unexpected(reterr);
}

static int read_pages(struct asking *a, ob_client *client, ob_reply *reply, struct ob_error *reterr)
{
	uint64_t cursor = 0;
	int r;
	do {
		struct ob_value items[1] = {ob_uint(cursor)};
		struct ob_value params = ob_array(items, 1);
		r = ob_client_call(client, "run.status", &params, 0, NULL, reply, reterr);
		r = r == OB_OK ? read_page(a, ob_reply_value(reply), &cursor, reterr) : r;
	} while (r == OB_OK && cursor > 0);
	return r;
}

/* *ret_answers: it runs, and has answered. One that runs and cannot be reached is told here, and
 * the children are asked without it. That none runs is no error. */
static int ask_supervisor(struct asking *a, const char *root, bool *ret_answers,
			  struct ob_error *reterr)
{
	ob_client *client;
	ob_reply *reply;
	bool runs;
	int r = obi_connect_supervisor(a->rt, root, &client, &runs, reterr);
	*ret_answers = r == OB_OK;
	if (r < 0 && runs) {
		give_up(a, root, reterr);
		return OB_OK;
	}
	if (r < 0) {
		return r == OB_ENOENT || r == OB_EREFUSED ? OB_OK : r;
	}
	r = ob_reply_new(&reply, reterr);
	if (r == OB_OK) {
		r = read_pages(a, client, reply, reterr);
		ob_reply_free(reply);
	}
	ob_client_free(client);
	if (r < 0) {
		obi_name_supervisor(root, reterr);
	}
	return r;
}

/* ---- From data directories ---- */

/* missing_ok: a child without a directory was never started, and is idle. */
static void ask_directory(struct asking *a, const char *name, const char *path,
			  const char *state_path, const struct ob_connector_options *options,
			  bool missing_ok)
{
	struct ob_error err = {0};
	struct obi_row *row = obi_rows_add(&a->rows, &a->arena.ob);
	const char *name_copy = copy(a, name), *path_copy = copy(a, path);
	const char *state_copy = state_path != NULL ? copy(a, state_path) : NULL;
	if (row == NULL || name_copy == NULL || path_copy == NULL ||
	    (state_path != NULL && state_copy == NULL)) {
		obi_fail(&err, OB_ENOMEM, 0, "out of memory");
		give_up(a, path, &err);
		return;
	}
	row->name = name_copy;
	row->data_path = path_copy;
	row->state_path = state_copy;
	int r = obi_status_probe(a->rt, options, row, &err);
	if (r < 0 && !(r == OB_ENOENT && missing_ok)) {
		row->name = NULL; /* its state is not known, so it is not shown as one */
		give_up(a, path, &err);
	}
}

/* Of the last row. The names are not the config's, which is freed before they are shown. */
static void note_where(struct asking *a, const struct ob_connector_options *options,
		       const struct obi_child_order *order)
{
	enum obi_where said = (enum obi_where)order->where;
	if (a->rows.last == NULL) {
		return;
	}
	a->rows.last->where =
	    order->via != NULL
		? copy(a, order->via)
		: obi_where_name(said != OBI_WHERE_UNKNOWN ? said : obi_where_of(options));
}

static bool has_file(const char *dir, const char *name)
{
	char path[PATH_SIZE];
	struct stat st;
	int n = snprintf(path, sizeof path, "%s/%s", dir, name);
	return n > 0 && (size_t)n < sizeof path && lstat(path, &st) == 0;
}

static void unreadable(struct asking *a, const char *path)
{
	struct ob_error err;
	obi_fail(&err, obi_code_of_errno(errno), errno, "cannot be read");
	give_up(a, path, &err);
}

/* Returns whether the data_root can be read. */
static bool ask_record(struct asking *a, const char *root, struct obi_name_set *shown)
{
	struct stat st;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		unreadable(a, root);
		if (fd >= 0) {
			close(fd);
		}
		return false;
	}
	for (const struct obi_record_entry *e = obi_root_read(fd, st.st_uid, &a->arena); e != NULL;
	     e = e->next) {
		char state_path[PATH_SIZE];
		if (obi_state_path(root, e->name, state_path, sizeof state_path) &&
		    obi_name_set_add(shown, e->name)) {
			ask_directory(a, e->name, e->data_path, state_path, NULL, true);
		}
	}
	close(fd);
	return true;
}

static void ask_unrecorded(struct asking *a, const char *root, const char *name,
			   const struct obi_name_set *shown)
{
	char path[PATH_SIZE], state_path[PATH_SIZE];
	int n = snprintf(path, sizeof path, "%s/%s", root, name);
	if (n > 0 && (size_t)n < sizeof path && obi_name_is_child(ob_bytes_text(name)) &&
	    obi_state_path(root, name, state_path, sizeof state_path) &&
	    !obi_name_set_has(shown, name) && ob_child_exists(path, state_path)) {
		ask_directory(a, name, path, state_path, NULL, false);
	}
}

/* The children of a data_root: those of the record, and all that have a state directory. Each name
 * has one state directory, so a name is one child. */
static void ask_root(struct asking *a, const char *root)
{
	char states[PATH_SIZE];
	struct dirent **entries;
	struct obi_name_set shown = {.arena = &a->arena};
	bool readable =
	    ask_record(a, root, &shown) && obi_state_path(root, "", states, sizeof states);
	int count = readable ? scandir(states, &entries, NULL, alphasort) : -1;
	if (readable && count < 0 && errno != ENOENT) {
		unreadable(a, states);
	}
	for (int i = 0; i < count; i++) {
		ask_unrecorded(a, root, entries[i]->d_name, &shown);
		free(entries[i]);
	}
	if (count >= 0) {
		free(entries);
	}
	obi_name_set_free(&shown);
}

/* ---- Targets ---- */

static const char only_for_children[] = "--state is for the data directory of a child";

static void ask_child(struct asking *a, const struct obi_run_config *config, uint32_t i)
{
	const struct ob_connector_options *o = &config->children[i];
	ask_directory(a, o->name, o->data_path, o->state_path, o, true);
	note_where(a, o, &config->orders[i]);
	if (a->rows.last != NULL) {
		a->rows.last->agent_settings = obi_run_config_agent_settings(config, i);
	}
}

static void ask_config(struct asking *a, const char *path)
{
	struct obi_run_config config;
	struct obi_faults faults;
	struct ob_error err = {0};
	bool answers = false;
	if (a->state_path != NULL) {
		obi_fail(&err, OB_EINVAL, 0, only_for_children);
		give_up(a, path, &err);
		return;
	}
	obi_faults_init(&faults, path);
	faults.other_environment = true;
	if (!obi_load_config(path, &config, &faults)) {
		obi_faults_print(&faults);
		obi_faults_free(&faults);
		a->exit_status = OBI_EXIT_USAGE;
		return;
	}
	int r = obi_load_runtime(&config, &a->rt, &err);
	if (r == OB_OK && config.data_root != NULL) {
		r = ask_supervisor(a, config.data_root, &answers, &err);
	}
	if (r < 0) {
		give_up(a, path, &err);
	}
	for (uint32_t i = 0; r == OB_OK && !answers && i < config.count; i++) {
		ask_child(a, &config, i);
	}
	if (a->rt != NULL) {
		obi_status_ask(a->rt, &a->rows);
		ob_runtime_free(a->rt);
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
	bool answers = false;
	int r = a->plain != NULL ? OB_OK : obi_load_runtime(NULL, &a->plain, &err);
	a->rt = a->plain;
	if (r == OB_OK && access(path, X_OK) < 0) {
		r = obi_fail(&err, obi_code_of_errno(errno), errno, "cannot be read");
	} else if (r == OB_OK && has_file(path, OBI_ROOT_LOCK) && a->state_path != NULL) {
		r = obi_fail(&err, OB_EINVAL, 0, only_for_children);
	} else if (r == OB_OK && has_file(path, OBI_ROOT_LOCK)) {
		r = ask_supervisor(a, path, &answers, &err);
		if (r == OB_OK && !answers) {
			ask_root(a, path);
		}
	} else if (r == OB_OK && ob_child_exists(path, a->state_path)) {
		ask_directory(a, last_part(path), path, a->state_path, NULL, false);
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
	struct stat st = {.st_mode = 0};
	bool standard = strcmp(target, "-") == 0;
	bool there = standard || stat(target, &st) == 0;
	bool is_directory = there && !standard && S_ISDIR(st.st_mode);
	char *path = is_directory ? realpath(target, NULL) : NULL;
	if (there && !is_directory) {
		ask_config(a, target);
	} else if (path != NULL) {
		ask_root_or_child(a, path);
	} else {
		obi_fail(&err, OB_EINVAL, errno, "cannot be opened");
		give_up(a, target, &err);
	}
	a->rt = NULL;
	free(path);
}

/* ---- Showing ---- */

static void add_note(struct obi_table *table, const struct ob_status *s)
{
	char delay[48];
	bool runs = s->pid != 0 && (s->state == OB_STATE_READY || s->state == OB_STATE_DETACHED);
	if (runs && s->link == OB_LINK_DOWN && s->address[0] == '\0') {
		obi_table_cell(table, "%s", "it has reported no address");
	} else if (s->next_try_ms >= 0) {
		/* What is finer has passed by the time it is read. */
		int64_t unit = s->next_try_ms < 60000 ? 100 : 1000;
		ob_duration_format(s->next_try_ms - s->next_try_ms % unit, delay, sizeof delay);
		obi_table_cell(table, "next try in %s%s%s", delay,
			       s->last_error[0] != '\0' ? "; " : "", s->last_error);
	} else {
		obi_table_cell(table, "%s", s->last_error);
	}
}

static void add_numbers(struct obi_table *table, const struct ob_status *s)
{
	char uptime[32] = "", pid[48] = "", version[24] = "";
	if (s->inner_pid != 0 && s->pid == 0) {
		snprintf(pid, sizeof pid, "(inner %" PRId32 ")", s->inner_pid);
	} else if (s->inner_pid != 0) {
		snprintf(pid, sizeof pid, "%" PRId32 " (inner %" PRId32 ")", s->pid, s->inner_pid);
	} else if (s->pid != 0) {
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

static bool has_usage(const struct asking *a)
{
	const struct obi_row *row = a->rows.first;
	while (row != NULL && (row->name == NULL || !obi_usage_is_known(&row->status.usage))) {
		row = row->next;
	}
	return row != NULL;
}

static void print_table(struct asking *a)
{
	const char *headings[OBI_TABLE_COLUMNS_MAX + 1] = {
	    "NAME", "STATE", "LINK", "WHERE", "PID", "UPTIME", "RESTARTS", "HEALTHY", "VERSION"};
	bool usage = has_usage(a);
	obi_usage_headings(headings, usage);
	struct obi_table table;
	obi_table_init(&table, &a->arena, headings);
	for (const struct obi_row *row = a->rows.first; row != NULL; row = row->next) {
		if (row->name == NULL) {
			continue;
		}
		const struct ob_status *s = &row->status;
		obi_table_row(&table);
		obi_table_cell(&table, "%s", row->name);
		obi_table_cell(&table, "%s%s", obi_row_state(row), s->stale ? " (stale)" : "");
		obi_table_cell(&table, "%s", row->link_unknown ? "" : ob_link_name(s->link));
		obi_table_cell(&table, "%s", row->where != NULL ? row->where : "");
		add_numbers(&table, s);
		if (usage) {
			obi_usage_cells(&table, &s->usage);
		}
		obi_table_cell(&table, "%s", s->address);
		add_note(&table, s);
	}
	struct ob_error err;
	if (obi_table_print(&table, &err) < 0) {
		give_up(a, NULL, &err);
	}
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
	r = r == OB_OK ? obi_print_json(stdout, &list, &err)
		       : obi_fail(&err, r, 0, "out of memory");
	if (r < 0) {
		give_up(a, NULL, &err);
	}
}

static bool has_rows(const struct asking *a)
{
	const struct obi_row *row = a->rows.first;
	while (row != NULL && row->name == NULL) {
		row = row->next;
	}
	return row != NULL;
}

/* named: the two targets that options may name, or NULL. */
static void ask_all(struct asking *a, const char *const named[2], const struct obi_words *words)
{
	int count = words->count + (named[0] != NULL) + (named[1] != NULL);
	if (count == 0 || (count > 1 && a->state_path != NULL)) {
		obi_complain("%s", count == 0 ? "status: a CONFIG or a DATA_DIR is required"
					      : "status: --state requires exactly one DATA_DIR");
		a->exit_status = OBI_EXIT_USAGE;
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		if (named[i] != NULL) {
			ask_target(a, named[i]);
		}
	}
	for (int i = 0; i < words->count; i++) {
		ask_target(a, words->items[i]);
	}
	if (a->plain != NULL) {
		obi_status_ask(a->plain, &a->rows);
		ob_runtime_free(a->plain);
	}
}

static const char about[] =
    "Shows the state of children. CONFIG is the config file of \"outboard run\": its supervisor\n"
    "is asked or, if it does not run, the data directories of the children and the children\n"
    "themselves. DATA_DIR is a data_root, or the data directory of one child.\n";

int obi_cmd_status(int argc, char **argv)
{
	const char *config = NULL, *root = NULL, *state = NULL;
	bool json = false;
	const struct obi_option options[] = {
	    {"config", "CONFIG", "the same as CONFIG", OBI_OPTION_TEXT, &config},
	    {"data-root", "DIR", "the same as DATA_DIR", OBI_OPTION_TEXT, &root},
	    {"state", "DIR", "state directory of the child in DATA_DIR", OBI_OPTION_TEXT, &state},
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
	obi_arena_init(&a.arena, ROWS_MEMORY);
	a.state_path = state;
	const char *named[] = {config, root};
	ask_all(&a, named, &words);
	if (has_rows(&a) || a.exit_status == OBI_EXIT_OK) {
		json ? print_json(&a) : print_table(&a);
	}
	obi_arena_free(&a.arena);
	return a.exit_status;
}
