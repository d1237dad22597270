/* SPDX-License-Identifier: MIT */
/* The promises about dials: refused, given up, waiting, and at their deadlines. */
#include "conformance/transport_trial.h"

#include <fcntl.h>

enum {
	DIALS = 8,
	HELD_MS = 1000,	  /* a call that takes so long has blocked */
	SILENCE_MS = 500, /* a dial without a deadline is given up after so long */
	SPIN = 100	  /* successive calls without anything to wait for */
};

static const struct ob_listen_params backlog_of_one = {.size = sizeof backlog_of_one, .backlog = 1};

static void says_when_a_dial_is_refused(struct obi_trial *trial)
{
	struct ob_error err = {.text = ""};
	struct ob_stream *stream = NULL;
	if (!obi_trial_listen(trial)) {
		return;
	}
	trial->ops->listener_close(trial->listener);
	trial->listener = NULL;
	int rc = obi_trial_dial_at(trial, obi_trial_address(trial), NULL, &err);
	if (rc == OB_OK) {
		rc = obi_trial_finish(trial, &stream, &err);
		trial->ops->close(stream);
	}
	OBI_REQUIRE(trial, rc == OB_EREFUSED || rc == OB_ENOENT,
		    "dial without a listener: code %d: %s", rc, err.text);
	OBI_REQUIRE(trial, err.text[0] != '\0', "a refused dial has no error text");
}

static void gives_up_a_dial_at_any_moment(struct obi_trial *trial)
{
	if (!obi_trial_listen(trial)) {
		return;
	}
	for (int i = 0; i < 32; i++) {
		struct ob_stream *stream = NULL;
		int rc = obi_trial_dial_at(trial, obi_trial_address(trial), NULL, NULL);
		OBI_REQUIRE(trial, rc == OB_OK || rc == OB_EAGAIN, "dial: code %d", rc);
		if (rc == OB_OK && i % 2 == 1) {
			rc = trial->ops->finish_dial(trial->dial, 0, &stream, &trial->want, NULL);
			OBI_REQUIRE(trial, rc == OB_OK || rc == OB_EAGAIN,
				    "finish_dial before the descriptor is ready: code %d", rc);
			trial->ops->close(stream);
		}
		trial->ops->dial_close(trial->dial);
		trial->dial = NULL;
		while (trial->ops->accept(trial->listener, &stream, NULL) == OB_OK) {
			trial->ops->close(stream);
		}
	}
	trial->ops->dial_close(NULL);
	trial->ops->close(NULL);
	trial->ops->listener_close(NULL);
}

/* No accept, and the backlog is full: a dial waits, or is told to try again, and may be given
 * up. */
static void lets_a_dial_wait(struct obi_trial *trial)
{
	struct ob_error err = {.text = ""};
	if (!obi_trial_listen_with(trial, &backlog_of_one)) {
		return;
	}
	for (int i = 0; i < DIALS; i++) {
		struct ob_stream *stream = NULL;
		int64_t begin = trial->it->host->now_ms();
		int rc = obi_trial_dial_at(trial, obi_trial_address(trial), NULL, &err);
		if (rc == OB_OK) {
			rc = trial->ops->finish_dial(trial->dial, 0, &stream, &trial->want, &err);
		}
		int64_t took = trial->it->host->now_ms() - begin;
		if (stream != NULL) {
			trial->streams[trial->count++] = stream;
		}
		OBI_REQUIRE(trial, took < HELD_MS, "a dial blocked for %d ms", (int)took);
		OBI_REQUIRE(trial, rc == OB_OK || rc == OB_EAGAIN || rc == OB_EREFUSED,
			    "a full backlog: code %d: %s", rc, err.text);
		trial->ops->dial_close(trial->dial);
		trial->dial = NULL;
	}
}

/* ---- Deadlines ---- */

/* A dial that is driven as the core does it. */
struct vigil {
	struct ob_stream *stream;
	struct ob_error err;
	int64_t end;
	uint32_t spun; /* successive calls without anything to wait for */
	bool due;      /* a deadline was reached */
};

static bool wants_something(const struct ob_want *want)
{
	return want->deadline >= 0 || (want->events != 0 && fcntl(want->fd, F_GETFD) >= 0);
}

/* Wait until `end`, or as the dial wants. Returns true when finish_dial is to be called, with
 * *ret_revents. */
static bool wait_until(struct obi_trial *trial, struct vigil *v, int64_t end, int *ret_revents)
{
	int64_t deadline = trial->want.deadline;
	*ret_revents = obi_trial_heed(trial, end, -1) & trial->want.events;
	bool due = *ret_revents == 0 && deadline >= 0 && trial->it->host->now_ms() >= deadline;
	v->due = v->due || due;
	return *ret_revents != 0 || due;
}

/* Returns false if nothing happened within the time of this test. A dial without a deadline may
 * wait for ever; its caller gives it up. */
static bool wait_as_wanted(struct obi_trial *trial, struct vigil *v, int *ret_revents)
{
	int64_t now = trial->it->host->now_ms();
	if (wait_until(trial, v, now, ret_revents)) {
		v->spun++;
		return true;
	}
	int64_t end =
	    trial->want.deadline < 0 && now + SILENCE_MS < v->end ? now + SILENCE_MS : v->end;
	v->spun = 0;
	return wait_until(trial, v, end, ret_revents);
}

