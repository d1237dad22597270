/* SPDX-License-Identifier: MIT */
/*
 * decode() is msgpack-c's parser template, with callbacks that make our values directly, without
 * its zone and object tree. encode() is msgpack-c's packer. obi_msgpack_scan() checks the form
 * before msgpack-c sees a byte.
 */
#include "fuzz/msgpack_reference.h"

#include "codecs/msgpack_scan.h"

#include <math.h>
#include <msgpack/pack.h>
#include <msgpack/sysdep.h>
#include <msgpack/unpack.h>
#include <msgpack/unpack_define.h>

/* ---- decode: msgpack-c's parser, our values ---- */

/* Where the next value of each open container goes. The scan has seen to it that OBI_MSGPACK_LEVELS
 * are enough.
 */
struct decoder {
	struct ob_arena *arena;
	int error;
	bool has_map; /* then there are keys to be compared */
	uint32_t level;
	struct {
		struct ob_value *next;
		size_t left;
	} open[OBI_MSGPACK_LEVELS + 1];
};

#define msgpack_unpack_struct(name)    struct decode##name
#define msgpack_unpack_func(ret, name) static ret decode##name
#define msgpack_unpack_callback(name)  on##name
#define msgpack_unpack_object	       struct ob_value
#define msgpack_unpack_user	       struct decoder

struct decode_context;
static void decode_init(struct decode_context *context);
static struct ob_value decode_data(struct decode_context *context);
static int decode_execute(struct decode_context *context, const char *data, size_t len,
			  size_t *offset);

/* Values are written member by member, never copied as one block: a block's load would wait for the
 * members' stores. */
static inline void set(struct ob_value *v, uint8_t type, uint32_t count)
{
	v->type = type;
	v->zero[0] = v->zero[1] = v->zero[2] = 0;
	v->count = count;
}

static inline struct ob_value on_root(struct decoder *d)
{
	(void)d;
	return ob_nil();
}

#define ON_INTEGER(name, c_type)                                                           \
	static inline int on_##name(struct decoder *d, c_type value, struct ob_value *ret) \
	{                                                                                  \
		(void)d;                                                                   \
		set(ret, OB_INT, 0);                                                       \
		ret->as.integer = value;                                                   \
		return 0;                                                                  \
	}
ON_INTEGER(uint8, uint8_t)
ON_INTEGER(uint16, uint16_t)
ON_INTEGER(uint32, uint32_t)
ON_INTEGER(int8, int8_t)
ON_INTEGER(int16, int16_t)
ON_INTEGER(int32, int32_t)
ON_INTEGER(int64, int64_t)

static inline int on_uint64(struct decoder *d, uint64_t value, struct ob_value *ret)
{
	(void)d;
	set(ret, value <= (uint64_t)INT64_MAX ? OB_INT : OB_UINT, 0);
	ret->as.uinteger = value;
	return 0;
}

static inline int on_double(struct decoder *d, double value, struct ob_value *ret)
{
	set(ret, OB_DOUBLE, 0);
	ret->as.number = value;
	d->error = isfinite(value) ? d->error : OB_EPROTO;
	return d->error;
}

static inline int on_float(struct decoder *d, float value, struct ob_value *ret)
{
	return on_double(d, (double)value, ret);
}

static inline int on_nil(struct decoder *d, struct ob_value *ret)
{
	(void)d;
	set(ret, OB_NIL, 0);
	ret->as.uinteger = 0;
	return 0;
}

static inline int on_bool(struct ob_value *ret, bool value)
{
	set(ret, OB_BOOL, 0);
	ret->as.uinteger = 0;
	ret->as.boolean = value;
	return 0;
}

static inline int on_true(struct decoder *d, struct ob_value *ret)
{
	(void)d;
	return on_bool(ret, true);
}

static inline int on_false(struct decoder *d, struct ob_value *ret)
{
	(void)d;
	return on_bool(ret, false);
}

/* Room for all values of a container at once: the scan has held the count against the bytes. An
 * empty one is never opened. */
static inline struct ob_value *open_level(struct decoder *d, size_t values, size_t count)
{
	struct ob_value *room = ob_arena_alloc(d->arena, values * sizeof *room);
	if (room == NULL) {
		d->error = OB_ENOMEM;
	} else if (count > 0) {
		d->level++;
		d->open[d->level].next = room;
		d->open[d->level].left = count;
	}
	return room;
}

