/* SPDX-License-Identifier: MIT */
/*
 * Children that live and are not in the config any more: of a name that was removed, or in a data
 * directory that was given up. They are known from the record and from the directories in
 * data_root, and ended as they would have been by the config that started them. Nobody's child is
 * touched while a connector holds it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "api/child_directory.h"
#include "api/runtime.h"
#include "base/names.h"
#include "cli/run/run.h"
#include "files/fifo.h"
#include "log/reader.h"
#include "files/statefile.h"

enum { STOP_TIMEOUT_MS = 10000, PATH_SIZE = 4096 };

struct obi_removed {
	struct obi_removed *next;
	struct obi_run *run;
	struct obi_record_entry entry; /* in the root's arena */
	dev_t dev;		       /* of the data directory */
	ino_t ino;
	bool ending; /* the process is being ended; else it cannot be, and only the record remembers
			it */
	struct obi_datadir dir;
	struct obi_process process;
	struct obi_io death;
	struct obi_timer patience;
	struct obi_fifo pipes[2];
	struct obi_log_reader *logs[2];
};

/* ---- The record ---- */

int obi_removed_record(struct obi_run *run, struct ob_error *reterr)
{
	size_t count = run->count, at = 0;
	for (const struct obi_removed *r = run->removed; r != NULL; r = r->next) {
		count++;
	}
	struct obi_record_entry *entries = calloc(count + 1, sizeof *entries);
	if (entries == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	for (uint32_t i = 0; i < run->count; i++) {
		const struct ob_connector_options *o = run->members[i].options;
		entries[at++] = (struct obi_record_entry){
		    .name = o->name,
		    .data_path = o->data_path,
		    .stop_signal = o->stop_signal != 0 ? o->stop_signal : SIGINT,
		    .stop_timeout_ms =
			o->stop_timeout_ms != 0 ? o->stop_timeout_ms : STOP_TIMEOUT_MS,
		};
	}
	for (const struct obi_removed *r = run->removed; r != NULL; r = r->next) {
		entries[at++] = r->entry;
	}
	for (size_t i = 0; i + 1 < at; i++) {
		entries[i].next = &entries[i + 1];
	}
	if (at > 0) {
		entries[at - 1].next = NULL;
	}
	int r = obi_root_write(&run->root, at > 0 ? entries : NULL, reterr);
	free(entries);
	return r;
}

/* ---- Forgetting ---- */

static void close_one(struct obi_removed *r)
{
	obi_io_stop(&r->death);
	obi_timer_stop(&r->patience);
	for (size_t i = 0; i < 2; i++) {
		obi_log_reader_free(r->logs[i]);
		obi_fifo_close(&r->pipes[i]);
	}
	obi_process_close(&r->process);
	obi_datadir_close(&r->dir);
	free(r);
}

static void unlink_one(struct obi_removed *r)
{
	struct obi_removed **at = &r->run->removed;
	while (*at != r) {
		at = &(*at)->next;
	}
	*at = r->next;
}

/* A child of the config that waited for this one may start. */
static void release_held(struct obi_run *run, const char *name)
{
	for (uint32_t i = 0; i < run->count; i++) {
		if (run->members[i].held && strcmp(run->members[i].options->name, name) == 0) {
			obi_member_begin(&run->members[i]);
		}
	}
}

/* Gone, and nothing of it is left. */
static void finish(struct obi_removed *r)
{
	struct obi_run *run = r->run;
	const char *name = r->entry.name;
	struct ob_error err;
	unlink_one(r);
	close_one(r);
	if (obi_removed_record(run, &err) < 0) {
		obi_run_log(run, NULL, OB_LOG_WARN, "the record of children is out of date",
			    "{s:s}", "cause", err.text);
	}
	release_held(run, name);
	obi_run_done_one(run);
}

void obi_removed_close(struct obi_run *run)
{
	while (run->removed != NULL) {
		struct obi_removed *r = run->removed;
		run->removed = r->next;
		close_one(r);
	}
}

/* ---- Ending ---- */

static void on_log(void *user, const struct ob_log_record *record)
{
	struct obi_removed *r = user;
	ob_log_writer_record(r->run->writer, record);
}

/* Its last words are to be heard, and a full pipe must not keep it from ending. */
static void open_logs(struct obi_removed *r)
{
	static const char *const files[] = {OBI_FILE_STDOUT, OBI_FILE_STDERR};
	static const char *const names[] = {"stdout", "stderr"};
	for (int i = 0; i < 2; i++) {
		struct obi_log_reader_setup setup = {.loop = r->run->rt->loop,
						     .stream = i + 1,
						     .name = r->entry.name,
						     .fn = on_log,
						     .user = r};
		if (obi_fifo_open(r->dir.fd, files[i], names[i], r->dir.uid, &r->pipes[i], NULL) ==
		    OB_OK) {
			setup.fd = r->pipes[i].fd;
			(void)obi_log_reader_new(&setup, &r->logs[i], NULL);
		}
	}
}

/* What a parent would have left after a stop. */
static void leave_in_order(const struct obi_removed *r, const struct obi_exit *end)
{
	struct obi_statefile state;
	obi_datadir_clean(&r->dir, true);
	if (obi_statefile_read(&r->dir, &state, NULL) == OB_OK) {
		state.state = OB_STATE_STOPPED;
		state.desired = OBI_DESIRED_STOPPED;
		state.procid = (struct obi_procid){.pid = 0};
		state.last_exit = *end;
		(void)obi_statefile_write(&r->dir, &state, NULL);
	}
}

static void on_death(void *user, int events)
{
	struct obi_removed *r = user;
	struct obi_exit end = {0};
	int32_t pid = r->process.id.pid;
	(void)events;
	obi_io_stop(&r->death);
	(void)obi_process_end(&r->process, &end);
	for (size_t i = 0; i < 2; i++) {
		if (r->logs[i] != NULL) {
			obi_log_reader_drain(r->logs[i]);
		}
	}
	leave_in_order(r, &end);
	obi_run_log(r->run, r->entry.name, OB_LOG_INFO, "ended", "{s:i}", "pid", (int)pid);
	finish(r);
}

static void on_impatience(void *user)
{
	struct obi_removed *r = user;
	(void)obi_process_signal_group(&r->process, SIGKILL, NULL);
}

static void begin_ending(struct obi_removed *r)
{
	struct obi_loop *loop = r->run->rt->loop;
	r->ending = true;
	r->run->pending++;
	obi_run_log(r->run, r->entry.name, OB_LOG_INFO, "is not in the config any more",
		    "{s:i,s:s}", "pid", (int)r->process.id.pid, "data_path", r->entry.data_path);
	open_logs(r);
	r->death.fn = on_death;
	r->patience.fn = on_impatience;
	r->death.user = r->patience.user = r;
	obi_io_set(loop, &r->death, r->process.pidfd, OB_READABLE);
	if (r->entry.stop_timeout_ms >= 0) {
		obi_timer_set(loop, &r->patience, r->entry.stop_timeout_ms);
	}
	(void)obi_process_signal(&r->process, r->entry.stop_signal, NULL);
	(void)obi_process_signal(&r->process, SIGCONT, NULL);
}

/* ---- Looking ---- */

/* Who lives there? True: keep it in the record, whether it is being ended or cannot be. */
static bool look(struct obi_removed *r, bool recorded, struct ob_error *err)
{
	struct obi_statefile state = {.state = 0};
	struct obi_occupant occupant;
	int code = obi_datadir_lock(&r->dir, err);
	if (code == OB_OK) {
		(void)obi_statefile_read(&r->dir, &state, NULL);
		code = obi_datadir_probe(&r->dir, &state.procid, &occupant, err);
	}
	if (code < 0) {
		return true;
	}
	if (occupant.kind == OBI_OCCUPANT_LIVE) {
		r->process = occupant.process;
		begin_ending(r);
		return true;
	}
	if (occupant.kind == OBI_OCCUPANT_LEFTOVERS && occupant.process.id.pid > 0) {
		(void)obi_leftovers_kill(&occupant.process.id, NULL);
	}
	if (recorded) {
		leave_in_order(r, &state.last_exit);
	}
	return false;
}

static bool is_members(const struct obi_run *run, const struct stat *st)
{
	for (uint32_t i = 0; i < run->count; i++) {
		struct stat own;
		if (stat(run->members[i].options->data_path, &own) == 0 &&
		    own.st_dev == st->st_dev && own.st_ino == st->st_ino) {
			return true;
		}
	}
	return false;
}

static bool is_known(const struct obi_run *run, const struct stat *st)
{
	for (const struct obi_removed *r = run->removed; r != NULL; r = r->next) {
		if (r->dev == st->st_dev && r->ino == st->st_ino) {
			return true;
		}
	}
	return false;
}

static void hold_namesakes(struct obi_run *run, const char *name)
{
	for (uint32_t i = 0; i < run->count; i++) {
		if (strcmp(run->members[i].options->name, name) == 0) {
			run->members[i].held = true;
		}
	}
}

/* A directory that may be a removed child's. */
static void consider(struct obi_run *run, const struct obi_record_entry *entry, bool recorded)
{
	struct ob_error err = {0};
	struct stat st;
	if (stat(entry->data_path, &st) < 0 || is_members(run, &st) || is_known(run, &st)) {
		return;
	}
	struct obi_removed *r = calloc(1, sizeof *r);
	if (r == NULL) {
		return;
	}
	*r = (struct obi_removed){.next = run->removed,
				  .run = run,
				  .entry = *entry,
				  .dev = st.st_dev,
				  .ino = st.st_ino,
				  .dir = OBI_DATADIR_NONE,
				  .process = OBI_PROCESS_NONE,
				  .pipes = {OBI_FIFO_NONE, OBI_FIFO_NONE}};
	run->removed = r;
	bool keep = obi_child_directory_open(entry->data_path, &r->dir, &err) < 0 ||
		    look(r, recorded, &err);
	if (!keep) {
		unlink_one(r);
		close_one(r);
	} else if (r->ending) {
		hold_namesakes(run, r->entry.name);
	} else {
		obi_datadir_close(&r->dir);
		obi_run_log(run, entry->name, OB_LOG_WARN,
			    "is not in the config any more, and cannot be ended", "{s:s,s:s}",
			    "data_path", entry->data_path, "cause", err.text);
	}
}

/* A directory in data_root that has a state.json is, or was, a child's. */
static void consider_directory(struct obi_run *run, const char *name)
{
	char path[PATH_SIZE], state[PATH_SIZE];
	struct stat st;
	int n = snprintf(path, sizeof path, "%s/%s", run->root.path, name);
	int m = snprintf(state, sizeof state, "%s/" OBI_FILE_STATE, name);
	if (n < 0 || (size_t)n >= sizeof path || m < 0 || (size_t)m >= sizeof state ||
	    !obi_name_is_child(ob_bytes_text(name)) ||
	    fstatat(run->root.fd, state, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return;
	}
	const struct obi_record_entry entry = {
	    .name = obi_arena_text(&run->root.arena, name, strlen(name)),
	    .data_path = obi_arena_text(&run->root.arena, path, (size_t)n),
	    .stop_signal = SIGINT,
	    .stop_timeout_ms = STOP_TIMEOUT_MS};
	if (entry.name != NULL && entry.data_path != NULL) {
		consider(run, &entry, false);
	}
}

void obi_removed_begin(struct obi_run *run)
{
	for (const struct obi_record_entry *e = run->root.record; e != NULL; e = e->next) {
		consider(run, e, true);
	}
	DIR *dir = opendir(run->root.path);
	const struct dirent *entry;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		consider_directory(run, entry->d_name);
	}
	if (dir != NULL) {
		closedir(dir);
	}
}
