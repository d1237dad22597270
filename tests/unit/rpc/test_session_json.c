/* SPDX-License-Identifier: MIT */
/* A session over the codec json: ids, errors and notifications as JSON-RPC 2.0 specifies them. */
#include "unit/rpc/json_bed.h"

#include "json/json.h"
#include "support/scratch.h"

/* ---- Requests ---- */

static void ids_come_back_as_they_were_sent(void **state)
{
	static const char *const ids[] = {
	    "0",     "1",    "4294967295", "4294967296",     "-1",   "1.0",
	    "1e2",   "null", "\"a\"",	   "\"\\u0041\\n\"", "\"\"", "18446744073709551615",
	    "\"€\"", "-1.50"};
	struct end *e = open_end();
	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		char *request = scratch_text(
		    "{\"id\":  %s ,\"method\":\"x.echo\",\"params\":[7],\"jsonrpc\":\"2.0\"}\n",
		    ids[i]);
		char *answer =
		    scratch_text("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":7}\n", ids[i]);
		expect(e, request, answer);
		free(request);
		free(answer);
	}
	free_end(e);
}

static void ids_must_be_short_scalars(void **state)
{
	static const char *const bad[] = {"true", "[1]", "{}", "{\"$binary\":\"\"}"};
	char longest[OB_ID_MAX + 1] = "", *text;
	struct end *e = open_end();
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		text =
		    scratch_text("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"x.echo\"}\n", bad[i]);
		expect(e, text, INVALID "\n");
		free(text);
	}
	memset(longest, 'i', OB_ID_MAX - 2);
	text = scratch_text("{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"x.echo\"}\n", longest);
	say(e, text);
	assert_non_null(strstr(heard(e), longest));
	free(text);
	text =
	    scratch_text("{\"jsonrpc\":\"2.0\",\"id\":\"%si\",\"method\":\"x.echo\"}\n", longest);
	expect(e, text, INVALID "\n");
	free(text);
	assert_int_equal(e->calls, 1);
	free_end(e);
}

static void a_foreign_id_outlives_its_message_and_is_unique_in_flight(void **state)
{
	struct end *e = open_end();
	(void)state;
	e->handler = KEEP;
	say(e, ECHO("\"first\"", "1") "\n");
	struct ob_call *first = e->kept;
	say(e, ECHO("\"other\"", "2") "\n");
	obi_call_answer(e->kept, NULL, NULL);
	assert_string_equal(heard(e), RESULT("\"other\"", "null") "\n");
	obi_call_answer(first, NULL, ob_value_at(&first->params, 0));
	assert_string_equal(heard(e), RESULT("\"first\"", "1") "\n");
	say(e, ECHO("\"again\"", "1") "\n" ECHO("\"again\"", "1") "\n");
	assert_int_equal(e->closed, 1);
	obi_call_answer(e->kept, NULL, NULL);
	free_end(e);
}

static void params_may_be_absent_positional_or_named(void **state)
{
	struct end *e = open_end();
	(void)state;
	e->handler = KEEP;
	say(e, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.a\"}\n");
	assert_int_equal(e->kept->params.type, OB_ARRAY);
	assert_int_equal(e->kept->params.count, 0);
	obi_call_answer(e->kept, NULL, NULL);
	say(e, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.a\",\"params\":{\"second\":2,"
	       "\"first\":1}}\r\n");
	int64_t n;
	assert_true(ob_get_int(ob_params_get(&e->kept->params, 0, "first"), &n));
	assert_int_equal(n, 1);
	obi_call_answer(e->kept, NULL, NULL);
	say(e, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.a\",\"params\":[1]}\n");
	assert_true(ob_get_int(ob_params_get(&e->kept->params, 0, "first"), &n));
	obi_call_answer(e->kept, NULL, NULL);
	expect(e, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.a\",\"params\":1}\n",
	       RESULT("1", "null") "\n" RESULT("1", "null") "\n" RESULT("1", "null") "\n" ERROR(
		   "1", "-32600", "Invalid Request") "\n");
	free_end(e);
}

static void notifications_are_not_answered(void **state)
{
	struct end *e = open_end();
	(void)state;
	expect(e,
	       "{\"jsonrpc\":\"2.0\",\"method\":\"x.echo\",\"params\":[1]}\n{\"jsonrpc\":\"2.0\","
	       "\"method\":\"x.none\"}\n",
	       "");
	assert_int_equal(e->notifications, 2);
	assert_int_equal(e->calls, 0);
	free_end(e);
}

/* ---- Errors ---- */

