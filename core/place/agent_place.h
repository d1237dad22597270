/* SPDX-License-Identifier: MIT */
/*
 * place/agent_place - a child behind an agent, as a place: in a guest or on another machine.
 *
 * Here is only the state directory with parent.lock, so that one supervisor at a time has the
 * child. Its process, its directory and its pipes are the agent's, which is told what to do by
 * calls and tells what has happened by facts. The agent may be hostile: it can lie about its own
 * children, and nothing is opened, signalled, written or run here because of what it says.
 *
 * A connection that is lost is a place that is lost. Requests whose answer is due are repeated when
 * it is back. The process is dead only if the agent says so, or does not know it any more.
 */
#ifndef OBI_PLACE_AGENT_PLACE_H
#define OBI_PLACE_AGENT_PLACE_H

#include <outboard/connector.h>

#include <string.h>

#include "place/agent_hub.h"
#include "place/place.h"

/* What records of such a place begin with, in state.json. */
#define OBI_AGENT_RECORD "agent/"

static inline bool obi_is_agent_record(const char *record)
{
	return strncmp(record, OBI_AGENT_RECORD, sizeof OBI_AGENT_RECORD - 1) == 0;
}

/* Whether the child of this state may run at an agent: it was started there, or its start was begun
 * and the answer of the agent did not come. */
static inline bool obi_may_be_at_agent(const struct obi_statefile *state)
{
	bool begun = state->record[0] == '\0' && state->state == OB_STATE_STARTING;
	return obi_is_agent_record(state->record) || (begun && state->agent[0] != '\0');
}

struct obi_place_agent_setup {
	struct obi_loop *loop;
	struct obi_agent_hub *hub;		    /* the place holds a reference */
	const struct ob_connector_options *options; /* complete; must outlive the place */
	/* The same as they were given, with their placeholders: what the agent is sent. */
	const struct ob_connector_options *raw;
	uint32_t answer_max;	 /* bytes of a message from the agent */
	const char *agent_state; /* the state directory of the agent's connector: for other clients
				  * of the child, who find in it how the agent is reached */
};

/* OB_ENOMEM. */
int obi_place_agent_new(const struct obi_place_agent_setup *setup, struct obi_place **ret,
			struct ob_error *reterr);

#endif
