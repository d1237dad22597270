/* SPDX-License-Identifier: MIT */
/* base/options - options structs of callers, which may be older or newer than ours. */
#ifndef OBI_BASE_OPTIONS_H
#define OBI_BASE_OPTIONS_H

#include <outboard/abi.h>

/* Copy a caller's options struct of `given` bytes into ours of `own` bytes; the rest becomes
 * zero. given may be NULL: all zero. OB_EINVAL: a member that we do not know is set, or the size
 * is impossible. */
int obi_options_copy(void *own, size_t own_size, const void *given, struct ob_error *reterr);

#endif
