/* SPDX-License-Identifier: MIT */
/* Settings of plugins: they reach both ends, are checked before anything is started, and what was
 * configured is unconfigured once. */
#include "support/expect.h"
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/life.h"
#include "support/scratch.h"

static const char *const auth[] = {"peercred", "phrase", NULL};
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

/* How often `what` is in the diary of the plugin. */
static unsigned noted(const char *diary, char what)
{
	char text[4096];
	int fd = open(diary, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : 0;
	unsigned count = 0;
	assert_true(n >= 0);
	for (ssize_t i = 0; i < n; i++) {
		count += text[i] == what;
	}
	close(fd);
	return count;
}

/* ---- At work ---- */

static void both_ends_get_their_settings(void **state)
{
	static const enum ob_runtime_mode modes[] = {OB_RUNTIME_INLINE, OB_RUNTIME_THREADED};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct family f;
		family_begin(&f, modes[i], NULL);
		char *diary = scratch_text("%s/diary", f.scratch);
		char *settings = scratch_text(
		    "{\"auth\":{\"phrase\":{\"phrase\":\"sesame\",\"diary\":\"%s\"}}}", diary);
		f.options.auth = auth;
		f.options.settings = settings;
		f.options.child_settings = "{\"auth\":{\"phrase\":{\"phrase\":\"sesame\"}}}";
		life_live(&f);
		ob_connector_close(f.connector);
		f.connector = NULL;
		assert_true(noted(diary, '+') >= 1);
		assert_int_equal(noted(diary, '+'), noted(diary, '-'));
		family_end(&f);
		free(settings);
		free(diary);
	}
}

/* The child is given its own settings, which the parent does not use. */
static void a_child_with_wrong_settings_does_not_start(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.auth = auth;
	f.options.settings = "{\"auth\":{\"phrase\":{\"phrase\":\"sesame\"}}}";
	family_connector(&f);
	expect(ob_connector_start(f.connector, 0, NULL, &err), OB_EEXITED, &err, NULL);
	family_end(&f);
}

/* ---- Servers and clients by themselves ---- */

static int dial(ob_runtime *runtime, const char *address, const char *settings,
		struct ob_error *reterr)
{
	const struct ob_client_options options = {
	    .size = sizeof options, .address = address, .auth = auth, .settings = settings};
	ob_client *client = NULL;
	int r = ob_client_connect(runtime, &options, NULL, &client, reterr);
	ob_client_free(client);
	return r;
}

static void a_server_compares_what_it_was_given(void **state)
{
	const struct ob_runtime_options threaded = {.size = sizeof threaded,
						    .mode = OB_RUNTIME_THREADED};
	struct ob_error err;
	ob_runtime *runtime;
	ob_server *server;
	(void)state;
	char *dir = scratch_make();
	char *address = scratch_text("unix://%s/s", dir), *diary = scratch_text("%s/diary", dir);
	char *settings =
	    scratch_text("{\"auth\":{\"phrase\":{\"phrase\":\"right\",\"diary\":\"%s\"}}}", diary);
	expect(ob_runtime_new(&threaded, &runtime, &err), OB_OK, &err, NULL);
	const struct ob_server_options options = {.size = sizeof options,
						  .runtime = runtime,
						  .listen = address,
						  .auth = auth,
						  .settings = settings};
	expect(ob_server_open(&options, &server, &err), OB_OK, &err, NULL);
	expect(ob_server_start(server, &err), OB_OK, &err, NULL);
	expect(dial(runtime, address, settings, &err), OB_OK, &err, NULL);
	expect(dial(runtime, address, "{\"auth\":{\"phrase\":{\"phrase\":\"wrong\"}}}", &err),
	       OB_EAUTH, &err, NULL);
	expect(dial(runtime, address, NULL, &err), OB_EINVAL, &err, "phrase: required");
	ob_server_close(server);
	ob_runtime_free(runtime);
	assert_int_equal(noted(diary, '+'), 2);
	assert_int_equal(noted(diary, '-'), 2);
	free(settings);
	free(diary);
	free(address);
	scratch_remove(dir);
}

/* A start that failed is tried again: what was configured for the first one is not lost. */
static void a_server_that_starts_at_last_leaks_nothing(void **state)
{
	struct ob_error err;
	ob_server *server;
	(void)state;
	char *dir = scratch_make();
	char *path = scratch_text("%s/s", dir), *diary = scratch_text("%s/diary", dir);
	char *address = scratch_text("unix://%s", path);
	char *settings =
	    scratch_text("{\"auth\":{\"phrase\":{\"phrase\":\"x\",\"diary\":\"%s\"}}}", diary);
	const struct ob_server_options options = {
	    .size = sizeof options, .listen = address, .auth = auth, .settings = settings};
	scratch_write(path, "", 0, 0600);
	expect(ob_server_open(&options, &server, &err), OB_OK, &err, NULL);
	expect(ob_server_start(server, &err), OB_EEXIST, &err, path);
	assert_int_equal(unlink(path), 0);
	expect(ob_server_start(server, &err), OB_OK, &err, NULL);
	ob_server_close(server);
	assert_int_equal(noted(diary, '+'), 2);
	assert_int_equal(noted(diary, '-'), 2);
	free(settings);
	free(address);
	free(diary);
	free(path);
	scratch_remove(dir);
}

