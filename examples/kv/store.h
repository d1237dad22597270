/* SPDX-License-Identifier: MIT */
/* store - keys and values in memory, sorted by key. The store copies what it is given. */
#ifndef KV_STORE_H
#define KV_STORE_H

#include <outboard/outboard.h>

enum { STORE_MAX = 10000 };

struct store_entry {
	struct ob_bytes key, value; /* memory of the store */
};

/* Initialized with zeros. */
struct store {
	struct store_entry *entries;
	size_t count, room;
};

/* The value of a key, valid until the next change; false: no such key. */
bool store_get(const struct store *store, struct ob_bytes key, struct ob_bytes *ret_value);

/* Add or replace; false: STORE_MAX keys already, or out of memory. */
bool store_put(struct store *store, struct ob_bytes key, struct ob_bytes value);

/* Returns whether the key existed. */
bool store_delete(struct store *store, struct ob_bytes key);

void store_clear(struct store *store);

#endif
