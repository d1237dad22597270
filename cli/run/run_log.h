/* SPDX-License-Identifier: MIT */
/* run_log - the log of `outboard run`: records of the children and its own, on stdout or in a file.
 */
#ifndef OBI_CLI_RUN_RUN_LOG_H
#define OBI_CLI_RUN_RUN_LOG_H

#include <outboard/outboard.h>

struct obi_run_log {
	uint32_t format; /* enum ob_log_format */
	int fd;		 /* borrowed */
	ob_log_writer *writer;
	int pipe[2]; /* from server_logger to reader; -1: none */
	ob_logger *server_logger;
	ob_log_reader *reader;
};

#define OBI_RUN_LOG_NONE ((struct obi_run_log){.fd = 1, .pipe = {-1, -1}})

/* On failure too, close it. server_logger is for an ob_server: its records become records of the
 * supervisor. */
int obi_run_log_open(struct obi_run_log *log, ob_runtime *rt, uint32_t format,
		     struct ob_error *reterr);

/* Write to another descriptor from now on. On failure all stays as it is. */
int obi_run_log_move(struct obi_run_log *log, int fd, struct ob_error *reterr);

/* Write what is queued, for some seconds at most, and free. */
void obi_run_log_close(struct obi_run_log *log);

/* A record about the child of this name, or (NULL) about the supervisor. attrs is a format of
 * ob_build() that makes one map, or NULL. */
void obi_run_log(struct obi_run_log *log, const char *name, int level, const char *message,
		 const char *attrs, ...);

/* Where a child lives. */
struct obi_event_place {
	const char *where; /* "host"; NULL: unknown */
	int32_t inner_pid; /* of ob_status */
};

/* A record of an event. */
void obi_run_log_event(struct obi_run_log *log, const struct ob_event *event,
		       const struct obi_event_place *place);

/* The same for the event that no connector has: the child waits for others. */
void obi_run_log_blocked(struct obi_run_log *log, const char *name, const char *cause);

#endif
