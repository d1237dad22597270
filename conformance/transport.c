/* SPDX-License-Identifier: MIT */
#include "conformance/transport.h"

#include "conformance/trial.h"

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

/* Whatever is promised, it may not cost a descriptor. */
static void run(const struct obi_conform_transport *it, const struct obi_promise *promise,
		struct obi_trial *trial)
{
	int before = obi_trial_descriptors();
	*trial = (struct obi_trial){.it = it, .ops = it->ops};
	promise->fn(trial);
	end_trial(trial);
	int leaked = obi_trial_descriptors() - before;
	if (leaked != 0) {
		obi_trial_fail(trial, "%d descriptors were not closed", leaked);
	}
}

static uint32_t run_all(const struct obi_conform_transport *it, const struct obi_promise *promises,
			obi_verdict_fn *tell, void *user)
{
	struct obi_trial trial;
	uint32_t broken = 0;
	for (; promises->name != NULL; promises++) {
		if (it->begin != NULL && !it->begin(user, promises->name)) {
			continue;
		}
		run(it, promises, &trial);
		broken += trial.verdict == OBI_VERDICT_FAIL;
		if (tell != NULL) {
			tell(user, promises->name, trial.verdict, trial.why);
		}
	}
	return broken;
}

uint32_t obi_conform_transport(const struct obi_conform_transport *it, obi_verdict_fn *tell,
			       void *user)
{
	uint32_t broken = run_all(it, obi_promises_of_life, tell, user);
	broken += run_all(it, obi_promises_of_dials, tell, user);
	return broken + run_all(it, obi_promises_of_bytes, tell, user);
}
