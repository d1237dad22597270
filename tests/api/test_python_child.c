/* SPDX-License-Identifier: MIT */
/* examples/python-child, which implements docs/PROTOCOL.md alone, has the life of any other
 * child: start, call, callback, log, kill, restart, detach, adopt, a version too old, stop; over
 * each transport and with each authenticator that it supports. */
#include "support/expect.h"
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/peer.h"
#include "support/scratch.h"

struct python {
	struct family family;
	char *program;
	char *accept; /* where it dials; NULL: it listens */
	const char *argv[6];
	ob_reply *reply;
	uint32_t changed; /* kv-events.changed */
};

/* ---- What the parent offers ---- */

static void on_read(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_bytes key = {NULL, 0};
	(void)user;
	(void)ob_get_string(ob_value_at(params, 0), &key);
	if (ob_bytes_is(key, "motto")) {
		ob_call_replyf(call, "s", "h\xc3\xa9llo \xf0\x9f\x90\x8d");
	} else {
		ob_call_fail(call, 7, "there is no such key");
	}
}

static void on_changed(void *user, ob_call *call, const struct ob_value *params)
{
	struct python *p = user;
	(void)call;
	(void)params;
	p->changed++;
}

static const struct ob_method source[] = {{"read", on_read}, {NULL, NULL}};
static const struct ob_method events[] = {{"changed", on_changed}, {NULL, NULL}};

/* ---- Start ---- */

static const char *interpreter(void)
{
	return access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3" : "python3";
}

/* The child dials its parent. */
static void come_home(struct python *p, bool over_tcp)
{
	struct ob_connector_options *o = &p->family.options;
	p->accept = over_tcp ? scratch_text("tcp://127.0.0.1:%d", peer_free_port())
			     : scratch_text("unix://%s/home.sock", p->family.scratch);
	o->ready = OB_READY_DIAL_HOME;
	o->accept = p->accept;
	o->allow_plaintext = over_tcp;
}

static void begin(struct python *p, const char *listen, const char *const *auth)
{
	struct ob_error err;
	memset(p, 0, sizeof *p);
	family_begin(&p->family, OB_RUNTIME_INLINE, NULL);
	p->program =
	    scratch_text("%s/examples/python-child/kv_child.py", scratch_env("OB_TEST_SOURCE"));
	/* -B: it writes no bytecode into the sources. */
	const char *const argv[] = {interpreter(), "-B", p->program, "--version", "3", NULL};
	memcpy(p->argv, argv, sizeof argv);
	struct ob_connector_options *o = &p->family.options;
	o->argv = p->argv;
	o->codec = "json";
	o->listen = listen;
	o->auth = auth;
	o->allow_plaintext = listen != NULL;
	o->restart.backoff_base_ms = 1;
	expect(ob_reply_new(&p->reply, &err), OB_OK, &err, NULL);
}

static void connector(struct python *p)
{
	struct ob_error err;
	family_connector(&p->family);
	expect(ob_connector_expose(p->family.connector, "source", source, p, &err), OB_OK, &err,
	       NULL);
	expect(ob_connector_expose(p->family.connector, "kv-events", events, p, &err), OB_OK, &err,
	       NULL);
}

static void start(struct python *p)
{
	struct ob_error err;
	connector(p);
	expect(ob_connector_start(p->family.connector, 0, NULL, &err), OB_OK, &err, NULL);
}

static void end(struct python *p)
{
	ob_reply_free(p->reply);
	free(p->program);
	free(p->accept);
	family_end(&p->family);
}

/* ---- Calls ---- */

/* METHOD(a) or METHOD(a, b). */
static int try(struct python *p, struct ob_error *err, const char *method, const char *a,
	       const char *b)
{
	ob_client *client = ob_connector_client(p->family.connector);
	return b != NULL ? ob_client_callf(client, 0, p->reply, err, method, "[s,s]", a, b)
			 : ob_client_callf(client, 0, p->reply, err, method, "[s]", a);
}

