/* SPDX-License-Identifier: MIT */
#include "rpc/session.h"

#include <limits.h>
#include <stdlib.h>

#include "base/error.h"
#include "rpc/session_private.h"

/* What a peer's message may cost in memory: a small multiple of its size, and a constant for small
 * ones. */
enum {
	ARENA_PER_BYTE = OBI_VALUE_PER_BYTE,
	ARENA_CONSTANT = 1 << 20,
	READ_SIZE = 64 * 1024,
	READ_SIZE_PREAUTH = 4096
};

static void open_session(struct obi_session *s);

void obi_session_init(struct obi_session *s, const struct obi_session_setup *setup)
{
	memset(s, 0, sizeof *s);
	s->setup = *setup;
	size_t queue = setup->limits.queue;
	size_t most =
	    2 * queue > queue + setup->limits.message ? 2 * queue : queue + setup->limits.message;
	obi_buf_init(&s->out, most + OBI_RECORD_HEADER + OB_AUTH_OVERHEAD_MAX);
	obi_buf_init(&s->in, (size_t)setup->limits.message + OBI_RECORD_HEADER + OBI_RECORD_MAX +
				 READ_SIZE);
	obi_arena_init(&s->arena, ARENA_CONSTANT);
	s->need = 1;
	s->codec_limits.size = sizeof s->codec_limits;
	s->codec_limits.depth = setup->limits.depth;
	s->codec_limits.batch = setup->limits.calls;
	s->codec_limits.message = setup->limits.preauth;
	s->pending.next_id = 1;
	s->pending.earliest = INT64_MAX;
}

void obi_session_begin(struct obi_session *s, int64_t now)
{
	struct ob_error err = {0};
	(void)now;
	if (s->setup.auth == NULL) {
		open_session(s);
		return;
	}
	if (obi_handshake_begin(&s->auth, s->setup.auth, s->setup.role, &s->setup.peer, &err) < 0) {
		obi_session_fail(s, OB_EAUTH, "%s", err.text);
	} else if (obi_handshake_passed(&s->auth)) {
		open_session(s);
	} else if (s->setup.role == OB_AUTH_DIALER) {
		obi_session_dial_auth(s, ob_bytes_of(NULL, 0));
	}
}

static void open_session(struct obi_session *s)
{
	s->state = OBI_SESSION_OPEN;
	s->codec_limits.message = s->setup.limits.message;
	s->setup.events.opened(s->setup.events.user);
}

/* The dialer's first record, empty, shows that it holds the keys. Sealed now, it stays empty,
 * whatever is said next. */
static bool show_keys(struct obi_session *s)
{
	struct obi_pieces record;
	if (obi_buf_len(&s->out) > 0) {
		return false; /* and what is there is no record, nor becomes one */
	}
	s->records.outgoing = true;
	return obi_sealed_records_start(&s->out) &&
	       obi_sealed_records_seal(&s->records, &s->out, &record, NULL) == OB_OK;
}

static void start_sealing(struct obi_session *s)
{
	const struct ob_auth_ops *ops;
	struct ob_auth *sealer = obi_handshake_take_sealer(&s->auth, &ops);
	if (sealer == NULL) {
		return;
	}
	obi_sealed_records_begin(&s->records, ops, sealer);
	if (s->setup.role == OB_AUTH_ACCEPTOR) {
		s->state = OBI_SESSION_CONFIRMING;
	} else if (!show_keys(s)) {
		obi_session_fail(s, OB_EPROTO, "an answer to what was not sent yet");
	} else {
		s->setup.events.want_write(s->setup.events.user);
	}
}

/* Sealed now, an acceptor's last answer is a record of its own: until the dialer has read it, it
 * takes no larger one. */
static bool set_apart(struct obi_session *s)
{
	struct obi_pieces record;
	return !s->records.outgoing || obi_buf_len(&s->out) == 0 ||
	       obi_sealed_records_seal(&s->records, &s->out, &record, NULL) == OB_OK;
}

void obi_session_passed(struct obi_session *s)
{
	start_sealing(s);
	if (s->state != OBI_SESSION_AUTH || !obi_handshake_passed(&s->auth)) {
		return;
	}
	if (!set_apart(s)) {
		obi_session_fail(s, OB_ENOMEM, "out of memory for a record");
	} else {
		s->peer_is_ours = true;
		open_session(s);
	}
}

/* The first record has been opened. All that we wrote in the clear must have left, or the peer
 * could not have made it. */
static void confirm(struct obi_session *s)
{
	if (obi_buf_len(&s->out) > 0) {
		obi_session_fail(s, OB_EPROTO, "a record out of place");
		return;
	}
	s->records.outgoing = true;
	s->state = OBI_SESSION_AUTH;
	obi_session_passed(s);
}

