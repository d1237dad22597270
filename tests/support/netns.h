/* SPDX-License-Identifier: MIT */
/* support/netns - a private network with only a loopback device, and private files in /etc. */
#ifndef OB_TESTS_SUPPORT_NETNS_H
#define OB_TESTS_SUPPORT_NETNS_H

#include <stdbool.h>

/* Move the calling process, which must have one thread, into new namespaces for network and
 * mounts. Returns NULL, or the reason why that is not possible: then the test is skipped. */
const char *netns_enter(void);

/* Another private network, as a descriptor that programs find at /proc/PID/fd/N; we stay in
 * ours. -1: not possible. */
int netns_new(void);

/* Run a program of PATH, ended by NULL, in that network (-1: in ours). Returns whether it
 * succeeded. */
bool netns_run(int net, const char *const *argv);

/* Replace path by a file with this text, for this process and its children only; the file is
 * made in dir. */
bool netns_file(const char *dir, const char *path, const char *text);

/* Write text to a file of /proc/sys. */
bool netns_sysctl(const char *path, const char *text);

#endif
