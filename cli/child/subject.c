/* SPDX-License-Identifier: MIT */
#include "cli/child/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "cli/child/subject_files.h"
#include "cli/config/load.h"
#include "cli/input.h"

enum { ARENA_MAX = 8 << 20, TEXT_MAX = 1 << 20, END_MS = 2000, SLICE_MS = 100, LIST_MAX = 16 };

/* ---- Before and after ---- */

static int make_dirs(struct obi_subject *s, struct ob_error *reterr)
{
	int r = obi_scratch_make("outboard-child", s->dir, reterr);
	if (r < 0) {
		return r;
	}
	snprintf(s->data, sizeof s->data, "%s/data", s->dir);
	snprintf(s->state, sizeof s->state, "%s/state", s->dir);
	return mkdir(s->data, 0700) == 0 ? OB_OK : obi_fail(reterr, OB_EIO, errno, "%s", s->data);
}

static int make_runtime(struct obi_subject *s, struct ob_error *reterr)
{
	const struct ob_runtime_options options = {.size = sizeof options,
						   .mode = OB_RUNTIME_THREADED};
	return ob_runtime_new(&options, &s->rt, reterr);
}

int obi_subject_init(struct obi_subject *s, struct ob_error *reterr)
{
	ssize_t n = readlink("/proc/self/exe", s->program, sizeof s->program - 1);
	s->pidfd = s->fifos[0] = s->fifos[1] = -1;
	s->dir[0] = '\0';
	pthread_mutex_init(&s->lock, NULL);
	obi_arena_init(&s->arena, ARENA_MAX);
	obi_buf_init(&s->texts[0], TEXT_MAX);
	obi_buf_init(&s->texts[1], TEXT_MAX);
	if (n <= 0) {
		return obi_fail(reterr, OB_EIO, errno, "/proc/self/exe");
	}
	s->program[n] = '\0';
	int r = make_runtime(s, reterr);
	r = r == OB_OK ? ob_cancel_new(&s->cancel, reterr) : r;
	if (r == OB_OK) {
		obi_scratch_catch(s->cancel);
		r = make_dirs(s, reterr);
	}
	return r;
}

void obi_subject_free(struct obi_subject *s)
{
	obi_subject_end(s);
	if (s->rt != NULL) {
		ob_runtime_free(s->rt);
	}
	obi_scratch_remove(s->dir);
	obi_buf_free(&s->texts[0]);
	obi_buf_free(&s->texts[1]);
	obi_arena_free(&s->arena);
	pthread_mutex_destroy(&s->lock);
	if (s->cancel != NULL) {
		obi_scratch_release();
	}
	ob_cancel_free(s->cancel);
}

/* ---- Its connector ---- */

static void note_event(void *user, const struct ob_event *event)
{
	struct obi_subject *s = user;
	if (event->type == OB_EVENT_EXITED) {
		pthread_mutex_lock(&s->lock);
		s->exited = true;
		s->exit_kind = event->exit_kind;
		s->exit_value = event->exit_value;
		pthread_mutex_unlock(&s->lock);
	}
}

/* The mechanisms as a list. text holds them. */
static void split_auth(const char *auth, char *text, size_t size, const char **list)
{
	int count = 0;
	char *rest = NULL;
	snprintf(text, size, "%s", auth);
	for (char *name = strtok_r(text, ",", &rest); name != NULL && count < LIST_MAX;
	     name = strtok_r(NULL, ",", &rest)) {
		list[count++] = name;
	}
	list[count] = NULL;
}

static const char **make_command(const struct obi_subject *s, char *pid, char *copy, char *socket)
{
	const char **argv = calloc((size_t)s->words + 7, sizeof *argv);
	if (argv != NULL) {
		const char *const first[] = {s->program, "child", "launch", pid, copy, socket};
		memcpy(argv, first, sizeof first);
		memcpy(argv + 6, s->command, (size_t)s->words * sizeof *argv);
	}
	return argv;
}

