/* SPDX-License-Identifier: MIT */
/* The records of noise: each opens once, in its place, unchanged, at the other end; and both
 * ends change keys at the same number. */
#include "unit/auth/noise_pair.h"

#include "support/noise_by_hand.h"

#include <stdlib.h>

enum { SMALL = 64, LARGE = 16384 };

struct record {
	size_t len; /* sealed */
	uint8_t bytes[PAIR_RECORD_MAX];
};

/* len bytes that differ between records. */
static void fill(uint8_t *data, size_t len, uint64_t number)
{
	for (size_t i = 0; i < len; i++) {
		data[i] = (uint8_t)(number * 31 + i);
	}
}

static void seal(struct obi_noise *end, uint64_t number, size_t len, struct record *ret)
{
	fill(ret->bytes, len, number);
	ptrdiff_t n = obi_noise_seal(end, ret->bytes, len);
	assert_int_equal(n, len + OBI_NOISE_TAG);
	ret->len = (size_t)n;
}

/* A copy of record, in memory of exactly its length, opens as the plain text. */
static void assert_opens(struct obi_noise *end, const struct record *record, uint64_t number)
{
	size_t len = record->len - OBI_NOISE_TAG;
	uint8_t *copy = malloc(record->len), *plain = malloc(len + 1);
	assert_non_null(copy);
	assert_non_null(plain);
	memcpy(copy, record->bytes, record->len);
	fill(plain, len, number);
	assert_int_equal(obi_noise_open(end, copy, record->len), len);
	assert_memory_equal(copy, plain, len);
	free(copy);
	free(plain);
}

/* An end in the same state refuses the bytes, writes no plain text, and is dead. */
static void assert_refused(const struct obi_noise *end, const uint8_t *bytes, size_t len)
{
	static const uint8_t zeros[SMALL] = {0};
	static uint8_t copy[PAIR_RECORD_MAX + 1];
	struct obi_noise dead = *end;
	if (len > 0) {
		memcpy(copy, bytes, len);
	}
	assert_int_equal(obi_noise_open(&dead, copy, len), OB_EAUTH);
	if (len >= SMALL + OBI_NOISE_TAG && len <= OBI_NOISE_MESSAGE_MAX) {
		assert_memory_equal(copy, zeros, SMALL);
	}
	assert_true(noise_is_wiped(&dead));
	assert_int_equal(obi_noise_open(&dead, copy, len), OB_ECLOSED);
	assert_int_equal(obi_noise_seal(&dead, copy, 0), OB_ECLOSED);
}

/* ---- What is accepted ---- */

static void records_of_every_size_cross_both_ways(void **state)
{
	static const size_t large[] = {LARGE, OBI_NOISE_MESSAGE_MAX - OBI_NOISE_TAG};
	static struct record record;
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t len = 0; len < 300; len++) {
		seal(&p.end[len % 2], len, len, &record);
		assert_opens(&p.end[1 - len % 2], &record, len);
	}
	for (size_t i = 0; i < 4; i++) {
		seal(&p.end[i % 2], i, large[i / 2], &record);
		assert_opens(&p.end[1 - i % 2], &record, i);
	}
	assert_int_equal(p.end[0].seal.n, 152);
	assert_int_equal(p.end[0].open.n, 152);
}

static void a_record_over_the_size_is_not_sealed_and_does_no_harm(void **state)
{
	static struct record record;
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	assert_int_equal(
	    obi_noise_seal(&p.end[0], record.bytes, OBI_NOISE_MESSAGE_MAX - OBI_NOISE_TAG + 1),
	    OB_ETOOBIG);
	assert_int_equal(obi_noise_seal(&p.end[0], record.bytes, SIZE_MAX), OB_ETOOBIG);
	seal(&p.end[0], 0, SMALL, &record);
	assert_opens(&p.end[1], &record, 0);
}

static void equal_records_look_different(void **state)
{
	static struct record one, other;
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	seal(&p.end[0], 7, SMALL, &one);
	seal(&p.end[0], 7, SMALL, &other);
	assert_memory_not_equal(one.bytes, other.bytes, SMALL);
	seal(&p.end[1], 7, SMALL, &other);
	assert_memory_not_equal(one.bytes, other.bytes, SMALL);
}

/* ---- What is refused ---- */

static void fault_45_every_changed_byte_of_a_record_is_refused(void **state)
{
	static struct record record;
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	seal(&p.end[0], 0, SMALL, &record);
	for (size_t at = 0; at < record.len; at++) {
		for (unsigned mask = 1; mask < 256; mask++) {
			record.bytes[at] ^= (uint8_t)mask;
			assert_refused(&p.end[1], record.bytes, record.len);
			record.bytes[at] ^= (uint8_t)mask;
		}
	}
	assert_opens(&p.end[1], &record, 0);
}

