/* SPDX-License-Identifier: MIT */
/* support/crash - one data directory, and successive parent programs on it. Start and end check
 * what must hold after every crash: never two children, a config that can be read, no signal to
 * other processes, nothing left over. */
#ifndef OB_TESTS_SUPPORT_CRASH_H
#define OB_TESTS_SUPPORT_CRASH_H

#include "support/program.h"

struct crash {
	char *scratch;
	char *dir;
	char *parent; /* the programs */
	char *actor;
	char *tag; /* an argument that only our children have */
	struct program
	    bystander; /* of our process group; dies of a signal sent to the wrong process */
	const char *const *env; /* added to the parent's environment; may be NULL */
	struct program now;	/* the current parent */
};

void crash_begin(struct crash *c);

/* A new parent, with these failpoints (NULL: none) and up to 12 more arguments, ended by NULL. */
void crash_parent(struct crash *c, const char *points, ...);

/* The current parent is dying of SIGKILL: wait for it, and check what it left. */
void crash_died(struct crash *c);

/* The running children, of any parent: 0, or the only one. */
pid_t crash_child(const struct crash *c);
/* The same right after the clone: a child that is about to execute its command has no arguments to
 * be found by, and no event tells when it has. It must come. */
pid_t crash_new_child(const struct crash *c);

/* A new parent must have a working child within 5 s, and then end it. was: the child that it
 * must take over, or 0. */
void crash_recover(struct crash *c, pid_t was);

void crash_end(struct crash *c);

#endif
