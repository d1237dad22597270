/* SPDX-License-Identifier: MIT */
/* A child with two listeners: one for its parent, and one for everybody else. */
#include "support/expect.h"
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <outboard/child.h>

#include "support/peer.h"
#include "support/scratch.h"

static const char *const visitor[] = {"visitor", NULL};
static const char settings[] = "{\"client_auth\":{\"visitor\":{\"name\":\"eve\"}}}";
static char *path_before;

static int add_test_plugins(void **state)
{
	(void)state;
	path_before = scratch_text("%s", scratch_env("OUTBOARD_PLUGIN_PATH"));
	char *path = scratch_text("%s:%s/test-plugins", path_before, scratch_env("OB_TEST_BUILD"));
	setenv("OUTBOARD_PLUGIN_PATH", path, 1);
	free(path);
	return 0;
}

static int remove_test_plugins(void **state)
{
	(void)state;
	setenv("OUTBOARD_PLUGIN_PATH", path_before, 1);
	free(path_before);
	return 0;
}

/* ---- A family ---- */

struct bed {
	struct family f;
	char *socket;  /* of the clients */
	char *address; /* the same, as a URI */
};

static void begin(struct bed *bed)
{
	family_begin(&bed->f, OB_RUNTIME_INLINE, "auth_timeout=60000", NULL);
	bed->socket = scratch_text("%s/clients.sock", bed->f.scratch);
	bed->address = scratch_text("unix://%s", bed->socket);
	bed->f.options.client_listen = bed->address;
	bed->f.options.client_auth = visitor;
	bed->f.options.child_settings = settings;
}

static void end(struct bed *bed)
{
	family_end(&bed->f);
	free(bed->socket);
	free(bed->address);
}

static int dial(ob_runtime *runtime, const char *address, const char *const *auth, ob_client **ret,
		struct ob_error *reterr)
{
	const struct ob_client_options options = {
	    .size = sizeof options, .address = address, .auth = auth};
	*ret = NULL;
	return ob_client_connect(runtime, &options, NULL, ret, reterr);
}

static ob_client *must_dial(ob_runtime *runtime, const char *address, const char *const *auth)
{
	struct ob_error err;
	ob_client *client;
	expect(dial(runtime, address, auth, &client, &err), OB_OK, &err, NULL);
	return client;
}

/* A dialer whose mechanisms send nothing learns it only from the first call. */
static void assert_refused(ob_runtime *runtime, const char *address, const char *const *auth)
{
	struct ob_error err;
	ob_client *client;
	int r = dial(runtime, address, auth, &client, &err);
	r = r == OB_OK ? ob_client_call(client, "outboard.ping", NULL, 0, NULL, NULL, &err) : r;
	assert_true(r < 0);
	ob_client_free(client);
}

/* Call with one text. Returns OB_OK, or the code on the wire with its message in err. */
static int64_t ask(ob_client *client, const char *method, const char *text, struct ob_error *err)
{
	int r = ob_client_callf(client, FAMILY_WAIT_MS, NULL, err, method, "[s]", text);
	if (r != OB_OK && r != OB_EREMOTE) {
		fail_msg("%s: %s", method, err->text);
	}
	return r == OB_OK ? OB_OK : err->remote_code;
}

/* What the child says of this caller. */
static void assert_known_as(ob_client *client, const char *subject, uint64_t listener)
{
	struct ob_error err;
	struct ob_bytes text = {NULL, 0};
	uint64_t number = 99;
	ob_reply *reply;
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	expect(ob_client_callf(client, FAMILY_WAIT_MS, reply, &err, "act.who", "[b]", false), OB_OK,
	       &err, NULL);
	assert_true(ob_get_string(ob_value_at(ob_reply_value(reply), 0), &text));
	assert_true(ob_bytes_is(text, subject));
	assert_true(ob_get_uint(ob_value_at(ob_reply_value(reply), 4), &number));
	assert_int_equal(number, listener);
	ob_reply_free(reply);
}

