/* SPDX-License-Identifier: MIT */
/* The authenticator ask, with a helper in another language, and with a stock server as helper. */
#include "support/asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/scratch.h"

#define KEY   "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void expect_subject(char *subject, const char *want)
{
	assert_string_equal(subject, want);
	free(subject);
}

/* ---- One message ---- */

static void a_helper_decides_and_names_the_subject(void **state)
{
	struct asking a;
	struct ob_error err;
	char *subject = NULL;
	(void)state;
	asking_begin(&a, NULL);
	asking_serve(&a, NULL);
	expect(asking_log_in(&a, "alice", "sesame", &subject, &err), OB_OK, &err, NULL);
	expect_subject(subject, "alice");
	expect(asking_log_in(&a, "chat", "", &subject, &err), OB_OK, &err, NULL);
	expect_subject(subject, "chatty");
	expect(asking_log_in(&a, "alice", "simsalabim", NULL, &err), OB_EAUTH, &err, "refused");
	asking_end(&a);
}

static void subject_and_claims_are_for_rules(void **state)
{
	static const char *const rules[] = {"allow subject=alice claim.role=admin who.*", "deny *",
					    NULL};
	struct asking a;
	struct ob_error err;
	(void)state;
	asking_begin(&a, NULL);
	a.options.rules = rules;
	asking_serve(&a, NULL);
	expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_OK, &err, NULL);
	expect(asking_log_in(&a, "bob", "sesame", NULL, &err), OB_EREMOTE, &err, "denied");
	expect(asking_log_in(&a, "say", "{\"word\":\"done\",\"subject\":\"alice\"}", NULL, &err),
	       OB_EREMOTE, &err, "denied");
	asking_end(&a);
}

/* ---- An exchange that both ends prove ---- */

static void dial_with(const struct asking *a, const char *key, int want, const char *text)
{
	struct asked mine;
	struct ob_error err = {.text = ""};
	char *subject = NULL;
	asked_begin(&mine, a->dir, "mine", key);
	char *settings = scratch_text("{\"socket\":\"%s\"}", mine.socket);
	expect(asking_dial(a, settings, &subject, &err), want, &err, text);
	if (want == OB_OK) {
		expect_subject(subject, "alice");
	}
	free(settings);
	asked_end(&mine);
}

static void a_client_may_have_a_helper_of_its_own(void **state)
{
	struct asking a;
	(void)state;
	asking_begin(&a, KEY);
	asking_serve(&a, NULL);
	dial_with(&a, KEY, OB_OK, NULL);
	dial_with(&a, OTHER, OB_EAUTH, "refuses: the other end does not have the key");
	asking_end(&a);
}

/* ---- The message of a file ---- */

