/* SPDX-License-Identifier: MIT */
/* The promises about what a codec must refuse: values it cannot encode, messages over a limit,
 * and malformed or hostile bytes. */
#include "conformance/codec_trial.h"

#include <math.h>

/* ---- Encoding ---- */

/* A refused value leaves the sink usable: only a full sink has failed. */
static void must_refuse(struct obi_codec_trial *t, const struct ob_message *m, const char *what)
{
	uint8_t memory[4096];
	struct ob_sink sink = ob_sink_fixed(memory, sizeof memory);
	struct ob_error err = {.text = ""};
	int r = t->ops->encode(m, &t->limits, &sink, &err);
	OBI_REQUIRE(t, r == OB_EINVAL, "encode of %s: code %d instead of OB_EINVAL", what, r);
	OBI_REQUIRE(t, !sink.failed, "encode of %s marks the sink as failed, but it is not full",
		    what);
	r = t->ops->encode(m, &t->limits, &sink, NULL);
	OBI_REQUIRE(t, r == OB_EINVAL, "encode of %s with reterr NULL: code %d", what, r);
}

static void values_that_no_codec_carries_are_refused(struct obi_codec_trial *t)
{
	static const char *const bad[] = {
	    "\xff", "a\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"};
	struct ob_value numbers[] = {ob_double(HUGE_VAL), ob_double(-HUGE_VAL), ob_double(nan(""))};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct ob_message m = obi_codec_request(obi_codec_array(t, numbers[i], 1));
		must_refuse(t, &m, "a double that is not finite");
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct ob_message m = obi_codec_request(obi_codec_array(t, ob_string(bad[i]), 1));
		must_refuse(t, &m, "a string that is not UTF-8");
		m.params = obi_codec_map(t, bad[i], ob_nil());
		must_refuse(t, &m, "a key that is not UTF-8");
		m.params = ob_nil();
		m.method = ob_bytes_text(bad[i]);
		must_refuse(t, &m, "a method that is not UTF-8");
	}
	struct ob_value strange = ob_nil();
	strange.type = 99;
	struct ob_message m = obi_codec_request(obi_codec_array(t, strange, 1));
	must_refuse(t, &m, "a value of an unknown type");
	m.params = ob_int(1);
	must_refuse(t, &m, "params that are a number");
	m.params = obi_codec_nest(t, ob_nil(), OB_DEPTH_MAX + 1, false);
	must_refuse(t, &m, "arrays that are nested too deep");
	m.params = obi_codec_nest(t, ob_nil(), OB_DEPTH_MAX + 1, true);
	must_refuse(t, &m, "maps that are nested too deep");
	m = obi_codec_request(ob_nil());
	m.kind = 77;
	must_refuse(t, &m, "a message of an unknown kind");
}

/* With every room that is too small, encode() must report it, stay within the room, and start
 * the next attempt where the last one started. */
static void a_full_sink_can_be_used_again(struct obi_codec_trial *t)
{
	struct ob_value items[] = {ob_string("a string\n"), ob_binary("bytes", 5),
				   ob_int(INT64_MAX), ob_double(-1e-300), ob_array(NULL, 0)};
	struct ob_message m = obi_codec_request(obi_codec_map(t, "key", ob_array(items, 5)));
	struct ob_bytes whole;
	OBI_REQUIRE(t, obi_codec_encode(t, t->ops, &m, &whole) == OB_OK,
		    "encode refuses a plain message");
	for (size_t cap = 0; cap < whole.len; cap++) {
		uint8_t *memory = obi_codec_memory(t, whole.len + 2);
		memset(memory, 0xee, whole.len + 2);
		struct ob_sink sink = ob_sink_fixed(memory, cap + 1);
		ob_sink_byte(&sink, 0x11);
		int r = t->ops->encode(&m, &t->limits, &sink, NULL);
		OBI_REQUIRE(t, r == OB_ENOMEM,
			    "encode into a sink of %zu bytes, of %zu needed: code %d", cap,
			    whole.len, r);
		OBI_REQUIRE(t, memory[0] == 0x11 && memory[cap + 1] == 0xee,
			    "encode writes beyond its sink");
		sink = ob_sink_fixed(memory, whole.len);
		r = t->ops->encode(&m, &t->limits, &sink, NULL);
		OBI_REQUIRE(t, r == OB_OK && ob_bytes_equal(whole, ob_bytes_of(memory, sink.len)),
			    "encode after a full sink: code %d, or other bytes", r);
		obi_codec_give_back(t, memory);
	}
}

