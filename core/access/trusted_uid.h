/* SPDX-License-Identifier: MIT */
/* access/trusted_uid - the users that are trusted without further proof. */
#ifndef OBI_ACCESS_TRUSTED_UID_H
#define OBI_ACCESS_TRUSTED_UID_H

#include <outboard/abi.h>

#include "base/id_map.h"

/* Whether uid is root, the user that this process runs as (own), or the user that was configured
 * (allowed; UINT32_MAX: none). The overflow id is nobody's: in a user namespace all users without a
 * number have it, and we may be one of them. */
static inline bool obi_uid_is_trusted(uint32_t uid, uint32_t own, uint32_t allowed)
{
	return uid != OBI_OVERFLOW_ID &&
	       (uid == 0 || uid == own || (uid == allowed && allowed != UINT32_MAX));
}

#endif
