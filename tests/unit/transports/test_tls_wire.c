/* SPDX-License-Identifier: MIT */
/* The wire of tls: in which pieces bytes are read and written below it, and what stays in memory.
 */
#include "tls/wire.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MEGABYTE = 1 << 20, RECORD = 5 + OBI_TLS_RECORD + 17 };

/* A stream below: reads count up, and what is written has to. */
struct below {
	size_t to_read, to_take; /* bytes that it has, and that it takes still */
	size_t read, written;	 /* bytes so far */
	int reads, writes;	 /* calls that moved bytes */
};

/* Bytes of a value below 128, which may be the first of TLS. */
static uint8_t byte_at(size_t place)
{
	return (uint8_t)((place * 131 ^ place >> 9) & 0x7f);
}

static struct below *below_of(struct ob_stream *stream)
{
	return (struct below *)(void *)stream;
}

static ptrdiff_t below_readv(struct ob_stream *stream, const struct iovec *pieces, int count,
			     struct ob_error *reterr)
{
	struct below *b = below_of(stream);
	size_t n = pieces->iov_len < b->to_read ? pieces->iov_len : b->to_read;
	uint8_t *to = pieces->iov_base;
	(void)reterr;
	assert_int_equal(count, 1);
	for (size_t i = 0; i < n; i++) {
		to[i] = byte_at(b->read++);
	}
	b->to_read -= n;
	b->reads += n > 0;
	return n > 0 ? (ptrdiff_t)n : OB_EAGAIN;
}

static ptrdiff_t below_writev(struct ob_stream *stream, const struct iovec *pieces, int count,
			      struct ob_error *reterr)
{
	struct below *b = below_of(stream);
	size_t n = pieces->iov_len < b->to_take ? pieces->iov_len : b->to_take;
	const uint8_t *from = pieces->iov_base;
	(void)reterr;
	assert_int_equal(count, 1);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(from[i], byte_at(b->written++));
	}
	b->to_take -= n;
	b->writes += n > 0;
	return n > 0 ? (ptrdiff_t)n : OB_EAGAIN;
}

static void below_close(struct ob_stream *stream)
{
	(void)stream;
}

static const struct ob_transport_ops table = {
    .size = sizeof table, .readv = below_readv, .writev = below_writev, .close = below_close};

struct bed {
	struct below below;
	struct obi_tls_wire wire;
	BIO_METHOD *method;
	BIO *bio;
	size_t got, put; /* bytes that went through the BIO */
};

static void begin(struct bed *b)
{
	*b = (struct bed){.below = {.to_take = SIZE_MAX}};
	b->wire.inner = &table;
	b->wire.stream = (struct ob_stream *)(void *)&b->below;
	b->method = obi_tls_wire_method();
	assert_non_null(b->method);
	b->bio = obi_tls_wire_bio(b->method, &b->wire);
	assert_non_null(b->bio);
}

static void end(struct bed *b)
{
	BIO_free(b->bio);
	BIO_meth_free(b->method);
	obi_tls_wire_close(&b->wire);
}

/* As OpenSSL does. Returns false if there is nothing now. */
static bool get(struct bed *b, size_t len)
{
	static uint8_t to[RECORD];
	int n = BIO_read(b->bio, to, (int)len);
	for (int i = 0; i < n; i++) {
		assert_int_equal(to[i], byte_at(b->got++));
	}
	assert_true(n > 0 || BIO_should_retry(b->bio));
	return n > 0;
}

static bool put(struct bed *b, size_t len)
{
	static uint8_t from[RECORD];
	for (size_t i = 0; i < len; i++) {
		from[i] = byte_at(b->put + i);
	}
	int n = BIO_write(b->bio, from, (int)len);
	assert_true(n == (int)len || (n < 0 && BIO_should_retry(b->bio)));
	b->put += n > 0 ? len : 0;
	return n > 0;
}

