/* SPDX-License-Identifier: MIT */
/* support/novsock - a seccomp filter like that of containers: from then on socket(AF_VSOCK)
 * fails with EPERM in this process and its children. */
#ifndef OB_TESTS_SUPPORT_NOVSOCK_H
#define OB_TESTS_SUPPORT_NOVSOCK_H

#include <stdbool.h>

/* Cannot be undone. false: the kernel does not accept the filter, and the test must not use
 * vsock. */
bool novsock_enter(void);

#endif
