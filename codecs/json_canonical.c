/* SPDX-License-Identifier: MIT */
#include "codecs/json_canonical.h"

#include "json/json.h"

struct reader {
	const uint8_t *at;
	const uint8_t *end; /* the "}\n" */
};

#define SKIP(r, text) skip((r), (text), sizeof(text) - 1)

/* Step over the text, if it is there. */
static inline bool skip(struct reader *r, const char *text, size_t len)
{
	if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0) {
		return false;
	}
	r->at += len;
	return true;
}

/* A number as JSON writes it: without zeros in front. What follows it is for the caller. */
static bool read_id(struct reader *r, struct ob_id *ret)
{
	const uint8_t *start = r->at;
	uint64_t number = 0;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && number <= UINT32_MAX) {
		number = number * 10 + (uint64_t)(*r->at++ - '0');
	}
	ret->number = (uint32_t)number;
	return r->at > start && number <= UINT32_MAX && (*start != '0' || r->at == start + 1);
}

/* Methods are short. */
static bool read_method(struct reader *r, struct ob_bytes *ret)
{
	const uint8_t *start = r->at;
	while (r->at < r->end && *r->at >= 0x20 && *r->at < 0x7f && *r->at != '"' &&
	       *r->at != '\\') {
		r->at++;
	}
	*ret = ob_bytes_of(start, (size_t)(r->at - start));
	return SKIP(r, "\",\"params\":");
}

/* The value goes up to the end. */
static bool read_value(struct reader *r, struct ob_arena *arena, uint32_t depth,
		       struct ob_value *ret)
{
	struct obi_json_limits how = {.depth = depth, .flags = OBI_JSON_BINARY};
	struct ob_error ignored;
	struct ob_bytes text = ob_bytes_of(r->at, (size_t)(r->end - r->at));
	return obi_json_parse(text, arena, &how, ret, &ignored) == OB_OK;
}

static bool read_call(struct reader *r, struct ob_arena *arena, uint32_t depth,
		      struct ob_message *ret)
{
	/* Where another member follows, nothing is read in vain. */
	bool last = r->end[-1] == ']' || r->end[-1] == '}';
	return last && read_method(r, &ret->method) && read_value(r, arena, depth, &ret->params) &&
	       (ret->params.type == OB_ARRAY || ret->params.type == OB_MAP);
}

bool obi_json_canonical(struct ob_bytes line, struct ob_arena *arena, uint32_t depth,
			struct ob_message *ret)
{
	if (line.len < 2 || memcmp(line.data + line.len - 2, "}\n", 2) != 0) {
		return false;
	}
	struct reader r = {line.data, line.data + line.len - 2};
	if (!SKIP(&r, "{\"jsonrpc\":\"2.0\",\"")) {
		return false;
	}
	memset(&ret->id, 0, sizeof ret->id);
	if (SKIP(&r, "method\":\"")) {
		ret->kind = OB_NOTIFY;
		return read_call(&r, arena, depth, ret);
	}
	if (!SKIP(&r, "id\":") || !read_id(&r, &ret->id)) {
		return false;
	}
	if (SKIP(&r, ",\"method\":\"")) {
		ret->kind = OB_REQUEST;
		return read_call(&r, arena, depth, ret);
	}
	ret->kind = OB_RESPONSE;
	memset(&ret->error, 0, sizeof ret->error);
	return SKIP(&r, ",\"result\":") && read_value(&r, arena, depth, &ret->result);
}
