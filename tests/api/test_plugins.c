/* SPDX-License-Identifier: MIT */
/* The plugins of a runtime, and plugin files step by step. */
#include <outboard/auth.h>
#include <outboard/codec.h>
#include <outboard/outboard.h>
#include <outboard/transport.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/expect.h"
#include "support/scratch.h"

static ob_runtime *runtime;
static char *made; /* the directory of the plugins made for the tests */

static int set_up(void **state)
{
	(void)state;
	made = scratch_text("%s/test-plugins", scratch_env("OB_TEST_BUILD"));
	return ob_runtime_new(NULL, &runtime, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	ob_runtime_free(runtime);
	free(made);
	return 0;
}

/* ---- Registered plugins ---- */

static void a_plugin_is_found_by_kind_and_name(void **state)
{
	struct ob_plugin_info info = {.size = sizeof info};
	struct ob_error err;
	(void)state;
	expect(ob_plugin_find(runtime, OB_PLUGIN_TRANSPORT, "unix", &info, &err), OB_OK, &err,
	       NULL);
	assert_string_equal(info.name, "unix");
	assert_int_equal(info.kind, OB_PLUGIN_TRANSPORT);
	assert_int_equal(info.flags, OB_TRANSPORT_LOCAL);
	assert_string_equal(info.schemes[0], "unix");
	assert_int_equal(info.table_size, sizeof(struct ob_transport_ops));
	assert_int_equal(info.descriptor_size, sizeof(struct ob_plugin));
	assert_non_null(((const struct ob_transport_ops *)info.ops)->listen);
	expect(ob_plugin_find(runtime, OB_PLUGIN_CODEC, "unix", &info, &err), OB_EPLUGIN, &err,
	       "plugin unix: its file has no codec of that name");
	expect(ob_plugin_find(runtime, OB_PLUGIN_CODEC, "nonsense", &info, &err), OB_EPLUGIN, &err,
	       "no nonsense.so in");
	expect(ob_plugin_find(runtime, OB_PLUGIN_AUTH, "peercred", &info, &err), OB_OK, &err, NULL);
	assert_int_equal(info.flags & OB_AUTH_LOCAL_ONLY, OB_AUTH_LOCAL_ONLY);
	assert_null(info.schemes);
}

/* A caller that was compiled with a shorter struct gets what fits. */
static void an_older_caller_gets_less(void **state)
{
	struct ob_plugin_info info;
	(void)state;
	memset(&info, 0x55, sizeof info);
	info.size = offsetof(struct ob_plugin_info, flags);
	assert_int_equal(ob_plugin_find(runtime, OB_PLUGIN_CODEC, "json", &info, NULL), OB_OK);
	assert_string_equal(info.name, "json");
	assert_int_equal(info.flags, 0x55555555);
}

static int count_codecs(void *user, const struct ob_plugin_info *info)
{
	*(int *)user += info->kind == OB_PLUGIN_CODEC;
	return *(int *)user == 2 ? 77 : 0;
}

static void a_walk_over_plugins_can_be_ended(void **state)
{
	int count = 0;
	(void)state;
	assert_int_equal(ob_plugin_load(runtime, "json", NULL), OB_OK);
	assert_int_equal(ob_plugin_each(runtime, count_codecs, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(ob_plugin_load(runtime, "msgpack", NULL), OB_OK);
	count = 0;
	assert_int_equal(ob_plugin_each(runtime, count_codecs, &count), 77);
}

static void collect(void *user, const char *member, bool present)
{
	char *list = user;
	snprintf(list + strlen(list), 256 - strlen(list), "%s%s ", present ? "" : "!", member);
}

static void members_of_a_table_are_listed(void **state)
{
	struct ob_plugin_info info = {.size = sizeof info};
	char list[256] = "";
	(void)state;
	assert_int_equal(ob_plugin_find(runtime, OB_PLUGIN_AUTH, "peercred", &info, NULL), OB_OK);
	ob_plugin_members(&info, collect, list);
	assert_string_equal(list, "flags admit !create !step !wait identity !destroy !overhead "
				  "!seal !open !binding !records_max !claims ");
}

static void kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(ob_plugin_kind_name(OB_PLUGIN_TRANSPORT), "transport");
	assert_string_equal(ob_plugin_kind_name(OB_PLUGIN_CODEC), "codec");
	assert_string_equal(ob_plugin_kind_name(OB_PLUGIN_AUTH), "authenticator");
	assert_string_equal(ob_plugin_kind_name(0), "?");
	assert_string_equal(ob_plugin_kind_name(99), "?");
}

static void a_runtime_tells_its_path_and_services(void **state)
{
	const char *dirs[] = {"/one", "/two", NULL};
	const struct ob_runtime_options options = {.size = sizeof options, .plugin_path = dirs};
	ob_runtime *other;
	(void)state;
	assert_int_equal(ob_runtime_new(&options, &other, NULL), OB_OK);
	assert_string_equal(ob_plugin_path(other)[0], "/one");
	assert_string_equal(ob_plugin_path(other)[1], "/two");
	assert_null(ob_plugin_path(other)[2]);
	assert_true(ob_plugin_host(other)->now_ms() > 0);
	ob_runtime_free(other);
}

/* ---- Files ---- */

static void a_file_is_loaded_step_by_step(void **state)
{
	char *path = scratch_text("%s/old_transport.so", made);
	struct ob_plugin_info info = {.size = sizeof info};
	ob_plugin_file *file;
	ob_plugin_list list;
	struct ob_error err;
	(void)state;
	expect(ob_plugin_file_open(runtime, path, &file, &err), OB_OK, &err, NULL);
	assert_string_equal(ob_plugin_file_path(file), path);
	expect(ob_plugin_file_list(file, &list, &err), OB_EINVAL, &err, "not mapped");
	expect(ob_plugin_file_map(file, &err), OB_OK, &err, NULL);
	expect(ob_plugin_file_list(file, &list, &err), OB_OK, &err, NULL);
	assert_int_equal(list[0]->kind, OB_PLUGIN_TRANSPORT);
	assert_null(list[1]);
	expect(ob_plugin_register(runtime, list, path, &err), OB_OK, &err, NULL);
	expect(ob_plugin_find(runtime, list[0]->kind, list[0]->name, &info, &err), OB_OK, &err,
	       NULL);
	assert_true(info.table_size < sizeof(struct ob_transport_ops));
	assert_int_equal(((const struct ob_transport_ops *)info.ops)->size,
			 sizeof(struct ob_transport_ops));
	assert_string_equal(info.origin, path);
	ob_plugin_file_close(file);
	free(path);
}

static void each_step_has_its_failures(void **state)
{
	char *unresolved = scratch_text("%s/unresolved.so", made);
	char *no_symbol = scratch_text("%s/no_symbol.so", made);
	ob_plugin_file *file;
	ob_plugin_list list;
	struct ob_error err;
	(void)state;
	expect(ob_plugin_file_open(runtime, "./x.so", &file, &err), OB_EINVAL, &err, "./x.so");
	expect(ob_plugin_file_open(runtime, "nonsense", &file, &err), OB_EPLUGIN, &err,
	       "no nonsense.so in");
	expect(ob_plugin_file_open(runtime, unresolved, &file, &err), OB_OK, &err, NULL);
	expect(ob_plugin_file_map(file, &err), OB_EPLUGIN, &err, "undefined symbol");
	ob_plugin_file_close(file);
	expect(ob_plugin_file_open(runtime, no_symbol, &file, &err), OB_OK, &err, NULL);
	expect(ob_plugin_file_map(file, &err), OB_OK, &err, NULL);
	expect(ob_plugin_file_list(file, &list, &err), OB_EPLUGIN, &err, "does not export");
	ob_plugin_file_close(file);
	ob_plugin_file_close(NULL);
	free(unresolved);
	free(no_symbol);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_plugin_is_found_by_kind_and_name),
	    TEST(an_older_caller_gets_less),
	    TEST(a_walk_over_plugins_can_be_ended),
	    TEST(members_of_a_table_are_listed),
	    TEST(kinds_have_names),
	    TEST(a_runtime_tells_its_path_and_services),
	    TEST(a_file_is_loaded_step_by_step),
	    TEST(each_step_has_its_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