static void text_that_is_not_json_is_a_parse_error_and_no_end(void **state)
{
	static const char *const bad[] = {
	    "{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]",
	    "nonsense",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"x.a\",\"method\":\"x.b\",\"id\":1}", /* duplicate key
										     */
	    "{\"jsonrpc\":\"2.0\",\"method\":\"x.a\",\"params\":[1e999],\"id\":1}",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"x.a\",\"params\":[NaN],\"id\":1}",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"x.a\",\"params\":[\"\xff\"],\"id\":1}",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"x.a\",\"params\":[{\"$binary\":\"%\"}],\"id\":1}",
	    "{} {}",
	    "[1,2",
	    "\xef\xbb\xbf{}",
	};
	struct end *e = open_end();
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		say(e, bad[i]);
		say(e, "\n");
		assert_non_null(strstr(heard(e), "\"id\":null,\"error\":{\"code\":-32700,"
						 "\"message\":\"Parse error\",\"data\":\""));
	}
	expect(e, ECHO("1", "5") "\n", RESULT("1", "5") "\n");
	free_end(e);
}

static void an_object_that_is_not_a_request_is_an_invalid_request(void **state)
{
	static const char *const bad[] = {
	    "1",
	    "\"x\"",
	    "null",
	    "{}",
	    "[]",
	    "{\"jsonrpc\":\"2.0\",\"method\":1,\"params\":\"bar\"}",
	    "{\"jsonrpc\":\"2.0\",\"method\":1}",
	    "{\"jsonrpc\":\"2.0\"}",
	    "{\"method\":\"x.echo\"}",
	    "{\"jsonrpc\":\"1.0\",\"method\":\"x.echo\"}",
	    "{\"jsonrpc\":2.0,\"method\":\"x.echo\"}",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"x.echo\",\"params\":null}"};
	struct end *e = open_end();
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		say(e, bad[i]);
		expect(e, "\n", INVALID "\n");
	}
	/* If the id is readable, the error has it. */
	expect(e, "{\"jsonrpc\":\"2.0\",\"id\":\"mine\",\"method\":1}\n",
	       ERROR("\"mine\"", "-32600", "Invalid Request") "\n");
	assert_int_equal(e->calls + e->notifications, 0);
	free_end(e);
}

static void too_deep_is_refused_and_24_is_not(void **state)
{
	char open[32], shut[32];
	(void)state;
	for (int depth = 24; depth <= 25; depth++) {
		struct end *e = open_end();
		memset(open, '[', (size_t)depth);
		memset(shut, ']', (size_t)depth);
		char *text = scratch_text(
		    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.echo\",\"params\":%.*s%.*s}]\n",
		    depth, open, depth, shut);
		say(e, text);
		assert_int_equal(e->calls, depth == 24 ? 1 : 0);
		heard(e);
		text[strlen(text) - 2] = '\n';
		say(e, text + 1);
		assert_int_equal(e->calls, depth == 24 ? 2 : 0);
		assert_true((strstr(heard(e), "-32600") != NULL) == (depth == 25));
		free(text);
		free_end(e);
	}
}

static void a_malformed_response_closes_without_an_answer(void **state)
{
	static const char *const bad[] = {
	    "{\"jsonrpc\":\"2.0\",\"result\":1}",
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":null}",
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{\"code\":1}}",
	    "{\"id\":1,\"result\":1}",
	    "[{\"jsonrpc\":\"2.0\",\"result\":1}]",
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct end *e = open_end();
		say(e, bad[i]);
		say(e, "\n");
		assert_string_equal(heard(e), "");
		assert_int_equal(e->closed, 1);
		assert_int_equal(e->why.code, OB_EPROTO);
		free_end(e);
	}
}

static void replies_are_read_as_specified(void **state)
{
	struct outcome o;
	struct end *e = open_end();
	(void)state;
	call(e, "x.y", 1, INT64_MAX, &o, NULL);
	expect(e, "", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.y\",\"params\":[1]}\n");
	say(e, "{\"id\":1,\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,\"message\":\"no\","
	       "\"data\":[1]}}\n");
	assert_int_equal(o.code, OB_EREMOTE);
	assert_int_equal(o.remote_code, -32601);
	assert_string_equal(o.text, "no");
	call(e, "x.y", 1, INT64_MAX, &o, NULL);
	say(e, "{\"id\":2,\"jsonrpc\":\"2.0\",\"result\":9,\"error\":null}\n");
	assert_int_equal(o.code, OB_OK);
	assert_int_equal(o.number, 9);
	/* In a batch; and a response to no call. */
	call(e, "x.y", 1, INT64_MAX, &o, NULL);
	heard(e);
	expect(e, "[" RESULT("null", "1") "," RESULT("3", "8") "]\n", "");
	assert_int_equal(o.number, 8);
	assert_int_equal(e->session.ignored, 1);
	free_end(e);
}

/* ---- Lines ---- */

static void lines_are_found_in_chunks_of_any_size(void **state)
{
	static const char text[] = "\n \r\n" ECHO("1", "\"a\\nb\"") "\r\n\t" ECHO("2", "{}") " \n";
	static const char answers[] = RESULT("1", "\"a\\nb\"") "\n" RESULT("2", "{}") "\n";
	(void)state;
	for (size_t chunk = 1; chunk <= sizeof text; chunk++) {
		struct end *e = open_end();
		give(e, (const uint8_t *)text, sizeof text - 1, chunk);
		assert_string_equal(heard(e), answers);
		free_end(e);
	}
}

static void fault_26_a_line_over_the_limit_closes(void **state)
{
	struct end *e = open_end();
	size_t limit = e->session.setup.limits.message;
	char *line = malloc(limit + 1);
	(void)state;
	memset(line, ' ', limit + 1);
	give(e, (uint8_t *)line, limit - 1, 65536);
	assert_int_equal(e->closed, 0);
	give(e, (uint8_t *)line, 1, 1);
	assert_int_equal(e->closed, 1);
	assert_int_equal(e->why.code, OB_ETOOBIG);
	assert_string_equal(heard(e), "");
	free(line);
	free_end(e);
}

/* Two bytes of text make a value of 16 bytes: the largest message of such values is still
 * decoded. */
static void the_densest_message_fits_the_budget(void **state)
{
	static const char *const pieces[] = {"0,", "[],", "\"\",", "{\"\":0},"};
	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct end *e = open_end();
		size_t limit = e->session.setup.limits.message, n = strlen(pieces[i]);
		char *line = malloc(limit + 1);
		int at =
		    snprintf(line, limit,
			     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x.echo\",\"params\":[[");
		while ((size_t)at + n + 8 < limit) {
			memcpy(line + at, pieces[i], n);
			at += (int)n;
		}
		strcpy(line + at, "0]]}\n");
		give(e, (uint8_t *)line, strlen(line), SIZE_MAX);
		assert_int_equal(e->closed, 0);
		assert_int_equal(e->calls, 1);
		free(line);
		free_end(e);
	}
}

