/* SPDX-License-Identifier: MIT */
/* The promises about addresses, accepting and peers. */
#include "conformance/transport_trial.h"

#include <outboard/value.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Send a word each way. */
static bool works(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	char word[4];
	return obi_trial_connect(trial, &client, &server) &&
	       obi_trial_write(trial, client, "ping", 4) &&
	       obi_trial_read(trial, server, word, 4) &&
	       obi_trial_write(trial, server, "pong", 4) &&
	       obi_trial_read(trial, client, word, 4) &&
	       (memcmp(word, "pong", 4) == 0 ||
		OBI_FAIL(trial, "the received bytes differ from the sent bytes"));
}

/* ---- Addresses ---- */

static void connects(struct obi_trial *trial)
{
	if (!obi_trial_listen(trial) || !works(trial)) {
		return;
	}
	while (obi_trial_is_single(trial) && trial->count > 0) {
		obi_trial_close(trial, trial->streams[0]);
	}
	(void)works(trial);
}

static void tells_what_was_bound(struct obi_trial *trial)
{
	struct ob_sink tiny = ob_sink_fixed(NULL, 0);
	struct ob_error err = {.text = ""};
	struct ob_uri uri;
	_Alignas(16) uint8_t memory[8192];
	struct ob_arena arena = {.next = memory, .end = memory + sizeof memory};
	if (!obi_trial_listen(trial)) {
		return;
	}
	OBI_REQUIRE(trial, trial->it->host->parse_uri(trial->uri, &arena, &uri, &err) == OB_OK,
		    "local_uri \"%s\": %s", trial->uri, err.text);
	OBI_REQUIRE(trial, uri.port != 0, "local_uri \"%s\" has a port 0", trial->uri);
	OBI_REQUIRE(trial, trial->ops->local_uri(trial->listener, &tiny) < 0,
		    "local_uri into a full sink returns OB_OK");
}

static void refuses_what_is_no_address_of_its_own(struct obi_trial *trial)
{
	struct ob_uri uri = {.size = sizeof uri,
			     .port = -1,
			     .text = ob_bytes_text("nonsense"),
			     .path = {(const uint8_t *)"", 0}};
	struct ob_listen_params here = {.size = sizeof here};
	struct ob_dial_params there = {.size = sizeof there, .owner = UINT32_MAX};
	struct ob_error err = {.text = ""};
	int rc = trial->ops->listen(trial->it->host, &uri, &here, &trial->second, &err);
	OBI_REQUIRE(trial, rc == OB_EINVAL, "listen on an empty URI: code %d instead of OB_EINVAL",
		    rc);
	OBI_REQUIRE(trial, err.text[0] != '\0' && trial->second == NULL,
		    "listen on an empty URI: no error text, or a result");
	err.text[0] = '\0';
	rc = trial->ops->dial(trial->it->host, &uri, &there, &trial->dial, &trial->want, &err);
	OBI_REQUIRE(trial, rc == OB_EINVAL, "dial of an empty URI: code %d instead of OB_EINVAL",
		    rc);
	OBI_REQUIRE(trial, err.text[0] != '\0' && trial->dial == NULL,
		    "dial of an empty URI: no error text, or a result");
}

static void leaves_a_live_address_alone(struct obi_trial *trial)
{
	struct ob_error err = {.text = ""};
	if (!obi_trial_listen(trial)) {
		return;
	}
	int rc = obi_trial_listen_at(trial, trial->uri, NULL, &trial->second, &err);
	OBI_REQUIRE(trial, rc == OB_EEXIST, "a second listen on %s: code %d instead of OB_EEXIST",
		    trial->uri, rc);
	OBI_REQUIRE(trial, err.text[0] != '\0', "a second listen fails without an error text");
	trial->second = NULL;
	/* The question whether the address is free may have made a connection. */
	struct ob_stream *question = NULL;
	while (trial->ops->accept(trial->listener, &question, NULL) == OB_OK) {
		trial->ops->close(question);
	}
	(void)works(trial);
}

