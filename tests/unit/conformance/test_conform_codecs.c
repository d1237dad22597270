/* SPDX-License-Identifier: MIT */
/* The conformance suite for codecs on the shipped ones; and on codecs with faults, which must be
 * found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "conformance/codec.h"
#include "unit/registry_bed.h"

static const struct ob_codec_ops *codec(const char *name)
{
	const struct obi_plugin *plugin;
	struct ob_error err;
	assert_int_equal(obi_registry_codec(registry, name, &plugin, &err), OB_OK);
	return &plugin->as.codec;
}

static void report(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	(void)user;
	if (verdict == OBI_VERDICT_FAIL) {
		print_error("BROKEN: %s: %s\n", promise, why);
	} else if (verdict == OBI_VERDICT_SKIP) {
		print_message("does not apply: %s: %s\n", promise, why);
	}
}

static void msgpack_keeps_its_promises(void **state)
{
	struct obi_conform_codec it = {.ops = codec("msgpack"), .other = codec("json")};
	(void)state;
	assert_int_equal(obi_conform_codec(&it, report, NULL), 0);
}

static void json_keeps_its_promises(void **state)
{
	struct obi_conform_codec it = {.ops = codec("json"), .other = codec("msgpack")};
	(void)state;
	assert_int_equal(obi_conform_codec(&it, report, NULL), 0);
}

/* ---- With faults: json with one fault each ---- */

static const struct ob_codec_ops *sound;

static int scan_again(struct ob_bytes bytes, struct ob_scan *progress,
		      const struct ob_codec_params *limits, size_t *ret_len)
{
	size_t seen = progress->seen;
	progress->seen = 0;
	int r = sound->scan(bytes, progress, limits, ret_len);
	progress->seen = r == 0 ? bytes.len : seen;
	return r;
}

static int scan_beyond(struct ob_bytes bytes, struct ob_scan *progress,
		       const struct ob_codec_params *limits, size_t *ret_len)
{
	int r = sound->scan(bytes, progress, limits, ret_len);
	*ret_len = r == 0 ? bytes.len + 100 : *ret_len;
	return r;
}

static int scan_unlimited(struct ob_bytes bytes, struct ob_scan *progress,
			  const struct ob_codec_params *limits, size_t *ret_len)
{
	struct ob_codec_params none = *limits;
	none.message = UINT32_MAX;
	return sound->scan(bytes, progress, &none, ret_len);
}

static int decode_deep(struct ob_bytes bytes, struct ob_arena *arena,
		       const struct ob_codec_params *limits, struct ob_message *ret,
		       struct ob_error *reterr)
{
	struct ob_codec_params none = {
	    .size = limits->size, .message = limits->message, .depth = OB_DEPTH_MAX, .batch = 256};
	return sound->decode(bytes, arena, &none, ret, reterr);
}

static int decode_greedy(struct ob_bytes bytes, struct ob_arena *arena,
			 const struct ob_codec_params *limits, struct ob_message *ret,
			 struct ob_error *reterr)
{
	return ob_arena_alloc(arena, 8 * bytes.len) != NULL
		   ? sound->decode(bytes, arena, limits, ret, reterr)
		   : OB_ENOMEM;
}

static int decode_wrong(struct ob_bytes bytes, struct ob_arena *arena,
			const struct ob_codec_params *limits, struct ob_message *ret,
			struct ob_error *reterr)
{
	int r = sound->decode(bytes, arena, limits, ret, reterr);
	if (ret->kind == OB_RESPONSE && ret->result.type == OB_UINT) {
		ret->result = ob_double((double)ret->result.as.uinteger);
	}
	return r;
}

static int decode_new(struct ob_bytes bytes, struct ob_arena *arena,
		      const struct ob_codec_params *limits, struct ob_message *ret,
		      struct ob_error *reterr)
{
	struct ob_message whole = {.size = sizeof whole};
	int r = sound->decode(bytes, arena, limits, &whole, reterr);
	memcpy(ret, &whole, ret->size < sizeof whole ? ret->size : sizeof whole);
	return r;
}

static int encode_silent(const struct ob_message *m, const struct ob_codec_params *params,
			 struct ob_sink *out, struct ob_error *reterr)
{
	int r = sound->encode(m, params, out, reterr);
	return r == OB_ENOMEM ? OB_OK : r;
}

static int encode_anything(const struct ob_message *m, const struct ob_codec_params *params,
			   struct ob_sink *out, struct ob_error *reterr)
{
	int r = sound->encode(m, params, out, reterr);
	return r == OB_EINVAL ? OB_OK : r;
}

static int read_more(struct ob_bytes bytes, struct ob_arena *arena,
		     const struct ob_codec_params *params, struct ob_message *ret, size_t *ret_len)
{
	int r = sound->read(bytes, arena, params, ret, ret_len);
	*ret_len += r == 1 && *ret_len < bytes.len;
	return r;
}

static int read_other(struct ob_bytes bytes, struct ob_arena *arena,
		      const struct ob_codec_params *params, struct ob_message *ret, size_t *ret_len)
{
	int r = sound->read(bytes, arena, params, ret, ret_len);
	ret->id.number += ret->id.number == UINT32_MAX;
	return r;
}

static int read_unlimited(struct ob_bytes bytes, struct ob_arena *arena,
			  const struct ob_codec_params *params, struct ob_message *ret,
			  size_t *ret_len)
{
	struct ob_codec_params none = *params;
	none.depth = OB_DEPTH_MAX;
	none.message = UINT32_MAX;
	return sound->read(bytes, arena, &none, ret, ret_len);
}

static int read_code(struct ob_bytes bytes, struct ob_arena *arena,
		     const struct ob_codec_params *params, struct ob_message *ret, size_t *ret_len)
{
	int r = sound->read(bytes, arena, params, ret, ret_len);
	return r == 0 ? OB_EPROTO : r;
}

static void broken_reads_are_caught(void **state)
{
	int (*const reads[])(struct ob_bytes, struct ob_arena *, const struct ob_codec_params *,
			     struct ob_message *,
			     size_t *) = {read_more, read_other, read_unlimited, read_code};
	(void)state;
	sound = codec("msgpack");
	for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
		struct ob_codec_ops broken = *sound;
		broken.read = reads[i];
		struct obi_conform_codec it = {.ops = &broken};
		if (obi_conform_codec(&it, NULL, NULL) == 0) {
			fail_msg("fault %zu is not caught", i);
		}
	}
}

static void broken_codecs_are_caught(void **state)
{
	(void)state;
	sound = codec("json");
	struct ob_codec_ops broken[9];
	for (size_t i = 0; i < 9; i++) {
		broken[i] = *sound;
	}
	broken[0].scan = scan_again;
	broken[1].scan = scan_beyond;
	broken[2].scan = scan_unlimited;
	broken[3].decode = decode_deep;
	broken[4].decode = decode_greedy;
	broken[5].decode = decode_wrong;
	broken[6].encode = encode_silent;
	broken[7].encode = encode_anything;
	broken[8].decode = decode_new;
	for (size_t i = 0; i < 9; i++) {
		struct obi_conform_codec it = {.ops = &broken[i]};
		if (obi_conform_codec(&it, NULL, NULL) == 0) {
			fail_msg("fault %zu is not caught", i);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(msgpack_keeps_its_promises),
	    cmocka_unit_test(json_keeps_its_promises),
	    cmocka_unit_test(broken_codecs_are_caught),
	    cmocka_unit_test(broken_reads_are_caught),
	};
	return cmocka_run_group_tests_name("codecs", tests, registry_setup, registry_teardown);
}
