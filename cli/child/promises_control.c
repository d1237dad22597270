/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md: The control interface, and The end. */
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "cli/child/exam.h"

/* ---- The control interface ---- */

static const struct ob_value *member(const struct obi_wire *w, const char *key)
{
	return ob_value_find(&w->message.result, key);
}

static bool is_int(const struct ob_value *v, int64_t least, int64_t *ret)
{
	return v != NULL && ob_get_int(v, ret) && *ret >= least;
}

struct health {
	int64_t uptime;
	char run[33];
};

static enum obi_verdict read_run(struct obi_exam *t, const struct obi_wire *w, struct health *ret)
{
	struct ob_bytes run = {NULL, 0};
	const struct ob_value *v = member(w, "run");
	ret->run[0] = '\0';
	if (v == NULL || ob_is_nil(v)) {
		return OBI_VERDICT_PASS; /* optional */
	}
	bool text = ob_get_string(v, &run) && run.len == 32;
	for (size_t i = 0; text && i < run.len; i++) {
		text = strchr("0123456789abcdefABCDEF", run.data[i]) != NULL && run.data[i] != 0;
	}
	if (!text) {
		return obi_broken(t, "run is not 32 hex digits");
	}
	snprintf(ret->run, sizeof ret->run, "%.32s", (const char *)run.data);
	return OBI_VERDICT_PASS;
}

static enum obi_verdict read_health(struct obi_exam *t, struct obi_wire *w, struct health *ret)
{
	int64_t n;
	bool healthy;
	struct ob_bytes text;
	int r = obi_wire_call(w, "outboard-control.health", NULL);
	enum obi_verdict v = obi_exam_result(t, w, r, "outboard-control.health");
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	const struct ob_value *at = member(w, "timestamp");
	if (member(w, "healthy") == NULL || !ob_get_bool(member(w, "healthy"), &healthy)) {
		return obi_broken(t, "healthy is not a boolean");
	}
	if (at == NULL || !is_int(ob_value_find(at, "seconds"), 0, &n) ||
	    !is_int(ob_value_find(at, "nanoseconds"), 0, &n) || n > 999999999) {
		return obi_broken(t, "timestamp is not {\"seconds\", \"nanoseconds\"}");
	}
	if (!is_int(member(w, "pid"), 1, &n) || n > INT32_MAX) {
		return obi_broken(t, "pid is not an integer from 1 on");
	}
	if (!is_int(member(w, "uptime"), 0, &ret->uptime)) {
		return obi_broken(t, "uptime is not an integer from 0 on");
	}
	if (member(w, "last_error") == NULL || !ob_get_string(member(w, "last_error"), &text)) {
		return obi_broken(t, "last_error is not a text");
	}
	return read_run(t, w, ret);
}

