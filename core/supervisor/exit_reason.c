/* SPDX-License-Identifier: MIT */
#include "supervisor/exit_reason.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

void obi_exit_reason(int32_t pid, const struct obi_exit *end, bool ended,
		     const struct ob_cgroup_usage *usage, char text[OBI_EXIT_REASON_SIZE])
{
	bool well = end->kind == OB_EXIT_CODE && end->value == 0;
	bool killed = end->kind == OB_EXIT_SIGNAL && end->value == SIGKILL;
	if (usage->oom_kills > 0 && killed && !ended) {
		snprintf(text, OBI_EXIT_REASON_SIZE, "killed: out of memory (cgroup)");
		return;
	}
	if (end->kind == OB_EXIT_UNKNOWN) {
		snprintf(text, OBI_EXIT_REASON_SIZE, "process %d exited; its status is not known",
			 (int)pid);
	} else {
		snprintf(text, OBI_EXIT_REASON_SIZE, "process %d %s %d", (int)pid,
			 end->kind == OB_EXIT_CODE ? "exited with status" : "was killed by signal",
			 end->value);
	}
	size_t len = strlen(text);
	if (usage->oom_kills > 0 && !well) {
		snprintf(text + len, OBI_EXIT_REASON_SIZE - len,
			 "; out of memory in its cgroup (%" PRId64 " killed)", usage->oom_kills);
	}
}
