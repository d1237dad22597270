/* SPDX-License-Identifier: MIT */
/* Timers for times that come from files, and many timers at once. */
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

static void count(void *user)
{
	(*(int *)user)++;
}

static void fault_82_a_time_without_end_is_a_long_one(void **unused)
{
	(void)unused;
	struct obi_loop *loop;
	int calls = 0;
	struct obi_timer timer = {.fn = count, .user = &calls};
	assert_int_equal(obi_loop_new(NULL, 0, &loop, NULL), OB_OK);
	obi_timer_set(loop, &timer, INT64_MAX);
	obi_loop_turn(loop, false);
	assert_int_equal(calls, 0);
	assert_true(timer.at > obi_now_ms());
	assert_true(timer.at <= obi_now_ms() + OBI_TIMER_MAX_MS);
	obi_timer_set(loop, &timer, 0);
	obi_loop_turn(loop, true);
	assert_int_equal(calls, 1);
	obi_timer_stop(&timer);
	obi_loop_close(loop);
}

/* ---- Many at once ---- */

enum { MANY = 20, BUSY_MS = 15 };

struct storm {
	struct obi_loop *loop;
	struct obi_timer timers[MANY];
	int pipe[2];
	int calls;	 /* of timers */
	int calls_at_io; /* when the input was seen; -1: it was not */
};

/* The first one writes what is to be read, and each takes more time than a turn has for timers. */
static void be_busy(void *user)
{
	struct storm *s = user;
	int64_t end = obi_now_ms() + BUSY_MS;
	if (s->calls++ == 0) {
		assert_int_equal(write(s->pipe[1], "x", 1), 1);
	}
	while (obi_now_ms() < end) {
		;
	}
}

static void on_input(void *user, int events)
{
	struct storm *s = user;
	char byte;
	(void)events;
	assert_int_equal(read(s->pipe[0], &byte, 1), 1);
	s->calls_at_io = s->calls;
}

static void fault_67_input_does_not_wait_for_a_storm_of_timers(void **unused)
{
	(void)unused;
	static struct storm s = {.calls_at_io = -1};
	struct obi_io io = {.fn = on_input, .user = &s};
	assert_int_equal(pipe2(s.pipe, O_CLOEXEC), 0);
	assert_int_equal(obi_loop_new(NULL, 0, &s.loop, NULL), OB_OK);
	obi_io_set(s.loop, &io, s.pipe[0], OB_READABLE);
	for (int i = 0; i < MANY; i++) {
		s.timers[i] = (struct obi_timer){.fn = be_busy, .user = &s};
		obi_timer_set(s.loop, &s.timers[i], 0);
	}
	while (s.calls < MANY - 1) {
		obi_loop_turn(s.loop, true);
	}
	assert_int_equal(s.calls_at_io, 1);
	for (int i = 0; i < MANY; i++) { /* one of them was put off, and is not called any more */
		obi_timer_stop(&s.timers[i]);
	}
	obi_loop_turn(s.loop, false);
	assert_int_equal(s.calls, MANY - 1);
	obi_io_stop(&io);
	obi_loop_close(s.loop);
	close(s.pipe[0]);
	close(s.pipe[1]);
}

/* ---- A loop that polls busily ---- */

struct busy {
	struct obi_loop *loop;
	struct obi_task task;
	struct obi_timer timer; /* queues the task */
	struct obi_timer alarm; /* the next thing that wakes the loop */
	int pipe[2];
	struct obi_io io;
	bool done, alarmed;
};

static void set_true(void *user)
{
	*(bool *)user = true;
}

static void queue_task(void *user)
{
	struct busy *b = user;
	obi_task_queue(b->loop, &b->task);
}

static void read_byte(void *user, int events)
{
	struct busy *b = user;
	char byte;
	(void)events;
	assert_int_equal(read(b->pipe[0], &byte, 1), 1);
	obi_timer_set(b->loop, &b->timer, 1);
}

/* What a timer queues within the time of busy polling runs before the loop sleeps. */
static void a_task_that_a_timer_queues_is_not_slept_over(void **unused)
{
	(void)unused;
	struct busy b = {.done = false};
	assert_int_equal(obi_loop_new(NULL, 500000, &b.loop, NULL), OB_OK);
	assert_int_equal(pipe2(b.pipe, O_NONBLOCK | O_CLOEXEC), 0);
	b.task = (struct obi_task){.fn = set_true, .user = &b.done};
	b.timer = (struct obi_timer){.fn = queue_task, .user = &b};
	b.alarm = (struct obi_timer){.fn = set_true, .user = &b.alarmed};
	b.io = (struct obi_io){.fn = read_byte, .user = &b};
	obi_io_set(b.loop, &b.io, b.pipe[0], OB_READABLE);
	obi_timer_set(b.loop, &b.alarm, 20000);
	assert_int_equal(write(b.pipe[1], "x", 1), 1);
	while (!b.done) {
		assert_false(b.alarmed);
		obi_loop_turn(b.loop, true);
	}
	assert_false(b.alarmed);
	obi_timer_stop(&b.alarm);
	obi_io_stop(&b.io);
	close(b.pipe[0]);
	close(b.pipe[1]);
	obi_loop_close(b.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_82_a_time_without_end_is_a_long_one),
	    cmocka_unit_test(fault_67_input_does_not_wait_for_a_storm_of_timers),
	    cmocka_unit_test(a_task_that_a_timer_queues_is_not_slept_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
