/* SPDX-License-Identifier: MIT */
/* The message limit is set in one place, the options of the connector: the child and clients that
 * find the child by its directories use the same. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/expect.h"
#include "support/scratch.h"

enum { SMALL = 64 << 10, LARGE = 12 << 20 };

static void launch(struct family *f, uint32_t message_max, const char *argument)
{
	family_begin(f, OB_RUNTIME_INLINE, argument, NULL);
	family_child(f, "worker");
	f->options.message_max = message_max;
	family_launch(f);
}

/* Call act.echo with a text of this size. */
static int echo(ob_client *client, size_t size, struct ob_error *err)
{
	ob_reply *reply;
	struct ob_bytes back = {NULL, 0};
	char *text = malloc(size);
	assert_non_null(text);
	memset(text, 'x', size);
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	int r = ob_client_callf(client, 0, reply, err, "act.echo", "[S]", text, size);
	if (r == OB_OK) {
		assert_true(ob_get_string(ob_reply_value(reply), &back));
		assert_int_equal(back.len, size);
	}
	ob_reply_free(reply);
	free(text);
	return r;
}

static ob_client *found(struct family *f)
{
	struct ob_error err = {0};
	ob_client *client = NULL;
	expect(ob_child_connect(f->runtime, f->dir, f->options.state_path, NULL, 0, NULL, &client,
				&err),
	       OB_OK, &err, NULL);
	return client;
}

static int64_t written(struct family *f)
{
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	char *path = family_path(f, "outboard.json");
	expect(ob_config_read(path, &config, &err), OB_OK, &err, NULL);
	int64_t max = config.message_max;
	ob_config_clear(&config);
	free(path);
	return max;
}

static void all_use_the_limit_of_the_connector(void **state)
{
	struct family f;
	struct ob_error err = {0};
	(void)state;
	launch(&f, LARGE, NULL);
	assert_int_equal(written(&f), LARGE);
	expect(echo(ob_connector_client(f.connector), LARGE - 100, &err), OB_OK, &err, NULL);
	expect(echo(ob_connector_client(f.connector), LARGE, &err), OB_ETOOBIG, &err,
	       "is larger than message_max (12582912)");
	ob_client *client = found(&f);
	expect(echo(client, LARGE - 100, &err), OB_OK, &err, NULL);
	ob_client_free(client);
	family_end(&f);
}

/* The option of the child's server does not count, since there is a parent. */
static void the_parent_wins_over_the_child(void **state)
{
	struct family f;
	struct ob_error err = {0};
	(void)state;
	launch(&f, SMALL, "message_max=33554432");
	assert_int_equal(written(&f), SMALL);
	/* 1 MiB of zeros: the result is larger than the call. */
	expect(family_try(&f, 0, &err, "blank", "[i]", 1 << 20), OB_EREMOTE, &err,
	       "is larger than message_max (65536)");
	assert_int_equal(err.remote_code, OB_RPC_TOO_BIG);
	ob_client *client = found(&f);
	expect(echo(client, SMALL, &err), OB_ETOOBIG, &err, "larger than message_max (65536)");
	ob_client_free(client);
	family_end(&f);
}

static void the_default_is_written_too(void **state)
{
	struct family f;
	(void)state;
	launch(&f, 0, NULL);
	assert_int_equal(written(&f), OB_MESSAGE_MAX_DEFAULT);
	family_end(&f);
}

/* A child that runs keeps its limit, whatever a later parent's is. */
static void an_adopted_child_keeps_its_limit(void **state)
{
	struct family f;
	struct ob_error err = {0};
	(void)state;
	launch(&f, SMALL, NULL);
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	ob_connector_close(f.connector);
	f.options.message_max = LARGE;
	family_connector(&f);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	expect(echo(ob_connector_client(f.connector), SMALL, &err), OB_ETOOBIG, &err,
	       "message_max (65536)");
	family_end(&f);
}

/* Also one that dials its parent, which listens before it looks at the limit; and the next start
 * has the parent's again. */
