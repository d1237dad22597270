/* SPDX-License-Identifier: MIT */
/* Admission to the preauth slots, with exact times; and how origins are told apart. */
#include "access/admission.h"
#include "access/trusted_uid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

enum { OWN = 1000, SEATS = 8, RESERVED = 2, OPEN = SEATS - RESERVED, MANY = 512 };

static struct obi_admission admission;
static struct obi_admission_slot slots[MANY];
static int64_t now;

static struct obi_origin uid(uint32_t number)
{
	struct ob_peer peer = {
	    .size = sizeof peer, .known = OB_PEER_UID | OB_PEER_PID, .uid = number};
	return obi_origin_of_peer(&peer);
}

static struct obi_origin cid(uint32_t number)
{
	struct ob_peer peer = {
	    .size = sizeof peer, .known = OB_PEER_CID | OB_PEER_ADDRESS, .cid = number};
	snprintf(peer.address, sizeof peer.address, "vsock:%u:7", number);
	return obi_origin_of_peer(&peer);
}

static struct obi_origin address(const char *shown)
{
	struct ob_peer peer = {.size = sizeof peer, .known = OB_PEER_ADDRESS};
	snprintf(peer.address, sizeof peer.address, "%s", shown);
	return obi_origin_of_peer(&peer);
}

static void begin(uint32_t count, const char *parent)
{
	struct obi_admission_setup setup = {
	    .slots = count, .own_uid = OWN, .allowed_uid = UINT32_MAX, .parent = parent};
	memset(slots, 0, sizeof slots);
	now = 1000000;
	assert_int_equal(obi_admission_init(&admission, &setup), OB_OK);
}

static enum obi_admission_verdict asked(struct obi_origin from)
{
	return obi_admission_ask(&admission, from, now).verdict;
}

static void must_enter(struct obi_origin from, struct obi_admission_slot *slot)
{
	assert_int_equal(asked(from), OBI_ADMISSION_ENTER);
	obi_admission_enter(&admission, from, now, slot);
}

static void must_evict(struct obi_origin from, const struct obi_admission_slot *victim)
{
	struct obi_admission_answer answer = obi_admission_ask(&admission, from, now);
	assert_int_equal(answer.verdict, OBI_ADMISSION_EVICT);
	assert_ptr_equal(answer.victim, victim);
}

static int64_t fail_once(struct obi_origin from)
{
	struct obi_admission_slot slot;
	must_enter(from, &slot);
	return obi_admission_leave(&admission, &slot, OBI_ADMISSION_FAILED, now);
}

/* ---- Sources ---- */

static void must_show(struct obi_origin source, const char *text)
{
	char shown[OBI_ORIGIN_TEXT];
	obi_origin_show(source, shown);
	assert_string_equal(shown, text);
}

static void an_origin_is_what_the_kernel_vouches_for(void **state)
{
	struct ob_peer nothing = {.size = sizeof nothing};
	(void)state;
	must_show(uid(1000), "uid 1000");
	must_show(cid(3), "cid 3");
	must_show(address("192.0.2.7:4711"), "192.0.2.7");
	must_show(address("[2001:db8::7]:4711"), "2001:db8::7");
	must_show(address("[fe80::1%eth0]:4711"), "fe80::1");
	must_show(address("[::ffff:192.0.2.7]:4711"), "192.0.2.7");
	must_show(address("/run/vm/v.sock"), "unknown");
	must_show(address("[no end"), "unknown");
	must_show(address(""), "unknown");
	must_show(obi_origin_of_peer(&nothing), "unknown");
}

/* In a user namespace it stands for all users without a number, and we may be one of them. */
static void the_overflow_id_is_nobodys(void **state)
{
	(void)state;
	assert_true(obi_uid_is_trusted(0, OWN, 7));
	assert_true(obi_uid_is_trusted(OWN, OWN, 7));
	assert_true(obi_uid_is_trusted(7, OWN, 7));
	assert_false(obi_uid_is_trusted(8, OWN, 7));
	assert_false(obi_uid_is_trusted(65534, 65534, 65534));
}

