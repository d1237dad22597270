/* SPDX-License-Identifier: MIT */
#include "base/user_namespace.h"

#include "base/id_map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define OVERFLOW_UID "/proc/sys/kernel/overflowuid"

/* 340 lines of at most 33 characters. */
enum { MAP_SIZE = 16 * 1024 };

static bool read_file(const char *path, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && n > 0 && len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		n = n < 0 && errno == EINTR ? 1 : n;
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0) {
		close(fd);
	}
	text[len] = '\0';
	return fd >= 0 && n == 0;
}

static bool has_number(const char *path, uint32_t id)
{
	char *map = malloc(MAP_SIZE);
	bool answer = map == NULL || !read_file(path, map, MAP_SIZE) || obi_id_map_has(map, id);
	free(map);
	return answer;
}

bool obi_user_has_number(uint32_t uid)
{
	return has_number("/proc/self/uid_map", uid);
}

bool obi_group_has_number(uint32_t gid)
{
	return has_number("/proc/self/gid_map", gid);
}

uint32_t obi_overflow_uid(void)
{
	char text[16];
	char *end = text;
	unsigned long id = read_file(OVERFLOW_UID, text, sizeof text) ? strtoul(text, &end, 10) : 0;
	return end != text && id < UINT32_MAX ? (uint32_t)id : OBI_OVERFLOW_ID;
}

bool obi_root_is_unmapped(void)
{
	struct stat st;
	struct statfs fs;
	int fd = open(OVERFLOW_UID, O_RDONLY | O_CLOEXEC);
	bool known = fd >= 0 && fstat(fd, &st) == 0 && fstatfs(fd, &fs) == 0 &&
		     fs.f_type == PROC_SUPER_MAGIC;
	if (fd >= 0) {
		close(fd);
	}
	return known && st.st_uid == obi_overflow_uid();
}
