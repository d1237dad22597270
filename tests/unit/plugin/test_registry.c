/* SPDX-License-Identifier: MIT */
/* plugin/registry: finds a plugin by name or scheme, and loads it when it is first needed. */
#include "base/arena.h"
#include "plugin/registry.h"
#include "support/clock.h"
#include "support/scratch.h"

#include <setjmp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char *made; /* the directory of the plugins made for the tests */

static struct obi_registry *registry_over(const char *dir)
{
	const char *dirs[] = {dir, NULL};
	struct obi_registry *registry;
	assert_int_equal(obi_registry_new(dirs, &registry, NULL), OB_OK);
	return registry;
}

static int count(const struct obi_registry *registry)
{
	int n = 0;
	for (const struct obi_plugin *p = obi_registry_first(registry); p != NULL; p = p->next) {
		n++;
	}
	return n;
}

static struct ob_bytes scheme(const char *text)
{
	return ob_bytes_text(text);
}

/* ---- Linked-in plugins ---- */

static int admit_all(const struct ob_host *host, const struct ob_auth_params *params,
		     struct ob_error *reterr)
{
	(void)host, (void)params, (void)reterr;
	return OB_OK;
}

static const struct ob_auth_ops all_ops = {.size = sizeof all_ops, .admit = admit_all};
static const struct ob_plugin all = {
    .size = sizeof all, .kind = OB_PLUGIN_AUTH, .name = "all", .version = "7", .ops = &all_ops};
static const struct ob_plugin other = {
    .size = sizeof other, .kind = OB_PLUGIN_AUTH, .name = "other", .version = "8", .ops = &all_ops};
static const struct ob_plugin bad_name = {.size = sizeof bad_name,
					  .kind = OB_PLUGIN_AUTH,
					  .name = "Bad Name",
					  .version = "1",
					  .ops = &all_ops};
static const struct ob_plugin no_version = {.size = sizeof no_version,
					    .kind = OB_PLUGIN_AUTH,
					    .name = "no_version",
					    .version = NULL,
					    .ops = &all_ops};

static void a_linked_in_list_is_registered_in_order(void **state)
{
	static const struct ob_plugin *const list[] = {&all, &other, NULL};
	const struct obi_plugin *plugin;
	assert_int_equal(obi_registry_add(*state, list, "here", NULL), OB_OK);
	assert_int_equal(obi_registry_auth(*state, "other", &plugin, NULL), OB_OK);
	assert_string_equal(plugin->origin, "here");
	assert_string_equal(plugin->version, "8");
	assert_int_equal(plugin->kind, OB_PLUGIN_AUTH);
	assert_true(plugin->as.auth.admit == admit_all);
	assert_string_equal(obi_registry_first(*state)->name, "all");
	assert_ptr_equal(obi_registry_first(*state)->next, plugin);
}

static void a_list_with_one_bad_plugin_registers_none(void **state)
{
	static const struct ob_plugin *const list[] = {&all, &bad_name, NULL};
	static const struct ob_plugin *const again[] = {&other, NULL};
	struct ob_error err;
	assert_int_equal(obi_registry_add(*state, list, "here", &err), OB_EPLUGIN);
	assert_non_null(strstr(err.text, "plugin ? (here): its name is not"));
	assert_int_equal(count(*state), 0);
	assert_int_equal(obi_registry_add(*state, again, NULL, &err), OB_OK);
	assert_string_equal(obi_registry_first(*state)->origin, "linked in");
}

static void a_list_must_be_there(void **state)
{
	static const struct ob_plugin *const empty[] = {NULL};
	static const struct ob_plugin *const versionless[] = {&no_version, NULL};
	struct ob_error err;
	assert_int_equal(obi_registry_add(*state, NULL, "here", &err), OB_EPLUGIN);
	assert_string_equal(err.text, "plugins (here): the list is NULL");
	assert_int_equal(obi_registry_add(*state, empty, "here", &err), OB_EPLUGIN);
	assert_string_equal(err.text, "plugins (here): the list is empty");
	assert_int_equal(obi_registry_add(*state, versionless, "here", &err), OB_EPLUGIN);
	assert_string_equal(err.text, "plugin ? (here): its descriptor lacks version");
}

static void a_name_is_taken_within_its_kind_only(void **state)
{
	static const struct ob_plugin *const list[] = {&all, NULL};
	struct ob_error err;
	assert_int_equal(obi_registry_add(*state, list, "one", NULL), OB_OK);
	assert_int_equal(obi_registry_add(*state, list, "two", &err), OB_EEXIST);
	assert_string_equal(err.text,
			    "plugin all (two): authenticator all is already registered, from one");
	assert_int_equal(count(*state), 1);
}

