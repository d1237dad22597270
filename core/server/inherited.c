/* SPDX-License-Identifier: MIT */
#include "server/inherited.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