static void a_message_may_come_from_a_file(void **state)
{
	struct asking a;
	struct ob_error err;
	(void)state;
	asking_begin(&a, NULL);
	asking_serve(&a, NULL);
	char *path = scratch_text("%s/token", a.dir);
	char *settings = scratch_text("{\"send_file\":\"%s\"}", path);
	static const char *const texts[] = {"{\"user\":\"alice\",\"password\":\"old\"}\n",
					    "{\"user\":\"alice\",\"password\":\"sesame\"}\n"};
	expect(asking_dial(&a, settings, NULL, &err), OB_EINVAL, &err, "send_file: ");
	scratch_write(path, texts[0], strlen(texts[0]), 0600);
	expect(asking_dial(&a, settings, NULL, &err), OB_EAUTH, &err, "refused");
	assert_int_equal(remove(path), 0);
	scratch_write(path, texts[1], strlen(texts[1]), 0600);
	expect(asking_dial(&a, settings, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(chmod(path, 0640), 0);
	expect(asking_dial(&a, settings, NULL, &err), OB_EINVAL, &err, "its mode is 0640");
	free(path);
	free(settings);
	asking_end(&a);
}

/* ---- A stock server as helper ---- */

static void step(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_bytes data = {NULL, 0};
	(void)user;
	(void)ob_get_binary(ob_value_find(params, "data"), &data);
	if (ob_bytes_is(data, "sesame")) {
		ob_call_replyf(call, "{s:s,s:s}", "word", "done", "subject", "friend");
	} else {
		ob_call_replyf(call, "{s:s}", "word", "refused");
	}
}

static const struct ob_method ask_methods[] = {{"step", step}, {NULL, NULL}};

static void a_server_of_the_library_may_be_the_helper(void **state)
{
	static const char *const peercred[] = {"peercred", NULL};
	static const char *const codecs[] = {"msgpack", "json"};
	struct asking a;
	(void)state;
	asking_begin(&a, NULL);
	for (size_t i = 0; i < 2; i++) {
		char *address = scratch_text("unix://%s/a%%20stock", a.dir);
		char *more = scratch_text("\"codec\":\"%s\"", codecs[i]), *subject = NULL;
		const struct ob_server_options options = {.size = sizeof options,
							  .runtime = a.runtime,
							  .listen = address,
							  .codec = codecs[i],
							  .auth = peercred};
		struct ob_error err;
		ob_server *stock;
		expect(ob_server_open(&options, &stock, &err), OB_OK, &err, NULL);
		expect(ob_server_expose(stock, "outboard-ask", ask_methods, NULL, &err), OB_OK,
		       &err, NULL);
		expect(ob_server_start(stock, &err), OB_OK, &err, NULL);
		free(a.helper.socket);
		a.helper.socket =
		    i == 0 ? scratch_text("%s/a stock", a.dir) : scratch_text("%s", address);
		asking_serve(&a, more);
		expect(asking_dial(&a, "{\"send\":\"sesame\"}", &subject, &err), OB_OK, &err, NULL);
		expect_subject(subject, "friend");
		expect(asking_dial(&a, "{\"send\":\"x\"}", NULL, &err), OB_EAUTH, &err, "refused");
		asking_close(&a);
		ob_server_close(stock);
		free(address);
		free(more);
	}
	asking_end(&a);
}

static void other_reserved_names_are_refused(void **state)
{
	struct asking a;
	struct ob_error err;
	(void)state;
	asking_begin(&a, NULL);
	expect(ob_server_open(&a.options, &a.server, &err), OB_OK, &err, NULL);
	expect(ob_server_expose(a.server, "outboard-asks", ask_methods, NULL, &err), OB_EINVAL,
	       &err, "reserved");
	asking_end(&a);
}

/* ---- Not between parent and child ---- */

static void it_is_for_clients_only(void **state)
{
	static const char *const ask[] = {"ask", NULL};
	struct asking a;
	struct ob_error err;
	(void)state;
	asking_begin(&a, NULL);
	a.options.auth = ask;
	int r = ob_server_open(&a.options, &a.server, &err);
	r = r == OB_OK ? ob_server_start(a.server, &err) : r;
	expect(r, OB_EPERM, &err, "authenticator ask may only be in client_auth");
	asking_end(&a);
}

/* ---- Whose helper it is ---- */

static void the_helper_must_be_of_the_right_user(void **state)
{
	struct asking a;
	struct ob_error err;
	(void)state;
	asking_begin(&a, NULL);
	asking_serve(&a, "\"user\":12345");
	expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_EAUTH, &err, "refused");
	asking_close(&a);
	char *own = scratch_text("\"user\":%u", geteuid());
	asking_serve(&a, own);
	expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_OK, &err, NULL);
	free(own);
	asking_end(&a);
}

/* A helper that listens is looked at by the kernel, also when its socket file is right. */
static void a_helper_of_another_user_is_refused(void **state)
{
	struct asking a;
	struct ob_error err;
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root can act as another user\n");
		skip();
	}
	asking_begin(&a, NULL);
	asked_kill(&a.helper);
	assert_int_equal(chmod(a.dir, 0777), 0);
	asked_again(&a.helper, "uid=12345");
	asking_serve(&a, NULL);
	expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_EAUTH, &err, "refused");
	asking_close(&a);
	asking_serve(&a, "\"user\":12345");
	expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_OK, &err, NULL);
	asking_close(&a);
	assert_int_equal(chown(a.helper.socket, 0, 0), 0);
	asking_serve(&a, NULL);
	expect(asking_log_in(&a, "alice", "sesame", NULL, &err), OB_EAUTH, &err, "refused");
	asking_end(&a);
}

