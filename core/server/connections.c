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
	struct obi_connection *connection;
	struct obi_origin from;
	struct obi_admission_slot preauth; /* until it is open */
	bool open;
	bool last; /* the server shuts down when it has ended */
};

/* ---- One connection ---- */

/* Returns for how many ms connections from there are refused from now on. */
static int64_t free_preauth_slot(struct obi_server_connection *c, enum obi_admission_end end)
{
	struct obi_connections *cs = c->all;
	bool held = obi_admission_is_admitted(&c->preauth);
	int64_t ms = obi_admission_leave(&c->entry->admission, &c->preauth, end, obi_now_ms());
	if (held) {
		cs->events.slot_free(cs->events.user, c->entry);
	}
	return ms;
}

static void drop(struct obi_server_connection *c)
{
	struct obi_connections *cs = c->all;
	*c->slot = c->next;
	if (c->next != NULL) {
		c->next->slot = c->slot;
	}
	if (cs->reading == c) {
		cs->reading = NULL;
	}
	(void)free_preauth_slot(c, OBI_ADMISSION_GONE);
	/* The peer keeps the connection until the calls of its clients have ended. */
	obi_connection_drop(c->connection, OB_ECONNLOST, "the connection to the parent was closed");
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
	(void)connection;
	c->open = true;
	if (c->all->reading == c) {
		c->all->reading = NULL;
	}
	(void)free_preauth_slot(c, OBI_ADMISSION_PASSED);
}

/*
 * A peer that connects and leaves without a byte, as a port check does, has done nothing wrong. One
 * that leaves after it began has failed: a dialer ends like this if it found our proof to be wrong.
 */
static enum obi_admission_end end_of(const struct obi_server_connection *c,
				     const struct ob_error *err)
{
	switch (err->code) {
	case OB_ENOMEM:
	case OB_ECLOSED:
	case OB_EIO:
	case OB_EPLUGIN:
	case OB_EDOWN: /* what a mechanism needs is not there */
		return OBI_ADMISSION_GONE;
	case OB_EREFUSED:
	case OB_ECONNLOST:
		return obi_connection_has_heard(c->connection) ? OBI_ADMISSION_FAILED
							       : OBI_ADMISSION_GONE;
	default:
		return OBI_ADMISSION_FAILED;
	}
}

/* A peer that had shown that it knows the secret, and left before it was let in. */
static bool has_proved(const struct obi_server_connection *c)
{
	return obi_connection_progress(c->connection) == OBI_PROGRESS_PROVEN;
}

/*
 * The parent dials before this process is there to answer, gives up, and dials again. What accepts
 * for a virtual machine keeps such connections, and hands them over when the machine has booted,
 * with all that was sent. The answer may find nobody, or an end.
 */
static bool left_early(const struct obi_server_connection *c, const struct ob_error *err)
{
	bool parent = obi_admission_trusts(&c->entry->admission, c->from);
	bool local = c->from.kind == OBI_ORIGIN_UID;
	return has_proved(c) || (parent && (err->code == OB_ECONNLOST || !local));
}

/* The peer went by itself; we refused nothing. Who said nothing is not worth a line. One that goes
 * after our answer did not like it, our proof say. */
static void tell_of_leaving(struct obi_server_connection *c, const struct ob_error *err)
{
	obi_warn_at(&c->all->warner, left_early(c, err) ? OB_LOG_INFO : OB_LOG_WARN,
		    OBI_WARN_PREAUTH, &c->from, "a connection was given up by the peer", err->text);
}

/* A mechanism that cannot decide must be heard of, however many others are refused. */
static enum obi_warning kind_of(const struct ob_error *err)
{
	return err->code == OB_EDOWN || err->code == OB_EREMOTE ? OBI_WARN_UNDECIDED
								: OBI_WARN_PREAUTH;
}

static void warn_of_refusal(struct obi_server_connection *c, const struct ob_error *err)
{
	struct ob_error shown = *err;
	enum obi_admission_end how = end_of(c, err);
	bool left = err->code == OB_ECONNLOST || err->code == OB_EREFUSED;
	bool spared = left && has_proved(c);
	int64_t ms = free_preauth_slot(c, spared ? OBI_ADMISSION_GONE : how);
	if (left && how == OBI_ADMISSION_GONE) {
		return;
	}
	if (left && ms == 0) {
		tell_of_leaving(c, err);
		return;
	}
	if (ms > 0) {
		obi_fail(&shown, err->code, 0,
			 "%.400s; connections from this source are refused for %lld ms", err->text,
			 (long long)ms);
	}
	obi_warn(&c->all->warner, kind_of(err), &c->from, "a connection was refused", shown.text);
}

