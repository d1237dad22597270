/* SPDX-License-Identifier: MIT */
/* log/line and log/render: any line is a record, and a record written as JSON reads back as the
 * same. Nothing in the line of a sink commands a terminal, and no attribute of a child has a name
 * of the parent. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/text.h"
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

/* Nothing in it commands a terminal. */
static void check_shown(struct ob_bytes text)
{
	const uint8_t *at = text.data, *end = at + text.len;
	while (at < end) {
		size_t step = obi_text_shown(at, end);
		must(step > 0);
		at += step;
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

static void check_json(const struct ob_log_record *record, const struct obi_log_line_from *from,
		       struct obi_arena *arena, struct obi_buf *buf)
{
	struct ob_log_record again;
	struct ob_log_record own = *record;
	own.name = NULL; /* as a child renders it: no attribute is renamed */
	must(obi_log_render_json(&own, obi_buf_sink(buf)));
	struct ob_bytes line = obi_buf_bytes(buf);
	line.len--;
	must(memchr(line.data, '\n', line.len) == NULL);
	must(obi_log_line_parse(from, line, &arena->ob, &again));
	must((again.flags & OB_LOG_PARSED) != 0);
	if ((record->flags & OB_LOG_PARSED) != 0) {
		check_same(record, &again);
	}
}

/* As a sink has it: JSON, and no key is there twice that the parent sets. */
static void check_sink(const struct ob_log_record *record, const struct obi_log_line_from *from,
		       struct obi_arena *arena, struct obi_buf *buf)
{
	static const char head[] = "{\"outboard\":\"n\",\"stream\":\"stdout\",";
	static const char *const keys[] = {"outboard",	"stream",    "event",	  "partial",
					   "continued", "truncated", "discarded", "time",
					   "level",	"msg",	     "source"};
	size_t start = obi_buf_len(buf);
	struct ob_log_record again;
	must(obi_log_render_json(record, obi_buf_sink(buf)));
	struct ob_bytes line = obi_buf_bytes(buf);
	line = ob_bytes_of(line.data + start, line.len - start - 1);
	must(line.len > sizeof head && memcmp(line.data, head, sizeof head - 1) == 0);
	check_shown(line);
	must(obi_log_line_parse(from, line, &arena->ob, &again));
	must((again.flags & OB_LOG_PARSED) != 0);
	for (uint32_t i = 2; i < again.attrs.count; i++) {
		const struct ob_value *key = &again.attrs.as.pairs[i].key;
		for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
			must(!ob_bytes_is(ob_bytes_of(key->as.string, key->count), keys[k]));
		}
	}
}

static void check_human(const struct ob_log_record *record, struct obi_buf *buf)
{
	size_t start = obi_buf_len(buf);
	if (!obi_log_render_human(record, false, obi_buf_sink(buf))) {
		return;
	}
	struct ob_bytes all = obi_buf_bytes(buf);
	check_shown(ob_bytes_of(all.data + start, all.len - start - 1));
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
		must(obi_log_line_skip(record.line) <= record.line.len);
		check_json(&record, &from, &arena, &buf);
		check_sink(&record, &from, &arena, &buf);
		check_human(&record, &buf);
	}
	obi_buf_free(&buf);
	obi_arena_free(&arena);
	return 0;
}
