/* SPDX-License-Identifier: MIT */
/* Whether a child may be started here, or behind this agent, by the state that an earlier parent
 * left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "place/state_renewal.h"
#include "support/scratch.h"

/* OB_EEXIST: its process may live elsewhere. kept: the agent that the next state has. */
static const struct {
	enum ob_state state;
	const char *record, *saved, *agent;
	int result;
	const char *kept;
} rows[] = {
    {OB_STATE_READY, "agent/1", "/s/one", "/s/one", OB_OK, "/s/one"},
    {OB_STATE_READY, "agent/1", "/s/one", "/s/two", OB_EEXIST, NULL},
    {OB_STATE_READY, "agent/1", "/s/one", NULL, OB_EEXIST, NULL},
    /* The answer to the start did not come. */
    {OB_STATE_STARTING, "", "/s/one", "/s/one", OB_OK, "/s/one"},
    {OB_STATE_STARTING, "", "/s/one", "/s/two", OB_EEXIST, NULL},
    {OB_STATE_STARTING, "", "/s/one", NULL, OB_EEXIST, NULL},
    /* It has ended, or was never behind one. */
    {OB_STATE_STOPPED, "", "/s/one", NULL, OB_OK, ""},
    {OB_STATE_STOPPED, "", "/s/one", "/s/two", OB_OK, "/s/one"},
    {OB_STATE_STARTING, "", "", NULL, OB_OK, ""},
};

static void a_start_that_may_have_been_is_not_repeated_elsewhere(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *dir = scratch_make();
		char *path = scratch_text("%s/state", dir);
		struct obi_statedir state_dir = OBI_STATEDIR_NONE;
		struct obi_statefile state = {.state = rows[i].state,
					      .desired = OBI_DESIRED_RUNNING};
		struct ob_error err = {0};
		bool has = false;
		snprintf(state.record, sizeof state.record, "%s", rows[i].record);
		snprintf(state.agent, sizeof state.agent, "%s", rows[i].saved);
		assert_int_equal(obi_statedir_open(path, true, geteuid(), &state_dir, &err), OB_OK);
		assert_int_equal(obi_statedir_lock(&state_dir, &err), OB_OK);
		assert_int_equal(obi_statefile_write(&state_dir, &state, &err), OB_OK);
		int r = obi_state_take(&state_dir, geteuid(), rows[i].agent, &state, &has, &err);
		assert_int_equal(r, rows[i].result);
		assert_true(has);
		if (r == OB_OK) {
			assert_string_equal(state.agent, rows[i].kept);
		} else {
			assert_non_null(
			    strstr(err.text, "behind the agent one, and may run there"));
		}
		obi_statedir_close(&state_dir);
		free(path);
		scratch_remove(dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_start_that_may_have_been_is_not_repeated_elsewhere)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
