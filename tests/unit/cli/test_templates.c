/* SPDX-License-Identifier: MIT */
/* Templates of a config: what a child gets from them, and where their faults are told. */
#include "cli/config/run_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Collects "key: reason\n" of each fault. */
static void collect(void *user, const char *key, const char *reason, const size_t *offset)
{
	char *text = user;
	size_t len = strlen(text);
	(void)offset;
	snprintf(text + len, 8192 - len, "%s: %s\n", key, reason);
}

/* The templates and the children of a config, in JSON with single quotes. */
static char *whole(const char *templates, const char *children)
{
	char *text = NULL;
	assert_true(asprintf(&text, "{'data_root':'/r','children':{%s},'templates':{%s}}", children,
			     templates) > 0);
	for (char *at = text; *at != '\0'; at++) {
		*at = *at == '\'' ? '"' : *at;
	}
	return text;
}

static struct obi_run_config parsed(const char *templates, const char *children)
{
	char faults[8192] = "", *text = whole(templates, children);
	const struct obi_run_config_setup setup = {.fault = collect, .user = faults};
	struct obi_run_config config;
	struct ob_error err = {0};
	if (obi_run_config_parse(ob_bytes_text(text), &setup, &config, &err) < 0) {
		fail_msg("%s\n%s", err.text, faults);
	}
	free(text);
	return config;
}

