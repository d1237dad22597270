/* SPDX-License-Identifier: MIT */
#include "files/statedir.h"

#include "base/error.h"
#include "files/file.h"
#include "files/trusted_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARENT_LOCK "parent.lock"
#define CHILD_LOCK  "outboard.lock"
#define START	    "start"

/* ---- The directory ---- */

static int dir_failed(const char *path, int sys, struct ob_error *reterr)
{
	return obi_fail(reterr, obi_code_of_errno(sys), sys, "opening state directory: %s", path);
}

/* A directory that we made just now gets its mode whatever the umask is; one whose mode was changed
 * gets it back. */
static int check_dir(const struct obi_statedir *dir, struct ob_error *reterr)
{
	struct stat st;
	if (fstat(dir->fd, &st) < 0) {
		return dir_failed(dir->path, errno, reterr);
	}
	if (st.st_uid != geteuid()) {
		return obi_fail(reterr, OB_EPERM, 0,
				"opening state directory: %s: belongs to user %u", dir->path,
				(unsigned)st.st_uid);
	}
	if ((st.st_mode & 07777) != 0700 && fchmod(dir->fd, 0700) < 0) {
		return dir_failed(dir->path, errno, reterr);
	}
	return OB_OK;
}

static int open_dir(const struct obi_trusted_path *at, bool create)
{
	if (create && mkdirat(at->parent, at->name, 0700) < 0 && errno != EEXIST) {
		return -1;
	}
	return obi_trusted_path_open(at);
}

int obi_statedir_open(const char *path, bool create, uid_t child, struct obi_statedir *ret,
		      struct ob_error *reterr)
{
	struct obi_statedir dir = OBI_STATEDIR_NONE;
	struct obi_trusted_path at = OBI_TRUSTED_PATH_NONE;
	struct ob_error err = {0};
	int r = obi_trusted_path_walk(path, create ? 0711 : 0, child, &at, &err);
	if (r < 0) {
		return obi_fail(reterr, r, err.sys, "opening state directory: %s", err.text);
	}
	dir.fd = open_dir(&at, create);
	r = dir.fd >= 0 ? OB_OK : dir_failed(at.whole, errno, reterr);
	dir.path = at.whole;
	at.whole = NULL;
	obi_trusted_path_close(&at);
	r = r == OB_OK ? check_dir(&dir, reterr) : r;
	if (r < 0) {
		obi_statedir_close(&dir);
		return r;
	}
	*ret = dir;
	return OB_OK;
}

void obi_statedir_close(struct obi_statedir *dir)
{
	obi_statedir_unlock(dir);
	if (dir->fd >= 0) {
		close(dir->fd);
	}
	free(dir->path);
	*dir = OBI_STATEDIR_NONE;
}

/* ---- Files in it ---- */

static int file_failed(const struct obi_statedir *dir, const char *name, int sys,
		       struct ob_error *reterr)
{
	return obi_fail(reterr, obi_code_of_errno(sys), sys, "%s/%s", dir->path, name);
}

/* A regular file of ours. Its mode may have been changed, by a child of the same user say. */
static int open_file(const struct obi_statedir *dir, const char *name, int flags, int *ret_fd,
		     struct ob_error *reterr)
{
	struct stat st;
	flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = openat(dir->fd, name, flags, 0600);
	if (fd < 0 && errno == EACCES && fchmodat(dir->fd, name, 0600, 0) == 0) {
		fd = openat(dir->fd, name, flags, 0600);
	}
	if (fd < 0) {
		return file_failed(dir, name, errno, reterr);
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return obi_fail(reterr, OB_EPERM, 0, "%s/%s: not a regular file", dir->path, name);
	}
	*ret_fd = fd;
	return OB_OK;
}

static int remove_file(const struct obi_statedir *dir, const char *name, struct ob_error *reterr)
{
	return unlinkat(dir->fd, name, 0) == 0 || errno == ENOENT
		   ? OB_OK
		   : file_failed(dir, name, errno, reterr);
}

/* Whether any process holds a lock on the file; a file that is not there is not held. */
static int is_locked(const struct obi_statedir *dir, const char *name, bool *ret_locked,
		     struct ob_error *reterr)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct ob_error err = {0};
	int fd = -1, r = open_file(dir, name, O_RDWR, &fd, &err);
	if (r == OB_OK && fcntl(fd, F_OFD_GETLK, &lock) < 0) {
		r = file_failed(dir, name, errno, &err);
	}
	if (fd >= 0) {
		close(fd);
	}
	if (r == OB_OK || r == OB_ENOENT) {
		*ret_locked = r == OB_OK && lock.l_type != F_UNLCK;
		return OB_OK;
	}
	if (reterr != NULL) {
		*reterr = err;
	}
	return r;
}

/* ---- parent.lock ---- */

int obi_statedir_lock(struct obi_statedir *dir, struct ob_error *reterr)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = -1;
	if (dir->parent_lock >= 0) {
		return OB_OK;
	}
	int r = open_file(dir, PARENT_LOCK, O_RDWR | O_CREAT, &fd, reterr);
	if (r < 0) {
		return r;
	}
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		int sys = errno;
		close(fd);
		return sys == EAGAIN || sys == EACCES
			   ? obi_fail(reterr, OB_EBUSY, 0, "another connector holds %s", dir->path)
			   : file_failed(dir, PARENT_LOCK, sys, reterr);
	}
	dir->parent_lock = fd;
	obi_file_sweep(dir->fd); /* what a parent that was killed had not renamed yet */
	return OB_OK;
}

