/* SPDX-License-Identifier: MIT */
/* support/netns - a network of the test's own, with nothing in it but a loopback, and files of /etc
 * of its own. */
#ifndef OB_TESTS_SUPPORT_NETNS_H
#define OB_TESTS_SUPPORT_NETNS_H

#include <stdbool.h>

/* Move the calling process, which must have one thread, into namespaces of its own for network and
 * mounts. Returns NULL, or why it cannot be done here: then the test is skipped. */
const char *netns_enter(void);

/* Another network of its own, as a descriptor that programs find at /proc/PID/fd/N; we stay where
 * we are. -1: it cannot be made. */
int netns_new(void);

/* Run a program of PATH, ended by NULL, in that network (-1: in ours). Returns whether it
 * succeeded. */
bool netns_run(int net, const char *const *argv);

/* Put a file with this text in the place of path, for this process and its children only; dir is
 * where it is kept. */
bool netns_file(const char *dir, const char *path, const char *text);

/* Write text to a file of /proc/sys. */
bool netns_sysctl(const char *path, const char *text);

#endif
