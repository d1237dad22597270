/* SPDX-License-Identifier: MIT */
/* process/environ - the environment of a child, and the file of its command. */
#ifndef OBI_PROCESS_ENVIRON_H
#define OBI_PROCESS_ENVIRON_H

#include "base/arena.h"

#include <outboard/outboard.h>

/*
 * The environment of a child, ended by NULL, made in arena: that of this process without OUTBOARD_*
 * (nothing with env_clear), then env, then ours. All are ended by NULL. Of equal names the last one
 * stays. NULL: out of memory.
 */
char **obi_environ_make(const char *const *env, bool env_clear, const char *const *ours,
			struct obi_arena *arena);

/*
 * The file of a command: the command itself if it is absolute, else the first regular file of that
 * name that can be executed, in the PATH of env (the options', may be NULL), or in that of this
 * process if env has none. The text is made in arena. OB_EINVAL: a relative path; OB_ENOENT: not
 * found; OB_EPERM: found, but not executable.
 */
int obi_environ_find(const char *command, const char *const *env, struct obi_arena *arena,
		     const char **ret_file, struct ob_error *reterr);

#endif