/* ---- Limits ---- */

/* A message one byte over the limit must be refused before more bytes than the limit have
 * arrived; a message of exactly the limit must pass. */
static void the_message_limit_holds(struct obi_codec_trial *t)
{
	struct ob_message m = obi_codec_request(obi_codec_array(t, ob_string("some letters"), 40));
	struct ob_scan whole = {.seen = 0}, bytewise = {.seen = 0};
	struct ob_bytes bytes;
	size_t len = 0;
	OBI_REQUIRE(t, obi_codec_encode(t, t->ops, &m, &bytes) == OB_OK,
		    "encode refuses a plain message");
	t->limits.message = (uint32_t)bytes.len;
	OBI_REQUIRE(t, t->ops->scan(bytes, &whole, &t->limits, &len) == 1,
		    "a message of %zu bytes is refused under a limit of that size", bytes.len);
	t->limits.message--;
	whole.seen = 0;
	int r = t->ops->scan(bytes, &whole, &t->limits, &len);
	OBI_REQUIRE(t, r == OB_ETOOBIG,
		    "scan of a message of %zu bytes under a limit of %u: code %d", bytes.len,
		    t->limits.message, r);
	size_t need = 1;
	for (size_t n = 1; n <= t->limits.message; n++) {
		r = n >= need
			? t->ops->scan(ob_bytes_of(bytes.data, n), &bytewise, &t->limits, &need)
			: 0;
		if (r < 0) {
			break;
		}
		OBI_REQUIRE(t, r == 0, "scan finds a message in the first %zu of %zu bytes", n,
			    bytes.len);
	}
	OBI_REQUIRE(t, r == OB_ETOOBIG, "scan waits for more than the limit of %u bytes",
		    t->limits.message);
}

static void the_depth_limit_holds(struct obi_codec_trial *t)
{
	for (uint32_t depth = 1; depth <= OB_DEPTH_MAX; depth++) {
		for (int mixed = 0; mixed < 2; mixed++) {
			struct ob_message m =
			    obi_codec_request(obi_codec_nest(t, ob_int(1), depth, mixed));
			struct obi_codec_read back;
			t->limits.depth = depth;
			const char *wrong = obi_codec_round(t, &m);
			OBI_REQUIRE(t, wrong == NULL, "depth %u under a limit of that depth: %s",
				    depth, wrong);
			struct ob_bytes bytes;
			obi_codec_encode(t, t->ops, &m, &bytes);
			t->limits.depth = depth - 1;
			int r = obi_codec_decode(t, t->ops, bytes, &back);
			OBI_REQUIRE(t, r < 0, "depth %u is accepted under a limit of %u", depth,
				    depth - 1);
		}
	}
}

static void equal_keys_are_refused(struct obi_codec_trial *t)
{
	static const uint32_t counts[] = {2, 8, 9, 17, 1000};
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		uint32_t n = counts[i];
		struct ob_pair *pairs = obi_codec_memory(t, n * sizeof *pairs);
		for (uint32_t k = 0; k < n; k++) {
			char *key = obi_codec_memory(t, 4);
			uint32_t number = k + 1 < n ? k : 0; /* the last key equals the first */
			memcpy(key,
			       (char[]){(char)('a' + number / 100), (char)('a' + number / 10 % 10),
					(char)('a' + number % 10)},
			       3);
			pairs[k] = (struct ob_pair){ob_stringn(key, 3), ob_int(k)};
		}
		struct ob_message m = obi_codec_request(ob_map(pairs, n));
		struct obi_codec_read back;
		struct ob_bytes bytes;
		if (obi_codec_encode(t, t->ops, &m, &bytes) == OB_OK) {
			OBI_REQUIRE(t, obi_codec_decode(t, t->ops, bytes, &back) < 0,
				    "a map of %u keys with a duplicate is accepted", n);
		}
	}
}

/* ---- Hostile bytes ---- */

