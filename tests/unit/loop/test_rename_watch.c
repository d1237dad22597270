/* SPDX-License-Identifier: MIT */
/* Changes of directories are reported: each watch its own, the last one always, and no more often
 * than the rate allows. */
#include "loop/rename_watch.h"
#include "support/clock.h"
#include "support/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { MANY = 300, PATIENCE_MS = 20000, FLOOD_MS = 300 };

struct place {
	struct obi_rename_watch watch;
	int fd;
	int reports;
	int content; /* of the file at the last report */
	bool stop;   /* in the next report */
	bool again;  /* in the next report: it could not look */
};

static struct obi_loop *loop;
static struct obi_rename_watch_hub *hub;
static char *scratch;
static struct place places[MANY];

static int read_content(int fd)
{
	char text[16] = "";
	int file = openat(fd, "file", O_RDONLY | O_CLOEXEC);
	ssize_t n = file >= 0 ? read(file, text, sizeof text - 1) : 0;
	if (file >= 0) {
		close(file);
	}
	text[n > 0 ? n : 0] = '\0';
	return atoi(text);
}

static void on_change(void *user)
{
	struct place *place = user;
	place->reports++;
	if (place->again) {
		place->again = false;
		obi_rename_watch_again(&place->watch);
		return;
	}
	place->content = read_content(place->fd);
	if (place->stop) {
		obi_rename_watch_stop(&place->watch);
	}
}

/* Replace the file of a directory by one with this number. */
static void replace(const struct place *place, int number)
{
	char text[16];
	int len = snprintf(text, sizeof text, "%d", number);
	int file = openat(place->fd, "temp", O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC, 0600);
	assert_int_equal(write(file, text, (size_t)len), len);
	close(file);
	assert_int_equal(renameat(place->fd, "temp", place->fd, "file"), 0);
}

static void open_place(struct place *place, const char *name)
{
	char *path = scratch_text("%s/%s", scratch, name);
	assert_true(mkdir(path, 0700) == 0 || access(path, F_OK) == 0);
	*place = (struct place){.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
				.watch = {.fn = on_change, .user = place}};
	assert_true(place->fd >= 0);
	assert_int_equal(obi_rename_watch_start(loop, &hub, &place->watch, place->fd, NULL), OB_OK);
	free(path);
}

static void close_place(struct place *place)
{
	obi_rename_watch_stop(&place->watch);
	close(place->fd);
}

static void await_content(struct place *place, int content)
{
	int64_t end = now_ms() + PATIENCE_MS;
	while (place->content != content) {
		assert_true(now_ms() < end);
		obi_loop_turn(loop, true);
	}
}

static int setup(void **state)
{
	(void)state;
	hub = NULL;
	scratch = scratch_make();
	return obi_loop_new(NULL, 0, &loop, NULL);
}

static int teardown(void **state)
{
	(void)state;
	obi_rename_watch_hub_free(hub);
	obi_loop_close(loop);
	scratch_remove(scratch);
	return 0;
}

static void a_change_is_reported_to_the_watches_of_its_directory(void **state)
{
	(void)state;
	struct place *one = &places[0], *twin = &places[1], *other = &places[2];
	open_place(one, "a");
	open_place(twin, "a");
	open_place(other, "b");
	replace(one, 1);
	await_content(one, 1);
	await_content(twin, 1);
	assert_int_equal(other->reports, 0);
	/* One of the two ends; the other goes on. */
	obi_rename_watch_stop(&one->watch);
	replace(one, 2);
	await_content(twin, 2);
	assert_int_equal(one->content, 1);
	replace(other, 3);
	await_content(other, 3);
	close_place(one);
	close_place(twin);
	close_place(other);
}

static void the_first_changes_are_reported_at_once(void **state)
{
	(void)state;
	struct place *place = &places[0];
	open_place(place, "a");
	for (int i = 1; i <= OBI_RENAME_BURST; i++) {
		replace(place, i);
		obi_loop_turn(loop, false); /* reads the event */
		obi_loop_turn(loop, false); /* runs the task */
		assert_int_equal(place->content, i);
	}
	close_place(place);
}

