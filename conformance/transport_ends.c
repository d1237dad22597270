/* SPDX-License-Identifier: MIT */
/* The promises about what a stream holds back, and about ends and cuts. */
#include "conformance/transport_trial.h"

#include <sys/socket.h>

enum {
	HELD = 8192,   /* bytes that a transport may read at once */
	SOME = 7,      /* of them at a time */
	REST_MS = 20,  /* so long nothing happens: it rests */
	ROUNDS = 100,  /* until then */
	LAST = 1 << 10 /* bytes of a write */
};

/* As the core reads: once after each event. */
static bool read_after_events(struct obi_trial *trial, struct ob_stream *stream, size_t len)
{
	uint8_t some[SOME];
	struct iovec piece = {some, sizeof some};
	struct ob_error err = {.text = ""};
	while (len > 0) {
		if (!obi_trial_wait_stream(trial, stream, OB_READABLE)) {
			return false;
		}
		ptrdiff_t n = trial->ops->readv(stream, &piece, 1, &err);
		if (n == 0 || (n < 0 && n != OB_EAGAIN)) {
			return OBI_FAIL(trial, "readv: %td: %s", n, err.text);
		}
		if (n > 0) {
			obi_trial_moved(trial);
			len -= (size_t)n < len ? (size_t)n : len;
		}
	}
	return true;
}

static void announces_what_it_holds(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	uint8_t bytes[HELD] = {0};
	(void)(obi_trial_pair(trial, &client, &server) &&
	       obi_trial_write(trial, client, bytes, sizeof bytes) &&
	       read_after_events(trial, server, sizeof bytes) &&
	       obi_trial_write(trial, server, bytes, sizeof bytes) &&
	       read_after_events(trial, client, sizeof bytes));
}

/* A stream with nothing to read must not be ready: the loop would spin. */
static bool comes_to_rest(struct obi_trial *trial, struct ob_stream *stream)
{
	uint8_t byte;
	struct iovec piece = {&byte, 1};
	for (int i = 0; i < ROUNDS; i++) {
		struct pollfd wait = obi_trial_watch(trial, stream, OB_READABLE);
		bool held = obi_trial_pending(trial, stream);
		int64_t end = trial->it->host->now_ms() + REST_MS;
		if (!held && obi_trial_poll(trial, &wait, 1, end) <= 0) {
			return true;
		}
		ptrdiff_t n = trial->ops->readv(stream, &piece, 1, NULL);
		if (n != OB_EAGAIN) {
			return OBI_FAIL(trial, "readv with nothing to read: %td", n);
		}
	}
	return OBI_FAIL(trial, "an idle stream is always ready, or always has something pending");
}

static void rests_when_it_is_idle(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	char word[4];
	(void)(obi_trial_pair(trial, &client, &server) &&
	       obi_trial_write(trial, client, "ping", 4) &&
	       obi_trial_read(trial, server, word, 4) && comes_to_rest(trial, server) &&
	       comes_to_rest(trial, client));
}

/* ---- Ends ---- */

/* Write until no more is taken. What was begun must be offered again: *ret_owed. */
static size_t fill(struct obi_trial *trial, struct ob_stream *stream, const uint8_t *bytes,
		   bool *ret_owed)
{
	struct iovec piece = {(void *)(uintptr_t)bytes, LAST};
	size_t sent = 0;
	ptrdiff_t n;
	while ((n = trial->ops->writev(stream, &piece, 1, NULL)) > 0 && sent < (64U << 20)) {
		sent += (size_t)n;
	}
	*ret_owed = n == OB_EAGAIN;
	return sent;
}

/* Read all there is at once. Returns how much; *ret_end: the end was reached. */
static size_t take(struct obi_trial *trial, struct ob_stream *stream, bool *ret_end)
{
	static uint8_t chunk[65536];
	struct iovec piece = {chunk, sizeof chunk};
	size_t got = 0;
	ptrdiff_t n;
	while ((n = trial->ops->readv(stream, &piece, 1, NULL)) > 0) {
		got += (size_t)n;
		obi_trial_moved(trial);
	}
	*ret_end = n == 0;
	if (n < 0 && n != OB_EAGAIN) {
		OBI_FAIL(trial, "readv before the announced end: %td", n);
	}
	return got;
}

