/* SPDX-License-Identifier: MIT */
/*
 * agent_bed - a place at an agent that is played by the test: it sees the calls, and says when they
 * are answered and with what, and when the connection is lost.
 */
#ifndef OB_TESTS_UNIT_AGENT_BED_H
#define OB_TESTS_UNIT_AGENT_BED_H

#include "place/agent_place.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/value.h"
#include "support/scratch.h"

#define AGENT_TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
#define HOST_ID		 "00112233445566778899aabbccddeeff"
#define RUN_1		 "11111111111111111111111111111111"
#define RUN_2		 "22222222222222222222222222222222"
#define OURS		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER		 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TOKEN		 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

enum { CALLS_MAX = 64, BED_WAIT_MS = 20000 };

struct double_call {
	bool due; /* it was made, and is not answered yet */
	bool canceled;
	char method[32];
	struct obi_arena arena;
	struct ob_value params;
	ob_reply_fn *fn;
	void *user;
};

static struct {
	struct obi_loop *loop;
	char *dir;
	struct ob_connector_options options, raw;
	struct obi_agent_hub *hub;
	struct obi_place *place;
	struct double_call calls[CALLS_MAX];
	size_t count;
	char methods[1024]; /* of the calls, but for hello, changes and logs */
	char words[1024];   /* of the events */
	char logs[1024];
	int fail_code; /* of the last failure */
	char fail_text[512];
	struct obi_place_facts facts;
	bool has_state;
	struct obi_statefile state; /* that the last probe brought */
	struct obi_place_child child;
	struct obi_exit how;
	char cause[256];
	char address[256];
	bool ready;
	char rpc_addr[256];
} bed;

/* ---- Events ---- */

static inline void bed_note(const char *word, const struct ob_error *err)
{
	size_t len = strlen(bed.words);
	snprintf(bed.words + len, sizeof bed.words - len, "%s%s ", err != NULL ? "no-" : "", word);
	if (err != NULL) {
		bed.fail_code = err->code;
		snprintf(bed.fail_text, sizeof bed.fail_text, "%s", err->text);
	}
}

static inline void bed_probed(void *user, uint64_t op, const struct obi_place_facts *facts,
			      const struct obi_statefile *state, const struct ob_error *err)
{
	(void)user;
	assert_int_equal(op, 1);
	bed_note("probed", err);
	bed.facts = facts != NULL ? *facts : (struct obi_place_facts){.alive = false};
	bed.has_state = state != NULL;
	bed.state = state != NULL ? *state : bed.state;
}

static inline void bed_prepared(void *user, uint64_t op, const struct ob_error *err)
{
	(void)user;
	assert_int_equal(op, 2);
	bed_note("prepared", err);
}

static inline void bed_spawned(void *user, uint64_t op, const struct obi_place_child *child,
			       const struct ob_error *err)
{
	(void)user;
	assert_int_equal(op, 3);
	bed_note("spawned", err);
	bed.child = child != NULL ? *child : bed.child;
}

static inline void bed_adopted(void *user, uint64_t op, const struct ob_error *err)
{
	(void)user;
	assert_int_equal(op, 4);
	bed_note("adopted", err);
}

static inline void bed_resolved(void *user, uint64_t op, const char *address,
				const struct ob_error *err)
{
	(void)user;
	(void)op;
	bed_note("resolved", err);
	snprintf(bed.address, sizeof bed.address, "%s", address);
}

static inline void bed_remains(void *user, const char *text)
{
	(void)user;
	bed_note("remains", NULL);
	snprintf(bed.cause, sizeof bed.cause, "%s", text);
}

static inline void bed_unsaved(void *user)
{
	(void)user;
	bed_note("unsaved", NULL);
}

static inline void bed_gone(void *user, const struct obi_place_facts *facts,
			    const struct ob_error *err)
{
	(void)user;
	bed_note("gone", err);
	bed.facts = facts != NULL ? *facts : bed.facts;
}

