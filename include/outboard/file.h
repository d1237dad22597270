/* SPDX-License-Identifier: MIT */
/*
 * outboard/file.h - small private files: read with checks, replaced atomically.
 *
 * For files that hold secrets or state: they belong to one user and have mode 0600. All functions
 * of this header may be called on any thread. dirfd is a descriptor of a directory, or AT_FDCWD.
 */
#ifndef OUTBOARD_FILE_H
#define OUTBOARD_FILE_H

#include <outboard/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Append a whole file to out. name is a path, relative to dirfd. The file must be a regular file,
 * not a symbolic link, belong to this process's user or to owner ((uint32_t)-1: to no other), and
 * be closed to group and others. Never blocks, not even on a FIFO of that name.
 *
 *   OB_ENOENT   there is no such file
 *   OB_EPERM    its type, owner or mode is not acceptable, or it cannot be opened
 *   OB_ETOOBIG  it is larger than out->max
 *   OB_ENOMEM   there is no memory for it, or no descriptor
 */
OB_API int ob_file_read(int dirfd, const char *name, uint32_t owner, struct ob_sink *out,
			struct ob_error *reterr);

enum ob_file_flag {
	/* fsync the file before, and its directory after the rename: survives a power loss. */
	OB_FILE_SYNC = 1 << 0
};

/*
 * Replace a file, or make it: write the data into a temporary file beside it and rename that. A
 * reader sees the old file or the new one, never a part. The new file belongs to this process's
 * user and has mode 0600. name must not contain a slash: it lies in the directory of dirfd. flags
 * are bits of enum ob_file_flag. On failure the old file is unchanged; only when the sync of the
 * directory fails is the new one in place.
 */
OB_API int ob_file_replace(int dirfd, const char *name, struct ob_bytes data, uint32_t flags,
			   struct ob_error *reterr);

/*
 * Remove temporary files that ob_file_replace() left in a directory because its process was killed.
 * Only for a directory where no other process may be writing now.
 */
OB_API void ob_file_sweep(int dirfd);

/*
 * Open a directory by a path that no other user can redirect, and make it, and those above it, with
 * make_mode whatever the umask (0: make none). Each must belong to root or to this process's user,
 * and others must not be able to write to it unless it is sticky, as /tmp is. Symbolic links are
 * followed if root or this user owns them. *ret_fd is the caller's to close.
 *
 *   OB_EINVAL   the path is not absolute, is too long, or has a ".."
 *   OB_ENOENT   it does not exist
 *   OB_EPERM    a directory or link is another user's, or one can be written by others; the error
 *               names it. Or one cannot be opened
 */
OB_API int ob_directory_open(const char *path, uint32_t make_mode, int *ret_fd,
			     struct ob_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
