/* SPDX-License-Identifier: MIT */
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

#include "support/expect.h"
#include "support/scratch.h"

enum { POLL_MS = 5000, POLLS = 8 };

/* ---- The agent ---- */

static void connect_to(struct agent_bed *bed)
{
	const struct ob_client_options options = {
	    .size = sizeof options,
	    .address = bed->address,
	    .auth = (const char *const[]){"peercred", NULL},
	};
	ob_client_free(bed->client);
	bed->client = NULL;
	expect(ob_client_connect(bed->rt, &options, NULL, &bed->client, &bed->err), OB_OK,
	       &bed->err, NULL);
}

void agent_bed_again(struct agent_bed *bed)
{
	char *program = scratch_text("%s/children/child-agent", scratch_env("OB_TEST_BUILD"));
	const char *const argv[] = {program,	       bed->address, bed->root, bed->log_memory,
				    bed->children_max, bed->allow,   NULL};
	program_begin(&bed->agent, argv, NULL);
	const char *line = program_line(&bed->agent);
	assert_non_null(line);
	assert_string_equal(line, "ready");
	free(program);
	connect_to(bed);
}

void agent_bed_begin(struct agent_bed *bed)
{
	bed->dir = scratch_make();
	bed->root = scratch_text("%s/root", bed->dir);
	bed->address = scratch_text("unix://%s/agent.sock", bed->dir);
	bed->never = scratch_text("%s/never", bed->dir);
	assert_int_equal(mkfifo(bed->never, 0666), 0);
	bed->log_memory = bed->log_memory != NULL ? bed->log_memory : "0";
	bed->children_max = bed->children_max != NULL ? bed->children_max : "0";
	bed->allow = bed->allow != NULL ? bed->allow : "/bin/sh";
	expect(ob_runtime_new(NULL, &bed->rt, &bed->err), OB_OK, &bed->err, NULL);
	expect(ob_reply_new(&bed->reply, &bed->err), OB_OK, &bed->err, NULL);
	agent_bed_again(bed);
	assert_non_null(agent_ask(bed, "hello", "{s:s,s:s}", "host", AGENT_HOST, "label", "test"));
}

void agent_bed_kill(struct agent_bed *bed)
{
	program_kill(&bed->agent, SIGKILL);
	(void)program_end(&bed->agent);
}

/* All processes of the children end. */
static void end_children(struct agent_bed *bed)
{
	const struct ob_value *list = agent_ask(bed, "list", NULL);
	assert_non_null(list);
	for (uint32_t i = 0; i < list->count; i++) {
		int64_t pid = agent_number(ob_value_at(list, i), "pid");
		if (pid > 0) {
			kill((pid_t)pid, SIGKILL);
		}
	}
}

void agent_bed_end(struct agent_bed *bed)
{
	end_children(bed);
	agent_bed_kill(bed);
	program_reap_orphans();
	ob_reply_free(bed->reply);
	ob_client_free(bed->client);
	ob_runtime_free(bed->rt);
	scratch_remove(bed->dir);
	free(bed->root);
	free(bed->address);
	free(bed->never);
}

/* ---- Calls ---- */

static const struct ob_value *ask(struct agent_bed *bed, const char *method,
				  const struct ob_value *params)
{
	char full[64];
	snprintf(full, sizeof full, "outboard-agent.%s", method);
	int r = ob_client_call(bed->client, full, params, 0, NULL, bed->reply, &bed->err);
	if (r < 0 && r != OB_EREMOTE) {
		fail_msg("%s: %s", full, bed->err.text);
	}
	return r == OB_OK ? ob_reply_value(bed->reply) : NULL;
}

const struct ob_value *agent_ask(struct agent_bed *bed, const char *method, const char *format, ...)
{
	struct ob_arena *arena = NULL;
	struct ob_builder b;
	struct ob_value params = ob_nil();
	va_list args;
	assert_int_equal(ob_arena_new(1 << 20, &arena, NULL), OB_OK);
	ob_builder_init(&b, arena);
	if (format != NULL) {
		va_start(args, format);
		ob_buildv(&b, format, args);
		va_end(args);
		assert_int_equal(ob_builder_finish(&b, &params), OB_OK);
	}
	const struct ob_value *result = ask(bed, method, format != NULL ? &params : NULL);
	ob_arena_free(arena);
	return result;
}

const struct ob_value *agent_tell(struct agent_bed *bed, const char *method, const char *name,
				  const char *instance)
{
	return agent_ask(bed, method, "{s:s,s:s,s:s}", "host", AGENT_HOST, "name", name, "instance",
			 instance);
}

const struct ob_value *agent_prepare(struct agent_bed *bed, const char *name, const char *instance,
				     const char *script)
{
	return agent_ask(bed, "prepare", "{s:s,s:s,s:s,s:{s:[s,s,s]},s:{s:s,s:s,s:s}}", "host",
			 AGENT_HOST, "name", name, "instance", instance, "options", "argv",
			 "/bin/sh", "-c", script, "config", "token", AGENT_TOKEN, "codec",
			 "msgpack", "auth", "token");
}

