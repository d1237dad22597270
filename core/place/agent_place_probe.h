/* SPDX-License-Identifier: MIT */
/* place/agent_place_probe - what there is of a child at an agent: asked when a place takes charge,
 * when the agent is back, and when facts are in doubt. */
#ifndef OBI_PLACE_AGENT_PLACE_PROBE_H
#define OBI_PLACE_AGENT_PLACE_PROBE_H

#include "place/agent_place_life.h"

/* The state directory is ours, or not: `taken` of struct obi_state_charge. The agent is asked now,
 * or when it can be reached. */
void obi_agent_probe_charged(void *user, const struct obi_statefile *state,
			     const struct ob_error *err);

/* Answer the probe that is due. */
void obi_agent_probe_answer(struct obi_agent_place *child, const struct obi_place_facts *facts,
			    const struct ob_error *err);

/* The agent has answered `inspect`: the place is back, and what follows is reported. */
void obi_agent_place_inspected(void *user, const struct obi_agent_request *request,
			       const struct ob_value *result, const struct ob_error *err);

/* Report that the place is lost, or back, unless it was reported. why: of lost. */
void obi_agent_place_set_lost(struct obi_agent_place *child, bool lost, const char *why);

/* The agent does not have the process any more, if there was one: report its end. */
void obi_agent_place_lose(struct obi_agent_place *child);

#endif
