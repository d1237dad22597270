/* SPDX-License-Identifier: MIT */
/* agent/agent_child_place - the place of an agent's child: opened, probed, closed, and what it
 * reports. For agent_child. */
#ifndef OBI_AGENT_AGENT_CHILD_PLACE_H
#define OBI_AGENT_AGENT_CHILD_PLACE_H

#include "agent/agent_child.h"

/* The number of every operation: each is complete when it returns. */
enum { OBI_AGENT_OP = 1 };

/* Complete the options, which are copied, and make a place with them. There must be none. */
int obi_agent_child_open(struct obi_agent_child *child, const struct ob_connector_options *options,
			 struct ob_error *reterr);
/* Let go of the process and free the place, if there is one. Not within an event of it. */
void obi_agent_child_close(struct obi_agent_child *child);

/* Take charge, and look what lives: child->answer.facts. */
int obi_agent_child_probe(struct obi_agent_child *child, bool create, struct ob_error *reterr);
/* Go on with what lives: adopt it, or set the state by what there is. */
void obi_agent_child_take(struct obi_agent_child *child);

/* Write agent.json. A failure is also told as a warning. */
int obi_agent_child_keep(struct obi_agent_child *child, struct ob_error *reterr);

/* The facts have changed. */
void obi_agent_child_changed(struct obi_agent_child *child);

#endif
