/* SPDX-License-Identifier: MIT */
/*
 * A codec: the messages of MessagePack-RPC in CBOR (RFC 8949), with libcbor. [0, id, method,
 * params], [1, id, error, result] and [2, method, params].
 *
 * libcbor's streaming decoder reads the head of one item at a time and allocates nothing, so the
 * same step serves scan(), which must check everything before memory is taken, and decode().
 * Tags, indefinite lengths and half floats are refused.
 */
#include <outboard/codec.h>

#include <cbor.h>
#include <math.h>

/* ---- One item ---- */

/* One item: a value; of an array or a map only the number of elements. */
struct item {
	bool refused;
	struct ob_value value;
	uint64_t elements;
};

#define ON(name, c_type, made)                         \
	static void on_##name(void *item, c_type n)    \
	{                                              \
		((struct item *)item)->value = (made); \
	}
ON(uint8, uint8_t, ob_uint(n))
ON(uint16, uint16_t, ob_uint(n))
ON(uint32, uint32_t, ob_uint(n))
ON(uint64, uint64_t, ob_uint(n))
ON(negint8, uint8_t, ob_int(-1 - (int64_t)n))
ON(negint16, uint16_t, ob_int(-1 - (int64_t)n))
ON(negint32, uint32_t, ob_int(-1 - (int64_t)n))
ON(bool, bool, ob_bool(n))

static void on_negint64(void *item, uint64_t n)
{
	((struct item *)item)->refused = n > INT64_MAX;
	((struct item *)item)->value = ob_int(-1 - (int64_t)(n & INT64_MAX));
}
static void on_double(void *item, double d)
{
	((struct item *)item)->refused = !isfinite(d);
	((struct item *)item)->value = ob_double(d);
}
static void on_float(void *item, float f)
{
	on_double(item, (double)f);
}
static void on_bytes(void *item, cbor_data data, size_t len)
{
	((struct item *)item)->value = ob_binary(data, len);
}
static void on_string(void *item, cbor_data data, size_t len)
{
	((struct item *)item)->refused = !ob_is_utf8(ob_bytes_of(data, len));
	((struct item *)item)->value = ob_stringn((const char *)data, len);
}
static void on_null(void *item)
{
	((struct item *)item)->value = ob_nil();
}
static void on_collection(struct item *item, struct ob_value empty, uint64_t count, unsigned each)
{
	item->refused = count > UINT32_MAX / 2;
	item->value = empty;
	item->value.count = (uint32_t)count;
	item->elements = count * each;
}
static void on_array(void *item, size_t count)
{
	on_collection(item, ob_array(NULL, 0), count, 1);
}
static void on_map(void *item, size_t count)
{
	on_collection(item, ob_map(NULL, 0), count, 2);
}
static void on_other(void *item)
{
	((struct item *)item)->refused = true;
}
static void on_half(void *item, float f)
{
	(void)f;
	on_other(item);
}
static void on_tag(void *item, uint64_t tag)
{
	(void)tag;
	on_other(item);
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint64 = on_negint64,
    .negint32 = on_negint32,
    .negint16 = on_negint16,
    .negint8 = on_negint8,
    .byte_string_start = on_other,
    .byte_string = on_bytes,
    .string = on_string,
    .string_start = on_other,
    .indef_array_start = on_other,
    .array_start = on_array,
    .indef_map_start = on_other,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_half,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_other,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = on_other,
};

/* Read the item at `at`. 1: it is in *ret, and takes *ret_len bytes; 0: it takes at least so
 * many bytes; or a refusal. */
