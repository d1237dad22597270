/* SPDX-License-Identifier: MIT */
#include "rpc/batch.h"

#include <stdlib.h>

/* The bytes of one encoded error answer, unless the text of a handler is longer; and the bytes that
 * a codec may put around the answers. */
enum { ERROR_ROOM = 256, AROUND = 64 };

/* So many results that do not fit are tried at most. */
enum { FAILURES = 16 };

struct obi_batch *obi_batch_new(struct obi_batches *list, const struct ob_codec_ops *codec,
				const struct ob_codec_params *params, uint32_t count,
				size_t message_max)
{
	struct obi_batch *batch = calloc(1, sizeof *batch);
	if (batch == NULL) {
		return NULL;
	}
	size_t most = message_max > AROUND ? message_max - AROUND : 0;
	size_t errors = (size_t)count * ERROR_ROOM;
	obi_buf_init(&batch->answers, most);
	batch->results_max = most - (errors < most / 2 ? errors : most / 2);
	batch->list = list;
	batch->codec = codec;
	batch->params = params;
	batch->owed = 1;
	batch->next = list->first;
	batch->slot = &list->first;
	if (batch->next != NULL) {
		batch->next->slot = &batch->next;
	}
	list->first = batch;
	return batch;
}

void obi_batch_free(struct obi_batch *batch)
{
	*batch->slot = batch->next;
	if (batch->next != NULL) {
		batch->next->slot = batch->slot;
	}
	batch->list->bytes -= obi_buf_len(&batch->answers);
	obi_buf_free(&batch->answers);
	free(batch);
}

void obi_batches_free(struct obi_batches *list, const struct obi_batch *reading)
{
	struct obi_batch *batch = list->first;
	while (batch != NULL) {
		struct obi_batch *next = batch->next;
		if (batch != reading) {
			obi_batch_free(batch);
		}
		batch = next;
	}
}

/* Whether a result may be encoded at all. */
static int check_room(const struct obi_batch *batch)
{
	if (batch->wasted >= batch->answers.max) {
		return OB_ETOOBIG;
	}
	return batch->list->max > 0 && batch->list->bytes >= batch->list->max ? OB_EAGAIN : OB_OK;
}

/* What does not fit may have cost more than the bytes that it left in the buffer: a codec looks at
 * a text before it writes it. */
static size_t cost_of_failure(const struct obi_batch *batch, int code, size_t written)
{
	size_t least = batch->answers.max / FAILURES;
	return code != OB_EINVAL && written < least ? least : written;
}

static int encode(struct obi_batch *batch, const struct ob_message *m, bool result)
{
	size_t before = obi_buf_len(&batch->answers);
	int r = batch->codec->encode(m, batch->params, obi_buf_sink(&batch->answers), NULL);
	size_t len = obi_buf_len(&batch->answers);
	if (r == OB_OK && result && len > batch->results_max) {
		r = OB_ETOOBIG;
	}
	if (r == OB_OK) {
		batch->list->bytes += len - before;
		return OB_OK;
	}
	obi_buf_truncate(&batch->answers, before);
	batch->wasted += cost_of_failure(batch, r, len - before);
	return r;
}

int obi_batch_add(struct obi_batch *batch, const struct ob_message *m)
{
	bool result = m->error.type == OB_NIL;
	if (batch->failed) {
		return OB_OK; /* none of its answers will be sent */
	}
	int r = result ? check_room(batch) : OB_OK;
	r = r == OB_OK ? encode(batch, m, result) : r;
	if (r == OB_OK) {
		return OB_OK;
	}
	if (!result) {
		batch->failed = true;
		return OB_OK;
	}
	return r == OB_ENOMEM ? OB_ETOOBIG : r;
}

bool obi_batch_settle(struct obi_batch *batch)
{
	return --batch->owed == 0;
}

int obi_batch_message(const struct obi_batch *batch, struct ob_message *ret)
{
	*ret = (struct ob_message){
	    .size = sizeof *ret, .kind = OB_BATCH, .encoded = obi_buf_bytes(&batch->answers)};
	return batch->failed ? OB_ETOOBIG : OB_OK;
}
