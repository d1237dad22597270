/* SPDX-License-Identifier: MIT */
/*
 * kv-child - a key-value store as a child, with an interface `kv`:
 *
 *   get(key)         the value, or nil
 *   set(key, value)
 *   delete(key)      whether the key existed
 *   list()           the keys in order
 *   import(key)      gets the value from the parent's `source.read`, stores it, and then answers
 *
 * After each change it calls the parent's `kv-events.changed(key)`. `kv-child --tick MS` also
 * logs a numbered line every MS.
 */
#include "store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_MAX = 256, VALUE_MAX = 64 * 1024, NO_ROOM = 1, NO_SOURCE = 2 };

struct kv {
	ob_server *server;
	struct store store;
};

static ob_runtime *runtime;

/* ---- Methods ---- */

/* A parameter that must be text of at most max bytes. Returns false after it has answered the
 * call with an error. */
static bool text_param(ob_call *call, const struct ob_value *params, uint32_t i, const char *name,
		       size_t max, struct ob_bytes *ret)
{
	if (ob_get_string(ob_params_get(params, i, name), ret) && ret->len <= max) {
		return true;
	}
	ob_call_fail(call, OB_RPC_INVALID_PARAMS, "%s must be a string of at most %zu bytes", name,
		     max);
	return false;
}

/* Log the change, and notify the parent if it is connected. */
static void tell(struct kv *kv, const char *what, struct ob_bytes key)
{
	ob_log(ob_server_logger(kv->server), OB_LOG_INFO, what, "{s:S}", "key", key.data, key.len);
	ob_client_notifyf(ob_server_parent(kv->server), NULL, "kv-events.changed", "[S]", key.data,
			  key.len);
}

/* Store the value, and answer with it. */
static void put_and_answer(struct kv *kv, ob_call *call, struct ob_bytes key, struct ob_bytes value)
{
	if (value.len > VALUE_MAX || !store_put(&kv->store, key, value)) {
		ob_call_fail(call, NO_ROOM, "no room for the value");
		return;
	}
	tell(kv, "set", key);
	ob_call_replyf(call, "S", value.data, value.len);
}

static void on_get(void *user, ob_call *call, const struct ob_value *params)
{
	struct kv *kv = user;
	struct ob_bytes key, value;
	if (!text_param(call, params, 0, "key", KEY_MAX, &key)) {
		return;
	}
	if (store_get(&kv->store, key, &value)) {
		ob_call_replyf(call, "S", value.data, value.len);
	} else {
		ob_call_replyf(call, "n");
	}
}

static void on_set(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_bytes key, value;
	if (text_param(call, params, 0, "key", KEY_MAX, &key) &&
	    text_param(call, params, 1, "value", VALUE_MAX, &value)) {
		put_and_answer(user, call, key, value);
	}
}

static void on_delete(void *user, ob_call *call, const struct ob_value *params)
{
	struct kv *kv = user;
	struct ob_bytes key;
	if (!text_param(call, params, 0, "key", KEY_MAX, &key)) {
		return;
	}
	bool found = store_delete(&kv->store, key);
	if (found) {
		tell(kv, "delete", key);
	}
	ob_call_replyf(call, "b", found);
}

static void on_list(void *user, ob_call *call, const struct ob_value *params)
{
	struct kv *kv = user;
	struct ob_value *keys = calloc(kv->store.count + 1, sizeof *keys);
	(void)params;
	if (keys == NULL) {
		ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
		return;
	}
	for (size_t i = 0; i < kv->store.count; i++) {
		struct ob_bytes key = kv->store.entries[i].key;
		keys[i] = ob_stringn((const char *)key.data, key.len);
	}
	struct ob_value list = ob_array(keys, (uint32_t)kv->store.count);
	ob_call_reply(call, &list);
	free(keys);
}

/* ---- Import: answered later, after a call to the parent ---- */

struct import {
	struct kv *kv;
	ob_call *call;
	struct ob_bytes key; /* in the params, which a deferred call keeps until its answer */
};