enum obi_handshake_progress obi_session_progress(const struct obi_session *s)
{
	if (s->auth.proved && !(s->state == OBI_SESSION_CONFIRMING && s->auth.repeated)) {
		return OBI_PROGRESS_PROVEN;
	}
	return s->auth.proved || s->auth.exchange != NULL ? OBI_PROGRESS_TALKING
							  : OBI_PROGRESS_NONE;
}

/* ---- The end ---- */

static void finish(struct obi_session *s, const struct ob_error *err)
{
	struct obi_pending call;
	if (s->state == OBI_SESSION_CLOSED) {
		return;
	}
	s->state = OBI_SESSION_CLOSED;
	/* Whoever hears of the end may free what the authentication was set up with, while we are
	 * still on the stack. */
	obi_handshake_end(&s->auth);
	struct ob_error lost = *err;
	lost.code = err->code == OB_ECLOSED ? OB_ECLOSED : OB_ECONNLOST;
	while (obi_pending_take_any(&s->pending, &call)) {
		call.fn(call.user, lost.code, NULL, &lost);
	}
	obi_calls_orphan(s);
	obi_batches_drop(s);
	s->setup.events.closed(s->setup.events.user, err);
}

void obi_session_fail(struct obi_session *s, int code, const char *format, ...)
{
	struct ob_error err;
	va_list args;
	va_start(args, format);
	obi_failv(&err, code, 0, format, args);
	va_end(args);
	finish(s, &err);
}

void obi_session_ended(struct obi_session *s, const struct ob_error *err)
{
	struct ob_error end;
	if (err != NULL) {
		end = *err;
	} else if (s->state != OBI_SESSION_OPEN) {
		obi_fail(&end, OB_EREFUSED, 0,
			 "the peer closed the connection before it was authenticated");
	} else if (obi_buf_len(&s->in) > 0) {
		obi_fail(&end, OB_ECONNLOST, 0, "the connection ended within a message");
	} else if (s->records.auth != NULL && !s->peer_bye) {
		obi_fail(&end, OB_ECONNLOST, 0, "the connection was cut: no goodbye came");
	} else {
		obi_fail(&end, OB_ECONNLOST, 0, "the peer closed the connection%s",
			 s->peer_bye ? " in good order" : "");
	}
	finish(s, &end);
}

void obi_session_bye(struct obi_session *s)
{
	if (s->state == OBI_SESSION_OPEN && s->peer_is_ours) {
		(void)obi_session_notify(s, ob_bytes_text("$/bye"), NULL, NULL);
	}
	s->said_bye = true;
}

bool obi_session_is_quiet(const struct obi_session *s)
{
	return s->pending.used == 0 && s->deferred_count == 0 && s->batches == NULL &&
	       !s->dispatching && obi_buf_len(&s->out) == 0;
}

void obi_session_close(struct obi_session *s, int code, const char *text)
{
	obi_session_bye(s);
	obi_session_fail(s, code, "%s", text);
}

void obi_session_free(struct obi_session *s)
{
	obi_session_fail(s, OB_ECLOSED, "closed");
	obi_handshake_end(&s->auth);
	obi_sealed_records_end(&s->records);
	obi_pending_free(&s->pending);
	obi_buf_free(&s->in);
	obi_buf_free(&s->out);
	obi_arena_free(&s->arena);
	if (s->spare != NULL) {
		obi_arena_free(&s->spare->arena);
		free(s->spare);
		s->spare = NULL;
	}
}

/* ---- Input ---- */

uint8_t *obi_session_room(struct obi_session *s, size_t *ret_room)
{
	size_t want = s->state == OBI_SESSION_OPEN ? READ_SIZE : READ_SIZE_PREAUTH;
	size_t have = obi_buf_len(&s->in);
	if (s->need > have && s->need - have > want) {
		want = s->need - have;
	}
	uint8_t *room = obi_buf_reserve(&s->in, want, ret_room);
	if (room == NULL) {
		obi_session_fail(s, OB_ENOMEM, "out of memory for what the peer sends");
	}
	return room;
}

static void handle(struct obi_session *s, struct ob_bytes bytes, bool more)
{
	struct ob_message m;
	struct ob_error err;
	m.size = sizeof m;
	err.text[0] = '\0'; /* all of it would be half a kilobyte a message */
	s->arena.budget = ARENA_CONSTANT + ARENA_PER_BYTE * bytes.len;
	int r = s->setup.codec->decode(bytes, &s->arena.ob, &s->codec_limits, &m, &err);
	if (r == OB_OK) {
		obi_session_dispatch(s, &m, more);
	} else {
		obi_session_fail(s, r, "%s",
				 err.text[0] != '\0' ? err.text
				 : r == OB_ENOMEM ? "a message whose content needs too much memory"
						  : "not a message of this protocol");
	}
	obi_arena_reset(&s->arena);
}

