/* SPDX-License-Identifier: MIT */
#include "files/datadir.h"

#include "base/buf.h"
#include "base/error.h"
#include "files/child_config.h"
#include "files/file.h"
#include "files/trusted_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The directory ---- */

static int failed(const char *doing, const char *path, int sys, struct ob_error *reterr)
{
	return obi_fail(reterr, obi_code_of_errno(sys), sys, "%s data directory: %s", doing, path);
}

static struct obi_directory_id id_of(const struct stat *st)
{
	return (struct obi_directory_id){st->st_dev, st->st_ino};
}

static bool is_same(const struct obi_directory_id *a, const struct obi_directory_id *b)
{
	return a->inode != 0 && a->inode == b->inode && a->device == b->device;
}

/* Give the directory to the child and close it to others, as far as that is not so already. */
static int settle(struct obi_datadir *dir, const struct stat *st, struct ob_error *reterr)
{
	bool give = st->st_uid != dir->uid;
	if (give && fchown(dir->fd, dir->uid, dir->gid) < 0) {
		return failed("creating", dir->path, errno, reterr);
	}
	/* The child may have changed the mode. Only its owner and root can set it back. */
	if ((st->st_mode & 07777) != 0700 && fchmod(dir->fd, 0700) < 0) {
		return failed("creating", dir->path, errno, reterr);
	}
	return OB_OK;
}

/* made_now: this call made it. *known: what an earlier call made. */
static int take_over(struct obi_datadir *dir, bool made_now, const struct obi_directory_id *known,
		     struct ob_error *reterr)
{
	struct stat st;
	if (fstat(dir->fd, &st) < 0) {
		return failed("creating", dir->path, errno, reterr);
	}
	struct obi_directory_id id = id_of(&st);
	bool made = made_now || is_same(&id, known);
	if (!made && st.st_uid != dir->uid) {
		return obi_fail(reterr, OB_EPERM, 0,
				"creating data directory: %s: exists and belongs to user %u, not "
				"to the child's user %u",
				dir->path, (unsigned)st.st_uid, (unsigned)dir->uid);
	}
	dir->made = made ? id : (struct obi_directory_id){0};
	return settle(dir, &st, reterr);
}

static int make(struct obi_datadir *dir, const struct obi_trusted_path *at,
		const struct obi_directory_id *known, struct ob_error *reterr)
{
	bool made = mkdirat(at->parent, at->name, 0700) == 0;
	if (!made && errno != EEXIST) {
		return failed("creating", dir->path, errno, reterr);
	}
	dir->fd = obi_trusted_path_open(at);
	return dir->fd >= 0 ? take_over(dir, made, known, reterr)
			    : failed("creating", dir->path, errno, reterr);
}

static int check_owner(const struct obi_datadir *dir, struct ob_error *reterr)
{
	struct stat st;
	if (dir->fd < 0 || fstat(dir->fd, &st) < 0) {
		return failed("opening", dir->path, errno, reterr);
	}
	return st.st_uid == dir->uid
		   ? OB_OK
		   : obi_fail(reterr, OB_EPERM, 0,
			      "opening data directory: %s: belongs to user %u, not to the child's "
			      "user %u",
			      dir->path, (unsigned)st.st_uid, (unsigned)dir->uid);
}

/* Walk to the path. *ret gets the walked path, which the caller frees with the directory. */
static int walk(const char *doing, const char *path, mode_t make_mode, struct obi_datadir *ret,
		struct obi_trusted_path *ret_at, struct ob_error *reterr)
{
	struct ob_error err = {0};
	int r = obi_trusted_path_walk(path, make_mode, ret->uid, ret_at, &err);
	if (r < 0) {
		return obi_fail(reterr, r, err.sys, "%s data directory: %s", doing, err.text);
	}
	ret->path = ret_at->whole;
	ret_at->whole = NULL;
	return OB_OK;
}

static int finish(int r, struct obi_trusted_path *at, struct obi_datadir *dir,
		  struct obi_datadir *ret)
{
	obi_trusted_path_close(at);
	if (r < 0) {
		obi_datadir_close(dir);
	} else {
		*ret = *dir;
	}
	return r;
}

int obi_datadir_make(const char *path, uid_t uid, gid_t gid, const struct obi_directory_id *made,
		     struct obi_datadir *ret, struct ob_error *reterr)
{
	struct obi_datadir dir = {.fd = -1, .uid = uid, .gid = gid};
	struct obi_trusted_path at = OBI_TRUSTED_PATH_NONE;
	/* A child of another user must be able to pass through what is made above it. */
	mode_t above = uid == geteuid() ? 0700 : 0711;
	int r = walk("creating", path, above, &dir, &at, reterr);
	r = r == OB_OK ? make(&dir, &at, made, reterr) : r;
	return finish(r, &at, &dir, ret);
}

int obi_datadir_open(const char *path, uid_t uid, gid_t gid, struct obi_datadir *ret,
		     struct ob_error *reterr)
{
	struct obi_datadir dir = {.fd = -1, .uid = uid, .gid = gid};
	struct obi_trusted_path at = OBI_TRUSTED_PATH_NONE;
	int r = walk("opening", path, 0, &dir, &at, reterr);
	if (r == OB_OK) {
		dir.fd = obi_trusted_path_open(&at);
		r = check_owner(&dir, reterr);
	}
	return finish(r, &at, &dir, ret);
}

void obi_datadir_close(struct obi_datadir *dir)
{
	if (dir->fd >= 0) {
		close(dir->fd);
	}
	free(dir->path);
	*dir = OBI_DATADIR_NONE;
}

void obi_datadir_rest(struct obi_datadir *dir)
{
	struct stat st;
	if (dir->fd >= 0 && fstat(dir->fd, &st) == 0) {
		dir->id = id_of(&st);
		close(dir->fd);
		dir->fd = -1;
	}
}

static int check_identity(const struct obi_datadir *dir, const struct obi_datadir *was,
			  struct ob_error *reterr)
{
	struct stat st;
	if (fstat(dir->fd, &st) < 0) {
		return failed("opening", dir->path, errno, reterr);
	}
	struct obi_directory_id id = id_of(&st);
	return is_same(&id, &was->id) ? OB_OK
				      : obi_fail(reterr, OB_ENOENT, 0,
						 "opening data directory: %s: was replaced by "
						 "another directory",
						 dir->path);
}

int obi_datadir_wake(struct obi_datadir *dir, struct ob_error *reterr)
{
	struct obi_datadir now = OBI_DATADIR_NONE;
	if (dir->fd >= 0) {
		return OB_OK;
	}
	if (dir->path == NULL) {
		return obi_fail(reterr, OB_ENOENT, 0, "there is no data directory");
	}
	int r = obi_datadir_open(dir->path, dir->uid, dir->gid, &now, reterr);
	r = r == OB_OK ? check_identity(&now, dir, reterr) : r;
	if (r == OB_OK) {
		dir->fd = now.fd;
		now.fd = -1;
	}
	obi_datadir_close(&now);
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
		unlinkat(dir->fd, OBI_FILE_TOKEN, 0);
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

int obi_datadir_write_token(const struct obi_datadir *dir, const char *token,
			    struct ob_error *reterr)
{
	struct ob_error err;
	int r = obi_file_replace(dir->fd, OBI_FILE_TOKEN, "token", ob_bytes_text(token), 0,
				 dir->uid, dir->gid, &err);
	if (r < 0) {
		obi_wrap(&err, "writing token file");
		if (reterr != NULL) {
			*reterr = err;
		}
	}
	return r;
}