static void a_port_is_not_part_of_an_origin(void **state)
{
	(void)state;
	assert_true(obi_origin_equal(address("192.0.2.7:1"), address("192.0.2.7:2")));
	assert_true(obi_origin_equal(address("192.0.2.7:1"), address("[::ffff:192.0.2.7]:2")));
	assert_false(obi_origin_equal(address("192.0.2.7:1"), address("192.0.2.8:1")));
	assert_false(obi_origin_equal(uid(3), cid(3)));
}

static void a_host_has_a_whole_network_of_ipv6(void **state)
{
	struct obi_origin a = address("[2001:db8::7]:1"), b = address("[2001:db8::1:0:0:8]:1");
	(void)state;
	assert_false(obi_origin_equal(a, b));
	assert_true(obi_origin_equal(obi_origin_network(a), obi_origin_network(b)));
	assert_false(obi_origin_equal(obi_origin_network(a),
				      obi_origin_network(address("[2001:db8:0:1::7]:1"))));
	assert_true(
	    obi_origin_equal(obi_origin_network(address("192.0.2.7:1")), address("192.0.2.7:1")));
}

static void loopback_and_unknown_origins_are_shared(void **state)
{
	(void)state;
	assert_true(obi_origin_is_shared(address("127.0.0.1:1")));
	assert_true(obi_origin_is_shared(address("127.9.9.9:1")));
	assert_true(obi_origin_is_shared(address("[::1]:1")));
	assert_true(obi_origin_is_shared(address("?")));
	assert_true(obi_origin_is_shared(cid(1)));
	assert_false(obi_origin_is_shared(cid(2)));
	assert_false(obi_origin_is_shared(uid(0)));
	assert_true(obi_origin_is_shared(uid(65534)));
	assert_false(obi_origin_is_shared(address("128.0.0.1:1")));
	assert_false(obi_origin_is_shared(address("[::2]:1")));
}

static void a_parent_is_an_address_or_a_context_id(void **state)
{
	static const char *const good[] = {"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "2",
					   "4294967294"};
	static const char *const bad[] = {
	    "",	  " 2",	   "0",		  "4294967295",	  "18446744073709551618", "-1",
	    "2x", "1.2.3", "example.org", "192.0.2.1:80", "[2001:db8::1]",	  "fe80::1%eth0"};
	struct obi_origin source;
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_true(obi_origin_parse(good[i], &source));
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(obi_origin_parse(bad[i], &source));
	}
	assert_true(obi_origin_parse("3", &source));
	assert_true(obi_origin_equal(source, cid(3)));
	assert_true(obi_origin_parse("::ffff:192.0.2.1", &source));
	assert_true(obi_origin_equal(source, address("192.0.2.1:5")));
}

/* ---- Trust ---- */

static void own_user_root_host_and_parent_are_trusted(void **state)
{
	struct obi_admission_setup setup = {
	    .slots = 4, .own_uid = OWN, .allowed_uid = 7, .parent = "192.0.2.1"};
	(void)state;
	assert_int_equal(obi_admission_init(&admission, &setup), OB_OK);
	assert_true(obi_admission_trusts(&admission, uid(OWN)));
	assert_true(obi_admission_trusts(&admission, uid(0)));
	assert_true(obi_admission_trusts(&admission, uid(7)));
	assert_true(obi_admission_trusts(&admission, cid(2)));
	assert_true(obi_admission_trusts(&admission, address("192.0.2.1:9")));
	assert_false(obi_admission_trusts(&admission, uid(8)));
	assert_false(obi_admission_trusts(&admission, cid(3)));
	assert_false(obi_admission_trusts(&admission, cid(7)));
	assert_false(obi_admission_trusts(&admission, cid(0)));
	assert_false(obi_admission_trusts(&admission, address("192.0.2.2:9")));
	assert_false(obi_admission_trusts(&admission, address("127.0.0.1:9")));
	setup.parent = "somewhere";
	assert_int_equal(obi_admission_init(&admission, &setup), OB_EINVAL);
	begin(SEATS, NULL);
	assert_false(obi_admission_trusts(&admission, uid(UINT32_MAX)));
}

