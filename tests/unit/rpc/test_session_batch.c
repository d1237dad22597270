/* SPDX-License-Identifier: MIT */
/* Batches of JSON-RPC. */
#include "unit/rpc/json_bed.h"

#include "support/scratch.h"

/* ---- Batches ---- */

static void a_batch_is_answered_as_one(void **state)
{
	struct end *e = open_end();
	(void)state;
	expect(e,
	       "[" ECHO("1", "10") "," ECHO("\"two\"",
					    "20") ",{\"jsonrpc\":\"2.0\",\"method\":\"x.note\"}, 1 "
						  ",[],{\"foo\":\"boo\"},{\"jsonrpc\":\"2.0\","
						  "\"id\":\"p\",\"method\":\"outboard.ping\"}]\n",
	       "[" RESULT("1", "10") "," RESULT("\"two\"", "20") "," INVALID "," INVALID "," INVALID
								 "," RESULT("\"p\"", "true") "]\n");
	assert_int_equal(e->calls, 2);
	assert_int_equal(e->notifications, 1);
	assert_null(e->session.batches.first);
	free_end(e);
}

static void batches_of_the_specification(void **state)
{
	struct end *e = open_end();
	(void)state;
	expect(e, "[]\n", INVALID "\n");
	expect(e, "[1]\n", "[" INVALID "]\n");
	expect(e, "[1,2,3]\n", "[" INVALID "," INVALID "," INVALID "]\n");
	expect(
	    e,
	    "[{\"jsonrpc\":\"2.0\",\"method\":\"x.a\"},{\"jsonrpc\":\"2.0\",\"method\":\"x.b\"}]\n",
	    "");
	say(e, "[{\"jsonrpc\":\"2.0\",\"method\":\"x.a\"},{\"jsonrpc\":\"2.0\",\"method\"]\n");
	assert_non_null(
	    strstr(heard(e), "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"));
	free_end(e);
}

static void a_batch_waits_for_its_deferred_calls(void **state)
{
	struct end *e = open_end();
	struct ob_call *kept[3];
	struct ob_value nine = ob_int(9);
	(void)state;
	e->handler = KEEP;
	say(e, "[" ECHO("1", "10") "]\n");
	kept[0] = e->kept;
	say(e, "[" ECHO("2", "20") "," ECHO("3", "30") ",7]\n");
	kept[2] = e->kept;
	kept[1] = in_flight(e, 2);
	e->handler = REPLY_ECHO;
	expect(e, ECHO("4", "40") "\n", RESULT("4", "40") "\n");
	obi_call_answer(kept[2], NULL, &nine);
	assert_string_equal(heard(e), "");
	obi_call_answer(kept[0], NULL, &nine);
	assert_string_equal(heard(e), "[" RESULT("1", "9") "]\n");
	obi_call_answer_error(kept[1], 5, "five");
	assert_string_equal(heard(e),
			    "[" INVALID "," RESULT("3", "9") "," ERROR("2", "5", "five") "]\n");
	free_end(e);
}

static void an_open_batch_ends_with_its_session(void **state)
{
	struct end *e = open_end();
	(void)state;
	e->handler = KEEP;
	say(e, "[" ECHO("1", "10") ",1]\n[" ECHO("2", "10") ",1]\n");
	struct ob_call *kept = e->kept, *other = in_flight(e, 1);
	assert_true(e->session.batches.bytes > 0);
	obi_session_ended(&e->session, NULL);
	assert_null(e->session.batches.first);
	assert_true(atomic_load(&kept->canceled));
	free_end(e);
	obi_call_answer(kept, NULL, NULL);
	obi_call_answer(other, NULL, NULL);
}

/* A call of a batch is answered while the session is closing and its batches are being freed. */
static void on_lost(void *user, int code, const struct ob_value *value, const struct ob_error *err)
{
	struct end *e = user;
	(void)code;
	(void)value;
	(void)err;
	obi_call_answer(e->kept, NULL, NULL);
}

static void answering_while_the_session_ends_is_safe(void **state)
{
	struct end *e = open_end();
	(void)state;
	assert_int_equal(obi_session_call(&e->session, ob_bytes_text("x.y"), NULL, INT64_MAX,
					  on_lost, e, NULL, NULL),
			 OB_OK);
	heard(e);
	e->handler = KEEP;
	say(e, "[" ECHO("1", "10") "," ECHO("2", "10") "]\n");
	struct ob_call *other = in_flight(e, 1);
	obi_session_ended(&e->session, NULL);
	assert_string_equal(heard(e), "");
	obi_call_answer(other, NULL, NULL);
	free_end(e);
}

static void closing_inside_a_batch_is_safe(void **state)
{
	struct end *e = open_end();
	(void)state;
	e->handler = CLOSE_INSIDE;
	say(e, "[" ECHO("1", "10") "," ECHO("2", "10") "]\n");
	assert_int_equal(e->calls, 1);
	assert_int_equal(e->closed, 1);
	assert_string_equal(heard(e), "");
	free_end(e);
}

