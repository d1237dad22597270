/* SPDX-License-Identifier: MIT */
/* Sealed records: the output is the input, for all sizes; a changed record is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/error.h"
#include "rpc/sealed_records.h"

enum { TAG = crypto_aead_chacha20poly1305_ietf_ABYTES, STREAM = 200 * 1024 };
enum { FULL = OBI_RECORD_SIZE - OBI_RECORD_HEADER - TAG, SEAM = TAG + OBI_RECORD_HEADER };

/* ---- A sealer with a fixed key: the test is about records, not about the exchange ---- */

struct ob_auth {
	uint8_t key[32];
	uint64_t sealed, opened;
	uint64_t limit;
};

static void nonce_of(uint64_t n, uint8_t nonce[12])
{
	memset(nonce, 0, 12);
	memcpy(nonce + 4, &n, sizeof n);
}

static ptrdiff_t box_seal(struct ob_auth *auth, uint8_t *data, size_t len)
{
	uint8_t nonce[12];
	nonce_of(auth->sealed++, nonce);
	if (auth->sealed > auth->limit) {
		return OB_EAUTH;
	}
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(data, data + len, NULL, data, len, NULL,
							   0, NULL, nonce, auth->key);
	return (ptrdiff_t)len + TAG;
}

static ptrdiff_t box_open(struct ob_auth *auth, uint8_t *data, size_t len)
{
	uint8_t nonce[12];
	nonce_of(auth->opened++, nonce);
	if (crypto_aead_chacha20poly1305_ietf_decrypt_detached(
		data, NULL, data, len - TAG, data + len - TAG, NULL, 0, nonce, auth->key) != 0) {
		return OB_EAUTH;
	}
	return (ptrdiff_t)len - TAG;
}

static int destroyed;

static void box_destroy(struct ob_auth *auth)
{
	(void)auth;
	destroyed++;
}

static const struct ob_auth_ops box_ops = {.size = sizeof box_ops,
					   .overhead = TAG,
					   .seal = box_seal,
					   .open = box_open,
					   .destroy = box_destroy};

/* ---- Two ends ---- */

struct wire {
	struct ob_auth boxes[2];
	struct obi_sealed_records from, to;
	struct obi_buf out, in;
	uint8_t stream[STREAM];
	uint8_t got[STREAM];
	size_t put, taken;
};

static struct wire *make_wire(void)
{
	struct wire *w = calloc(1, sizeof *w);
	assert_non_null(w);
	w->boxes[0].limit = w->boxes[1].limit = UINT64_MAX;
	obi_sealed_records_begin(&w->from, &box_ops, &w->boxes[0]);
	obi_sealed_records_begin(&w->to, &box_ops, &w->boxes[1]);
	obi_buf_init(&w->out, 1 << 20);
	obi_buf_init(&w->in, 1 << 20);
	randombytes_buf_deterministic(w->stream, sizeof w->stream, w->boxes[0].key);
	return w;
}

static void free_wire(struct wire *w)
{
	obi_sealed_records_end(&w->from);
	obi_sealed_records_end(&w->to);
	obi_buf_free(&w->out);
	obi_buf_free(&w->in);
	free(w);
}

/* Like the session: reserve the header, then append plaintext. */
static void put(struct wire *w, size_t n)
{
	n = n < STREAM - w->put ? n : STREAM - w->put;
	if (obi_buf_len(&w->out) == 0) {
		assert_true(obi_sealed_records_start(&w->out));
	}
	assert_true(ob_sink_put(obi_buf_sink(&w->out), w->stream + w->put, n));
	w->put += n;
}

static struct obi_pieces seal(struct wire *w)
{
	struct obi_pieces pieces;
	assert_int_equal(obi_sealed_records_seal(&w->from, &w->out, &pieces, NULL), OB_OK);
	assert_in_range(pieces.count, 1, OBI_SEALED_RECORDS_PIECES);
	return pieces;
}

/* Write at most n bytes, like writev(). Returns the number of bytes written. */
static size_t write_some(struct wire *w, size_t n)
{
	size_t wrote = 0;
	if (obi_buf_len(&w->out) == 0) {
		return 0;
	}
	struct obi_pieces pieces = seal(w);
	for (int i = 0; i < pieces.count; i++) {
		struct ob_bytes piece = pieces.piece[i];
		size_t part = piece.len < n - wrote ? piece.len : n - wrote;
		assert_true(piece.len > 0);
		assert_true(ob_sink_put(obi_buf_sink(&w->in), piece.data, part));
		wrote += part;
	}
	obi_sealed_records_wrote(&w->from, &w->out, wrote);
	return wrote;
}

