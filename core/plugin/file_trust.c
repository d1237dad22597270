/* SPDX-License-Identifier: MIT */
#include "plugin/file_trust.h"

#include "base/user_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

enum { DEPTH_MAX = PATH_MAX / 2, NAME_SIZE = 64 };

/* ---- Owners ---- */

enum obi_owner obi_owner_of_facts(const struct obi_owner_facts *f)
{
	if (f->owner == 0) {
		return OBI_OWNER_TRUSTED;
	}
	if (f->owner != f->overflow) {
		return f->owner == f->euid ? OBI_OWNER_TRUSTED : OBI_OWNER_OTHER;
	}
	if (f->euid == f->overflow && f->proven) {
		return OBI_OWNER_TRUSTED;
	}
	return f->root_is_unmapped ? OBI_OWNER_UNMAPPED : OBI_OWNER_OTHER;
}

static void name_of(int fd, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "/proc/self/fd/%d", fd);
}

/* Only the owner of a file may open it so, whatever his number looks like. */
static bool is_really_ours(int fd)
{
	char name[NAME_SIZE];
	name_of(fd, name);
	int again = open(name, O_RDONLY | O_NOATIME | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (again >= 0) {
		close(again);
	}
	return again >= 0;
}

static enum obi_owner owner_of(int fd, const struct stat *st)
{
	struct obi_owner_facts facts = {
	    .owner = st->st_uid, .euid = geteuid(), .overflow = obi_overflow_uid()};
	if (facts.owner == facts.overflow) {
		facts.root_is_unmapped = obi_root_is_unmapped();
		facts.proven = facts.euid == facts.overflow && is_really_ours(fd);
	}
	return obi_owner_of_facts(&facts);
}

/* ---- One file or directory ---- */

static int refuse(char why[OBI_FILE_TRUST_WHY], int code, const char *what, const char *reason)
{
	snprintf(why, OBI_FILE_TRUST_WHY, "%s %s", what, reason);
	return code;
}

/* A file system that is mounted read-only, or an ACL: the mode alone does not tell. */
static bool can_write(int fd)
{
	char name[NAME_SIZE];
	name_of(fd, name);
	return faccessat(AT_FDCWD, name, W_OK, AT_EACCESS) == 0 ||
	       (errno != EACCES && errno != EROFS && errno != EPERM);
}

static int check_unmapped(int fd, const char *what, uint32_t trust, char why[OBI_FILE_TRUST_WHY])
{
	if (trust != OB_PLUGIN_TRUST_UNMAPPED) {
		return refuse(why, OB_EPERM, what,
			      "belongs to a user without a number in this user namespace, where "
			      "root has none either: set plugin_trust to \"unmapped\", or use a "
			      "static build");
	}
	if (getauxval(AT_SECURE) != 0) {
		return refuse(why, OB_EPERM, what,
			      "belongs to a user without a number in this user namespace, and this "
			      "program is setuid");
	}
	if (can_write(fd)) {
		return refuse(why, OB_EPERM, what,
			      "belongs to a user without a number in this user namespace, and this "
			      "process can write to it");
	}
	return OB_OK;
}

static int check_one(int fd, const char *what, uint32_t trust, enum obi_owner *ret_owner,
		     char why[OBI_FILE_TRUST_WHY])
{
	struct stat st;
	if (fstat(fd, &st) != 0) {
		return refuse(why, OB_EIO, what, "cannot be looked at");
	}
	*ret_owner = owner_of(fd, &st);
	if (*ret_owner == OBI_OWNER_OTHER) {
		return refuse(why, OB_EPERM, what, "belongs neither to root nor to this user");
	}
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		return refuse(why, OB_EPERM, what, "is writable by group or others");
	}
	return *ret_owner == OBI_OWNER_UNMAPPED ? check_unmapped(fd, what, trust, why) : OB_OK;
}

/* ---- The directories above ---- */

static bool is_same(int a, int b)
{
	struct stat sa, sb;
	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* "the directory /usr/lib", or what is known of it. */
static void describe(int fd, char text[PATH_MAX])
{
	char name[NAME_SIZE], path[PATH_MAX - 32];
	name_of(fd, name);
	ssize_t n = readlink(name, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	snprintf(text, PATH_MAX, "the directory %s above it", path);
}

/* All up to the root of this process. A directory whose owner is not known by his number may have
 * been put there by anybody who can write to one above. */
static int check_above(int dir, uint32_t trust, char why[OBI_FILE_TRUST_WHY])
{
	char what[PATH_MAX];
	enum obi_owner owner;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int at = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r =
	    root >= 0 && at >= 0 ? OB_OK : refuse(why, OB_EIO, "its directory", "cannot be opened");
	for (int depth = 0; r == OB_OK && !is_same(at, root); depth++) {
		int up =
		    depth < DEPTH_MAX ? openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
		close(at);
		at = up;
		if (at < 0) {
			r = refuse(why, OB_EPERM, "a directory above it", "cannot be looked at");
			break;
		}
		describe(at, what);
		r = check_one(at, what, trust, &owner, why);
	}
	if (at >= 0) {
		close(at);
	}
	if (root >= 0) {
		close(root);
	}
	return r;
}

int obi_file_trust_check(int dir, int file, uint32_t trust, char why[OBI_FILE_TRUST_WHY])
{
	enum obi_owner of_dir = OBI_OWNER_OTHER, of_file = OBI_OWNER_OTHER;
	int r = check_one(dir, "its directory", trust, &of_dir, why);
	r = r == OB_OK ? check_one(file, "it", trust, &of_file, why) : r;
	bool unmapped = of_dir == OBI_OWNER_UNMAPPED || of_file == OBI_OWNER_UNMAPPED;
	return r == OB_OK && unmapped ? check_above(dir, trust, why) : r;
}
