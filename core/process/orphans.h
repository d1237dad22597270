/* SPDX-License-Identifier: MIT */
/*
 * process/orphans - children of ours that were let go, or died while they were traced. Nobody
 * supervises them from here any more, but to the kernel they are still our children: when one dies
 * while we live, it must be reaped.
 */
#ifndef OBI_PROCESS_ORPHANS_H
#define OBI_PROCESS_ORPHANS_H

#include "loop/loop.h"
#include "process/process.h"

struct obi_orphan;

struct obi_orphans {
	struct obi_orphan *first;
};

/* Take over a process; its pidfd is ours now. On the default loop, which reaps by itself, it is
 * closed. */
void obi_orphans_add(struct obi_orphans *strays, struct obi_loop *loop,
		     struct obi_process *process);

/* It has a supervisor again, who will reap it. */
void obi_orphans_remove(struct obi_orphans *strays, const struct obi_procid *id);

/* Forget all; they are init's when we are gone. */
void obi_orphans_free(struct obi_orphans *strays);

#endif
