/* SPDX-License-Identifier: MIT */
/*
 * JSON-RPC 2.0 (https://www.jsonrpc.org/specification), one message a line.
 *
 * scan() only finds the newline: a line is small enough to be decoded as a whole, and the memory
 * that decode() takes is proportional to it. Blank lines before a message are part of it. As the
 * specification requires, text that is not JSON, or not a request, is answered: it becomes a
 * message of kind OB_INVALID. A malformed response fails instead; otherwise two peers could
 * answer each other's errors for ever.
 */
#include "codecs/json_canonical.h"
#include "json/json.h"
#include "json/json_skim.h"

enum { PARSE_ERROR = -32700, INVALID_REQUEST = -32600, INTERNAL_ERROR = -32603, BATCH_MAX = 256 };

/* ---- scan ---- */

/* notes[0] records whether only white space has been seen so far. */
static int scan(struct ob_bytes bytes, struct ob_scan *progress,
		const struct ob_codec_params *limits, size_t *ret_len)
{
	size_t at = progress->seen;
	const uint8_t *newline = NULL;
	bool blank = at == 0 || progress->notes[0] != 0;
	for (; blank && at < bytes.len; at++) {
		uint8_t c = bytes.data[at];
		blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
	}
	progress->notes[0] = blank;
	progress->seen = bytes.len;
	if (at < bytes.len) {
		newline = memchr(bytes.data + at, '\n', bytes.len - at);
	}
	size_t len = newline != NULL ? (size_t)(newline - bytes.data) + 1 : bytes.len + 1;
	if (len > limits->message) {
		return OB_ETOOBIG;
	}
	*ret_len = len;
	return newline != NULL;
}

/* ---- decode ---- */

/* The members of a message that have a meaning. Others are ignored. */
enum { VERSION, ID, METHOD, PARAMS, RESULT, ERROR, MEMBERS };

struct envelope {
	const struct ob_value *member[MEMBERS];
	uint32_t id_at; /* its index among the members of the object */
};

static struct envelope read_members(const struct ob_value *object)
{
	static const struct {
		const char *name;
		uint32_t len;
	} names[MEMBERS] = {{"jsonrpc", 7}, {"id", 2},	   {"method", 6},
			    {"params", 6},  {"result", 6}, {"error", 5}};
	struct envelope e = {{NULL}, 0};
	for (uint32_t i = 0; i < object->count; i++) {
		const struct ob_value *key = &object->as.pairs[i].key;
		for (int k = 0; k < MEMBERS; k++) {
			if (key->count == names[k].len &&
			    memcmp(key->as.string, names[k].name, key->count) == 0) {
				e.member[k] = &object->as.pairs[i].value;
				e.id_at = k == ID ? i : e.id_at;
			}
		}
	}
	return e;
}

/* The id as the peer wrote it, so that the answer has the same text. */
static struct ob_bytes raw_id(struct ob_bytes text, uint32_t id_at)
{
	struct obi_json_pieces pieces = obi_json_pieces_of(text);
	struct ob_bytes raw = obi_json_piece_next(&pieces);
	for (uint32_t i = 0; i < id_at; i++) {
		raw = obi_json_piece_next(&pieces);
	}
	return raw;
}

static struct ob_id null_id(void)
{
	struct ob_id id = {true, 0, ob_bytes_text("null")};
	return id;
}

/* False if the value cannot be an id. */
static bool read_id(const struct envelope *e, struct ob_bytes text, struct ob_id *ret)
{
	const struct ob_value *v = e->member[ID];
	uint64_t number;
	if (ob_get_uint(v, &number) && number <= UINT32_MAX) {
		*ret = (struct ob_id){false, (uint32_t)number, {NULL, 0}};
		return true;
	}
	if (v == NULL || v->type == OB_BOOL || v->type >= OB_BINARY) {
		return false;
	}
	*ret = (struct ob_id){true, 0, raw_id(text, e->id_at)};
	return ret->raw.len <= OB_ID_MAX;
}

/* A message to be answered with this error. detail may be nil. */
static int make_invalid(struct ob_message *ret, const struct ob_id *id, int code,
			struct ob_value detail, struct ob_arena *arena)
{
	struct ob_pair *pairs =
	    OB_HAS(ret, encoded) ? ob_arena_alloc(arena, 3 * sizeof *pairs) : NULL;
	if (pairs == NULL) {
		return OB_HAS(ret, encoded) ? OB_ENOMEM : OB_EPROTO;
	}
	pairs[0] = (struct ob_pair){ob_string("code"), ob_int(code)};
	pairs[1] =
	    (struct ob_pair){ob_string("message"),
			     ob_string(code == PARSE_ERROR ? "Parse error" : "Invalid Request")};
	pairs[2] = (struct ob_pair){ob_string("data"), detail};
	ret->kind = OB_INVALID;
	ret->id = *id;
	ret->error = ob_map(pairs, ob_is_nil(&detail) ? 2 : 3);
	return OB_OK;
}