static char *many(const char *piece, size_t count)
{
	size_t n = strlen(piece);
	char *text = malloc(count * (n + 1) + 3), *at = text;
	*at++ = '[';
	for (size_t i = 0; i < count; i++) {
		memcpy(at, piece, n);
		at += n;
		*at++ = i + 1 < count ? ',' : ']';
	}
	strcpy(at, "\n");
	return text;
}

static void the_size_of_a_batch_is_limited(void **state)
{
	struct end *e = open_end();
	(void)state;
	char *most = many("1", 256), *more = many("1", 257);
	say(e, more);
	assert_non_null(strstr(
	    heard(e), "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"
		      "\"Invalid Request\",\"data\":\"the batch is too large\"}}"));
	say(e, most);
	assert_int_equal(heard(e)[0], '[');
	free(most);
	free(more);
	free_end(e);
}

/* A result that has no room. */
#define NO_ROOM(id) \
	ERROR(id, "-32004", "the answers to the batch are larger than message_max (4194304)")

/* Each result fits into a message, but not all together. Those that do not fit become errors,
 * and the answer is still a valid message. */
static void answers_that_do_not_fit_become_errors(void **state)
{
	struct end *e = open_end();
	struct ob_call *kept[6];
	size_t len = e->session.setup.limits.message / 4;
	char *big = malloc(len);
	(void)state;
	memset(big, 'x', len);
	struct ob_value value = ob_stringn(big, len);
	e->handler = KEEP;
	say(e, "[" ECHO("0", "") "," ECHO("1", "") "," ECHO("2", "") "," ECHO("3", "") "," ECHO(
		   "4", "") "," ECHO("5", "") "]\n");
	for (uint32_t i = 0; i < 6; i++) {
		kept[i] = in_flight(e, i);
	}
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(obi_call_answer(kept[i], NULL, &value),
				 i < 3 ? OB_OK : OB_ETOOBIG);
	}
	const char *answer = heard(e);
	assert_true(strlen(answer) > 3 * len && strlen(answer) <= e->session.setup.limits.message);
	static const char tail[] = "," NO_ROOM("3") "," NO_ROOM("4") "," NO_ROOM("5") "]\n";
	assert_string_equal(answer + strlen(answer) - (sizeof tail - 1), tail);
	assert_int_equal(e->closed, 0);
	free(big);
	free_end(e);
}

/* The same for methods of the protocol: if there is no room for "true", the id gets an error. */
static void an_answer_of_the_protocol_that_does_not_fit_becomes_an_error(void **state)
{
	struct end *e = open_end();
	size_t len =
	    e->session.setup.limits.message - 64 - 2 * 256 - strlen(RESULT("0", "\"\"")) - 10;
	char *big = calloc(1, len + 1);
	static const char tail[] = "," NO_ROOM("1") "]\n";
	(void)state;
	memset(big, 'x', len);
	char *line = scratch_text(
	    "[" ECHO("0",
		     "\"%s\"") ",{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"outboard.ping\"}]\n",
	    big);
	say(e, line);
	const char *answer = heard(e);
	assert_true(strlen(answer) > len + sizeof tail);
	assert_string_equal(answer + strlen(answer) - (sizeof tail - 1), tail);
	free(line);
	free(big);
	free_end(e);
}

/* A peer with foreign ids cancels calls by these ids. */
static void a_call_is_canceled_by_its_foreign_id(void **state)
{
	static const char *const ids[] = {"7", "\"call-7\"", "-7", "4294967296", "1.5", "\"\""};
	(void)state;
	for (size_t i = 0; i < 2 * sizeof ids / sizeof *ids; i++) {
		struct end *e = open_end();
		const char *id = ids[i / 2];
		char *call = scratch_text(ECHO("%s", "1") "\n" ECHO("\"other\"", "1") "\n", id);
		char *cancel = scratch_text(
		    "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":%s%s%s}\n",
		    i % 2 == 0 ? "[" : "{\"id\":", id, i % 2 == 0 ? "]" : "}");
		e->handler = KEEP;
		say(e, call);
		struct ob_call *other = e->kept, *kept = other->next != NULL
							     ? other->next
							     : e->session.calls.deferred->next;
		say(e, cancel);
		assert_true(atomic_load(&kept->canceled) != atomic_load(&other->canceled));
		assert_false(atomic_load(&other->canceled));
		obi_call_answer(kept, NULL, NULL);
		obi_call_answer(other, NULL, NULL);
		free(cancel);
		free(call);
		free_end(e);
	}
}

#define BUSY(id) \
	ERROR(id, "-32001", "too many bytes are queued for the answers (queue_max 8388608)")

