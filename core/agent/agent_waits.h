/* SPDX-License-Identifier: MIT */
/* agent/agent_waits - the calls that wait for something to happen: `changes` and `logs`. */
#ifndef OBI_AGENT_AGENT_WAITS_H
#define OBI_AGENT_AGENT_WAITS_H

#include "agent/agent.h"

/* Answer with the children that changed after `seen`, at most max, or wait for the first one. An
 * earlier call that waits is answered with none. */
void obi_agent_changes(struct ob_agent *agent, struct ob_call *call, uint64_t seen, int64_t wait_ms,
		       uint32_t max);
/* A child has changed. */
void obi_agent_changes_wake(struct ob_agent *agent);

/* The same for what a child has written: from offset on, at most max bytes. */
void obi_agent_logs(struct obi_agent_child *child, struct ob_call *call, uint64_t offset,
		    int64_t wait_ms, size_t max);
/* The child has written something. */
void obi_agent_logs_wake(struct obi_agent_child *child);

/* No call waits any more: answer them as `answer` does, or with what there is if it is NULL. */
void obi_agent_logs_end(struct obi_agent_child *child);
void obi_agent_waits_end(struct ob_agent *agent,
			 void (*answer)(const struct ob_agent *agent, struct ob_call *call));

#endif