/* ---- Authentication, and outboard peers ---- */

static void fault_25_garbage_before_authentication_closes_without_a_reply(void **state)
{
	static const char *const garbage[] = {"GET / HTTP/1.1\r\n\r\n",
					      "{\n",
					      "[]\n",
					      "{}\n",
					      "[" ECHO("1", "1") "]\n",
					      "{\"jsonrpc\":\"2.0\",\"method\":1,\"id\":1}\n",
					      "null\n"};
	(void)state;
	for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
		struct end child;
		init_end(&child, OB_AUTH_ACCEPTOR, "token", secret_a);
		obi_authentication_begin(&child.session);
		say(&child, garbage[i]);
		assert_int_equal(child.closed, 1);
		assert_int_equal(obi_session_output(&child.session).len, 0);
		obi_session_free(&child.session);
	}
}

static void calls_pass_both_ways_between_outboard_peers(void **state)
{
	(void)state;
	for (size_t chunk = 1; chunk < 2000; chunk = chunk * 3 + 1) {
		struct outcome a, b;
		struct pair *p = connect_with("token", secret_a, secret_a, chunk);
		assert_true(p->parent.opened && p->child.opened);
		call(&p->parent, "x.echo", INT64_MAX, INT64_MAX, &a, NULL);
		call(&p->child, "y.echo", INT64_MIN, INT64_MAX, &b, NULL);
		pump(&p->parent, &p->child, chunk);
		assert_int_equal(a.number, INT64_MAX);
		assert_int_equal(b.number, INT64_MIN);
		free_pair(p);
	}
}

static void a_wrong_token_is_refused(void **state)
{
	(void)state;
	struct pair *p = connect_with("token", secret_a, secret_b, SIZE_MAX);
	assert_false(p->parent.opened || p->child.opened);
	assert_true(p->parent.closed + p->child.closed > 0);
	free_pair(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ids_come_back_as_they_were_sent),
	    cmocka_unit_test(ids_must_be_short_scalars),
	    cmocka_unit_test(a_foreign_id_outlives_its_message_and_is_unique_in_flight),
	    cmocka_unit_test(params_may_be_absent_positional_or_named),
	    cmocka_unit_test(notifications_are_not_answered),
	    cmocka_unit_test(text_that_is_not_json_is_a_parse_error_and_no_end),
	    cmocka_unit_test(an_object_that_is_not_a_request_is_an_invalid_request),
	    cmocka_unit_test(too_deep_is_refused_and_24_is_not),
	    cmocka_unit_test(a_malformed_response_closes_without_an_answer),
	    cmocka_unit_test(replies_are_read_as_specified),
	    cmocka_unit_test(lines_are_found_in_chunks_of_any_size),
	    cmocka_unit_test(fault_26_a_line_over_the_limit_closes),
	    cmocka_unit_test(the_densest_message_fits_the_budget),
	    cmocka_unit_test(fault_25_garbage_before_authentication_closes_without_a_reply),
	    cmocka_unit_test(calls_pass_both_ways_between_outboard_peers),
	    cmocka_unit_test(a_wrong_token_is_refused),
	};
	return cmocka_run_group_tests_name("session, json", tests, setup_json, teardown);
}