/* Whether e has everything that a request or notification needs, apart from the id. */
static bool read_request(const struct envelope *e, struct ob_message *ret)
{
	const struct ob_value *params = e->member[PARAMS];
	ret->params = params != NULL ? *params : ob_array(NULL, 0);
	return ob_get_string(e->member[METHOD], &ret->method) &&
	       (ret->params.type == OB_ARRAY || ret->params.type == OB_MAP);
}

/* A success has a result, a failure has an error. "error": null beside a result, as older peers
 * write it, is not an error. */
static int read_response(const struct envelope *e, struct ob_bytes text, bool version,
			 struct ob_message *ret)
{
	const struct ob_value *error = e->member[ERROR], *result = e->member[RESULT];
	ret->kind = OB_RESPONSE;
	ret->error = error != NULL ? *error : ob_nil();
	ret->result = result != NULL ? *result : ob_nil();
	bool one = (result != NULL) != (ret->error.type != OB_NIL);
	return version && one && read_id(e, text, &ret->id) ? OB_OK : OB_EPROTO;
}

/* One message: the value v, and the text that it was parsed from. */
static int read_message(const struct ob_value *v, struct ob_bytes text, struct ob_arena *arena,
			struct ob_message *ret)
{
	struct ob_id none = null_id();
	struct ob_bytes version;
	ret->id = none;
	if (v->type != OB_MAP) {
		return make_invalid(ret, &none, INVALID_REQUEST, ob_nil(), arena);
	}
	struct envelope e = read_members(v);
	bool right = ob_get_string(e.member[VERSION], &version) && ob_bytes_is(version, "2.0");
	if (e.member[METHOD] == NULL && (e.member[RESULT] != NULL || e.member[ERROR] != NULL)) {
		return read_response(&e, text, right, ret);
	}
	bool has_id = read_id(&e, text, &ret->id);
	if (!right || !read_request(&e, ret) || (e.member[ID] != NULL && !has_id)) {
		return make_invalid(ret, has_id ? &ret->id : &none, INVALID_REQUEST, ob_nil(),
				    arena);
	}
	ret->kind = has_id ? OB_REQUEST : OB_NOTIFY;
	return OB_OK;
}

static int read_batch(const struct ob_value *array, struct ob_bytes text, uint32_t most,
		      struct ob_arena *arena, struct ob_message *ret)
{
	struct ob_id none = null_id();
	uint32_t n = array->count;
	if (n == 0 || n > most || !OB_HAS(ret, encoded)) {
		return make_invalid(ret, &none, INVALID_REQUEST,
				    ob_string(n > most ? "the batch is too large" : NULL), arena);
	}
	struct ob_message *items = ob_arena_alloc(arena, n * sizeof *items);
	const struct ob_message **list = ob_arena_alloc(arena, n * sizeof(*list));
	struct obi_json_pieces pieces = obi_json_pieces_of(text);
	if (items == NULL || list == NULL) {
		return OB_ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		items[i].size = sizeof items[i];
		list[i] = &items[i];
		int r = read_message(&array->as.items[i], obi_json_piece_next(&pieces), arena,
				     &items[i]);
		if (r < 0) {
			return r;
		}
	}
	ret->kind = OB_BATCH;
	ret->items = list;
	ret->count = n;
	return OB_OK;
}

/* The parser's description of the error, for the peer. */
static int refuse_text(const struct ob_error *err, struct ob_arena *arena, struct ob_message *ret)
{
	struct ob_id none = null_id();
	size_t len = strlen(err->text);
	char *detail = ob_arena_alloc(arena, len);
	if (detail == NULL) {
		return OB_ENOMEM;
	}
	memcpy(detail, err->text, len);
	return make_invalid(ret, &none, err->code == OB_ETOOBIG ? INVALID_REQUEST : PARSE_ERROR,
			    ob_stringn(detail, len), arena);
}

static bool begins_with_bracket(struct ob_bytes bytes)
{
	struct obi_json_pieces pieces = obi_json_pieces_of(bytes);
	return pieces.at < pieces.end && *pieces.at == '[';
}

static int decode(struct ob_bytes bytes, struct ob_arena *arena,
		  const struct ob_codec_params *limits, struct ob_message *ret,
		  struct ob_error *reterr)
{
	uint32_t depth = limits->depth < OB_DEPTH_MAX ? limits->depth : OB_DEPTH_MAX;
	if (obi_json_canonical(bytes, arena, depth, ret)) {
		return OB_OK;
	}
	struct ob_value root;
	struct ob_error err;
	bool batch = begins_with_bracket(bytes);
	struct obi_json_limits how = {.depth = depth + (batch ? 2 : 1), .flags = OBI_JSON_BINARY};
	int r = obi_json_parse(bytes, arena, &how, &root, &err);
	if (r < 0 && reterr != NULL) {
		*reterr = err;
	}
	if (r < 0) {
		return r == OB_ENOMEM ? r : refuse_text(&err, arena, ret);
	}
	if (root.type == OB_ARRAY) {
		uint32_t most =
		    OB_HAS(limits, batch) && limits->batch > 0 ? limits->batch : BATCH_MAX;
		return read_batch(&root, bytes, most, arena, ret);
	}
	return read_message(&root, bytes, arena, ret);
}

