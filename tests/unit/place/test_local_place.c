/* SPDX-License-Identifier: MIT */
/* The local place, with real processes: what its operations lead to. */
#include "place/local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "support/scratch.h"

enum { WAIT_MS = 20000 };

static struct obi_loop *loop;
static struct obi_rename_watch_hub *watches;
static struct obi_orphans orphans;
static struct ob_connector_options options;
static const char *argv[4] = {"/bin/sh", "-c", NULL, NULL};
static struct obi_place *place;
static char *dir;
static char *state_dir;
static int fds;

/* What was reported. */
static struct {
	char words[512]; /* "probed:1 spawned:2 ", with the numbers of the operations */
	char logs[512];
	int code; /* of the last failure */
	struct obi_place_facts facts;
	bool has_state;
	struct obi_statefile state;
	struct obi_place_child child;
	bool ready; /* the last config says so */
	struct obi_exit how;
} seen;

static void note(const char *word, uint64_t op, const struct ob_error *err)
{
	size_t len = strlen(seen.words);
	seen.code = err != NULL ? err->code : OB_OK;
	snprintf(seen.words + len, sizeof seen.words - len, "%s%s:%d ", err != NULL ? "no-" : "",
		 word, (int)op);
}

static void on_probed(void *user, uint64_t op, const struct obi_place_facts *facts,
		      const struct obi_statefile *state, const struct ob_error *err)
{
	(void)user;
	note("probed", op, err);
	seen.has_state = state != NULL;
	if (state != NULL) {
		seen.state = *state;
	}
	if (facts != NULL) {
		seen.facts = *facts;
	}
}

static void on_prepared(void *user, uint64_t op, const struct ob_error *err)
{
	(void)user;
	note("prepared", op, err);
}

static void on_spawned(void *user, uint64_t op, const struct obi_place_child *child,
		       const struct ob_error *err)
{
	(void)user;
	note("spawned", op, err);
	if (child != NULL) {
		seen.child = *child;
	}
}

static void on_adopted(void *user, uint64_t op, const struct ob_error *err)
{
	(void)user;
	note("adopted", op, err);
}

static void on_resolved(void *user, uint64_t op, const char *address, const struct ob_error *err)
{
	(void)user;
	assert_string_equal(address, "unix:///x");
	note("resolved", op, err);
}

static void on_holders(void *user, const struct obi_place_facts *facts)
{
	(void)user;
	note("holders", 0, NULL);
	seen.facts = *facts;
}

static void on_config(void *user, const struct ob_config *config, const struct ob_error *err)
{
	(void)user;
	note("config", 0, err);
	seen.ready = config != NULL && config->ready;
}

static void on_log(void *user, int stream, struct ob_bytes chunk, uint64_t lost)
{
	size_t len = strlen(seen.logs);
	(void)user;
	assert_int_equal(lost, 0);
	snprintf(seen.logs + len, sizeof seen.logs - len, "%d%.*s", stream, (int)chunk.len,
		 (const char *)chunk.data);
}

static void on_exited(void *user, const struct obi_exit *how)
{
	(void)user;
	note("exited", 0, NULL);
	seen.how = *how;
}

static void on_lost(void *user, const struct ob_error *err)
{
	(void)user;
	fail_msg("the local place cannot be lost: %s", err->text);
}

static void on_back(void *user)
{
	(void)user;
	fail_msg("the local place was not lost");
}

static const struct obi_place_events events = {
    .probed = on_probed,
    .prepared = on_prepared,
    .spawned = on_spawned,
    .adopted = on_adopted,
    .resolved = on_resolved,
    .holders = on_holders,
    .config = on_config,
    .log = on_log,
    .exited = on_exited,
    .lost = on_lost,
    .back = on_back,
};

static struct obi_place *make_place(void)
{
	struct obi_place_local_setup setup = {
	    .loop = loop, .watches = &watches, .orphans = &orphans, .options = &options};
	struct obi_place *made = NULL;
	assert_int_equal(obi_place_local_new(&setup, &made, NULL), OB_OK);
	made->events = &events;
	return made;
}

