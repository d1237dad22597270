/* SPDX-License-Identifier: MIT */
/* base/runner - what the arguments of commands mean that make a container: bubblewrap, runc, crun.
 * And config.json in an OCI bundle. */
#ifndef OBI_BASE_RUNNER_H
#define OBI_BASE_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "bwrap" of "/usr/bin/bwrap"; "" if there are no arguments. */
const char *obi_runner_name(const char *const *argv);

/* Whether the word is in the list, which is ended by NULL. */
bool obi_runner_word_is_in(const char *word, const char *const *list);

/* How many arguments an option of bubblewrap has; -1: not known. */
int obi_bwrap_arity(const char *option);

/* The directory that `runc run`, `create`, or crun is to start; "." by default. NULL: it is another
 * command. */
const char *obi_bundle_of(const char *const *argv);

/* A regular file of at most 1 MiB; free it. NULL: it is none, or cannot be read. Whoever owns a
 * bundle could put a pipe there, which would keep its reader waiting. */
uint8_t *obi_bundle_read(const char *path, size_t *ret_len);

#endif
