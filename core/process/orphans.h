/* SPDX-License-Identifier: MIT */
/*
 * process/orphans - children of this process that were let go, or died while they were traced. They
 * are not supervised any more, but the kernel still has them as our children: when one dies, it
 * must be reaped.
 */
#ifndef OBI_PROCESS_ORPHANS_H
#define OBI_PROCESS_ORPHANS_H

#include "base/key_table.h"
#include "loop/loop.h"
#include "process/process.h"

/* Zeroed: none. */
struct obi_orphans {
	struct obi_key_table table; /* by pid */
};

/* Take over a process with its pidfd. It is only closed if it is no child of ours, or on the
 * default loop, which reaps by itself. */
void obi_orphans_add(struct obi_orphans *orphans, struct obi_loop *loop,
		     struct obi_process *process);

/* It has a supervisor again, which will reap it. */
void obi_orphans_remove(struct obi_orphans *orphans, const struct obi_procid *id);

/* Forget all of them; init reaps them after our end. */
void obi_orphans_free(struct obi_orphans *orphans);

#endif