void obi_statedir_unlock(struct obi_statedir *dir)
{
	if (dir->parent_lock >= 0) {
		close(dir->parent_lock);
	}
	dir->parent_lock = -1;
}

int obi_statedir_has_parent(const struct obi_statedir *dir, bool *ret_has, struct ob_error *reterr)
{
	return is_locked(dir, PARENT_LOCK, ret_has, reterr);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool obi_statedir_is_in_place(const struct obi_statedir *dir, const char *path)
{
	struct stat ours, there;
	if (fstat(dir->fd, &ours) < 0 || stat(path, &there) < 0 || !is_same_file(&ours, &there)) {
		return false;
	}
	return fstat(dir->parent_lock, &ours) == 0 &&
	       fstatat(dir->fd, PARENT_LOCK, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       is_same_file(&ours, &there);
}

/* ---- outboard.lock ---- */

int obi_statedir_is_held(const struct obi_statedir *dir, bool *ret_held, struct ob_error *reterr)
{
	return is_locked(dir, CHILD_LOCK, ret_held, reterr);
}

void obi_statedir_forget_lock(const struct obi_statedir *dir)
{
	(void)remove_file(dir, CHILD_LOCK, NULL);
}

int obi_statedir_make_lock(const struct obi_statedir *dir, int *ret_fd, struct obi_lock_id *ret_id,
			   struct ob_error *reterr)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int fd = -1, r = remove_file(dir, CHILD_LOCK, reterr);
	/* With O_CREAT a read-only descriptor is enough to make it. */
	r = r == OB_OK ? open_file(dir, CHILD_LOCK, O_RDONLY | O_CREAT | O_EXCL, &fd, reterr) : r;
	if (r == OB_OK && fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		r = file_failed(dir, CHILD_LOCK, errno, reterr);
	}
	if (r < 0) {
		if (fd >= 0) {
			close(fd);
		}
		return r;
	}
	/* Without /proc it has no name, and holders cannot be found; all else works. */
	*ret_id = (struct obi_lock_id){""};
	(void)obi_lock_id_of(fd, ret_id, NULL);
	*ret_fd = fd;
	return OB_OK;
}

/* ---- start ---- */

/* The boot comes first: after another one, the pid and the time mean nothing. */
int obi_statedir_make_start(const struct obi_statedir *dir, int *ret_fd, struct ob_error *reterr)
{
	char text[OBI_BOOT_ID_SIZE + 1];
	int fd = -1, r = obi_boot_id(text, reterr);
	r = r == OB_OK ? remove_file(dir, START, reterr) : r;
	r = r == OB_OK ? open_file(dir, START, O_WRONLY | O_CREAT | O_EXCL, &fd, reterr) : r;
	if (r < 0) {
		return r;
	}
	size_t len = strlen(text);
	text[len++] = ' ';
	if (write(fd, text, len) != (ssize_t)len) {
		r = file_failed(dir, START, errno, reterr);
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return OB_OK;
}

/* Whether text begins with the id of this boot and a blank; *ret_rest is what follows. */
static bool is_of_this_boot(const char *text, const char **ret_rest)
{
	char boot[OBI_BOOT_ID_SIZE];
	size_t len = sizeof boot - 1;
	*ret_rest = text + len + 1;
	return obi_boot_id(boot, NULL) == OB_OK && strncmp(text, boot, len) == 0 &&
	       text[len] == ' ';
}

int obi_statedir_read_start(const struct obi_statedir *dir, int32_t *ret_pid,
			    uint64_t *ret_noted_ns, struct ob_error *reterr)
{
	char text[128];
	const char *signature;
	int fd = -1, r = open_file(dir, START, O_RDONLY, &fd, reterr);
	if (r < 0) {
		return r;
	}
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return is_of_this_boot(text, &signature) &&
		       obi_signature_parse(signature, ret_pid, ret_noted_ns) == OB_OK
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOENT, 0,
			      "%s/" START ": no process of this boot is recorded", dir->path);
}

/* ---- Who is there ---- */

/* OB_ENOENT: it is dead, or there is none. ret->id is set for a dead one, too. */
static int open_signer(const struct obi_statedir *dir, int32_t known_pid, struct obi_process *ret,
		       struct ob_error *reterr)
{
	int32_t pid;
	uint64_t noted;
	int r = obi_statedir_read_start(dir, &pid, &noted, reterr);
	if (r == OB_OK && pid == known_pid) {
		return OB_ENOENT; /* that one is known, and dead */
	}
	if (r < 0) {
		return r;
	}
	r = obi_process_open_pid(pid, noted, ret, reterr);
	if (r == OB_ENOENT) {
		(void)obi_process_identify_dead(pid, noted, &ret->id, NULL);
	}
	return r;
}

int obi_statedir_probe(const struct obi_statedir *dir, const struct obi_procid *known,
		       struct obi_runner *ret, struct ob_error *reterr)
{
	struct obi_runner runner = {.process = OBI_PROCESS_NONE};
	struct ob_error err = {0};
	int r = obi_statedir_is_held(dir, &runner.held, reterr);
	if (r < 0) {
		return r;
	}
	r = known->pid > 0 ? obi_process_open(known, &runner.process, &err) : OB_ENOENT;
	runner.recorded = r == OB_OK;
	if (r == OB_ENOENT) {
		runner.process.id = *known;
		r = open_signer(dir, known->pid, &runner.process, &err);
	}
	if (r < 0 && r != OB_ENOENT) {
		if (reterr != NULL) {
			*reterr = err;
		}
		return r;
	}
	runner.alive = r == OB_OK;
	*ret = runner;
	return OB_OK;
}
