/* SPDX-License-Identifier: MIT */
/* What an agent tells its host, what it refuses, and which host it serves. */
#include "support/agent_bed.h"

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

enum { UNKNOWN = -32010, TAKEN = -32011, STATE = -32012, REFUSED = -32013, INVALID = -32602 };

/* ---- Hosts ---- */

static const struct ob_value *hello(struct agent_bed *bed, const char *host, const char *label)
{
	return agent_ask(bed, "hello", "{s:s,s:s}", "host", host, "label", label);
}

static void the_newest_host_wins(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	assert_non_null(agent_prepare(&bed, "web", AGENT_FIRST, "exit 0"));
	assert_non_null(hello(&bed, AGENT_OTHER, "pid 812 on host-a"));
	agent_expect_error(&bed, agent_tell(&bed, "spawn", "web", AGENT_FIRST), TAKEN,
			   "taken over by pid 812 on host-a");
	agent_expect_error(&bed, hello(&bed, AGENT_HOST, "test"), TAKEN, "pid 812 on host-a");
	/* Whoever was replaced stays so, also for another agent. */
	agent_bed_kill(&bed);
	agent_bed_again(&bed);
	agent_expect_error(&bed, hello(&bed, AGENT_HOST, "test"), TAKEN, "pid 812 on host-a");
	assert_non_null(hello(&bed, AGENT_OTHER, "x"));
	assert_non_null(agent_ask(&bed, "list", NULL));
	agent_bed_end(&bed);
}

struct answer {
	bool came;
	int code;
	int64_t number;
	uint32_t count; /* of children */
};

static void on_answer(void *user, int code, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct answer *answer = user;
	const struct ob_value *children = ob_value_find(value, "children");
	answer->came = true;
	answer->code = code;
	answer->number = err != NULL ? err->remote_code : 0;
	answer->count = children != NULL ? children->count : UINT32_MAX;
}

/* Ask for changes behind `next`, and wait for the answer. */
static void ask_for_changes(struct agent_bed *bed, struct answer *answer)
{
	const struct ob_value *now =
	    agent_ask(bed, "changes", "{s:s,s:s,s:i,s:i,s:i}", "host", AGENT_HOST, "run", "",
		      "seen", 0, "wait_ms", 0, "max", 64);
	char run[33];
	agent_text(now, "run", run, sizeof run);
	const struct ob_pair pairs[] = {
	    {ob_string("host"), ob_string(AGENT_HOST)},
	    {ob_string("run"), ob_string(run)},
	    {ob_string("seen"), *ob_value_find(now, "next")},
	    {ob_string("wait_ms"), ob_int(30000)},
	    {ob_string("max"), ob_int(64)},
	};
	const struct ob_value params = ob_map(pairs, 5);
	*answer = (struct answer){0};
	expect(ob_client_call_async(bed->client, "outboard-agent.changes", &params, 0, on_answer,
				    answer, NULL, &bed->err),
	       OB_OK, &bed->err, NULL);
}

/* Calls of another kind pass meanwhile; each turns the loop. */
static void await(struct agent_bed *bed, const struct answer *answer)
{
	for (int i = 0; i < 10000 && !answer->came; i++) {
		assert_non_null(agent_ask(bed, "list", NULL));
	}
	assert_true(answer->came);
}

static void a_waiting_call_ends_with_a_change(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	struct answer first, second;
	agent_bed_begin(&bed);
	ask_for_changes(&bed, &first);
	assert_non_null(agent_prepare(&bed, "web", AGENT_FIRST, "exit 0"));
	await(&bed, &first);
	assert_int_equal(first.code, OB_OK);
	assert_int_equal(first.count, 1);
	/* A second one ends the first with nothing. */
	ask_for_changes(&bed, &first);
	ask_for_changes(&bed, &second);
	await(&bed, &first);
	assert_int_equal(first.count, 0);
	assert_false(second.came);
	/* Another host ends it, too. */
	assert_non_null(hello(&bed, AGENT_OTHER, "x"));
	await(&bed, &second);
	assert_int_equal(second.number, TAKEN);
	agent_bed_end(&bed);
}

