/* SPDX-License-Identifier: MIT */
/* Who may call what of a child: its parent, other clients with the token, and clients known only
 * by the kernel. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/scratch.h"

enum { SOMEBODY = 12345, SOMEBODY_ELSE = 12346 };

static void start(struct family *f)
{
	struct ob_error err;
	family_connector(f);
	if (ob_connector_start(f->connector, 0, NULL, &err) != OB_OK) {
		fail_msg("%s", err.text);
	}
}

/* ---- Another client of the child ---- */

/* A client that has read the child's file, as `outboard call` does. */
static ob_client *stranger_with(struct family *f, const char *const *auth)
{
	struct ob_config config = {.size = sizeof config};
	struct ob_error err;
	ob_client *client = NULL;
	char *path = family_path(f, "outboard.json");
	assert_int_equal(ob_config_read(path, &config, &err), OB_OK);
	struct ob_client_options options = {.size = sizeof options,
					    .address = config.rpc_addr,
					    .token = config.token,
					    .auth = auth};
	if (ob_client_connect(f->runtime, &options, NULL, &client, &err) != OB_OK) {
		fail_msg("%s", err.text);
	}
	ob_config_clear(&config);
	free(path);
	return client;
}

static ob_client *stranger(struct family *f)
{
	return stranger_with(f, NULL);
}

/* Call with one number. Returns OB_OK, or the code on the wire. */
static int64_t ask(ob_client *client, const char *method, int64_t number)
{
	struct ob_error err = {0};
	ob_reply *reply = NULL;
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	int r = ob_client_callf(client, FAMILY_WAIT_MS, reply, &err, method, "[I]", number);
	ob_reply_free(reply);
	if (r != OB_OK && r != OB_EREMOTE) {
		fail_msg("%s: %s", method, err.text);
	}
	return r == OB_OK ? OB_OK : err.remote_code;
}

static int64_t ask_to_supervise(ob_client *client, const char *instance)
{
	struct ob_error err = {0};
	ob_reply *reply = NULL;
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	int r = ob_client_callf(client, FAMILY_WAIT_MS, reply, &err, "outboard.supervise", "[s]",
				instance);
	ob_reply_free(reply);
	return r == OB_OK ? OB_OK : err.remote_code;
}

static bool was_denied(void *user)
{
	const struct family *f = user;
	for (uint32_t i = 0; i < f->line_count; i++) {
		if (strstr(f->lines[i], "a call was denied") != NULL) {
			return true;
		}
	}
	return false;
}

/* ---- With the token ---- */

static void rules_decide_about_calls(void **state)
{
	static const char *const rules[] = {"allow parent *", "allow method=token act.echo",
					    "deny *", NULL};
	struct family f;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.rules = rules;
	start(&f);
	family_call(&f, "log", "[i,I]", 1, (int64_t)1);
	ob_client *client = stranger(&f);
	assert_int_equal(ask(client, "act.echo", 7), OB_OK);
	assert_int_equal(ask(client, "act.log", 1), OB_RPC_DENIED);
	assert_int_equal(ask(client, "nobody.has", 1), OB_RPC_DENIED);
	assert_int_equal(ask(client, "outboard-control.health", 1), OB_RPC_DENIED);
	assert_int_equal(ask(client, "outboard-control.shutdown", 1), OB_RPC_DENIED);
	assert_int_equal(ask(client, "outboard.ping", 1), OB_OK);
	ob_client_free(client);
	family_until(&f, was_denied, &f);
	family_call(&f, "log", "[i,I]", 1, (int64_t)2);
	family_end(&f);
}

/* By its name, and by a version that makes the child exit. */
static void only_the_parent_may_end_a_child(void **state)
{
	struct family f;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	int32_t pid = ob_connector_pid(f.connector);
	ob_client *client = stranger(&f);
	assert_int_equal(ask(client, "outboard-control.health", 1), OB_OK);
	assert_int_equal(ask(client, "outboard-control.shutdown", 1), OB_RPC_DENIED);
	/* The token alone does not make a parent: the instance is required, too. */
	assert_int_equal(ask_to_supervise(client, ""), OB_RPC_DENIED);
	assert_int_equal(ask_to_supervise(client, "00112233445566778899aabbccddeeff"),
			 OB_RPC_DENIED);
	assert_int_equal(ask(client, "outboard-control.shutdown", 1), OB_RPC_DENIED);
	assert_int_equal(ask(client, "outboard-control.checkVersion", 999), OB_OK);
	assert_int_equal(ask(client, "act.echo", 1), OB_OK);
	ob_client_free(client);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	assert_int_equal(family_count(&f, OB_EVENT_EXITED), 0);
	assert_int_equal(ask(ob_connector_client(f.connector), "outboard-control.shutdown", 1),
			 OB_OK);
	family_await(&f, OB_EVENT_EXITED, 1);
	family_end(&f);
}

