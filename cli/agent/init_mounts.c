/* SPDX-License-Identifier: MIT */
#include "cli/agent/init_mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/report.h"

struct file_system {
	const char *type, *path;
	unsigned long flags;
	const char *data;
	mode_t mode;	    /* of the directory, where it is missing */
	const char *proof;  /* a file that is there where it need not be mounted; NULL: none */
	bool over_nothing;  /* not where the directory has something in it */
	bool if_kernel_can; /* its directory is made by the kernel, which may not have it */
};

enum { PLAIN = MS_NOSUID | MS_NODEV | MS_NOEXEC, SCRATCH = MS_NOSUID | MS_NODEV };

/* In the order in which they can be mounted. /proc is before them. */
static const struct file_system all[] = {
    {.type = "sysfs", .path = "/sys", .flags = PLAIN, .mode = 0755},
    {.type = "devtmpfs",
     .path = "/dev",
     .flags = MS_NOSUID,
     .data = "mode=0755",
     .mode = 0755,
     .proof = "/dev/null"},
    {.type = "devpts",
     .path = "/dev/pts",
     .flags = MS_NOSUID | MS_NOEXEC,
     .data = "mode=0620,ptmxmode=0666",
     .mode = 0755,
     .over_nothing = true},
    {.type = "tmpfs",
     .path = "/dev/shm",
     .flags = SCRATCH,
     .data = "mode=1777",
     .mode = 01777,
     .over_nothing = true},
    {.type = "tmpfs",
     .path = "/run",
     .flags = SCRATCH,
     .data = "mode=0755",
     .mode = 0755,
     .over_nothing = true},
    {.type = "tmpfs",
     .path = "/tmp",
     .flags = SCRATCH,
     .data = "mode=1777",
     .mode = 01777,
     .over_nothing = true},
    {.type = "cgroup2",
     .path = "/sys/fs/cgroup",
     .flags = PLAIN,
     .mode = 0755,
     .over_nothing = true,
     .if_kernel_can = true},
};

static bool is_mount_point(const char *path)
{
	char above[64];
	struct stat self, parent;
	struct statx x;
	if (statx(AT_FDCWD, path, 0, STATX_TYPE, &x) == 0 &&
	    (x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0) {
		return (x.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	}
	snprintf(above, sizeof above, "%s/..", path);
	return stat(path, &self) == 0 && stat(above, &parent) == 0 && self.st_dev != parent.st_dev;
}

/* One that is not there, or cannot be read, counts as empty. */
static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool empty = true;
	while (dir != NULL && empty && (entry = readdir(dir)) != NULL) {
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return empty;
}

static bool is_missing(const struct file_system *f)
{
	return !is_mount_point(f->path) && (f->proof == NULL || access(f->proof, F_OK) != 0) &&
	       (!f->over_nothing || is_empty(f->path));
}

/* 0, or an errno. A kernel that does not know the file system does without. */
static int mount_it(const struct file_system *f)
{
	if (!f->if_kernel_can && mkdir(f->path, f->mode) < 0 && errno != EEXIST) {
		return errno;
	}
	if (mount(f->type, f->path, f->type, f->flags, f->data) == 0 || errno == ENODEV ||
	    (f->if_kernel_can && errno == ENOENT)) {
		return 0;
	}
	return errno;
}

/* A /proc of other processes is that of the host, or of the container around. It must not be
 * covered: their mounts may be ours. */
static int mount_proc(struct ob_error *reterr)
{
	static const struct file_system proc = {
	    .type = "proc", .path = "/proc", .flags = PLAIN, .mode = 0555};
	char self[32];
	ssize_t n = readlink("/proc/self", self, sizeof self);
	if (n < 0 && !is_mount_point("/proc")) {
		int error = mount_it(&proc);
		return error == 0 ? OB_OK
				  : obi_fail(reterr, OB_EIO, error, "--init: mounting /proc");
	}
	if (n != 1 || self[0] != '1') {
		return obi_fail(reterr, OB_EPERM, 0,
				"--init: what is mounted at /proc is not of this PID namespace");
	}
	return OB_OK;
}

int obi_init_mounts(struct ob_error *reterr)
{
	int r = mount_proc(reterr);
	for (size_t i = 0; r == OB_OK && i < sizeof all / sizeof all[0]; i++) {
		int error = is_missing(&all[i]) ? mount_it(&all[i]) : 0;
		if (error != 0) {
			obi_complain("agent: --init: mounting %s: %s", all[i].path,
				     strerror(error));
		}
	}
	return r;
}
