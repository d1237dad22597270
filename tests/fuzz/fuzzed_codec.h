/* SPDX-License-Identifier: MIT */
/* fuzz/fuzzed_codec - what must hold for any input of a codec. */
#ifndef OB_TESTS_FUZZ_FUZZED_CODEC_H
#define OB_TESTS_FUZZ_FUZZED_CODEC_H

#include <outboard/codec.h>

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/value.h"

/* The shipped codecs, compiled into the target. */
ob_plugin_list fuzzed_json(void);
ob_plugin_list fuzzed_msgpack(void);
ob_plugin_list fuzzed_skeleton(void);
ob_plugin_list fuzzed_cbor(void);

static inline const struct ob_codec_ops *fuzzed_ops(ob_plugin_list list)
{
	return (const struct ob_codec_ops *)list[0]->ops;
}

static inline void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

enum { FUZZED_PER_BYTE = 8, FUZZED_CONSTANT = 64 * 1024 };

static const struct ob_codec_params fuzzed_limits = {
    .size = sizeof fuzzed_limits, .message = 1 << 20, .depth = OB_DEPTH_MAX, .batch = 16};

/* ---- scan ---- */

/* All at once, or `step` bytes at a time, and never before the requested size is there. */
static inline int fuzzed_scan(const struct ob_codec_ops *ops, struct ob_bytes bytes, size_t step,
			      size_t *ret_len)
{
	struct ob_scan progress = {.seen = 0};
	size_t need = 1;
	int r = 0;
	for (size_t n = step < bytes.len ? step : bytes.len; r == 0;
	     n = n + step < bytes.len ? n + step : bytes.len) {
		if (n >= need) {
			r = ops->scan(ob_bytes_of(bytes.data, n), &progress, &fuzzed_limits, &need);
			must(r == 0 || r == 1 || r == OB_EPROTO || r == OB_ETOOBIG);
			must(r != 0 || need > n);
			must(r != 1 || need <= n);
		}
		if (n == bytes.len) {
			break;
		}
	}
	*ret_len = need;
	return r;
}

/* ---- decode and encode ---- */

static inline bool fuzzed_same_id(const struct ob_id *a, const struct ob_id *b)
{
	return a->foreign == b->foreign &&
	       (a->foreign ? ob_bytes_equal(a->raw, b->raw) : a->number == b->number);
}

static inline bool fuzzed_same(const struct ob_message *a, const struct ob_message *b)
{
	if (a->kind != b->kind || (a->kind != OB_NOTIFY && !fuzzed_same_id(&a->id, &b->id))) {
		return false;
	}
	if (a->kind != OB_RESPONSE) {
		return ob_bytes_equal(a->method, b->method) &&
		       obi_value_equal(&a->params, &b->params);
	}
	if (a->error.type != OB_NIL) {
		/* A value that is not a map may be wrapped into one, */
		return b->error.type != OB_NIL &&
		       (a->error.type != OB_MAP || obi_value_equal(&a->error, &b->error));
	}
	return b->error.type == OB_NIL && obi_value_equal(&a->result, &b->result);
}

static inline void fuzzed_again(const struct ob_codec_ops *ops, const struct ob_message *m)
{
	struct ob_message back = {.size = sizeof back};
	struct obi_arena arena;
	struct obi_buf out;
	size_t len;
	obi_buf_init(&out, 1 << 22);
	int r = ops->encode(m, &fuzzed_limits, obi_buf_sink(&out), NULL);
	if (m->kind == OB_RESPONSE && m->error.type != OB_NIL && m->error.type != OB_MAP &&
	    r == OB_EINVAL) {
		obi_buf_free(&out); /* which may make it too deep */
		return;
	}
	must(r == OB_OK);
	struct ob_bytes bytes = obi_buf_bytes(&out);
	obi_arena_init(&arena, FUZZED_PER_BYTE * bytes.len + FUZZED_CONSTANT);
	must(fuzzed_scan(ops, bytes, bytes.len, &len) == 1 && len == bytes.len);
	must(ops->decode(bytes, &arena.ob, &fuzzed_limits, &back, NULL) == OB_OK);
	must(fuzzed_same(m, &back));
	obi_arena_free(&arena);
	obi_buf_free(&out);
}

