/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md: Methods of the protocol itself, and what a parent that detaches leaves. */
#include "cli/child/exam.h"

static enum obi_verdict accepts_parent(struct obi_exam *t)
{
	struct obi_wire w;
	bool yes = false;
	enum obi_verdict v = obi_exam_parent(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	/* A newer library may answer with more than true. */
	const struct ob_value *result = &w.message.result;
	if (result->type != OB_MAP && !(ob_get_bool(result, &yes) && yes)) {
		v = obi_broken(t, "the result is not true");
	}
	v = v == OBI_VERDICT_PASS ? obi_exam_result(t, &w, obi_wire_call(&w, "outboard.ping", NULL),
						    "a ping of the parent")
				  : v;
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict refuses_instance(struct obi_exam *t)
{
	static const char *const wrong[] = {"", "00000000000000000000000000000000", "x"};
	struct obi_wire w;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	for (size_t i = 0; v == OBI_VERDICT_PASS && i < sizeof wrong / sizeof wrong[0]; i++) {
		int r = obi_wire_call(&w, "outboard.supervise", "[s]", wrong[i]);
		v = obi_exam_error(t, &w, r,
				   i == 0 ? "an empty instance" : "the instance of another start",
				   OB_RPC_DENIED);
	}
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict fences_older(struct obi_exam *t)
{
	struct obi_wire older, newer;
	enum obi_verdict v = obi_exam_parent(t, &older);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	v = obi_exam_parent(t, &newer);
	if (v == OBI_VERDICT_PASS) {
		v = obi_exam_closed(t, &older, "a newer connection of the parent");
		if (v == OBI_VERDICT_PASS) {
			int r = obi_wire_call(&newer, "outboard.ping", NULL);
			v = obi_exam_result(t, &newer, r, "a ping of the newer parent");
		}
		obi_wire_close(&newer);
	}
	obi_wire_close(&older);
	return v;
}

static enum obi_verdict keeps_others(struct obi_exam *t)
{
	struct obi_wire other, parent;
	enum obi_verdict v = obi_exam_connect(t, &other);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	v = obi_exam_parent(t, &parent);
	if (v == OBI_VERDICT_PASS) {
		obi_wire_close(&parent);
		int r = obi_wire_call(&other, "outboard.ping", NULL);
		v = obi_exam_result(t, &other, r, "a ping of a client when the parent is gone");
	}
	obi_wire_close(&other);
	return v;
}

/* As a real parent does it: the connector of the library. */
static enum obi_verdict takes_next_parent(struct obi_exam *t)
{
	struct ob_error err = {0};
	for (int i = 0; i < 2; i++) {
		if (obi_subject_adopt(t->s, &err) < 0) {
			return obi_broken(t, "the next parent: %.400s", err.text);
		}
		if (obi_subject_release(t->s, &err) < 0) {
			return obi_broken(t, "letting go: %.400s", err.text);
		}
		if (!obi_subject_lives(t->s)) {
			return obi_broken(t, "it ended when its parent let go of it");
		}
	}
	return obi_exam_serves(t, "its parent let go of it");
}

const struct obi_promise obi_promises_supervise[] = {
    {"accepts its parent", accepts_parent, OBI_NEEDS_START},
    {"refuses a parent with another instance", refuses_instance, OBI_NEEDS_START},
    {"closes the older connection of its parent", fences_older, OBI_NEEDS_START},
    {"keeps other connections when the parent goes", keeps_others, OBI_NEEDS_START},
    {"lives on without its parent, and accepts the next", takes_next_parent, OBI_NEEDS_START},
    {0},
};
