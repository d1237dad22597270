/* SPDX-License-Identifier: MIT */
#include "base/string_list.h"

#include <stdlib.h>
#include <string.h>

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
		if (len > 0 && (list[n++] = strndup(text, len)) == NULL) {
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
