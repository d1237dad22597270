/* SPDX-License-Identifier: MIT */
/* base/options - options structs of callers, whose size may differ from ours. */
#ifndef OBI_BASE_OPTIONS_H
#define OBI_BASE_OPTIONS_H

#include <outboard/abi.h>

/*
 * Copy a caller's options struct of `given` bytes into ours of `own`, the rest zero. OB_EINVAL:
 * something is set in a tail that we do not know, or size is absurd. NULL gives all zero.
 */
int obi_options_copy(void *own, size_t own_size, const void *given, struct ob_error *reterr);

#endif