static void a_scheme_belongs_to_one_transport(void **state)
{
	const struct obi_plugin *first;
	struct ob_error err;
	assert_int_equal(obi_registry_load(*state, "old_transport", NULL), OB_OK);
	assert_int_equal(obi_registry_transport(*state, NULL, scheme("old"), &first, NULL), OB_OK);
	struct ob_plugin second = {.size = sizeof second,
				   .kind = OB_PLUGIN_TRANSPORT,
				   .name = "second",
				   .version = "1",
				   .ops = &first->as.transport};
	const struct ob_plugin *const list[] = {&second, NULL};
	assert_int_equal(obi_registry_add(*state, list, "here", &err), OB_EEXIST);
	assert_non_null(
	    strstr(err.text,
		   "plugin second (here): scheme old is already claimed by old_transport, from /"));
}

/* A claim that ends in '+' covers all schemes with this beginning, except those that another
 * transport claims in full, in any order of registration. */
static void a_claim_may_be_for_all_of_a_kind(void **state)
{
	static const char *const all_kinds[] = {"wrap+", NULL};
	static const char *const one_kind[] = {"wrap+x", NULL};
	const struct obi_plugin *old, *got;
	struct ob_error err;
	assert_int_equal(obi_registry_transport(*state, "old_transport", scheme("old"), &old, NULL),
			 OB_OK);
	struct ob_transport_ops all_ops_of = old->as.transport, one_ops = all_ops_of;
	struct ob_plugin wide = {.size = sizeof wide,
				 .kind = OB_PLUGIN_TRANSPORT,
				 .name = "wide",
				 .version = "1",
				 .ops = &all_ops_of};
	struct ob_plugin narrow = {.size = sizeof narrow,
				   .kind = OB_PLUGIN_TRANSPORT,
				   .name = "narrow",
				   .version = "1",
				   .ops = &one_ops};
	const struct ob_plugin *const list[] = {&wide, &narrow, NULL};
	all_ops_of.schemes = all_kinds;
	one_ops.schemes = one_kind;
	assert_int_equal(obi_registry_add(*state, list, "here", NULL), OB_OK);
	assert_int_equal(obi_registry_transport(*state, NULL, scheme("wrap+x"), &got, NULL), OB_OK);
	assert_string_equal(got->name, "narrow");
	assert_int_equal(obi_registry_transport(*state, NULL, scheme("wrap+xy"), &got, NULL),
			 OB_OK);
	assert_string_equal(got->name, "wide");
	assert_int_equal(obi_registry_transport(*state, "wide", scheme("wrap+x"), &got, NULL),
			 OB_OK);
	assert_int_equal(obi_registry_transport(*state, "narrow", scheme("wrap+xy"), &got, &err),
			 OB_EINVAL);
	assert_int_equal(obi_registry_transport(*state, NULL, scheme("wrapped"), &got, &err),
			 OB_EPLUGIN);
	assert_int_equal(obi_registry_transport(*state, NULL, scheme("wrap"), &got, &err),
			 OB_EPLUGIN);
}

static void a_transport_needs_schemes_that_are_schemes(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const odd[] = {"fine", "Not_A_Scheme", NULL};
	const struct obi_plugin *old;
	struct ob_error err;
	assert_int_equal(obi_registry_transport(*state, "old_transport", scheme("old"), &old, NULL),
			 OB_OK);
	struct ob_transport_ops ops = old->as.transport;
	struct ob_plugin plugin = {.size = sizeof plugin,
				   .kind = OB_PLUGIN_TRANSPORT,
				   .name = "mine",
				   .version = "1",
				   .ops = &ops};
	const struct ob_plugin *const list[] = {&plugin, NULL};
	ops.schemes = none;
	assert_int_equal(obi_registry_add(*state, list, "here", &err), OB_EPLUGIN);
	assert_string_equal(err.text,
			    "plugin mine (here): its transport table has an empty list of schemes");
	ops.schemes = odd;
	assert_int_equal(obi_registry_add(*state, list, "here", &err), OB_EPLUGIN);
	assert_string_equal(
	    err.text, "plugin mine (here): it claims 'Not_A_Scheme', which is not a URI scheme");
}

/* ---- Loading ---- */

