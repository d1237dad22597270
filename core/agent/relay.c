/* SPDX-License-Identifier: MIT */
#include "agent/relay.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/relay_home.h"
#include "agent/relay_pump.h"
#include "base/error.h"
#include "base/uri.h"
#include "rpc/dialing.h"

/* DIAL_MS: how long a child may leave a connection in a full backlog. SWEEP_MS: memory of queues
 * that have been empty for so long is freed. */
enum { DIAL_MS = 5000, SWEEP_MS = 1000 };
enum { NAME_MAX_SHOWN = 64, URI_OF_PATH = 3, URI_PREFIX = 8 };

/* The state of the child does not allow it. */
enum { NOT_NOW = -32012 };

struct obi_agent_relay {
	struct obi_agent_relays *all;
	struct obi_agent_relay *next;
	struct obi_agent_relay **slot;
	struct obi_held_connection held;
	struct ob_call *call; /* NULL: it was answered */
	struct obi_dialing dialing;
	struct obi_timer timeout;
	/* Its dialer is NULL: the stream is the connection of the call. */
	struct obi_relay_home home;
	struct obi_relay_pump pump; /* its transport is NULL before it begins */
	char name[NAME_MAX_SHOWN + 1];
	char *uri;
};

/* ---- Life ---- */

static void release(struct obi_agent_relay *relay)
{
	struct obi_agent_relays *all = relay->all;
	*relay->slot = relay->next;
	if (relay->next != NULL) {
		relay->next->slot = relay->slot;
	}
	all->count--;
	obi_timer_stop(&relay->timeout);
	obi_dialing_end(&relay->dialing);
	obi_relay_home_end(&relay->home);
	if (relay->pump.transport == NULL && relay->pump.child != NULL) {
		relay->all->transport->close(relay->pump.child);
	}
	obi_relay_pump_end(&relay->pump);
	obi_connections_resume(&relay->held);
	free(relay->uri);
	free(relay);
}

static struct obi_agent_relay *make(struct obi_agent_relays *all, struct ob_call *call,
				    const char *name)
{
	struct obi_agent_relay *relay = calloc(1, sizeof *relay);
	if (relay == NULL) {
		return NULL;
	}
	relay->all = all;
	relay->call = call;
	snprintf(relay->name, sizeof relay->name, "%s", name);
	relay->next = all->first;
	relay->slot = &all->first;
	if (relay->next != NULL) {
		relay->next->slot = &relay->next;
	}
	all->first = relay;
	all->count++;
	return relay;
}

/* Answer with an error; the connection goes on as it was. */
static void refuse(struct obi_agent_relay *relay, int64_t code, const char *why)
{
	char text[640];
	struct ob_call *call = relay->call;
	snprintf(text, sizeof text, "%s: %s", relay->name, why);
	relay->call = NULL;
	obi_call_answer_error(call, code, text);
	release(relay);
}

/* ---- Memory ---- */

static void on_sweep(void *user)
{
	struct obi_agent_relays *all = user;
	for (struct obi_agent_relay *r = all->first; r != NULL; r = r->next) {
		if (r->pump.transport != NULL && !r->pump.moved) {
			obi_raw_stream_rest(&r->pump.host);
		}
		r->pump.moved = false;
	}
	if (all->first != NULL) {
		obi_timer_set(all->loop, &all->sweep, SWEEP_MS);
	}
}

/* ---- One relay ---- */

static void on_over(void *user)
{
	struct obi_agent_relay *relay = user;
	struct obi_connections *cs = relay->all->connections;
	release(relay);
	cs->events.dropped(cs->events.user);
}

static void pump(struct obi_agent_relay *relay, struct ob_stream *child)
{
	struct obi_agent_relays *all = relay->all;
	relay->pump.loop = all->loop;
	relay->pump.transport = all->transport;
	relay->pump.child = child;
	relay->pump.done = on_over;
	relay->pump.user = relay;
	if (all->sweep.loop == NULL) {
		obi_timer_set(all->loop, &all->sweep, SWEEP_MS);
	}
	obi_relay_pump_begin(&relay->pump);
}

/* The connection leaves the server. */
static void begin(struct obi_agent_relay *relay, struct ob_stream *child)
{
	obi_connections_take(&relay->held, &relay->pump.host);
	pump(relay, child);
}

static void on_home(void *user, const struct ob_error *err)
{
	struct obi_agent_relay *relay = user;
	if (err != NULL) {
		release(relay); /* the host has given up, or will */
	} else {
		pump(relay, relay->pump.child);
	}
}

