/* SPDX-License-Identifier: MIT */
#include "cli/run/removed.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/names.h"
#include "cli/config/resolve.h"
#include "cli/run/order.h"

enum { WRITE_MS = 100, PATH_SIZE = 4096, PLACES_MEMORY = 64 << 20 };

struct obi_removed_child {
	struct obi_removed_child *next, *previous;
	struct obi_removed *removed;   /* NULL: forgotten */
	struct obi_record_entry entry; /* in the arena of the root, or of the member */
	struct obi_member *member;     /* a reference, where a reload has removed it; else NULL */
	struct obi_member *neighbour; /* another name in the same directory, which waits; or NULL */
	int32_t pid;
	bool ending; /* on_done() follows; else it cannot be ended, and only the record has it */
};

/* ---- The record ---- */

static struct obi_record_entry entry_of(const struct ob_connector_options *o)
{
	return (struct obi_record_entry){
	    .name = o->name,
	    .data_path = o->data_path,
	    .stop_signal = o->stop_signal != 0 ? o->stop_signal : SIGINT,
	    .stop_timeout_ms = o->stop_timeout_ms != 0 ? o->stop_timeout_ms : OBI_STOP_TIMEOUT_MS,
	};
}

/* The members, and the removed children that live. */
int obi_removed_write(const struct obi_removed *removed, struct ob_error *reterr)
{
	const struct obi_members *members = removed->members;
	size_t count = members->count, at = 0;
	for (const struct obi_removed_child *c = removed->first; c != NULL; c = c->next) {
		count++;
	}
	struct obi_record_entry *entries = calloc(count + 1, sizeof *entries);
	if (entries == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	for (uint32_t i = 0; i < members->count; i++) {
		entries[at++] = entry_of(members->list[i]->options);
	}
	for (const struct obi_removed_child *c = removed->first; c != NULL; c = c->next) {
		entries[at++] = c->entry;
	}
	for (size_t i = 0; i < at; i++) {
		entries[i].next = i + 1 < at ? &entries[i + 1] : NULL;
	}
	int r = obi_root_write(removed->root, at > 0 ? entries : NULL, reterr);
	free(entries);
	return r;
}

/* ---- Ending ---- */

static void link_child(struct obi_removed *removed, struct obi_removed_child *child)
{
	child->next = removed->first;
	if (child->next != NULL) {
		child->next->previous = child;
	}
	removed->first = child;
}

static void unlink_child(struct obi_removed_child *child)
{
	if (child->previous != NULL) {
		child->previous->next = child->next;
	} else {
		child->removed->first = child->next;
	}
	if (child->next != NULL) {
		child->next->previous = child->previous;
	}
}

static void forget(struct obi_removed_child *child)
{
	if (child->member != NULL) {
		obi_member_unref(child->member);
	}
	if (child->neighbour != NULL) {
		obi_member_unref(child->neighbour);
	}
	free(child);
}

/* Many may end at once, and the record names all that are left: it is written once for them. */
static void on_write(void *user, int what)
{
	struct obi_removed *removed = user;
	struct ob_error err;
	(void)what;
	ob_watch_free(removed->write_soon);
	removed->write_soon = NULL;
	if (obi_removed_write(removed, &err) < 0) {
		obi_run_log(removed->log, NULL, OB_LOG_WARN, "cannot write the record of children",
			    "{s:s}", "cause", err.text);
	}
}

void obi_removed_write_soon(struct obi_removed *removed)
{
	if (removed->write_soon == NULL) {
		(void)ob_watch_timer(removed->rt, WRITE_MS, on_write, removed, &removed->write_soon,
				     NULL);
	}
	if (removed->write_soon == NULL) {
		on_write(removed, 0);
	}
}

static void on_log(void *user, const struct ob_log_record *record)
{
	struct obi_removed_child *child = user;
	if (child->removed != NULL) {
		ob_log_writer_record(child->removed->log->writer, record);
	}
}

void obi_removed_flush(struct obi_removed *removed)
{
	if (removed->write_soon != NULL) {
		on_write(removed, 0);
	}
}

/* Whether a child of its name, or in its directory, is still being ended. */
static bool must_wait(const struct obi_removed *removed, const struct obi_member *member)
{
	const struct obi_removed_child *c = removed->first;
	while (c != NULL && !(c->ending && (c->neighbour == member ||
					    strcmp(c->entry.name, member->options->name) == 0))) {
		c = c->next;
	}
	return c != NULL;
}

/* A member (or NULL) that waited for a child may start; if the child lives on, it is adopted. */
static void release(const struct obi_removed *removed, struct obi_member *member)
{
	struct ob_error err;
	if (member == NULL || !member->blocked || must_wait(removed, member)) {
		return;
	}
	member->blocked = false;
	if (member->held && !member->left) {
		(void)obi_member_begin(member, &err);
	}
}

static void tell_failure(const struct obi_removed *removed, const char *name, const char *data_path,
			 const char *cause)
{
	obi_run_log(removed->log, name, OB_LOG_WARN,
		    "removed from the config, but cannot be stopped", "{s:s,s:s}", "data_path",
		    data_path, "cause", cause);
}

/* It stays in the record. */
static void tell_failed_end(const struct obi_removed_child *child, const struct ob_error *err)
{
	tell_failure(child->removed, child->entry.name, child->entry.data_path, err->text);
}

static void on_done(void *user, int result, const struct ob_error *err)
{
	struct obi_removed_child *child = user;
	struct obi_removed *removed = child->removed;
	if (removed == NULL) {
		forget(child); /* the runtime is being freed */
		return;
	}
	removed->pending--;
	child->ending = false;
	if (child->member != NULL) {
		obi_member_close(child->member);
	}
	release(removed, obi_members_find(removed->members, ob_bytes_text(child->entry.name)));
	release(removed, result == OB_OK ? child->neighbour : NULL);
	if (result == OB_OK) {
		obi_run_log(removed->log, child->entry.name, OB_LOG_INFO, "ended", "{s:i}", "pid",
			    (int)child->pid);
		unlink_child(child);
		forget(child);
	} else {
		tell_failed_end(child, err);
	}
	if (removed->pending > 0) {
		obi_removed_write_soon(removed);
	} else {
		on_write(removed, 0);
	}
	removed->on_done(removed->user);
}

/* The end was asked for. */
static void begun(struct obi_removed_child *child)
{
	struct obi_removed *removed = child->removed;
	struct obi_member *namesake =
	    obi_members_find(removed->members, ob_bytes_text(child->entry.name));
	if (namesake != NULL) {
		namesake->blocked = true;
	}
	child->ending = true;
	removed->pending++;
	obi_run_log(removed->log, child->entry.name, OB_LOG_INFO,
		    "no longer in the config, ending it", "{s:i,s:s}", "pid", (int)child->pid,
		    "data_path", child->entry.data_path);
}

static int begin_ending(struct obi_removed_child *child, const char *state_path,
			struct ob_error *reterr)
{
	struct obi_removed *removed = child->removed;
	const struct ob_child_end_options options = {.size = sizeof options,
						     .name = child->entry.name,
						     .stop_signal = child->entry.stop_signal,
						     .stop_timeout_ms =
							 child->entry.stop_timeout_ms,
						     .on_log = on_log,
						     .user_data = child};
	int r = ob_child_end_async(removed->rt, child->entry.data_path, state_path, &options,
				   on_done, child, reterr);
	if (r < 0) {
		return r;
	}
	begun(child);
	return OB_OK;
}

/* ---- Finding ---- */

/* Whether the paths lead to one directory; one that is missing has only its name. */
static bool is_same_directory(const char *a, const char *b)
{
	struct stat one, other;
	if (stat(a, &one) < 0 || stat(b, &other) < 0) {
		return strcmp(a, b) == 0;
	}
	return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* A name is one child, since it has one state directory. */
static bool is_member(const struct obi_removed *removed, const struct obi_record_entry *entry)
{
	const struct obi_member *member =
	    obi_members_find(removed->members, ob_bytes_text(entry->name));
	return member != NULL && is_same_directory(member->options->data_path, entry->data_path);
}

/* OB_OK: it is being ended (*ret_lives), or nothing of it was left. */
static int end_child(struct obi_removed_child *child, const char *state_path, bool *ret_lives,
		     struct ob_error *reterr)
{
	struct ob_status status = {.size = sizeof status};
	int r =
	    ob_child_status(NULL, child->entry.data_path, state_path, NULL, &status, NULL, reterr);
	if (r < 0) {
		return r;
	}
	child->pid = status.pid;
	*ret_lives = status.pid != 0 || status.state == OB_STATE_LINGERING;
	return *ret_lives ? begin_ending(child, state_path, reterr)
			  : ob_child_end(child->removed->rt, child->entry.data_path, state_path,
					 NULL, 0, NULL, reterr);
}

/* A directory that may be that of a removed child. One that cannot be ended stays in the record. */
static void consider(struct obi_removed *removed, const struct obi_record_entry *entry)
{
	struct ob_error err = {0};
	char state_path[PATH_SIZE];
	bool lives = false;
	if (!obi_state_path(removed->root->path, entry->name, state_path, sizeof state_path) ||
	    is_member(removed, entry) || obi_name_set_has(&removed->known, entry->name) ||
	    !ob_child_exists(entry->data_path, state_path)) {
		return;
	}
	struct obi_removed_child *child = calloc(1, sizeof *child);
	if (child == NULL) {
		tell_failure(removed, entry->name, entry->data_path, "out of memory");
		return;
	}
	*child = (struct obi_removed_child){.removed = removed, .entry = *entry};
	link_child(removed, child);
	(void)obi_name_set_add(&removed->known, entry->name);
	if (end_child(child, state_path, &lives, &err) < 0) {
		tell_failed_end(child, &err);
	} else if (!lives) {
		unlink_child(child);
		free(child);
	}
}

static void consider_directory(struct obi_removed *removed, const char *name)
{
	struct obi_arena *arena = &removed->root->arena;
	char path[PATH_SIZE];
	int n = snprintf(path, sizeof path, "%s/%s", removed->root->path, name);
	if (n < 0 || (size_t)n >= sizeof path || !obi_name_is_child(ob_bytes_text(name)) ||
	    obi_members_find(removed->members, ob_bytes_text(name)) != NULL) {
		return;
	}
	const struct obi_record_entry entry = {.name = obi_arena_text(arena, name, strlen(name)),
					       .data_path = obi_arena_text(arena, path, (size_t)n),
					       .stop_signal = SIGINT,
					       .stop_timeout_ms = OBI_STOP_TIMEOUT_MS};
	if (entry.name != NULL && entry.data_path != NULL) {
		consider(removed, &entry);
	} else {
		tell_failure(removed, name, path, "out of memory");
	}
}

/* A child that is being ended, by its resolved directory. */
struct place {
	struct obi_key_node node;
	const char *path;
	struct obi_removed_child *child;
};

static void add_places(struct obi_removed *removed, struct obi_key_table *table,
		       struct obi_arena *arena)
{
	for (struct obi_removed_child *c = removed->first; c != NULL; c = c->next) {
		struct place *place = ob_arena_alloc(&arena->ob, sizeof *place);
		const char *path = obi_path_resolve(c->entry.data_path, arena);
		if (c->ending && place != NULL && path != NULL) {
			*place = (struct place){.path = path, .child = c};
			obi_key_add(table, &place->node, obi_key_of_text(ob_bytes_text(path)));
		}
	}
}

/* Members of other names whose directories are still in use: what ends there removes its files. */
static void block_neighbours(struct obi_removed *removed)
{
	struct obi_key_table table = {0};
	struct obi_arena arena;
	obi_arena_init(&arena, PLACES_MEMORY);
	add_places(removed, &table, &arena);
	for (uint32_t i = 0; removed->first != NULL && i < removed->members->count; i++) {
		struct obi_member *member = removed->members->list[i];
		const char *path = obi_path_resolve(member->options->data_path, &arena);
		struct obi_key_node *node =
		    path != NULL ? obi_key_find(&table, obi_key_of_text(ob_bytes_text(path)))
				 : NULL;
		for (; node != NULL; node = obi_key_again(node)) {
			const struct place *place = (const struct place *)(const void *)node;
			if (strcmp(place->path, path) == 0 && place->child->neighbour == NULL) {
				place->child->neighbour = obi_member_ref(member);
				member->blocked = true;
			}
		}
	}
	obi_key_table_free(&table);
	obi_arena_free(&arena);
}

int obi_removed_begin(struct obi_removed *removed, struct ob_error *reterr)
{
	const struct dirent *entry;
	removed->known.arena = &removed->root->arena;
	for (const struct obi_record_entry *e = removed->root->record; e != NULL; e = e->next) {
		consider(removed, e);
	}
	char states[PATH_SIZE];
	DIR *dir =
	    obi_state_path(removed->root->path, "", states, sizeof states) ? opendir(states) : NULL;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		consider_directory(removed, entry->d_name);
	}
	if (dir != NULL) {
		closedir(dir);
	}
	obi_name_set_free(&removed->known);
	block_neighbours(removed);
	return obi_removed_write(removed, reterr);
}

/* ---- After a reload ---- */

int obi_removed_member(struct obi_removed *removed, struct obi_member *member,
		       struct ob_error *reterr)
{
	struct obi_removed_child *child = calloc(1, sizeof *child);
	if (child == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	*child = (struct obi_removed_child){.removed = removed,
					    .entry = entry_of(member->options),
					    .member = obi_member_ref(member),
					    .pid = ob_connector_pid(member->connector)};
	int r = obi_order_stop(member, on_done, child, reterr);
	if (r < 0) {
		forget(child);
		return r;
	}
	link_child(removed, child);
	begun(child);
	return OB_OK;
}

void obi_removed_block(struct obi_removed *removed)
{
	for (const struct obi_removed_child *c = removed->first; c != NULL; c = c->next) {
		struct obi_member *member =
		    c->ending ? obi_members_find(removed->members, ob_bytes_text(c->entry.name))
			      : NULL;
		if (member != NULL) {
			member->blocked = true;
		}
	}
}

void obi_removed_hurry(struct obi_removed *removed)
{
	ob_child_end_hurry(removed->rt);
}

void obi_removed_each(const struct obi_removed *removed,
		      void (*fn)(void *user, const struct obi_record_entry *entry), void *user)
{
	for (const struct obi_removed_child *c = removed->first; c != NULL; c = c->next) {
		if (c->ending) {
			fn(user, &c->entry);
		}
	}
}

uint32_t obi_removed_names(const struct obi_removed *removed, const char **names, uint32_t room)
{
	uint32_t count = 0;
	for (const struct obi_removed_child *c = removed->first; c != NULL && count < room;
	     c = c->next) {
		if (c->ending) {
			names[count++] = c->entry.name;
		}
	}
	return count;
}

/* Those that are being ended are freed in on_done(): at the latest when the runtime is freed. */
void obi_removed_close(struct obi_removed *removed)
{
	struct obi_removed_child *child = removed->first;
	ob_watch_free(removed->write_soon);
	removed->write_soon = NULL;
	while (child != NULL) {
		struct obi_removed_child *next = child->next;
		child->removed = NULL;
		if (!child->ending) {
			forget(child);
		}
		child = next;
	}
	removed->first = NULL;
}
