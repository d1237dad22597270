/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { SECOND_NS = 1000000000 };

/* ---- The offset of the time namespace ---- */

/* The file has the offsets for our children. They are ours unless we asked for others, and have not
 * executed anything since. */
static bool are_for_children_only(void)
{
	char ours[64] = "", theirs[64] = "";
	ssize_t n = readlink("/proc/self/ns/time", ours, sizeof ours - 1);
	ssize_t m = readlink("/proc/self/ns/time_for_children", theirs, sizeof theirs - 1);
	return n < 0 || m < 0 || strcmp(ours, theirs) != 0;
}

/* "monotonic 0 0\nboottime SECONDS NANOSECONDS\n". Without the file the kernel has no time
 * namespaces. */
static int64_t read_offset(void)
{
	char text[256];
	int64_t seconds = 0, ns = 0;
	int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return 0;
	}
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *line = strstr(text, "boottime");
	if (line == NULL || sscanf(line, "boottime %" SCNd64 " %" SCNd64, &seconds, &ns) != 2 ||
	    seconds > INT64_MAX / SECOND_NS - 1 || seconds < -(INT64_MAX / SECOND_NS - 1) ||
	    are_for_children_only()) {
		return 0;
	}
	return seconds * SECOND_NS + ns;
}

/* A process stays in its namespace. A fork may enter another one. */
int64_t obi_clock_boot_offset_ns(void)
{
	static _Atomic int64_t offset;
	static _Atomic pid_t known_for;
	pid_t pid = getpid();
	if (atomic_load(&known_for) != pid) {
		atomic_store(&offset, read_offset());
		atomic_store(&known_for, pid);
	}
	return atomic_load(&offset);
}

/* ---- Clocks ---- */

int64_t obi_clock_ms(clockid_t clock)
{
	return obi_clock_ns(clock) / 1000000;
}

int64_t obi_clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	int64_t ns = (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
	return clock == CLOCK_BOOTTIME ? ns - obi_clock_boot_offset_ns() : ns;
}

int64_t obi_now_ms(void)
{
	return obi_clock_ms(CLOCK_MONOTONIC);
}
