/* SPDX-License-Identifier: MIT */
/* support/v2 - a cgroup of cgroup v2 for a test, where this machine lets us make one. */
#ifndef OB_TESTS_SUPPORT_V2_H
#define OB_TESTS_SUPPORT_V2_H

#include <stdbool.h>
#include <sys/types.h>

/* A new, empty cgroup below that of this process. NULL, after a line that says why: the test is to
 * be skipped. v2_remove() frees the text. */
char *v2_make(void);

/* Kill what is in it, and remove it with what is below. path may be NULL. */
void v2_remove(char *path);

/* Write a text to a file of a cgroup. Returns 0 or an errno. */
int v2_write(const char *path, const char *file, const char *text);

/* The path of the only cgroup below whose name begins so. The caller frees it; NULL: there is
 * none. */
char *v2_only(const char *path, const char *prefix);

/* How many processes are listed in its cgroup.procs. */
int v2_count(const char *path);

/* Wait until no process lives in it. */
void v2_await_empty(const char *path);

/* Start /bin/sh with this script in the cgroup, as the leader of a session of its own. */
pid_t v2_run(const char *path, const char *script);

#endif
