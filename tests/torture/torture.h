/* SPDX-License-Identifier: MIT */
/* torture - what the scenarios share. */
#ifndef OB_TESTS_TORTURE_H
#define OB_TESTS_TORTURE_H

#include <outboard/outboard.h>

enum { SHORT_MS = 3000, LONG_MS = 10000 };

/* A directory for the scenario, and the program of its child. */
extern const char *directory, *program;
extern const char token[];

/* From here on the Nth fallible call fails, until disarm(). */
void arm(void);
void disarm(void);

/* What must not be: it fails the run. */
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether code is a success; a failure must have an error that says so. */
bool good(const char *what, int code, const struct ob_error *err);

/* Ends the program where the scenario cannot be prepared. */
void must(const char *what, int code, const struct ob_error *err);

struct scenario {
	const char *name; /* NULL: the last one */
	void (*run)(void);
};

extern const struct scenario parent_scenarios[], peer_scenarios[], file_scenarios[];

/* Five calls of act.echo. */
void call_some(ob_client *client);

#endif
