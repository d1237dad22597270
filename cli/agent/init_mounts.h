/* SPDX-License-Identifier: MIT */
/* init_mounts - the file systems that processes of a guest or a container expect. */
#ifndef OBI_CLI_AGENT_INIT_MOUNTS_H
#define OBI_CLI_AGENT_INIT_MOUNTS_H

#include <outboard/outboard.h>

/*
 * Mount what is missing of /proc, /sys, /dev, /dev/pts, /dev/shm, /run, /tmp and /sys/fs/cgroup.
 * Nothing is mounted where something is mounted, and no tmpfs over a directory that is not empty.
 * What cannot be mounted is told on stderr, and is no error, but for /proc. For the process 1.
 *
 *   OB_EPERM  something is mounted at /proc that does not show this PID namespace
 *   OB_EIO    /proc cannot be mounted
 */
int obi_init_mounts(struct ob_error *reterr);

#endif
