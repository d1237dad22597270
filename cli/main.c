/* SPDX-License-Identifier: MIT */
/* The command `outboard`: finds the subcommand and runs it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/standard_fds.h"
#include "cli/commands.h"
#include "cli/report.h"

static const struct command {
	const char *name;
	const char *brief;
	int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "supervise the children of a config file, in the foreground", obi_cmd_run},
    {"status", "show the state of children", obi_cmd_status},
    {"start", "start children of a running supervisor", obi_cmd_start},
    {"stop", "stop children of a running supervisor", obi_cmd_stop},
    {"restart", "stop children and start them again", obi_cmd_restart},
    {"reload", "make a running supervisor read its config again", obi_cmd_reload},
    {"call", "call a method of a child", obi_cmd_call},
    {"check", "check a config file", obi_cmd_check},
    {"agent", "start children for a host that is elsewhere", obi_cmd_agent},
    {"key", "make and authorize keys for the authenticator keys", obi_cmd_key},
    {"child", "check programs that are to run as children", obi_cmd_child},
    {"plugin", "list, check, inspect and create plugins", obi_cmd_plugin},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *file)
{
	fputs("Usage: outboard COMMAND [ARGUMENTS]\n\n"
	      "Runs parts of a program out of process, and keeps them running.\n\nCommands:\n",
	      file);
	for (size_t i = 0; i < COMMANDS; i++) {
		fprintf(file, "  %-10s%s\n", commands[i].name, commands[i].brief);
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
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			return commands[i].run(argc - 2, argv + 2);
		}
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
