/* SPDX-License-Identifier: MIT */
/* The child's connections: who is the parent, who may call what, and how they end. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/string_list.h"
#include "base/uri.h"
#include "server/connections.h"

enum { GOODBYE_MS = 1000, WARN_EVERY_MS = 1000, ADDRESS_MAX = 4096 };

/*
 * A parent that is gone without a word is noticed by the transport in about three of its
 * heartbeats; this is what counts where it does not say how often they come.
 */
enum { HEARTBEAT_MS = 10000 };

/* ---- Refusals are told of, but not more often than once a second ---- */

void obi_connections_warn(struct ob_server *s, enum obi_warn kind, const struct obi_origin *from,
			  const char *what, const char *why)
{
	char source[OBI_ORIGIN_TEXT];
	struct obi_warned *warned = &s->warned[kind];
	int64_t now = obi_now_ms();
	if (warned->ms != 0 && now - warned->ms < WARN_EVERY_MS) {
		warned->left++;
		return;
	}
	if (from != NULL) {
		obi_origin_show(*from, source);
		ob_log(s->logger, OB_LOG_WARN, what, "{s:s,s:s,s:U}", "reason", why, "from", source,
		       "suppressed", warned->left);
	} else {
		ob_log(s->logger, OB_LOG_WARN, what, "{s:s,s:U}", "reason", why, "suppressed",
		       warned->left);
	}
	*warned = (struct obi_warned){.ms = now};
}

/* ---- One connection ---- */

/* Returns for how long more from there are refused. */
static int64_t give_up_seat(struct obi_server_connection *c, enum obi_admission_end end)
{
	bool seated = c->seat.slot != NULL;
	int64_t ms = obi_admission_leave(&c->server->gate, &c->seat, end, obi_now_ms());
	if (seated) {
		obi_accept_go_on(c->server);
	}
	return ms;
}

void obi_connections_drop(struct obi_server_connection *c)
{
	struct ob_server *s = c->server;
	*c->slot = c->next;
	if (c->next != NULL) {
		c->next->slot = c->slot;
	}
	if (s->looking == c) {
		s->looking = NULL;
	}
	(void)give_up_seat(c, OBI_ADMISSION_GONE);
	/* Clients must find the link as long as there are calls of theirs on it. */
	obi_connection_drop(c->link, OB_ECONNLOST, "the connection to the parent was closed");
	if (s->supervisor == c) {
		s->supervisor = NULL;
		obi_peer_set_connection(s->parent_peer, NULL);
	}
	free(c);
}

static void on_opened(void *user, struct obi_connection *link)
{
	struct obi_server_connection *c = user;
	(void)link;
	c->open = true;
	if (c->server->looking == c) {
		c->server->looking = NULL;
	}
	(void)give_up_seat(c, OBI_ADMISSION_PASSED);
}

/*
 * Who never said a word and left, as those do who only look whether somebody is there, has done
 * nothing. Who began and then left has failed: that is how a dialer ends that has found our proof
 * wrong.
 */
static enum obi_admission_end how_it_ended(const struct obi_server_connection *c,
					   const struct ob_error *err)
{
	switch (err->code) {
	case OB_ENOMEM:
	case OB_ECLOSED:
	case OB_EIO:
		return OBI_ADMISSION_GONE;
	case OB_EREFUSED:
	case OB_ECONNLOST:
		return obi_connection_has_heard(c->link) ? OBI_ADMISSION_FAILED
							 : OBI_ADMISSION_GONE;
	default:
		return OBI_ADMISSION_FAILED;
	}
}

static void tell_refusal(struct obi_server_connection *c, const struct ob_error *err)
{
	struct ob_error told = *err;
	int64_t ms = give_up_seat(c, how_it_ended(c, err));
	if (ms > 0) {
		obi_fail(&told, err->code, 0, "%.400s; for %lld ms nobody from there is let in",
			 err->text, (long long)ms);
	}
	obi_connections_warn(c->server, OBI_WARN_STRANGER, &c->from, "a connection was refused",
			     told.text);
}

static void on_closed(void *user, struct obi_connection *link, const struct ob_error *err)
{
	struct obi_server_connection *c = user;
	struct ob_server *s = c->server;
	bool last = c->last;
	(void)link;
	if (!c->open) {
		tell_refusal(c, err);
	} else if (err->code != OB_ECONNLOST && err->code != OB_ECLOSED) {
		obi_connections_warn(s, OBI_WARN_CALLER, &c->from, "a connection was closed",
				     err->text);
	}
	obi_connections_drop(c);
	if (last) {
		obi_server_shut_down(s);
	}
}

/* ---- Who may call what ---- */

static bool is_control(const char *method)
{
	return strncmp(method, "outboard-control.", 17) == 0;
}