/* Consume at most n bytes of the plaintext, as the codec consumes messages. */
static void take(struct wire *w, size_t n)
{
	n = n < w->to.opened ? n : w->to.opened;
	memcpy(w->got + w->taken, obi_buf_bytes(&w->in).data, n);
	w->taken += n;
	w->to.opened -= n;
	obi_buf_consume(&w->in, n);
}

static void open_and_take(struct wire *w, size_t n)
{
	assert_true(obi_sealed_records_open(&w->to, &w->in, OBI_RECORD_MAX, INT_MAX, NULL) >= 0);
	if (w->to.opened > 0) {
		take(w, n);
	}
}

static void drain(struct wire *w)
{
	while (write_some(w, SIZE_MAX) > 0) {
	}
	open_and_take(w, SIZE_MAX);
}

static void sizes_around_the_limits_arrive(void **state)
{
	static const size_t around[] = {0, FULL, 2 * FULL, 3 * FULL, 4 * FULL, 5 * FULL};
	(void)state;
	for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
		for (int off = -2 * TAG; off <= 2 * TAG; off++) {
			if (off < 0 && around[i] == 0) {
				continue;
			}
			struct wire *w = make_wire();
			size_t len = (size_t)((ptrdiff_t)around[i] + off);
			put(w, len);
			write_some(w, 7); /* sealed but not written when more is appended */
			put(w, 50);
			drain(w);
			assert_int_equal(w->taken, len + 50);
			assert_memory_equal(w->got, w->stream, len + 50);
			assert_int_equal(obi_buf_len(&w->in), 0);
			free_wire(w);
		}
	}
}

static uint32_t seed;

static size_t draw(size_t limit)
{
	seed = seed * 1664525u + 1013904223u;
	return (size_t)(seed >> 8) % limit;
}

/* Append, write and read in random order and sizes, with records that are partly written. */
static void any_order_of_operations_keeps_the_stream(void **state)
{
	(void)state;
	for (uint32_t run = 1; run <= 60; run++) {
		static const size_t scales[] = {3, 40, 700, 9000, 70000};
		struct wire *w = make_wire();
		seed = run;
		while (w->taken < STREAM) {
			size_t scale = scales[draw(5)];
			put(w, draw(scale));
			write_some(w, 1 + draw(scale));
			open_and_take(w, draw(scale + 20));
			if (w->put == STREAM) {
				drain(w);
			}
		}
		assert_memory_equal(w->got, w->stream, STREAM);
		free_wire(w);
	}
}

static void a_record_is_a_length_and_ciphertext(void **state)
{
	struct wire *w = make_wire();
	uint8_t plain[5];
	(void)state;
	put(w, 5);
	struct obi_pieces pieces = seal(w);
	struct ob_bytes bytes = pieces.piece[0];
	assert_int_equal(pieces.count, 1);
	assert_int_equal(bytes.len, 2 + 5 + TAG);
	assert_int_equal(bytes.data[0], 0);
	assert_int_equal(bytes.data[1], 5 + TAG);
	const uint8_t nonce[12] = {0};
	assert_int_equal(crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL,
								   bytes.data + 2, 5 + TAG, NULL, 0,
								   nonce, w->boxes[0].key),
			 0);
	assert_memory_equal(plain, w->stream, 5);
	free_wire(w);
}

/* More bytes than the records that are sealed together can hold. */
enum { OVERFULL = OBI_SEALED_RECORDS_TOGETHER * FULL + 1000 };

static void a_limited_number_of_records_is_sealed_together(void **state)
{
	struct wire *w = make_wire();
	size_t all = 0;
	(void)state;
	put(w, OVERFULL);
	struct obi_pieces pieces = seal(w);
	assert_int_equal(pieces.count, OBI_SEALED_RECORDS_PIECES);
	for (int i = 0; i < pieces.count; i++) {
		bool first = i == 0, last = i == pieces.count - 1;
		size_t len =
		    FULL + (first ? (size_t)OBI_RECORD_HEADER : 0) + (last ? (size_t)TAG : 0);
		assert_int_equal(pieces.piece[i].len, i % 2 == 0 ? len : SEAM);
		all += pieces.piece[i].len;
	}
	assert_int_equal(w->boxes[0].sealed, OBI_SEALED_RECORDS_TOGETHER);
	assert_int_equal(all, OBI_SEALED_RECORDS_TOGETHER * OBI_RECORD_SIZE);
	assert_int_equal(write_some(w, SIZE_MAX), all);
	assert_int_equal(seal(w).count, 1);
	drain(w);
	assert_int_equal(w->taken, OVERFULL);
	assert_memory_equal(w->got, w->stream, OVERFULL);
	free_wire(w);
}