static void the_last_parent_is_trusted(void **state)
{
	(void)state;
	begin(SEATS, NULL);
	obi_admission_learn(&admission, address("[2001:db8::7]:1"));
	assert_true(obi_admission_trusts(&admission, address("[2001:db8::7]:2")));
	assert_false(obi_admission_trusts(&admission, address("[2001:db8::8]:2")));
	obi_admission_learn(&admission, address("127.0.0.1:1"));
	assert_false(obi_admission_trusts(&admission, address("127.0.0.1:1")));
	assert_true(obi_admission_trusts(&admission, address("[2001:db8::7]:2")));
	obi_admission_learn(&admission, cid(5));
	assert_true(obi_admission_trusts(&admission, cid(5)));
	assert_false(obi_admission_trusts(&admission, address("[2001:db8::7]:2")));
}

/* ---- Penalties ---- */

static void the_penalty_doubles_with_each_failure(void **state)
{
	static const int64_t ms[] = {0, 0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
	(void)state;
	begin(SEATS, NULL);
	for (size_t i = 0; i < sizeof ms / sizeof ms[0]; i++) {
		assert_int_equal(fail_once(uid(5)), ms[i]);
		if (ms[i] > 0) {
			struct obi_admission_answer answer =
			    obi_admission_ask(&admission, uid(5), now);
			assert_int_equal(answer.verdict, OBI_ADMISSION_BLOCKED);
			assert_int_equal(answer.ms, ms[i]);
			assert_int_equal(asked(uid(6)), OBI_ADMISSION_ENTER);
			now += ms[i] - 1;
			assert_int_equal(asked(uid(5)), OBI_ADMISSION_BLOCKED);
			now++;
		}
	}
}

static void failures_are_forgotten_in_time_and_by_success(void **state)
{
	struct obi_admission_slot slot;
	(void)state;
	begin(SEATS, NULL);
	assert_int_equal(fail_once(uid(5)), 0);
	assert_int_equal(fail_once(uid(5)), 0);
	now += 60000;
	assert_int_equal(fail_once(uid(5)), 0);
	assert_int_equal(fail_once(uid(5)), 0);
	must_enter(uid(5), &slot);
	assert_int_equal(obi_admission_leave(&admission, &slot, OBI_ADMISSION_PASSED, now), 0);
	assert_int_equal(fail_once(uid(5)), 0);
	assert_int_equal(fail_once(uid(5)), 0);
	must_enter(uid(5), &slot);
	assert_int_equal(obi_admission_leave(&admission, &slot, OBI_ADMISSION_GONE, now), 0);
	assert_int_equal(fail_once(uid(5)), 100);
}

static void trusted_and_shared_sources_get_no_penalty(void **state)
{
	const struct obi_origin exempt[] = {uid(OWN),	  uid(0), cid(2), address("127.0.0.1:1"),
					    address("?"), cid(1)};
	(void)state;
	begin(SEATS, NULL);
	for (size_t i = 0; i < sizeof exempt / sizeof exempt[0]; i++) {
		for (int n = 0; n < 20; n++) {
			assert_int_equal(fail_once(exempt[i]), 0);
		}
	}
}

/* What no guest of the tests can show, since all in it have one CID. */
static void a_guest_is_limited_by_its_cid_alone(void **state)
{
	uint32_t count = 0;
	(void)state;
	begin(SEATS, NULL);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fail_once(cid(7)), i < 2 ? 0 : 100);
	}
	assert_int_equal(asked(cid(7)), OBI_ADMISSION_BLOCKED);
	assert_int_equal(asked(cid(8)), OBI_ADMISSION_ENTER);
	assert_int_equal(asked(cid(2)), OBI_ADMISSION_ENTER);
	/* One that takes all slots makes room for another one, and for the host. */
	for (; count < SEATS && asked(cid(9)) == OBI_ADMISSION_ENTER; count++) {
		must_enter(cid(9), &slots[count]);
	}
	assert_in_range(count, 1, SEATS - 1);
	must_evict(cid(8), &slots[0]);
	assert_int_equal(asked(cid(2)), OBI_ADMISSION_ENTER);
}

