/* SPDX-License-Identifier: MIT */
#include "cli/run/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "cli/config/resolve.h"
#include "cli/config/shared.h"
#include "cli/name_set.h"
#include "cli/run/edges.h"

enum { PATHS_MEMORY = 64 << 20 };

void obi_reload_init(struct obi_reload *reload, struct obi_generation *generation)
{
	reload->current = obi_generation_ref(generation);
	if (stat(reload->file, &reload->seen) < 0) {
		reload->seen = (struct stat){.st_ino = 0};
	}
}

void obi_reload_close(struct obi_reload *reload)
{
	obi_generation_unref(reload->current);
	reload->current = NULL;
}

const char *obi_change_name(enum obi_change change)
{
	static const char *const names[] = {"unchanged", "started", "ended",
					    "stale",	 "changed", "restarted"};
	return names[change];
}

/* ---- Faults ---- */

static bool is_same_list(const char *const *a, const char *const *b)
{
	size_t i = 0;
	if (a == NULL || b == NULL) {
		return a == b;
	}
	while (a[i] != NULL && b[i] != NULL && strcmp(a[i], b[i]) == 0) {
		i++;
	}
	return a[i] == NULL && b[i] == NULL;
}

static bool is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What this process was started with. */
static void check_top(const struct obi_run_config *is, const struct obi_run_config *wanted,
		      struct obi_faults *faults)
{
	static const char reason[] = "cannot change while outboard run runs: start it anew";
	if (wanted->data_root != NULL && strcmp(is->data_root, wanted->data_root) != 0) {
		obi_faults_add(faults, "data_root", reason);
	}
	if (!is_same_text(is->ports, wanted->ports)) {
		obi_faults_add(faults, "ports", reason);
	}
	if (!is_same_text(is->cids, wanted->cids)) {
		obi_faults_add(faults, "cids", reason);
	}
	if (!is_same_text(is->cgroup_root, wanted->cgroup_root)) {
		obi_faults_add(faults, "cgroup_root", reason);
	}
	if (!is_same_list(is->plugin_path, wanted->plugin_path)) {
		obi_faults_add(faults, "plugin_path", reason);
	}
}

/* Where a child lives, by its resolved path. */
struct place {
	struct obi_key_node node;
	const char *path;
	const char *name;
};

/* The place of a child that is not the one of this name; NULL: none. */
static const struct place *find_place(const struct obi_key_table *table, const char *path,
				      const char *name)
{
	struct obi_key_node *node = obi_key_find(table, obi_key_of_text(ob_bytes_text(path)));
	for (; node != NULL; node = obi_key_again(node)) {
		const struct place *place = (const struct place *)(const void *)node;
		if (strcmp(place->path, path) == 0 && strcmp(place->name, name) != 0) {
			return place;
		}
	}
	return NULL;
}

struct places {
	struct obi_key_table table;
	struct obi_arena arena;
};

static void add_place(struct places *places, const char *name, const char *data_path)
{
	struct place *place = ob_arena_alloc(&places->arena.ob, sizeof *place);
	const char *path = obi_path_resolve(data_path, &places->arena);
	if (place != NULL && path != NULL) {
		*place = (struct place){.path = path, .name = name};
		obi_key_add(&places->table, &place->node, obi_key_of_text(ob_bytes_text(path)));
	}
}

static void add_removed(void *user, const struct obi_record_entry *entry)
{
	add_place(user, entry->name, entry->data_path);
}

/* Two children must not be in one directory, not even while one of them ends. */
static void check_directories(const struct obi_reload *reload, const struct obi_run_config *wanted,
			      struct obi_faults *faults)
{
	const struct obi_members *members = reload->members;
	struct places places = {.table = {0}};
	obi_arena_init(&places.arena, PATHS_MEMORY);
	for (uint32_t i = 0; i < members->count; i++) {
		const struct ob_connector_options *o = members->list[i]->options;
		add_place(&places, o->name, o->data_path);
	}
	obi_removed_each(reload->removed, add_removed, &places);
	for (uint32_t i = 0; i < wanted->count; i++) {
		const struct ob_connector_options *o = &wanted->children[i];
		const char *path = obi_path_resolve(o->data_path, &places.arena);
		const struct place *place =
		    path != NULL ? find_place(&places.table, path, o->name) : NULL;
		if (place != NULL) {
			obi_child_fault(faults, o, "data_path",
					"is still that of \"%s\": end that one first", place->name);
		}
	}
	obi_key_table_free(&places.table);
	obi_arena_free(&places.arena);
}