/* Write everything up to `cut`, then single bytes until after the next seam, while more is
 * queued. */
static void cut_there(size_t cut)
{
	struct wire *w = make_wire();
	put(w, OVERFULL);
	assert_int_equal(write_some(w, cut), cut);
	put(w, 30);
	for (int i = 0; i < SEAM + 3; i++) {
		assert_int_equal(write_some(w, 1), 1);
	}
	drain(w);
	assert_int_equal(w->taken, OVERFULL + 30);
	assert_memory_equal(w->got, w->stream, OVERFULL + 30);
	free_wire(w);
}

static void a_write_may_end_anywhere_near_a_seam(void **state)
{
	(void)state;
	for (size_t record = 1; record <= OBI_SEALED_RECORDS_TOGETHER; record++) {
		size_t end = record * OBI_RECORD_SIZE;
		for (size_t back = 1; back <= SEAM + 3; back++) {
			cut_there(end - back);
		}
	}
}

/* The records before the changed one are opened; it and all later ones are refused. */
static void a_changed_record_is_refused(void **state)
{
	(void)state;
	for (size_t at = 0; at < 2 * (2 + 10 + TAG); at++) {
		struct wire *w = make_wire();
		struct ob_error err;
		put(w, 10);
		write_some(w, SIZE_MAX);
		put(w, 10);
		write_some(w, SIZE_MAX);
		put(w, 10000);
		write_some(w, SIZE_MAX);
		obi_buf_sink(&w->in)->data[w->in.start + at] ^= 1;
		assert_int_equal(
		    obi_sealed_records_open(&w->to, &w->in, OBI_RECORD_MAX, INT_MAX, &err),
		    OB_EAUTH);
		assert_int_equal(w->to.opened, at < 2 + 10 + TAG ? 0 : 10);
		assert_true(w->to.dead);
		assert_int_equal(
		    obi_sealed_records_open(&w->to, &w->in, OBI_RECORD_MAX, INT_MAX, &err),
		    OB_EAUTH);
		free_wire(w);
	}
}

static void an_invalid_length_is_refused_before_the_record_is_complete(void **state)
{
	static const struct {
		uint8_t header[2];
		size_t max;
	} bad[] = {{{0, 0}, OBI_RECORD_MAX},
		   {{0, TAG - 1}, OBI_RECORD_MAX},
		   {{0xff, 0xff}, 4096},
		   {{16, 1}, 4096}};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct wire *w = make_wire();
		ob_sink_put(obi_buf_sink(&w->in), bad[i].header, 2);
		assert_int_equal(obi_sealed_records_open(&w->to, &w->in, bad[i].max, INT_MAX, NULL),
				 OB_EAUTH);
		free_wire(w);
	}
}

/* The sealer fails: this record is not sent, and no later one. */
static void a_failing_sealer_is_final(void **state)
{
	struct wire *w = make_wire();
	struct obi_pieces pieces = {.count = -1};
	struct ob_error err;
	(void)state;
	w->boxes[0].limit = 1;
	put(w, 10);
	write_some(w, SIZE_MAX);
	put(w, 10);
	assert_int_equal(obi_sealed_records_seal(&w->from, &w->out, &pieces, &err), OB_EAUTH);
	assert_int_equal(pieces.count, -1);
	w->boxes[0].limit = UINT64_MAX;
	assert_int_equal(obi_sealed_records_seal(&w->from, &w->out, &pieces, &err), OB_ECLOSED);
	free_wire(w);
}

static void the_sealer_is_freed_once(void **state)
{
	struct wire *w = make_wire();
	(void)state;
	destroyed = 0;
	obi_sealed_records_end(&w->from);
	obi_sealed_records_end(&w->from);
	assert_int_equal(destroyed, 1);
	free_wire(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes_around_the_limits_arrive),
	    cmocka_unit_test(any_order_of_operations_keeps_the_stream),
	    cmocka_unit_test(a_record_is_a_length_and_ciphertext),
	    cmocka_unit_test(a_limited_number_of_records_is_sealed_together),
	    cmocka_unit_test(a_write_may_end_anywhere_near_a_seam),
	    cmocka_unit_test(a_changed_record_is_refused),
	    cmocka_unit_test(an_invalid_length_is_refused_before_the_record_is_complete),
	    cmocka_unit_test(a_failing_sealer_is_final),
	    cmocka_unit_test(the_sealer_is_freed_once),
	};
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
