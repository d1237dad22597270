/* SPDX-License-Identifier: MIT */
/* A session over msgpack. What JSON-RPC adds is tested in test_session_json.c. */
#include "unit/rpc/session_bed.h"

#include "json/json.h"

static void calls_pass_both_ways_in_chunks_of_any_size(void **state)
{
	(void)state;
	for (size_t chunk = 1; chunk < 40; chunk += chunk < 8 ? 1 : 13) {
		struct outcome a, b;
		struct pair *p = connect_with("token", secret_a, secret_a, chunk);
		assert_true(p->parent.opened && p->child.opened);
		assert_int_equal(call(&p->parent, "x.echo", 41, INT64_MAX, &a, NULL), OB_OK);
		assert_int_equal(call(&p->child, "y.echo", 42, INT64_MAX, &b, NULL), OB_OK);
		pump(&p->parent, &p->child, chunk);
		assert_int_equal(a.ended, 1);
		assert_int_equal(a.number, 41);
		assert_int_equal(b.ended, 1);
		assert_int_equal(b.number, 42);
		free_pair(p);
	}
}

static void bearer_yields_the_same_identity_as_token(void **state)
{
	struct outcome o;
	(void)state;
	struct pair *p = connect_with("bearer", secret_a, secret_a, SIZE_MAX);
	assert_true(p->parent.opened && p->child.opened);
	p->child.handler = KEEP;
	call(&p->parent, "x.who", 1, INT64_MAX, &o, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_true(ob_bytes_is(p->child.kept->identity.subject, "outboard"));
	assert_true(ob_bytes_is(p->child.kept->identity.method, "bearer"));
	obi_call_answer(p->child.kept, NULL, NULL);
	free_pair(p);
}

static void a_wrong_secret_is_refused_by_both_ends(void **state)
{
	const char *const mechanisms[] = {"token", "bearer"};
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pair *p = connect_with(mechanisms[i], secret_a, secret_b, SIZE_MAX);
		assert_false(p->parent.opened);
		assert_false(p->child.opened);
		assert_true(p->child.closed == 1 || p->parent.closed == 1);
		free_pair(p);
	}
}

static void fault_24_an_end_at_any_byte_ends_every_call_once(void **state)
{
	(void)state;
	for (size_t cut = 0;; cut++) {
		struct outcome o[3];
		struct pair *p = connect_pair();
		for (int i = 0; i < 3; i++) {
			call(&p->parent, "x.echo", i, INT64_MAX, &o[i], NULL);
		}
		carry(&p->parent, &p->child, SIZE_MAX);
		struct ob_bytes out = obi_session_output(&p->child.session);
		size_t len = out.len;
		give(&p->parent, out.data, cut < len ? cut : len, SIZE_MAX);
		obi_session_ended(&p->parent.session, NULL);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(o[i].ended, 1);
			assert_true(o[i].code == OB_OK || o[i].code == OB_ECONNLOST);
		}
		free_pair(p);
		if (cut >= len) {
			break;
		}
	}
}

static void fault_4_pending_calls_end_with_connlost(void **state)
{
	struct outcome o[100];
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = KEEP;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(call(&p->parent, "x.wait", i, 5, &o[i], NULL), OB_OK);
	}
	obi_session_ended(&p->parent.session, NULL);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(o[i].ended, 1);
		assert_int_equal(o[i].code, OB_ECONNLOST);
	}
	obi_session_expire(&p->parent.session, 10);
	assert_int_equal(o[0].ended, 1);
	free_pair(p);
}

static void fault_30_unknown_duplicate_and_late_replies_are_counted(void **state)
{
	static const uint8_t unknown[] = {0x94, 1, 0x63, 0xc0, 0x01};
	struct outcome o;
	uint32_t id;
	(void)state;
	struct pair *p = connect_pair();
	give(&p->parent, unknown, sizeof unknown, SIZE_MAX);
	assert_int_equal(p->parent.session.ignored, 1);
	call(&p->parent, "x.echo", 5, 100, &o, &id);
	obi_session_expire(&p->parent.session, 99);
	assert_int_equal(o.ended, 0);
	obi_session_expire(&p->parent.session, 100);
	assert_int_equal(o.ended, 1);
	assert_int_equal(o.code, OB_ETIMEDOUT);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o.ended, 1);
	assert_int_equal(p->parent.session.ignored, 2);
	free_pair(p);
}

