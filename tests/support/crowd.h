/* SPDX-License-Identifier: MIT */
/* support/crowd - requests to many children at once, and waiting for them, each with a deadline of
 * its own. After cmocka.h. */
#ifndef OB_TESTS_SUPPORT_CROWD_H
#define OB_TESTS_SUPPORT_CROWD_H

#include <outboard/outboard.h>

#include "support/clock.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CROWD_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CROWD_SANITIZED
#endif

/* How many. A process with a sanitizer needs about ten times the memory. */
#ifdef CROWD_SANITIZED
enum { CROWD_MANY = 120, CROWD_MEASURES_MEMORY = 0 };
#else
enum { CROWD_MANY = 1000, CROWD_MEASURES_MEMORY = 1 };
#endif

/* The descriptors that a child costs its parent, and those of the parent itself. */
enum { CROWD_EACH = OB_DESCRIPTORS_PER_CHILD, CROWD_BESIDES = 32 };

typedef int crowd_order_fn(ob_connector *connector, ob_done_fn *done, void *user,
			   struct ob_error *reterr);

/* The end of a request, which must have succeeded. user: an unsigned that counts them. */
static inline void crowd_on_done(void *user, int result, const struct ob_error *err)
{
	unsigned *done = user;
	if (result != OB_OK) {
		fail_msg("%s: %s", ob_result_name(result), err->text);
	}
	++*done;
}

/* Turn the loop until the counter has this value. */
static inline void crowd_until(ob_runtime *runtime, const unsigned *counter, unsigned wanted,
			       int64_t patience_ms, const char *what)
{
	int64_t deadline = now_ms() + patience_ms;
	while (*counter < wanted) {
		if (now_ms() > deadline) {
			fail_msg("%s: waited for too long, %u of %u done", what, *counter, wanted);
		}
		(void)ob_runtime_run(runtime, 20);
	}
}

#endif
