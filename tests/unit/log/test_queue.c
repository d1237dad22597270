/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <stdio.h>

#include "base/arena.h"
#include "log/line.h"
#include "log/queue.h"

enum { MAX = 64 * 1024, CHILDREN = 1000, BIG = 1 << 20 };

static struct obi_log_queue queue;
static struct obi_arena arena;

static void open_queue(size_t max, bool json)
{
	obi_log_queue_free(&queue);
	assert_true(obi_log_queue_init(&queue, max, json, false));
}

static int setup(void **state)
{
	(void)state;
	obi_arena_init(&arena, 16 << 20);
	assert_true(obi_log_queue_init(&queue, MAX, true, false));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	obi_log_queue_free(&queue);
	obi_arena_free(&arena);
	return 0;
}

static void put(const char *name, int stream, const char *message, size_t len)
{
	struct ob_log_record record = {
	    .size = sizeof record,
	    .name = name,
	    .stream = stream,
	    .message = ob_bytes_of(message, len),
	    .line = ob_bytes_of(message, len),
	    .attrs = ob_map(NULL, 0),
	};
	obi_log_queue_put(&queue, &record);
}

static void put_many(const char *name, int stream, uint64_t n)
{
	char message[64];
	for (uint64_t i = 0; i < n; i++) {
		snprintf(message, sizeof message, "record number %llu", (unsigned long long)i);
		put(name, stream, message, strlen(message));
	}
}

static void take(void)
{
	obi_log_queue_take(&queue, (struct timespec){1, 0});
}

static void write_all(void)
{
	obi_log_queue_written(&queue, obi_log_queue_batch(&queue).len);
}

/* The batch is not terminated. */
static bool batch_has(const char *text)
{
	struct ob_bytes batch = obi_log_queue_batch(&queue);
	return memmem(batch.data, batch.len, text, strlen(text)) != NULL;
}

/* What the batch has of one stream of one child. */
struct found {
	uint64_t records;
	uint64_t lost; /* that are reported */
	uint64_t reports;
	struct ob_log_record last;
};

static void add_line(struct found *found, const struct ob_log_record *record, const char *name,
		     const char *stream)
{
	const struct ob_value *attrs = &record->attrs;
	const struct ob_value *from = ob_value_find(attrs, "from");
	struct ob_bytes text = {NULL, 0};
	uint64_t n;
	(void)ob_get_string(ob_value_find(attrs, "outboard"), &text);
	if (!ob_bytes_is(text, name)) {
		return;
	}
	text = (struct ob_bytes){NULL, 0};
	(void)ob_get_string(from != NULL ? from : ob_value_find(attrs, "stream"), &text);
	if (!ob_bytes_is(text, stream)) {
		return;
	}
	if (ob_get_uint(ob_value_find(attrs, "dropped"), &n)) {
		assert_ptr_equal(ob_value_find(attrs, "stream"), NULL);
		assert_int_equal(record->level, OB_LOG_WARN);
		found->lost += n;
		found->reports++;
	} else {
		found->records++;
		found->last = *record;
	}
}

/* name and stream "": none. */
static struct found find(const char *name, const char *stream)
{
	static const struct obi_log_line_from from = {.name = "x", .stream = 1};
	struct ob_bytes batch = obi_log_queue_batch(&queue);
	struct found found = {0};
	const uint8_t *at = batch.data, *end = at + batch.len;
	obi_arena_reset(&arena);
	while (at < end) {
		struct ob_log_record record;
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
		assert_non_null(newline);
		assert_true(obi_log_line_parse(&from, ob_bytes_of(at, (size_t)(newline - at)),
					       &arena.ob, &record));
		assert_true((record.flags & OB_LOG_PARSED) != 0);
		add_line(&found, &record, name, stream);
		at = newline + 1;
	}
	return found;
}

/* ---- Shares ---- */

static void fault_85_a_flood_costs_no_other_stream_its_lines(void **state)
{
	(void)state;
	put_many("flood", 1, 10000);
	put_many("quiet", 1, 100);
	put_many("flood", 2, 50);
	put_many("quiet", 0, 5);
	put_many(NULL, 0, 5);
	take();
	struct found flood = find("flood", "stdout");
	assert_true(flood.records > 300 && flood.lost > 0);
	assert_int_equal(flood.records + flood.lost, 10000);
	assert_int_equal(flood.reports, 1);
	struct found quiet = find("quiet", "stdout"), err = find("flood", "stderr");
	assert_int_equal(quiet.records, 100);
	assert_int_equal(err.records, 50);
	assert_int_equal(quiet.reports + err.reports, 0);
	assert_int_equal(find("quiet", "").records, 5);
	assert_int_equal(find("", "").records, 5);
}

