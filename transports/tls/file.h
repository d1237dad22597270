/* SPDX-License-Identifier: MIT */
/* tls/file - the files of the settings: read with checks, and compared with what they were. */
#ifndef OB_TRANSPORTS_TLS_FILE_H
#define OB_TRANSPORTS_TLS_FILE_H

#include <outboard/abi.h>

#include <sys/stat.h>
#include <time.h>

enum { OBI_TLS_WHY = 400 }; /* bytes of a reason, with its NUL */

/* Tells one content of a file from another. */
struct obi_tls_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified;
	struct timespec changed;
	/* false: it was changed so shortly before it was read that another change may leave the
	 * same stamp. */
	bool settled;
};

/* A whole file. The room behind len is not used. */
struct obi_tls_content {
	uint8_t *data;
	size_t len;
	struct obi_tls_stamp stamp;
};

/*
 * Read a whole file. It must be a regular file of this process's user or of root, have none of the
 * mode bits in forbidden, and not be larger than max. Symbolic links are followed: tools that renew
 * certificates replace links. Never waits for a writer. The content is freed with
 * obi_tls_content_free(). On failure why is the reason, with the path.
 */
bool obi_tls_read(const char *path, mode_t forbidden, size_t max, struct obi_tls_content *ret,
		  char why[OBI_TLS_WHY]);

/* Wipe and free. */
void obi_tls_content_free(struct obi_tls_content *content);

/* Whether the file at path is certainly the one of the stamp, unchanged. */
bool obi_tls_unchanged(const char *path, const struct obi_tls_stamp *stamp);

#endif
