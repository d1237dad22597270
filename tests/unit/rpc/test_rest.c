/* SPDX-License-Identifier: MIT */
/* What a connection keeps while it is idle. */
#include "unit/rpc/connection_bed.h"

#include <malloc.h>
#include <poll.h>
#include <string.h>

#include "rpc/receive.h"
#include "rpc/rest.h"

enum { MESSAGE = 2000 };

static void echo(struct line *line, struct ob_call *call)
{
	(void)line;
	obi_call_answer(call, NULL, ob_value_at(&call->params, 0));
}

static bool is_readable(int fd)
{
	struct pollfd now = {.fd = fd, .events = POLLIN};
	return poll(&now, 1, 0) == 1;
}

/* Call with so many bytes of text, and take the answer. */
static void ask(struct line *line, struct obi_loop *loop, size_t size)
{
	char request[2 * MESSAGE];
	int len = snprintf(
	    request, sizeof request,
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bed.echo\",\"params\":[\"%0*d\"]}\n",
	    (int)size, 7);
	assert_int_equal(write(line->fd, request, (size_t)len), len);
	while (!is_readable(line->fd)) {
		obi_loop_turn(loop, true);
	}
	assert_true(read(line->fd, request, sizeof request) > (ssize_t)size);
}

/* In the end nothing is left that would wake the loop: a call of the test does. */
static void an_idle_connection_keeps_little(void **state)
{
	struct line line = {.called = echo};
	struct obi_loop *loop;
	(void)state;
	assert_int_equal(obi_loop_new(NULL, 0, &loop, NULL), OB_OK);
	line_open(&line, loop, "json");
	ask(&line, loop, 10);
	size_t busy = mallinfo2().uordblks;
	for (int turns = 0; turns < 2; turns++) {
		obi_loop_turn(loop, true); /* for the timer: first it was used, then not */
	}
	size_t idle = mallinfo2().uordblks;
	assert_true(busy == 0 || idle + 60000 < busy); /* 0: a sanitizer's malloc */
	ask(&line, loop, MESSAGE);
	line_close(&line);
	obi_loop_close(loop);
}

static void a_queue_at_rest_is_wiped_and_small(void **state)
{
	struct obi_buf buf;
	(void)state;
	obi_buf_init(&buf, 1 << 20);
	memset(obi_buf_reserve(&buf, 8192, NULL), 's', 8192);
	ob_sink_commit(obi_buf_sink(&buf), 8192);
	obi_buf_shrink(&buf, 512);
	assert_int_equal(buf.sink.cap, 8192); /* it is not empty */
	obi_buf_consume(&buf, 8192);
	obi_buf_shrink(&buf, 512);
	assert_int_equal(buf.sink.cap, 512);
	for (size_t i = 0; i < 512; i++) {
		assert_int_not_equal(buf.sink.data[i], 's');
	}
	obi_buf_shrink(&buf, 1024);
	assert_int_equal(buf.sink.cap, 512);
	obi_buf_free(&buf);
}

static bool refuse_memory(struct ob_sink *sink, size_t more)
{
	(void)more;
	((struct obi_buf *)sink)->starved = true;
	return false;
}

static void without_memory_small_messages_arrive(void **state)
{
	struct obi_session session = {.state = OBI_SESSION_OPEN, .need = 1};
	size_t room = 0;
	(void)state;
	obi_buf_init(&session.in, 1 << 20);
	(void)obi_buf_reserve(&session.in, 4096, NULL);
	obi_session_rest(&session);
	session.in.sink.grow = refuse_memory;
	uint8_t *at = obi_receive_room(&session, &room);
	assert_non_null(at);
	assert_int_equal(room, 512);
	ob_sink_commit(obi_buf_sink(&session.in), 100);
	assert_ptr_equal(obi_receive_room(&session, &room), at + 100);
	assert_int_equal(room, 412);
	obi_buf_free(&session.in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_idle_connection_keeps_little),
	    cmocka_unit_test(a_queue_at_rest_is_wiped_and_small),
	    cmocka_unit_test(without_memory_small_messages_arrive),
	};
	return cmocka_run_group_tests_name("rest", tests, registry_setup, registry_teardown);
}
