/* SPDX-License-Identifier: MIT */
/* The lines that are kept for a reader: each is read once and in order, or counted. */
#include "log/ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { RING = 4096, STEPS = 200000, PART = 700 };

static uint32_t seed;

static uint32_t dice(uint32_t sides)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % sides;
}

/* A reader whose answers may be lost: then it asks again for the same. */
struct reader {
	uint64_t offset;
	uint64_t next;	  /* number of the line that comes next */
	uint64_t dropped; /* lines, in all */
	char line[256];
	size_t len; /* of an incomplete line */
	size_t max; /* of a part */
};

static void add(struct obi_log_ring *ring, uint64_t number)
{
	char line[256];
	int n =
	    snprintf(line, sizeof line, "%llu %.*s\n", (unsigned long long)number, (int)dice(200),
		     "........................................................................."
		     "........................................................................."
		     "......................................................");
	assert_true(obi_log_ring_add(ring, ob_bytes_of(line, (size_t)n)));
}

static void take_line(struct reader *r)
{
	r->line[r->len] = '\0';
	assert_int_equal(strtoull(r->line, NULL, 10), r->next);
	r->next++;
	r->len = 0;
}

static void take(struct reader *r, const struct obi_log_ring_part *part, struct ob_bytes data)
{
	assert_true(part->offset >= r->offset);
	if (part->offset > r->offset) {
		assert_true(part->dropped > 0);
	}
	/* What came of a line of which the rest is missing is counted with it. */
	r->len = part->offset > r->offset ? 0 : r->len;
	r->next += part->dropped;
	r->dropped += part->dropped;
	r->offset = part->offset + data.len;
	for (size_t i = 0; i < data.len; i++) {
		if (data.data[i] == '\n') {
			take_line(r);
		} else {
			r->line[r->len++] = (char)data.data[i];
		}
	}
}

static void read_part(struct obi_log_ring *ring, struct reader *r, bool lost)
{
	uint8_t bytes[PART];
	struct ob_sink out = ob_sink_fixed(bytes, sizeof bytes);
	struct obi_log_ring_part part = obi_log_ring_read(ring, &r->offset, r->max, &out);
	if (!lost) {
		take(r, &part, ob_bytes_of(bytes, out.len));
	}
}

static void run(uint32_t with_seed, uint32_t bursts)
{
	struct obi_log_ring ring;
	struct reader r = {.max = PART};
	uint64_t written = 0;
	seed = with_seed;
	obi_log_ring_init(&ring, RING);
	for (int i = 0; i < STEPS; i++) {
		for (uint32_t n = dice(bursts); n > 0; n--) {
			add(&ring, written++);
		}
		read_part(&ring, &r, dice(4) == 0);
	}
	while (!obi_log_ring_is_read(&ring, &r.offset)) {
		read_part(&ring, &r, false);
	}
	assert_int_equal(r.next, written);
	assert_int_equal(r.offset, obi_log_ring_end(&ring));
	assert_true(bursts < 10 || r.dropped > 0);
	obi_log_ring_free(&ring);
}

static void every_line_is_read_once_or_counted(void **state)
{
	(void)state;
	run(1, 3);
	run(2, 12);
	run(3, 60);
}

static void fault_125_who_has_nothing_gets_all_that_is_kept(void **state)
{
	struct obi_log_ring ring;
	uint8_t bytes[RING];
	struct ob_sink out = ob_sink_fixed(bytes, sizeof bytes);
	uint64_t beyond = 1000;
	(void)state;
	obi_log_ring_init(&ring, RING);
	assert_true(obi_log_ring_is_read(&ring, NULL));
	assert_true(obi_log_ring_add(&ring, ob_bytes_text("one\n")));
	assert_false(obi_log_ring_is_read(&ring, NULL));
	struct obi_log_ring_part part = obi_log_ring_read(&ring, NULL, RING, &out);
	assert_int_equal(part.offset, 0);
	assert_int_equal(part.dropped, 0);
	assert_int_equal(out.len, 4);
	out.len = 0;
	/* Nothing was acknowledged; an offset that the stream has not reached is none. */
	part = obi_log_ring_read(&ring, &beyond, RING, &out);
	assert_int_equal(part.offset, 0);
	assert_int_equal(out.len, 4);
	obi_log_ring_free(&ring);
}

static void a_line_that_is_too_long_is_counted(void **state)
{
	struct obi_log_ring ring;
	char line[RING + 1];
	uint64_t offset = 0;
	uint8_t bytes[RING];
	struct ob_sink out = ob_sink_fixed(bytes, sizeof bytes);
	(void)state;
	obi_log_ring_init(&ring, RING);
	memset(line, '.', sizeof line);
	assert_false(obi_log_ring_add(&ring, ob_bytes_of((uint8_t *)line, sizeof line)));
	assert_true(obi_log_ring_add(&ring, ob_bytes_of((uint8_t *)line, RING)));
	struct obi_log_ring_part part = obi_log_ring_read(&ring, &offset, RING, &out);
	assert_int_equal(part.dropped, 1);
	assert_int_equal(out.len, RING);
	obi_log_ring_free(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_line_is_read_once_or_counted),
	    cmocka_unit_test(fault_125_who_has_nothing_gets_all_that_is_kept),
	    cmocka_unit_test(a_line_that_is_too_long_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
