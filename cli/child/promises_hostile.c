/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md: what is refused, by MessagePack and by JSON. */
#include <stdio.h>
#include <string.h>

#include "cli/child/exam.h"

enum { GARBAGE = 2048, ROUNDS = 24 };

/* A message that is refused: by the end of the connection, or with this code. */
struct sample {
	const char *what;
	const char *bytes;
	size_t len;
	int64_t code; /* 0: the connection is closed */
};

#define CLOSED(what, bytes)                      \
	{                                        \
		what, bytes, sizeof bytes - 1, 0 \
	}
#define ANSWERED(what, code, text)                 \
	{                                          \
		what, text "\n", sizeof text, code \
	}

static enum obi_verdict try_sample(struct obi_exam *t, const struct sample *sample)
{
	struct obi_wire w;
	char what[128];
	int64_t code;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	snprintf(what, sizeof what, "%s", sample->what);
	int r = obi_wire_put(&w, sample->bytes, sample->len);
	r = r == OB_OK || r == OB_ECONNLOST ? obi_wire_answer(&w) : r;
	if (sample->code != 0) {
		v = obi_exam_error(t, &w, r, what, sample->code);
	} else if (r == OB_OK && obi_wire_failed(&w, &code)) {
		v = obi_exam_closed(t, &w, what);
	} else if (r != OB_ECONNLOST) {
		v = obi_broken(t, "%s: %s", what, obi_wire_did(r));
	}
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict try_samples(struct obi_exam *t, const struct sample *samples, size_t count)
{
	enum obi_verdict v = OBI_VERDICT_PASS;
	for (size_t i = 0; v == OBI_VERDICT_PASS && i < count; i++) {
		v = try_sample(t, &samples[i]);
	}
	return v == OBI_VERDICT_PASS ? obi_exam_serves(t, "malformed messages") : v;
}

#define TRY(t, samples) try_samples(t, samples, sizeof(samples) / sizeof(samples)[0])

/* ---- Types ---- */

static enum obi_verdict refuses_types(struct obi_exam *t)
{
	static const struct sample msgpack[] = {
	    CLOSED("a number in place of a message", "\x05"),
	    CLOSED("a map in place of a message", "\x81\xa1x\x01"),
	    CLOSED("an empty array", "\x90"),
	    CLOSED("an unknown type of message", "\x94\x07\x01\xa1x\x90"),
	    CLOSED("a text as id", "\x94\x00\xa1x\xa3x.y\x90"),
	    CLOSED("a negative id", "\x94\x00\xff\xa3x.y\x90"),
	    CLOSED("an id beyond 32 bits",
		   "\x94\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa3x.y\x90"),
	    CLOSED("a number as method", "\x94\x00\x01\x05\x90"),
	    CLOSED("a number as params", "\x94\x00\x01\xa3x.y\x05"),
	    CLOSED("a request without params", "\x93\x00\x01\xa3x.y"),
	    CLOSED("a key that is no text", "\x94\x00\x01\xa3x.y\x81\x01\x02"),
	    CLOSED("an extension type", "\x94\x00\x01\xa3x.y\x91\xd4\x01\x00"),
	    CLOSED("the byte 0xc1", "\x94\x00\x01\xa3x.y\x91\xc1"),
	};
	static const struct sample json[] = {
	    ANSWERED("a number in place of a message", OB_RPC_INVALID_REQUEST, "5"),
	    ANSWERED("an object without jsonrpc", OB_RPC_INVALID_REQUEST,
		     "{\"id\":1,\"method\":\"x.y\"}"),
	    ANSWERED("another version of jsonrpc", OB_RPC_INVALID_REQUEST,
		     "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x.y\"}"),
	    ANSWERED("a number as method", OB_RPC_INVALID_REQUEST,
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}"),
	    ANSWERED("a number as params", OB_RPC_INVALID_REQUEST,
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.y\",\"params\":5}"),
	    ANSWERED("an object as id", OB_RPC_INVALID_REQUEST,
		     "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x.y\"}"),
	    ANSWERED("an empty batch", OB_RPC_INVALID_REQUEST, "[]"),
	    CLOSED("a response without result and error",
		   "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,"
		   "\"error\":{\"code\":1}}\n"),
	};
	return t->json ? TRY(t, json) : TRY(t, msgpack);
}

/* ---- Values ---- */

static enum obi_verdict refuses_values(struct obi_exam *t)
{
	static const struct sample msgpack[] = {
	    CLOSED("a text that is not UTF-8", "\x94\x00\x01\xa3x.y\x91\xa2\xff\xfe"),
	    CLOSED("a method that is not UTF-8", "\x94\x00\x01\xa3\xff.y\x90"),
	    CLOSED("a key twice", "\x94\x00\x01\xa3x.y\x82\xa1"
				  "a\x01\xa1"
				  "a\x02"),
	    CLOSED("a NaN", "\x94\x00\x01\xa3x.y\x91\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"),
	};
	static const struct sample json[] = {
	    ANSWERED("a line that is not JSON", OB_RPC_PARSE, "{\"jsonrpc\":\"2.0\",\"id\":1,"),
	    ANSWERED("text behind the object", OB_RPC_PARSE,
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.y\"} x"),
	    ANSWERED("a text that is not UTF-8", OB_RPC_PARSE,
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff.y\"}"),
	    ANSWERED("a lone surrogate", OB_RPC_PARSE,
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.y\",\"params\":[\"\\ud800\"]}"),
	    ANSWERED(
		"a key twice", OB_RPC_PARSE,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.y\",\"params\":{\"a\":1,\"a\":2}}"),
	    ANSWERED("a number beyond a double", OB_RPC_PARSE,
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.y\",\"params\":[1e999]}"),
	    ANSWERED("a NaN", OB_RPC_PARSE,
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.y\",\"params\":[NaN]}"),
	    ANSWERED("improper base64", OB_RPC_PARSE,
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.y\",\"params\":[{\"$binary\":\"?"
		     "\"}]}"),
	};
	return t->json ? TRY(t, json) : TRY(t, msgpack);
}

/* ---- Garbage, and messages that end early ---- */

/* Bytes that look random, and are the same in every run. */
static void fill(uint8_t *bytes, size_t len, uint32_t seed)
{
	uint32_t x = seed * 2654435761u + 1;
	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		bytes[i] = (uint8_t)(x >> 11);
	}
}

