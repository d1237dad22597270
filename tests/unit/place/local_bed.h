/* SPDX-License-Identifier: MIT */
/* local_bed - a local place with a child that runs a script, and what the place reported. */
#ifndef OB_TESTS_UNIT_LOCAL_BED_H
#define OB_TESTS_UNIT_LOCAL_BED_H

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

#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

enum { WAIT_MS = 20000 };

static struct obi_loop *loop;
static struct obi_rename_watch_hub *watches;
static struct obi_orphans orphans;
static struct obi_remains_hub remains = {.cleanups = {.orphans = &orphans}};
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
	struct ob_cgroup_usage usage;
	char remains[256];
	struct ob_error failure;
} seen;

static inline void note(const char *word, uint64_t op, const struct ob_error *err)
{
	size_t len = strlen(seen.words);
	seen.code = err != NULL ? err->code : OB_OK;
	snprintf(seen.words + len, sizeof seen.words - len, "%s%s:%d ", err != NULL ? "no-" : "",
		 word, (int)op);
}

static inline void on_probed(void *user, uint64_t op, const struct obi_place_facts *facts,
			     const struct obi_statefile *state, const struct ob_error *err)
{
	(void)user;
	note("probed", op, err);
	seen.failure = err != NULL ? *err : (struct ob_error){0};
	seen.has_state = state != NULL;
	if (state != NULL) {
		seen.state = *state;
	}
	if (facts != NULL) {
		seen.facts = *facts;
	}
}

static inline void on_prepared(void *user, uint64_t op, const struct ob_error *err)
{
	(void)user;
	note("prepared", op, err);
}

static inline void on_spawned(void *user, uint64_t op, const struct obi_place_child *child,
			      const struct ob_error *err)
{
	(void)user;
	note("spawned", op, err);
	if (child != NULL) {
		seen.child = *child;
	}
}

static inline void on_adopted(void *user, uint64_t op, const struct ob_error *err)
{
	(void)user;
	note("adopted", op, err);
}

static inline void on_resolved(void *user, uint64_t op, const char *address,
			       const struct ob_error *err)
{
	(void)user;
	assert_string_equal(address, "unix:///x");
	note("resolved", op, err);
}

static inline void on_remains(void *user, const char *text)
{
	(void)user;
	note("remains", 0, NULL);
	snprintf(seen.remains, sizeof seen.remains, "%s", text);
}

static inline void on_gone(void *user, const struct obi_place_facts *facts,
			   const struct ob_error *err)
{
	(void)user;
	note("gone", 0, err);
	seen.facts = facts != NULL ? *facts : (struct obi_place_facts){.held = true};
	seen.failure = err != NULL ? *err : (struct ob_error){0};
}

static inline void on_stuck(void *user, const struct ob_error *err)
{
	(void)user;
	fail_msg("the process cannot be ended: %s", err->text);
}

static inline void on_config(void *user, const struct ob_config *config, const struct ob_error *err)
{
	(void)user;
	note("config", 0, err);
	seen.ready = config != NULL && config->ready;
}

static inline void on_log(void *user, int stream, struct ob_bytes chunk, uint64_t lost)
{
	size_t len = strlen(seen.logs);
	(void)user;
	assert_int_equal(lost, 0);
	snprintf(seen.logs + len, sizeof seen.logs - len, "%d%.*s", stream, (int)chunk.len,
		 (const char *)chunk.data);
}

static inline void on_usage(void *user, const struct ob_cgroup_usage *usage)
{
	(void)user;
	seen.usage = *usage;
}

static inline void on_exited(void *user, const struct obi_exit *how)
{
	(void)user;
	note("exited", 0, NULL);
	seen.how = *how;
}

static inline void on_lost(void *user, const struct ob_error *err)
{
	(void)user;
	fail_msg("the local place cannot be lost: %s", err->text);
}

static inline void on_back(void *user)
{
	(void)user;
	fail_msg("the local place was not lost");
}

static inline void on_unsaved(void *user)
{
	(void)user;
	place->ops->save(place, &(struct obi_statefile){.version = 1});
}

static const struct obi_place_events events = {
    .probed = on_probed,
    .prepared = on_prepared,
    .spawned = on_spawned,
    .adopted = on_adopted,
    .resolved = on_resolved,
    .remains = on_remains,
    .unsaved = on_unsaved,
    .gone = on_gone,
    .stuck = on_stuck,
    .config = on_config,
    .log = on_log,
    .usage = on_usage,
    .exited = on_exited,
    .lost = on_lost,
    .back = on_back,
};

static inline struct obi_place *make_place(void)
{
	struct obi_place_local_setup setup = {.loop = loop,
					      .watches = &watches,
					      .orphans = &orphans,
					      .remains = &remains,
					      .options = &options};
	struct obi_place *made = NULL;
	assert_int_equal(obi_place_local_new(&setup, &made, NULL), OB_OK);
	made->events = &events;
	return made;
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	(void)state;
	place->ops->end(place, WAIT_MS);
	place->ops->free(place);
	obi_key_table_free(&remains.cleanups.pids);
	obi_orphans_free(&orphans);
	obi_rename_watch_hub_free(watches);
	watches = NULL;
	obi_loop_close(loop);
	scratch_remove(dir);
	free(state_dir);
	assert_int_equal(scratch_open_fds(), fds);
	return 0;
}

static inline void await(const char *in, const char *word)
{
	int64_t end = obi_now_ms() + WAIT_MS;
	while (strstr(in, word) == NULL) {
		assert_true(obi_now_ms() < end);
		obi_loop_turn(loop, true);
	}
}

static inline void expect_seen(const char *want)
{
	assert_string_equal(seen.words, want);
	seen.words[0] = '\0';
}

static inline void prepare(uint64_t op, uint32_t flags)
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
static inline void run(const char *script)
{
	argv[2] = script;
	place->ops->probe(place, 1, true);
	prepare(2, OBI_PLACE_WATCH);
	place->ops->spawn(place, 3);
	expect_seen("probed:1 prepared:2 spawned:3 ");
	assert_false(seen.facts.alive || seen.facts.held);
}

#endif
