/* SPDX-License-Identifier: MIT */
/*
 * base/id_map - the map of a user namespace: /proc/self/uid_map or gid_map. Each line is
 *
 *   FIRST-INSIDE FIRST-OUTSIDE COUNT
 *
 * where inside are the ids of the namespace and outside those of the one above it.
 */
#ifndef OBI_BASE_ID_MAP_H
#define OBI_BASE_ID_MAP_H

#include <stdbool.h>
#include <stdint.h>

/* What the kernel shows in place of a user or group that has no number in our user namespace, where
 * /proc/sys/kernel/overflowuid was not changed. */
enum { OBI_OVERFLOW_ID = 65534 };

/* Whether id is a number of the namespace. A map that cannot be understood has every id. */
bool obi_id_map_has(const char *map, uint32_t id);

#endif
