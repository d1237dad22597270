/* SPDX-License-Identifier: MIT */
/* What a child has written, until its host has it: every byte is read once or counted once. */
#include "agent/agent_spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct reader {
	struct obi_agent_spool spool;
	uint64_t first, next;
	char text[512]; /* "1:abc 2+5:de ": stream, bytes lost before it, bytes */
};

/* Read, and say what came. */
static const char *read_from(struct reader *r, uint64_t offset, size_t max)
{
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value list = ob_nil();
	struct ob_sink out = ob_sink_fixed(r->text, sizeof r->text - 1);
	obi_arena_init(&arena, 1 << 20);
	ob_builder_init(&b, &arena.ob);
	obi_agent_spool_read(&r->spool, offset, max, &b, &r->first, &r->next);
	assert_int_equal(ob_builder_finish(&b, &list), OB_OK);
	for (uint32_t i = 0; i < list.count; i++) {
		struct obi_agent_chunk chunk = {0};
		char head[32];
		assert_int_equal(obi_agent_chunk_read(ob_value_at(&list, i), &chunk, NULL), OB_OK);
		snprintf(head, sizeof head, chunk.lost > 0 ? "%d+%d:" : "%d:", chunk.stream,
			 (int)chunk.lost);
		ob_sink_text(&out, head);
		ob_sink_put(&out, chunk.bytes.data, chunk.bytes.len);
		ob_sink_byte(&out, ' ');
	}
	r->text[out.len] = '\0';
	obi_arena_free(&arena);
	return r->text;
}

static void add(struct reader *r, int stream, const char *text)
{
	obi_agent_spool_add(&r->spool, stream, ob_bytes_text(text), 0);
}

/* The memory of a piece of so many bytes. */
static size_t memory_of(const char *text)
{
	struct reader r = {.spool.max = 1 << 20};
	add(&r, 1, text);
	size_t memory = r.spool.memory;
	obi_agent_spool_clear(&r.spool);
	return memory;
}

static void what_was_read_is_freed_when_it_is_acknowledged(void **unused)
{
	(void)unused;
	struct reader r = {.spool.max = 1 << 20};
	assert_false(obi_agent_spool_has(&r.spool, 0));
	add(&r, 1, "abc");
	add(&r, 2, "de");
	assert_true(obi_agent_spool_has(&r.spool, 0));
	assert_string_equal(read_from(&r, 0, 100), "1:abc 2:de ");
	assert_string_equal(read_from(&r, 0, 100), "1:abc 2:de ");
	assert_int_equal(r.next, 5);
	assert_string_equal(read_from(&r, 4, 100), "2:e ");
	assert_int_equal(r.first, 4);
	assert_string_equal(read_from(&r, 5, 100), "");
	assert_int_equal(r.spool.memory, 0);
	assert_false(obi_agent_spool_has(&r.spool, 5));
}

static void an_answer_has_at_most_so_many_bytes(void **unused)
{
	(void)unused;
	struct reader r = {.spool.max = 1 << 20};
	add(&r, 1, "abc");
	add(&r, 1, "def");
	assert_string_equal(read_from(&r, 0, 4), "1:abc 1:d ");
	assert_int_equal(r.next, 4);
	assert_string_equal(read_from(&r, 4, 4), "1:ef ");
	obi_agent_spool_clear(&r.spool);
}

static void the_oldest_are_dropped_and_counted_by_stream(void **unused)
{
	(void)unused;
	struct reader r = {.spool.max = 2 * memory_of("abc")};
	add(&r, 1, "abc");
	add(&r, 2, "def");
	add(&r, 1, "ghi");
	add(&r, 1, "jkl");
	assert_int_equal(r.spool.dropped, 6);
	/* of stream 2 nothing is left to carry the loss */
	assert_string_equal(read_from(&r, 0, 100), "1+3:ghi 1:jkl 2+3: ");
	assert_int_equal(r.first, 6);
	/* the answer may have been lost */
	assert_string_equal(read_from(&r, 0, 100), "1+3:ghi 1:jkl 2+3: ");
	assert_string_equal(read_from(&r, 12, 100), "");
	assert_false(obi_agent_spool_has(&r.spool, 12));
	add(&r, 2, "m");
	assert_string_equal(read_from(&r, 12, 100), "2:m ");
	obi_agent_spool_clear(&r.spool);
}