static void a_rule_gives_it_to_others(void **state)
{
	static const char *const rules[] = {"allow outboard-control.shutdown", "deny *", NULL};
	struct family f;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.rules = rules;
	start(&f);
	ob_client *client = stranger(&f);
	assert_int_equal(ask(client, "outboard-control.shutdown", 1), OB_OK);
	ob_client_free(client);
	family_await(&f, OB_EVENT_EXITED, 1);
	family_end(&f);
}

static void invalid_rules_are_refused_at_config_time(void **state)
{
	static const char *const rules[] = {"allow act.echo", "deny everything", NULL};
	static const char *const users[] = {"no such user", NULL};
	struct family f;
	struct ob_error err = {.text = ""};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.rules = rules;
	assert_int_equal(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EINVAL);
	assert_string_equal(err.text,
			    "rules: rule 2: neither a condition nor a method: \"everything\"");
	f.options.rules = NULL;
	f.options.peer_users = users;
	assert_int_equal(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EINVAL);
	assert_non_null(strstr(err.text, "peer_users: user \"no such user\": no such user"));
	f.connector = NULL;
	family_end(&f);
}

/* ---- With only the facts of the kernel ---- */

/* The calling thread, and no other, continues with this user and group, which the peer of its
 * sockets sees. */
static void become(uint32_t uid, uint32_t gid)
{
	if (uid == 0) {
		assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
	}
	assert_int_equal(syscall(SYS_setresgid, -1, gid, -1), 0);
	if (uid != 0) {
		assert_int_equal(syscall(SYS_setresuid, -1, uid, -1), 0);
	}
}

static const char *const peercred[] = {"peercred", NULL};

static int connect_as(struct family *f, const char *const *auth, uint32_t uid, uint32_t gid,
		      ob_client **ret, struct ob_error *err)
{
	char *address = scratch_text("unix://%s/open.sock", f->scratch);
	struct ob_client_options options = {
	    .size = sizeof options, .address = address, .auth = auth};
	become(uid, gid);
	int r = ob_client_connect(f->runtime, &options, NULL, ret, err);
	become(0, 0);
	free(address);
	return r;
}

static bool is_cut_off(ob_client *client)
{
	struct ob_error err = {0};
	ob_reply *reply = NULL;
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	int r = ob_client_callf(client, FAMILY_WAIT_MS, reply, &err, "act.echo", "[i]", 1);
	ob_reply_free(reply);
	return r == OB_ECONNLOST || r == OB_EDOWN;
}

static void only_the_configured_peers_are_admitted(void **state)
{
	static const char *const users[] = {"12345", NULL};
	static const char *const groups[] = {"12346", NULL};
	struct family f;
	struct ob_error err;
	ob_client *client;
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root can act as another user\n");
		skip();
	}
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	char *listen = scratch_text("unix://%s/open.sock?mode=0666", f.scratch);
	assert_int_equal(chmod(f.scratch, 0755), 0);
	f.options.listen = listen;
	f.options.auth = peercred;
	f.options.peer_users = users;
	f.options.peer_groups = groups;
	start(&f);
	assert_int_equal(connect_as(&f, peercred, SOMEBODY, SOMEBODY, &client, &err), OB_OK);
	assert_int_equal(ask(client, "act.echo", 7), OB_OK);
	assert_int_equal(ask(client, "outboard-control.shutdown", 1), OB_RPC_DENIED);
	assert_int_equal(ask(client, "outboard.supervise", 1), OB_RPC_DENIED);
	ob_client_free(client);
	assert_int_equal(connect_as(&f, peercred, SOMEBODY_ELSE, SOMEBODY_ELSE, &client, &err),
			 OB_OK);
	ob_client_free(client);
	if (connect_as(&f, peercred, SOMEBODY_ELSE, SOMEBODY, &client, &err) == OB_OK) {
		/* Without an exchange the dialer learns of its refusal when the connection
		 * ends. */
		assert_true(is_cut_off(client));
		ob_client_free(client);
	}
	family_call(&f, "echo", "[i]", 1); /* we are the parent as before */
	family_end(&f);
	free(listen);
}

/* new_auth accepts peers by a word instead of the secret: such a peer may call, but is not the
 * parent, even with the instance. */
