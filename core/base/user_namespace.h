/* SPDX-License-Identifier: MIT */
/* base/user_namespace - the user namespace of this process. What cannot be read is taken for the
 * usual: every id has a number. */
#ifndef OBI_BASE_USER_NAMESPACE_H
#define OBI_BASE_USER_NAMESPACE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the id is a number of our namespace: only such an id can own a file or a process. */
bool obi_user_has_number(uint32_t uid);
bool obi_group_has_number(uint32_t gid);

/* Whether root of the machine has no number in ours: then its files seem to belong to
 * obi_overflow_uid(). /proc/self/uid_map does not tell where namespaces are nested, as bubblewrap
 * makes them: it has numbers of the one above. The files of /proc/sys are root's. */
bool obi_root_is_unmapped(void);

/* What the kernel shows in place of a user without a number. */
uint32_t obi_overflow_uid(void);

#endif
