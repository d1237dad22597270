/* SPDX-License-Identifier: MIT */
/* The config of `outboard run`: into options, or every fault at once. */
#include "cli/config/run_config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/scratch.h"

/* Collects "key: reason\n" of each fault, with its offset before it where it has one. */
static void collect(void *user, const char *key, const char *reason, const size_t *offset)
{
	char *text = user;
	size_t len = strlen(text);
	if (offset != NULL) {
		len += (size_t)snprintf(text + len, 8192 - len, "%zu ", *offset);
	}
	snprintf(text + len, 8192 - len, "%s: %s\n", key, reason);
}

static int parse(const char *text, char *faults, struct obi_run_config *ret, struct ob_error *err)
{
	const struct obi_run_config_setup setup = {.fault = collect, .user = faults};
	return obi_run_config_parse(ob_bytes_text(text), &setup, ret, err);
}

static struct obi_run_config parsed(const char *text)
{
	char faults[8192] = "";
	struct obi_run_config config;
	struct ob_error err = {0};
	if (parse(text, faults, &config, &err) < 0) {
		fail_msg("%s\n%s", err.text, faults);
	}
	assert_string_equal(faults, "");
	return config;
}

static void expect_faults(const char *text, const char *want, const char *error)
{
	char faults[8192] = "";
	struct obi_run_config config;
	struct ob_error err = {0};
	assert_int_equal(parse(text, faults, &config, &err), OB_EINVAL);
	assert_string_equal(faults, want);
	if (error != NULL) {
		assert_string_equal(err.text, error);
	}
	/* Nobody has to listen. */
	assert_int_equal(obi_run_config_parse(ob_bytes_text(text), NULL, &config, NULL), OB_EINVAL);
}

static void expect_list(const char *const *list, const char *want)
{
	char text[256] = "";
	assert_non_null(list);
	for (; *list != NULL; list++) {
		strcat(strcat(text, *list), "|");
	}
	assert_string_equal(text, want);
}

static void least_config_is_a_command_and_a_place(void **unused)
{
	(void)unused;
	struct obi_run_config config =
	    parsed("{\"data_root\":\"/var/lib/x\",\"children\":{\"web\":{\"command\":[\"web\"]},"
		   "\"db-1.a_b\":{\"command\":[\"/bin/db\",\"\",\"-x\"]}}}");
	assert_int_equal(config.count, 2);
	assert_null(config.plugin_path);
	const struct ob_connector_options *web = &config.children[0], *db = &config.children[1];
	assert_int_equal(web->size, sizeof *web);
	assert_string_equal(web->name, "web");
	assert_string_equal(web->data_path, "/var/lib/x/web");
	assert_string_equal(web->state_path, "/var/lib/x/.state/web");
	expect_list(web->argv, "web|");
	expect_list(db->argv, "/bin/db||-x|");
	assert_string_equal(db->data_path, "/var/lib/x/db-1.a_b");
	/* All else is the default of the library. */
	struct ob_connector_options bare = {.size = sizeof bare,
					    .name = web->name,
					    .data_path = web->data_path,
					    .state_path = web->state_path,
					    .argv = web->argv,
					    .placeholders = true};
	assert_memory_equal(web, &bare, sizeof bare);
	obi_run_config_free(&config);
	assert_null(config.children);
	obi_run_config_free(&config);
}

static const char every_key[] =
    "{\"plugin_path\":[\"/p\",\"/q\"],\"children\":{\"c\":{\"command\":[\"/"
    "c\"],\"env\":{\"A\":\"1\",\"B\":\"\"},"
    "\"env_clear\":true,\"data_path\":\"/"
    "d\",\"transport\":\"unix\",\"listen\":\"unix:///d/s\","
    "\"connect\":\"tcp://"
    "127.0.0.1:7\",\"codec\":\"json\",\"auth\":[\"noise\",\"token\"],\"allow_"
    "plaintext\":true,\"parent_"
    "address\":\"2001:db8::1\","
    "\"ready\":{\"mode\":\"rpc\",\"timeout\":\"90s\"},\"restart\":{\"max_restarts\":"
    "5,\"backoff_base\":"
    "\"250ms\","
    "\"backoff_max\":\"1m30s\",\"reset_window\":\"1h\",\"jitter\":0.25},\"stop\":{"
    "\"signal\":\"TERM\","
    "\"timeout\":\"3s\"},\"health\":{\"interval\":\"0s\",\"misses\":4,\"on_fail\":"
    "\"restart\"},\"version\":7,"
    "\"user\":\"u\",\"group\":\"g\",\"cwd\":\"/"
    "w\",\"umask\":\"027\",\"limits\":{\"nofile\":[1024,4096],"
    "\"core\":0,\"as\":\"unlimited\"},\"stdin\":\"/"
    "i\",\"log_pipe\":65536,\"message_max\":65536,\"lock_wait\":\"0s\"}}}";

