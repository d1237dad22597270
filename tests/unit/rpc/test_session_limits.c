/* SPDX-License-Identifier: MIT */
/* What a session refuses: invalid bytes, unexpected messages, and everything over a limit. */
#include "unit/rpc/session_bed.h"

static void nothing_is_served_before_authentication(void **state)
{
	/* [0, 1, "x.echo", []] */
	static const uint8_t early[] = {0x94, 0, 1, 0xa6, 'x', '.', 'e', 'c', 'h', 'o', 0x90};
	struct end child;
	(void)state;
	init_end(&child, OB_AUTH_ACCEPTOR, "token", secret_a);
	obi_authentication_begin(&child.session);
	give(&child, early, sizeof early, SIZE_MAX);
	assert_int_equal(child.calls, 0);
	assert_int_equal(child.closed, 1);
	assert_int_equal(child.why.code, OB_EAUTH);
	obi_session_free(&child.session);
}

static void bytes_after_the_final_auth_request_close(void **state)
{
	(void)state;
	struct pair *p = calloc(1, sizeof *p);
	init_end(&p->parent, OB_AUTH_DIALER, "bearer", secret_a);
	init_end(&p->child, OB_AUTH_ACCEPTOR, "bearer", secret_a);
	obi_authentication_begin(&p->child.session);
	obi_authentication_begin(&p->parent.session);
	struct ob_bytes out = obi_session_output(&p->parent.session);
	uint8_t bytes[512];
	memcpy(bytes, out.data, out.len);
	bytes[out.len] = 0x94;
	give(&p->child, bytes, out.len + 1, SIZE_MAX);
	assert_false(p->child.opened);
	assert_int_equal(p->child.closed, 1);
	free_pair(p);
}

static void fault_25_garbage_closes_without_a_reply(void **state)
{
	static const char *const garbage[] = {
	    "GET / HTTP/1.1\r\n\r\n", "\x00\x01\x02", "\xc1", "\x95", "\xff\xff", "\x83"};
	(void)state;
	for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
		struct end child;
		init_end(&child, OB_AUTH_ACCEPTOR, "token", secret_a);
		obi_authentication_begin(&child.session);
		give(&child, (const uint8_t *)garbage[i], strlen(garbage[i]) + (i == 1 ? 3 : 0),
		     SIZE_MAX);
		assert_int_equal(child.closed, 1);
		assert_int_equal(obi_session_output(&child.session).len, 0);
		obi_session_free(&child.session);
	}
}

/* Each is the head of a request, and hostile params. */
static void fault_26_27_announced_sizes_are_refused_before_allocating(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} hostile[] = {
	    {"\x94\x00\x01\xa1x\xdd\x0f\xff\xff\xff", 10},
	    {"\x94\x00\x01\xa1x\xdf\xff\xff\xff\xff", 10},
	    {"\x94\x00\x01\xa1x\xc6\xff\xff\xff\xff", 10},
	    {"\x94\x00\x01\xa1x\xdb\x7f\xff\xff\xff", 10},
	    {"\x94\x00\x01\xdb\xff\xff\xff\xff\x00", 9},
	    {"\x94\x00\x01\xa1x\xdd\xff\xff\xff\xff", 10},
	    {"\x94\x00\x01\xa1x\x91\xc7\x01\x05\x00", 10},
	    {"\x94\x00\x01\xa1x\x91\xc1", 7},
	};
	(void)state;
	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		struct pair *p = connect_pair();
		give(&p->child, (const uint8_t *)hostile[i].bytes, hostile[i].len, 1);
		assert_int_equal(p->child.closed, 1);
		assert_true(p->child.why.code == OB_ETOOBIG || p->child.why.code == OB_EPROTO);
		assert_int_equal(p->child.calls, 0);
		free_pair(p);
	}
}

