/* SPDX-License-Identifier: MIT */
/* process/cgroup_text - the files of cgroup v2 and of /proc that say where cgroups are, as text.
 * Pure: what is read is not ours, so every text may be malformed. */
#ifndef OBI_PROCESS_CGROUP_TEXT_H
#define OBI_PROCESS_CGROUP_TEXT_H

#include <outboard/abi.h>

#define OBI_CGROUP_PATH_SIZE 512 /* of the longest path of a directory, with its NUL */

/* The path in the v2 hierarchy, of the line "0::/a/b" of /proc/PID/cgroup. False: there is no such
 * line, or the path is longer than size - 1. */
bool obi_cgroup_own_path(struct ob_bytes text, char *path, size_t size);

/* Whether a controller is attached to a v1 hierarchy, by a line such as "4:memory:/x". */
bool obi_cgroup_is_v1(struct ob_bytes text, const char *controller);

/*
 * The directory of the cgroup with this path, by /proc/PID/mountinfo: below the first mount of
 * cgroup2 that shows it. False: there is none. *ret_mounted: there is a mount of cgroup2.
 */
bool obi_cgroup_directory(struct ob_bytes mountinfo, const char *path, char *dir, size_t size,
			  bool *ret_mounted);

/* Whether the text, such as that of cgroup.controllers, has this word. */
bool obi_cgroup_has_word(struct ob_bytes text, const char *word);

/* The number of the line "KEY NUMBER", such as "oom_kill 3" in memory.events. */
bool obi_cgroup_value(struct ob_bytes text, const char *key, uint64_t *ret);

/* A text that is one number. "max" is UINT64_MAX. */
bool obi_cgroup_number(struct ob_bytes text, uint64_t *ret);

/* The next pid of a list such as cgroup.procs; *at is the place in the text, 0 at the beginning.
 * False: there are no more. A process of another pid namespace is 0. */
bool obi_cgroup_next_pid(struct ob_bytes text, size_t *at, int32_t *ret_pid);

#endif