static void clients_of_a_child_have_a_list_of_their_own(void **unused)
{
	(void)unused;
	struct obi_run_config config = parsed(
	    "{\"children\":{\"c\":{\"command\":[\"/c\"],\"data_path\":\"/d\","
	    "\"auth\":[\"peercred\",{\"use\":\"x\",\"settings\":{\"a\":1},\"child_settings\":"
	    "\"same\"}],\"client_listen\":\"tcp://0.0.0.0:7\",\"client_auth\":[\"noise\","
	    "{\"use\":\"ask\",\"settings\":{\"b\":2}}],\"client_transport\":{\"use\":\"tcp\","
	    "\"settings\":{\"c\":3}}},"
	    "\"d\":{\"command\":[\"/c\"],\"data_path\":\"/e\",\"client_listen\":\"unix:///s\","
	    "\"client_auth\":\"peercred\"}}}");
	const struct ob_connector_options *c = config.children;
	expect_list(c->auth, "peercred|x|");
	expect_list(c->client_auth, "noise|ask|");
	assert_string_equal(c->client_listen, "tcp://0.0.0.0:7");
	assert_string_equal(c->client_transport, "tcp");
	/* All settings for clients are the child's. */
	assert_string_equal(c->settings, "{\"auth\":{\"x\":{\"a\":1}}}");
	assert_string_equal(c->child_settings,
			    "{\"auth\":{\"x\":{\"a\":1}},\"client_auth\":{\"ask\":{\"b\":2}},"
			    "\"client_transport\":{\"c\":3}}");
	expect_list(c[1].client_auth, "peercred|");
	assert_null(c[1].child_settings);
	obi_run_config_free(&config);
	expect_faults(
	    "{\"children\":{\"c\":{\"command\":[\"/c\"],\"data_path\":\"/d\","
	    "\"client_listen\":7,\"client_auth\":[{\"use\":\"x\",\"child_settings\":{}},"
	    "{\"settings\":{}}],\"client_transport\":\"\"}}}",
	    "children.c.client_listen: must be a string\n"
	    "children.c.client_auth.0.child_settings: is not for a plugin for clients: its "
	    "settings are those of the child\n"
	    "children.c.client_auth.1.use: is required\n"
	    "children.c.client_transport: must be the name of a plugin\n",
	    NULL);
}

static void a_child_inside_is_a_user_and_a_group(void **unused)
{
	(void)unused;
	struct obi_run_config config =
	    parsed("{\"data_root\":\"/d\",\"children\":{\"a\":{\"command\":[\"/c\"],"
		   "\"plugin_trust\":\"unmapped\",\"run_as\":{\"gid\":5,\"uid\":4294967294}},"
		   "\"b\":{\"command\":[\"/c\"]}}}");
	assert_int_equal(config.children[0].run_as->uid, UINT32_MAX - 1);
	assert_int_equal(config.children[0].run_as->gid, 5);
	assert_null(config.children[1].run_as);
	assert_int_equal(config.children[0].plugin_trust, OB_PLUGIN_TRUST_UNMAPPED);
	assert_int_equal(config.children[1].plugin_trust, OB_PLUGIN_TRUST_OWNED);
	obi_run_config_free(&config);
	expect_faults("{\"data_root\":\"/d\",\"children\":{"
		      "\"a\":{\"command\":[\"/c\"],\"run_as\":{\"uid\":4294967295}},"
		      "\"b\":{\"command\":[\"/c\"],\"run_as\":{\"uid\":\"x\",\"gid\":-1,\"c\":1}},"
		      "\"c\":{\"command\":[\"/c\"],\"run_as\":7},"
		      "\"d\":{\"command\":[\"/c\"],\"run_as\":null,\"plugin_trust\":\"all\"}}}",
		      "children.a.run_as.uid: must be an integer from 0 to 4294967294\n"
		      "children.a.run_as.gid: is required\n"
		      "children.b.run_as.uid: must be an integer from 0 to 4294967294\n"
		      "children.b.run_as.gid: must be an integer from 0 to 4294967294\n"
		      "children.b.run_as.c: is not a known key\n"
		      "children.c.run_as: must be an object\n"
		      "children.d.run_as: must be an object\n"
		      "children.d.plugin_trust: must be \"owned\" or \"unmapped\"\n",
		      NULL);
}

