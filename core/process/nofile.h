/* SPDX-License-Identifier: MIT */
/* process/nofile - the limit of descriptors of this process, and of those that it starts. */
#ifndef OBI_PROCESS_NOFILE_H
#define OBI_PROCESS_NOFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include <outboard/abi.h>

/* Raise the soft limit to the hard one. *ret (may be NULL) is the limit from then on. */
int obi_nofile_raise(uint64_t *ret, struct ob_error *reterr);

/* The limit that a new process gets unless its options name one: the soft limit from before it was
 * raised. False: it was not raised, and the process inherits what there is. */
bool obi_nofile_of_children(struct rlimit64 *ret);

#endif
