/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <stdlib.h>

static int compare(struct ob_bytes a, struct ob_bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 ? memcmp(a.data, b.data, n) : 0;
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The index of the key, or the index to insert it at; *ret_found says which. */
static size_t find(const struct store *s, struct ob_bytes key, bool *ret_found)
{
	size_t low = 0, high = s->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(s->entries[middle].key, key) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	*ret_found = low < s->count && ob_bytes_equal(s->entries[low].key, key);
	return low;
}

static bool copy(struct ob_bytes *to, struct ob_bytes from)
{
	uint8_t *data = malloc(from.len > 0 ? from.len : 1);
	if (data == NULL) {
		return false;
	}
	if (from.len > 0) {
		memcpy(data, from.data, from.len);
	}
	*to = ob_bytes_of(data, from.len);
	return true;
}

static void drop(struct ob_bytes bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

static bool make_room(struct store *s)
{
	size_t room = s->room > 0 ? s->room * 2 : 16;
	if (s->count < s->room) {
		return true;
	}
	struct store_entry *entries = realloc(s->entries, room * sizeof *entries);
	if (entries == NULL) {
		return false;
	}
	s->entries = entries;
	s->room = room;
	return true;
}

static bool insert(struct store *s, size_t at, struct ob_bytes key, struct ob_bytes value)
{
	struct store_entry entry = {0};
	if (s->count == STORE_MAX || !make_room(s) || !copy(&entry.key, key) ||
	    !copy(&entry.value, value)) {
		drop(entry.key);
		return false;
	}
	memmove(s->entries + at + 1, s->entries + at, (s->count - at) * sizeof entry);
	s->entries[at] = entry;
	s->count++;
	return true;
}

bool store_get(const struct store *s, struct ob_bytes key, struct ob_bytes *ret_value)
{
	bool found;
	size_t at = find(s, key, &found);
	if (found) {
		*ret_value = s->entries[at].value;
	}
	return found;
}

bool store_put(struct store *s, struct ob_bytes key, struct ob_bytes value)
{
	bool found;
	struct ob_bytes fresh;
	size_t at = find(s, key, &found);
	if (!found) {
		return insert(s, at, key, value);
	}
	if (!copy(&fresh, value)) {
		return false;
	}
	drop(s->entries[at].value);
	s->entries[at].value = fresh;
	return true;
}

bool store_delete(struct store *s, struct ob_bytes key)
{
	bool found;
	size_t at = find(s, key, &found);
	if (found) {
		drop(s->entries[at].key);
		drop(s->entries[at].value);
		s->count--;
		memmove(s->entries + at, s->entries + at + 1, (s->count - at) * sizeof *s->entries);
	}
	return found;
}

void store_clear(struct store *s)
{
	for (size_t i = 0; i < s->count; i++) {
		drop(s->entries[i].key);
		drop(s->entries[i].value);
	}
	free(s->entries);
	*s = (struct store){0};
}
