/* SPDX-License-Identifier: MIT */
/* fuzz/fuzzed_wire - the bytes in transit to one end of a connection, under control of an
 * attacker without a key, who may change, cut, double, insert and replay them. The wire knows
 * what was sealed, and so whether that is what arrives. */
#ifndef OB_TESTS_FUZZ_FUZZED_WIRE_H
#define OB_TESTS_FUZZ_FUZZED_WIRE_H

#include "base/buf.h"

enum {
	WIRE_MAX = 256 * 1024,
	WIRE_RIGHT = 4 * WIRE_MAX,
	WIRE_RECORDED = 64 * 1024,
	WIRE_FLIGHTS = 64
};

struct wire {
	struct obi_buf bytes;
	size_t clear; /* the first bytes: not sealed, and changes of them are not detected */
	struct obi_buf right; /* the sealed bytes that should arrive after those */
	uint8_t recorded[WIRE_RECORDED];
	size_t recorded_len;
	size_t
	    flight[WIRE_FLIGHTS + 1]; /* the start of each record in it, and the end of the last */
	size_t flights;
};

static inline void wire_cut_off(struct wire *w)
{
	obi_buf_truncate(&w->bytes, 0);
	obi_buf_truncate(&w->right, 0);
	w->clear = 0;
}

static inline void wire_end(struct wire *w)
{
	obi_buf_free(&w->bytes);
	obi_buf_free(&w->right);
}

static inline void wire_begin(struct wire *w)
{
	obi_buf_init(&w->bytes, WIRE_MAX);
	obi_buf_init(&w->right, WIRE_RIGHT);
	w->recorded_len = w->flights = w->flight[0] = 0;
	wire_cut_off(w);
}

/* ---- For the end that writes ---- */

static inline size_t wire_room(const struct wire *w)
{
	return WIRE_MAX - obi_buf_len(&w->bytes);
}

static inline void wire_put(struct wire *w, struct ob_bytes part, bool sealed)
{
	if (!sealed && w->clear == obi_buf_len(&w->bytes)) {
		w->clear += part.len;
	} else if (!ob_sink_put(obi_buf_sink(&w->right), part.data, part.len)) {
		/* So many bytes have been taken that they cannot be put back. */
		obi_buf_truncate(&w->right, 0);
	}
	must(ob_sink_put(obi_buf_sink(&w->bytes), part.data, part.len));
	if (part.len <= WIRE_RECORDED - w->recorded_len) {
		memcpy(w->recorded + w->recorded_len, part.data, part.len);
		w->recorded_len += part.len;
	}
}

/* Everything since the last call was written at once. */
static inline void wire_landed(struct wire *w)
{
	if (w->flights < WIRE_FLIGHTS && w->recorded_len > w->flight[w->flights]) {
		w->flight[++w->flights] = w->recorded_len;
	}
}

/* ---- For the attacker ---- */

static inline bool wire_flip(struct wire *w, size_t at, uint8_t mask)
{
	if (at >= obi_buf_len(&w->bytes) || mask == 0) {
		return false;
	}
	obi_buf_sink(&w->bytes)->data[w->bytes.start + at] ^= mask;
	return true;
}

static inline bool wire_cut(struct wire *w, size_t at, size_t n)
{
	size_t len = obi_buf_len(&w->bytes);
	if (at >= len || n == 0) {
		return false;
	}
	n = n < len - at ? n : len - at;
	uint8_t *gap = obi_buf_sink(&w->bytes)->data + w->bytes.start + at;
	memmove(gap, gap + n, len - at - n);
	obi_buf_truncate(&w->bytes, len - n);
	if (at < w->clear) {
		w->clear -= n < w->clear - at ? n : w->clear - at;
	}
	return true;
}

/* Room for n inserted bytes; NULL: none. Inside clear bytes they are clear bytes too; also right
 * behind them, if the end still reads clear bytes. */
static inline uint8_t *wire_gap(struct wire *w, size_t at, size_t n, bool unsealed)
{
	size_t len = obi_buf_len(&w->bytes);
	if (at > len || n == 0 || n > wire_room(w)) {
		return NULL;
	}
	must(obi_buf_reserve(&w->bytes, n, NULL) != NULL);
	ob_sink_commit(obi_buf_sink(&w->bytes), n);
	uint8_t *gap = obi_buf_sink(&w->bytes)->data + w->bytes.start + at;
	memmove(gap + n, gap, len - at);
	if (at < w->clear || (at == w->clear && unsealed)) {
		w->clear += n;
	}
	return gap;
}

static inline bool wire_insert(struct wire *w, size_t at, struct ob_bytes part, bool unsealed)
{
	uint8_t *gap = wire_gap(w, at, part.len, unsealed);
	if (gap != NULL) {
		memcpy(gap, part.data, part.len);
	}
	return gap != NULL;
}

/* Double the first n bytes. */
static inline bool wire_double(struct wire *w, size_t n, bool unsealed)
{
	uint8_t *gap = wire_gap(w, n, n, unsealed);
	if (gap != NULL) {
		memcpy(gap, gap - n, n);
	}
	return gap != NULL;
}

static inline struct ob_bytes wire_recorded(const struct wire *w, size_t i)
{
	return i < w->flights
		   ? ob_bytes_of(w->recorded + w->flight[i], w->flight[i + 1] - w->flight[i])
		   : ob_bytes_of(NULL, 0);
}

/* ---- For the end that reads ---- */

/* Take n bytes off the front. Returns whether those that should be sealed are what was
 * sealed. */
static inline bool wire_take(struct wire *w, size_t n)
{
	size_t clear = n < w->clear ? n : w->clear, sealed = n - clear;
	const uint8_t *front = obi_buf_bytes(&w->bytes).data;
	struct ob_bytes right = obi_buf_bytes(&w->right);
	bool same =
	    sealed == 0 || (sealed <= right.len && memcmp(front + clear, right.data, sealed) == 0);
	obi_buf_consume(&w->bytes, n);
	obi_buf_consume(&w->right, sealed < right.len ? sealed : right.len);
	w->clear -= clear;
	return same;
}

#endif
