/* SPDX-License-Identifier: MIT */
#include "cli/child/subject_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/input.h"

enum { SLICE_MS = 100 };

/* ---- outboard.json ---- */

int obi_subject_read(struct obi_subject *s, const char *path, int which, struct ob_value *ret,
		     struct ob_error *reterr)
{
	struct obi_buf *text = &s->texts[which];
	obi_buf_truncate(text, 0);
	int r = obi_input_read(path, text, NULL, reterr);
	return r == OB_OK ? ob_value_from_json(obi_buf_bytes(text), NULL, &s->arena.ob, ret, reterr)
			  : r;
}

int obi_subject_watch(struct obi_subject *s, int *ret_watch, struct ob_error *reterr)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0 || inotify_add_watch(fd, s->data, IN_MODIFY | IN_MOVED_TO | IN_CREATE) < 0) {
		int sys = errno;
		if (fd >= 0) {
			close(fd);
		}
		return obi_fail(reterr, OB_EIO, sys, "watching %s", s->data);
	}
	*ret_watch = fd;
	return OB_OK;
}

/* Take what the kernel has reported. The launcher and the connector replace the file as a whole. */
static void take_events(struct obi_subject *s, int watch)
{
	_Alignas(struct inotify_event) char bytes[4096];
	ssize_t n;
	while ((n = read(watch, bytes, sizeof bytes)) > 0) {
		for (char *at = bytes; at < bytes + n;) {
			const struct inotify_event *event = (const void *)at;
			at += sizeof *event + event->len;
			if (event->len > 0 && (event->mask & IN_MODIFY) != 0 &&
			    strcmp(event->name, "outboard.json") == 0) {
				s->readiness.in_place = true;
			}
		}
	}
}

static bool says_ready(const struct obi_subject *s)
{
	bool ready = false;
	struct ob_bytes instance;
	const struct ob_value *one = ob_value_find(&s->after, "ready");
	const struct ob_value *two = ob_value_find(&s->after, "instance");
	return one != NULL && ob_get_bool(one, &ready) && ready && two != NULL &&
	       ob_get_string(two, &instance) && ob_bytes_is(instance, s->instance);
}

/* Read the file as it is now. */
static void look(struct obi_subject *s)
{
	char path[OBI_SUBJECT_PATH_MAX + 16];
	struct stat st;
	snprintf(path, sizeof path, "%s/outboard.json", s->data);
	/* Opening a pipe would block. */
	if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
	    obi_subject_read(s, path, 1, &s->after, NULL) < 0) {
		s->after = ob_nil();
		return;
	}
	s->readiness.told = says_ready(s);
	s->readiness.mode = st.st_mode;
	s->readiness.owner = st.st_uid;
}

static uint32_t count_strays(const char *path)
{
	uint32_t count = 0;
	DIR *dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		count += strncmp(e->d_name, "outboard-config-", 16) == 0;
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return count;
}

void obi_subject_await_told(struct obi_subject *s, int watch)
{
	struct pollfd p = {.fd = watch, .events = POLLIN};
	int64_t end = obi_now_ms() + s->patience;
	for (;;) {
		take_events(s, watch);
		look(s);
		if (s->readiness.told || obi_now_ms() >= end || *s->stop != 0) {
			break;
		}
		poll(&p, 1, SLICE_MS);
	}
	take_events(s, watch);
	s->readiness.strays = count_strays(s->data);
}

/* ---- Output ---- */

void obi_subject_mark(uint32_t number, char line[OBI_SUBJECT_MARK])
{
	memset(line, '.', OBI_SUBJECT_MARK - 1);
	line[snprintf(line, OBI_SUBJECT_MARK, "outboard-check %u", number)] = '.';
	line[OBI_SUBJECT_MARK - 1] = '\n';
}

