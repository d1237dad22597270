/* SPDX-License-Identifier: MIT */
/* What a host and its agent say to each other, as tables. */
#include "base/buf.h"
#include "files/child_config.h"
#include "json/json.h"
#include "place/agent_options.h"
#include "place/agent_wire.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define ID    "0123456789abcdef0123456789abcdef"
#define TOKEN ID ID

struct world {
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_error err;
};

static int set_up(void **state)
{
	static struct world world;
	obi_arena_init(&world.arena, 8 << 20);
	ob_builder_init(&world.b, &world.arena.ob);
	world.err = (struct ob_error){0};
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	obi_arena_free(&w->arena);
	return 0;
}

static struct ob_value parsed(struct world *w, const char *text)
{
	const struct obi_json_limits limits = {.depth = OB_DEPTH_MAX, .flags = OBI_JSON_BINARY};
	struct ob_value value = ob_nil();
	if (obi_json_parse(ob_bytes_text(text), &w->arena.ob, &limits, &value, &w->err) < 0) {
		fail_msg("%s: %s", text, w->err.text);
	}
	return value;
}

/* What was built, as JSON. */
static const char *built(struct world *w)
{
	static char text[8192];
	struct ob_sink out = ob_sink_fixed(text, sizeof text - 1);
	struct ob_value value = ob_nil();
	assert_int_equal(ob_builder_finish(&w->b, &value), OB_OK);
	assert_int_equal(obi_json_write(&value, &out, NULL), OB_OK);
	text[out.len] = '\0';
	ob_builder_init(&w->b, &w->arena.ob);
	return text;
}

/* ---- Facts ---- */

static void facts_are_read_and_built_the_same(void **state)
{
	struct world *w = *state;
	const char *const texts[] = {
	    "{\"name\":\"a\",\"state\":\"absent\",\"version\":0,\"pid\":0,\"config_version\":0}",
	    "{\"name\":\"a.b-c\",\"instance\":\"" ID "\",\"state\":\"running\","
	    "\"version\":18446744073709551615,\"pid\":2147483647,\"record\":\"12:3:4\","
	    "\"config_version\":2,\"usage\":{\"memory\":1,\"pids\":0}}",
	    "{\"name\":\"a\",\"state\":\"ended\",\"version\":3,\"pid\":0,"
	    "\"exit\":{\"kind\":2,\"value\":9,\"cause\":\"out of memory\",\"ago_ms\":7},"
	    "\"remains\":\"pid 7 (x)\",\"error\":\"no\",\"config_version\":0}",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct obi_agent_facts facts;
		struct ob_value value = parsed(w, texts[i]);
		assert_int_equal(obi_agent_facts_read(&value, &facts, &w->err), OB_OK);
		obi_agent_facts_build(&w->b, &facts);
		assert_string_equal(built(w), texts[i]);
	}
}

static void malformed_facts_are_refused_by_key(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *members; /* besides name, state, version and config_version */
		const char *key;
	} rows[] = {
	    {"\"pid\":-1", "pid"},
	    {"\"pid\":2147483648", "pid"},
	    {"\"pid\":\"7\"", "pid"},
	    {"\"instance\":\"0123\"", "instance"},
	    {"\"instance\":\"0123456789ABCDEF0123456789abcdef\"", "instance"},
	    {"\"record\":\"a\\u0007\"", "record"},
	    {"\"record\":\"\\u00e4\"", "record"},
	    {"\"record\":7", "record"},
	    {"\"remains\":7", "remains"},
	    {"\"error\":\"a\\u0000b\"", "error"},
	    {"\"exit\":{}", "exit"},
	    {"\"exit\":7", "exit"},
	    {"\"exit\":{\"kind\":3,\"value\":0,\"ago_ms\":0}", "exit"},
	    {"\"exit\":{\"kind\":1,\"value\":256,\"ago_ms\":0}", "exit"},
	    {"\"exit\":{\"kind\":1,\"value\":0,\"ago_ms\":-1}", "exit"},
	    {"\"usage\":7", "usage"},
	    {"\"usage\":{\"memory\":-1}", "usage"},
	    {"\"usage\":{\"pids\":\"x\"}", "usage"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[512], want[64];
		struct obi_agent_facts facts;
		snprintf(text, sizeof text,
			 "{\"name\":\"a\",\"state\":\"running\",\"version\":1,"
			 "\"config_version\":0,%s}",
			 rows[i].members);
		snprintf(want, sizeof want, "facts: %s: malformed", rows[i].key);
		struct ob_value value = parsed(w, text);
		assert_int_equal(obi_agent_facts_read(&value, &facts, &w->err), OB_EPROTO);
		assert_string_equal(w->err.text, want);
	}
}

