/* SPDX-License-Identifier: MIT */
#include "loop/spare_memory.h"

#include <malloc.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* In front of each piece. */
struct head {
	alignas(16) size_t size;
};

static alignas(16) uint8_t reserve[OBI_SPARE_BYTES];
static size_t used, pieces;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of both */

static bool is_spare(const void *piece)
{
	uintptr_t at = (uintptr_t)piece, from = (uintptr_t)reserve;
	return at > from && at < from + sizeof reserve;
}

/* Pieces lie one behind the other. There are few, and not for long: when all were given back, the
 * reserve is whole again. */
static void *take(size_t size)
{
	void *piece = NULL;
	pthread_mutex_lock(&lock);
	if (size <= sizeof reserve) {
		size_t need = sizeof(struct head) + (size + 15) / 16 * 16;
		if (need <= sizeof reserve - used) {
			struct head *head = (struct head *)(void *)(reserve + used);
			head->size = size;
			piece = head + 1;
			used += need;
			pieces++;
		}
	}
	pthread_mutex_unlock(&lock);
	return piece;
}

static void give_back(void *piece)
{
	if (!is_spare(piece)) {
		free(piece);
		return;
	}
	pthread_mutex_lock(&lock);
	if (--pieces == 0) {
		used = 0;
	}
	pthread_mutex_unlock(&lock);
}

static size_t size_of(void *piece)
{
	return is_spare(piece) ? ((struct head *)piece - 1)->size : malloc_usable_size(piece);
}

void *obi_spare_realloc(void *piece, size_t size)
{
	if (size == 0) {
		give_back(piece);
		return NULL;
	}
	void *to = is_spare(piece) ? malloc(size) : realloc(piece, size);
	if (to != NULL && !is_spare(piece)) {
		return to;
	}
	to = to != NULL ? to : take(size);
	if (to != NULL && piece != NULL) {
		size_t was = size_of(piece);
		memcpy(to, piece, was < size ? was : size);
		give_back(piece);
	}
	return to;
}
