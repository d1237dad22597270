/* SPDX-License-Identifier: MIT */
#include "base/key_table.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct obi_key_node **buckets_of(const struct obi_key_table *table, uint32_t *ret_room)
{
	*ret_room = table->room > 0 ? table->room : OBI_KEY_TABLE_FIRST;
	return table->room > 0 ? table->buckets : (struct obi_key_node **)(uintptr_t)table->first;
}

/* Folded, so that keys that differ in their high bits alone do not share a bucket. */
static struct obi_key_node **bucket_of(const struct obi_key_table *table, uint64_t key)
{
	uint32_t room;
	struct obi_key_node **buckets = buckets_of(table, &room);
	uint64_t hash = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return &buckets[(hash >> 32) & (room - 1)];
}

/* FNV-1a. */
uint64_t obi_key_of_text(struct ob_bytes text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < text.len; i++) {
		hash = (hash ^ text.data[i]) * UINT64_C(0x100000001b3);
	}
	return hash;
}

static void push(struct obi_key_table *table, struct obi_key_node *node)
{
	struct obi_key_node **bucket = bucket_of(table, node->key);
	node->next = *bucket;
	*bucket = node;
}

static void grow(struct obi_key_table *table)
{
	uint32_t room;
	struct obi_key_node **buckets = buckets_of(table, &room);
	struct obi_key_table wider = {.used = table->used, .room = 2 * room};
	wider.buckets = calloc(wider.room, sizeof(*wider.buckets));
	if (wider.buckets == NULL) {
		return;
	}
	for (uint32_t i = 0; i < room; i++) {
		while (buckets[i] != NULL) {
			struct obi_key_node *node = buckets[i];
			buckets[i] = node->next;
			push(&wider, node);
		}
	}
	free(table->buckets);
	*table = wider;
}

void obi_key_add(struct obi_key_table *table, struct obi_key_node *node, uint64_t key)
{
	uint32_t room;
	(void)buckets_of(table, &room);
	if (table->used >= room && room <= UINT32_MAX / 4) {
		grow(table);
	}
	node->key = key;
	push(table, node);
	table->used++;
}

void obi_key_remove(struct obi_key_table *table, struct obi_key_node *node)
{
	struct obi_key_node **at = bucket_of(table, node->key);
	while (*at != node) {
		at = &(*at)->next;
	}
	*at = node->next;
	node->next = NULL;
	table->used--;
}

static struct obi_key_node *first_with(struct obi_key_node *node, uint64_t key)
{
	while (node != NULL && node->key != key) {
		node = node->next;
	}
	return node;
}

struct obi_key_node *obi_key_find(const struct obi_key_table *table, uint64_t key)
{
	return first_with(*bucket_of(table, key), key);
}

struct obi_key_node *obi_key_again(const struct obi_key_node *node)
{
	return first_with(node->next, node->key);
}

struct obi_key_node *obi_key_next(const struct obi_key_table *table,
				  const struct obi_key_node *node)
{
	uint32_t room;
	struct obi_key_node **buckets = buckets_of(table, &room), **at = buckets;
	if (node != NULL && node->next != NULL) {
		return node->next;
	}
	if (node != NULL) {
		at = bucket_of(table, node->key) + 1;
	}
	while (at < buckets + room && *at == NULL) {
		at++;
	}
	return at < buckets + room ? *at : NULL;
}

void obi_key_table_free(struct obi_key_table *table)
{
	free(table->buckets);
	memset(table, 0, sizeof *table);
}
