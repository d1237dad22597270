/* SPDX-License-Identifier: MIT */
/* key - the subcommands of `outboard key`. */
#ifndef OBI_CLI_KEY_H
#define OBI_CLI_KEY_H

int obi_key_new(int argc, char **argv);
int obi_key_show(int argc, char **argv);
int obi_key_authorize(int argc, char **argv);

#endif