static void expect_limits(const struct ob_rlimit *limits)
{
	assert_string_equal(limits[0].name, "nofile");
	assert_int_equal(limits[0].soft, 1024);
	assert_int_equal(limits[0].hard, 4096);
	assert_string_equal(limits[1].name, "core");
	assert_int_equal(limits[1].hard, 0);
	assert_true(limits[2].soft == UINT64_MAX && limits[2].hard == UINT64_MAX);
	assert_null(limits[3].name);
}

static void every_key_reaches_its_option(void **unused)
{
	(void)unused;
	struct obi_run_config config = parsed(every_key);
	const struct ob_connector_options *c = config.children;
	expect_list(config.plugin_path, "/p|/q|");
	expect_list(c->env, "A=1|B=|");
	expect_list(c->auth, "noise|token|");
	assert_true(c->env_clear && c->allow_plaintext);
	assert_string_equal(c->parent_address, "2001:db8::1");
	assert_string_equal(c->data_path, "/d");
	assert_string_equal(c->transport, "unix");
	assert_string_equal(c->listen, "unix:///d/s");
	assert_string_equal(c->connect, "tcp://127.0.0.1:7");
	assert_string_equal(c->codec, "json");
	assert_int_equal(c->ready, OB_READY_RPC);
	assert_int_equal(c->ready_timeout_ms, 90000);
	assert_int_equal(c->restart.max_restarts, 5);
	assert_int_equal(c->restart.backoff_base_ms, 250);
	assert_int_equal(c->restart.backoff_max_ms, 90000);
	assert_int_equal(c->restart.reset_window_ms, 3600000);
	assert_true(c->restart.jitter > 0.24 && c->restart.jitter < 0.26);
	assert_int_equal(c->stop_signal, SIGTERM);
	assert_int_equal(c->stop_timeout_ms, 3000);
	assert_int_equal(c->health_interval_ms, -1);
	assert_int_equal(c->health_misses, 4);
	assert_int_equal(c->health_action, OB_HEALTH_RESTART);
	assert_int_equal(c->version, 7);
	assert_string_equal(c->user, "u");
	assert_string_equal(c->group, "g");
	assert_string_equal(c->cwd, "/w");
	assert_int_equal(c->umask, 027);
	assert_string_equal(c->stdin_path, "/i");
	assert_int_equal(c->log_pipe_bytes, 65536);
	assert_int_equal(c->message_max, 65536);
	assert_int_equal(c->lock_wait_ms, 0);
	expect_limits(c->limits);
	obi_run_config_free(&config);
}

static void none_is_minus_one_in_the_options(void **unused)
{
	(void)unused;
	struct obi_run_config config = parsed(
	    "{\"data_root\":\"/"
	    "\",\"children\":{\"c\":{\"command\":[\"c\"],\"auth\":\"peercred\",\"umask\":\"0\","
	    "\"restart\":{\"max_restarts\":-1,\"backoff_base\":\"0s\"},\"ready\":{\"mode\":"
	    "\"none\",\"timeout\":\"0s\"}"
	    "}}}");
	const struct ob_connector_options *c = config.children;
	assert_string_equal(c->data_path, "/c");
	expect_list(c->auth, "peercred|");
	assert_int_equal(c->umask, -1);
	assert_int_equal(c->restart.max_restarts, -1);
	assert_int_equal(c->restart.backoff_base_ms, -1);
	assert_int_equal(c->ready, OB_READY_NONE);
	assert_int_equal(c->ready_timeout_ms, -1);
	obi_run_config_free(&config);
}

static const char many_faults[] =
    "{\"data_rot\":\"/x\",\"plugin_path\":[\"rel\"],\"children\":{\"a "
    "b\":{\"command\":[\"c\"],\"data_path\":\"/1\"},"
    "\"web\":{\"comand\":[\"x\"],\"env\":{\"A=\":\"1\",\"B\":2},\"umask\":"
    "\"089\",\"stop\":{\"signal\":"
    "\"SIGFOO\","
    "\"timeout\":\"10\"},\"health\":{\"misses\":0,\"on_fail\":\"pray\"},"
    "\"limits\":{\"patience\":1,"
    "\"nofile\":[2,1],\"core\":-1},\"restart\":{\"jitter\":2,\"max_restarts\":-2}"
    ",\"auth\":[],"
    "\"codec\":\"../x\",\"listen\":\"no "
    "uri\",\"cwd\":\"w\",\"version\":-1,\"user\":\"\",\"ready\":[],"
    "\"log_pipe\":1,\"message_max\":1073741825,\"env_clear\":1}}}";