static bool may(const struct ob_server *s, const struct ob_identity *who, const char *method)
{
	if (who->parent && is_control(method)) {
		return true;
	}
	enum obi_acl_verdict verdict = obi_acl_judge(&s->rules, who, ob_bytes_text(method));
	return verdict == OBI_ACL_ALLOWED ||
	       (verdict == OBI_ACL_NO_MATCH && strcmp(method, "outboard-control.shutdown") != 0);
}

bool obi_server_may_end(const struct ob_server *s, const struct ob_call *call)
{
	return may(s, &call->identity, "outboard-control.shutdown");
}

/* Where no secret is asked for, whoever the authenticators let in, each as somebody else, could
 * else take the child over. */
static bool is_one_of_us(const struct ob_server *s, const struct ob_identity *who)
{
	for (uint32_t i = 0; i < s->endpoint.auth.count; i++) {
		if ((s->endpoint.mechanisms[i].ops->flags & OB_AUTH_NEEDS_SECRET) != 0) {
			return true;
		}
	}
	return (who->known & OB_PEER_UID) != 0 &&
	       (who->uid == geteuid() || who->uid == 0 || who->uid == s->endpoint.auth.allowed_uid);
}

static bool may_supervise(const struct ob_server *s, const struct ob_identity *who)
{
	enum obi_acl_verdict verdict =
	    obi_acl_judge(&s->rules, who, ob_bytes_text("outboard.supervise"));
	return verdict == OBI_ACL_ALLOWED || (verdict == OBI_ACL_NO_MATCH && is_one_of_us(s, who));
}

static void deny(struct ob_server *s, struct ob_call *call)
{
	const struct ob_identity *who = &call->identity;
	char what[OBI_METHOD_MAX + OBI_SUBJECT_MAX + 64];
	snprintf(what, sizeof what, "%s, by %.*s (%.*s)", call->method, (int)who->subject.len,
		 (const char *)who->subject.data, (int)who->method.len,
		 (const char *)who->method.data);
	obi_connections_warn(s, OBI_WARN_CALLER, NULL, "a call was denied", what);
	ob_call_fail(call, OB_RPC_DENIED, "%s is not allowed to you", call->method);
}

static void handle_call(void *user, struct ob_call *call)
{
	struct ob_server *s = user;
	if (s->ending) {
		ob_call_fail(call, OB_RPC_CLOSING, "shutting down");
	} else if (!may(s, &call->identity, call->method)) {
		deny(s, call);
	} else {
		obi_interfaces_call(&s->interfaces, call);
	}
}

/* The newest parent wins: the one before it is closed, and its running handlers are cancelled with
 * it. */
static int on_supervise(void *user, struct obi_connection *link, struct ob_bytes instance)
{
	struct obi_server_connection *c = user;
	struct ob_server *s = c->server;
	struct obi_server_connection *before = s->supervisor;
	if (s->instance != NULL && !ob_bytes_is(instance, s->instance)) {
		return OB_ENOENT;
	}
	struct ob_identity who = obi_connection_identity(link);
	if (!may_supervise(s, &who)) {
		return OB_EPERM;
	}
	s->supervisor = c;
	obi_admission_learn(&s->gate, c->from);
	obi_peer_set_connection(s->parent_peer, link);
	if (before != NULL && before != c) {
		obi_connection_close(before->link, OB_ECLOSED, "replaced by a newer parent");
	}
	return OB_OK;
}

static struct obi_server_connection *add(struct ob_server *s, struct obi_origin from)
{
	struct obi_server_connection *c = calloc(1, sizeof *c);
	if (c == NULL) {
		return NULL;
	}
	c->server = s;
	c->from = from;
	c->next = s->connections;
	c->slot = &s->connections;
	if (c->next != NULL) {
		c->next->slot = &c->next;
	}
	s->connections = c;
	obi_admission_enter(&s->gate, from, obi_now_ms(), &c->seat);
	return c;
}

void obi_connections_stream(struct ob_server *s, struct ob_stream *stream, struct obi_origin from)
{
	struct obi_connection_setup setup = obi_endpoint_link(s->rt, &s->endpoint);
	struct obi_server_connection *c = add(s, from);
	if (c == NULL) {
		setup.transport->close(stream);
		return;
	}
	setup.limits.message = s->options.message_max;
	setup.limits.calls = s->options.calls_max;
	setup.limits.queue = s->options.queue_max;
	setup.open_timeout_ms = s->options.auth_timeout_ms;
	setup.events = (struct obi_connection_events){on_opened, on_closed, on_supervise, NULL, c};
	setup.handler = (struct obi_call_handler){handle_call, s};
	if (obi_connection_accept(&setup, stream, &c->link, NULL) < 0) {
		obi_connections_drop(c);
	}
}

/* ---- Beginning and end ---- */

static const struct ob_transport_ops *transport_of(const struct ob_server *s)
{
	return &s->endpoint.transport->as.transport;
}

