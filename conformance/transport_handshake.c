/* SPDX-License-Identifier: MIT */
/* The promises about handshakes, and about the channel that they make. */
#include "conformance/transport_trial.h"

#include <errno.h>
#include <sys/socket.h>

enum {
	REST_MS = 100,
	STEPS_MAX = 64, /* after so many steps of both ends it is closed at the latest */
	GARBAGE = 2 * OB_HANDSHAKE_MAX, /* written in pieces of PIECE */
	PIECE = 1024
};

/* A listener, and a connection whose handshake has not begun. */
static bool meet(struct obi_trial *trial, struct obi_shake *client, struct obi_shake *server)
{
	*client = *server = (struct obi_shake){.state = OB_HANDSHAKE_SILENT};
	return (trial->listener != NULL || obi_trial_listen(trial)) &&
	       obi_trial_meet(trial, &client->stream, &server->stream);
}

static int64_t patience_from_now(const struct obi_trial *trial)
{
	return trial->it->host->now_ms() + obi_trial_patience(trial);
}

/* ---- Beginning ---- */

static void completes_its_handshake(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	char word[4];
	if (obi_trial_pair(trial, &client, &server) && obi_trial_write(trial, client, "ping", 4) &&
	    obi_trial_read(trial, server, word, 4)) {
		OBI_REQUIRE(trial, memcmp(word, "ping", 4) == 0, "the received bytes differ");
	}
}

/* The acceptor is the end that is exposed: a peer that says nothing must cost it nothing. */
static void waits_for_a_silent_peer(struct obi_trial *trial)
{
	struct obi_shake client, server;
	if (!meet(trial, &client, &server)) {
		return;
	}
	int state = obi_trial_step(trial, &server, 0);
	OBI_REQUIRE(trial, state == OB_HANDSHAKE_SILENT,
		    "the handshake of an acceptor that has received nothing: state %d instead of "
		    "OB_HANDSHAKE_SILENT: %s",
		    state, server.err.text);
	if (obi_trial_rests(trial, &server, REST_MS)) {
		OBI_REQUIRE(trial, server.state == OB_HANDSHAKE_SILENT,
			    "the handshake went on to state %d though nothing was received",
			    server.state);
	}
}

/* The library may look at any time whether something has arrived. */
static void can_be_asked_at_any_time(struct obi_trial *trial)
{
	struct obi_shake client, server;
	if (!meet(trial, &client, &server)) {
		return;
	}
	int64_t end = patience_from_now(trial);
	(void)obi_trial_step(trial, &client, 0);
	(void)obi_trial_step(trial, &server, 0);
	while (OBI_PASSED(trial) && (client.state > 0 || server.state > 0)) {
		(void)obi_trial_shake_on(trial, &client, &server, end);
		for (int i = 0; i < 3 && OBI_PASSED(trial); i++) {
			struct obi_shake *s = i % 2 == 0 ? &client : &server;
			if (obi_trial_shaking(s)) {
				(void)obi_trial_step(trial, s, 0);
			}
		}
		OBI_REQUIRE(trial, trial->it->host->now_ms() < end, "the handshake does not end");
	}
	OBI_REQUIRE(trial, client.state == 0 && server.state == 0,
		    "a handshake that is asked without an event: codes %d and %d: %s%s",
		    client.state, server.state, client.err.text, server.err.text);
}

/* ---- Bad peers ---- */