static void a_plugin_is_loaded_when_first_asked_for(void **state)
{
	const struct obi_plugin *plugin, *again;
	char *path = scratch_text("%s/new_auth.so", made);
	assert_int_equal(count(*state), 0);
	assert_int_equal(obi_registry_auth(*state, "new_auth", &plugin, NULL), OB_OK);
	assert_string_equal(plugin->origin, path);
	assert_int_equal(obi_registry_auth(*state, "new_auth", &again, NULL), OB_OK);
	assert_ptr_equal(plugin, again);
	assert_int_equal(count(*state), 1);
	free(path);
}

static void loading_a_file_twice_is_no_error_under_any_name(void **state)
{
	char *dir = scratch_make();
	char *from = scratch_text("%s/new_auth.so", made);
	char *copy = scratch_text("%s/new_auth.so", dir);
	char *linked = scratch_text("%s/elsewhere.so", dir);
	scratch_copy(from, copy, 0644);
	assert_int_equal(link(copy, linked), 0);
	assert_int_equal(obi_registry_load(*state, copy, NULL), OB_OK);
	assert_int_equal(obi_registry_load(*state, copy, NULL), OB_OK);
	assert_int_equal(obi_registry_load(*state, linked, NULL), OB_OK);
	assert_int_equal(count(*state), 1);
	free(from);
	free(copy);
	free(linked);
	scratch_remove(dir);
}

static void another_file_with_the_same_plugin_is_a_duplicate(void **state)
{
	char *dir = scratch_make();
	char *from = scratch_text("%s/new_auth.so", made);
	char *copy = scratch_text("%s/copy.so", dir);
	struct ob_error err;
	scratch_copy(from, copy, 0644);
	assert_int_equal(obi_registry_load(*state, "new_auth", NULL), OB_OK);
	assert_int_equal(obi_registry_load(*state, copy, &err), OB_EEXIST);
	char *expected = scratch_text(
	    "plugin new_auth (%s): authenticator new_auth is already registered, from %s", copy,
	    from);
	assert_string_equal(err.text, expected);
	free(expected);
	free(from);
	free(copy);
	scratch_remove(dir);
}

static void two_registries_share_nothing_but_code(void **state)
{
	struct obi_registry *second = registry_over(made);
	const struct obi_plugin *a, *b;
	assert_int_equal(obi_registry_auth(*state, "new_auth", &a, NULL), OB_OK);
	assert_int_equal(count(second), 0);
	assert_int_equal(obi_registry_auth(second, "new_auth", &b, NULL), OB_OK);
	assert_ptr_not_equal(a, b);
	assert_true(a->as.auth.step == b->as.auth.step);
	obi_registry_free(second);
}

static void directories_must_be_absolute(void **state)
{
	static const char *const dirs[] = {"/fine", "plugins", NULL};
	struct obi_registry *registry = NULL;
	struct ob_error err;
	(void)state;
	assert_int_equal(obi_registry_new(dirs, &registry, &err), OB_EINVAL);
	assert_string_equal(err.text, "plugin directory 'plugins' is not an absolute path");
	assert_null(registry);
	assert_int_equal(obi_registry_new(NULL, &registry, &err), OB_OK);
	assert_int_equal(obi_registry_load(registry, "unix", &err), OB_EPLUGIN);
	assert_string_equal(err.text, "plugin unix: no unix.so in the plugin path, which is empty"
				      " (see OUTBOARD_PLUGIN_PATH, plugin_path)");
	obi_registry_free(registry);
	obi_registry_free(NULL);
}

/* ---- Each fault has its own message, with the plugin and its file ---- */

static void fault_68_every_fault_has_its_own_message(void **state)
{
	static const struct {
		const char *name;
		int code;
		const char *reason;
	} faults[] = {
	    {"no_symbol", OB_EPLUGIN,
	     "it does not export outboard_plugin_v1: not an outboard plugin, or one for another "
	     "version of the interface"},
	    {"null_list", OB_EPLUGIN, "outboard_plugin_v1() returned NULL"},
	    {"empty_list", OB_EPLUGIN, "outboard_plugin_v1() returned an empty list"},
	    {"short_table", OB_EPLUGIN, "bytes, which leaves no room for encode"},
	    {"missing_member", OB_EPLUGIN, "its auth table has create but lacks destroy"},
	    {"wrong_kind", OB_EPLUGIN, "its kind 9 is unknown"},
	    {"duplicate_name", OB_EEXIST, "authenticator duplicate_name is already registered"},
	    {"unresolved", OB_EPLUGIN, "undefined symbol: nobody_defines_this"},
	};
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct ob_error err;
		const char *name = faults[i].name;
		char *start = scratch_text("plugin %s (%s/%s.so): ", name, made, name);
		assert_int_equal(obi_registry_load(*state, name, &err), faults[i].code);
		assert_ptr_equal(strstr(err.text, start), err.text);
		assert_non_null(strstr(err.text, faults[i].reason));
		assert_int_equal(count(*state), 0);
		/* A second attempt fails, too. */
		assert_int_equal(obi_registry_load(*state, name, NULL), faults[i].code);
		free(start);
	}
	/* Other plugins can still be loaded. */
	assert_int_equal(obi_registry_load(*state, "new_auth", NULL), OB_OK);
}

