/* SPDX-License-Identifier: MIT */
/*
 * supervisor/child_run - which process answers, by what the answers of outboard-control.health say.
 *
 * The process that was started may be the runner of another one, which it starts anew without
 * telling: a shell with a loop, a virtual machine whose guest boots. All values come from the
 * child. They are bounded here, and decide nothing but what is reported.
 */
#ifndef OBI_SUPERVISOR_CHILD_RUN_H
#define OBI_SUPERVISOR_CHILD_RUN_H

#include <outboard/outboard.h>

#include "place/place.h"

enum obi_run_change {
	OBI_RUN_SAME = 0,
	OBI_RUN_REPLACED, /* another process answers */
	OBI_RUN_REWOUND	  /* the same one, whose clock was set back */
};

/* Read an answer of health. What is missing or out of range is taken as not known. False: the
 * answer is no map, or says nothing of the process. */
bool obi_child_run_read(const struct ob_value *health, struct obi_child_run *ret);

/*
 * Compare an answer with an earlier one. why gets a line for a person, or "".
 *
 * Another `run` is another process, and so is one without `run` after one with it, or the reverse.
 * Without `run` on both sides another pid or a lower uptime is another process.
 */
enum obi_run_change obi_child_run_compare(const struct obi_child_run *before,
					  const struct obi_child_run *now, char why[128]);

/* The pid to be shown beside that of the process that was started; 0: none. */
int32_t obi_child_run_inner_pid(const struct obi_child_run *run, int32_t pid);

#endif
