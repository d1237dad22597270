/* SPDX-License-Identifier: MIT */
#include "rpc/via_opening.h"

#include "base/clock.h"
#include "base/error.h"
#include "rpc/authentication.h"
#include "rpc/receive.h"
#include "rpc/stream_facts.h"

/* ---- Events of the session ---- */

static void fail(struct obi_via_opening *o, int code, const char *why)
{
	if (!o->failed) {
		o->failed = true;
		obi_fail(&o->err, code, 0, "agent %s: %s", o->setup->agent, why);
	}
}

/* What follows this answer is not a message. */
static void on_answer(void *user, int code, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct obi_via_opening *o = user;
	bool yes = false;
	if (code == OB_EREMOTE) {
		fail(o, OB_EREFUSED, err->text);
	} else if (code != OB_OK) {
		fail(o, OB_ECONNLOST, err->text);
	} else if (!ob_get_bool(value, &yes) || !yes) {
		fail(o, OB_EPROTO, "malformed answer to outboard-agent.connect");
	} else {
		o->connected = true;
		o->session.held = true;
	}
}

static void on_opened(void *user)
{
	struct obi_via_opening *o = user;
	const struct obi_via_setup *via = o->setup;
	struct ob_pair pairs[3] = {{ob_string("name"), ob_string(via->child)}};
	uint32_t count = 1;
	if (via->host_id != NULL) {
		pairs[count++] = (struct ob_pair){ob_string("host"), ob_string(via->host_id)};
	}
	if (via->instance != NULL) {
		pairs[count++] = (struct ob_pair){ob_string("instance"), ob_string(via->instance)};
	}
	struct ob_value params = ob_map(pairs, count);
	struct ob_error err;
	if (obi_session_call(&o->session, ob_bytes_text("outboard-agent.connect"), &params,
			     INT64_MAX, on_answer, o, NULL, &err) < 0) {
		fail(o, OB_EIO, err.text);
	}
}

/* A refusal by the agent is none by the child. */
static int code_of(int code)
{
	return code == OB_EAUTH || code == OB_EPERM ? OB_EREFUSED : code;
}

static void on_closed(void *user, const struct ob_error *err)
{
	struct obi_via_opening *o = user;
	fail(o, code_of(err->code), err->text);
}

static void on_auth_wait(void *user, const struct ob_want *want)
{
	struct obi_via_opening *o = user;
	o->waits = want != NULL;
	if (want != NULL) {
		o->waiting = *want;
	}
}

static void on_nothing(void *user)
{
	(void)user;
}

/* ---- The session ---- */

/* The answers of an agent to the two methods that are called are short. */
static struct obi_rpc_limits limits(void)
{
	struct obi_rpc_limits l = obi_rpc_limits_default();
	l.message = OB_HANDSHAKE_MAX;
	l.calls = 1;
	l.queue = OB_HANDSHAKE_MAX;
	return l;
}

static int begin(struct obi_via_opening *o)
{
	const struct obi_via_setup *via = o->setup;
	struct ob_sink binding = ob_sink_fixed(o->binding, sizeof o->binding);
	struct obi_session_setup s = {
	    .host = via->host,
	    .codec = via->codec,
	    .codec_state = via->codec_state,
	    .auth = via->auth,
	    .role = OB_AUTH_DIALER,
	    .uri = via->uri,
	    .limits = limits(),
	    .events = {on_opened, on_closed, NULL, on_nothing, on_nothing, on_auth_wait, o},
	};
	int r = obi_stream_binding(via->transport, o->stream, &binding, &o->err);
	if (r < 0) {
		o->failed = true;
		return r;
	}
	s.binding = ob_bytes_of(o->binding, binding.len);
	s.peer = obi_stream_peer_facts(via->transport, o->stream, via->auth);
	obi_session_init(&o->session, &s);
	o->begun = true;
	obi_authentication_begin(&o->session);
	return OB_OK;
}

/* Whether what an authenticator waits for is there. */
static bool is_due(const struct obi_via_opening *o, int revents)
{
	return revents != 0 || (o->waiting.deadline >= 0 && o->waiting.deadline <= obi_now_ms());
}

