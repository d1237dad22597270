/* SPDX-License-Identifier: MIT */
/*
 * process/spawn - starts a child process.
 *
 * It uses clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD), and CLONE_FILES where process/low_files has
 * numbers: the pidfd exists from the beginning, so the child cannot be reaped before; and a failure
 * in the child, exec included, is known when the call returns. Everything that allocates or looks
 * something up (PATH, users, the environment, stdin) happens before; between clone and exec there
 * are plain system calls only.
 *
 * The child gets: a session of its own, an empty signal mask, default dispositions, fds 0 to
 * 2 and the lock as fd 3, nothing else; then limits, user, group, umask and directory as the
 * options say. It writes "PID BOOTTIME_NS\n" into the file `start` first, so that it can be found
 * even if the parent dies at this moment.
 */
#ifndef OBI_PROCESS_SPAWN_H
#define OBI_PROCESS_SPAWN_H

#include "process/process.h"

#include <outboard/outboard.h>

#define OBI_LOCK_FD 3 /* the value of OUTBOARD_LOCK_FD */

/* Everything is borrowed for the duration of the call. */
struct obi_spawn {
	const struct ob_connector_options
	    *options; /* argv env env_clear user group cwd umask limits stdin_path are read */
	const char *config_path; /* of outboard.json, for OUTBOARD_CONFIG; NULL: not set */
	const char *plugin_path; /* for OUTBOARD_PLUGIN_PATH; NULL: not set */
	int out_fd;		 /* becomes fd 1 */
	int err_fd;		 /* becomes fd 2 */
	int lock_fd;		 /* becomes fd 3; -1: none */
	int start_fd;  /* the process writes "PID BOOTTIME_NS\n" there first; -1: nowhere */
	int cgroup_fd; /* cgroup.procs of the cgroup that it joins; 0: it stays in ours */
};

/*
 * Start the child. On failure there is no process and no zombie; the text is "starting outboard
 * process: STEP: reason", where STEP names what failed ("exec /bin/x", "directory /y"), and err.sys
 * is the errno of the child. If the command was executed nevertheless, and was killed since it
 * could not be identified, ret->id.pid is set.
 */
int obi_spawn(const struct obi_spawn *spawn, struct obi_process *ret, struct ob_error *reterr);

#endif