static void an_exchange_without_the_secret_does_not_make_a_parent(void **state)
{
	static const char *const words[] = {"new_auth", NULL};
	struct family f;
	struct ob_error err;
	struct ob_config config = {.size = sizeof config};
	ob_client *client = NULL;
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root can act as another user\n");
		skip();
	}
	char *plugins = scratch_text("%s:%s/test-plugins", scratch_env("OUTBOARD_PLUGIN_PATH"),
				     scratch_env("OB_TEST_BUILD"));
	char *before = scratch_text("%s", scratch_env("OUTBOARD_PLUGIN_PATH"));
	setenv("OUTBOARD_PLUGIN_PATH", plugins, 1);
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	char *listen = scratch_text("unix://%s/open.sock?mode=0666", f.scratch);
	assert_int_equal(chmod(f.scratch, 0755), 0);
	f.options.listen = listen;
	f.options.auth = words;
	start(&f);
	char *path = family_path(&f, "outboard.json");
	assert_int_equal(connect_as(&f, words, SOMEBODY, SOMEBODY, &client, &err), OB_OK);
	assert_int_equal(ask(client, "act.echo", 7), OB_OK);
	assert_int_equal(ob_config_read(path, &config, NULL), OB_OK);
	assert_int_equal(ask_to_supervise(client, config.instance), OB_RPC_DENIED);
	ob_config_clear(&config);
	free(path);
	assert_int_equal(ask(client, "outboard-control.shutdown", 1), OB_RPC_DENIED);
	ob_client_free(client);
	family_call(&f, "echo", "[i]", 1); /* we, with the child's own user, are the parent */
	family_end(&f);
	setenv("OUTBOARD_PLUGIN_PATH", before, 1);
	free(before);
	free(plugins);
	free(listen);
}

/* ---- Facts for handlers ---- */

struct told {
	char subject[32], method[32];
	bool has_uid, parent;
	uint64_t uid;
};

static struct told who_am_i(ob_client *client, bool later)
{
	struct told told = {.has_uid = false};
	struct ob_error err = {0};
	struct ob_bytes text = ob_bytes_text("");
	ob_reply *reply = NULL;
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	if (ob_client_callf(client, FAMILY_WAIT_MS, reply, &err, "act.who", "[b]", later) !=
	    OB_OK) {
		fail_msg("%s", err.text);
	}
	const struct ob_value *list = ob_reply_value(reply);
	assert_true(ob_get_string(ob_value_at(list, 0), &text));
	snprintf(told.subject, sizeof told.subject, "%.*s", (int)text.len, (const char *)text.data);
	assert_true(ob_get_string(ob_value_at(list, 1), &text));
	snprintf(told.method, sizeof told.method, "%.*s", (int)text.len, (const char *)text.data);
	told.has_uid = ob_get_uint(ob_value_at(list, 2), &told.uid);
	assert_true(ob_get_bool(ob_value_at(list, 3), &told.parent));
	ob_reply_free(reply);
	return told;
}

/* The last mechanism of the list names the subject, besides the facts of the kernel. In the
 * handler, and after it on another thread. */
static void a_handler_can_ask_who_calls(void **state)
{
	static const struct {
		const char *listen, *auth[3], *subject, *method;
		bool has_uid;
	} rows[] = {{NULL, {"peercred", "token", NULL}, "outboard", "token", true},
		    {NULL, {"token", "peercred", NULL}, NULL, "peercred", true},
		    {"tcp://127.0.0.1:0", {"noise", NULL}, "outboard", "noise", false}};
	char ourselves[32];
	(void)state;
	snprintf(ourselves, sizeof ourselves, "uid:%u", geteuid());
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		struct family f;
		bool later = i % 2 == 1;
		family_begin(&f, OB_RUNTIME_INLINE, NULL);
		f.options.listen = rows[i / 2].listen;
		f.options.auth = rows[i / 2].auth;
		start(&f);
		ob_client *client = stranger_with(&f, rows[i / 2].auth);
		const struct told us = who_am_i(ob_connector_client(f.connector), later),
				  other = who_am_i(client, later);
		const char *subject = rows[i / 2].subject != NULL ? rows[i / 2].subject : ourselves;
		assert_string_equal(us.subject, subject);
		assert_string_equal(other.subject, subject);
		assert_string_equal(us.method, rows[i / 2].method);
		assert_true(us.parent && !other.parent);
		assert_int_equal(us.has_uid, rows[i / 2].has_uid);
		assert_true(!us.has_uid || us.uid == geteuid());
		ob_client_free(client);
		family_end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rules_decide_about_calls),
	    cmocka_unit_test(only_the_parent_may_end_a_child),
	    cmocka_unit_test(a_rule_gives_it_to_others),
	    cmocka_unit_test(invalid_rules_are_refused_at_config_time),
	    cmocka_unit_test(only_the_configured_peers_are_admitted),
	    cmocka_unit_test(an_exchange_without_the_secret_does_not_make_a_parent),
	    cmocka_unit_test(a_handler_can_ask_who_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