static void all_faults_are_told_at_once_with_their_places(void **unused)
{
	(void)unused;
	expect_faults(many_faults,
		      "data_rot: is not a known key\n"
		      "plugin_path.0: must be an absolute path\n"
		      "children.a b: is not a valid name: 1 to 64 of A-Z a-z 0-9 . _ -\n"
		      "children.web.comand: is not a known key\n"
		      "children.web.env.A=: is not a valid name of a variable\n"
		      "children.web.env.B: must be a string without NUL characters\n"
		      "children.web.umask: must be octal digits in quotes, such as \"022\"\n"
		      "children.web.stop.signal: must be a signal, such as \"SIGTERM\"\n"
		      "children.web.stop.timeout: not a duration (as \"1m30s\"): units are h, m, "
		      "s, ms, in this order\n"
		      "children.web.health.misses: must be an integer from 1 to 2147483647\n"
		      "children.web.health.on_fail: must be \"event\" or \"restart\"\n"
		      "children.web.limits.patience: is not a known limit\n"
		      "children.web.limits.nofile: the soft limit must not be above the hard one\n"
		      "children.web.limits.core: must be a number, \"unlimited\", or a list [soft, "
		      "hard] of these\n"
		      "children.web.restart.jitter: must be a number from 0 to 1\n"
		      "children.web.restart.max_restarts: must be an integer, not below -1\n"
		      "children.web.auth: must be a list of strings that is not empty\n"
		      "children.web.codec: must be the name of a plugin\n"
		      "children.web.listen: address \"no?uri\": it does not begin with scheme://\n"
		      "children.web.cwd: must be an absolute path\n"
		      "children.web.version: must be an integer, not below 0\n"
		      "children.web.user: must not be empty\n"
		      "children.web.ready: must be an object\n"
		      "children.web.log_pipe: must be an integer from 4096 to 2147483647\n"
		      "children.web.message_max: must be an integer from 4096 to 1073741824\n"
		      "children.web.env_clear: must be true or false\n"
		      "children.web.command: is required\n"
		      "children.web.data_path: is required where there is no data_root\n",
		      "28 faults; the first: data_rot: is not a known key");
}

static void a_child_has_one_text_however_it_is_written(void **unused)
{
	(void)unused;
	struct obi_run_config one =
	    parsed("{\"data_root\": \"/d\", \"children\": {"
		   "\"a\": {\"command\": [\"/x\", \"y\"], \"env\": {\"B\": \"1\", \"A\": \"2\"}},"
		   "\"b\": {\"restart\": {\"jitter\": 0.5, \"max_restarts\": 3}, \"command\": "
		   "[\"/x\"]}}}");
	struct obi_run_config other =
	    parsed("{\"children\": {"
		   "\"a\":{\"env\":{\"A\":\"2\",\"B\":\"1\"},\"command\":[\"/x\",\"y\"]},\n"
		   "\"b\":{\"command\":[\"/x\"], \"restart\":{\"max_restarts\":3,\"jitter\":0.50}},"
		   "\"c\":{\"command\":[\"y\",\"/x\"]}}, \"data_root\": \"/d\"}");
	assert_string_equal(one.texts[0], "{\"command\":[\"/x\",\"y\"],"
					  "\"env\":{\"A\":\"2\",\"B\":\"1\"}}");
	assert_string_equal(one.texts[0], other.texts[0]);
	assert_string_equal(one.texts[1], other.texts[1]);
	assert_string_equal(other.texts[2], "{\"command\":[\"y\",\"/x\"]}");
	obi_run_config_free(&one);
	obi_run_config_free(&other);
}

