/* SPDX-License-Identifier: MIT */
/*
 * skeleton - a codec for outboard. It is small, complete, and meant to be changed.
 *
 *   message   the length of the rest (4 bytes), kind (1), id (4), then two values: method and
 *             params, or error and result
 *   value     a letter, then 8 bytes of a number, or a count of 4 bytes and as many bytes, items or
 *             pairs
 *
 * All numbers are big-endian.
 */
#include <outboard/codec.h>

#include <math.h>

enum { PREFIX = 4, HEAD = 9, LONGEST = 9 };

/* ---- Reading ---- */

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	struct ob_arena *arena; /* NULL: only validate */
	uint32_t depth;		/* levels that may still follow */
};

static uint64_t read_number(const uint8_t *at, size_t bytes)
{
	uint64_t n = 0;
	while (bytes-- > 0) {
		n = n << 8 | *at++;
	}
	return n;
}

static bool has(const struct reader *r, uint64_t bytes)
{
	return (uint64_t)(r->end - r->at) >= bytes;
}

static int read_value(struct reader *r, struct ob_value *ret);

/* Each value takes at least one byte: a count must not exceed the bytes that are left. Memory is
 * allocated only after this check. */
static int read_items(struct reader *r, uint64_t values, const struct ob_value **ret)
{
	struct ob_value *items = NULL, unused;
	if (!has(r, values) || r->depth == 0) {
		return OB_EPROTO;
	}
	if (r->arena != NULL) {
		items = ob_arena_alloc(r->arena, (size_t)values * sizeof *items);
		if (items == NULL) {
			return OB_ENOMEM;
		}
	}
	r->depth--;
	for (uint64_t i = 0; i < values; i++) {
		int rc = read_value(r, items != NULL ? &items[i] : &unused);
		if (rc < 0) {
			return rc;
		}
	}
	r->depth++;
	*ret = items;
	return OB_OK;
}

/* Keys are strings, and no two are equal. */
static int read_map(struct reader *r, uint64_t count, struct ob_value *ret)
{
	const struct ob_value *items = NULL;
	int rc = read_items(r, 2 * count, &items);
	*ret = ob_map((const struct ob_pair *)(const void *)items,
		      (uint32_t)count); /* a pair is two values in a row */
	if (rc < 0 || r->arena == NULL) {
		return rc;
	}
	for (uint64_t i = 0; i < count; i++) {
		if (items[2 * i].type != OB_STRING) {
			return OB_EPROTO;
		}
	}
	int twice = ob_map_has_duplicates(ret->as.pairs, ret->count, r->arena);
	return twice > 0 ? OB_EPROTO : twice;
}

static int read_bytes(struct reader *r, bool text, uint64_t len, struct ob_value *ret)
{
	if (!has(r, len) || (text && !ob_is_utf8(ob_bytes_of(r->at, (size_t)len)))) {
		return OB_EPROTO;
	}
	*ret = text ? ob_stringn((const char *)r->at, (size_t)len) : ob_binary(r->at, (size_t)len);
	r->at += len;
	return OB_OK;
}

static int read_counted(struct reader *r, char letter, struct ob_value *ret)
{
	const struct ob_value *items = NULL;
	if (!has(r, 4)) {
		return OB_EPROTO;
	}
	uint64_t count = read_number(r->at, 4);
	r->at += 4;
	if (letter == 's' || letter == 'b') {
		return read_bytes(r, letter == 's', count, ret);
	}
	if (letter == 'm') {
		return read_map(r, count, ret);
	}
	int rc = letter == 'a' ? read_items(r, count, &items) : OB_EPROTO;
	*ret = ob_array(items, (uint32_t)count);
	return rc;
}

static int read_double(uint64_t bits, struct ob_value *ret)
{
	double number;
	memcpy(&number, &bits, sizeof number);
	*ret = ob_double(number);
	return isfinite(number) ? OB_OK : OB_EPROTO;
}