static inline void put_value(struct ob_value *to, const struct ob_value *from)
{
	set(to, from->type, from->count);
	to->as.uinteger = from->as.uinteger;
}

static inline void settle_level(struct decoder *d, uint32_t values)
{
	d->open[d->level].next += values;
	if (--d->open[d->level].left == 0) {
		d->level--;
	}
}

static inline int on_array(struct decoder *d, size_t count, struct ob_value *ret)
{
	set(ret, OB_ARRAY, (uint32_t)count);
	ret->as.items = open_level(d, count, count);
	return d->error;
}

static inline int on_array_item(struct decoder *d, struct ob_value *array, struct ob_value item)
{
	(void)array;
	put_value(d->open[d->level].next, &item);
	settle_level(d, 1);
	return 0;
}

static inline int on_map(struct decoder *d, size_t count, struct ob_value *ret)
{
	/* A pair is two values in a row. */
	set(ret, OB_MAP, (uint32_t)count);
	ret->as.pairs = (const struct ob_pair *)(const void *)open_level(d, 2 * count, count);
	d->has_map = true;
	return d->error;
}

static inline int on_map_item(struct decoder *d, struct ob_value *map, struct ob_value key,
			      struct ob_value value)
{
	(void)map;
	put_value(&d->open[d->level].next[0], &key);
	put_value(&d->open[d->level].next[1], &value);
	settle_level(d, 1 + 1);
	d->error = key.type != OB_STRING ? OB_EPROTO : d->error;
	return d->error;
}

static inline int on_str(struct decoder *d, const char *base, const char *at, unsigned int n,
			 struct ob_value *ret)
{
	(void)base;
	set(ret, OB_STRING, n);
	ret->as.string = at;
	if (!ob_is_utf8(ob_bytes_of(at, n))) {
		d->error = OB_EPROTO;
		return -1;
	}
	return 0;
}

static inline int on_bin(struct decoder *d, const char *base, const char *at, unsigned int n,
			 struct ob_value *ret)
{
	(void)d;
	(void)base;
	set(ret, OB_BINARY, n);
	ret->as.binary = (const uint8_t *)at;
	return 0;
}

/* scan() has refused extensions already. */
static inline int on_ext(struct decoder *d, const char *base, const char *at, unsigned int n,
			 struct ob_value *ret)
{
	(void)base;
	(void)at;
	(void)n;
	*ret = ob_nil();
	d->error = OB_EPROTO;
	return -1;
}

#include <msgpack/unpack_template.h>

static int check_duplicates(const struct ob_value *v, struct ob_arena *arena)
{
	int r = v->type == OB_MAP ? ob_map_has_duplicates(v->as.pairs, v->count, arena) : 0;
	for (uint32_t i = 0; r == 0 && i < v->count && (v->type == OB_MAP || v->type == OB_ARRAY);
	     i++) {
		const struct ob_value *child =
		    v->type == OB_MAP ? &v->as.pairs[i].value : &v->as.items[i];
		if (child->type >= OB_ARRAY) {
			r = check_duplicates(child, arena);
		}
	}
	return r > 0 ? OB_EPROTO : r;
}

static int decode_tree(struct ob_bytes bytes, struct ob_arena *arena, struct ob_value *ret)
{
	struct decode_context context;
	size_t offset = 0;
	context.user.arena = arena;
	context.user.error = OB_OK;
	context.user.has_map = false;
	context.user.level = 0;
	decode_init(&context);
	int r = decode_execute(&context, (const char *)bytes.data, bytes.len, &offset);
	if (r != 1 || offset != bytes.len) {
		return context.user.error != OB_OK ? context.user.error : OB_EPROTO;
	}
	*ret = decode_data(&context);
	return context.user.has_map ? check_duplicates(ret, arena) : OB_OK;
}

static bool get_u32(const struct ob_value *v, uint32_t *ret)
{
	int64_t n;
	if (!ob_get_int(v, &n) || n < 0 || n > UINT32_MAX) {
		return false;
	}
	*ret = (uint32_t)n;
	return true;
}

