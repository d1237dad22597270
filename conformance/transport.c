/* SPDX-License-Identifier: MIT */
#include "conformance/transport.h"

#include "conformance/transport_trial.h"

#include <stdio.h>

static void end_trial(struct obi_trial *trial)
{
	trial->ops->dial_close(trial->dial);
	while (trial->count > 0) {
		trial->ops->close(trial->streams[--trial->count]);
	}
	trial->ops->listener_close(trial->second);
	trial->ops->listener_close(trial->listener);
}

/* No promise may leave a descriptor open. */
static void run(const struct obi_conform_transport *it, const struct obi_promise *promise,
		struct obi_trial *trial)
{
	int before = obi_open_descriptors();
	*trial = (struct obi_trial){.it = it, .ops = it->ops};
	promise->fn(trial);
	end_trial(trial);
	int leaked = obi_open_descriptors() - before;
	if (leaked != 0) {
		OBI_FAIL(trial, "%d descriptors were leaked", leaked);
	}
}

static void run_all(const struct obi_conform_transport *it, const struct obi_promise *list,
		    struct obi_suite *suite)
{
	struct obi_trial trial;
	for (; list->name != NULL; list++) {
		if (obi_suite_begin(suite, list->name)) {
			run(it, list, &trial);
			obi_suite_report(suite, list->name, &trial.outcome);
		}
	}
}

uint32_t obi_conform_transport(const struct obi_conform_transport *it, obi_verdict_fn *tell,
			       void *user)
{
	struct obi_suite suite = {.begin = it->begin, .tell = tell, .user = user};
	run_all(it, obi_promises_of_life, &suite);
	run_all(it, obi_promises_of_dials, &suite);
	if (it->ops->handshake != NULL) {
		run_all(it, obi_promises_of_handshakes, &suite);
	} else {
		obi_suite_skip(&suite, "handshake", "it makes none");
	}
	run_all(it, obi_promises_of_bytes, &suite);
	run_all(it, obi_promises_of_ends, &suite);
	return suite.broken;
}
