/* SPDX-License-Identifier: MIT */
/* The promises about what a codec preserves, and about finding messages in a stream of bytes. */
#include "conformance/codec.h"

#include "conformance/codec_trial.h"

/* ---- Values and messages ---- */

/* Each sample as a positional parameter, a named parameter, a result, and within an error. */
static const char *round_everywhere(struct obi_codec_trial *t, struct ob_value v)
{
	struct ob_message m = obi_codec_request(obi_codec_array(t, v, 1));
	const char *wrong = obi_codec_round(t, &m);
	if (wrong == NULL) {
		m.kind = OB_NOTIFY;
		m.params = obi_codec_map(t, "name", v);
		wrong = obi_codec_round(t, &m);
	}
	if (wrong == NULL) {
		m.kind = OB_RESPONSE;
		m.result = v;
		wrong = obi_codec_round(t, &m);
	}
	return wrong;
}

static void values_come_back(struct obi_codec_trial *t)
{
	struct ob_value v;
	const char *name;
	for (uint32_t i = 0; obi_codec_sample(t, i, &v, &name); i++) {
		const char *wrong = round_everywhere(t, v);
		OBI_REQUIRE(t, wrong == NULL, "%s (sample %u): %s", name, i, wrong);
	}
}

static void ids_and_methods_come_back(struct obi_codec_trial *t)
{
	static const uint32_t ids[] = {0,   1,	   127,	  128,	     255,
				       256, 65535, 65536, INT32_MAX, UINT32_MAX};
	static char longest[256];
	memset(longest, 'm', 255);
	const char *const methods[] = {"a",
				       "interface.method",
				       "a.b.c",
				       "$/cancel",
				       "\xe2\x82\xac.\xf0\x9f\x98\x80",
				       "\"\\\n",
				       longest};
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		struct ob_message m = obi_codec_request(ob_nil());
		m.id.number = ids[i];
		OBI_REQUIRE(t, obi_codec_round(t, &m) == NULL, "a request with id %u: %s", ids[i],
			    obi_codec_round(t, &m));
		m.kind = OB_RESPONSE;
		OBI_REQUIRE(t, obi_codec_round(t, &m) == NULL, "a response with id %u: %s", ids[i],
			    obi_codec_round(t, &m));
	}
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		struct ob_message m = obi_codec_request(ob_map(NULL, 0));
		m.method = ob_bytes_text(methods[i]);
		OBI_REQUIRE(t, obi_codec_round(t, &m) == NULL, "the method %.40s: %s", methods[i],
			    obi_codec_round(t, &m));
	}
}

static void errors_come_back(struct obi_codec_trial *t)
{
	struct ob_pair pairs[3] = {{ob_string("code"), ob_int(-32601)},
				   {ob_string("message"), ob_string("no such \"method\"")},
				   {ob_string("data"), ob_binary("\0\1", 2)}};
	struct ob_message m = {.size = sizeof m, .kind = OB_RESPONSE, .id = {.number = 7}};
	for (uint32_t n = 2; n <= 3; n++) {
		m.error = ob_map(pairs, n);
		OBI_REQUIRE(t, obi_codec_round(t, &m) == NULL, "an error: %s",
			    obi_codec_round(t, &m));
	}
}

/* Through the other codec and then through this one: nothing is added, and nothing is lost that
 * the other preserves. */
static const char *through_both(struct obi_codec_trial *t, const struct ob_message *m)
{
	struct obi_codec_read first, second;
	struct ob_bytes bytes;
	const char *wrong = NULL;
	if (obi_codec_encode(t, t->other, m, &bytes) != OB_OK ||
	    obi_codec_decode(t, t->other, bytes, &first) != OB_OK) {
		return "the other codec does not preserve it";
	}
	if (obi_codec_encode(t, t->ops, &first.m, &bytes) != OB_OK ||
	    obi_codec_decode(t, t->ops, bytes, &second) != OB_OK) {
		wrong = "it is not preserved";
	} else {
		wrong =
		    obi_codec_same_message(&first.m, &second.m) ? NULL : "it is a different value";
		obi_codec_forget(t, &second);
	}
	obi_codec_forget(t, &first);
	return wrong;
}