static bool take_method(const struct ob_value *method, const struct ob_value *params,
			struct ob_message *m)
{
	m->params = *params;
	return ob_get_string(method, &m->method) &&
	       (params->type == OB_ARRAY || params->type == OB_MAP);
}

/* ---- Errors: [code, message] or [code, message, data] on the wire, a map in the tree ---- */

static const char *const error_keys[] = {"code", "message", "data"};

/* Whether this is the map that is written as an array. Another map stays one. */
static bool is_standard(const struct ob_value *error)
{
	if (error->type != OB_MAP || error->count < 2 || error->count > 3) {
		return false;
	}
	for (uint32_t i = 0; i < error->count; i++) {
		const struct ob_value *key = &error->as.pairs[i].key;
		if (!ob_bytes_is(ob_bytes_of(key->as.string, key->count), error_keys[i])) {
			return false;
		}
	}
	return error->as.pairs[0].value.type == OB_INT &&
	       error->as.pairs[1].value.type == OB_STRING;
}

/* Any other value stays what it is. */
static int take_error(const struct ob_value *error, struct ob_arena *arena, struct ob_value *ret)
{
	*ret = *error;
	if (error->type != OB_ARRAY || error->count < 2 || error->count > 3 ||
	    error->as.items[0].type != OB_INT || error->as.items[1].type != OB_STRING) {
		return OB_OK;
	}
	struct ob_pair *pairs = ob_arena_alloc(arena, error->count * sizeof *pairs);
	if (pairs == NULL) {
		return OB_ENOMEM;
	}
	for (uint32_t i = 0; i < error->count; i++) {
		pairs[i].key = ob_string(error_keys[i]);
		pairs[i].value = error->as.items[i];
	}
	*ret = ob_map(pairs, error->count);
	return OB_OK;
}

/* [0,id,method,params], [1,id,error,result], [2,method,params] */
static bool take_message(const struct ob_value *root, struct ob_message *m)
{
	uint32_t kind;
	if (root->type != OB_ARRAY || !get_u32(ob_value_at(root, 0), &kind)) {
		return false;
	}
	const struct ob_value *item = root->as.items;
	m->kind = kind;
	if (kind == OB_NOTIFY) {
		return root->count == 3 && take_method(&item[1], &item[2], m);
	}
	if (root->count != 4 || kind > OB_RESPONSE || !get_u32(&item[1], &m->id.number)) {
		return false;
	}
	if (kind == OB_REQUEST) {
		return take_method(&item[2], &item[3], m);
	}
	m->result = item[3];
	return true;
}

static int decode(struct ob_bytes bytes, struct ob_arena *arena,
		  const struct ob_codec_params *limits, struct ob_message *ret,
		  struct ob_error *reterr)
{
	struct ob_value root;
	(void)limits;
	(void)reterr;
	int r = decode_tree(bytes, arena, &root);
	if (r < 0) {
		return r;
	}
	ret->id = (struct ob_id){0};
	if (!take_message(&root, ret)) {
		return OB_EPROTO;
	}
	return ret->kind == OB_RESPONSE ? take_error(&root.as.items[2], arena, &ret->error) : OB_OK;
}

/* ---- encode ---- */

static int write_sink(void *sink, const char *data, size_t n)
{
	uint8_t *room = ob_sink_reserve(sink, n);
	if (room == NULL) {
		return -1;
	}
	if (n == 1) {
		*room = (uint8_t)*data; /* most pieces are one byte */
	} else if (n > 0) {
		memcpy(room, data, n);
	}
	ob_sink_commit(sink, n);
	return 0;
}

static int pack(msgpack_packer *p, const struct ob_value *v, unsigned depth);

static int pack_items(msgpack_packer *p, const struct ob_value *v, unsigned depth)
{
	int r = depth < OB_DEPTH_MAX ? msgpack_pack_array(p, v->count) : OB_EINVAL;
	for (uint32_t i = 0; r == 0 && i < v->count; i++) {
		r = pack(p, &v->as.items[i], depth + 1);
	}
	return r;
}

