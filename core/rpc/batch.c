/* SPDX-License-Identifier: MIT */
#include "rpc/batch.h"

#include <stdlib.h>

#include "rpc/session_private.h"

/* What an error's answer takes at most, unless a handler's own text is longer; and what a codec may
 * put around the answers. */
enum { ERROR_ROOM = 256, AROUND = 64 };

/* ---- Begin and end ---- */

static struct obi_batch *begin(struct obi_session *s, uint32_t count)
{
	struct obi_batch *batch = calloc(1, sizeof *batch);
	if (batch == NULL) {
		return NULL;
	}
	size_t most = s->setup.limits.message > AROUND ? s->setup.limits.message - AROUND : 0;
	size_t errors = (size_t)count * ERROR_ROOM;
	obi_buf_init(&batch->answers, most);
	batch->results_max = most - (errors < most / 2 ? errors : most / 2);
	batch->session = s;
	batch->owed = 1;
	batch->next = s->batches;
	batch->slot = &s->batches;
	if (batch->next != NULL) {
		batch->next->slot = &batch->next;
	}
	s->batches = batch;
	return batch;
}

static void drop(struct obi_batch *batch)
{
	*batch->slot = batch->next;
	if (batch->next != NULL) {
		batch->next->slot = batch->slot;
	}
	batch->session->batched -= obi_buf_len(&batch->answers);
	obi_buf_free(&batch->answers);
	free(batch);
}

void obi_batches_drop(struct obi_session *s)
{
	struct obi_batch *batch = s->batches;
	while (batch != NULL) {
		struct obi_batch *next = batch->next;
		if (batch != s->batch) {
			drop(batch);
		}
		batch = next;
	}
}

/* ---- Answers ---- */

int obi_batch_add(struct obi_batch *batch, const struct ob_message *m)
{
	bool result = m->error.type == OB_NIL;
	size_t before = obi_buf_len(&batch->answers);
	int r = batch->session->setup.codec->encode(m, obi_buf_sink(&batch->answers), NULL);
	if (r == OB_OK && result && obi_buf_len(&batch->answers) > batch->results_max) {
		r = OB_ETOOBIG;
	}
	if (r == OB_OK) {
		batch->session->batched += obi_buf_len(&batch->answers) - before;
		return OB_OK;
	}
	obi_buf_truncate(&batch->answers, before);
	if (!result) {
		batch->failed = true;
		return OB_OK;
	}
	return r == OB_ENOMEM ? OB_ETOOBIG : r;
}

static int send_answers(struct obi_batch *batch)
{
	struct ob_message m = {
	    .size = sizeof m, .kind = OB_BATCH, .encoded = obi_buf_bytes(&batch->answers)};
	if (batch->failed) {
		return OB_ETOOBIG;
	}
	return m.encoded.len > 0 ? obi_session_send(batch->session, &m, NULL) : OB_OK;
}

void obi_batch_settle(struct obi_batch *batch)
{
	struct obi_session *s = batch->session;
	if (--batch->owed > 0) {
		return;
	}
	int r = s->state == OBI_SESSION_OPEN ? send_answers(batch) : OB_OK;
	drop(batch);
	if (r == OB_ENOMEM) {
		obi_session_close(s, OB_EAGAIN, "the peer does not read: too much is queued");
	} else if (r < 0) {
		obi_session_close(s, r, "the answers to a batch are larger than a message may be");
	}
}

void obi_batch_dispatch(struct obi_session *s, const struct ob_message *m)
{
	struct obi_batch *batch = begin(s, m->count);
	if (batch == NULL) {
		obi_session_fail(s, OB_ENOMEM, "out of memory");
		return;
	}
	s->batch = batch;
	for (uint32_t i = 0; i < m->count && s->state == OBI_SESSION_OPEN; i++) {
		obi_session_dispatch_one(s, m->items[i]);
	}
	s->batch = NULL;
	if (s->state == OBI_SESSION_OPEN) {
		obi_batch_settle(batch);
	} else {
		drop(batch);
	}
}
