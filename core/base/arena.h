/* SPDX-License-Identifier: MIT */
/* base/arena - the memory behind an ob_arena: a chain of blocks with a budget. A reset keeps the
 * first block, so that a steady state allocates nothing, unless that block is a large one. */
#ifndef OBI_BASE_ARENA_H
#define OBI_BASE_ARENA_H

#include <outboard/value.h>

struct obi_block;

struct obi_arena {
	struct ob_arena ob;
	struct obi_block *blocks; /* newest first; a reset keeps the oldest, if small */
	size_t used;		  /* bytes of all blocks but the kept one */
	size_t budget;		  /* the maximum of `used` */
	size_t block;		  /* bytes of an ordinary block */
};

/* An empty arena of at most budget bytes, not counting its first block. Allocates nothing. */
void obi_arena_init(struct obi_arena *arena, size_t budget);

/* The same, in smaller blocks: for little that is kept for long, by many. */
void obi_arena_init_small(struct obi_arena *arena, size_t budget);

/* The bytes that its blocks take. */
size_t obi_arena_size(const struct obi_arena *arena);

/* Free every piece. */
void obi_arena_reset(struct obi_arena *arena);

void obi_arena_free(struct obi_arena *arena);

/* Copies in the arena; NULL when it is full. Text copies end with a NUL. */
void *obi_arena_copy(struct obi_arena *arena, const void *data, size_t len);
char *obi_arena_text(struct obi_arena *arena, const char *text, size_t len);

#endif
