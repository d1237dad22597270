/* SPDX-License-Identifier: MIT */
/*
 * agent/agent_spool - what a child has written, until its host has it: chunks in memory, with a
 * maximum. Where it is full the oldest go, and are counted.
 *
 * Offsets count the bytes of all streams since the start, those that were dropped included. The
 * reader names the offset from which it wants to read on; what is before that is freed. It may name
 * the same offset again, since an answer can be lost: only what it has passed counts as read.
 */
#ifndef OBI_AGENT_AGENT_SPOOL_H
#define OBI_AGENT_AGENT_SPOOL_H

#include "place/agent_wire.h"

enum { OBI_AGENT_STREAMS = 3 };

struct obi_agent_piece;

struct obi_agent_spool {
	size_t max;    /* bytes of memory; set by its owner */
	size_t memory; /* that is used */
	struct obi_agent_piece *first;
	struct obi_agent_piece **last; /* NULL: there is none */
	uint64_t begin;		       /* offset of the first byte that is kept */
	uint64_t end;
	uint64_t given; /* the end of the last answer */
	struct {
		uint64_t lost;	/* bytes that were dropped, and not told for sure */
		uint64_t told;	/* those of them that the last answer told */
		uint64_t taken; /* bytes that were dropped after they were in the last answer */
	} streams[OBI_AGENT_STREAMS + 1];
	uint64_t dropped; /* bytes, in all */
};

/* Keep a chunk; stream: 1 to 3; lost: bytes that were missing before it already. */
void obi_agent_spool_add(struct obi_agent_spool *spool, int stream, struct ob_bytes bytes,
			 uint64_t lost);

/* Whether there is something to read from this offset on. */
bool obi_agent_spool_has(const struct obi_agent_spool *spool, uint64_t offset);

/*
 * Build the array `chunks` from offset on, of at most max bytes; what is before offset is freed.
 * Bytes are borrowed until the next call. An offset behind the end is one of an earlier run: then
 * everything that is kept is read. *ret_first: the offset of the first byte; *ret_next: the offset
 * to read on from.
 */
void obi_agent_spool_read(struct obi_agent_spool *spool, uint64_t offset, size_t max,
			  struct ob_builder *b, uint64_t *ret_first, uint64_t *ret_next);

/* Forget everything; offsets begin with 0 again. max stays. */
void obi_agent_spool_clear(struct obi_agent_spool *spool);

#endif
