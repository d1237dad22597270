/* SPDX-License-Identifier: MIT */
/* The promises about the bytes of a stream, and about its end. */
#include "conformance/transport_trial.h"

#include <limits.h>
#include <stdlib.h>

enum { MEGABYTE = 1 << 20, FRAME = 8 * MEGABYTE, FLOOD_MAX = 64 * MEGABYTE };

/* The byte at this offset of the test data. */
static uint8_t byte_at(size_t place)
{
	return (uint8_t)((place * 131) ^ (place >> 13));
}

/* NULL: out of memory, and the trial was skipped. */
static uint8_t *make_frame(struct obi_trial *trial, size_t len)
{
	uint8_t *frame = malloc(len);
	if (frame == NULL) {
		OBI_SKIP(trial, "out of memory for the bytes to send");
	}
	for (size_t i = 0; frame != NULL && i < len; i++) {
		frame[i] = byte_at(i);
	}
	return frame;
}

static bool is_frame(const uint8_t *data, size_t place, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != byte_at(place + i)) {
			return false;
		}
	}
	return true;
}

/* ---- Pieces of every size ---- */

static void carries_single_bytes(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	if (!obi_trial_pair(trial, &client, &server)) {
		return;
	}
	for (size_t i = 0; i < 2000; i++) {
		uint8_t out = byte_at(i), in = 0;
		if (!obi_trial_write(trial, client, &out, 1) ||
		    !obi_trial_read(trial, server, &in, 1)) {
			return;
		}
		OBI_REQUIRE(trial, in == out, "byte %zu is different", i);
	}
}

/* Wait until `to` has something to read or, while there is more to write, until `from` has room
 * again. On some transports the writer learns late that the receiver has read, and an empty
 * receiver then waits for bytes that could not be written yet. */
static bool await_progress(struct obi_trial *trial, struct ob_stream *from, struct ob_stream *to,
			   bool more)
{
	struct pollfd wait[2] = {obi_trial_watch(trial, to, OB_READABLE),
				 obi_trial_watch(trial, from, OB_WRITABLE)};
	return obi_trial_pending(trial, to)
		   ? obi_trial_goes_on(trial)
		   : obi_trial_await(trial, wait, more ? 2 : 1,
				     "no progress: one end cannot read, the other cannot write");
}

static bool give_some(struct obi_trial *trial, struct ob_stream *from, const uint8_t *frame,
		      size_t *sent)
{
	struct ob_error err = {.text = ""};
	struct iovec out = {(void *)(uintptr_t)(frame + *sent), FRAME - *sent};
	ptrdiff_t n = *sent < FRAME ? trial->ops->writev(from, &out, 1, &err) : OB_EAGAIN;
	if (n == 0 || (n < 0 && n != OB_EAGAIN)) {
		return OBI_FAIL(trial, "writev after %zu bytes: %td: %s", *sent, n, err.text);
	}
	*sent += n > 0 ? (size_t)n : 0;
	return true;
}

static bool take_some(struct obi_trial *trial, struct ob_stream *to, size_t *got)
{
	static uint8_t chunk[65536];
	struct ob_error err = {.text = ""};
	struct iovec in = {chunk, sizeof chunk};
	ptrdiff_t n = trial->ops->readv(to, &in, 1, &err);
	if (n == 0 || (n < 0 && n != OB_EAGAIN)) {
		return OBI_FAIL(trial, "readv after %zu bytes: %td: %s", *got, n, err.text);
	}
	if (n > 0 && !is_frame(chunk, *got, (size_t)n)) {
		return OBI_FAIL(trial, "the bytes after %zu are different", *got);
	}
	*got += n > 0 ? (size_t)n : 0;
	return true;
}

/* Write all that fits and read what arrived, by turns, until a frame larger than any buffer has
 * crossed. */
static bool pump(struct obi_trial *trial, struct ob_stream *from, struct ob_stream *to,
		 const uint8_t *frame)
{
	size_t sent = 0, got = 0;
	while (got < FRAME) {
		size_t before = sent + got;
		if (!give_some(trial, from, frame, &sent) || !take_some(trial, to, &got)) {
			return false;
		}
		if (sent + got > before) {
			obi_trial_moved(trial);
		} else if (!await_progress(trial, from, to, sent < FRAME)) {
			return false;
		}
	}
	return true;
}

