/* SPDX-License-Identifier: MIT */
/* A child by its data directory alone: its state, calls to it, its end. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/scratch.h"

static const enum ob_runtime_mode modes[] = {OB_RUNTIME_INLINE, OB_RUNTIME_THREADED};

static struct ob_status status_of(struct family *f, const struct ob_connector_options *options,
				  bool *ret_supervised)
{
	struct ob_status status = {.size = sizeof status};
	struct ob_error err;
	expect(ob_child_status(f->runtime, f->dir, NULL, options, &status, ret_supervised, &err),
	       OB_OK, &err, NULL);
	return status;
}

/* Start a child with this argument, and let it go. Returns its pid. */
static int32_t begin_alone(struct family *f, enum ob_runtime_mode mode, const char *argument)
{
	struct ob_error err;
	family_begin(f, mode, argument, NULL);
	family_launch(f);
	int32_t pid = ob_connector_pid(f->connector);
	expect(ob_connector_detach(f->connector, &err), OB_OK, &err, NULL);
	ob_connector_close(f->connector);
	f->connector = NULL;
	return pid;
}

static void call(ob_client *client)
{
	ob_reply *reply;
	int64_t echoed = 0;
	struct ob_error err;
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	expect(ob_client_callf(client, 0, reply, &err, "act.echo", "[i]", 7), OB_OK, &err, NULL);
	assert_true(ob_get_int(ob_reply_value(reply), &echoed));
	assert_int_equal(echoed, 7);
	ob_reply_free(reply);
	ob_client_free(client);
}

static void call_it(struct family *f)
{
	ob_client *client;
	struct ob_error err;
	expect(ob_child_connect(f->runtime, f->dir, NULL, NULL, 0, NULL, &client, &err), OB_OK,
	       &err, NULL);
	call(client);
}

static void a_supervised_child_is_seen_and_called_but_not_ended(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct family f;
		struct ob_error err;
		bool supervised = false;
		family_start(&f, modes[i]);
		assert_true(ob_child_exists(f.dir, NULL));
		struct ob_status status = status_of(&f, &f.options, &supervised);
		assert_true(supervised);
		assert_int_equal(status.state, OB_STATE_READY);
		assert_int_equal(status.pid, ob_connector_pid(f.connector));
		assert_true(status.uptime_ms >= 0);
		assert_false(status.stale);
		call_it(&f);
		expect(ob_child_end(f.runtime, f.dir, NULL, NULL, 0, NULL, &err), OB_EBUSY, &err,
		       "another connector holds");
		assert_true(family_alive(status.pid));
		family_end(&f);
	}
}

static void a_detached_child_is_seen_called_and_ended(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct family f;
		struct ob_error err;
		bool supervised = true;
		int32_t pid = begin_alone(&f, modes[i], NULL);
		struct ob_status status = status_of(&f, NULL, &supervised);
		assert_false(supervised);
		assert_int_equal(status.state, OB_STATE_DETACHED);
		assert_int_equal(status.pid, pid);
		call_it(&f);
		expect(ob_child_end(f.runtime, f.dir, NULL, NULL, 0, NULL, &err), OB_OK, &err,
		       NULL);
		assert_false(family_alive(pid));
		status = status_of(&f, NULL, NULL);
		assert_int_equal(status.state, OB_STATE_STOPPED);
		assert_int_equal(status.pid, 0);
		assert_int_equal(status.uptime_ms, -1);
		assert_false(family_has(&f, "outboard.json"));
		expect(ob_child_end(f.runtime, f.dir, NULL, NULL, 0, NULL, &err), OB_OK, &err,
		       NULL);
		family_end(&f);
	}
}

static int end_it(struct family *f, struct ob_error *reterr)
{
	const struct ob_child_end_options options = {.size = sizeof options};
	return ob_child_end(f->runtime, f->dir, NULL, &options, 0, NULL, reterr);
}

/* Its cleanup command belongs to its end, whoever ends it. It is kept with the child. */
static void a_detached_child_is_cleaned_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct family f;
		struct ob_error err;
		family_begin(&f, modes[i], NULL, NULL);
		char *mark = scratch_text("%s.mark", f.dir);
		const char *cleanup[] = {"rmdir", mark, NULL};
		f.options.cleanup = cleanup;
		family_launch(&f);
		expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
		ob_connector_close(f.connector);
		f.connector = NULL;

		expect(end_it(&f, &err), OB_EEXITED, &err, "cleanup: exited with status 1");
		assert_int_equal(status_of(&f, NULL, NULL).state, OB_STATE_LINGERING);
		assert_int_equal(mkdir(mark, 0700), 0);
		expect(end_it(&f, &err), OB_OK, &err, NULL);
		assert_int_equal(access(mark, F_OK), -1);
		assert_int_equal(status_of(&f, NULL, NULL).state, OB_STATE_STOPPED);
		free(mark);
		family_end(&f);
	}
}

