/* SPDX-License-Identifier: MIT */
#include "supervisor/hello_judge.h"

#include <string.h>

#include "base/error.h"

static int refuse(struct ob_error *reterr, const char *why)
{
	return obi_fail(reterr, OB_EPERM, 0, "outboard.hello: %s", why);
}

int obi_hello_judge(const struct obi_hello_known *known, struct ob_bytes instance,
		    struct ob_bytes run, char ret_run[OBI_RUN_SIZE], struct ob_error *reterr)
{
	ret_run[0] = '\0';
	(void)obi_run_id_read(run, ret_run);
	if (known->instance == NULL || known->instance[0] == '\0') {
		return refuse(reterr, "no child is expected now");
	}
	if (instance.len == 0) {
		return refuse(reterr, "it names no instance");
	}
	if (!ob_bytes_is(instance, known->instance)) {
		return refuse(reterr, "another instance than the one that was started: a child of "
				      "an earlier start still dials");
	}
	if (!known->connected) {
		return OB_OK;
	}
	if (known->run[0] == '\0' || ret_run[0] == '\0') {
		return refuse(reterr, "this instance is connected already, and one of the two has "
				      "no run id to compare");
	}
	return strcmp(known->run, ret_run) == 0
		   ? OB_OK
		   : refuse(reterr, "another process of this instance is connected already");
}

int obi_hello_judge_stream(const struct obi_hello_known *known, struct ob_bytes instance,
			   struct ob_bytes run, struct ob_error *reterr)
{
	if (known->instance == NULL || known->instance[0] == '\0' ||
	    !ob_bytes_is(instance, known->instance)) {
		return refuse(reterr, "a stream of another instance than the one that runs");
	}
	if (!known->connected || known->run[0] == '\0' || !ob_bytes_is(run, known->run)) {
		return refuse(reterr, "a stream of another process than the one that is connected");
	}
	return OB_OK;
}
