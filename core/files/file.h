/* SPDX-License-Identifier: MIT */
/*
 * files/file - small files that others may have tampered with, read with suspicion and written all
 * at once.
 *
 * Names are taken relative to dirfd; in what is read, AT_FDCWD and a path will do too.
 */
#ifndef OBI_FILES_FILE_H
#define OBI_FILES_FILE_H

#include <outboard/abi.h>

#include <sys/types.h>

/*
 * Append the whole file to out (wiped when it is freed). Refused: a symlink, anything but a regular
 * file (a FIFO is never waited for), one that is neither owner's nor ours, or has bits for group or
 * others, or is larger than out->max. OB_ENOENT: there is none.
 */
int obi_file_read(int dirfd, const char *name, uid_t owner, struct ob_sink *out,
		  struct ob_error *reterr);

enum obi_file_flag {
	OBI_FILE_SYNC = 1 << 0 /* fsync the file, and its directory after the rename */
};

/*
 * Write data into a temporary file beside it (outboard-config-XXXX.tmp), then rename: a reader sees
 * the old or the new, never half. Mode 0600, owned by uid and gid (-1: ours). Fails with
 * "creating|writing|syncing|closing|renaming temp WHAT file", and leaves nothing behind then. After
 * a failure of the directory's fsync alone the new file is in place.
 */
int obi_file_replace(int dirfd, const char *name, const char *what, struct ob_bytes data,
		     uint32_t flags, uid_t uid, gid_t gid, struct ob_error *reterr);

/* Remove temporary files that a dead writer left. The directory must be ours alone. */
void obi_file_sweep(int dirfd);

#endif
