/* SPDX-License-Identifier: MIT */
#include "server/connections.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

enum { GOODBYE_MS = 1000 };

struct obi_server_connection {
	struct obi_server_connection *next;
	struct obi_server_connection **slot;
	struct obi_connections *all;
	struct obi_entry *entry;
	struct obi_preauth peer;	  /* the connection; it has a slot until it is open */
	struct obi_held_connection *held; /* that knows of it; NULL: none */
	bool open;
	bool last; /* the server shuts down when it has ended */
};

/* ---- One connection ---- */

static void drop(struct obi_server_connection *c)
{
	struct obi_connections *cs = c->all;
	*c->slot = c->next;
	if (c->next != NULL) {
		c->next->slot = c->slot;
	}
	if (c->held != NULL) {
		c->held->connection = NULL;
	}
	(void)obi_preauth_leave(&c->entry->preauth, &c->peer, OBI_ADMISSION_GONE);
	/* The peer keeps the connection until the calls of its clients have ended. */
	obi_connection_drop(c->peer.connection, OB_ECONNLOST,
			    "the connection to the parent was closed");
	if (cs->parent == c) {
		cs->parent = NULL;
		obi_peer_set_connection(cs->parent_peer, NULL);
	}
	free(c);
	cs->events.dropped(cs->events.user);
}

static void on_opened(void *user, struct obi_connection *connection)
{
	struct obi_server_connection *c = user;
	const struct obi_dialed_events *dialed = &c->entry->dialed;
	c->open = true;
	(void)obi_preauth_leave(&c->entry->preauth, &c->peer, OBI_ADMISSION_PASSED);
	if (dialed->opened != NULL) {
		dialed->opened(dialed->user, connection);
	}
}

/* A peer that had shown that it knows the secret, and left before it was let in. */
static bool has_proved(const struct obi_server_connection *c)
{
	return obi_connection_progress(c->peer.connection) == OBI_PROGRESS_PROVEN;
}

/*
 * The parent dials before this process is there to answer, gives up, and dials again. What accepts
 * for a virtual machine keeps such connections, and hands them over when the machine has booted,
 * with all that was sent. The answer may find nobody, or an end.
 */
static bool left_early(const struct obi_server_connection *c, const struct ob_error *err)
{
	bool parent = obi_admission_trusts(&c->entry->preauth.admission, c->peer.from);
	bool local = c->peer.from.kind == OBI_ORIGIN_UID;
	return has_proved(c) || (parent && (err->code == OB_ECONNLOST || !local));
}

/* The peer went by itself; we refused nothing. Who said nothing is not worth a line. One that goes
 * after our answer did not like it, our proof say. */
static void tell_of_leaving(struct obi_server_connection *c, const struct ob_error *err)
{
	obi_warn_at(&c->all->warner, left_early(c, err) ? OB_LOG_INFO : OB_LOG_WARN,
		    OBI_WARN_PREAUTH, &c->peer.from, "a connection was given up by the peer",
		    err->text);
}

/* A mechanism that cannot decide must be heard of, however many others are refused. */
static enum obi_warning kind_of(const struct ob_error *err)
{
	return err->code == OB_EDOWN || err->code == OB_EREMOTE ? OBI_WARN_UNDECIDED
								: OBI_WARN_PREAUTH;
}

static void warn_of_refusal(struct obi_server_connection *c, const struct ob_error *err)
{
	struct ob_error shown;
	switch (obi_preauth_ended(&c->entry->preauth, &c->peer, err, &shown)) {
	case OBI_PREAUTH_SAY_LEFT:
		tell_of_leaving(c, err);
		break;
	case OBI_PREAUTH_SAY_REFUSED:
		obi_warn(&c->all->warner, kind_of(err), &c->peer.from, "a connection was refused",
			 shown.text);
		break;
	default:
		break;
	}
}

