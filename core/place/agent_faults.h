/* SPDX-License-Identifier: MIT */
/* place/agent_faults - the faults that an agent tells of the options of a child. */
#ifndef OBI_PLACE_AGENT_FAULTS_H
#define OBI_PLACE_AGENT_FAULTS_H

#include <outboard/check.h>
#include <outboard/value.h>

/* The names of enum ob_fault_kind in an answer. */
extern const char *const obi_agent_fault_kinds[];

/*
 * Read the answer to outboard-agent.check, with one call of fn for each of the first
 * OBI_AGENT_FAULTS_MAX faults. The agent may be hostile: an option is letters, digits, "_" and ".",
 * or "", and a reason is one line that is made to be printed. OB_EPROTO: malformed.
 */
int obi_agent_faults_read(const struct ob_value *answer, ob_fault_fn *fn, void *user,
			  struct ob_error *reterr);

#endif