static void on_read(void *user, int result, const struct ob_value *value,
		    const struct ob_error *err)
{
	struct import *import = user;
	struct ob_bytes text;
	if (result != OB_OK) {
		ob_call_fail(import->call, NO_SOURCE, "the parent's source: %s", err->text);
	} else if (!ob_get_string(value, &text)) {
		ob_call_fail(import->call, NO_SOURCE, "the parent's source gave no string");
	} else {
		put_and_answer(import->kv, import->call, import->key, text);
	}
	free(import);
}

/* Ask the parent. A failure is answered at once. */
static void ask_source(struct import *import)
{
	struct ob_value key = ob_stringn((const char *)import->key.data, import->key.len);
	struct ob_value params = ob_array(&key, 1);
	struct ob_error err;
	if (ob_client_call_async(ob_server_parent(import->kv->server), "source.read", &params, 0,
				 on_read, import, NULL, &err) != OB_OK) {
		ob_call_fail(import->call, NO_SOURCE, "the parent's source: %s", err.text);
		free(import);
	}
}

static void on_import(void *user, ob_call *call, const struct ob_value *params)
{
	struct import *import;
	struct ob_bytes key;
	if (!text_param(call, params, 0, "key", KEY_MAX, &key)) {
		return;
	}
	import = malloc(sizeof *import);
	if (import == NULL) {
		ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
		return;
	}
	*import = (struct import){.kv = user, .call = call};
	params = ob_call_defer(call);
	if (params == NULL) {
		free(import);
		return;
	}
	(void)ob_get_string(ob_params_get(params, 0, "key"), &import->key);
	ask_source(import);
}

/* ---- Health and life ---- */

static bool has_room(void *user, struct ob_error *why)
{
	const struct kv *kv = user;
	if (kv->store.count < STORE_MAX) {
		return true;
	}
	snprintf(why->text, sizeof why->text, "full: %zu entries", kv->store.count);
	return false;
}

/* A parent stops its child with SIGINT. */
static void on_signal(int number)
{
	(void)number;
	ob_runtime_stop(runtime);
}

static void on_shutdown(void *user, ob_server *server)
{
	(void)user;
	(void)server;
	ob_runtime_stop(runtime);
}

static int start(struct kv *kv, struct ob_error *reterr)
{
	static const struct ob_method methods[] = {{"get", on_get},	  {"set", on_set},
						   {"delete", on_delete}, {"list", on_list},
						   {"import", on_import}, {NULL, NULL}};
	struct ob_server_options options = {
	    .size = sizeof options, .version = 1, .shutdown = on_shutdown};
	int r = ob_runtime_new(NULL, &runtime, reterr);
	options.runtime = runtime;
	r = r == OB_OK ? ob_server_open(&options, &kv->server, reterr) : r;
	r = r == OB_OK ? ob_server_expose(kv->server, "kv", methods, kv, reterr) : r;
	r = r == OB_OK ? ob_server_add_probe(kv->server, "store", has_room, kv, reterr) : r;
	if (r == OB_OK) {
		signal(SIGINT, on_signal);
		signal(SIGTERM, on_signal);
	}
	return r == OB_OK ? ob_server_start(kv->server, reterr) : r;
}

/* Turn the loop until it is ended; with tick_ms, log a line every tick. */
static void run(struct kv *kv, int64_t tick_ms)
{
	ob_logger *log = ob_server_logger(kv->server);
	int64_t ticks = 0;
	while (ob_runtime_run(runtime, tick_ms > 0 ? tick_ms : -1) == OB_ETIMEDOUT) {
		ob_log(log, OB_LOG_INFO, "tick", "{s:I}", "n", ++ticks);
	}
	ob_log(log, OB_LOG_INFO, "bye", "{s:U}", "entries", (uint64_t)kv->store.count);
}

int main(int argc, char **argv)
{
	struct kv kv = {0};
	struct ob_error err;
	int r = start(&kv, &err);
	if (r == OB_OK) {
		run(&kv, argc == 3 && strcmp(argv[1], "--tick") == 0 ? atoi(argv[2]) : 0);
	} else {
		fprintf(stderr, "kv-child: %s\n", err.text);
	}
	/* From here on a signal would find no runtime. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	ob_server_close(kv.server);
	ob_runtime_free(runtime);
	store_clear(&kv.store);
	return r == OB_OK ? 0 : 1;
}
