/* SPDX-License-Identifier: MIT */
#include "codecs/msgpack_write.h"

#include <endian.h>
#include <math.h>

#include "codecs/msgpack_error.h"
#include "codecs/msgpack_text.h"

/* The room of the sink that was reserved, and is committed when it is used up. */
struct writer {
	struct ob_sink *sink;
	uint8_t *at;
	uint8_t *end;
};

/* All functions return false for a full sink, and for a value that cannot be written. */
static bool write_value(struct writer *w, const struct ob_value *v, uint32_t depth);

static void commit(struct writer *w)
{
	if (w->at != NULL) {
		ob_sink_commit(w->sink, (size_t)(w->at - (w->sink->data + w->sink->len)));
	}
}

static bool more_room(struct writer *w, size_t n)
{
	commit(w);
	w->at = ob_sink_reserve(w->sink, n);
	w->end = w->at != NULL ? w->sink->data + w->sink->cap : NULL;
	return w->at != NULL;
}

static inline bool has_room(struct writer *w, size_t n)
{
	return n <= (size_t)(w->end - w->at) || more_room(w, n);
}

static inline bool put_byte(struct writer *w, uint32_t byte)
{
	if (!has_room(w, 1)) {
		return false;
	}
	*w->at++ = (uint8_t)byte;
	return true;
}

static bool put_bytes(struct writer *w, const void *data, size_t n)
{
	if (n == 0) {
		return true; /* data may be NULL */
	}
	if (!has_room(w, n)) {
		return false;
	}
	memcpy(w->at, data, n);
	w->at += n;
	return true;
}

/* A first byte, and a number of `size` bytes. */
static bool put_number(struct writer *w, uint32_t byte, uint64_t number, size_t size)
{
	uint64_t order = htobe64(number << (64 - 8 * size));
	if (!has_room(w, 1 + size)) {
		return false;
	}
	*w->at++ = (uint8_t)byte;
	memcpy(w->at, &order, size);
	w->at += size;
	return true;
}

/* ---- Scalars ---- */

static bool put_uint(struct writer *w, uint64_t u)
{
	if (u < 0x80) {
		return put_byte(w, (uint32_t)u);
	}
	if (u <= UINT16_MAX) {
		return u <= UINT8_MAX ? put_number(w, 0xcc, u, 1) : put_number(w, 0xcd, u, 2);
	}
	return u <= UINT32_MAX ? put_number(w, 0xce, u, 4) : put_number(w, 0xcf, u, 8);
}

static bool put_int(struct writer *w, int64_t i)
{
	if (i >= 0) {
		return put_uint(w, (uint64_t)i);
	}
	if (i >= -32) {
		return put_byte(w, (uint8_t)i);
	}
	if (i >= INT16_MIN) {
		return i >= INT8_MIN ? put_number(w, 0xd0, (uint64_t)i, 1)
				     : put_number(w, 0xd1, (uint64_t)i, 2);
	}
	return i >= INT32_MIN ? put_number(w, 0xd2, (uint64_t)i, 4)
			      : put_number(w, 0xd3, (uint64_t)i, 8);
}

static bool put_double(struct writer *w, double d)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	return isfinite(d) && put_number(w, 0xcb, bits, sizeof bits);
}

/* ---- Strings, binaries, containers ---- */

/* byte: of the form with a count of 2 bytes; that with 4 follows. */
static bool put_count(struct writer *w, uint32_t byte, uint32_t n)
{
	return n <= UINT16_MAX ? put_number(w, byte, n, 2) : put_number(w, byte + 1, n, 4);
}

static bool put_string(struct writer *w, const void *text, uint32_t n)
{
	bool good = n < 0x20	     ? put_byte(w, 0xa0 | n)
		    : n <= UINT8_MAX ? put_number(w, 0xd9, n, 1)
				     : put_count(w, 0xda, n);
	return good && obi_msgpack_is_text(text, n) && put_bytes(w, text, n);
}

