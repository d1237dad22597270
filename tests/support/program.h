/* SPDX-License-Identifier: MIT */
/* support/program - a program that obeys lines on its stdin and prints lines to its stdout,
 * mostly children/parent.c. We are its subreaper, so orphans become our children, and nothing is
 * left behind. Waiting has a deadline. Failures fail the test. */
#ifndef OB_TESTS_SUPPORT_PROGRAM_H
#define OB_TESTS_SUPPORT_PROGRAM_H

#include <outboard/outboard.h>

enum { PROGRAM_WAIT_MS = 20000, PROGRAM_LINE = 1024 };

struct program {
	pid_t pid; /* 0: it has been reaped */
	int in;	   /* our ends of its stdin and stdout */
	int out;
	size_t len;
	char buf[8192]; /* output that was not returned yet */
};

/* Start it. env is added to our environment; may be NULL. */
void program_begin(struct program *p, const char *const *argv, const char *const *env);

/* Send it a line. */
void program_say(struct program *p, const char *line);

/* Its next line without the newline, valid until the next call; NULL: the end. */
const char *program_line(struct program *p);

/* Its next line with this prefix, skipping others; NULL: it ended before. */
const char *program_await(struct program *p, const char *beginning);

/* Send a line and return its answer: the next line that starts with "ok", "error" or "reply".
 * NULL: it died. */
const char *program_ask(struct program *p, const char *line);

void program_kill(struct program *p, int number);

/* Close its stdin and wait for its end. Returns the wait status. */
int program_end(struct program *p);

/* The number of running processes of this program with this text among their arguments; *ret_pid
 * is one of them, and may be NULL. */
int program_count(const char *program, const char *argument, pid_t *ret_pid);

/* In the setup of a group: adopt orphans. At the end of a test: wait for all our children, which
 * must be dead or dying. */
void program_adopt_orphans(void);
int program_adopt_setup(void **state); /* that, as a setup of cmocka */
void program_reap_orphans(void);

/* Whether strace is installed and permitted. With -D the tracer is a grandchild, so that the
 * process that we start is the traced one. */
bool program_can_trace(void);

/* Wait for ms. */
void program_let_pass(int ms);

/* Wait until fd is readable; false after ms. */
bool program_wait_fd(int fd, int ms);

#endif
