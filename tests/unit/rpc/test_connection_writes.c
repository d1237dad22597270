/* SPDX-License-Identifier: MIT */
/* When a connection writes: an answer leaves before the input of the next connection is handled. */
#include "unit/rpc/connection_bed.h"

#include <poll.h>
#include <string.h>

enum { LINES = 3 };

static struct line lines[LINES];
static int asked;
static int had_answers[LINES]; /* how many peers had an answer when a call was handled */

static bool has_answer(const struct line *line)
{
	struct pollfd now = {.fd = line->fd, .events = POLLIN};
	assert_true(poll(&now, 1, 0) >= 0);
	return (now.revents & POLLIN) != 0;
}

static void count_answers(struct line *line, struct ob_call *call)
{
	(void)line;
	for (int i = 0; i < LINES; i++) {
		had_answers[asked] += has_answer(&lines[i]);
	}
	asked++;
	obi_call_answer(call, NULL, ob_value_at(&call->params, 0));
}

static void an_answer_does_not_wait_for_other_connections(void **state)
{
	static const char request[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bed.echo\",\"params\":[7]}\n";
	struct obi_loop *loop;
	(void)state;
	assert_int_equal(obi_loop_new(NULL, 0, &loop, NULL), OB_OK);
	for (int i = 0; i < LINES; i++) {
		lines[i] = (struct line){.called = count_answers};
		line_open(&lines[i], loop, "json");
	}
	for (int i = 0; i < LINES; i++) {
		assert_int_equal(write(lines[i].fd, request, strlen(request)), strlen(request));
	}
	while (asked < LINES) {
		obi_loop_turn(loop, true);
	}
	for (int i = 0; i < LINES; i++) {
		assert_int_equal(had_answers[i], i);
	}
	for (int i = 0; i < LINES; i++) {
		line_close(&lines[i]);
	}
	obi_loop_close(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_does_not_wait_for_other_connections)};
	return cmocka_run_group_tests_name("connection_writes", tests, registry_setup,
					   registry_teardown);
}
