/* SPDX-License-Identifier: MIT */
/*
 * loop/spare_memory - memory for libev, which ends the process when it gets none. What the C
 * library refuses comes from a reserve in this program: enough for the arrays of an ordinary loop.
 */
#ifndef OBI_LOOP_SPARE_MEMORY_H
#define OBI_LOOP_SPARE_MEMORY_H

#include <stddef.h>

enum { OBI_SPARE_BYTES = 256 * 1024 };

/* As realloc, and as free where size is 0. NULL: the reserve is used up, too. Any thread may call
 * it. What malloc made is taken as well. */
void *obi_spare_realloc(void *piece, size_t size);

#endif
