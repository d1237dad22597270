/* SPDX-License-Identifier: MIT */
#include "support/v2.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/scratch.h"

extern char **environ;

/* The rest of the first line that has this part; NULL: there is none. */
static char *find_line(const char *file, const char *part, bool behind)
{
	char *line = NULL, *found = NULL;
	size_t room = 0;
	FILE *in = fopen(file, "re");
	while (in != NULL && found == NULL && getline(&line, &room, in) > 0) {
		char *at = strstr(line, part);
		line[strcspn(line, "\n")] = '\0';
		if (at != NULL) {
			found = strdup(behind ? at + strlen(part) : line);
		}
	}
	if (in != NULL) {
		fclose(in);
	}
	free(line);
	return found;
}

/* The directory of the cgroup of this process, if the whole hierarchy is mounted. */
static char *find_own(void)
{
	char *mount = find_line("/proc/self/mountinfo", " - cgroup2 ", false);
	char *own = find_line("/proc/self/cgroup", "0::", true), *path = NULL;
	char root[512], point[512];
	if (mount != NULL && own != NULL &&
	    sscanf(mount, "%*s %*s %*s %511s %511s", root, point) == 2 && strcmp(root, "/") == 0) {
		path = scratch_text("%s%s", point, strcmp(own, "/") == 0 ? "" : own);
	}
	free(mount);
	free(own);
	return path;
}

char *v2_make(void)
{
	static int count;
	char *own = find_own();
	if (own == NULL) {
		print_message("skipped: cgroup v2 is not mounted\n");
		return NULL;
	}
	char *path = scratch_text("%s/outboard-test-%d-%d", own, (int)getpid(), count++);
	if (mkdir(path, 0755) < 0) {
		print_message("skipped: no cgroup can be made in %s: %s\n", own, strerror(errno));
		free(path);
		path = NULL;
	}
	free(own);
	return path;
}

int v2_write(const char *path, const char *file, const char *text)
{
	char *name = scratch_text("%s/%s", path, file);
	int fd = open(name, O_WRONLY | O_CLOEXEC);
	int sys = fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;
	if (fd >= 0) {
		close(fd);
	}
	free(name);
	return sys;
}

static void each(const char *path, const char *prefix, void (*fn)(char *inner, void *user),
		 void *user)
{
	const struct dirent *entry;
	DIR *dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
			fn(scratch_text("%s/%s", path, entry->d_name), user);
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
}

static void remove_tree(char *path, void *user)
{
	(void)user;
	each(path, "", remove_tree, NULL);
	assert_int_equal(rmdir(path), 0);
	free(path);
}

void v2_remove(char *path)
{
	if (path != NULL) {
		(void)v2_write(path, "cgroup.kill", "1");
		v2_await_empty(path);
		remove_tree(path, NULL);
	}
}

static void take(char *inner, void *user)
{
	char **only = user;
	assert_null(*only);
	*only = inner;
}

char *v2_only(const char *path, const char *prefix)
{
	char *only = NULL;
	each(path, prefix, take, &only);
	return only;
}

static bool is_populated(const char *path)
{
	char *name = scratch_text("%s/cgroup.events", path);
	char *line = find_line(name, "populated 1", false);
	bool populated = line != NULL;
	free(line);
	free(name);
	return populated;
}

int v2_count(const char *path)
{
	char *name = scratch_text("%s/cgroup.procs", path);
	FILE *in = fopen(name, "re");
	int count = 0, pid;
	while (in != NULL && fscanf(in, "%d", &pid) == 1) {
		count++;
	}
	if (in != NULL) {
		fclose(in);
	}
	free(name);
	return count;
}

/* The kernel announces changes of cgroup.events with POLLPRI. */
void v2_await_empty(const char *path)
{
	char *name = scratch_text("%s/cgroup.events", path);
	struct pollfd poller = {.fd = open(name, O_RDONLY | O_CLOEXEC), .events = POLLPRI};
	free(name);
	while (is_populated(path)) {
		char text[256];
		assert_int_not_equal(poll(&poller, 1, 20000), 0);
		assert_true(pread(poller.fd, text, sizeof text, 0) >= 0);
	}
	if (poller.fd >= 0) {
		close(poller.fd);
	}
}

pid_t v2_run(const char *path, const char *script)
{
	char *joining = scratch_text("echo 0 >'%s/cgroup.procs' && { %s\n}", path, script);
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", joining, NULL};
	posix_spawnattr_t attr;
	pid_t pid;
	assert_int_equal(posix_spawnattr_init(&attr), 0);
	assert_int_equal(posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID), 0);
	assert_int_equal(posix_spawn(&pid, argv[0], NULL, &attr, argv, environ), 0);
	posix_spawnattr_destroy(&attr);
	free(joining);
	return pid;
}
