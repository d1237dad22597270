/* SPDX-License-Identifier: MIT */
/* agent/agent_check - outboard-agent.check: what an agent would refuse. */
#ifndef OBI_AGENT_AGENT_CHECK_H
#define OBI_AGENT_AGENT_CHECK_H

#include "agent/agent.h"

/* Answer the call. Nothing is started, made or taken over. */
void obi_agent_check(struct ob_agent *agent, struct ob_call *call, const struct ob_value *params);

#endif
