/* SPDX-License-Identifier: MIT */
/* No allocation per call in steady state, on either side. Server and client share this process
 * and its loop, and every malloc is counted, including those of libraries. */
#include "support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <outboard/outboard.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static atomic_long allocations;

#ifndef SANITIZED
/* glibc's own names for the functions that we replace. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_calloc(n, size);
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_realloc(old, size);
}
#endif

enum { WARM_UP = 500, CALLS = 5000, IN_FLIGHT = 64 };

static const char token[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

struct bed {
	ob_runtime *runtime;
	ob_server *server;
	ob_client *client;
	char *dir;
	int left;   /* calls to start */
	int flying; /* started and not ended */
	int failed;
};

static void on_echo(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_replyf(call, "{s:v}", "echo", ob_value_at(params, 0));
}

static void begin_call(struct bed *b);

static void on_reply(void *user, int result, const struct ob_value *value,
		     const struct ob_error *err)
{
	struct bed *b = user;
	(void)err;
	b->failed += result != OB_OK || ob_value_find(value, "echo") == NULL;
	b->flying--;
	if (b->left > 0) {
		begin_call(b);
	} else if (b->flying == 0) {
		ob_runtime_stop(b->runtime);
	}
}

static void begin_call(struct bed *b)
{
	static const char payload[64];
	struct ob_value items[1] = {ob_binary(payload, sizeof payload)};
	struct ob_value params = ob_array(items, 1);
	b->left--;
	b->flying++;
	if (ob_client_call_async(b->client, "bed.echo", &params, 0, on_reply, b, NULL, NULL) < 0) {
		b->failed++;
		b->flying--;
	}
}

static void run_calls(struct bed *b, int calls, int in_flight)
{
	b->left = calls;
	for (int i = 0; i < in_flight; i++) {
		begin_call(b);
	}
	assert_int_equal(ob_runtime_run(b->runtime, 60000), OB_OK);
	assert_int_equal(b->failed, 0);
}

static void on_connected(void *user, ob_client *client, int result, const struct ob_error *err)
{
	struct bed *b = user;
	if (result < 0) {
		fail_msg("%s", err->text);
	}
	b->client = client;
	ob_runtime_stop(b->runtime);
}

static void begin(struct bed *b)
{
	static const struct ob_method methods[] = {{"echo", on_echo}, {NULL, NULL}};
	struct ob_error err;
	memset(b, 0, sizeof *b);
	b->dir = scratch_make();
	char *address = scratch_text("unix://%s/s", b->dir);
	struct ob_server_options so = {.size = sizeof so, .listen = address, .token = token};
	struct ob_client_options co = {.size = sizeof co, .address = address, .token = token};
	assert_int_equal(ob_runtime_new(NULL, &b->runtime, &err), OB_OK);
	so.runtime = b->runtime;
	if (ob_server_open(&so, &b->server, &err) < 0 ||
	    ob_server_expose(b->server, "bed", methods, b, &err) < 0 ||
	    ob_server_start(b->server, &err) < 0 ||
	    ob_client_connect_async(b->runtime, &co, on_connected, b, &err) < 0) {
		fail_msg("%s", err.text);
	}
	assert_int_equal(ob_runtime_run(b->runtime, 10000), OB_OK);
	free(address);
}

static void end(struct bed *b)
{
	ob_client_free(b->client);
	ob_server_close(b->server);
	ob_runtime_free(b->runtime);
	scratch_remove(b->dir);
}

static void a_steady_state_allocates_nothing(void **state)
{
	struct bed b;
	(void)state;
#ifdef SANITIZED
	print_message("skipped: a sanitizer's malloc cannot be counted\n");
	skip();
#endif
	begin(&b);
	static const int widths[] = {1, IN_FLIGHT};
	for (size_t i = 0; i < 2; i++) {
		run_calls(&b, WARM_UP, widths[i]);
		long before = atomic_load(&allocations);
		assert_true(before > 0); /* counting is on */
		run_calls(&b, CALLS, widths[i]);
		assert_int_equal(atomic_load(&allocations) - before, 0);
	}
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_steady_state_allocates_nothing)};
	return cmocka_run_group_tests_name("allocations", tests, NULL, NULL);
}
