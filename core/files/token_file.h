/* SPDX-License-Identifier: MIT */
/* files/token_file - the token of a child that others start. */
#ifndef OBI_FILES_TOKEN_FILE_H
#define OBI_FILES_TOKEN_FILE_H

#include "files/statefile.h"

/*
 * Read the token, 64 hex digits, from a file that has nothing else but white space at its end. The
 * file must be a regular one of root or of us, without permissions for group and others. OB_EPERM:
 * it is not; OB_ENOENT: it is missing; OB_EINVAL: it holds no token. The errors name the path.
 */
int obi_token_file_read(const char *path, char ret[OBI_TOKEN_SIZE], struct ob_error *reterr);

#endif
