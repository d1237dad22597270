/* SPDX-License-Identifier: MIT */
/*
 * files/file - reads small files that others may have manipulated, and replaces files atomically.
 *
 * Names are relative to dirfd. For reading, dirfd may be AT_FDCWD and name a path.
 */
#ifndef OBI_FILES_FILE_H
#define OBI_FILES_FILE_H

#include <outboard/abi.h>

#include <sys/types.h>

/*
 * Append the whole file to out, which should wipe its memory. Refused: a symbolic link, anything
 * but a regular file (without waiting for a FIFO), a file that belongs neither to owner nor to us,
 * that has permissions for group or others, or that is larger than out->max. OB_ENOENT: it is
 * missing.
 */
int obi_file_read(int dirfd, const char *name, uid_t owner, struct ob_sink *out,
		  struct ob_error *reterr);

enum obi_file_flag {
	OBI_FILE_SYNC = 1 << 0 /* fsync the file, and its directory after the rename */
};

/*
 * Write data into a temporary file beside it (outboard-config-XXXX.tmp), then rename it: a reader
 * sees the old content or the new one. Mode 0600, owned by uid and gid (-1: ours). On failure,
 * "creating|writing|syncing|closing|renaming temp WHAT file: ...", the temporary file is removed.
 * If only the fsync of the directory fails, the new file is in place.
 */
int obi_file_replace(int dirfd, const char *name, const char *what, struct ob_bytes data,
		     uint32_t flags, uid_t uid, gid_t gid, struct ob_error *reterr);

/* Remove the temporary files of writers that died. No other writer may be active in the directory.
 */
void obi_file_sweep(int dirfd);

#endif