static void facts_need_a_name_a_state_and_versions(void **state)
{
	struct world *w = *state;
	const char *const texts[] = {
	    "7",
	    "{}",
	    "{\"name\":\"../x\",\"state\":\"absent\",\"version\":0,\"config_version\":0}",
	    "{\"name\":\".x\",\"state\":\"absent\",\"version\":0,\"config_version\":0}",
	    "{\"name\":\"x\",\"state\":\"asleep\",\"version\":0,\"config_version\":0}",
	    "{\"name\":\"x\",\"state\":\"absent\",\"version\":-1,\"config_version\":0}",
	    "{\"name\":\"x\",\"state\":\"absent\",\"version\":0}",
	};
	struct obi_agent_facts facts;
	assert_int_equal(obi_agent_facts_read(NULL, &facts, &w->err), OB_EPROTO);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct ob_value value = parsed(w, texts[i]);
		assert_int_equal(obi_agent_facts_read(&value, &facts, &w->err), OB_EPROTO);
	}
}

static void texts_of_facts_can_be_printed(void **state)
{
	struct world *w = *state;
	struct obi_agent_facts facts;
	struct ob_value value =
	    parsed(w, "{\"name\":\"x\",\"state\":\"failed\",\"version\":1,\"config_version\":0,"
		      "\"error\":\"\\u001b[2Jred\\n\"}");
	assert_int_equal(obi_agent_facts_read(&value, &facts, &w->err), OB_OK);
	assert_string_equal(facts.error, "\\x1b[2Jred\\n");
	obi_agent_text_set(facts.error, NULL);
	assert_string_equal(facts.error, "");
}

/* ---- Options ---- */

static const struct ob_run_as as = {0, 6};
static const struct ob_rlimit limits[] = {{"nofile", 1, UINT64_MAX}, {NULL, 0, 0}};
static const struct ob_cgroup cgroup = {.size = sizeof cgroup, .memory_max = 9, .oom_group = true};
static const struct ob_connector_options everything = {
    .size = sizeof everything,
    .name = "x",
    .data_path = "/d",
    .listen = "tcp://0.0.0.0:7",
    .argv = (const char *const[]){"/bin/x", "\xff", "", NULL},
    .env = (const char *const[]){"A=${name}", NULL},
    .env_clear = true,
    .cwd = "/c",
    .umask = -1,
    .user = "u",
    .group = "g",
    .run_as = &as,
    .limits = limits,
    .stdin_path = "/i",
    .cleanup = (const char *const[]){"/bin/true", NULL},
    .cleanup_timeout_ms = -1,
    .stop_timeout_ms = 5,
    .leftover = OB_LEFTOVER_FAIL,
    .cgroup = &cgroup,
    .log_pipe_bytes = 65536,
    .placeholders = true,
};

static void options_cross_with_all_that_they_say(void **state)
{
	struct world *w = *state;
	const char *text =
	    "{\"argv\":[\"/bin/x\",{\"$binary\":\"/w==\"},\"\"],\"env\":[\"A=${name}\"],"
	    "\"env_clear\":true,\"cwd\":\"/c\",\"umask\":-1,\"user\":\"u\",\"group\":\"g\","
	    "\"run_as\":{\"uid\":0,\"gid\":6},"
	    "\"limits\":[[\"nofile\",1,18446744073709551615]],\"stdin_path\":\"/i\","
	    "\"cleanup\":[\"/bin/true\"],\"cleanup_timeout_ms\":-1,\"stop_timeout_ms\":5,"
	    "\"leftover\":\"fail\",\"cgroup\":{\"memory_max\":9,\"oom_group\":true},"
	    "\"log_pipe_bytes\":65536,\"placeholders\":true}";
	struct ob_connector_options read;
	obi_agent_options_build(&w->b, &everything);
	assert_string_equal(built(w), text);
	struct ob_value value = parsed(w, text);
	assert_int_equal(obi_agent_options_read(&value, &w->arena, &read, &w->err), OB_OK);
	assert_null(read.listen);
	assert_string_equal(read.argv[1], "\xff");
	assert_int_equal(read.cgroup->size, sizeof cgroup);
	obi_agent_options_build(&w->b, &read);
	assert_string_equal(built(w), text);
}