static void changes_come_in_their_order(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	assert_non_null(agent_prepare(&bed, "a", AGENT_FIRST, "exit 0"));
	assert_non_null(agent_prepare(&bed, "b", AGENT_FIRST, "exit 0"));
	assert_non_null(agent_ask(&bed, "end", "{s:s,s:s,s:s,s:i,s:i}", "host", AGENT_HOST, "name",
				  "a", "instance", AGENT_FIRST, "signal", 15, "timeout_ms", 1));
	static const char *const order[] = {"b", "a"};
	char run[33] = "another run";
	uint64_t seen = 1000;
	for (int i = 0; i < 2; i++) {
		const struct ob_value *changes =
		    agent_ask(&bed, "changes", "{s:s,s:s,s:U,s:i,s:i}", "host", AGENT_HOST, "run",
			      run, "seen", seen, "wait_ms", 0, "max", 1);
		const struct ob_value *list = ob_value_find(changes, "children");
		assert_int_equal(list->count, 1);
		agent_expect_text(ob_value_at(list, 0), "name", order[i]);
		seen = (uint64_t)agent_number(changes, "next");
		agent_text(changes, "run", run, sizeof run);
	}
	agent_bed_end(&bed);
}

/* ---- Logs ---- */

struct reading {
	uint64_t offset;
	uint64_t bytes; /* that came */
	uint64_t lost;
	long line;     /* the last complete one */
	char rest[64]; /* of a line */
	bool cut;      /* something is missing before what comes */
};

static void take_byte(struct reading *r, char c)
{
	size_t len = strlen(r->rest);
	if (c != '\n') {
		assert_true(len < sizeof r->rest - 1);
		r->rest[len] = c;
		r->rest[len + 1] = '\0';
		return;
	}
	long line = strtol(r->rest, NULL, 10);
	assert_true(r->cut || line == r->line + 1);
	r->line = line;
	r->cut = false;
	r->rest[0] = '\0';
}

static bool is_stdout(const struct ob_value *chunk)
{
	int64_t stream = 0;
	return ob_get_int(ob_value_at(chunk, 0), &stream) && stream == 1;
}

/* One call of logs; each answer is asked for twice, as if it had been lost. False: the end. */
static bool read_on(struct agent_bed *bed, struct reading *r, int wait)
{
	const struct ob_value *logs = NULL;
	for (int i = 0; i < 2; i++) {
		logs = agent_ask(bed, "logs", "{s:s,s:s,s:s,s:U,s:i,s:i}", "host", AGENT_HOST,
				 "name", "web", "instance", AGENT_FIRST, "offset", r->offset,
				 "wait_ms", wait, "max", 5000);
		assert_non_null(logs);
	}
	const struct ob_value *chunks = ob_value_find(logs, "chunks");
	for (uint32_t i = 0; i < chunks->count; i++) {
		const struct ob_value *chunk = ob_value_at(chunks, i);
		uint64_t lost = 0;
		struct ob_bytes bytes = {NULL, 0};
		assert_true(ob_get_uint(ob_value_at(chunk, 1), &lost) &&
			    ob_get_binary(ob_value_at(chunk, 2), &bytes));
		r->lost += lost;
		r->bytes += bytes.len;
		r->cut = r->cut || lost > 0;
		r->rest[lost > 0 ? 0 : strlen(r->rest)] = '\0';
		bool out = is_stdout(chunk);
		for (size_t k = 0; out && k < bytes.len; k++) {
			take_byte(r, (char)bytes.data[k]);
		}
	}
	r->offset = (uint64_t)agent_number(logs, "next");
	return chunks->count > 0;
}

static const char count_lines[] = "i=0; while [ $i -lt %d ]; do i=$((i+1)); echo $i; done%s";

static void no_line_is_lost_while_there_is_room(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	struct reading r = {0};
	agent_bed_begin(&bed);
	char *script = scratch_text(count_lines, 3000, "");
	agent_start(&bed, "web", AGENT_FIRST, script);
	while (r.line < 3000) {
		assert_true(read_on(&bed, &r, 20000));
	}
	assert_int_equal(r.lost, 0);
	agent_expect_exit(agent_await(&bed, "web", "ended"), OB_EXIT_CODE, 0);
	free(script);
	agent_bed_end(&bed);
}