static void fault_27_counts_are_summed_over_all_levels(void **state)
{
	uint8_t bytes[4 + 1 + 24 * 5];
	size_t n = 0;
	(void)state;
	memcpy(bytes, "\x94\x00\x01\xa1x", 5);
	n = 5;
	for (int i = 0; i < 20; i++) {
		memcpy(bytes + n, "\xdd\x00\x20\x00\x00",
		       5); /* 2 Mi elements each: no level alone is larger than 4 MiB */
		n += 5;
	}
	struct pair *p = connect_pair();
	give(&p->child, bytes, n, SIZE_MAX);
	assert_int_equal(p->child.closed, 1);
	assert_int_equal(p->child.why.code, OB_ETOOBIG);
	free_pair(p);
}

static void fault_27_depth_is_limited_to_24(void **state)
{
	(void)state;
	for (int depth = 24; depth <= 25; depth++) {
		uint8_t bytes[64];
		memcpy(bytes, "\x94\x00\x01\xa1x", 5);
		memset(bytes + 5, 0x91, (size_t)depth);
		bytes[5 + depth - 1] = 0x90;
		struct pair *p = connect_pair();
		give(&p->child, bytes, 5 + (size_t)depth, SIZE_MAX);
		assert_int_equal(p->child.calls, depth == 24 ? 1 : 0);
		assert_int_equal(p->child.closed, depth == 24 ? 0 : 1);
		free_pair(p);
	}
}

static void fault_31_a_peer_that_does_not_read_costs_only_itself(void **state)
{
	struct ob_error err;
	int ok = 0, r = OB_OK;
	static struct outcome o[400];
	(void)state;
	struct pair *p = connect_pair();
	static char big[100000];
	struct ob_value items[1] = {ob_binary(big, sizeof big)};
	struct ob_value params = ob_array(items, 1);
	while (ok < 400 &&
	       (r = obi_session_call(&p->parent.session, ob_bytes_text("x.y"), &params, INT64_MAX,
				     on_reply, &o[ok], NULL, &err)) == OB_OK) {
		ok++;
	}
	assert_int_equal(r, OB_EAGAIN);
	assert_true(ok > 80 && ok < 90); /* 8 MiB */
	assert_int_equal(p->parent.closed, 0);
	/* Requests of the peer are then refused with BUSY, and at twice the limit the connection
	 * ends. */
	static const uint8_t request[] = {0x94, 0, 1, 0xa3, 'x', '.', 'y', 0x90};
	give(&p->parent, request, sizeof request, SIZE_MAX);
	assert_int_equal(p->parent.calls, 0);
	for (int i = 0; i < 400000 && p->parent.closed == 0; i++) {
		give(&p->parent, request, sizeof request, SIZE_MAX);
	}
	assert_int_equal(p->parent.closed, 1);
	assert_int_equal(p->parent.why.code, OB_EAGAIN);
	for (int i = 0; i < ok; i++) {
		assert_int_equal(o[i].ended, 1);
	}
	free_pair(p);
}

static void fault_34_too_many_calls_in_flight_are_answered_busy(void **state)
{
	static struct outcome o[300];
	struct ob_call *kept[256];
	(void)state;
	struct pair *p = connect_pair();
	p->parent.session.setup.limits.calls = 1000;
	p->child.handler = KEEP;
	for (int i = 0; i < 257; i++) {
		assert_int_equal(call(&p->parent, "x.later", i, INT64_MAX, &o[i], NULL), OB_OK);
		pump(&p->parent, &p->child, SIZE_MAX);
		if (i < 256) {
			kept[i] = p->child.kept;
		}
	}
	assert_int_equal(o[256].ended, 1);
	assert_int_equal(o[256].remote_code, OB_RPC_BUSY);
	assert_string_equal(o[256].text, "too many calls in flight (calls_max 256)");
	assert_int_equal(p->child.session.calls.deferred_count, 256);
	for (int i = 0; i < 256; i++) {
		obi_call_answer(kept[i], NULL, NULL);
	}
	pump(&p->parent, &p->child, SIZE_MAX);
	for (int i = 0; i < 256; i++) {
		assert_int_equal(o[i].ended, 1);
		assert_int_equal(o[i].code, OB_OK);
	}
	free_pair(p);
}