static inline void fuzzed_decode(const struct ob_codec_ops *ops, struct ob_bytes bytes)
{
	struct ob_message m = {.size = sizeof m};
	struct ob_error err = {.text = ""};
	struct obi_arena arena;
	obi_arena_init(&arena, FUZZED_PER_BYTE * bytes.len + FUZZED_CONSTANT);
	int r = ops->decode(bytes, &arena.ob, &fuzzed_limits, &m, &err);
	must(r == OB_OK || r == OB_EPROTO || r == OB_ENOMEM);
	must(r != OB_OK || m.kind != OB_BATCH || (m.count > 0 && m.count <= fuzzed_limits.batch));
	for (uint32_t i = 0; r == OB_OK && m.kind == OB_BATCH && i < m.count; i++) {
		if (m.items[i]->kind != OB_INVALID) {
			fuzzed_again(ops, m.items[i]);
		}
	}
	if (r == OB_OK && m.kind <= OB_NOTIFY) {
		fuzzed_again(ops, &m);
	}
	obi_arena_free(&arena);
}

/* ---- read: what scan and decode do, or nothing ---- */

/* Whether read() accepts the first message of bytes: memory of exactly their size. */
static inline bool fuzzed_reads(const struct ob_codec_ops *ops, struct ob_bytes bytes,
				struct ob_arena *arena, struct ob_message *ret, size_t *ret_len)
{
	int r = ops->read(bytes, arena, &fuzzed_limits, ret, ret_len);
	must(r == 0 || r == 1);
	must(r == 0 || (*ret_len > 0 && *ret_len <= bytes.len && ret->kind != OB_INVALID));
	return r == 1;
}

/* len: of the message that was found; 0: there is none. */
static inline void fuzzed_read(const struct ob_codec_ops *ops, struct ob_bytes bytes, size_t len)
{
	struct ob_message m = {.size = sizeof m}, again = {.size = sizeof again};
	struct obi_arena arena;
	size_t read_len;
	obi_arena_init(&arena, 64 * bytes.len + FUZZED_CONSTANT); /* two trees */
	if (fuzzed_reads(ops, bytes, &arena.ob, &m, &read_len)) {
		must(read_len == len);
		must(ops->decode(ob_bytes_of(bytes.data, len), &arena.ob, &fuzzed_limits, &again,
				 NULL) == OB_OK);
		must(m.kind == OB_BATCH || fuzzed_same(&m, &again));
	}
	size_t cut_len = len > 1 ? len - 1 : 0;
	uint8_t *cut = malloc(cut_len + 1);
	must(cut != NULL);
	memcpy(cut, bytes.data, cut_len);
	must(!fuzzed_reads(ops, ob_bytes_of(cut, cut_len), &arena.ob, &m, &read_len));
	free(cut);
	obi_arena_free(&arena);
}

/* Input: a byte that says how the rest arrives, then messages. */
static inline int fuzzed_codec(const struct ob_codec_ops *ops, const uint8_t *data, size_t size)
{
	size_t step = size > 0 ? data[0] : 0, len = 0, len_stepwise = 0;
	struct ob_bytes bytes = size > 1 ? ob_bytes_of(data + 1, size - 1) : ob_bytes_of(NULL, 0);
	while (bytes.len > 0) {
		int r = fuzzed_scan(ops, bytes, bytes.len, &len);
		int stepwise = fuzzed_scan(ops, bytes, step > 0 ? step : 1, &len_stepwise);
		/* A scan that waits for more bytes has not checked them yet. */
		must(r < 0 ? stepwise <= 0 : stepwise == r);
		must(r != 1 || len == len_stepwise);
		if (ops->read != NULL) {
			fuzzed_read(ops, bytes, r == 1 ? len : 0);
		}
		if (r != 1) {
			break;
		}
		fuzzed_decode(ops, ob_bytes_of(bytes.data, len));
		bytes = ob_bytes_of(bytes.data + len, bytes.len - len);
	}
	return 0;
}

#endif
