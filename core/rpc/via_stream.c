/* SPDX-License-Identifier: MIT */
#include "rpc/via_stream.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/uri.h"
#include "rpc/via_home.h"
#include "rpc/via_opening.h"

enum { ARENA = 64 * 1024, BATCH = 4 };

struct ob_dial {
	const struct obi_via_setup *setup;
	const struct ob_transport_ops *transport;
	struct obi_arena arena; /* of the parsed URI of the agent */
	struct ob_dial *inner;
	struct obi_via_home_dial home; /* if the agent dials */
	struct ob_stream *stream;      /* made before the connection exists */
};

struct ob_stream {
	struct obi_via_opening *opening; /* NULL: it is open */
	struct obi_raw_stream raw;	 /* its transport is NULL until then */
	const struct ob_transport_ops *transport;
	struct ob_stream *inner;
	uint32_t owner; /* whom the dialer expects; UINT32_MAX: nobody in particular */
	bool told;	/* readv() has returned the end, or a failure */
	size_t owed;	/* bytes that are queued and not yet reported as written */
};

/* ---- Life ---- */

static void end_opening(struct ob_stream *s)
{
	if (s->opening != NULL) {
		obi_via_opening_end(s->opening);
		explicit_bzero(s->opening, sizeof *s->opening);
		free(s->opening);
		s->opening = NULL;
	}
}

static void via_close(struct ob_stream *s)
{
	if (s == NULL) {
		return;
	}
	end_opening(s);
	if (s->raw.transport != NULL) {
		obi_raw_stream_end(&s->raw);
	} else {
		s->transport->close(s->inner);
	}
	free(s);
}

static struct ob_stream *new_stream(const struct obi_via_setup *setup, uint32_t owner)
{
	struct ob_stream *s = calloc(1, sizeof *s);
	if (s == NULL) {
		return NULL;
	}
	s->transport = setup->transport;
	s->owner = owner;
	s->opening = calloc(1, sizeof *s->opening);
	if (s->opening == NULL) {
		free(s);
		return NULL;
	}
	s->opening->setup = setup;
	return s;
}

/* ---- Dial ---- */

/* It has no stream below it. */
static void close_undialled(struct ob_stream *s)
{
	if (s != NULL) {
		end_opening(s);
		free(s);
	}
}

static void via_dial_close(struct ob_dial *dial)
{
	if (dial != NULL) {
		if (dial->setup->home != NULL) {
			obi_via_home_end(&dial->home);
		} else {
			dial->transport->dial_close(dial->inner);
		}
		close_undialled(dial->stream);
		obi_arena_free(&dial->arena);
		free(dial);
	}
}

static int dial_agent(struct ob_dial *dial, const struct obi_via_setup *setup,
		      uint32_t heartbeat_ms, struct ob_want *ret_want, struct ob_error *reterr)
{
	if (setup->home != NULL) {
		return obi_via_home_begin(&dial->home, setup, ret_want, reterr);
	}
	struct ob_uri parsed;
	struct ob_dial_params params = {.size = sizeof params,
					.heartbeat_ms = heartbeat_ms,
					.state = setup->transport_state,
					.owner = setup->owner};
	int r = obi_uri_parse(setup->uri, &dial->arena.ob, &parsed, reterr);
	r = r == OB_OK ? setup->transport->dial(setup->host, &parsed, &params, &dial->inner,
						ret_want, reterr)
		       : r;
	if (r < 0) {
		dial->inner = NULL;
	}
	return r;
}

/* A refusal at the agent's address is none by the child. */
static int of_agent(const struct obi_via_setup *setup, int code, const struct ob_error *err,
		    struct ob_error *reterr)
{
	int shown = code == OB_EAUTH || code == OB_EPERM ? OB_EREFUSED : code;
	return obi_fail(reterr, shown, 0, "agent %s: %s", setup->agent, err->text);
}

