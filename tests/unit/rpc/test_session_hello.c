/* SPDX-License-Identifier: MIT */
/* A child that dials: what it proves in this direction is worth nothing in the other, and
 * outboard.hello. */
#include "unit/rpc/session_bed.h"

#include "unit/keys_bed.h"

static struct end dialer, acceptor;

static void begin(const char *list, bool dialer_is_parent, bool acceptor_is_dialled)
{
	init_end(&dialer, OB_AUTH_DIALER, list, secret_a);
	init_end(&acceptor, OB_AUTH_ACCEPTOR, list, secret_a);
	dialer.auth.parent_dials = dialer_is_parent;
	acceptor.auth.parent_dials = acceptor_is_dialled;
}

static void connect_both(void)
{
	obi_authentication_begin(&dialer.session);
	obi_authentication_begin(&acceptor.session);
	pump(&dialer, &acceptor, 64);
}

static void end_both(void)
{
	obi_session_free(&dialer.session);
	obi_session_free(&acceptor.session);
}

/* ---- Directions ---- */

static void both_directions_authenticate(void **state)
{
	static const char *const lists[] = {"token", "noise", "noise,token", "bearer"};
	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		for (int parent = 0; parent < 2; parent++) {
			begin(lists[i], parent != 0, parent != 0);
			connect_both();
			assert_true(dialer.opened);
			assert_true(acceptor.opened);
			end_both();
		}
	}
}

/* Somebody passes on what a client says to a child, to the parent of a child that dials; or the
 * other way round. Both know the token. */
static void fault_174_a_proof_is_worth_nothing_in_the_other_direction(void **state)
{
	static const char *const lists[] = {"token", "noise", "noise,token"};
	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		for (int parent = 0; parent < 2; parent++) {
			begin(lists[i], parent != 0, parent == 0);
			connect_both();
			assert_false(dialer.opened);
			assert_false(acceptor.opened);
			assert_int_equal(dialer.closed + acceptor.closed > 0, 1);
			end_both();
		}
	}
}

/* As docs/PROTOCOL.md has it. */
static void the_direction_is_in_the_prologue(void **state)
{
	static const char dialled[] = "\0\x0aoutboard/1\0\x07msgpack\0\x05token";
	static const char dials[] = "\0\x0aoutboard/1\0\x07msgpack\0\x05token\0\x09"
				    "dial-home";
	(void)state;
	for (int parent = 0; parent < 2; parent++) {
		begin("token", parent != 0, parent != 0);
		obi_authentication_begin(&dialer.session);
		struct ob_bytes is = dialer.session.auth.params.prologue;
		size_t len = parent ? sizeof dialled - 1 : sizeof dials - 1;
		assert_int_equal(is.len, len);
		assert_memory_equal(is.data, parent ? dialled : dials, len);
		end_both();
	}
}

/* ---- Hello ---- */

static struct {
	char instance[64], run[64], ticket[80];
	int judged, welcomed;
} hello;

static int judge(void *user, struct ob_bytes instance, struct ob_bytes run, struct ob_bytes ticket,
		 struct ob_error *reterr)
{
	(void)user;
	hello.judged++;
	snprintf(hello.instance, sizeof hello.instance, "%.*s", (int)instance.len,
		 instance.len > 0 ? (const char *)instance.data : "");
	snprintf(hello.run, sizeof hello.run, "%.*s", (int)run.len,
		 run.len > 0 ? (const char *)run.data : "");
	snprintf(hello.ticket, sizeof hello.ticket, "%.*s", (int)ticket.len,
		 ticket.len > 0 ? (const char *)ticket.data : "");
	return ob_bytes_is(instance, "right") ? OB_OK
					      : obi_fail(reterr, OB_EPERM, 0, "it is another one");
}

static void welcome(void *user)
{
	(void)user;
	hello.welcomed++;
}

static struct {
	int code;
	char text[128];
} answer;

static void on_answer(void *user, int code, const struct ob_value *value,
		      const struct ob_error *err)
{
	(void)user;
	(void)value;
	answer.code = code;
	snprintf(answer.text, sizeof answer.text, "%.127s", err != NULL ? err->text : "");
}

