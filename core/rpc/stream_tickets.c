/* SPDX-License-Identifier: MIT */
#include "rpc/stream_tickets.h"

#include <sodium.h>

#include "base/error.h"

static void unlist(struct obi_stream_ticket *ticket)
{
	if (ticket->slot != NULL) {
		*ticket->slot = ticket->next;
		if (ticket->next != NULL) {
			ticket->next->slot = ticket->slot;
		}
	}
	ticket->next = NULL;
	ticket->slot = NULL;
}

int obi_stream_ticket_issue(struct obi_stream_tickets *tickets, struct obi_stream_ticket *ticket,
			    struct ob_error *reterr)
{
	unsigned char bytes[OBI_TICKET_TEXT / 2];
	if (sodium_init() < 0) {
		return obi_fail(reterr, OB_EIO, 0, "libsodium cannot start");
	}
	randombytes_buf(bytes, sizeof bytes);
	sodium_bin2hex(ticket->text, sizeof ticket->text, bytes, sizeof bytes);
	sodium_memzero(bytes, sizeof bytes);
	ticket->holder = NULL;
	ticket->next = tickets->first;
	ticket->slot = &tickets->first;
	if (ticket->next != NULL) {
		ticket->next->slot = &ticket->next;
	}
	tickets->first = ticket;
	return OB_OK;
}

void obi_stream_ticket_end(struct obi_stream_ticket *ticket)
{
	unlist(ticket);
	if (ticket->holder != NULL) {
		*ticket->holder = NULL;
		ticket->holder = NULL;
	}
	sodium_memzero(ticket->text, sizeof ticket->text);
}

void obi_stream_tickets_lose(struct obi_stream_tickets *tickets)
{
	while (tickets->first != NULL) {
		struct obi_stream_ticket *ticket = tickets->first;
		unlist(ticket);
		ticket->arrived(ticket->user, NULL);
	}
}

/* How long the comparison takes tells nothing of those that are waited for. */
bool obi_stream_ticket_spend(struct obi_stream_tickets *tickets, struct ob_bytes text,
			     struct obi_stream_ticket **holder)
{
	struct obi_stream_ticket *found = NULL;
	bool may = *holder == NULL && text.len == OBI_TICKET_TEXT;
	for (struct obi_stream_ticket *t = tickets->first; t != NULL && may; t = t->next) {
		if (sodium_memcmp(t->text, text.data, OBI_TICKET_TEXT) == 0) {
			found = t;
		}
	}
	if (found != NULL) {
		unlist(found);
		found->holder = holder;
		*holder = found;
	}
	return found != NULL;
}

void obi_stream_ticket_arrived(struct obi_stream_ticket **holder, struct obi_raw_stream *raw)
{
	struct obi_stream_ticket *ticket = *holder;
	*holder = NULL;
	ticket->holder = NULL;
	ticket->arrived(ticket->user, raw);
}
