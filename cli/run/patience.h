/* SPDX-License-Identifier: MIT */
/* patience - says whom the end of the supervisor waits for, when it takes long. */
#ifndef OBI_CLI_RUN_PATIENCE_H
#define OBI_CLI_RUN_PATIENCE_H

#include "cli/run/removed.h"

struct obi_patience {
	struct obi_run_log *log;
	const struct obi_members *members;
	const struct obi_removed *removed;
	ob_watch *timer;
};

/* All children were told to end. */
void obi_patience_begin(struct obi_patience *patience, ob_runtime *rt);
void obi_patience_end(struct obi_patience *patience);

#endif