static void an_adopted_child_that_dials_keeps_its_limit(void **state)
{
	struct family f;
	struct ob_error err = {0};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	family_child(&f, "worker");
	char *accept = scratch_text("unix://%s/home.sock", f.scratch);
	f.options.ready = OB_READY_DIAL_HOME;
	f.options.accept = accept;
	f.options.message_max = SMALL;
	family_launch(&f);
	expect(ob_connector_detach(f.connector, &err), OB_OK, &err, NULL);
	ob_connector_close(f.connector);
	f.options.message_max = LARGE;
	family_connector(&f);
	expect(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	expect(echo(ob_connector_client(f.connector), SMALL, &err), OB_ETOOBIG, &err,
	       "message_max (65536)");
	expect(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	expect(echo(ob_connector_client(f.connector), LARGE - 100, &err), OB_OK, &err, NULL);
	family_end(&f);
	free(accept);
}

static void limits_out_of_range_are_refused(void **state)
{
	static const uint32_t wrong[] = {1, OB_MESSAGE_MAX_LOWEST - 1, OB_MESSAGE_MAX_HIGHEST + 1,
					 UINT32_MAX};
	struct family f;
	struct ob_error err = {0};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct ob_client_options client = {
		    .size = sizeof client, .address = "unix:///nowhere", .message_max = wrong[i]};
		struct ob_server_options server = {
		    .size = sizeof server, .listen = "unix:///nowhere", .message_max = wrong[i]};
		ob_client *made = NULL;
		ob_server *opened = NULL;
		f.options.message_max = wrong[i];
		expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EINVAL, &err,
		       "message_max: must be from 4096 to 1073741824 bytes");
		expect(ob_client_connect(f.runtime, &client, NULL, &made, &err), OB_EINVAL, &err,
		       "message_max: must be from 4096 to 1073741824 bytes");
		expect(ob_server_open(&server, &opened, &err), OB_EINVAL, &err,
		       "message_max: must be from 4096 to 1073741824 bytes");
	}
	f.options.message_max = OB_MESSAGE_MAX_HIGHEST;
	family_launch(&f);
	family_call(&f, "echo", "[i]", 1);
	family_end(&f);
}

/* Also in the file, which another parent may have written. */
static void a_server_refuses_a_config_with_such_a_limit(void **state)
{
	struct ob_config config = {.size = sizeof config, .message_max = 5};
	struct ob_error err = {0};
	ob_server *server = NULL;
	char *dir = scratch_make(), *path = scratch_text("%s/outboard.json", dir);
	struct ob_server_options options = {.size = sizeof options, .config_path = path};
	(void)state;
	expect(ob_config_write(path, &config, &err), OB_OK, &err, NULL);
	expect(ob_server_open(&options, &server, &err), OB_EINVAL, &err,
	       "message_max: must be from 4096 to 1073741824 bytes, and is 5 in the outboard "
	       "config");
	free(path);
	scratch_remove(dir);
}

/* Nor does a client take it from a child, not even where its lower bits would do. */
static void a_client_refuses_a_child_with_such_a_limit(void **state)
{
	static const int64_t wrong[] = {-1, 5, OB_MESSAGE_MAX_HIGHEST + INT64_C(1),
					INT64_C(1) << 32, (INT64_C(1) << 32) + SMALL};
	char *dir = scratch_make(), *path = scratch_text("%s/outboard.json", dir), *address;
	struct ob_error err = {0};
	ob_runtime *runtime = NULL;
	ob_client *client = NULL;
	(void)state;
	address = scratch_text("unix://%s/rpc.sock", dir);
	assert_int_equal(ob_runtime_new(NULL, &runtime, NULL), OB_OK);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct ob_config config = {.size = sizeof config,
					   .rpc_addr = address,
					   .ready = true,
					   .message_max = wrong[i]};
		expect(ob_config_write(path, &config, &err), OB_OK, &err, NULL);
		expect(ob_child_connect(runtime, dir, NULL, NULL, 0, NULL, &client, &err),
		       OB_EINVAL, &err, "message_max: must be ");
	}
	ob_runtime_free(runtime);
	free(address);
	free(path);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_use_the_limit_of_the_connector),
	    cmocka_unit_test(the_parent_wins_over_the_child),
	    cmocka_unit_test(the_default_is_written_too),
	    cmocka_unit_test(an_adopted_child_keeps_its_limit),
	    cmocka_unit_test(an_adopted_child_that_dials_keeps_its_limit),
	    cmocka_unit_test(limits_out_of_range_are_refused),
	    cmocka_unit_test(a_server_refuses_a_config_with_such_a_limit),
	    cmocka_unit_test(a_client_refuses_a_child_with_such_a_limit),
	};
	return cmocka_run_group_tests_name("message_max", tests, NULL, NULL);
}
