/* SPDX-License-Identifier: MIT */
/* log/line and log/render: any line is a record, and a record written as JSON reads back as the
 * same. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/value.h"
#include "log/line.h"
#include "log/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

static void check_same(const struct ob_log_record *a, const struct ob_log_record *b)
{
	must(a->level == b->level && a->utc_offset == b->utc_offset);
	must(a->time.tv_sec == b->time.tv_sec && a->time.tv_nsec == b->time.tv_nsec);
	must(ob_bytes_equal(a->message, b->message));
	must(ob_bytes_equal(a->source_function, b->source_function) &&
	     a->source_line == b->source_line);
	must(ob_bytes_equal(a->source_file, b->source_file));
	must(obi_value_equal(&a->attrs, &b->attrs));
}

static void check_json(struct ob_log_record *record, const struct obi_log_line_from *from,
		       struct obi_arena *arena, struct obi_buf *buf)
{
	struct ob_log_record again;
	record->name = NULL;
	must(obi_log_render_json(record, obi_buf_sink(buf)));
	struct ob_bytes line = obi_buf_bytes(buf);
	line.len--;
	must(memchr(line.data, '\n', line.len) == NULL);
	must(obi_log_line_parse(from, line, &arena->ob, &again));
	must((again.flags & OB_LOG_PARSED) != 0);
	if ((record->flags & OB_LOG_PARSED) != 0) {
		check_same(record, &again);
	}
}

static void check_human(const struct ob_log_record *record, struct obi_buf *buf)
{
	size_t start = obi_buf_len(buf);
	if (!obi_log_render_human(record, false, obi_buf_sink(buf))) {
		return;
	}
	struct ob_bytes all = obi_buf_bytes(buf);
	for (size_t i = start; i + 1 < all.len; i++) {
		must(all.data[i] >= 0x20 && all.data[i] != 0x7f);
	}
	must(all.data[all.len - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obi_log_line_from from = {.name = "n", .stream = 1, .read_at = {1, 2}};
	struct obi_arena arena;
	struct obi_buf buf;
	struct ob_log_record record;
	obi_arena_init(&arena, 128 * size + (1 << 20));
	obi_buf_init(&buf, 16 * size + (1 << 20));
	if (obi_log_line_parse(&from, ob_bytes_of(data, size), &arena.ob, &record)) {
		must(record.attrs.type == OB_MAP);
		check_json(&record, &from, &arena, &buf);
		check_human(&record, &buf);
	}
	obi_buf_free(&buf);
	obi_arena_free(&arena);
	return 0;
}