static void one_fault_is_the_error(void **unused)
{
	(void)unused;
	expect_faults("{\"children\":{\"a\":{\"command\":[\"x\"]}}}",
		      "children.a.data_path: is required where there is no data_root\n",
		      "children.a.data_path: is required where there is no data_root");
	expect_faults("{}", "children: is required\n", "children: is required");
	expect_faults("[]", ": must be an object\n", "must be an object");
	expect_faults("{\"children\":[]}", "children: must be an object\n", NULL);
	expect_faults("{\"children\":{\"a\":[]},\"data_root\":\"/\"}",
		      "children.a: must be an object\n", NULL);
	expect_faults("{\"data_root\":\"\",\"children\":{\"a\":{\"command\":[\"x\"]}}}",
		      "data_root: must be an absolute path\n", NULL);
	expect_faults(
	    "{\"data_root\":\"/\",\"children\":{\"a\":{\"command\":[\"./x\"]}}}",
	    "children.a.command: must begin with an absolute path, or a name to look up in PATH\n",
	    NULL);
	expect_faults("{\"data_root\":\"/\",\"children\":{\"a\":{\"command\":[7]}}}",
		      "children.a.command.0: must be a string\n", NULL);
	expect_faults("{\"data_root\":\"/\",\"children\":{\"a\":{\"command\":[\"x\\u0000\"]}}}",
		      "children.a.command.0: must not contain a NUL character\n", NULL);
	expect_faults("{\"data_root\":\"/\",\"children\":{\"..\":{\"command\":[\"x\"]}}}",
		      "children...: is not a valid name: 1 to 64 of A-Z a-z 0-9 . _ -\n", NULL);
}

#define LIMIT "limits.nofile: must be a number, \"unlimited\", or a list [soft, hard] of these"

static const struct {
	const char *member, *fault;
} wrong_kinds[] = {
    {"\"umask\":22", "umask: must be octal digits in quotes, such as \"022\""},
    {"\"umask\":\"\"", "umask: must be octal digits in quotes, such as \"022\""},
    {"\"umask\":\"00022\"", "umask: must be octal digits in quotes, such as \"022\""},
    {"\"umask\":\"028\"", "umask: must be octal digits in quotes, such as \"022\""},
    {"\"umask\":\"02/\"", "umask: must be octal digits in quotes, such as \"022\""},
    {"\"umask\":\"7777\"", "umask: must be octal digits in quotes, such as \"022\""},
    {"\"restart\":{\"max_restarts\":\"3\"}",
     "restart.max_restarts: must be an integer, not below -1"},
    {"\"restart\":{\"max_restarts\":2147483648}",
     "restart.max_restarts: must be an integer, not below -1"},
    {"\"restart\":{\"jitter\":\"x\"}", "restart.jitter: must be a number from 0 to 1"},
    {"\"restart\":{\"jitter\":-0.1}", "restart.jitter: must be a number from 0 to 1"},
    {"\"health\":{\"misses\":\"x\"}", "health.misses: must be an integer from 1 to 2147483647"},
    {"\"health\":{\"misses\":2147483648}",
     "health.misses: must be an integer from 1 to 2147483647"},
    {"\"restart\":{\"on\":7}", "restart.on: must be \"exit\" or \"failure\" or \"never\""},
    {"\"limits\":{\"nofile\":[1]}", LIMIT},
    {"\"limits\":{\"nofile\":[1,2,3]}", LIMIT},
    {"\"limits\":{\"nofile\":[\"x\",1]}", LIMIT},
    {"\"limits\":{\"nofile\":[1,\"x\"]}", LIMIT},
    {"\"limits\":{\"nofile\":\"unlimite\"}", LIMIT},
    {"\"limits\":{\"nofile\":true}", LIMIT},
    {"\"limits\":[]", "limits: must be an object"},
    {"\"env\":[]", "env: must be an object of strings"},
};

static void values_of_a_wrong_kind_are_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof wrong_kinds / sizeof wrong_kinds[0]; i++) {
		char *text =
		    scratch_text("{\"data_root\":\"/\",\"children\":{\"a\":{\"command\":[\"x\"],"
				 "%s}}}",
				 wrong_kinds[i].member);
		char *fault = scratch_text("children.a.%s\n", wrong_kinds[i].fault);
		expect_faults(text, fault, NULL);
		free(fault);
		free(text);
	}
}

