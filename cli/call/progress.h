/* SPDX-License-Identifier: MIT */
/* progress - whom a request waits for, shown on a terminal while it takes long. */
#ifndef OBI_CLI_CALL_PROGRESS_H
#define OBI_CLI_CALL_PROGRESS_H

#include <outboard/outboard.h>

struct obi_progress {
	ob_client *client;
	ob_watch *timer;
	bool shown; /* a line is on the terminal */
};

/* Ask the supervisor from time to time, and show the answer on stderr, if that is a terminal. While
 * a blocking call of client turns the loop of the runtime. */
void obi_progress_begin(struct obi_progress *progress, ob_runtime *rt, ob_client *client);

/* Clear the line. */
void obi_progress_end(struct obi_progress *progress);

#endif
