/* SPDX-License-Identifier: MIT */
/* api/child_directory - the data directory of a child that another process may supervise. */
#ifndef OBI_API_CHILD_DIRECTORY_H
#define OBI_API_CHILD_DIRECTORY_H

#include "files/datadir.h"

/* Open it, for its owner: this process's user or the child's. path may be relative, and a link. */
int obi_child_directory_open(const char *path, struct obi_datadir *ret, struct ob_error *reterr);

#endif