static void carries_a_frame_larger_than_every_buffer(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	uint8_t *frame = make_frame(trial, FRAME);
	if (frame != NULL && obi_trial_pair(trial, &client, &server)) {
		(void)(pump(trial, client, server, frame) && pump(trial, server, client, frame));
	}
	free(frame);
}

static void gathers_and_scatters(struct obi_trial *trial)
{
	enum { PIECES = IOV_MAX + 100 };
	struct ob_stream *client, *server;
	struct ob_error err = {.text = ""};
	static struct iovec pieces[PIECES];
	uint8_t out[PIECES], in[PIECES] = {0};
	if (!obi_trial_pair(trial, &client, &server)) {
		return;
	}
	for (size_t i = 0; i < PIECES; i++) {
		out[i] = byte_at(i);
		pieces[i] = (struct iovec){&out[i], i % 3 == 1 ? 0 : 1}; /* some of them empty */
	}
	ptrdiff_t n = trial->ops->writev(client, pieces, PIECES, &err);
	OBI_REQUIRE(trial, n > 0, "writev of more than IOV_MAX pieces: %td: %s", n, err.text);
	if (!obi_trial_read(trial, server, in, (size_t)n)) {
		return;
	}
	for (size_t i = 0, got = 0; got < (size_t)n; i++) {
		OBI_REQUIRE(trial, i % 3 == 1 || in[got] == out[i], "piece %zu is different", i);
		got += i % 3 != 1;
	}
	struct iovec two[] = {{in, 3}, {in + 100, 50}};
	if (!obi_trial_write(trial, server, "abcdef", 6) ||
	    !obi_trial_wait_stream(trial, client, OB_READABLE)) {
		return;
	}
	n = trial->ops->readv(client, two, 2, &err);
	OBI_REQUIRE(trial, n > 0 && memcmp(in, "abc", n < 3 ? (size_t)n : 3) == 0,
		    "readv into two pieces: %td", n);
	OBI_REQUIRE(trial, n <= 3 || memcmp(in + 100, "def", (size_t)n - 3) == 0,
		    "readv into a second piece");
}

static void keeps_connections_apart(struct obi_trial *trial)
{
	struct ob_stream *a, *b, *a_server, *b_server;
	char word[4];
	if (obi_trial_is_single(trial)) {
		OBI_SKIP(trial, "it has one connection at a time");
		return;
	}
	if (!obi_trial_pair(trial, &a, &a_server) || !obi_trial_connect(trial, &b, &b_server) ||
	    !obi_trial_write(trial, b, "bbbb", 4) || !obi_trial_write(trial, a, "aaaa", 4) ||
	    !obi_trial_read(trial, a_server, word, 4)) {
		return;
	}
	OBI_REQUIRE(trial, memcmp(word, "aaaa", 4) == 0,
		    "the bytes of one connection arrived on the other");
}

/* ---- Waiting ---- */

static void waits_for_something_to_read(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	char byte;
	struct iovec piece = {&byte, 1};
	if (!obi_trial_pair(trial, &client, &server)) {
		return;
	}
	ptrdiff_t n = trial->ops->readv(server, &piece, 1, NULL);
	OBI_REQUIRE(trial, n == OB_EAGAIN, "readv with nothing to read: %td instead of OB_EAGAIN",
		    n);
}

/* Write until OB_EAGAIN. Returns the number of bytes written. */
static size_t flood(struct obi_trial *trial, struct ob_stream *stream, const uint8_t *chunk)
{
	size_t sent = 0;
	for (;;) {
		struct iovec piece = {(void *)(uintptr_t)chunk, MEGABYTE};
		ptrdiff_t n = trial->ops->writev(stream, &piece, 1, NULL);
		if (n <= 0) {
			return n == OB_EAGAIN ? sent : FLOOD_MAX;
		}
		sent += (size_t)n;
		if (sent >= FLOOD_MAX) {
			return sent;
		}
	}
}

static bool drain(struct obi_trial *trial, struct ob_stream *stream, size_t len)
{
	static uint8_t chunk[65536];
	while (len > 0) {
		size_t some = len < sizeof chunk ? len : sizeof chunk;
		if (!obi_trial_read(trial, stream, chunk, some)) {
			return false;
		}
		len -= some;
	}
	return true;
}