static inline void bed_stuck(void *user, const struct ob_error *err)
{
	(void)user;
	bed_note("stuck", err);
}

static inline void bed_config(void *user, const struct ob_config *config,
			      const struct ob_error *err)
{
	(void)user;
	bed_note("config", err);
	bed.ready = config != NULL && config->ready;
	snprintf(bed.rpc_addr, sizeof bed.rpc_addr, "%s",
		 config != NULL && config->rpc_addr != NULL ? config->rpc_addr : "");
}

static inline void bed_log(void *user, int stream, struct ob_bytes chunk, uint64_t lost)
{
	size_t len = strlen(bed.logs);
	(void)user;
	snprintf(bed.logs + len, sizeof bed.logs - len, "%d:%d:%.*s|", stream, (int)lost,
		 (int)chunk.len, (const char *)chunk.data);
	bed_note("log", NULL);
}

static inline void bed_usage(void *user, const struct ob_cgroup_usage *usage)
{
	(void)user;
	(void)usage;
	bed_note("usage", NULL);
}

static inline void bed_cause(void *user, const char *text)
{
	(void)user;
	snprintf(bed.cause, sizeof bed.cause, "%s", text);
}

static inline void bed_exited(void *user, const struct obi_exit *how)
{
	(void)user;
	bed_note("exited", NULL);
	bed.how = *how;
}

static inline void bed_lost(void *user, const struct ob_error *err)
{
	(void)user;
	bed_note("lost", NULL);
	snprintf(bed.fail_text, sizeof bed.fail_text, "%s", err->text);
}

static inline void bed_back(void *user)
{
	(void)user;
	bed_note("back", NULL);
}

static const struct obi_place_events bed_events = {
    .probed = bed_probed,
    .prepared = bed_prepared,
    .spawned = bed_spawned,
    .adopted = bed_adopted,
    .resolved = bed_resolved,
    .remains = bed_remains,
    .unsaved = bed_unsaved,
    .gone = bed_gone,
    .stuck = bed_stuck,
    .config = bed_config,
    .log = bed_log,
    .usage = bed_usage,
    .cause = bed_cause,
    .exited = bed_exited,
    .lost = bed_lost,
    .back = bed_back,
};

static inline void bed_expect(const char *words)
{
	assert_string_equal(bed.words, words);
	bed.words[0] = '\0';
}

/* ---- The caller ---- */

static inline bool bed_is_poll(const char *method)
{
	return strcmp(method, "hello") == 0 || strcmp(method, "changes") == 0 ||
	       strcmp(method, "logs") == 0;
}

static inline int bed_call(void *user, const char *method, const struct ob_value *params,
			   int64_t timeout_ms, ob_reply_fn *fn, void *fn_user, uint64_t *ret_id,
			   struct ob_error *reterr)
{
	struct double_call *call = &bed.calls[bed.count];
	size_t len = strlen(bed.methods);
	(void)user;
	(void)timeout_ms;
	(void)reterr;
	assert_true(bed.count < CALLS_MAX);
	*call = (struct double_call){.due = true, .fn = fn, .user = fn_user};
	snprintf(call->method, sizeof call->method, "%s", method);
	obi_arena_init(&call->arena, 1 << 20);
	assert_int_equal(obi_value_copy(params, &call->arena, &call->params), OB_OK);
	if (!bed_is_poll(method)) {
		snprintf(bed.methods + len, sizeof bed.methods - len, "%s ", method);
	}
	*ret_id = bed.count++;
	return OB_OK;
}

static inline void bed_finish(struct double_call *call, int code, const struct ob_value *value,
			      const struct ob_error *err)
{
	assert_true(call->due);
	call->due = false;
	call->fn(call->user, code, value, err);
}

static inline void bed_cancel(void *user, uint64_t id)
{
	(void)user;
	bed.calls[id].canceled = bed.calls[id].due;
}