static void fault_85_losses_are_reported_for_each_stream(void **state)
{
	(void)state;
	put_many("one", 1, 3000);
	put_many("one", 2, 4000);
	put_many("two", 0, 5000);
	put_many(NULL, 0, 6000);
	take();
	struct found found[4] = {find("one", "stdout"), find("one", "stderr"), find("two", ""),
				 find("", "")};
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(found[i].reports, 1);
		assert_int_equal(found[i].records + found[i].lost, 3000 + 1000 * i);
	}
	write_all();
	assert_false(obi_log_queue_has_losses(&queue));
	take();
	assert_int_equal(obi_log_queue_batch(&queue).len, 0);
}

/* Every child floods, and each finds its share taken up by those before it. */
static void fault_85_a_thousand_children_have_a_share_each(void **state)
{
	size_t bound = (size_t)((double)BIG * (1 + 6.91)) + CHILDREN * (size_t)OBI_LOG_SHARE_MIN;
	char name[32];
	(void)state;
	open_queue(BIG, true);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < CHILDREN; i++) {
			snprintf(name, sizeof name, "child-%d", i);
			put_many(name, 1, i == 0 ? 20000 : 100);
		}
		assert_true(obi_log_queue_len(&queue) < bound);
	}
	take();
	for (int i = 0; i < CHILDREN; i += 111) {
		snprintf(name, sizeof name, "child-%d", i);
		struct found found = find(name, "stdout");
		assert_true(found.records >= 20);
		assert_int_equal(found.records + found.lost, i == 0 ? 60000 : 300);
	}
	write_all();
	assert_int_equal(queue.busy, 0);
}

static void a_share_is_free_again_once_its_lines_are_written(void **state)
{
	struct ob_bytes batch;
	(void)state;
	put_many("a", 1, 5000);
	take();
	uint64_t kept = find("a", "stdout").records;
	batch = obi_log_queue_batch(&queue);
	put("a", 1, "no room", 7);
	assert_int_equal(obi_log_queue_len(&queue), 0);
	/* Half of it is written, in steps that end anywhere in a line. */
	for (size_t n = 0; n < batch.len / 2; n += 33) {
		obi_log_queue_written(&queue, 33);
	}
	put_many("a", 1, 5000);
	assert_true(obi_log_queue_len(&queue) > MAX / 2 - 1024);
	write_all();
	take();
	struct found found = find("a", "stdout");
	assert_true(found.records > kept / 3 && found.records < kept);
	assert_int_equal(found.records + found.lost, 5001);
}

static void lines_stay_in_the_order_of_their_arrival(void **state)
{
	static const char *const names[] = {"a", "b", "a", "c", NULL, "b"};
	(void)state;
	open_queue(MAX, false);
	for (int i = 0; i < 6; i++) {
		char message[16];
		snprintf(message, sizeof message, "number %d", i);
		put(names[i], names[i] != NULL, message, strlen(message));
	}
	take();
	struct ob_bytes batch = obi_log_queue_batch(&queue);
	const uint8_t *at = batch.data, *end = at + batch.len;
	for (int i = 0; i < 6; i++) {
		char message[16];
		int len = snprintf(message, sizeof message, "number %d\n", i);
		at = memmem(at, (size_t)(end - at), message, (size_t)len);
		assert_non_null(at);
	}
}

static void a_lost_batch_is_counted_with_its_reports(void **state)
{
	(void)state;
	put_many("a", 1, 3000);
	put_many("b", 2, 10);
	for (int i = 0; i < 3; i++) {
		take();
		obi_log_queue_written(&queue, i == 0 ? 10 : 0); /* within the first line */
		obi_log_queue_lost(&queue);
		assert_int_equal(queue.busy, 0);
	}
	take();
	assert_int_equal(find("a", "stdout").lost, 3000);
	assert_int_equal(find("b", "stderr").lost, 10);
}

static void names_that_are_not_used_any_more_cost_nothing(void **state)
{
	char name[32];
	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "child-%d", i);
		put_many(name, 1, 1);
		take();
		write_all();
	}
	assert_true(queue.channels < 200);
}

/* ---- Long records ---- */

