/* SPDX-License-Identifier: MIT */
/* A logger writes whole lines, in order, and never part of a line before another. It never waits
 * for the parent: a record that does not fit is dropped and counted. A record that was partly
 * written is completed before anything else. A descriptor that may block gets a writer with a queue
 * and a thread. */
#include "log/logger.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/value.h"
#include "log/render.h"
#include "log/reader.h"
#include "log/sink.h"
#include "log/writer.h"

enum { ATTRS_MAX = 4 << 20, MESSAGE_CUT = 64 * 1024, QUEUE = 1 << 20, FREE_WAIT_MS = 100 };

struct ob_logger {
	ob_log_writer *writer; /* NULL: the sink is used, which does not block */
	struct obi_log_sink sink;
	atomic_int level;
	pthread_mutex_t lock;	/* protects everything below */
	struct obi_arena arena; /* attributes of the current record */
	struct obi_buf line;	/* the current record; between calls, the unwritten rest of one */
	uint64_t dropped;
	void (*tap)(void *user, struct ob_bytes line); /* NULL: none */
	void *tap_user;
	bool tap_only;
	struct obi_buf shown; /* the line for it */
};

/* A pipe that cannot be opened again blocks only if another process is faster, and is used as it is
 * when there is no thread or descriptor for a writer. */
static int open_sink(struct ob_logger *logger, int fd, struct ob_error *reterr)
{
	struct ob_log_writer_options options = {
	    .size = sizeof options, .format = OB_LOG_FORMAT_JSON, .queue_bytes = QUEUE};
	int r = obi_log_sink_open(fd, 0, &logger->sink, reterr);
	if (r < 0 || !logger->sink.may_block) {
		return r;
	}
	r = obi_log_writer_direct(fd, &options, &logger->writer, reterr);
	return r < 0 && logger->sink.asks ? OB_OK : r;
}

int ob_logger_new(int fd, ob_logger **ret_logger, struct ob_error *reterr)
{
	struct ob_logger *logger = calloc(1, sizeof *logger);
	if (logger == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "making a logger: out of memory");
	}
	int r = open_sink(logger, fd, reterr);
	if (r < 0) {
		free(logger);
		return r;
	}
	atomic_init(&logger->level, OB_LOG_INFO);
	pthread_mutex_init(&logger->lock, NULL);
	obi_arena_init(&logger->arena, ATTRS_MAX);
	obi_buf_init(&logger->line, OBI_LOG_LINE_MAX + 1);
	obi_buf_init(&logger->shown, OBI_LOG_LINE_MAX + 1);
	*ret_logger = logger;
	return OB_OK;
}

void ob_logger_free(ob_logger *logger)
{
	if (logger == NULL) {
		return;
	}
	(void)obi_logger_flush(logger);
	ob_log_writer_close(logger->writer, FREE_WAIT_MS);
	obi_log_sink_close(&logger->sink);
	obi_buf_free(&logger->line);
	obi_buf_free(&logger->shown);
	obi_arena_free(&logger->arena);
	pthread_mutex_destroy(&logger->lock);
	free(logger);
}

void ob_logger_set_level(ob_logger *logger, int level)
{
	atomic_store_explicit(&logger->level, level, memory_order_relaxed);
}

/* ---- Writing; the lock is held ---- */

/* Write the rest of a record. */
static bool write_rest(struct ob_logger *logger)
{
	while (obi_buf_len(&logger->line) > 0) {
		struct ob_bytes rest = obi_buf_bytes(&logger->line);
		ssize_t n = obi_log_sink_write(&logger->sink, rest.data, rest.len);
		if (n < 0) {
			return false;
		}
		obi_buf_consume(&logger->line, (size_t)n);
	}
	return true;
}

/* A record that exceeds the limit of a parent loses its attributes and the end of its
 * message. */
static bool render(struct obi_buf *line, struct ob_log_record *record)
{
	if (obi_log_render_json(record, obi_buf_sink(line))) {
		return true;
	}
	obi_buf_truncate(line, 0);
	record->flags |= OB_LOG_TRUNCATED;
	record->attrs = ob_map(NULL, 0);
	record->message.len = record->message.len < MESSAGE_CUT ? record->message.len : MESSAGE_CUT;
	return obi_log_render_json(record, obi_buf_sink(line));
}

/* Never waits. Returns false when no byte of the record was written. */
static bool write_record(struct ob_logger *logger, struct ob_log_record *record)
{
	bool rendered = render(&logger->line, record);
	struct ob_bytes line = obi_buf_bytes(&logger->line);
	ssize_t n = rendered ? obi_log_sink_write(&logger->sink, line.data, line.len) : -ENOMEM;
	if (n < 0) {
		obi_buf_truncate(&logger->line, 0);
		return false;
	}
	obi_buf_consume(&logger->line, (size_t)n);
	(void)write_rest(logger);
	return true;
}

