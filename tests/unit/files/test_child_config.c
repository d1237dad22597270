/* SPDX-License-Identifier: MIT */
/* outboard.json: writing, and reading of valid and malformed texts. */
#include "base/buf.h"
#include "files/child_config.h"
#include "support/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct ob_config parsed(const char *text)
{
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	if (obi_child_config_parse(ob_bytes_text(text), &config, &err) < 0) {
		fail_msg("%s", err.text);
	}
	return config;
}

static void expect_text(const struct ob_config *config, const char *text)
{
	struct obi_buf out;
	obi_buf_init(&out, OBI_CHILD_CONFIG_MAX);
	assert_int_equal(obi_child_config_format(config, obi_buf_sink(&out), NULL), OB_OK);
	ob_sink_byte(obi_buf_sink(&out), 0);
	assert_string_equal((const char *)obi_buf_bytes(&out).data, text);
	obi_buf_free(&out);
}

static void expect_refused(const char *text, size_t len, const char *why)
{
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	assert_int_equal(obi_child_config_parse(ob_bytes_of(text, len), &config, &err), OB_EINVAL);
	const char *prefix = "parsing outboard config: ";
	assert_memory_equal(err.text, prefix, strlen(prefix));
	if (why != NULL) {
		assert_string_equal(err.text + strlen(prefix), why);
	}
	assert_null(strstr(err.text, "deadbeef"));
	assert_null(config.token);
}

static void keys_are_written_compactly_in_the_origins_order(void **unused)
{
	(void)unused;
	struct ob_config config = {
	    .size = sizeof config,
	    .token = (char *)(uintptr_t)TOKEN,
	    .fifo_stdout = (char *)(uintptr_t) "/d/stdout.fifo",
	    .fifo_stderr = (char *)(uintptr_t) "/d/stderr.fifo",
	    .pid = 4711,
	    .rpc_addr = (char *)(uintptr_t) "unix:///d/rpc.sock",
	    .ready = true,
	    .name = (char *)(uintptr_t) "web",
	    .listen = (char *)(uintptr_t) "unix:///d/rpc.sock",
	    .codec = (char *)(uintptr_t) "msgpack",
	    .auth = (char *)(uintptr_t) "noise,token",
	    .instance = (char *)(uintptr_t) "feed",
	    .allow_plaintext = true,
	    .parent_address = (char *)(uintptr_t) "192.0.2.1",
	    .message_max = 65536,
	    .client_listen = (char *)(uintptr_t) "tcp://0.0.0.0:0",
	    .client_auth = (char *)(uintptr_t) "noise,ask",
	    .client_transport = (char *)(uintptr_t) "tcp",
	    .client_addr = (char *)(uintptr_t) "tcp://0.0.0.0:7",
	    .dial = (char *)(uintptr_t) "vsock://host:9",
	};
	expect_text(
	    &config,
	    "{\"token\":\"" TOKEN
	    "\",\"fifo_stdout\":\"/d/stdout.fifo\",\"fifo_stderr\":\"/d/stderr.fifo\",\"pid\":4711,"
	    "\"rpc_addr\":\"unix:///d/"
	    "rpc.sock\",\"ready\":true,\"name\":\"web\",\"listen\":\"unix:///d/rpc.sock\","
	    "\"codec\":\"msgpack\",\"auth\":\"noise,token\",\"instance\":\"feed\",\"allow_"
	    "plaintext\":true,"
	    "\"parent_address\":\"192.0.2.1\",\"message_max\":65536,\"client_listen\":\"tcp://"
	    "0.0.0.0:0\","
	    "\"client_auth\":\"noise,ask\",\"client_transport\":\"tcp\","
	    "\"client_addr\":\"tcp://0.0.0.0:7\",\"dial\":\"vsock://host:9\"}");
}

static void zero_empty_and_false_are_left_out(void **unused)
{
	(void)unused;
	struct ob_config config = {.size = sizeof config};
	expect_text(&config, "{\"token\":\"\",\"fifo_stdout\":\"\",\"fifo_stderr\":\"\"}");
	config.rpc_addr = (char *)(uintptr_t) "";
	expect_text(&config, "{\"token\":\"\",\"fifo_stdout\":\"\",\"fifo_stderr\":\"\"}");
}