/* ---- What was dialled ---- */

static void assert_file(const char *path, const char *text)
{
	char is[1024] = "";
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	is[fread(is, 1, sizeof is - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(is, text);
}

static void a_dialer_is_told_whom_it_has_dialled(void **state)
{
	struct family f;
	struct ob_error err;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	char *parents = scratch_text("%s/parents", f.scratch);
	char *childs = scratch_text("%s/childs", f.scratch);
	char *settings =
	    scratch_text("{\"auth\":{\"phrase\":{\"phrase\":\"x\",\"target\":\"%s\"}}}", parents);
	char *child_settings =
	    scratch_text("{\"auth\":{\"phrase\":{\"phrase\":\"x\",\"target\":\"%s\"}}}", childs);
	f.options.auth = auth;
	f.options.settings = settings;
	f.options.child_settings = child_settings;
	family_launch(&f);
	char *want = scratch_text("[%s] [unix://%s/rpc.sock]\n", f.options.name, f.dir);
	assert_file(parents, want);
	assert_file(childs, "[] []\n");
	free(want);
	/* A client knows an address only. */
	assert_int_equal(unlink(parents), 0);
	char *address = scratch_text("%s", family_status(&f).address);
	expect(dial(f.runtime, address, settings, &err), OB_OK, &err, NULL);
	want = scratch_text("[] [%s]\n", address);
	assert_file(parents, want);
	free(want);
	free(address);
	family_end(&f);
	free(child_settings);
	free(settings);
	free(childs);
	free(parents);
}

/* ---- What is refused ---- */

static void wrong_settings_are_refused_with_their_reason(void **state)
{
	static const struct {
		const char *settings, *why;
	} table[] = {
	    {NULL, "auth phrase: settings: phrase: required"},
	    {"{}", "auth phrase: settings: phrase: required"},
	    {"{\"auth\":null}", "auth phrase: settings: phrase: required"},
	    {"{\"auth\":{\"phrase\":{\"file\":\"/none\"}}}",
	     "auth phrase: settings: file: /none: No such file or directory"},
	    {"", "settings: "},
	    {"{", "settings: "},
	    {"[]", "settings: not an object"},
	    {"{\"auths\":{}}", "settings: unknown key \"auths\""},
	    {"{\"auth\":[]}", "settings: auth: not an object"},
	    {"{\"auth\":{\"phrases\":{}}}", "settings: auth: phrases is not among the"},
	    {"{\"auth\":{\"phrase\":[]}}", "auth phrase: settings: not an object"},
	    {"{\"auth\":{\"phrase\":{\"phrase\":7}}}", "auth phrase: settings: phrase: required"},
	    {"{\"auth\":{\"phrase\":{\"phrase\":\"x\"},\"peercred\":{}}}",
	     "auth peercred takes no settings"},
	    {"{\"auth\":{\"phrase\":{\"phrase\":\"x\"}},\"codec\":{}}",
	     "codec msgpack takes no settings"},
	    {"{\"auth\":{\"phrase\":{\"phrase\":\"x\"}},\"transport\":{\"a\":1}}",
	     "transport unix takes no settings"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct family f;
		struct ob_error err = {.text = ""};
		family_begin(&f, OB_RUNTIME_INLINE, NULL);
		f.options.auth = auth;
		f.options.settings = table[i].settings;
		int wanted = strstr(table[i].why, "No such") != NULL ? OB_EIO : OB_EINVAL;
		expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), wanted, &err,
		       table[i].why);
		assert_null(strstr(err.text, "directory: No such")); /* it says so once */
		f.connector = NULL;
		family_end(&f);
	}
}

/* What cannot be written into the child's config is an error of the start. */
static void settings_of_the_child_must_be_an_object(void **state)
{
	static const char *const bad[] = {"[]", "{", "7", "{\"a\":1,\"a\":2}"};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct family f;
		struct ob_error err = {.text = ""};
		family_begin(&f, OB_RUNTIME_INLINE, NULL);
		f.options.child_settings = bad[i];
		family_connector(&f);
		expect(ob_connector_start(f.connector, 0, NULL, &err), OB_EINVAL, &err,
		       "settings: ");
		family_end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ends_get_their_settings),
	    cmocka_unit_test(a_child_with_wrong_settings_does_not_start),
	    cmocka_unit_test(a_server_compares_what_it_was_given),
	    cmocka_unit_test(a_server_that_starts_at_last_leaks_nothing),
	    cmocka_unit_test(a_dialer_is_told_whom_it_has_dialled),
	    cmocka_unit_test(wrong_settings_are_refused_with_their_reason),
	    cmocka_unit_test(settings_of_the_child_must_be_an_object),
	};
	return cmocka_run_group_tests(tests, add_test_plugins, remove_test_plugins);
}
