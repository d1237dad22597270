/* SPDX-License-Identifier: MIT */
/* The plugin vsock: the transports vsock (AF_VSOCK of the kernel) and hvsock (the hybrid vsock of
 * VMMs). */
#include "vsock/vsock.h"

#include <stdlib.h>
#include <sys/random.h>

int32_t obi_vsock_any_port(void)
{
	enum { UNPRIVILEGED = 1024 };
	uint32_t dice = 0;
	if (getrandom(&dice, sizeof dice, 0) != (ssize_t)sizeof dice) {
		dice = 0; /* a port in use is retried */
	}
	return (int32_t)(UNPRIVILEGED + dice % (INT32_MAX - UNPRIVILEGED));
}

OB_PLUGIN_ENTRY(&obi_vsock_plugin, &obi_hvsock_plugin);