/* Whether it is a line of the check itself. */
static bool take_mark(struct obi_output *out, const struct ob_log_record *r)
{
	char mark[OBI_SUBJECT_MARK];
	uint32_t *marks = &out->marks[r->stream == 2];
	if (r->line.len < 15 || memcmp(r->line.data, "outboard-check ", 15) != 0) {
		return false;
	}
	obi_subject_mark((*marks)++, mark);
	if (!ob_bytes_equal(r->line, ob_bytes_of(mark, sizeof mark - 1))) {
		out->disordered = true;
	}
	return true;
}

static void keep_line(char *to, size_t size, struct ob_bytes line)
{
	char text[200];
	snprintf(text, sizeof text, "%.*s", (int)(line.len < 190 ? line.len : 190),
		 (const char *)line.data);
	obi_text_show(text, to, size);
}

static void judge(struct obi_output *out, const struct ob_log_record *r)
{
	bool cut = (r->flags & (OB_LOG_PARTIAL | OB_LOG_TRUNCATED)) != 0;
	bool record = (r->flags & OB_LOG_PARSED) != 0;
	/* What could not be understood stays an attribute. */
	bool unlevel = record && ((r->flags & OB_LOG_HAS_TIME) == 0 || r->message.len == 0 ||
				  ob_value_find(&r->attrs, "level") != NULL);
	if ((cut || unlevel) && out->cut + out->unlevel == 0) {
		keep_line(out->odd, sizeof out->odd, r->line);
	}
	out->lines++;
	out->cut += cut;
	out->records += record;
	out->unlevel += unlevel;
	keep_line(out->last, sizeof out->last, r->line);
}

void obi_subject_note_line(void *subject, const struct ob_log_record *record)
{
	struct obi_subject *s = subject;
	if (record->stream != 1 && record->stream != 2) {
		return;
	}
	pthread_mutex_lock(&s->lock);
	if (!take_mark(&s->output, record)) {
		judge(&s->output, record);
	}
	pthread_mutex_unlock(&s->lock);
}

void obi_subject_output(struct obi_subject *s, struct obi_output *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = s->output;
	pthread_mutex_unlock(&s->lock);
}

void obi_subject_explain(struct obi_subject *s, char *why, size_t size)
{
	struct obi_output out;
	obi_subject_output(s, &out);
	size_t len = strlen(why);
	if (out.last[0] != '\0') {
		snprintf(why + len, size - len, "; its last output: %s", out.last);
	}
}

/* ---- Reading its output ---- */

static int read_stream(struct obi_subject *s, int i, struct ob_error *reterr)
{
	char path[OBI_SUBJECT_PATH_MAX + 16];
	snprintf(path, sizeof path, "%s/%s.fifo", s->data, i == 0 ? "stdout" : "stderr");
	if (s->fifos[i] < 0) {
		s->fifos[i] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	}
	if (s->fifos[i] < 0) {
		return obi_fail(reterr, OB_EIO, errno, "%s", path);
	}
	const struct ob_log_reader_options options = {.size = sizeof options,
						      .fd = s->fifos[i],
						      .name = "child",
						      .stream = i + 1,
						      .on_log = obi_subject_note_line,
						      .user_data = s};
	return ob_log_reader_new(s->rt, &options, &s->readers[i], reterr);
}

int obi_subject_read_on(struct obi_subject *s, struct ob_error *reterr)
{
	int r = read_stream(s, 0, reterr);
	return r == OB_OK ? read_stream(s, 1, reterr) : r;
}

void obi_subject_pause_reading(struct obi_subject *s)
{
	for (int i = 0; i < 2; i++) {
		ob_log_reader_close(s->readers[i]);
		s->readers[i] = NULL;
	}
	pthread_mutex_lock(&s->lock);
	s->output.marks[0] = s->output.marks[1] = 0;
	s->output.disordered = false;
	pthread_mutex_unlock(&s->lock);
}

void obi_subject_stop_reading(struct obi_subject *s)
{
	obi_subject_pause_reading(s);
	for (int i = 0; i < 2; i++) {
		if (s->fifos[i] >= 0) {
			close(s->fifos[i]);
		}
		s->fifos[i] = -1;
	}
}