/* Heartbeats and the questions of the parent pass beside as many calls as there may be, at both
 * ends: the silence would be taken for the child's. */
static void fault_34_heartbeats_pass_a_full_session(void **state)
{
	static struct outcome o[256], extra, ping;
	struct ob_call *kept[256];
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = KEEP;
	for (int i = 0; i < 256; i++) {
		assert_int_equal(call(&p->parent, "x.later", i, INT64_MAX, &o[i], NULL), OB_OK);
		pump(&p->parent, &p->child, SIZE_MAX);
		kept[i] = p->child.kept;
	}
	assert_int_equal(call(&p->parent, "x.later", 0, INT64_MAX, &extra, NULL), OB_EAGAIN);
	assert_int_equal(call(&p->parent, "outboard.ping", 0, INT64_MAX, &ping, NULL), OB_OK);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(ping.ended, 1);
	assert_int_equal(ping.code, OB_OK);
	for (int i = 0; i < 256; i++) {
		obi_call_answer(kept[i], NULL, NULL);
	}
	pump(&p->parent, &p->child, SIZE_MAX);
	free_pair(p);
}

/* A method is compared with its length: what a handler sees as text is what the peer named. */
static void fault_87_methods_that_are_no_text_are_refused(void **state)
{
	static const struct ob_bytes methods[] = {
	    {NULL, 0},
	    {(const uint8_t *)"\0", 1},
	    {(const uint8_t *)"x.echo\0", 7},
	    {(const uint8_t *)"x.echo\0.more", 12},
	    {(const uint8_t *)"\0x.echo", 7},
	    {(const uint8_t *)"outboard.ping\0", 14},
	};
	static const char *const codecs[] = {"msgpack", "json"};
	const char *before = codec_name;
	(void)state;
	for (size_t c = 0; c < 2; c++) {
		codec_name = codecs[c];
		struct pair *p = connect_pair();
		for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
			struct outcome o = {0};
			assert_int_equal(obi_session_call(&p->parent.session, methods[i], NULL,
							  INT64_MAX, on_reply, &o, NULL, NULL),
					 OB_OK);
			assert_int_equal(
			    obi_session_notify(&p->parent.session, methods[i], NULL, NULL), OB_OK);
			pump(&p->parent, &p->child, SIZE_MAX);
			assert_int_equal(o.ended, 1);
			assert_int_equal(o.remote_code, OB_RPC_NO_METHOD);
		}
		assert_int_equal(p->child.calls + p->child.notifications, 0);
		assert_int_equal(p->child.closed, 0);
		free_pair(p);
	}
	codec_name = before;
}

/* ---- Bytes that deferred calls hold ---- */

enum { ELEMENTS_OF_8_MIB = 524288 };

/* An array of small values: one byte each in a message, and 16 each in a call that keeps them. */
static void call_with_elements(struct pair *p, uint32_t count, struct outcome *o)
{
	struct ob_value *small = calloc(count, sizeof *small);
	for (uint32_t i = 0; i < count; i++) {
		small[i] = ob_int(1);
	}
	struct ob_value params = ob_array(small, count);
	memset(o, 0, sizeof *o);
	assert_int_equal(obi_session_call(&p->parent.session, ob_bytes_text("x.y"), &params,
					  INT64_MAX, on_reply, o, NULL, NULL),
			 OB_OK);
	pump(&p->parent, &p->child, SIZE_MAX);
	free(small);
}

