/* SPDX-License-Identifier: MIT */
#include "files/trusted_path.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40 };

/* A walk under way. */
struct walk {
	int fd;			 /* where it stands */
	char at[PATH_MAX];	 /* the same as text; "" is the root */
	char rest[2 * PATH_MAX]; /* what is still to be walked */
	char name[NAME_MAX + 1]; /* the component that is looked at */
	mode_t make_mode;
	uid_t child;
	int links;
};

/* Between the two parts of a path, of which both may be empty. */
static const char *slash(const struct walk *w)
{
	return w->name[0] != '\0' || w->at[0] == '\0' ? "/" : "";
}

static int refuse(const struct walk *w, const char *why, unsigned number, struct ob_error *reterr)
{
	return obi_fail(reterr, OB_EPERM, 0, "%s%s%s: %s %u", w->at, slash(w), w->name, why,
			number);
}

static int failed(const struct walk *w, int sys, struct ob_error *reterr)
{
	return obi_fail(reterr, obi_code_of_errno(sys), sys, "%s/%s", w->at, w->name);
}

static bool is_trusted_owner(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* Whether users other than root and us can write to it. */
static bool others_can_write(const struct walk *w, const struct stat *st)
{
	if ((st->st_mode & S_ISVTX) != 0 || (st->st_mode & 022) == 0) {
		return false;
	}
	bool own_group = st->st_gid == 0 || (w->child == geteuid() && st->st_gid == getegid());
	return (st->st_mode & 002) != 0 || !own_group;
}

static int check_directory(const struct walk *w, const struct stat *st, struct ob_error *reterr)
{
	if (!is_trusted_owner(st->st_uid)) {
		return refuse(w, "belongs to user", (unsigned)st->st_uid, reterr);
	}
	if (others_can_write(w, st)) {
		return obi_fail(reterr, OB_EPERM, 0, "%s%s%s: writable by others (mode %04o)",
				w->at, slash(w), w->name, (unsigned)st->st_mode & 07777);
	}
	return OB_OK;
}

/* Take the next component off `rest`. OB_EAGAIN: there is none left. */
static int next_name(struct walk *w, struct ob_error *reterr)
{
	const char *from = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(from, "/");
	if (len > NAME_MAX) {
		return obi_fail(reterr, OB_EINVAL, ENAMETOOLONG, "%s: a component is too long",
				w->at);
	}
	memcpy(w->name, from, len);
	w->name[len] = '\0';
	memmove(w->rest, from + len, strlen(from + len) + 1);
	if (strcmp(w->name, "..") == 0) {
		return obi_fail(reterr, OB_EINVAL, 0, "%s/..: \"..\" is not allowed", w->at);
	}
	return len > 0 ? OB_OK : OB_EAGAIN;
}

static bool is_last(const struct walk *w)
{
	return w->rest[strspn(w->rest, "/")] == '\0';
}

/* Put a link's target in front of what is still to be walked. */
static int follow(struct walk *w, int link, struct ob_error *reterr)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(link, "", target, sizeof target - 1);
	if (n < 0) {
		return failed(w, errno, reterr);
	}
	target[n] = '\0';
	if (++w->links > LINKS_MAX || (size_t)n + strlen(w->rest) + 2 > sizeof w->rest) {
		return failed(w, ELOOP, reterr);
	}
	memmove(w->rest + n + 1, w->rest, strlen(w->rest) + 1);
	memcpy(w->rest, target, (size_t)n);
	w->rest[n] = '/';
	if (target[0] != '/') {
		return OB_OK;
	}
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) {
		return failed(w, errno, reterr);
	}
	close(w->fd);
	w->fd = root;
	w->at[0] = '\0';
	return OB_OK;
}

