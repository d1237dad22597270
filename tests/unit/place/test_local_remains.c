/* SPDX-License-Identifier: MIT */
/* What is left when the process of a child is dead: processes that hold its lock, and what its
 * cleanup command has to clean up. Real processes. */
#include "unit/place/local_bed.h"

#include <sys/stat.h>

/* ---- What a dead process leaves ---- */

/* It leaves one behind in another session, which holds outboard.lock through fd 3 and ends when its
 * FIFO `go` is opened. With `env`, this is its environment. */
static void run_with_holder(const char *env)
{
	char *script = scratch_text("mkfifo go up; %s setsid sh -c 'echo >up; read x <go' & "
				    "read x <up; exit 5",
				    env);
	run(script);
	free(script);
	await(seen.words, "exited:0 remains:0");
}

static void let_holder_go(void)
{
	char *fifo = scratch_text("%s/go", dir);
	FILE *go = fopen(fifo, "w"); /* opens when the holder reads */
	assert_non_null(go);
	fclose(go);
	free(fifo);
}

static void holders_are_waited_for(void **state)
{
	(void)state;
	options.leftover = OB_LEFTOVER_WAIT;
	run_with_holder("");
	assert_non_null(strstr(seen.remains, "is still running"));
	assert_non_null(strstr(seen.remains, "\"sh\" (pid "));
	let_holder_go();
	await(seen.words, "gone:0");
	assert_false(seen.facts.held || seen.facts.alive);
}

/* For the next parent, and for one that stops the child. */
static void holders_of_an_earlier_start_are_waited_for(void **state)
{
	(void)state;
	options.leftover = OB_LEFTOVER_WAIT;
	run_with_holder("");
	seen.words[0] = '\0';
	place->ops->probe(place, 4, true);
	expect_seen("probed:4 ");
	assert_false(seen.facts.alive);
	assert_true(seen.facts.held);
	place->ops->end_holders(place);
	let_holder_go();
	await(seen.words, "gone:0");
	assert_false(seen.facts.held || seen.facts.alive);
}

/* The holder is no descendant of this process, and not in the session of the child: what it
 * inherited shows that it is the child's. */
static void fault_93_holders_of_the_child_are_killed(void **state)
{
	(void)state;
	run_with_holder("");
	await(seen.words, "gone:0");
	assert_false(seen.facts.held || seen.facts.alive);
}

/* One that is not certainly the child's: its environment is empty. */
static void fault_93_a_holder_that_may_be_innocent_lives(void **state)
{
	(void)state;
	options.stop_timeout_ms = 300;
	run_with_holder("env -i");
	await(seen.words, "gone:0");
	assert_false(seen.facts.held || seen.facts.alive);
	assert_non_null(strstr(seen.remains, "is left alone"));
	place->ops->probe(place, 4, true);
	assert_false(seen.facts.held); /* it does not count for the next start either */
	let_holder_go();	       /* it reads: it lives */
}

static void holders_can_fail_the_child(void **state)
{
	(void)state;
	options.leftover = OB_LEFTOVER_FAIL;
	run_with_holder("");
	await(seen.words, "no-gone:0");
	assert_non_null(strstr(seen.failure.text, "(leftover: fail)"));
	let_holder_go();
}

/* A command that ends with status 0 and leaves something is a daemon. */
static void a_daemon_is_told_to_stay_in_the_foreground(void **state)
{
	(void)state;
	run("mkfifo up; setsid sh -c 'echo >up; sleep 60' & read x <up; exit 0");
	await(seen.words, "gone:0");
	assert_non_null(strstr(seen.remains, "must stay in the foreground"));
}

/* ---- The cleanup command ---- */

static void cleanup_runs_before_the_child_is_gone(void **state)
{
	(void)state;
	static const char *const cleanup[] = {"sh", "-c", "echo \"cleaned$OUTBOARD_CONFIG.\"",
					      NULL};
	options.cleanup = cleanup;
	run("exit 0");
	await(seen.words, "gone:0");
	assert_non_null(strstr(seen.logs, "3cleaned.\n")); /* it does not get the token */
	assert_false(seen.facts.held);
}

static void a_cleanup_that_fails_is_tried_again_by_the_next_start(void **state)
{
	(void)state;
	static const char *const cleanup[] = {"sh", "-c", "test -e \"$0\"", NULL, NULL};
	const char *argv_of_cleanup[] = {cleanup[0], cleanup[1], cleanup[2], NULL, NULL};
	char *mark = scratch_text("%s.mark", dir);
	argv_of_cleanup[3] = mark;
	options.cleanup = argv_of_cleanup;
	run("exit 0");
	await(seen.words, "no-gone:0");
	assert_string_equal(seen.failure.text, "cleanup: exited with status 1");
	seen.words[0] = '\0';
	place->ops->probe(place, 4, true);
	assert_true(seen.facts.held); /* it must be cleaned up first */
	assert_int_equal(fclose(fopen(mark, "w")), 0);
	place->ops->end_holders(place);
	await(seen.words, "gone:0");
	place->ops->probe(place, 5, true);
	assert_false(seen.facts.held);
	unlink(mark);
	free(mark);
}