/* The want is cleared first, as in the core: what finish_dial does not set, it does not want. */
static int go_on(struct obi_trial *trial, struct vigil *v, int revents)
{
	int64_t begin = trial->it->host->now_ms();
	trial->want = (struct ob_want){.fd = -1, .deadline = -1};
	int rc = trial->ops->finish_dial(trial->dial, revents, &v->stream, &trial->want, &v->err);
	int64_t took = trial->it->host->now_ms() - begin;
	if (took >= HELD_MS) {
		OBI_FAIL(trial, "finish_dial blocked for %d ms", (int)took);
	} else if (rc == OB_EAGAIN && !wants_something(&trial->want)) {
		OBI_FAIL(
		    trial,
		    "finish_dial returns OB_EAGAIN without a descriptor or a deadline to wait for");
	} else if (rc == OB_EAGAIN && v->spun >= SPIN) {
		OBI_FAIL(trial, "finish_dial returns OB_EAGAIN repeatedly and waits for what is "
				"ready: it spins");
	}
	return rc;
}

/* Until there is a result, or OB_EAGAIN if it takes longer than the time of this test. */
static int follow(struct obi_trial *trial, struct vigil *v)
{
	int revents, rc = OB_EAGAIN;
	if (!wants_something(&trial->want)) {
		OBI_FAIL(trial,
			 "dial returns OB_OK without a descriptor or a deadline to wait for");
	}
	while (rc == OB_EAGAIN && OBI_PASSED(trial) && wait_as_wanted(trial, v, &revents)) {
		rc = go_on(trial, v, revents);
	}
	return rc;
}

static bool ended_well(struct obi_trial *trial, const struct vigil *v, int rc)
{
	if (rc == OB_OK) {
		return v->stream != NULL
			   ? obi_trial_keep(trial, v->stream)
			   : OBI_FAIL(trial, "finish_dial returns OB_OK without a stream");
	}
	if (v->stream != NULL) {
		return OBI_FAIL(trial, "finish_dial returns a stream together with code %d", rc);
	}
	if (rc != OB_EAGAIN && rc != OB_EREFUSED && rc != OB_ETIMEDOUT) {
		return OBI_FAIL(trial, "a dial without an answer: code %d: %s", rc, v->err.text);
	}
	return rc == OB_EAGAIN || v->err.text[0] != '\0' ||
	       OBI_FAIL(trial, "a failed dial has no error text");
}

/* Returns true: connected, *ret_stream. false: not connected, or the trial failed. */
static bool dial_patiently(struct obi_trial *trial, struct vigil *v)
{
	v->stream = NULL;
	v->err.text[0] = '\0';
	v->spun = 0;
	int rc = obi_trial_dial_at(trial, obi_trial_address(trial), NULL, &v->err);
	if (rc == OB_OK) {
		rc = follow(trial, v);
		trial->ops->dial_close(trial->dial);
	}
	trial->dial = NULL;
	return ended_well(trial, v, rc) && rc == OB_OK && OBI_PASSED(trial);
}

/* Read the first byte from the accepted stream: 1; or 0 if this is an older dial, which was
 * given up and is accepted late. */
static ptrdiff_t read_first(struct obi_trial *trial, struct ob_stream *server, char *byte)
{
	struct iovec piece = {byte, 1};
	ptrdiff_t n;
	while ((n = trial->ops->readv(server, &piece, 1, NULL)) == OB_EAGAIN) {
		if (!obi_trial_wait_stream(trial, server, OB_READABLE)) {
			return n;
		}
	}
	return n == OB_ECONNLOST ? 0 : n;
}

/* What the transport calls connected must lead to the listener. */
static bool arrives(struct obi_trial *trial, struct ob_stream *client)
{
	struct ob_stream *server = NULL;
	char word[4];
	if (obi_trial_shakes(trial)) { /* nothing can be written before */
		while (server == NULL) {
			if (!obi_trial_accept(trial, true, &server)) {
				return false;
			}
		}
		return obi_trial_greet(trial, client, server);
	}
	if (!obi_trial_write(trial, client, "ping", 4)) {
		return false;
	}
	for (;;) {
		if (!obi_trial_accept(trial, true, &server)) {
			return false;
		}
		ptrdiff_t n = server != NULL ? read_first(trial, server, word) : 0;
		if (n < 0 && OBI_PASSED(trial)) {
			return OBI_FAIL(trial, "readv from the accepted stream: %td", n);
		}
		if (n != 0) {
			return n == 1 && obi_trial_read(trial, server, word + 1, 3) &&
			       (memcmp(word, "ping", 4) == 0 ||
				OBI_FAIL(trial, "the received bytes differ from the sent bytes"));
		}
		obi_trial_close(trial, server);
		server = NULL;
	}
}

/* Only the first dial is accepted, which proves that accepting works. The others fill the
 * backlog, until one is not answered. */
static void goes_on_at_a_deadline(struct obi_trial *trial)
{
	struct vigil v = {.end = trial->it->host->now_ms() + obi_trial_patience(trial)};
	if (!obi_trial_listen_with(trial, &backlog_of_one)) {
		return;
	}
	bool more =
	    dial_patiently(trial, &v) && arrives(trial, v.stream) && !obi_trial_is_single(trial);
	for (int i = 1; i < DIALS && more; i++) {
		more = dial_patiently(trial, &v);
	}
	if (!v.due && OBI_PASSED(trial)) {
		OBI_SKIP(trial, "no dial reached its own deadline");
	}
}

const struct obi_promise obi_promises_of_dials[] = {
    {"reports a refused dial", says_when_a_dial_is_refused},
    {"can give up a dial at any time", gives_up_a_dial_at_any_moment},
    {"lets a dial wait without blocking", lets_a_dial_wait},
    {"continues a dial at its deadline", goes_on_at_a_deadline},
    {NULL, NULL},
};