static void a_file_with_another_plugin_is_refused(void **state)
{
	const struct obi_plugin *plugin = NULL;
	struct ob_error err;
	assert_int_equal(obi_registry_codec(*state, "new_auth", &plugin, &err), OB_EPLUGIN);
	assert_string_equal(err.text, "plugin new_auth: its file offers no codec of that name");
	assert_null(plugin);
	assert_int_equal(obi_registry_codec(*state, "../new_auth", &plugin, &err), OB_EINVAL);
	assert_string_equal(err.text, "'../new_auth' is not a plugin's name");
	assert_int_equal(obi_registry_codec(*state, "/etc/passwd", &plugin, &err), OB_EINVAL);
}

/* ---- Schemes ---- */

static void a_scheme_loads_the_plugin_of_the_same_name(void **state)
{
	struct obi_registry *registry = registry_over(scratch_env("OUTBOARD_PLUGIN_PATH"));
	const struct obi_plugin *plugin;
	(void)state;
	assert_int_equal(obi_registry_transport(registry, NULL, scheme("unix"), &plugin, NULL),
			 OB_OK);
	assert_string_equal(plugin->name, "unix");
	assert_int_equal(plugin->as.transport.flags, OB_TRANSPORT_LOCAL);
	obi_registry_free(registry);
}

static void some_schemes_belong_to_a_plugin_of_another_name(void **state)
{
	struct ob_error err;
	const struct obi_plugin *plugin;
	assert_int_equal(obi_registry_transport(*state, NULL, scheme("hvsock"), &plugin, &err),
			 OB_EPLUGIN);
	assert_non_null(strstr(err.text, "no transport for hvsock: plugin vsock: no vsock.so in "));
	assert_int_equal(
	    obi_registry_transport(*state, NULL, scheme("chaos+hvsock"), &plugin, &err),
	    OB_EPLUGIN);
	assert_non_null(
	    strstr(err.text, "no transport for chaos+hvsock: plugin chaos: no chaos.so in "));
	assert_int_equal(obi_registry_transport(*state, NULL, scheme("new.auth"), &plugin, &err),
			 OB_EPLUGIN);
	assert_string_equal(err.text,
			    "no transport for new.auth: the scheme is not a valid plugin name");
}

static void a_file_found_by_scheme_must_claim_it(void **state)
{
	char *from = scratch_text("%s/new_auth.so", made);
	char *dir = scratch_make();
	char *copy = scratch_text("%s/novel.so", dir);
	struct obi_registry *registry = registry_over(dir);
	const struct obi_plugin *plugin;
	struct ob_error err;
	(void)state;
	scratch_copy(from, copy, 0644);
	assert_int_equal(obi_registry_transport(registry, NULL, scheme("novel"), &plugin, &err),
			 OB_EPLUGIN);
	assert_string_equal(err.text,
			    "no transport for novel: plugin novel has no transport for it");
	obi_registry_free(registry);
	free(from);
	free(copy);
	scratch_remove(dir);
}

static void fault_70_a_scheme_is_never_a_path(void **state)
{
	static const char *const schemes[] = {
	    "",	    "../evil", "/evil",
	    "Unix", "un ix",   "+unix",
	    ".",    "unix:",   "a-scheme-that-is-longer-than-31-bytes"};
	const struct obi_plugin *plugin;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		struct ob_error err;
		assert_int_equal(
		    obi_registry_transport(*state, NULL, scheme(schemes[i]), &plugin, &err),
		    OB_EINVAL);
		assert_non_null(strstr(err.text, "is not a URI scheme"));
	}
}

static void a_named_transport_must_support_the_scheme(void **state)
{
	const struct obi_plugin *plugin;
	struct ob_error err;
	assert_int_equal(
	    obi_registry_transport(*state, "old_transport", scheme("old"), &plugin, &err), OB_OK);
	assert_string_equal(plugin->name, "old_transport");
	assert_int_equal(
	    obi_registry_transport(*state, "old_transport", scheme("tcp"), &plugin, &err),
	    OB_EINVAL);
	assert_string_equal(err.text, "transport old_transport does not support tcp");
}

