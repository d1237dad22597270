/* SPDX-License-Identifier: MIT */
/* base/bundle - the OCI bundle that a command starts, and the config.json in it. */
#ifndef OBI_BASE_BUNDLE_H
#define OBI_BASE_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

/* The directory that `runc run`, `create`, or crun is to start; "." by default. NULL: it is another
 * command. */
const char *obi_bundle_of(const char *const *argv);

/* A regular file of at most 1 MiB; free it. NULL: it is none, or cannot be read. Whoever owns a
 * bundle could put a pipe there, which would keep its reader waiting. */
uint8_t *obi_bundle_read(const char *path, size_t *ret_len);

#endif
