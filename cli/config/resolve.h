/* SPDX-License-Identifier: MIT */
/* resolve - the one name of a path that may be written in many ways. */
#ifndef OBI_CLI_CONFIG_RESOLVE_H
#define OBI_CLI_CONFIG_RESOLVE_H

#include "base/arena.h"

/*
 * The path without "//", ".", ".." and links, as far as it exists; what does not exist is taken as
 * it is written. "" is the root directory; no result ends with a slash. NULL: it is not absolute,
 * is too long, or the arena is full.
 */
const char *obi_path_resolve(const char *path, struct obi_arena *arena);

/* Whether a resolved path is the directory, or lies inside it. */
bool obi_path_is_inside(const char *path, const char *directory);

/* For sorting: what lies inside a directory follows it at once. */
int obi_path_compare(const char *a, const char *b);

#endif
