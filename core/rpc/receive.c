/* SPDX-License-Identifier: MIT */
#include "rpc/receive.h"

#include <limits.h>

#include "base/error.h"
#include "rpc/authentication.h"
#include "rpc/dispatch.h"

/* ARENA_CONSTANT: memory that decoding a message may take beside OBI_VALUE_PER_BYTE for each of its
 * bytes. */
enum { ARENA_CONSTANT = 1 << 20, READ_SIZE_PREAUTH = 4096 };

uint8_t *obi_receive_room(struct obi_session *s, size_t *ret_room)
{
	size_t want = s->state == OBI_SESSION_OPEN ? OBI_READ_SIZE : READ_SIZE_PREAUTH;
	size_t have = obi_buf_len(&s->in);
	/* Room for a read beside what is known to come, so that its end does not need new memory.
	 */
	if (s->need > have && s->need - have > want) {
		want += s->need - have;
	}
	uint8_t *room = obi_buf_reserve(&s->in, want, ret_room);
	if (room == NULL && s->in.starved) { /* then as much as there is */
		obi_buf_truncate(&s->in, have);
		room = obi_buf_reserve(&s->in, 1, ret_room);
	}
	if (room == NULL) {
		obi_session_fail(s, OB_ENOMEM, "out of memory for data from the peer");
	}
	return room;
}

/* The message was handled: remove it from the input, unless a call takes it over with the buffer.
 */
static void remove_message(struct obi_session *s, size_t len, bool sealed)
{
	bool taken = s->calls.taker != NULL;
	if (obi_calls_hand_over(&s->calls) < 0) {
		obi_session_fail(s, OB_ENOMEM, "out of memory for data from the peer");
	}
	if (!taken) {
		obi_arena_reset(&s->arena);
		obi_buf_consume(&s->in, len);
	}
	if (sealed && s->state != OBI_SESSION_CLOSED) {
		s->records.opened -= len;
	}
}

/* The memory that the tree of n bytes may take. */
static void set_budget(struct obi_session *s, size_t n)
{
	s->arena.budget = ARENA_CONSTANT + OBI_VALUE_PER_BYTE * n;
}

static bool decode(struct obi_session *s, struct ob_bytes bytes, struct ob_message *ret)
{
	struct ob_error err;
	err.text[0] = '\0'; /* clearing all of it costs half a kilobyte a message */
	set_budget(s, bytes.len);
	int r = s->setup.codec->decode(bytes, &s->arena.ob, &s->codec_params, ret, &err);
	if (r != OB_OK) {
		obi_session_fail(s, r, "%s",
				 err.text[0] != '\0' ? err.text
				 : r == OB_ENOMEM
				     ? "the peer sent a message that needs too much memory"
				     : "the peer sent an invalid message");
	}
	return r == OB_OK;
}

/* The bytes that may be scanned: of a sealed stream, the part that was opened. */
static struct ob_bytes readable(const struct obi_session *s)
{
	struct ob_bytes all = obi_buf_bytes(&s->in);
	return s->records.auth != NULL ? ob_bytes_of(all.data, s->records.opened) : all;
}

/*
 * Open the records that arrived. Returns whether there were any. Before authentication a record may
 * be no larger than a message, and records are opened one by one, because the records behind the
 * last one of the authentication may be larger.
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
		obi_authentication_confirm(s);
	}
	return count > 0;
}

/* Whether there may be another message in the buffer. */
static bool goes_on(struct obi_session *s)
{
	if (s->held) {
		return false;
	}
	while (s->records.auth != NULL && s->state != OBI_SESSION_CLOSED && open_records(s) &&
	       readable(s).len < s->need) {
	}
	return s->state != OBI_SESSION_CLOSED && readable(s).len >= s->need;
}

static void refuse(struct obi_session *s, int code)
{
	bool open = s->state == OBI_SESSION_OPEN;
	if (code == OB_ETOOBIG) {
		obi_session_fail(s, code, "the peer sent a message that is larger than %s (%u)",
				 open ? "message_max" : "it may be before authentication",
				 s->codec_params.message);
	} else {
		obi_session_fail(s, code, "the peer sent bytes that are not a message");
	}
}

/* Find and decode the first message in one pass, if the codec can. It is tried once for each
 * message: of one that was not complete then, scan() knows how far it came. */
static bool read_at_once(struct obi_session *s, struct ob_bytes bytes, struct ob_message *ret,
			 size_t *ret_len)
{
	const struct ob_codec_ops *codec = s->setup.codec;
	size_t max = s->codec_params.message;
	if (codec->read == NULL || s->scan.seen > 0) {
		return false;
	}
	set_budget(s, bytes.len < max ? bytes.len : max);
	int r = codec->read(bytes, &s->arena.ob, &s->codec_params, ret, ret_len);
	if (r == 1 && *ret_len <= bytes.len && *ret_len <= max) {
		return true;
	}
	obi_arena_reset(&s->arena);
	return false;
}

/* Find the first message. Returns false if it is not complete, or refused. */
static bool find(struct obi_session *s, struct ob_bytes bytes, size_t *ret_len)
{
	int r = s->setup.codec->scan(bytes, &s->scan, &s->codec_params, ret_len);
	if (r == 0) {
		s->need = *ret_len > bytes.len ? *ret_len : bytes.len + 1;
		return false;
	}
	if (r < 0 || *ret_len > bytes.len) {
		refuse(s, r < 0 ? r : OB_EPROTO);
		return false;
	}
	return true;
}

/* Handle the first message in the buffer. false: it is not complete, or the session ended. */
static bool handle_next(struct obi_session *s)
{
	struct ob_bytes bytes = readable(s);
	struct ob_message m;
	size_t len = 0;
	m.size = sizeof m;
	bool decoded = read_at_once(s, bytes, &m, &len);
	if (!decoded && !find(s, bytes, &len)) {
		return false;
	}
	bool sealed = s->records.auth != NULL; /* the message may change that */
	s->calls.message = len;
	if (decoded || decode(s, ob_bytes_of(bytes.data, len), &m)) {
		obi_dispatch(s, &m, obi_buf_len(&s->in) > len);
	}
	remove_message(s, len, sealed);
	s->scan.seen = 0;
	s->need = 1;
	return s->state != OBI_SESSION_CLOSED;
}

void obi_receive(struct obi_session *s, size_t n)
{
	ob_sink_commit(obi_buf_sink(&s->in), n);
	s->receiving = true;
	while (goes_on(s) && handle_next(s)) {
	}
	s->receiving = false;
}
