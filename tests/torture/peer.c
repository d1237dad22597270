/* SPDX-License-Identifier: MIT */
/* torture/peer - scenarios of a server and a client of it in one process. */
#include "torture/torture.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bed {
	const char *scheme; /* what stands before the address */
	const char *codec;
	const char *auth[3];
	const char *rules[4];
	bool spare_server; /* nothing of the server's start fails */
};

static ob_runtime *runtime;
static ob_server *server;

/* ---- The server ---- */

static void on_echo(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_reply(call, ob_value_at(params, 0));
}

static void *answer(void *call)
{
	ob_call_replyf(call, "s", "later");
	return NULL;
}

static void on_later(void *user, ob_call *call, const struct ob_value *params)
{
	pthread_t thread;
	(void)user;
	(void)params;
	if (ob_call_defer(call) == NULL) {
		return;
	}
	if (pthread_create(&thread, NULL, answer, call) == 0) {
		pthread_join(thread, NULL);
	} else {
		ob_call_fail(call, 1, "no thread");
	}
}

static void on_refuse(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)params;
	ob_call_fail(call, 7, "refused as it was asked to");
}

/* Never answered before the caller gives up. */
static void on_keep(void *user, ob_call *call, const struct ob_value *params)
{
	(void)params;
	if (ob_call_defer(call) != NULL) {
		ob_call *before = atomic_exchange((ob_call * _Atomic *)user, call);
		if (before != NULL) {
			ob_call_fail(before, 1, "another one is kept");
		}
	}
}

static ob_call *_Atomic kept;
static const struct ob_method methods[] = {
    {"echo", on_echo}, {"later", on_later}, {"refuse", on_refuse}, {NULL, NULL}};
static const struct ob_method keeping[] = {{"keep", on_keep}, {NULL, NULL}};

static bool serve_on(const struct bed *bed, const char *address)
{
	struct ob_error err = {0};
	struct ob_server_options options = {.size = sizeof options,
					    .runtime = runtime,
					    .listen = address,
					    .token = token,
					    .codec = bed->codec,
					    .auth = bed->auth[0] != NULL ? bed->auth : NULL,
					    .rules = bed->rules[0] != NULL ? bed->rules : NULL,
					    .allow_plaintext = true};
	return good("open", ob_server_open(&options, &server, &err), &err) &&
	       good("expose", ob_server_expose(server, "act", methods, NULL, &err), &err) &&
	       good("expose", ob_server_expose(server, "keep", keeping, &kept, &err), &err) &&
	       good("server", ob_server_start(server, &err), &err);
}

/* ---- The client ---- */

typedef void use_fn(ob_client *client);

static void connect_and_use(const struct bed *bed, const char *address, use_fn *use)
{
	struct ob_error err = {0};
	ob_client *client = NULL;
	struct ob_client_options options = {.size = sizeof options,
					    .address = address,
					    .token = token,
					    .codec = bed->codec,
					    .auth = bed->auth[0] != NULL ? bed->auth : NULL,
					    .allow_plaintext = true,
					    .connect_timeout_ms = SHORT_MS};
	if (good("connect", ob_client_connect(runtime, &options, NULL, &client, &err), &err)) {
		use(client);
	}
	ob_client_free(client);
}

static void run(const struct bed *bed, use_fn *use)
{
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_THREADED};
	struct ob_error err = {0};
	char address[512];
	if (strcmp(bed->scheme, "unix") == 0) {
		snprintf(address, sizeof address, "unix://%s/torture.sock", directory);
	} else {
		snprintf(address, sizeof address, "tcp://127.0.0.1:0");
	}
	if (!bed->spare_server) {
		arm();
	}
	if (good("runtime", ob_runtime_new(&o, &runtime, &err), &err) && serve_on(bed, address)) {
		if (bed->spare_server) {
			arm();
		}
		const char *bound = ob_server_config(server)->rpc_addr;
		snprintf(address, sizeof address, "%s", bound != NULL ? bound : address);
		connect_and_use(bed, address, use);
		connect_and_use(bed, address, use);
	}
	ob_call *call = atomic_exchange(&kept, NULL);
	if (call != NULL) {
		ob_call_fail(call, 1, "the end");
	}
	ob_server_close(server);
	ob_runtime_free(runtime);
	disarm();
}

static void use_plainly(ob_client *client)
{
	struct ob_error err = {0};
	call_some(client);
	good("notify", ob_client_notifyf(client, &err, "act.echo", "[i]", 1), &err);
}

/* ---- Scenarios ---- */

static void serve(void)
{
	run(&(struct bed){.scheme = "unix"}, use_plainly);
}

static void client(void)
{
	run(&(struct bed){.scheme = "unix", .spare_server = true}, use_plainly);
}

static void noise(void)
{
	run(&(struct bed){.scheme = "unix", .auth = {"noise"}}, use_plainly);
}

static void tcp(void)
{
	run(&(struct bed){.scheme = "tcp", .auth = {"token"}}, use_plainly);
}

static void json(void)
{
	run(&(struct bed){.scheme = "unix", .codec = "json"}, use_plainly);
}

static void use_big(ob_client *client)
{
	struct ob_error err = {0};
	static char text[200000];
	memset(text, 'a', sizeof text - 1);
	ob_reply *reply = NULL;
	if (good("reply", ob_reply_new(&reply, &err), &err)) {
		good("call",
		     ob_client_callf(client, SHORT_MS, reply, &err, "act.echo", "[s]", text), &err);
	}
	if (err.code == OB_EAGAIN) {
		wrong("a shortage of memory passes for a peer that does not read: %s", err.text);
	}
	ob_reply_free(reply);
}