/* The bytes must either be refused with a proper code, or decode to a message that encodes and
 * decodes to itself. */
static void try_bytes(struct obi_codec_trial *t, const uint8_t *data, size_t len)
{
	struct ob_scan progress = {.seen = 0};
	struct obi_codec_read read, again;
	struct ob_bytes bytes;
	size_t end = 0;
	uint8_t *exact = obi_codec_memory(t, len);
	memcpy(exact, data, len);
	int r = t->ops->scan(ob_bytes_of(exact, len), &progress, &t->limits, &end);
	obi_codec_give_back(t, exact);
	OBI_REQUIRE(t, r == 0 || r == 1 || r == OB_EPROTO || r == OB_ETOOBIG,
		    "scan of garbage: code %d", r);
	OBI_REQUIRE(t, r != 1 || (end > 0 && end <= len),
		    "scan of %zu bytes finds a message of %zu", end, len);
	OBI_REQUIRE(t, r != 0 || end > len, "scan waits for %zu bytes although it has %zu", end,
		    len);
	if (r != 1) {
		return;
	}
	r = obi_codec_decode(t, t->ops, ob_bytes_of(data, end), &read);
	OBI_REQUIRE(t, r == OB_OK || r == OB_EPROTO || r == OB_ETOOBIG || r == OB_ENOMEM,
		    "decode of garbage: code %d", r);
	if (r < 0) {
		return;
	}
	if (read.m.kind != OB_BATCH) {
		r = obi_codec_encode(t, t->ops, &read.m, &bytes);
		OBI_REQUIRE(t, r == OB_OK, "a decoded message cannot be encoded: code %d", r);
		r = obi_codec_decode(t, t->ops, bytes, &again);
		OBI_REQUIRE(t, r == OB_OK && obi_codec_same_message(&read.m, &again.m),
			    "a decoded message is different after encode and decode: code %d", r);
		obi_codec_forget(t, &again);
		obi_codec_give_back(t, (void *)(uintptr_t)bytes.data);
	}
	obi_codec_forget(t, &read);
}

static struct ob_bytes victim(struct obi_codec_trial *t, uint32_t kind)
{
	struct ob_value items[] = {ob_string("text\n"),
				   ob_int(-70000),
				   ob_double(1.5),
				   ob_binary("\0\xff", 2),
				   obi_codec_map(t, "key", ob_bool(true)),
				   ob_array(NULL, 0),
				   ob_uint(UINT64_MAX)};
	struct ob_message m = obi_codec_request(ob_array(items, 7));
	struct ob_bytes bytes = {NULL, 0};
	m.kind = kind;
	m.result = m.params;
	if (obi_codec_encode(t, t->ops, &m, &bytes) != OB_OK) {
		OBI_FAIL(t, "encode refuses a plain message");
	}
	return bytes;
}

static void a_part_is_never_taken_for_the_whole(struct obi_codec_trial *t)
{
	for (uint32_t kind = OB_REQUEST; kind <= OB_NOTIFY; kind++) {
		struct ob_bytes bytes = victim(t, kind);
		for (size_t len = 0; len < bytes.len; len++) {
			struct ob_scan progress = {.seen = 0};
			uint8_t *exact = obi_codec_memory(t, len);
			size_t need = 0;
			memcpy(exact, bytes.data, len);
			int r = t->ops->scan(ob_bytes_of(exact, len), &progress, &t->limits, &need);
			OBI_REQUIRE(t, r == 0, "scan of the first %zu of %zu bytes: code %d", len,
				    bytes.len, r);
			OBI_REQUIRE(t, need > len && need <= bytes.len,
				    "scan of the first %zu of %zu bytes waits for %zu", len,
				    bytes.len, need);
			obi_codec_give_back(t, exact);
		}
	}
}

