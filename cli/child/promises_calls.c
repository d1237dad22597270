/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md: Messages. */
#include <stdio.h>
#include <poll.h>
#include <string.h>

#include "cli/child/exam.h"

enum { MANY = 200 };

static enum obi_verdict answers_ping(struct obi_exam *t)
{
	return obi_exam_serves(t, "authentication");
}

static enum obi_verdict unknown_interface(struct obi_exam *t)
{
	struct obi_wire w;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v == OBI_VERDICT_PASS) {
		int r = obi_wire_call(&w, "no-such-interface.method", "[i]", 1);
		v = obi_exam_error(t, &w, r, "an unknown interface", OB_RPC_NO_INTERFACE);
		obi_wire_close(&w);
	}
	return v;
}

static enum obi_verdict unknown_method(struct obi_exam *t)
{
	struct obi_wire w;
	char name[300];
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_call(&w, "outboard-control.no-such-method", NULL);
	v = obi_exam_error(t, &w, r, "an unknown method", OB_RPC_NO_METHOD);
	if (v == OBI_VERDICT_PASS) {
		snprintf(name, sizeof name, "outboard-control.%0256d", 0);
		r = obi_wire_call(&w, name, NULL);
		v = obi_exam_error(t, &w, r, "a method's name of more than 255 bytes",
				   OB_RPC_NO_METHOD);
	}
	obi_wire_close(&w);
	return v;
}

/* ---- Ids, and the order of answers ---- */

/* Many requests in one write; each is answered once, in any order. */
static enum obi_verdict answers_each_once(struct obi_exam *t)
{
	struct obi_wire w;
	struct obi_buf all;
	bool seen[MANY + 1] = {false};
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	struct ob_message m = {.size = sizeof m,
			       .kind = OB_REQUEST,
			       .method = ob_bytes_text("outboard.ping"),
			       .params = ob_array(NULL, 0)};
	obi_buf_init(&all, 1 << 20);
	for (m.id.number = 1; m.id.number <= MANY; m.id.number++) {
		(void)t->plugins.codec->encode(&m, &w.params, obi_buf_sink(&all), NULL);
	}
	struct ob_bytes bytes = obi_buf_bytes(&all);
	int r = obi_wire_put(&w, bytes.data, bytes.len);
	for (int i = 0; r == OB_OK && v == OBI_VERDICT_PASS && i < MANY; i++) {
		r = obi_wire_answer(&w);
		uint32_t id = w.message.id.number;
		if (r == OB_OK && (w.message.id.foreign || id < 1 || id > MANY || seen[id])) {
			v = obi_broken(t, "a response with an id that was not open");
		}
		seen[r == OB_OK && id <= MANY ? id : 0] = true;
	}
	if (v == OBI_VERDICT_PASS && r < 0) {
		v = obi_broken(t, "%d pings at once: %s", MANY, obi_wire_did(r));
	}
	obi_buf_free(&all);
	obi_wire_close(&w);
	return v;
}

/* Put a whole message and expect that text (or bytes) in what comes back. */
static enum obi_verdict expect_echo(struct obi_exam *t, const void *message, size_t len,
				    const void *wanted, size_t wanted_len, const char *what)
{
	struct obi_wire w;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_put(&w, message, len);
	r = r == OB_OK ? obi_wire_answer(&w) : r;
	struct ob_bytes got = obi_buf_bytes(&w.in);
	if (r < 0) {
		v = obi_broken(t, "%s: %s", what, obi_wire_did(r));
	} else if (memmem(got.data, got.len, wanted, wanted_len) == NULL) {
		v = obi_broken(t, "%s does not come back as it was sent", what);
	}
	obi_wire_close(&w);
	return v;
}

#define ECHO(t, message, wanted, what) \
	expect_echo(t, message, sizeof message - 1, wanted, sizeof wanted - 1, what)

