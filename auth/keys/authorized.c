/* SPDX-License-Identifier: MIT */
#include "auth/keys/authorized.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/keys/authorized_options.h"

/* ---- Lines ---- */

static const char *read_line(struct ob_bytes line, struct obi_authorized_key *ret)
{
	struct ob_bytes rest = obi_key_trimmed(line);
	const char *fault = obi_authorized_options(&rest, ret);
	if (fault != NULL) {
		return fault;
	}
	if (rest.len == 0 || !ob_bytes_is(obi_key_word(&rest), "ed25519")) {
		return "ed25519 is missing before the key";
	}
	if (!obi_key_decode(obi_key_word(&rest), ret->key)) {
		return "its key is not 32 bytes in base64";
	}
	ret->subject = rest;
	return obi_key_comment_fault(rest);
}

bool obi_authorized_line(struct ob_bytes line, struct obi_authorized_key *ret,
			 char why[OBI_KEYS_WHY])
{
	memset(ret, 0, sizeof *ret);
	const char *fault = read_line(line, ret);
	if (fault != NULL) {
		snprintf(why, OBI_KEYS_WHY, "%s", fault);
	}
	return fault == NULL;
}

/* Cut the first line off *text, without its newline, and a carriage return before it. */
static struct ob_bytes cut_line(struct ob_bytes *text)
{
	const uint8_t *end = memchr(text->data, '\n', text->len);
	size_t len = end != NULL ? (size_t)(end - text->data) : text->len;
	size_t skip = end != NULL ? len + 1 : len;
	struct ob_bytes line = ob_bytes_of(text->data, len);
	*text = ob_bytes_of(text->data + skip, text->len - skip);
	if (line.len > 0 && line.data[line.len - 1] == '\r') {
		line.len--;
	}
	return line;
}

/* ---- Repetitions ---- */

static int by_line(const struct obi_authorized_key *a, const struct obi_authorized_key *b)
{
	return a->line < b->line ? -1 : a->line > b->line;
}

static int by_key(const void *a, const void *b)
{
	const struct obi_authorized_key *x = a, *y = b;
	int order = memcmp(x->key, y->key, OBI_KEYS_KEY);
	return order != 0 ? order : by_line(x, y);
}

static int compare_subjects(struct ob_bytes a, struct ob_bytes b)
{
	int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
	return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

static int by_subject(const void *a, const void *b)
{
	const struct obi_authorized_key *x = a, *y = b;
	int order = compare_subjects(x->subject, y->subject);
	return order != 0 ? order : by_line(x, y);
}

static bool same(const struct obi_authorized_key *later, const struct obi_authorized_key *earlier,
		 const char *what, char why[OBI_KEYS_WHY])
{
	snprintf(why, OBI_KEYS_WHY, "%u: the same %s as in line %u", later->line, what,
		 earlier->line);
	return false;
}

/* Sort the keys, and see that nothing is there twice. */
static bool put_in_order(struct obi_authorized *list, char why[OBI_KEYS_WHY])
{
	struct obi_authorized_key *at = list->keys;
	if (list->count == 0) {
		return true;
	}
	qsort(at, list->count, sizeof *at, by_subject);
	for (uint32_t i = 1; i < list->count; i++) {
		if (compare_subjects(at[i - 1].subject, at[i].subject) == 0) {
			return same(&at[i], &at[i - 1], "subject", why);
		}
	}
	qsort(at, list->count, sizeof *at, by_key);
	for (uint32_t i = 1; i < list->count; i++) {
		if (memcmp(at[i - 1].key, at[i].key, OBI_KEYS_KEY) == 0) {
			return same(&at[i], &at[i - 1], "key", why);
		}
	}
	return true;
}

/* ---- The list ---- */

static struct obi_authorized_key *room_for_one(struct obi_authorized *list)
{
	uint32_t count = list->count;
	if ((count & (count - 1)) == 0) { /* full: it grows by powers of two */
		size_t want = count > 0 ? 2 * (size_t)count : 1;
		void *more = realloc(list->keys, want * sizeof *list->keys);
		if (more == NULL) {
			return NULL;
		}
		list->keys = more;
	}
	return &list->keys[count];
}

static bool add(struct obi_authorized *list, struct ob_bytes line, uint32_t number,
		char why[OBI_KEYS_WHY])
{
	struct obi_authorized_key key;
	char fault[OBI_KEYS_WHY];
	if (!obi_authorized_line(line, &key, fault)) {
		snprintf(why, OBI_KEYS_WHY, "%u: %.300s", number, fault);
		return false;
	}
	if (list->count == OBI_AUTHORIZED_KEYS) {
		snprintf(why, OBI_KEYS_WHY, "%u: more than %d keys", number, OBI_AUTHORIZED_KEYS);
		return false;
	}
	struct obi_authorized_key *room = room_for_one(list);
	if (room == NULL) {
		snprintf(why, OBI_KEYS_WHY, "%u: out of memory", number);
		return false;
	}
	key.line = number;
	*room = key;
	list->count++;
	return true;
}

bool obi_authorized_parse(struct ob_bytes text, struct obi_authorized *ret, char why[OBI_KEYS_WHY])
{
	bool good = true;
	*ret = (struct obi_authorized){0};
	for (uint32_t number = 1; text.len > 0 && good; number++) {
		struct ob_bytes line = obi_key_trimmed(cut_line(&text));
		if (line.len > 0 && line.data[0] != '#') {
			good = add(ret, line, number, why);
		}
	}
	good = good && put_in_order(ret, why);
	if (!good) {
		obi_authorized_free(ret);
	}
	return good;
}

void obi_authorized_free(struct obi_authorized *list)
{
	free(list->keys);
	*list = (struct obi_authorized){0};
}

/* ---- Decisions ---- */

static int find_key(const void *key, const void *item)
{
	return memcmp(key, ((const struct obi_authorized_key *)item)->key, OBI_KEYS_KEY);
}

const struct obi_authorized_key *obi_authorized_find(const struct obi_authorized *list,
						     const uint8_t key[OBI_KEYS_KEY])
{
	return list->count > 0 ? bsearch(key, list->keys, list->count, sizeof *list->keys, find_key)
			       : NULL;
}

const char *obi_authorized_refusal(const struct obi_authorized_key *key, const char *address,
				   int64_t now)
{
	if (now >= key->expires) {
		return "the key has expired";
	}
	if (key->from.len > 0 && address == NULL) {
		return "the peer's address is not known, and the key is for some addresses only";
	}
	return key->from.len > 0 && !obi_authorized_from(key->from, address)
		   ? "the key must not be used from the peer's address"
		   : NULL;
}