static int setup(void **state)
{
	(void)state;
	fds = scratch_open_fds();
	memset(&seen, 0, sizeof seen);
	dir = scratch_make();
	state_dir = scratch_text("%s.state", dir);
	options = (struct ob_connector_options){.size = sizeof options,
						.name = "child",
						.data_path = dir,
						.state_path = state_dir,
						.argv = argv,
						.cwd = dir,
						.log_pipe_bytes = 65536};
	assert_int_equal(obi_loop_new(NULL, 0, &loop, NULL), OB_OK);
	place = make_place();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	place->ops->end(place, WAIT_MS);
	place->ops->free(place);
	obi_orphans_free(&orphans);
	obi_rename_watch_hub_free(watches);
	watches = NULL;
	obi_loop_close(loop);
	scratch_remove(dir);
	free(state_dir);
	assert_int_equal(scratch_open_fds(), fds);
	return 0;
}

static void await(const char *in, const char *word)
{
	int64_t end = obi_now_ms() + WAIT_MS;
	while (strstr(in, word) == NULL) {
		assert_true(obi_now_ms() < end);
		obi_loop_turn(loop, true);
	}
}

static void expect_seen(const char *want)
{
	assert_string_equal(seen.words, want);
	seen.words[0] = '\0';
}

static void prepare(uint64_t op, uint32_t flags)
{
	struct ob_config config = {.size = sizeof config};
	assert_int_equal(ob_config_set(&config.instance, "0011"), OB_OK);
	assert_int_equal(ob_config_set(&config.token, "00112233445566778899aabbccddeeff"
						      "00112233445566778899aabbccddeeff"),
			 OB_OK);
	place->ops->prepare(place, op, &config, flags);
	assert_true(strstr(config.fifo_stdout, "/stdout.fifo") != NULL);
	ob_config_clear(&config);
}

/* A process that runs this script; operations 1 to 3. */
static void run(const char *script)
{
	argv[2] = script;
	place->ops->probe(place, 1, true);
	prepare(2, OBI_PLACE_WATCH);
	place->ops->spawn(place, 3);
	expect_seen("probed:1 prepared:2 spawned:3 ");
	assert_false(seen.facts.alive || seen.facts.held);
}

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
	expect_seen("probed:1 no-adopted:2 exited:0 ");
	assert_int_equal(seen.how.kind, OB_EXIT_UNKNOWN);
}

static void end_waits_for_the_death(void **state)
{
	(void)state;
	run("trap '' INT TERM; while :; do sleep 60; done");
	place->ops->end(place, WAIT_MS);
	expect_seen("exited:0 ");
	assert_int_equal(seen.how.kind, OB_EXIT_SIGNAL);
	assert_int_equal(seen.how.value, 9);
	place->ops->end(place, WAIT_MS); /* there is nothing to end */
	expect_seen("");
}

/* The process leaves one behind in another session, which holds outboard.lock through fd 3. */
static void holders_are_reported_until_they_are_gone(void **state)
{
	(void)state;
	char fifo[256];
	snprintf(fifo, sizeof fifo, "%s/go", dir);
	run("mkfifo go up; setsid sh -c 'echo >up; read x <go' & read x <up; exit 0");
	await(seen.words, "exited");
	seen.words[0] = '\0';
	place->ops->probe(place, 4, true);
	expect_seen("probed:4 ");
	assert_false(seen.facts.alive);
	assert_true(seen.facts.held);
	place->ops->end_holders(place);
	FILE *go = fopen(fifo, "w"); /* opens when the holder reads */
	assert_non_null(go);
	fclose(go);
	await(seen.words, "holders");
	assert_false(seen.facts.held || seen.facts.alive);
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
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    PLACE_TEST(all_that_a_process_wrote_comes_before_its_exit),
	    PLACE_TEST(a_config_is_reported_when_it_changes),
	    PLACE_TEST(an_operation_that_fails_is_answered_with_its_error),
	    PLACE_TEST(another_parent_is_waited_for),
	    PLACE_TEST(a_missing_directory_is_made_on_request_only),
	    PLACE_TEST(a_process_is_let_go_and_adopted_by_its_record),
	    PLACE_TEST(a_record_that_was_not_found_is_refused),
	    PLACE_TEST(a_process_that_is_not_there_is_dead),
	    PLACE_TEST(end_waits_for_the_death),
	    PLACE_TEST(holders_are_reported_until_they_are_gone),
	    PLACE_TEST(nothing_is_written_unless_we_are_in_charge),
	    PLACE_TEST(an_address_here_is_the_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
