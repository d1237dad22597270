/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md: Limits. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "cli/child/exam.h"

/* FLOOD: its answers are more than the sockets hold, so that a child that waits is blocked. */
enum { PREAUTH_BYTES = 64 << 10, ENDLESS = 64 << 20, FLOOD = 1000000, CHUNK = 64 << 10 };

/* Send `more` again and again behind the head, until the child closes or `most` bytes were sent. */
static enum obi_verdict closes_while_sending(struct obi_exam *t, struct obi_wire *w,
					     const void *head, size_t len, size_t most,
					     const char *what)
{
	static char more[CHUNK];
	memset(more, 'x', sizeof more);
	int r = obi_wire_put(w, head, len);
	for (size_t sent = 0; r == OB_OK && sent < most; sent += sizeof more) {
		r = obi_wire_put(w, more, sizeof more);
	}
	if (r == OB_ECONNLOST) {
		return OBI_VERDICT_PASS;
	}
	/* It may have closed its side without a reset. */
	w->patience = r == OB_OK ? w->patience : 0;
	return obi_exam_closed(t, w, what);
}

static const char json_head[] = "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"outboard.ping\","
				"\"params\":[\"";
/* A string of 1 GiB as the parameter. */
static const char msgpack_head[] = "\x94\x00\x09\xad"
				   "outboard.ping\x91\xdb\x40\x00\x00\x00";

static enum obi_verdict closes_on_long(struct obi_exam *t)
{
	struct obi_wire w;
	int64_t limit = 0;
	const struct ob_value *said = ob_value_find(&t->s->after, "message_max");
	if (said != NULL && ob_get_int(said, &limit) && limit > ENDLESS / 2) {
		return obi_skipped(t, "its message_max is %lld", (long long)limit);
	}
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v == OBI_VERDICT_PASS) {
		v = closes_while_sending(t, &w, t->json ? json_head : msgpack_head,
					 t->json ? sizeof json_head - 1 : sizeof msgpack_head - 1,
					 ENDLESS, "a message far beyond the limit");
		obi_wire_close(&w);
	}
	return v == OBI_VERDICT_PASS ? obi_exam_serves(t, "a message beyond the limit") : v;
}

static enum obi_verdict closes_on_long_first(struct obi_exam *t)
{
	struct obi_wire w;
	enum obi_verdict v = obi_exam_stranger(t, &w);
	if (v == OBI_VERDICT_PASS) {
		v = closes_while_sending(t, &w, t->json ? json_head : msgpack_head,
					 t->json ? sizeof json_head - 1 : sizeof msgpack_head - 1,
					 PREAUTH_BYTES,
					 "a message over 4 KiB before authentication");
	}
	obi_wire_close(&w);
	return v;
}

/* Each announces more elements than a message may have bytes, and nothing follows. */
static enum obi_verdict judges_sizes(struct obi_exam *t)
{
	static const struct {
		const char *what;
		const char *bytes;
		size_t len;
	} samples[] = {
	    {"an array of 4 thousand million", "\xdd\xff\xff\xff\xff", 5},
	    {"params of 4 thousand million", "\x94\x00\x01\xa1x\xdd\xff\xff\xff\xff", 10},
	    {"a map of 4 thousand million", "\x94\x00\x01\xa1x\xdf\xff\xff\xff\xff", 10},
	};
	enum obi_verdict v = OBI_VERDICT_PASS;
	for (size_t i = 0; v == OBI_VERDICT_PASS && i < sizeof samples / sizeof samples[0]; i++) {
		struct obi_wire w;
		v = obi_exam_connect(t, &w);
		if (v == OBI_VERDICT_PASS) {
			(void)obi_wire_put(&w, samples[i].bytes, samples[i].len);
			v = obi_exam_closed(t, &w, samples[i].what);
			obi_wire_close(&w);
		}
	}
	return v;
}

/* ---- Depth ---- */