static void put_much(struct bed *b, size_t len)
{
	for (size_t n = 0; len > 0; len -= n) {
		n = len < RECORD ? len : RECORD;
		assert_true(put(b, n));
	}
}

/* ---- Reading ---- */

/* A header, then a record: the stream below is not asked for each. */
static void much_is_read_at_once(void **state)
{
	struct bed b;
	(void)state;
	begin(&b);
	b.below.to_read = 16 * RECORD;
	obi_tls_wire_permit(&b.wire, 4, MEGABYTE);
	for (int i = 0; i < 16; i++) {
		assert_true(get(&b, 5));
		assert_true(get(&b, RECORD - 5));
	}
	assert_int_equal(b.got, 16 * RECORD);
	assert_int_equal(b.below.reads, 1);
	assert_false(get(&b, 5));
	end(&b);
}

/* Who has room for little does not get more into memory than a record. */
static void no_more_is_read_than_there_is_room_for(void **state)
{
	static const size_t rooms[][2] = {{0, OBI_TLS_RECORD + 261},
					  {4096, OBI_TLS_RECORD + 261},
					  {65536, 65536 + 5 * 22},
					  {MEGABYTE, 262144 + 17 * 22},
					  {SIZE_MAX, 262144 + 17 * 22}};
	struct bed b;
	(void)state;
	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
		begin(&b);
		b.below.to_read = 2 * MEGABYTE;
		obi_tls_wire_permit(&b.wire, 1, rooms[i][0]);
		while (get(&b, 1000)) {
		}
		assert_int_equal(b.got, rooms[i][1]);
		end(&b);
	}
}

static void it_is_read_as_often_as_is_permitted(void **state)
{
	struct bed b;
	(void)state;
	begin(&b);
	b.below.to_read = 2 * MEGABYTE;
	assert_false(get(&b, 1)); /* no permission is none */
	obi_tls_wire_permit(&b.wire, 3, 65536);
	while (get(&b, 1000)) {
	}
	assert_int_equal(b.below.reads, 3);
	b.below.to_read = 100;
	obi_tls_wire_permit(&b.wire, 3, 65536);
	assert_true(get(&b, 99));
	assert_true(obi_tls_wire_has_input(&b.wire));
	assert_true(get(&b, 99));
	assert_int_equal(b.below.reads, 4);
	b.below.to_read = 100;
	assert_false(get(&b, 1)); /* it had less than there was room for */
	end(&b);
}

static void what_was_read_and_handed_on_leaves_no_memory(void **state)
{
	struct bed b;
	(void)state;
	begin(&b);
	b.below.to_read = 3 * RECORD;
	obi_tls_wire_permit(&b.wire, 1, MEGABYTE);
	assert_true(get(&b, RECORD));
	assert_true(b.wire.in.cap >= 3 * RECORD);
	assert_true(get(&b, RECORD) && get(&b, RECORD));
	assert_int_equal(b.wire.in.cap, 0);
	obi_tls_wire_permit(&b.wire, 1, MEGABYTE);
	assert_false(get(&b, 1));
	assert_int_equal(b.wire.in.cap, 0);
	end(&b);
}

static void a_handshake_reads_16_kib_at_most(void **state)
{
	static uint8_t to[RECORD];
	struct bed b;
	(void)state;
	begin(&b);
	b.wire.limited = true;
	b.below.to_read = MEGABYTE;
	for (int i = 0; i < 4; i++) {
		b.wire.reads = 1;
		assert_true(get(&b, 4096));
	}
	b.wire.reads = 1;
	assert_int_equal(b.below.read, OB_HANDSHAKE_MAX);
	assert_true(BIO_read(b.bio, to, 1) < 0);
	assert_false(BIO_should_retry(b.bio));
	assert_true(b.wire.excess);
	end(&b);
}

/* ---- Writing ---- */

