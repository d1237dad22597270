/* SPDX-License-Identifier: MIT */
/* The command `outboard`: finds the subcommand and runs it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/standard_fds.h"
#include "cli/commands.h"
#include "cli/report.h"

static void print_help(FILE *file)
{
	fputs("Usage: outboard COMMAND [ARGUMENTS]\n\n"
	      "Runs parts of a program out of process, and keeps them running.\n\nCommands:\n",
	      file);
	for (const struct obi_command *c = obi_commands; c->name != NULL; c++) {
		fprintf(file, "  %-12s%s\n", c->name, c->brief);
	}
	fputs("\n\"outboard COMMAND --help\" shows the options of a command, and \"outboard "
	      "--version\"\nthe version.\n\n"
	      "Exit status: 0 success; 1 the remote side answered with an error; 2 the command\n"
	      "line or a config is not acceptable; 3 no connection, or refused: nothing was\n"
	      "executed; 4 it is not known whether a call was executed; 5 done, but the output\n"
	      "could not be written.\n",
	      file);
}

static int run(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return OBI_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return OBI_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("outboard %s\n", ob_version());
		return OBI_EXIT_OK;
	}
	const struct obi_command *command = obi_command_find(obi_commands, argv[1]);
	if (command != NULL) {
		return command->run(argc - 2, argv + 2);
	}
	obi_complain("unknown command \"%s\"; try \"outboard --help\"", argv[1]);
	return OBI_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	obi_standard_fds_fill();
	/* A message is one write: it is not mixed with those of others, and costs little. */
	(void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	int status = run(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		obi_complain("writing the output: %s", strerror(errno));
		return status != OBI_EXIT_OK ? status : OBI_EXIT_UNPRINTED;
	}
	return status;
}
