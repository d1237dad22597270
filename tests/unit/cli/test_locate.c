/* SPDX-License-Identifier: MIT */
/* The places of faults in the text of a config. */
#include "cli/config/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void expect_place(const char *text, const char *key, uint32_t line, uint32_t column)
{
	struct obi_faults faults;
	obi_faults_init(&faults, "-");
	faults.text = ob_bytes_text(text);
	obi_faults_add(&faults, key, "reason");
	obi_faults_locate(&faults);
	assert_int_equal(faults.first->place.line, line);
	assert_int_equal(faults.first->place.column, column);
	obi_faults_free(&faults);
}

static const char text[] = "\n"							   /* 1 */
			   "{ \"data_root\" : \"/\\\"}\",\n"			   /* 2 */
			   "\t\"children\": {\r\n"				   /* 3 */
			   "  \"a\": {\"command\": [\"x\", \"y\"],\n"		   /* 4 */
			   "    \"e\\u006ev\": {\"A\":\"\", \"B.C\":-1.5e3}},\n"   /* 5 */
			   "  \"a.b\": {\"env\": {\"C\": true}, \"env\": null},\n" /* 6 */
			   "  \"\xc3\xa9\": {}, \"\": [], \"z\": {}\n"		   /* 7 */
			   "}}";

static void a_place_is_that_of_the_key(void **unused)
{
	(void)unused;
	expect_place(text, "", 2, 1);
	expect_place(text, "data_root", 2, 3);
	expect_place(text, "children", 3, 2);
	expect_place(text, "children.a", 4, 3);
	expect_place(text, "children.a.command", 4, 9);
	expect_place(text, "children.a.command.0", 4, 21);
	expect_place(text, "children.a.command.1", 4, 26);
	expect_place(text, "children.a.env", 5, 5);
	expect_place(text, "children.a.env.A", 5, 18);
	expect_place(text, "children.a.env.B.C", 5, 26);
	expect_place(text, "children.\xc3\xa9", 7, 3);
	expect_place(text, "children.", 7, 12);
	expect_place(text, "children.z", 7, 20);
}

static void what_is_missing_is_at_what_would_hold_it(void **unused)
{
	(void)unused;
	expect_place(text, "plugin_path", 2, 1);
	expect_place(text, "children.a.user", 4, 3);
	expect_place(text, "children.a.command.2", 4, 9);
	expect_place(text, "children.aa", 3, 2);
	expect_place(text, "children.a-", 3, 2);
	expect_place(text, "data_root.x", 2, 3);
}

static void names_with_dots_are_found_whole(void **unused)
{
	(void)unused;
	expect_place(text, "children.a.b", 6, 3);
	expect_place(text, "children.a.b.env.C", 6, 19);
	expect_place(text, "children.a.b.user", 6, 3);
	static const char other[] = "{\"a.b\":{\"c\":1},\n\"a\":{\"d\":2}}";
	expect_place(other, "a.b.c", 1, 9);
	expect_place(other, "a.b.x", 1, 2);
	expect_place(other, "a.d", 2, 6);
}

static void without_text_there_is_no_place(void **unused)
{
	(void)unused;
	expect_place("", "data_root", 0, 0);
	expect_place("[]", "", 1, 1);
	expect_place(" 7", "children", 1, 2);
}

/* A key that is cut is that of the outermost item that it is cut in. */
static void the_place_of_a_long_key_is_not_inside_it(void **unused)
{
	(void)unused;
	char name[301], key[256], long_text[512];
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	snprintf(key, sizeof key, "a.%.253s", name);
	snprintf(long_text, sizeof long_text, "{\"a\":{\n\"%s\":[\n1,\n{\"b\":2}]}}", name);
	expect_place(long_text, key, 2, 1);
}

/* One pass, whatever the number of faults: with a search for each this would take hours. */
static void many_faults_take_one_pass(void **unused)
{
	(void)unused;
	enum { CHILDREN = 100000 };
	struct obi_faults faults;
	size_t size = CHILDREN * 32, len = 0;
	char *many = malloc(size), key[64];
	obi_faults_init(&faults, "x");
	len += (size_t)snprintf(many, size, "{\"children\":{\n");
	for (int i = 0; i < CHILDREN; i++) {
		len += (size_t)snprintf(many + len, size - len, "\"%d\":{\"user\":1}%s\n", i,
					i + 1 < CHILDREN ? "," : "}}");
		snprintf(key, sizeof key, "children.%d.user", i);
		obi_faults_add(&faults, key, "reason");
	}
	faults.text = ob_bytes_of(many, len);
	obi_faults_locate(&faults);
	uint32_t line = 2;
	for (const struct obi_fault *f = faults.first; f != NULL; f = f->next) {
		assert_int_equal(f->place.line, line++);
	}
	assert_int_equal(line, CHILDREN + 2);
	obi_faults_free(&faults);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_place_is_that_of_the_key),
	    cmocka_unit_test(what_is_missing_is_at_what_would_hold_it),
	    cmocka_unit_test(names_with_dots_are_found_whole),
	    cmocka_unit_test(without_text_there_is_no_place),
	    cmocka_unit_test(the_place_of_a_long_key_is_not_inside_it),
	    cmocka_unit_test(many_faults_take_one_pass),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