static struct ob_log_record new_record(int level, const char *message, struct ob_value attrs)
{
	struct ob_log_record record = {
	    .size = sizeof record,
	    .level = level,
	    .message = ob_bytes_text(message),
	    .attrs = attrs,
	};
	clock_gettime(CLOCK_REALTIME, &record.time);
	return record;
}

static bool report_dropped(struct ob_logger *logger)
{
	struct ob_pair count = {ob_string("dropped"), ob_uint(logger->dropped)};
	struct ob_log_record record =
	    new_record(OB_LOG_WARN, "log records were dropped", ob_map(&count, 1));
	if (logger->dropped > 0 && write_record(logger, &record)) {
		logger->dropped = 0;
	}
	return logger->dropped == 0;
}

/* Write everything that is pending. */
static bool write_waiting(struct ob_logger *logger)
{
	return write_rest(logger) && report_dropped(logger) && obi_buf_len(&logger->line) == 0;
}

bool obi_logger_flush(struct ob_logger *logger)
{
	pthread_mutex_lock(&logger->lock);
	bool done = write_waiting(logger);
	pthread_mutex_unlock(&logger->lock);
	return done;
}

/* ---- The call ---- */

/* If the attributes cannot be built, the record is written without them. */
static struct ob_value build_attrs(struct ob_logger *logger, const char *format, va_list args)
{
	static const struct ob_pair bad = {
	    .key = {.type = OB_STRING, .count = 6, .as.string = "!ERROR"},
	    .value = {.type = OB_STRING, .count = 14, .as.string = "bad attributes"},
	};
	struct ob_builder builder;
	struct ob_value attrs;
	if (format == NULL) {
		return ob_map(NULL, 0);
	}
	ob_builder_init(&builder, &logger->arena.ob);
	obi_build_format(&builder, format, args);
	return ob_builder_finish(&builder, &attrs) == OB_OK && attrs.type == OB_MAP
		   ? attrs
		   : ob_map(&bad, 1);
}

/* The writer counts what it drops. */
static bool hand_on(struct ob_logger *logger, const struct ob_log_record *record)
{
	ob_log_writer_record(logger->writer, record);
	return true;
}

/* One for which there is no memory is lost to the tap. */
static void show(struct ob_logger *logger, struct ob_log_record *record)
{
	obi_buf_truncate(&logger->shown, 0);
	if (render(&logger->shown, record)) {
		logger->tap(logger->tap_user, obi_buf_bytes(&logger->shown));
	}
}

static void log_to_tap(struct ob_logger *logger, int level, const char *message, const char *attrs,
		       va_list args)
{
	obi_arena_reset(&logger->arena);
	struct ob_log_record record = new_record(level, message, build_attrs(logger, attrs, args));
	show(logger, &record);
}

void obi_logger_set_tap(struct ob_logger *logger, void (*fn)(void *user, struct ob_bytes line),
			void *user, bool only)
{
	pthread_mutex_lock(&logger->lock);
	logger->tap = fn;
	logger->tap_user = user;
	logger->tap_only = only;
	pthread_mutex_unlock(&logger->lock);
}

void obi_logger_put(struct ob_logger *logger, struct ob_bytes lines)
{
	pthread_mutex_lock(&logger->lock);
	if (logger->writer == NULL && write_waiting(logger)) {
		while (lines.len > 0) {
			ssize_t n = obi_log_sink_write(&logger->sink, lines.data, lines.len);
			if (n <= 0) {
				break;
			}
			lines = ob_bytes_of(lines.data + n, lines.len - (size_t)n);
		}
	}
	pthread_mutex_unlock(&logger->lock);
}

void ob_log(ob_logger *logger, int level, const char *message, const char *attrs, ...)
{
	va_list args;
	if (logger == NULL || level < atomic_load_explicit(&logger->level, memory_order_relaxed)) {
		return;
	}
	va_start(args, attrs);
	pthread_mutex_lock(&logger->lock);
	bool written = logger->tap != NULL && logger->tap_only;
	if (logger->tap != NULL) {
		va_list again;
		va_copy(again, args);
		log_to_tap(logger, level, message, attrs, again);
		va_end(again);
	}
	if (!written && write_waiting(logger)) {
		obi_arena_reset(&logger->arena);
		struct ob_log_record record =
		    new_record(level, message, build_attrs(logger, attrs, args));
		written = logger->writer != NULL ? hand_on(logger, &record)
						 : write_record(logger, &record);
	}
	logger->dropped += written ? 0 : 1;
	pthread_mutex_unlock(&logger->lock);
	va_end(args);
}
