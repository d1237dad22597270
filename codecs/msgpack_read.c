/* SPDX-License-Identifier: MIT */
#include "codecs/msgpack_read.h"

#include <endian.h>
#include <math.h>

#include "codecs/msgpack_error.h"
#include "codecs/msgpack_text.h"

/*
 * Each element that a container still lacks takes at least a byte. The bytes between `limit` and
 * the end of the input are put aside for these elements, so that a count is refused unless the
 * bytes for it are there, summed over all levels. An element gets its own byte back when it is
 * read: there is always one at `at`.
 */
struct reader {
	const uint8_t *at;
	const uint8_t *limit;
	struct ob_arena *arena;
	int error; /* why it ends, once a function has returned false */
};

static bool read_value(struct reader *r, struct ob_value *v, uint32_t depth);

static bool fail(struct reader *r, int code)
{
	r->error = code;
	return false;
}

static inline bool has(const struct reader *r, uint64_t n)
{
	return n <= (size_t)(r->limit - r->at);
}

/* Values are written member by member: a struct that is assembled and then copied would be loaded
 * before its stores have ended. */
static inline void set(struct ob_value *v, uint8_t type, uint32_t count)
{
	v->type = type;
	memset(v->zero, 0, sizeof v->zero);
	v->count = count;
}

/* ---- Scalars ---- */

static inline bool set_int(struct ob_value *v, int64_t i)
{
	set(v, OB_INT, 0);
	v->as.integer = i;
	return true;
}

static inline bool set_word(struct ob_value *v, uint8_t type, bool value)
{
	set(v, type, 0);
	v->as.uinteger = 0;
	v->as.boolean = value;
	return true;
}

/* An unsigned number of 1, 2, 4 or 8 bytes. */
static bool read_bits(struct reader *r, size_t size, uint64_t *ret)
{
	uint16_t two;
	uint32_t four;
	uint64_t eight;
	if (!has(r, size)) {
		return fail(r, OB_EPROTO);
	}
	switch (size) {
	case 1:
		*ret = *r->at;
		break;
	case 2:
		memcpy(&two, r->at, sizeof two);
		*ret = be16toh(two);
		break;
	case 4:
		memcpy(&four, r->at, sizeof four);
		*ret = be32toh(four);
		break;
	default:
		memcpy(&eight, r->at, sizeof eight);
		*ret = be64toh(eight);
	}
	r->at += size;
	return true;
}

static bool read_unsigned(struct reader *r, size_t size, struct ob_value *v)
{
	uint64_t bits;
	if (!read_bits(r, size, &bits)) {
		return false;
	}
	set(v, bits <= INT64_MAX ? OB_INT : OB_UINT, 0);
	v->as.uinteger = bits;
	return true;
}

static bool read_signed(struct reader *r, size_t size, struct ob_value *v)
{
	uint64_t bits, sign = UINT64_C(1) << (8 * size - 1);
	if (!read_bits(r, size, &bits)) {
		return false;
	}
	return set_int(v, (int64_t)((bits ^ sign) - sign));
}

static bool read_double(struct reader *r, size_t size, struct ob_value *v)
{
	uint64_t bits;
	float single;
	if (!read_bits(r, size, &bits)) {
		return false;
	}
	set(v, OB_DOUBLE, 0);
	if (size == sizeof single) {
		uint32_t half = (uint32_t)bits;
		memcpy(&single, &half, sizeof single);
		v->as.number = (double)single;
	} else {
		memcpy(&v->as.number, &bits, sizeof v->as.number);
	}
	return isfinite(v->as.number) || fail(r, OB_EPROTO);
}

/* ---- Strings and binaries ---- */

static bool read_string(struct reader *r, uint32_t n, struct ob_value *v)
{
	if (!has(r, n) || !obi_msgpack_is_text(r->at, n)) {
		return fail(r, OB_EPROTO);
	}
	set(v, OB_STRING, n);
	v->as.string = (const char *)r->at;
	r->at += n;
	return true;
}

