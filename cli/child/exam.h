/* SPDX-License-Identifier: MIT */
/* exam - what the promises of a child are checked with. */
#ifndef OBI_CLI_CHILD_EXAM_H
#define OBI_CLI_CHILD_EXAM_H

#include "cli/child/subject.h"
#include "cli/child/wire.h"
#include "conformance/verdict.h"

struct obi_exam {
	struct obi_subject *s;
	struct obi_wire_plugins plugins;
	bool json; /* the codec */
	/* Whether the child has the control interface, as the first start showed. */
	bool control;
	char why[512]; /* of the verdict */
};

enum obi_promise_need {
	OBI_NEEDS_START = 0,		  /* a child that runs and was let go */
	OBI_NEEDS_NOTHING = 1 << 0,	  /* the promise starts it itself */
	OBI_NEEDS_EXCHANGE = 1 << 1,	  /* a mechanism that exchanges messages */
	OBI_NEEDS_CONTROL = 1 << 2,	  /* the control interface */
	OBI_NEEDS_JSON = 1 << 3,	  /* the codec json */
	OBI_NEEDS_MSGPACK = 1 << 4,	  /* the codec msgpack */
	OBI_NEEDS_OUTBOARD_JSON = 1 << 5, /* a child that says in its file that it is ready */
	OBI_ENDS = 1 << 6		  /* the child may have ended when it was checked */
};

struct obi_promise {
	const char *name;
	enum obi_verdict (*check)(struct obi_exam *t);
	uint32_t needs;
};

/* Ended by a NULL name. */
extern const struct obi_promise obi_promises_readiness[];
extern const struct obi_promise obi_promises_auth[];
extern const struct obi_promise obi_promises_control[];
extern const struct obi_promise obi_promises_calls[];
extern const struct obi_promise obi_promises_supervise[];
extern const struct obi_promise obi_promises_limits[];
extern const struct obi_promise obi_promises_hostile[];
extern const struct obi_promise obi_promises_logs[];
extern const struct obi_promise obi_promises_kept_logs[];
extern const struct obi_promise obi_promises_end[];

/* Set the reason, and return the verdict. */
enum obi_verdict obi_broken(struct obi_exam *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum obi_verdict obi_skipped(struct obi_exam *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What a code of a wire means, for a reason: "closed the connection". */
const char *obi_wire_did(int code);

/* Connect, and do not authenticate. What the child is to close at once it must close before its
 * deadline for authentication does. Close it in any case. */
enum obi_verdict obi_exam_stranger(struct obi_exam *t, struct obi_wire *w);

/*
 * Connect and authenticate. A failure is a broken promise, and the wire is closed.
 * OBI_VERDICT_PASS: close it.
 */
enum obi_verdict obi_exam_connect(struct obi_exam *t, struct obi_wire *w);

/* The same, and say that it is the parent. */
enum obi_verdict obi_exam_parent(struct obi_exam *t, struct obi_wire *w);

/* Do things that a child may log. It need not answer while nobody reads its output. */
void obi_exam_provoke(struct obi_exam *t);

/* Whether a new connection is served. Else broken: `after` says after what. */
enum obi_verdict obi_exam_serves(struct obi_exam *t, const char *after);

/* Expect a result of the last call; r is what the call returned. */
enum obi_verdict obi_exam_result(struct obi_exam *t, const struct obi_wire *w, int r,
				 const char *what);

/* Expect an error with this code. */
enum obi_verdict obi_exam_error(struct obi_exam *t, const struct obi_wire *w, int r,
				const char *what, int64_t code);

/* Expect that the child closes the connection, whatever it says before. */
enum obi_verdict obi_exam_closed(struct obi_exam *t, struct obi_wire *w, const char *after);

#endif
