/* SPDX-License-Identifier: MIT */
/* rpc/sealed_records: appending, writing and reading in any order and in pieces of any size,
 * with bytes changed in transit. The output is the input up to the first changed byte, and
 * nothing behind it. */
#include <stdlib.h>
#include <string.h>

#include "rpc/sealed_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

/* ---- A sealer that a fuzzer can see through: the tag is a sum over number, length and bytes
 * ---- */

enum { TAG = 16, STREAM = 70 * 1000 };

struct ob_auth {
	uint32_t sealed, opened;
};

static void sum(uint32_t number, const uint8_t *data, size_t len, uint8_t tag[TAG])
{
	uint64_t h = 14695981039346656037u + number;
	for (size_t i = 0; i < len; i++) {
		h = (h ^ data[i]) * 1099511628211u;
	}
	h = (h ^ len) * 1099511628211u;
	memcpy(tag, &h, 8);
	h = ~h * 1099511628211u;
	memcpy(tag + 8, &h, 8);
}

static void mask(uint32_t number, uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		data[i] ^= (uint8_t)(number * 167 + i);
	}
}

static ptrdiff_t seal(struct ob_auth *auth, uint8_t *data, size_t len)
{
	mask(auth->sealed, data, len);
	sum(auth->sealed++, data, len, data + len);
	return (ptrdiff_t)len + TAG;
}

static ptrdiff_t unseal(struct ob_auth *auth, uint8_t *data, size_t len)
{
	uint8_t tag[TAG];
	sum(auth->opened, data, len - TAG, tag);
	if (memcmp(tag, data + len - TAG, TAG) != 0) {
		return OB_EAUTH;
	}
	mask(auth->opened++, data, len - TAG);
	return (ptrdiff_t)len - TAG;
}

static void destroy(struct ob_auth *auth)
{
	(void)auth;
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops, .overhead = TAG, .seal = seal, .open = unseal, .destroy = destroy};

/* ---- The wire ---- */

struct wire {
	struct ob_auth ends[2];
	struct obi_sealed_records from, to;
	struct obi_buf out, in;
	size_t put, taken;
	bool touched; /* something is in transit, or will be */
};

static uint8_t stream(size_t at)
{
	return (uint8_t)(at * 31 + at / 251);
}

static void put(struct wire *w, size_t n)
{
	n = n < STREAM - w->put ? n : STREAM - w->put;
	must(obi_buf_len(&w->out) > 0 || obi_sealed_records_start(&w->out));
	for (size_t i = 0; i < n; i++) {
		must(ob_sink_byte(obi_buf_sink(&w->out), stream(w->put++)));
	}
}

static void write_some(struct wire *w, size_t n)
{
	struct obi_pieces pieces;
	size_t wrote = 0;
	if (obi_buf_len(&w->out) == 0) {
		return;
	}
	must(obi_sealed_records_seal(&w->from, &w->out, &pieces, NULL) == OB_OK &&
	     pieces.count > 0);
	for (int i = 0; i < pieces.count; i++) {
		size_t part = pieces.piece[i].len < n - wrote ? pieces.piece[i].len : n - wrote;
		must(pieces.piece[i].len > 0);
		must(ob_sink_put(obi_buf_sink(&w->in), pieces.piece[i].data, part));
		wrote += part;
	}
	obi_sealed_records_wrote(&w->from, &w->out, wrote);
}

static void take(struct wire *w, size_t n)
{
	n = n < w->to.opened ? n : w->to.opened;
	if (n == 0) {
		return;
	}
	const uint8_t *bytes = obi_buf_bytes(&w->in).data;
	for (size_t i = 0; i < n; i++) {
		must(bytes[i] == stream(w->taken++));
	}
	w->to.opened -= n;
	obi_buf_consume(&w->in, n);
}

static void open_some(struct wire *w, int most)
{
	int count = obi_sealed_records_open(&w->to, &w->in, OBI_RECORD_MAX, most, NULL);
	must(count >= 0 ? count <= most : w->touched);
}

/* A byte that has not been opened. */
static void touch(struct wire *w, size_t at)
{
	size_t sealed = obi_buf_len(&w->in) - w->to.opened;
	if (sealed > 0) {
		obi_buf_sink(&w->in)->data[w->in.start + w->to.opened + at % sealed] ^= 1;
		w->touched = true;
	}
}

static void step(struct wire *w, uint8_t what, size_t n)
{
	switch (what % 8) {
	case 0:
	case 1:
		put(w, n * 8);
		break;
	case 2:
	case 3:
		write_some(w, 1 + n);
		break;
	case 4:
		write_some(w, SIZE_MAX);
		break;
	case 5:
		open_some(w, 1 + (int)n);
		break;
	case 6:
		take(w, n);
		break;
	default:
		touch(w, n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire w = {.put = 0};
	obi_sealed_records_begin(&w.from, &ops, &w.ends[0]);
	obi_sealed_records_begin(&w.to, &ops, &w.ends[1]);
	obi_buf_init(&w.out, 1 << 20);
	obi_buf_init(&w.in, 1 << 20);
	for (; size >= 3; data += 3, size -= 3) {
		step(&w, data[0], (size_t)data[1] << 8 | data[2]);
	}
	while (!w.touched && obi_buf_len(&w.out) > 0) {
		write_some(&w, SIZE_MAX);
	}
	open_some(&w, 1 << 20);
	take(&w, SIZE_MAX);
	must(w.touched || w.taken == w.put);
	obi_sealed_records_end(&w.from);
	obi_sealed_records_end(&w.to);
	obi_buf_free(&w.out);
	obi_buf_free(&w.in);
	return 0;
}
