/* SPDX-License-Identifier: MIT */
#include "agent/agent_spool.h"

#include <stdlib.h>

struct obi_agent_piece {
	struct obi_agent_piece *next;
	uint64_t lost;
	int stream;
	size_t start; /* of what was not acknowledged yet */
	size_t len;
	uint8_t data[];
};

static size_t left_of(const struct obi_agent_piece *piece)
{
	return piece->len - piece->start;
}

static size_t memory_of(const struct obi_agent_piece *piece)
{
	return sizeof *piece + piece->len;
}

static void remove_first(struct obi_agent_spool *spool)
{
	struct obi_agent_piece *piece = spool->first;
	spool->first = piece->next;
	spool->memory -= memory_of(piece);
	if (spool->first == NULL) {
		spool->last = NULL;
	}
	free(piece);
}

/* The oldest piece goes. The reader may have it already: it was in an answer that was not
 * acknowledged yet. */
static void drop_first(struct obi_agent_spool *spool)
{
	const struct obi_agent_piece *piece = spool->first;
	size_t left = left_of(piece), taken = 0;
	if (spool->given > spool->begin) {
		taken = spool->given - spool->begin < left ? (size_t)(spool->given - spool->begin)
							   : left;
	}
	uint64_t before_taken = taken > 0 ? piece->lost : 0;
	spool->streams[piece->stream].taken += taken + before_taken;
	spool->streams[piece->stream].lost += left - taken + piece->lost - before_taken;
	spool->dropped += left;
	spool->begin += left;
	remove_first(spool);
}

/* Nothing is kept: what comes is dropped at once. */
static void drop_new(struct obi_agent_spool *spool, int stream, size_t len, uint64_t lost)
{
	while (spool->first != NULL) {
		drop_first(spool);
	}
	spool->streams[stream].lost += len + lost;
	spool->dropped += len;
	spool->end += len;
	spool->begin = spool->end;
}

void obi_agent_spool_add(struct obi_agent_spool *spool, int stream, struct ob_bytes bytes,
			 uint64_t lost)
{
	size_t size = sizeof(struct obi_agent_piece) + bytes.len;
	if (bytes.len == 0) {
		spool->streams[stream].lost += lost;
		return;
	}
	struct obi_agent_piece *piece = size <= spool->max ? malloc(size) : NULL;
	if (piece == NULL) {
		drop_new(spool, stream, bytes.len, lost);
		return;
	}
	*piece = (struct obi_agent_piece){.stream = stream, .lost = lost, .len = bytes.len};
	memcpy(piece->data, bytes.data, bytes.len);
	while (spool->first != NULL && spool->memory > spool->max - size) {
		drop_first(spool);
	}
	*(spool->last != NULL ? spool->last : &spool->first) = piece;
	spool->last = &piece->next;
	spool->memory += size;
	spool->end += bytes.len;
}

/* The reader has all before offset. */
static void acknowledge(struct obi_agent_spool *spool, uint64_t offset)
{
	bool arrived = offset >= spool->given;
	for (int i = 1; i <= OBI_AGENT_STREAMS; i++) {
		spool->streams[i].lost -= arrived ? spool->streams[i].told : 0;
		spool->streams[i].lost += arrived ? 0 : spool->streams[i].taken;
		spool->streams[i].told = spool->streams[i].taken = 0;
	}
	while (spool->first != NULL && offset > spool->begin) {
		struct obi_agent_piece *piece = spool->first;
		size_t left = left_of(piece);
		if (offset - spool->begin < left) {
			piece->start += (size_t)(offset - spool->begin);
			piece->lost = 0;
			spool->begin = offset;
			return;
		}
		spool->begin += left;
		remove_first(spool);
	}
}

static bool has_losses(const struct obi_agent_spool *spool, uint64_t offset)
{
	bool arrived = offset >= spool->given;
	for (int i = 1; i <= OBI_AGENT_STREAMS; i++) {
		uint64_t lost = spool->streams[i].lost;
		if ((arrived ? lost - spool->streams[i].told : lost + spool->streams[i].taken) >
		    0) {
			return true;
		}
	}
	return false;
}

bool obi_agent_spool_has(const struct obi_agent_spool *spool, uint64_t offset)
{
	return offset != spool->end || has_losses(spool, offset);
}

/* What was lost of the stream is told once in an answer. */
static uint64_t tell_lost(struct obi_agent_spool *spool, int stream)
{
	uint64_t lost = spool->streams[stream].lost - spool->streams[stream].told;
	spool->streams[stream].told = spool->streams[stream].lost;
	return lost;
}

static void build(struct ob_builder *b, int stream, uint64_t lost, const uint8_t *data, size_t len)
{
	const struct obi_agent_chunk chunk = {stream, lost, ob_bytes_of(data, len)};
	obi_agent_chunk_build(b, &chunk);
}

void obi_agent_spool_read(struct obi_agent_spool *spool, uint64_t offset, size_t max,
			  struct ob_builder *b, uint64_t *ret_first, uint64_t *ret_next)
{
	uint32_t count = 0;
	acknowledge(spool, offset > spool->end ? 0 : offset);
	*ret_first = *ret_next = spool->begin;
	ob_build_array(b);
	for (const struct obi_agent_piece *piece = spool->first;
	     piece != NULL && max > 0 && count < OBI_AGENT_CHUNKS_MAX - OBI_AGENT_STREAMS;
	     piece = piece->next) {
		size_t len = left_of(piece) < max ? left_of(piece) : max;
		build(b, piece->stream, piece->lost + tell_lost(spool, piece->stream),
		      piece->data + piece->start, len);
		*ret_next += len;
		max -= len;
		count++;
	}
	for (int i = 1; i <= OBI_AGENT_STREAMS; i++) {
		uint64_t lost = tell_lost(spool, i);
		if (lost > 0) {
			build(b, i, lost, NULL, 0);
		}
	}
	ob_build_end(b);
	spool->given = *ret_next;
}

void obi_agent_spool_clear(struct obi_agent_spool *spool)
{
	while (spool->first != NULL) {
		remove_first(spool);
	}
	*spool = (struct obi_agent_spool){.max = spool->max};
}
