/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include <stddef.h>

const struct obi_command obi_commands[] = {
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
    {"completion", "print the completion script of a shell", obi_cmd_completion},
    {0},
};