static void codecs_agree(struct obi_codec_trial *t)
{
	struct ob_value v;
	const char *name;
	if (t->other == NULL) {
		OBI_SKIP(t, "no other codec to compare with");
		return;
	}
	for (uint32_t i = 0; obi_codec_sample(t, i, &v, &name); i++) {
		struct ob_message m = obi_codec_request(obi_codec_array(t, v, 1));
		const char *wrong = through_both(t, &m);
		OBI_REQUIRE(t, wrong == NULL, "%s (sample %u): %s", name, i, wrong);
	}
}

/* ---- Finding messages ---- */

/* A message with strings, numbers and containers. */
static struct ob_bytes specimen(struct obi_codec_trial *t, uint32_t n)
{
	struct ob_value items[] = {ob_string("text with \n and \xe2\x82\xac"),
				   ob_int(INT64_MIN),
				   ob_double(0.1),
				   ob_binary("\0\n\xff", 3),
				   ob_nil(),
				   ob_array(NULL, 0)};
	struct ob_bytes bytes = {NULL, 0};
	struct ob_message m =
	    obi_codec_request(obi_codec_array(t, obi_codec_map(t, "key", ob_array(items, 6)), n));
	if (obi_codec_encode(t, t->ops, &m, &bytes) != OB_OK) {
		OBI_FAIL(t, "encode refuses a plain message");
	}
	return bytes;
}

/* A scan of a message that arrives in pieces. Bytes that were seen some time ago are
 * overwritten: a scan must not look at them again. */
enum { SEEN_AND_STILL_NEEDED = 32 };

struct feed {
	struct ob_bytes whole;
	uint8_t *buffer; /* what has arrived */
	size_t have;
	size_t need; /* scan is not called before so many bytes have arrived */
	struct ob_scan progress;
};

/* Overwrite with an end of line, the start of a message, and bytes that start nothing. */
static void spoil(uint8_t *data, size_t len)
{
	static const uint8_t with[] = {'{', '\n', 0xc1};
	for (size_t i = 0; i < len; i++) {
		data[i] = with[i % sizeof with];
	}
}

/* Returns 1: found; 0: go on; otherwise the trial failed. */
static int feed_some(struct obi_codec_trial *t, struct feed *f, size_t n, size_t *ret_len)
{
	size_t left = f->whole.len - f->have;
	n = n < left ? n : left;
	memcpy(f->buffer + f->have, f->whole.data + f->have, n);
	f->have += n;
	if (f->have < f->need) {
		return 0;
	}
	if (f->progress.seen > SEEN_AND_STILL_NEEDED) {
		spoil(f->buffer, f->progress.seen - SEEN_AND_STILL_NEEDED);
	}
	size_t len = 0;
	int r = t->ops->scan(ob_bytes_of(f->buffer, f->have), &f->progress, &t->limits, &len);
	if (r == 0 && len <= f->have) {
		OBI_FAIL(t, "scan asks for %zu bytes although it has %zu", len, f->have);
		return OB_EPROTO;
	}
	f->need = r == 0 ? len : f->need;
	*ret_len = len;
	return r;
}