static void go_home(struct obi_agent_relay *relay, struct ob_stream *child)
{
	struct ob_error err;
	relay->pump.child = child;
	relay->home.into = &relay->pump.host;
	relay->home.done = on_home;
	relay->home.user = relay;
	if (obi_relay_home_begin(&relay->home, &err) < 0) {
		release(relay);
	}
}

static void on_dialed(void *user, struct ob_stream *child, const struct ob_error *err)
{
	struct obi_agent_relay *relay = user;
	struct ob_value yes = ob_bool(true);
	obi_timer_stop(&relay->timeout);
	if (err != NULL) {
		refuse(relay, NOT_NOW, err->text);
		return;
	}
	struct ob_call *call = relay->call;
	relay->call = NULL;
	obi_call_answer(call, NULL, &yes);
	if (relay->home.dialer != NULL) {
		go_home(relay, child);
		return;
	}
	if (relay->held.connection == NULL) { /* it has ended meanwhile */
		relay->all->transport->close(child);
		release(relay);
		return;
	}
	begin(relay, child);
}

static void on_timeout(void *user)
{
	refuse(user, NOT_NOW, "it does not accept connections");
}

static int dial(struct obi_agent_relay *relay, const char *path, uint32_t uid,
		struct ob_error *reterr)
{
	struct obi_agent_relays *all = relay->all;
	size_t room = URI_PREFIX + URI_OF_PATH * strlen(path);
	relay->uri = malloc(room);
	struct ob_sink out = ob_sink_fixed(relay->uri, relay->uri != NULL ? room : 0);
	if (!obi_uri_unix(path, &out) || !ob_sink_byte(&out, '\0')) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	relay->dialing =
	    (struct obi_dialing){.loop = all->loop,
				 .host = all->host,
				 .transport = all->transport,
				 .params = {.size = sizeof relay->dialing.params, .owner = uid},
				 .retry = true,
				 .done = on_dialed,
				 .user = relay};
	relay->timeout.fn = on_timeout;
	relay->timeout.user = relay;
	obi_timer_set(all->loop, &relay->timeout, DIAL_MS);
	return obi_dialing_begin(&relay->dialing, relay->uri, reterr);
}

void obi_agent_relay_begin(struct obi_agent_relays *all, struct ob_call *call, const char *name,
			   const char *path, uint32_t uid)
{
	struct ob_error err;
	if (call->notification) {
		return; /* nobody would know that messages have ended */
	}
	if (obi_call_defer(call) < 0) {
		return;
	}
	struct obi_agent_relay *relay = make(all, call, name);
	if (relay == NULL) {
		obi_call_answer_error(call, OB_RPC_INTERNAL, "out of memory");
	} else if (obi_connections_hold(all->connections, call, &relay->held, &err) < 0) {
		refuse(relay, OB_RPC_INVALID_REQUEST, err.text);
	} else if (dial(relay, path, uid, &err) < 0) {
		refuse(relay, NOT_NOW, err.text);
	}
}

void obi_agent_relay_begin_home(struct obi_agent_relays *all, struct ob_call *call,
				const char *name, const char *path, uint32_t uid,
				const struct obi_dialer *dialer, const char ticket[OBI_TICKET_SIZE])
{
	struct ob_error err;
	if (obi_call_defer(call) < 0) {
		return;
	}
	struct obi_agent_relay *relay = make(all, call, name);
	if (relay == NULL) {
		obi_call_answer_error(call, OB_RPC_INTERNAL, "out of memory");
		return;
	}
	relay->home.dialer = dialer;
	memcpy(relay->home.ticket, ticket, OBI_TICKET_SIZE);
	if (dial(relay, path, uid, &err) < 0) {
		refuse(relay, NOT_NOW, err.text);
	}
}

/* ---- All ---- */

int obi_agent_relays_begin(struct obi_agent_relays *all, struct obi_connections *connections,
			   struct ob_error *reterr)
{
	struct ob_runtime *rt = connections->rt;
	const struct obi_plugin *plugin;
	int r = obi_registry_transport(rt->registry, NULL, ob_bytes_text("unix"), &plugin, reterr);
	if (r < 0) {
		return r;
	}
	*all = (struct obi_agent_relays){.loop = rt->loop,
					 .host = obi_registry_host(rt->registry),
					 .transport = &plugin->as.transport,
					 .connections = connections,
					 .sweep = {.fn = on_sweep}};
	all->sweep.user = all;
	return OB_OK;
}

void obi_agent_relays_end(struct obi_agent_relays *all)
{
	while (all->first != NULL) {
		struct obi_agent_relay *relay = all->first;
		if (relay->call != NULL) {
			refuse(relay, OB_RPC_CLOSING, "the agent ends");
		} else {
			release(relay);
		}
	}
	obi_timer_stop(&all->sweep);
}
