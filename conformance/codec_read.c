/* SPDX-License-Identifier: MIT */
/* The promise of read(): it does what scan and decode do, or nothing. */
#include "conformance/codec_trial.h"

/* What read() makes of bytes, in memory of exactly their size. */
struct attempt {
	struct ob_message m;
	size_t len;
	void *memory;
	void *copy;
};

static int try_read(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
		    struct ob_bytes bytes, struct attempt *ret)
{
	size_t budget = OBI_BUDGET_PER_BYTE * bytes.len + OBI_BUDGET_CONSTANT;
	ret->memory = obi_codec_memory(trial, budget);
	ret->copy = obi_codec_memory(trial, bytes.len);
	struct ob_arena arena = {.next = ret->memory, .end = (uint8_t *)ret->memory + budget};
	memcpy(ret->copy, bytes.data, bytes.len);
	memset(&ret->m, 0xa5, sizeof ret->m);
	ret->m.size = sizeof ret->m;
	ret->len = 0;
	return ops->read(ob_bytes_of(ret->copy, bytes.len), &arena, &trial->limits, &ret->m,
			 &ret->len);
}

static void forget(struct obi_codec_trial *trial, struct attempt *attempt)
{
	obi_codec_give_back(trial, attempt->memory);
	obi_codec_give_back(trial, attempt->copy);
}

static const char *judge(const struct attempt *attempt, int r, size_t len,
			 const struct ob_message *decoded)
{
	if (r != 0 && r != 1) {
		return "it returns neither 0 nor 1";
	}
	if (r == 1 && decoded == NULL) {
		return "it accepts what scan or decode refuses";
	}
	if (r == 1 && attempt->len != len) {
		return "it finds another length than scan";
	}
	return r == 1 && !obi_codec_same_message(&attempt->m, decoded)
		   ? "its message differs from that of decode"
		   : NULL;
}

static void compare(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
		    struct ob_bytes bytes, size_t len, const struct ob_message *decoded,
		    const char *what)
{
	struct attempt attempt;
	const char *wrong = judge(&attempt, try_read(trial, ops, bytes, &attempt), len, decoded);
	if (wrong != NULL) {
		OBI_FAIL(trial, "read of %s: %s", what, wrong);
	}
	forget(trial, &attempt);
}

void obi_codec_compare_read(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
			    struct ob_bytes bytes, const struct ob_message *decoded)
{
	if (ops->read == NULL) {
		return;
	}
	compare(trial, ops, bytes, bytes.len, decoded, "a message");
	if (decoded == NULL || decoded->kind > OB_NOTIFY) {
		return;
	}
	compare(trial, ops, ob_bytes_of(bytes.data, bytes.len - 1), 0, NULL,
		"a message without its last byte");
	uint8_t *two = obi_codec_memory(trial, 2 * bytes.len);
	memcpy(two, bytes.data, bytes.len);
	memcpy(two + bytes.len, bytes.data, bytes.len);
	compare(trial, ops, ob_bytes_of(two, 2 * bytes.len), bytes.len, decoded,
		"a message with another behind it");
	obi_codec_give_back(trial, two);
}