static void expect_faults(const char *templates, const char *children, const char *want)
{
	char faults[8192] = "", *text = whole(templates, children);
	const struct obi_run_config_setup setup = {.fault = collect, .user = faults};
	struct obi_run_config config;
	assert_int_equal(obi_run_config_parse(ob_bytes_text(text), &setup, &config, NULL),
			 OB_EINVAL);
	assert_string_equal(faults, want);
	free(text);
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

static void a_child_gets_what_it_does_not_say(void **state)
{
	(void)state;
	struct obi_run_config config = parsed(
	    "'t':{'command':['a','${name}'],'listen':'unix:///run/${name}.sock','version':3,"
	    "'stop':{'signal':'SIGTERM','timeout':'5s'}}",
	    "'x':{'use':'t'},'y':{'use':'t','version':4,'command':['b']},'z':{'command':['c']}");
	const struct ob_connector_options *x = &config.children[0], *y = &config.children[1],
					  *z = &config.children[2];
	expect_list(x->argv, "a|${name}|");
	assert_string_equal(x->listen, "unix:///run/${name}.sock");
	assert_int_equal(x->version, 3);
	assert_int_equal(x->stop_timeout_ms, 5000);
	expect_list(y->argv, "b|");
	assert_int_equal(y->version, 4);
	assert_int_equal(y->stop_signal, 15);
	assert_null(z->listen);
	obi_run_config_free(&config);
}

static void objects_are_merged_and_all_else_is_not(void **state)
{
	(void)state;
	struct obi_run_config config = parsed(
	    "'t':{'command':['a'],'env':{'A':'1','B':'1'},'limits':{'nofile':5,'core':[1,2]},"
	    "'stop':{'cleanup':['x','y'],'timeout':'5s'},'rules':['allow *'],"
	    "'codec':{'use':'p','settings':{'k':1}}}",
	    "'x':{'use':'t','env':{'B':'2','C':'2'},'limits':{'core':[3,4]},"
	    "'stop':{'cleanup':['z']},'rules':['deny *'],'codec':{'use':'q'}}");
	const struct ob_connector_options *x = &config.children[0];
	expect_list(x->env, "A=1|B=2|C=2|");
	assert_string_equal(x->limits[0].name, "nofile");
	assert_int_equal(x->limits[0].soft, 5);
	assert_string_equal(x->limits[1].name, "core");
	assert_int_equal(x->limits[1].soft, 3);
	assert_null(x->limits[2].name);
	expect_list(x->cleanup, "z|");
	assert_int_equal(x->stop_timeout_ms, 5000);
	expect_list(x->rules, "deny *|");
	assert_string_equal(x->codec, "q");
	assert_null(x->settings);
	obi_run_config_free(&config);
}

static void the_later_comes_before_the_earlier(void **state)
{
	(void)state;
	/* Those that are used are written later, or before. */
	struct obi_run_config config =
	    parsed("'a':{'use':['b','c'],'cwd':'/a','env':{'A':'a'}},"
		   "'b':{'cwd':'/b','user':'b','group':'b','env':{'A':'b','B':'b','C':'b'}},"
		   "'c':{'cwd':'/c','user':'c','stdin':'/c','env':{'B':'c'}},"
		   "'d':{'stdin':'/d','command':['d']}",
		   "'x':{'use':['a','d']},'y':{'use':['d','a'],'env':{'C':'y'}}");
	const struct ob_connector_options *x = &config.children[0], *y = &config.children[1];
	assert_string_equal(x->cwd, "/a");
	assert_string_equal(x->user, "c");
	assert_string_equal(x->group, "b");
	assert_string_equal(x->stdin_path, "/d");
	expect_list(x->env, "A=a|B=c|C=b|");
	assert_string_equal(y->stdin_path, "/c");
	expect_list(y->env, "A=a|B=c|C=y|");
	obi_run_config_free(&config);
}

static void what_a_child_is_does_not_depend_on_how_it_is_written(void **state)
{
	(void)state;
	struct obi_run_config config =
	    parsed("'t':{'command':['a'],'env':{'A':'1'}},'u':{'use':'t'}",
		   "'x':{'use':'t'},'y':{'command':['a'],'env':{'A':'1'}},'z':{'use':['u']},"
		   "'o':{'use':'t','env':{'A':'2'}}");
	assert_string_equal(config.texts[0], config.texts[1]);
	assert_string_equal(config.texts[0], config.texts[2]);
	assert_string_not_equal(config.texts[0], config.texts[3]);
	obi_run_config_free(&config);
}

static void a_fault_of_a_template_is_told_once(void **state)
{
	(void)state;
	expect_faults(
	    "'t':{'command':['a',7],'env':{'A':1,'B':'$'},'stop':{'timeout':5},'nope':1}",
	    "'x':{'use':'t'},'y':{'use':'t','env':{'C':2},'nope':2}",
	    "templates.t.command.1: must be a string\n"
	    "templates.t.env.A: must be a string without NUL characters\n"
	    "templates.t.env.B: has a single \"$\": write \"$$\" for a dollar, \"${NAME}\" "
	    "for a variable\n"
	    "templates.t.stop.timeout: must be a duration in quotes, such as \"1m30s\"\n"
	    "templates.t.nope: is not a known key\n"
	    "children.y.env.C: must be a string without NUL characters\n"
	    "children.y.nope: is not a known key\n");
	/* One that a child puts right is still told. */
	expect_faults("'t':{'cwd':'x'}", "'x':{'use':'t','command':['a'],'cwd':'/x'}",
		      "templates.t.cwd: must be an absolute path\n");
	expect_faults("'t':{'version':1}", "'x':{'use':'t'}", "children.x.command: is required\n");
}

static void what_is_used_must_exist(void **state)
{
	static const char wrong[] = "must be the name of a template, or a list of names";
	char want[512];
	(void)state;
	expect_faults("'t':{'command':['a']}",
		      "'x':{'use':['t','u']},'y':{'use':'','command':['a']}",
		      "children.x.use.1: no template \"u\" exists\n"
		      "children.y.use: no template \"\" exists\n");
	expect_faults("'t':{'command':['a'],'use':'v'}", "'x':{'use':'t'},'y':{'use':'t'}",
		      "templates.t.use: no template \"v\" exists\n");
	snprintf(want, sizeof want, "children.x.use.0: %s\nchildren.y.use: %s\n", wrong, wrong);
	expect_faults("", "'x':{'use':[7],'command':['a']},'y':{'use':{},'command':['a']}", want);
	expect_faults("'t':7,'.u':{}", "'x':{'command':['a']}",
		      "templates.t: must be an object\n"
		      "templates..u: is not a valid name: 1 to 64 of A-Z a-z 0-9 . _ -\n");
}

static void a_circle_is_a_fault(void **state)
{
	(void)state;
	expect_faults(
	    "'a':{'use':'b','command':['a']},'b':{'use':['c']},'c':{'use':['d','a']},'d':{}",
	    "'x':{'use':'a'}",
	    "templates.c.use.1: template \"a\" uses itself, directly or by others\n");
	expect_faults("'a':{'use':'a','command':['a']}", "'x':{'use':'a'}",
		      "templates.a.use: template \"a\" uses itself, directly or by others\n");
}

/* Each of many uses the next one twice: what that costs is bounded. */
static void a_diamond_of_templates_costs_no_more_than_its_size(void **state)
{
	char text[16384] = "";
	size_t len = 0;
	(void)state;
	for (int i = 40; i > 0; i--) {
		len += (size_t)snprintf(text + len, sizeof text - len,
					"'t%d':{'use':['t%d','t%d'],'env':{'A%d':'%d'}},", i, i - 1,
					i - 1, i, i);
	}
	snprintf(text + len, sizeof text - len, "'t0':{'command':['a']}");
	struct obi_run_config config = parsed(text, "'x':{'use':'t40'}");
	assert_string_equal(config.children[0].env[39], "A40=40");
	obi_run_config_free(&config);
}

static void depth_and_length_are_bounded(void **state)
{
	char templates[16384] = "'t0':{'use':'t1'}",
	     children[1024] = "'x':{'command':['a'],'use':[";
	size_t len = strlen(templates);
	(void)state;
	for (int i = 1; i < 100; i++) {
		len += (size_t)snprintf(templates + len, sizeof templates - len,
					",'t%d':{'use':'t%d'}", i, i + 1);
	}
	snprintf(templates + len, sizeof templates - len, ",'t100':{}");
	expect_faults(templates, "'x':{'command':['a']}",
		      "templates.t63.use: templates use each other more than 64 levels deep\n");
	for (int i = 0; i < 65; i++) {
		strcat(children, i > 0 ? ",'t'" : "'t'");
	}
	strcat(children, "]}");
	expect_faults("'t':{}", children, "children.x.use: must have at most 64 names\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_child_gets_what_it_does_not_say),
	    cmocka_unit_test(objects_are_merged_and_all_else_is_not),
	    cmocka_unit_test(the_later_comes_before_the_earlier),
	    cmocka_unit_test(what_a_child_is_does_not_depend_on_how_it_is_written),
	    cmocka_unit_test(a_fault_of_a_template_is_told_once),
	    cmocka_unit_test(what_is_used_must_exist),
	    cmocka_unit_test(a_circle_is_a_fault),
	    cmocka_unit_test(a_diamond_of_templates_costs_no_more_than_its_size),
	    cmocka_unit_test(depth_and_length_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
