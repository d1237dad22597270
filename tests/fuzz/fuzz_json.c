/* SPDX-License-Identifier: MIT */
/* json/json: an accepted text can be written, reads back as the same tree, and is then written
 * the same. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "json/json.h"
#include "base/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

static void check(struct ob_bytes text, const struct obi_json_limits *limits,
		  struct obi_arena *arena, struct obi_buf *first, struct obi_buf *second)
{
	struct ob_value value, again;
	struct ob_error err = {0};
	if (obi_json_parse(text, &arena->ob, limits, &value, &err) != OB_OK) {
		must(err.code < 0 && err.text[0] != '\0');
		return;
	}
	must(obi_json_write(&value, obi_buf_sink(first), &err) == OB_OK);
	must(obi_json_parse(obi_buf_bytes(first), &arena->ob, limits, &again, &err) == OB_OK);
	must(obi_value_equal(&value, &again));
	must(obi_json_write(&again, obi_buf_sink(second), &err) == OB_OK);
	must(ob_bytes_equal(obi_buf_bytes(first), obi_buf_bytes(second)));
}

static void check_quote(struct ob_bytes text, struct obi_arena *arena, struct obi_buf *buf)
{
	struct ob_value value;
	must(obi_json_quote(text, obi_buf_sink(buf)));
	must(obi_json_parse(obi_buf_bytes(buf), &arena->ob, NULL, &value, NULL) == OB_OK);
	must(value.type == OB_STRING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obi_json_limits limits = {.depth = 64,
					 .flags = size % 2 != 0 ? OBI_JSON_KEEP_DUPLICATES : 0};
	struct obi_arena arena;
	struct obi_buf bufs[3];
	obi_arena_init(&arena, 64 * size + (1 << 20));
	for (int i = 0; i < 3; i++) {
		obi_buf_init(&bufs[i], 64 * size + 4096);
	}
	check(ob_bytes_of(data, size), &limits, &arena, &bufs[0], &bufs[1]);
	check_quote(ob_bytes_of(data, size), &arena, &bufs[2]);
	for (int i = 0; i < 3; i++) {
		obi_buf_free(&bufs[i]);
	}
	obi_arena_free(&arena);
	return 0;
}