static int next_item(struct ob_bytes bytes, size_t at, struct item *ret, size_t *ret_len)
{
	size_t room = bytes.len - at;
	*ret = (struct item){.refused = false};
	*ret_len = 1;
	if (room == 0) {
		return 0;
	}
	struct cbor_decoder_result r = cbor_stream_decode(bytes.data + at, room, &callbacks, ret);
	if (r.status == CBOR_DECODER_NEDATA) {
		*ret_len = r.required;
		return r.required > room
			   ? 0
			   : OB_ETOOBIG; /* a length near 2^64: the sum has overflowed */
	}
	*ret_len = r.read;
	return r.status == CBOR_DECODER_FINISHED && !ret->refused ? 1 : OB_EPROTO;
}

/* ---- scan ---- */

/* The progress of a scan, and the number of items that each open container still lacks. The
 * message is the outermost. */
struct notes {
	uint64_t at;
	uint64_t owed; /* sum of left[] */
	uint32_t depth;
	uint32_t left[OB_DEPTH_MAX + 2];
};
_Static_assert(sizeof(struct notes) <= sizeof(((struct ob_scan *)NULL)->notes),
	       "a scan's notes fit");

static int count_item(struct notes *n, const struct item *item, uint32_t depth_limit)
{
	bool opens = item->value.type == OB_ARRAY || item->value.type == OB_MAP;
	if (n->at == 0) {
		if (item->value.type != OB_ARRAY || item->elements < 3 || item->elements > 4) {
			return OB_EPROTO;
		}
	} else {
		n->left[n->depth - 1]--;
		n->owed--;
	}
	if (opens && n->depth > depth_limit) {
		return OB_EPROTO;
	}
	if (item->elements > 0) {
		n->left[n->depth++] = (uint32_t)item->elements;
		n->owed += item->elements;
	}
	while (n->depth > 0 && n->left[n->depth - 1] == 0) {
		n->depth--;
	}
	return OB_OK;
}

static int scan(struct ob_bytes bytes, struct ob_scan *progress,
		const struct ob_codec_params *limits, size_t *ret_len)
{
	struct notes *n = (struct notes *)(void *)progress->notes;
	uint32_t depth = limits->depth < OB_DEPTH_MAX ? limits->depth : OB_DEPTH_MAX;
	size_t len = 1;
	if (progress->seen == 0) {
		*n = (struct notes){.at = 0};
	}
	/* Each missing item takes at least a byte: a count is refused if the limit has no room
	 * for it. */
	while ((n->at == 0 || n->owed > 0) && n->at + n->owed <= limits->message) {
		struct item item;
		int r = next_item(bytes, (size_t)n->at, &item, &len);
		if (r == 0) {
			break;
		}
		r = r == 1 ? count_item(n, &item, depth) : r;
		if (r < 0) {
			return r;
		}
		n->at += len;
		len = 1;
	}
	progress->seen = bytes.len > 0 ? bytes.len : progress->seen;
	uint64_t total =
	    n->at + (n->owed > 0 ? n->owed - 1 : 0) + (n->owed > 0 || n->at == 0 ? len : 0);
	if (total > limits->message) {
		return OB_ETOOBIG;
	}
	*ret_len = (size_t)total;
	return n->at > 0 && n->owed == 0;
}

/* ---- decode ---- */

struct reader {
	struct ob_bytes bytes;
	size_t at;
	struct ob_arena *arena;
};

/* scan() has checked depth and counts. */
static int read_value(struct reader *r, struct ob_value *ret)
{
	struct item item;
	size_t len;
	if (next_item(r->bytes, r->at, &item, &len) != 1) {
		return OB_EPROTO;
	}
	r->at += len;
	*ret = item.value;
	if (item.value.type != OB_ARRAY && item.value.type != OB_MAP) {
		return OB_OK;
	}
	struct ob_value *items = ob_arena_alloc(r->arena, (size_t)item.elements * sizeof *items);
	if (items == NULL) {
		return OB_ENOMEM;
	}
	for (uint64_t i = 0; i < item.elements; i++) {
		int rc = read_value(r, &items[i]);
		if (rc < 0) {
			return rc;
		}
		if (item.value.type == OB_MAP && i % 2 == 0 && items[i].type != OB_STRING) {
			return OB_EPROTO;
		}
	}
	if (item.value.type == OB_ARRAY) {
		ret->as.items = items;
		return OB_OK;
	}
	/* A pair is two successive values. */
	ret->as.pairs = (const struct ob_pair *)(const void *)items;
	int twice = ob_map_has_duplicates(ret->as.pairs, ret->count, r->arena);
	return twice > 0 ? OB_EPROTO : twice;
}

