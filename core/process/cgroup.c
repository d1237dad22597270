/* SPDX-License-Identifier: MIT */
#include "process/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "process/cgroup_file.h"
#include "process/cgroup_limits.h"
#include "process/process.h"

enum { TEXT_SIZE = 4096, PROCS_SIZE = 64 * 1024, DEPTH_MAX = 32, NAMED_MAX = 3 };

/* The directory, if it is still the same one. Returns a negative errno: ENOENT if it is not. */
static int open_same(const struct obi_cgroup_id *id)
{
	struct stat st;
	int fd = -1;
	if (id->path[0] == '\0') {
		return -ENOENT;
	}
	int r = obi_cgroup_open(id->path, &fd, NULL);
	if (r < 0) {
		return r == OB_ENOMEM ? -EMFILE : -ENOENT;
	}
	if (fstat(fd, &st) < 0 || st.st_ino != id->inode) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

/* ---- Making ---- */

static int write_limits(int dir, const char *path, const struct ob_cgroup *options,
			struct ob_error *reterr)
{
	for (int i = 0; i < OBI_CGROUP_LIMITS; i++) {
		struct obi_cgroup_limit limit = obi_cgroup_limit_at(options, i);
		int sys =
		    limit.value[0] != '\0' ? -obi_cgroup_write(dir, limit.file, limit.value) : 0;
		if (sys == ENOENT) {
			return obi_fail(reterr, OB_ENOTSUP, 0,
					"%s: the kernel has no such file in %s (controller %s)",
					limit.file, path, limit.controller);
		}
		if (sys != 0) {
			return obi_fail(reterr, obi_code_of_errno(sys), sys,
					"writing \"%s\" to %s/%s", limit.value, path, limit.file);
		}
	}
	return OB_OK;
}

static int make_directory(const char *path, struct ob_error *reterr)
{
	struct obi_cgroup_id old = {.inode = 0};
	struct stat st;
	if (mkdir(path, 0755) == 0) {
		return OB_OK;
	}
	if (errno == EEXIST && stat(path, &st) == 0) {
		snprintf(old.path, sizeof old.path, "%s", path);
		old.inode = st.st_ino;
		int r = obi_cgroup_remove(&old, reterr);
		if (r < 0) {
			return r;
		}
		if (mkdir(path, 0755) == 0) {
			return OB_OK;
		}
	}
	return obi_fail(reterr, obi_code_of_errno(errno), errno, "making the cgroup %s", path);
}

int obi_cgroup_make(const struct ob_cgroup *options, const char *parent, const char *name,
		    struct obi_cgroup_id *ret, struct ob_error *reterr)
{
	struct obi_cgroup_id id = {.inode = 0};
	struct stat st;
	int fd = -1, n = snprintf(id.path, sizeof id.path, "%s/%s", parent, name);
	if (n < 0 || (size_t)n >= sizeof id.path) {
		return obi_fail(reterr, OB_EINVAL, 0, "cgroup %s: the path is too long", parent);
	}
	int r = make_directory(id.path, reterr);
	if (r < 0) {
		return r;
	}
	r = obi_cgroup_open(id.path, &fd, reterr);
	if (r == OB_OK && fstat(fd, &st) < 0) {
		r = obi_fail(reterr, OB_EIO, errno, "cgroup %s", id.path);
	}
	r = r == OB_OK ? write_limits(fd, id.path, options, reterr) : r;
	if (fd >= 0) {
		close(fd);
	}
	if (r < 0) {
		(void)rmdir(id.path);
		return r;
	}
	id.inode = st.st_ino;
	*ret = id;
	return OB_OK;
}

int obi_cgroup_open_procs(const struct obi_cgroup_id *id, int *ret_fd, struct ob_error *reterr)
{
	int dir = open_same(id);
	int low = dir >= 0 ? openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC) : -1;
	int fd = low >= 0 ? fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
	int sys = dir < 0 ? -dir : errno;
	if (low >= 0) {
		close(low);
	}
	if (dir >= 0) {
		close(dir);
	}
	if (fd < 0) {
		return obi_fail(reterr, obi_code_of_errno(sys), sys, "%s/cgroup.procs", id->path);
	}
	*ret_fd = fd;
	return OB_OK;
}

