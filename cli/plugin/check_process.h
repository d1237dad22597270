/* SPDX-License-Identifier: MIT */
/*
 * helper - run a part of this program in a process of its own, which may crash, hang or exit
 * without harm.
 *
 * The helper tells what it does in lines, each of fields, over a pipe at OBI_CHECK_PROCESS_FD.
 * Whatever it or code in it prints goes to stderr. Its process group is killed at its end, and it
 * is killed when this process ends.
 */
#ifndef OBI_CLI_PLUGIN_CHECK_PROCESS_H
#define OBI_CLI_PLUGIN_CHECK_PROCESS_H

#include <outboard/outboard.h>
#include <signal.h>

enum { OBI_CHECK_PROCESS_FD = 3, OBI_CHECK_PROCESS_FIELDS = 8 };

struct obi_check_process {
	char *const *argv;   /* of this program, argv[0] included, ended by NULL */
	int64_t patience_ms; /* from the start to the first line, from one line to the next, and to
				its end */
	/* A line came. fields has count of them, and empty texts behind. */
	void (*line)(void *user, const char *const fields[OBI_CHECK_PROCESS_FIELDS], int count);
	void *user;
	const volatile sig_atomic_t
	    *stop; /* not 0: end it soon. A signal that sets it need not be waited for */
};

enum obi_check_process_fate {
	OBI_CHECK_PROCESS_EXITED,
	OBI_CHECK_PROCESS_KILLED,
	OBI_CHECK_PROCESS_HUNG,
	OBI_CHECK_PROCESS_FLOODED
};

struct obi_check_process_end {
	enum obi_check_process_fate fate;
	int number; /* the exit status, or the signal */
};

/* Run it to its end. OB_EIO, OB_ENOMEM: it could not be run or watched. */
int obi_check_process_run(const struct obi_check_process *helper, struct obi_check_process_end *ret,
			  struct ob_error *reterr);

/* In the helper: whether this process is one, begun by the process `parent`; it then ends with
 * that. */
bool obi_check_process_begin(int parent);

/* In the helper: tell a line of fields, ended by NULL. What could be taken for the end of a field
 * becomes a blank. */
void obi_check_process_tell(const char *first, ...) __attribute__((sentinel));

#endif