/* What may be looked at: of a sealed stream, the part that was opened. */
static struct ob_bytes readable(const struct obi_session *s)
{
	struct ob_bytes all = obi_buf_bytes(&s->in);
	return s->records.auth != NULL ? ob_bytes_of(all.data, s->records.opened) : all;
}

/*
 * Open the records that came; whether there were any. Before authentication they are no larger than
 * a message could be, and opened one by one, since what is right behind the last of those may be
 * larger.
 */
static bool open_records(struct obi_session *s)
{
	struct ob_error err;
	bool open = s->state == OBI_SESSION_OPEN;
	size_t max = open ? OBI_RECORD_MAX : s->setup.limits.preauth + s->records.ops->overhead;
	int count = obi_sealed_records_open(&s->records, &s->in, max, open ? INT_MAX : 1, &err);
	if (count < 0) {
		obi_session_fail(s, count, "%s", err.text);
	} else if (count > 0 && s->state == OBI_SESSION_CONFIRMING) {
		confirm(s);
	}
	return count > 0;
}

/* Whether there may be another message in the buffer. */
static bool goes_on(struct obi_session *s)
{
	while (s->records.auth != NULL && s->state != OBI_SESSION_CLOSED && open_records(s) &&
	       readable(s).len < s->need) {
	}
	return s->state != OBI_SESSION_CLOSED && readable(s).len >= s->need;
}

/* Handle the first message in the buffer. false: it is not whole yet, or the session ended. */
static bool handle_next(struct obi_session *s)
{
	struct ob_bytes bytes = readable(s);
	size_t len = 0;
	int r = s->setup.codec->scan(bytes, &s->scan, &s->codec_limits, &len);
	if (r == 0) {
		s->need = len > bytes.len ? len : bytes.len + 1;
		return false;
	}
	if (r < 0 || len > bytes.len) {
		obi_session_fail(s, r < 0 ? r : OB_EPROTO,
				 r == OB_ETOOBIG ? "a message over the limit of %u bytes"
						 : "bytes that are not of this protocol (limit %u)",
				 s->codec_limits.message);
		return false;
	}
	bool sealed = s->records.auth != NULL;
	handle(s, ob_bytes_of(bytes.data, len), obi_buf_len(&s->in) > len);
	if (sealed) {
		s->records.opened -= len;
	}
	obi_buf_consume(&s->in, len);
	s->scan.seen = 0;
	s->need = 1;
	return s->state != OBI_SESSION_CLOSED;
}

void obi_session_received(struct obi_session *s, size_t n, int64_t now)
{
	(void)now;
	ob_sink_commit(obi_buf_sink(&s->in), n);
	s->dispatching = true;
	while (goes_on(s) && handle_next(s)) {
	}
	s->dispatching = false;
}

/* ---- Output ---- */

int obi_session_send(struct obi_session *s, const struct ob_message *m, struct ob_error *reterr)
{
	size_t before = obi_buf_len(&s->out);
	if (before == 0 && s->records.outgoing && !obi_sealed_records_start(&s->out)) {
		obi_buf_truncate(&s->out, 0);
		return OB_ENOMEM;
	}
	size_t begin = obi_buf_len(&s->out);
	int r = s->setup.codec->encode(m, obi_buf_sink(&s->out), reterr);
	if (r == OB_OK && obi_buf_len(&s->out) - begin > s->setup.limits.message) {
		r = OB_ETOOBIG;
	}
	if (r < 0) {
		obi_buf_truncate(&s->out, before);
		return r;
	}
	if (before == 0) {
		s->setup.events.want_write(s->setup.events.user);
	}
	return OB_OK;
}

void obi_session_pieces(struct obi_session *s, struct obi_pieces *ret)
{
	struct ob_error err;
	ret->piece[0] = obi_buf_bytes(&s->out);
	ret->count = ret->piece[0].len > 0;
	if (!s->records.outgoing || ret->count == 0) {
		return;
	}
	int r = obi_sealed_records_seal(&s->records, &s->out, ret, &err);
	if (r < 0) {
		obi_session_fail(s, OB_ECONNLOST, "%s", err.text);
		ret->count = 0;
	}
}

struct ob_bytes obi_session_output(struct obi_session *s)
{
	struct obi_pieces pieces;
	obi_session_pieces(s, &pieces);
	return pieces.count > 0 ? pieces.piece[0] : ob_bytes_of(NULL, 0);
}

void obi_session_wrote(struct obi_session *s, size_t n)
{
	if (s->records.sealed > 0) {
		obi_sealed_records_wrote(&s->records, &s->out, n);
	} else {
		obi_buf_consume(&s->out, n);
	}
}

