/* SPDX-License-Identifier: MIT */
#include "base/proc_mount.h"

#include <unistd.h>

bool obi_proc_is_mounted(void)
{
	return access("/proc/self/fd", X_OK) == 0;
}
