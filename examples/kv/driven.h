/* SPDX-License-Identifier: MIT */
/* driven - a program that is given lines and gives lines, run as another process. */
#ifndef KV_DRIVEN_H
#define KV_DRIVEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct driven {
	pid_t pid; /* 0: none */
	int to, from;
	size_t used;
	char buffer[16384]; /* read, and not yet asked for */
};

/* Start a program, with its standard input and output ours. False: errno says why. */
bool driven_start(struct driven *driven, const char *const *argv);

/* Give it a line, which must have its newline. */
bool driven_tell(const struct driven *driven, const char *line);

enum driven_result { DRIVEN_LINE, DRIVEN_END, DRIVEN_LATE };

/* The next line it gives, without its newline; DRIVEN_LATE when none comes within timeout_ms. What
 * does not fit is cut. */
enum driven_result driven_line(struct driven *driven, int timeout_ms, char *ret_line, size_t size);

/* Wait for its end; its status as waitpid() has it. */
int driven_wait(struct driven *driven);

#endif