static void what_is_dropped_is_counted(void **unused)
{
	(void)unused;
	struct agent_bed bed = {.log_memory = "65536"};
	struct reading r = {.cut = true};
	agent_bed_begin(&bed);
	char *script = scratch_text(count_lines, 40000, "; echo error >&2");
	agent_start(&bed, "web", AGENT_FIRST, script);
	agent_await(&bed, "web", "ended");
	const struct ob_value *logs =
	    agent_ask(&bed, "logs", "{s:s,s:s,s:s,s:i,s:i,s:i}", "host", AGENT_HOST, "name", "web",
		      "instance", AGENT_FIRST, "offset", 0, "wait_ms", 0, "max", 100);
	uint64_t first = (uint64_t)agent_number(logs, "first");
	assert_true(first > 0);
	r.line = 40000; /* the first line that comes is cut, and sets it anew */
	while (read_on(&bed, &r, 0)) {
		continue;
	}
	/* 9 lines of 2 bytes, 90 of 3, 900 of 4, 9000 of 5, 30001 of 6; and "error\n" */
	assert_int_equal(r.bytes + r.lost, 228900);
	assert_int_equal(r.lost, first);
	free(script);
	agent_bed_end(&bed);
}

static void a_waiting_call_ends_with_a_line(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	char *fifo = scratch_text("%s/go", bed.dir);
	char *script = scratch_text("read x <%s; echo went", fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	agent_start(&bed, "web", AGENT_FIRST, script);
	struct answer answer = {0};
	const struct ob_pair pairs[] = {
	    {ob_string("host"), ob_string(AGENT_HOST)},	     {ob_string("name"), ob_string("web")},
	    {ob_string("instance"), ob_string(AGENT_FIRST)}, {ob_string("offset"), ob_int(0)},
	    {ob_string("wait_ms"), ob_int(30000)},	     {ob_string("max"), ob_int(100)},
	};
	const struct ob_value params = ob_map(pairs, 6);
	expect(ob_client_call_async(bed.client, "outboard-agent.logs", &params, 0, on_answer,
				    &answer, NULL, &bed.err),
	       OB_OK, &bed.err, NULL);
	assert_non_null(agent_ask(&bed, "list", NULL));
	assert_false(answer.came);
	FILE *go = fopen(fifo, "w");
	assert_non_null(go);
	fclose(go);
	await(&bed, &answer);
	assert_int_equal(answer.code, OB_OK);
	free(script);
	free(fifo);
	agent_bed_end(&bed);
}

/* ---- What is refused ---- */

static const struct ob_value *prepare_command(struct agent_bed *bed, const char *command,
					      const char *cleanup)
{
	return agent_ask(bed, "prepare", "{s:s,s:s,s:s,s:{s:[s],s:[s]},s:{}}", "host", AGENT_HOST,
			 "name", "web", "instance", AGENT_FIRST, "options", "argv", command,
			 "cleanup", cleanup, "config");
}

/* Without --allow only what is below ROOT/bin may run, by the file that a link leads to. */
static void only_what_is_allowed_runs(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	agent_expect_error(&bed, prepare_command(&bed, "/bin/true", "/bin/sh"), REFUSED,
			   "the agent does not allow it");
	agent_expect_error(&bed, prepare_command(&bed, "/bin/sh", "/bin/true"), REFUSED,
			   "cleanup: ");
	agent_expect_error(&bed, prepare_command(&bed, "/bin/../bin/true", "/bin/sh"), REFUSED, "");
	agent_expect_error(&bed, prepare_command(&bed, "./sh", "/bin/sh"), INVALID, "");
	agent_expect_error(&bed, prepare_command(&bed, "/nowhere/x", "/bin/sh"), INVALID,
			   "No such file");
	agent_bed_kill(&bed);
	bed.allow = NULL;
	char *bin = scratch_text("%s/bin", bed.root);
	char *inside = scratch_text("%s/true", bin), *outside = scratch_text("%s/link", bin);
	assert_int_equal(mkdir(bin, 0755), 0);
	scratch_write(inside, "#!/bin/sh\n", 10, 0755);
	assert_int_equal(symlink("/bin/true", outside), 0);
	agent_bed_again(&bed);
	agent_expect_error(&bed, prepare_command(&bed, outside, inside), REFUSED, "");
	agent_expect_error(&bed, prepare_command(&bed, inside, "/bin/sh"), REFUSED, "cleanup: ");
	assert_non_null(prepare_command(&bed, inside, inside));
	free(bin);
	free(inside);
	free(outside);
	agent_bed_end(&bed);
}

/* Who is no host may connect to a child, and names no host then; and the start that is meant. */
static void a_stream_is_for_others_than_the_host_too(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	assert_non_null(agent_prepare(&bed, "web", AGENT_FIRST, "exit 0"));
	const char *const name = "web";
	agent_expect_error(&bed, agent_ask(&bed, "connect", "{s:s}", "name", name), STATE,
			   "web is prepared");
	agent_expect_error(
	    &bed, agent_ask(&bed, "connect", "{s:s,s:s}", "name", name, "instance", AGENT_FIRST),
	    STATE, "web is prepared");
	agent_expect_error(
	    &bed, agent_ask(&bed, "connect", "{s:s,s:s}", "name", name, "instance", AGENT_OTHER),
	    UNKNOWN, "web: unknown instance");
	agent_expect_error(&bed,
			   agent_ask(&bed, "connect", "{s:s,s:s}", "name", name, "instance", "1"),
			   INVALID, "instance: ");
	agent_expect_error(&bed, agent_ask(&bed, "connect", "{s:s,s:s}", "name", name, "host", "x"),
			   INVALID, "host: ");
	agent_expect_error(
	    &bed, agent_ask(&bed, "connect", "{s:s,s:s}", "name", name, "host", AGENT_OTHER), TAKEN,
	    "taken over");
	agent_bed_end(&bed);
}

static const struct {
	const char *method, *json;
	int64_t number;
} rows[] = {
    {"hello", "{\"host\":\"x\",\"label\":\"\"}", INVALID},
    {"hello", "{\"host\":\"" AGENT_OTHER "\"}", INVALID},
    {"hello", "[]", INVALID},
    {"spawn", "[1]", INVALID},
    {"spawn", "{\"host\":\"" AGENT_OTHER "\"}", TAKEN},
    {"spawn", "{\"host\":\"" AGENT_HOST "\"}", INVALID},
    {"spawn", "{\"host\":\"" AGENT_HOST "\",\"name\":\"../x\"}", INVALID},
    {"spawn", "{\"host\":\"" AGENT_HOST "\",\"name\":\"x.state\"}", INVALID},
    {"spawn", "{\"host\":\"" AGENT_HOST "\",\"name\":\"bin\"}", INVALID},
    {"spawn", "{\"host\":\"" AGENT_HOST "\",\"name\":\"x\"}", INVALID},
    {"spawn", "{\"host\":\"" AGENT_HOST "\",\"name\":\"x\",\"instance\":\"" AGENT_FIRST "\"}",
     UNKNOWN},
    {"inspect", "{\"name\":\".hosts.json\"}", INVALID},
    {"check", "{\"name\":\"../x\"}", INVALID},
    {"check", "{\"name\":\"web\"}", INVALID},
    {"check", "{\"name\":\"web\",\"options\":{\"argv\":[]}}", INVALID},
    {"check", "{\"name\":\"web\",\"options\":{\"argv\":[\"/bin/sh\"],\"nice\":3}}", INVALID},
    {"prepare",
     "{\"host\":\"" AGENT_HOST "\",\"name\":\"x\",\"instance\":\"" AGENT_FIRST
     "\",\"options\":{\"argv\":[\"/bin/sh\"],\"nice\":3},\"config\":{}}",
     INVALID},
    {"prepare",
     "{\"host\":\"" AGENT_HOST "\",\"name\":\"x\",\"instance\":\"" AGENT_FIRST
     "\",\"options\":{\"argv\":[\"/bin/sh\"],\"user\":\"no such user\"},\"config\":{}}",
     INVALID},
    {"prepare",
     "{\"host\":\"" AGENT_HOST "\",\"name\":\"x\",\"instance\":\"" AGENT_FIRST
     "\",\"options\":{\"argv\":[\"/bin/sh\"]},\"config\":{\"token\":\"short\"}}",
     INVALID},
    {"connect", "{\"host\":\"" AGENT_HOST "\",\"name\":\"y\"}", UNKNOWN},
    {"connect", "{\"name\":\"y\"}", UNKNOWN},
    {"changes", "{\"host\":\"" AGENT_HOST "\",\"run\":\"\",\"seen\":0,\"wait_ms\":30001}", INVALID},
};

static void hostile_params_are_refused(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ob_arena *arena = NULL;
		struct ob_value params = ob_nil();
		assert_int_equal(ob_arena_new(1 << 20, &arena, NULL), OB_OK);
		expect(
		    ob_value_from_json(ob_bytes_text(rows[i].json), NULL, arena, &params, &bed.err),
		    OB_OK, &bed.err, NULL);
		char *method = scratch_text("outboard-agent.%s", rows[i].method);
		expect(ob_client_call(bed.client, method, &params, 0, NULL, bed.reply, &bed.err),
		       OB_EREMOTE, &bed.err, NULL);
		if (bed.err.remote_code != rows[i].number) {
			fail_msg("row %zu: %d %s", i, (int)bed.err.remote_code, bed.err.text);
		}
		free(method);
		ob_arena_free(arena);
	}
	agent_bed_end(&bed);
}

