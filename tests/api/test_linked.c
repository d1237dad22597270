/* SPDX-License-Identifier: MIT */
/* A plugin that is part of the program: it is registered by its list, and then works like one
 * from a file. */
#include "support/scratch.h"

#include <outboard/auth.h>
#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- The plugin ---- */

static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	const struct ob_peer *peer = params->peer;
	bool same = (peer->known & OB_PEER_UID) != 0 && peer->uid == geteuid();
	return same ? OB_OK
		    : (host->fail)(reterr, OB_EAUTH, 0, "peeruid: the peer is somebody else");
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops, .flags = OB_AUTH_LOCAL_ONLY, .admit = admit};

static const struct ob_plugin peeruid = {
    .size = sizeof peeruid, .kind = OB_PLUGIN_AUTH, .name = "peeruid", .version = "1", .ops = &ops};

/* ---- The program ---- */

struct place {
	char *dir, *address;
	ob_runtime *runtime;
};

static int begin(void **state)
{
	struct ob_runtime_options options = {.size = sizeof options, .mode = OB_RUNTIME_THREADED};
	struct place *p = calloc(1, sizeof *p);
	p->dir = scratch_make();
	p->address = scratch_text("unix://%s/s", p->dir);
	assert_int_equal(ob_runtime_new(&options, &p->runtime, NULL), OB_OK);
	*state = p;
	return 0;
}

static int end(void **state)
{
	struct place *p = *state;
	ob_runtime_free(p->runtime);
	scratch_remove(p->dir);
	free(p->address);
	free(p);
	return 0;
}

static void tell_method(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_identity who = {.size = sizeof who};
	struct ob_value method = ob_nil();
	(void)user, (void)params;
	ob_call_identity(call, &who);
	method.type = OB_STRING;
	method.count = (uint32_t)who.method.len;
	method.as.string = (const char *)who.method.data;
	ob_call_reply(call, &method);
}

static const struct ob_method methods[] = {{"method", tell_method}, {NULL, NULL}};

static int serve(const struct place *p, ob_server **ret, struct ob_error *err)
{
	static const char *const auth[] = {"peeruid", NULL};
	struct ob_server_options options = {
	    .size = sizeof options, .runtime = p->runtime, .listen = p->address, .auth = auth};
	int r = ob_server_open(&options, ret, err);
	r = r == OB_OK ? ob_server_expose(*ret, "who", methods, NULL, err) : r;
	return r == OB_OK ? ob_server_start(*ret, err) : r;
}

static void a_registered_plugin_is_found_by_its_name(void **state)
{
	static const char *const auth[] = {"peeruid", NULL};
	struct place *p = *state;
	ob_runtime *runtime = p->runtime;
	ob_server *server = NULL;
	ob_client *client = NULL;
	ob_reply *reply = NULL;
	struct ob_bytes method = ob_bytes_text("");
	struct ob_error err = {.text = ""};
	assert_true(serve(p, &server, &err) < 0);
	ob_server_close(server);
	static const struct ob_plugin *const own[] = {&peeruid, NULL};
	int r = ob_plugin_register(runtime, own, "built in", &err);
	assert_int_equal(r, OB_OK);
	/* A name can be registered once. */
	assert_int_equal(ob_plugin_register(runtime, own, "built in", &err), OB_EEXIST);
	if (serve(p, &server, &err) != OB_OK) {
		fail_msg("%s", err.text);
	}
	struct ob_client_options options = {
	    .size = sizeof options, .address = p->address, .auth = auth};
	assert_int_equal(ob_client_connect(runtime, &options, NULL, &client, &err), OB_OK);
	assert_int_equal(ob_reply_new(&reply, &err), OB_OK);
	assert_int_equal(ob_client_callf(client, 0, reply, &err, "who.method", "[]"), OB_OK);
	assert_true(ob_get_string(ob_reply_value(reply), &method) &&
		    ob_bytes_is(method, "peeruid"));
	ob_reply_free(reply);
	ob_client_free(client);
	ob_server_close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_registered_plugin_is_found_by_its_name, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