static void gives(struct python *p, const char *want, const char *method, const char *a,
		  const char *b)
{
	struct ob_bytes text = {NULL, 0};
	struct ob_error err;
	expect(try(p, &err, method, a, b), OB_OK, &err, NULL);
	assert_true(ob_get_string(ob_reply_value(p->reply), &text));
	assert_true(ob_bytes_is(text, want));
}

static bool has_changed(void *user)
{
	const struct python *p = user;
	return p->changed >= 2;
}

static void calls(struct python *p)
{
	struct ob_error err;
	gives(p, "blue", "kv.set", "colour", "blue");
	gives(p, "blue", "kv.get", "colour", NULL);
	gives(p, "h\xc3\xa9llo \xf0\x9f\x90\x8d", "kv.import", "motto", NULL);
	family_until(&p->family, has_changed, p);
	expect(try(p, &err, "kv.import", "none", NULL), OB_EREMOTE, &err,
	       "the parent's source: there is no such key");
	assert_int_equal(err.remote_code, 2);
	expect(try(p, &err, "kv.paint", "x", NULL), OB_EREMOTE, &err, "unknown method: kv.paint");
	assert_int_equal(err.remote_code, OB_RPC_NO_METHOD);
	expect(try(p, &err, "tv.get", "x", NULL), OB_EREMOTE, &err, "unknown object: tv");
	assert_int_equal(err.remote_code, OB_RPC_NO_INTERFACE);
	expect(try(p, &err, "kv.get", "x", "y"), OB_EREMOTE, &err, "too many positional arguments");
	assert_int_equal(err.remote_code, OB_RPC_INVALID_PARAMS);
}

struct line {
	const struct family *family;
	const char *text;
	uint32_t times;
};

static bool has_line(void *user)
{
	const struct line *w = user;
	uint32_t times = 0;
	for (uint32_t i = 0; i < w->family->line_count; i++) {
		times += strstr(w->family->lines[i], w->text) != NULL;
	}
	return times >= w->times;
}

static void logged(struct python *p, const char *text, uint32_t times)
{
	struct line w = {&p->family, text, times};
	family_until(&p->family, has_line, &w);
}

/* ---- A life ---- */

static void is_well(struct python *p)
{
	struct ob_health health = {.size = sizeof health};
	struct ob_error err;
	ob_client *client = ob_connector_client(p->family.connector);
	expect(ob_control_health(client, 0, &health, &err), OB_OK, &err, NULL);
	assert_true(health.healthy);
	assert_int_equal(health.pid, ob_connector_pid(p->family.connector));
	assert_true(health.uptime_ns > 0);
}

static void kill_it(struct python *p)
{
	int32_t pid = ob_connector_pid(p->family.connector);
	kill(pid, SIGKILL);
	family_await(&p->family, OB_EVENT_READY, 2);
	assert_int_not_equal(ob_connector_pid(p->family.connector), pid);
	assert_int_equal(p->family.last_exit.exit_kind, OB_EXIT_SIGNAL);
}

