/* SPDX-License-Identifier: MIT */
/* driven - another process that is driven by lines of text. */
#ifndef KV_DRIVEN_H
#define KV_DRIVEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct driven {
	pid_t pid; /* 0: none */
	int to, from;
	size_t used;
	char buffer[16384]; /* read, but not returned yet */
};

/* Start a program with pipes as its standard input and output. False: errno says why. */
bool driven_start(struct driven *driven, const char *const *argv);

/* Send a line, which must end with a newline. */
bool driven_tell(const struct driven *driven, const char *line);

enum driven_result { DRIVEN_LINE, DRIVEN_END, DRIVEN_LATE };

/* The next line of its output, without the newline; DRIVEN_LATE if there is none within
 * timeout_ms. A line that does not fit is cut. */
enum driven_result driven_line(struct driven *driven, int timeout_ms, char *ret_line, size_t size);

/* Wait for its end. Returns the status of waitpid(). */
int driven_wait(struct driven *driven);

#endif