/* The oldest call of this method that is due. */
static inline struct double_call *bed_due(const char *method)
{
	for (size_t i = 0; i < bed.count; i++) {
		struct double_call *call = &bed.calls[i];
		if (call->due && !call->canceled && strcmp(call->method, method) == 0) {
			return call;
		}
	}
	fail_msg("%s was not called", method);
	return NULL;
}

static inline bool bed_is_due(const char *method)
{
	bool due = false;
	for (size_t i = 0; i < bed.count; i++) {
		const struct double_call *call = &bed.calls[i];
		due = due || (call->due && !call->canceled && strcmp(call->method, method) == 0);
	}
	return due;
}

static inline void bed_expect_methods(const char *methods)
{
	assert_string_equal(bed.methods, methods);
	bed.methods[0] = '\0';
}

static inline void bed_answer(const char *method, const char *format, ...)
{
	struct double_call *call = bed_due(method);
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value value;
	va_list args;
	obi_arena_init(&arena, 1 << 20);
	ob_builder_init(&b, &arena.ob);
	va_start(args, format);
	obi_build_format(&b, format, args);
	va_end(args);
	assert_int_equal(ob_builder_finish(&b, &value), OB_OK);
	bed_finish(call, OB_OK, &value, NULL);
	obi_arena_free(&arena);
}

static inline void bed_refuse(const char *method, int64_t number, const char *text)
{
	struct ob_error err;
	obi_fail(&err, OB_EREMOTE, 0, "%s", text);
	err.remote_code = number;
	bed_finish(bed_due(method), OB_EREMOTE, NULL, &err);
}

/* What the call was made with. */
static inline int64_t bed_int(const struct double_call *call, const char *key)
{
	int64_t number = -1;
	(void)ob_get_int(ob_value_find(&call->params, key), &number);
	return number;
}

static inline bool bed_has_text(const struct double_call *call, const char *key, const char *want)
{
	struct ob_bytes text;
	return ob_get_string(ob_value_find(&call->params, key), &text) && ob_bytes_is(text, want);
}

/* ---- The connection ---- */

/* All that is due ends with it. */
static inline void bed_cut(void)
{
	struct ob_error err;
	obi_fail(&err, OB_ECONNLOST, 0, "cut");
	for (size_t i = 0; i < bed.count; i++) {
		if (bed.calls[i].due) {
			bed_finish(&bed.calls[i], OB_ECONNLOST, NULL, &err);
		}
	}
	obi_agent_hub_link_down(bed.hub, "cut");
}

static inline void bed_connect(const char *run)
{
	obi_agent_hub_link_up(bed.hub);
	bed_answer("hello", "{s:i,s:s,s:s,s:i}", "version", 1, "run", run, "root", "/r",
		   "children_max", 256);
}

/* The facts of the child, by which `inspect` and `changes` are answered. */
#define FACTS "{s:s,s:s,s:s,s:i,s:i,s:s,s:i}"
#define FACTS_OF(instance, state, version, pid)                                                 \
	"name", "worker", "instance", instance, "state", state, "version", version, "pid", pid, \
	    "record", "12:34:boot", "config_version", 0
#define ABSENT \
	"{s:s,s:s,s:i,s:i}", "name", "worker", "state", "absent", "version", 0, "config_version", 0

/* The loop turns until the hub asks for changes. */
static inline void bed_await(const char *method)
{
	int64_t end = obi_now_ms() + BED_WAIT_MS;
	while (!bed_is_due(method)) {
		assert_true(obi_now_ms() < end);
		obi_loop_turn(bed.loop, true);
	}
}

static inline void bed_change(const char *instance, const char *state, int version)
{
	bed_await("changes");
	bed_answer("changes", "{s:s,s:i,s:[" FACTS "]}", "run", RUN_1, "next", version, "children",
		   FACTS_OF(instance, state, version, 77));
}

/* ---- Life ---- */