static int refuse_send(int r, struct ob_error *reterr, const struct obi_session *s)
{
	switch (r) {
	case OB_ETOOBIG:
		return obi_fail(reterr, r, 0, "the message is larger than the limit of %u bytes",
				s->setup.limits.message);
	case OB_ENOMEM:
		return obi_fail(reterr, OB_EAGAIN, 0, "too much is queued to the peer already");
	default:
		return obi_fail(reterr, r, 0, "the parameters cannot be encoded");
	}
}

/* Whether something of ours may be sent now. */
static int check_open(struct obi_session *s, const struct ob_value *params, struct ob_error *reterr)
{
	if (s->state != OBI_SESSION_OPEN || s->said_bye) {
		return obi_fail(reterr, OB_EDOWN, 0, "RPC not connected");
	}
	if (params != NULL && params->type != OB_ARRAY && params->type != OB_MAP &&
	    params->type != OB_NIL) {
		return obi_fail(reterr, OB_EINVAL, 0, "params must be an array or a map");
	}
	if (obi_buf_len(&s->out) >= s->setup.limits.queue) {
		return obi_fail(reterr, OB_EAGAIN, 0, "too much is queued to the peer already");
	}
	return OB_OK;
}

int obi_session_notify(struct obi_session *s, struct ob_bytes method, const struct ob_value *params,
		       struct ob_error *reterr)
{
	struct ob_message m = {.size = sizeof m, .kind = OB_NOTIFY, .method = method};
	int r = check_open(s, params, reterr);
	if (r < 0) {
		return r;
	}
	m.params = params != NULL ? *params : ob_nil();
	r = obi_session_send(s, &m, reterr);
	return r < 0 ? refuse_send(r, reterr, s) : OB_OK;
}

/* ---- Calls of ours ---- */

int obi_session_call(struct obi_session *s, struct ob_bytes method, const struct ob_value *params,
		     int64_t deadline, ob_reply_fn *fn, void *user, uint32_t *ret_id,
		     struct ob_error *reterr)
{
	struct ob_message m = {.size = sizeof m, .kind = OB_REQUEST, .method = method};
	int r = check_open(s, params, reterr);
	if (r < 0) {
		return r;
	}
	if (s->pending.used >= s->setup.limits.calls) {
		return obi_fail(reterr, OB_EAGAIN, 0, "%u calls are in flight already",
				s->pending.used);
	}
	bool sooner = deadline < s->pending.earliest;
	struct obi_pending *slot = obi_pending_add(&s->pending, deadline);
	if (slot == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	slot->fn = fn;
	slot->user = user;
	m.id.number = slot->id;
	m.params = params != NULL ? *params : ob_nil();
	r = obi_session_send(s, &m, reterr);
	if (r < 0) {
		slot->fn = NULL;
		s->pending.used--;
		return refuse_send(r, reterr, s);
	}
	if (ret_id != NULL) {
		*ret_id = m.id.number;
	}
	if (sooner) {
		s->setup.events.want_timer(s->setup.events.user);
	}
	return OB_OK;
}

/* Tell a peer that understands it that nobody waits any more. */
static void send_cancel(struct obi_session *s, uint32_t id)
{
	struct ob_value items[1] = {ob_int(id)};
	struct ob_value params = ob_array(items, 1);
	if (s->peer_is_ours && s->state == OBI_SESSION_OPEN) {
		(void)obi_session_notify(s, ob_bytes_text("$/cancel"), &params, NULL);
	}
}

void obi_session_cancel(struct obi_session *s, uint32_t id, int code)
{
	struct obi_pending call;
	struct ob_error err;
	if (!obi_pending_take(&s->pending, id, &call)) {
		return;
	}
	send_cancel(s, id);
	obi_fail(&err, code, 0, "the call was canceled");
	call.fn(call.user, code, NULL, &err);
}

bool obi_session_forget(struct obi_session *s, uint32_t id)
{
	struct obi_pending call;
	if (!obi_pending_take(&s->pending, id, &call)) {
		return false;
	}
	send_cancel(s, id);
	return true;
}

int64_t obi_session_deadline(const struct obi_session *s)
{
	return s->pending.used > 0 ? s->pending.earliest : INT64_MAX;
}

void obi_session_expire(struct obi_session *s, int64_t now)
{
	struct obi_pending call;
	struct ob_error err;
	while (obi_pending_take_due(&s->pending, now, &call)) {
		send_cancel(s, call.id);
		obi_fail(&err, OB_ETIMEDOUT, 0, "no reply in time");
		call.fn(call.user, OB_ETIMEDOUT, NULL, &err);
	}
}