static enum obi_verdict survives_garbage(struct obi_exam *t)
{
	uint8_t bytes[GARBAGE];
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct obi_wire w;
		enum obi_verdict v = OBI_VERDICT_PASS;
		/* Before authentication, and behind it. */
		if (i % 2 == 0) {
			(void)obi_wire_open(&w, t->s, &t->plugins);
		} else {
			v = obi_exam_connect(t, &w);
		}
		if (v != OBI_VERDICT_PASS) {
			return v;
		}
		fill(bytes, sizeof bytes, i);
		w.patience = 1000;
		(void)obi_wire_put(&w, bytes, sizeof bytes);
		obi_wire_close(&w);
		if (!obi_subject_lives(t->s)) {
			return obi_broken(t, "it ended");
		}
	}
	return obi_exam_serves(t, "garbage");
}

static enum obi_verdict closes_on_garbage(struct obi_exam *t)
{
	uint8_t bytes[GARBAGE];
	struct obi_wire w;
	enum obi_verdict v = obi_exam_stranger(t, &w);
	memset(bytes, 0xc1, sizeof bytes);
	bytes[sizeof bytes - 1] = '\n';
	if (v == OBI_VERDICT_PASS && obi_wire_put(&w, bytes, sizeof bytes) == OB_OK) {
		int r = obi_wire_next(&w);
		v = r == OB_OK		? obi_broken(t, "bytes that are no message were answered")
		    : r == OB_ECONNLOST ? v
					: obi_broken(t, "it did not close the connection");
	}
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict survives_cuts(struct obi_exam *t)
{
	static const char json[] = "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"outboard.ping\","
				   "\"params\":[\"\xc3\xa9\",{\"$binary\":\"AAEC\"}]}\n";
	static const char msgpack[] = "\x94\x00\x09\xad"
				      "outboard.ping\x92\xa2\xc3\xa9\xc4\x03\x00\x01\x02";
	const char *text = t->json ? json : msgpack;
	size_t len = t->json ? sizeof json - 1 : sizeof msgpack - 1;
	for (size_t cut = 1; cut < len; cut += 1 + cut / 8) {
		struct obi_wire w;
		enum obi_verdict v = obi_exam_connect(t, &w);
		if (v != OBI_VERDICT_PASS) {
			return v;
		}
		(void)obi_wire_put(&w, text, cut);
		obi_wire_close(&w);
	}
	return obi_exam_serves(t, "messages that were cut");
}

const struct obi_promise obi_promises_hostile[] = {
    {"refuses wrong types in each field", refuses_types, OBI_NEEDS_START},
    {"refuses values that no message may have", refuses_values, OBI_NEEDS_START},
    {"survives garbage", survives_garbage, OBI_NEEDS_START},
    {"closes without a word on bytes that are no message", closes_on_garbage, OBI_NEEDS_EXCHANGE},
    {"survives messages that end early", survives_cuts, OBI_NEEDS_START},
    {0},
};