static bool to_message(const struct ob_value *v, struct ob_message *m)
{
	const struct ob_value *items = v->as.items;
	uint64_t kind, id = 0;
	if (!ob_get_uint(&items[0], &kind) || kind > OB_NOTIFY ||
	    v->count != (kind == OB_NOTIFY ? 3 : 4)) {
		return false;
	}
	if (kind != OB_NOTIFY && (!ob_get_uint(&items[1], &id) || id > UINT32_MAX)) {
		return false;
	}
	m->kind = (uint32_t)kind;
	m->id = (struct ob_id){.number = (uint32_t)id};
	if (kind == OB_RESPONSE) {
		m->error = items[2];
		m->result = items[3];
		return true;
	}
	m->params = items[v->count - 1];
	return ob_get_string(&items[v->count - 2], &m->method) &&
	       (m->params.type == OB_ARRAY || m->params.type == OB_MAP);
}

static int decode(struct ob_bytes bytes, struct ob_arena *arena,
		  const struct ob_codec_params *limits, struct ob_message *ret_message,
		  struct ob_error *reterr)
{
	struct reader r = {.bytes = bytes, .arena = arena};
	struct ob_value v;
	(void)limits, (void)reterr;
	int rc = read_value(&r, &v);
	return rc == OB_OK && !to_message(&v, ret_message) ? OB_EPROTO : rc;
}

/* ---- encode ---- */

enum head { UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, BOOLEAN };

/* Append the head of an item, which is the whole of most items. */
static int put_head(struct ob_sink *out, enum head head, uint64_t value)
{
	uint8_t bytes[9];
	size_t len = 0;
	switch (head) {
	case UNSIGNED:
		len = cbor_encode_uint(value, bytes, sizeof bytes);
		break;
	case NEGATIVE:
		len = cbor_encode_negint(value, bytes, sizeof bytes);
		break;
	case BYTES:
		len = cbor_encode_bytestring_start((size_t)value, bytes, sizeof bytes);
		break;
	case TEXT:
		len = cbor_encode_string_start((size_t)value, bytes, sizeof bytes);
		break;
	case ARRAY:
		len = cbor_encode_array_start((size_t)value, bytes, sizeof bytes);
		break;
	case MAP:
		len = cbor_encode_map_start((size_t)value, bytes, sizeof bytes);
		break;
	case BOOLEAN:
		len = cbor_encode_bool(value != 0, bytes, sizeof bytes);
		break;
	}
	return ob_sink_put(out, bytes, len) ? OB_OK : OB_ENOMEM;
}

static int put_nil(struct ob_sink *out)
{
	uint8_t byte;
	return ob_sink_put(out, &byte, cbor_encode_null(&byte, 1)) ? OB_OK : OB_ENOMEM;
}

static int put_double(struct ob_sink *out, double d)
{
	uint8_t bytes[9];
	size_t len = isfinite(d) ? cbor_encode_double(d, bytes, sizeof bytes) : 0;
	return len == 0 ? OB_EINVAL : ob_sink_put(out, bytes, len) ? OB_OK : OB_ENOMEM;
}

static int put_bytes(struct ob_sink *out, struct ob_bytes bytes, bool text)
{
	if (text && !ob_is_utf8(bytes)) {
		return OB_EINVAL;
	}
	int rc = put_head(out, text ? TEXT : BYTES, bytes.len);
	return rc == OB_OK && !ob_sink_put(out, bytes.data, bytes.len) ? OB_ENOMEM : rc;
}