/* A piece that was in an answer, and then dropped, is lost only if the answer was. */
static void what_was_read_before_it_was_dropped_is_not_lost(void **unused)
{
	(void)unused;
	for (int arrived = 0; arrived < 2; arrived++) {
		struct reader r = {.spool.max = 2 * memory_of("abc")};
		add(&r, 1, "abc");
		add(&r, 1, "def");
		assert_string_equal(read_from(&r, 0, 4), "1:abc 1:d ");
		add(&r, 1, "ghi");
		add(&r, 1, "jkl");
		assert_true(obi_agent_spool_has(&r.spool, arrived ? 4 : 0));
		assert_string_equal(read_from(&r, arrived ? 4 : 0, 100),
				    arrived ? "1+2:ghi 1:jkl " : "1+6:ghi 1:jkl ");
		obi_agent_spool_clear(&r.spool);
	}
}

static void losses_of_the_place_are_told_too(void **unused)
{
	(void)unused;
	struct reader r = {.spool.max = 1 << 20};
	obi_agent_spool_add(&r.spool, 1, ob_bytes_text("abc"), 7);
	obi_agent_spool_add(&r.spool, 2, ob_bytes_text(""), 8);
	assert_string_equal(read_from(&r, 0, 100), "1+7:abc 2+8: ");
	assert_string_equal(read_from(&r, 3, 100), "");
	assert_false(obi_agent_spool_has(&r.spool, 3));
}

static void a_piece_that_is_larger_than_all_is_dropped(void **unused)
{
	(void)unused;
	struct reader r = {.spool.max = memory_of("abc")};
	add(&r, 1, "abc");
	add(&r, 1, "longer than that");
	assert_string_equal(read_from(&r, 0, 100), "1+19: ");
	assert_int_equal(r.first, 19);
	assert_int_equal(r.next, 19);
}

/* The reader knows more than this spool: it is one of a later run. */
static void an_offset_behind_the_end_reads_all(void **unused)
{
	(void)unused;
	struct reader r = {.spool.max = 1 << 20};
	assert_true(obi_agent_spool_has(&r.spool, 100));
	add(&r, 1, "abc");
	assert_string_equal(read_from(&r, 100, 100), "1:abc ");
	assert_int_equal(r.first, 0);
	assert_int_equal(r.next, 3);
	obi_agent_spool_clear(&r.spool);
}

/* Whatever is written, dropped, read and lost on the way: each byte is read or counted once. */
static void every_byte_is_accounted_for(void **unused)
{
	(void)unused;
	uint32_t seed = 1;
	for (int round = 0; round < 200; round++) {
		struct reader r = {.spool.max = 1000};
		uint64_t written = 0, seen = 0, offset = 0;
		for (int i = 0; i < 200 || obi_agent_spool_has(&r.spool, offset); i++) {
			seed = seed * 1664525 + 1013904223;
			size_t len = i < 200 ? (seed >> 20) % 100 : 0;
			char bytes[100];
			memset(bytes, 'x', sizeof bytes);
			obi_agent_spool_add(&r.spool, 1 + (int)(seed >> 10) % 3,
					    ob_bytes_of(bytes, len), 0);
			written += len;
			if ((seed >> 16) % 3 != 0) {
				continue;
			}
			uint64_t came = 0;
			for (char *at = (char *)(uintptr_t)read_from(&r, offset, 150);
			     *at != '\0';) {
				came += at[1] == '+' ? strtoull(at + 2, NULL, 10) : 0;
				at = strchr(at, ':') + 1;
				came += strcspn(at, " ");
				at += strcspn(at, " ") + 1;
			}
			if ((seed >> 24) % 2 == 0) { /* the answer arrives */
				seen += came;
				offset = r.next;
			}
		}
		assert_int_equal(seen, written);
		obi_agent_spool_clear(&r.spool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_read_is_freed_when_it_is_acknowledged),
	    cmocka_unit_test(an_answer_has_at_most_so_many_bytes),
	    cmocka_unit_test(the_oldest_are_dropped_and_counted_by_stream),
	    cmocka_unit_test(what_was_read_before_it_was_dropped_is_not_lost),
	    cmocka_unit_test(losses_of_the_place_are_told_too),
	    cmocka_unit_test(a_piece_that_is_larger_than_all_is_dropped),
	    cmocka_unit_test(an_offset_behind_the_end_reads_all),
	    cmocka_unit_test(every_byte_is_accounted_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