static void damaged_messages_do_no_harm(struct obi_codec_trial *t)
{
	static const uint8_t values[] = {0x00, 0xff, 0x7f, 0x80, 0xc1, 0xdd, '"',
					 '\\', '{',  '[',  '\n', ' ',  '0'};
	for (uint32_t kind = OB_REQUEST; kind <= OB_NOTIFY; kind++) {
		struct ob_bytes bytes = victim(t, kind);
		uint8_t *damaged = obi_codec_memory(t, bytes.len + 1);
		for (size_t at = 0; at < bytes.len && OBI_PASSED(t); at++) {
			memcpy(damaged, bytes.data, bytes.len);
			for (size_t i = 0; i < sizeof values + 8; i++) {
				damaged[at] =
				    (uint8_t)(i < 8 ? bytes.data[at] ^ 1u << i : values[i - 8]);
				try_bytes(t, damaged, bytes.len);
			}
			/* One byte removed, and one byte doubled. */
			memmove(damaged + at, bytes.data + at + 1, bytes.len - at - 1);
			try_bytes(t, damaged, bytes.len - 1);
			memcpy(damaged + at + 1, bytes.data + at, bytes.len - at);
			damaged[at] = bytes.data[at];
			try_bytes(t, damaged, bytes.len + 1);
		}
	}
}

static void garbage_does_no_harm(struct obi_codec_trial *t)
{
	uint8_t data[64];
	uint32_t seed = 20240501;
	for (int i = 0; i < 20000 && OBI_PASSED(t); i++) {
		size_t len = 1 + (seed >> 8) % sizeof data;
		for (size_t k = 0; k < len; k++) {
			seed = seed * 1664525u + 1013904223u;
			data[k] = (uint8_t)(seed >> 24);
		}
		try_bytes(t, data, len);
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		memset(data, (int)byte, sizeof data);
		try_bytes(t, data, sizeof data);
	}
}

/* ---- Older hosts ---- */

/* An older host's message and limits: they end before the later members, in memory that ends
 * there too. */
static int decode_as_before(struct obi_codec_trial *t, struct ob_bytes bytes,
			    struct ob_message *ret)
{
	uint32_t limits_size = offsetof(struct ob_codec_params, batch),
		 message_size = offsetof(struct ob_message, items);
	struct ob_codec_params *limits = obi_codec_memory(t, limits_size);
	struct ob_message *m = obi_codec_memory(t, message_size);
	struct ob_arena arena = {.next = NULL};
	size_t room = 64 * 1024;
	arena.next = obi_codec_memory(t, room);
	arena.end = arena.next + room;
	memcpy(limits, &t->limits, limits_size);
	memset(m, 0, message_size);
	limits->size = limits_size;
	m->size = message_size;
	int r = t->ops->decode(bytes, &arena, limits, m, NULL);
	memcpy(ret, m, message_size);
	obi_codec_give_back(t, limits);
	obi_codec_give_back(t, m);
	return r;
}

static void works_for_an_older_host(struct obi_codec_trial *t)
{
	struct ob_message request = obi_codec_request(obi_codec_array(t, ob_string("text"), 2)),
			  back = request;
	const struct ob_message *items[2] = {&request, &request};
	struct ob_message batch = {
	    .size = sizeof batch, .kind = OB_BATCH, .items = items, .count = 2};
	struct ob_bytes bytes;
	OBI_REQUIRE(t, obi_codec_encode(t, t->ops, &request, &bytes) == OB_OK,
		    "encode refuses a plain message");
	int r = decode_as_before(t, bytes, &back);
	OBI_REQUIRE(t, r == OB_OK && obi_codec_same_message(&request, &back),
		    "decode of a plain message for a host without batches: code %d", r);
	if (obi_codec_encode(t, t->ops, &batch, &bytes) == OB_OK) {
		r = decode_as_before(t, bytes, &back);
		OBI_REQUIRE(t, r < 0,
			    "decode returns kind %u for a batch to a host without batches",
			    back.kind);
	}
}

const struct obi_codec_promise obi_codec_refusals[] = {
    {"refuses values that cannot be encoded", values_that_no_codec_carries_are_refused},
    {"leaves a full sink usable", a_full_sink_can_be_used_again},
    {"keeps the message limit", the_message_limit_holds},
    {"keeps the depth limit", the_depth_limit_holds},
    {"refuses duplicate keys", equal_keys_are_refused},
    {"never takes a part of a message for the whole", a_part_is_never_taken_for_the_whole},
    {"survives damaged messages", damaged_messages_do_no_harm},
    {"survives garbage", garbage_does_no_harm},
    {"works with an older host", works_for_an_older_host},
    {NULL, NULL},
};