static void big(void)
{
	run(&(struct bed){.scheme = "unix"}, use_big);
}

static void use_huge(ob_client *client)
{
	struct ob_error err = {0};
	struct ob_bytes back;
	static char text[3000000];
	memset(text, 'a', sizeof text - 1);
	ob_reply *reply = NULL;
	if (good("reply", ob_reply_new(&reply, &err), &err) &&
	    good("call", ob_client_callf(client, SHORT_MS, reply, &err, "act.echo", "[s]", text),
		 &err) &&
	    (!ob_get_string(ob_reply_value(reply), &back) || !ob_bytes_is(back, text))) {
		wrong("another text came back");
	}
	if (err.code == OB_EAGAIN) {
		wrong("a shortage of memory passes for a peer that does not read: %s", err.text);
	}
	ob_reply_free(reply);
}

static void huge(void)
{
	run(&(struct bed){.scheme = "unix"}, use_huge);
}

static void huge_json(void)
{
	run(&(struct bed){.scheme = "unix", .codec = "json"}, use_huge);
}

static void use_errors(ob_client *client)
{
	struct ob_error err = {0};
	ob_reply *reply = NULL;
	if (!good("reply", ob_reply_new(&reply, &err), &err)) {
		return;
	}
	static const char *const failing[] = {"act.refuse", "act.nothing", "nothing.at_all"};
	for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
		if (good(failing[i],
			 ob_client_callf(client, SHORT_MS, reply, &err, failing[i], NULL), &err)) {
			wrong("%s succeeded", failing[i]);
		}
	}
	ob_reply_free(reply);
}

static void errors(void)
{
	run(&(struct bed){.scheme = "unix"}, use_errors);
}

static void use_denied(ob_client *client)
{
	struct ob_error err = {0};
	if (good("denied", ob_client_callf(client, SHORT_MS, NULL, &err, "act.echo", "[i]", 1),
		 &err)) {
		wrong("a call that the rules deny succeeded");
	}
}

/* A server that cannot read its rules must not serve without them. */
static void rules(void)
{
	run(&(struct bed){.scheme = "unix", .rules = {"allow act.later", "deny *"}}, use_denied);
}

static void use_deferred(ob_client *client)
{
	struct ob_error err = {0};
	for (int i = 0; i < 3; i++) {
		good("later", ob_client_callf(client, SHORT_MS, NULL, &err, "act.later", NULL),
		     &err);
	}
}

static void deferred(void)
{
	run(&(struct bed){.scheme = "unix"}, use_deferred);
}

/* ---- Asynchronous calls: every one ends exactly once ---- */

enum { ASYNC = 6 };

static atomic_int ended;

static void on_reply(void *user, int result, const struct ob_value *value,
		     const struct ob_error *err)
{
	(void)user;
	(void)value;
	if (result != OB_EREMOTE) {
		good("asynchronous call", result, err);
	}
	atomic_fetch_add(&ended, 1);
}

static void await_ended(int count)
{
	struct pollfd nothing = {.fd = -1};
	for (int i = 0; i < LONG_MS / 5 && atomic_load(&ended) < count; i++) {
		(void)poll(&nothing, 1, 5);
	}
	if (atomic_load(&ended) != count) {
		wrong("%d of %d calls ended", atomic_load(&ended), count);
	}
}

static void use_async(ob_client *client)
{
	struct ob_error err = {0};
	uint64_t ids[ASYNC] = {0};
	int begun = 0;
	atomic_store(&ended, 0);
	for (int i = 0; i < ASYNC; i++) {
		const char *method = i % 2 == 0 ? "act.echo" : "keep.keep";
		struct ob_value one = ob_int(i), params = ob_array(&one, 1);
		begun += good("call",
			      ob_client_call_async(client, method, &params, LONG_MS, on_reply, NULL,
						   &ids[i], &err),
			      &err);
	}
	for (int i = 1; i < ASYNC; i += 2) {
		ob_client_cancel(client, ids[i]);
	}
	await_ended(begun);
}

static void async(void)
{
	run(&(struct bed){.scheme = "unix"}, use_async);
}

/* A connection that is made without waiting. */
static atomic_bool connected;

static void on_connected(void *user, ob_client *made, int result, const struct ob_error *err)
{
	(void)user;
	if (good("connect", result, err)) {
		ob_client_free(made);
	}
	atomic_store(&connected, true);
}

static void use_another(ob_client *unused)
{
	struct ob_error err = {0};
	struct pollfd nothing = {.fd = -1};
	const struct ob_client_options options = {.size = sizeof options,
						  .address = ob_server_config(server)->rpc_addr,
						  .token = token,
						  .connect_timeout_ms = SHORT_MS};
	(void)unused;
	atomic_store(&connected, false);
	if (!good("connect", ob_client_connect_async(runtime, &options, on_connected, NULL, &err),
		  &err)) {
		return;
	}
	for (int i = 0; i < LONG_MS / 5 && !atomic_load(&connected); i++) {
		(void)poll(&nothing, 1, 5);
	}
	if (!atomic_load(&connected)) {
		wrong("a connect did not end");
	}
}

static void connect_async(void)
{
	run(&(struct bed){.scheme = "unix"}, use_another);
}

const struct scenario peer_scenarios[] = {
    {"serve", serve},
    {"client", client},
    {"noise", noise},
    {"tcp", tcp},
    {"json", json},
    {"rules", rules},
    {"big", big},
    {"huge", huge},
    {"huge_json", huge_json},
    {"errors", errors},
    {"deferred", deferred},
    {"async", async},
    {"connect_async", connect_async},
    {NULL, NULL},
};
