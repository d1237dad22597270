/* SPDX-License-Identifier: MIT */
/* agent - the parts of `outboard agent`. */
#ifndef OBI_CLI_AGENT_AGENT_H
#define OBI_CLI_AGENT_AGENT_H

/* `outboard agent list` and `outboard agent ping`: ask an agent. */
int obi_agent_list(int argc, char **argv);
int obi_agent_ping(int argc, char **argv);

#endif