static bool read_binary(struct reader *r, uint32_t n, struct ob_value *v)
{
	if (!has(r, n)) {
		return fail(r, OB_EPROTO);
	}
	set(v, OB_BINARY, n);
	v->as.binary = r->at;
	r->at += n;
	return true;
}

/* ---- Containers ---- */

/* Put the bytes of a container's `elements` aside, and make room for them; NULL if it is empty. */
static bool open_container(struct reader *r, uint64_t elements, uint32_t depth,
			   struct ob_value **ret)
{
	*ret = NULL;
	if (depth == 0 || !has(r, elements) || elements > SIZE_MAX / sizeof(**ret)) {
		return fail(r, OB_EPROTO);
	}
	if (elements == 0) {
		return true;
	}
	*ret = ob_arena_alloc(r->arena, (size_t)elements * sizeof(**ret));
	r->limit -= elements;
	return *ret != NULL || fail(r, OB_ENOMEM);
}

/* The next element of an open container. */
static inline bool read_next(struct reader *r, struct ob_value *v, uint32_t depth)
{
	r->limit++;
	return read_value(r, v, depth);
}

static bool read_array(struct reader *r, uint32_t n, struct ob_value *v, uint32_t depth)
{
	struct ob_value *items;
	if (!open_container(r, n, depth, &items)) {
		return false;
	}
	set(v, OB_ARRAY, n);
	v->as.items = items;
	for (uint32_t i = 0; i < n; i++) {
		if (!read_next(r, &items[i], depth - 1)) {
			return false;
		}
	}
	return true;
}

static bool check_keys(struct reader *r, const struct ob_pair *pairs, uint32_t n)
{
	int found = n > 1 ? ob_map_has_duplicates(pairs, n, r->arena) : 0;
	return found == 0 || fail(r, found > 0 ? OB_EPROTO : found);
}

static bool read_map(struct reader *r, uint32_t n, struct ob_value *v, uint32_t depth)
{
	struct ob_value *values;
	if (!open_container(r, 2 * (uint64_t)n, depth, &values)) {
		return false;
	}
	struct ob_pair *pairs = (struct ob_pair *)(void *)values; /* a pair is two values */
	set(v, OB_MAP, n);
	v->as.pairs = pairs;
	for (uint32_t i = 0; i < n; i++) {
		if (!read_next(r, &pairs[i].key, depth - 1)) {
			return false;
		}
		if (pairs[i].key.type != OB_STRING) {
			return fail(r, OB_EPROTO);
		}
		if (!read_next(r, &pairs[i].value, depth - 1)) {
			return false;
		}
	}
	return check_keys(r, pairs, n);
}

/* ---- Values ---- */

typedef bool read_sized(struct reader *r, uint32_t n, struct ob_value *v);

static bool read_long(struct reader *r, size_t header, read_sized *read, struct ob_value *v)
{
	uint64_t n;
	return read_bits(r, header, &n) && read(r, (uint32_t)n, v);
}

static bool read_large(struct reader *r, uint8_t byte, struct ob_value *v, uint32_t depth)
{
	uint64_t n;
	if (!read_bits(r, byte % 2 == 0 ? 2 : 4, &n)) {
		return false;
	}
	return byte < 0xde ? read_array(r, (uint32_t)n, v, depth)
			   : read_map(r, (uint32_t)n, v, depth);
}

/* A value whose first byte is from 0xc0 to 0xdf. The forms of a kind are in a row, each twice as
 * wide as the last. */
