/* SPDX-License-Identifier: MIT */
/* The streams of hello.c: their handshake and their records. */
#ifndef OB_TESTS_PLUGINS_HELLO_STREAM_H
#define OB_TESTS_PLUGINS_HELLO_STREAM_H

#include <outboard/transport.h>

#include <stdlib.h>

enum {
	NONCE = 16,
	GREETING = 4 + NONCE + 1, /* without the subject */
	HEADER = 3,
	CHUNK = 4096, /* of data in one record */
	NARROW = 1000,
	ROOM = 3 * CHUNK,
	FLIP = 0x5a
};

struct settings {
	struct ob_bytes subject, require, binding, step;
	char text[4][64];
	bool late, narrow;
	int64_t ask_every, end_again;
};

struct queue {
	uint8_t data[ROOM];
	size_t start, end;
};

struct ob_stream {
	const struct ob_host *host;
	const struct settings *settings;
	const struct ob_transport_ops *inner;
	struct ob_stream *under;
	bool dialer, greeted, met, done; /* done: the handshake */
	uint8_t nonce[2][NONCE];	 /* of the dialer, of the acceptor */
	char subject[256];		 /* of the peer */
	size_t subject_len;
	struct queue in, out;
	size_t taken;		/* bytes of the handshake */
	size_t left;		/* of the record that is being read */
	uint8_t offered[CHUNK]; /* the data of the record that waits to be sent */
	size_t plain;		/* their length; 0: none waits */
	int64_t records, ends;
	bool owes, cut, ended, said_end, rested;
};

/* ---- Bytes below ---- */

static size_t length(const struct queue *q)
{
	return q->end - q->start;
}

static void put(struct queue *q, const void *data, size_t len)
{
	if (len > ROOM - q->end) {
		memmove(q->data, q->data + q->start, length(q));
		q->end = length(q);
		q->start = 0;
	}
	if (len > ROOM - q->end) {
		abort(); /* the caller knows how much there can be */
	}
	if (len > 0) {
		memcpy(q->data + q->end, data, len);
	}
	q->end += len;
}

/* Read once. Returns what the transport below returns. */
static ptrdiff_t fill(struct ob_stream *s, struct ob_error *reterr)
{
	struct queue *q = &s->in;
	memmove(q->data, q->data + q->start, length(q));
	q->end = length(q);
	q->start = 0;
	struct iovec piece = {q->data + q->end, ROOM - q->end};
	ptrdiff_t n = s->inner->readv(s->under, &piece, 1, reterr);
	q->end += n > 0 ? (size_t)n : 0;
	s->cut = s->cut || n == 0;
	return n;
}

/* Write what waits. OB_OK, OB_EAGAIN or a failure. */
static int flush(struct ob_stream *s, struct ob_error *reterr)
{
	while (length(&s->out) > 0) {
		struct iovec piece = {s->out.data + s->out.start, length(&s->out)};
		if (s->settings->narrow) {
			s->rested = !s->rested;
			piece.iov_len = piece.iov_len < NARROW ? piece.iov_len : NARROW;
			if (s->rested) {
				return OB_EAGAIN;
			}
		}
		ptrdiff_t n = s->inner->writev(s->under, &piece, 1, reterr);
		if (n <= 0) {
			return n == 0 ? OB_EIO : (int)n;
		}
		s->out.start += (size_t)n;
	}
	s->owes = false;
	return OB_OK;
}

/* ---- The handshake ---- */

static void greet(struct ob_stream *s)
{
	uint8_t len = (uint8_t)s->settings->subject.len;
	put(&s->out, "HELO", 4);
	put(&s->out, s->nonce[!s->dialer], NONCE);
	put(&s->out, &len, 1);
	put(&s->out, s->settings->subject.data, len);
	s->greeted = true;
}

static int refuse(struct ob_stream *s, struct ob_error *reterr)
{
	put(&s->out, "NOPE", 4);
	(void)flush(s, NULL);
	return s->host->fail(reterr, OB_EAUTH, 0, "hello: the peer is \"%.*s\", not \"%.*s\"",
			     (int)s->subject_len, s->subject, (int)s->settings->require.len,
			     (const char *)s->settings->require.data);
}

/* The greeting of the peer, if all of it has arrived. */
static int meet(struct ob_stream *s, struct ob_error *reterr)
{
	const uint8_t *at = s->in.data + s->in.start;
	size_t have = length(&s->in), mark = have < 4 ? have : 4;
	if (have >= 4 && memcmp(at, "NOPE", 4) == 0) {
		return s->host->fail(reterr, OB_EAUTH, 0, "hello: the peer refused");
	}
	if (memcmp(at, "HELO", mark) != 0 && memcmp(at, "NOPE", mark) != 0) {
		return s->host->fail(reterr, OB_EPROTO, 0, "hello: that is no greeting");
	}
	if (have < GREETING || have < GREETING + (size_t)at[GREETING - 1]) {
		return have > 0 ? OB_HANDSHAKE_TALKING : OB_HANDSHAKE_SILENT;
	}
	memcpy(s->nonce[s->dialer], at + 4, NONCE);
	s->subject_len = at[GREETING - 1];
	memcpy(s->subject, at + GREETING, s->subject_len);
	s->in.start += GREETING + s->subject_len;
	if (s->settings->require.len > 0 &&
	    !ob_bytes_equal(s->settings->require, ob_bytes_of(s->subject, s->subject_len))) {
		return refuse(s, reterr);
	}
	s->met = true;
	put(&s->out, "DONE", s->dialer ? 4 : 0);
	s->done = s->dialer;
	return OB_HANDSHAKE_PROVEN;
}