/* Write to the descriptor, below the transport. Returns false if it takes no bytes. */
static bool write_below(const struct obi_trial *trial, struct ob_stream *stream, const char *data,
			size_t len)
{
	ssize_t n = send(trial->ops->fd(stream), data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n > 0 || errno != ENOTSOCK;
}

/* Let the acceptor go on until its handshake ends. */
static void expect_failure(struct obi_trial *trial, struct obi_shake *server, const char *what)
{
	int64_t end = patience_from_now(trial);
	while (OBI_PASSED(trial) && server->state > 0 && trial->it->host->now_ms() < end) {
		(void)obi_trial_shake_on(trial, server, NULL, end);
	}
	OBI_REQUIRE(trial, server->state < 0,
		    "the handshake with a peer that %s: state %d instead of a failure", what,
		    server->state);
}

static void refuses_garbage(struct obi_trial *trial)
{
	char piece[PIECE];
	struct obi_shake client, server;
	if (!meet(trial, &client, &server)) {
		return;
	}
	memset(piece, 'G', sizeof piece);
	(void)obi_trial_step(trial, &server, 0);
	for (size_t sent = 0; sent < GARBAGE && server.state > 0 && OBI_PASSED(trial);
	     sent += sizeof piece) {
		if (!write_below(trial, client.stream, piece, sizeof piece)) {
			OBI_SKIP(trial, "its descriptor takes no bytes");
			return;
		}
		(void)obi_trial_rests(trial, &server, 2);
	}
	expect_failure(trial, &server, "sent garbage");
}

static void notices_that_the_peer_leaves(struct obi_trial *trial)
{
	struct obi_shake client, server;
	if (!meet(trial, &client, &server)) {
		return;
	}
	(void)obi_trial_step(trial, &server, 0);
	obi_trial_close(trial, client.stream);
	expect_failure(trial, &server, "left without a word");
	OBI_REQUIRE(trial, server.state == OB_EREFUSED || server.state == OB_ECONNLOST,
		    "the handshake with a peer that left without a word: code %d instead of "
		    "OB_EREFUSED or OB_ECONNLOST: %s",
		    server.state, server.err.text);
	obi_trial_close(trial, server.stream);
	if (!meet(trial, &client, &server)) {
		return;
	}
	(void)obi_trial_step(trial, &server, 0);
	(void)obi_trial_step(trial, &client, 0);
	obi_trial_close(trial, client.stream);
	expect_failure(trial, &server, "left in the middle");
}

static void can_be_closed_in_the_middle(struct obi_trial *trial)
{
	for (uint32_t steps = 0; steps < STEPS_MAX && OBI_PASSED(trial); steps++) {
		struct obi_shake client, server;
		if (!meet(trial, &client, &server)) {
			return;
		}
		int64_t end = patience_from_now(trial);
		if (steps > 0) {
			(void)obi_trial_step(trial, &client, 0);
			(void)obi_trial_step(trial, &server, 0);
		}
		while (client.steps + server.steps < steps && OBI_PASSED(trial) &&
		       (client.state > 0 || server.state > 0) &&
		       obi_trial_shake_on(trial, &client, &server, end)) {
		}
		bool whole = client.state == 0 && server.state == 0;
		obi_trial_close(trial, steps % 2 == 0 ? client.stream : server.stream);
		obi_trial_close(trial, steps % 2 == 0 ? server.stream : client.stream);
		if (whole) {
			return;
		}
	}
}

/* ---- The channel ---- */

static size_t ask_binding(struct obi_trial *trial, struct ob_stream *stream,
			  uint8_t ret[OB_BINDING_MAX])
{
	struct ob_sink out = ob_sink_fixed(ret, OB_BINDING_MAX), tiny = ob_sink_fixed(NULL, 0);
	int rc = trial->ops->binding(stream, &out);
	if (rc != OB_OK || out.failed || out.len < OB_BINDING_MIN) {
		OBI_FAIL(trial, "binding: code %d and %zu bytes instead of %d to %d", rc, out.len,
			 OB_BINDING_MIN, OB_BINDING_MAX);
	} else if (trial->ops->binding(stream, &tiny) == OB_OK && !tiny.failed) {
		OBI_FAIL(trial, "binding into a full sink returns OB_OK");
	}
	return out.len;
}

static void binds_its_channel(struct obi_trial *trial)
{
	struct ob_stream *client[2], *server[2];
	uint8_t at[2][2][OB_BINDING_MAX];
	size_t len[2][2];
	if (trial->ops->binding == NULL) {
		OBI_SKIP(trial, "it has no channel binding");
		return;
	}
	if (!obi_trial_listen(trial)) {
		return;
	}
	for (int i = 0; i < 2; i++) {
		if (!obi_trial_connect(trial, &client[i], &server[i])) {
			return;
		}
		len[i][0] = ask_binding(trial, client[i], at[i][0]);
		len[i][1] = ask_binding(trial, server[i], at[i][1]);
		OBI_REQUIRE(trial,
			    len[i][0] == len[i][1] && memcmp(at[i][0], at[i][1], len[i][0]) == 0,
			    "the channel binding differs between the two ends of a connection");
		if (obi_trial_is_single(trial)) {
			obi_trial_close(trial, client[i]);
			obi_trial_close(trial, server[i]);
		}
	}
	OBI_REQUIRE(trial, len[0][0] != len[1][0] || memcmp(at[0][0], at[1][0], len[0][0]) != 0,
		    "two connections have the same channel binding");
}

const struct obi_promise obi_promises_of_handshakes[] = {
    {"completes its handshake at both ends", completes_its_handshake},
    {"waits for a silent peer", waits_for_a_silent_peer},
    {"can be asked for its handshake at any time", can_be_asked_at_any_time},
    {"refuses garbage instead of a handshake", refuses_garbage},
    {"fails when the peer leaves during the handshake", notices_that_the_peer_leaves},
    {"can be closed during the handshake", can_be_closed_in_the_middle},
    {"binds its channel", binds_its_channel},
    {NULL, NULL},
};
