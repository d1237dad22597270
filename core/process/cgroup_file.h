/* SPDX-License-Identifier: MIT */
/* process/cgroup_file - small files of cgroup v2, in an open directory. */
#ifndef OBI_PROCESS_CGROUP_FILE_H
#define OBI_PROCESS_CGROUP_FILE_H

#include <outboard/abi.h>
#include <sys/types.h>

/* Open the directory of a cgroup. OB_ENOTSUP: it is no cgroup v2. */
int obi_cgroup_open(const char *path, int *ret_fd, struct ob_error *reterr);

/* Read at most size bytes of a file. Returns a negative errno, or how many. */
ssize_t obi_cgroup_read(int dir, const char *file, char *text, size_t size);

/* Write a text in one go. Returns 0 or a negative errno. */
int obi_cgroup_write(int dir, const char *file, const char *text);

#endif