/* ---- Settings ---- */

static const struct {
	const char *settings, *why;
} faults[] = {
    {"{}", "socket: exactly one of socket, send and send_file is required"},
    {"{\"socket\":\"/s\",\"send\":\"x\"}", "socket: exactly one of"},
    {"{\"socket\":\"s\"}", "socket: neither an absolute path nor a unix:// URI"},
    {"{\"socket\":\"tcp://127.0.0.1:1\"}", "socket: neither an absolute path nor"},
    {"{\"socket\":7}", "socket: not a string of 1 to 4095 bytes"},
    {"{\"socket\":\"unix://%zz\"}", "socket: "},
    {"{\"socket\":\"/s\",\"codec\":\"morse\"}", "codec: no such codec"},
    {"{\"socket\":\"/s\",\"timeout\":\"3\"}", "timeout: not a duration up to one minute"},
    {"{\"socket\":\"/s\",\"timeout\":\"0s\"}", "timeout: not a duration"},
    {"{\"socket\":\"/s\",\"timeout\":\"61s\"}", "timeout: not a duration"},
    {"{\"socket\":\"/s\",\"timeout\":\"x\"}", "timeout: not a duration"},
    {"{\"socket\":\"/s\",\"timeout\":\"3h\"}", "timeout: not a duration"},
    {"{\"socket\":\"/s\",\"timeout\":\"99999999999999999999s\"}", "timeout: not a duration"},
    {"{\"socket\":\"/s\",\"timeout\":\"-1s\"}", "timeout: not a duration"},
    {"{\"socket\":\"/s\\u0000t\"}", "socket: not a string of 1 to 4095 bytes"},
    {"{\"socket\":\"\"}", "socket: not a string of 1 to 4095 bytes"},
    {"{\"socket\":\"/s\",\"user\":\"nosuchuser\"}", "user: no user nosuchuser"},
    {"{\"socket\":\"/s\",\"user\":4294967295}", "user: not a user id"},
    {"{\"socket\":\"/s\",\"user\":-1}", "user: not a string"},
    {"{\"send\":\"\"}", "send: not a string of 1 to 4095 bytes"},
    {"{\"send\":\"x\",\"timeout\":\"1s\"}", "timeout: has no effect without socket"},
    {"{\"send_file\":\"x\"}", "send_file: not an absolute path"},
    {"{\"send_file\":\"/dev/null\"}", "send_file: /dev/null: not a regular file"},
    {"{\"socket\":\"/s\",\"more\":1}", "more: is not a known key"},
};

static void faults_of_settings_are_named(void **state)
{
	struct asking a;
	(void)state;
	asking_begin(&a, NULL);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		struct ob_error err = {.text = ""};
		char *settings = scratch_text("{\"client_auth\":{\"ask\":%s}}", faults[i].settings);
		a.options.settings = settings;
		expect(ob_server_open(&a.options, &a.server, &err), OB_OK, &err, NULL);
		expect(ob_server_start(a.server, &err), OB_EINVAL, &err, faults[i].why);
		asking_close(&a);
		free(settings);
	}
	asking_end(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_helper_decides_and_names_the_subject),
	    cmocka_unit_test(subject_and_claims_are_for_rules),
	    cmocka_unit_test(a_client_may_have_a_helper_of_its_own),
	    cmocka_unit_test(a_message_may_come_from_a_file),
	    cmocka_unit_test(a_server_of_the_library_may_be_the_helper),
	    cmocka_unit_test(other_reserved_names_are_refused),
	    cmocka_unit_test(it_is_for_clients_only),
	    cmocka_unit_test(the_helper_must_be_of_the_right_user),
	    cmocka_unit_test(a_helper_of_another_user_is_refused),
	    cmocka_unit_test(faults_of_settings_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
