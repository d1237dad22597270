/* SPDX-License-Identifier: MIT */
/* Long strings, which are written in pieces of 16 KiB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "json/json.h"

enum { PIECE = 16384, LEN = 2 * PIECE + 1000, MOST = 4 * LEN };

struct place {
	struct obi_arena arena;
	struct obi_buf out;
	char text[LEN];
};

static int write_text(struct place *p)
{
	struct ob_value value = ob_stringn(p->text, LEN);
	obi_buf_free(&p->out);
	obi_buf_init(&p->out, MOST);
	return obi_json_write(&value, obi_buf_sink(&p->out), NULL);
}

/* What was written is read as the same text, and takes `more` bytes than that and its quotes. */
static void check(struct place *p, size_t more)
{
	struct ob_value back;
	assert_int_equal(write_text(p), OB_OK);
	struct ob_bytes written = obi_buf_bytes(&p->out);
	assert_int_equal(written.len, LEN + 2 + more);
	assert_int_equal(obi_json_parse(written, &p->arena.ob, NULL, &back, NULL), OB_OK);
	assert_int_equal(back.count, LEN);
	assert_memory_equal(back.as.string, p->text, LEN);
	obi_arena_reset(&p->arena);
}

static void check_at(struct place *p, const char *special, size_t more, size_t at)
{
	memset(p->text, 'x', LEN);
	memcpy(p->text + at, special, strlen(special));
	check(p, more);
	memcpy(p->text + at - PIECE / 2, special, strlen(special));
	check(p, 2 * more);
}

static void begin(struct place *p)
{
	obi_arena_init(&p->arena, MOST);
	obi_buf_init(&p->out, MOST);
	memset(p->text, 'x', LEN);
}

static void end(struct place *p)
{
	obi_buf_free(&p->out);
	obi_arena_free(&p->arena);
}

static void escapes_and_characters_stand_across_the_ends_of_pieces(void **state)
{
	static const struct {
		const char *text;
		size_t more;
	} specials[] = {{"\"", 1},   {"\\", 1},	      {"\n", 1},	   {"\x01", 5},
			{"\x7f", 5}, {"\xc3\xb6", 0}, {"\xe2\x82\xac", 0}, {"\xf0\x9f\x98\x80", 0}};
	struct place p;
	(void)state;
	begin(&p);
	check(&p, 0);
	for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
		for (size_t at = PIECE - 5; at < PIECE + 3; at++) {
			check_at(&p, specials[i].text, specials[i].more, at);
			check_at(&p, specials[i].text, specials[i].more, at + PIECE);
		}
	}
	end(&p);
}

static void bad_utf_8_at_the_end_of_a_piece_is_refused(void **state)
{
	struct place p;
	(void)state;
	begin(&p);
	p.text[PIECE - 1] = '\xc3';
	assert_int_equal(write_text(&p), OB_EINVAL);
	p.text[PIECE - 1] = 'x';
	p.text[LEN - 1] = '\xc3';
	assert_int_equal(write_text(&p), OB_EINVAL);
	end(&p);
}

static void a_string_that_does_not_fit_is_an_error(void **state)
{
	struct place p;
	struct ob_value value;
	(void)state;
	begin(&p);
	value = ob_stringn(p.text, LEN);
	obi_buf_free(&p.out);
	obi_buf_init(&p.out, LEN + 1);
	assert_int_equal(obi_json_write(&value, obi_buf_sink(&p.out), NULL), OB_ENOMEM);
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(escapes_and_characters_stand_across_the_ends_of_pieces),
	    cmocka_unit_test(bad_utf_8_at_the_end_of_a_piece_is_refused),
	    cmocka_unit_test(a_string_that_does_not_fit_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