int agent_start(struct agent_bed *bed, const char *name, const char *instance, const char *script)
{
	if (agent_prepare(bed, name, instance, script) == NULL) {
		fail_msg("prepare: %s", bed->err.text);
	}
	const struct ob_value *spawned = agent_tell(bed, "spawn", name, instance);
	if (spawned == NULL) {
		fail_msg("spawn: %s", bed->err.text);
	}
	return (int)agent_number(spawned, "pid");
}

/* ---- Waiting ---- */

/* The facts of the child in a list; NULL: it is not there, or not in this state. */
static const struct ob_value *find(const struct ob_value *list, const char *name, const char *state)
{
	for (uint32_t i = 0; list != NULL && i < list->count; i++) {
		const struct ob_value *facts = ob_value_at(list, i);
		struct ob_bytes who, what;
		if (ob_get_string(ob_value_find(facts, "name"), &who) && ob_bytes_is(who, name) &&
		    ob_get_string(ob_value_find(facts, "state"), &what) &&
		    ob_bytes_is(what, state)) {
			return facts;
		}
	}
	return NULL;
}

const struct ob_value *agent_await(struct agent_bed *bed, const char *name, const char *state)
{
	uint64_t seen = 0;
	char run[33] = "";
	for (int i = 0; i < POLLS * 100; i++) {
		const struct ob_value *changes =
		    agent_ask(bed, "changes", "{s:s,s:s,s:U,s:i,s:i}", "host", AGENT_HOST, "run",
			      run, "seen", seen, "wait_ms", POLL_MS, "max", 64);
		assert_non_null(changes);
		const struct ob_value *list = ob_value_find(changes, "children");
		const struct ob_value *found = find(list, name, state);
		if (found != NULL) {
			return found;
		}
		agent_text(changes, "run", run, sizeof run);
		seen = (uint64_t)agent_number(changes, "next");
		i += list->count == 0 ? 100 : 0;
	}
	fail_msg("%s did not become %s", name, state);
	return NULL;
}

/* Append the bytes of the chunks to text. */
static void append(const struct ob_value *chunks, char *text, size_t size)
{
	for (uint32_t i = 0; i < chunks->count; i++) {
		struct ob_bytes bytes = {NULL, 0};
		size_t len = strlen(text);
		assert_true(ob_get_binary(ob_value_at(ob_value_at(chunks, i), 2), &bytes));
		assert_true(len + bytes.len < size);
		if (bytes.len > 0) {
			memcpy(text + len, bytes.data, bytes.len);
		}
		text[len + bytes.len] = '\0';
	}
}

void agent_await_log(struct agent_bed *bed, const char *name, const char *instance,
		     const char *text)
{
	char all[4096] = "";
	uint64_t offset = 0;
	for (int i = 0; i < POLLS * 100 && strstr(all, text) == NULL; i++) {
		const struct ob_value *logs = agent_ask(
		    bed, "logs", "{s:s,s:s,s:s,s:U,s:i,s:i}", "host", AGENT_HOST, "name", name,
		    "instance", instance, "offset", offset, "wait_ms", POLL_MS, "max", 65536);
		const struct ob_value *chunks = ob_value_find(logs, "chunks");
		assert_non_null(chunks);
		append(chunks, all, sizeof all);
		offset = (uint64_t)agent_number(logs, "next");
		i += chunks->count == 0 ? 100 : 0;
	}
	if (strstr(all, text) == NULL) {
		fail_msg("%s did not write \"%s\"", name, text);
	}
}

/* ---- Values ---- */

int64_t agent_number(const struct ob_value *map, const char *key)
{
	int64_t number = 0;
	if (!ob_get_int(ob_value_find(map, key), &number)) {
		fail_msg("%s is no number", key);
	}
	return number;
}

void agent_text(const struct ob_value *map, const char *key, char *ret, size_t size)
{
	struct ob_bytes text = {NULL, 0};
	if (!ob_get_string(ob_value_find(map, key), &text) || text.len >= size) {
		fail_msg("%s is no text", key);
	}
	if (text.len > 0) {
		memcpy(ret, text.data, text.len);
	}
	ret[text.len] = '\0';
}

void agent_expect_text(const struct ob_value *map, const char *key, const char *want)
{
	char text[1024];
	agent_text(map, key, text, sizeof text);
	assert_string_equal(text, want);
}

void agent_expect_exit(const struct ob_value *facts, int kind, int value)
{
	const struct ob_value *end = ob_value_find(facts, "exit");
	assert_int_equal(agent_number(end, "kind"), kind);
	assert_int_equal(agent_number(end, "value"), value);
	assert_true(agent_number(end, "ago_ms") >= 0);
}

void agent_expect_error(const struct agent_bed *bed, const struct ob_value *result, int64_t number,
			const char *text)
{
	assert_null(result);
	if (bed->err.remote_code != number || strstr(bed->err.text, text) == NULL) {
		fail_msg("%d %s: and not %d %s", (int)bed->err.remote_code, bed->err.text,
			 (int)number, text);
	}
}