static bool put_binary(struct writer *w, const void *data, uint32_t n)
{
	bool good = n <= UINT8_MAX ? put_number(w, 0xc4, n, 1) : put_count(w, 0xc5, n);
	return good && put_bytes(w, data, n);
}

static bool put_array(struct writer *w, uint32_t n)
{
	return n < 0x10 ? put_byte(w, 0x90 | n) : put_count(w, 0xdc, n);
}

static bool write_items(struct writer *w, const struct ob_value *v, uint32_t depth)
{
	bool good = depth > 0 && put_array(w, v->count);
	for (uint32_t i = 0; good && i < v->count; i++) {
		good = write_value(w, &v->as.items[i], depth - 1);
	}
	return good;
}

static bool write_pairs(struct writer *w, const struct ob_value *v, uint32_t depth)
{
	uint32_t n = v->count;
	bool good = depth > 0 && (n < 0x10 ? put_byte(w, 0x80 | n) : put_count(w, 0xde, n));
	for (uint32_t i = 0; good && i < n; i++) {
		good = write_value(w, &v->as.pairs[i].key, depth - 1) &&
		       write_value(w, &v->as.pairs[i].value, depth - 1);
	}
	return good;
}

static bool write_value(struct writer *w, const struct ob_value *v, uint32_t depth)
{
	switch (v->type) {
	case OB_NIL:
		return put_byte(w, 0xc0);
	case OB_BOOL:
		return put_byte(w, v->as.boolean ? 0xc3 : 0xc2);
	case OB_INT:
		return put_int(w, v->as.integer);
	case OB_UINT:
		return put_uint(w, v->as.uinteger);
	case OB_DOUBLE:
		return put_double(w, v->as.number);
	case OB_STRING:
		return put_string(w, v->as.string, v->count);
	case OB_BINARY:
		return put_binary(w, v->as.binary, v->count);
	case OB_ARRAY:
		return write_items(w, v, depth);
	case OB_MAP:
		return write_pairs(w, v, depth);
	default:
		return false;
	}
}

/* ---- Messages ---- */

static bool write_params(struct writer *w, const struct ob_value *params)
{
	if (params->type == OB_NIL) {
		return put_array(w, 0);
	}
	return (params->type == OB_ARRAY || params->type == OB_MAP) &&
	       write_value(w, params, OB_DEPTH_MAX);
}

static bool write_error(struct writer *w, const struct ob_value *error)
{
	if (!obi_msgpack_error_is_standard(error)) {
		return write_value(w, error, OB_DEPTH_MAX);
	}
	bool good = put_array(w, error->count);
	for (uint32_t i = 0; good && i < error->count; i++) {
		good = write_value(w, &error->as.pairs[i].value, OB_DEPTH_MAX - 1);
	}
	return good;
}

static bool write_reply(struct writer *w, const struct ob_message *m)
{
	if (m->error.type != OB_NIL) {
		return write_error(w, &m->error) && put_byte(w, 0xc0);
	}
	return put_byte(w, 0xc0) && write_value(w, &m->result, OB_DEPTH_MAX);
}

static bool write_message(struct writer *w, const struct ob_message *m)
{
	bool has_id = m->kind != OB_NOTIFY;
	if (m->kind > OB_NOTIFY || (has_id && m->id.foreign)) {
		return false;
	}
	if (!put_array(w, has_id ? 4 : 3) || !put_byte(w, m->kind) ||
	    (has_id && !put_uint(w, m->id.number))) {
		return false;
	}
	if (m->kind == OB_RESPONSE) {
		return write_reply(w, m);
	}
	return put_string(w, m->method.data, (uint32_t)m->method.len) &&
	       write_params(w, &m->params);
}

int obi_msgpack_write(const struct ob_message *message, const struct ob_codec_params *params,
		      struct ob_sink *out, struct ob_error *reterr)
{
	struct writer w = {out, NULL, NULL};
	(void)params;
	(void)reterr;
	bool good = write_message(&w, message);
	commit(&w);
	if (good) {
		return OB_OK;
	}
	return out->failed ? OB_ENOMEM : OB_EINVAL;
}