/* ---- Host services ---- */

static void the_host_finds_transports_for_plugins(void **state)
{
	const struct ob_host *host = obi_registry_host(*state);
	const struct obi_plugin *plugin;
	assert_int_equal(host->size, sizeof *host);
	assert_null(host->find_transport(host, scheme("nosuch")));
	assert_int_equal(obi_registry_load(*state, "old_transport", NULL), OB_OK);
	assert_int_equal(obi_registry_transport(*state, NULL, scheme("old"), &plugin, NULL), OB_OK);
	assert_ptr_equal(host->find_transport(host, scheme("old")), &plugin->as.transport);
}

static int nothing_to_configure(const struct ob_host *host, const struct ob_value *settings,
				void **ret_state, struct ob_error *reterr)
{
	(void)host, (void)settings, (void)ret_state, (void)reterr;
	return OB_OK;
}

static void nothing_to_free(void *data)
{
	(void)data;
}

static void the_host_finds_codecs_for_plugins(void **state)
{
	const struct ob_host *host = obi_registry_host(*state);
	const struct obi_plugin *plugin;
	assert_null(host->find_codec(host, "nosuch"));
	assert_null(host->find_codec(host, "../older_codec"));
	assert_null(host->find_codec(host, "new_auth"));
	const struct ob_codec_ops *found = host->find_codec(host, "older_codec");
	assert_non_null(found);
	assert_int_equal(obi_registry_codec(*state, "older_codec", &plugin, NULL), OB_OK);
	assert_ptr_equal(found, &plugin->as.codec);
	/* It would be called without a state. */
	const struct ob_plugin configured = {.size = sizeof configured,
					     .kind = OB_PLUGIN_CODEC,
					     .name = "configured",
					     .version = "1",
					     .ops = found,
					     .configure = nothing_to_configure,
					     .unconfigure = nothing_to_free};
	const struct ob_plugin *const list[] = {&configured, NULL};
	assert_int_equal(obi_registry_add(*state, list, NULL, NULL), OB_OK);
	assert_null(host->find_codec(host, "configured"));
}

static void the_host_writes_errors_parses_addresses_and_tells_the_time(void **state)
{
	const struct ob_host *host = obi_registry_host(*state);
	struct obi_arena arena;
	struct ob_error err;
	struct ob_uri uri;
	assert_int_equal((host->fail)(&err, OB_EPERM, 0, "no %s", "way"), OB_EPERM);
	assert_string_equal(err.text, "no way");
	obi_arena_init(&arena, 4096);
	assert_int_equal(host->parse_uri("unix:///a%20b", &arena.ob, &uri, &err), OB_OK);
	assert_true(ob_bytes_is(uri.path, "/a b"));
	obi_arena_free(&arena);
	int64_t ms = now_ms();
	assert_true(host->now_ms() >= ms && host->now_ms() < ms + 60000);
}

static int setup(void **state)
{
	*state = registry_over(made);
	return 0;
}

static int teardown(void **state)
{
	obi_registry_free(*state);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_linked_in_list_is_registered_in_order),
	    TEST(a_list_with_one_bad_plugin_registers_none),
	    TEST(a_list_must_be_there),
	    TEST(a_name_is_taken_within_its_kind_only),
	    TEST(a_scheme_belongs_to_one_transport),
	    TEST(a_claim_may_be_for_all_of_a_kind),
	    TEST(a_transport_needs_schemes_that_are_schemes),
	    TEST(a_plugin_is_loaded_when_first_asked_for),
	    TEST(loading_a_file_twice_is_no_error_under_any_name),
	    TEST(another_file_with_the_same_plugin_is_a_duplicate),
	    TEST(two_registries_share_nothing_but_code),
	    TEST(directories_must_be_absolute),
	    TEST(fault_68_every_fault_has_its_own_message),
	    TEST(a_file_with_another_plugin_is_refused),
	    TEST(a_scheme_loads_the_plugin_of_the_same_name),
	    TEST(some_schemes_belong_to_a_plugin_of_another_name),
	    TEST(a_file_found_by_scheme_must_claim_it),
	    TEST(fault_70_a_scheme_is_never_a_path),
	    TEST(a_named_transport_must_support_the_scheme),
	    TEST(the_host_finds_transports_for_plugins),
	    TEST(the_host_finds_codecs_for_plugins),
	    TEST(the_host_writes_errors_parses_addresses_and_tells_the_time),
	};
	made = scratch_text("%s/test-plugins", scratch_env("OB_TEST_BUILD"));
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(made);
	return failed;
}