static enum obi_verdict answers_health(struct obi_exam *t)
{
	struct obi_wire w;
	struct health one, two;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	v = read_health(t, &w, &one);
	v = v == OBI_VERDICT_PASS ? read_health(t, &w, &two) : v;
	if (v == OBI_VERDICT_PASS && two.uptime < one.uptime) {
		v = obi_broken(t, "uptime went back");
	} else if (v == OBI_VERDICT_PASS && strcmp(one.run, two.run) != 0) {
		v = obi_broken(t, "run has changed in one process");
	}
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict read_version(struct obi_exam *t, struct obi_wire *w, int r,
				     int64_t *ret_current, bool *ret_restart)
{
	enum obi_verdict v = obi_exam_result(t, w, r, "outboard-control.checkVersion");
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	if (!is_int(member(w, "current_version"), 0, ret_current)) {
		return obi_broken(t, "current_version is not an integer from 0 on");
	}
	return member(w, "needs_restart") != NULL &&
		       ob_get_bool(member(w, "needs_restart"), ret_restart)
		   ? OBI_VERDICT_PASS
		   : obi_broken(t, "needs_restart is not a boolean");
}

static enum obi_verdict answers_version(struct obi_exam *t)
{
	struct obi_wire w;
	int64_t current = 0, again = 0;
	bool restart = false;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_call(&w, "outboard-control.checkVersion", "[i]", 0);
	v = read_version(t, &w, r, &current, &restart);
	if (v == OBI_VERDICT_PASS && restart) {
		v = obi_broken(t, "needs_restart is true for version 0");
	}
	if (v == OBI_VERDICT_PASS) {
		r = obi_wire_call(&w, "outboard-control.checkVersion", "{s:I}", "expected_version",
				  current);
		v = read_version(t, &w, r, &again, &restart);
	}
	if (v == OBI_VERDICT_PASS && (restart || again != current)) {
		v = obi_broken(t, "it does not accept its own version, as a parameter by name");
	}
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict answers_interfaces(struct obi_exam *t)
{
	struct obi_wire w;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_call(&w, "outboard-control.interfaces", NULL);
	v = obi_exam_result(t, &w, r, "outboard-control.interfaces");
	bool named = false, texts = w.message.result.type == OB_ARRAY;
	for (uint32_t i = 0; v == OBI_VERDICT_PASS && texts && i < w.message.result.count; i++) {
		struct ob_bytes name;
		texts = ob_get_string(ob_value_at(&w.message.result, i), &name);
		named |= texts && ob_bytes_is(name, "outboard-control");
	}
	if (v == OBI_VERDICT_PASS && !(texts && named)) {
		v = obi_broken(t, "it is not a list of names with \"outboard-control\" in it");
	}
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict denies_shutdown(struct obi_exam *t)
{
	struct obi_wire w;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_call(&w, "outboard-control.shutdown", NULL);
	v = obi_exam_error(t, &w, r, "shutdown for one who is not the parent", OB_RPC_DENIED);
	obi_wire_close(&w);
	return v == OBI_VERDICT_PASS ? obi_exam_serves(t, "a shutdown that was denied") : v;
}

const struct obi_promise obi_promises_control[] = {
    {"answers health", answers_health, OBI_NEEDS_CONTROL},
    {"answers checkVersion, by position and by name", answers_version, OBI_NEEDS_CONTROL},
    {"answers interfaces", answers_interfaces, OBI_NEEDS_CONTROL},
    {"denies shutdown to others than its parent", denies_shutdown, OBI_NEEDS_CONTROL | OBI_ENDS},
    {0},
};

/* ---- The end ---- */

static enum obi_verdict expect_end(struct obi_exam *t, const char *after)
{
	return obi_subject_await_end(t->s) ? OBI_VERDICT_PASS
					   : obi_broken(t, "it did not end within %.1f s after %s",
							(double)t->s->patience / 1000, after);
}

/* The response, then perhaps $/bye, then the end of the stream, then that of the process. */
static enum obi_verdict expect_goodbye(struct obi_exam *t, struct obi_wire *w, const char *after)
{
	int r;
	do {
		r = obi_wire_next(w);
	} while (r == OB_OK);
	if (r != OB_ECONNLOST) {
		return obi_broken(t, "after %s: the connection was not closed", after);
	}
	return expect_end(t, after);
}

static enum obi_verdict shuts_down(struct obi_exam *t)
{
	struct obi_wire w;
	enum obi_verdict v = obi_exam_parent(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_call(&w, "outboard-control.shutdown", NULL);
	v = obi_exam_result(t, &w, r, "outboard-control.shutdown");
	if (v == OBI_VERDICT_PASS && !ob_is_nil(&w.message.result)) {
		v = obi_broken(t, "the result of shutdown is not nil");
	}
	v = v == OBI_VERDICT_PASS ? expect_goodbye(t, &w, "shutdown") : v;
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict restarts_for_version(struct obi_exam *t)
{
	struct obi_wire w;
	int64_t current = 0;
	bool restart = false;
	enum obi_verdict v = obi_exam_parent(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_call(&w, "outboard-control.checkVersion", "[i]", 0);
	v = read_version(t, &w, r, &current, &restart);
	if (v == OBI_VERDICT_PASS) {
		r = obi_wire_call(&w, "outboard-control.checkVersion", "[I]", current + 1);
		v = read_version(t, &w, r, &current, &restart);
	}
	if (v == OBI_VERDICT_PASS && !restart) {
		v = obi_broken(t, "needs_restart is false for a newer version");
	}
	v = v == OBI_VERDICT_PASS ? expect_goodbye(t, &w, "checkVersion with a newer version") : v;
	obi_wire_close(&w);
	return v;
}

/* With a connector in charge, which learns how it ended. */
static enum obi_verdict ends_with_status(struct obi_exam *t)
{
	struct ob_error err = {0};
	int r = t->s->connector == NULL ? obi_subject_adopt(t->s, &err) : OB_OK;
	if (r < 0) {
		return obi_broken(t, "%.400s", err.text);
	}
	r = ob_client_call(ob_connector_control(t->s->connector), "shutdown", NULL, t->s->patience,
			   t->s->cancel, NULL, &err);
	if (r < 0 && r != OB_ECONNLOST) {
		return obi_broken(t, "shutdown: %.400s", err.text);
	}
	if (expect_end(t, "shutdown") != OBI_VERDICT_PASS) {
		return OBI_VERDICT_FAIL;
	}
	uint32_t kind = OB_EXIT_UNKNOWN;
	int value = 0;
	if (!obi_subject_await_exit(t->s, &kind, &value)) {
		return obi_broken(t, "the connector did not see it exit");
	}
	if (kind == OB_EXIT_CODE && value == 0) {
		return OBI_VERDICT_PASS;
	}
	return obi_broken(t, "it ended %s %d", kind == OB_EXIT_SIGNAL ? "by signal" : "with status",
			  value);
}

static enum obi_verdict ends_on(struct obi_exam *t, int number, const char *name)
{
	if (pidfd_send_signal(t->s->pidfd, number, NULL, 0) != 0) {
		return obi_broken(t, "%s cannot be sent", name);
	}
	return expect_end(t, name);
}

static enum obi_verdict ends_on_int(struct obi_exam *t)
{
	return ends_on(t, SIGINT, "SIGINT");
}

static enum obi_verdict ends_on_term(struct obi_exam *t)
{
	return ends_on(t, SIGTERM, "SIGTERM");
}

const struct obi_promise obi_promises_end[] = {
    {"ends when its parent calls shutdown", shuts_down, OBI_NEEDS_CONTROL | OBI_ENDS},
    {"ends with status 0 after a shutdown", ends_with_status, OBI_NEEDS_CONTROL | OBI_ENDS},
    {"ends when its parent expects a newer version", restarts_for_version,
     OBI_NEEDS_CONTROL | OBI_ENDS},
    {"ends on SIGINT", ends_on_int, OBI_ENDS},
    {"ends on SIGTERM", ends_on_term, OBI_ENDS},
    {0},
};
