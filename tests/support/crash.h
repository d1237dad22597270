/* SPDX-License-Identifier: MIT */
/*
 * support/crash - one data directory, and the parent programs that follow each other on it. Begin
 * and end hold what is true of every crash: never two children, a config that can be read, no
 * foreign process signalled, nothing left over.
 */
#ifndef OB_TESTS_SUPPORT_CRASH_H
#define OB_TESTS_SUPPORT_CRASH_H

#include "support/program.h"

struct crash {
	char *scratch;
	char *dir;
	char *parent; /* the programs */
	char *actor;
	char *tag;		  /* an argument that only our children have */
	struct program bystander; /* of our group; dies of any signal that goes astray */
	const char *const *env;	  /* added to the parent's; NULL: nothing */
	struct program now;	  /* the parent at work */
};

void crash_begin(struct crash *c);

/* A new parent, with these failpoints (NULL: none) and up to 12 more arguments, ended by NULL. */
void crash_parent(struct crash *c, const char *points, ...);

/* The parent at work is dead, by SIGKILL: wait for it, and look at what it left. */
void crash_died(struct crash *c);

/* Children that live, whoever is their parent: 0 or 1, and which. */
pid_t crash_child(const struct crash *c);

/* A new parent must have a working child within 5 s, and then end it. was: the child that it must
 * take over, or 0. */
void crash_recover(struct crash *c, pid_t was);

void crash_end(struct crash *c);

#endif
