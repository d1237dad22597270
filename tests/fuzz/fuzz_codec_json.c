/* SPDX-License-Identifier: MIT */
/* The codec json: any bytes are either refused with a proper code, within the limits, or give a
 * message that encodes and decodes to itself. A space makes no difference, although a message in
 * the form that the codec writes takes another way through it. */
#include "fuzz/fuzzed_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
	struct obi_arena arena;
	struct ob_message m;
	int code;
};

static void decode(struct ob_bytes line, struct decoded *ret)
{
	obi_arena_init(&ret->arena, 64 * line.len + (1 << 20));
	ret->m = (struct ob_message){.size = sizeof ret->m};
	ret->code =
	    fuzzed_ops(fuzzed_json())->decode(line, &ret->arena.ob, &fuzzed_limits, &ret->m, NULL);
}

static void compare(const struct decoded *a, const struct decoded *b)
{
	must(a->code == b->code);
	if (a->code != OB_OK) {
		return;
	}
	must(a->m.kind == b->m.kind && a->m.count == b->m.count);
	must(a->m.kind > OB_NOTIFY || fuzzed_same(&a->m, &b->m));
}

/* A line that begins with a brace, and the same with a space behind the brace. */
static void compare_spaced(struct ob_bytes line)
{
	struct decoded plain, spaced;
	uint8_t *copy = malloc(line.len + 1);
	must(copy != NULL);
	memcpy(copy, "{ ", 2);
	memcpy(copy + 2, line.data + 1, line.len - 1);
	decode(line, &plain);
	decode(ob_bytes_of(copy, line.len + 1), &spaced);
	compare(&plain, &spaced);
	obi_arena_free(&plain.arena);
	obi_arena_free(&spaced.arena);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data + (size > 0), *end = data + size, *newline;
	while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		if (*at == '{') {
			compare_spaced(ob_bytes_of(at, (size_t)(newline - at) + 1));
		}
		at = newline + 1;
	}
	return fuzzed_codec(fuzzed_ops(fuzzed_json()), data, size);
}