static bool read_tagged(struct reader *r, uint8_t byte, struct ob_value *v, uint32_t depth)
{
	switch (byte) {
	case 0xc0:
		return set_word(v, OB_NIL, false);
	case 0xc2:
	case 0xc3:
		return set_word(v, OB_BOOL, byte == 0xc3);
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return read_long(r, (size_t)1 << (byte - 0xc4), read_binary, v);
	case 0xca:
	case 0xcb:
		return read_double(r, (size_t)4 << (byte - 0xca), v);
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		return read_unsigned(r, (size_t)1 << (byte - 0xcc), v);
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return read_signed(r, (size_t)1 << (byte - 0xd0), v);
	case 0xd9:
	case 0xda:
	case 0xdb:
		return read_long(r, (size_t)1 << (byte - 0xd9), read_string, v);
	default:
		/* Of the rest, the containers are last; the others are extensions, or unused. */
		return byte >= 0xdc ? read_large(r, byte, v, depth) : fail(r, OB_EPROTO);
	}
}

/* The recursion is as deep as the limit allows. */
static bool read_value(struct reader *r, struct ob_value *v, uint32_t depth)
{
	uint8_t byte = *r->at++;
	if (byte < 0x80) {
		return set_int(v, byte);
	}
	if (byte < 0x90) {
		return read_map(r, byte & 0x0f, v, depth);
	}
	if (byte < 0xa0) {
		return read_array(r, byte & 0x0f, v, depth);
	}
	if (byte < 0xc0) {
		return read_string(r, byte & 0x1f, v);
	}
	return byte < 0xe0 ? read_tagged(r, byte, v, depth) : set_int(v, (int64_t)byte - 256);
}

/* ---- Messages: [0,id,method,params], [1,id,error,result], [2,method,params] ---- */

/* The next element, a number of at most 32 bits. */
static bool read_small(struct reader *r, uint32_t *ret)
{
	struct ob_value v;
	if (!read_next(r, &v, 0)) {
		return false;
	}
	if (v.type != OB_INT || v.as.integer < 0 || v.as.integer > UINT32_MAX) {
		return fail(r, OB_EPROTO);
	}
	*ret = (uint32_t)v.as.integer;
	return true;
}

static bool read_call(struct reader *r, uint32_t depth, struct ob_message *ret)
{
	struct ob_value method;
	if (!read_next(r, &method, 0) || !read_next(r, &ret->params, depth)) {
		return false;
	}
	bool right = ob_get_string(&method, &ret->method) &&
		     (ret->params.type == OB_ARRAY || ret->params.type == OB_MAP);
	return right || fail(r, OB_EPROTO);
}

static bool read_reply(struct reader *r, uint32_t depth, struct ob_message *ret)
{
	if (!read_next(r, &ret->error, depth) || !read_next(r, &ret->result, depth)) {
		return false;
	}
	return obi_msgpack_error_read(&ret->error, r->arena) || fail(r, OB_ENOMEM);
}

static bool read_message(struct reader *r, uint32_t elements, uint32_t depth,
			 struct ob_message *ret)
{
	r->limit -= elements;
	if (!read_small(r, &ret->kind)) {
		return false;
	}
	memset(&ret->id, 0, sizeof ret->id);
	if (ret->kind > OB_NOTIFY || (ret->kind == OB_NOTIFY) != (elements == 3)) {
		return fail(r, OB_EPROTO);
	}
	if (ret->kind != OB_NOTIFY && !read_small(r, &ret->id.number)) {
		return false;
	}
	return ret->kind == OB_RESPONSE ? read_reply(r, depth, ret) : read_call(r, depth, ret);
}

int obi_msgpack_read(struct ob_bytes bytes, struct ob_arena *arena, uint32_t depth,
		     struct ob_message *ret, size_t *ret_len)
{
	uint32_t elements = bytes.len > 0 ? bytes.data[0] ^ 0x90u : 0;
	if ((elements != 3 && elements != 4) || bytes.len <= elements) {
		return OB_EPROTO;
	}
	struct reader r = {bytes.data + 1, bytes.data + bytes.len, arena, OB_OK};
	if (!read_message(&r, elements, depth, ret)) {
		return r.error;
	}
	*ret_len = (size_t)(r.at - bytes.data);
	return OB_OK;
}