/* A call whose params are `depth` containers deep. */
static void write_nested(const struct obi_exam *t, int depth, struct ob_sink *out)
{
	ob_sink_text(out, t->json ? "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"no-such.method\","
				    "\"params\":"
				  : "");
	if (!t->json) {
		ob_sink_put(out, "\x94\x00\x09\xae", 4);
		ob_sink_text(out, "no-such.method");
	}
	for (int i = 1; i < depth; i++) {
		ob_sink_byte(out, t->json ? '[' : 0x91);
	}
	ob_sink_text(out, t->json ? "[]" : "\x90");
	for (int i = 1; t->json && i < depth; i++) {
		ob_sink_byte(out, ']');
	}
	ob_sink_text(out, t->json ? "}\n" : "");
}

static enum obi_verdict try_depth(struct obi_exam *t, int depth)
{
	struct obi_wire w;
	struct obi_buf text;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	obi_buf_init(&text, 1 << 20);
	write_nested(t, depth, obi_buf_sink(&text));
	struct ob_bytes bytes = obi_buf_bytes(&text);
	int r = obi_wire_put(&w, bytes.data, bytes.len);
	r = r == OB_OK ? obi_wire_answer(&w) : r;
	if (depth <= OB_DEPTH_MAX) {
		v = obi_exam_error(t, &w, r, "params of 24 containers", OB_RPC_NO_INTERFACE);
	} else if (t->json) {
		v = obi_exam_error(t, &w, r, "params of more than 24 containers",
				   OB_RPC_INVALID_REQUEST);
	} else if (r != OB_ECONNLOST) {
		v = obi_broken(t, "params of %d containers: %s", depth, obi_wire_did(r));
	}
	obi_buf_free(&text);
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict limits_depth(struct obi_exam *t)
{
	enum obi_verdict v = try_depth(t, OB_DEPTH_MAX);
	v = v == OBI_VERDICT_PASS ? try_depth(t, OB_DEPTH_MAX + 1) : v;
	v = v == OBI_VERDICT_PASS ? try_depth(t, 100000) : v;
	return v == OBI_VERDICT_PASS ? obi_exam_serves(t, "nesting too deep") : v;
}

/* ---- One that does not read ---- */

/* Ask without reading the answers, until the child takes no more. */
static void flood(struct obi_wire *w)
{
	static const char json[] = "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"no-such.x\"}\n";
	static const char msgpack[] = "\x94\x00\x09\xa9no-such.x\x90";
	bool is_json = strcmp(w->s->codec, "json") == 0;
	const char *one = is_json ? json : msgpack;
	size_t len = is_json ? sizeof json - 1 : sizeof msgpack - 1;
	static char many[CHUNK];
	size_t filled = 0;
	for (; filled + len <= sizeof many; filled += len) {
		memcpy(many + filled, one, len);
	}
	w->patience = 1000;
	int r = OB_OK;
	for (size_t sent = 0; r == OB_OK && sent < FLOOD; sent += filled) {
		r = obi_wire_put(w, many, filled);
	}
}

static enum obi_verdict serves_beside_deaf(struct obi_exam *t)
{
	struct obi_wire w;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v == OBI_VERDICT_PASS) {
		flood(&w);
		v = obi_exam_serves(t, "calls of one who does not read the answers");
		obi_wire_close(&w);
	}
	return v;
}

const struct obi_promise obi_promises_limits[] = {
    {"closes on a message over the limit", closes_on_long, OBI_NEEDS_START},
    {"closes on a message over 4 KiB before authentication", closes_on_long_first,
     OBI_NEEDS_EXCHANGE},
    {"closes on more elements than a message may have", judges_sizes, OBI_NEEDS_MSGPACK},
    {"takes 24 nested containers, and refuses more", limits_depth, OBI_NEEDS_START},
    {"serves others while one does not read", serves_beside_deaf, OBI_NEEDS_START},
    {0},
};
