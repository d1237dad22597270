/* SPDX-License-Identifier: MIT */
/* agent - the parts of `outboard agent`. */
#ifndef OBI_CLI_AGENT_AGENT_H
#define OBI_CLI_AGENT_AGENT_H

#include <outboard/outboard.h>

#include "base/buf.h"

/* `outboard agent list` and `outboard agent ping`: ask an agent. what: the word. */
int obi_agent_list(int argc, char **argv);
int obi_agent_ping(int argc, char **argv);

/* Read a token from a file: only the token, and perhaps a newline. It becomes a text in out, which
 * must be initialized. path may be NULL: then nothing is done. */
int obi_agent_token(const char *path, struct obi_buf *out, struct ob_error *reterr);

#endif
