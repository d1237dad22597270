/* SPDX-License-Identifier: MIT */
/* Claims of several mechanisms are added up, within their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "rpc/claims.h"
#include "support/expect.h"

static char long_text[OB_CLAIM_VALUE_MAX + 2];

static int set_up(void **state)
{
	(void)state;
	memset(long_text, 'x', sizeof long_text - 1);
	return 0;
}

static void assert_claim(const struct obi_claims *claims, const char *name, const char *value)
{
	struct ob_bytes text = {NULL, 0};
	assert_true(ob_get_string(ob_value_find(&claims->map, name), &text));
	assert_true(ob_bytes_is(text, value));
}

/* Add one, which must fail and leave what is there. */
static void refused(struct obi_claims **claims, struct ob_value said, const char *why)
{
	struct obi_claims *before = *claims;
	struct ob_error err = {.text = ""};
	expect(obi_claims_add(claims, &said, &err), OB_EAUTH, &err, why);
	assert_ptr_equal(*claims, before);
}

static void later_ones_replace_those_of_the_same_name(void **state)
{
	char name[] = "role", value[] = "guest";
	const struct ob_pair first[] = {{ob_string(name), ob_string(value)},
					{ob_string("team"), ob_string("")}};
	const struct ob_pair second[] = {{ob_string("level"), ob_string("7")},
					 {ob_string("role"), ob_string("admin")}};
	const struct ob_value one = ob_map(first, 2), two = ob_map(second, 2),
			      none = ob_map(NULL, 0);
	struct obi_claims *claims = NULL;
	(void)state;
	assert_int_equal(obi_claims_add(&claims, &none, NULL), OB_OK);
	assert_null(claims);
	assert_int_equal(obi_claims_add(&claims, &one, NULL), OB_OK);
	memset(name, 'z', 4);
	memset(value, 'z', 5);
	assert_int_equal(claims->map.count, 2);
	assert_claim(claims, "role", "guest");
	assert_claim(claims, "team", "");
	assert_int_equal(obi_claims_add(&claims, &none, NULL), OB_OK);
	assert_int_equal(obi_claims_add(&claims, &two, NULL), OB_OK);
	assert_int_equal(claims->map.count, 3);
	assert_claim(claims, "role", "admin");
	assert_claim(claims, "team", "");
	assert_claim(claims, "level", "7");
	obi_claims_free(claims);
}

static void what_is_no_claim_is_refused(void **state)
{
	char name[OB_CLAIM_NAME_MAX + 2] = "";
	struct ob_pair pairs[2] = {{ob_string("a"), ob_string("b")},
				   {ob_string("b"), ob_string("")}};
	struct obi_claims *claims = NULL;
	(void)state;
	memset(name, 'n', OB_CLAIM_NAME_MAX);
	pairs[0].key = ob_string(name);
	pairs[0].value = ob_stringn(long_text, OB_CLAIM_VALUE_MAX);
	const struct ob_value longest = ob_map(pairs, 1);
	assert_int_equal(obi_claims_add(&claims, &longest, NULL), OB_OK);
	refused(&claims, ob_string("a"), "the claims are not a map");
	refused(&claims, ob_nil(), "the claims are not a map");
	pairs[0].value = ob_string(long_text);
	refused(&claims, ob_map(pairs, 1), "longer than 255 bytes");
	name[OB_CLAIM_NAME_MAX] = 'n';
	pairs[0] = (struct ob_pair){ob_string(name), ob_string("b")};
	refused(&claims, ob_map(pairs, 1), "the name of a claim is not 1 to 63 of");
	static const char *const names[] = {"", "a b", "a=b", "\xc3\xb6", "a\"", "a/b"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		pairs[0].key = ob_string(names[i]);
		refused(&claims, ob_map(pairs, 1), "the name of a claim is not");
	}
	const struct ob_value values[] = {ob_nil(),	     ob_int(7),
					  ob_binary("x", 1), ob_bool(true),
					  ob_map(NULL, 0),   ob_string("\xed\xa0\x80")};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		pairs[0] = (struct ob_pair){ob_string("role"), values[i]};
		refused(&claims, ob_map(pairs, 1), "claim role: not a string of UTF-8");
	}
	pairs[0] = (struct ob_pair){ob_string("b"), ob_string("c")};
	refused(&claims, ob_map(pairs, 2), "claim b: occurs twice");
	obi_claims_free(claims);
}

/* So many claims with values of len bytes, with names that begin so. */
static struct ob_value many(struct ob_pair pairs[OB_CLAIMS_MAX + 1], char names[][8], char letter,
			    uint32_t count, size_t len)
{
	for (uint32_t i = 0; i < count; i++) {
		const char name[8] = {letter, (char)('0' + i / 10), (char)('0' + i % 10), '\0'};
		memcpy(names[i], name, sizeof name);
		pairs[i] = (struct ob_pair){ob_string(names[i]), ob_stringn(long_text, len)};
	}
	return ob_map(pairs, count);
}

static void the_limits_are_of_all_together(void **state)
{
	struct ob_pair pairs[OB_CLAIMS_MAX + 1];
	char names[OB_CLAIMS_MAX + 1][8];
	struct obi_claims *claims = NULL;
	(void)state;
	refused(&claims, many(pairs, names, 'a', OB_CLAIMS_MAX + 1, 1), "more than 32 claims");
	struct ob_value all = many(pairs, names, 'a', OB_CLAIMS_MAX, 125); /* 32 * 128 = 4096 */
	assert_int_equal(obi_claims_add(&claims, &all, NULL), OB_OK);
	refused(&claims, many(pairs, names, 'b', 1, 0), "more than 32 claims");
	refused(&claims, many(pairs, names, 'a', 1, 126), "more than 4096 bytes of claims");
	struct ob_value same = many(pairs, names, 'a', OB_CLAIMS_MAX, 1);
	assert_int_equal(obi_claims_add(&claims, &same, NULL), OB_OK);
	assert_int_equal(claims->map.count, OB_CLAIMS_MAX);
	assert_claim(claims, "a31", "x");
	obi_claims_free(claims);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(later_ones_replace_those_of_the_same_name),
	    cmocka_unit_test(what_is_no_claim_is_refused),
	    cmocka_unit_test(the_limits_are_of_all_together),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
