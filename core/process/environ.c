/* SPDX-License-Identifier: MIT */
#include "process/environ.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char OUR_PREFIX[] = "OUTBOARD_";
static const char DEFAULT_PATH[] = "/usr/local/bin:/usr/bin:/bin";

/* The length of NAME in "NAME=value". */
static size_t name_len(const char *entry)
{
	return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b)
{
	size_t len = name_len(a);
	return len == name_len(b) && memcmp(a, b, len) == 0;
}

struct list {
	char **items;
	size_t count;
};

/* Add an entry in place of all earlier ones of its name: what is inherited may have it twice. */
static void add(struct list *list, const char *entry)
{
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (!same_name(list->items[i], entry)) {
			list->items[kept++] = list->items[i];
		}
	}
	list->count = kept;
	list->items[list->count++] = (char *)(uintptr_t)entry;
}

static size_t length(const char *const *entries)
{
	size_t count = 0;
	while (entries != NULL && entries[count] != NULL) {
		count++;
	}
	return count;
}

char **obi_environ_make(const char *const *env, bool env_clear, const char *const *ours,
			struct obi_arena *arena)
{
	const char *const *inherited = env_clear ? NULL : (const char *const *)environ;
	size_t count = length(inherited) + length(env) + length(ours) + 1;
	struct list list = {ob_arena_alloc(&arena->ob, count * sizeof(char *)), 0};
	if (list.items == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < length(inherited); i++) {
		if (strncmp(inherited[i], OUR_PREFIX, sizeof OUR_PREFIX - 1) != 0) {
			list.items[list.count++] = (char *)(uintptr_t)inherited[i];
		}
	}
	for (size_t i = 0; i < length(env); i++) {
		add(&list, env[i]);
	}
	for (size_t i = 0; i < length(ours); i++) {
		add(&list, ours[i]);
	}
	list.items[list.count] = NULL;
	return list.items;
}

/* "DIR/command" in arena; NULL: out of memory. */
static char *join(const char *dir, size_t dir_len, const char *command, struct obi_arena *arena)
{
	size_t len = strlen(command);
	char *path = ob_arena_alloc(&arena->ob, dir_len + 1 + len + 1);
	if (path != NULL) {
		memcpy(path, dir, dir_len);
		path[dir_len] = '/';
		memcpy(path + dir_len + 1, command, len + 1);
	}
	return path;
}

/* 0, or the errno why this file cannot be executed. */
static int try_file(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0) {
		return errno;
	}
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : EACCES;
}

/* PATH in "NAME=value" entries: the last one, which the child gets; NULL: there is none. */
static const char *path_of(const char *const *env)
{
	const char *path = NULL;
	for (; env != NULL && *env != NULL; env++) {
		path = strncmp(*env, "PATH=", 5) == 0 ? *env + 5 : path;
	}
	return path;
}

static int search(const char *command, const char *const *env, struct obi_arena *arena,
		  const char **ret_file, struct ob_error *reterr)
{
	const char *given = path_of(env), *own = getenv("PATH");
	const char *at = given != NULL ? given : own != NULL ? own : DEFAULT_PATH;
	int sys = ENOENT;
	for (; *at != '\0'; at += strspn(at, ":")) {
		size_t len = strcspn(at, ":");
		char *path = join(at, len, command, arena);
		if (path == NULL) {
			return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
		}
		int wrong =
		    at[0] == '/' ? try_file(path) : ENOENT; /* never the working directory */
		if (wrong == 0) {
			*ret_file = path;
			return OB_OK;
		}
		sys = wrong == EACCES ? EACCES : sys;
		at += len;
	}
	return obi_fail(reterr, obi_code_of_errno(sys), sys, "\"%s\" in PATH of %s", command,
			given != NULL ? "its env" : "the parent");
}

int obi_environ_find(const char *command, const char *const *env, struct obi_arena *arena,
		     const char **ret_file, struct ob_error *reterr)
{
	if (command[0] == '/') {
		*ret_file = command;
		return OB_OK;
	}
	if (command[0] == '\0' || strchr(command, '/') != NULL) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"\"%s\": neither an absolute path nor a name to be found in PATH",
				command);
	}
	return search(command, env, arena, ret_file, reterr);
}