/* The last write has to wait for the reader, and then the end has to. */
static void ends_behind_what_was_written(struct obi_trial *trial)
{
	static const uint8_t bytes[LAST];
	struct ob_stream *client, *server;
	bool owed, over = false, ended = false;
	if (!obi_trial_pair(trial, &client, &server)) {
		return;
	}
	size_t sent = fill(trial, client, bytes, &owed), got = 0;
	OBI_REQUIRE(trial, owed, "writev does not return OB_EAGAIN");
	while (!ended && OBI_PASSED(trial)) {
		struct iovec piece = {(void *)(uintptr_t)bytes, LAST};
		ptrdiff_t n = owed ? trial->ops->writev(client, &piece, 1, NULL) : 0;
		OBI_REQUIRE(trial, n >= 0 || n == OB_EAGAIN, "writev: %td", n);
		owed = n == OB_EAGAIN;
		sent += n > 0 ? (size_t)n : 0;
		if (!owed && !over) {
			int rc = trial->ops->shutdown_write(client, NULL);
			OBI_REQUIRE(trial, rc == OB_OK || rc == OB_EAGAIN, "shutdown_write: %d",
				    rc);
			over = rc == OB_OK;
		}
		got += take(trial, server, &ended);
		struct pollfd wait[2] = {obi_trial_watch(trial, server, OB_READABLE),
					 obi_trial_watch(trial, client, OB_WRITABLE)};
		if (!ended && OBI_PASSED(trial)) {
			(void)obi_trial_await(trial, wait, over ? 1 : 2, "the end did not arrive");
		}
	}
	OBI_REQUIRE(trial, !OBI_PASSED(trial) || got == sent,
		    "%zu bytes were written before the end, and %zu arrived", sent, got);
}

static ptrdiff_t read_one(struct obi_trial *trial, struct ob_stream *stream)
{
	char byte;
	struct iovec piece = {&byte, 1};
	ptrdiff_t n;
	while ((n = trial->ops->readv(stream, &piece, 1, NULL)) == OB_EAGAIN) {
		if (!obi_trial_wait_stream(trial, stream, OB_READABLE)) {
			break;
		}
	}
	return n;
}

/* Below the transport, as a network or one in the middle could do; or by the death of the peer. */
static void cut(struct obi_trial *trial, struct ob_stream *client, bool below)
{
	if (below && shutdown(trial->ops->fd(client), SHUT_WR) == 0) {
		return;
	}
	obi_trial_close(trial, client);
}

static void tells_a_cut_from_an_end(struct obi_trial *trial)
{
	if ((trial->ops->flags & OB_TRANSPORT_SEALED) == 0) {
		OBI_SKIP(trial, "it does not seal");
		return;
	}
	if (!obi_trial_listen(trial)) {
		return;
	}
	for (int below = 0; below < 2; below++) {
		struct ob_stream *client, *server;
		char word[4];
		if (!obi_trial_connect(trial, &client, &server) ||
		    !obi_trial_write(trial, client, "ping", 4) ||
		    !obi_trial_read(trial, server, word, 4)) {
			return;
		}
		cut(trial, client, below == 1);
		ptrdiff_t n = read_one(trial, server);
		OBI_REQUIRE(trial, n == OB_ECONNLOST,
			    "readv of a stream that was cut: %td instead of OB_ECONNLOST", n);
		while (trial->count > 0) {
			obi_trial_close(trial, trial->streams[0]);
		}
	}
}

const struct obi_promise obi_promises_of_ends[] = {
    {"announces all that it holds", announces_what_it_holds},
    {"rests when it is idle", rests_when_it_is_idle},
    {"sends the end behind all that was written", ends_behind_what_was_written},
    {"tells a cut from an end", tells_a_cut_from_an_end},
    {NULL, NULL},
};