static void other_options_make_it_stale(void **state)
{
	static const char *const other[] = {"/bin/true", NULL};
	struct family f;
	(void)state;
	(void)begin_alone(&f, OB_RUNTIME_THREADED, NULL);
	assert_false(status_of(&f, &f.options, NULL).stale);
	f.options.argv = other;
	assert_true(status_of(&f, &f.options, NULL).stale);
	f.options.cwd = "relative"; /* never the options of a child */
	assert_false(status_of(&f, &f.options, NULL).stale);
	assert_int_equal(ob_child_end(f.runtime, f.dir, NULL, NULL, 0, NULL, NULL), OB_OK);
	family_end(&f);
}

/* ---- The end ---- */

static void a_stubborn_child_is_killed(void **state)
{
	struct ob_child_end_options options = {.size = sizeof options, .stop_timeout_ms = 50};
	struct family f;
	struct ob_error err;
	(void)state;
	int32_t pid = begin_alone(&f, OB_RUNTIME_INLINE, "stubborn");
	expect(ob_child_end(f.runtime, f.dir, NULL, &options, 0, NULL, &err), OB_OK, &err, NULL);
	assert_false(family_alive(pid));
	family_end(&f);
}

static void waiting_for_the_end_has_a_limit(void **state)
{
	struct ob_child_end_options options = {.size = sizeof options, .stop_timeout_ms = -1};
	struct family f;
	struct ob_error err;
	ob_cancel *cancel;
	(void)state;
	int32_t pid = begin_alone(&f, OB_RUNTIME_INLINE, "stubborn");
	expect(ob_child_end(f.runtime, f.dir, NULL, &options, 50, NULL, &err), OB_ETIMEDOUT, &err,
	       "it has not ended in time");
	assert_int_equal(ob_cancel_new(&cancel, NULL), OB_OK);
	ob_cancel_fire(cancel);
	expect(ob_child_end(f.runtime, f.dir, NULL, &options, -1, cancel, &err), OB_ECANCELED, &err,
	       "canceled");
	ob_cancel_free(cancel);
	assert_true(family_alive(pid));
	options.stop_signal = SIGKILL;
	expect(ob_child_end(f.runtime, f.dir, NULL, &options, 0, NULL, &err), OB_OK, &err, NULL);
	family_end(&f);
}

struct outcome {
	ob_runtime *runtime;
	int calls;
	int result;
	ob_client *client;
};

static void on_done(void *user, int result, const struct ob_error *err)
{
	struct outcome *outcome = user;
	assert_true((result < 0) == (err != NULL));
	outcome->calls++;
	outcome->result = result;
	ob_runtime_stop(outcome->runtime);
}

static void an_end_can_be_waited_for_on_the_loop(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	int32_t pid = begin_alone(&f, OB_RUNTIME_INLINE, NULL);
	struct outcome outcome = {.runtime = f.runtime};
	for (int i = 1; i <= 2; i++) { /* alive, then dead */
		expect(ob_child_end_async(f.runtime, f.dir, NULL, NULL, on_done, &outcome, &err),
		       OB_OK, &err, NULL);
		assert_int_equal(outcome.calls, i - 1);
		assert_int_equal(ob_runtime_run(f.runtime, FAMILY_WAIT_MS), OB_OK);
		assert_int_equal(outcome.calls, i);
		assert_int_equal(outcome.result, OB_OK);
	}
	assert_false(family_alive(pid));
	family_end(&f);
}

static void a_runtime_that_is_freed_cancels_it(void **state)
{
	struct ob_child_end_options options = {.size = sizeof options, .stop_timeout_ms = -1};
	struct family f;
	struct ob_error err;
	ob_runtime *other;
	(void)state;
	int32_t pid = begin_alone(&f, OB_RUNTIME_INLINE, "stubborn");
	assert_int_equal(ob_runtime_new(NULL, &other, NULL), OB_OK);
	struct outcome outcome = {.runtime = f.runtime};
	expect(ob_child_end_async(other, f.dir, NULL, &options, on_done, &outcome, &err), OB_OK,
	       &err, NULL);
	ob_runtime_free(other);
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.result, OB_ECANCELED);
	assert_true(family_alive(pid));
	options.stop_signal = SIGKILL;
	expect(ob_child_end(f.runtime, f.dir, NULL, &options, 0, NULL, &err), OB_OK, &err, NULL);
	family_end(&f);
}

static void fault_106_an_end_in_haste_kills_at_once(void **state)
{
	struct ob_child_end_options options = {.size = sizeof options, .stop_timeout_ms = -1};
	struct family f;
	struct ob_error err;
	(void)state;
	int32_t pid = begin_alone(&f, OB_RUNTIME_INLINE, "stubborn");
	struct outcome outcome = {.runtime = f.runtime};
	ob_child_end_hurry(f.runtime); /* nothing is under way */
	expect(ob_child_end_async(f.runtime, f.dir, NULL, &options, on_done, &outcome, &err), OB_OK,
	       &err, NULL);
	ob_child_end_hurry(f.runtime);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(ob_runtime_run(f.runtime, FAMILY_WAIT_MS), OB_OK);
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.result, OB_OK);
	assert_false(family_alive(pid));
	family_end(&f);
}

