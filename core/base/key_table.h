/* SPDX-License-Identifier: MIT */
/*
 * base/key_table - a hash table of nodes that are embedded in their owners, by a number: adding,
 * finding and removing one costs the same however many there are.
 *
 * Zeroed memory is an empty table. Adding never fails: without memory for more buckets the table
 * keeps those it has. Several nodes may have the same key.
 */
#ifndef OBI_BASE_KEY_TABLE_H
#define OBI_BASE_KEY_TABLE_H

#include <outboard/abi.h>
#include <stdint.h>

enum { OBI_KEY_TABLE_FIRST = 16 };

struct obi_key_node {
	struct obi_key_node *next;
	uint64_t key;
};

struct obi_key_table {
	uint32_t used;
	uint32_t room;		       /* buckets, a power of two; 0: those of first */
	struct obi_key_node **buckets; /* when room is not 0 */
	struct obi_key_node *first[OBI_KEY_TABLE_FIRST];
};

void obi_key_add(struct obi_key_table *table, struct obi_key_node *node, uint64_t key);

/* A key for a text. Different texts may have the same. */
uint64_t obi_key_of_text(struct ob_bytes text);

/* The node must be in the table. */
void obi_key_remove(struct obi_key_table *table, struct obi_key_node *node);

/* A node with this key; NULL: there is none. */
struct obi_key_node *obi_key_find(const struct obi_key_table *table, uint64_t key);

/* Another one with the key of node; NULL: there is none. */
struct obi_key_node *obi_key_again(const struct obi_key_node *node);

/* All nodes in turn: the one behind node, or with NULL the first; NULL: there is none. Ask for the
 * next one before removing node; adding ends the walk. */
struct obi_key_node *obi_key_next(const struct obi_key_table *table,
				  const struct obi_key_node *node);

/* Free the buckets and make the table empty. The nodes are their owners'. */
void obi_key_table_free(struct obi_key_table *table);

#endif