static int put_value(struct ob_sink *out, const struct ob_value *v, uint32_t depth);

static int put_collection(struct ob_sink *out, const struct ob_value *v, uint32_t depth)
{
	bool map = v->type == OB_MAP;
	if (depth == OB_DEPTH_MAX) {
		return OB_EINVAL;
	}
	int rc = put_head(out, map ? MAP : ARRAY, v->count);
	for (uint32_t i = 0; rc == OB_OK && i < v->count; i++) {
		if (map) {
			const struct ob_value *key = &v->as.pairs[i].key;
			rc = put_bytes(out, ob_bytes_of(key->as.string, key->count), true);
		}
		rc = rc == OB_OK
			 ? put_value(out, map ? &v->as.pairs[i].value : &v->as.items[i], depth + 1)
			 : rc;
	}
	return rc;
}

static int put_value(struct ob_sink *out, const struct ob_value *v, uint32_t depth)
{
	switch (v->type) {
	case OB_NIL:
		return put_nil(out);
	case OB_BOOL:
		return put_head(out, BOOLEAN, v->as.boolean);
	case OB_INT:
		return v->as.integer < 0 ? put_head(out, NEGATIVE, (uint64_t)(-1 - v->as.integer))
					 : put_head(out, UNSIGNED, (uint64_t)v->as.integer);
	case OB_UINT:
		return put_head(out, UNSIGNED, v->as.uinteger);
	case OB_DOUBLE:
		return put_double(out, v->as.number);
	case OB_STRING:
	case OB_BINARY:
		return put_bytes(out, ob_bytes_of(v->as.binary, v->count), v->type == OB_STRING);
	case OB_ARRAY:
	case OB_MAP:
		return put_collection(out, v, depth);
	default:
		return OB_EINVAL;
	}
}

static int put_call(struct ob_sink *out, const struct ob_message *m)
{
	bool none = m->params.type == OB_NIL;
	if (!none && m->params.type != OB_ARRAY && m->params.type != OB_MAP) {
		return OB_EINVAL;
	}
	int rc = put_bytes(out, m->method, true);
	struct ob_value empty = ob_array(NULL, 0);
	return rc == OB_OK ? put_value(out, none ? &empty : &m->params, 0) : rc;
}

static int put_outcome(struct ob_sink *out, const struct ob_message *m)
{
	struct ob_value none = ob_nil();
	int rc = put_value(out, &m->error, 0);
	return rc == OB_OK ? put_value(out, m->error.type == OB_NIL ? &m->result : &none, 0) : rc;
}

static int put_message(struct ob_sink *out, const struct ob_message *m)
{
	if (m->kind > OB_NOTIFY || m->id.foreign) {
		return OB_EINVAL; /* this protocol has no batches, and ids are numbers */
	}
	int rc = put_head(out, ARRAY, m->kind == OB_NOTIFY ? 3 : 4);
	rc = rc == OB_OK ? put_head(out, UNSIGNED, m->kind) : rc;
	if (rc == OB_OK && m->kind != OB_NOTIFY) {
		rc = put_head(out, UNSIGNED, m->id.number);
	}
	if (rc < 0) {
		return rc;
	}
	return m->kind == OB_RESPONSE ? put_outcome(out, m) : put_call(out, m);
}

static int encode(const struct ob_message *message, const struct ob_codec_params *params,
		  struct ob_sink *out, struct ob_error *reterr)
{
	(void)params;
	(void)reterr;
	return put_message(out, message);
}

static const struct ob_codec_ops ops = {
    .size = sizeof ops, .scan = scan, .decode = decode, .encode = encode};

static const struct ob_plugin cbor = {
    .size = sizeof cbor, .kind = OB_PLUGIN_CODEC, .name = "cbor", .version = "1", .ops = &ops};

OB_PLUGIN_ENTRY(&cbor);
