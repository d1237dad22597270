/* SPDX-License-Identifier: MIT */
/* plugin/builtin: plugins in the table are registered in every registry. This program defines the
 * table itself, instead of the one that the build writes. */
#include "plugin/builtin.h"
#include "plugin/registry.h"
#include "support/scratch.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	(void)host, (void)params, (void)reterr;
	return OB_OK;
}

static const struct ob_auth_ops ops = {.size = sizeof ops, .admit = admit};
static const struct ob_plugin new_auth = {.size = sizeof new_auth,
					  .kind = OB_PLUGIN_AUTH,
					  .name = "new_auth",
					  .version = "b",
					  .ops = &ops};
static const struct ob_plugin second = {
    .size = sizeof second, .kind = OB_PLUGIN_AUTH, .name = "second", .version = "b", .ops = &ops};

static ob_plugin_list first_entry(void)
{
	static const struct ob_plugin *const list[] = {&new_auth, NULL};
	return list;
}

static ob_plugin_list second_entry(void)
{
	static const struct ob_plugin *const list[] = {&second, NULL};
	return list;
}

const ob_plugin_entry_fn obi_builtin_plugins[] = {first_entry, second_entry, NULL};

static int setup(void **state)
{
	char *dir = scratch_text("%s/test-plugins", scratch_env("OB_TEST_BUILD"));
	const char *dirs[] = {dir, NULL};
	struct obi_registry *registry;
	assert_int_equal(obi_registry_new(dirs, &registry, NULL), OB_OK);
	*state = registry;
	free(dir);
	return 0;
}

static int teardown(void **state)
{
	obi_registry_free(*state);
	return 0;
}

static void built_in_plugins_are_registered_first(void **state)
{
	const struct obi_plugin *plugin = obi_registry_first(*state);
	assert_string_equal(plugin->name, "new_auth");
	assert_string_equal(plugin->origin, "built in");
	assert_string_equal(plugin->next->name, "second");
	assert_null(plugin->next->next);
}

/* The directory has a file new_auth.so; there is none called second. */
static void a_built_in_plugin_needs_no_file(void **state)
{
	const struct obi_plugin *plugin;
	assert_int_equal(obi_registry_load(*state, "new_auth", NULL), OB_OK);
	assert_int_equal(obi_registry_load(*state, "second", NULL), OB_OK);
	assert_int_equal(obi_registry_auth(*state, "new_auth", &plugin, NULL), OB_OK);
	assert_string_equal(plugin->origin, "built in");
	assert_null(obi_registry_first(*state)->next->next);
}

static void a_file_of_the_same_name_is_a_duplicate(void **state)
{
	struct ob_error err;
	char *path = scratch_text("%s/test-plugins/new_auth.so", scratch_env("OB_TEST_BUILD"));
	char *text = scratch_text(
	    "plugin new_auth (%s): authenticator new_auth is already registered, from built in",
	    path);
	assert_int_equal(obi_registry_load(*state, path, &err), OB_EEXIST);
	assert_string_equal(err.text, text);
	free(text);
	free(path);
}

static void other_plugins_are_loaded_from_files(void **state)
{
	const struct obi_plugin *plugin;
	assert_int_equal(obi_registry_transport(*state, NULL, ob_bytes_text("old"), &plugin, NULL),
			 OB_EPLUGIN);
	assert_int_equal(
	    obi_registry_transport(*state, "old_transport", ob_bytes_text("old"), &plugin, NULL),
	    OB_OK);
	/* A plugin that is loaded later is not built in. */
	assert_int_equal(obi_registry_load(*state, "old_transport", NULL), OB_OK);
	assert_int_equal(obi_registry_load(*state, "no_such_file", NULL), OB_EPLUGIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(built_in_plugins_are_registered_first),
	    TEST(a_built_in_plugin_needs_no_file),
	    TEST(a_file_of_the_same_name_is_a_duplicate),
	    TEST(other_plugins_are_loaded_from_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
