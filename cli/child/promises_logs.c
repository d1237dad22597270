/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md: Logs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/child/exam.h"

static enum obi_verdict ends_lines(struct obi_exam *t)
{
	struct obi_output out;
	obi_subject_output(t->s, &out);
	if (out.lines == 0) {
		return obi_skipped(t, "it printed nothing");
	}
	return out.cut == 0 ? OBI_VERDICT_PASS
			    : obi_broken(t, "a line was not ended within 1 s, or is over 1 MiB: %s",
					 out.odd);
}

static enum obi_verdict writes_records(struct obi_exam *t)
{
	struct obi_output out;
	obi_subject_output(t->s, &out);
	if (out.records == 0) {
		return obi_skipped(t, "it wrote no line that is a JSON object");
	}
	return out.unlevel == 0
		   ? OBI_VERDICT_PASS
		   : obi_broken(t, "time, level or msg is missing or not understood: %s", out.odd);
}

/* ---- A full pipe ---- */

/* Fill a pipe with our own lines. Returns how many. */
static uint32_t fill(const struct obi_subject *s, const char *name)
{
	char path[OBI_SUBJECT_PATH_MAX + 16], line[OBI_SUBJECT_MARK];
	uint32_t count = 0;
	snprintf(path, sizeof path, "%s/%s.fifo", s->data, name);
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	for (;;) {
		obi_subject_mark(count, line);
		if (fd < 0 || write(fd, line, sizeof line) != (ssize_t)sizeof line) {
			break;
		}
		count++;
	}
	if (fd >= 0) {
		close(fd);
	}
	return count;
}

void obi_exam_provoke(struct obi_exam *t)
{
	struct obi_wire w;
	struct obi_login wrong = {.token = "no"};
	for (int i = 0; i < 3; i++) {
		if (obi_wire_open(&w, t->s, &t->plugins) == OB_OK) {
			w.patience = 300;
			(void)obi_wire_login(&w, i == 0 ? &wrong : NULL, NULL);
			(void)obi_wire_call(&w, "outboard.supervise", "[s]", t->s->instance);
		}
		obi_wire_close(&w);
	}
}

static bool came_back(struct obi_subject *s, const uint32_t sent[2], struct obi_output *out)
{
	int64_t end = obi_now_ms() + s->patience;
	do {
		obi_subject_output(s, out);
		if (out->marks[0] >= sent[0] && out->marks[1] >= sent[1]) {
			return true;
		}
		poll(NULL, 0, 10);
	} while (obi_now_ms() < end && *s->stop == 0);
	return false;
}

static enum obi_verdict survives_full_pipe(struct obi_exam *t)
{
	struct ob_error err = {0};
	struct obi_output out;
	obi_subject_pause_reading(t->s);
	uint32_t sent[2] = {fill(t->s, "stdout"), fill(t->s, "stderr")};
	obi_exam_provoke(t);
	if (obi_subject_read_on(t->s, &err) < 0) {
		return obi_broken(t, "%.400s", err.text);
	}
	bool all = came_back(t->s, sent, &out);
	enum obi_verdict v = obi_exam_serves(t, "its pipes were full for a while");
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	return all && !out.disordered
		   ? OBI_VERDICT_PASS
		   : obi_broken(t, "lines in its pipes did not come back whole and in order");
}

const struct obi_promise obi_promises_logs[] = {
    {"goes on after its pipes were full", survives_full_pipe, OBI_NEEDS_START},
    {"ends its lines", ends_lines, OBI_NEEDS_START},
    {"writes records in the documented form", writes_records, OBI_NEEDS_START},
    {0},
};