/* Shut down a listener's socket without the transport, as the death of its process would. Where
 * the kernel allows it, *ret_kept keeps the socket open, so that the inode number of its file is
 * not reused; otherwise it is -1. */
static bool kill_listener(struct obi_trial *trial, int *ret_kept)
{
	int fd = trial->ops->listener_fd(trial->listener);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (kept >= 0 && shutdown(kept, SHUT_RD) != 0) {
		close(kept);
		kept = -1;
	}
	bool killed = null >= 0 && dup3(null, fd, O_CLOEXEC) == fd;
	if (null >= 0) {
		close(null);
	}
	*ret_kept = kept;
	return killed || OBI_FAIL(trial, "the listener cannot be killed");
}

/* A listen at the address of a dead listener works, and closing the dead one later does not harm
 * it. */
static void replace_listener(struct obi_trial *trial)
{
	struct ob_error err = {.text = ""};
	struct ob_listener *dead = trial->listener;
	int rc = obi_trial_listen_at(trial, trial->uri, NULL, &trial->listener, &err);
	if (rc != OB_OK) {
		OBI_FAIL(trial, "listen on a stale address: code %d: %s", rc, err.text);
		return;
	}
	trial->ops->listener_close(dead);
	(void)works(trial);
}

static void takes_over_a_stale_address(struct obi_trial *trial)
{
	int kept = -1;
	if (obi_trial_is_single(trial)) {
		OBI_SKIP(trial, "it has one connection at a time, and no stale addresses");
		return;
	}
	if (obi_trial_listen(trial) && kill_listener(trial, &kept)) {
		replace_listener(trial);
	}
	if (kept >= 0) {
		close(kept);
	}
}

static void frees_its_address(struct obi_trial *trial)
{
	char first[sizeof trial->uri];
	struct ob_error err = {.text = ""};
	if (!obi_trial_listen(trial)) {
		return;
	}
	snprintf(first, sizeof first, "%s", trial->uri);
	trial->ops->listener_close(trial->listener);
	trial->listener = NULL;
	int rc = obi_trial_listen_at(trial, first, NULL, &trial->listener, &err);
	OBI_REQUIRE(trial, rc == OB_OK, "listen on %s again: code %d: %s", first, rc, err.text);
	(void)works(trial);
}

static void works_for_an_older_host(struct obi_trial *trial)
{
	struct ob_listen_params old = {.size = offsetof(struct ob_listen_params, backlog),
				       .heartbeat_ms = 1,
				       .backlog = UINT32_MAX};
	struct ob_dial_params older = {.size = offsetof(struct ob_dial_params, owner),
				       .heartbeat_ms = 1};
	struct ob_error err = {.text = ""};
	struct ob_stream *stream = NULL;
	int rc = obi_trial_listen_at(trial, trial->it->listen, &old, &trial->listener, &err);
	OBI_REQUIRE(trial, rc == OB_OK, "listen with params of an older host: code %d: %s", rc,
		    err.text);
	struct ob_sink out = ob_sink_fixed(trial->uri, sizeof trial->uri - 1);
	OBI_REQUIRE(trial, trial->ops->local_uri(trial->listener, &out) == OB_OK,
		    "local_uri() failed");
	trial->uri[out.len] = '\0';
	rc = obi_trial_dial_at(trial, obi_trial_address(trial), &older, &err);
	OBI_REQUIRE(trial, rc == OB_OK, "dial with params of an older host: code %d: %s", rc,
		    err.text);
	(void)obi_trial_finish(trial, &stream, &err); /* may wait where a dial needs an accept */
	trial->ops->close(stream);
}

/* ---- Descriptors ---- */

