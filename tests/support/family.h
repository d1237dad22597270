/* SPDX-License-Identifier: MIT */
/* support/family - a parent with one child of tests/children, and a record of their events and
 * logs. Waiting is always for an event, with a deadline. family_end() is the common teardown:
 * nothing of the child may be left. */
#ifndef OB_TESTS_SUPPORT_FAMILY_H
#define OB_TESTS_SUPPORT_FAMILY_H

#include <outboard/outboard.h>

enum { FAMILY_EVENTS = 256, FAMILY_LINES = 4096, FAMILY_WAIT_MS = 20000 };

struct family {
	ob_runtime *runtime;
	ob_connector *connector;
	struct ob_connector_options
	    options; /* may be changed between family_begin() and family_connector() */
	const char *argv[12];
	char *dir; /* the data directory, inside the scratch directory */
	char *scratch;
	int fds;			/* open at the start */
	uint32_t events[FAMILY_EVENTS]; /* enum ob_event_type */
	struct ob_event last;		/* of the latest event; texts in cause and name */
	struct ob_event last_exit;	/* of the latest EXITED */
	char cause[256];
	uint32_t event_count;
	uint32_t line_count;	       /* the number of log records */
	char *lines[FAMILY_LINES];     /* their messages */
	int64_t numbers[FAMILY_LINES]; /* their attribute n, or -1 */
	char tokens[64][65];	       /* all that were in outboard.json */
	uint32_t token_count;
};

/* A runtime of this mode, and options for a child that is `actor ARGUMENTS...`, ended by
 * NULL. */
void family_begin(struct family *f, enum ob_runtime_mode mode, const char *argument, ...);

/* Run another child of tests/children, with the same arguments. */
void family_child(struct family *f, const char *name);

/* Make the connector from f->options. */
void family_connector(struct family *f);

/* Make the connector and start the child, which must succeed. */
void family_launch(struct family *f);

/* family_begin() and family_launch(). */
void family_start(struct family *f, enum ob_runtime_mode mode);

/* Turn the loop (inline) or wait (threaded) until there were `times` such events in all. Fails
 * the test after FAMILY_WAIT_MS, multiplied by OB_TEST_PATIENCE from the environment, which
 * emulated machines set. */
void family_await(struct family *f, enum ob_event_type type, uint32_t times);
uint32_t family_count(const struct family *f, enum ob_event_type type);
void family_await_lines(struct family *f, uint32_t lines);
void family_await_state(struct family *f, uint32_t state, uint32_t link);
/* Turn the loop until done(user) is true. */
void family_until(struct family *f, bool (*done)(void *user), void *user);
/* The same on an inline runtime, but done(user) must be true before a timer of the same loop
 * expires, which a busy machine delays as much. */
void family_until_within(struct family *f, int64_t ms, bool (*done)(void *user), void *user);

struct ob_status family_status(const struct family *f);

/* Another connector for the same child, as a new parent would make it. */
ob_connector *family_another(struct family *f);

/* Call act.METHOD with params by format; the result must be OB_OK. The reply is valid until the
 * next call. */
const struct ob_value *family_call(struct family *f, const char *method, const char *format, ...);
/* The same, returning the code. */
int family_try(struct family *f, int64_t timeout_ms, struct ob_error *err, const char *method,
	       const char *format, ...);

/* The path of a file in the data directory. Free it. */
char *family_path(const struct family *f, const char *name);
bool family_has(const struct family *f, const char *name);

/* Whether the process exists and is not a zombie. */
bool family_alive(int32_t pid);
/* Wait for its end, by its pidfd. */
void family_await_death(int32_t pid);

/* Close the connector (if it is not NULL), free the runtime and check: no child of ours, not
 * even a zombie; no additional descriptors; no token that was ever in outboard.json in a log
 * line or in our environment. */
void family_end(struct family *f);

#endif
