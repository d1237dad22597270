/* SPDX-License-Identifier: MIT */
/*
 * supervisor/hello_judge - whether who says outboard.hello is the child of this start. A pure
 * decision.
 *
 * The same process may dial again while its last connection is still there: that one may have died
 * unnoticed, and the newest counts. Another process is refused for as long as the first is
 * connected: a guest that was started twice, from a copy or a snapshot, has all that the first one
 * has.
 */
#ifndef OBI_SUPERVISOR_HELLO_JUDGE_H
#define OBI_SUPERVISOR_HELLO_JUDGE_H

#include "place/place.h"

/* What the parent knows. */
struct obi_hello_known {
	const char *instance;	/* of this start; NULL: there is none */
	bool connected;		/* the child has a connection, which is not ending */
	char run[OBI_RUN_SIZE]; /* of the process that has it; "": it said none */
};

/* OB_OK: ret_run is the run of the process, or "". Else an error with a text for the log and for
 * the peer: OB_EPERM. */
int obi_hello_judge(const struct obi_hello_known *known, struct ob_bytes instance,
		    struct ob_bytes run, char ret_run[OBI_RUN_SIZE], struct ob_error *reterr);

/* The same for who says that he brings a stream: the process that is connected, and no other. */
int obi_hello_judge_stream(const struct obi_hello_known *known, struct ob_bytes instance,
			   struct ob_bytes run, struct ob_error *reterr);

#endif
