/* SPDX-License-Identifier: MIT */
/* Lines that the queue puts together from a head that it keeps: they must be what log/render makes,
 * and be counted one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "log/printable.h"
#include "log/queue.h"
#include "log/render.h"

enum { NAMES = 5, MESSAGES = 9, LINES = 20000 };

static struct obi_log_queue queue;
static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static struct ob_log_record some_record(void)
{
	static char long_name[300];
	static const char *const messages[MESSAGES] = {
	    "plain",
	    "with \"quotes\"",
	    "back\\slash",
	    "tab\there",
	    "\x1b[2J",
	    "",
	    "\xc3\xa4\xff",
	    "\x7f",
	    "one that is somewhat longer than a word or two"};
	memset(long_name, 'n', sizeof long_name - 1);
	const char *names[NAMES] = {"a", "b", "quote\"d", NULL, long_name};
	return (struct ob_log_record){
	    .size = sizeof(struct ob_log_record),
	    .name = names[random_below(NAMES)],
	    .stream = (int)random_below(3),
	    .level = (int)random_below(2) * 4 + (int)random_below(2),
	    .time = {(time_t)random_below(2), (long)random_below(2) * 1000000},
	    .utc_offset = (int32_t)random_below(2) * 3600,
	    .flags = random_below(4) == 0 ? random_below(32) : 0,
	    .message = ob_bytes_text(messages[random_below(MESSAGES)]),
	    .source_line = random_below(9) == 0,
	    .attrs = ob_map(NULL, 0),
	};
}

static bool render(const struct ob_log_record *record, bool json, bool color, struct obi_buf *to)
{
	return json ? obi_log_render_json(record, obi_buf_sink(to))
		    : obi_log_render_human(record, color, obi_buf_sink(to));
}

static void check_lines(bool json, bool color)
{
	struct obi_buf wanted;
	obi_buf_init(&wanted, 64 << 20);
	assert_true(obi_log_queue_init(&queue, 64 << 20, json, color));
	for (int i = 0; i < LINES; i++) {
		struct ob_log_record record = some_record();
		for (uint32_t again = random_below(3) + 1; again > 0; again--) {
			assert_true(render(&record, json, color, &wanted));
			obi_log_queue_put(&queue, &record);
		}
	}
	obi_log_queue_take(&queue, (struct timespec){1, 0});
	struct ob_bytes batch = obi_log_queue_batch(&queue), all = obi_buf_bytes(&wanted);
	assert_int_equal(batch.len, all.len);
	assert_memory_equal(batch.data, all.data, all.len);
	obi_log_queue_free(&queue);
	obi_buf_free(&wanted);
}

static void lines_are_what_render_makes(void **state)
{
	(void)state;
	seed = 7;
	check_lines(true, false);
	check_lines(false, false);
	check_lines(false, true);
}

static void put(const char *name, int stream)
{
	struct ob_log_record record = {
	    .size = sizeof record,
	    .name = name,
	    .stream = stream,
	    .message = ob_bytes_text("a line"),
	    .attrs = ob_map(NULL, 0),
	};
	obi_log_queue_put(&queue, &record);
}

/* The head of one that was freed must not serve another one at the same address. */
static void names_that_come_and_go_keep_their_heads(void **state)
{
	char name[16], wanted[64];
	(void)state;
	assert_true(obi_log_queue_init(&queue, 1 << 20, false, false));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "name-%d", i);
		snprintf(wanted, sizeof wanted, "[%s stdout] a line\n", name);
		put(name, 1);
		obi_log_queue_take(&queue, (struct timespec){1, 0});
		struct ob_bytes batch = obi_log_queue_batch(&queue);
		assert_non_null(memmem(batch.data, batch.len, wanted, strlen(wanted)));
		obi_log_queue_written(&queue, batch.len);
	}
	obi_log_queue_free(&queue);
}

/* Count what is reported as dropped, in all. */
static uint64_t reported(void)
{
	obi_log_queue_take(&queue, (struct timespec){1, 0});
	struct ob_bytes rest = obi_log_queue_batch(&queue);
	const char *at;
	uint64_t all = 0;
	while (rest.len > 0 && (at = memmem(rest.data, rest.len, "dropped=", 8)) != NULL) {
		char number[24] = "";
		size_t used = (size_t)(at + 8 - (const char *)rest.data);
		rest = (struct ob_bytes){rest.data + used, rest.len - used};
		memcpy(number, rest.data, rest.len < 23 ? rest.len : 23);
		all += strtoull(number, NULL, 10);
	}
	return all;
}

/* A batch that fails in the middle: what was written completely is not lost, the rest is. */
static void fault_85_lines_of_a_lost_batch_are_counted_one_by_one(void **state)
{
	static const struct {
		size_t lines, bytes; /* that were written before */
		uint64_t lost;
	} cases[] = {{0, 0, 30}, {1, 0, 29}, {9, 0, 21}, {10, 0, 20}, {10, 1, 20},
		     {9, 5, 21}, {25, 3, 5}, {29, 1, 1}, {30, 0, 0}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_true(obi_log_queue_init(&queue, 1 << 20, false, false));
		for (int line = 0; line < 30; line++) {
			put(line < 10 || line >= 20 ? "a" : "b", 1);
		}
		obi_log_queue_take(&queue, (struct timespec){1, 0});
		size_t line = obi_log_queue_batch(&queue).len / 30;
		obi_log_queue_written(&queue, cases[i].lines * line + cases[i].bytes);
		obi_log_queue_lost(&queue);
		assert_int_equal(obi_log_queue_batch(&queue).len, 0);
		assert_int_equal(reported(), cases[i].lost);
		/* The report is lost, too: it stands for as many. */
		obi_log_queue_lost(&queue);
		assert_int_equal(reported(), cases[i].lost);
		obi_log_queue_free(&queue);
	}
}

static void each_byte_is_printable_or_not(void **state)
{
	uint8_t text[64];
	(void)state;
	for (size_t len = 1; len <= sizeof text; len++) {
		for (int byte = 0; byte < 256; byte++) {
			bool good = byte >= 0x20 && byte < 0x7f;
			memset(text, 'x', sizeof text);
			text[len / 2] = text[len - 1] = (uint8_t)byte;
			assert_int_equal(obi_log_is_printable(text, text + len), good);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_what_render_makes),
	    cmocka_unit_test(names_that_come_and_go_keep_their_heads),
	    cmocka_unit_test(fault_85_lines_of_a_lost_batch_are_counted_one_by_one),
	    cmocka_unit_test(each_byte_is_printable_or_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
