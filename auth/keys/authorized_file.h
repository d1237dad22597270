/* SPDX-License-Identifier: MIT */
/* auth/keys/authorized_file - the list of a file, read again when the file has changed. */
#ifndef OB_AUTH_KEYS_AUTHORIZED_FILE_H
#define OB_AUTH_KEYS_AUTHORIZED_FILE_H

#include "auth/keys/authorized.h"

struct obi_authorized_file {
	char *path;
	uint8_t *text; /* what the list borrows from */
	struct obi_authorized list;
	struct obi_small_file_stamp stamp; /* of the list */
	bool good;
};

/*
 * Make the list that of the file as it is now. While the file is missing or has a fault the list is
 * empty: nobody is let in by what it said before. Then the result is false, and *why the reason,
 * with the path and the line.
 */
bool obi_authorized_file_refresh(struct obi_authorized_file *file, char why[OBI_KEYS_WHY]);

/* Free what it has, but for the struct. */
void obi_authorized_file_clear(struct obi_authorized_file *file);

#endif
