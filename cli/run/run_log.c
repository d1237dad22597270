/* SPDX-License-Identifier: MIT */
#include "cli/run/run_log.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"

enum { ATTRS_MEMORY = 64 * 1024, FLUSH_MS = 5000, MOVE_MS = 1000 };

/* ---- Records ---- */

/* The time is written in the local zone. */
static int32_t local_offset(time_t seconds)
{
	struct tm local;
	return localtime_r(&seconds, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}

static void write_record(struct obi_run_log *log, const char *name, int level, const char *message,
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
	record.utc_offset = local_offset(record.time.tv_sec);
	ob_log_writer_record(log->writer, &record);
}

void obi_run_log(struct obi_run_log *log, const char *name, int level, const char *message,
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
	write_record(log, name, level, message, map);
	obi_arena_free(&arena);
}

/* ---- Events ---- */

static const struct {
	const char *message;
	int level;
} words[] = {
    [OB_EVENT_STARTING] = {"started", OB_LOG_INFO},
    [OB_EVENT_READY] = {"ready", OB_LOG_INFO},
    [OB_EVENT_UNHEALTHY] = {"unhealthy", OB_LOG_WARN},
    [OB_EVENT_UNRESPONSIVE] = {"unresponsive", OB_LOG_WARN},
    [OB_EVENT_EXITED] = {"exited", OB_LOG_WARN},
    [OB_EVENT_RESTARTING] = {"restarting", OB_LOG_WARN},
    [OB_EVENT_FAILED] = {"failed", OB_LOG_ERROR},
    [OB_EVENT_ADOPTED] = {"adopted", OB_LOG_INFO},
    [OB_EVENT_DETACHED] = {"detached", OB_LOG_WARN},
    [OB_EVENT_STOPPED] = {"stopped", OB_LOG_INFO},
    [OB_EVENT_STOPPING] = {"stopping", OB_LOG_INFO},
    [OB_EVENT_LINGERING] = {"lingering", OB_LOG_WARN},
    [OB_EVENT_DONE] = {"done", OB_LOG_INFO},
    [OB_EVENT_REPLACED] = {"replaced", OB_LOG_WARN},
    [OB_EVENT_REWOUND] = {"rewound", OB_LOG_WARN},
    [OB_EVENT_LINK_UP] = {"link up", OB_LOG_INFO},
    [OB_EVENT_LINK_DOWN] = {"link down", OB_LOG_WARN},
};

static void build_exit(struct ob_builder *b, const struct ob_event *event)
{
	if (event->exit_kind == OB_EXIT_CODE) {
		ob_build(b, "s:i", "status", event->exit_value);
	} else if (event->exit_kind == OB_EXIT_SIGNAL) {
		ob_build(b, "s:i", "signal", event->exit_value);
	}
}

static void build_usage(struct ob_builder *b, const struct ob_cgroup_usage *usage)
{
	if (usage->memory_peak >= 0) {
		ob_build(b, "s:I", "memory_peak", usage->memory_peak);
	}
	if (usage->cpu_us >= 0) {
		ob_build(b, "s:I", "cpu_us", usage->cpu_us);
	}
}

/* The cause of other events is in their message; that of an exit is in its status, unless it was
 * demanded for a reason. */
static bool has_cause(const struct ob_event *event)
{
	switch (event->type) {
	case OB_EVENT_EXITED:
		return strncmp(event->cause, "process ", strlen("process ")) != 0 ||
		       event->usage.oom_kills > 0;
	case OB_EVENT_DETACHED:
		return !event->expected;
	case OB_EVENT_ADOPTED:
	case OB_EVENT_LINK_UP:
	case OB_EVENT_STOPPING:
		return true;
	default:
		return words[event->type].level > OB_LOG_INFO;
	}
}

/* The name of the event is for programs; the message says the same. */
static void build_attrs(struct ob_builder *b, const struct ob_event *event, bool by_name,
			char delay[32])
{
	bool has_process = event->type != OB_EVENT_RESTARTING && event->type != OB_EVENT_FAILED &&
			   event->type != OB_EVENT_STOPPED && event->type != OB_EVENT_LINGERING &&
			   event->type != OB_EVENT_DONE;
	if (by_name) {
		ob_build(b, "s:s", "event", ob_event_name(event->type));
	}
	if (event->pid != 0 && has_process) {
		ob_build(b, "s:i", "pid", (int)event->pid);
	}
	if (event->type == OB_EVENT_EXITED) {
		build_exit(b, event);
		build_usage(b, &event->usage);
	}
	if (event->type == OB_EVENT_RESTARTING) {
		ob_duration_format(event->delay_ms, delay, 32);
		ob_build(b, "s:s", "delay", delay);
	}
	if (event->type == OB_EVENT_RESTARTING || event->type == OB_EVENT_FAILED ||
	    event->type == OB_EVENT_REPLACED) {
		ob_build(b, "s:U", "restarts", (uint64_t)event->restarts);
	}
	if (has_cause(event)) {
		ob_build(b, "s:s", "cause", event->cause);
	}
}

/* With the events that tell of a process, or of another one inside. */
static void build_place(struct ob_builder *b, const struct ob_event *event,
			const struct obi_event_place *place)
{
	switch (event->type) {
	case OB_EVENT_STARTING:
	case OB_EVENT_READY:
	case OB_EVENT_ADOPTED:
	case OB_EVENT_REPLACED:
	case OB_EVENT_LINK_UP:
		break;
	default:
		return;
	}
	if (place->where != NULL && strcmp(place->where, "host") != 0) {
		ob_build(b, "s:s", "where", place->where);
	}
	if (place->inner_pid != 0 && event->type != OB_EVENT_STARTING) {
		ob_build(b, "s:i", "inner_pid", (int)place->inner_pid);
	}
}

void obi_run_log_blocked(struct obi_run_log *log, const char *name, const char *cause)
{
	if (log->format == OB_LOG_FORMAT_JSON) {
		obi_run_log(log, name, OB_LOG_INFO, "blocked", "{s:s,s:s}", "event", "blocked",
			    "cause", cause);
	} else {
		obi_run_log(log, name, OB_LOG_INFO, "blocked", "{s:s}", "cause", cause);
	}
}

void obi_run_log_event(struct obi_run_log *log, const struct ob_event *event,
		       const struct obi_event_place *place)
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
	ob_build(&b, "{");
	build_attrs(&b, event, log->format == OB_LOG_FORMAT_JSON, delay);
	build_place(&b, event, place);
	ob_build(&b, "}");
	if (ob_builder_finish(&b, &map) < 0) {
		map = ob_map(NULL, 0);
	}
	write_record(log, event->name, event->expected ? OB_LOG_INFO : words[event->type].level,
		     words[event->type].message, map);
	obi_arena_free(&arena);
}

