/* SPDX-License-Identifier: MIT */
/* vsock/vsock - shared by the two transports of this plugin. */
#ifndef OB_TRANSPORTS_VSOCK_VSOCK_H
#define OB_TRANSPORTS_VSOCK_VSOCK_H

#include <outboard/transport.h>

extern const struct ob_plugin obi_vsock_plugin;
extern const struct ob_plugin obi_hvsock_plugin;

/* The number of attempts to find a free port. */
enum { OBI_VSOCK_TRIES = 16 };

/* A random port above the privileged ones that fits into the 31 bits of a URI's port. The kernel's
 * own choice may not fit. */
int32_t obi_vsock_any_port(void);

#endif
