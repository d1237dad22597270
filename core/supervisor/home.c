/* SPDX-License-Identifier: MIT */
#include "supervisor/home.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "rpc/acceptor.h"
#include "rpc/preauth.h"

enum {
	SLOTS = 64,
	HELLO_MS = 5000, /* from accept until it has said hello */
	WARN_EVERY_MS = 1000
};

/* One that has connected. */
struct caller {
	struct caller *next;
	struct caller **slot;
	struct obi_home *home;
	struct obi_preauth peer;
	struct obi_timer patience;
	char run[OBI_RUN_SIZE];
	bool is_stream;			  /* it has shown a ticket */
	struct obi_stream_ticket *ticket; /* NULL: nobody waits for the stream any more */
	struct obi_task take;
};

struct obi_home {
	struct obi_home_setup setup;
	struct obi_acceptor acceptor;
	struct obi_preauth_line preauth;
	struct caller *first;
	int64_t warned_at; /* 0: never */
	uint64_t suppressed;
	bool closed;
	struct obi_task release; /* when nothing of it is on the stack any more */
};

/* ---- Warnings ---- */

static void warn(struct obi_home *home, const struct obi_origin *from, const char *what,
		 const char *why)
{
	char source[OBI_ORIGIN_TEXT] = "", text[320], more[48] = "";
	int64_t now = obi_now_ms();
	if (home->warned_at != 0 && now - home->warned_at < WARN_EVERY_MS) {
		home->suppressed++;
		return;
	}
	if (from != NULL) {
		obi_origin_show(*from, source);
	}
	if (home->suppressed > 0) {
		snprintf(more, sizeof more, " (and %llu more)",
			 (unsigned long long)home->suppressed);
	}
	snprintf(text, sizeof text, "%s%s%s: %.150s%s", what, from != NULL ? ", from " : "", source,
		 why, more);
	home->warned_at = now;
	home->suppressed = 0;
	home->setup.events.warn(home->setup.events.user, text);
}

static void on_warn(void *user, const struct obi_origin *from, const char *what, const char *why)
{
	warn(user, from, what, why);
}

/* ---- One caller ---- */

static void unlist(struct caller *c)
{
	*c->slot = c->next;
	if (c->next != NULL) {
		c->next->slot = c->slot;
	}
	obi_timer_stop(&c->patience);
	obi_task_stop(&c->take);
	if (c->ticket != NULL) {
		obi_stream_ticket_arrived(&c->ticket, NULL);
	}
}

static void drop(struct caller *c)
{
	unlist(c);
	(void)obi_preauth_leave(&c->home->preauth, &c->peer, OBI_ADMISSION_GONE);
	obi_connection_free(c->peer.connection);
	obi_acceptor_refill(&c->home->acceptor);
	free(c);
}

/* It keeps its slot until it has said hello. */
static void on_opened(void *user, struct obi_connection *connection)
{
	(void)user;
	(void)connection;
}

/* The warning comes last: whoever hears it may close the home. */
static void on_closed(void *user, struct obi_connection *connection, const struct ob_error *err)
{
	struct caller *c = user;
	struct obi_home *home = c->home;
	const struct obi_origin from = c->peer.from;
	struct ob_error shown;
	(void)connection;
	enum obi_preauth_say say = obi_preauth_ended(&home->preauth, &c->peer, err, &shown);
	drop(c);
	if (say != OBI_PREAUTH_SAY_NOTHING) {
		warn(home, &from,
		     say == OBI_PREAUTH_SAY_LEFT ? "a connection was given up by the peer"
						 : "a connection was refused",
		     shown.text);
	}
}

static void on_patience_over(void *user)
{
	struct caller *c = user;
	obi_connection_close(c->peer.connection, OB_ETIMEDOUT,
			     "no outboard.hello within 5 s after it connected");
}

/* ---- Hello ---- */

static int on_hello(void *user, struct ob_bytes instance, struct ob_bytes run,
		    struct ob_bytes ticket, struct ob_error *reterr)
{
	struct caller *c = user;
	const struct obi_home_events *events = &c->home->setup.events;
	struct obi_stream_tickets *tickets = c->home->setup.connection->tickets;
	struct obi_hello_known known = events->known(events->user);
	if (c->is_stream) { /* in a batch: nothing holds up its next message */
		return obi_fail(reterr, OB_EPERM, 0, "outboard.hello was said before");
	}
	if (ticket.len == 0) {
		return obi_hello_judge(&known, instance, run, c->run, reterr);
	}
	c->is_stream = true;
	int r = obi_hello_judge_stream(&known, instance, run, reterr);
	if (r == OB_OK &&
	    (tickets == NULL || !obi_stream_ticket_spend(tickets, ticket, &c->ticket))) {
		r = obi_fail(reterr, OB_EPERM, 0,
			     "outboard.hello: nobody waits for a stream with this ticket");
	}
	return r;
}

/* The connection leaves the home, with what was read and queued. */
static void take_stream(void *user)
{
	struct caller *c = user;
	struct obi_home *home = c->home;
	struct obi_raw_stream raw = {.transport = NULL};
	if (c->ticket == NULL) {
		drop(c);
		return;
	}
	obi_connection_take_stream(c->peer.connection, &raw);
	obi_stream_ticket_arrived(&c->ticket, &raw);
	obi_admission_learn(&home->preauth.admission, c->peer.from);
	(void)obi_preauth_leave(&home->preauth, &c->peer, OBI_ADMISSION_PASSED);
	unlist(c);
	obi_connection_free(c->peer.connection);
	free(c);
	obi_acceptor_refill(&home->acceptor);
}