static void clients_come_by_a_listener_of_their_own(void **state)
{
	struct bed bed;
	struct ob_error err;
	(void)state;
	begin(&bed);
	bed.f.options.stop_rpc_ms = FAMILY_WAIT_MS; /* it closes its server */
	family_launch(&bed.f);
	assert_string_equal(family_status(&bed.f).client_address, bed.address);
	ob_client *client = must_dial(bed.f.runtime, bed.address, visitor);
	assert_known_as(client, "eve", OB_LISTENER_CLIENT);
	assert_known_as(ob_connector_client(bed.f.connector), "outboard", OB_LISTENER_PARENT);
	/* Neither list is good for the other listener. */
	assert_refused(bed.f.runtime, bed.address, NULL);
	assert_refused(bed.f.runtime, family_status(&bed.f).address, visitor);
	ob_client_free(client);
	expect(ob_connector_stop(bed.f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(access(bed.socket, F_OK), -1);
	assert_string_equal(family_status(&bed.f).client_address, "");
	end(&bed);
}

/* Whatever the rules say, and whatever the peer knows. */
static void fault_111_clients_can_never_supervise(void **state)
{
	static const char *const rules[] = {"allow outboard.supervise outboard-control.shutdown",
					    "allow *", NULL};
	struct ob_config config = {.size = sizeof config};
	struct ob_error err;
	struct bed bed;
	(void)state;
	begin(&bed);
	bed.f.options.rules = rules;
	bed.f.options.client_auth = NULL; /* peercred and token, as the parent has them */
	bed.f.options.child_settings = NULL;
	family_launch(&bed.f);
	char *path = family_path(&bed.f, "outboard.json");
	assert_int_equal(ob_config_read(path, &config, NULL), OB_OK);
	const struct ob_client_options options = {
	    .size = sizeof options, .address = config.client_addr, .token = config.token};
	ob_client *client;
	expect(ob_client_connect(bed.f.runtime, &options, NULL, &client, &err), OB_OK, &err, NULL);
	assert_int_equal(ask(client, "outboard.supervise", config.instance, &err), OB_RPC_DENIED);
	assert_non_null(strstr(err.text, "listener for clients"));
	assert_int_equal(family_status(&bed.f).link, OB_LINK_UP);
	/* The same peer may, by the listener of the parent. */
	const struct ob_client_options parents = {
	    .size = sizeof options, .address = config.rpc_addr, .token = config.token};
	ob_client *other;
	expect(ob_client_connect(bed.f.runtime, &parents, NULL, &other, &err), OB_OK, &err, NULL);
	assert_int_equal(ask(other, "outboard.supervise", config.instance, &err), OB_OK);
	ob_client_free(other);
	ob_client_free(client);
	ob_config_clear(&config);
	free(path);
	end(&bed);
}

static void rules_tell_the_listeners_apart(void **state)
{
	static const char *const rules[] = {"allow listener=client subject=eve act.who",
					    "allow listener=parent *", "deny *", NULL};
	struct ob_error err;
	struct bed bed;
	(void)state;
	begin(&bed);
	bed.f.options.rules = rules;
	family_launch(&bed.f);
	ob_client *client = must_dial(bed.f.runtime, bed.address, visitor);
	assert_known_as(client, "eve", OB_LISTENER_CLIENT);
	assert_int_equal(ask(client, "act.echo", "x", &err), OB_RPC_DENIED);
	assert_int_equal(ask(ob_connector_client(bed.f.connector), "act.echo", "x", &err), OB_OK);
	ob_client_free(client);
	end(&bed);
}

/* ---- The parent gets through ---- */

/* So many silent clients that they would take every slot there is: a connection that has said
 * nothing at the listener of the parent keeps its own. */
static void fault_111_silent_clients_do_not_keep_the_parent_out(void **state)
{
	enum { MANY = 300 };
	static const char *const token[] = {"token", NULL};
	struct ob_error err;
	struct bed bed;
	int silent[MANY], refused = 0;
	(void)state;
	char byte;
	begin(&bed);
	bed.f.options.client_auth = token;
	bed.f.options.child_settings = NULL;
	family_launch(&bed.f);
	char *path = family_path(&bed.f, "rpc.sock");
	int first = peer_dial(path);
	for (int i = 0; i < MANY; i++) {
		silent[i] = peer_dial(bed.socket);
	}
	for (int i = 0; i < 10; i++) {
		(void)family_call(&bed.f, "echo", "[i]", i); /* all are accepted meanwhile */
	}
	assert_int_equal(recv(first, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	for (int i = 0; i < MANY; i++) {
		refused += recv(silent[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
	}
	assert_true(refused > 0); /* their slots are taken */
	expect(ob_connector_detach(bed.f.connector, &err), OB_OK, &err, NULL);
	ob_connector *next = family_another(&bed.f);
	expect(ob_connector_reconnect(next, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(ask(ob_connector_client(next), "act.echo", "x", &err), OB_OK);
	ob_connector_close(bed.f.connector);
	bed.f.connector = next;
	assert_int_equal(recv(first, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	for (int i = 0; i < MANY; i++) {
		close(silent[i]);
	}
	close(first);
	free(path);
	end(&bed);
}

/* Clients that have authenticated, until the child has no descriptor left for another one. */
static void fault_111_clients_do_not_take_the_last_descriptor(void **state)
{
	enum { MOST = 40 };
	static const struct ob_rlimit limits[] = {{"nofile", MOST, MOST}, {NULL, 0, 0}};
	struct ob_error err;
	struct bed bed;
	ob_client *clients[MOST];
	int count = 0;
	(void)state;
	begin(&bed);
	bed.f.options.limits = limits;
	bed.f.options.lock_wait_ms = 0;
	family_launch(&bed.f);
	while (count < MOST &&
	       dial(bed.f.runtime, bed.address, visitor, &clients[count], &err) == OB_OK &&
	       ob_client_call(clients[count], "outboard.ping", NULL, FAMILY_WAIT_MS, NULL, NULL,
			      &err) == OB_OK) {
		count++;
	}
	assert_in_range(count, 1, MOST - 1);
	ob_client_free(clients[count]);
	/* A second connection by the listener of the parent, while the first one lives. */
	ob_client *client;
	char *state_path = scratch_text("%s.state", bed.f.dir);
	expect(ob_child_connect(bed.f.runtime, bed.f.dir, state_path, NULL, FAMILY_WAIT_MS, NULL,
				&client, &err),
	       OB_OK, &err, NULL);
	assert_int_equal(ask(client, "act.echo", "x", &err), OB_OK);
	ob_client_free(client);
	free(state_path);
	while (count > 0) {
		ob_client_free(clients[--count]);
	}
	end(&bed);
}

/* ---- The next parent ---- */

static void the_address_of_clients_is_kept_for_the_next_parent(void **state)
{
	static const char *const peers[] = {"peercred", NULL};
	struct ob_status status = {.size = sizeof status};
	struct ob_error err;
	struct bed bed;
	(void)state;
	begin(&bed);
	bed.f.options.allow_plaintext = true;
	bed.f.options.client_listen = "tcp://127.0.0.1:0";
	family_launch(&bed.f);
	char *address = scratch_text("%s", family_status(&bed.f).client_address);
	assert_int_equal(strncmp(address, "tcp://127.0.0.1:", 16), 0);
	assert_string_not_equal(address, "tcp://127.0.0.1:0");
	ob_client *client;
	const struct ob_client_options options = {
	    .size = sizeof options, .address = address, .auth = visitor, .allow_plaintext = true};
	expect(ob_client_connect(bed.f.runtime, &options, NULL, &client, &err), OB_OK, &err, NULL);
	assert_known_as(client, "eve", OB_LISTENER_CLIENT);
	expect(ob_connector_detach(bed.f.connector, &err), OB_OK, &err, NULL);
	expect(ob_child_status(bed.f.runtime, bed.f.dir, NULL, &bed.f.options, &status, NULL, &err),
	       OB_OK, &err, NULL);
	assert_string_equal(status.client_address, address);
	assert_false(status.stale);
	/* A child that was started with another list is stale. */
	bed.f.options.client_auth = peers;
	expect(ob_child_status(bed.f.runtime, bed.f.dir, NULL, &bed.f.options, &status, NULL, &err),
	       OB_OK, &err, NULL);
	assert_true(status.stale);
	bed.f.options.client_auth = visitor;
	ob_connector *next = family_another(&bed.f);
	expect(ob_connector_reconnect(next, 0, NULL, &err), OB_OK, &err, NULL);
	ob_connector_close(bed.f.connector);
	bed.f.connector = next;
	assert_string_equal(family_status(&bed.f).client_address, address);
	ob_client_free(client);
	free(address);
	end(&bed);
}

/* ---- A server without a parent ---- */

struct alone {
	char *dir, *path[2], *address[2];
	ob_runtime *runtime;
	ob_server *server;
	struct ob_server_options options;
};

static void begin_alone(struct alone *a)
{
	const struct ob_runtime_options threaded = {.size = sizeof threaded,
						    .mode = OB_RUNTIME_THREADED};
	static const char *const peercred[] = {"peercred", NULL};
	*a = (struct alone){.dir = scratch_make()};
	for (int i = 0; i < 2; i++) {
		a->path[i] = scratch_text("%s/%d", a->dir, i);
		a->address[i] = scratch_text("unix://%s", a->path[i]);
	}
	assert_int_equal(ob_runtime_new(&threaded, &a->runtime, NULL), OB_OK);
	a->options = (struct ob_server_options){.size = sizeof a->options,
						.runtime = a->runtime,
						.listen = a->address[0],
						.auth = peercred,
						.client_listen = a->address[1],
						.client_auth = visitor,
						.settings = settings};
}

static void end_alone(struct alone *a)
{
	ob_server_close(a->server);
	ob_runtime_free(a->runtime);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(access(a->path[i], F_OK), -1);
		free(a->path[i]);
		free(a->address[i]);
	}
	scratch_remove(a->dir);
}

static void assert_served(const struct alone *a, int which)
{
	struct ob_error err;
	const char *const *auth = which == 0 ? a->options.auth : a->options.client_auth;
	ob_client *client = must_dial(a->runtime, a->address[which], auth);
	expect(ob_client_call(client, "outboard.ping", NULL, 0, NULL, NULL, &err), OB_OK, &err,
	       NULL);
	ob_client_free(client);
}

static void refuse_to_start(struct alone *a, int code, const char *why)
{
	struct ob_error err;
	expect(ob_server_open(&a->options, &a->server, &err), OB_OK, &err, NULL);
	expect(ob_server_start(a->server, &err), code, &err, why);
	ob_server_close(a->server);
	a->server = NULL;
}

static void a_server_may_have_clients_only_at_the_second_listener(void **state)
{
	struct alone a;
	(void)state;
	begin_alone(&a);
	const struct ob_server_options good = a.options;
	a.options.auth = visitor;
	refuse_to_start(&a, OB_EPERM, "authenticator visitor may only be in client_auth");
	a.options = good;
	a.options.client_listen = NULL;
	refuse_to_start(&a, OB_EINVAL, "client_auth requires client_listen");
	a.options.client_auth = NULL;
	refuse_to_start(&a, OB_EINVAL, "settings: unknown key \"client_auth\"");
	a.options = good;
	a.options.settings = "{\"client_auth\":{\"visitor\":{\"name\":7}}}";
	refuse_to_start(&a, OB_EINVAL, "client_listen: auth visitor: settings: name: required");
	end_alone(&a);
}

/* A start that fails at one listener leaves neither. */
static void both_listen_or_none(void **state)
{
	struct ob_error err;
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct alone a;
		begin_alone(&a);
		scratch_write(a.path[i], "", 0, 0600);
		expect(ob_server_open(&a.options, &a.server, &err), OB_OK, &err, NULL);
		expect(ob_server_start(a.server, &err), OB_EEXIST, &err, a.path[i]);
		assert_int_equal(access(a.path[1 - i], F_OK), -1);
		assert_int_equal(unlink(a.path[i]), 0);
		expect(ob_server_start(a.server, &err), OB_OK, &err, NULL);
		assert_string_equal(ob_server_config(a.server)->rpc_addr, a.address[0]);
		assert_string_equal(ob_server_config(a.server)->client_addr, a.address[1]);
		assert_served(&a, 0);
		assert_served(&a, 1);
		end_alone(&a);
	}
}

static bool answers(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		return false;
	}
	close(peer_dial(path));
	return true;
}

/* Whichever socket file was lost is made anew. One that is taken by somebody else is an error; the
 * other is made anew all the same. */
static void a_lost_socket_is_made_anew(void **state)
{
	struct ob_error err;
	struct alone a;
	(void)state;
	begin_alone(&a);
	a.options.runtime = NULL;
	expect(ob_server_open(&a.options, &a.server, &err), OB_OK, &err, NULL);
	expect(ob_server_start(a.server, &err), OB_OK, &err, NULL);
	for (int lost = 1; lost < 4; lost++) {
		for (int i = 0; i < 2; i++) {
			assert_int_equal((lost & 1 << i) != 0 ? unlink(a.path[i]) : 0, 0);
		}
		expect(ob_server_listen_again(a.server, &err), OB_OK, &err, NULL);
		assert_true(answers(a.path[0]));
		assert_true(answers(a.path[1]));
	}
	expect(ob_server_listen_again(a.server, &err), OB_EEXIST, &err, a.path[0]);
	for (int i = 0; i < 2; i++) {
		assert_true(answers(a.path[0]));
		assert_true(answers(a.path[1]));
		assert_int_equal(unlink(a.path[0]) | unlink(a.path[1]), 0);
		int other = peer_listen(a.path[i]);
		expect(ob_server_listen_again(a.server, &err), OB_EEXIST, &err, a.path[i]);
		assert_true(answers(a.path[1 - i]));
		close(other);
		expect(ob_server_listen_again(a.server, &err), OB_OK, &err, NULL);
	}
	end_alone(&a);
}

/* ---- What is refused ---- */

static void expect_refused(const struct ob_connector_options *options, int code, const char *why)
{
	struct ob_error err;
	ob_runtime *runtime;
	ob_connector *connector;
	assert_int_equal(ob_runtime_new(NULL, &runtime, NULL), OB_OK);
	expect(ob_connector_new(runtime, options, &connector, &err), code, &err, why);
	expect(ob_connector_options_check(runtime, options, NULL, NULL, &err), OB_EINVAL, &err,
	       why);
	ob_runtime_free(runtime);
}

static struct ob_connector_options good_options(void)
{
	static const char *const command[] = {"/bin/true", NULL};
	return (struct ob_connector_options){.size = sizeof(struct ob_connector_options),
					     .name = "child",
					     .data_path = "/no/such/data",
					     .argv = command,
					     .client_listen = "unix:///no/such/clients",
					     .client_auth = visitor,
					     .child_settings = settings};
}

static void bad_lists_are_refused(void **state)
{
	static const char *const empty[] = {NULL}, *const unknown[] = {"nonsense", NULL};
	static const char *const both[] = {"peercred", "visitor", NULL};
	struct ob_connector_options o = good_options();
	ob_runtime *runtime;
	struct ob_error err;
	(void)state;
	assert_int_equal(ob_runtime_new(NULL, &runtime, NULL), OB_OK);
	expect(ob_connector_options_check(runtime, &o, NULL, NULL, &err), OB_OK, &err, NULL);
	ob_runtime_free(runtime);
	o.client_listen = NULL;
	expect_refused(&o, OB_EINVAL, "client_auth: requires client_listen");
	o.client_auth = NULL;
	o.client_transport = "unix";
	expect_refused(&o, OB_EINVAL, "client_transport: requires client_listen");
	o = good_options();
	o.client_listen = "unix:///no/such/data/rpc.sock";
	expect_refused(&o, OB_EINVAL, "client_listen: is the address of listen");
	o.listen = "unix:///x?mode=0660";
	o.client_listen = "unix:///x";
	expect_refused(&o, OB_EINVAL, "client_listen: is the address of listen");
	o = good_options();
	o.auth = both;
	expect_refused(&o, OB_EPERM, "authenticator visitor may only be in client_auth");
	o = good_options();
	o.client_auth = unknown;
	expect_refused(&o, OB_EPLUGIN, "nonsense");
	o.client_auth = empty;
	expect_refused(&o, OB_EINVAL, "the list of authenticators is empty");
	o = good_options();
	o.client_listen = "tcp://0.0.0.0:7";
	expect_refused(&o, OB_EPERM, "transport tcp without encryption is refused");
	o.client_transport = "unix";
	expect_refused(&o, OB_EINVAL, "transport unix does not support tcp");
}

/* The parent does not configure them, so only a check finds these. */
static void settings_for_clients_are_checked(void **state)
{
	static const struct {
		const char *text, *why;
	} table[] = {
	    {"{\"client_auth\":{\"visitor\":{}}}", "auth visitor: settings: name: required"},
	    {"{\"client_auth\":{\"peercred\":{}}}",
	     "settings: client_auth: peercred is not among the authenticators"},
	    {"{\"client_auth\":[]}", "settings: client_auth: not an object"},
	    {"{\"client_auths\":{}}", "settings: unknown key \"client_auths\""},
	    {"{\"client_transport\":{\"a\":1}}", "transport unix takes no settings"},
	};
	ob_runtime *runtime;
	struct ob_error err;
	(void)state;
	assert_int_equal(ob_runtime_new(NULL, &runtime, NULL), OB_OK);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct ob_connector_options o = good_options();
		o.child_settings = table[i].text;
		expect(ob_connector_options_check(runtime, &o, NULL, NULL, &err), OB_EINVAL, &err,
		       table[i].why);
		o.client_transport = NULL;
	}
	ob_runtime_free(runtime);
}

/* A child that cannot listen for its clients does not serve its parent either. */
static void a_child_with_a_bad_list_does_not_start(void **state)
{
	struct ob_error err;
	struct bed bed;
	(void)state;
	begin(&bed);
	bed.f.options.child_settings = "{\"client_auth\":{\"visitor\":{\"name\":7}}}";
	family_connector(&bed.f);
	expect(ob_connector_start(bed.f.connector, 0, NULL, &err), OB_EEXITED, &err, NULL);
	end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clients_come_by_a_listener_of_their_own),
	    cmocka_unit_test(fault_111_clients_can_never_supervise),
	    cmocka_unit_test(rules_tell_the_listeners_apart),
	    cmocka_unit_test(fault_111_silent_clients_do_not_keep_the_parent_out),
	    cmocka_unit_test(fault_111_clients_do_not_take_the_last_descriptor),
	    cmocka_unit_test(the_address_of_clients_is_kept_for_the_next_parent),
	    cmocka_unit_test(a_server_may_have_clients_only_at_the_second_listener),
	    cmocka_unit_test(both_listen_or_none),
	    cmocka_unit_test(a_lost_socket_is_made_anew),
	    cmocka_unit_test(bad_lists_are_refused),
	    cmocka_unit_test(settings_for_clients_are_checked),
	    cmocka_unit_test(a_child_with_a_bad_list_does_not_start),
	};
	return cmocka_run_group_tests(tests, add_test_plugins, remove_test_plugins);
}