static void calls_end_at_their_deadlines(void **state)
{
	struct outcome o[3];
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = KEEP;
	call(&p->parent, "x.a", 1, 300, &o[0], NULL);
	call(&p->parent, "x.b", 1, 100, &o[1], NULL);
	call(&p->parent, "x.c", 1, 200, &o[2], NULL);
	assert_int_equal(obi_session_deadline(&p->parent.session), 100);
	obi_session_expire(&p->parent.session, 150);
	assert_int_equal(o[1].code, OB_ETIMEDOUT);
	assert_int_equal(obi_session_deadline(&p->parent.session), 200);
	obi_session_expire(&p->parent.session, 1000);
	assert_true(o[0].ended == 1 && o[1].ended == 1 && o[2].ended == 1);
	assert_int_equal(obi_session_deadline(&p->parent.session), INT64_MAX);
	free_pair(p);
}

static void a_deferred_call_is_answered_once_and_keeps_its_params(void **state)
{
	struct outcome o;
	int64_t number;
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = KEEP;
	call(&p->parent, "x.later", 77, INT64_MAX, &o, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o.ended, 0);
	/* Meanwhile the receive buffer is reused. */
	struct ob_call *kept = p->child.kept;
	p->child.handler = REPLY_ECHO;
	struct outcome other;
	call(&p->parent, "x.echo", 1, INT64_MAX, &other, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(other.number, 1);
	assert_true(ob_get_int(ob_value_at(&kept->params, 0), &number));
	assert_int_equal(number, 77);
	assert_string_equal(kept->method, "x.later");
	obi_call_answer(kept, NULL, ob_value_at(&kept->params, 0));
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o.ended, 1);
	assert_int_equal(o.number, 77);
	free_pair(p);
}

static void a_deferred_call_outlives_its_session(void **state)
{
	struct outcome o;
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = KEEP;
	call(&p->parent, "x.later", 77, INT64_MAX, &o, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	struct ob_call *kept = p->child.kept;
	free_pair(p);
	assert_int_equal(o.ended, 1);
	assert_int_equal(o.code, OB_ECLOSED);
	assert_true(atomic_load(&kept->canceled));
	obi_call_answer(kept, NULL, NULL);
}

static void a_call_that_is_taken_out_is_cancelled_at_the_peer(void **state)
{
	struct outcome o;
	uint32_t id;
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = KEEP;
	call(&p->parent, "x.later", 1, INT64_MAX, &o, &id);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_null(obi_session_take(&p->parent.session, id, &o)); /* another owner */
	assert_null(obi_session_take(&p->parent.session, id + 1, NULL));
	struct obi_pending *taken = obi_session_take(&p->parent.session, id, NULL);
	assert_non_null(taken);
	assert_ptr_equal(taken->user, &o);
	free(taken);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_true(atomic_load(&p->child.kept->canceled));
	obi_call_answer_error(p->child.kept, OB_RPC_CANCELED, "cancelled");
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o.ended, 0);
	assert_int_equal(p->parent.session.ignored, 1);
	free_pair(p);
}

static void errors_carry_code_and_message(void **state)
{
	struct outcome o;
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = FAIL_7;
	call(&p->parent, "x.fail", 1, INT64_MAX, &o, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o.code, OB_EREMOTE);
	assert_int_equal(o.remote_code, 7);
	assert_string_equal(o.text, "seven");
	p->child.handler = FORGET;
	call(&p->parent, "x.forgotten", 1, INT64_MAX, &o, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o.code, OB_EREMOTE);
	assert_int_equal(o.remote_code, OB_RPC_INTERNAL);
	free_pair(p);
}

