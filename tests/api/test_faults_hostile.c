/* SPDX-License-Identifier: MIT */
/* Children that cost their parent as much as they can: row 82. */
#include "support/clock.h"
#include "support/expect.h"
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "support/scratch.h"

/* What core/loop/rename_watch.h promises. */
enum { BURST = 4, GAP_MS = 20 };

enum { RENAMES = 20000, ECHO_MS = 5000 };

/* ---- The reads of a file, counted by the kernel ---- */

struct reads {
	int fd;
	int64_t begin;
	unsigned count;
};

static void reads_begin(struct reads *reads, const char *dir)
{
	reads->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	reads->begin = now_ms();
	reads->count = 0;
	assert_true(reads->fd >= 0);
	assert_true(inotify_add_watch(reads->fd, dir, IN_CLOSE_NOWRITE) >= 0);
}

static void reads_look(struct reads *reads)
{
	_Alignas(struct inotify_event) char data[4096];
	ssize_t n;
	while ((n = read(reads->fd, data, sizeof data)) > 0) {
		for (char *p = data; p < data + n;) {
			const struct inotify_event *event =
			    (const struct inotify_event *)(const void *)p;
			reads->count += event->len > 0 && strcmp(event->name, "outboard.json") == 0;
			p += sizeof *event + event->len;
		}
	}
	assert_int_equal(errno, EAGAIN);
}

/* ---- The tests ---- */

static bool has_renamed(const struct family *f, int times)
{
	int last = 0;
	for (uint32_t i = 0; i < f->line_count; i++) {
		if (strncmp(f->lines[i], "renamed ", 8) == 0) {
			last = atoi(f->lines[i] + 8);
		}
	}
	return last >= times;
}

static ob_connector *start_renamer(struct family *f, const char *dir, const char *size)
{
	struct ob_connector_options options = f->options;
	struct ob_error err;
	ob_connector *renamer;
	char *path = scratch_text("%s/children/child-renamer", scratch_env("OB_TEST_BUILD"));
	const char *const argv[] = {path, size, NULL};
	options.name = "renamer";
	options.data_path = dir;
	options.argv = argv;
	expect(ob_connector_new(f->runtime, &options, &renamer, &err), OB_OK, &err, NULL);
	expect(ob_connector_start_async(renamer, NULL, NULL, &err), OB_OK, &err, NULL);
	free(path);
	return renamer;
}

/* Another child answers meanwhile, and the file is read at a limited rate. */
static void rename_without_pause(const char *size)
{
	struct family f;
	struct reads reads;
	struct ob_error err;
	family_start(&f, OB_RUNTIME_INLINE);
	char *dir = scratch_text("%s/renamer", f.scratch);
	ob_connector *renamer = start_renamer(&f, dir, size);
	while (access(dir, F_OK) < 0) {
		(void)ob_runtime_run(f.runtime, 1);
	}
	reads_begin(&reads, dir);
	while (!has_renamed(&f, RENAMES)) {
		expect(family_try(&f, ECHO_MS, &err, "echo", "[i]", 1), OB_OK, &err, NULL);
		reads_look(&reads);
	}
	int64_t ms = now_ms() - reads.begin;
	print_message("%s bytes: %d renames in %d ms, read %u times\n", size, RENAMES, (int)ms,
		      reads.count);
	assert_in_range(reads.count, 1, BURST + ms / GAP_MS + 2);
	ob_connector_close(renamer);
	close(reads.fd);
	free(dir);
	family_end(&f);
}

static void fault_82_a_file_that_changes_without_pause_is_read_at_a_limited_rate(void **state)
{
	(void)state;
	rename_without_pause("1000");
}

static void fault_82_a_large_file_that_changes_without_pause_holds_up_nobody(void **state)
{
	(void)state;
	rename_without_pause("200000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_82_a_file_that_changes_without_pause_is_read_at_a_limited_rate),
	    cmocka_unit_test(fault_82_a_large_file_that_changes_without_pause_holds_up_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