static int make_connector(struct obi_subject *s, bool socket, struct ob_error *reterr)
{
	char pid[16], copy[OBI_SUBJECT_PATH_MAX + 16], place[OBI_SUBJECT_PATH_MAX + 16] = "";
	char auth[256];
	const char *list[LIST_MAX + 1];
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	snprintf(copy, sizeof copy, "%s/before.json", s->dir);
	if (socket) {
		obi_subject_socket(s, place, sizeof place);
	}
	split_auth(s->auth, auth, sizeof auth, list);
	const char **argv = make_command(s, pid, copy, place);
	if (argv == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	const struct ob_connector_options options = {
	    .size = sizeof options,
	    .name = "child",
	    .data_path = s->data,
	    .state_path = s->state,
	    .argv = argv,
	    .codec = s->codec,
	    .auth = list,
	    .ready = s->ready,
	    .ready_timeout_ms = s->patience,
	    .restart = {.max_restarts = -1, .on = OB_RESTART_NEVER},
	    .stop_timeout_ms = END_MS,
	    .health_interval_ms = -1,
	    .message_max = 0,
	    .logs = s->keeps_logs ? OB_LOGS_RPC : OB_LOGS_OUTPUT,
	    .call_timeout_ms = s->patience,
	    .on_event = note_event,
	    .on_log = obi_subject_note_line,
	    .user_data = s,
	};
	int r = ob_connector_new(s->rt, &options, &s->connector, reterr);
	free(argv);
	return r;
}

/* ---- Starting ---- */

static void forget(struct obi_subject *s)
{
	s->exited = false;
	s->token[0] = s->instance[0] = '\0';
	s->before = s->after = ob_nil();
	obi_arena_reset(&s->arena);
	memset(&s->readiness, 0, sizeof s->readiness);
	memset(&s->output, 0, sizeof s->output);
}

static void copy_text(const struct ob_value *tree, const char *key, char *to, size_t size)
{
	struct ob_bytes text;
	const struct ob_value *value = ob_value_find(tree, key);
	if (value != NULL && ob_get_string(value, &text) && text.len < size) {
		memcpy(to, text.data, text.len);
		to[text.len] = '\0';
	}
}

static int read_before(struct obi_subject *s, struct ob_error *reterr)
{
	char path[OBI_SUBJECT_PATH_MAX + 16];
	snprintf(path, sizeof path, "%s/before.json", s->dir);
	int r = obi_subject_read(s, path, 0, &s->before, reterr);
	copy_text(&s->before, "token", s->token, sizeof s->token);
	copy_text(&s->before, "instance", s->instance, sizeof s->instance);
	return r;
}

static int start(struct obi_subject *s, bool socket, struct ob_error *reterr)
{
	int watch = -1;
	forget(s);
	int r = obi_subject_watch(s, &watch, reterr);
	r = r == OB_OK ? make_connector(s, socket, reterr) : r;
	if (r == OB_OK) {
		s->running = true;
		r = ob_connector_start(s->connector, -1, s->cancel, reterr);
	}
	r = r == OB_OK ? read_before(s, reterr) : r;
	if (r == OB_OK && s->ready == OB_READY_CONFIG) {
		obi_subject_await_told(s, watch);
	}
	if (watch >= 0) {
		close(watch);
	}
	if (r == OB_OK) {
		s->pid = ob_connector_pid(s->connector);
		s->pidfd = s->pid > 0 ? pidfd_open(s->pid, 0) : -1;
		r = s->pidfd >= 0 ? OB_OK : obi_fail(reterr, OB_EEXITED, 0, "it ended at once");
	}
	return r;
}

int obi_subject_start(struct obi_subject *s, bool socket, struct ob_error *reterr)
{
	int r = start(s, socket, reterr);
	if (r < 0) {
		obi_subject_end(s);
		obi_subject_explain(s, reterr->text, sizeof reterr->text);
	}
	return r;
}

/* ---- Letting go, and adopting ---- */

int obi_subject_release(struct obi_subject *s, struct ob_error *reterr)
{
	int r = ob_connector_detach(s->connector, reterr);
	if (r == OB_OK) {
		ob_connector_close(s->connector);
		s->connector = NULL;
		r = obi_subject_read_on(s, reterr);
	}
	return r;
}

int obi_subject_adopt(struct obi_subject *s, struct ob_error *reterr)
{
	obi_subject_stop_reading(s);
	int r = make_connector(s, false, reterr);
	return r == OB_OK ? ob_connector_reconnect(s->connector, s->patience, s->cancel, reterr)
			  : r;
}

/* ---- The end ---- */

bool obi_subject_lives(const struct obi_subject *s)
{
	struct pollfd p = {.fd = s->pidfd, .events = POLLIN};
	return s->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

bool obi_subject_await_end(const struct obi_subject *s)
{
	struct pollfd p = {.fd = s->pidfd, .events = POLLIN};
	int64_t end = obi_now_ms() + s->patience;
	while (s->pidfd >= 0 && *s->stop == 0 && obi_now_ms() < end) {
		if (poll(&p, 1, SLICE_MS) > 0) {
			return true;
		}
	}
	return s->pidfd < 0;
}

bool obi_subject_await_exit(struct obi_subject *s, uint32_t *ret_kind, int *ret_value)
{
	int64_t end = obi_now_ms() + s->patience;
	bool exited = false;
	while (!exited && *s->stop == 0 && obi_now_ms() < end) {
		pthread_mutex_lock(&s->lock);
		exited = s->exited;
		*ret_kind = s->exit_kind;
		*ret_value = s->exit_value;
		pthread_mutex_unlock(&s->lock);
		if (!exited) {
			poll(NULL, 0, SLICE_MS / 10);
		}
	}
	return exited;
}

void obi_subject_end(struct obi_subject *s)
{
	const struct ob_child_end_options options = {
	    .size = sizeof options, .name = "child", .stop_timeout_ms = END_MS};
	obi_subject_stop_reading(s);
	if (s->connector != NULL) {
		(void)ob_connector_stop(s->connector, -1, NULL, NULL);
		ob_connector_close(s->connector);
	} else if (s->running) {
		(void)ob_child_end(s->rt, s->data, s->state, &options, -1, NULL, NULL);
	}
	if (s->pidfd >= 0) {
		close(s->pidfd);
	}
	s->connector = NULL;
	s->running = false;
	s->pidfd = -1;
}

void obi_subject_socket(const struct obi_subject *s, char *path, size_t size)
{
	snprintf(path, size, "%s/rpc.sock", s->data);
}