static void fault_97_a_long_record_is_cut_to_fit_whatever_it_holds(void **state)
{
	static const char *const pieces[] = {
	    "a", "\x01", "\xc3\xa9", "\xff", "\xe2\x80\xae", "\"", "\xf0\x9f\x98\x80"};
	static const size_t sizes[] = {1, OBI_LOG_SHARE_MIN, MAX, BIG};
	char *big = malloc(BIG + 4);
	(void)state;
	assert_non_null(big);
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0] * 4; i++) {
		size_t max = sizes[i % 4], share = max > 1 ? max : OBI_LOG_SHARE_MIN, len = 0;
		uint64_t discarded = 0;
		for (size_t n = strlen(pieces[i / 4]); len + n <= BIG; len += n) {
			memcpy(big + len, pieces[i / 4], n);
		}
		open_queue(max, true);
		put("a", 1, big, len);
		take();
		struct found found = find("a", "stdout");
		assert_int_equal(found.records, 1);
		assert_int_equal(found.reports, 0);
		assert_non_null(ob_value_find(&found.last.attrs, "truncated"));
		assert_true(ob_get_uint(ob_value_find(&found.last.attrs, "discarded"), &discarded));
		size_t batch = obi_log_queue_batch(&queue).len;
		assert_true(batch <= share - share / 4 && batch > share - share / 4 - 32);
		if (pieces[i / 4][0] != '\xff') {
			assert_int_equal(found.last.message.len + discarded, len);
			assert_memory_equal(found.last.message.data, big, found.last.message.len);
		}
		open_queue(max, false);
		put("a", 1, big, len);
		take();
		batch = obi_log_queue_batch(&queue).len;
		assert_true(batch <= share - share / 4 && batch > share - share / 4 - 32);
		assert_true(batch_has("[a stdout truncated] "));
	}
	free(big);
}

/* The longest line that a reader delivers whole, with a queue of the default size. */
static void fault_97_a_line_of_1_mib_is_whole(void **state)
{
	char *big = malloc(BIG);
	(void)state;
	assert_non_null(big);
	memset(big, 'b', BIG);

	for (int i = 0; i < 2; i++) {
		open_queue(4 << 20, i == 0);
		put("a", 1, big, BIG);
		take();
		struct ob_bytes batch = obi_log_queue_batch(&queue);
		assert_true(batch.len > BIG);
		assert_false(batch_has("truncated"));
	}
	free(big);
}

/* Behind other lines too, and others behind it. */
static void fault_97_a_long_record_leaves_room_for_short_ones(void **state)
{
	char *big = calloc(1, BIG);
	(void)state;
	assert_non_null(big);
	memset(big, 'b', BIG);
	put_many("a", 1, 200);
	put("a", 1, big, BIG);
	put("a", 1, big, BIG);
	put("a", 1, "behind them", 11);
	take();
	struct found found = find("a", "stdout");
	assert_int_equal(found.records, 202);
	assert_int_equal(found.lost, 1);
	assert_true(ob_bytes_is(found.last.message, "behind them"));
	free(big);
}

/* Attributes and source go; what was cut before counts. */
static void a_cut_record_says_how_much_is_missing(void **state)
{
	char *big = malloc(MAX);
	struct ob_pair pair = {ob_string("discarded"), ob_uint(1000)};
	uint64_t discarded = 0;
	(void)state;
	assert_non_null(big);
	memset(big, 'b', MAX);
	struct ob_log_record record = {
	    .size = sizeof record,
	    .flags = OB_LOG_TRUNCATED,
	    .name = "a",
	    .stream = 1,
	    .message = ob_bytes_of(big, MAX),
	    .line = ob_bytes_of(big, MAX),
	    .attrs = ob_map(&pair, 1),
	};
	obi_log_queue_put(&queue, &record);
	take();
	struct found found = find("a", "stdout");
	assert_true(ob_get_uint(ob_value_find(&found.last.attrs, "discarded"), &discarded));
	assert_int_equal(discarded + found.last.message.len, MAX + 1000);
	write_all();
	record.flags = OB_LOG_PARSED;
	record.message = ob_bytes_text("short");
	record.source_file = ob_bytes_of(big, MAX);
	pair = (struct ob_pair){ob_string("big"), ob_stringn(big, MAX)};
	obi_log_queue_put(&queue, &record);
	take();
	found = find("a", "stdout");
	assert_true(ob_bytes_is(found.last.message, "short"));
	assert_int_equal(found.last.source_file.len, 0);
	assert_ptr_equal(ob_value_find(&found.last.attrs, "big"), NULL);
	assert_true(ob_get_uint(ob_value_find(&found.last.attrs, "discarded"), &discarded));
	assert_int_equal(discarded, MAX - 5);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(fault_85_a_flood_costs_no_other_stream_its_lines, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_85_losses_are_reported_for_each_stream, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_85_a_thousand_children_have_a_share_each, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_share_is_free_again_once_its_lines_are_written, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(lines_stay_in_the_order_of_their_arrival, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_lost_batch_is_counted_with_its_reports, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(names_that_are_not_used_any_more_cost_nothing, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(fault_97_a_long_record_is_cut_to_fit_whatever_it_holds,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_97_a_line_of_1_mib_is_whole, setup, teardown),
	    cmocka_unit_test_setup_teardown(fault_97_a_long_record_leaves_room_for_short_ones,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(a_cut_record_says_how_much_is_missing, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