/* The cheapest change: a file is opened for writing and closed. */
static void touch(struct place *place)
{
	int file = openat(place->fd, "touched", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	close(file);
}

static int64_t allowed_since(int64_t begin)
{
	return OBI_RENAME_BURST + (now_ms() - begin) / OBI_RENAME_GAP_MS + 1;
}

static void fault_82_changes_without_pause_are_reported_at_a_limited_rate(void **state)
{
	(void)state;
	struct place *place = &places[0];
	int64_t changes = 0;
	open_place(place, "a");
	int64_t begin = now_ms();
	while (now_ms() - begin < FLOOD_MS || changes <= 2 * allowed_since(begin)) {
		assert_true(now_ms() - begin < PATIENCE_MS);
		touch(place);
		changes++;
		obi_loop_turn(loop, false);
	}
	replace(place, 1);
	await_content(place, 1);
	assert_in_range(place->reports, 2, allowed_since(begin));
	close_place(place);
}

/* What the kernel queues for one directory between two reports: an event, and that the watch is
 * gone. */
static void fault_82_changes_without_pause_do_not_fill_the_queue_of_the_kernel(void **state)
{
	(void)state;
	struct place *noisy = &places[0], *quiet = &places[1];
	open_place(noisy, "a");
	open_place(quiet, "b");
	replace(noisy, 1);
	for (int i = 0; i < 20000; i++) { /* the queue holds 16384 events */
		assert_int_equal(renameat(noisy->fd, "file", noisy->fd, "away"), 0);
		assert_int_equal(renameat(noisy->fd, "away", noisy->fd, "file"), 0);
	}
	replace(noisy, 2);
	await_content(noisy, 2);
	assert_int_equal(quiet->reports, 0); /* no overflow, which would be a change of all */
	close_place(noisy);
	close_place(quiet);
}

static void many_watches_are_told_apart(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++) {
		char name[16];
		snprintf(name, sizeof name, "d%d", i);
		open_place(&places[i], name);
	}
	for (int i = 0; i < MANY; i += 3) {
		replace(&places[i], i + 1);
	}
	for (int i = 0; i < MANY; i += 3) {
		await_content(&places[i], i + 1);
	}
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(places[i].content, i % 3 == 0 ? i + 1 : 0);
		close_place(&places[i]);
	}
}

static void a_watch_may_be_stopped_in_its_report(void **state)
{
	(void)state;
	struct place *place = &places[0];
	open_place(place, "a");
	place->stop = true;
	replace(place, 1);
	await_content(place, 1);
	assert_null(place->watch.hub);
	replace(place, 2);
	obi_loop_turn(loop, false);
	assert_int_equal(place->reports, 1);
	/* And started anew. */
	place->stop = false;
	assert_int_equal(obi_rename_watch_start(loop, &hub, &place->watch, place->fd, NULL), OB_OK);
	replace(place, 3);
	await_content(place, 3);
	close_place(place);
}

/* Its neighbour of the same directory goes on. */
static void a_change_that_could_not_be_looked_at_is_reported_again(void **state)
{
	(void)state;
	open_place(&places[0], "a");
	open_place(&places[1], "a");
	places[0].again = true;
	replace(&places[0], 1);
	await_content(&places[0], 1);
	assert_int_equal(places[0].reports, 2);
	assert_int_equal(places[1].content, 1);
	replace(&places[0], 2);
	await_content(&places[1], 2);
	await_content(&places[0], 2);

	places[0].again = true;
	places[0].content = 0;
	replace(&places[0], 3);
	await_content(&places[1], 3);
	obi_rename_watch_stop(&places[0].watch);
	obi_rename_watch_again(&places[0].watch); /* of no consequence */
	replace(&places[1], 4);
	await_content(&places[1], 4);
	assert_int_equal(places[0].content, 0);
	close_place(&places[0]);
	close_place(&places[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_change_is_reported_to_the_watches_of_its_directory),
	    TEST(the_first_changes_are_reported_at_once),
	    TEST(fault_82_changes_without_pause_are_reported_at_a_limited_rate),
	    TEST(fault_82_changes_without_pause_do_not_fill_the_queue_of_the_kernel),
	    TEST(many_watches_are_told_apart),
	    TEST(a_watch_may_be_stopped_in_its_report),
	    TEST(a_change_that_could_not_be_looked_at_is_reported_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
