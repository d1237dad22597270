/* SPDX-License-Identifier: MIT */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/expect.h"
#include "support/scratch.h"

static ob_reply *reply;
/* On a threaded runtime callbacks run on another thread: one lock and one condition for
 * everything they record. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;

/* ---- Recording ---- */

static void note_token(struct family *f)
{
	char *path = family_path(f, "outboard.json");
	struct ob_config config = {.size = sizeof config};
	if (ob_config_read(path, &config, NULL) == OB_OK && config.token != NULL &&
	    f->token_count < 64) {
		snprintf(f->tokens[f->token_count++], 65, "%s", config.token);
	}
	ob_config_clear(&config);
	free(path);
}

static void on_event(void *user, const struct ob_event *event)
{
	struct family *f = user;
	if (event->type == OB_EVENT_STARTING) {
		note_token(f);
	}
	pthread_mutex_lock(&lock);
	if (f->event_count < FAMILY_EVENTS) {
		f->events[f->event_count++] = event->type;
	}
	f->last = *event;
	snprintf(f->cause, sizeof f->cause, "%s", event->cause);
	if (event->type == OB_EVENT_EXITED) {
		f->last_exit = *event;
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void on_log(void *user, const struct ob_log_record *record)
{
	struct family *f = user;
	pthread_mutex_lock(&lock);
	if (f->line_count < FAMILY_LINES) {
		f->numbers[f->line_count] = -1;
		(void)ob_get_int(ob_value_find(&record->attrs, "n"), &f->numbers[f->line_count]);
		f->lines[f->line_count++] =
		    scratch_text("%.*s", (int)record->line.len, (const char *)record->line.data);
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* ---- Start ---- */

static char *child_path(const char *name)
{
	return scratch_text("%s/children/child-%s", scratch_env("OB_TEST_BUILD"), name);
}

void family_begin(struct family *f, enum ob_runtime_mode mode, const char *argument, ...)
{
	struct ob_runtime_options o = {.size = sizeof o, .mode = mode};
	struct ob_error err;
	pthread_condattr_t monotonic;
	size_t n = 1;
	va_list args;
	memset(f, 0, sizeof *f);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &monotonic);
	f->fds = scratch_open_fds();
	f->scratch = scratch_make();
	f->dir = scratch_text("%s/child", f->scratch);
	f->argv[0] = child_path("actor");
	va_start(args, argument);
	for (const char *a = argument; a != NULL && n < 11; a = va_arg(args, const char *)) {
		f->argv[n++] = a;
	}
	va_end(args);
	if (ob_runtime_new(&o, &f->runtime, &err) < 0 || ob_reply_new(&reply, &err) < 0) {
		fail_msg("%s", err.text);
	}
	f->options = (struct ob_connector_options){
	    .size = sizeof f->options,
	    .name = "actor",
	    .data_path = f->dir,
	    .argv = f->argv,
	    .ready_timeout_ms = 20000,
	    .restart = {.backoff_base_ms = -1},
	    .on_event = on_event,
	    .on_log = on_log,
	    .user_data = f,
	};
}

void family_child(struct family *f, const char *name)
{
	free((char *)(uintptr_t)f->argv[0]);
	f->argv[0] = child_path(name);
}

void family_connector(struct family *f)
{
	struct ob_error err;
	if (ob_connector_new(f->runtime, &f->options, &f->connector, &err) < 0) {
		fail_msg("%s", err.text);
	}
}

void family_launch(struct family *f)
{
	struct ob_error err;
	family_connector(f);
	expect(ob_connector_start(f->connector, 0, NULL, &err), OB_OK, &err, NULL);
}

void family_start(struct family *f, enum ob_runtime_mode mode)
{
	family_begin(f, mode, NULL);
	family_launch(f);
}

/* ---- Waiting ---- */

static int wait_ms(void)
{
	const char *times = getenv("OB_TEST_PATIENCE");
	return FAMILY_WAIT_MS * (times != NULL ? atoi(times) : 1);
}

/* Wait for something to happen: a turn of an inline loop, or a record by the thread of the
 * runtime. */
static void let_happen(struct family *f, int64_t deadline)
{
	int64_t ms = deadline - now_ms();
	if (ob_runtime_run(f->runtime, ms < 50 ? 0 : 20) != OB_ENOTSUP) {
		return;
	}
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 20000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	pthread_cond_timedwait(&changed, &lock, &until);
	pthread_mutex_unlock(&lock);
}

struct ob_status family_status(const struct family *f)
{
	struct ob_status s = {.size = sizeof s};
	ob_connector_status(f->connector, &s);
	return s;
}

ob_connector *family_another(struct family *f)
{
	ob_connector *c;
	struct ob_error err;
	expect(ob_connector_new(f->runtime, &f->options, &c, &err), OB_OK, &err, NULL);
	return c;
}

void family_until(struct family *f, bool (*done)(void *user), void *user)
{
	int64_t deadline = now_ms() + wait_ms();
	while (!done(user)) {
		if (now_ms() > deadline) {
			fail_msg("waited for too long; the last event was %s: %s",
				 ob_event_name(f->last.type), f->cause);
		}
		let_happen(f, deadline);
	}
}

struct race {
	bool (*done)(void *user);
	void *user;
	bool expired;
};

static void on_expired(void *user, int what)
{
	(void)what;
	((struct race *)user)->expired = true;
}

static bool is_over(void *user)
{
	struct race *race = user;
	return race->expired || race->done(race->user);
}

void family_until_within(struct family *f, int64_t ms, bool (*done)(void *user), void *user)
{
	struct race race = {done, user, false};
	struct ob_error err;
	ob_watch *timer;
	expect(ob_watch_timer(f->runtime, ms, on_expired, &race, &timer, &err), OB_OK, &err, NULL);
	family_until(f, is_over, &race);
	ob_watch_free(timer);
	assert_true(done(user));
}

uint32_t family_count(const struct family *f, enum ob_event_type type)
{
	uint32_t n = 0;
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < f->event_count; i++) {
		n += f->events[i] == type;
	}
	pthread_mutex_unlock(&lock);
	return n;
}

struct waiting {
	struct family *f;
	uint32_t a, b;
};

static bool has_events(void *user)
{
	struct waiting *w = user;
	return family_count(w->f, w->a) >= w->b;
}

void family_await(struct family *f, enum ob_event_type type, uint32_t times)
{
	struct waiting w = {f, type, times};
	family_until(f, has_events, &w);
}

static bool has_lines(void *user)
{
	struct waiting *w = user;
	pthread_mutex_lock(&lock);
	bool enough = w->f->line_count >= w->a;
	pthread_mutex_unlock(&lock);
	return enough;
}

void family_await_lines(struct family *f, uint32_t lines)
{
	struct waiting w = {f, lines, 0};
	family_until(f, has_lines, &w);
}

static bool has_state(void *user)
{
	struct waiting *w = user;
	struct ob_status status = {.size = sizeof status};
	ob_connector_status(w->f->connector, &status);
	return status.state == w->a && status.link == w->b;
}

void family_await_state(struct family *f, uint32_t state, uint32_t link)
{
	struct waiting w = {f, state, link};
	family_until(f, has_state, &w);
}

/* ---- Calling ---- */

static int call(struct family *f, int64_t timeout_ms, struct ob_error *err, const char *method,
		const char *format, va_list args)
{
	char name[128];
	unsigned char memory[16384];
	struct ob_arena arena = {memory, memory + sizeof memory, NULL};
	struct ob_builder b;
	struct ob_value params = ob_nil();
	snprintf(name, sizeof name, "act.%s", method);
	if (format != NULL) {
		ob_builder_init(&b, &arena);
		ob_buildv(&b, format, args);
		assert_int_equal(ob_builder_finish(&b, &params), OB_OK);
	}
	return ob_client_call(ob_connector_client(f->connector), name, &params, timeout_ms, NULL,
			      reply, err);
}

int family_try(struct family *f, int64_t timeout_ms, struct ob_error *err, const char *method,
	       const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int r = call(f, timeout_ms, err, method, format, args);
	va_end(args);
	return r;
}

const struct ob_value *family_call(struct family *f, const char *method, const char *format, ...)
{
	struct ob_error err = {0};
	va_list args;
	va_start(args, format);
	int r = call(f, 0, &err, method, format, args);
	va_end(args);
	if (r < 0) {
		fail_msg("%s: %s: %s", method, ob_result_name(r), err.text);
	}
	return ob_reply_value(reply);
}

/* ---- Files and processes ---- */

char *family_path(const struct family *f, const char *name)
{
	return scratch_text("%s/%s", f->dir, name);
}

bool family_has(const struct family *f, const char *name)
{
	struct stat st;
	char *path = family_path(f, name);
	bool there = lstat(path, &st) == 0;
	free(path);
	return there;
}

bool family_alive(int32_t pid)
{
	char path[64], line[512], state = 'Z';
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		return false;
	}
	const char *end = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
	if (end != NULL && end[1] == ' ') {
		state = end[2];
	}
	fclose(file);
	return state != 'Z' && state != 'X';
}

void family_await_death(int32_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd dead = {.fd = fd, .events = POLLIN};
	if (fd < 0) {
		return;
	}
	assert_int_equal(poll(&dead, 1, wait_ms()), 1);
	close(fd);
}

/* ---- The end ---- */

static void check_secrets(const struct family *f)
{
	extern char **environ;
	for (uint32_t t = 0; t < f->token_count; t++) {
		for (uint32_t i = 0; i < f->line_count; i++) {
			assert_null(strstr(f->lines[i], f->tokens[t]));
		}
		for (size_t i = 0; environ[i] != NULL; i++) {
			assert_null(strstr(environ[i], f->tokens[t]));
		}
	}
}

static void check_no_children(void)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);
	if (pid != -1 || errno != ECHILD) {
		fail_msg("a child is left: %d", pid);
	}
}

void family_end(struct family *f)
{
	ob_connector_close(f->connector);
	ob_runtime_free(f->runtime);
	ob_reply_free(reply);
	reply = NULL;
	check_secrets(f);
	for (uint32_t i = 0; i < f->line_count; i++) {
		free(f->lines[i]);
	}
	free((char *)(uintptr_t)f->argv[0]);
	free(f->dir);
	scratch_remove(f->scratch);
	check_no_children();
	assert_int_equal(scratch_open_fds(), f->fds);
}