static void there_is_room_for_so_many_children(void **unused)
{
	(void)unused;
	struct agent_bed bed = {.children_max = "2"};
	agent_bed_begin(&bed);
	assert_non_null(agent_prepare(&bed, "a", AGENT_FIRST, "exit 0"));
	assert_non_null(agent_prepare(&bed, "b", AGENT_FIRST, "exit 0"));
	agent_expect_error(&bed, agent_prepare(&bed, "c", AGENT_FIRST, "exit 0"), REFUSED,
			   "2 children already");
	assert_non_null(agent_ask(&bed, "end", "{s:s,s:s,s:s,s:i,s:i}", "host", AGENT_HOST, "name",
				  "a", "instance", AGENT_FIRST, "signal", 15, "timeout_ms", 1));
	assert_non_null(agent_prepare(&bed, "c", AGENT_FIRST, "exit 0"));
	agent_bed_end(&bed);
}

static const struct ob_value *prepare_with_cleanup(struct agent_bed *bed, const char *instance)
{
	return agent_ask(bed, "prepare", "{s:s,s:s,s:s,s:{s:[s,s,s],s:[s,s,s]},s:{s:s,s:s}}",
			 "host", AGENT_HOST, "name", "web", "instance", instance, "options", "argv",
			 "/bin/sh", "-c", "exit 0", "cleanup", "/bin/sh", "-c", "exit 1", "config",
			 "token", AGENT_TOKEN, "auth", "token");
}

