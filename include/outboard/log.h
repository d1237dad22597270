/* SPDX-License-Identifier: MIT */
/*
 * outboard/log.h - log records: reading those of a child, writing one's own.
 */
#ifndef OUTBOARD_LOG_H
#define OUTBOARD_LOG_H

#include <outboard/runtime.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Logs ---- */

/* Levels as Go's slog numbers them; values between are offsets: -2 is DEBUG+2. */
enum ob_log_level { OB_LOG_DEBUG = -4, OB_LOG_INFO = 0, OB_LOG_WARN = 4, OB_LOG_ERROR = 8 };

enum ob_log_flag {
	OB_LOG_PARSED =
	    1 << 0, /* the line was one JSON object; otherwise message is the whole line */
	OB_LOG_TRUNCATED = 1 << 1, /* the line was longer than 1 MiB and was cut */
	OB_LOG_HAS_TIME =
	    1 << 2, /* time came from the record; otherwise it is the time of reading */
	OB_LOG_PARTIAL = 1 << 3,  /* the line has not ended yet: it was begun a second ago */
	OB_LOG_CONTINUED = 1 << 4 /* the line began with a record that is OB_LOG_PARTIAL */
};

/* One record of a child. Everything in it is valid for the length of the callback. */
struct ob_log_record {
	uint32_t size;
	uint32_t flags;	      /* enum ob_log_flag */
	const char *name;     /* of the child: the attribute outboard=<name> */
	int stream;	      /* 1: stdout, 2: stderr; 0: the parent's own record */
	int level;	      /* enum ob_log_level, with offsets */
	struct timespec time; /* UTC */
	int32_t utc_offset;   /* seconds east of UTC in which the child wrote the time */
	struct ob_bytes message;
	struct ob_bytes source_function; /* each empty when absent */
	struct ob_bytes source_file;
	int64_t source_line;
	struct ob_value attrs; /* a map in the record's order; a key may occur more than once */
	struct ob_bytes line;  /* as it was read, without the newline */
};

/* Called on the loop's thread for each record. Do not block: the child's pipe fills meanwhile. */
typedef void ob_log_fn(void *user, const struct ob_log_record *record);

enum ob_log_format { OB_LOG_FORMAT_JSON = 1, OB_LOG_FORMAT_TEXT = 2 };

struct ob_log_writer_options {
	uint32_t size;
	uint32_t format; /* enum ob_log_format; must be there */
	int color; /* text: 0 when fd is a terminal and NO_COLOR is unset or empty, 1 always, -1
		      never */
	uint32_t queue_bytes; /* what may wait for a slow fd: default 4 MiB, at least 4 KiB. Each
				 stream of each child has a share. More is dropped, counted, and
				 reported for each of them */
};

/*
 * A sink: writes records to a descriptor (borrowed; any kind) from a thread of its own, so that a
 * slow or dead one never holds up the reading. Give ob_log_writer_record as the ob_log_fn and the
 * writer as its user.
 */
OB_API int ob_log_writer_new(int fd, const struct ob_log_writer_options *options,
			     ob_log_writer **ret_writer, struct ob_error *reterr);
OB_API void ob_log_writer_record(void *writer, const struct ob_log_record *record);

/* Write what is queued, for at most timeout_ms (0: 1 s), then free. */
OB_API void ob_log_writer_close(ob_log_writer *writer, int64_t timeout_ms);

struct ob_log_reader_options {
	uint32_t size;
	int fd;		   /* Required; non-blocking; borrowed until the reader is closed */
	const char *name;  /* name of the records; NULL: "" */
	int stream;	   /* stream of the records: 1 or 2; 0: none */
	ob_log_fn *on_log; /* Required; runs on the loop's thread */
	void *user_data;   /* of on_log */
};

/*
 * Read records from any descriptor, one from each line, as a connector reads those of its child.
 * On an inline runtime it reads only while the loop turns. Close it before the runtime is freed.
 */
OB_API int ob_log_reader_new(ob_runtime *runtime, const struct ob_log_reader_options *options,
			     ob_log_reader **ret_reader, struct ob_error *reterr);

/*
 * Report what the descriptor holds now, a last line without newline included, then free. Called
 * inside on_log it frees only. reader may be NULL.
 */
OB_API void ob_log_reader_close(ob_log_reader *reader);

/*
 * The child's side: one JSON record a line, as slog writes it. attrs is a format of ob_build that
 * makes one map, or NULL. Any thread. Never blocks: what a full pipe cannot take is dropped and
 * counted in a later record.
 */
OB_API void ob_log(ob_logger *logger, int level, const char *message, const char *attrs, ...);

/* Records below this level are not written. Default OB_LOG_INFO. Any thread. */
OB_API void ob_logger_set_level(ob_logger *logger, int level);

/* A logger of your own on any descriptor (borrowed); the server has one already. */
OB_API int ob_logger_new(int fd, ob_logger **ret_logger, struct ob_error *reterr);
OB_API void ob_logger_free(ob_logger *logger);

#ifdef __cplusplus
}
#endif
#endif
