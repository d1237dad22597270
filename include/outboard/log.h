/* SPDX-License-Identifier: MIT */
/*
 * outboard/log.h - log records: those of children, and a process's own.
 */
#ifndef OUTBOARD_LOG_H
#define OUTBOARD_LOG_H

#include <outboard/runtime.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Records ---- */

/* Levels, numbered as in Go's slog. Values in between are offsets: -2 is DEBUG+2. */
enum ob_log_level { OB_LOG_DEBUG = -4, OB_LOG_INFO = 0, OB_LOG_WARN = 4, OB_LOG_ERROR = 8 };

enum ob_log_flag {
	/* The line was one JSON object. Otherwise message is the whole line. */
	OB_LOG_PARSED = 1 << 0,
	/* The line was longer than 1 MiB and was cut. */
	OB_LOG_TRUNCATED = 1 << 1,
	/* time is from the record. Otherwise it is when the line was read. */
	OB_LOG_HAS_TIME = 1 << 2,
	/* The line was begun a second ago and has not ended yet. */
	OB_LOG_PARTIAL = 1 << 3,
	/* The beginning of the line was an OB_LOG_PARTIAL record. */
	OB_LOG_CONTINUED = 1 << 4
};

/* One record. Everything in it is valid for the length of the callback. */
struct ob_log_record {
	uint32_t size;
	uint32_t flags;	  /* bits of enum ob_log_flag */
	const char *name; /* of the child; shown as the attribute outboard=<name> */
	int stream;	  /* 1: stdout, 2: stderr, 3: the cleanup command, 0: the parent itself */
	int level;	  /* enum ob_log_level, or an offset */
	struct timespec time; /* UTC */
	int32_t utc_offset;   /* the zone in which the child wrote the time: seconds east of UTC */
	struct ob_bytes message;
	struct ob_bytes source_function; /* empty: absent, as the next ones */
	struct ob_bytes source_file;
	int64_t source_line;
	struct ob_value attrs; /* a map, in the order of the record; keys may repeat */
	struct ob_bytes line;  /* as it was read, without the newline */
};

/*
 * Called on the loop's thread for each record. Must not block: the pipe of the child fills up in
 * the meantime.
 */
typedef void ob_log_fn(void *user, const struct ob_log_record *record);

/* ---- Writing records to a descriptor ---- */

enum ob_log_format { OB_LOG_FORMAT_JSON = 1, OB_LOG_FORMAT_TEXT = 2 };

struct ob_log_writer_options {
	uint32_t size;
	uint32_t format; /* Required: enum ob_log_format */
	/* For text: 1 always, -1 never, 0 if fd is a terminal and NO_COLOR is unset or empty. */
	int color;
	/*
	 * How much may wait for a slow fd: default 4 MiB, at least 4 KiB. Each stream of each child
	 * has a share of it. What exceeds it is dropped, counted and reported for that stream.
	 */
	uint32_t queue_bytes;
};

/*
 * Make a writer of records to fd, which is borrowed and may be of any kind. The writer has a thread
 * of its own, so a slow or dead fd never delays the reading of logs. Give ob_log_writer_record() as
 * the ob_log_fn, and the writer as its user.
 */
OB_API int ob_log_writer_new(int fd, const struct ob_log_writer_options *options,
			     ob_log_writer **ret_writer, struct ob_error *reterr);

/* Queue one record. An ob_log_fn. Any thread. Never blocks. */
OB_API void ob_log_writer_record(void *writer, const struct ob_log_record *record);

/* Write what is queued, for at most timeout_ms (0: 1 s), then free. */
OB_API void ob_log_writer_close(ob_log_writer *writer, int64_t timeout_ms);

/* ---- Reading records from a descriptor ---- */

struct ob_log_reader_options {
	uint32_t size;
	int fd;		   /* Required: non-blocking; borrowed until the reader is closed */
	const char *name;  /* name of the records; NULL: "" */
	int stream;	   /* stream of the records: 1 or 2; 0: none */
	ob_log_fn *on_log; /* Required; called on the loop's thread */
	void *user_data;   /* for on_log */
};

/*
 * Read records from a descriptor, one from each line, as a connector reads those of its child. On
 * an inline runtime this happens only while the loop turns. Close the reader before the runtime is
 * freed.
 */
OB_API int ob_log_reader_new(ob_runtime *runtime, const struct ob_log_reader_options *options,
			     ob_log_reader **ret_reader, struct ob_error *reterr);

/*
 * Report what the descriptor holds now, including a last line without a newline, then free. Inside
 * on_log it only frees. reader may be NULL.
 */
OB_API void ob_log_reader_close(ob_log_reader *reader);

/* ---- A process's own records ---- */

/*
 * Write one record as a JSON line, in the form of Go's slog. attrs is a format of ob_build() that
 * makes one map, or NULL. Any thread. Never blocks: a record that does not fit into a full pipe is
 * dropped, and the number of dropped ones is part of a later record.
 */
OB_API void ob_log(ob_logger *logger, int level, const char *message, const char *attrs, ...);

/* Write no records below this level. Default OB_LOG_INFO. Any thread. */
OB_API void ob_logger_set_level(ob_logger *logger, int level);

/* Make a logger on a descriptor, which is borrowed. A server has one already (server.h). */
OB_API int ob_logger_new(int fd, ob_logger **ret_logger, struct ob_error *reterr);

/* logger may be NULL. */
OB_API void ob_logger_free(ob_logger *logger);

#ifdef __cplusplus
}
#endif
#endif