static void only_what_is_set_is_sent(void **state)
{
	struct world *w = *state;
	const struct ob_connector_options given = {.argv = (const char *const[]){"x", NULL}};
	obi_agent_options_build(&w->b, &given);
	assert_string_equal(built(w), "{\"argv\":[\"x\"]}");
}

static void options_that_would_change_what_runs_are_refused(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *text;
		const char *error;
	} rows[] = {
	    {"[]", "options: must be a map"},
	    {"{}", "options: argv: is required"},
	    {"{\"argv\":[]}", "options: argv: is required"},
	    {"{\"argv\":\"x\"}", "options: argv: must be a list"},
	    {"{\"argv\":[7]}", "options: argv: must be a string"},
	    {"{\"argv\":[\"a\\u0000\"]}", "options: argv: must not hold a NUL"},
	    {"{\"argv\":[\"x\"],\"nice\":1}", "options: nice: unknown key"},
	    {"{\"argv\":[\"x\"],\"\\u001b\":1}", "options: ?: unknown key"},
	    {"{\"argv\":[\"x\"],\"listen\":\"tcp://0:1\"}", "options: listen: unknown key"},
	    {"{\"argv\":[\"x\"],\"umask\":2147483648}",
	     "options: umask: must be an integer in range"},
	    {"{\"argv\":[\"x\"],\"log_pipe_bytes\":4294967296}",
	     "options: log_pipe_bytes: must be a non-negative integer in range"},
	    {"{\"argv\":[\"x\"],\"leftover\":\"x\"}",
	     "options: leftover: must be \"kill\", \"wait\" or \"fail\""},
	    {"{\"argv\":[\"x\"],\"run_as\":{\"uid\":1}}", "options: uid: must have uid and gid"},
	    {"{\"argv\":[\"x\"],\"run_as\":7}", "options: run_as: must be a map"},
	    {"{\"argv\":[\"x\"],\"limits\":[[\"nofile\",1]]}",
	     "options: limits: must be a list of [name, soft, hard]"},
	    {"{\"argv\":[\"x\"],\"cgroup\":{\"swap_max\":1}}", "options: swap_max: unknown key"},
	    {"{\"argv\":[\"x\"],\"env_clear\":1}", "options: env_clear: must be true or false"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ob_connector_options read;
		struct ob_value value = parsed(w, rows[i].text);
		assert_int_equal(obi_agent_options_read(&value, &w->arena, &read, &w->err),
				 OB_EINVAL);
		assert_string_equal(w->err.text, rows[i].error);
	}
}

/* The texts together, and the number of items, have a maximum. */
static void options_have_a_maximum(void **state)
{
	struct world *w = *state;
	static char text[40000];
	struct ob_connector_options read;
	memset(text, 'x', sizeof text);
	struct ob_value args[2] = {ob_stringn(text, sizeof text), ob_stringn(text, 25535)};
	struct ob_pair pair = {ob_string("argv"), ob_array(args, 2)};
	struct ob_value map = ob_map(&pair, 1);
	/* 40001 + 25535 = 65536, with the NULs but for the last */
	assert_int_equal(obi_agent_options_read(&map, &w->arena, &read, &w->err), OB_ETOOBIG);
	args[1].count--;
	assert_int_equal(obi_agent_options_read(&map, &w->arena, &read, &w->err), OB_OK);

	static struct ob_value many[OBI_AGENT_ITEMS_MAX + 1];
	for (size_t i = 0; i < sizeof many / sizeof many[0]; i++) {
		many[i] = ob_string("");
	}
	pair.value = ob_array(many, OBI_AGENT_ITEMS_MAX + 1);
	assert_int_equal(obi_agent_options_read(&map, &w->arena, &read, &w->err), OB_ETOOBIG);
	pair.value.count--;
	assert_int_equal(obi_agent_options_read(&map, &w->arena, &read, &w->err), OB_OK);
}

/* ---- Config ---- */

