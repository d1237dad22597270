/* SPDX-License-Identifier: MIT */
/* outboard key: its subcommands. */
#include "cli/key/key.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/report.h"

static const struct subcommand {
	const char *name;
	const char *brief;
	int (*run)(int argc, char **argv);
} subcommands[] = {
    {"new", "make a secret key", obi_key_new},
    {"show", "show the public key of a secret key", obi_key_show},
    {"authorize", "add a public key to a list of those who are let in", obi_key_authorize},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static int help(FILE *file, int status)
{
	fputs("Usage: outboard key COMMAND [ARGUMENTS]\n\n"
	      "Makes keys and lists of keys for the authenticator keys.\n\nCommands:\n",
	      file);
	for (size_t i = 0; i < SUBCOMMANDS; i++) {
		fprintf(file, "  %-10s%s\n", subcommands[i].name, subcommands[i].brief);
	}
	fputs("\n\"outboard key COMMAND --help\" shows the options of a command.\n", file);
	return status;
}

int obi_cmd_key(int argc, char **argv)
{
	if (argc < 1) {
		return help(stderr, OBI_EXIT_USAGE);
	}
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		return help(stdout, OBI_EXIT_OK);
	}
	if (sodium_init() < 0) {
		obi_complain("key: libsodium cannot be initialized");
		return OBI_EXIT_USAGE;
	}
	for (size_t i = 0; i < SUBCOMMANDS; i++) {
		if (strcmp(argv[0], subcommands[i].name) == 0) {
			return subcommands[i].run(argc - 1, argv + 1);
		}
	}
	obi_complain("key: unknown command \"%s\"; try \"outboard key --help\"", argv[0]);
	return OBI_EXIT_USAGE;
}
