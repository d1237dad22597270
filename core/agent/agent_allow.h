/* SPDX-License-Identifier: MIT */
/* agent/agent_allow - which commands the children of an agent may be. */
#ifndef OBI_AGENT_AGENT_ALLOW_H
#define OBI_AGENT_AGENT_ALLOW_H

#include <outboard/connector.h>

struct obi_agent_allow {
	char **patterns; /* ended by NULL; none: only what is below bin */
	char *bin;	 /* ROOT/bin */
};

/* patterns may be NULL. OB_EINVAL: one is not absolute; OB_ENOMEM. Free it also on failure. */
int obi_agent_allow_init(struct obi_agent_allow *allow, const char *root,
			 const char *const *patterns, struct ob_error *reterr);
void obi_agent_allow_free(struct obi_agent_allow *allow);

/*
 * Whether the command and the cleanup command of these options may run. The file that would be
 * executed is judged, with all links followed. OB_EPERM: not allowed, and the text says what;
 * OB_EINVAL: there is no such command.
 */
int obi_agent_allow_check(const struct obi_agent_allow *allow,
			  const struct ob_connector_options *options, struct ob_error *reterr);

/* The same of one command, by its name and the environment in whose PATH it is looked up. */
int obi_agent_allow_command(const struct obi_agent_allow *allow, const char *command,
			    const char *const *env, struct ob_error *reterr);

#endif
