/* SPDX-License-Identifier: MIT */
#include "process/cgroup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"

int obi_cgroup_open(const char *path, int *ret_fd, struct ob_error *reterr)
{
	struct statfs fs;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno, "cgroup %s", path);
	}
	if (fstatfs(fd, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC) {
		close(fd);
		return obi_fail(reterr, OB_ENOTSUP, 0, "%s: is not a cgroup of cgroup v2", path);
	}
	*ret_fd = fd;
	return OB_OK;
}

ssize_t obi_cgroup_read(int dir, const char *file, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n = 0;
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	do {
		n = read(fd, text + len, size - len);
		len += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && len < size) || (n < 0 && errno == EINTR));
	ssize_t r = n < 0 ? -errno : (ssize_t)len;
	close(fd);
	return r;
}

int obi_cgroup_write(int dir, const char *file, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;
	int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	do {
		n = write(fd, text, len);
	} while (n < 0 && errno == EINTR);
	int r = n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
	close(fd);
	return r;
}
