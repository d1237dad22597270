/* SPDX-License-Identifier: MIT */
/*
 * support/program - a program that obeys lines on its stdin and tells lines on its stdout, above
 * all children/parent.c. What it leaves behind becomes our child (we are its subreaper), so that
 * nothing gets away. Waiting has a deadline; what fails ends the test.
 */
#ifndef OB_TESTS_SUPPORT_PROGRAM_H
#define OB_TESTS_SUPPORT_PROGRAM_H

#include <outboard/outboard.h>

enum { PROGRAM_WAIT_MS = 20000, PROGRAM_LINE = 1024 };

struct program {
	pid_t pid; /* 0: it has been waited for */
	int in;	   /* our ends of its stdin and stdout */
	int out;
	size_t len;
	char buf[8192]; /* what it told and nobody asked for yet */
};

/* Start it. env (may be NULL) is added to our own. */
void program_begin(struct program *p, const char *const *argv, const char *const *env);

/* Say a line to it. */
void program_say(struct program *p, const char *line);

/* Its next line without the newline, valid until the next call; NULL: it told its last. */
const char *program_line(struct program *p);

/* Its next line that begins so, past others; NULL: it ended first. */
const char *program_await(struct program *p, const char *beginning);

/* Say a line and give the answer to it: the next line that begins with "ok", "error" or "reply".
 * NULL: it died of it. */
const char *program_ask(struct program *p, const char *line);

void program_kill(struct program *p, int number);

/* Close its stdin and wait for its end. Returns its wait status. */
int program_end(struct program *p);

/* Live processes that were started as this program with this text among their arguments; *ret_pid
 * (may be NULL) is one of them. */
int program_count(const char *program, const char *argument, pid_t *ret_pid);

/* For a group's setup: take in orphans. For the end of a test: wait for all that is left to us,
 * which must be dead or dying. */
void program_adopt_orphans(void);
void program_reap_orphans(void);

/* Whether strace is there and may trace. Its -D makes the tracer a grandchild, so that the process
 * started is the traced one. */
bool program_can_trace(void);

/* Let ms pass. */
void program_let_pass(int ms);

/* Wait until fd is readable; false after ms. */
bool program_wait_fd(int fd, int ms);

#endif
