/* SPDX-License-Identifier: MIT */
/* api/blocking - a blocking call that is made of an asynchronous one. */
#ifndef OBI_API_BLOCKING_H
#define OBI_API_BLOCKING_H

#include "api/runtime.h"

#include <semaphore.h>

struct ob_cancel {
	int fd; /* an eventfd: readable once fired */
};

/* The caller fills in the first part and leaves the rest zero. */
struct obi_blocking {
	struct ob_runtime *rt;
	/* Begins the work. If it returns OB_OK, the work ends with obi_blocking_done(), which may
	 * be called before this returns. */
	int (*begin)(void *user, struct ob_error *reterr);
	/* The time is over or the cancel was fired: make the work end soon, with code. Called at
	 * most once. */
	void (*abort)(void *user, int code);
	void *user;
	int64_t timeout_ms; /* < 0: no limit */
	ob_cancel *cancel;  /* may be NULL */

	bool done;
	int result;
	struct ob_error err;
	sem_t ended; /* of a threaded runtime */
	struct obi_timer timer;
	struct obi_io cancel_io;
};

/* Begin the work and wait for its end. Returns its result. OB_EDEADLK: blocking is not allowed
 * here. */
int obi_block(struct obi_blocking *b, struct ob_error *reterr);

/* The work has ended. An ob_done_fn, with the struct obi_blocking as its user. */
void obi_blocking_done(void *blocking, int result, const struct ob_error *err);

#endif
