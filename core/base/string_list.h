/* SPDX-License-Identifier: MIT */
/* base/string_list - allocated lists of strings, each ended by NULL. */
#ifndef OBI_BASE_STRING_LIST_H
#define OBI_BASE_STRING_LIST_H

/* The parts of text between separator characters. Empty parts are left out. NULL: out of memory. */
char **obi_string_list_split(const char *text, char separator);

/* One string: the list's with `between` in between, "" for an empty list or NULL.
 * NULL: out of memory. */
char *obi_string_list_join(const char *const *list, const char *between);

/* list may be NULL. */
void obi_string_list_free(char **list);

#endif