/* The command takes longer than what is left may take: that is measured from its end. */
static void a_slow_cleanup_takes_no_time_from_the_holders(void **state)
{
	(void)state;
	static const char *const cleanup[] = {"sh", "-c", "sleep 0.5", NULL};
	options.cleanup = cleanup;
	options.stop_timeout_ms = 200;
	run_with_holder("");
	await(seen.words, "gone:0");
	assert_string_equal(seen.failure.text, "");
}

/* What the command ends does not fail the child. */
static void holders_that_cleanup_ends_do_not_count(void **state)
{
	(void)state;
	char *script = scratch_text("echo >%s/go", dir);
	const char *cleanup[] = {"sh", "-c", script, NULL};
	options.cleanup = cleanup;
	options.leftover = OB_LEFTOVER_FAIL;
	run_with_holder("");
	await(seen.words, "gone:0");
	assert_string_equal(seen.failure.text, "");
	free(script);
}

static void nothing_is_to_be_cleaned_up_after_a_start_that_failed(void **state)
{
	(void)state;
	static const char *const cleanup[] = {"false", NULL};
	char *obstacle = scratch_text("%s/start", state_dir);
	options.cleanup = cleanup;
	place->ops->probe(place, 1, true);
	assert_int_equal(mkdir(obstacle, 0700), 0);
	prepare(2, 0);
	assert_non_null(strstr(seen.words, "no-prepared:2"));
	rmdir(obstacle);
	place->ops->save(place, &(struct obi_statefile){.version = 1});
	place->ops->detach(place);
	place->ops->probe(place, 3, true);
	assert_false(seen.facts.held);
	free(obstacle);
}

static void a_cleanup_that_hangs_is_killed(void **state)
{
	(void)state;
	static const char *const cleanup[] = {"sh", "-c", "trap '' TERM INT; sleep 1000", NULL};
	options.cleanup = cleanup;
	options.cleanup_timeout_ms = 50;
	run("exit 0");
	await(seen.words, "no-gone:0");
	assert_non_null(strstr(seen.failure.text, "stop.cleanup_timeout"));
}

static void a_cleanup_that_cannot_be_executed_is_an_error(void **state)
{
	(void)state;
	static const char *const cleanup[] = {"/nonexistent/cleanup", NULL};
	options.cleanup = cleanup;
	run("exit 0");
	await(seen.words, "no-gone:0");
	assert_non_null(strstr(seen.failure.text, "/nonexistent/cleanup"));
}

/* What an earlier parent left running is ended before the command runs again. */
static void a_cleanup_of_an_earlier_parent_is_run_again(void **state)
{
	(void)state;
	char *script =
	    scratch_text("mkdir %s.once && echo once && exec sleep 1000; echo again", dir);
	const char *cleanup[] = {"sh", "-c", script, NULL};
	char *once = scratch_text("%s.once", dir);
	options.cleanup = cleanup;
	run("exit 0");
	await(seen.logs, "3once");
	place->ops->detach(place);
	seen.words[0] = '\0';
	place->ops->probe(place, 4, true);
	assert_true(seen.facts.held);
	place->ops->end_holders(place);
	await(seen.words, "gone:0");
	assert_non_null(strstr(seen.logs, "again"));
	rmdir(once);
	free(once);
	free(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    PLACE_TEST(holders_are_waited_for),
	    PLACE_TEST(holders_of_an_earlier_start_are_waited_for),
	    PLACE_TEST(fault_93_holders_of_the_child_are_killed),
	    PLACE_TEST(fault_93_a_holder_that_may_be_innocent_lives),
	    PLACE_TEST(holders_can_fail_the_child),
	    PLACE_TEST(a_daemon_is_told_to_stay_in_the_foreground),
	    PLACE_TEST(cleanup_runs_before_the_child_is_gone),
	    PLACE_TEST(a_cleanup_that_fails_is_tried_again_by_the_next_start),
	    PLACE_TEST(a_slow_cleanup_takes_no_time_from_the_holders),
	    PLACE_TEST(holders_that_cleanup_ends_do_not_count),
	    PLACE_TEST(nothing_is_to_be_cleaned_up_after_a_start_that_failed),
	    PLACE_TEST(a_cleanup_that_hangs_is_killed),
	    PLACE_TEST(a_cleanup_that_cannot_be_executed_is_an_error),
	    PLACE_TEST(a_cleanup_of_an_earlier_parent_is_run_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
