/* SPDX-License-Identifier: MIT */
/* support/novsock - a filter as containers have it: from here on socket(AF_VSOCK) fails with EPERM
 * in this process and its children. */
#ifndef OB_TESTS_SUPPORT_NOVSOCK_H
#define OB_TESTS_SUPPORT_NOVSOCK_H

#include <stdbool.h>

/* For good. false: this kernel takes no such filter, and vsock must be left alone. */
bool novsock_enter(void);

#endif