/* The lock that we hold is that of the directory of our config: it says nothing of sockets
 * elsewhere. */
static bool in_our_directory(const struct ob_server *s, const struct ob_uri *uri)
{
	const char *end = s->config_path != NULL ? strrchr(s->config_path, '/') : NULL;
	size_t len = end != NULL ? (size_t)(end - s->config_path) : 0;
	return len > 0 && uri->path.len > len + 1 &&
	       memcmp(uri->path.data, s->config_path, len) == 0 && uri->path.data[len] == '/' &&
	       memchr(uri->path.data + len + 1, '/', uri->path.len - len - 1) == NULL;
}

static int bind_listener(struct ob_server *s, struct ob_error *reterr)
{
	int64_t beat = s->config.heartbeat_ms;
	struct ob_stream_params params = {.size = sizeof params,
					  .heartbeat_ms = beat > 0 ? (uint32_t)beat : HEARTBEAT_MS};
	struct obi_arena arena;
	struct ob_uri uri;
	obi_arena_init(&arena, 64 * 1024);
	int r = obi_uri_parse(s->config.listen, &arena.ob, &uri, reterr);
	if (r == OB_OK) {
		params.lock_held = s->lock_fd >= 0 && in_our_directory(s, &uri);
		r = transport_of(s)->listen(s->endpoint.host, &uri, &params, &s->listener, reterr);
	}
	obi_arena_free(&arena);
	if (r < 0) {
		s->listener = NULL;
		return reterr != NULL ? obi_wrap(reterr, "listening on %s", s->config.listen) : r;
	}
	return OB_OK;
}

static int set_up_gate(struct ob_server *s, struct ob_error *reterr)
{
	struct obi_admission_setup setup = {.seats = s->options.preauth_max,
					    .own_uid = (uint32_t)geteuid(),
					    .allowed_uid = s->endpoint.auth.allowed_uid,
					    .parent = s->config.parent_address};
	int r = obi_admission_init(&s->gate, &setup);
	return r == OB_OK ? OB_OK
			  : obi_fail(reterr, r, 0,
				     "parent_address \"%s\" is neither an address nor a context id",
				     s->config.parent_address);
}

int obi_server_listen(struct ob_server *s, struct ob_error *reterr)
{
	struct obi_endpoint_names names = {.uri = s->config.listen,
					   .transport = s->config.transport,
					   .codec = s->config.codec,
					   .allow_plaintext = s->options.allow_plaintext ||
							      s->config.allow_plaintext,
					   .parent_dials = true,
					   .allowed_uid = s->options.allowed_uid,
					   .peer_uids = s->config.peer_uids,
					   .peer_gids = s->config.peer_gids};
	if (s->config.listen == NULL) {
		return obi_fail(reterr, OB_EINVAL, 0, "the config names no address to listen on");
	}
	char **auth = s->config.auth != NULL ? obi_string_list_split(s->config.auth, ',') : NULL;
	names.auth = (const char *const *)auth;
	int r = obi_endpoint_init(s->rt, &names, &s->endpoint, reterr);
	obi_string_list_free(auth);
	s->endpoint.auth.seen = &s->seen;
	r = r == OB_OK ? obi_endpoint_set_token(&s->endpoint, s->config.token, reterr) : r;
	r = r == OB_OK ? set_up_gate(s, reterr) : r;
	r = r == OB_OK ? bind_listener(s, reterr) : r;
	if (r < 0) {
		return r;
	}
	if (s->endpoint.plaintext) {
		ob_log(s->logger, OB_LOG_WARN,
		       "what crosses this transport is not encrypted: who can reach it can read "
		       "and change it",
		       "{s:s,s:s}", "transport", s->endpoint.transport->name, "because",
		       "allow_plaintext");
	}
	obi_accept_begin(s);
	return OB_OK;
}

char *obi_server_address(struct ob_server *s)
{
	char memory[ADDRESS_MAX];
	struct ob_sink out = ob_sink_fixed(memory, sizeof memory - 1);
	if (transport_of(s)->local_uri(s->listener, &out) < 0 || out.failed) {
		return NULL;
	}
	memory[out.len] = '\0';
	return strdup(memory);
}

void obi_server_hang_up(struct ob_server *s)
{
	obi_accept_end(s);
	while (s->connections != NULL) {
		obi_connections_drop(s->connections);
	}
	if (s->listener != NULL) {
		transport_of(s)->listener_close(s->listener);
		s->listener = NULL;
	}
	obi_endpoint_clear(&s->endpoint);
}

void obi_server_end_after(struct ob_server *s, struct ob_call *call)
{
	for (struct obi_server_connection *c = s->connections; c != NULL; c = c->next) {
		if (c->open && obi_connection_carries(c->link, call)) {
			s->ending = true;
			c->last = true;
			obi_connection_shutdown(c->link, GOODBYE_MS);
			return;
		}
	}
}