static void a_foreign_error_is_shown_as_json(void **state)
{
	/* [1, id, 12, nil] and [1, id, {"why": "no"}, nil] */
	struct outcome o;
	uint32_t id;
	(void)state;
	struct pair *p = connect_pair();
	call(&p->parent, "x.a", 1, INT64_MAX, &o, &id);
	uint8_t number[] = {0x94, 1, (uint8_t)id, 12, 0xc0};
	give(&p->parent, number, sizeof number, SIZE_MAX);
	assert_string_equal(o.text, "12");
	call(&p->parent, "x.a", 1, INT64_MAX, &o, &id);
	uint8_t map[] = {0x94, 1, (uint8_t)id, 0x81, 0xa3, 'w', 'h', 'y', 0xa2, 'n', 'o', 0xc0};
	give(&p->parent, map, sizeof map, SIZE_MAX);
	assert_string_equal(o.text, "{\"why\":\"no\"}");
	free_pair(p);
}

/* Keeps the JSON of the error value of a reply. */
static void on_error_value(void *user, int code, const struct ob_value *value,
			   const struct ob_error *err)
{
	char *text = user;
	struct ob_sink out = ob_sink_fixed((uint8_t *)text, 63);
	assert_int_equal(code, OB_EREMOTE);
	assert_int_equal(obi_json_write(value, &out, NULL), OB_OK);
	snprintf(text + out.len, 64 - out.len, " %d", (int)err->remote_code);
}

/* An array is the same value as the map of JSON. */
static void errors_are_read_in_any_form(void **state)
{
	static const struct {
		const char *wire;
		size_t len;
		const char *json;
	} forms[] = {
	    {"\x92\x07\xa2no", 5, "{\"code\":7,\"message\":\"no\"} 7"},
	    {"\x93\x07\xa2no\xc3", 6, "{\"code\":7,\"message\":\"no\",\"data\":true} 7"},
	    {"\x82\xa4"
	     "code\x07\xa7message\xa2no",
	     18, "{\"code\":7,\"message\":\"no\"} 7"},
	    {"\x94\x07\xa2no\xc3\xc3", 7, "[7,\"no\",true,true] 0"},
	    {"\x92\xa2no\x07", 5, "[\"no\",7] 0"},
	    {"\xa2no", 3, "\"no\" 0"},
	};
	(void)state;
	struct pair *p = connect_pair();
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct obi_pending *pending;
		char text[64];
		uint8_t reply[64] = {0x94, 1};
		assert_int_equal(obi_session_call(&p->parent.session, ob_bytes_text("x.a"), NULL,
						  INT64_MAX, on_error_value, text, &pending, NULL),
				 OB_OK);
		reply[2] = (uint8_t)pending->id;
		memcpy(reply + 3, forms[i].wire, forms[i].len);
		reply[3 + forms[i].len] = 0xc0;
		give(&p->parent, reply, 4 + forms[i].len, SIZE_MAX);
		assert_string_equal(text, forms[i].json);
	}
	free_pair(p);
}

static void an_error_is_written_as_an_array(void **state)
{
	/* [1, 99, [7, "seven"], nil] */
	static const uint8_t request[] = {0x94, 0, 99, 0xa3, 'x', '.', 'y', 0x90};
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = FAIL_7;
	pump(&p->parent, &p->child, SIZE_MAX);
	give(&p->child, request, sizeof request, SIZE_MAX);
	struct ob_bytes out = obi_session_output(&p->child.session);
	assert_int_equal(out.len, 12);
	assert_memory_equal(out.data, "\x94\x01\x63\x92\x07\xa5seven\xc0", 12);
	free_pair(p);
}

static void a_duplicate_id_in_flight_closes(void **state)
{
	static const uint8_t request[] = {0x94, 0, 9, 0xa3, 'x', '.', 'y', 0x90};
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = KEEP;
	give(&p->child, request, sizeof request, SIZE_MAX);
	struct ob_call *kept = p->child.kept;
	give(&p->child, request, sizeof request, SIZE_MAX);
	assert_int_equal(p->child.closed, 1);
	assert_int_equal(p->child.why.code, OB_EPROTO);
	obi_call_answer(kept, NULL, NULL);
	free_pair(p);
}

