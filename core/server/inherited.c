/* SPDX-License-Identifier: MIT */
#include "server/inherited.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/uri.h"

extern char **environ;

int obi_inherited_lock_fd(void)
{
	const char *text = getenv("OUTBOARD_LOCK_FD");
	char *end = NULL;
	long fd = text != NULL ? strtol(text, &end, 10) : -1;
	if (text == NULL || end == text || *end != '\0' || fd < 3 || fd > 1 << 20) {
		return -1;
	}
	return fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0 ? (int)fd : -1;
}

void obi_inherited_clear(void)
{
	for (size_t i = 0; environ != NULL && environ[i] != NULL;) {
		size_t len = strcspn(environ[i], "=");
		char name[64]; /* none of ours is longer */
		if (len >= sizeof name || strncmp(environ[i], "OUTBOARD_", 9) != 0 ||
		    strncmp(environ[i], "OUTBOARD_PLUGIN_PATH=", 21) == 0) {
			i++;
			continue;
		}
		snprintf(name, sizeof name, "%.*s", (int)len, environ[i]);
		i += unsetenv(name) != 0; /* else the next one has its place */
	}
}

bool obi_inherited_lock_covers(int lock_fd, const char *config_path, const char *listen)
{
	const char *end = config_path != NULL ? strrchr(config_path, '/') : NULL;
	size_t len = end != NULL ? (size_t)(end - config_path) : 0;
	struct obi_arena arena;
	struct ob_uri uri;
	obi_arena_init(&arena, 64 * 1024);
	bool covers = lock_fd >= 0 && len > 0 &&
		      obi_uri_parse(listen, &arena.ob, &uri, NULL) == OB_OK &&
		      uri.path.len > len + 1 && memcmp(uri.path.data, config_path, len) == 0 &&
		      uri.path.data[len] == '/' &&
		      memchr(uri.path.data + len + 1, '/', uri.path.len - len - 1) == NULL;
	obi_arena_free(&arena);
	return covers;
}
