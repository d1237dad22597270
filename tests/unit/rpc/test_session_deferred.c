/* SPDX-License-Identifier: MIT */
/* Deferred calls whose message is large: they take over the memory in which it arrived. */
#include "unit/rpc/session_bed.h"

enum { LARGE = 1 << 20 };

/* Bytes that differ from each other, so that moved ones are noticed. */
static uint8_t *pattern(size_t size)
{
	uint8_t *bytes = malloc(size);
	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++) {
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	}
	return bytes;
}

static void call_with_bytes(struct pair *p, const uint8_t *bytes, size_t size, struct outcome *o)
{
	struct ob_value text = ob_string("text"), items[2] = {ob_binary(bytes, size), text};
	struct ob_value params = ob_array(items, 2);
	memset(o, 0, sizeof *o);
	assert_int_equal(obi_session_call(&p->parent.session, ob_bytes_text("x.y"), &params,
					  INT64_MAX, on_reply, o, NULL, NULL),
			 OB_OK);
}

static bool is_taken(const struct ob_call *call)
{
	return call->message.sink.data != NULL;
}

static void expect_bytes(const struct ob_call *call, const uint8_t *bytes, size_t size)
{
	struct ob_bytes kept = {NULL, 0}, text = {NULL, 0};
	assert_true(ob_get_binary(ob_value_at(&call->params, 0), &kept));
	assert_true(ob_bytes_equal(kept, ob_bytes_of(bytes, size)));
	assert_true(ob_get_string(ob_value_at(&call->params, 1), &text));
	assert_true(ob_bytes_is(text, "text"));
	if (is_taken(call) && strcmp(codec_name, "msgpack") == 0) {
		assert_true(kept.data > call->message.sink.data &&
			    kept.data < call->message.sink.data + call->message.sink.len);
	}
}

static void answer(struct pair *p, struct ob_call *call, struct outcome *o)
{
	struct ob_value five = ob_int(5);
	assert_int_equal(obi_call_answer(call, NULL, &five), OB_OK);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o->code, OB_OK);
	assert_int_equal(o->number, 5);
}

/* Three calls and a small one, read in pieces of any size: what follows a message that was taken
 * over is not lost. */
static void take_over(const char *mechanism, size_t chunk)
{
	struct outcome o[3], small;
	struct ob_call *kept[3];
	struct pair *p = connect_with(mechanism, secret_a, secret_a, SIZE_MAX);
	uint8_t *bytes = pattern(LARGE);
	assert_true(p->child.opened);
	p->child.handler = KEEP;
	p->child.session.setup.limits.queue = 64 << 20;
	call_with_bytes(p, bytes, LARGE, &o[0]);
	pump(&p->parent, &p->child, chunk);
	kept[0] = p->child.kept;
	call_with_bytes(p, bytes, LARGE, &o[1]);
	call_with_bytes(p, bytes, LARGE, &o[2]); /* arrives right behind the second one */
	pump(&p->parent, &p->child, chunk);
	kept[2] = p->child.kept;
	kept[1] = kept[2]->next;
	assert_int_equal(p->child.session.calls.deferred_count, 3);
	assert_true(p->child.session.calls.deferred_bytes >= 3 * LARGE);
	p->child.handler = REPLY_ECHO;
	assert_int_equal(call(&p->parent, "x.echo", 8, INT64_MAX, &small, NULL), OB_OK);
	pump(&p->parent, &p->child, chunk);
	assert_int_equal(small.number, 8);
	for (int i = 0; i < 3; i++) {
		expect_bytes(kept[i], bytes, LARGE);
		answer(p, kept[i], &o[i]);
	}
	assert_int_equal(p->child.session.calls.deferred_bytes, 0);
	assert_true(obi_buf_len(&p->child.session.in) == 0);
	free(bytes);
	free_pair(p);
}

static void large_messages_are_taken_over_and_what_follows_is_kept(void **state)
{
	static const char *const mechanisms[] = {"token", "noise"}, *const codecs[] = {"msgpack",
										       "json"};
	static const size_t chunks[] = {SIZE_MAX, 65536, 1000, 4 * LARGE};
	(void)state;
	for (int c = 0; c < 2; c++) {
		codec_name = codecs[c];
		for (int m = 0; m < 2; m++) {
			for (int i = 0; i < 4; i++) {
				take_over(mechanisms[m], chunks[i]);
			}
		}
	}
	codec_name = "msgpack";
}

static void the_memory_of_a_message_is_the_calls(void **state)
{
	struct outcome o;
	(void)state;
	struct pair *p = connect_pair();
	uint8_t *bytes = pattern(LARGE);
	p->child.handler = KEEP;
	call_with_bytes(p, bytes, LARGE, &o);
	pump(&p->parent, &p->child, SIZE_MAX);
	struct ob_call *kept = p->child.kept;
	assert_true(is_taken(kept));
	assert_true(obi_arena_size(&kept->arena) < 8192); /* nothing was copied */
	assert_null(p->child.session.in.sink.data);
	assert_int_equal(p->child.session.calls.deferred_bytes, kept->held);
	assert_true(kept->held >= LARGE && kept->held <= 3 * LARGE);
	expect_bytes(kept, bytes, LARGE);
	answer(p, kept, &o);
	assert_false(is_taken(p->child.session.calls.spare));
	assert_non_null(p->child.session.in.sink.data); /* given back */
	assert_int_equal(obi_buf_len(&p->child.session.in), 0);
	assert_int_equal(p->child.session.calls.deferred_bytes, 0);
	free(bytes);
	free_pair(p);
}