static int read_value(struct reader *r, struct ob_value *ret)
{
	char letter = has(r, 1) ? (char)*r->at++ : '?';
	bool number = letter == 'i' || letter == 'u' || letter == 'd';
	if (number && !has(r, 8)) {
		return OB_EPROTO;
	}
	uint64_t bits = number ? read_number(r->at, 8) : 0;
	r->at += number ? 8 : 0;
	switch (letter) {
	case 'n':
		*ret = ob_nil();
		return OB_OK;
	case 't':
	case 'f':
		*ret = ob_bool(letter == 't');
		return OB_OK;
	case 'i':
		*ret = ob_int((int64_t)bits);
		return OB_OK;
	case 'u':
		*ret = ob_uint(bits);
		return OB_OK;
	case 'd':
		return read_double(bits, ret);
	default:
		return read_counted(r, letter, ret);
	}
}

/* The two values of each message: method and params, or error and result. */
static int read_message(struct reader *r, uint32_t kind, struct ob_value values[2])
{
	int rc = read_value(r, &values[0]);
	rc = rc == OB_OK ? read_value(r, &values[1]) : rc;
	if (rc < 0 || r->at != r->end) {
		return rc < 0 ? rc : OB_EPROTO;
	}
	bool call = kind == OB_REQUEST || kind == OB_NOTIFY;
	bool sound =
	    values[0].type == OB_STRING && (values[1].type == OB_ARRAY || values[1].type == OB_MAP);
	return (call && sound) || kind == OB_RESPONSE ? OB_OK : OB_EPROTO;
}

static struct reader reader_of(struct ob_bytes message, struct ob_arena *arena,
			       const struct ob_codec_params *limits)
{
	uint32_t depth = limits->depth < OB_DEPTH_MAX ? limits->depth : OB_DEPTH_MAX;
	return (struct reader){message.data + HEAD, message.data + message.len, arena, depth};
}

/* Called with the bytes received so far. Validates once, when the message is complete, so that it
 * looks at no byte twice. */
static int scan(struct ob_bytes bytes, struct ob_scan *progress,
		const struct ob_codec_params *limits, size_t *ret_len)
{
	struct ob_value values[2];
	if (bytes.len < PREFIX) {
		*ret_len = PREFIX;
		return 0;
	}
	uint64_t len = PREFIX + read_number(bytes.data, PREFIX);
	if (len > limits->message || len < HEAD) {
		return len < HEAD ? OB_EPROTO : OB_ETOOBIG;
	}
	*ret_len = (size_t)len;
	if (bytes.len < len) {
		return 0;
	}
	struct reader r = reader_of(ob_bytes_of(bytes.data, (size_t)len), NULL, limits);
	progress->seen = (size_t)len;
	int rc = read_message(&r, bytes.data[PREFIX], values);
	return rc == OB_OK ? 1 : rc;
}

static int decode(struct ob_bytes bytes, struct ob_arena *arena,
		  const struct ob_codec_params *limits, struct ob_message *ret_message,
		  struct ob_error *reterr)
{
	struct reader r = reader_of(bytes, arena, limits);
	struct ob_value values[2];
	uint32_t kind = bytes.data[PREFIX];
	(void)reterr;
	int rc = read_message(&r, kind, values);
	if (rc < 0) {
		return rc;
	}
	ret_message->kind = kind;
	ret_message->id =
	    (struct ob_id){.number = (uint32_t)read_number(bytes.data + PREFIX + 1, 4)};
	ret_message->error = ret_message->params = values[kind == OB_RESPONSE ? 0 : 1];
	ret_message->result = values[1];
	ret_message->method = (struct ob_bytes){NULL, 0};
	(void)ob_get_string(&values[0], &ret_message->method);
	return OB_OK;
}

/* ---- Writing ---- */

static int put(struct ob_sink *out, char letter, uint64_t number, size_t bytes)
{
	uint8_t text[LONGEST] = {(uint8_t)letter};
	for (size_t i = bytes; i > 0; i--) {
		text[i] = (uint8_t)number;
		number >>= 8;
	}
	return ob_sink_put(out, text, bytes + 1) ? OB_OK : OB_ENOMEM;
}