static void let_it_go_and_find_it(struct python *p)
{
	struct ob_error err;
	int32_t pid = ob_connector_pid(p->family.connector);
	gives(p, "kept", "kv.set", "what", "kept");
	expect(ob_connector_detach(p->family.connector, &err), OB_OK, &err, NULL);
	ob_connector_close(p->family.connector);
	assert_true(family_alive(pid));
	connector(p);
	expect(ob_connector_reconnect(p->family.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(ob_connector_pid(p->family.connector), pid);
	gives(p, "kept", "kv.get", "what", NULL);
}

/* The answer comes, then the end, and at once a new child. */
static void outdate_it(struct python *p)
{
	struct ob_error err;
	uint64_t current = 0;
	bool restart = false;
	ob_client *client = ob_connector_client(p->family.connector);
	expect(ob_control_check_version(client, 3, 0, &current, &restart, &err), OB_OK, &err, NULL);
	assert_false(restart);
	expect(ob_control_check_version(client, 4, 0, &current, &restart, &err), OB_OK, &err, NULL);
	assert_true(restart);
	assert_int_equal(current, 3);
	family_await(&p->family, OB_EVENT_EXITED, 2);
	assert_int_equal(p->family.last_exit.exit_kind, OB_EXIT_CODE);
	family_await(&p->family, OB_EVENT_READY, 3);
}

static void live_on(struct python *p)
{
	struct ob_error err;
	start(p);
	is_well(p);
	calls(p);
	logged(p, "\"msg\": \"set\", \"key\": \"motto\"", 1);
	kill_it(p);
	calls(p);
	let_it_go_and_find_it(p);
	outdate_it(p);
	calls(p);
	logged(p, "\"msg\": \"set\", \"key\": \"motto\"", 3);
	int32_t pid = ob_connector_pid(p->family.connector);
	expect(ob_connector_stop(p->family.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_false(family_alive(pid));
	logged(p, "\"msg\": \"bye\"", 2); /* one was killed, and could not log it */
	assert_false(family_has(&p->family, "rpc.sock"));
	end(p);
}

static void live(const char *listen, const char *const *auth)
{
	struct python p;
	begin(&p, listen, auth);
	live_on(&p);
}

static void a_life_over_unix(void **state)
{
	(void)state;
	live(NULL, NULL);
}

static void a_life_over_tcp(void **state)
{
	static const char *const auth[] = {"token", NULL};
	(void)state;
	live("tcp://127.0.0.1:0", auth);
}

static void a_life_that_dials_home(void **state)
{
	static const char *const token[] = {"token", NULL};
	static const char *const bearer[] = {"peercred", "bearer", NULL};
	static const char *const *const lists[] = {NULL, token, bearer};
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct python p;
		begin(&p, NULL, lists[i]);
		come_home(&p, i == 1);
		live_on(&p);
	}
}

static void a_life_with_peercred_and_bearer(void **state)
{
	static const char *const auth[] = {"peercred", "bearer", NULL};
	(void)state;
	live(NULL, auth);
}

/* A version that is too old when the child is found again: it is replaced at once. */
static void an_old_version_is_replaced_at_adoption(void **state)
{
	struct python p;
	struct ob_error err;
	(void)state;
	begin(&p, NULL, NULL);
	start(&p);
	int32_t pid = ob_connector_pid(p.family.connector);
	expect(ob_connector_detach(p.family.connector, &err), OB_OK, &err, NULL);
	ob_connector_close(p.family.connector);
	p.argv[4] = "5";
	p.family.options.version = 5;
	connector(&p);
	expect(ob_connector_start_or_reconnect(p.family.connector, 0, NULL, &err), OB_OK, &err,
	       NULL);
	assert_int_not_equal(ob_connector_pid(p.family.connector), pid);
	assert_false(family_alive(pid));
	calls(&p);
	end(&p);
}

/* It does not serve what the config from its parent does not allow; and it reports what it does
 * not support. */
static void it_reports_what_it_does_not_support(void **state)
{
	static const char *const listens[] = {"vsock://any:5000", "hvsock:///nowhere/v.sock:52"};
	static const char *const auth[] = {"token", NULL};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct python p;
		struct ob_error err;
		begin(&p, listens[i], auth);
		p.family.options.connect = "tcp://127.0.0.1:1";
		connector(&p);
		expect(ob_connector_start(p.family.connector, 0, NULL, &err), OB_EEXITED, &err,
		       "status 1");
		logged(&p, "not known here: transport", 1);
		end(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_life_over_unix),
	    cmocka_unit_test(a_life_over_tcp),
	    cmocka_unit_test(a_life_that_dials_home),
	    cmocka_unit_test(a_life_with_peercred_and_bearer),
	    cmocka_unit_test(an_old_version_is_replaced_at_adoption),
	    cmocka_unit_test(it_reports_what_it_does_not_support),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
