/* SPDX-License-Identifier: MIT */
#include "files/datadir.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "files/child_config.h"
#include "files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARENT_LOCK "parent.lock"
#define CHILD_LOCK  "outboard.lock"

/* ---- The directory ---- */

static int dir_failed(int code, int sys, const char *path, struct ob_error *reterr)
{
	return obi_fail(reterr, code, sys, "creating data directory: %s", path);
}

/* mkdir -p. path is changed temporarily. */
static int make_dirs(char *path, bool *ret_made, struct ob_error *reterr)
{
	for (char *at = path; *at != '\0';) {
		at += strspn(at, "/");
		at += strcspn(at, "/");
		char was = *at;
		*at = '\0';
		*ret_made = mkdir(path, 0700) == 0;
		int sys = *ret_made || errno == EEXIST ? 0 : errno;
		if (sys != 0) {
			dir_failed(obi_code_of_errno(sys), sys, path, reterr);
			*at = was;
			return obi_code_of_errno(sys);
		}
		*at = was;
		at += strspn(at, "/");
	}
	return OB_OK;
}

/* The directory must belong to us or the child, and be closed to others. Wrong permissions are not
 * corrected: they may be intended. */
static int check_dir(const struct obi_datadir *dir, struct ob_error *reterr)
{
	struct stat st;
	if (fstat(dir->fd, &st) < 0) {
		return dir_failed(OB_EIO, errno, dir->path, reterr);
	}
	if (st.st_uid != geteuid() && st.st_uid != dir->uid) {
		return obi_fail(reterr, OB_EPERM, 0,
				"creating data directory: %s: belongs to user %u", dir->path,
				(unsigned)st.st_uid);
	}
	if ((st.st_mode & 077) != 0) {
		return obi_fail(reterr, OB_EPERM, 0,
				"creating data directory: %s: accessible to group or others (mode "
				"%04o, not 0700)",
				dir->path, (unsigned)st.st_mode & 07777);
	}
	return OB_OK;
}

static int open_dir(struct obi_datadir *dir, bool create, struct ob_error *reterr)
{
	bool made = false;
	int r = create ? make_dirs(dir->path, &made, reterr) : OB_OK;
	if (r < 0) {
		return r;
	}
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir->fd < 0) {
		return dir_failed(obi_code_of_errno(errno), errno, dir->path, reterr);
	}
	if (made && fchmod(dir->fd, 0700) < 0) {
		return dir_failed(obi_code_of_errno(errno), errno, dir->path, reterr);
	}
	r = check_dir(dir, reterr);
	if (r == OB_OK && create && dir->uid != geteuid() &&
	    fchown(dir->fd, dir->uid, dir->gid) < 0) {
		return dir_failed(obi_code_of_errno(errno), errno, dir->path, reterr);
	}
	return r;
}

int obi_datadir_open(const char *path, bool create, uid_t uid, gid_t gid, struct obi_datadir *ret,
		     struct ob_error *reterr)
{
	struct obi_datadir dir = {.fd = -1, .parent_lock = -1, .uid = uid, .gid = gid};
	if (path[0] != '/') {
		return obi_fail(reterr, OB_EINVAL, 0,
				"creating data directory: \"%s\" is not an absolute path", path);
	}
	dir.path = strdup(path);
	int r = dir.path != NULL ? open_dir(&dir, create, reterr)
				 : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	if (r < 0) {
		obi_datadir_close(&dir);
		return r;
	}
	*ret = dir;
	return OB_OK;
}

void obi_datadir_close(struct obi_datadir *dir)
{
	obi_datadir_unlock(dir);
	if (dir->fd >= 0) {
		close(dir->fd);
	}
	free(dir->path);
	*dir = OBI_DATADIR_NONE;
}

/* ---- Locks ---- */

static int open_lock(const struct obi_datadir *dir, const char *name, int flags, int *ret_fd,
		     struct ob_error *reterr)
{
	struct stat st;
	int fd = openat(dir->fd, name,
			O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0600);
	if (fd < 0) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno, "%s/%s", dir->path, name);
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return obi_fail(reterr, OB_EPERM, 0, "%s/%s: not a regular file", dir->path, name);
	}
	*ret_fd = fd;
	return OB_OK;
}

