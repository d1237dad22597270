/* SPDX-License-Identifier: MIT */
#include "auth/ask/arena.h"

#include <stdlib.h>

enum { BLOCK_MIN = 4096 };

struct obi_ask_block {
	struct obi_ask_block *next;
	size_t size;
	_Alignas(16) uint8_t data[];
};

static void *more(struct ob_arena *ob, size_t size)
{
	struct obi_ask_arena *arena = (struct obi_ask_arena *)(void *)ob;
	size_t whole = size > BLOCK_MIN ? size : BLOCK_MIN;
	if (whole > arena->left) {
		return NULL;
	}
	struct obi_ask_block *block = malloc(sizeof *block + whole);
	if (block == NULL) {
		return NULL;
	}
	block->next = arena->blocks;
	block->size = whole;
	arena->blocks = block;
	arena->left -= whole;
	ob->next = block->data + size;
	ob->end = block->data + whole;
	return block->data;
}

void obi_ask_arena_init(struct obi_ask_arena *arena, size_t budget)
{
	*arena = (struct obi_ask_arena){.ob = {.more = more}, .budget = budget, .left = budget};
}

void obi_ask_arena_clear(struct obi_ask_arena *arena)
{
	while (arena->blocks != NULL) {
		struct obi_ask_block *next = arena->blocks->next;
		explicit_bzero(arena->blocks->data, arena->blocks->size);
		free(arena->blocks);
		arena->blocks = next;
	}
	obi_ask_arena_init(arena, arena->budget);
}
