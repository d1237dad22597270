/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md: Logs by calls. Each promise has a child of its own that is to keep its records. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/child/exam.h"

#define LOGS "outboard-control.logs"

enum {
	PART_MAX = 512,
	PIECE = 61,
	FIRST_MS = 1000,
	AGAIN_MS = 20,
	WAIT_MS = 300,
	SLACK_MS = 10000
};

static const char nobody[] = "00000000000000000000000000000000";

/* An answer. */
struct part {
	char run[33];
	int64_t offset;
	int64_t dropped;
	size_t len;
	uint8_t data[PART_MAX];
};

/* What is asked for. */
struct question {
	const char *run;
	int64_t offset;
	int wait_ms;
	int max; /* at most PART_MAX */
};

/* ---- Answers ---- */

static enum obi_verdict read_part(struct obi_exam *t, const struct ob_value *answer, int max,
				  struct part *ret)
{
	struct ob_bytes run = {NULL, 0}, data = {NULL, 0};
	const struct ob_value *value = ob_value_find(answer, "data");
	*ret = (struct part){.len = 0};
	if (!ob_get_string(ob_value_find(answer, "run"), &run) || run.len != sizeof ret->run - 1) {
		return obi_broken(t, LOGS ": run is not 32 hex digits");
	}
	memcpy(ret->run, run.data, run.len);
	if (!ob_get_int(ob_value_find(answer, "offset"), &ret->offset) || ret->offset < 0 ||
	    ret->offset > INT64_MAX - PART_MAX) {
		return obi_broken(t, LOGS ": offset is not an integer from 0 on");
	}
	if (!ob_get_binary(value, &data) && !ob_get_string(value, &data)) {
		return obi_broken(t, LOGS ": data is neither binary nor a string");
	}
	value = ob_value_find(answer, "dropped");
	if (value != NULL && (!ob_get_int(value, &ret->dropped) || ret->dropped < 0)) {
		return obi_broken(t, LOGS ": dropped is not an integer from 0 on");
	}
	if (data.len > (size_t)max) {
		return obi_broken(t, LOGS ": %zu bytes of data, with %d as max", data.len, max);
	}
	memcpy(ret->data, data.data, data.len);
	ret->len = data.len;
	return OBI_VERDICT_PASS;
}

static enum obi_verdict ask(struct obi_exam *t, struct obi_wire *w, const struct question *q,
			    struct part *ret)
{
	int64_t code;
	int r = obi_wire_call(w, LOGS, "[s,I,i,i]", q->run, q->offset, q->wait_ms, q->max);
	if (r == OB_OK && obi_wire_failed(w, &code) && code == OB_RPC_NO_METHOD) {
		return obi_skipped(t, "it keeps no records");
	}
	enum obi_verdict v = obi_exam_result(t, w, r, LOGS);
	return v == OBI_VERDICT_PASS ? read_part(t, &w->message.result, q->max, ret) : v;
}

/* ---- A child that keeps its records ---- */

typedef enum obi_verdict judge_fn(struct obi_exam *t, struct obi_wire *parent,
				  const struct part *first);

/* Ask for what is kept, as a parent that has nothing. */
static enum obi_verdict find_first(struct obi_exam *t, struct obi_wire *w, struct part *ret)
{
	const struct question q = {"", 0, 0, PART_MAX};
	int64_t end = obi_now_ms() + FIRST_MS;
	enum obi_verdict v = ask(t, w, &q, ret);
	while (v == OBI_VERDICT_PASS && ret->len == 0 && obi_now_ms() < end && *t->s->stop == 0) {
		poll(NULL, 0, AGAIN_MS);
		v = ask(t, w, &q, ret);
	}
	return v;
}