static void fault_45_every_flipped_byte_of_a_large_record_is_refused(void **state)
{
	static const uint8_t masks[] = {0x01, 0x80, 0xff};
	static struct record record;
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	seal(&p.end[1], 0, LARGE, &record);
	for (size_t at = 0; at < record.len; at++) {
		uint8_t mask = masks[at % sizeof masks];
		record.bytes[at] ^= mask;
		assert_refused(&p.end[0], record.bytes, record.len);
		record.bytes[at] ^= mask;
	}
	assert_opens(&p.end[0], &record, 0);
}

static void fault_45_every_other_length_of_a_record_is_refused(void **state)
{
	static struct record record;
	static uint8_t longer[PAIR_RECORD_MAX + 1];
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	seal(&p.end[0], 0, 3 * SMALL, &record);
	memcpy(longer, record.bytes, record.len);
	for (size_t len = 0; len < 3 * record.len; len++) {
		if (len != record.len) {
			assert_refused(&p.end[1], longer, len);
		}
	}
	assert_refused(&p.end[1], longer, PAIR_RECORD_MAX);
	assert_refused(&p.end[1], longer, PAIR_RECORD_MAX + 1);
	assert_opens(&p.end[1], &record, 0);
}

/* Of five records only the next opens: not an earlier one (again), and not a later one (too
 * early). */
static void fault_45_a_record_opens_in_its_place_only(void **state)
{
	static struct record record[5];
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t i = 0; i < 5; i++) {
		seal(&p.end[0], i, SMALL, &record[i]);
	}
	for (size_t next = 0; next < 5; next++) {
		for (size_t i = 0; i < 5; i++) {
			if (i != next) {
				assert_refused(&p.end[1], record[i].bytes, record[i].len);
			}
		}
		assert_opens(&p.end[1], &record[next], next);
	}
	for (size_t i = 0; i < 5; i++) {
		assert_refused(&p.end[1], record[i].bytes, record[i].len);
	}
}

static void fault_44_ones_own_record_is_refused(void **state)
{
	static struct record record;
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t i = 0; i < 2; i++) {
		struct obi_noise before = p.end[i];
		seal(&p.end[i], 0, SMALL, &record);
		assert_refused(&p.end[i], record.bytes, record.len);
		assert_refused(&before, record.bytes, record.len);
	}
}

static void fault_43_a_record_of_another_connection_is_refused(void **state)
{
	static struct record record;
	struct noise_pair p, q;
	uint8_t message[2][OBI_NOISE_HANDSHAKE];
	(void)state;
	noise_pair_open(&p);
	noise_pair_keys(&q);
	q.e[0][0] ^= 0x10;
	noise_pair_begin(&q);
	for (size_t from = 0; from < 2; from++) {
		obi_noise_write(&q.end[from], q.e[from], noise_nothing(), message[from]);
		obi_noise_read(&q.end[1 - from], ob_bytes_of(message[from], OBI_NOISE_HANDSHAKE),
			       NULL);
	}
	seal(&q.end[0], 0, SMALL, &record);
	assert_refused(&p.end[1], record.bytes, record.len);
	assert_opens(&q.end[1], &record, 0);
}

/* ---- Numbers ---- */

/* Each direction alone, across two changes of its key, against keys and numbers computed by
 * hand. */
static void fault_47_keys_change_every_65536_records(void **state)
{
	static struct record record, expected;
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t from = 0; from < 2; from++) {
		uint8_t k[32];
		memcpy(k, p.end[from].seal.k, sizeof k);
		for (uint64_t n = 0; n < 2 * 65536 + 10; n++) {
			size_t len = n % 32;
			if (n > 0 && n % 65536 == 0) {
				by_hand_rekey(k);
			}
			seal(&p.end[from], n, len, &record);
			fill(expected.bytes, len, n);
			by_hand_record(k, n, expected.bytes, len, expected.bytes);
			assert_memory_equal(record.bytes, expected.bytes, record.len);
			assert_opens(&p.end[1 - from], &record, n);
		}
		assert_memory_equal(p.end[from].seal.k, k, sizeof k);
		assert_memory_equal(p.end[1 - from].open.k, k, sizeof k);
		assert_int_equal(p.end[from].seal.n, 2 * 65536 + 10);
		assert_int_equal(p.end[from].open.n, from == 0 ? 0 : 2 * 65536 + 10);
	}
}

/* The key of the last record is wiped when that record is sealed, or opened. */
static void fault_47_a_used_key_is_gone_at_once(void **state)
{
	static struct record record;
	struct noise_pair p;
	uint8_t k[OBI_NOISE_KEY];
	(void)state;
	noise_pair_open(&p);
	memcpy(k, p.end[0].seal.k, sizeof k);
	p.end[0].seal.n = p.end[1].open.n = OBI_NOISE_REKEY_EVERY - 2;
	seal(&p.end[0], 0, SMALL, &record);
	assert_opens(&p.end[1], &record, 0);
	assert_memory_equal(p.end[0].seal.k, k, sizeof k);
	seal(&p.end[0], 1, SMALL, &record);
	assert_memory_not_equal(p.end[0].seal.k, k, sizeof k);
	assert_memory_equal(p.end[1].open.k, k, sizeof k);
	assert_opens(&p.end[1], &record, 1);
	assert_memory_equal(p.end[1].open.k, p.end[0].seal.k, sizeof k);
	by_hand_rekey(k);
	assert_memory_equal(p.end[0].seal.k, k, sizeof k);
}

