/* SPDX-License-Identifier: MIT */
/*
 * parent - a program with one child, for tests that kill, stop or starve the parent. It obeys
 * lines on stdin and reports everything as lines on stdout.
 *
 *   data=DIR child=PROGRAM   the child; everything behind "--" is passed to it
 *   beat=MS misses=N max=N   health_interval_ms, health_misses, restart.max_restarts
 *   pipe=BYTES auth=NAME     log_pipe_bytes, the only mechanism
 *   ready=MS                 ready_timeout_ms, 20 s by default
 *   fp=POINTS                OUTBOARD_FP of the child
 *   listen=ADDRESS           of the child; plaintext is allowed
 *   quiet                    no line for a log record
 *
 * Commands: start, supervise, stop, detach, call METHOD N, keep N (N calls that are never
 * answered), signals, end (of a child that was detached, with ob_child_end() and 200 ms of
 * patience), quit; deny NUMBER ERRNO, deny-signal NUMBER ERRNO (a seccomp filter, for a system call
 * or a signal). Answers: "ok COMMAND PID", "error COMMAND CODE: TEXT", "reply N". Other lines:
 * "event NAME PID KIND VALUE"; "log N" for a record with the attribute n, "dropped N" for one about
 * lost records, "raw TEXT" for any other.
 */
#include <outboard/outboard.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/deny.h"

static ob_runtime *runtime;
static ob_connector *connector;
static ob_cancel *woken;
static const char *data_path;
static bool quiet;

/* ---- Output: one write for each line, so that it is written completely or not at all ---- */

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
	char line[1024];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	size_t n = len < (int)sizeof line - 1 ? (size_t)len : sizeof line - 2;
	line[n] = '\n';
	ssize_t told;
	do {
		told = write(STDOUT_FILENO, line, n + 1);
	} while (told < 0 && errno == EINTR);
	if (told < 0) {
		_exit(4);
	}
}

static void on_event(void *user, const struct ob_event *event)
{
	(void)user;
	tell("event %s %d %u %d", ob_event_name(event->type), event->pid, event->exit_kind,
	     event->exit_value);
}

static void on_log(void *user, const struct ob_log_record *record)
{
	int64_t n;
	(void)user;
	if (quiet) {
		return;
	}
	if (ob_get_int(ob_value_find(&record->attrs, "n"), &n)) {
		tell("log %lld", (long long)n);
	} else if (ob_get_int(ob_value_find(&record->attrs, "dropped"), &n)) {
		tell("dropped %lld", (long long)n);
	} else {
		tell("raw %.*s", record->line.len < 512 ? (int)record->line.len : 512,
		     (const char *)record->line.data);
	}
}

static void answer(const char *command, int code, const struct ob_error *err)
{
	if (code < 0) {
		tell("error %s %s: %s", command, ob_result_name(code), err->text);
	} else {
		tell("ok %s %d", command, ob_connector_pid(connector));
	}
}

/* ---- Signals ---- */

static atomic_int handled, spoiled;

static void on_signal(int number)
{
	(void)number;
	int before = errno;
	ob_cancel_fire(woken);
	atomic_fetch_add(&spoiled, errno != before);
	atomic_fetch_add(&handled, 1);
	errno = before;
}

static void take_signals(void)
{
	const int numbers[] = {SIGCHLD, SIGHUP, SIGTERM, SIGUSR1};
	struct sigaction action = {.sa_handler = on_signal};
	for (int i = 0; i < 4; i++) {
		sigaction(numbers[i], &action, NULL);
	}
}

/* ---- Commands ---- */

static void call(const char *method, long long n)
{
	struct ob_error err;
	ob_reply *reply;
	int64_t result = 0;
	int code = ob_reply_new(&reply, &err);
	if (code == OB_OK) {
		code = ob_client_callf(ob_connector_client(connector), 10000, reply, &err, method,
				       "[I]", (int64_t)n);
		(void)ob_get_int(ob_reply_value(reply), &result);
		ob_reply_free(reply);
	}
	if (code < 0) {
		answer("call", code, &err);
	} else {
		tell("reply %lld", (long long)result);
	}
}

static void on_kept(void *user, int result, const struct ob_value *value,
		    const struct ob_error *err)
{
	(void)user;
	(void)value;
	(void)err;
	tell("kept %s", ob_result_name(result));
}

static void keep(long long count)
{
	struct ob_error err = {0};
	int code = OB_OK;
	for (long long i = 0; i < count && code == OB_OK; i++) {
		code = ob_client_call_async(ob_connector_client(connector), "act.keep", NULL, -1,
					    on_kept, NULL, NULL, &err);
	}
	answer("keep", code, &err);
}

static void end_child(void)
{
	const struct ob_child_end_options options = {.size = sizeof options,
						     .stop_timeout_ms = 200};
	struct ob_error err;
	answer("end", ob_child_end(runtime, data_path, NULL, &options, 0, NULL, &err), &err);
}