/* ---- Reading ---- */

/* It was a file at the start, and is no pipe now, which could block. */
static bool can_be_read_again(const struct obi_reload *reload, struct stat *ret)
{
	return reload->current->config.is_file &&
	       (stat(reload->file, ret) < 0 || S_ISREG(ret->st_mode));
}

static void log_warnings(struct obi_reload *reload, const struct obi_faults *warnings)
{
	for (const struct obi_fault *f = warnings->first; f != NULL; f = f->next) {
		obi_run_log(reload->log, NULL, OB_LOG_WARN, "a warning about the config",
			    "{s:s,s:s,s:s}", "file", reload->file, "key", f->key, "reason",
			    f->reason);
	}
}

static void check(struct obi_reload *reload, const struct obi_run_config *config,
		  struct obi_faults *faults)
{
	struct obi_faults warnings;
	obi_faults_init(&warnings, reload->file);
	check_top(&reload->current->config, config, faults);
	obi_config_check(reload->rt, config, faults, &warnings, NULL);
	if (faults->count == 0) {
		check_directories(reload, config, faults);
	}
	log_warnings(reload, &warnings);
	obi_faults_free(&warnings);
}

/* NULL: faults were added. */
static struct obi_generation *read_file(struct obi_reload *reload, struct stat *seen,
					struct obi_faults *faults)
{
	struct obi_run_config config;
	*seen = (struct stat){.st_ino = 0};
	if (!can_be_read_again(reload, seen)) {
		obi_faults_add(faults, "", "was not read from a file, and cannot be read again");
		return NULL;
	}
	if (!obi_load_config(reload->file, &config, faults)) {
		return NULL;
	}
	check(reload, &config, faults);
	struct obi_generation *generation = faults->count == 0 ? obi_generation_new(&config) : NULL;
	if (generation == NULL) {
		obi_run_config_free(&config);
	}
	if (generation == NULL && faults->count == 0) {
		obi_faults_add(faults, "", "out of memory");
	}
	return generation;
}

/* ---- The new list ---- */

static void free_list(struct obi_member **list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (list[i] != NULL && list[i]->number == 0) {
			ob_connector_close(list[i]->connector);
			obi_member_unref(list[i]);
		}
	}
}

/* The members that the config wants, in its order; those that are new are made. */
static bool make_list(struct obi_members *members, struct obi_generation *generation,
		      struct obi_member **list, struct obi_faults *faults)
{
	const struct obi_run_config *config = &generation->config;
	struct ob_error err = {0};
	for (uint32_t i = 0; i < config->count; i++) {
		list[i] = obi_members_find(members, ob_bytes_text(config->children[i].name));
	}
	if (obi_members_complete(members, generation, list, &err) < 0) {
		obi_faults_add(faults, "", err.text);
		free_list(list, config->count);
		return false;
	}
	return true;
}

static enum obi_change change_of(const struct obi_member *member, bool restart)
{
	struct ob_status status = {.size = sizeof status};
	if (member->number == 0) {
		return OBI_CHANGE_STARTED;
	}
	obi_member_status(member, &status);
	if (member->next.generation == NULL && !status.stale) {
		return OBI_CHANGE_NONE;
	}
	if (member->stopping > 0) {
		return OBI_CHANGE_CHANGED;
	}
	switch (status.state) {
	case OB_STATE_BACKOFF:
		return OBI_CHANGE_RESTARTED;
	case OB_STATE_WAITING:
	case OB_STATE_STARTING:
	case OB_STATE_ADOPTING:
	case OB_STATE_READY:
		return restart ? OBI_CHANGE_RESTARTED : OBI_CHANGE_STALE;
	default:
		return OBI_CHANGE_CHANGED;
	}
}

static void add_change(struct obi_changes *changes, struct obi_member *member,
		       enum obi_change change)
{
	if (change == OBI_CHANGE_NONE) {
		changes->unchanged++;
		return;
	}
	changes->members[changes->count] = obi_member_ref(member);
	changes->changes[changes->count++] = change;
}

