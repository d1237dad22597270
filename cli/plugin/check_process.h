/* SPDX-License-Identifier: MIT */
/*
 * check_process - run a part of this program in a process of its own, so that it may crash, hang or
 * exit without harm.
 *
 * The worker reports lines of fields through a pipe at OBI_CHECK_PROCESS_FD. What it prints goes to
 * stderr. Its process group is killed when it ends, and it is killed when this process ends.
 */
#ifndef OBI_CLI_PLUGIN_CHECK_PROCESS_H
#define OBI_CLI_PLUGIN_CHECK_PROCESS_H

#include <outboard/outboard.h>
#include <signal.h>

enum { OBI_CHECK_PROCESS_FD = 3, OBI_CHECK_PROCESS_FIELDS = 8 };

struct obi_check_process {
	char *const *argv; /* of this program, argv[0] included, ended by NULL */
	/* Limit from the start to the first line, from one line to the next, and to the exit. */
	int64_t patience_ms;
	/* A line arrived. fields has count fields, then empty texts. */
	void (*line)(void *user, const char *const fields[OBI_CHECK_PROCESS_FIELDS], int count);
	void *user;
	/* Not 0: end the worker soon. A signal handler may set it. */
	const volatile sig_atomic_t *stop;
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

/* Run a worker until it ends or must be killed. OB_EIO, OB_ENOMEM: it could not be run. */
int obi_check_process_run(const struct obi_check_process *process,
			  struct obi_check_process_end *ret, struct ob_error *reterr);

/* In the worker: whether this process is one, started by the process `parent`. */
bool obi_check_process_begin(int parent);

/* In the worker: report a line of fields, ended by NULL. Separators within a field become
 * blanks. */
void obi_check_process_report(const char *first, ...) __attribute__((sentinel));

#endif