static void what_is_no_json_is_one_fault_with_its_offset(void **unused)
{
	(void)unused;
	static const char *const bad[][2] = {
	    {"", "0 : the text is empty\n"},
	    {"{", "1 : unexpected end\n"},
	    {"{\"children\":{}} x", "16 : unexpected text after the value\n"},
	    {"{\"children\":{},\"children\":{}}", "15 : duplicate key in an object\n"},
	    {"{\"a\":\"\xff\"}", "6 : bad UTF-8\n"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		expect_faults(bad[i][0], bad[i][1], NULL);
	}
}

/* ---- Variables ---- */

static const char with_value[] =
    "{\"data_root\":\"/\",\"children\":{\"c\":{\"command\":[\"c\"],\"env\":{\"A\":\"%s\"}}}}";

static void values_of_env_are_expanded(void **unused)
{
	(void)unused;
	static const char *const good[][2] = {
	    {"", "A="},
	    {"plain", "A=plain"},
	    {"${OB_ONE}", "A=1"},
	    {"<${OB_ONE}${OB_ONE}>", "A=<11>"},
	    /* Placeholders, and dollars before they are replaced. */
	    {"$$", "A=$$"},
	    {"$${OB_ONE}", "A=$${OB_ONE}"},
	    {"${name}-${token_file}", "A=${name}-${token_file}"},
	    {"${ob_2}", "A=$$$$ $${OB_ONE}"}, /* what a value contains is taken as it is */
	    {"${OB_EMPTY}", "A="},
	    {"}{ \\u0024{OB_ONE}", "A=}{ 1"},
	};
	setenv("OB_ONE", "1", 1);
	setenv("ob_2", "$$ ${OB_ONE}", 1);
	setenv("OB_EMPTY", "", 1);
	setenv("name", "of the environment", 1);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		char text[512];
		snprintf(text, sizeof text, with_value, good[i][0]);
		struct obi_run_config config = parsed(text);
		assert_string_equal(config.children[0].env[0], good[i][1]);
		obi_run_config_free(&config);
	}
}

static void what_refers_to_nothing_is_a_fault(void **unused)
{
	(void)unused;
	static const char single[] = "has a single \"$\": write \"$$\" for a dollar, \"${NAME}\" "
				     "for a variable";
	static const char open[] = "has \"${\" without \"}\": write \"$${\" if it is no variable";
	static const char *const bad[][2] = {
	    {"${OB_NONE}", "the variable OB_NONE is not set in the environment"},
	    {"$", single},
	    {"a$b", single},
	    {"$(ls)", single},
	    {"$$$", single},
	    {"${", open},
	    {"${OB_ONE", open},
	    {"${}", "\"${}\" does not contain the name of a variable"},
	    {"${1}", "\"${1}\" does not contain the name of a variable"},
	    {"${A-b}", "\"${A-b}\" does not contain the name of a variable"},
	    {"${${OB_ONE}}", "\"${${OB_ONE}\" does not contain the name of a variable"},
	};
	unsetenv("OB_NONE");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char text[512], want[512];
		snprintf(text, sizeof text, with_value, bad[i][0]);
		snprintf(want, sizeof want, "children.c.env.A: %s\n", bad[i][1]);
		expect_faults(text, want, NULL);
	}
}

static void another_environment_may_lack_a_variable(void **unused)
{
	(void)unused;
	const struct obi_run_config_setup setup = {.other_environment = true};
	struct obi_run_config config;
	char text[512];
	unsetenv("OB_NONE");
	setenv("OB_ONE", "1", 1);
	snprintf(text, sizeof text, with_value, "${OB_ONE} ${OB_NONE}");
	assert_int_equal(obi_run_config_parse(ob_bytes_text(text), &setup, &config, NULL), OB_OK);
	assert_string_equal(config.children[0].env[0], "A=${OB_ONE} ${OB_NONE}");
	obi_run_config_free(&config);
	snprintf(text, sizeof text, with_value, "${");
	assert_int_equal(obi_run_config_parse(ob_bytes_text(text), &setup, &config, NULL),
			 OB_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(least_config_is_a_command_and_a_place),
	    cmocka_unit_test(every_key_reaches_its_option),
	    cmocka_unit_test(clients_of_a_child_have_a_list_of_their_own),
	    cmocka_unit_test(a_child_inside_is_a_user_and_a_group),
	    cmocka_unit_test(none_is_minus_one_in_the_options),
	    cmocka_unit_test(all_faults_are_told_at_once_with_their_places),
	    cmocka_unit_test(a_child_has_one_text_however_it_is_written),
	    cmocka_unit_test(one_fault_is_the_error),
	    cmocka_unit_test(values_of_a_wrong_kind_are_refused),
	    cmocka_unit_test(what_is_no_json_is_one_fault_with_its_offset),
	    cmocka_unit_test(values_of_env_are_expanded),
	    cmocka_unit_test(what_refers_to_nothing_is_a_fault),
	    cmocka_unit_test(another_environment_may_lack_a_variable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
