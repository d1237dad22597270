/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdlib.h>

enum { FIRST = 4096, KEEP = 2 * 1024 * 1024 };

static struct obi_buf *of_sink(struct ob_sink *sink)
{
	return (struct obi_buf *)((char *)sink - offsetof(struct obi_buf, sink));
}

/* Wipe all memory that was ever written, consumed bytes included. */
static void wipe(struct obi_buf *buf)
{
	size_t len = buf->sink.len > buf->touched ? buf->sink.len : buf->touched;
	if (len > 0) {
		explicit_bzero(buf->sink.data, len);
	}
	buf->touched = 0;
}

/* Called before the queue becomes shorter. */
static void note_touched(struct obi_buf *buf)
{
	if (buf->sink.len > buf->touched) {
		buf->touched = buf->sink.len;
	}
}

/* Consumed bytes do not count against the maximum. */
static void set_start(struct obi_buf *buf, size_t start)
{
	buf->start = start;
	buf->sink.max = buf->max + start;
}

/* Move the live bytes to new memory, or to the front of the present one. */
static bool grow(struct ob_sink *sink, size_t more)
{
	struct obi_buf *buf = of_sink(sink);
	size_t live = sink->len - buf->start;
	buf->starved = false;
	if (more > buf->max - live) {
		return false;
	}
	if (buf->start > 0 && live + more <= sink->cap && buf->start >= live) {
		note_touched(buf);
		memmove(sink->data, sink->data + buf->start, live);
		set_start(buf, 0);
		sink->len = live;
		return true;
	}
	/* At least twice as much as before; more at once where it is known how much is needed. */
	size_t cap = sink->cap > FIRST / 2 ? 2 * sink->cap : FIRST;
	cap = cap > live + more ? cap : live + more;
	/* A writer uses the room up to cap without asking, so the maximum must hold for cap
	 * too. */
	cap = cap < buf->max ? cap : buf->max;
	uint8_t *data = malloc(cap);
	if (data == NULL) {
		buf->starved = true;
		return false;
	}
	if (live > 0) {
		memcpy(data, sink->data + buf->start, live);
	}
	wipe(buf);
	free(sink->data);
	sink->data = data;
	sink->cap = cap;
	sink->len = live;
	set_start(buf, 0);
	return true;
}

void obi_buf_init(struct obi_buf *buf, size_t max)
{
	memset(buf, 0, sizeof *buf);
	buf->max = max;
	buf->sink.max = max;
	buf->sink.grow = grow;
	buf->keep = KEEP;
}

void obi_buf_free(struct obi_buf *buf)
{
	wipe(buf);
	free(buf->sink.data);
	obi_buf_init(buf, buf->max);
}

uint8_t *obi_buf_reserve(struct obi_buf *buf, size_t n, size_t *ret_room)
{
	uint8_t *room = ob_sink_reserve(&buf->sink, n);
	if (room != NULL && ret_room != NULL) {
		*ret_room = buf->sink.cap - buf->sink.len;
	}
	return room;
}

void obi_buf_shrink(struct obi_buf *buf, size_t keep)
{
	if (obi_buf_len(buf) > 0 || buf->sink.cap <= keep) {
		return;
	}
	wipe(buf);
	set_start(buf, 0);
	buf->sink.len = 0;
	uint8_t *data = realloc(buf->sink.data, keep);
	if (data != NULL) {
		buf->sink.data = data;
		buf->sink.cap = keep;
	}
}

void obi_buf_consume(struct obi_buf *buf, size_t n)
{
	set_start(buf, buf->start + n);
	if (buf->start < buf->sink.len) {
		return;
	}
	if (buf->sink.cap > buf->keep) {
		obi_buf_free(buf);
	}
	note_touched(buf);
	set_start(buf, 0);
	buf->sink.len = 0;
}

void obi_buf_truncate(struct obi_buf *buf, size_t n)
{
	note_touched(buf);
	buf->sink.len = buf->start + n;
	buf->sink.failed = false;
}