static bool born_well(struct obi_trial *trial, int fd, const char *what)
{
	int flags = fcntl(fd, F_GETFD), status = fcntl(fd, F_GETFL);
	if (flags < 0) {
		return OBI_FAIL(trial, "the descriptor of a %s is %d, which is not open", what, fd);
	}
	return ((flags & FD_CLOEXEC) != 0 ||
		OBI_FAIL(trial, "the descriptor of a %s is not close-on-exec", what)) &&
	       ((status & O_NONBLOCK) != 0 ||
		OBI_FAIL(trial, "the descriptor of a %s is blocking", what));
}

static void has_descriptors_that_neither_block_nor_leak(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	if (!obi_trial_pair(trial, &client, &server)) {
		return;
	}
	(void)(born_well(trial, trial->ops->listener_fd(trial->listener), "listener") &&
	       born_well(trial, trial->ops->fd(client), "dialled stream") &&
	       born_well(trial, trial->ops->fd(server), "accepted stream"));
}

static void says_when_nobody_waits(struct obi_trial *trial)
{
	struct ob_stream *stream = NULL;
	if (!obi_trial_listen(trial)) {
		return;
	}
	int rc = trial->ops->accept(trial->listener, &stream, NULL);
	OBI_REQUIRE(trial, rc == OB_EAGAIN && stream == NULL,
		    "accept without a connection: code %d instead of OB_EAGAIN", rc);
}

static int accept_without_descriptors(struct obi_trial *trial, struct ob_stream **stream)
{
	struct rlimit was, none;
	int free_fd = dup(trial->ops->listener_fd(trial->listener));
	close(free_fd);
	if (free_fd < 0 || getrlimit(RLIMIT_NOFILE, &was) != 0) {
		return OB_EIO;
	}
	none = was;
	none.rlim_cur = (rlim_t)free_fd;
	setrlimit(RLIMIT_NOFILE, &none);
	int rc = trial->ops->accept(trial->listener, stream, NULL);
	setrlimit(RLIMIT_NOFILE, &was);
	return rc;
}

static void says_when_it_is_out_of_descriptors(struct obi_trial *trial)
{
	struct ob_stream *client = NULL, *server = NULL;
	struct ob_error err = {.text = ""};
	if (!obi_trial_listen(trial)) {
		return;
	}
	int rc = obi_trial_dial_at(trial, obi_trial_address(trial), NULL, &err);
	OBI_REQUIRE(trial, rc == OB_OK, "dial: code %d: %s", rc, err.text);
	if (!obi_trial_wait(trial, trial->ops->listener_fd(trial->listener), OB_READABLE)) {
		return;
	}
	rc = accept_without_descriptors(trial, &server);
	OBI_REQUIRE(trial, rc == OB_ENOMEM && server == NULL,
		    "accept under EMFILE: code %d instead of OB_ENOMEM", rc);
	while (server == NULL) {
		if (!obi_trial_accept(trial, true, &server)) {
			return;
		}
	}
	rc = obi_trial_finish(trial, &client, &err);
	OBI_REQUIRE(trial, rc == OB_OK, "finish_dial: code %d: %s", rc, err.text);
	trial->streams[trial->count++] = client;
}

static void survives_a_thousand_connections(struct obi_trial *trial)
{
	if (!obi_trial_listen(trial)) {
		return;
	}
	int before = obi_open_descriptors();
	for (int i = 0; i < 1000; i++) {
		struct ob_stream *client, *server;
		char byte;
		if (!obi_trial_connect(trial, &client, &server) ||
		    !obi_trial_write(trial, client, "x", 1) ||
		    !obi_trial_read(trial, server, &byte, 1)) {
			return;
		}
		obi_trial_close(trial, i % 2 == 0 ? client : server);
		obi_trial_close(trial, i % 2 == 0 ? server : client);
	}
	int more = obi_open_descriptors() - before;
	OBI_REQUIRE(trial, more == 0, "1000 connections leaked %d descriptors", more);
}

/* ---- Peers ---- */

