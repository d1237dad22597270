/* SPDX-License-Identifier: MIT */
/* skeletons - the files in cli/plugin/skeletons, which `outboard plugin new` writes. The build
 * makes the array. */
#ifndef OBI_CLI_PLUGIN_SKELETONS_H
#define OBI_CLI_PLUGIN_SKELETONS_H

struct obi_skeleton {
	const char *file; /* "auth.c" */
	const char *text;
};

/* Ended by a NULL file. */
extern const struct obi_skeleton obi_skeletons[];

#endif
