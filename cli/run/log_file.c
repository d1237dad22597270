/* SPDX-License-Identifier: MIT */
#include "cli/run/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { MODE = 0640, PATH_SIZE = 4096 };

/* A FIFO without a reader must not block. */
static int open_append(const char *path, int more, mode_t mode)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | more,
		    mode);
}

static int failed(const char *path, struct ob_error *reterr)
{
	return obi_fail(reterr, obi_code_of_errno(errno), errno, "%s: cannot be opened", path);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The path of the file that stdout is; NULL: it is none, or has no name any more. */
static char *path_of_stdout(void)
{
	char path[PATH_SIZE];
	struct stat open_file, named;
	ssize_t len = readlink("/proc/self/fd/1", path, sizeof path - 1);
	path[len > 0 ? len : 0] = '\0';
	return path[0] == '/' && fstat(STDOUT_FILENO, &open_file) == 0 &&
		       S_ISREG(open_file.st_mode) && lstat(path, &named) == 0 &&
		       is_same_file(&open_file, &named)
		   ? strdup(path)
		   : NULL;
}

int obi_log_file_open(const char *path, struct obi_log_file *ret, struct ob_error *reterr)
{
	*ret = (struct obi_log_file){.fd = STDOUT_FILENO};
	if (path == NULL) {
		ret->path = path_of_stdout();
		return OB_OK;
	}
	int fd = open_append(path, 0, MODE);
	if (fd < 0) {
		return failed(path, reterr);
	}
	*ret = (struct obi_log_file){.path = strdup(path), .is_own = true, .fd = fd};
	return ret->path != NULL ? OB_OK : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

void obi_log_file_close(struct obi_log_file *file)
{
	if (file->is_own) {
		close(file->fd);
	}
	free(file->path);
	*file = (struct obi_log_file){.fd = STDOUT_FILENO};
}

/* stderr often is the same file. */
static int replace_stdout(const struct obi_log_file *file, struct ob_error *reterr)
{
	struct stat out, err;
	if (fstat(STDOUT_FILENO, &out) < 0) {
		return obi_fail(reterr, OB_EIO, errno, "stdout");
	}
	int fd = open_append(file->path, O_NOFOLLOW, out.st_mode & 0666);
	if (fd < 0) {
		return failed(file->path, reterr);
	}
	bool both = fstat(STDERR_FILENO, &err) == 0 && is_same_file(&out, &err);
	int r = dup2(fd, STDOUT_FILENO) < 0 || (both && dup2(fd, STDERR_FILENO) < 0)
		    ? obi_fail(reterr, OB_EIO, errno, "%s: dup2", file->path)
		    : OB_OK;
	close(fd);
	return r;
}

int obi_log_file_reopen(struct obi_log_file *file, struct ob_error *reterr)
{
	if (file->path == NULL) {
		return obi_fail(reterr, OB_ENOTSUP, 0, "the log does not go to a file");
	}
	if (!file->is_own) {
		return replace_stdout(file, reterr);
	}
	int fd = open_append(file->path, 0, MODE);
	if (fd < 0) {
		return failed(file->path, reterr);
	}
	close(file->fd);
	file->fd = fd;
	return OB_OK;
}
