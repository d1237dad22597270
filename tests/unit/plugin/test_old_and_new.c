/* SPDX-License-Identifier: MIT */
/*
 * Plugins of other versions: complete plugins with shorter or longer tables pass the conformance
 * suite of their kind. The suites test the other case: plugins of this version with the shorter
 * structs of an older host.
 */
#include "plugin/registry.h"
#include "support/scratch.h"

#include "conformance/auth.h"
#include "conformance/codec.h"
#include "conformance/transport.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static struct obi_registry *registry;

static void report(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	(void)user;
	if (verdict == OBI_VERDICT_FAIL) {
		print_error("BROKEN: %s: %s\n", promise, why);
	}
}

static void check_transport(const char *name, uint32_t flags)
{
	const struct obi_plugin *plugin;
	char *dir = scratch_make(), *uri = scratch_text("skeleton://%s/s", dir);
	assert_int_equal(
	    obi_registry_transport(registry, name, ob_bytes_text("skeleton"), &plugin, NULL),
	    OB_OK);
	assert_int_equal(plugin->as.transport.flags & OB_TRANSPORT_LOCAL, flags);
	struct obi_conform_transport it = {
	    .ops = &plugin->as.transport, .host = obi_registry_host(registry), .listen = uri};
	assert_int_equal(obi_conform_transport(&it, report, NULL), 0);
	free(uri);
	scratch_remove(dir);
}

static void check_codec(const char *name)
{
	const struct obi_plugin *plugin, *other;
	assert_int_equal(obi_registry_codec(registry, name, &plugin, NULL), OB_OK);
	assert_int_equal(obi_registry_codec(registry, "msgpack", &other, NULL), OB_OK);
	struct obi_conform_codec it = {.ops = &plugin->as.codec, .other = &other->as.codec};
	assert_int_equal(obi_conform_codec(&it, report, NULL), 0);
}

static void check_auth(const char *name)
{
	const struct obi_plugin *plugin;
	assert_int_equal(obi_registry_auth(registry, name, &plugin, NULL), OB_OK);
	assert_int_equal(plugin->as.auth.overhead, 0);
	struct obi_conform_auth it = {.ops = &plugin->as.auth, .host = obi_registry_host(registry)};
	assert_int_equal(obi_conform_auth(&it, report, NULL), 0);
}

static void an_older_transport(void **state)
{
	(void)state;
	check_transport("older_transport", OB_TRANSPORT_LOCAL);
}

static void a_newer_transport(void **state)
{
	(void)state;
	check_transport("newer_transport", OB_TRANSPORT_LOCAL);
}

static void an_older_codec(void **state)
{
	(void)state;
	check_codec("older_codec");
}

static void a_newer_codec(void **state)
{
	(void)state;
	check_codec("newer_codec");
}

static void an_older_authenticator(void **state)
{
	(void)state;
	check_auth("older_auth");
}

static void a_newer_authenticator(void **state)
{
	(void)state;
	check_auth("newer_auth");
}

static int setup(void **state)
{
	char *made = scratch_text("%s/test-plugins", scratch_env("OB_TEST_BUILD"));
	const char *dirs[] = {made, scratch_env("OUTBOARD_PLUGIN_PATH"), NULL};
	(void)state;
	int rc = obi_registry_new(dirs, &registry, NULL);
	free(made);
	return rc;
}

static int teardown(void **state)
{
	(void)state;
	obi_registry_free(registry);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_older_transport), TEST(a_newer_transport),	    TEST(an_older_codec),
	    TEST(a_newer_codec),      TEST(an_older_authenticator), TEST(a_newer_authenticator),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
