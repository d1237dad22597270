/* SPDX-License-Identifier: MIT */
/* base/proc_mount - whether there is a /proc. Processes are identified, plugins loaded and sockets
 * reached through it; without it those fail with errors that name something else. */
#ifndef OBI_BASE_PROC_MOUNT_H
#define OBI_BASE_PROC_MOUNT_H

#include <stdbool.h>

#define OBI_PROC_MISSING "/proc is not mounted; mount it: mount -t proc proc /proc"

bool obi_proc_is_mounted(void);

#endif