/* Open and lock a file. OB_EBUSY: it is held. */
static int take_lock(const struct obi_datadir *dir, const char *name, const char *holder,
		     int *ret_fd, struct ob_error *reterr)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = -1, r = open_lock(dir, name, O_CREAT, &fd, reterr);
	if (r < 0) {
		return r;
	}
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		int sys = errno;
		close(fd);
		return sys == EAGAIN || sys == EACCES
			   ? obi_fail(reterr, OB_EBUSY, 0, "%s holds %s", holder, dir->path)
			   : obi_fail(reterr, OB_EIO, sys, "locking %s/%s", dir->path, name);
	}
	*ret_fd = fd;
	return OB_OK;
}

int obi_datadir_lock(struct obi_datadir *dir, struct ob_error *reterr)
{
	if (dir->parent_lock >= 0) {
		return OB_OK;
	}
	return take_lock(dir, PARENT_LOCK, "another connector", &dir->parent_lock, reterr);
}

void obi_datadir_unlock(struct obi_datadir *dir)
{
	if (dir->parent_lock >= 0) {
		close(dir->parent_lock);
	}
	dir->parent_lock = -1;
}

int obi_datadir_has_parent(const struct obi_datadir *dir, bool *ret_has, struct ob_error *reterr)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = -1, r = open_lock(dir, PARENT_LOCK, 0, &fd, reterr);
	if (r == OB_OK && fcntl(fd, F_OFD_GETLK, &lock) < 0) {
		r = obi_fail(reterr, OB_EIO, errno, "querying %s/" PARENT_LOCK, dir->path);
	}
	if (fd >= 0) {
		close(fd);
	}
	if (r == OB_OK || r == OB_ENOENT) {
		*ret_has = r == OB_OK && lock.l_type != F_UNLCK;
		return OB_OK;
	}
	return r;
}

int obi_datadir_lock_child(const struct obi_datadir *dir, int *ret_fd, struct ob_error *reterr)
{
	int fd = -1, r = take_lock(dir, CHILD_LOCK, "a child", &fd, reterr);
	if (r < 0) {
		return r;
	}
	/* A pid in it belongs to an earlier child. */
	if (ftruncate(fd, 0) < 0) {
		int sys = errno;
		close(fd);
		return obi_fail(reterr, OB_EIO, sys, "%s/" CHILD_LOCK, dir->path);
	}
	*ret_fd = fd;
	return OB_OK;
}

int obi_datadir_replace_lock(const struct obi_datadir *dir, struct ob_error *reterr)
{
	if (unlinkat(dir->fd, CHILD_LOCK, 0) < 0 && errno != ENOENT) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno, "replacing %s/" CHILD_LOCK,
				dir->path);
	}
	return OB_OK;
}

/* ---- Occupants ---- */

/* What the child wrote into outboard.lock before exec. pid 0: nothing yet, or it cannot be read. */
static void read_signature(int fd, int32_t *ret_pid, uint64_t *ret_noted)
{
	char text[64];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	*ret_pid = 0;
	*ret_noted = 0;
	(void)obi_signature_parse(text, ret_pid, ret_noted);
}

/* A child that is not in state.json. The child can write the lock file, so the file may only name
 * processes of the child's user. */
static int find_unrecorded(const struct obi_datadir *dir, int32_t pid, uint64_t noted,
			   struct obi_process *ret, struct ob_error *reterr)
{
	uid_t uid;
	int r = obi_process_open_pid(pid, noted, ret, reterr);
	if (r < 0) {
		return r;
	}
	r = obi_process_user(ret, &uid, reterr);
	if (r == OB_OK && uid != dir->uid) {
		r = obi_fail(reterr, OB_ENOENT, 0, "process %d belongs to another user", (int)pid);
	}
	if (r < 0) {
		obi_process_close(ret);
	}
	return r;
}

/* Find the process that holds the lock. Every failure but "it is dead" is an error, so that no
 * second child is started in doubt. */
