/* SPDX-License-Identifier: MIT */
/* Records of our own: events of the children, and what the supervisor itself has to tell. They go
 * where the children's logs go. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "cli/run/run.h"

enum { ATTRS_MEMORY = 64 * 1024 };

/* ---- Records ---- */

/* The zone of this place, as our own text is for whoever reads it here. */
static int32_t zone_of(time_t seconds)
{
	struct tm local;
	return localtime_r(&seconds, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}

static void say(struct obi_run *run, const char *name, int level, const char *message,
		struct ob_value attrs)
{
	struct ob_log_record record = {
	    .size = sizeof record,
	    .flags = OB_LOG_PARSED | OB_LOG_HAS_TIME,
	    .name = name,
	    .level = level,
	    .message = ob_bytes_text(message),
	    .attrs = attrs,
	};
	clock_gettime(CLOCK_REALTIME, &record.time);
	record.utc_offset = zone_of(record.time.tv_sec);
	ob_log_writer_record(run->writer, &record);
}

void obi_run_log(struct obi_run *run, const char *name, int level, const char *message,
		 const char *attrs, ...)
{
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value map;
	va_list args;
	obi_arena_init(&arena, ATTRS_MEMORY);
	ob_builder_init(&b, &arena.ob);
	va_start(args, attrs);
	ob_buildv(&b, attrs != NULL ? attrs : "{}", args);
	va_end(args);
	if (ob_builder_finish(&b, &map) < 0) {
		map = ob_map(NULL, 0);
	}
	say(run, name, level, message, map);
	obi_arena_free(&arena);
}

/* ---- Events ---- */

static const struct {
	const char *message;
	int level;
} words[] = {
    [OB_EVENT_STARTING] = {"started", OB_LOG_INFO},
    [OB_EVENT_READY] = {"ready", OB_LOG_INFO},
    [OB_EVENT_UNHEALTHY] = {"not healthy", OB_LOG_WARN},
    [OB_EVENT_UNRESPONSIVE] = {"does not answer", OB_LOG_WARN},
    [OB_EVENT_EXITED] = {"exited", OB_LOG_WARN},
    [OB_EVENT_RESTARTING] = {"starts again", OB_LOG_WARN},
    [OB_EVENT_FAILED] = {"given up", OB_LOG_ERROR},
    [OB_EVENT_ADOPTED] = {"taken over", OB_LOG_INFO},
    [OB_EVENT_DETACHED] = {"let go", OB_LOG_INFO},
    [OB_EVENT_STOPPED] = {"stopped", OB_LOG_INFO},
};

static void build_exit(struct ob_builder *b, const struct ob_event *event)
{
	if (event->exit_kind == OB_EXIT_CODE) {
		ob_build(b, "s:i", "status", event->exit_value);
	} else if (event->exit_kind == OB_EXIT_SIGNAL) {
		ob_build(b, "s:i", "signal", event->exit_value);
	}
}

/* A machine gets the event by name; a person has the message. */
static void build_attrs(struct ob_builder *b, const struct ob_event *event, bool by_name,
			char delay[32])
{
	bool has_process = event->type != OB_EVENT_RESTARTING && event->type != OB_EVENT_FAILED &&
			   event->type != OB_EVENT_STOPPED;
	ob_build(b, "{");
	if (by_name) {
		ob_build(b, "s:s", "event", ob_event_name(event->type));
	}
	if (event->pid != 0 && has_process) {
		ob_build(b, "s:i", "pid", (int)event->pid);
	}
	if (event->type == OB_EVENT_EXITED) {
		build_exit(b, event);
	}
	if (event->type == OB_EVENT_RESTARTING) {
		ob_duration_format(event->delay_ms, delay, 32);
		ob_build(b, "s:s", "delay", delay);
	}
	if (event->type == OB_EVENT_RESTARTING || event->type == OB_EVENT_FAILED) {
		ob_build(b, "s:U", "restarts", (uint64_t)event->restarts);
	}
	/* The cause of the others is what the message says. */
	if (words[event->type].level > OB_LOG_INFO && event->type != OB_EVENT_EXITED) {
		ob_build(b, "s:s", "cause", event->cause);
	}
	ob_build(b, "}");
}

void obi_run_log_event(struct obi_run *run, const struct ob_event *event, bool asked_for)
{
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value map;
	char delay[32];
	if (event->type == 0 || event->type >= sizeof words / sizeof words[0]) {
		return;
	}
	obi_arena_init(&arena, ATTRS_MEMORY);
	ob_builder_init(&b, &arena.ob);
	build_attrs(&b, event, run->log_format == OB_LOG_FORMAT_JSON, delay);
	if (ob_builder_finish(&b, &map) < 0) {
		map = ob_map(NULL, 0);
	}
	say(run, event->name, asked_for ? OB_LOG_INFO : words[event->type].level,
	    words[event->type].message, map);
	obi_arena_free(&arena);
}

/* ---- What the server logs ---- */

static void on_own_record(void *user, const struct ob_log_record *record)
{
	struct obi_run *run = user;
	struct ob_log_record own = *record;
	own.name = NULL;
	own.stream = 0;
	ob_log_writer_record(run->writer, &own);
}

int obi_run_log_open(struct obi_run *run, struct ob_error *reterr)
{
	if (pipe2(run->own_pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		run->own_pipe[0] = run->own_pipe[1] = -1;
		return obi_fail(reterr, OB_EIO, errno, "pipe");
	}
	const struct ob_log_reader_options options = {.size = sizeof options,
						      .fd = run->own_pipe[0],
						      .name = "run",
						      .on_log = on_own_record,
						      .user_data = run};
	int r = ob_logger_new(run->own_pipe[1], &run->logger, reterr);
	return r == OB_OK ? ob_log_reader_new(run->rt, &options, &run->own_log, reterr) : r;
}

void obi_run_log_close(struct obi_run *run)
{
	ob_log_reader_close(run->own_log);
	ob_logger_free(run->logger);
	for (size_t i = 0; i < 2; i++) {
		if (run->own_pipe[i] >= 0) {
			close(run->own_pipe[i]);
		}
	}
}
