/* SPDX-License-Identifier: MIT */
/* terminal - whether a SIGHUP says that the terminal is gone, or is a request. */
#ifndef OBI_CLI_RUN_TERMINAL_H
#define OBI_CLI_RUN_TERMINAL_H

#include <stdbool.h>

/* Whether this process has a controlling terminal. */
bool obi_terminal_exists(void);

/* Whether the controlling terminal, which this process had, was hung up. */
bool obi_terminal_is_gone(void);

#endif
