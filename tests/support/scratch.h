/* SPDX-License-Identifier: MIT */
/* support/scratch - a private directory for a test, and helpers for files. Failures fail the
 * test. */
#ifndef OB_TESTS_SUPPORT_SCRATCH_H
#define OB_TESTS_SUPPORT_SCRATCH_H

#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* A new directory, mode 0700, owned by us. scratch_remove() frees the text. */
char *scratch_make(void);

/* Remove it with its content. dir may be NULL. */
void scratch_remove(char *dir);

/* The same with a descriptor of the directory. */
struct scratch_place {
	char *path;
	int fd;
};
struct scratch_place scratch_make_place(void);
void scratch_remove_place(struct scratch_place *place);

/* printf into memory that the caller frees. */
char *scratch_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Write len bytes to a new file of this mode, whatever the umask. */
void scratch_write(const char *path, const void *data, size_t len, mode_t mode);

/* Copy a file; the copy gets this mode. */
void scratch_copy(const char *from, const char *to, mode_t mode);

/* The number of open descriptors of this process. */
int scratch_open_fds(void);

/* From now on only so many more descriptors can be opened. Returns the limit to be set afterwards.
 */
struct rlimit scratch_limit_fds(int spare);

/* An environment variable that must be set, as ctest does. */
const char *scratch_env(const char *name);

#endif
