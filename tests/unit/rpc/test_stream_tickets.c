/* SPDX-License-Identifier: MIT */
/* Tickets of streams: each is good once, for who waits for it, and nobody else knows it. */
#include "rpc/stream_tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

enum { MANY = 50 };

static struct obi_stream_tickets tickets;

static struct {
	int count;
	bool lost;
} arrivals;

static void on_arrived(void *user, struct obi_raw_stream *raw)
{
	(void)user;
	arrivals.count++;
	arrivals.lost = raw == NULL;
}

static void issue(struct obi_stream_ticket *ticket)
{
	*ticket = (struct obi_stream_ticket){.arrived = on_arrived};
	assert_int_equal(obi_stream_ticket_issue(&tickets, ticket, NULL), OB_OK);
	assert_int_equal(strlen(ticket->text), OBI_TICKET_TEXT);
}

static int set_up(void **state)
{
	(void)state;
	memset(&tickets, 0, sizeof tickets);
	memset(&arrivals, 0, sizeof arrivals);
	return 0;
}

static void one_is_good_once(void **state)
{
	struct obi_stream_ticket ticket, *holder = NULL, *second = NULL;
	struct obi_raw_stream raw = {.transport = NULL};
	char text[OBI_TICKET_SIZE];
	(void)state;
	issue(&ticket);
	memcpy(text, ticket.text, sizeof text);
	assert_true(obi_stream_ticket_spend(&tickets, ob_bytes_text(text), &holder));
	assert_ptr_equal(holder, &ticket);
	assert_false(obi_stream_ticket_spend(&tickets, ob_bytes_text(text), &second));
	assert_null(second);
	obi_stream_ticket_arrived(&holder, &raw);
	assert_null(holder);
	assert_int_equal(arrivals.count, 1);
	assert_false(arrivals.lost);
	assert_false(obi_stream_ticket_spend(&tickets, ob_bytes_text(text), &second));
	obi_stream_ticket_end(&ticket);
}

static void who_holds_one_gets_no_other(void **state)
{
	struct obi_stream_ticket first, other, *holder = NULL, *second = NULL;
	(void)state;
	issue(&first);
	issue(&other);
	assert_true(obi_stream_ticket_spend(&tickets, ob_bytes_text(first.text), &holder));
	assert_false(obi_stream_ticket_spend(&tickets, ob_bytes_text(other.text), &holder));
	assert_ptr_equal(holder, &first);
	assert_true(obi_stream_ticket_spend(&tickets, ob_bytes_text(other.text), &second));
	obi_stream_ticket_end(&other);
	obi_stream_ticket_end(&first);
	assert_null(holder);
	assert_null(second);
}

static void what_is_not_the_whole_ticket_is_none(void **state)
{
	struct obi_stream_ticket ticket, *holder = NULL;
	char text[OBI_TICKET_SIZE + 1];
	(void)state;
	issue(&ticket);
	memcpy(text, ticket.text, OBI_TICKET_SIZE);
	text[OBI_TICKET_TEXT] = '0';
	for (size_t len = 0; len <= OBI_TICKET_SIZE; len++) {
		struct ob_bytes shown = ob_bytes_of(text, len);
		assert_int_equal(obi_stream_ticket_spend(&tickets, shown, &holder),
				 len == OBI_TICKET_TEXT);
	}
	obi_stream_ticket_end(&ticket);
	issue(&ticket);
	memcpy(text, ticket.text, OBI_TICKET_SIZE);
	text[OBI_TICKET_TEXT - 1] = text[OBI_TICKET_TEXT - 1] == '0' ? '1' : '0';
	assert_false(obi_stream_ticket_spend(&tickets, ob_bytes_text(text), &holder));
	obi_stream_ticket_end(&ticket);
}

/* The dial is over before the stream comes, or while it comes. */
static void one_that_ended_is_good_no_more(void **state)
{
	struct obi_stream_ticket ticket, *holder = NULL;
	char text[OBI_TICKET_SIZE];
	(void)state;
	issue(&ticket);
	memcpy(text, ticket.text, sizeof text);
	obi_stream_ticket_end(&ticket);
	obi_stream_ticket_end(&ticket);
	assert_false(obi_stream_ticket_spend(&tickets, ob_bytes_text(text), &holder));
	issue(&ticket);
	memcpy(text, ticket.text, sizeof text);
	assert_true(obi_stream_ticket_spend(&tickets, ob_bytes_text(text), &holder));
	obi_stream_ticket_end(&ticket);
	assert_null(holder);
	assert_int_equal(arrivals.count, 0);
}

static void who_brings_it_may_be_lost(void **state)
{
	struct obi_stream_ticket ticket, *holder = NULL;
	(void)state;
	issue(&ticket);
	assert_true(obi_stream_ticket_spend(&tickets, ob_bytes_text(ticket.text), &holder));
	obi_stream_ticket_arrived(&holder, NULL);
	assert_int_equal(arrivals.count, 1);
	assert_true(arrivals.lost);
	obi_stream_ticket_end(&ticket);
}

static void those_that_nobody_has_shown_are_lost_with_the_connection(void **state)
{
	struct obi_stream_ticket shown, first, second, *holder = NULL;
	char text[OBI_TICKET_SIZE];
	(void)state;
	issue(&first);
	issue(&shown);
	issue(&second);
	memcpy(text, first.text, sizeof text);
	assert_true(obi_stream_ticket_spend(&tickets, ob_bytes_text(shown.text), &holder));
	obi_stream_tickets_lose(&tickets);
	assert_int_equal(arrivals.count, 2);
	assert_true(arrivals.lost);
	assert_ptr_equal(holder, &shown);
	obi_stream_ticket_end(&shown);
	assert_false(obi_stream_ticket_spend(&tickets, ob_bytes_text(text), &holder));
	obi_stream_ticket_end(&first);
	obi_stream_ticket_end(&second);
}

static void many_are_told_apart(void **state)
{
	struct obi_stream_ticket many[MANY], *holder = NULL;
	(void)state;
	for (int i = 0; i < MANY; i++) {
		issue(&many[i]);
	}
	for (int i = 0; i < MANY; i += 2) {
		obi_stream_ticket_end(&many[i]);
	}
	for (int i = 1; i < MANY; i += 2) {
		assert_true(
		    obi_stream_ticket_spend(&tickets, ob_bytes_text(many[i].text), &holder));
		assert_ptr_equal(holder, &many[i]);
		obi_stream_ticket_end(&many[i]);
	}
	assert_null(tickets.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(one_is_good_once, set_up),
	    cmocka_unit_test_setup(who_holds_one_gets_no_other, set_up),
	    cmocka_unit_test_setup(what_is_not_the_whole_ticket_is_none, set_up),
	    cmocka_unit_test_setup(one_that_ended_is_good_no_more, set_up),
	    cmocka_unit_test_setup(who_brings_it_may_be_lost, set_up),
	    cmocka_unit_test_setup(those_that_nobody_has_shown_are_lost_with_the_connection,
				   set_up),
	    cmocka_unit_test_setup(many_are_told_apart, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