/* The neighbours of a trusted address are not trusted. */
static void an_untrusted_network_is_one_source(void **state)
{
	(void)state;
	begin(SEATS, "2001:db8::1");
	for (int i = 0; i < 3; i++) {
		char shown[64];
		snprintf(shown, sizeof shown, "[2001:db8::1:%d]:1", i + 1);
		assert_int_equal(fail_once(address(shown)), i < 2 ? 0 : 100);
	}
	assert_int_equal(asked(address("[2001:db8::2]:1")), OBI_ADMISSION_BLOCKED);
	assert_int_equal(asked(address("[2001:db8::1]:1")), OBI_ADMISSION_ENTER);
	assert_int_equal(asked(address("[2001:db8:1::1]:1")), OBI_ADMISSION_ENTER);
}

static void the_table_is_bounded_and_keeps_the_latest(void **state)
{
	(void)state;
	begin(SEATS, NULL);
	for (uint32_t i = 0; i < 3; i++) {
		(void)fail_once(uid(5));
	}
	for (uint32_t i = 1; i < OBI_ADMISSION_SOURCES; i++) {
		now++;
		(void)fail_once(uid(OWN + i));
	}
	(void)fail_once(uid(5));
	assert_int_equal(asked(uid(5)), OBI_ADMISSION_BLOCKED);
	/* A thousand later ones displace the entry. */
	for (uint32_t i = 0; i < 1000; i++) {
		now += i == 0;
		(void)fail_once(uid(5000 + i));
	}
	assert_int_equal(asked(uid(5)), OBI_ADMISSION_ENTER);
}

static void sources_without_an_entry_share_one(void **state)
{
	(void)state;
	begin(MANY, NULL);
	for (uint32_t i = 0; i < 300; i++) {
		must_enter(uid(5000 + i), &slots[i]);
	}
	for (uint32_t i = 0; i < 300; i++) {
		assert_int_equal(
		    obi_admission_leave(&admission, &slots[i], OBI_ADMISSION_FAILED, now), 0);
	}
	assert_int_equal(admission.admitted, 0);
	assert_int_equal(admission.overflow.slots, 0);
	assert_int_equal(asked(uid(5)), OBI_ADMISSION_ENTER);
}

/* ---- Slots ---- */

static void a_quarter_is_reserved_for_trusted_sources(void **state)
{
	static const uint32_t reserved[][2] = {{1, 0}, {2, 1}, {3, 1},	{4, 1},
					       {7, 1}, {8, 2}, {16, 4}, {64, 16}};
	(void)state;
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
		begin(reserved[i][0], NULL);
		assert_int_equal(admission.reserved, reserved[i][1]);
	}
	begin(SEATS, NULL);
	for (int i = 0; i < OPEN; i++) {
		must_enter(uid(5), &slots[i]);
	}
	assert_int_equal(asked(uid(5)), OBI_ADMISSION_FULL);
	for (int i = OPEN; i < SEATS; i++) {
		must_enter(uid(OWN), &slots[i]);
	}
	/* A trusted one takes a slot of an untrusted one at once, of the oldest first. */
	must_evict(uid(OWN), &slots[0]);
	assert_true(obi_admission_advance(&slots[0], OBI_ADMISSION_TALKING, now));
	must_evict(uid(OWN), &slots[1]);
}

/* Where the parent does not connect, nobody has a slot before the others. */
static void among_strangers_nothing_is_reserved(void **state)
{
	const struct obi_admission_setup setup = {.slots = SEATS,
						  .own_uid = OWN,
						  .allowed_uid = UINT32_MAX,
						  .parent = "192.0.2.7",
						  .strangers = true};
	(void)state;
	begin(SEATS, NULL);
	assert_int_equal(obi_admission_init(&admission, &setup), OB_OK);
	assert_false(obi_admission_trusts(&admission, uid(OWN)));
	assert_false(obi_admission_trusts(&admission, uid(0)));
	assert_false(obi_admission_trusts(&admission, cid(2)));
	assert_false(obi_admission_trusts(&admission, address("192.0.2.7:1")));
	obi_admission_learn(&admission, uid(7));
	assert_false(obi_admission_trusts(&admission, uid(7)));
	for (uint32_t i = 0; i < SEATS; i++) {
		must_enter(uid(5000 + i), &slots[i]);
	}
	assert_int_equal(asked(uid(OWN)), OBI_ADMISSION_FULL);
}

