/* SPDX-License-Identifier: MIT */
#include "server/dialer.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum {
	FIRST_MS = 50,	  /* doubled with each failure in a row, */
	MAX_MS = 2000,	  /* up to this; half of it is random */
	STABLE_MS = 5000, /* a connection that lived so long was no failure */
	HELLO_MS = 10000,
	SAY_AGAIN_MS = 60000, /* the same failure in the log */
	BEATS = 3	      /* so many heartbeats without an answer: the connection is dead */
};

static void dial(void *user);

static void dial_later(struct obi_dialer *d)
{
	uint32_t doublings = d->failures < 16 ? d->failures : 16;
	uint32_t ms = (uint32_t)FIRST_MS << doublings;
	ms = ms < MAX_MS ? ms : MAX_MS;
	d->failures++;
	obi_timer_set(d->connections->rt->loop, &d->again,
		      ms / 2 + randombytes_uniform(ms / 2 + 1));
}

/* ---- Logs: the parent may be away for days ---- */

static void say(struct obi_dialer *d, const char *what, const char *why)
{
	int64_t now = obi_now_ms();
	if (strncmp(d->said, why, sizeof d->said - 1) == 0 && now - d->said_at < SAY_AGAIN_MS) {
		return;
	}
	snprintf(d->said, sizeof d->said, "%.255s", why);
	d->said_at = now;
	ob_log(d->connections->warner.logger, OB_LOG_WARN, what, "{s:s,s:s}", "reason", why,
	       "address", d->uri);
}

/* ---- The connection ---- */

/* A peer that does not answer may be gone without a trace. */
static void on_pong(void *user, int code, const struct ob_value *value, const struct ob_error *err)
{
	struct obi_dialer *d = user;
	(void)value;
	(void)err;
	if (code == OB_ETIMEDOUT && d->connection != NULL) {
		obi_connection_close(d->connection, OB_ETIMEDOUT,
				     "no answer of the parent to a ping");
	}
}

/* A timer that is late shows that this process was not running: the answers may lie unread. */
static void on_beat(void *user)
{
	struct obi_dialer *d = user;
	if (d->connection == NULL) {
		return;
	}
	obi_timer_set(d->connections->rt->loop, &d->beat, d->heartbeat_ms);
	(void)obi_connection_call(d->connection, ob_bytes_text("outboard.ping"), NULL,
				  obi_now_ms() + (int64_t)BEATS * d->heartbeat_ms, on_pong, d, NULL,
				  NULL);
}

/* Where only processes of this machine can connect, the kernel tells that the peer is gone. */
static bool may_fall_silent(const struct obi_dialer *d)
{
	const struct ob_transport_ops *t = &d->entry->endpoint.transport->as.transport;
	return (t->flags & OB_TRANSPORT_LOCAL) == 0 ||
	       (t->flags & OB_TRANSPORT_MAY_FALL_SILENT) != 0;
}

static void on_welcome(void *user, int code, const struct ob_value *value,
		       const struct ob_error *err)
{
	struct obi_dialer *d = user;
	(void)value;
	if (code == OB_OK) {
		d->welcome = true;
		d->since = obi_now_ms();
		d->said[0] = '\0';
		if (may_fall_silent(d)) {
			obi_timer_set(d->connections->rt->loop, &d->beat, d->heartbeat_ms);
		}
	} else if (code != OB_ECONNLOST && code != OB_ECLOSED && d->connection != NULL) {
		snprintf(d->reason, sizeof d->reason, "%.255s", err->text);
		obi_connection_close(d->connection, OB_EPERM, err->text);
	}
}

static void on_opened(void *user, struct obi_connection *connection)
{
	struct obi_dialer *d = user;
	struct ob_value items[2] = {ob_string(d->instance), ob_string(d->run)};
	struct ob_value params = ob_array(items, 2);
	struct ob_error err = {0};
	d->connection = connection;
	if (obi_connection_call(connection, ob_bytes_text("outboard.hello"), &params,
				obi_now_ms() + HELLO_MS, on_welcome, d, NULL, &err) < 0) {
		obi_connection_close(connection, err.code, err.text);
	}
}

static void on_ended(void *user, const struct ob_error *err)
{
	struct obi_dialer *d = user;
	bool was_welcome = d->welcome;
	d->connection = NULL;
	d->welcome = false;
	obi_timer_stop(&d->beat);
	if (!d->active) {
		return;
	}
	if (was_welcome && obi_now_ms() - d->since >= STABLE_MS) {
		d->failures = 0;
	}
	if (!was_welcome) {
		say(d, "cannot reach the parent", d->reason[0] != '\0' ? d->reason : err->text);
	} else if (err->code != OB_ECONNLOST && err->code != OB_ECLOSED) {
		say(d, "the connection to the parent was closed", err->text);
	}
	d->reason[0] = '\0';
	dial_later(d);
}

static void dial(void *user)
{
	struct obi_dialer *d = user;
	struct ob_error err = {0};
	if (obi_connections_dial(d->entry, d->uri, d->heartbeat_ms, &err) < 0) {
		on_ended(d, &err);
	}
}

/* ---- Life ---- */

void obi_dialer_start(struct obi_dialer *d)
{
	d->active = true;
	d->connections->dialer = d;
	d->again.fn = dial;
	d->beat.fn = on_beat;
	d->again.user = d->beat.user = d;
	d->entry->dialed = (struct obi_dialed_events){on_opened, on_ended, d};
	obi_timer_set(d->connections->rt->loop, &d->again, 0);
}

void obi_dialer_stop(struct obi_dialer *d)
{
	d->active = false;
	obi_timer_stop(&d->again);
	obi_timer_stop(&d->beat);
}
