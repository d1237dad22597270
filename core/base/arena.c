/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdlib.h>

/* KEEP: what one message took must not stay with its connection for ever. */
enum { BLOCK = 4096 - 32, SMALL_BLOCK = 512 - 32, KEEP = 64 * 1024 };

struct obi_block {
	struct obi_block *older;
	size_t size; /* of the memory behind this header */
};

_Static_assert(sizeof(struct obi_block) % 16 == 0, "pieces are 16-byte aligned");

static uint8_t *memory_of(struct obi_block *block)
{
	return (uint8_t *)(block + 1);
}

static void *more(struct ob_arena *ob, size_t size)
{
	struct obi_arena *arena =
	    (struct obi_arena *)(void *)((char *)ob - offsetof(struct obi_arena, ob));
	size_t room = size > arena->block / 4 ? size : arena->block;
	if (arena->blocks != NULL && (room > arena->budget || arena->used > arena->budget - room)) {
		return NULL;
	}
	if (size > arena->budget + BLOCK || room > SIZE_MAX - sizeof(struct obi_block)) {
		return NULL;
	}
	struct obi_block *block = malloc(sizeof *block + room);
	if (block == NULL) {
		return NULL;
	}
	arena->used += arena->blocks != NULL ? room : 0;
	block->older = arena->blocks;
	block->size = room;
	arena->blocks = block;
	/* A large piece gets a block of its own; the rest of the current block stays in use. */
	if (size != room || ob->next == NULL) {
		ob->next = memory_of(block) + size;
		ob->end = memory_of(block) + room;
	}
	return memory_of(block);
}

static void init(struct obi_arena *arena, size_t budget, size_t block)
{
	memset(arena, 0, sizeof *arena);
	arena->ob.more = more;
	arena->budget = budget;
	arena->block = block;
}

void obi_arena_init(struct obi_arena *arena, size_t budget)
{
	init(arena, budget, BLOCK);
}

void obi_arena_init_small(struct obi_arena *arena, size_t budget)
{
	init(arena, budget, SMALL_BLOCK);
}

size_t obi_arena_size(const struct obi_arena *arena)
{
	size_t size = 0;
	for (const struct obi_block *block = arena->blocks; block != NULL; block = block->older) {
		size += sizeof *block + block->size;
	}
	return size;
}

void obi_arena_reset(struct obi_arena *arena)
{
	struct obi_block *block = arena->blocks;
	while (block != NULL && block->older != NULL) {
		struct obi_block *older = block->older;
		free(block);
		block = older;
	}
	if (block != NULL && block->size > KEEP) {
		free(block);
		block = NULL;
	}
	arena->blocks = block;
	arena->used = 0;
	arena->ob.next = block != NULL ? memory_of(block) : NULL;
	arena->ob.end = block != NULL ? memory_of(block) + block->size : NULL;
}

void obi_arena_free(struct obi_arena *arena)
{
	obi_arena_reset(arena);
	free(arena->blocks);
	init(arena, arena->budget, arena->block);
}

void *obi_arena_copy(struct obi_arena *arena, const void *data, size_t len)
{
	void *copy = ob_arena_alloc(&arena->ob, len);
	if (copy != NULL && len > 0) {
		memcpy(copy, data, len);
	}
	return copy;
}

char *obi_arena_text(struct obi_arena *arena, const char *text, size_t len)
{
	char *copy = len < SIZE_MAX ? ob_arena_alloc(&arena->ob, len + 1) : NULL;
	if (copy != NULL) {
		if (len > 0) {
			memcpy(copy, text, len);
		}
		copy[len] = '\0';
	}
	return copy;
}
