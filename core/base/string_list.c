/* SPDX-License-Identifier: MIT */
#include "base/string_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Returns false when out of memory. */
static bool append(char **list, size_t n, const char *text, size_t len)
{
	list[n] = strndup(text, len);
	return list[n] != NULL;
}

char **obi_string_list_copy(const char *const *list)
{
	size_t n = 0;
	while (list != NULL && list[n] != NULL) {
		n++;
	}
	char **copy = calloc(n + 1, sizeof *copy);
	for (size_t i = 0; copy != NULL && i < n; i++) {
		if (!append(copy, i, list[i], strlen(list[i]))) {
			obi_string_list_free(copy);
			return NULL;
		}
	}
	return copy;
}

static size_t count_parts(const char *text, char separator)
{
	size_t parts = 1;
	for (; *text != '\0'; text++) {
		parts += *text == separator;
	}
	return parts;
}

char **obi_string_list_split(const char *text, char separator)
{
	char **list = calloc(count_parts(text, separator) + 1, sizeof *list);
	size_t n = 0;
	while (list != NULL && *text != '\0') {
		size_t len = (size_t)(strchrnul(text, separator) - text);
		if (len > 0 && !append(list, n++, text, len)) {
			obi_string_list_free(list);
			return NULL;
		}
		text += text[len] == '\0' ? len : len + 1;
	}
	return list;
}

char *obi_string_list_join(const char *const *list, const char *between)
{
	size_t size = 1;
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		size += strlen(list[i]) + strlen(between);
	}
	char *text = calloc(size, 1), *end = text;
	for (size_t i = 0; text != NULL && list != NULL && list[i] != NULL; i++) {
		end = stpcpy(stpcpy(end, i > 0 ? between : ""), list[i]);
	}
	return text;
}

void obi_string_list_free(char **list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		free(list[i]);
	}
	free(list);
}
