/* SPDX-License-Identifier: MIT */
#include "process/cgroup_text.h"

#include <string.h>

/* Take the text up to the next `end`, and skip that. False: nothing is left. */
static bool take(struct ob_bytes *text, char end, struct ob_bytes *ret)
{
	if (text->len == 0) {
		return false;
	}
	const uint8_t *at = memchr(text->data, end, text->len);
	size_t len = at != NULL ? (size_t)(at - text->data) : text->len;
	size_t skip = at != NULL ? len + 1 : len;
	*ret = ob_bytes_of(text->data, len);
	*text = ob_bytes_of(text->data + skip, text->len - skip);
	return true;
}

static bool read_number(struct ob_bytes text, uint64_t *ret)
{
	uint64_t number = 0;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)text.data[i] - '0';
		if (digit > 9 || number > (UINT64_MAX - digit) / 10) {
			return false;
		}
		number = number * 10 + digit;
	}
	*ret = number;
	return text.len > 0;
}

/* ---- /proc/PID/cgroup ---- */

bool obi_cgroup_own_path(struct ob_bytes text, char *path, size_t size)
{
	struct ob_bytes line;
	while (take(&text, '\n', &line)) {
		if (line.len < 4 || memcmp(line.data, "0::/", 4) != 0) {
			continue;
		}
		size_t len = line.len - 3;
		if (len >= size || memchr(line.data, '\0', line.len) != NULL) {
			return false;
		}
		memcpy(path, line.data + 3, len);
		path[len] = '\0';
		return true;
	}
	return false;
}

bool obi_cgroup_is_v1(struct ob_bytes text, const char *controller)
{
	struct ob_bytes line, number, list, word;
	while (take(&text, '\n', &line)) {
		if (!take(&line, ':', &number) || !take(&line, ':', &list)) {
			continue;
		}
		while (take(&list, ',', &word)) {
			if (ob_bytes_is(word, controller)) {
				return true;
			}
		}
	}
	return false;
}

/* ---- /proc/PID/mountinfo ---- */

/* Blanks, backslashes and newlines are written as "\040". False: it does not fit. */
static bool unescape(struct ob_bytes from, char *to, size_t size)
{
	size_t len = 0;
	for (size_t i = 0; i < from.len; i++) {
		unsigned c = from.data[i];
		if (c == '\\' && from.len - i > 3) {
			c = ((from.data[i + 1] - '0') & 3u) << 6 |
			    ((from.data[i + 2] - '0') & 7u) << 3 | ((from.data[i + 3] - '0') & 7u);
			i += 3;
		}
		if (len + 1 >= size || c == '\0') {
			return false;
		}
		to[len++] = (char)c;
	}
	to[len] = '\0';
	return len > 0;
}

/* "ID PARENT DEV ROOT MOUNTPOINT OPTIONS [TAG...] - TYPE ...": whether it is a mount of cgroup2. */
static bool read_mount(struct ob_bytes line, struct ob_bytes *ret_root, struct ob_bytes *ret_point)
{
	struct ob_bytes field;
	for (int i = 0; i < 6; i++) {
		if (!take(&line, ' ', &field)) {
			return false;
		}
		*ret_root = i == 3 ? field : *ret_root;
		*ret_point = i == 4 ? field : *ret_point;
	}
	do {
		if (!take(&line, ' ', &field)) {
			return false;
		}
	} while (!ob_bytes_is(field, "-"));
	return take(&line, ' ', &field) && ob_bytes_is(field, "cgroup2");
}

/* Whether the path is the root of the mount, or inside; *ret_rest: the path from there, "" or
 * "/x". */
static bool is_below(const char *path, const char *root, const char **ret_rest)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != '\0')) {
		return false;
	}
	*ret_rest = strcmp(path + len, "/") == 0 ? "" : path + len;
	return true;
}

bool obi_cgroup_directory(struct ob_bytes text, const char *path, char *dir, size_t size,
			  bool *ret_mounted)
{
	char root[OBI_CGROUP_PATH_SIZE], point[OBI_CGROUP_PATH_SIZE];
	struct ob_bytes line, raw_root = {NULL, 0}, raw_point = {NULL, 0};
	const char *rest;
	*ret_mounted = false;
	while (take(&text, '\n', &line)) {
		if (!read_mount(line, &raw_root, &raw_point)) {
			continue;
		}
		*ret_mounted = true;
		if (!unescape(raw_root, root, sizeof root) ||
		    !unescape(raw_point, point, sizeof point) || !is_below(path, root, &rest)) {
			continue;
		}
		size_t len = strlen(point), rest_len = strlen(rest);
		if (len + rest_len < size) {
			memcpy(dir, point, len);
			memcpy(dir + len, rest, rest_len + 1);
			return true;
		}
	}
	return false;
}

/* ---- Files of a cgroup ---- */

bool obi_cgroup_has_word(struct ob_bytes text, const char *word)
{
	struct ob_bytes line, one;
	while (take(&text, '\n', &line)) {
		while (take(&line, ' ', &one)) {
			if (ob_bytes_is(one, word)) {
				return true;
			}
		}
	}
	return false;
}

bool obi_cgroup_value(struct ob_bytes text, const char *key, uint64_t *ret)
{
	struct ob_bytes line, name;
	while (take(&text, '\n', &line)) {
		if (take(&line, ' ', &name) && ob_bytes_is(name, key)) {
			return read_number(line, ret);
		}
	}
	return false;
}

bool obi_cgroup_number(struct ob_bytes text, uint64_t *ret)
{
	struct ob_bytes line;
	if (!take(&text, '\n', &line) || text.len > 0) {
		return false;
	}
	if (ob_bytes_is(line, "max")) {
		*ret = UINT64_MAX;
		return true;
	}
	return read_number(line, ret);
}

bool obi_cgroup_next_pid(struct ob_bytes text, size_t *at, int32_t *ret_pid)
{
	struct ob_bytes rest = ob_bytes_of(text.data + *at, text.len - *at), line;
	uint64_t number;
	while (take(&rest, '\n', &line)) {
		*at = text.len - rest.len;
		if (read_number(line, &number) && number <= INT32_MAX) {
			*ret_pid = (int32_t)number;
			return true;
		}
	}
	return false;
}