static void call_hello(const struct ob_value *params)
{
	memset(&answer, 0, sizeof answer);
	answer.code = 1;
	assert_int_equal(obi_session_call(&dialer.session, ob_bytes_text("outboard.hello"), params,
					  INT64_MAX, on_answer, NULL, NULL, NULL),
			 OB_OK);
	pump(&dialer, &acceptor, 64);
}

static void say(const char *instance, const char *run)
{
	struct ob_value items[2] = {ob_string(instance), ob_string(run)};
	struct ob_value params = ob_array(items, run != NULL ? 2 : 1);
	call_hello(&params);
}

static void begin_hello(void)
{
	memset(&hello, 0, sizeof hello);
	begin("token", false, false);
	acceptor.session.setup.hello = (struct obi_hello_handler){judge, welcome, NULL};
	connect_both();
	assert_true(acceptor.opened);
}

static void the_instance_is_judged_and_the_answer_comes_before_all_else(void **state)
{
	(void)state;
	begin_hello();
	say("right", "a run");
	assert_int_equal(answer.code, OB_OK);
	assert_string_equal(hello.instance, "right");
	assert_string_equal(hello.run, "a run");
	assert_string_equal(hello.ticket, "");
	assert_int_equal(hello.welcomed, 1);
	end_both();
}

static void who_is_refused_gets_the_reason_and_the_end(void **state)
{
	(void)state;
	begin_hello();
	say("wrong", NULL);
	assert_int_equal(answer.code, OB_EREMOTE);
	assert_string_equal(answer.text, "it is another one");
	assert_string_equal(hello.run, "");
	assert_int_equal(hello.welcomed, 0);
	assert_int_equal(acceptor.closed, 1);
	assert_int_equal(acceptor.why.code, OB_EPERM);
	end_both();
}

static void a_ticket_may_be_the_third(void **state)
{
	struct ob_value items[3] = {ob_string("right"), ob_string("a run"), ob_string("t1")};
	struct ob_value params = ob_array(items, 3);
	(void)state;
	begin_hello();
	call_hello(&params);
	assert_int_equal(answer.code, OB_OK);
	assert_string_equal(hello.ticket, "t1");
	end_both();
}

static void params_that_are_no_texts_name_no_instance(void **state)
{
	struct ob_value items[3] = {ob_uint(7), ob_bool(true), ob_nil()};
	struct ob_value params = ob_array(items, 3);
	(void)state;
	begin_hello();
	call_hello(&params);
	assert_int_equal(answer.code, OB_EREMOTE);
	assert_string_equal(hello.instance, "");
	end_both();
}

static void nobody_but_a_parent_knows_the_method(void **state)
{
	(void)state;
	begin("token", true, true);
	connect_both();
	say("right", NULL);
	assert_int_equal(answer.code, OB_EREMOTE);
	assert_string_equal(answer.text, "unknown method");
	assert_int_equal(acceptor.closed, 0);
	end_both();
}

/* Before authentication it is like any other call. */
static void it_does_not_come_before_authentication(void **state)
{
	struct ob_message m = {.size = sizeof m,
			       .kind = OB_REQUEST,
			       .method = ob_bytes_text("outboard.hello"),
			       .id = {.number = 1}};
	(void)state;
	memset(&hello, 0, sizeof hello);
	begin("token", false, false);
	acceptor.session.setup.hello = (struct obi_hello_handler){judge, welcome, NULL};
	obi_authentication_begin(&acceptor.session);
	assert_int_equal(obi_session_send(&dialer.session, &m, NULL), OB_OK);
	(void)carry(&dialer, &acceptor, 64);
	assert_int_equal(acceptor.closed, 1);
	assert_int_equal(hello.judged, 0);
	end_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_directions_authenticate),
	    cmocka_unit_test(fault_174_a_proof_is_worth_nothing_in_the_other_direction),
	    cmocka_unit_test(the_direction_is_in_the_prologue),
	    cmocka_unit_test(the_instance_is_judged_and_the_answer_comes_before_all_else),
	    cmocka_unit_test(who_is_refused_gets_the_reason_and_the_end),
	    cmocka_unit_test(a_ticket_may_be_the_third),
	    cmocka_unit_test(params_that_are_no_texts_name_no_instance),
	    cmocka_unit_test(nobody_but_a_parent_knows_the_method),
	    cmocka_unit_test(it_does_not_come_before_authentication),
	};
	return cmocka_run_group_tests(tests, registry_setup, registry_teardown);
}