static void holds_back_for_a_slow_peer(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	uint8_t *chunk = make_frame(trial, MEGABYTE);
	if (chunk == NULL || !obi_trial_pair(trial, &client, &server)) {
		free(chunk);
		return;
	}
	for (int i = 0; i < 2 && OBI_PASSED(trial); i++) {
		size_t sent = flood(trial, client, chunk);
		if (sent == 0 || sent >= FLOOD_MAX) {
			OBI_FAIL(trial,
				 "a peer that does not read: writev accepted %zu bytes without "
				 "OB_EAGAIN",
				 sent);
		} else if (drain(trial, server, sent)) {
			(void)obi_trial_wait_stream(trial, client, OB_WRITABLE);
		}
	}
	free(chunk);
}

/* ---- Ends ---- */

static void half_closes(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	char word[8];
	if (!obi_trial_pair(trial, &client, &server) ||
	    !obi_trial_write(trial, client, "question", 8) || !obi_trial_announce(trial, client)) {
		return;
	}
	if (!obi_trial_read(trial, server, word, 8) || !obi_trial_expect_end(trial, server) ||
	    !obi_trial_write(trial, server, "answer", 6) ||
	    !obi_trial_read(trial, client, word, 6)) {
		return;
	}
	OBI_REQUIRE(trial, memcmp(word, "answer", 6) == 0,
		    "the bytes after the half-close are different");
	(void)(obi_trial_depart(trial, server) && obi_trial_expect_end(trial, client));
}

static void delivers_what_was_written_before_the_close(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	char word[8];
	if (obi_trial_pair(trial, &client, &server) &&
	    obi_trial_write(trial, server, "farewell", 8) && obi_trial_depart(trial, server)) {
		(void)(obi_trial_read(trial, client, word, 8) &&
		       obi_trial_expect_end(trial, client));
	}
}

/* The peer closes with our bytes unread: writing must fail in the end, and raise no signal. */
static void says_when_the_peer_dies_in_a_write(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	struct ob_error err = {.text = ""};
	uint8_t *chunk = make_frame(trial, MEGABYTE);
	if (chunk != NULL && obi_trial_pair(trial, &client, &server)) {
		(void)flood(trial, client, chunk);
		obi_trial_close(trial, server);
		ptrdiff_t n = OB_EAGAIN;
		size_t sent = 0;
		while ((n == OB_EAGAIN || n > 0) && sent < FLOOD_MAX && OBI_PASSED(trial)) {
			struct iovec piece = {chunk, MEGABYTE};
			n = trial->ops->writev(client, &piece, 1, &err);
			if (n > 0) {
				sent += (size_t)n;
				obi_trial_moved(trial);
			} else if (n == OB_EAGAIN) {
				(void)obi_trial_wait_stream(trial, client, OB_WRITABLE);
			}
		}
		if (n != OB_ECONNLOST) {
			OBI_FAIL(trial, "writev to a dead peer: %td (%s) instead of OB_ECONNLOST",
				 n, err.text);
		}
	}
	free(chunk);
}

static void ends_reading_when_the_peer_dies(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	char byte;
	struct iovec piece = {&byte, 1};
	ptrdiff_t n;
	if (!obi_trial_pair(trial, &client, &server) ||
	    !obi_trial_write(trial, client, "unread", 6) ||
	    !obi_trial_wait_stream(trial, server, OB_READABLE)) {
		return;
	}
	obi_trial_close(trial, server);
	while ((n = trial->ops->readv(client, &piece, 1, NULL)) == OB_EAGAIN) {
		if (!obi_trial_wait_stream(trial, client, OB_READABLE)) {
			return;
		}
	}
	OBI_REQUIRE(trial, n == 0 || n == OB_ECONNLOST, "readv from a dead peer: %td", n);
}

const struct obi_promise obi_promises_of_bytes[] = {
    {"carries single bytes", carries_single_bytes},
    {"carries a frame larger than any buffer", carries_a_frame_larger_than_every_buffer},
    {"gathers and scatters pieces", gathers_and_scatters},
    {"keeps connections apart", keeps_connections_apart},
    {"waits for something to read", waits_for_something_to_read},
    {"returns OB_EAGAIN when the peer does not read", holds_back_for_a_slow_peer},
    {"half-closes", half_closes},
    {"delivers bytes written before the close", delivers_what_was_written_before_the_close},
    {"reports the death of the peer during a write", says_when_the_peer_dies_in_a_write},
    {"ends reading when the peer dies", ends_reading_when_the_peer_dies},
    {NULL, NULL},
};
