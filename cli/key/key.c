/* SPDX-License-Identifier: MIT */
/* outboard key: its subcommands. */
#include "cli/key/key.h"

#include <sodium.h>
#include <stddef.h>

#include "cli/commands.h"
#include "cli/report.h"

static const struct obi_command subcommands[] = {
    {"new", "make a secret key", obi_key_new},
    {"show", "show the public key of a secret key", obi_key_show},
    {"authorize", "add a public key to a list of those who are let in", obi_key_authorize},
    {0},
};

int obi_cmd_key(int argc, char **argv)
{
	const struct obi_group group = {
	    "key", "Makes keys and lists of keys for the authenticator keys.", subcommands};
	if (sodium_init() < 0) {
		obi_complain("key: libsodium cannot be initialized");
		return OBI_EXIT_USAGE;
	}
	return obi_group_run(&group, argc, argv);
}
