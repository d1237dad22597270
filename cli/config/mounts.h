/* SPDX-License-Identifier: MIT */
/*
 * mounts - what a container sees of the host's files, as its command says. Known are bubblewrap
 * (its options), and `run` and `create` of runc and crun (the config.json of the bundle).
 */
#ifndef OBI_CLI_CONFIG_MOUNTS_H
#define OBI_CLI_CONFIG_MOUNTS_H

#include "base/arena.h"

struct obi_mount {
	const char *inside; /* resolved as a path of the host is: "" is the root directory */
	const char *source; /* of the host, resolved; NULL: it is not the host's */
	bool writable;
};

struct obi_mounts {
	struct obi_mount *list; /* later ones hide earlier ones */
	uint32_t count;
	const char *config; /* OUTBOARD_CONFIG in the container; NULL: as outside */
};

/* False: it is no container, or its command has something that is not known here. What is made is
 * in arena. cwd: of the command; NULL: unknown. */
bool obi_mounts_of_command(const char *const *argv, const char *cwd, struct obi_arena *arena,
			   struct obi_mounts *ret);

/* The path on the host of a path in the container; NULL: it is none of the host's. *ret_writable:
 * its mount can be written to. */
const char *obi_mounts_outside(const struct obi_mounts *mounts, const char *inside,
			       struct obi_arena *arena, bool *ret_writable);

#endif