static void only_keys_of_the_direction_cross(void **state)
{
	struct world *w = *state;
	const char *all = "{\"token\":\"" TOKEN "\",\"fifo_stdout\":\"/etc/x\",\"pid\":7,"
			  "\"rpc_addr\":\"unix:///d/s\",\"ready\":true,\"name\":\"web\","
			  "\"listen\":\"tcp://0.0.0.0:1\",\"codec\":\"json\",\"instance\":\"" ID
			  "\",\"settings\":{\"noise\":{\"key\":\"/k\"}},\"message_max\":65536,"
			  "\"dial\":\"unix:///x\",\"later\":1}";
	struct ob_config config = {.size = sizeof config};
	struct ob_value value = parsed(w, all);
	assert_int_equal(obi_agent_config_read(&value, OBI_AGENT_CONFIG_GIVEN, &config, &w->err),
			 OB_OK);
	assert_null(config.listen);
	assert_null(config.fifo_stdout);
	assert_null(config.dial);
	assert_null(config.extra);
	assert_false(config.ready);
	assert_int_equal(
	    obi_agent_config_build(&w->b, &w->arena, OBI_AGENT_CONFIG_GIVEN, &config, &w->err),
	    OB_OK);
	assert_string_equal(built(w),
			    "{\"token\":\"" TOKEN "\",\"name\":\"web\",\"codec\":\"json\","
			    "\"instance\":\"" ID "\",\"settings\":{\"noise\":{\"key\":\"/k\"}},"
			    "\"message_max\":65536}");
	obi_child_config_clear(&config);
	assert_int_equal(obi_agent_config_read(&value, OBI_AGENT_CONFIG_WRITTEN, &config, &w->err),
			 OB_OK);
	assert_null(config.token);
	assert_int_equal(
	    obi_agent_config_build(&w->b, &w->arena, OBI_AGENT_CONFIG_WRITTEN, &config, &w->err),
	    OB_OK);
	assert_string_equal(built(w), "{\"pid\":7,\"rpc_addr\":\"unix:///d/s\",\"ready\":true,"
				      "\"instance\":\"" ID "\",\"message_max\":65536}");
	obi_child_config_clear(&config);
}

static void a_malformed_config_is_refused(void **state)
{
	struct world *w = *state;
	const char *const texts[] = {"7", "{\"token\":\"abc\"}", "{\"message_max\":-1}",
				     "{\"rules\":[]}", "{\"settings\":7}"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct ob_config config = {.size = sizeof config};
		struct ob_value value = parsed(w, texts[i]);
		assert_int_equal(
		    obi_agent_config_read(&value, OBI_AGENT_CONFIG_GIVEN, &config, &w->err),
		    OB_EINVAL);
		assert_null(config.token);
	}
}

/* ---- Chunks and single values ---- */

static void chunks_keep_their_bytes(void **state)
{
	struct world *w = *state;
	const struct obi_agent_chunk chunk = {2, 7, ob_bytes_of("a\0\xff", 3)};
	struct obi_agent_chunk read;
	struct ob_value value;
	obi_agent_chunk_build(&w->b, &chunk);
	assert_int_equal(ob_builder_finish(&w->b, &value), OB_OK);
	assert_int_equal(obi_agent_chunk_read(&value, &read, &w->err), OB_OK);
	assert_int_equal(read.stream, 2);
	assert_int_equal(read.lost, 7);
	assert_true(ob_bytes_equal(read.bytes, chunk.bytes));
	const char *const bad[] = {"7", "[]", "[0,0,\"\"]", "[4,0,\"\"]", "[1,-1,\"\"]", "[1,0,7]"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		value = parsed(w, bad[i]);
		assert_int_equal(obi_agent_chunk_read(&value, &read, &w->err), OB_EPROTO);
	}
}

static void ids_and_texts_have_their_length(void **state)
{
	(void)state;
	char id[OBI_AGENT_ID_SIZE], text[4];
	struct ob_value value = ob_string(ID);
	assert_true(obi_agent_id(&value, id));
	assert_string_equal(id, ID);
	value = ob_string(ID "0");
	assert_false(obi_agent_id(&value, id));
	value = ob_string("0123456789abcdeg0123456789abcdef");
	assert_false(obi_agent_id(&value, id));
	assert_false(obi_agent_id(NULL, id));
	value = ob_string("abc");
	assert_true(obi_agent_text(&value, text, sizeof text));
	value = ob_string("abcd");
	assert_false(obi_agent_text(&value, text, sizeof text));
	value = ob_stringn("a\0b", 3);
	assert_false(obi_agent_text(&value, text, sizeof text));
	value = ob_string("");
	assert_true(obi_agent_text(&value, text, sizeof text));
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(facts_are_read_and_built_the_same, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(malformed_facts_are_refused_by_key, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(facts_need_a_name_a_state_and_versions, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(texts_of_facts_can_be_printed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(options_cross_with_all_that_they_say, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(only_what_is_set_is_sent, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(options_that_would_change_what_runs_are_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(options_have_a_maximum, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(only_keys_of_the_direction_cross, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_malformed_config_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(chunks_keep_their_bytes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(ids_and_texts_have_their_length, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