static int pack_pairs(msgpack_packer *p, const struct ob_value *v, unsigned depth)
{
	int r = depth < OB_DEPTH_MAX ? msgpack_pack_map(p, v->count) : OB_EINVAL;
	for (uint32_t i = 0; r == 0 && i < v->count; i++) {
		r = pack(p, &v->as.pairs[i].key, depth + 1);
		r = r == 0 ? pack(p, &v->as.pairs[i].value, depth + 1) : r;
	}
	return r;
}

static int pack_text(msgpack_packer *p, const void *text, uint32_t n)
{
	if (!ob_is_utf8(ob_bytes_of(text, n))) {
		return OB_EINVAL;
	}
	int r = msgpack_pack_str(p, n);
	return r == 0 && n > 0 ? msgpack_pack_str_body(p, text, n) : r;
}

/* 0, or msgpack-c's -1 for a full sink, or OB_EINVAL (which is -1 too: the sink knows which). */
static int pack(msgpack_packer *p, const struct ob_value *v, unsigned depth)
{
	int r;
	switch (v->type) {
	case OB_NIL:
		return msgpack_pack_nil(p);
	case OB_BOOL:
		return v->as.boolean ? msgpack_pack_true(p) : msgpack_pack_false(p);
	case OB_INT:
		return msgpack_pack_int64(p, v->as.integer);
	case OB_UINT:
		return msgpack_pack_uint64(p, v->as.uinteger);
	case OB_DOUBLE:
		return isfinite(v->as.number) ? msgpack_pack_double(p, v->as.number) : OB_EINVAL;
	case OB_STRING:
		return pack_text(p, v->as.string, v->count);
	case OB_BINARY:
		r = msgpack_pack_bin(p, v->count);
		return r == 0 && v->count > 0 ? msgpack_pack_bin_body(p, v->as.binary, v->count)
					      : r;
	case OB_ARRAY:
		return pack_items(p, v, depth);
	case OB_MAP:
		return pack_pairs(p, v, depth);
	default:
		return OB_EINVAL;
	}
}

static int pack_params(msgpack_packer *p, const struct ob_message *m)
{
	int r = pack_text(p, m->method.data, (uint32_t)m->method.len);
	if (r == 0 && m->params.type == OB_NIL) {
		return msgpack_pack_array(p, 0);
	}
	if (r == 0 && m->params.type != OB_ARRAY && m->params.type != OB_MAP) {
		return OB_EINVAL;
	}
	return r == 0 ? pack(p, &m->params, 0) : r;
}

static int pack_error(msgpack_packer *p, const struct ob_value *error)
{
	if (!is_standard(error)) {
		return pack(p, error, 0);
	}
	int r = msgpack_pack_array(p, error->count);
	for (uint32_t i = 0; r == 0 && i < error->count; i++) {
		r = pack(p, &error->as.pairs[i].value, 1);
	}
	return r;
}

static int pack_message(msgpack_packer *p, const struct ob_message *m)
{
	if (m->kind > OB_NOTIFY) {
		return OB_EINVAL;
	}
	int r = msgpack_pack_array(p, m->kind == OB_NOTIFY ? 3 : 4);
	r = r == 0 ? msgpack_pack_uint32(p, m->kind) : r;
	if (r == 0 && m->kind != OB_NOTIFY) {
		r = m->id.foreign ? OB_EINVAL : msgpack_pack_uint32(p, m->id.number);
	}
	if (r != 0 || m->kind != OB_RESPONSE) {
		return r == 0 ? pack_params(p, m) : r;
	}
	r = pack_error(p, &m->error);
	if (r == 0) {
		r = m->error.type != OB_NIL ? msgpack_pack_nil(p) : pack(p, &m->result, 0);
	}
	return r;
}

static int encode(const struct ob_message *message, const struct ob_codec_params *params,
		  struct ob_sink *out, struct ob_error *reterr)
{
	(void)params;
	msgpack_packer packer;
	(void)reterr;
	msgpack_packer_init(&packer, out, write_sink);
	if (pack_message(&packer, message) == 0) {
		return OB_OK;
	}
	return out->failed ? OB_ENOMEM : OB_EINVAL;
}

const struct ob_codec_ops msgpack_reference = {
    .size = sizeof msgpack_reference,
    .scan = obi_msgpack_scan,
    .decode = decode,
    .encode = encode,
};