/* It handles no message from here on. */
static void begin_stream(struct caller *c)
{
	obi_connection_hold(c->peer.connection);
	c->take.fn = take_stream;
	c->take.user = c;
	obi_task_queue(c->home->setup.loop, &c->take);
}

static void on_welcome(void *user)
{
	struct caller *c = user;
	struct obi_home *home = c->home;
	struct obi_connection *connection = c->peer.connection;
	char run[OBI_RUN_SIZE];
	if (c->is_stream) {
		begin_stream(c);
		return;
	}
	memcpy(run, c->run, sizeof run);
	obi_admission_learn(&home->preauth.admission, c->peer.from);
	(void)obi_preauth_leave(&home->preauth, &c->peer, OBI_ADMISSION_PASSED);
	unlist(c);
	free(c);
	home->setup.events.arrived(home->setup.events.user, connection, run);
}

/* Before hello nobody knows whose call it is. */
static void on_early_call(void *user, struct ob_call *call)
{
	(void)user;
	(void)obi_call_answer_error(call, OB_RPC_DENIED, "outboard.hello must come first");
}

/* ---- Admission ---- */

static struct obi_admission_answer on_admit(void *user, struct obi_origin from)
{
	struct obi_home *home = user;
	return obi_preauth_admit(&home->preauth, from);
}

static void on_evict(void *user, struct obi_preauth *who)
{
	struct caller *c = (struct caller *)(void *)((char *)who - offsetof(struct caller, peer));
	const struct obi_origin from = who->from;
	drop(c);
	warn(user, &from, "a connection was refused",
	     "too many connections that have not authenticated");
}

static void on_slot_free(void *user)
{
	struct obi_home *home = user;
	obi_acceptor_slot_free(&home->acceptor);
}

static struct caller *list(struct obi_home *home)
{
	struct caller *c = calloc(1, sizeof *c);
	if (c == NULL) {
		return NULL;
	}
	c->home = home;
	c->next = home->first;
	c->slot = &home->first;
	if (c->next != NULL) {
		c->next->slot = &c->next;
	}
	home->first = c;
	c->patience.fn = on_patience_over;
	c->patience.user = c;
	return c;
}

static void on_accepted(void *user, struct ob_stream *stream, struct obi_origin from)
{
	struct obi_home *home = user;
	struct caller *c = home->closed ? NULL : list(home);
	if (c == NULL) {
		home->acceptor.transport->close(stream);
		return;
	}
	struct obi_connection_setup setup = *home->setup.connection;
	setup.open_timeout_ms = 0; /* the patience of this file takes in the hello */
	setup.events = (struct obi_connection_events){on_opened, on_closed, NULL, NULL, c};
	setup.handler = (struct obi_call_handler){on_early_call, c};
	setup.hello = (struct obi_hello_handler){on_hello, on_welcome, c};
	obi_preauth_enter(&home->preauth, &c->peer, from);
	obi_timer_set(home->setup.loop, &c->patience, HELLO_MS);
	if (obi_connection_accept(&setup, stream, &c->peer.connection, NULL) < 0) {
		drop(c);
	}
}

/* ---- Life ---- */

static int listen_at(struct obi_home *home, const char *uri, struct ob_error *reterr)
{
	const struct obi_connection_setup *setup = home->setup.connection;
	const struct ob_listen_params params = {
	    .size = sizeof params,
	    .heartbeat_ms = setup->heartbeat_ms,
	    .state = setup->transport_state,
	    .owner = setup->auth->allowed_uid,
	};
	home->acceptor.loop = home->setup.loop;
	home->acceptor.host = setup->host;
	home->acceptor.transport = setup->transport;
	home->acceptor.events = (struct obi_acceptor_events){on_admit, on_accepted, on_warn, home};
	return obi_acceptor_listen(&home->acceptor, uri, &params, reterr);
}

int obi_home_open(const struct obi_home_setup *setup, const char *uri, struct obi_home **ret,
		  struct ob_error *reterr)
{
	const struct obi_admission_setup admission = {.slots = SLOTS,
						      .own_uid = (uint32_t)geteuid(),
						      .allowed_uid =
							  setup->connection->auth->allowed_uid};
	struct obi_home *home = calloc(1, sizeof *home);
	if (home == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	home->setup = *setup;
	home->release.fn = free;
	home->release.user = home;
	home->preauth.events = (struct obi_preauth_events){on_evict, on_slot_free, home};
	(void)obi_admission_init(&home->preauth.admission, &admission);
	int r = listen_at(home, uri, reterr);
	if (r < 0) {
		obi_home_close(home);
		return r;
	}
	*ret = home;
	return OB_OK;
}

void obi_home_close(struct obi_home *home)
{
	if (home == NULL) {
		return;
	}
	obi_acceptor_stop(&home->acceptor);
	while (home->first != NULL) {
		drop(home->first);
	}
	obi_acceptor_stop(&home->acceptor); /* the last slots were free for a moment */
	obi_acceptor_close(&home->acceptor);
	home->closed = true;
	obi_task_queue(home->setup.loop, &home->release);
}
