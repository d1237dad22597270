/* SPDX-License-Identifier: MIT */
/* store - keys and values in memory, in the order of the keys. What is put in is copied. */
#ifndef KV_STORE_H
#define KV_STORE_H

#include <outboard/outboard.h>

enum { STORE_MAX = 10000 };

struct store_entry {
	struct ob_bytes key, value; /* memory of the store */
};

/* Begin with zeroes. */
struct store {
	struct store_entry *entries;
	size_t count, room;
};

/* The value of a key; false: there is none. It is valid until the next change. */
bool store_get(const struct store *store, struct ob_bytes key, struct ob_bytes *ret_value);

/* Add or replace; false: STORE_MAX keys are there already, or memory ran out. */
bool store_put(struct store *store, struct ob_bytes key, struct ob_bytes value);

/* Whether it was there. */
bool store_delete(struct store *store, struct ob_bytes key);

void store_clear(struct store *store);

#endif
