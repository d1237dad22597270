/* SPDX-License-Identifier: MIT */
/* The codec msgpack: any bytes are either refused with a proper code, within the limits, or give
 * a message that encodes and decodes to itself. A codec on msgpack-c accepts the same messages,
 * reads the same from them, and writes the same bytes. */
#include "codecs/msgpack_read.h"
#include "fuzz/fuzzed_codec.h"
#include "fuzz/msgpack_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one of the two makes of bytes. */
struct side {
	struct obi_arena arena;
	struct obi_buf out;
	struct ob_message m;
	size_t len; /* of the message; 0: there is none */
};

static void begin(struct side *side, size_t size)
{
	/* More than either of them takes. */
	obi_arena_init(&side->arena, 64 * size + (1 << 20));
	obi_buf_init(&side->out, 1 << 22);
	side->m = (struct ob_message){.size = sizeof side->m};
	side->len = 0;
}

static void end(struct side *side)
{
	obi_arena_free(&side->arena);
	obi_buf_free(&side->out);
}

static void read_own(struct side *own, struct ob_bytes bytes)
{
	int r = obi_msgpack_read(bytes, &own->arena.ob, fuzzed_limits.depth, &own->m, &own->len);
	must(r == OB_OK || r == OB_EPROTO);
	must(r != OB_OK || (own->len > 0 && own->len <= bytes.len));
	own->len = r == OB_OK ? own->len : 0;
}

/* Returns the length of a message that was found but may not be one. */
static size_t read_reference(struct side *reference, struct ob_bytes bytes)
{
	size_t len;
	if (fuzzed_scan(&msgpack_reference, bytes, bytes.len, &len) != 1) {
		return 0;
	}
	int r = msgpack_reference.decode(ob_bytes_of(bytes.data, len), &reference->arena.ob,
					 &fuzzed_limits, &reference->m, NULL);
	must(r == OB_OK || r == OB_EPROTO);
	reference->len = r == OB_OK ? len : 0;
	return len;
}

static void compare_written(struct side *own, struct side *reference)
{
	const struct ob_codec_ops *ops = fuzzed_ops(fuzzed_msgpack());
	int a = ops->encode(&own->m, &fuzzed_limits, obi_buf_sink(&own->out), NULL);
	int b = msgpack_reference.encode(&reference->m, &fuzzed_limits,
					 obi_buf_sink(&reference->out), NULL);
	must(a == b);
	must(a != OB_OK ||
	     ob_bytes_equal(obi_buf_bytes(&own->out), obi_buf_bytes(&reference->out)));
}

/* Returns how many bytes to go on by; 0: there is no further message. */
static size_t compare(struct ob_bytes bytes)
{
	struct side own, reference;
	begin(&own, bytes.len);
	begin(&reference, bytes.len);
	read_own(&own, bytes);
	size_t found = read_reference(&reference, bytes);
	must(own.len == reference.len);
	if (own.len > 0) {
		must(fuzzed_same(&own.m, &reference.m));
		compare_written(&own, &reference);
	}
	end(&own);
	end(&reference);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t found = 1;
	for (size_t at = 1; at < size && found > 0; at += found) {
		found = compare(ob_bytes_of(data + at, size - at));
	}
	return fuzzed_codec(fuzzed_ops(fuzzed_msgpack()), data, size);
}
