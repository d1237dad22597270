/* SPDX-License-Identifier: MIT */
/* common/small_file - files that decide who is let in: read with checks, and told from what they
 * were. */
#ifndef OB_COMMON_SMALL_FILE_H
#define OB_COMMON_SMALL_FILE_H

#include <outboard/abi.h>

#include <sys/stat.h>
#include <time.h>

enum { OBI_SMALL_FILE_WHY = 400 }; /* bytes of a reason, with its NUL */

enum obi_links { OBI_LINKS_REFUSED, OBI_LINKS_FOLLOWED };

/* Tells one content of a file from another. */
struct obi_small_file_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified;
	struct timespec changed;
	enum obi_links links;
	/* false: it was changed so shortly before it was read that another change may leave the
	 * same stamp. */
	bool settled;
};

/*
 * Append a whole file to out. It must be a regular file, belong to this process's user or to root,
 * have none of the mode bits in forbidden, and fit into out. Never waits for a writer. ret_stamp
 * may be NULL. On failure *why is the reason, with the path.
 *
 * With OBI_LINKS_REFUSED, it must not be a symbolic link, and if the path is absolute, the
 * directories above the file must be no links, belong to this user or to root, and not be writable
 * by others unless they are sticky. With OBI_LINKS_FOLLOWED, the directories are not looked at.
 */
bool obi_small_file_read(const char *path, enum obi_links links, mode_t forbidden,
			 struct ob_sink *out, struct obi_small_file_stamp *ret_stamp,
			 char why[OBI_SMALL_FILE_WHY]);

/* Whether the file at path is certainly the one of the stamp, unchanged. */
bool obi_small_file_unchanged(const char *path, const struct obi_small_file_stamp *stamp);

#endif