static inline void bed_make_place(void)
{
	const struct obi_place_agent_setup setup = {.loop = bed.loop,
						    .hub = bed.hub,
						    .options = &bed.options,
						    .raw = &bed.raw,
						    .answer_max = 1 << 20,
						    .agent_state = "/state/guest1"};
	assert_int_equal(obi_place_agent_new(&setup, &bed.place, NULL), OB_OK);
	bed.place->events = &bed_events;
}

static inline int bed_setup(void **unused)
{
	static const char *const argv[] = {"/bin/worker", "${name}", NULL};
	(void)unused;
	memset(&bed, 0, sizeof bed);
	bed.dir = scratch_make();
	bed.options = (struct ob_connector_options){.size = sizeof bed.options,
						    .name = "worker",
						    .argv = argv,
						    .state_path = scratch_text("%s/state", bed.dir),
						    .listen = "unix:///there/rpc.sock",
						    .stop_signal = SIGTERM,
						    .stop_timeout_ms = 5000};
	bed.raw = bed.options;
	assert_int_equal(obi_loop_new(NULL, 0, &bed.loop, NULL), OB_OK);
	const struct obi_agent_hub_setup hub = {.loop = bed.loop,
						.caller = {bed_call, bed_cancel, NULL},
						.name = "guest1",
						.host = HOST_ID,
						.label = "pid 1 on host-a"};
	assert_int_equal(obi_agent_hub_new(&hub, &bed.hub, NULL), OB_OK);
	bed_make_place();
	return 0;
}

static inline int bed_teardown(void **unused)
{
	(void)unused;
	bed.place->ops->free(bed.place);
	bed_cut();
	obi_agent_hub_close(bed.hub);
	obi_agent_hub_unref(bed.hub);
	obi_loop_drain(bed.loop);
	obi_loop_close(bed.loop);
	for (size_t i = 0; i < bed.count; i++) {
		obi_arena_free(&bed.calls[i].arena);
	}
	free((char *)(uintptr_t)bed.options.state_path);
	scratch_remove(bed.dir);
	return 0;
}

/* ---- Steps ---- */

static inline void bed_probe(void)
{
	bed.place->ops->probe(bed.place, 1, true);
}

/* Connected, and nothing is there. */
static inline void bed_probe_absent(void)
{
	bed_probe();
	bed_connect(RUN_1);
	bed_answer("inspect", ABSENT);
	bed_expect("lost back probed ");
	bed_expect_methods("inspect ");
}

static inline void bed_prepare(void)
{
	struct ob_config config = {.size = sizeof config};
	assert_int_equal(ob_config_set(&config.token, TOKEN), OB_OK);
	assert_int_equal(ob_config_set(&config.instance, OURS), OB_OK);
	assert_int_equal(ob_config_set(&config.name, "worker"), OB_OK);
	bed.place->ops->prepare(bed.place, 2, &config, OBI_PLACE_WATCH);
	ob_config_clear(&config);
}

static inline void bed_save(const char *record)
{
	static struct obi_statefile state;
	state = (struct obi_statefile){.state = OB_STATE_READY};
	snprintf(state.instance, sizeof state.instance, "%s", OURS);
	snprintf(state.token, sizeof state.token, "%s", TOKEN);
	snprintf(state.record, sizeof state.record, "%s", record);
	bed.place->ops->save(bed.place, &state);
}

static inline void bed_answer_spawn(void)
{
	bed_answer("spawn", "{s:i,s:s}", "pid", 77, "record", "12:34:boot");
}

/* A child that runs. */
static inline void bed_run(void)
{
	bed_probe_absent();
	bed_prepare();
	bed_answer("prepare", "{}");
	bed_save("");
	bed.place->ops->spawn(bed.place, 3);
	bed_answer_spawn();
	bed_save(bed.child.record);
	bed_expect("prepared spawned ");
	bed_expect_methods("prepare spawn ");
	bed_change(OURS, "running", 5);
	bed_expect("");
}

#endif