static void fault_84_bytes_of_deferred_calls_are_bounded(void **state)
{
	struct outcome first, second;
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = KEEP;
	/* One call is taken whatever its size is. */
	call_with_elements(p, 2 * ELEMENTS_OF_8_MIB, &first);
	struct ob_call *kept = p->child.kept;
	assert_int_equal(first.ended, 0);
	assert_true(p->child.session.calls.deferred_bytes >= 16u << 20);
	call_with_elements(p, 1, &second);
	assert_int_equal(second.remote_code, OB_RPC_BUSY);
	assert_int_equal(obi_session_notify(&p->parent.session, ob_bytes_text("x.y"), NULL, NULL),
			 OB_OK);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(p->child.notifications, 0);
	/* The protocol's own methods are answered. */
	assert_int_equal(call(&p->parent, "outboard.ping", 1, INT64_MAX, &second, NULL), OB_OK);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(second.code, OB_OK);
	obi_call_answer(kept, NULL, NULL);
	assert_int_equal(p->child.session.calls.deferred_bytes, 0);
	call_with_elements(p, 1, &second);
	assert_int_equal(second.ended, 0);
	obi_call_answer(p->child.kept, NULL, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_true(first.ended == 1 && second.ended == 1);
	free_pair(p);
}

/* Many that are small each. */
static void fault_84_bytes_of_deferred_calls_are_added_up(void **state)
{
	static struct outcome o[64];
	struct ob_call *kept[64];
	int count = 0;
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = KEEP;
	for (; count < 64; count++) {
		call_with_elements(p, ELEMENTS_OF_8_MIB / 8, &o[count]);
		if (o[count].ended == 1) {
			break;
		}
		kept[count] = p->child.kept;
	}
	assert_int_equal(count, 8);
	assert_int_equal(o[count].remote_code, OB_RPC_BUSY);
	for (int i = 0; i < count; i++) {
		obi_call_answer(kept[i], NULL, NULL);
	}
	free_pair(p);
}

/* Who leaves and comes back does not begin with nothing: what his calls hold is counted on. */
static void fault_84_calls_of_ended_sessions_are_counted(void **state)
{
	struct obi_orphan_count *orphans = obi_orphan_count_new();
	struct ob_call *kept[64];
	struct outcome o;
	int count = 0;
	(void)state;
	for (; count < 64; count++) {
		struct pair *p = connect_pair();
		p->child.handler = KEEP;
		p->child.session.calls.orphans = orphans;
		call_with_elements(p, ELEMENTS_OF_8_MIB, &o);
		bool refused = o.ended == 1;
		kept[count] = p->child.kept;
		p->child.session.identity.parent = true;
		if (refused) { /* the parent has a limit of its own only */
			call_with_elements(p, 1, &o);
			assert_int_equal(o.ended, 0);
			kept[count] = p->child.kept;
		}
		free_pair(p);
		if (refused) {
			break;
		}
	}
	assert_int_equal(count, OBI_ORPHAN_SHARE);
	for (int i = 0; i <= count; i++) {
		obi_call_answer(kept[i], NULL, NULL);
	}
	assert_int_equal(atomic_load(&orphans->bytes), 0);
	assert_int_equal(atomic_load(&orphans->users), 1);
	obi_orphan_count_unref(orphans);
}

/* What a large message took does not stay with the connection. */
static void fault_84_a_large_message_leaves_no_memory_behind(void **state)
{
	struct outcome o;
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = KEEP;
	call_with_elements(p, ELEMENTS_OF_8_MIB, &o);
	obi_call_answer(p->child.kept, NULL, NULL);
	assert_true(obi_arena_size(&p->child.session.arena) < 1 << 17);
	assert_true(obi_arena_size(&p->child.session.calls.spare->arena) < 1 << 17);
	free_pair(p);
}

static void a_call_over_the_limit_is_refused_before_it_is_sent(void **state)
{
	struct ob_error err;
	struct outcome o = {0};
	(void)state;
	struct pair *p = connect_pair();
	size_t n = (4u << 20) + 1;
	char *big = calloc(1, n);
	struct ob_value items[1] = {ob_binary(big, n)};
	struct ob_value params = ob_array(items, 1);
	assert_int_equal(obi_session_call(&p->parent.session, ob_bytes_text("x.y"), &params,
					  INT64_MAX, on_reply, &o, NULL, &err),
			 OB_ETOOBIG);
	assert_string_equal(err.text,
			    "message of 4194318 bytes is larger than message_max (4194304)");
	assert_int_equal(obi_session_output(&p->parent.session).len, 0);
	assert_int_equal(p->parent.session.pending.used, 0);
	items[0] = ob_binary(big, n / 2);
	assert_int_equal(obi_session_call(&p->parent.session, ob_bytes_text("x.y"), &params,
					  INT64_MAX, on_reply, &o, NULL, &err),
			 OB_OK);
	pump(&p->parent, &p->child, 65536);
	assert_int_equal(o.code, OB_OK);
	free(big);
	free_pair(p);
}

/* Also one that has no room in the queue, although that is empty: nothing else is to blame. */
static void a_result_over_the_limit_is_answered_with_the_name_of_the_limit(void **state)
{
	static const size_t sizes[] = {(4u << 20) + 1, 64u << 20};
	char *big = calloc(1, 64u << 20);
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct outcome o;
		struct pair *p = connect_pair();
		struct ob_value result = ob_binary(big, sizes[i]);
		p->child.handler = KEEP;
		call(&p->parent, "x.y", 1, INT64_MAX, &o, NULL);
		pump(&p->parent, &p->child, SIZE_MAX);
		assert_int_equal(obi_call_answer(p->child.kept, NULL, &result), OB_ETOOBIG);
		pump(&p->parent, &p->child, SIZE_MAX);
		assert_int_equal(o.code, OB_EREMOTE);
		assert_int_equal(o.remote_code, OB_RPC_TOO_BIG);
		assert_string_equal(o.text, i == 0
						? "message of 4194314 bytes is larger than "
						  "message_max (4194304)"
						: "message is larger than message_max (4194304)");
		free_pair(p);
	}
	free(big);
}

