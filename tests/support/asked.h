/* SPDX-License-Identifier: MIT */
/* support/asked - a helper of the authenticator ask: support/asked.py as a process. Failures fail
 * the test. */
#ifndef OB_TESTS_SUPPORT_ASKED_H
#define OB_TESTS_SUPPORT_ASKED_H

#include "support/program.h"

struct asked {
	struct program program; /* starts the helper */
	pid_t pid;		/* of the helper */
	char *socket;
};

/* Start one that listens at dir/name. key is in hex; NULL: zeros. */
void asked_begin(struct asked *a, const char *dir, const char *name, const char *key);

/* Start it again, at the same socket. It must have died. how: "die=POINT", "uid=N" or NULL. */
void asked_again(struct asked *a, const char *how);

/* Wait until it has died of SIGKILL. */
void asked_has_died(struct asked *a);

/* Kill it. */
void asked_kill(struct asked *a);

/* Kill it if it still lives, and free. */
void asked_end(struct asked *a);

#endif