static void file_of_the_origin_is_read(void **unused)
{
	(void)unused;
	struct ob_config config =
	    parsed(" {\"token\":\"" TOKEN "\",\"fifo_stdout\":\"/a\",\"fifo_stderr\":\"\","
		   "\n\t\"pid\":7,\"rpc_addr\":\"127.0.0.1:9\",\"ready\":true}\n");
	assert_string_equal(config.token, TOKEN);
	assert_string_equal(config.fifo_stdout, "/a");
	assert_null(config.fifo_stderr);
	assert_int_equal(config.pid, 7);
	assert_string_equal(config.rpc_addr, "127.0.0.1:9");
	assert_true(config.ready);
	assert_null(config.name);
	assert_null(config.extra);
	obi_child_config_clear(&config);
	assert_null(config.token);
	assert_int_equal(config.size, sizeof config);
}

/*
 * A caller of the first version has a struct without the last members: nothing is written or read
 * behind its end. Their keys are unknown to this caller, and kept like other unknown keys.
 */
static void a_shorter_struct_is_filled_as_far_as_it_goes(void **unused)
{
	(void)unused;
	struct ob_config config = {.size = offsetof(struct ob_config, allow_plaintext),
				   .allow_plaintext = false};
	const char *text =
	    "{\"token\":\"\",\"fifo_stdout\":\"/a\",\"fifo_stderr\":\"\",\"allow_plaintext\":true,"
	    "\"rules\":\"deny *\",\"heartbeat_ms\":7}";
	assert_int_equal(obi_child_config_parse(ob_bytes_text(text), &config, NULL), OB_OK);
	assert_string_equal(config.fifo_stdout, "/a");
	assert_false(config.allow_plaintext);
	memset((char *)&config + config.size, 0x55,
	       sizeof config - config.size); /* not ours to look at */
	expect_text(&config, text);
	obi_child_config_clear(&config);
	assert_int_equal(config.heartbeat_ms, 0x5555555555555555);
	assert_null(config.fifo_stdout);
}

static void null_is_absent(void **unused)
{
	(void)unused;
	struct ob_config config =
	    parsed("{\"token\":null,\"pid\":null,\"ready\":null,\"name\":null}");
	expect_text(&config, "{\"token\":\"\",\"fifo_stdout\":\"\",\"fifo_stderr\":\"\"}");
	obi_child_config_clear(&config);
}

static void unknown_keys_survive_as_they_stand(void **unused)
{
	(void)unused;
	struct ob_config config =
	    parsed("{ \"new\" : {\"a\":[1, 2,{\"}\":\"]\\\"}\"}]} ,\"pid\":3, "
		   "\"big\":123456789012345678901234567890,"
		   "\"name\":\"x\",\"t\\u006fken2\":1.0 , \"e\":[],\"n\":null }");
	assert_int_equal(config.pid, 3);
	assert_string_equal(
	    config.extra,
	    "\"new\" : {\"a\":[1, 2,{\"}\":\"]\\\"}\"}]},\"big\":123456789012345678901234567890,"
	    "\"t\\u006fken2\":1.0,\"e\":[],\"n\":null");
	expect_text(
	    &config,
	    "{\"token\":\"\",\"fifo_stdout\":\"\",\"fifo_stderr\":\"\",\"pid\":3,\"name\":\"x\","
	    "\"new\" : {\"a\":[1, 2,{\"}\":\"]\\\"}\"}]},\"big\":123456789012345678901234567890,"
	    "\"t\\u006fken2\":1.0,\"e\":[],\"n\":null}");
	obi_child_config_clear(&config);
}

static void escapes_are_read_and_written(void **unused)
{
	(void)unused;
	struct ob_config config = parsed("{\"n\\u0061me\":\"a\\n\\\"\\u00e9\"}");
	assert_string_equal(config.name, "a\n\"\xc3\xa9");
	expect_text(&config, "{\"token\":\"\",\"fifo_stdout\":\"\",\"fifo_stderr\":\"\",\"name\":"
			     "\"a\\n\\\"\xc3\xa9\"}");
	obi_child_config_clear(&config);
}