/* ---- Looking ---- */

static bool read_file(int dir, const char *file, char text[TEXT_SIZE], struct ob_bytes *ret)
{
	ssize_t n = obi_cgroup_read(dir, file, text, TEXT_SIZE);
	*ret = ob_bytes_of(text, n > 0 ? (size_t)n : 0);
	return n >= 0;
}

bool obi_cgroup_exists(const struct obi_cgroup_id *id)
{
	int dir = open_same(id);
	if (dir >= 0) {
		close(dir);
	}
	return dir >= 0;
}

/* A file of a directory that was removed meanwhile is gone, or reads as ENODEV. */
bool obi_cgroup_is_populated(const struct obi_cgroup_id *id)
{
	char text[TEXT_SIZE];
	uint64_t populated = 1;
	int dir = open_same(id);
	if (dir < 0) {
		return dir == -EMFILE;
	}
	ssize_t n = obi_cgroup_read(dir, "cgroup.events", text, sizeof text);
	close(dir);
	if (n == -ENOENT || n == -ENODEV) {
		return false;
	}
	return n < 0 || !obi_cgroup_value(ob_bytes_of(text, (size_t)n), "populated", &populated) ||
	       populated != 0;
}

static int64_t signed_of(bool known, uint64_t number)
{
	return known && number <= INT64_MAX ? (int64_t)number : -1;
}

static int64_t read_number(int dir, const char *file)
{
	char text[TEXT_SIZE];
	struct ob_bytes bytes;
	uint64_t number = 0;
	bool known = read_file(dir, file, text, &bytes) && obi_cgroup_number(bytes, &number);
	return signed_of(known, number);
}

static int64_t read_value(int dir, const char *file, const char *key)
{
	char text[TEXT_SIZE];
	struct ob_bytes bytes;
	uint64_t number = 0;
	bool known = read_file(dir, file, text, &bytes) && obi_cgroup_value(bytes, key, &number);
	return signed_of(known, number);
}

struct ob_cgroup_usage obi_cgroup_usage(const struct obi_cgroup_id *id)
{
	struct ob_cgroup_usage usage = OBI_CGROUP_USAGE_NONE;
	int dir = open_same(id);
	if (dir >= 0) {
		usage.memory = read_number(dir, "memory.current");
		usage.memory_peak = read_number(dir, "memory.peak");
		usage.cpu_us = read_value(dir, "cpu.stat", "usage_usec");
		usage.pids = read_number(dir, "pids.current");
		usage.oom_kills = read_value(dir, "memory.events", "oom_kill");
		close(dir);
	}
	return usage;
}

static void add_name(int32_t pid, char *text, size_t size)
{
	char path[64], name[32] = "?";
	size_t len = strlen(text);
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	(void)obi_proc_read(path, name, sizeof name);
	name[strcspn(name, "\n")] = '\0';
	obi_text_clean(name); /* the process chose it */
	snprintf(text + len, size - len, "%s\"%s\" (pid %d)", len > 0 ? ", " : "", name, (int)pid);
}

void obi_cgroup_names(const struct obi_cgroup_id *id, char *text, size_t size)
{
	char list[TEXT_SIZE];
	struct ob_bytes bytes = {NULL, 0};
	size_t at = 0;
	int32_t pid;
	int dir = open_same(id), count = 0;
	text[0] = '\0';
	if (dir >= 0) {
		(void)read_file(dir, "cgroup.procs", list, &bytes);
		close(dir);
	}
	while (count < NAMED_MAX && obi_cgroup_next_pid(bytes, &at, &pid)) {
		add_name(pid, text, size);
		count++;
	}
	size_t len = strlen(text);
	if (count == 0) {
		snprintf(text, size, "a process in its cgroup");
	} else if (obi_cgroup_next_pid(bytes, &at, &pid)) {
		snprintf(text + len, size - len, " and others");
	}
}