static void with_one_slot_no_source_is_kept_out(void **state)
{
	(void)state;
	begin(1, NULL);
	must_enter(uid(5), &slots[0]);
	must_evict(uid(OWN), &slots[0]);
	(void)obi_admission_leave(&admission, &slots[0], OBI_ADMISSION_GONE, now);
	must_enter(uid(OWN), &slots[0]);
	assert_int_equal(asked(uid(5)), OBI_ADMISSION_FULL);
	assert_int_equal(asked(uid(OWN)), OBI_ADMISSION_WAIT);
	now += 1;
	assert_int_equal(asked(uid(5)), OBI_ADMISSION_FULL);
	must_evict(uid(OWN), &slots[0]);
}

static void fill(struct obi_origin from, int first, int count)
{
	for (int i = first; i < first + count; i++) {
		must_enter(from, &slots[i]);
	}
}

static void the_source_with_the_most_slots_yields_at_once(void **state)
{
	(void)state;
	begin(SEATS, NULL);
	fill(uid(5), 0, 4);
	fill(uid(6), 4, 2);
	/* Not the oldest, nor a silent one of another source: the silent one of the source with
	 * the most slots. */
	assert_true(obi_admission_advance(&slots[0], OBI_ADMISSION_TALKING, now));
	must_evict(uid(7), &slots[1]);
	for (int i = 1; i < 4; i++) {
		assert_true(obi_admission_advance(&slots[i], OBI_ADMISSION_TALKING, now));
	}
	must_evict(uid(7), &slots[0]);
	/* A source with as many slots gets none before the grace period is over. */
	assert_int_equal(asked(uid(5)), OBI_ADMISSION_FULL);
	now += 4;
	assert_int_equal(asked(uid(5)), OBI_ADMISSION_FULL);
	now += 1;
	must_evict(uid(5), &slots[0]);
}

static void a_proven_connection_is_evicted_last(void **state)
{
	(void)state;
	begin(SEATS, NULL);
	fill(uid(5), 0, OPEN - 1);
	fill(uid(6), OPEN - 1, 1);
	for (int i = 0; i < OPEN - 1; i++) {
		assert_true(obi_admission_advance(&slots[i], OBI_ADMISSION_PROVEN, now));
	}
	now += 1000;
	must_evict(uid(7), &slots[OPEN - 1]);
	assert_true(obi_admission_advance(&slots[OPEN - 1], OBI_ADMISSION_PROVEN, now));
	must_evict(uid(7), &slots[0]);
}

/* One of the peers of a shared origin may be the parent: it waits, and for a bounded time. */
static void shared_and_trusted_sources_wait(void **state)
{
	const struct obi_origin lo = address("127.0.0.1:1");
	(void)state;
	begin(SEATS, NULL);
	fill(lo, 0, OPEN);
	struct obi_admission_answer answer = obi_admission_ask(&admission, lo, now);
	assert_int_equal(answer.verdict, OBI_ADMISSION_WAIT);
	assert_int_equal(answer.ms, 1);
	now += 1;
	must_evict(lo, &slots[0]);
	for (int i = 0; i < OPEN; i++) {
		assert_true(obi_admission_advance(&slots[i], OBI_ADMISSION_TALKING, now));
		assert_false(obi_admission_advance(&slots[i], OBI_ADMISSION_TALKING, now + 1));
		assert_false(obi_admission_advance(&slots[i], OBI_ADMISSION_SILENT, now + 1));
	}
	answer = obi_admission_ask(&admission, lo, now);
	assert_int_equal(answer.verdict, OBI_ADMISSION_WAIT);
	assert_int_equal(answer.ms, 5);
	now += 5;
	must_evict(lo, &slots[0]);
	(void)obi_admission_leave(&admission, &slots[0], OBI_ADMISSION_GONE, now);
	must_enter(lo, &slots[0]);
	/* The trusted, among themselves. */
	begin(2, NULL);
	fill(uid(OWN), 0, 2);
	assert_int_equal(asked(uid(0)), OBI_ADMISSION_EVICT);
	assert_int_equal(asked(uid(OWN)), OBI_ADMISSION_WAIT);
	assert_int_equal(asked(uid(5)), OBI_ADMISSION_FULL);
}

