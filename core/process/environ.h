/* SPDX-License-Identifier: MIT */
/* process/environ - what a child's exec is given: its environment, and the file that its command
 * means. */
#ifndef OBI_PROCESS_ENVIRON_H
#define OBI_PROCESS_ENVIRON_H

#include "base/arena.h"

#include <outboard/outboard.h>

/*
 * The environment of a child, ended by NULL, made in arena: ours without OUTBOARD_* (nothing with
 * env_clear), then env, then ours for the child, ended by NULL, which wins over both. Of equal
 * names the last one stays. NULL: out of memory.
 */
char **obi_environ_make(const char *const *env, bool env_clear, const char *const *ours,
			struct obi_arena *arena);

/*
 * The file of a command: as it is when absolute, else the first of that name in our PATH that is a
 * regular file and can be executed. The text is made in arena. OB_EINVAL: a relative path;
 * OB_ENOENT: nowhere; OB_EPERM: there, but not executable.
 */
int obi_environ_find(const char *command, struct obi_arena *arena, const char **ret_file,
		     struct ob_error *reterr);

#endif
