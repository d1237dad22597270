/* SPDX-License-Identifier: MIT */
#include "conformance/transport_trial.h"

#include <errno.h>
#include <stdio.h>

bool obi_trial_is_single(const struct obi_trial *trial)
{
	return (trial->ops->flags & OB_TRANSPORT_SINGLE) != 0;
}

/* ---- Waiting ---- */

int obi_trial_patience(const struct obi_trial *trial)
{
	return trial->it->patience_ms > 0 ? trial->it->patience_ms : OBI_TRIAL_PATIENCE_MS;
}

int obi_trial_poll(const struct obi_trial *trial, struct pollfd *wait, nfds_t count, int64_t end)
{
	int n;
	do {
		int64_t left = end - trial->it->host->now_ms();
		n = poll(wait, count, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	return n;
}

void obi_trial_moved(struct obi_trial *trial)
{
	trial->still_since = 0;
}

bool obi_trial_goes_on(struct obi_trial *trial)
{
	int patience = obi_trial_patience(trial);
	int64_t now = trial->it->host->now_ms();
	trial->still_since = trial->still_since != 0 ? trial->still_since : now;
	return now < trial->still_since + patience ||
	       OBI_FAIL(trial,
			"OB_EAGAIN repeatedly although the descriptor is ready, or pending() says "
			"so: no progress in %d ms",
			patience);
}

bool obi_trial_await(struct obi_trial *trial, struct pollfd *wait, nfds_t count, const char *what)
{
	if (!obi_trial_goes_on(trial)) {
		return false;
	}
	int patience = obi_trial_patience(trial);
	int64_t end = trial->still_since + patience;
	return obi_trial_poll(trial, wait, count, end) > 0 ||
	       OBI_FAIL(trial, "in %d ms %s", patience, what);
}

bool obi_trial_wait(struct obi_trial *trial, int fd, int events)
{
	short wanted =
	    (short)((events & OB_READABLE ? POLLIN : 0) | (events & OB_WRITABLE ? POLLOUT : 0));
	struct pollfd wait = {.fd = fd, .events = wanted};
	return obi_trial_await(trial, &wait, 1,
			       events & OB_READABLE ? "the descriptor did not become readable"
						    : "the descriptor did not become writable");
}

/* ---- Listening and dialing ---- */

struct parsed {
	struct ob_uri uri;
	struct ob_arena arena;
	_Alignas(16) uint8_t memory[8192];
};

static int parse(const struct obi_trial *trial, const char *text, struct parsed *ret,
		 struct ob_error *reterr)
{
	ret->arena =
	    (struct ob_arena){.next = ret->memory, .end = ret->memory + sizeof ret->memory};
	return trial->it->host->parse_uri(text, &ret->arena, &ret->uri, reterr);
}

int obi_trial_listen_at(struct obi_trial *trial, const char *text,
			const struct ob_listen_params *params, struct ob_listener **ret,
			struct ob_error *reterr)
{
	struct ob_listen_params full = {.size = sizeof full};
	struct parsed parsed;
	full = params != NULL ? *params : full;
	full.state = trial->it->state[1];
	int rc = parse(trial, text, &parsed, reterr);
	return rc == OB_OK ? trial->ops->listen(trial->it->host, &parsed.uri, &full, ret, reterr)
			   : rc;
}

int obi_trial_dial_at(struct obi_trial *trial, const char *text,
		      const struct ob_dial_params *params, struct ob_error *reterr)
{
	struct ob_dial_params full = {.size = sizeof full, .owner = UINT32_MAX};
	struct parsed parsed;
	full = params != NULL ? *params : full;
	full.state = trial->it->state[0];
	int rc = parse(trial, text, &parsed, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	trial->want = (struct ob_want){.fd = -1, .deadline = -1};
	return trial->ops->dial(trial->it->host, &parsed.uri, &full, &trial->dial, &trial->want,
				reterr);
}

bool obi_trial_listen_with(struct obi_trial *trial, const struct ob_listen_params *params)
{
	struct ob_sink out = ob_sink_fixed(trial->uri, sizeof trial->uri - 1);
	struct ob_error err = {.text = ""};
	int rc = obi_trial_listen_at(trial, trial->it->listen, params, &trial->listener, &err);
	if (rc != OB_OK) {
		trial->listener = NULL;
		return OBI_FAIL(trial, "listen(%s): code %d: %s", trial->it->listen, rc, err.text);
	}
	if (trial->ops->local_uri(trial->listener, &out) != OB_OK) {
		return OBI_FAIL(trial, "local_uri() failed");
	}
	trial->uri[out.len] = '\0';
	return true;
}

bool obi_trial_listen(struct obi_trial *trial)
{
	return obi_trial_listen_with(trial, NULL);
}

const char *obi_trial_address(const struct obi_trial *trial)
{
	return trial->it->dial != NULL ? trial->it->dial : trial->uri;
}

int obi_trial_heed(const struct obi_trial *trial, int64_t end, int extra_fd)
{
	const struct ob_want *want = &trial->want;
	short events = (short)((want->events & OB_READABLE ? POLLIN : 0) |
			       (want->events & OB_WRITABLE ? POLLOUT : 0));
	struct pollfd wait[2] = {{.fd = want->fd, .events = events},
				 {.fd = extra_fd, .events = POLLIN}};
	if (obi_trial_poll(trial, wait, 2,
			   want->deadline >= 0 && want->deadline < end ? want->deadline : end) <=
	    0) {
		return 0;
	}
	return (wait[0].revents & (POLLIN | POLLHUP | POLLERR) ? OB_READABLE : 0) |
	       (wait[0].revents & (POLLOUT | POLLHUP | POLLERR) ? OB_WRITABLE : 0);
}

/* Go on with the dial. When it is over, it is closed. */
static int go_on(struct obi_trial *trial, int extra_fd, struct ob_stream **ret,
		 struct ob_error *reterr)
{
	int revents =
	    obi_trial_heed(trial, trial->it->host->now_ms() + obi_trial_patience(trial), extra_fd);
	bool due = trial->want.deadline >= 0 && trial->it->host->now_ms() >= trial->want.deadline;
	if (revents == 0 && !due) {
		return OB_EAGAIN;
	}
	int rc = trial->ops->finish_dial(trial->dial, revents & trial->want.events, ret,
					 &trial->want, reterr);
	if (rc != OB_EAGAIN) {
		trial->ops->dial_close(trial->dial);
		trial->dial = NULL;
	}
	return rc;
}

int obi_trial_finish(struct obi_trial *trial, struct ob_stream **ret, struct ob_error *reterr)
{
	int64_t end = trial->it->host->now_ms() + obi_trial_patience(trial);
	int rc = OB_EAGAIN;
	while (rc == OB_EAGAIN && trial->it->host->now_ms() < end) {
		rc = go_on(trial, -1, ret, reterr);
	}
	return rc;
}

/* ---- Connections ---- */

bool obi_trial_keep(struct obi_trial *trial, struct ob_stream *stream)
{
	obi_trial_moved(trial);
	if (trial->count == OBI_TRIAL_STREAMS) {
		trial->ops->close(stream);
		return OBI_FAIL(trial, "the trial has too many streams");
	}
	trial->streams[trial->count++] = stream;
	return true;
}

static bool dial_some(struct obi_trial *trial, struct ob_stream **client)
{
	struct ob_error err = {.text = ""};
	int rc = go_on(trial, trial->ops->listener_fd(trial->listener), client, &err);
	if (rc == OB_OK) {
		return obi_trial_keep(trial, *client);
	}
	return rc == OB_EAGAIN || OBI_FAIL(trial, "finish_dial: code %d: %s", rc, err.text);
}

bool obi_trial_accept(struct obi_trial *trial, bool wait, struct ob_stream **ret_server)
{
	struct ob_error err = {.text = ""};
	int fd = trial->ops->listener_fd(trial->listener);
	if (wait && !obi_trial_wait(trial, fd, OB_READABLE)) {
		return false;
	}
	int rc = trial->ops->accept(trial->listener, ret_server, &err);
	if (rc == OB_OK) {
		return obi_trial_keep(trial, *ret_server);
	}
	return rc == OB_EAGAIN || OBI_FAIL(trial, "accept: code %d: %s", rc, err.text);
}

/* On a serial line, a dial that was given up may reach the listener although its end does not,
 * and be accepted. That stream ends when it receives the next dial, as the core would find out
 * by reading. */
static void drop_older(struct obi_trial *trial, struct ob_stream **server)
{
	char byte;
	struct iovec piece = {&byte, 1};
	ptrdiff_t n = trial->ops->readv(*server, &piece, 1, NULL);
	if (n == 0 || n == OB_ECONNLOST) {
		obi_trial_close(trial, *server);
		*server = NULL;
	} else if (n > 0) {
		OBI_FAIL(trial, "a byte arrived before the connection");
	}
}

/* Go on once with each end that is missing. */
static bool bring_on(struct obi_trial *trial, struct ob_stream **client, struct ob_stream **server)
{
	if (*client == NULL && !dial_some(trial, client)) {
		return false;
	}
	if (*server == NULL && !obi_trial_accept(trial, *client != NULL, server)) {
		return false;
	}
	if (obi_trial_is_single(trial) && !obi_trial_shakes(trial) && *server != NULL &&
	    *client == NULL) {
		drop_older(trial, server);
	}
	return OBI_PASSED(trial);
}

bool obi_trial_meet(struct obi_trial *trial, struct ob_stream **ret_client,
		    struct ob_stream **ret_server)
{
	int64_t end = trial->it->host->now_ms() + obi_trial_patience(trial);
	struct ob_error err = {.text = ""};
	*ret_client = *ret_server = NULL;
	int rc = obi_trial_dial_at(trial, obi_trial_address(trial), NULL, &err);
	if (rc != OB_OK) {
		trial->dial = NULL;
		return OBI_FAIL(trial, "dial(%s): code %d: %s", obi_trial_address(trial), rc,
				err.text);
	}
	while (*ret_client == NULL || *ret_server == NULL) {
		if (!bring_on(trial, ret_client, ret_server)) {
			return false;
		}
		if (trial->it->host->now_ms() > end) {
			return OBI_FAIL(trial, "no connection within %d ms",
					obi_trial_patience(trial));
		}
	}
	return true;
}

bool obi_trial_connect(struct obi_trial *trial, struct ob_stream **ret_client,
		       struct ob_stream **ret_server)
{
	return obi_trial_meet(trial, ret_client, ret_server) &&
	       obi_trial_greet(trial, *ret_client, *ret_server);
}

bool obi_trial_pair(struct obi_trial *trial, struct ob_stream **ret_client,
		    struct ob_stream **ret_server)
{
	return obi_trial_listen(trial) && obi_trial_connect(trial, ret_client, ret_server);
}

void obi_trial_close(struct obi_trial *trial, struct ob_stream *stream)
{
	for (uint32_t i = 0; i < trial->count; i++) {
		if (trial->streams[i] == stream) {
			trial->streams[i] = trial->streams[--trial->count];
			break;
		}
	}
	trial->ops->close(stream);
}

/* ---- Bytes ---- */

bool obi_trial_write(struct obi_trial *trial, struct ob_stream *stream, const void *data,
		     size_t len)
{
	struct ob_error err = {.text = ""};
	const uint8_t *at = data;
	while (len > 0) {
		struct iovec piece = {(void *)(uintptr_t)at, len};
		ptrdiff_t n = trial->ops->writev(stream, &piece, 1, &err);
		if (n == OB_EAGAIN) {
			if (!obi_trial_wait_stream(trial, stream, OB_WRITABLE)) {
				return false;
			}
			continue;
		}
		if (n <= 0 || (size_t)n > len) {
			return OBI_FAIL(trial, "writev of %zu bytes: %td: %s", len, n, err.text);
		}
		obi_trial_moved(trial);
		at += n;
		len -= (size_t)n;
	}
	return true;
}

bool obi_trial_read(struct obi_trial *trial, struct ob_stream *stream, void *data, size_t len)
{
	struct ob_error err = {.text = ""};
	uint8_t *at = data;
	while (len > 0) {
		struct iovec piece = {at, len};
		ptrdiff_t n = trial->ops->readv(stream, &piece, 1, &err);
		if (n == OB_EAGAIN) {
			if (!obi_trial_wait_stream(trial, stream, OB_READABLE)) {
				return false;
			}
			continue;
		}
		if (n <= 0 || (size_t)n > len) {
			return OBI_FAIL(trial, "readv of %zu bytes: %td: %s", len, n, err.text);
		}
		obi_trial_moved(trial);
		at += n;
		len -= (size_t)n;
	}
	return true;
}

bool obi_trial_expect_end(struct obi_trial *trial, struct ob_stream *stream)
{
	struct ob_error err = {.text = ""};
	uint8_t byte;
	struct iovec piece = {&byte, 1};
	ptrdiff_t n;
	while ((n = trial->ops->readv(stream, &piece, 1, &err)) == OB_EAGAIN) {
		if (!obi_trial_wait_stream(trial, stream, OB_READABLE)) {
			return false;
		}
	}
	return n == 0 || OBI_FAIL(trial, "readv at the end of the stream: %td: %s", n, err.text);
}
