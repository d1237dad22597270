/* SPDX-License-Identifier: MIT */
/* A pipe that is written line by line rests between its reads, and loses nothing by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "log/pipe.h"

enum { TRIES = 100000 };

static void small_reads_in_a_row_lead_to_a_rest(void **state)
{
	static const struct {
		int64_t at;
		size_t n;
		bool rests;
	} reads[] = {
	    {1000, 100, false},	  {1000, 100, false}, {1001, 100, false},
	    {1001, 100, true},			   /* the fourth */
	    {1002, 4096, false},		   /* what came during the rest */
	    {1002, 4095, true},	  {1004, 1, true}, /* still close */
	    {1007, 1, false},	  {1007, 1, false},   {1007, 65536, false},
	    {1008, 1, false},	  {1008, 1, true}, /* a large one neither counts nor ends the row */
	    {1020, 65536, false}, {1020, 1, false},
	};
	struct obi_log_pace pace = {0};
	(void)state;
	for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
		assert_int_equal(obi_log_pace_rests(&pace, reads[i].n, reads[i].at),
				 reads[i].rests);
	}
}

static struct obi_loop *loop;
static struct obi_log_pipe log_pipe;
static int fds[2];
static size_t chunks, bytes;

static bool on_chunk(void *user, struct ob_bytes chunk)
{
	(void)user;
	chunks++;
	bytes += chunk.len;
	return true;
}

static int setup(void **state)
{
	(void)state;
	chunks = bytes = 0;
	log_pipe = (struct obi_log_pipe){.fn = on_chunk};
	return obi_loop_new(NULL, 0, &loop, NULL) == OB_OK &&
		       pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0
		   ? 0
		   : -1;
}

static int teardown(void **state)
{
	(void)state;
	obi_log_pipe_stop(&log_pipe);
	obi_loop_close(loop);
	close(fds[0]);
	if (fds[1] >= 0) {
		close(fds[1]);
	}
	return 0;
}

static void write_line(void)
{
	assert_int_equal(write(fds[1], "line\n", 5), 5);
}

static void turn_until(size_t want)
{
	while (bytes < want) {
		obi_loop_turn(loop, true);
	}
}

/* Write and read line by line until the pipe rests. Returns the bytes so far. A busy machine may
 * take longer than is close for some of them. */
static size_t go_to_rest(void)
{
	size_t want = 0;
	for (int i = 0; i < TRIES && log_pipe.rest.loop == NULL; i++) {
		write_line();
		want += 5;
		turn_until(want);
	}
	assert_non_null(log_pipe.rest.loop);
	assert_null(log_pipe.io.loop);
	return want;
}

/* It would be full at once, and records of the child's logger lost. */
static void a_small_pipe_does_not_rest(void **state)
{
	(void)state;
	assert_true(fcntl(fds[0], F_SETPIPE_SZ, 4096) >= 4096);
	obi_log_pipe_start(loop, &log_pipe, fds[0]);
	for (size_t want = 5; want <= 5000; want += 5) {
		write_line();
		turn_until(want);
		assert_null(log_pipe.rest.loop);
	}
}

static void what_comes_during_a_rest_is_read_at_once(void **state)
{
	(void)state;
	obi_log_pipe_start(loop, &log_pipe, fds[0]);
	size_t want = go_to_rest(), before = chunks;
	for (int i = 0; i < 10; i++) {
		write_line();
	}
	turn_until(want + 50);
	assert_int_equal(chunks, before + 1);
}

static void a_pipe_that_rests_is_drained(void **state)
{
	(void)state;
	obi_log_pipe_start(loop, &log_pipe, fds[0]);
	size_t want = go_to_rest();
	write_line();
	obi_log_pipe_drain(&log_pipe);
	assert_int_equal(bytes, want + 5);
}

/* A descriptor that ended stays readable: after the rest it must not be watched for ever. */
static void a_pipe_that_ends_during_a_rest_is_let_go(void **state)
{
	(void)state;
	obi_log_pipe_start(loop, &log_pipe, fds[0]);
	size_t want = go_to_rest();
	write_line();
	close(fds[1]);
	fds[1] = -1;
	turn_until(want + 5);
	while (log_pipe.io.loop != NULL || log_pipe.rest.loop != NULL) {
		obi_loop_turn(loop, true);
	}
	assert_int_equal(bytes, want + 5);
}

static void a_stop_ends_the_rest(void **state)
{
	(void)state;
	obi_log_pipe_start(loop, &log_pipe, fds[0]);
	(void)go_to_rest();
	obi_log_pipe_stop(&log_pipe);
	assert_null(log_pipe.rest.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_reads_in_a_row_lead_to_a_rest),
	    cmocka_unit_test_setup_teardown(a_small_pipe_does_not_rest, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_comes_during_a_rest_is_read_at_once, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_pipe_that_rests_is_drained, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_pipe_that_ends_during_a_rest_is_let_go, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_stop_ends_the_rest, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