static enum obi_verdict returns_ids(struct obi_exam *t)
{
	static const char text[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":\"a-b \xc3\xa9\",\"method\":\"outboard.ping\"}\n";
	static const char number[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":4294967295,\"method\":\"outboard.ping\",\"params\":[]}\n";
	static const char zero[] = "\x94\x00\x00\xad"
				   "outboard.ping\x90";
	static const char most[] = "\x94\x00\xce\xff\xff\xff\xff\xad"
				   "outboard.ping\x90";
	if (t->json) {
		enum obi_verdict v = ECHO(t, number, "4294967295", "the id 4294967295");
		return v == OBI_VERDICT_PASS ? ECHO(t, text, "\"a-b \xc3\xa9\"", "a text as id")
					     : v;
	}
	enum obi_verdict v = ECHO(t, zero, "\x94\x01\x00", "the id 0");
	return v == OBI_VERDICT_PASS ? ECHO(t, most, "\xff\xff\xff\xff", "the id 4294967295") : v;
}

/* ---- Notifications, and pieces ---- */

static enum obi_verdict passes_notifications(struct obi_exam *t)
{
	struct obi_wire w;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_notify(&w, "$/no-such-thing", "[i]", 1);
	r = r == OB_OK ? obi_wire_notify(&w, "$/cancel", "[i]", 77) : r;
	r = r == OB_OK ? obi_wire_notify(&w, "no-such.event", "{s:i}", "a", 1) : r;
	r = r == OB_OK ? obi_wire_call(&w, "outboard.ping", NULL) : r;
	v = obi_exam_result(t, &w, r, "a ping behind notifications that are not known");
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict takes_pieces(struct obi_exam *t)
{
	struct obi_wire w;
	struct obi_buf one;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	struct ob_message m = {.size = sizeof m,
			       .kind = OB_REQUEST,
			       .id = {.number = ++w.id},
			       .method = ob_bytes_text("outboard.ping"),
			       .params = ob_array(NULL, 0)};
	obi_buf_init(&one, 4096);
	(void)t->plugins.codec->encode(&m, &w.params, obi_buf_sink(&one), NULL);
	struct ob_bytes bytes = obi_buf_bytes(&one);
	int r = OB_OK;
	for (size_t i = 0; r == OB_OK && i < bytes.len; i++) {
		r = obi_wire_put(&w, bytes.data + i, 1);
		poll(NULL, 0, 1); /* so that each byte is read by itself */
	}
	r = r == OB_OK ? obi_wire_answer(&w) : r;
	v = obi_exam_result(t, &w, r, "a ping that arrives byte by byte");
	obi_buf_free(&one);
	obi_wire_close(&w);
	return v;
}

/* ---- JSON ---- */

#define PING(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"outboard.ping\"}"

static enum obi_verdict answers_batches(struct obi_exam *t)
{
	static const char batch[] =
	    "[" PING("5") ",{\"jsonrpc\":\"2.0\",\"method\":\"$/x\"}," PING("6") "]\n";
	static const char nothing[] = "[{\"jsonrpc\":\"2.0\",\"method\":\"$/x\"}]\n" PING("7") "\n";
	struct obi_wire w;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_put(&w, batch, sizeof batch - 1);
	r = r == OB_OK ? obi_wire_answer(&w) : r;
	if (r < 0) {
		v = obi_broken(t, "a batch: %s", obi_wire_did(r));
	} else if (w.message.kind != OB_BATCH || w.message.count != 2) {
		v = obi_broken(t, "the answer to a batch of two requests is no batch of two");
	}
	if (v == OBI_VERDICT_PASS) {
		r = obi_wire_put(&w, nothing, sizeof nothing - 1);
		r = r == OB_OK ? obi_wire_answer(&w) : r;
		if (r < 0 || w.message.kind != OB_RESPONSE || w.message.id.number != 7) {
			v = obi_broken(t, "a batch of notifications was answered");
		}
	}
	obi_wire_close(&w);
	return v;
}

const struct obi_promise obi_promises_calls[] = {
    {"answers ping", answers_ping, OBI_NEEDS_START},
    {"answers an unknown interface with -32003", unknown_interface, OBI_NEEDS_START},
    {"answers an unknown method with -32601", unknown_method, OBI_NEEDS_CONTROL},
    {"answers each of many requests once", answers_each_once, OBI_NEEDS_START},
    {"returns ids as they were sent", returns_ids, OBI_NEEDS_START},
    {"passes over notifications that it does not know", passes_notifications, OBI_NEEDS_START},
    {"takes a message byte by byte", takes_pieces, OBI_NEEDS_START},
    {"answers batches", answers_batches, OBI_NEEDS_JSON},
    {0},
};