static void a_message_over_the_limit_of_the_receiver_ends_the_session(void **state)
{
	struct outcome o;
	(void)state;
	struct pair *p = connect_pair();
	char big[5000] = "";
	struct ob_value items[1] = {ob_binary(big, sizeof big)};
	struct ob_value params = ob_array(items, 1);
	p->child.session.codec_params.message = 4096;
	memset(&o, 0, sizeof o);
	assert_int_equal(obi_session_call(&p->parent.session, ob_bytes_text("x.y"), &params,
					  INT64_MAX, on_reply, &o, NULL, NULL),
			 OB_OK);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(p->child.why.code, OB_ETOOBIG);
	assert_string_equal(p->child.why.text,
			    "the peer sent a message that is larger than message_max (4096)");
	obi_session_ended(&p->parent.session, NULL);
	free_pair(p);
}

static void large_messages_in_a_row_fit(void **state)
{
	static struct outcome o[4];
	(void)state;
	struct pair *p = connect_pair();
	size_t n = 3u << 20;
	char *big = calloc(1, n);
	struct ob_value items[1] = {ob_binary(big, n)};
	struct ob_value params = ob_array(items, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(obi_session_call(&p->parent.session, ob_bytes_text("x.y"), &params,
						  INT64_MAX, on_reply, &o[i], NULL, NULL),
				 OB_OK);
	}
	pump(&p->parent, &p->child, 100000);
	assert_int_equal(p->child.calls, 2);
	assert_true(o[0].ended == 1 && o[0].code == OB_OK && o[1].ended == 1 && o[1].code == OB_OK);
	free(big);
	free_pair(p);
}

static void many_small_elements_fit(void **state)
{
	struct outcome o;
	enum { ELEMENTS = 1000000 };
	(void)state;
	struct pair *p = connect_pair();
	struct ob_value *small = calloc(ELEMENTS, sizeof *small);
	for (int i = 0; i < ELEMENTS; i++) {
		small[i] = ob_int(i % 100);
	}
	struct ob_value items[1] = {ob_array(small, ELEMENTS)};
	struct ob_value params = ob_array(items, 1);
	memset(&o, 0, sizeof o);
	assert_int_equal(obi_session_call(&p->parent.session, ob_bytes_text("x.y"), &params,
					  INT64_MAX, on_reply, &o, NULL, NULL),
			 OB_OK);
	pump(&p->parent, &p->child, 65536);
	assert_int_equal(p->child.calls, 1);
	assert_int_equal(o.code, OB_OK);
	free(small);
	free_pair(p);
}