static int via_dial(const struct ob_host *host, const struct ob_uri *uri,
		    const struct ob_dial_params *params, struct ob_dial **ret_dial,
		    struct ob_want *ret_want, struct ob_error *reterr)
{
	const struct obi_via_setup *setup = params->state;
	(void)host;
	if (setup == NULL) {
		return obi_fail(reterr, OB_EINVAL, 0, "%.*s: the agent is not known",
				(int)uri->text.len, (const char *)uri->text.data);
	}
	struct ob_dial *dial = calloc(1, sizeof *dial);
	if (dial == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	dial->setup = setup;
	dial->transport = setup->transport;
	dial->home.event = -1;
	obi_arena_init(&dial->arena, ARENA);
	dial->stream = new_stream(setup, params->owner);
	struct ob_error err = {0};
	int r = dial->stream != NULL ? dial_agent(dial, setup, params->heartbeat_ms, ret_want, &err)
				     : obi_fail(&err, OB_ENOMEM, 0, "out of memory");
	if (r < 0) {
		via_dial_close(dial);
		return of_agent(setup, r, &err, reterr);
	}
	*ret_dial = dial;
	return OB_OK;
}

/* The agent has authenticated, and knows the child: there is nothing to open. */
static void take_home(struct ob_stream *s, struct obi_via_home_dial *home)
{
	s->raw = home->raw;
	home->raw = (struct obi_raw_stream){.transport = NULL};
	end_opening(s);
}

static int via_finish_dial(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			   struct ob_want *ret_want, struct ob_error *reterr)
{
	struct ob_stream *inner = NULL;
	struct ob_error err = {0};
	bool at_home = dial->setup->home != NULL;
	int r = at_home
		    ? obi_via_home_step(&dial->home, ret_want, &err)
		    : dial->transport->finish_dial(dial->inner, revents, &inner, ret_want, &err);
	if (r < 0) {
		return r == OB_EAGAIN ? r : of_agent(dial->setup, r, &err, reterr);
	}
	if (at_home) {
		take_home(dial->stream, &dial->home);
		inner = dial->stream->raw.stream;
	}
	dial->stream->inner = inner;
	if (dial->stream->opening != NULL) {
		dial->stream->opening->stream = inner;
	}
	*ret_stream = dial->stream;
	dial->stream = NULL;
	return OB_OK;
}

static int via_handshake(struct ob_stream *s, int revents, struct ob_want *ret_want,
			 struct ob_error *reterr)
{
	if (s->opening == NULL) {
		return OB_HANDSHAKE_DONE;
	}
	int r = obi_via_opening_step(s->opening, revents, ret_want, reterr);
	if (r == OB_HANDSHAKE_DONE) {
		obi_via_opening_take(s->opening, &s->raw);
		end_opening(s);
	}
	return r;
}

/* ---- Bytes ---- */

static int via_fd(struct ob_stream *s)
{
	return s->transport->fd(s->inner);
}

static ptrdiff_t not_yet(struct ob_error *reterr)
{
	return obi_fail(reterr, OB_EIO, 0, "the handshake is not done");
}

static size_t copy_out(struct ob_stream *s, const struct iovec *pieces, int count)
{
	size_t got = 0;
	struct ob_bytes bytes = obi_raw_stream_bytes(&s->raw);
	for (int i = 0; i < count && bytes.len > got; i++) {
		size_t n =
		    bytes.len - got < pieces[i].iov_len ? bytes.len - got : pieces[i].iov_len;
		memcpy(pieces[i].iov_base, bytes.data + got, n);
		got += n;
	}
	obi_raw_stream_took(&s->raw, got);
	return got;
}

static bool has_bytes(const struct ob_stream *s)
{
	return obi_raw_stream_bytes(&s->raw).len > 0;
}

static ptrdiff_t read_records(struct ob_stream *s, const struct iovec *pieces, int count,
			      struct ob_error *reterr)
{
	ptrdiff_t n = obi_raw_stream_fill(&s->raw, reterr);
	if (n > 0 && has_bytes(s)) {
		return (ptrdiff_t)copy_out(s, pieces, count);
	}
	return n <= 0 ? n : s->raw.ended ? 0 : OB_EAGAIN;
}

static ptrdiff_t via_readv(struct ob_stream *s, const struct iovec *pieces, int count,
			   struct ob_error *reterr)
{
	if (s->raw.transport == NULL) {
		return not_yet(reterr);
	}
	if (has_bytes(s)) {
		return (ptrdiff_t)copy_out(s, pieces, count);
	}
	ptrdiff_t n = s->raw.records.auth == NULL
			  ? s->transport->readv(s->inner, pieces, count, reterr)
			  : read_records(s, pieces, count, reterr);
	s->told = n <= 0 && n != OB_EAGAIN;
	return n;
}

/* Queue a few records of the pieces. Returns how many bytes. */
static size_t queue(struct ob_stream *s, const struct iovec *pieces, int count)
{
	size_t most = BATCH * (OBI_RECORD_SIZE - OBI_RECORD_HEADER - OB_AUTH_OVERHEAD_MAX);
	size_t room, done = 0;
	uint8_t *to = obi_raw_stream_room(&s->raw, &room);
	if (to == NULL) {
		return 0;
	}
	for (int i = 0; i < count && done < most; i++) {
		size_t n = pieces[i].iov_len < most - done ? pieces[i].iov_len : most - done;
		memcpy(to + done, pieces[i].iov_base, n);
		done += n;
	}
	obi_raw_stream_queued(&s->raw, done);
	return done;
}

/* Bytes are reported when all of their records are written: close() may come after that. */
static ptrdiff_t via_writev(struct ob_stream *s, const struct iovec *pieces, int count,
			    struct ob_error *reterr)
{
	if (s->raw.transport == NULL) {
		return not_yet(reterr);
	}
	int r = s->owed == 0 ? obi_raw_stream_flush(&s->raw, reterr) : OB_OK;
	if (r < 0) {
		return r;
	}
	if (!s->raw.records.outgoing) {
		return s->transport->writev(s->inner, pieces, count, reterr);
	}
	if (s->owed == 0 && (s->owed = queue(s, pieces, count)) == 0) {
		return obi_fail(reterr, OB_EIO, 0, "out of memory for a record");
	}
	r = obi_raw_stream_flush(&s->raw, reterr);
	if (r < 0) {
		return r;
	}
	ptrdiff_t n = (ptrdiff_t)s->owed;
	s->owed = 0;
	return n;
}

static int via_shutdown_write(struct ob_stream *s, struct ob_error *reterr)
{
	if (s->raw.transport == NULL) {
		return (int)not_yet(reterr);
	}
	obi_raw_stream_finish(&s->raw);
	return obi_raw_stream_flush(&s->raw, reterr);
}

static int via_want(struct ob_stream *s, int events)
{
	bool waits = s->raw.transport != NULL && obi_raw_stream_waits(&s->raw);
	events |= waits ? OB_WRITABLE : 0;
	return s->transport->want != NULL ? s->transport->want(s->inner, events) : events;
}

static bool via_pending(struct ob_stream *s)
{
	if (s->raw.transport == NULL || s->told) {
		return false;
	}
	return has_bytes(s) || s->raw.ended || s->raw.strange ||
	       (s->transport->pending != NULL && s->transport->pending(s->inner));
}

/*
 * The agent has connected to a socket that belongs to the user of its child, and is no link; it
 * says so by its answer. That is what a dialer asks of the peer of a unix socket: whether the
 * process there is of the user that it expects. The number that the user has at the agent means
 * nothing here, so the peer is the user that is expected, or ours. Its pid is not known.
 */
static int via_peer(struct ob_stream *s, struct ob_peer *ret, struct ob_error *reterr)
{
	(void)reterr;
	ret->known = 0;
	if (s->raw.transport != NULL) {
		ret->known = OB_PEER_UID;
		ret->uid = s->owner != UINT32_MAX ? s->owner : (uint32_t)geteuid();
		ret->gid = UINT32_MAX;
	}
	return OB_OK;
}

/* ---- Nobody listens here ---- */

static int via_listen(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_listen_params *params, struct ob_listener **ret_listener,
		      struct ob_error *reterr)
{
	(void)host, (void)params, (void)ret_listener;
	return obi_fail(reterr, OB_EINVAL, 0, "%.*s: nothing can listen there", (int)uri->text.len,
			(const char *)uri->text.data);
}

static int via_listener_fd(struct ob_listener *listener)
{
	(void)listener;
	return -1;
}

static int via_accept(struct ob_listener *listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr)
{
	(void)listener, (void)ret_stream;
	return obi_fail(reterr, OB_EINVAL, 0, "nothing can listen there");
}

static int via_local_uri(struct ob_listener *listener, struct ob_sink *out)
{
	(void)listener, (void)out;
	return OB_EINVAL;
}

static void via_listener_close(struct ob_listener *listener)
{
	(void)listener;
}

/* ---- Table ---- */

const struct ob_transport_ops *obi_via_transport(void)
{
	static const char *const schemes[] = {"via", NULL};
	static const struct ob_transport_ops ops = {
	    .size = sizeof ops,
	    .flags = OB_TRANSPORT_LOCAL | OB_TRANSPORT_MAY_FALL_SILENT,
	    .schemes = schemes,
	    .listen = via_listen,
	    .listener_fd = via_listener_fd,
	    .accept = via_accept,
	    .local_uri = via_local_uri,
	    .listener_close = via_listener_close,
	    .dial = via_dial,
	    .finish_dial = via_finish_dial,
	    .dial_close = via_dial_close,
	    .fd = via_fd,
	    .readv = via_readv,
	    .writev = via_writev,
	    .shutdown_write = via_shutdown_write,
	    .close = via_close,
	    .peer = via_peer,
	    .handshake = via_handshake,
	    .want = via_want,
	    .pending = via_pending,
	};
	return &ops;
}
