/* SPDX-License-Identifier: MIT */
#include "auth/ask/link.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { REDIAL_MS = 20 }; /* while the backlog of the helper is full */

const char *obi_ask_link_name(const struct obi_ask_link *link)
{
	return (const char *)link->to->address.path.data;
}

struct ob_codec_params obi_ask_link_codec_params(const struct obi_ask_link *link)
{
	return (struct ob_codec_params){.size = sizeof(struct ob_codec_params),
					.message = OBI_ASK_MESSAGE,
					.host = link->to->host,
					.depth = OB_DEPTH_MAX,
					.batch = 1};
}

/* A failure of the helper. The transport's own words end with its reason. */
static int broken(const struct obi_ask_link *link, int code, const char *why,
		  struct ob_error *reterr)
{
	return link->to->host->fail(reterr, code, 0, "the helper at %.200s %.200s",
				    obi_ask_link_name(link), why);
}

/* ---- Beginning and end ---- */

int obi_ask_link_open(struct obi_ask_link *link, const struct obi_ask_settings *to,
		      struct ob_error *reterr)
{
	uint8_t *memory = malloc(2 * (size_t)OBI_ASK_MESSAGE);
	if (memory == NULL) {
		return to->host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	*link = (struct obi_ask_link){.to = to, .in = memory};
	link->out = ob_sink_fixed(memory + OBI_ASK_MESSAGE, OBI_ASK_MESSAGE);
	return OB_OK;
}

void obi_ask_link_close(struct obi_ask_link *link)
{
	if (link->to != NULL && link->to->transport != NULL) {
		link->to->transport->dial_close(link->dial);
		link->to->transport->close(link->stream);
	}
	if (link->in != NULL) {
		explicit_bzero(link->in, 2 * (size_t)OBI_ASK_MESSAGE);
		free(link->in);
	}
	memset(link, 0, sizeof *link);
}

struct ob_sink *obi_ask_link_question(struct obi_ask_link *link)
{
	link->out.len = 0;
	link->out.failed = false;
	link->written = 0;
	link->left = OBI_ASK_MESSAGE;
	return &link->out;
}

/* ---- Connecting ---- */

static int wait_for(struct obi_ask_link *link, int fd, int events, int64_t deadline)
{
	link->want = (struct ob_want){.fd = fd, .events = events, .deadline = deadline};
	return OB_EAGAIN;
}

static int dial(struct obi_ask_link *link, struct ob_error *reterr)
{
	const struct obi_ask_settings *to = link->to;
	const struct ob_dial_params params = {.size = sizeof params, .owner = to->user};
	struct ob_error err = {.text = ""};
	int r =
	    to->transport->dial(to->host, &to->address, &params, &link->dial, &link->want, &err);
	if (r == OB_EAGAIN) {
		return wait_for(link, -1, 0, to->host->now_ms() + REDIAL_MS);
	}
	return r == OB_OK ? OB_OK
			  : to->host->fail(reterr, r == OB_ENOMEM ? r : OB_EDOWN, 0,
					   "the helper cannot be reached: %s", err.text);
}

/* The kernel says who listens there, whatever the files say. */
static int check_peer(struct obi_ask_link *link, struct ob_error *reterr)
{
	const struct obi_ask_settings *to = link->to;
	struct ob_peer peer = {.size = sizeof peer, .pidfd = -1};
	int r = to->transport->peer(link->stream, &peer, NULL);
	if (r < 0 || (peer.known & OB_PEER_UID) == 0) {
		return broken(link, OB_EDOWN, "is of an unknown user", reterr);
	}
	bool right = to->user != (uint32_t)-1 ? peer.uid == to->user
					      : peer.uid == geteuid() || peer.uid == 0;
	return right ? OB_OK
		     : to->host->fail(reterr, OB_EDOWN, 0,
				      "the helper at %.200s is a process of user %u, which is not "
				      "the one that it must be",
				      obi_ask_link_name(link), peer.uid);
}

/* What has become of what the dial waits for: its events, or 0 once its time has come. */
static int revents_of(const struct obi_ask_link *link)
{
	struct pollfd p = {.fd = link->want.fd,
			   .events = (short)((link->want.events & OB_READABLE ? POLLIN : 0) |
					     (link->want.events & OB_WRITABLE ? POLLOUT : 0))};
	if (link->want.fd < 0 || poll(&p, 1, 0) <= 0) {
		return 0;
	}
	return ((p.revents & ~POLLOUT) != 0 ? OB_READABLE : 0) |
	       ((p.revents & ~POLLIN) != 0 ? OB_WRITABLE : 0);
}

static int finish_dial(struct obi_ask_link *link, struct ob_error *reterr)
{
	const struct obi_ask_settings *to = link->to;
	struct ob_error err = {.text = ""};
	int events = revents_of(link);
	if (events == 0 && link->want.deadline < 0) {
		return OB_EAGAIN;
	}
	if (events == 0 && link->want.deadline > to->host->now_ms()) {
		return OB_EAGAIN;
	}
	int r = to->transport->finish_dial(link->dial, events, &link->stream, &link->want, &err);
	if (r == OB_EAGAIN) {
		return r;
	}
	to->transport->dial_close(link->dial);
	link->dial = NULL;
	if (r < 0) {
		return to->host->fail(reterr, OB_EDOWN, 0, "the helper cannot be reached: %s",
				      err.text);
	}
	return check_peer(link, reterr);
}

static int connect_it(struct obi_ask_link *link, struct ob_error *reterr)
{
	int r = link->dial == NULL ? dial(link, reterr) : OB_OK;
	return r == OB_OK ? finish_dial(link, reterr) : r;
}

/* ---- Writing and reading ---- */

static int write_some(struct obi_ask_link *link, struct ob_error *reterr)
{
	const struct ob_transport_ops *ops = link->to->transport;
	struct iovec piece = {link->out.data + link->written, link->out.len - link->written};
	ptrdiff_t n = ops->writev(link->stream, &piece, 1, NULL);
	if (n == OB_EAGAIN) {
		return wait_for(link, ops->fd(link->stream), OB_WRITABLE, -1);
	}
	if (n <= 0) {
		return broken(link, link->asked ? OB_EREMOTE : OB_EDOWN, "closed the connection",
			      reterr);
	}
	link->written += (size_t)n;
	link->asked = true;
	return OB_OK;
}

static int read_some(struct obi_ask_link *link, struct ob_error *reterr)
{
	const struct ob_transport_ops *ops = link->to->transport;
	size_t room = OBI_ASK_MESSAGE - link->in_len;
	struct iovec piece = {link->in + link->in_len, room < link->left ? room : link->left};
	if (piece.iov_len == 0) {
		return broken(link, OB_EREMOTE, "answers more than 32 KiB", reterr);
	}
	ptrdiff_t n = ops->readv(link->stream, &piece, 1, NULL);
	if (n == OB_EAGAIN) {
		return wait_for(link, ops->fd(link->stream), OB_READABLE, -1);
	}
	if (n <= 0) {
		return broken(link, OB_EREMOTE, "closed the connection without an answer", reterr);
	}
	link->in_len += (size_t)n;
	link->left -= (size_t)n;
	return OB_OK;
}

/* 1: a message is complete. */
static int look(struct obi_ask_link *link, struct ob_error *reterr)
{
	const struct ob_codec_params params = obi_ask_link_codec_params(link);
	size_t len = 0;
	if (link->in_len == 0) {
		return 0;
	}
	int r =
	    link->to->codec->scan(ob_bytes_of(link->in, link->in_len), &link->scan, &params, &len);
	if (r < 0 || (r == 1 && (len == 0 || len > link->in_len))) {
		return broken(link, OB_EREMOTE,
			      r == OB_ETOOBIG ? "answers more than 32 KiB"
					      : "answers what is not a message",
			      reterr);
	}
	link->message_len = len;
	return r;
}

int obi_ask_link_turn(struct obi_ask_link *link, struct ob_bytes *ret_message,
		      struct ob_error *reterr)
{
	int r = link->stream == NULL ? connect_it(link, reterr) : OB_OK;
	while (r == OB_OK && link->written < link->out.len) {
		r = write_some(link, reterr);
	}
	while (r == OB_OK && (r = look(link, reterr)) == 0) {
		r = read_some(link, reterr);
	}
	if (r == 1) {
		*ret_message = ob_bytes_of(link->in, link->message_len);
		return OB_OK;
	}
	return r;
}

void obi_ask_link_take(struct obi_ask_link *link)
{
	link->in_len -= link->message_len;
	memmove(link->in, link->in + link->message_len, link->in_len);
	link->message_len = 0;
	memset(&link->scan, 0, sizeof link->scan);
}
