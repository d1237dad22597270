/* SPDX-License-Identifier: MIT */
#include "cli/run/root_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/config/load.h"

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* ---- Who holds it ---- */

/* Whether the descriptor of this process has a lock; /proc/PID/fdinfo says so. */
static bool has_lock(const char *pid, const char *fd)
{
	char path[64], line[256];
	bool found = false;
	snprintf(path, sizeof path, "/proc/%.16s/fdinfo/%.16s", pid, fd);
	FILE *file = fopen(path, "re");
	while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
		found = strncmp(line, "lock:", 5) == 0 && strstr(line, "OFDLCK") != NULL;
	}
	if (file != NULL) {
		fclose(file);
	}
	return found;
}

/* Whether the process has this file open, and a lock on it through that. */
static bool is_holder(pid_t pid, const struct stat *file)
{
	char text[16], path[48];
	struct stat st;
	bool found = false;
	snprintf(text, sizeof text, "%d", (int)pid);
	snprintf(path, sizeof path, "/proc/%s/fd", text);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
		found = fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
			is_same_file(&st, file) && has_lock(text, entry->d_name);
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return found;
}

static struct obi_root_holder holder_of(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct obi_root_holder holder = {.held = false};
	struct stat st;
	char text[16];
	if (fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK) {
		return holder;
	}
	holder.held = true;
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	long pid = strtol(text, NULL, 10);
	if (pid > 0 && pid <= INT32_MAX && fstat(fd, &st) == 0 && is_holder((pid_t)pid, &st)) {
		holder.pid = (pid_t)pid;
	}
	return holder;
}

struct obi_root_holder obi_root_holder(const char *path)
{
	struct obi_root_holder holder = {.held = false};
	int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = root >= 0 ? openat(root, OBI_ROOT_LOCK,
				    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
			   : -1;
	if (fd >= 0) {
		holder = holder_of(fd);
		close(fd);
	}
	if (root >= 0) {
		close(root);
	}
	return holder;
}

void obi_root_holder_text(const struct obi_root_holder *holder, char *text, size_t size)
{
	if (holder->pid != 0) {
		snprintf(text, size, "outboard run (pid %d)", (int)holder->pid);
	} else {
		snprintf(text, size, "outboard run (pid unknown)");
	}
}

/* ---- Taking it ---- */

bool obi_root_lock_is_in_place(int root_fd, int lock)
{
	struct stat ours, there;
	return fstat(lock, &ours) == 0 &&
	       fstatat(root_fd, OBI_ROOT_LOCK, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       is_same_file(&ours, &there);
}

static int busy(int fd, struct ob_error *reterr)
{
	struct obi_root_holder holder = holder_of(fd);
	char who[48];
	obi_root_holder_text(&holder, who, sizeof who);
	return obi_fail(reterr, OB_EBUSY, 0, "another %s uses it", who);
}

/* The pid in the file is only for messages. */
static int set_lock(int fd, struct ob_error *reterr)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char text[16];
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		return errno == EAGAIN || errno == EACCES
			   ? busy(fd, reterr)
			   : obi_fail(reterr, OB_EIO, errno, OBI_ROOT_LOCK " cannot be locked");
	}
	int len = snprintf(text, sizeof text, "%d\n", (int)getpid());
	return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len
		   ? OB_OK
		   : obi_fail(reterr, OB_EIO, errno, OBI_ROOT_LOCK " cannot be written");
}

int obi_root_lock(int root_fd, int kept, int *ret, struct ob_error *reterr)
{
	bool is_kept = kept >= 0 && obi_root_lock_is_in_place(root_fd, kept);
	int fd = is_kept ? fcntl(kept, F_DUPFD_CLOEXEC, 3)
			 : openat(root_fd, OBI_ROOT_LOCK,
				  O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno,
				OBI_ROOT_LOCK " cannot be opened");
	}
	int r = is_kept ? OB_OK : set_lock(fd, reterr);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = fd;
	return OB_OK;
}