static void deferred_notifications_are_limited(void **state)
{
	(void)state;
	struct pair *p = connect_pair();
	struct ob_call *kept[256];
	p->child.handler = KEEP;
	for (int i = 0; i < 300; i++) {
		assert_int_equal(
		    obi_session_notify(&p->parent.session, ob_bytes_text("x.y"), NULL, NULL),
		    OB_OK);
		pump(&p->parent, &p->child, SIZE_MAX);
		if (i < 256) {
			kept[i] = p->child.kept;
		}
	}
	assert_int_equal(p->child.notifications, 256);
	for (int i = 0; i < 256; i++) {
		obi_call_answer(kept[i], NULL, NULL);
	}
	free_pair(p);
}

static void fault_29_bad_values_close_the_connection(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
	    {"\x94\x00\x01\xa1x\x81\x01\x02", 8},		   /* a key that is not a string */
	    {"\x94\x00\x01\xa1x\x82\xa1k\x01\xa1k\x02", 12},	   /* duplicate key */
	    {"\x94\x00\x01\xa1x\x91\xa2\xc3\x28", 9},		   /* bad UTF-8 */
	    {"\x94\x00\x01\xa1x\x91\xcb\x7f\xf0\0\0\0\0\0\0", 15}, /* infinity */
	    {"\x94\x00\x01\xa1x\x91\xca\x7f\xc0\0\0", 11},	   /* NaN */
	    {"\x94\x00\xff\xa1x\x90", 6},			   /* a negative id */
	    {"\x94\x00\xa1i\xa1x\x90", 7},			   /* a string id */
	    {"\x94\x00\x01\xa1x\x01", 6},			   /* params that are a number */
	    {"\x93\x00\x01\xa1x", 5},				   /* a request of three */
	    {"\x94\x03\x01\xa1x\x90", 6},			   /* an unknown kind */
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct pair *p = connect_pair();
		give(&p->child, (const uint8_t *)bad[i].bytes, bad[i].len, SIZE_MAX);
		assert_int_equal(p->child.calls, 0);
		assert_int_equal(p->child.closed, 1);
		free_pair(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_served_before_authentication),
	    cmocka_unit_test(bytes_after_the_final_auth_request_close),
	    cmocka_unit_test(fault_25_garbage_closes_without_a_reply),
	    cmocka_unit_test(fault_26_27_announced_sizes_are_refused_before_allocating),
	    cmocka_unit_test(fault_27_counts_are_summed_over_all_levels),
	    cmocka_unit_test(fault_27_depth_is_limited_to_24),
	    cmocka_unit_test(large_messages_in_a_row_fit),
	    cmocka_unit_test(many_small_elements_fit),
	    cmocka_unit_test(deferred_notifications_are_limited),
	    cmocka_unit_test(fault_34_heartbeats_pass_a_full_session),
	    cmocka_unit_test(fault_87_methods_that_are_no_text_are_refused),
	    cmocka_unit_test(fault_84_bytes_of_deferred_calls_are_bounded),
	    cmocka_unit_test(fault_84_bytes_of_deferred_calls_are_added_up),
	    cmocka_unit_test(fault_84_calls_of_ended_sessions_are_counted),
	    cmocka_unit_test(fault_84_a_large_message_leaves_no_memory_behind),
	    cmocka_unit_test(fault_29_bad_values_close_the_connection),
	    cmocka_unit_test(fault_31_a_peer_that_does_not_read_costs_only_itself),
	    cmocka_unit_test(fault_34_too_many_calls_in_flight_are_answered_busy),
	    cmocka_unit_test(a_call_over_the_limit_is_refused_before_it_is_sent),
	    cmocka_unit_test(a_result_over_the_limit_is_answered_with_the_name_of_the_limit),
	    cmocka_unit_test(a_message_over_the_limit_of_the_receiver_ends_the_session),
	};
	return cmocka_run_group_tests_name("session, limits", tests, setup, teardown);
}