static enum obi_verdict judge_as_parent(struct obi_exam *t, judge_fn *judge)
{
	struct obi_wire w;
	struct part first;
	obi_exam_provoke(t);
	enum obi_verdict v = obi_exam_parent(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	v = find_first(t, &w, &first);
	v = v == OBI_VERDICT_PASS ? judge(t, &w, &first) : v;
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict with_kept_logs(struct obi_exam *t, judge_fn *judge)
{
	struct ob_error err = {0};
	obi_subject_end(t->s);
	t->s->keeps_logs = true;
	int r = obi_subject_start(t->s, false, &err);
	r = r == OB_OK ? obi_subject_release(t->s, &err) : r;
	enum obi_verdict v =
	    r == OB_OK ? judge_as_parent(t, judge) : obi_broken(t, "%.400s", err.text);
	if (v == OBI_VERDICT_PASS && !obi_subject_lives(t->s)) {
		v = obi_broken(t, "it ended when this was tried");
	}
	obi_subject_end(t->s);
	t->s->keeps_logs = false;
	return v;
}

/* ---- The promises ---- */

static enum obi_verdict judge_stranger(struct obi_exam *t, struct obi_wire *parent,
				       const struct part *first)
{
	struct obi_wire w;
	(void)parent;
	(void)first;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v == OBI_VERDICT_PASS) {
		int r = obi_wire_call(&w, LOGS, NULL);
		v = obi_exam_error(t, &w, r, LOGS " for one who is not the parent", OB_RPC_DENIED);
		obi_wire_close(&w);
	}
	return v;
}

static enum obi_verdict only_to_parent(struct obi_exam *t)
{
	return with_kept_logs(t, judge_stranger);
}

static enum obi_verdict need_records(struct obi_exam *t, const struct part *first)
{
	return first->len > 0 ? OBI_VERDICT_PASS : obi_skipped(t, "it logged nothing");
}

/* Whether the answer has what is at this place of the first one. */
static enum obi_verdict expect_at(struct obi_exam *t, const struct part *got,
				  const struct part *first, size_t at, const char *when)
{
	size_t left = first->len - at, len = got->len < left ? got->len : left;
	if (strcmp(got->run, first->run) != 0) {
		return obi_broken(t, "run has changed in one process");
	}
	if (got->offset != first->offset + (int64_t)at) {
		return obi_broken(t, "%s: the offset %lld, not %lld", when, (long long)got->offset,
				  (long long)first->offset + (long long)at);
	}
	return len > 0 && memcmp(got->data, first->data + at, len) == 0
		   ? OBI_VERDICT_PASS
		   : obi_broken(t, "%s: other bytes than before at the offset %lld", when,
				(long long)got->offset);
}

/* The same once more, and then in pieces, each of which acknowledges the one before. */
static enum obi_verdict judge_order(struct obi_exam *t, struct obi_wire *w,
				    const struct part *first)
{
	struct part got;
	struct question q = {first->run, first->offset, 0, PART_MAX};
	enum obi_verdict v = need_records(t, first);
	v = v == OBI_VERDICT_PASS ? ask(t, w, &q, &got) : v;
	v = v == OBI_VERDICT_PASS ? expect_at(t, &got, first, 0, "asked again") : v;
	q.max = PIECE;
	for (size_t at = 0; v == OBI_VERDICT_PASS && at < first->len; at += got.len) {
		q.offset = first->offset + (int64_t)at;
		v = ask(t, w, &q, &got);
		v = v == OBI_VERDICT_PASS ? expect_at(t, &got, first, at, "asked for pieces") : v;
	}
	return v;
}

static enum obi_verdict keeps_order(struct obi_exam *t)
{
	return with_kept_logs(t, judge_order);
}

static enum obi_verdict judge_max(struct obi_exam *t, struct obi_wire *w, const struct part *first)
{
	enum obi_verdict v = need_records(t, first);
	struct part got;
	for (int max = 1; v == OBI_VERDICT_PASS && max <= PIECE; max *= 3) {
		const struct question q = {first->run, first->offset, 0, max};
		v = ask(t, w, &q, &got);
		v = v == OBI_VERDICT_PASS ? expect_at(t, &got, first, 0, "with a small max") : v;
	}
	return v;
}

static enum obi_verdict keeps_to_max(struct obi_exam *t)
{
	return with_kept_logs(t, judge_max);
}

/* The offset is one of another run, so it acknowledges nothing. */
static enum obi_verdict judge_run(struct obi_exam *t, struct obi_wire *w, const struct part *first)
{
	struct part got;
	const struct question q = {nobody, first->offset + (int64_t)first->len, 0, PART_MAX};
	enum obi_verdict v = need_records(t, first);
	v = v == OBI_VERDICT_PASS ? ask(t, w, &q, &got) : v;
	return v == OBI_VERDICT_PASS ? expect_at(t, &got, first, 0, "asked for another run") : v;
}

static enum obi_verdict knows_its_run(struct obi_exam *t)
{
	return with_kept_logs(t, judge_run);
}

/* Read all that there is. *ret: a question for what comes next. */
static enum obi_verdict read_all(struct obi_exam *t, struct obi_wire *w, const struct part *first,
				 struct question *ret)
{
	struct part got;
	enum obi_verdict v;
	int64_t end = obi_now_ms() + t->s->patience;
	*ret = (struct question){first->run, first->offset + (int64_t)first->len, 0, PART_MAX};
	do {
		v = ask(t, w, ret, &got);
		ret->offset = got.offset + (int64_t)got.len;
	} while (v == OBI_VERDICT_PASS && got.len > 0 && obi_now_ms() < end && *t->s->stop == 0);
	return v != OBI_VERDICT_PASS || got.len == 0 ? v : obi_skipped(t, "it logs without end");
}

static enum obi_verdict judge_wait(struct obi_exam *t, struct obi_wire *w, const struct part *first)
{
	struct part got;
	struct question q;
	enum obi_verdict v = read_all(t, w, first, &q);
	q.wait_ms = WAIT_MS;
	w->patience = w->patience < SLACK_MS ? w->patience : SLACK_MS;
	return v == OBI_VERDICT_PASS ? ask(t, w, &q, &got) : v;
}

static enum obi_verdict keeps_to_wait(struct obi_exam *t)
{
	return with_kept_logs(t, judge_wait);
}

static enum obi_verdict judge_two(struct obi_exam *t, struct obi_wire *w, const struct part *first)
{
	struct question q;
	enum obi_verdict v = read_all(t, w, first, &q);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_ask(w, LOGS, "[s,I,i,i]", q.run, q.offset, 60000, q.max);
	uint32_t id = w->id;
	r = r == OB_OK ? obi_wire_ask(w, LOGS, "[s,I,i,i]", q.run, q.offset, WAIT_MS, q.max) : r;
	w->patience = w->patience < SLACK_MS ? w->patience : SLACK_MS;
	bool seen[2] = {false, false};
	for (int i = 0; r == OB_OK && v == OBI_VERDICT_PASS && i < 2; i++) {
		struct part got;
		r = obi_wire_answer(w);
		v = obi_exam_result(t, w, r, "one of two calls of " LOGS);
		v = v == OBI_VERDICT_PASS ? read_part(t, &w->message.result, q.max, &got) : v;
		seen[w->message.id.number != id] = true;
	}
	return v != OBI_VERDICT_PASS || (seen[0] && seen[1])
		   ? v
		   : obi_broken(t, "one of two calls was answered twice");
}

static enum obi_verdict ends_the_first(struct obi_exam *t)
{
	return with_kept_logs(t, judge_two);
}

/* The check starts and ends the child by itself. */
enum { NEEDS = OBI_NEEDS_CONTROL | OBI_NEEDS_NOTHING | OBI_ENDS };

const struct obi_promise obi_promises_kept_logs[] = {
    {"gives its records to its parent only", only_to_parent, NEEDS},
    {"keeps records until they are acknowledged", keeps_order, NEEDS},
    {"answers with no more bytes than max", keeps_to_max, NEEDS},
    {"takes an offset of another run for none", knows_its_run, NEEDS},
    {"keeps a call for wait_ms at most", keeps_to_wait, NEEDS},
    {"ends a call that waits when another one comes", ends_the_first, NEEDS},
    {0},
};
