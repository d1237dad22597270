/* SPDX-License-Identifier: MIT */
/* The local place, with real processes: what its operations lead to. */
#include "unit/place/local_bed.h"

static void all_that_a_process_wrote_comes_before_its_exit(void **state)
{
	(void)state;
	run("echo out; echo err >&2; exit 7");
	await(seen.words, "exited");
	assert_true(strstr(seen.logs, "1out\n") != NULL);
	assert_true(strstr(seen.logs, "2err\n") != NULL);
	assert_int_equal(seen.how.kind, OB_EXIT_CODE);
	assert_int_equal(seen.how.value, 7);
}

static void a_config_is_reported_when_it_changes(void **state)
{
	(void)state;
	run("echo "
	    "'{\"ready\":true,\"token\":\"00112233445566778899aabbccddeeff00112233445566778899aab"
	    "bccddeeff\",\"stdout_fifo\":\"a\",\"stderr_fifo\":\"b\"}' >x; chmod 600 x;"
	    "mv x outboard.json; exec sleep 1000");
	await(seen.words, "config");
}

static void an_operation_that_fails_is_answered_with_its_error(void **state)
{
	(void)state;
	argv[0] = "/does/not/exist";
	place->ops->probe(place, 1, true);
	prepare(2, 0);
	place->ops->spawn(place, 3);
	argv[0] = "/bin/sh";
	expect_seen("probed:1 prepared:2 no-spawned:3 ");
	assert_int_equal(seen.code, OB_ENOENT);

	struct obi_place *second = make_place();
	second->ops->probe(second, 9, true);
	expect_seen("no-probed:9 ");
	assert_int_equal(seen.code, OB_EBUSY);
	second->ops->free(second);
}

static void on_later(void *user)
{
	*(bool *)user = true;
}

/* Turn the loop for longer than the place waits between two looks at a lock. */
static void let_look(void)
{
	bool later = false;
	struct obi_timer timer = {.fn = on_later, .user = &later};
	obi_timer_set(loop, &timer, 150);
	while (!later) {
		obi_loop_turn(loop, true);
	}
}

static void another_parent_is_waited_for(void **state)
{
	(void)state;
	place->ops->probe(place, 1, true);
	struct obi_place *second = make_place();
	options.lock_wait_ms = WAIT_MS;
	second->ops->probe(second, 2, true);
	expect_seen("probed:1 ");
	place->ops->detach(place);
	await(seen.words, "probed:2");
	/* Once the time is over, the answer is what it was without waiting. */
	options.lock_wait_ms = 60;
	place->ops->probe(place, 3, true);
	await(seen.words, "no-probed:3");
	assert_int_equal(seen.code, OB_EBUSY);
	/* A detach ends the waiting, and no answer follows. */
	seen.words[0] = '\0';
	options.lock_wait_ms = WAIT_MS;
	place->ops->probe(place, 4, true);
	place->ops->detach(place);
	second->ops->free(second);
	let_look();
	options.lock_wait_ms = 0;
	place->ops->probe(place, 5, true);
	expect_seen("probed:5 ");
}

static void a_missing_directory_is_made_on_request_only(void **state)
{
	(void)state;
	char *missing = scratch_text("%s/missing", dir);
	options.data_path = missing;
	place->ops->probe(place, 1, false);
	expect_seen("no-probed:1 ");
	assert_int_equal(seen.code, OB_ENOENT);
	place->ops->probe(place, 2, true);
	expect_seen("probed:2 ");
	free(missing);
}

static void a_process_is_let_go_and_adopted_by_its_record(void **state)
{
	(void)state;
	struct obi_statefile saved = {.version = 8};
	run("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done");
	await(seen.logs, "up");
	memcpy(saved.record, seen.child.record, sizeof saved.record);
	place->ops->save(place, &saved);
	place->ops->detach(place);

	place->ops->probe(place, 4, true);
	assert_true(seen.has_state && seen.facts.alive);
	assert_int_equal(seen.state.version, 8);
	assert_int_equal(seen.facts.child.pid, seen.child.pid);
	assert_string_equal(seen.facts.child.record, seen.child.record);
	place->ops->adopt(place, 5, seen.facts.child.record, 0);
	expect_seen("probed:4 adopted:5 ");
	place->ops->signal(place, 15);
	await(seen.words, "exited");
	assert_true(strstr(seen.logs, "bye") != NULL);
	assert_int_equal(seen.how.value, 3);
}

