/* SPDX-License-Identifier: MIT */
/* auth/ask/arena - memory with a budget, wiped when it is freed: answers may hold passwords. */
#ifndef OB_AUTH_ASK_ARENA_H
#define OB_AUTH_ASK_ARENA_H

#include <outboard/abi.h>

struct obi_ask_block;

struct obi_ask_arena {
	struct ob_arena ob;
	struct obi_ask_block *blocks;
	size_t budget, left; /* bytes */
};

void obi_ask_arena_init(struct obi_ask_arena *arena, size_t budget);

/* Wipe and free everything. The arena can be used again, with its whole budget. */
void obi_ask_arena_clear(struct obi_ask_arena *arena);

#endif
