/* SPDX-License-Identifier: MIT */
/* Values of the application: their memory, and JSON. */
#include <outboard/json.h>

#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/options.h"
#include "base/value.h"
#include "json/json.h"

/* ---- Arenas ---- */

int ob_arena_new(size_t budget, struct ob_arena **ret_arena, struct ob_error *reterr)
{
	struct obi_arena *arena = malloc(sizeof *arena);
	if (arena == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	obi_arena_init(arena, budget);
	*ret_arena = &arena->ob;
	return OB_OK;
}

/* The member ob is the first one. */
void ob_arena_reset(struct ob_arena *arena)
{
	obi_arena_reset((struct obi_arena *)(void *)arena);
}

void ob_arena_free(struct ob_arena *arena)
{
	if (arena != NULL) {
		obi_arena_free((struct obi_arena *)(void *)arena);
		free(arena);
	}
}

/* ---- JSON ---- */

_Static_assert((int)OB_JSON_KEEP_DUPLICATES == OBI_JSON_KEEP_DUPLICATES &&
		   (int)OB_JSON_BINARY == OBI_JSON_BINARY,
	       "flags need no translation");

static int read_options(const struct ob_json_options *given, struct obi_json_limits *ret,
			struct ob_error *reterr)
{
	struct ob_json_options o;
	int r = obi_options_copy(&o, sizeof o, given, reterr);
	if (r < 0) {
		return r;
	}
	if (o.depth > OBI_VALUE_DEPTH_MAX ||
	    (o.flags & ~(uint32_t)(OB_JSON_KEEP_DUPLICATES | OB_JSON_BINARY)) != 0) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"JSON options: depth above %d, or unknown flags",
				OBI_VALUE_DEPTH_MAX);
	}
	*ret = (struct obi_json_limits){.depth = o.depth != 0 ? o.depth : OB_DEPTH_MAX,
					.flags = o.flags};
	return OB_OK;
}

int ob_value_from_json(struct ob_bytes text, const struct ob_json_options *options,
		       struct ob_arena *arena, struct ob_value *ret_value, struct ob_error *reterr)
{
	struct obi_json_limits limits;
	int r = read_options(options, &limits, reterr);
	return r == OB_OK ? obi_json_parse(text, arena, &limits, ret_value, reterr) : r;
}

/* A sink whose memory is a piece of an arena, and twice as large a piece when that is full. */
struct arena_sink {
	struct ob_sink sink;
	struct ob_arena *arena;
};

static bool grow(struct ob_sink *sink, size_t more)
{
	struct arena_sink *s = (struct arena_sink *)(void *)sink;
	size_t cap = 2 * sink->cap > sink->len + more ? 2 * sink->cap : sink->len + more;
	uint8_t *data = ob_arena_alloc(s->arena, cap);
	if (data == NULL) {
		return false;
	}
	if (sink->len > 0) {
		memcpy(data, sink->data, sink->len);
	}
	sink->data = data;
	sink->cap = cap;
	return true;
}

int ob_value_to_json(const struct ob_value *value, const struct ob_json_options *options,
		     struct ob_arena *arena, struct ob_bytes *ret_text, struct ob_error *reterr)
{
	struct arena_sink out = {.sink = {.max = UINT32_MAX, .grow = grow}, .arena = arena};
	struct obi_json_limits limits;
	int r = read_options(options, &limits, reterr);
	r = r == OB_OK ? obi_json_write_as(value, &limits, &out.sink, reterr) : r;
	if (r < 0) {
		return r;
	}
	if (!ob_sink_byte(&out.sink, '\0')) {
		return obi_fail(reterr, OB_ENOMEM, 0, "JSON: the arena's budget is used up");
	}
	*ret_text = ob_bytes_of(out.sink.data, out.sink.len - 1);
	return OB_OK;
}