/* A buffer that once held a larger message, or messages of others, is not worth keeping. */
static void small_ones_are_copied(void **state)
{
	static const size_t sizes[] = {10, OBI_LARGE - 100, OBI_LARGE + 100};
	struct outcome o;
	(void)state;
	uint8_t *bytes = pattern(LARGE);
	for (int i = 0; i < 3; i++) {
		struct pair *p = connect_pair();
		p->child.handler = REPLY_ECHO; /* leaves a buffer of 2 MiB behind */
		call_with_bytes(p, bytes, LARGE, &o);
		pump(&p->parent, &p->child, SIZE_MAX);
		p->child.handler = KEEP;
		call_with_bytes(p, bytes, sizes[i], &o);
		pump(&p->parent, &p->child, SIZE_MAX);
		assert_false(is_taken(p->child.kept));
		assert_true(p->child.kept->held < 2 * sizes[i] + 16384);
		expect_bytes(p->child.kept, bytes, sizes[i]);
		answer(p, p->child.kept, &o);
		free_pair(p);
	}
	free(bytes);
}

static void fault_84_messages_that_are_taken_over_count(void **state)
{
	enum { CALLS = 64 };
	static struct outcome o[CALLS];
	struct ob_call *kept[CALLS];
	int count = 0;
	(void)state;
	struct obi_orphan_count *orphans = obi_orphan_count_new();
	struct pair *p = connect_pair();
	uint8_t *bytes = pattern(LARGE);
	p->child.handler = KEEP;
	p->child.session.calls.orphans = orphans;
	for (; count < CALLS; count++) {
		call_with_bytes(p, bytes, LARGE, &o[count]);
		pump(&p->parent, &p->child, SIZE_MAX);
		if (o[count].ended == 1) {
			break;
		}
		kept[count] = p->child.kept;
	}
	assert_in_range(count, 4, 8); /* 8 MiB */
	assert_int_equal(o[count].remote_code, OB_RPC_BUSY);
	/* They outlive the session, with their memory. */
	free_pair(p);
	assert_true(atomic_load(&orphans->bytes) >= (size_t)count * LARGE);
	for (int i = 0; i < count; i++) {
		expect_bytes(kept[i], bytes, LARGE);
		obi_call_answer(kept[i], NULL, NULL);
	}
	assert_int_equal(atomic_load(&orphans->bytes), 0);
	obi_orphan_count_unref(orphans);
	free(bytes);
}

/* The session ends inside the handler that defers: the call keeps the message all the same. */
static struct ob_call *kept_while_closing;

static void defer_and_close(void *user, struct ob_call *call)
{
	struct end *e = user;
	assert_int_equal(obi_call_defer(call), OB_OK);
	kept_while_closing = call;
	obi_session_close(&e->session, OB_ECLOSED, "enough");
}

static void a_session_that_ends_inside_the_handler_gives_the_message(void **state)
{
	struct outcome o;
	(void)state;
	struct pair *p = connect_pair();
	uint8_t *bytes = pattern(LARGE);
	p->child.session.setup.handler.fn = defer_and_close;
	call_with_bytes(p, bytes, LARGE, &o);
	pump(&p->parent, &p->child, SIZE_MAX);
	free_pair(p);
	assert_true(is_taken(kept_while_closing));
	expect_bytes(kept_while_closing, bytes, LARGE);
	obi_call_answer(kept_while_closing, NULL, NULL);
	free(bytes);
}

/* Deferred and answered before its handler returns: nobody takes the message. */
static void defer_and_answer(void *user, struct ob_call *call)
{
	struct ob_value five = ob_int(5);
	(void)user;
	assert_int_equal(obi_call_defer(call), OB_OK);
	obi_call_answer(call, NULL, &five);
	/* What the caller looks at when the handler has returned. */
	call->deferred = true;
}

static void a_call_that_is_answered_inside_its_handler_takes_nothing(void **state)
{
	struct outcome o, small;
	(void)state;
	struct pair *p = connect_pair();
	uint8_t *bytes = pattern(LARGE);
	p->child.session.setup.handler.fn = defer_and_answer;
	call_with_bytes(p, bytes, LARGE, &o);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(o.number, 5);
	assert_null(p->child.session.calls.taker);
	assert_int_equal(p->child.session.calls.deferred_bytes, 0);
	p->child.session.setup.handler.fn = on_called;
	assert_int_equal(call(&p->parent, "x.echo", 8, INT64_MAX, &small, NULL), OB_OK);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_int_equal(small.number, 8);
	free(bytes);
	free_pair(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_memory_of_a_message_is_the_calls),
	    cmocka_unit_test(large_messages_are_taken_over_and_what_follows_is_kept),
	    cmocka_unit_test(small_ones_are_copied),
	    cmocka_unit_test(fault_84_messages_that_are_taken_over_count),
	    cmocka_unit_test(a_session_that_ends_inside_the_handler_gives_the_message),
	    cmocka_unit_test(a_call_that_is_answered_inside_its_handler_takes_nothing),
	};
	return cmocka_run_group_tests_name("session, deferred", tests, setup, teardown);
}