/* Silent connections do not displace those in an exchange, unless the exchange has stalled. */
static void silent_connections_go_before_those_in_an_exchange(void **state)
{
	const struct obi_origin lo = address("127.0.0.1:1");
	(void)state;
	begin(SEATS, NULL);
	fill(lo, 0, OPEN - 1);
	for (int i = 0; i < OPEN - 1; i++) {
		(void)obi_admission_advance(&slots[i], OBI_ADMISSION_TALKING, now);
	}
	now += 999;
	fill(lo, OPEN - 1, 1);
	assert_int_equal(obi_admission_ask(&admission, lo, now).ms, 1);
	assert_int_equal(asked(lo), OBI_ADMISSION_WAIT);
	now += 1;
	must_evict(lo, &slots[0]);
	assert_true(obi_admission_advance(&slots[0], OBI_ADMISSION_PROVEN, now));
	must_evict(lo, &slots[1]);
}

static void the_grace_period_is_longer_over_a_network(void **state)
{
	const struct obi_origin far = address("192.0.2.7:1");
	(void)state;
	begin(SEATS, NULL);
	fill(far, 0, OPEN);
	for (int i = 0; i < OPEN; i++) {
		(void)obi_admission_advance(&slots[i], OBI_ADMISSION_TALKING, now);
	}
	now += 99;
	assert_int_equal(asked(far), OBI_ADMISSION_FULL);
	now += 1;
	must_evict(far, &slots[0]);
}

static void leaving_twice_has_no_effect(void **state)
{
	struct obi_admission_slot never = {0};
	(void)state;
	begin(SEATS, NULL);
	fill(uid(5), 0, 2);
	(void)obi_admission_leave(&admission, &slots[0], OBI_ADMISSION_PASSED, now);
	(void)obi_admission_leave(&admission, &slots[0], OBI_ADMISSION_FAILED, now);
	(void)obi_admission_leave(&admission, &never, OBI_ADMISSION_FAILED, now);
	assert_int_equal(admission.admitted, 1);
	assert_int_equal(admission.untrusted, 1);
	assert_ptr_equal(admission.first, &slots[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_origin_is_what_the_kernel_vouches_for),
	    cmocka_unit_test(the_overflow_id_is_nobodys),
	    cmocka_unit_test(a_port_is_not_part_of_an_origin),
	    cmocka_unit_test(a_host_has_a_whole_network_of_ipv6),
	    cmocka_unit_test(loopback_and_unknown_origins_are_shared),
	    cmocka_unit_test(a_parent_is_an_address_or_a_context_id),
	    cmocka_unit_test(own_user_root_host_and_parent_are_trusted),
	    cmocka_unit_test(the_last_parent_is_trusted),
	    cmocka_unit_test(the_penalty_doubles_with_each_failure),
	    cmocka_unit_test(failures_are_forgotten_in_time_and_by_success),
	    cmocka_unit_test(trusted_and_shared_sources_get_no_penalty),
	    cmocka_unit_test(a_guest_is_limited_by_its_cid_alone),
	    cmocka_unit_test(an_untrusted_network_is_one_source),
	    cmocka_unit_test(the_table_is_bounded_and_keeps_the_latest),
	    cmocka_unit_test(sources_without_an_entry_share_one),
	    cmocka_unit_test(a_quarter_is_reserved_for_trusted_sources),
	    cmocka_unit_test(among_strangers_nothing_is_reserved),
	    cmocka_unit_test(with_one_slot_no_source_is_kept_out),
	    cmocka_unit_test(the_source_with_the_most_slots_yields_at_once),
	    cmocka_unit_test(a_proven_connection_is_evicted_last),
	    cmocka_unit_test(shared_and_trusted_sources_wait),
	    cmocka_unit_test(silent_connections_go_before_those_in_an_exchange),
	    cmocka_unit_test(the_grace_period_is_longer_over_a_network),
	    cmocka_unit_test(leaving_twice_has_no_effect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
