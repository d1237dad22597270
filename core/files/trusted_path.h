/* SPDX-License-Identifier: MIT */
/*
 * files/trusted_path - reach a directory by a path that other users cannot redirect.
 *
 * Every directory above the last component must belong to root or to us, and other users must not
 * be able to write to it, unless it is sticky (/tmp). Symbolic links that root or we own in such
 * directories are followed (/var/run). All else is refused, and the error names the component.
 */
#ifndef OBI_FILES_TRUSTED_PATH_H
#define OBI_FILES_TRUSTED_PATH_H

#include <outboard/abi.h>
#include <sys/types.h>

struct obi_trusted_path {
	int parent;  /* the directory above, opened with O_PATH; -1: none */
	char *name;  /* the last component */
	char *whole; /* the path without links, as it was walked: for messages */
};

#define OBI_TRUSTED_PATH_NONE ((struct obi_trusted_path){.parent = -1})

/*
 * Walk path, which must be absolute and without "..". The last component need not exist and is not
 * looked at. make_mode is the mode of missing directories above it; 0: they are not made. child is
 * the user on the other side of the boundary: where it is not ours, a directory that our group may
 * write to is refused, too. Errors: OB_ENOENT, OB_EINVAL, OB_EPERM.
 */
int obi_trusted_path_walk(const char *path, mode_t make_mode, uid_t child,
			  struct obi_trusted_path *ret, struct ob_error *reterr);

/* Open the directory itself. One of ours that is closed to us gets mode 0700. -1: see errno. */
int obi_trusted_path_open(const struct obi_trusted_path *path);

void obi_trusted_path_close(struct obi_trusted_path *path);

#endif