/* Record n under the key k. */
static void by_hand_seal(struct record *record, const uint8_t k[32], uint64_t n)
{
	size_t len = record->len - OBI_NOISE_TAG;
	fill(record->bytes, len, n);
	by_hand_record(k, n, record->bytes, len, record->bytes);
}

/* A peer that does not change the key, or changes it elsewhere, is not understood. */
static void fault_47_a_peer_that_changes_keys_elsewhere_is_refused(void **state)
{
	static struct record record = {.len = SMALL + OBI_NOISE_TAG};
	struct noise_pair p;
	uint8_t k[OBI_NOISE_KEY];
	(void)state;
	noise_pair_open(&p);
	p.end[1].open.n = OBI_NOISE_REKEY_EVERY - 1;
	memcpy(k, p.end[0].seal.k, sizeof k);
	/* Too early, and in its place. */
	by_hand_rekey(k);
	by_hand_seal(&record, k, OBI_NOISE_REKEY_EVERY - 1);
	assert_refused(&p.end[1], record.bytes, record.len);
	by_hand_seal(&record, p.end[0].seal.k, OBI_NOISE_REKEY_EVERY - 1);
	assert_opens(&p.end[1], &record, OBI_NOISE_REKEY_EVERY - 1);
	/* Too late, and in its place. */
	by_hand_seal(&record, p.end[0].seal.k, OBI_NOISE_REKEY_EVERY);
	assert_refused(&p.end[1], record.bytes, record.len);
	by_hand_seal(&record, k, OBI_NOISE_REKEY_EVERY);
	assert_opens(&p.end[1], &record, OBI_NOISE_REKEY_EVERY);
}

static void fault_47_no_record_follows_the_last(void **state)
{
	static struct record record;
	struct noise_pair p;
	(void)state;
	noise_pair_open(&p);
	for (size_t from = 0; from < 2; from++) {
		struct obi_noise *a = &p.end[from], *b = &p.end[1 - from];
		a->seal.n = b->open.n = OBI_NOISE_RECORDS_MAX - 2;
		for (uint64_t i = 0; i < 2; i++) {
			seal(a, i, SMALL, &record);
			assert_opens(b, &record, i);
		}
		assert_int_equal(a->seal.n, OBI_NOISE_RECORDS_MAX);
		assert_true(sodium_is_zero(a->seal.k, OBI_NOISE_KEY));
		assert_true(sodium_is_zero(b->open.k, OBI_NOISE_KEY));
		/* Repeatedly: nothing is sealed, and the input is unchanged. */
		for (size_t i = 0; i < 3; i++) {
			fill(record.bytes, SMALL + OBI_NOISE_TAG, 9);
			assert_int_equal(obi_noise_seal(a, record.bytes, SMALL), OB_ECLOSED);
			assert_int_equal(obi_noise_open(b, record.bytes, SMALL + OBI_NOISE_TAG),
					 OB_ECLOSED);
			for (size_t k = 0; k < SMALL + OBI_NOISE_TAG; k++) {
				assert_int_equal(record.bytes[k], (uint8_t)(9 * 31 + k));
			}
		}
		/* The other direction goes on, until its own end. */
		if (from == 0) {
			seal(b, 3, SMALL, &record);
			assert_opens(a, &record, 3);
		}
	}
}

static int init_sodium(void **state)
{
	(void)state;
	return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_of_every_size_cross_both_ways),
	    cmocka_unit_test(a_record_over_the_size_is_not_sealed_and_does_no_harm),
	    cmocka_unit_test(equal_records_look_different),
	    cmocka_unit_test(fault_45_every_changed_byte_of_a_record_is_refused),
	    cmocka_unit_test(fault_45_every_flipped_byte_of_a_large_record_is_refused),
	    cmocka_unit_test(fault_45_every_other_length_of_a_record_is_refused),
	    cmocka_unit_test(fault_45_a_record_opens_in_its_place_only),
	    cmocka_unit_test(fault_44_ones_own_record_is_refused),
	    cmocka_unit_test(fault_43_a_record_of_another_connection_is_refused),
	    cmocka_unit_test(fault_47_keys_change_every_65536_records),
	    cmocka_unit_test(fault_47_a_used_key_is_gone_at_once),
	    cmocka_unit_test(fault_47_a_peer_that_changes_keys_elsewhere_is_refused),
	    cmocka_unit_test(fault_47_no_record_follows_the_last),
	};
	return cmocka_run_group_tests(tests, init_sodium, NULL);
}