/* Answers that wait in open batches count towards the limit of the queue. */
static void fault_34_open_batches_are_answered_busy(void **state)
{
	struct end *e = open_end();
	size_t len = e->session.setup.limits.message / 2;
	char *big = calloc(1, len + 1);
	(void)state;
	memset(big, 'x', len);
	e->handler = KEEP;
	/* The first call of each batch is answered with its parameters; the second one stays
	 * open. */
	for (uint32_t i = 0; i < 4; i++) {
		char *line = scratch_text("[" ECHO("%u", "\"%s\"") "," ECHO("%u", "") "]\n", i, big,
					  100 + i);
		say(e, line);
		struct ob_call *first = in_flight(e, i);
		obi_call_answer(first, NULL, ob_value_at(&first->params, 0));
		free(line);
	}
	assert_true(e->session.batches.bytes >= e->session.setup.limits.queue);
	expect(e, ECHO("7", "") "\n", BUSY("7") "\n");
	expect(e, "[" ECHO("7", "") "]\n", "[" BUSY("7") "]\n");
	obi_call_answer(in_flight(e, 100), NULL, NULL);
	assert_true(strlen(heard(e)) > len);
	e->handler = REPLY_ECHO;
	expect(e, ECHO("7", "1") "\n", RESULT("7", "1") "\n");
	for (uint32_t i = 101; i < 104; i++) {
		obi_call_answer(in_flight(e, i), NULL, NULL);
	}
	free(big);
	free_end(e);
}

/* Results that have no room are encoded in vain only until that cost as much as a message. */
static void fault_84_answers_without_room_are_not_encoded(void **state)
{
	enum { CALLS = 24 };
	struct end *e = open_end();
	struct ob_call *kept[CALLS];
	size_t len = e->session.setup.limits.message / 2;
	char *big = malloc(len), *batch_text = calloc(1, CALLS * 128);
	(void)state;
	memset(big, 'x', len);
	struct ob_value value = ob_stringn(big, len);
	for (uint32_t i = 0; i < CALLS; i++) {
		char *piece = scratch_text("%s" ECHO("%u", ""), i == 0 ? "[" : ",", i);
		strcat(batch_text, piece);
		free(piece);
	}
	e->handler = KEEP;
	say(e, strcat(batch_text, "]\n"));
	for (uint32_t i = 0; i < CALLS; i++) {
		kept[i] = in_flight(e, i);
	}
	const struct obi_batch *batch = e->session.batches.first;
	for (uint32_t i = 0; i < CALLS - 1; i++) {
		assert_int_equal(obi_call_answer(kept[i], NULL, &value),
				 i == 0 ? OB_OK : OB_ETOOBIG);
		assert_true(batch->wasted <= 2 * (size_t)e->session.setup.limits.message);
	}
	assert_true(batch->wasted >= batch->answers.max);
	/* One that would fit is not tried either: the peer asked for too much. */
	assert_int_equal(obi_call_answer(kept[CALLS - 1], NULL, NULL), OB_ETOOBIG);
	assert_non_null(strstr(heard(e), NO_ROOM("22")));
	free(batch_text);
	free(big);
	free_end(e);
}

/* The answers of all open batches are bounded together, also those of calls deferred before. */
static void fault_84_answers_of_batches_are_bounded_together(void **state)
{
	struct end *e = open_end();
	size_t len = e->session.setup.limits.message / 2;
	char *big = malloc(len);
	int fitted = 0;
	(void)state;
	memset(big, 'x', len);
	struct ob_value value = ob_stringn(big, len);
	e->handler = KEEP;
	for (uint32_t i = 0; i < 10; i++) {
		char *line = scratch_text("[" ECHO("%u", "") "," ECHO("%u", "") "]\n", i, 100 + i);
		say(e, line);
		free(line);
	}
	for (uint32_t i = 0; i < 10; i++) {
		int r = obi_call_answer(in_flight(e, i), NULL, &value);
		assert_true(r == OB_OK || r == OB_EAGAIN);
		fitted += r == OB_OK;
	}
	assert_int_equal(fitted, 4);
	for (uint32_t i = 100; i < 110; i++) {
		obi_call_answer(in_flight(e, i), NULL, NULL);
	}
	assert_non_null(strstr(
	    heard(e), "the answers of open batches hold too many bytes (queue_max 8388608)"));
	assert_int_equal(e->closed, 0);
	free(big);
	free_end(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_batch_is_answered_as_one),
	    cmocka_unit_test(batches_of_the_specification),
	    cmocka_unit_test(a_batch_waits_for_its_deferred_calls),
	    cmocka_unit_test(an_open_batch_ends_with_its_session),
	    cmocka_unit_test(answering_while_the_session_ends_is_safe),
	    cmocka_unit_test(closing_inside_a_batch_is_safe),
	    cmocka_unit_test(fault_84_answers_without_room_are_not_encoded),
	    cmocka_unit_test(fault_84_answers_of_batches_are_bounded_together),
	    cmocka_unit_test(the_size_of_a_batch_is_limited),
	    cmocka_unit_test(answers_that_do_not_fit_become_errors),
	    cmocka_unit_test(an_answer_of_the_protocol_that_does_not_fit_becomes_an_error),
	    cmocka_unit_test(a_call_is_canceled_by_its_foreign_id),
	    cmocka_unit_test(fault_34_open_batches_are_answered_busy),
	};
	return cmocka_run_group_tests_name("session, batches", tests, setup_json, teardown);
}