static void a_megabyte_leaves_at_once(void **state)
{
	struct bed b;
	(void)state;
	begin(&b);
	obi_tls_wire_reserve(&b.wire, OBI_TLS_BATCH_MAX * OBI_TLS_RECORD);
	uint8_t *data = b.wire.out.data;
	put_much(&b, OBI_TLS_BATCH_MAX * RECORD);
	assert_ptr_equal(b.wire.out.data, data);
	assert_int_equal(b.below.writes, 0);
	assert_int_equal(obi_tls_wire_flush(&b.wire, NULL), OB_OK);
	assert_int_equal(b.below.writes, 1);
	assert_int_equal(b.below.written, OBI_TLS_BATCH_MAX * RECORD);
	assert_int_equal(b.wire.out.cap, 0);
	end(&b);
}

/* Without memory that was reserved, with a small message in front, and with what was left over. */
static void bytes_leave_in_order(void **state)
{
	struct bed b;
	(void)state;
	begin(&b);
	b.below.to_take = 0;
	put_much(&b, 100);
	put_much(&b, 3000);
	assert_int_equal(obi_tls_wire_flush(&b.wire, NULL), OB_EAGAIN);
	b.below.to_take = 50;
	assert_int_equal(obi_tls_wire_flush(&b.wire, NULL), OB_EAGAIN);
	put_much(&b, 3 * RECORD);
	while (b.put < 8 * MEGABYTE) {
		b.below.to_take = 150000;
		(void)obi_tls_wire_flush(&b.wire, NULL);
		while (put(&b, RECORD)) {
		}
	}
	assert_true(b.wire.out.cap <= OBI_TLS_BLOCK);
	b.below.to_take = SIZE_MAX;
	assert_int_equal(obi_tls_wire_flush(&b.wire, NULL), OB_OK);
	assert_int_equal(b.below.written, b.put);
	end(&b);
}

static void a_wire_without_bytes_has_2_kib_at_most(void **state)
{
	struct bed b;
	(void)state;
	begin(&b);
	put_much(&b, 100);
	assert_int_equal(obi_tls_wire_flush(&b.wire, NULL), OB_OK);
	assert_int_equal(b.wire.out.cap, OBI_TLS_KEPT); /* so that a call allocates nothing */
	put_much(&b, 20000);
	assert_int_equal(b.wire.out.cap, 20000); /* no full block for what may wait long */
	assert_int_equal(obi_tls_wire_flush(&b.wire, NULL), OB_OK);
	assert_int_equal(b.wire.out.cap, 0);
	end(&b);
}

/* ---- Blocks ---- */

static void one_block_is_kept_for_the_next(void **state)
{
	struct obi_tls_block one = {.data = NULL}, other = {.data = NULL};
	(void)state;
	assert_true(obi_tls_block_reserve(&one, MEGABYTE));
	assert_true(obi_tls_block_reserve(&other, MEGABYTE));
	assert_int_equal(one.cap, OBI_TLS_BLOCK);
	assert_ptr_not_equal(one.data, other.data);
	uint8_t *data = one.data;
	obi_tls_block_end(&one);
	obi_tls_block_end(&other);
	assert_null(one.data);
	assert_true(obi_tls_block_reserve(&other, 65536));
	assert_ptr_equal(other.data, data);
	obi_tls_block_end(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(much_is_read_at_once),
	    cmocka_unit_test(no_more_is_read_than_there_is_room_for),
	    cmocka_unit_test(it_is_read_as_often_as_is_permitted),
	    cmocka_unit_test(what_was_read_and_handed_on_leaves_no_memory),
	    cmocka_unit_test(a_handshake_reads_16_kib_at_most),
	    cmocka_unit_test(a_megabyte_leaves_at_once),
	    cmocka_unit_test(bytes_leave_in_order),
	    cmocka_unit_test(a_wire_without_bytes_has_2_kib_at_most),
	    cmocka_unit_test(one_block_is_kept_for_the_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