static void on_closed(void *user, struct obi_connection *connection, const struct ob_error *err)
{
	struct obi_server_connection *c = user;
	struct obi_connections *cs = c->all;
	const struct obi_dialed_events *dialed = &c->entry->dialed;
	const struct ob_error why = *err;
	bool last = c->last;
	(void)connection;
	if (!c->open && dialed->ended == NULL) {
		warn_of_refusal(c, err);
	} else if (c->open && dialed->ended == NULL && err->code != OB_ECONNLOST &&
		   err->code != OB_ECLOSED) {
		obi_warn(&cs->warner, OBI_WARN_AUTHENTICATED, &c->peer.from,
			 "a connection was closed", err->text);
	}
	drop(c);
	if (last) {
		cs->events.last_ended(cs->events.user);
	} else if (dialed->ended != NULL) {
		dialed->ended(dialed->user, &why);
	}
}

/* ---- Calls ---- */

bool obi_connections_may_end(const struct obi_connections *cs, const struct ob_call *call)
{
	return obi_permissions_call(&cs->permissions, &call->identity, "outboard-control.shutdown");
}

static void deny(struct obi_connections *cs, struct ob_call *call)
{
	const struct ob_identity *who = &call->identity;
	char what[OBI_METHOD_MAX + OBI_SUBJECT_MAX + 64];
	snprintf(what, sizeof what, "%s, by %.*s (%.*s)", call->method, (int)who->subject.len,
		 (const char *)who->subject.data, (int)who->method.len,
		 (const char *)who->method.data);
	obi_warn(&cs->warner, OBI_WARN_AUTHENTICATED, NULL, "a call was denied", what);
	ob_call_fail(call, OB_RPC_DENIED, "permission denied for method %s", call->method);
}

static void handle_call(void *user, struct ob_call *call)
{
	struct obi_connections *cs = user;
	if (cs->ending) {
		ob_call_fail(call, OB_RPC_CLOSING, "shutting down");
	} else if (!obi_permissions_call(&cs->permissions, &call->identity, call->method)) {
		deny(cs, call);
	} else {
		obi_interfaces_call(&cs->interfaces, call);
	}
}

/* The newest parent replaces the one before it: the old connection is closed, which cancels its
 * running handlers. */
static int on_supervise(void *user, struct obi_connection *connection, struct ob_bytes instance)
{
	struct obi_server_connection *c = user;
	struct obi_connections *cs = c->all;
	struct obi_server_connection *before = cs->parent;
	if (c->entry->kind != OB_LISTENER_PARENT) {
		return OB_ENOTSUP; /* whatever a rule says */
	}
	if (cs->instance != NULL && !ob_bytes_is(instance, cs->instance)) {
		return OB_ENOENT;
	}
	const struct ob_identity *who = obi_connection_identity(connection);
	if (!obi_permissions_supervise(&cs->permissions, who)) {
		return OB_EPERM;
	}
	cs->parent = c;
	obi_admission_learn(&c->entry->preauth.admission, c->peer.from);
	obi_peer_set_connection(cs->parent_peer, connection);
	if (before != NULL && before != c) {
		obi_connection_close(before->peer.connection, OB_ECLOSED,
				     "replaced by a newer parent");
	}
	return OB_OK;
}

static struct obi_server_connection *carrier(struct obi_connections *cs, const struct ob_call *call)
{
	struct obi_server_connection *c = cs->first;
	while (c != NULL && !(c->open && obi_connection_carries(c->peer.connection, call))) {
		c = c->next;
	}
	return c;
}

void obi_connections_end_after(struct obi_connections *cs, const struct ob_call *call)
{
	struct obi_server_connection *c = carrier(cs, call);
	if (c != NULL) {
		cs->ending = true;
		c->last = true;
		obi_connection_shutdown(c->peer.connection, GOODBYE_MS);
	}
}

/* ---- Leaving the server ---- */

int obi_connections_hold(struct obi_connections *cs, const struct ob_call *call,
			 struct obi_held_connection *held, struct ob_error *reterr)
{
	struct obi_server_connection *c = carrier(cs, call);
	if (c == NULL || c == cs->parent || c->held != NULL ||
	    !obi_connection_has_only(c->peer.connection, call)) {
		return obi_fail(reterr, OB_EBUSY, 0,
				"the connection is used for something else, too");
	}
	c->held = held;
	held->connection = c;
	obi_connection_hold(c->peer.connection);
	return OB_OK;
}

