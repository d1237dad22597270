/* SPDX-License-Identifier: MIT */
#include "cli/child/exam.h"

#include <stdio.h>

enum { AT_ONCE_MS = 4000 };

enum obi_verdict obi_broken(struct obi_exam *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(t->why, sizeof t->why, format, args);
	va_end(args);
	return OBI_VERDICT_FAIL;
}

enum obi_verdict obi_skipped(struct obi_exam *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(t->why, sizeof t->why, format, args);
	va_end(args);
	return OBI_VERDICT_SKIP;
}

const char *obi_wire_did(int code)
{
	switch (code) {
	case OB_OK:
		return "it answered";
	case OB_ECONNLOST:
		return "it closed the connection";
	case OB_ETIMEDOUT:
		return "it did not answer in time";
	case OB_EPROTO:
		return "what it sent is no message";
	case OB_ECANCELED:
		return "the check was interrupted";
	default:
		return "what it sent cannot be taken";
	}
}

enum obi_verdict obi_exam_stranger(struct obi_exam *t, struct obi_wire *w)
{
	int r = obi_wire_open(w, t->s, &t->plugins);
	w->patience = w->patience < AT_ONCE_MS ? w->patience : AT_ONCE_MS;
	return r == OB_OK ? OBI_VERDICT_PASS : obi_broken(t, "a connection was not accepted");
}

enum obi_verdict obi_exam_connect(struct obi_exam *t, struct obi_wire *w)
{
	struct ob_error err = {0};
	int r = obi_wire_open(w, t->s, &t->plugins);
	if (r < 0) {
		obi_wire_close(w);
		return obi_broken(t, "a connection was not accepted");
	}
	r = obi_wire_login(w, NULL, &err);
	if (r < 0) {
		obi_wire_close(w);
		return obi_broken(t, "%s: %s", err.text, obi_wire_did(r));
	}
	return OBI_VERDICT_PASS;
}

enum obi_verdict obi_exam_result(struct obi_exam *t, const struct obi_wire *w, int r,
				 const char *what)
{
	int64_t code;
	if (r < 0) {
		return obi_broken(t, "%s: %s", what, obi_wire_did(r));
	}
	if (obi_wire_failed(w, &code)) {
		return obi_broken(t, "%s: the error %lld", what, (long long)code);
	}
	return OBI_VERDICT_PASS;
}

enum obi_verdict obi_exam_error(struct obi_exam *t, const struct obi_wire *w, int r,
				const char *what, int64_t code)
{
	int64_t found;
	if (r < 0) {
		return obi_broken(t, "%s: %s", what, obi_wire_did(r));
	}
	if (!obi_wire_failed(w, &found)) {
		return obi_broken(t, "%s: it answered with a result, not with the error %lld", what,
				  (long long)code);
	}
	return found == code ? OBI_VERDICT_PASS
			     : obi_broken(t, "%s: the error %lld, not %lld", what, (long long)found,
					  (long long)code);
}

enum obi_verdict obi_exam_closed(struct obi_exam *t, struct obi_wire *w, const char *after)
{
	int r = obi_wire_await_close(w);
	return r == OB_OK ? OBI_VERDICT_PASS
			  : obi_broken(t, "it did not close the connection after %s", after);
}

enum obi_verdict obi_exam_serves(struct obi_exam *t, const char *after)
{
	char why[256];
	struct obi_wire w;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v == OBI_VERDICT_PASS) {
		v = obi_exam_result(t, &w, obi_wire_call(&w, "outboard.ping", NULL),
				    "outboard.ping");
		obi_wire_close(&w);
	}
	if (v == OBI_VERDICT_PASS) {
		return v;
	}
	snprintf(why, sizeof why, "%.255s", t->why);
	return obi_broken(t, "after %s: %s", after, why);
}

enum obi_verdict obi_exam_parent(struct obi_exam *t, struct obi_wire *w)
{
	enum obi_verdict v = obi_exam_connect(t, w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_call(w, "outboard.supervise", "[s]", t->s->instance);
	v = obi_exam_result(t, w, r, "outboard.supervise with the instance of this start");
	if (v != OBI_VERDICT_PASS) {
		obi_wire_close(w);
	}
	return v;
}
