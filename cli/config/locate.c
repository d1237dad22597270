/* SPDX-License-Identifier: MIT */
/*
 * The places of faults: the text is read once more, key by key, and each key looks up the faults at
 * it, and those inside, in a sorted list. The longest key that a fault meets is its place: names
 * may contain dots, so one key may be found in two ways.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/config/load.h"
#include "cli/config/run_config_read.h"
#include "json/json_scan.h"

struct located {
	struct obi_fault *fault;
	size_t len; /* of the longest key so far */
};

struct locating {
	struct obi_json_scan scan;
	struct obi_reading path; /* the key at scan.at: only its key is used */
	struct located *faults;	 /* sorted by key */
	size_t count;
	const uint8_t *last; /* a place in the text, and its line and column */
	struct obi_place place;
};

static int compare(const void *a, const void *b)
{
	const struct located *one = a, *two = b;
	return strcmp(one->fault->key, two->fault->key);
}

/* The first fault whose key is not below this one followed by the character end ('\0': none). */
static size_t first_from(const struct locating *l, char end)
{
	size_t low = 0, high = l->count, len = l->path.key_len;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *key = l->faults[middle].fault->key;
		int order = strncmp(key, l->path.key, len);
		order = order == 0 ? (unsigned char)key[len] - (unsigned char)end : order;
		low = order < 0 ? middle + 1 : low;
		high = order < 0 ? high : middle;
	}
	return low;
}

static void set(struct locating *l, size_t from, size_t to, const uint8_t *at)
{
	if (from < to && at > l->last) {
		size_t len = (size_t)(at - l->last);
		l->place = obi_place_after(l->place, ob_bytes_of(l->last, len));
		l->last = at;
	}
	for (size_t i = from; i < to; i++) {
		if (l->path.key_len >= l->faults[i].len) {
			l->faults[i].len = l->path.key_len;
			l->faults[i].fault->place = l->place;
		}
	}
}

/* The key of the path begins at `at`: its faults, and those inside, are here or further on. */
static void found(struct locating *l, const uint8_t *at)
{
	set(l, first_from(l, '\0'), first_from(l, '\1'), at);
	set(l, first_from(l, '.'), first_from(l, '.' + 1), at);
}

/* ---- Walking; the text has been accepted by the reader ---- */

static void skip(struct locating *l, const char *what)
{
	while (l->scan.at < l->scan.end && strchr(what, *l->scan.at) != NULL && *l->scan.at != 0) {
		l->scan.at++;
	}
}

/* A string; false: the arena is full. */
static bool string(struct locating *l, struct ob_bytes *ret)
{
	struct ob_value value;
	l->scan.at++;
	bool good = obi_json_scan_string(&l->scan, &value);
	*ret = good ? ob_bytes_of(value.as.string, value.count) : ob_bytes_of(NULL, 0);
	return good;
}

static bool walk(struct locating *l);

/* An item of an object, or of a list: then the number is its key. */
static bool item(struct locating *l, bool is_object, uint32_t number)
{
	const uint8_t *start = l->scan.at;
	char digits[16];
	struct ob_bytes key;
	if (!is_object) {
		snprintf(digits, sizeof digits, "%u", number);
		key = ob_bytes_text(digits);
	} else if (!string(l, &key)) {
		return false;
	}
	skip(l, is_object ? " \t\r\n:" : "");
	size_t was = obi_reading_enter(&l->path, key);
	if (was < OBI_READING_KEY_MAX - 1) { /* else it was cut, and all keys inside are the same */
		found(l, start);
	}
	bool good = walk(l);
	obi_reading_leave(&l->path, was);
	return good;
}

/* The value at scan.at. The depth is limited, as the reader's is. */
static bool walk(struct locating *l)
{
	struct ob_bytes unused;
	uint8_t first = *l->scan.at;
	if (first == '"') {
		return string(l, &unused);
	}
	if (first != '{' && first != '[') {
		skip(l, "-+.0123456789eEtrufalsn");
		return true;
	}
	l->scan.at++;
	skip(l, " \t\r\n");
	for (uint32_t i = 0; *l->scan.at != '}' && *l->scan.at != ']'; i++) {
		if (!item(l, first == '{', i)) {
			return false;
		}
		skip(l, " \t\r\n,");
	}
	l->scan.at++;
	return true;
}

void obi_faults_locate(struct obi_faults *faults)
{
	struct obi_arena arena;
	struct ob_bytes text = faults->text;
	struct locating l = {.last = text.data, .place = {1, 1}};
	l.faults = text.len > 0 ? calloc((size_t)faults->count + 1, sizeof *l.faults) : NULL;
	if (l.faults == NULL) {
		return; /* without places */
	}
	for (struct obi_fault *f = faults->first; f != NULL; f = f->next) {
		l.faults[l.count++].fault = f;
	}
	if (l.count > 0) {
		qsort(l.faults, l.count, sizeof *l.faults, compare);
		obi_arena_init(&arena, 8 * text.len + 4096);
		l.scan =
		    (struct obi_json_scan){text.data, text.data + text.len, &arena.ob, OB_OK, NULL};
		skip(&l, " \t\r\n");
		set(&l, 0, l.count, l.scan.at);
		(void)walk(&l);
		obi_arena_free(&arena);
	}
	free(l.faults);
}
