/* SPDX-License-Identifier: MIT */
#include "cli/config/resolve.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Append a component. A link becomes what it points to, if that exists. */
static bool append(char at[PATH_MAX], const char *name, size_t len)
{
	size_t before = strlen(at);
	struct stat st;
	if (before + 1 + len + 1 > PATH_MAX) {
		return false;
	}
	at[before] = '/';
	memcpy(at + before + 1, name, len);
	at[before + 1 + len] = '\0';
	if (lstat(at, &st) == 0 && S_ISLNK(st.st_mode)) {
		char *target = realpath(at, NULL);
		if (target != NULL) {
			strcpy(at, strcmp(target, "/") == 0 ? "" : target);
		}
		free(target);
	}
	return true;
}

static void leave(char *at)
{
	char *slash = strrchr(at, '/');
	if (slash != NULL) {
		*slash = '\0';
	}
}

const char *obi_path_resolve(const char *path, struct obi_arena *arena)
{
	char at[PATH_MAX] = "";
	if (path[0] != '/') {
		return NULL;
	}
	for (path += strspn(path, "/"); *path != '\0'; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			leave(at);
		} else if (!(len == 1 && path[0] == '.') && !append(at, path, len)) {
			return NULL;
		}
		path += len;
	}
	return obi_arena_text(arena, at, strlen(at));
}

bool obi_path_is_inside(const char *path, const char *directory)
{
	size_t len = strlen(directory);
	return strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The end of a name comes first, then a slash, then all else. */
static int rank(char c)
{
	return c == '\0' ? 0 : c == '/' ? 1 : 2 + (unsigned char)c;
}

int obi_path_compare(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return rank(*a) - rank(*b);
}
