/* SPDX-License-Identifier: MIT */
#include "support/timens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

void timens_need(void)
{
	if (unshare(CLONE_NEWTIME) < 0) {
		print_message("skipped: no time namespace may be made here: %s\n", strerror(errno));
		skip();
	}
	timens_end();
}

void timens_for_children(struct timens shift)
{
	char text[128];
	int len = snprintf(text, sizeof text,
			   "monotonic %" PRId64 " 0\nboottime %" PRId64 " %" PRId64 "\n",
			   shift.monotonic, shift.boot, shift.boot_ns);
	if (unshare(CLONE_NEWTIME) < 0) {
		print_message("skipped: no time namespace may be made here: %s\n", strerror(errno));
		skip();
	}
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	if (write(fd, text, (size_t)len) != len) {
		fail_msg("timens_offsets: %s",
			 strerror(errno)); /* ERANGE: time would be negative */
	}
	close(fd);
}

void timens_end(void)
{
	int fd = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(setns(fd, CLONE_NEWTIME), 0);
	close(fd);
}

bool timens_is_ours(pid_t pid)
{
	char path[64], ours[64] = "", theirs[64] = "";
	snprintf(path, sizeof path, "/proc/%d/ns/time", (int)pid);
	return readlink("/proc/self/ns/time", ours, sizeof ours - 1) > 0 &&
	       readlink(path, theirs, sizeof theirs - 1) > 0 && strcmp(ours, theirs) == 0;
}
