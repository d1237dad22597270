/* SPDX-License-Identifier: MIT */
#include "agent/relay_home.h"

#include "base/clock.h"
#include "base/error.h"

enum { HELLO_MS = 5000 };

static void finish(struct obi_relay_home *home, const struct ob_error *err)
{
	obi_relay_home_end(home);
	home->done(home->user, err);
}

static void take(void *user)
{
	struct obi_relay_home *home = user;
	obi_connection_take_stream(home->connection, home->into);
	finish(home, NULL);
}

/* What follows this answer is not a message. */
static void on_welcome(void *user, int code, const struct ob_value *value,
		       const struct ob_error *err)
{
	struct obi_relay_home *home = user;
	(void)value;
	if (code == OB_OK) {
		obi_connection_hold(home->connection);
		obi_task_queue(home->dialer->connections->rt->loop, &home->take);
	} else if (code != OB_ECONNLOST && code != OB_ECLOSED && home->connection != NULL) {
		obi_connection_close(home->connection, code, err->text);
	}
}

static void on_opened(void *user, struct obi_connection *connection)
{
	struct obi_relay_home *home = user;
	struct ob_value items[3] = {ob_string(home->dialer->instance), ob_string(home->dialer->run),
				    ob_string(home->ticket)};
	struct ob_value params = ob_array(items, 3);
	struct ob_error err = {0};
	if (obi_connection_call(connection, ob_bytes_text("outboard.hello"), &params,
				obi_now_ms() + HELLO_MS, on_welcome, home, NULL, &err) < 0) {
		obi_connection_close(connection, err.code, err.text);
	}
}

static void on_closed(void *user, struct obi_connection *connection, const struct ob_error *err)
{
	struct ob_error copy = *err;
	(void)connection;
	finish(user, &copy);
}

/* The host calls nothing here. */
static void on_call(void *user, struct ob_call *call)
{
	(void)user;
	(void)obi_call_answer_error(call, OB_RPC_DENIED, "this connection is to be a stream");
}

int obi_relay_home_begin(struct obi_relay_home *home, struct ob_error *reterr)
{
	const struct obi_dialer *d = home->dialer;
	struct obi_connections *cs = d->connections;
	struct obi_connection_setup setup = obi_endpoint_connection(cs->rt, &d->entry->endpoint);
	setup.limits = cs->limits;
	setup.open_timeout_ms = HELLO_MS;
	setup.heartbeat_ms = d->heartbeat_ms;
	setup.events = (struct obi_connection_events){on_opened, on_closed, NULL, NULL, home};
	setup.handler = (struct obi_call_handler){on_call, home};
	home->take.fn = take;
	home->take.user = home;
	return obi_connection_dial(&setup, d->uri, &home->connection, reterr);
}

void obi_relay_home_end(struct obi_relay_home *home)
{
	struct obi_connection *connection = home->connection;
	home->connection = NULL;
	obi_task_stop(&home->take);
	obi_connection_free(connection);
}