static void malformed_configs_are_refused_with_the_reason(void **unused)
{
	(void)unused;
	const struct {
		const char *text;
		const char *why;
	} bad[] = {
	    {"", NULL},
	    {"[]", "not a JSON object"},
	    {"null", "not a JSON object"},
	    {"{\"pid\":1}}", NULL},
	    {"{\"pid\":1}{}", NULL},
	    {"{\"pid\":1,\"pid\":1}", NULL},
	    {"{\"x\":1,\"x\":1}", NULL},
	    {"{\"pid\":1,\"p\\u0069d\":1}", NULL},
	    {"{\"pid\":\"1\"}", "pid: must be an integer from 0 to 2147483647"},
	    {"{\"pid\":1.0}", "pid: must be an integer from 0 to 2147483647"},
	    {"{\"pid\":-1}", "pid: must be an integer from 0 to 2147483647"},
	    {"{\"pid\":2147483648}", "pid: must be an integer from 0 to 2147483647"},
	    {"{\"ready\":1}", "ready: must be true or false"},
	    {"{\"name\":[]}", "name: must be a string"},
	    {"{\"name\":\"a\\u0000b\"}", "name: must not hold a NUL"},
	    {"{\"token\":\"deadbeef\"}", "token: must be 64 hex digits"},
	    {"{\"token\":\"" TOKEN "0\"}", "token: must be 64 hex digits"},
	    {"{\"token\":\"g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
	     "token: must be 64 hex digits"},
	    {"{\"token\":7}", "token: must be a string"},
	    {"{\"name\":\"\xff\"}", NULL},
	    {"{\"x\":1e999}", NULL},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		expect_refused(bad[i].text, strlen(bad[i].text), bad[i].why);
	}
}

static void fault_52_config_cut_at_any_byte_is_refused(void **unused)
{
	(void)unused;
	const char *text =
	    "{\"token\":\"" TOKEN
	    "\",\"fifo_stdout\":\"/o\",\"fifo_stderr\":\"/e\",\"pid\":12,\"more\":[1]}";
	for (size_t len = 0; len < strlen(text); len++) {
		expect_refused(text, len, NULL);
	}
	struct ob_config config = parsed(text);
	obi_child_config_clear(&config);
}

static void fault_52_flipped_bits_never_break_the_reader(void **unused)
{
	(void)unused;
	char text[] =
	    "{\"token\":\"" TOKEN "\",\"pid\":12,\"ready\":true,\"more\":[{\"a\":\"b\"}]}";
	for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
		struct ob_config config = {.size = sizeof config};
		struct ob_error err = {0};
		text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
		if (obi_child_config_parse(ob_bytes_text(text), &config, &err) < 0) {
			assert_int_equal(err.code, OB_EINVAL);
		}
		obi_child_config_clear(&config);
		text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
	}
}

static void a_file_that_is_too_large_is_refused(void **unused)
{
	(void)unused;
	size_t len = OBI_CHILD_CONFIG_MAX + 1;
	char *text = malloc(len);
	assert_non_null(text);
	memset(text, ' ', len);
	memcpy(text, "{}", 2);
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	assert_int_equal(obi_child_config_parse(ob_bytes_of(text, len), &config, &err), OB_ETOOBIG);
	assert_int_equal(obi_child_config_parse(ob_bytes_of(text, len - 1), &config, &err), OB_OK);
	free(text);
}

/* "{" then `count` times "kNNNN":VALUE, then "}"; free it. */
static char *many_keys(size_t count, const char *value)
{
	char *text = malloc(2 + count * (strlen(value) + 16)), *at = text;
	assert_non_null(text);
	*at++ = '{';
	for (size_t i = 0; i < count; i++) {
		at += sprintf(at, "%s\"k%zu\":%s", i > 0 ? "," : "", i, value);
	}
	strcpy(at, "}");
	return text;
}

static void fault_82_keys_and_values_are_counted(void **unused)
{
	(void)unused;
	size_t most = (OBI_CHILD_CONFIG_VALUES - 1) / 2; /* but the object itself */
	for (size_t more = 0; more < 2; more++) {
		char *text = many_keys(most + more, "0");
		struct ob_config config = {.size = sizeof config};
		struct ob_error err = {0};
		int r = obi_child_config_parse(ob_bytes_text(text), &config, &err);
		assert_int_equal(r, more == 0 ? OB_OK : OB_ETOOBIG);
		if (r == OB_OK) {
			assert_int_equal(strlen(config.extra), strlen(text) - 2);
			assert_memory_equal(config.extra, text + 1, strlen(text) - 2);
		}
		obi_child_config_clear(&config);
		free(text);
	}
}

enum { SOME_KEYS = 250, MORE_KEYS = 8 * SOME_KEYS };

static void parse_many_keys(void *user, size_t n)
{
	char *const *texts = user;
	struct ob_config config = parsed(texts[n == SOME_KEYS ? 0 : 1]);
	obi_child_config_clear(&config);
}

static void fault_82_unknown_keys_cost_linear_work(void **unused)
{
	(void)unused;
	char value[104]; /* what is kept is long */
	snprintf(value, sizeof value, "\"%0100d\"", 0);
	char *texts[] = {many_keys(SOME_KEYS, value), many_keys(MORE_KEYS, value)};
	assert_true(work_growth(parse_many_keys, texts, SOME_KEYS) < WORK_LINEAR);
	free(texts[0]);
	free(texts[1]);
}

