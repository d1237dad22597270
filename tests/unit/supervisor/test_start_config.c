/* SPDX-License-Identifier: MIT */
/* What a child is told for a start. */
#include "supervisor/start_config.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct ob_connector_options options = {.size = sizeof options,
					      .name = "child",
					      .listen = "unix:///d/rpc.sock",
					      .codec = "json",
					      .health_interval_ms = -1};

static void token_and_instance_are_new_each_time(void **state)
{
	(void)state;
	struct ob_config one = {.size = sizeof one}, two = {.size = sizeof two};
	assert_int_equal(obi_start_config_make(&options, NULL, &one, NULL), OB_OK);
	assert_int_equal(obi_start_config_make(&options, NULL, &two, NULL), OB_OK);
	assert_int_equal(strspn(one.token, "0123456789abcdef"), 64);
	assert_int_equal(strlen(one.token), 64);
	assert_int_equal(strspn(one.instance, "0123456789abcdef"), 32);
	assert_int_equal(strlen(one.instance), 32);
	assert_string_not_equal(one.token, two.token);
	assert_string_not_equal(one.instance, two.instance);
	ob_config_clear(&one);
	ob_config_clear(&two);
}

static void options_become_fields(void **state)
{
	(void)state;
	const char *auth[] = {"noise", "token", NULL}, *rules[] = {"allow a.b", "deny *", NULL};
	const char *users[] = {"7", "8", NULL}, *none[] = {NULL};
	struct ob_connector_options o = options;
	struct ob_config config = {.size = sizeof config};
	o.auth = auth;
	o.rules = rules;
	o.peer_users = users;
	o.peer_groups = none;
	o.parent_address = "10.0.0.1";
	o.allow_plaintext = true;
	o.health_interval_ms = 250;
	o.message_max = 65536;
	assert_int_equal(obi_start_config_make(&o, "chaos", &config, NULL), OB_OK);
	assert_string_equal(config.name, "child");
	assert_string_equal(config.listen, "unix:///d/rpc.sock");
	assert_string_equal(config.codec, "json");
	assert_string_equal(config.transport, "chaos");
	assert_string_equal(config.auth, "noise,token");
	assert_string_equal(config.rules, "allow a.b; deny *");
	assert_string_equal(config.peer_uids, "7,8");
	assert_null(config.peer_gids);
	assert_string_equal(config.parent_address, "10.0.0.1");
	assert_true(config.allow_plaintext);
	assert_int_equal(config.heartbeat_ms, 250);
	assert_int_equal(config.message_max, 65536);
	assert_false(config.ready);
	ob_config_clear(&config);
}

static void heartbeats_that_are_off_are_not_told(void **state)
{
	(void)state;
	struct ob_config config = {.size = sizeof config};
	assert_int_equal(obi_start_config_make(&options, NULL, &config, NULL), OB_OK);
	assert_int_equal(config.heartbeat_ms, 0);
	assert_null(config.transport);
	assert_null(config.rules);
	ob_config_clear(&config);
}

static void a_list_that_is_too_long_is_refused(void **state)
{
	(void)state;
	size_t len = 20000;
	char *text = malloc(len + 1);
	assert_non_null(text);
	memset(text, 'x', len);
	text[len] = '\0';
	const char *rules[] = {text, NULL};
	struct ob_connector_options o = options;
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	o.rules = rules;
	assert_int_equal(obi_start_config_make(&o, NULL, &config, &err), OB_EINVAL);
	assert_string_equal(err.text, "writing outboard config: a list is longer than 16384 bytes");
	ob_config_clear(&config);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(token_and_instance_are_new_each_time),
	    cmocka_unit_test(options_become_fields),
	    cmocka_unit_test(heartbeats_that_are_off_are_not_told),
	    cmocka_unit_test(a_list_that_is_too_long_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