static int put_bytes(struct ob_sink *out, char letter, struct ob_bytes bytes)
{
	if (letter == 's' && !ob_is_utf8(bytes)) {
		return OB_EINVAL;
	}
	int rc = put(out, letter, bytes.len, 4);
	return rc == OB_OK && !ob_sink_put(out, bytes.data, bytes.len) ? OB_ENOMEM : rc;
}

static int put_double(struct ob_sink *out, double number)
{
	uint64_t bits;
	memcpy(&bits, &number, sizeof bits);
	return isfinite(number) ? put(out, 'd', bits, 8) : OB_EINVAL;
}

static int put_value(struct ob_sink *out, const struct ob_value *v, uint32_t depth);

static int put_all(struct ob_sink *out, const struct ob_value *v, uint32_t depth)
{
	bool map = v->type == OB_MAP;
	int rc = depth < OB_DEPTH_MAX ? put(out, map ? 'm' : 'a', v->count, 4) : OB_EINVAL;
	for (uint32_t i = 0; rc == OB_OK && i < v->count; i++) {
		if (map) {
			const struct ob_value *key = &v->as.pairs[i].key;
			rc = put_bytes(out, 's', ob_bytes_of(key->as.string, key->count));
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
		return put(out, 'n', 0, 0);
	case OB_BOOL:
		return put(out, v->as.boolean ? 't' : 'f', 0, 0);
	case OB_INT:
		return put(out, 'i', (uint64_t)v->as.integer, 8);
	case OB_UINT:
		return put(out, 'u', v->as.uinteger, 8);
	case OB_DOUBLE:
		return put_double(out, v->as.number);
	case OB_STRING:
	case OB_BINARY:
		return put_bytes(out, v->type == OB_STRING ? 's' : 'b',
				 ob_bytes_of(v->as.binary, v->count));
	case OB_ARRAY:
	case OB_MAP:
		return put_all(out, v, depth);
	default:
		return OB_EINVAL;
	}
}

static int put_body(struct ob_sink *out, const struct ob_message *m)
{
	struct ob_value nil = ob_nil(), none = ob_array(NULL, 0);
	const struct ob_value *params = m->params.type == OB_NIL ? &none : &m->params;
	if (m->kind == OB_RESPONSE) {
		int rc = put_value(out, &m->error, 0);
		return rc == OB_OK ? put_value(out, m->error.type == OB_NIL ? &m->result : &nil, 0)
				   : rc;
	}
	if (params->type != OB_ARRAY && params->type != OB_MAP) {
		return OB_EINVAL;
	}
	int rc = put_bytes(out, 's', m->method);
	return rc == OB_OK ? put_value(out, params, 0) : rc;
}

/* The length is written last, at its index: the memory of a sink may move while it grows. */
static int encode(const struct ob_message *message, const struct ob_codec_params *params,
		  struct ob_sink *out, struct ob_error *reterr)
{
	(void)params;
	size_t start = out->len;
	(void)reterr;
	if (message->kind > OB_NOTIFY || message->id.foreign) {
		return OB_EINVAL; /* no batches, and ids are numbers */
	}
	uint32_t id = message->kind == OB_NOTIFY ? 0 : message->id.number;
	if (!ob_sink_put(out, "\0\0\0", PREFIX) || put(out, (char)message->kind, id, 4) < 0) {
		return OB_ENOMEM;
	}
	int rc = put_body(out, message);
	uint64_t len = out->len - start - PREFIX;
	for (size_t i = 0; rc == OB_OK && i < PREFIX; i++) {
		out->data[start + i] = (uint8_t)(len >> 8 * (PREFIX - 1 - i));
	}
	return rc == OB_OK && len > UINT32_MAX ? OB_ENOMEM : rc;
}

/* ---- Table ---- */

static const struct ob_codec_ops ops = {
    .size = sizeof ops,
    .scan = scan,
    .decode = decode,
    .encode = encode,
};

static const struct ob_plugin plugin = {
    .size = sizeof plugin,
    .kind = OB_PLUGIN_CODEC,
    .name = "skeleton",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&plugin);