/* The structs of older hosts: without the last member, or the last two. */
static bool facts_hold_for_older_hosts(struct obi_trial *trial, struct ob_stream *stream)
{
	struct ob_peer peer = {.size = offsetof(struct ob_peer, subject)};
	struct ob_error err = {.text = ""};
	if (trial->ops->peer(stream, &peer, NULL) != OB_OK || peer.subject.data != NULL ||
	    (peer.known & OB_PEER_SUBJECT) != 0) {
		return OBI_FAIL(trial, "peer() for an older host fails, or tells a subject");
	}
	peer = (struct ob_peer){.size = offsetof(struct ob_peer, pidfd), .pidfd = -7};
	int rc = trial->ops->peer(stream, &peer, &err);
	return (rc == OB_OK && peer.pidfd == -7 && (peer.known & OB_PEER_PIDFD) == 0) ||
	       OBI_FAIL(trial,
			"peer() for an older host: code %d, or a write beyond its struct: %s", rc,
			err.text);
}

static bool facts_hold(struct obi_trial *trial, struct ob_stream *stream)
{
	struct ob_peer peer = {.size = sizeof peer, .pidfd = -1};
	struct ob_error err = {.text = ""};
	const uint32_t all = OB_PEER_PID | OB_PEER_UID | OB_PEER_CID | OB_PEER_ADDRESS |
			     OB_PEER_PIDFD | OB_PEER_SUBJECT;
	int rc = trial->ops->peer(stream, &peer, &err);
	if (rc != OB_OK || (peer.known & ~all) != 0) {
		return OBI_FAIL(trial, "peer(): code %d, known %x: %s", rc, peer.known, err.text);
	}
	if ((peer.known & OB_PEER_PID) != 0 && peer.pid <= 0) {
		return OBI_FAIL(trial, "peer(): the pid %d is invalid, but marked as known",
				peer.pid);
	}
	if ((peer.known & OB_PEER_SUBJECT) != 0 &&
	    (peer.subject.len == 0 || peer.subject.len > 255 || !ob_is_utf8(peer.subject))) {
		return OBI_FAIL(trial,
				"peer(): the subject must be 1 to 255 bytes of UTF-8, not %zu",
				peer.subject.len);
	}
	if ((peer.known & OB_PEER_PIDFD) != 0 && fcntl(peer.pidfd, F_GETFD) != FD_CLOEXEC) {
		return OBI_FAIL(trial, "peer(): the pidfd %d is not open, or not close-on-exec",
				peer.pidfd);
	}
	if ((peer.known & OB_PEER_ADDRESS) != 0 &&
	    (peer.address[0] == '\0' || memchr(peer.address, '\0', sizeof peer.address) == NULL)) {
		return OBI_FAIL(trial, "peer(): the address is empty or not terminated");
	}
	return true;
}

static void tells_true_facts_of_the_peer(struct obi_trial *trial)
{
	struct ob_stream *client, *server;
	if (trial->ops->peer == NULL) {
		OBI_SKIP(trial, "it has no peer()");
		return;
	}
	if (obi_trial_pair(trial, &client, &server)) {
		(void)(facts_hold_for_older_hosts(trial, client) && facts_hold(trial, client) &&
		       facts_hold(trial, server));
	}
}

const struct obi_promise obi_promises_of_life[] = {
    {"connects repeatedly", connects},
    {"reports the address that it is bound to", tells_what_was_bound},
    {"refuses invalid addresses", refuses_what_is_no_address_of_its_own},
    {"does not take over a live address", leaves_a_live_address_alone},
    {"takes over a stale address", takes_over_a_stale_address},
    {"frees its address when it closes", frees_its_address},
    {"works with an older host", works_for_an_older_host},
    {"has descriptors that are non-blocking and close-on-exec",
     has_descriptors_that_neither_block_nor_leak},
    {"returns OB_EAGAIN from accept without a connection", says_when_nobody_waits},
    {"reports when it is out of descriptors", says_when_it_is_out_of_descriptors},
    {"survives a thousand connections", survives_a_thousand_connections},
    {"reports true facts about the peer", tells_true_facts_of_the_peer},
    {NULL, NULL},
};
