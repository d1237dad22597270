/* SPDX-License-Identifier: MIT */
#include "process/procid.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/proc_mount.h"
#include "process/kernel_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* f_type of pidfs. Without it all pidfds share one anonymous inode. */
enum { PIDFS = 0x50494446 };

int obi_proc_read(const char *path, char *text, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	text[0] = '\0';
	if (fd < 0) {
		return -errno;
	}
	ssize_t n = read(fd, text, cap - 1);
	int sys = n < 0 ? errno : 0;
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return -sys;
}

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

int obi_boot_id(char boot[OBI_BOOT_ID_SIZE], struct ob_error *reterr)
{
	char text[64];
	int sys = obi_proc_read(BOOT_ID, text, sizeof text);
	text[strcspn(text, "\n")] = '\0';
	if (sys < 0 || strlen(text) != OBI_BOOT_ID_SIZE - 1) {
		return obi_proc_is_mounted()
			   ? obi_fail(reterr, OB_EIO, -sys, BOOT_ID ": cannot be read")
			   : obi_fail(reterr, OB_ENOTSUP, 0, OBI_PROC_MISSING);
	}
	memcpy(boot, text, OBI_BOOT_ID_SIZE);
	return OB_OK;
}

uint64_t obi_clock_tick_ns(void)
{
	return UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* Field 22 of /proc/PID/stat. The name may contain any bytes, so count from the last ')'. The
 * kernel adds the offset of our time namespace, which another parent may not have. Unsigned
 * numbers, since a process may have started before the zero of the namespace. */
static int start_time(int32_t pid, uint64_t *ret_start)
{
	char path[32], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int sys = obi_proc_read(path, text, sizeof text);
	const char *at = strrchr(text, ')');
	if (sys < 0 || at == NULL) {
		return sys < 0 ? sys : -EIO;
	}
	for (int field = 2; field < 22 && at != NULL; field++) {
		at = strchr(at + 1, ' ');
	}
	if (at == NULL) {
		return -EIO;
	}
	uint64_t tick = obi_clock_tick_ns();
	*ret_start =
	    (strtoull(at + 1, NULL, 10) * tick - (uint64_t)obi_clock_boot_offset_ns()) / tick;
	return 0;
}

/* 0: the kernel has none. A number that could not be read must not look like that: the process
 * would be taken for another one. */
static int inode_of(int pidfd, uint64_t *ret, struct ob_error *reterr)
{
	struct statfs fs;
	struct stat st;
	*ret = 0;
	if (fstatfs(pidfd, &fs) < 0 || fs.f_type != PIDFS) {
		return OB_OK;
	}
	if (fstat(pidfd, &st) < 0) {
		return obi_fail(reterr, OB_EIO, errno, "reading the inode of a pidfd");
	}
	*ret = st.st_ino;
	return OB_OK;
}

/*
 * Whether the process behind pidfd was not reaped yet: then what was read from /proc of its pid is
 * about it. The kernel may refuse the signal and tells us so only of a process that is there; a
 * filter refuses it for every process, and then nothing is known.
 */
static int has_its_pid(int pidfd, int32_t pid, struct ob_error *reterr)
{
	if (pidfd_send_signal(pidfd, 0, NULL, 0) == 0) {
		return OB_OK;
	}
	return errno == ESRCH
		   ? obi_fail(reterr, OB_ENOENT, 0, "process not running (pid %d)", (int)pid)
		   : obi_kernel_calls_check(reterr);
}

int obi_procid_of(int pidfd, int32_t pid, struct obi_procid *ret, struct ob_error *reterr)
{
	struct obi_procid id = {.pid = pid};
	int r = inode_of(pidfd, &id.inode, reterr);
	r = r == OB_OK ? obi_boot_id(id.boot, reterr) : r;
	if (r < 0) {
		return r;
	}
	int sys = -start_time(pid, &id.start);
	r = has_its_pid(pidfd, pid, reterr);
	if (r < 0) {
		return r;
	}
	if (sys == ENOENT || sys == ESRCH) {
		return obi_fail(reterr, OB_ENOENT, 0, "process not running (pid %d)", (int)pid);
	}
	if (sys != 0) {
		return obi_fail(reterr, OB_EIO, sys, "reading /proc of process %d", (int)pid);
	}
	*ret = id;
	return OB_OK;
}

bool obi_procid_equal(const struct obi_procid *a, const struct obi_procid *b)
{
	uint64_t apart = a->start > b->start ? a->start - b->start : b->start - a->start;
	if (a->pid != b->pid || strcmp(a->boot, b->boot) != 0) {
		return false;
	}
	return a->inode == 0 || b->inode == 0 ? apart == 0 : a->inode == b->inode && apart <= 1;
}

void obi_procid_text(const struct obi_procid *id, char text[OBI_PROCID_TEXT_SIZE])
{
	snprintf(text, OBI_PROCID_TEXT_SIZE, "%s:%" PRId32 ":%" PRIu64 ":%" PRIu64, id->boot,
		 id->pid, id->start, id->inode);
}

/* A number in decimal digits, without leading zeros, followed by `end`. */
static bool read_number(const char **at, char end, uint64_t max, uint64_t *ret)
{
	const char *start = *at;
	uint64_t number = 0;
	while (**at >= '0' && **at <= '9') {
		uint64_t digit = (uint64_t)(**at - '0');
		if (number > (max - digit) / 10) {
			return false;
		}
		number = number * 10 + digit;
		(*at)++;
	}
	if (*at == start || **at != end || (start[0] == '0' && *at - start > 1)) {
		return false;
	}
	*at += end != '\0';
	*ret = number;
	return true;
}

static bool is_boot_id(const char *text)
{
	for (int i = 0; i < OBI_BOOT_ID_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
		if (dash ? text[i] != '-' : !hex) {
			return false;
		}
	}
	return text[OBI_BOOT_ID_SIZE - 1] == ':';
}

int obi_procid_parse(const char *text, struct obi_procid *ret)
{
	struct obi_procid id = {0};
	uint64_t pid;
	if (!is_boot_id(text)) {
		return OB_EINVAL;
	}
	const char *at = text + OBI_BOOT_ID_SIZE;
	if (!read_number(&at, ':', INT32_MAX, &pid) || pid == 0 ||
	    !read_number(&at, ':', UINT64_MAX, &id.start) ||
	    !read_number(&at, '\0', UINT64_MAX, &id.inode)) {
		return OB_EINVAL;
	}
	memcpy(id.boot, text, OBI_BOOT_ID_SIZE - 1);
	id.pid = (int32_t)pid;
	*ret = id;
	return OB_OK;
}

int obi_signature_parse(const char *text, int32_t *ret_pid, uint64_t *ret_noted_ns)
{
	uint64_t pid, noted;
	if (!read_number(&text, ' ', INT32_MAX, &pid) || pid == 0 ||
	    !read_number(&text, '\n', UINT64_MAX, &noted) || *text != '\0') {
		return OB_EINVAL;
	}
	*ret_pid = (int32_t)pid;
	*ret_noted_ns = noted;
	return OB_OK;
}

int obi_procid_expect(const struct obi_procid *id, const char *text, struct ob_error *reterr)
{
	char own[OBI_PROCID_TEXT_SIZE];
	obi_procid_text(id, own);
	return strcmp(own, text) == 0
		   ? OB_OK
		   : obi_fail(reterr, OB_EINVAL, 0, "process %s was not found", text);
}