/* Nothing ran, so nothing is left of it. */
static void what_was_only_prepared_is_not_cleaned_up(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	assert_non_null(prepare_with_cleanup(&bed, AGENT_FIRST));
	assert_non_null(agent_ask(&bed, "end", "{s:s,s:s,s:s,s:i,s:i}", "host", AGENT_HOST, "name",
				  "web", "instance", AGENT_FIRST, "signal", 15, "timeout_ms", 1));
	assert_non_null(prepare_with_cleanup(&bed, AGENT_SECOND));
	/* Another start takes the place of one that was not spawned. */
	assert_non_null(agent_prepare(&bed, "web", AGENT_OTHER, "exit 0"));
	assert_non_null(agent_tell(&bed, "spawn", "web", AGENT_OTHER));
	agent_expect_exit(agent_await(&bed, "web", "ended"), OB_EXIT_CODE, 0);
	agent_bed_end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_newest_host_wins),
	    cmocka_unit_test(a_waiting_call_ends_with_a_change),
	    cmocka_unit_test(changes_come_in_their_order),
	    cmocka_unit_test(no_line_is_lost_while_there_is_room),
	    cmocka_unit_test(what_is_dropped_is_counted),
	    cmocka_unit_test(a_waiting_call_ends_with_a_line),
	    cmocka_unit_test(only_what_is_allowed_runs),
	    cmocka_unit_test(a_stream_is_for_others_than_the_host_too),
	    cmocka_unit_test(hostile_params_are_refused),
	    cmocka_unit_test(there_is_room_for_so_many_children),
	    cmocka_unit_test(what_was_only_prepared_is_not_cleaned_up),
	};
	return cmocka_run_group_tests(tests, program_adopt_setup, NULL);
}