static int open_name(struct walk *w, struct ob_error *reterr)
{
	int fd = openat(w->fd, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && w->make_mode != 0) {
		bool made = mkdirat(w->fd, w->name, w->make_mode) == 0;
		if (!made && errno != EEXIST) {
			return failed(w, errno, reterr);
		}
		/* The umask must not close it to those it is made for. */
		if (made && fchmodat(w->fd, w->name, w->make_mode, 0) < 0) {
			return failed(w, errno, reterr);
		}
		fd = openat(w->fd, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	return fd >= 0 ? fd : failed(w, errno, reterr);
}

/* Go into the directory `name`, which fd is. */
static int enter(struct walk *w, int fd, const struct stat *st, struct ob_error *reterr)
{
	size_t at = strlen(w->at);
	if (!S_ISDIR(st->st_mode)) {
		return failed(w, ENOTDIR, reterr);
	}
	int r = check_directory(w, st, reterr);
	if (r == OB_OK && at + strlen(w->name) + 2 > sizeof w->at) {
		r = failed(w, ENAMETOOLONG, reterr);
	}
	if (r == OB_OK) {
		w->at[at] = '/';
		strcpy(w->at + at + 1, w->name);
		close(w->fd);
		w->fd = fd;
	}
	return r;
}

/* One component that is not the last. */
static int take_step(struct walk *w, struct ob_error *reterr)
{
	struct stat st;
	if (strcmp(w->name, ".") == 0) {
		return OB_OK;
	}
	int fd = open_name(w, reterr);
	if (fd < 0) {
		return fd;
	}
	int r = fstat(fd, &st) == 0 ? OB_OK : failed(w, errno, reterr);
	bool is_link = r == OB_OK && S_ISLNK(st.st_mode);
	if (is_link && !is_trusted_owner(st.st_uid)) {
		r = refuse(w, "a symbolic link that belongs to user", (unsigned)st.st_uid, reterr);
	} else if (is_link) {
		r = follow(w, fd, reterr);
	} else if (r == OB_OK) {
		r = enter(w, fd, &st, reterr);
	}
	if (w->fd != fd) {
		close(fd);
	}
	return r;
}

static int walk_all(struct walk *w, struct ob_error *reterr)
{
	struct stat st;
	int r = fstat(w->fd, &st) == 0 ? check_directory(w, &st, reterr) : failed(w, errno, reterr);
	r = r == OB_OK ? next_name(w, reterr) : r;
	while (r == OB_OK && !is_last(w)) {
		r = take_step(w, reterr);
		r = r == OB_OK ? next_name(w, reterr) : r;
	}
	return r == OB_EAGAIN
		   ? obi_fail(reterr, OB_EINVAL, 0, "%s/: the path names no directory", w->at)
		   : r;
}

static int keep(struct walk *w, struct obi_trusted_path *ret, struct ob_error *reterr)
{
	struct obi_trusted_path path = {.parent = w->fd, .name = strdup(w->name)};
	size_t size = strlen(w->at) + strlen(w->name) + 2;
	path.whole = malloc(size);
	if (path.name == NULL || path.whole == NULL) {
		obi_trusted_path_close(&path);
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	stpcpy(stpcpy(stpcpy(path.whole, w->at), "/"), w->name);
	*ret = path;
	return OB_OK;
}

int obi_trusted_path_walk(const char *path, mode_t make_mode, uid_t child,
			  struct obi_trusted_path *ret, struct ob_error *reterr)
{
	struct walk w = {.make_mode = make_mode, .child = child};
	if (path[0] != '/' || strlen(path) >= PATH_MAX) {
		return obi_fail(reterr, OB_EINVAL, 0, "\"%.200s\" is not an absolute path", path);
	}
	strcpy(w.rest, path);
	w.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = w.fd >= 0 ? walk_all(&w, reterr) : obi_fail(reterr, OB_EIO, errno, "/");
	if (r < 0) {
		if (w.fd >= 0) {
			close(w.fd);
		}
		return r;
	}
	return keep(&w, ret, reterr);
}

int obi_trusted_path_open(const struct obi_trusted_path *path)
{
	enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
	int fd = openat(path->parent, path->name, FLAGS);
	/* In a sticky directory the name may be another user's, and become a link at any time. */
	if (fd < 0 && errno == EACCES &&
	    fchmodat(path->parent, path->name, 0700, AT_SYMLINK_NOFOLLOW) == 0) {
		fd = openat(path->parent, path->name, FLAGS);
	}
	return fd;
}

void obi_trusted_path_close(struct obi_trusted_path *path)
{
	if (path->parent >= 0) {
		close(path->parent);
	}
	free(path->name);
	free(path->whole);
	*path = OBI_TRUSTED_PATH_NONE;
}