static void ping_supervise_and_unknown_reserved_methods(void **state)
{
	struct outcome o;
	(void)state;
	struct pair *p = connect_pair();
	call(&p->parent, "outboard.ping", 1, INT64_MAX, &o, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o.code, OB_OK);
	struct ob_value items[1] = {ob_string("wrong")};
	struct ob_value params = ob_array(items, 1);
	obi_session_call(&p->parent.session, ob_bytes_text("outboard.supervise"), &params,
			 INT64_MAX, on_reply, &o, NULL, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o.remote_code, OB_RPC_DENIED);
	assert_false(p->child.supervised);
	items[0] = ob_string("right");
	obi_session_call(&p->parent.session, ob_bytes_text("outboard.supervise"), &params,
			 INT64_MAX, on_reply, &o, NULL, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_true(p->child.supervised);
	call(&p->parent, "outboard.nonsense", 1, INT64_MAX, &o, NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o.remote_code, OB_RPC_NO_METHOD);
	assert_int_equal(p->child.calls, 0);
	free_pair(p);
}

static void closing_inside_a_handler_is_safe(void **state)
{
	struct outcome o[2];
	(void)state;
	struct pair *p = connect_pair();
	p->child.handler = CLOSE_INSIDE;
	call(&p->parent, "x.a", 1, INT64_MAX, &o[0], NULL);
	call(&p->parent, "x.b", 1, INT64_MAX, &o[1], NULL);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(p->child.calls, 1);
	assert_int_equal(p->child.closed, 1);
	assert_true(p->parent.session.peer_bye);
	free_pair(p);
}

static void a_foreign_server_gets_no_messages_of_the_protocol(void **state)
{
	struct end e;
	struct outcome o;
	uint32_t id;
	(void)state;
	init_end(&e, OB_AUTH_DIALER, NULL, NULL);
	obi_authentication_begin(&e.session);
	assert_true(e.opened);
	assert_int_equal(obi_session_output(&e.session).len, 0);
	call(&e, "plain", 1, 5, &o, &id);
	size_t len = obi_session_output(&e.session).len;
	obi_session_expire(&e.session, 10);
	obi_session_close(&e.session, OB_ECLOSED, "done");
	assert_int_equal(obi_session_output(&e.session).len, len);
	obi_session_free(&e.session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calls_pass_both_ways_in_chunks_of_any_size),
	    cmocka_unit_test(bearer_yields_the_same_identity_as_token),
	    cmocka_unit_test(a_wrong_secret_is_refused_by_both_ends),
	    cmocka_unit_test(fault_24_an_end_at_any_byte_ends_every_call_once),
	    cmocka_unit_test(fault_4_pending_calls_end_with_connlost),
	    cmocka_unit_test(fault_30_unknown_duplicate_and_late_replies_are_counted),
	    cmocka_unit_test(calls_end_at_their_deadlines),
	    cmocka_unit_test(a_deferred_call_is_answered_once_and_keeps_its_params),
	    cmocka_unit_test(a_deferred_call_outlives_its_session),
	    cmocka_unit_test(a_call_that_is_taken_out_is_cancelled_at_the_peer),
	    cmocka_unit_test(errors_carry_code_and_message),
	    cmocka_unit_test(a_foreign_error_is_shown_as_json),
	    cmocka_unit_test(errors_are_read_in_any_form),
	    cmocka_unit_test(an_error_is_written_as_an_array),
	    cmocka_unit_test(a_duplicate_id_in_flight_closes),
	    cmocka_unit_test(ping_supervise_and_unknown_reserved_methods),
	    cmocka_unit_test(closing_inside_a_handler_is_safe),
	    cmocka_unit_test(a_foreign_server_gets_no_messages_of_the_protocol),
	};
	return cmocka_run_group_tests_name("session", tests, setup, teardown);
}
