/* SPDX-License-Identifier: MIT */
#include "log/ring.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 4096 };

void obi_log_ring_init(struct obi_log_ring *ring, size_t max)
{
	*ring = (struct obi_log_ring){.max = max};
}

void obi_log_ring_free(struct obi_log_ring *ring)
{
	free(ring->bytes);
	ring->bytes = NULL;
	ring->size = ring->len = 0;
}

/* ---- The bytes ---- */

static size_t place_of(const struct obi_log_ring *ring, size_t i)
{
	size_t at = ring->at + i;
	return at < ring->size ? at : at - ring->size;
}

/* How many bytes follow the i-th without a break, of n. */
static size_t run_at(const struct obi_log_ring *ring, size_t i, size_t n)
{
	size_t room = ring->size - place_of(ring, i);
	return n < room ? n : room;
}

static void take_off(struct obi_log_ring *ring, size_t n)
{
	ring->at = ring->size > 0 ? place_of(ring, n) : 0;
	ring->len -= n;
	ring->begin += n;
}

static size_t first_line(const struct obi_log_ring *ring)
{
	for (size_t i = 0; i < ring->len; i++) {
		if (ring->bytes[place_of(ring, i)] == '\n') {
			return i + 1;
		}
	}
	return ring->len;
}

/* A line of which the last answer had a part only is missing to its reader, too. */
static void drop_first(struct obi_log_ring *ring)
{
	size_t len = first_line(ring);
	if (ring->begin + len <= ring->sent_end) {
		ring->dropped_sent++;
	} else {
		ring->dropped_unsent++;
	}
	take_off(ring, len);
}

static void copy_out(const struct obi_log_ring *ring, size_t n, uint8_t *to)
{
	size_t first = n > 0 ? run_at(ring, 0, n) : 0;
	if (first > 0) {
		memcpy(to, ring->bytes + place_of(ring, 0), first);
	}
	if (n > first) {
		memcpy(to + first, ring->bytes, n - first);
	}
}

static bool grow(struct obi_log_ring *ring, size_t need)
{
	size_t size = ring->size > 0 ? ring->size : FIRST_SIZE;
	while (size < need) {
		size *= 2;
	}
	size = size < ring->max ? size : ring->max;
	if (size <= ring->size) {
		return true;
	}
	uint8_t *bytes = malloc(size);
	if (bytes == NULL) {
		return false;
	}
	copy_out(ring, ring->len, bytes);
	free(ring->bytes);
	ring->bytes = bytes;
	ring->size = size;
	ring->at = 0;
	return true;
}

bool obi_log_ring_add(struct obi_log_ring *ring, struct ob_bytes line)
{
	size_t need = ring->len + line.len;
	if (line.len > ring->max || (!grow(ring, need) && line.len > ring->size)) {
		ring->dropped_unsent++;
		return false;
	}
	while (ring->len + line.len > ring->size) {
		drop_first(ring);
	}
	size_t first = line.len > 0 ? run_at(ring, ring->len, line.len) : 0;
	if (first > 0) {
		memcpy(ring->bytes + place_of(ring, ring->len), line.data, first);
	}
	if (line.len > first) {
		memcpy(ring->bytes, line.data + first, line.len - first);
	}
	ring->len += line.len;
	return true;
}

/* ---- Reading ---- */

static bool is_known(const struct obi_log_ring *ring, const uint64_t *offset)
{
	return offset != NULL && *offset <= obi_log_ring_end(ring);
}

/* A reader at the end of the last answer has it. Any other misses what was dropped from it, too. */
static void count(struct obi_log_ring *ring, bool has_last)
{
	if (has_last) {
		ring->dropped_before = ring->dropped_unsent;
	} else {
		ring->dropped_before += ring->dropped_sent + ring->dropped_unsent;
	}
	ring->dropped_sent = ring->dropped_unsent = 0;
}

struct obi_log_ring_part obi_log_ring_read(struct obi_log_ring *ring, const uint64_t *offset,
					   size_t max, struct ob_sink *out)
{
	bool known = is_known(ring, offset);
	count(ring, known && *offset == ring->sent_end);
	if (known && *offset > ring->begin) {
		take_off(ring, (size_t)(*offset - ring->begin));
	}
	size_t n = ring->len < max ? ring->len : max;
	uint8_t *to = ob_sink_reserve(out, n);
	if (to != NULL && n > 0) {
		copy_out(ring, n, to);
		ob_sink_commit(out, n);
	}
	ring->sent_end = ring->begin + (to != NULL ? n : 0);
	return (struct obi_log_ring_part){ring->begin, ring->dropped_before};
}

bool obi_log_ring_is_read(const struct obi_log_ring *ring, const uint64_t *offset)
{
	bool known = is_known(ring, offset);
	bool missing = ring->dropped_unsent > 0;
	if (!known || *offset != ring->sent_end) {
		missing = missing || ring->dropped_before + ring->dropped_sent > 0;
	}
	return !missing && (known ? *offset == obi_log_ring_end(ring) : ring->len == 0);
}