/* With room for the state directory and its lock, but not for state.json: its process must not be
 * taken for a new one. */
static void a_state_that_cannot_be_read_now_is_read_later(void **state)
{
	(void)state;
	struct obi_statefile saved = {.version = 8};
	place->ops->probe(place, 1, true);
	place->ops->save(place, &saved);
	place->ops->detach(place);
	struct rlimit was = scratch_limit_fds(2);
	place->ops->probe(place, 2, true);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	expect_seen("probed:1 no-probed:2 ");
	assert_int_equal(seen.code, OB_ENOMEM);
	assert_string_equal(seen.failure.text, "reading state: state.json: Too many open files");
	place->ops->probe(place, 3, true);
	expect_seen("probed:3 ");
	assert_true(seen.has_state);
	assert_int_equal(seen.state.version, 8);
}

/* The process is watched, so that its death cannot be missed. */
static void a_record_that_was_not_found_is_refused(void **state)
{
	(void)state;
	struct obi_statefile saved = {.version = 1};
	run("exec sleep 60");
	memcpy(saved.record, seen.child.record, sizeof saved.record);
	place->ops->save(place, &saved);
	place->ops->detach(place);
	place->ops->probe(place, 4, true);
	place->ops->adopt(place, 5, "another", 0);
	expect_seen("probed:4 no-adopted:5 ");
	assert_int_equal(seen.code, OB_EINVAL);
}

static void a_process_that_is_not_there_is_dead(void **state)
{
	(void)state;
	place->ops->probe(place, 1, true);
	place->ops->adopt(place, 2, "another", 0);
	expect_seen("probed:1 no-adopted:2 exited:0 gone:0 ");
	assert_int_equal(seen.how.kind, OB_EXIT_UNKNOWN);
}

static void end_waits_for_the_death(void **state)
{
	(void)state;
	run("trap '' INT TERM; while :; do sleep 60; done");
	place->ops->end(place, WAIT_MS);
	assert_int_equal(strncmp(seen.words, "exited:0 ", 9), 0);
	assert_int_equal(seen.how.kind, OB_EXIT_SIGNAL);
	assert_int_equal(seen.how.value, 9);
	await(seen.words, "gone:0"); /* the rest of its group takes some ms to die */
	expect_seen("exited:0 gone:0 ");
	place->ops->end(place, WAIT_MS); /* there is nothing to end */
	expect_seen("");
}

static void nothing_is_written_unless_we_are_in_charge(void **state)
{
	(void)state;
	struct obi_statefile saved = {.version = 8};
	char *path = scratch_text("%s/state.json", state_dir);
	place->ops->save(place, &saved);
	place->ops->clear(place);
	assert_int_equal(access(path, F_OK), -1);
	place->ops->probe(place, 1, true);
	place->ops->save(place, &saved);
	assert_int_equal(access(path, F_OK), 0);
	free(path);
}

static void an_address_here_is_the_address(void **state)
{
	(void)state;
	place->ops->resolve(place, 6, "unix:///x");
	expect_seen("resolved:6 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    PLACE_TEST(all_that_a_process_wrote_comes_before_its_exit),
	    PLACE_TEST(a_config_is_reported_when_it_changes),
	    PLACE_TEST(an_operation_that_fails_is_answered_with_its_error),
	    PLACE_TEST(another_parent_is_waited_for),
	    PLACE_TEST(a_missing_directory_is_made_on_request_only),
	    PLACE_TEST(a_process_is_let_go_and_adopted_by_its_record),
	    PLACE_TEST(a_state_that_cannot_be_read_now_is_read_later),
	    PLACE_TEST(a_record_that_was_not_found_is_refused),
	    PLACE_TEST(a_process_that_is_not_there_is_dead),
	    PLACE_TEST(end_waits_for_the_death),
	    PLACE_TEST(nothing_is_written_unless_we_are_in_charge),
	    PLACE_TEST(an_address_here_is_the_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