static int find_holder(const struct obi_datadir *dir, int fd, const struct obi_procid *known,
		       struct obi_occupant *ret, struct ob_error *reterr)
{
	struct ob_error err = {0};
	int32_t pid;
	uint64_t noted;
	struct obi_process process = OBI_PROCESS_NONE;
	read_signature(fd, &pid, &noted);
	int r = known->pid > 0 ? obi_process_open(known, &process, &err) : OB_ENOENT;
	bool recorded = r == OB_OK;
	if (r == OB_ENOENT && pid > 0 && pid != known->pid) {
		r = find_unrecorded(dir, pid, noted, &process, &err);
	}
	if (r < 0 && r != OB_ENOENT) {
		return obi_fail(reterr, r, err.sys, "%s", err.text);
	}
	*ret = (struct obi_occupant){r == OB_OK ? OBI_OCCUPANT_LIVE : OBI_OCCUPANT_LEFTOVERS,
				     recorded, process};
	if (r == OB_ENOENT) {
		ret->process = OBI_PROCESS_NONE;
		ret->process.id = *known;
		/* The child can write any pid, so the pid of a child of another user does not
		 * decide who is killed. */
		if (pid > 0 && pid != known->pid && dir->uid == geteuid()) {
			ret->process.id = (struct obi_procid){.pid = pid};
			/* A lock does not outlive its boot. */
			return obi_boot_id(ret->process.id.boot, reterr);
		}
	}
	return OB_OK;
}

int obi_datadir_probe(const struct obi_datadir *dir, const struct obi_procid *known,
		      struct obi_occupant *ret, struct ob_error *reterr)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct ob_error err = {0};
	int fd = -1, r = open_lock(dir, CHILD_LOCK, 0, &fd, &err);
	if (r == OB_OK && fcntl(fd, F_OFD_GETLK, &lock) < 0) {
		r = obi_fail(&err, OB_EIO, errno, "querying %s/" CHILD_LOCK, dir->path);
	}
	if (r == OB_ENOENT || (r == OB_OK && lock.l_type == F_UNLCK)) {
		*ret =
		    (struct obi_occupant){.kind = OBI_OCCUPANT_NONE, .process = OBI_PROCESS_NONE};
		r = OB_OK;
	} else if (r == OB_OK) {
		r = find_holder(dir, fd, known, ret, &err);
	}
	if (fd >= 0) {
		close(fd);
	}
	if (r < 0 && reterr != NULL) {
		*reterr = err;
	}
	return r;
}

/* ---- Files ---- */

static void remove_socket(int dirfd)
{
	struct stat st;
	if (fstatat(dirfd, OBI_FILE_SOCKET, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISSOCK(st.st_mode)) {
		unlinkat(dirfd, OBI_FILE_SOCKET, 0);
	}
}

void obi_datadir_clean(const struct obi_datadir *dir, bool all)
{
	obi_file_sweep(dir->fd);
	if (all) {
		unlinkat(dir->fd, OBI_FILE_CONFIG, 0);
		unlinkat(dir->fd, OBI_FILE_STDOUT, 0);
		unlinkat(dir->fd, OBI_FILE_STDERR, 0);
		remove_socket(dir->fd);
	}
}

int obi_datadir_read_config(const struct obi_datadir *dir, struct ob_config *ret,
			    struct ob_error *reterr)
{
	struct ob_error err = {0};
	struct obi_buf text;
	obi_buf_init(&text, OBI_CHILD_CONFIG_MAX);
	int r = obi_file_read(dir->fd, OBI_FILE_CONFIG, dir->uid, obi_buf_sink(&text), &err);
	if (r < 0) {
		obi_wrap(&err, "reading outboard config");
	} else {
		r = obi_child_config_parse(obi_buf_bytes(&text), ret, &err);
	}
	obi_buf_free(&text);
	if (r < 0 && reterr != NULL) {
		*reterr = err;
	}
	return r;
}

int obi_datadir_write_config(const struct obi_datadir *dir, const struct ob_config *config,
			     struct ob_error *reterr)
{
	struct ob_error err = {0};
	struct obi_buf text;
	obi_buf_init(&text, OBI_CHILD_CONFIG_MAX);
	int r = obi_child_config_format(config, obi_buf_sink(&text), &err);
	if (r == OB_OK) {
		r = obi_file_replace(dir->fd, OBI_FILE_CONFIG, "config", obi_buf_bytes(&text), 0,
				     dir->uid, dir->gid, &err);
	}
	obi_buf_free(&text);
	if (r < 0) {
		obi_wrap(&err, "writing outboard config");
		if (reterr != NULL) {
			*reterr = err;
		}
	}
	return r;
}
