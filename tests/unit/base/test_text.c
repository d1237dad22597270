/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include "base/text.h"

/* A code point as UTF-8; returns its length. */
static size_t put(uint32_t c, uint8_t to[4])
{
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = len - 1; i > 0; i--) {
		to[i] = (uint8_t)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	to[0] = (uint8_t)(first[len] | c);
	return len;
}

/* C0, DEL, C1, line separators, and what changes the direction of text. */
static bool is_obeyed(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x206f);
}

static void fault_86_control_characters_are_not_shown(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		uint8_t bytes[4];
		size_t len = put(c, bytes), want = is_obeyed(c) ? 0 : len;
		if (c >= 0xd800 && c <= 0xdfff) {
			want = 0; /* surrogates are not characters */
		}
		if (obi_text_shown(bytes, bytes + len) != want) {
			fail_msg("U+%04X", c);
		}
		assert_true(want == 0 || obi_utf8_value(bytes, len) == c);
	}
	for (unsigned byte = 0x80; byte < 0x100; byte++) {
		uint8_t one = (uint8_t)byte;
		assert_int_equal(obi_text_shown(&one, &one + 1), 0);
	}
}

static void escapes_are_visible(void **state)
{
	static const struct {
		const char *text, *form;
		size_t stands_for;
	} table[] = {
	    {"\n", "\\n", 1},	      {"\t", "\\t", 1},		  {"\r", "\\r", 1},
	    {"\x1b[", "\\x1b", 1},    {"\x7f", "\\x7f", 1},	  {"\xc2\x9b", "\\u009b", 2},
	    {"\x9b", "\\x9b", 1},     {"\xd8\x9c", "\\u061c", 2}, {"\xe2\x80\xae", "\\u202e", 3},
	    {"\xe2\x80", "\\xe2", 1}, {"\xff\xff", "\\xff", 1}};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const uint8_t *at = (const uint8_t *)table[i].text;
		char form[OBI_TEXT_ESCAPE_MAX];
		size_t len;
		assert_int_equal(obi_text_escape(at, at + strlen(table[i].text), form, &len),
				 table[i].stands_for);
		assert_int_equal(len, strlen(table[i].form));
		assert_memory_equal(form, table[i].form, len);
	}
	static const uint8_t nul[1];
	char form[OBI_TEXT_ESCAPE_MAX];
	size_t len;
	assert_int_equal(obi_text_escape(nul, nul + 1, form, &len), 1);
	assert_memory_equal(form, "\\x00", 4);
}

static bool is_plain(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static void check_plain_run(unsigned one, unsigned next)
{
	for (size_t at = 0; at < 39; at++) {
		uint8_t text[40];
		const uint8_t *want = text, *end = text + sizeof text;
		memset(text, '~', sizeof text);
		text[at] = (uint8_t)one;
		text[at + 1] = (uint8_t)next;
		while (want < end && is_plain(*want)) {
			want++;
		}
		assert_ptr_equal(obi_text_plain(text, end), want);
		assert_ptr_equal(obi_text_plain_portable(text, end), want);
	}
}

/* A run of plain bytes ends at the first other byte, at any place in a word, whatever its
 * neighbour is. */
static void plain_text_ends_at_the_first_byte_that_is_not(void **state)
{
	(void)state;
	for (unsigned one = 0; one < 0x100; one++) {
		for (unsigned next = 0; next < 0x100; next++) {
			check_plain_run(one, next);
		}
	}
}

/* With the vectors of the processor and without: runs of each length, at each alignment, with
 * another byte anywhere, or none. */
static void vectors_find_what_words_find(void **state)
{
	static const uint8_t others[] = {0, 0x1f, '"', '\\', 0x7f, 0x80, 0xc3, 0xff};
	enum { LEN = 700 };
	uint8_t text[LEN];
	(void)state;
	memset(text, 'x', LEN);
	for (size_t start = 0; start < 17; start++) {
		for (size_t end = start; end <= LEN; end++) {
			assert_ptr_equal(obi_text_plain(text + start, text + end), text + end);
		}
		for (size_t at = start; at < LEN; at++) {
			text[at] = others[(at + start) % sizeof others];
			text[LEN - 1] = '"';
			assert_ptr_equal(obi_text_plain(text + start, text + LEN), text + at);
			assert_ptr_equal(obi_text_plain_portable(text + start, text + LEN),
					 text + at);
			text[at] = text[LEN - 1] = 'x';
		}
	}
}

static void text_is_made_utf8(void **state)
{
	char text[] = "caf\xc3\xa9 \xff \xe2\x80";
	(void)state;
	obi_text_clean(text);
	assert_string_equal(text, "caf\xc3\xa9 ? ??");
}

static void a_text_is_shown_in_one_line(void **state)
{
	char shown[16];
	(void)state;
	obi_text_show("a\nb\x1b[1m\xff", shown, sizeof shown);
	assert_string_equal(shown, "a\\nb\\x1b[1m\\xff");
	/* An escape or a character that does not fit is left out as a whole. */
	obi_text_show("12345\n", shown, 7);
	assert_string_equal(shown, "12345");
	obi_text_show("12345\xc3\xa9", shown, 7);
	assert_string_equal(shown, "12345");
	obi_text_show("x", shown, 1);
	assert_string_equal(shown, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_86_control_characters_are_not_shown),
	    cmocka_unit_test(escapes_are_visible),
	    cmocka_unit_test(plain_text_ends_at_the_first_byte_that_is_not),
	    cmocka_unit_test(vectors_find_what_words_find),
	    cmocka_unit_test(text_is_made_utf8),
	    cmocka_unit_test(a_text_is_shown_in_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
