/* SPDX-License-Identifier: MIT */
/* vsock/vsock - what the two transports of this plugin share. */
#ifndef OB_TRANSPORTS_VSOCK_VSOCK_H
#define OB_TRANSPORTS_VSOCK_VSOCK_H

#include <outboard/transport.h>

extern const struct ob_plugin obi_vsock_plugin;
extern const struct ob_plugin obi_hvsock_plugin;

/* How often a free port is sought before it is said that there is none. */
enum { OBI_VSOCK_TRIES = 16 };

/* A port that may be free: above the privileged ones, and no wider than the 31 bits of a URI's,
 * which the kernel's choice may be. */
int32_t obi_vsock_any_port(void);

#endif
