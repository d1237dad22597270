/* SPDX-License-Identifier: MIT */
#include "conformance/codec_trial.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Memory ---- */

struct block {
	struct block *next;
	struct block *prev;
};

void *obi_codec_memory(struct obi_codec_trial *trial, size_t size)
{
	struct block *block =
	    size <= SIZE_MAX - sizeof *block ? malloc(sizeof *block + size) : NULL;
	if (block == NULL) {
		fprintf(stderr, "out of memory\n");
		abort();
	}
	block->prev = NULL;
	block->next = trial->blocks;
	if (block->next != NULL) {
		block->next->prev = block;
	}
	trial->blocks = block;
	return block + 1;
}

void obi_codec_give_back(struct obi_codec_trial *trial, void *memory)
{
	struct block *block = memory != NULL ? (struct block *)memory - 1 : NULL;
	if (block == NULL) {
		return;
	}
	if (block->prev != NULL) {
		block->prev->next = block->next;
	} else {
		trial->blocks = block->next;
	}
	if (block->next != NULL) {
		block->next->prev = block->prev;
	}
	free(block);
}

void obi_codec_trial_begin(struct obi_codec_trial *trial, const struct obi_conform_codec *it)
{
	memset(trial, 0, sizeof *trial);
	trial->ops = it->ops;
	trial->other = it->other;
	trial->limits.size = sizeof trial->limits;
	trial->limits.host = it->host;
	trial->limits.state = it->state;
	trial->limits.message = 16u << 20;
	trial->limits.depth = OB_DEPTH_MAX;
	trial->limits.batch = 256;
}

void obi_codec_trial_end(struct obi_codec_trial *trial)
{
	while (trial->blocks != NULL) {
		obi_codec_give_back(trial, (struct block *)trial->blocks + 1);
	}
}

/* ---- There and back ---- */

int obi_codec_encode(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
		     const struct ob_message *m, struct ob_bytes *ret)
{
	struct ob_error err = {.text = ""};
	size_t room = 512;
	for (;;) {
		uint8_t *memory = obi_codec_memory(trial, room);
		struct ob_sink sink = ob_sink_fixed(memory, room);
		int r = ops->encode(m, &trial->limits, &sink, &err);
		if (r == OB_OK) {
			*ret = ob_bytes_of(sink.data, sink.len);
			return r;
		}
		obi_codec_give_back(trial, memory);
		if (r != OB_ENOMEM || !sink.failed || room > trial->limits.message) {
			return r;
		}
		room *= 4;
	}
}

static int scan_and_decode(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
			   struct ob_bytes bytes, struct ob_arena *arena, struct ob_message *ret)
{
	struct ob_scan progress = {.seen = 0};
	struct ob_error err = {.text = ""};
	size_t len = 0;
	int r = ops->scan(bytes, &progress, &trial->limits, &len);
	if (r <= 0 || len != bytes.len) {
		return r < 0 ? r : OB_EPROTO;
	}
	memset(ret, 0xa5, sizeof *ret);
	ret->size = sizeof *ret;
	r = ops->decode(bytes, arena, &trial->limits, ret, &err);
	return r == OB_OK && ret->kind == OB_INVALID ? OB_EPROTO : r;
}

int obi_codec_decode(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
		     struct ob_bytes bytes, struct obi_codec_read *ret)
{
	size_t budget = OBI_BUDGET_PER_BYTE * bytes.len + OBI_BUDGET_CONSTANT;
	ret->memory = obi_codec_memory(trial, budget);
	ret->copy = obi_codec_memory(trial, bytes.len);
	struct ob_arena arena = {.next = ret->memory, .end = (uint8_t *)ret->memory + budget};
	memcpy(ret->copy, bytes.data, bytes.len);
	int r = scan_and_decode(trial, ops, ob_bytes_of(ret->copy, bytes.len), &arena, &ret->m);
	obi_codec_compare_read(trial, ops, bytes, r == OB_OK ? &ret->m : NULL);
	if (r < 0) {
		obi_codec_forget(trial, ret);
	}
	return r;
}

void obi_codec_forget(struct obi_codec_trial *trial, struct obi_codec_read *read)
{
	obi_codec_give_back(trial, read->memory);
	obi_codec_give_back(trial, read->copy);
	read->memory = read->copy = NULL;
}

const char *obi_codec_round(struct obi_codec_trial *trial, const struct ob_message *m)
{
	struct obi_codec_read back;
	struct ob_bytes bytes;
	if (obi_codec_encode(trial, trial->ops, m, &bytes) != OB_OK) {
		return "encode fails";
	}
	int r = obi_codec_decode(trial, trial->ops, bytes, &back);
	const char *wrong = r == OB_ENOMEM ? "decode needs more memory than its budget"
			    : r < 0	   ? "decode refuses the output of encode"
			    : !obi_codec_same_message(m, &back.m)
				? "it is different after encode and decode"
				: NULL;
	if (r == OB_OK) {
		obi_codec_forget(trial, &back);
	}
	obi_codec_give_back(trial, (void *)(uintptr_t)bytes.data);
	return wrong;
}

/* ---- Comparing ---- */

static bool same_run(const struct ob_value *a, const struct ob_value *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!obi_codec_same(&a[i], &b[i])) {
			return false;
		}
	}
	return true;
}

/* Codecs nest at most OB_DEPTH_MAX levels, and so does this recursion. */
bool obi_codec_same(const struct ob_value *a, const struct ob_value *b)
{
	if (a->type != b->type) {
		return false;
	}
	switch (a->type) {
	case OB_NIL:
		return true;
	case OB_BOOL:
		return a->as.boolean == b->as.boolean;
	case OB_INT:
	case OB_UINT:
	case OB_DOUBLE:
		return memcmp(&a->as, &b->as, sizeof(uint64_t)) == 0;
	case OB_STRING:
	case OB_BINARY:
		return ob_bytes_equal(ob_bytes_of(a->as.binary, a->count),
				      ob_bytes_of(b->as.binary, b->count));
	case OB_ARRAY:
		return a->count == b->count && same_run(a->as.items, b->as.items, a->count);
	case OB_MAP:
		/* A pair is two values in a row. */
		return a->count == b->count &&
		       same_run((const struct ob_value *)(const void *)a->as.pairs,
				(const struct ob_value *)(const void *)b->as.pairs,
				2 * (size_t)a->count);
	default:
		return false;
	}
}

static bool same_id(const struct ob_id *a, const struct ob_id *b)
{
	return a->foreign == b->foreign &&
	       (a->foreign ? ob_bytes_equal(a->raw, b->raw) : a->number == b->number);
}

/* Absent params may come back as empty params. */
static bool same_params(const struct ob_value *a, const struct ob_value *b)
{
	return obi_codec_same(a, b) || (a->type == OB_NIL && b->type == OB_ARRAY && b->count == 0);
}

bool obi_codec_same_message(const struct ob_message *a, const struct ob_message *b)
{
	if (a->kind != b->kind || (a->kind != OB_NOTIFY && !same_id(&a->id, &b->id))) {
		return false;
	}
	if (a->kind == OB_RESPONSE) {
		return obi_codec_same(&a->error, &b->error) &&
		       (a->error.type != OB_NIL || obi_codec_same(&a->result, &b->result));
	}
	return ob_bytes_equal(a->method, b->method) && same_params(&a->params, &b->params);
}