static void fault_82_texts_have_a_maximum(void **unused)
{
	(void)unused;
	const struct {
		const char *key;
		size_t max;
	} texts[] = {{"rpc_addr", OBI_CHILD_CONFIG_TEXT_MAX},
		     {"name", OBI_CHILD_CONFIG_TEXT_MAX},
		     {"rules", OBI_CHILD_CONFIG_LIST_MAX}};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char *text = malloc(OBI_CHILD_CONFIG_LIST_MAX + 64), why[64];
		assert_non_null(text);
		for (size_t more = 0; more < 2; more++) {
			int head = sprintf(text, "{\"%s\":\"", texts[i].key);
			memset(text + head, 'x', texts[i].max + more);
			strcpy(text + (size_t)head + texts[i].max + more, "\"}");
			snprintf(why, sizeof why, "%s: longer than %zu bytes", texts[i].key,
				 texts[i].max);
			if (more > 0) {
				expect_refused(text, strlen(text), why);
			} else {
				struct ob_config config = parsed(text);
				obi_child_config_clear(&config);
			}
		}
		free(text);
	}
}

static void unreadable_configs_are_not_written(void **unused)
{
	(void)unused;
	struct obi_buf out;
	struct ob_error err = {0};
	obi_buf_init(&out, 4096);
	struct ob_config config = {.size = sizeof config, .token = (char *)(uintptr_t) "short"};
	assert_int_equal(obi_child_config_format(&config, obi_buf_sink(&out), &err), OB_EINVAL);
	assert_string_equal(err.text, "token: must be 64 hex digits");
	config = (struct ob_config){.size = sizeof config, .pid = -4};
	assert_int_equal(obi_child_config_format(&config, obi_buf_sink(&out), &err), OB_EINVAL);
	config = (struct ob_config){.size = sizeof config, .name = (char *)(uintptr_t) "\xff"};
	assert_int_equal(obi_child_config_format(&config, obi_buf_sink(&out), &err), OB_EINVAL);
	assert_memory_equal(err.text, "name: ", 6);
	char name[OBI_CHILD_CONFIG_TEXT_MAX + 2];
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	config = (struct ob_config){.size = sizeof config, .name = name};
	assert_int_equal(obi_child_config_format(&config, obi_buf_sink(&out), &err), OB_EINVAL);
	assert_string_equal(err.text, "name: longer than 4096 bytes");
	obi_buf_free(&out);
	obi_buf_init(&out, 16);
	config = (struct ob_config){.size = sizeof config};
	assert_int_equal(obi_child_config_format(&config, obi_buf_sink(&out), &err), OB_ETOOBIG);
	obi_buf_free(&out);
}

static void set_copies_and_empties(void **unused)
{
	(void)unused;
	char *field = NULL;
	char text[] = "abc";
	assert_int_equal(obi_child_config_set(&field, text), OB_OK);
	text[0] = 'x';
	assert_string_equal(field, "abc");
	assert_int_equal(obi_child_config_set(&field, field), OB_OK);
	assert_string_equal(field, "abc");
	assert_int_equal(obi_child_config_set(&field, ""), OB_OK);
	assert_null(field);
	assert_int_equal(obi_child_config_set(&field, NULL), OB_OK);
	assert_null(field);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_written_compactly_in_the_origins_order),
	    cmocka_unit_test(zero_empty_and_false_are_left_out),
	    cmocka_unit_test(file_of_the_origin_is_read),
	    cmocka_unit_test(a_shorter_struct_is_filled_as_far_as_it_goes),
	    cmocka_unit_test(null_is_absent),
	    cmocka_unit_test(unknown_keys_survive_as_they_stand),
	    cmocka_unit_test(escapes_are_read_and_written),
	    cmocka_unit_test(malformed_configs_are_refused_with_the_reason),
	    cmocka_unit_test(fault_52_config_cut_at_any_byte_is_refused),
	    cmocka_unit_test(fault_52_flipped_bits_never_break_the_reader),
	    cmocka_unit_test(a_file_that_is_too_large_is_refused),
	    cmocka_unit_test(fault_82_keys_and_values_are_counted),
	    cmocka_unit_test(fault_82_unknown_keys_cost_linear_work),
	    cmocka_unit_test(fault_82_texts_have_a_maximum),
	    cmocka_unit_test(unreadable_configs_are_not_written),
	    cmocka_unit_test(set_copies_and_empties),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