static void on_closed(void *user, struct obi_connection *connection, const struct ob_error *err)
{
	struct obi_server_connection *c = user;
	struct obi_connections *cs = c->all;
	bool last = c->last;
	(void)connection;
	if (!c->open) {
		warn_of_refusal(c, err);
	} else if (err->code != OB_ECONNLOST && err->code != OB_ECLOSED) {
		obi_warn(&cs->warner, OBI_WARN_AUTHENTICATED, &c->from, "a connection was closed",
			 err->text);
	}
	drop(c);
	if (last) {
		cs->events.last_ended(cs->events.user);
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
	obi_admission_learn(&c->entry->admission, c->from);
	obi_peer_set_connection(cs->parent_peer, connection);
	if (before != NULL && before != c) {
		obi_connection_close(before->connection, OB_ECLOSED, "replaced by a newer parent");
	}
	return OB_OK;
}

void obi_connections_end_after(struct obi_connections *cs, const struct ob_call *call)
{
	struct obi_server_connection *c = cs->first;
	while (c != NULL && !(c->open && obi_connection_carries(c->connection, call))) {
		c = c->next;
	}
	if (c != NULL) {
		cs->ending = true;
		c->last = true;
		obi_connection_shutdown(c->connection, GOODBYE_MS);
	}
}

/* ---- Admission ---- */

static struct obi_server_connection *connection_of(struct obi_admission_slot *slot)
{
	return (struct obi_server_connection *)(void *)((char *)slot -
							offsetof(struct obi_server_connection,
								 preauth));
}

static bool update_rank(struct obi_server_connection *c)
{
	static const enum obi_admission_rank rank_of[] = {
	    [OBI_PROGRESS_NONE] = OBI_ADMISSION_SILENT,
	    [OBI_PROGRESS_TALKING] = OBI_ADMISSION_TALKING,
	    [OBI_PROGRESS_PROVEN] = OBI_ADMISSION_PROVEN,
	};
	return obi_admission_advance(&c->preauth, rank_of[obi_connection_progress(c->connection)],
				     obi_now_ms());
}

/* The ranks in admission are old: connections were read from since. */
static void update_ranks(struct obi_entry *entry)
{
	struct obi_admission_slot *slot = entry->admission.first;
	for (; slot != NULL; slot = slot->next) {
		(void)update_rank(connection_of(slot));
	}
}

/* Its next message may have arrived without having been read yet. Returns whether the connection
 * made progress, opened or ended when it was read. */
static bool read_now(struct obi_connections *cs, struct obi_server_connection *c)
{
	cs->reading = c;
	obi_connection_look(c->connection);
	if (cs->reading != c) {
		return true;
	}
	cs->reading = NULL;
	return update_rank(c);
}

struct obi_admission_answer obi_connections_admit(struct obi_connections *cs,
						  struct obi_entry *entry, struct obi_origin from)
{
	struct obi_admission_answer answer =
	    obi_admission_ask(&entry->admission, from, obi_now_ms());
	if (answer.verdict == OBI_ADMISSION_ENTER || answer.verdict == OBI_ADMISSION_BLOCKED) {
		return answer;
	}
	update_ranks(entry);
	for (;;) {
		answer = obi_admission_ask(&entry->admission, from, obi_now_ms());
		struct obi_server_connection *c =
		    answer.victim != NULL ? connection_of(answer.victim) : NULL;
		if (c != NULL && read_now(cs, c)) {
			continue;
		}
		if (answer.verdict != OBI_ADMISSION_EVICT) {
			return answer;
		}
		obi_warn(&cs->warner, OBI_WARN_PREAUTH, &c->from, "a connection was refused",
			 "too many connections that have not authenticated (preauth_max)");
		drop(c);
	}
}

/* ---- Beginning and end ---- */

static struct obi_server_connection *list(struct obi_connections *cs, struct obi_entry *entry,
					  struct obi_origin from)
{
	struct obi_server_connection *c = calloc(1, sizeof *c);
	if (c == NULL) {
		return NULL;
	}
	c->all = cs;
	c->entry = entry;
	c->from = from;
	c->next = cs->first;
	c->slot = &cs->first;
	if (c->next != NULL) {
		c->next->slot = &c->next;
	}
	cs->first = c;
	obi_admission_enter(&entry->admission, from, obi_now_ms(), &c->preauth);
	return c;
}

void obi_connections_add(struct obi_connections *cs, struct obi_entry *entry,
			 struct ob_stream *stream, struct obi_origin from)
{
	struct obi_connection_setup setup = obi_endpoint_connection(cs->rt, &entry->endpoint);
	struct obi_server_connection *c = list(cs, entry, from);
	if (c == NULL) {
		setup.transport->close(stream);
		return;
	}
	setup.limits = cs->limits;
	setup.orphans = cs->orphans;
	setup.listener = entry->kind;
	setup.open_timeout_ms = cs->auth_timeout_ms;
	setup.open_timeout_name = "auth_timeout_ms";
	setup.events = (struct obi_connection_events){on_opened, on_closed, on_supervise, NULL, c};
	setup.handler = (struct obi_call_handler){handle_call, cs};
	if (obi_connection_accept(&setup, stream, &c->connection, NULL) < 0) {
		drop(c);
	}
}

void obi_connections_free(struct obi_connections *cs)
{
	while (cs->first != NULL) {
		drop(cs->first);
	}
}
