/* SPDX-License-Identifier: MIT */
#include "base/names.h"

#include <outboard/auth.h>
#include <stdio.h>

static bool is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_alnum(uint8_t c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool has_only_name_characters(struct ob_bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];
		if (!is_alnum(c) && c != '.' && c != '_' && c != '-') {
			return false;
		}
	}
	return true;
}

bool obi_name_is_child(struct ob_bytes name)
{
	static const char state[] = ".state";
	const size_t ending = sizeof state - 1;
	if (name.len == 0 || name.len > 64 || name.data[0] == '.' ||
	    (name.len >= ending && memcmp(name.data + name.len - ending, state, ending) == 0)) {
		return false;
	}
	return has_only_name_characters(name);
}

bool obi_name_is_claim(struct ob_bytes name)
{
	return name.len > 0 && name.len <= OB_CLAIM_NAME_MAX && has_only_name_characters(name);
}

bool obi_state_path(const char *root, const char *name, char *path, size_t size)
{
	bool is_slash = root[0] == '/' && root[1] == '\0';
	int n = snprintf(path, size, "%s/" OBI_STATES_DIRECTORY "/%s", is_slash ? "" : root, name);
	if (n < 0 || (size_t)n >= size) {
		path[0] = '\0';
		return false;
	}
	return true;
}

/* A lower-case letter, then lower-case letters, digits and the characters of `others`. */
static bool is_word(struct ob_bytes name, const char *others)
{
	if (name.len == 0 || name.len > 31 || !is_lower(name.data[0])) {
		return false;
	}
	for (size_t i = 1; i < name.len; i++) {
		uint8_t c = name.data[i];
		if (!is_lower(c) && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr(others, c) == NULL)) {
			return false;
		}
	}
	return true;
}

bool obi_name_is_plugin(struct ob_bytes name)
{
	return is_word(name, "_-");
}

bool obi_name_is_scheme(struct ob_bytes name)
{
	return is_word(name, "+.-");
}