static void read_once(struct obi_via_opening *o)
{
	struct iovec piece;
	struct ob_error err = {0};
	piece.iov_base = obi_receive_room(&o->session, &piece.iov_len);
	if (piece.iov_base == NULL) {
		return; /* the session has ended */
	}
	size_t left = OB_HANDSHAKE_MAX - o->received;
	piece.iov_len = piece.iov_len < left ? piece.iov_len : left;
	ptrdiff_t n = o->setup->transport->readv(o->stream, &piece, 1, &err);
	if (n > 0) {
		o->received += (size_t)n;
		obi_receive(&o->session, (size_t)n);
	} else if (n != OB_EAGAIN) {
		obi_session_ended(&o->session, n < 0 ? &err : NULL);
	}
	if (o->received == OB_HANDSHAKE_MAX && !o->connected) {
		fail(o, OB_ETOOBIG, "it sends more than a handshake needs");
	}
}

static void write_all(struct obi_via_opening *o)
{
	struct ob_error err = {0};
	ptrdiff_t n = 1;
	while (n > 0) {
		struct obi_pieces out;
		struct iovec list[OBI_SEALED_RECORDS_PIECES];
		obi_session_pieces(&o->session, &out);
		if (out.count == 0) {
			return;
		}
		for (int i = 0; i < out.count; i++) {
			list[i] =
			    (struct iovec){(void *)(uintptr_t)out.piece[i].data, out.piece[i].len};
		}
		n = o->setup->transport->writev(o->stream, list, out.count, &err);
		if (n > 0) {
			obi_session_wrote(&o->session, (size_t)n);
		}
	}
	if (n != OB_EAGAIN) {
		fail(o, n < 0 ? (int)n : OB_EIO,
		     n < 0 ? err.text : "the transport wrote nothing and reported no error");
	}
}

/* ---- Steps ---- */

static void talk(struct obi_via_opening *o, int revents)
{
	if (!o->begun) {
		(void)begin(o);
	} else if (o->waits) {
		if (is_due(o, revents)) {
			obi_authentication_continue(&o->session);
		}
	} else {
		read_once(o);
	}
	if (o->begun && !o->failed && !o->connected) {
		write_all(o);
	}
}

static struct ob_want wanted(struct obi_via_opening *o)
{
	const struct ob_transport_ops *t = o->setup->transport;
	if (o->waits) {
		return o->waiting;
	}
	int events = OB_READABLE | (obi_session_has_output(&o->session) ? OB_WRITABLE : 0);
	bool more = t->pending != NULL && t->pending(o->stream);
	return (struct ob_want){.fd = t->fd(o->stream),
				.events = t->want != NULL ? t->want(o->stream, events) : events,
				.deadline = more ? 0 : -1};
}

int obi_via_opening_step(struct obi_via_opening *o, int revents, struct ob_want *ret_want,
			 struct ob_error *reterr)
{
	const struct ob_transport_ops *t = o->setup->transport;
	if (!o->shaken && t->handshake != NULL) {
		struct ob_error err = {0};
		int r = t->handshake(o->stream, revents, ret_want, &err);
		if (r < 0) {
			return obi_fail(reterr, code_of(r), 0, "agent %s: handshake: %s",
					o->setup->agent, err.text);
		}
		if (r > OB_HANDSHAKE_DONE) {
			return r;
		}
	}
	o->shaken = true;
	talk(o, revents);
	if (o->failed) {
		return obi_fail(reterr, o->err.code, o->err.sys, "%s", o->err.text);
	}
	if (o->connected) {
		return OB_HANDSHAKE_DONE;
	}
	*ret_want = wanted(o);
	return o->received > 0 ? OB_HANDSHAKE_TALKING : OB_HANDSHAKE_SILENT;
}

void obi_via_opening_take(struct obi_via_opening *o, struct obi_raw_stream *ret)
{
	obi_raw_stream_begin(ret, o->setup->transport, o->stream, &o->session);
	o->stream = NULL;
}

void obi_via_opening_end(struct obi_via_opening *o)
{
	if (o->begun) {
		o->failed = true;
		obi_session_free(&o->session);
		o->begun = false;
	}
}
