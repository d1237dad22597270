/* SPDX-License-Identifier: MIT */
#include "base/id_map.h"

#include <string.h>

struct line {
	uint32_t inside, outside, count;
};

/* One number and the blanks before it. */
static bool read_number(const char **at, uint32_t *ret)
{
	const char *p = *at + strspn(*at, " \t");
	uint64_t number = 0;
	if (*p < '0' || *p > '9') {
		return false;
	}
	for (; *p >= '0' && *p <= '9'; p++) {
		number = number * 10 + (uint64_t)(*p - '0');
		if (number > UINT32_MAX) {
			return false;
		}
	}
	*at = p;
	*ret = (uint32_t)number;
	return true;
}

static bool read_line(const char **at, struct line *ret)
{
	if (!read_number(at, &ret->inside) || !read_number(at, &ret->outside) ||
	    !read_number(at, &ret->count) || (**at != '\n' && **at != '\0')) {
		return false;
	}
	*at += **at == '\n';
	return true;
}

bool obi_id_map_has(const char *map, uint32_t id)
{
	struct line line;
	while (*map != '\0') {
		if (!read_line(&map, &line) ||
		    (id >= line.inside && id - line.inside < line.count)) {
			return true;
		}
	}
	return false;
}