/* Give a member its config of the new generation. */
static void take_config(struct obi_member *member, struct obi_generation *generation,
			uint32_t index)
{
	const struct obi_member_config wanted = {generation, index};
	member->edited = false;
	if (obi_member_config_equals(&member->now, &wanted)) {
		obi_member_config_set(&member->now, generation, index);
		obi_member_config_set(&member->next, NULL, 0);
		member->options = obi_member_config_options(&member->now);
	} else {
		obi_member_config_set(&member->next, generation, index);
	}
}

static void apply(struct obi_reload *reload, struct obi_generation *generation,
		  struct obi_member **list, struct obi_edge *edges, bool restart,
		  struct obi_changes *ret)
{
	struct obi_members *members = reload->members;
	const struct obi_member *before = members->leaving;
	uint32_t count = generation->config.count;
	for (uint32_t i = 0; i < count; i++) {
		take_config(list[i], generation, i);
		add_change(ret, list[i], change_of(list[i], restart));
	}
	obi_members_replace(members, list, count, edges);
	for (struct obi_member *m = members->leaving; m != before; m = m->next_leaving) {
		add_change(ret, m, OBI_CHANGE_ENDED);
	}
	obi_removed_block(reload->removed);
	obi_removed_write_soon(reload->removed);
}

bool obi_reload_apply(struct obi_reload *reload, bool restart, struct obi_changes *ret,
		      struct obi_faults *faults)
{
	struct stat seen;
	struct obi_generation *generation = read_file(reload, &seen, faults);
	if (generation == NULL) {
		return false;
	}
	size_t count = (size_t)generation->config.count + reload->members->count + 1;
	struct obi_member **list = calloc(count, sizeof(struct obi_member *));
	*ret = (struct obi_changes){.members = calloc(count, sizeof(struct obi_member *)),
				    .changes = calloc(count, sizeof *ret->changes)};
	struct obi_edge *edges = NULL;
	bool good = list != NULL && ret->members != NULL && ret->changes != NULL &&
		    obi_edges_reserve(&generation->config, &edges);
	if (!good) {
		obi_faults_add(faults, "", "out of memory");
	}
	good = good && make_list(reload->members, generation, list, faults);
	if (good) {
		apply(reload, generation, list, edges, restart, ret);
		obi_generation_unref(reload->current);
		reload->current = obi_generation_ref(generation);
		reload->seen = seen;
	} else {
		obi_edges_free(edges);
		free(list);
		obi_changes_free(ret);
	}
	obi_generation_unref(generation);
	return good;
}

void obi_changes_free(struct obi_changes *changes)
{
	for (uint32_t i = 0; i < changes->count; i++) {
		obi_member_unref(changes->members[i]);
	}
	free(changes->members);
	free(changes->changes);
	*changes = (struct obi_changes){.members = NULL};
}

/* ---- Comparing ---- */

static bool is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void compare_child(struct obi_members *members, struct obi_generation *file, uint32_t index)
{
	const struct obi_member_config says = {file, index};
	struct obi_member *member =
	    obi_members_find(members, ob_bytes_text(file->config.children[index].name));
	if (member != NULL) {
		const struct obi_member_config *has =
		    member->next.generation != NULL ? &member->next : &member->now;
		member->edited =
		    !obi_member_config_equals(has, &says) ||
		    !obi_child_order_equals(obi_member_order(member), &file->config.orders[index]);
	}
}

/* A file that cannot be read, or has faults, says nothing. */
bool obi_reload_compare(struct obi_reload *reload, const char *name)
{
	struct obi_members *members = reload->members;
	struct obi_run_config config;
	struct obi_faults faults;
	struct stat now = {.st_ino = 0};
	bool found = false;
	if (!can_be_read_again(reload, &now) ||
	    (name == NULL && is_unchanged(&now, &reload->seen))) {
		return false;
	}
	reload->seen = now;
	obi_faults_init(&faults, reload->file);
	struct obi_generation *file =
	    obi_load_config(reload->file, &config, &faults) ? obi_generation_new(&config) : NULL;
	for (uint32_t i = 0; file != NULL && i < members->count; i++) {
		members->list[i]->edited = true; /* unless it is there, and says the same */
	}
	for (uint32_t i = 0; file != NULL && i < file->config.count; i++) {
		found = found || (name != NULL && strcmp(name, file->config.children[i].name) == 0);
		compare_child(members, file, i);
	}
	obi_generation_unref(file);
	obi_faults_free(&faults);
	return found;
}