static void try_feed(struct obi_codec_trial *t, struct ob_bytes bytes, size_t first, size_t step,
		     size_t message)
{
	struct feed f = {.whole = bytes, .need = 1, .buffer = obi_codec_memory(t, bytes.len)};
	memset(&f.progress, 0x5a, sizeof f.progress);
	f.progress.seen = 0;
	size_t len = 0;
	int r = feed_some(t, &f, first, &len);
	while (r == 0 && f.have < bytes.len) {
		r = feed_some(t, &f, step, &len);
	}
	OBI_REQUIRE(t, r == 1, "a message in pieces of %zu and %zu bytes is not found: code %d",
		    first, step, r);
	OBI_REQUIRE(t, len == message,
		    "a message of %zu bytes in pieces of %zu and %zu: scan returns the length %zu",
		    message, first, step, len);
	OBI_REQUIRE(t, f.need <= message, "scan waited for %zu bytes of a message of %zu", f.need,
		    message);
	obi_codec_give_back(t, f.buffer);
}

static void messages_are_found_however_they_come(struct obi_codec_trial *t)
{
	struct ob_bytes one = specimen(t, 2), large = specimen(t, 60);
	for (size_t first = 1; first <= one.len; first++) {
		try_feed(t, one, first, one.len, one.len);
	}
	for (size_t step = 1; step <= 70; step++) {
		try_feed(t, one, step, step, one.len);
		try_feed(t, large, step, step, large.len);
	}
}

static void what_follows_a_message_is_left_alone(struct obi_codec_trial *t)
{
	struct ob_bytes one = specimen(t, 1);
	uint8_t *two = obi_codec_memory(t, 2 * one.len);
	memcpy(two, one.data, one.len);
	memcpy(two + one.len, one.data, one.len);
	for (size_t extra = 1; extra <= one.len; extra++) {
		try_feed(t, ob_bytes_of(two, one.len + extra), one.len + extra, 1, one.len);
	}
	struct ob_scan progress = {.seen = 0};
	size_t len;
	OBI_REQUIRE(t, t->ops->scan(ob_bytes_of(NULL, 0), &progress, &t->limits, &len) == 0,
		    "scan of no bytes finds a message");
	OBI_REQUIRE(t, len >= 1, "scan of no bytes asks for none");
}

/* ---- Memory ---- */

static void memory_is_in_proportion(struct obi_codec_trial *t)
{
	struct ob_value string = ob_string("ten letters"),
			record = obi_codec_map(t, "identifier", ob_int(123456789));
	struct ob_value large[] = {
	    obi_codec_array(t, string, 30000),
	    obi_codec_array(t, ob_int(INT64_MIN), 30000),
	    obi_codec_array(t, ob_double(0.1), 30000),
	    obi_codec_array(t, record, 20000),
	    obi_codec_array(t, ob_int(100000), 30000),
	    obi_codec_array(t, ob_binary("0123456789", 10), 30000),
	    obi_codec_array(t, ob_string("a\n\"b\\c"), 30000),
	};
	for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
		struct ob_message m = obi_codec_request(obi_codec_array(t, large[i], 1));
		const char *wrong = obi_codec_round(t, &m);
		OBI_REQUIRE(t, wrong == NULL, "large message %zu: %s", i, wrong);
	}
}

/* Values that are smaller on the wire than in memory may be refused, but only for exceeding the
 * budget. */
static void dense_messages_are_bounded(struct obi_codec_trial *t)
{
	struct ob_value dense[] = {ob_nil(),	      ob_int(0),       ob_string(""),
				   ob_array(NULL, 0), ob_map(NULL, 0), ob_binary(NULL, 0)};
	for (size_t i = 0; i < sizeof dense / sizeof dense[0]; i++) {
		struct ob_message m = obi_codec_request(obi_codec_array(t, dense[i], 300000));
		struct obi_codec_read back;
		struct ob_bytes bytes;
		OBI_REQUIRE(t, obi_codec_encode(t, t->ops, &m, &bytes) == OB_OK,
			    "encode of 300000 small values fails");
		int r = obi_codec_decode(t, t->ops, bytes, &back);
		OBI_REQUIRE(t, r == OB_OK || r == OB_ENOMEM,
			    "decode of 300000 small values: code %d", r);
		if (r == OB_OK) {
			obi_codec_forget(t, &back);
		}
	}
}

