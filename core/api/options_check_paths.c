/* SPDX-License-Identifier: MIT */
/* The directories of a child: whether a start could make them, and the child reach its own. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "api/child_directory.h"
#include "api/dial_home.h"
#include "api/options_check.h"
#include "files/trusted_path.h"

/* Whether an earlier start made this directory: then it is given to whoever the child runs as. */
static bool was_made_by_us(const struct ob_connector_options *o, const struct stat *st)
{
	struct obi_child_directory dir;
	if (obi_child_directory_open(o->data_path, o->state_path, &dir, NULL) < 0) {
		return false;
	}
	bool made = dir.has_state && dir.state.local.made.inode != 0 &&
		    dir.state.local.made.inode == st->st_ino &&
		    dir.state.local.made.device == st->st_dev;
	obi_child_directory_close(&dir);
	return made;
}

static void check_owner(const struct ob_connector_options *o, const struct obi_trusted_path *at,
			uid_t uid, struct obi_option_faults *faults)
{
	struct stat st;
	if (fstatat(at->parent, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return; /* it will be made */
	}
	if (!S_ISDIR(st.st_mode)) {
		obi_option_fault(faults, OB_FAULT_FILE, "data_path", "%s: %s", at->whole,
				 S_ISLNK(st.st_mode) ? "is a symbolic link" : "is not a directory");
	} else if (st.st_uid != uid && !was_made_by_us(o, &st)) {
		obi_option_fault(faults, OB_FAULT_FILE, "data_path",
				 "%s: exists and belongs to user %u, not to the child's user %u",
				 at->whole, (unsigned)st.st_uid, (unsigned)uid);
	}
}

/* Where there is an ACL, the mode does not tell. The child's other groups may help as well. */
static bool may_enter(const char *path, const struct stat *st, const struct obi_user *user)
{
	mode_t bit = st->st_uid == user->uid   ? S_IXUSR
		     : st->st_gid == user->gid ? S_IXGRP
					       : S_IXOTH;
	return (st->st_mode & bit) != 0 || getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

/* The directories above that exist. Those that do not are made so that the child can enter them. */
static void check_above(const char *path, const struct obi_user *user,
			struct obi_option_faults *faults)
{
	char above[PATH_MAX];
	struct stat st;
	strcpy(above, path);
	for (char *slash = strchr(above + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bool last = slash[1 + strspn(slash + 1, "/")] == '\0';
		if (last || stat(above, &st) < 0) {
			return;
		}
		if (S_ISDIR(st.st_mode) && !may_enter(above, &st, user)) {
			obi_option_fault(faults, OB_FAULT_FILE, "data_path",
					 "%s: the child's user %u may not enter it (mode %04o)",
					 above, (unsigned)user->uid, (unsigned)st.st_mode & 07777);
			return;
		}
		*slash = '/';
	}
}

/* Where the walk ends for lack of a directory, all above it was good. */
static void check_walk(const char *option, const char *path, uid_t uid,
		       const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	struct obi_trusted_path at = OBI_TRUSTED_PATH_NONE;
	struct ob_error err;
	int r = obi_trusted_path_walk(path, 0, uid, &at, &err);
	if (r == OB_OK && path == o->data_path) {
		check_owner(o, &at, uid, faults);
	} else if (r < 0 && r != OB_ENOENT) {
		obi_option_fault(faults, OB_FAULT_FILE, option, "%s", err.text);
	}
	obi_trusted_path_close(&at);
}

static bool climbs(const char *path)
{
	const char *at = path;
	while ((at = strstr(at, "/..")) != NULL && at[3] != '/' && at[3] != '\0') {
		at += 3;
	}
	return at != NULL;
}

/* Other faults of the text are reported elsewhere. */
static bool can_be_walked(const char *option, const char *path, struct obi_option_faults *faults)
{
	if (path == NULL || path[0] != '/' || strlen(path) >= PATH_MAX) {
		return false;
	}
	if (climbs(path)) {
		obi_option_fault(faults, OB_FAULT_ERROR, option, "%s: \"..\" is not allowed", path);
		return false;
	}
	return true;
}

void obi_options_check_paths(const struct ob_connector_options *o, const struct obi_user *user,
			     struct obi_option_faults *faults)
{
	if (can_be_walked("state_path", o->state_path, faults)) {
		check_walk("state_path", o->state_path, user->uid, o, faults);
	}
	/* Without a command no data directory is made. */
	if (o->argv != NULL && can_be_walked("data_path", o->data_path, faults)) {
		check_walk("data_path", o->data_path, user->uid, o, faults);
		/* With run_as a container has directories of its own above. */
		if (user->change && user->uid != 0 && o->run_as == NULL) {
			check_above(o->data_path, user, faults);
		}
	}
	struct ob_error err;
	if (o->accept != NULL && o->data_path != NULL &&
	    obi_dial_home_check_accept(o, o->accept, &err) < 0) {
		obi_option_fault(faults, OB_FAULT_FILE, "accept", "%s",
				 err.text + strlen("accept: "));
	}
}