/* ---- encode ---- */

static int put_value(const struct ob_value *v, struct ob_sink *out, struct ob_error *reterr)
{
	static const struct obi_json_limits how = {.depth = OB_DEPTH_MAX, .flags = OBI_JSON_BINARY};
	int r = obi_json_write_as(v, &how, out, reterr);
	return r == OB_ETOOBIG ? OB_EINVAL : r;
}

static int put_id(const struct ob_id *id, struct ob_sink *out)
{
	struct ob_value number = ob_uint(id->number);
	ob_sink_text(out, ",\"id\":");
	if (!id->foreign) {
		return put_value(&number, out, NULL);
	}
	return id->raw.len <= OB_ID_MAX && ob_sink_put(out, id->raw.data, id->raw.len) ? OB_OK
										       : OB_EINVAL;
}

static int put_request(const struct ob_message *m, struct ob_sink *out, struct ob_error *reterr)
{
	struct ob_value method = ob_stringn((const char *)m->method.data, m->method.len);
	if (m->params.type != OB_NIL && m->params.type != OB_ARRAY && m->params.type != OB_MAP) {
		return OB_EINVAL;
	}
	ob_sink_text(out, ",\"method\":");
	int r = put_value(&method, out, reterr);
	if (r == OB_OK && m->params.type != OB_NIL) {
		ob_sink_text(out, ",\"params\":");
		r = put_value(&m->params, out, reterr);
	}
	return r;
}

/* In JSON-RPC an error is an object with a code, whatever its form elsewhere. */
static int put_error(const struct ob_value *error, struct ob_sink *out, struct ob_error *reterr)
{
	struct ob_pair pairs[3] = {{ob_string("code"), ob_int(INTERNAL_ERROR)},
				   {ob_string("message"), ob_string("error")},
				   {ob_string("data"), *error}};
	struct ob_value made = ob_map(pairs, 3);
	if (error->type == OB_INT) {
		pairs[0].value = *error;
		made.count = 2;
	}
	ob_sink_text(out, ",\"error\":");
	return put_value(error->type == OB_MAP ? error : &made, out, reterr);
}

static int put_response(const struct ob_message *m, struct ob_sink *out, struct ob_error *reterr)
{
	if (m->error.type != OB_NIL) {
		return put_error(&m->error, out, reterr);
	}
	ob_sink_text(out, ",\"result\":");
	return put_value(&m->result, out, reterr);
}

static int put_message(const struct ob_message *m, struct ob_sink *out, struct ob_error *reterr)
{
	int r = m->kind <= OB_NOTIFY ? OB_OK : OB_EINVAL;
	ob_sink_text(out, "{\"jsonrpc\":\"2.0\"");
	if (r == OB_OK && m->kind != OB_NOTIFY) {
		r = put_id(&m->id, out);
	}
	if (r == OB_OK) {
		r = m->kind == OB_RESPONSE ? put_response(m, out, reterr)
					   : put_request(m, out, reterr);
	}
	ob_sink_byte(out, '}');
	return r;
}

/* Each line has its newline, and none inside. */
static int put_lines(struct ob_bytes lines, struct ob_sink *out)
{
	const uint8_t *at = lines.data, *end = at + lines.len;
	while (at < end) {
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
		if (newline == NULL) {
			return OB_EINVAL;
		}
		ob_sink_put(out, at, (size_t)(newline - at));
		at = newline + 1;
		ob_sink_text(out, at < end ? "," : "");
	}
	return OB_OK;
}

static int put_batch(const struct ob_message *m, struct ob_sink *out, struct ob_error *reterr)
{
	bool lines = m->encoded.len > 0;
	int r = lines || m->count > 0 ? OB_OK : OB_EINVAL;
	ob_sink_byte(out, '[');
	if (lines) {
		r = put_lines(m->encoded, out);
	}
	for (uint32_t i = 0; !lines && r == OB_OK && i < m->count; i++) {
		ob_sink_text(out, i > 0 ? "," : "");
		r = put_message(m->items[i], out, reterr);
	}
	ob_sink_byte(out, ']');
	return r;
}

static int encode(const struct ob_message *message, const struct ob_codec_params *params,
		  struct ob_sink *out, struct ob_error *reterr)
{
	(void)params;
	bool batch = OB_HAS(message, encoded) && message->kind == OB_BATCH;
	int r = batch ? put_batch(message, out, reterr) : put_message(message, out, reterr);
	ob_sink_byte(out, '\n');
	return out->failed ? OB_ENOMEM : r;
}

static const struct ob_codec_ops ops = {
    .size = sizeof ops,
    .scan = scan,
    .decode = decode,
    .encode = encode,
};

static const struct ob_plugin plugin = {
    .size = sizeof plugin,
    .kind = OB_PLUGIN_CODEC,
    .name = "json",
    .version = "0.1.0",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&plugin);
