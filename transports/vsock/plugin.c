/* SPDX-License-Identifier: MIT */
/* The plugin vsock: AF_VSOCK as the guest's and the host's kernel have it, and the hybrid of VMMs
 * without one. */
#include "vsock/vsock.h"

#include <stdlib.h>
#include <sys/random.h>

int32_t obi_vsock_any_port(void)
{
	enum { UNPRIVILEGED = 1024 };
	uint32_t dice = 0;
	(void)getrandom(&dice, sizeof dice, 0); /* whatever comes: a port in use is tried again */
	return (int32_t)(UNPRIVILEGED + dice % (INT32_MAX - UNPRIVILEGED));
}

OB_PLUGIN_ENTRY(&obi_vsock_plugin, &obi_hvsock_plugin);