/* ---- Without the state ---- */

/* Where nothing was saved for us, the child's own word counts, if the directory is ours. */
static void a_child_is_reached_by_what_it_wrote(void **state)
{
	struct family f;
	struct ob_error err;
	ob_client *client;
	(void)state;
	(void)begin_alone(&f, OB_RUNTIME_INLINE, NULL);
	char *saved = scratch_text("%s.state", f.dir), *away = scratch_text("%s.away", f.dir);
	char *config = family_path(&f, "outboard.json");
	assert_int_equal(rename(saved, away), 0);
	call_it(&f);
	assert_int_equal(unlink(config), 0);
	scratch_write(config, "{}", 2, 0600);
	expect(ob_child_connect(f.runtime, f.dir, NULL, NULL, 0, NULL, &client, &err), OB_EDOWN,
	       &err, "the child has reported no address");
	assert_int_equal(unlink(config), 0);
	scratch_write(config, "{", 1, 0600);
	expect(ob_child_connect(f.runtime, f.dir, NULL, NULL, 0, NULL, &client, &err), OB_EINVAL,
	       &err, "parsing outboard config");
	assert_int_equal(rename(away, saved), 0);
	expect(ob_child_end(f.runtime, f.dir, NULL, NULL, 0, NULL, &err), OB_OK, &err, NULL);
	free(config);
	free(saved);
	free(away);
	family_end(&f);
}

static void on_client(void *user, ob_client *client, int result, const struct ob_error *err)
{
	struct outcome *outcome = user;
	assert_true((result < 0) == (err != NULL));
	outcome->calls++;
	outcome->result = result;
	outcome->client = client;
	ob_runtime_stop(outcome->runtime);
}

static void a_connection_can_be_waited_for_on_the_loop(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	(void)begin_alone(&f, OB_RUNTIME_INLINE, NULL);
	struct outcome outcome = {.runtime = f.runtime};
	expect(ob_child_connect_async(f.runtime, f.dir, NULL, NULL, 0, on_client, &outcome, &err),
	       OB_OK, &err, NULL);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(ob_runtime_run(f.runtime, FAMILY_WAIT_MS), OB_OK);
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.result, OB_OK);
	call(outcome.client);
	expect(ob_child_end(f.runtime, f.dir, NULL, NULL, 0, NULL, &err), OB_OK, &err, NULL);
	expect(ob_child_connect_async(f.runtime, f.dir, NULL, NULL, 0, on_client, &outcome, &err),
	       OB_EDOWN, &err, "no child is running");
	assert_int_equal(outcome.calls, 1);
	family_end(&f);
}

/* ---- No child ---- */

static void what_is_not_a_child_is_an_error(void **state)
{
	struct ob_status status = {.size = sizeof status};
	struct ob_child_end_options options = {.size = sizeof options, .stop_signal = 99};
	struct ob_error err;
	struct family f;
	ob_client *client;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	assert_false(ob_child_exists(f.dir, NULL));
	expect(ob_child_status(NULL, f.dir, NULL, NULL, &status, NULL, &err), OB_ENOENT, &err,
	       f.dir);
	expect(ob_child_connect(f.runtime, f.dir, NULL, NULL, 0, NULL, &client, &err), OB_ENOENT,
	       &err, f.dir);
	expect(ob_child_end(f.runtime, f.dir, NULL, NULL, 0, NULL, &err), OB_ENOENT, &err, f.dir);
	assert_int_equal(mkdir(f.dir, 0755), 0);
	expect(ob_child_status(NULL, f.dir, NULL, NULL, &status, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(status.state, OB_STATE_IDLE);
	expect(ob_child_connect(f.runtime, f.dir, NULL, NULL, 0, NULL, &client, &err), OB_EDOWN,
	       &err, "no child is running");
	expect(ob_child_end(f.runtime, f.dir, NULL, &options, 0, NULL, &err), OB_EINVAL, &err,
	       "stop_signal: 99 is not a signal");
	expect(ob_child_end(f.runtime, f.dir, NULL, NULL, 0, NULL, &err), OB_ENOENT, &err,
	       "no state directory of this user");
	family_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_supervised_child_is_seen_and_called_but_not_ended),
	    cmocka_unit_test(a_detached_child_is_seen_called_and_ended),
	    cmocka_unit_test(a_detached_child_is_cleaned_up),
	    cmocka_unit_test(other_options_make_it_stale),
	    cmocka_unit_test(a_stubborn_child_is_killed),
	    cmocka_unit_test(waiting_for_the_end_has_a_limit),
	    cmocka_unit_test(an_end_can_be_waited_for_on_the_loop),
	    cmocka_unit_test(a_runtime_that_is_freed_cancels_it),
	    cmocka_unit_test(fault_106_an_end_in_haste_kills_at_once),
	    cmocka_unit_test(a_child_is_reached_by_what_it_wrote),
	    cmocka_unit_test(a_connection_can_be_waited_for_on_the_loop),
	    cmocka_unit_test(what_is_not_a_child_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