/* ---- Batches ---- */

static bool batch_as(struct obi_codec_trial *t, const struct ob_message *batch,
		     const struct ob_message *const *items)
{
	struct obi_codec_read back;
	struct ob_bytes bytes;
	if (obi_codec_encode(t, t->ops, batch, &bytes) != OB_OK ||
	    obi_codec_decode(t, t->ops, bytes, &back) != OB_OK) {
		return OBI_FAIL(t, "encode or decode of a batch fails");
	}
	bool same = back.m.kind == OB_BATCH && back.m.count == 3;
	for (uint32_t i = 0; same && i < 3; i++) {
		same = obi_codec_same_message(items[i], back.m.items[i]);
	}
	obi_codec_forget(t, &back);
	return same || OBI_FAIL(t, "a batch is different after encode and decode");
}

static void batches_come_back(struct obi_codec_trial *t)
{
	struct ob_message request = obi_codec_request(obi_codec_array(t, ob_string("a\n"), 1)),
			  note = request, response = request;
	note.kind = OB_NOTIFY;
	response.kind = OB_RESPONSE;
	response.result = ob_int(5);
	const struct ob_message *items[3] = {&request, &note, &response};
	struct ob_message batch = {
	    .size = sizeof batch, .kind = OB_BATCH, .items = items, .count = 3};
	struct ob_bytes bytes;
	if (obi_codec_encode(t, t->ops, &batch, &bytes) == OB_EINVAL) {
		OBI_SKIP(t, "its protocol has no batches");
		return;
	}
	uint8_t lines[1024];
	struct ob_sink sink = ob_sink_fixed(lines, sizeof lines);
	for (int i = 0; i < 3; i++) {
		OBI_REQUIRE(t, t->ops->encode(items[i], &t->limits, &sink, NULL) == OB_OK,
			    "encode of a small message fails");
	}
	struct ob_message encoded = {
	    .size = sizeof encoded, .kind = OB_BATCH, .encoded = ob_bytes_of(lines, sink.len)};
	if (!batch_as(t, &batch, items) || !batch_as(t, &encoded, items)) {
		return;
	}
	struct obi_codec_read back;
	t->limits.batch = 2;
	OBI_REQUIRE(t, obi_codec_decode(t, t->ops, bytes, &back) < 0,
		    "a batch of 3 is accepted under a limit of 2");
}

const struct obi_codec_promise obi_codec_promises[] = {
    {"preserves values", values_come_back},
    {"preserves ids and methods", ids_and_methods_come_back},
    {"preserves errors", errors_come_back},
    {"preserves what the other codec preserves", codecs_agree},
    {"finds messages in pieces of any size, reading each byte once",
     messages_are_found_however_they_come},
    {"leaves the bytes after a message alone", what_follows_a_message_is_left_alone},
    {"uses memory in proportion to the message", memory_is_in_proportion},
    {"stays within the budget for dense messages", dense_messages_are_bounded},
    {"preserves batches", batches_come_back},
    {NULL, NULL},
};

/* ---- The suite ---- */

static void run_all(const struct obi_conform_codec *it, const struct obi_codec_promise *list,
		    struct obi_suite *suite)
{
	for (; list->name != NULL; list++) {
		struct obi_codec_trial trial;
		if (obi_suite_begin(suite, list->name)) {
			obi_codec_trial_begin(&trial, it);
			list->fn(&trial);
			obi_codec_trial_end(&trial);
			obi_suite_report(suite, list->name, &trial.outcome);
		}
	}
}

uint32_t obi_conform_codec(const struct obi_conform_codec *it, obi_verdict_fn *tell, void *user)
{
	struct obi_suite suite = {.begin = it->begin, .tell = tell, .user = user};
	run_all(it, obi_codec_promises, &suite);
	run_all(it, obi_codec_refusals, &suite);
	return suite.broken;
}
