/* SPDX-License-Identifier: MIT */
/*
 * init - `outboard agent --init`: the first process of a guest or a container.
 *
 * The agent is its child, so nothing that is reaped here is awaited there, and an agent that was
 * killed is started again: it finds its children.
 */
#ifndef OBI_CLI_AGENT_INIT_H
#define OBI_CLI_AGENT_INIT_H

/*
 * Mount what is missing, run the agent with these arguments of `outboard agent`, and reap orphans
 * until it ends. SIGTERM and SIGINT are passed on to it. Then all that is left is killed. Returns
 * the exit status; a machine is powered off instead.
 */
int obi_agent_init(int argc, char **argv);

#endif
