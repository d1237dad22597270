/* SPDX-License-Identifier: MIT */
/* A file of authorized keys: each key of an accepted one is found, and is decided upon. */
#include "auth/keys/authorized.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

static void check_key(const struct obi_authorized *list, uint32_t i)
{
	static const char *const addresses[] = {
	    NULL, "", "192.0.2.1:1", "[2001:db8::1]:1", "::", "unix:///x", "["};
	const struct obi_authorized_key *key = &list->keys[i];
	must(obi_authorized_find(list, key->key) == key);
	must(obi_key_comment_fault(key->subject) == NULL && key->line > 0 && key->expires >= 0);
	must(obi_authorized_refusal(key, NULL, INT64_MAX) != NULL);
	for (size_t a = 0; a < sizeof addresses / sizeof addresses[0]; a++) {
		const char *why = obi_authorized_refusal(key, addresses[a], -1);
		must(key->from.len > 0 || why == NULL);
		must(key->from.len == 0 || (a > 1 && a < 5) || why != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obi_authorized list;
	char why[OBI_KEYS_WHY] = "";
	if (!obi_authorized_parse(ob_bytes_of(data, size), &list, why)) {
		must(why[0] >= '1' && why[0] <= '9' && memchr(why, '\0', sizeof why) != NULL);
		must(list.keys == NULL && list.count == 0);
		return 0;
	}
	for (uint32_t i = 0; i < list.count; i++) {
		check_key(&list, i);
	}
	obi_authorized_free(&list);
	return 0;
}