/* ---- Each below ---- */

/* Called with each directory below, those inside before those around them. parent and name: where
 * it is. */
typedef void each_fn(int dir, int parent, const char *name);

static void each_below(int dir, int depth, each_fn *fn)
{
	const struct dirent *entry;
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
	if (list == NULL && copy >= 0) {
		close(copy);
	}
	while (list != NULL && depth < DEPTH_MAX && (entry = readdir(list)) != NULL) {
		if (entry->d_name[0] == '.' || entry->d_type != DT_DIR) {
			continue;
		}
		int inner =
		    openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (inner >= 0) {
			each_below(inner, depth + 1, fn);
			fn(inner, dir, entry->d_name);
			close(inner);
		}
	}
	if (list != NULL) {
		closedir(list);
	}
}

/* ---- Killing ---- */

static bool has_pid(int dir, int32_t wanted)
{
	char *list = malloc(PROCS_SIZE);
	ssize_t n = list != NULL ? obi_cgroup_read(dir, "cgroup.procs", list, PROCS_SIZE) : 0;
	size_t at = 0;
	int32_t pid = 0;
	bool found = false;
	while (!found && n > 0 && obi_cgroup_next_pid(ob_bytes_of(list, (size_t)n), &at, &pid)) {
		found = pid == wanted;
	}
	free(list);
	return found;
}

/* A pid that is listed after it was opened, of a process that lives after that, is the one that was
 * opened. */
static void kill_member(int dir, int32_t pid)
{
	struct obi_process process = OBI_PROCESS_NONE;
	process.pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (process.pidfd >= 0 && has_pid(dir, pid) && !obi_process_is_dead(&process)) {
		(void)pidfd_send_signal(process.pidfd, SIGKILL, NULL, 0);
	}
	obi_process_close(&process);
}

static void kill_members(int dir, int parent, const char *name)
{
	char list[TEXT_SIZE];
	struct ob_bytes bytes;
	size_t at = 0;
	int32_t pid;
	(void)parent;
	(void)name;
	(void)read_file(dir, "cgroup.procs", list, &bytes);
	while (obi_cgroup_next_pid(bytes, &at, &pid)) {
		kill_member(dir, pid);
	}
}

static void kill_each(int dir)
{
	(void)obi_cgroup_write(dir, "cgroup.freeze", "1");
	each_below(dir, 0, kill_members);
	kill_members(dir, -1, NULL);
	(void)obi_cgroup_write(dir, "cgroup.freeze", "0");
}

void obi_cgroup_kill_each(const struct obi_cgroup_id *id)
{
	int dir = open_same(id);
	if (dir >= 0) {
		kill_each(dir);
		close(dir);
	}
}

void obi_cgroup_kill(const struct obi_cgroup_id *id)
{
	int dir = open_same(id);
	if (dir >= 0) {
		if (obi_cgroup_write(dir, "cgroup.kill", "1") == -ENOENT) {
			kill_each(dir);
		}
		close(dir);
	}
}

/* ---- Removing ---- */

static void remove_one(int dir, int parent, const char *name)
{
	(void)dir;
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

int obi_cgroup_remove(const struct obi_cgroup_id *id, struct ob_error *reterr)
{
	char names[200];
	int dir = open_same(id);
	if (dir < 0) {
		return dir == -EMFILE ? obi_fail(reterr, OB_ENOMEM, EMFILE, "cgroup %s", id->path)
				      : OB_OK;
	}
	each_below(dir, 0, remove_one);
	close(dir);
	if (rmdir(id->path) == 0 || errno == ENOENT) {
		return OB_OK;
	}
	if (errno == EBUSY) {
		obi_cgroup_names(id, names, sizeof names);
		return obi_fail(reterr, OB_EBUSY, 0, "the cgroup %s is in use by %s", id->path,
				names);
	}
	return obi_fail(reterr, obi_code_of_errno(errno), errno, "removing the cgroup %s",
			id->path);
}