void obi_connections_resume(struct obi_held_connection *held)
{
	struct obi_server_connection *c = held->connection;
	if (c != NULL) {
		held->connection = NULL;
		c->held = NULL;
		obi_connection_resume(c->peer.connection);
	}
}

void obi_connections_take(struct obi_held_connection *held, struct obi_raw_stream *ret)
{
	struct obi_server_connection *c = held->connection;
	obi_connection_take_stream(c->peer.connection, ret);
	drop(c);
}

/* ---- Admission ---- */

static void on_evict(void *user, struct obi_preauth *who)
{
	struct obi_entry *entry = user;
	struct obi_server_connection *c =
	    (struct obi_server_connection *)(void *)((char *)who -
						     offsetof(struct obi_server_connection, peer));
	obi_warn(&entry->all->warner, OBI_WARN_PREAUTH, &who->from, "a connection was refused",
		 "too many connections that have not authenticated (preauth_max)");
	drop(c);
}

static void on_slot_free(void *user)
{
	struct obi_entry *entry = user;
	entry->all->events.slot_free(entry->all->events.user, entry);
}

void obi_connections_init_entries(struct obi_connections *cs)
{
	for (int i = 0; i < OBI_ENTRIES; i++) {
		cs->entries[i].all = cs;
		cs->entries[i].preauth.events =
		    (struct obi_preauth_events){on_evict, on_slot_free, &cs->entries[i]};
	}
}

/* ---- Beginning and end ---- */

static struct obi_server_connection *list(struct obi_entry *entry)
{
	struct obi_connections *cs = entry->all;
	struct obi_server_connection *c = calloc(1, sizeof *c);
	if (c == NULL) {
		return NULL;
	}
	c->all = cs;
	c->entry = entry;
	c->next = cs->first;
	c->slot = &cs->first;
	if (c->next != NULL) {
		c->next->slot = &c->next;
	}
	cs->first = c;
	return c;
}

static struct obi_connection_setup setup_of(struct obi_server_connection *c)
{
	struct obi_connections *cs = c->all;
	struct obi_connection_setup setup = obi_endpoint_connection(cs->rt, &c->entry->endpoint);
	setup.limits = cs->limits;
	setup.orphans = cs->orphans;
	setup.listener = c->entry->kind;
	setup.open_timeout_ms = cs->auth_timeout_ms;
	setup.open_timeout_name = "auth_timeout_ms";
	setup.events = (struct obi_connection_events){on_opened, on_closed, on_supervise, NULL, c};
	setup.handler = (struct obi_call_handler){handle_call, cs};
	return setup;
}

static void on_accepted(void *user, struct ob_stream *stream, struct obi_origin from)
{
	struct obi_entry *entry = user;
	struct obi_server_connection *c = list(entry);
	if (c == NULL) {
		entry->endpoint.transport->as.transport.close(stream);
		return;
	}
	struct obi_connection_setup setup = setup_of(c);
	obi_preauth_enter(&entry->preauth, &c->peer, from);
	if (obi_connection_accept(&setup, stream, &c->peer.connection, NULL) < 0) {
		drop(c);
	}
}

int obi_connections_dial(struct obi_entry *entry, const char *uri, uint32_t heartbeat_ms,
			 struct ob_error *reterr)
{
	struct obi_server_connection *c = list(entry);
	if (c == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	struct obi_connection_setup setup = setup_of(c);
	setup.heartbeat_ms = heartbeat_ms;
	int r = obi_connection_dial(&setup, uri, &c->peer.connection, reterr);
	if (r < 0) {
		drop(c);
	}
	return r;
}

static struct obi_admission_answer on_admit(void *user, struct obi_origin from)
{
	struct obi_entry *entry = user;
	return obi_preauth_admit(&entry->preauth, from);
}

static void on_warn(void *user, const struct obi_origin *from, const char *what, const char *why)
{
	struct obi_entry *entry = user;
	obi_warn(&entry->all->warner, OBI_WARN_PREAUTH, from, what, why);
}

struct obi_acceptor_events obi_connections_acceptor_events(struct obi_entry *entry)
{
	return (struct obi_acceptor_events){on_admit, on_accepted, on_warn, entry};
}

void obi_connections_free(struct obi_connections *cs)
{
	while (cs->first != NULL) {
		drop(cs->first);
	}
}