static int say_late(struct ob_stream *s, struct ob_error *reterr)
{
	static const uint8_t no[HEADER] = {'R', 0, 0};
	put(&s->out, no, sizeof no);
	(void)flush(s, NULL);
	return s->host->fail(reterr, OB_EAUTH, 0, "hello: refused late");
}

/* The acceptor waits for the last word. */
static int conclude(struct ob_stream *s, struct ob_error *reterr)
{
	if (length(&s->in) < 4) {
		return OB_HANDSHAKE_PROVEN;
	}
	if (memcmp(s->in.data + s->in.start, "NOPE", 4) == 0) {
		return s->host->fail(reterr, OB_EAUTH, 0, "hello: the peer refused");
	}
	if (memcmp(s->in.data + s->in.start, "DONE", 4) != 0) {
		return s->host->fail(reterr, OB_EPROTO, 0, "hello: that is no last word");
	}
	s->in.start += 4;
	s->done = true;
	return s->settings->late ? say_late(s, reterr) : OB_HANDSHAKE_PROVEN;
}

static int listen_to(struct ob_stream *s, struct ob_error *reterr)
{
	int state = s->met ? OB_HANDSHAKE_PROVEN : OB_HANDSHAKE_SILENT;
	ptrdiff_t n = s->done ? OB_EAGAIN : fill(s, reterr);
	if (n == 0) {
		return s->host->fail(reterr, OB_EREFUSED, 0, "hello: the peer left");
	}
	if (n < 0 && n != OB_EAGAIN) {
		return (int)n;
	}
	if (!s->met) {
		state = meet(s, reterr);
	}
	return state == OB_HANDSHAKE_PROVEN && !s->done ? conclude(s, reterr) : state;
}

static int handshake(struct ob_stream *s, int revents, struct ob_want *ret_want,
		     struct ob_error *reterr)
{
	(void)revents;
	if (ob_bytes_is(s->settings->step, "unknown")) {
		return OB_HANDSHAKE_PROVEN + 1;
	}
	if (ob_bytes_is(s->settings->step, "idle")) {
		return OB_HANDSHAKE_SILENT;
	}
	bool mute = ob_bytes_is(s->settings->step, "mute");
	if (s->dialer && !s->greeted && !mute) {
		greet(s);
	}
	int state = listen_to(s, reterr);
	if (state < 0) {
		return state;
	}
	if (s->met && !s->greeted && !mute) {
		greet(s);
	}
	int sent = flush(s, reterr);
	if (sent < 0 && sent != OB_EAGAIN) {
		return sent;
	}
	if (s->done && sent == OB_OK) {
		return OB_HANDSHAKE_DONE;
	}
	*ret_want =
	    (struct ob_want){.fd = s->inner->fd(s->under),
			     .events = (s->done ? 0 : OB_READABLE) | (sent < 0 ? OB_WRITABLE : 0),
			     .deadline = -1};
	return state;
}

static int binding(struct ob_stream *s, struct ob_sink *out)
{
	bool no = ob_bytes_is(s->settings->binding, "none");
	bool less = ob_bytes_is(s->settings->binding, "short");
	return !no && ob_sink_put(out, s->nonce, less ? OB_BINDING_MIN - 1 : sizeof s->nonce)
		   ? OB_OK
		   : OB_EIO;
}

/* ---- Records ---- */

static void put_record(struct ob_stream *s, char type, const uint8_t *data, size_t len)
{
	const uint8_t header[HEADER] = {(uint8_t)type, (uint8_t)(len >> 8), (uint8_t)len};
	put(&s->out, header, HEADER);
	put(&s->out, data, len);
	for (size_t i = s->out.end - len; i < s->out.end; i++) {
		s->out.data[i] ^= FLIP;
	}
}

/* Whether readv() can return something without reading from below. */
static bool has_something(const struct ob_stream *s)
{
	return !s->owes && (s->ended || s->cut || length(&s->in) >= (s->left > 0 ? 1 : HEADER));
}

static bool pending(struct ob_stream *s)
{
	return has_something(s);
}

/* Who owes an answer must write before it reads. */
static int want(struct ob_stream *s, int events)
{
	if (s->owes) {
		return OB_WRITABLE;
	}
	return events | (length(&s->out) > 0 ? OB_WRITABLE : 0);
}

