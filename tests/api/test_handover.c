/* SPDX-License-Identifier: MIT */
/* A child that changes hands while the older parent, another process, still has it. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/expect.h"
#include "support/program.h"
#include "support/scratch.h"

/* The older parent, which has started the child, and this process. */
struct handover {
	struct family f;
	struct program older;
	int32_t pid; /* of the child */
};

static void begin(struct handover *h, int64_t lock_wait_ms)
{
	char answer[32];
	family_begin(&h->f, OB_RUNTIME_INLINE, NULL);
	char *parent = scratch_text("%s/children/child-parent", scratch_env("OB_TEST_BUILD"));
	char *data = scratch_text("data=%s", h->f.dir);
	char *child = scratch_text("child=%s", h->f.argv[0]);
	const char *argv[] = {parent, data, child, "quiet", NULL};
	program_begin(&h->older, argv, NULL);
	snprintf(answer, sizeof answer, "%s", program_ask(&h->older, "start"));
	assert_int_equal(sscanf(answer, "ok start %d", &h->pid), 1);
	h->f.options.lock_wait_ms = lock_wait_ms;
	family_connector(&h->f);
	free(child);
	free(data);
	free(parent);
}

static void end(struct handover *h)
{
	program_end(&h->older);
	family_end(&h->f);
}

typedef int request_fn(ob_connector *connector, ob_done_fn *done, void *user,
		       struct ob_error *reterr);

static void request(struct handover *h, request_fn *fn)
{
	struct ob_error err;
	expect(fn(h->f.connector, NULL, NULL, &err), OB_OK, &err, NULL);
}

static void await_state(struct handover *h, uint32_t state)
{
	struct ob_error err;
	expect(ob_connector_wait(h->f.connector, state, FAMILY_WAIT_MS, NULL, &err), OB_OK, &err,
	       NULL);
}

/* The second parent is waiting when the first one lets go. */
static void await_waiting(struct handover *h)
{
	struct ob_error err;
	await_state(h, OB_STATE_WAITING);
	expect(ob_client_call(ob_connector_client(h->f.connector), "act.echo", NULL, 0, NULL, NULL,
			      &err),
	       OB_EDOWN, &err, "waits for an earlier one");
}

static void a_child_is_adopted_once_the_older_parent_detaches(void **state)
{
	struct handover h;
	(void)state;
	begin(&h, FAMILY_WAIT_MS);
	request(&h, ob_connector_start_or_reconnect_async);
	await_waiting(&h);
	program_say(&h.older, "detach");
	await_state(&h, OB_STATE_READY);
	assert_int_equal(ob_connector_pid(h.f.connector), h.pid);
	assert_int_equal(family_count(&h.f, OB_EVENT_ADOPTED), 1);
	end(&h);
}

static void a_supervisor_waits_for_an_older_parent_that_is_killed(void **state)
{
	struct handover h;
	struct ob_error err;
	(void)state;
	begin(&h, FAMILY_WAIT_MS);
	expect(ob_connector_supervise(h.f.connector, &err), OB_OK, &err, NULL);
	await_waiting(&h);
	program_kill(&h.older, SIGKILL);
	await_state(&h, OB_STATE_READY);
	assert_int_equal(ob_connector_pid(h.f.connector), h.pid);
	assert_int_equal(family_count(&h.f, OB_EVENT_RESTARTING), 0);
	end(&h);
}

static void a_child_is_started_once_the_older_parent_has_stopped_it(void **state)
{
	struct handover h;
	(void)state;
	begin(&h, FAMILY_WAIT_MS);
	request(&h, ob_connector_start_async);
	await_waiting(&h);
	program_say(&h.older, "stop");
	await_state(&h, OB_STATE_READY);
	assert_int_not_equal(ob_connector_pid(h.f.connector), h.pid);
	assert_int_equal(family_count(&h.f, OB_EVENT_STARTING), 1);
	end(&h);
}

static void a_reconnect_fails_when_the_wait_is_over(void **state)
{
	struct handover h;
	struct ob_error err;
	(void)state;
	begin(&h, 60);
	expect(ob_connector_reconnect(h.f.connector, 0, NULL, &err), OB_EBUSY, &err,
	       "another connector holds");
	expect(ob_connector_start_or_reconnect(h.f.connector, 0, NULL, &err), OB_EBUSY, &err,
	       "another connector holds");
	assert_true(family_alive(h.pid));
	end(&h);
}

static void end_with(struct handover *h, request_fn *fn)
{
	request(h, ob_connector_start_or_reconnect_async);
	await_waiting(h);
	request(h, fn);
	await_state(h, OB_STATE_STOPPED);
}

static void requests_end_the_waiting(void **state)
{
	struct handover h;
	struct ob_error err;
	ob_cancel *cancel;
	(void)state;
	begin(&h, INT64_MAX);
	end_with(&h, ob_connector_stop_async);
	end_with(&h, ob_connector_detach_async);
	expect(ob_connector_start(h.f.connector, 20, NULL, &err), OB_ETIMEDOUT, &err, NULL);
	expect(ob_cancel_new(&cancel, &err), OB_OK, &err, NULL);
	ob_cancel_fire(cancel);
	expect(ob_connector_start(h.f.connector, 0, cancel, &err), OB_ECANCELED, &err, NULL);
	ob_cancel_free(cancel);
	expect(ob_connector_supervise(h.f.connector, &err), OB_OK, &err, NULL);
	await_waiting(&h);
	ob_connector_close(h.f.connector);
	h.f.connector = NULL;
	assert_true(family_alive(h.pid));
	end(&h);
}

static void a_wait_below_zero_is_refused(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.lock_wait_ms = -1;
	expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EINVAL, &err,
	       "lock_wait_ms: must not be below 0");
	f.connector = NULL;
	family_end(&f);
}

static int setup(void **state)
{
	(void)state;
	program_adopt_orphans();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_child_is_adopted_once_the_older_parent_detaches),
	    cmocka_unit_test(a_supervisor_waits_for_an_older_parent_that_is_killed),
	    cmocka_unit_test(a_child_is_started_once_the_older_parent_has_stopped_it),
	    cmocka_unit_test(a_reconnect_fails_when_the_wait_is_over),
	    cmocka_unit_test(requests_end_the_waiting),
	    cmocka_unit_test(a_wait_below_zero_is_refused),
	};
	return cmocka_run_group_tests_name("handover", tests, setup, NULL);
}
