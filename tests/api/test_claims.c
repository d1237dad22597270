/* SPDX-License-Identifier: MIT */
/* What authenticators claim of a peer: handlers and rules see it, and malformed claims refuse the
 * peer. */
#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/scratch.h"

static const char *const both[] = {"tagger", "stamper", NULL};
static char *path_before, *dir, *address;
static ob_runtime *runtime;
static ob_server *server;
static ob_logger *logger;
static int log_pipe[2];
static ob_call *_Atomic deferred;

static int set_up(void **state)
{
	const struct ob_runtime_options threaded = {.size = sizeof threaded,
						    .mode = OB_RUNTIME_THREADED};
	(void)state;
	path_before = scratch_text("%s", scratch_env("OUTBOARD_PLUGIN_PATH"));
	char *path = scratch_text("%s:%s/test-plugins", path_before, scratch_env("OB_TEST_BUILD"));
	setenv("OUTBOARD_PLUGIN_PATH", path, 1);
	free(path);
	dir = scratch_make();
	address = scratch_text("unix://%s/s", dir);
	assert_int_equal(pipe(log_pipe), 0);
	assert_int_equal(ob_logger_new(log_pipe[1], &logger, NULL), OB_OK);
	return ob_runtime_new(&threaded, &runtime, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	ob_runtime_free(runtime);
	ob_logger_free(logger);
	close(log_pipe[0]);
	close(log_pipe[1]);
	free(address);
	scratch_remove(dir);
	setenv("OUTBOARD_PLUGIN_PATH", path_before, 1);
	free(path_before);
	return 0;
}

/* ---- The server ---- */

static void reply_claims(ob_call *call)
{
	struct ob_identity who = {.size = sizeof who};
	const struct ob_value none = ob_nil();
	ob_call_identity(call, &who);
	ob_call_reply(call, who.claims != NULL ? who.claims : &none);
}

static void on_claims(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user, (void)params;
	reply_claims(call);
}

static void on_keep(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user, (void)params;
	assert_non_null(ob_call_defer(call));
	deferred = call;
}

static const struct ob_method methods[] = {{"claims", on_claims}, {"keep", on_keep}, {NULL, NULL}};

static void begin(const char *const *auth, const char *settings, const char *const *rules)
{
	const struct ob_server_options options = {.size = sizeof options,
						  .runtime = runtime,
						  .listen = address,
						  .auth = auth,
						  .logger = logger,
						  .rules = rules,
						  .settings = settings};
	struct ob_error err;
	expect(ob_server_open(&options, &server, &err), OB_OK, &err, NULL);
	expect(ob_server_expose(server, "t", methods, NULL, &err), OB_OK, &err, NULL);
	expect(ob_server_start(server, &err), OB_OK, &err, NULL);
}

static void end(void)
{
	ob_server_close(server);
	server = NULL;
}

static int dial(const char *const *auth, const char *settings, ob_client **ret,
		struct ob_error *reterr)
{
	const struct ob_client_options options = {
	    .size = sizeof options, .address = address, .auth = auth, .settings = settings};
	*ret = NULL;
	return ob_client_connect(runtime, &options, NULL, ret, reterr);
}

static ob_client *must_dial(const char *const *auth)
{
	struct ob_error err;
	ob_client *client;
	expect(dial(auth, NULL, &client, &err), OB_OK, &err, NULL);
	return client;
}

/* The claims as the handler sees them, as JSON. */
static void assert_seen(ob_client *client, const char *json)
{
	struct ob_error err;
	ob_reply *reply;
	struct ob_bytes text = {NULL, 0};
	struct ob_arena *arena;
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	expect(ob_client_call(client, "t.claims", NULL, 0, NULL, reply, &err), OB_OK, &err, NULL);
	assert_int_equal(ob_arena_new(1 << 16, &arena, NULL), OB_OK);
	assert_int_equal(ob_value_to_json(ob_reply_value(reply), NULL, arena, &text, NULL), OB_OK);
	if (!ob_bytes_is(text, json)) {
		fail_msg("%.*s", (int)text.len, (const char *)text.data);
	}
	ob_arena_free(arena);
	ob_reply_free(reply);
}

/* Read the log until this is in it. */
static void await_log(const char *what)
{
	static char text[64 * 1024];
	size_t len = 0;
	text[0] = '\0';
	while (strstr(text, what) == NULL) {
		struct pollfd waiting = {.fd = log_pipe[0], .events = POLLIN};
		if (poll(&waiting, 1, 20000) != 1 || len + 1 >= sizeof text) {
			fail_msg("not in the log: %s\n%s", what, text);
		}
		ssize_t n = read(log_pipe[0], text + len, sizeof text - 1 - len);
		assert_true(n > 0);
		len += (size_t)n;
		text[len] = '\0';
	}
}

/* ---- Tests ---- */

static void handlers_see_the_claims_of_all_mechanisms(void **state)
{
	static const char *const turned[] = {"stamper", "tagger", NULL};
	static const char settings[] =
	    "{\"auth\":{\"tagger\":{\"role\":\"guest\",\"team\":\"a \xe2\x82\xac\"},"
	    "\"stamper\":{\"role\":\"admin\",\"none\":\"\"}}}";
	(void)state;
	begin(both, settings, NULL);
	ob_client *client = must_dial(both);
	assert_seen(client, "{\"team\":\"a \xe2\x82\xac\",\"role\":\"admin\",\"none\":\"\"}");
	ob_client_free(client);
	end();
	begin(turned, settings, NULL);
	client = must_dial(turned);
	assert_seen(client, "{\"none\":\"\",\"role\":\"guest\",\"team\":\"a \xe2\x82\xac\"}");
	ob_client_free(client);
	end();
	begin(both, NULL, NULL);
	client = must_dial(both);
	assert_seen(client, "null");
	ob_client_free(client);
	end();
}

/* Every connection has its own. */
static void claims_are_of_one_connection(void **state)
{
	(void)state;
	begin(both, "{\"auth\":{\"tagger\":{\"role\":\"guest\"}}}", NULL);
	ob_client *one = must_dial(both), *two = must_dial(both);
	assert_seen(one, "{\"role\":\"guest\"}");
	ob_client_free(one);
	assert_seen(two, "{\"role\":\"guest\"}");
	ob_client_free(two);
	end();
}

static void a_deferred_call_outlives_its_connection_with_its_claims(void **state)
{
	struct ob_error err;
	struct ob_bytes text = {NULL, 0};
	(void)state;
	begin(both, "{\"auth\":{\"tagger\":{\"role\":\"guest\"}}}", NULL);
	ob_client *one = must_dial(both), *two = must_dial(both);
	deferred = NULL;
	expect(ob_client_call_async(one, "t.keep", NULL, 0, NULL, NULL, NULL, &err), OB_OK, &err,
	       NULL);
	while (deferred == NULL) {
		assert_seen(two, "{\"role\":\"guest\"}");
	}
	ob_client_free(one);
	while (!ob_call_is_canceled(deferred)) {
		assert_seen(two, "{\"role\":\"guest\"}");
	}
	ob_client_free(two);
	end();
	struct ob_identity who = {.size = sizeof who};
	ob_call_identity(deferred, &who);
	assert_int_equal(who.claims->count, 1);
	assert_true(ob_get_string(ob_value_find(who.claims, "role"), &text));
	assert_true(ob_bytes_is(text, "guest"));
	ob_call_reply(deferred, NULL);
}

static void rules_compare_claims(void **state)
{
	static const char *const rules[] = {"allow claim.role=admin claim.team=\"a b\" t.*",
					    "deny *", NULL};
	static const struct {
		const char *settings;
		int64_t code;
	} table[] = {
	    {"{\"auth\":{\"tagger\":{\"role\":\"admin\",\"team\":\"a b\"}}}", OB_OK},
	    {"{\"auth\":{\"tagger\":{\"role\":\"admin\"},\"stamper\":{\"team\":\"a b\"}}}", OB_OK},
	    {"{\"auth\":{\"tagger\":{\"role\":\"admin\",\"team\":\"a\"}}}", OB_RPC_DENIED},
	    {"{\"auth\":{\"tagger\":{\"role\":\"admin\"}}}", OB_RPC_DENIED},
	    {NULL, OB_RPC_DENIED},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct ob_error err = {0};
		begin(both, table[i].settings, rules);
		ob_client *client = must_dial(both);
		int r = ob_client_call(client, "t.claims", NULL, 0, NULL, NULL, &err);
		assert_int_equal(r, table[i].code == OB_OK ? OB_OK : OB_EREMOTE);
		assert_int_equal(err.remote_code, table[i].code);
		ob_client_free(client);
		end();
	}
}

static void malformed_claims_refuse_the_peer(void **state)
{
	static const struct {
		const char *settings, *why;
	} table[] = {
	    {"{\"auth\":{\"tagger\":{\"role\":7}}}",
	     "authenticator tagger: claim role: not a string of UTF-8"},
	    {"{\"auth\":{\"tagger\":{\"a b\":\"x\"}}}",
	     "authenticator tagger: the name of a claim is not 1 to 63"},
	    {"{\"auth\":{\"stamper\":{\"code\":-3}}}",
	     "authenticator stamper: its claims failed with code -3"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct ob_error err;
		ob_client *client;
		/* An acceptor of a mechanism without messages closes, with no word. */
		begin(both, table[i].settings, NULL);
		assert_true(dial(both, NULL, &client, &err) < 0);
		end();
		await_log(table[i].why);
		/* A dialer is as strict. */
		begin(both, NULL, NULL);
		expect(dial(both, table[i].settings, &client, &err), OB_EAUTH, &err, table[i].why);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(handlers_see_the_claims_of_all_mechanisms),
	    cmocka_unit_test(claims_are_of_one_connection),
	    cmocka_unit_test(a_deferred_call_outlives_its_connection_with_its_claims),
	    cmocka_unit_test(rules_compare_claims),
	    cmocka_unit_test(malformed_claims_refuse_the_peer),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