static int begin_record(struct ob_stream *s, struct ob_error *reterr)
{
	const uint8_t *header = s->in.data + s->in.start;
	s->in.start += HEADER;
	switch (header[0]) {
	case 'D':
		s->left = (size_t)(header[1] << 8 | header[2]);
		return OB_OK;
	case 'E':
		s->ended = true;
		return OB_OK;
	case 'P':
		s->owes = true;
		put_record(s, 'O', NULL, 0);
		return OB_OK;
	case 'O':
		return OB_OK;
	case 'R':
		return s->host->fail(reterr, OB_EAUTH, 0, "hello: the peer refused late");
	default:
		return s->host->fail(reterr, OB_EPROTO, 0, "hello: that is no record");
	}
}

/* At most the rest of the record. */
static ptrdiff_t take(struct ob_stream *s, const struct iovec *pieces, int count)
{
	size_t most = length(&s->in) < s->left ? length(&s->in) : s->left, got = 0;
	for (int i = 0; i < count && got < most; i++) {
		uint8_t *to = pieces[i].iov_base;
		for (size_t k = 0; k < pieces[i].iov_len && got < most; k++, got++) {
			to[k] = s->in.data[s->in.start + got] ^ FLIP;
		}
	}
	s->in.start += got;
	s->left -= got;
	return (ptrdiff_t)got;
}

static ptrdiff_t hello_readv(struct ob_stream *s, const struct iovec *pieces, int count,
			     struct ob_error *reterr)
{
	for (bool filled = false;;) {
		int sent = s->owes ? flush(s, reterr) : OB_OK;
		if (sent < 0) {
			return sent;
		}
		if (s->ended) {
			return 0;
		}
		if (s->left > 0 && length(&s->in) > 0) {
			return take(s, pieces, count);
		}
		if (s->left == 0 && length(&s->in) >= HEADER) {
			int r = begin_record(s, reterr);
			if (r < 0) {
				return r;
			}
			continue;
		}
		if (s->cut) {
			return s->host->fail(reterr, OB_ECONNLOST, 0, "hello: cut");
		}
		if (filled) {
			return OB_EAGAIN;
		}
		ptrdiff_t n = fill(s, reterr);
		if (n < 0) {
			return n;
		}
		filled = true;
	}
}

static size_t gather(uint8_t *to, size_t most, const struct iovec *pieces, int count)
{
	size_t got = 0;
	for (int i = 0; i < count && got < most; i++) {
		size_t len = pieces[i].iov_len < most - got ? pieces[i].iov_len : most - got;
		memcpy(to + got, pieces[i].iov_base, len);
		got += len;
	}
	return got;
}

/* The record that waits must be offered again, whatever else is. */
static bool is_the_same(const struct ob_stream *s, const struct iovec *pieces, int count)
{
	uint8_t again[CHUNK];
	return gather(again, s->plain, pieces, count) == s->plain &&
	       memcmp(again, s->offered, s->plain) == 0;
}

static ptrdiff_t hello_writev(struct ob_stream *s, const struct iovec *pieces, int count,
			      struct ob_error *reterr)
{
	if (s->plain > 0 && !is_the_same(s, pieces, count)) {
		return s->host->fail(reterr, OB_EIO, 0, "hello: other bytes after OB_EAGAIN");
	}
	if (s->plain == 0) {
		int before = flush(s, reterr);
		if (before < 0) {
			return before;
		}
		s->records++;
		if (s->settings->ask_every > 0 && s->records % s->settings->ask_every == 0) {
			put_record(s, 'P', NULL, 0);
		}
		s->plain = gather(s->offered, CHUNK, pieces, count);
		put_record(s, 'D', s->offered, s->plain);
	}
	int sent = flush(s, reterr);
	if (sent < 0) {
		return sent;
	}
	size_t n = s->plain;
	s->plain = 0;
	return (ptrdiff_t)n;
}

static int hello_shutdown_write(struct ob_stream *s, struct ob_error *reterr)
{
	if (s->ends++ < s->settings->end_again) {
		return OB_EAGAIN;
	}
	if (!s->said_end) {
		put_record(s, 'E', NULL, 0);
		s->said_end = true;
	}
	int sent = flush(s, reterr);
	return sent < 0 ? sent : s->inner->shutdown_write(s->under, reterr);
}

static int hello_fd(struct ob_stream *s)
{
	return s->inner->fd(s->under);
}

static int hello_peer(struct ob_stream *s, struct ob_peer *ret, struct ob_error *reterr)
{
	int r = s->inner->peer != NULL ? s->inner->peer(s->under, ret, reterr) : OB_OK;
	if (r == OB_OK && s->done && s->subject_len > 0 && OB_HAS(ret, subject)) {
		ret->known |= OB_PEER_SUBJECT;
		ret->subject = ob_bytes_of(s->subject, s->subject_len);
	}
	return r;
}

#endif