/* ---- Records of the server ---- */

static void on_server_record(void *user, const struct ob_log_record *record)
{
	struct obi_run_log *log = user;
	struct ob_log_record own = *record;
	own.name = NULL;
	ob_log_writer_record(log->writer, &own);
}

static int open_server_log(struct obi_run_log *log, ob_runtime *rt, struct ob_error *reterr)
{
	if (pipe2(log->pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		log->pipe[0] = log->pipe[1] = -1;
		return obi_fail(reterr, OB_EIO, errno, "a pipe for own records: pipe2");
	}
	const struct ob_log_reader_options options = {.size = sizeof options,
						      .fd = log->pipe[0],
						      .name = "run",
						      .on_log = on_server_record,
						      .user_data = log};
	int r = ob_logger_new(log->pipe[1], &log->server_logger, reterr);
	return r == OB_OK ? ob_log_reader_new(rt, &options, &log->reader, reterr) : r;
}

/* ---- Open and close ---- */

static int open_writer(struct obi_run_log *log, int fd, struct ob_error *reterr)
{
	const struct ob_log_writer_options options = {.size = sizeof options,
						      .format = log->format};
	return ob_log_writer_new(fd, &options, &log->writer, reterr);
}

int obi_run_log_open(struct obi_run_log *log, ob_runtime *rt, uint32_t format,
		     struct ob_error *reterr)
{
	log->format = format;
	int r = open_writer(log, log->fd, reterr);
	return r == OB_OK ? open_server_log(log, rt, reterr) : r;
}

int obi_run_log_move(struct obi_run_log *log, int fd, struct ob_error *reterr)
{
	ob_log_writer *was = log->writer;
	int r = open_writer(log, fd, reterr);
	if (r == OB_OK) {
		log->fd = fd;
		ob_log_writer_close(was, MOVE_MS);
	}
	return r;
}

void obi_run_log_close(struct obi_run_log *log)
{
	ob_log_reader_close(log->reader);
	ob_logger_free(log->server_logger);
	for (size_t i = 0; i < 2; i++) {
		if (log->pipe[i] >= 0) {
			close(log->pipe[i]);
		}
	}
	ob_log_writer_close(log->writer, FLUSH_MS);
}