static void deny(const char *word, unsigned what, unsigned sys)
{
	bool done = strcmp(word, "deny") == 0 ? deny_call(what, sys) : deny_signal(what, sys);
	tell(done ? "ok %s" : "error %s no filters", word);
}

static void obey(char *line)
{
	struct ob_error err = {0};
	char word[32] = "", method[64] = "";
	long long n = 0;
	(void)sscanf(line, "%31s %63s %lld", word, method, &n);
	if (strcmp(word, "start") == 0) {
		answer(word, ob_connector_start_or_reconnect(connector, 0, NULL, &err), &err);
	} else if (strcmp(word, "supervise") == 0) {
		answer(word, ob_connector_supervise(connector, &err), &err);
	} else if (strcmp(word, "stop") == 0) {
		answer(word, ob_connector_stop(connector, 0, NULL, &err), &err);
	} else if (strcmp(word, "detach") == 0) {
		answer(word, ob_connector_detach(connector, &err), &err);
	} else if (strcmp(word, "call") == 0) {
		call(method, n);
	} else if (strcmp(word, "keep") == 0) {
		keep(strtoll(method, NULL, 10));
	} else if (strcmp(word, "end") == 0) {
		end_child();
	} else if (strncmp(word, "deny", 4) == 0) {
		deny(word, (unsigned)strtoul(method, NULL, 10), (unsigned)n);
	} else if (strcmp(word, "signals") == 0) {
		tell("signals %d %d", atomic_load(&handled), atomic_load(&spoiled));
	} else {
		tell("error %s unknown command", word);
	}
}

/* A signal may interrupt the read; getline() would then fail. */
static bool read_line(char *line, size_t size)
{
	size_t len = 0;
	while (len + 1 < size) {
		ssize_t n = read(STDIN_FILENO, line + len, 1);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0 || line[len] == '\n') {
			line[len] = '\0';
			return n > 0;
		}
		len++;
	}
	return false;
}

/* ---- Start ---- */

static const char *argument(char **argv, const char *name)
{
	size_t len = strlen(name);
	for (int i = 1; argv[i] != NULL && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], name, len) == 0 &&
		    (argv[i][len] == '=' || argv[i][len] == '\0')) {
			return argv[i][len] == '=' ? argv[i] + len + 1 : argv[i] + len;
		}
	}
	return NULL;
}

static long number(char **argv, const char *name)
{
	const char *text = argument(argv, name);
	return text != NULL ? strtol(text, NULL, 10) : 0;
}

static void fail(const struct ob_error *err)
{
	tell("error begin %s", err->text);
	exit(3);
}

/* The command of the child: the argument "child", then all behind "--". */
static const char *const *command(char **argv)
{
	static const char *child[32];
	size_t n = 1;
	int i = 1;
	while (argv[i] != NULL && strcmp(argv[i], "--") != 0) {
		i++;
	}
	for (i += argv[i] != NULL; argv[i] != NULL && n < 31; i++) {
		child[n++] = argv[i];
	}
	child[0] = argument(argv, "child");
	return child;
}

static void begin(char **argv)
{
	static char points[256];
	static const char *env[2], *auth[2];
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_THREADED};
	struct ob_error err;
	auth[0] = argument(argv, "auth");
	data_path = argument(argv, "data");
	if (argument(argv, "fp") != NULL) {
		snprintf(points, sizeof points, "OUTBOARD_FP=%s", argument(argv, "fp"));
		env[0] = points;
	}
	struct ob_connector_options options = {
	    .size = sizeof options,
	    .name = "actor",
	    .data_path = data_path,
	    .argv = command(argv),
	    .env = env,
	    .auth = auth[0] != NULL ? auth : NULL,
	    .listen = argument(argv, "listen"),
	    .allow_plaintext = argument(argv, "listen") != NULL,
	    .ready_timeout_ms = argument(argv, "ready") != NULL ? number(argv, "ready") : 20000,
	    .restart = {.backoff_base_ms = -1, .max_restarts = (int32_t)number(argv, "max")},
	    .health_interval_ms = number(argv, "beat"),
	    .health_misses = (uint32_t)number(argv, "misses"),
	    .log_pipe_bytes = (uint32_t)number(argv, "pipe"),
	    .on_event = on_event,
	    .on_log = on_log,
	};
	quiet = argument(argv, "quiet") != NULL;
	if (ob_runtime_new(&o, &runtime, &err) < 0 || ob_cancel_new(&woken, &err) < 0 ||
	    ob_connector_new(runtime, &options, &connector, &err) < 0) {
		fail(&err);
	}
}

int main(int argc, char **argv)
{
	char line[256];
	(void)argc;
	begin(argv);
	take_signals();
	while (read_line(line, sizeof line) && strcmp(line, "quit") != 0) {
		obey(line);
	}
	ob_connector_close(connector);
	ob_cancel_free(woken);
	ob_runtime_free(runtime);
	tell("bye");
	return 0;
}
