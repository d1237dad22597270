/* SPDX-License-Identifier: MIT */
/*
 * The tcp transport: tcp://host:port, tcp://[v6]:port.
 *
 * Every process that can reach the port may connect, and the kernel does not identify it: the
 * connection must be sealed.
 */
#include "common/stream.h"
#include "tcp/address.h"
#include "tcp/race.h"
#include "tcp/resolve.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct ob_listener {
	const struct ob_host *host;
	int fd;
	uint32_t heartbeat_ms;
};

/* A dial looks up the name, then connects to its addresses. */
struct ob_dial {
	const struct ob_host *host;
	struct obi_tcp_lookup *lookup; /* NULL if ended or not needed */
	int lookup_fd;
	struct obi_tcp_race race;
	uint32_t heartbeat_ms;
	struct ob_stream *stream; /* allocated before the connection exists */
};

static int check_form(const struct ob_host *host, const struct ob_uri *uri, bool listening,
		      struct ob_error *reterr)
{
	int32_t least = listening ? 0 : 1;
	if (uri->host.len == 0 || uri->path.len != 0 || uri->query.len != 0 || uri->port < least ||
	    uri->port > UINT16_MAX) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "'%.*s' is not of the form tcp://host:port or tcp://[v6]:port, "
				  "with a port from %d "
				  "to 65535",
				  (int)uri->text.len, (const char *)uri->text.data, least);
	}
	return OB_OK;
}

/* ---- Listener ---- */

static void tcp_listener_close(struct ob_listener *listener)
{
	if (listener != NULL) {
		if (listener->fd >= 0) {
			close(listener->fd);
		}
		free(listener);
	}
}

/* Old connections in TIME_WAIT do not block the port; another listener does. [::] includes IPv4. */
static int bind_and_listen(struct ob_listener *listener, const union obi_tcp_address *address,
			   int backlog)
{
	const int on = 1, off = 0;
	int fd =
	    socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	listener->fd = fd;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
		return errno;
	}
	if (address->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) {
		return errno;
	}
	if (bind(fd, &address->any, obi_tcp_length(address)) != 0 || listen(fd, backlog) != 0) {
		return errno;
	}
	return 0;
}

/* The address to bind. Of the two addresses of localhost it is the IPv4 one, which every machine
 * has. */
static int find_place(const struct ob_host *host, const struct ob_uri *uri,
		      union obi_tcp_address *ret, struct ob_error *reterr)
{
	struct obi_tcp_list list;
	int rc = check_form(host, uri, true, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	if (!obi_tcp_literal(uri->host, (uint16_t)uri->port, &list)) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "listening on %.*s: the host must be an address (0.0.0.0 or [::] "
				  "for all), not a name",
				  (int)uri->text.len, (const char *)uri->text.data);
	}
	*ret = list.items[list.count - 1];
	return OB_OK;
}

static int tcp_listen(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_listen_params *params, struct ob_listener **ret_listener,
		      struct ob_error *reterr)
{
	uint32_t backlog =
	    OB_HAS(params, backlog) && params->backlog > 0 ? params->backlog : SOMAXCONN;
	union obi_tcp_address place;
	int rc = find_place(host, uri, &place, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	struct ob_listener *listener = malloc(sizeof *listener);
	if (listener == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "listening: out of memory");
	}
	*listener = (struct ob_listener){
	    .host = host,
	    .fd = -1,
	    .heartbeat_ms = OB_HAS(params, heartbeat_ms) ? params->heartbeat_ms : 0};
	int sys = bind_and_listen(listener, &place, backlog < INT_MAX ? (int)backlog : INT_MAX);
	if (sys != 0) {
		tcp_listener_close(listener);
		return host->fail(reterr, obi_socket_code(sys), sys, "listening on %.*s",
				  (int)uri->text.len, (const char *)uri->text.data);
	}
	*ret_listener = listener;
	return OB_OK;
}

static int tcp_listener_fd(struct ob_listener *listener)
{
	return listener->fd;
}

static int tcp_accept(struct ob_listener *listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr)
{
	int rc = obi_stream_accept(listener->host, listener->fd, ret_stream, reterr);
	if (rc == OB_OK) {
		obi_tcp_tune((*ret_stream)->fd, listener->heartbeat_ms);
	}
	return rc;
}

static int tcp_local_uri(struct ob_listener *listener, struct ob_sink *out)
{
	union obi_tcp_address address = {0};
	socklen_t len = sizeof address;
	char text[OBI_TCP_SHOWN];
	if (getsockname(listener->fd, &address.any, &len) != 0) {
		return OB_EIO;
	}
	obi_tcp_show(&address, text);
	ob_sink_text(out, "tcp://");
	return ob_sink_text(out, text) ? OB_OK : OB_ENOMEM;
}

/* ---- Dial ---- */

static void tcp_dial_close(struct ob_dial *dial)
{
	if (dial != NULL) {
		obi_tcp_lookup_cancel(dial->lookup);
		obi_tcp_race_end(&dial->race);
		obi_stream_close(dial->stream);
		free(dial);
	}
}

static struct ob_dial *new_dial(const struct ob_host *host, const struct ob_dial_params *params)
{
	struct ob_dial *dial = calloc(1, sizeof *dial);
	if (dial != NULL) {
		dial->host = host;
		dial->race.epoll = -1;
		dial->heartbeat_ms = OB_HAS(params, heartbeat_ms) ? params->heartbeat_ms : 0;
		dial->stream = obi_stream_new(host);
	}
	if (dial != NULL && dial->stream == NULL) {
		free(dial);
		dial = NULL;
	}
	return dial;
}

/* Begin the lookup of a name, or the race for a literal address. */
static int begin(struct ob_dial *dial, const struct ob_uri *uri, struct ob_want *ret_want,
		 struct ob_error *reterr)
{
	struct obi_tcp_list list;
	if (!obi_tcp_literal(uri->host, (uint16_t)uri->port, &list)) {
		int rc = obi_tcp_lookup_begin(dial->host, uri->host, (uint16_t)uri->port,
					      &dial->lookup, &dial->lookup_fd, reterr);
		*ret_want =
		    (struct ob_want){.fd = dial->lookup_fd, .events = OB_READABLE, .deadline = -1};
		return rc;
	}
	int rc = obi_tcp_race_begin(dial->host, &list, dial->heartbeat_ms, &dial->race, reterr);
	if (rc == OB_OK) {
		rc = obi_tcp_race_step(&dial->race, &dial->stream->fd, ret_want, reterr);
	}
	return rc == OB_EAGAIN ? OB_OK : rc; /* the first step only starts an attempt */
}

static int tcp_dial(const struct ob_host *host, const struct ob_uri *uri,
		    const struct ob_dial_params *params, struct ob_dial **ret_dial,
		    struct ob_want *ret_want, struct ob_error *reterr)
{
	int rc = check_form(host, uri, false, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	struct ob_dial *dial = new_dial(host, params);
	if (dial == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "connecting: out of memory");
	}
	rc = begin(dial, uri, ret_want, reterr);
	if (rc != OB_OK) {
		tcp_dial_close(dial);
		return rc;
	}
	*ret_dial = dial;
	return OB_OK;
}

/* Take the result of the lookup and begin the race. */
static int end_lookup(struct ob_dial *dial, struct ob_want *ret_want, struct ob_error *reterr)
{
	struct obi_tcp_list list;
	int rc = obi_tcp_lookup_end(dial->lookup, &list, reterr);
	if (rc == OB_EAGAIN) {
		*ret_want =
		    (struct ob_want){.fd = dial->lookup_fd, .events = OB_READABLE, .deadline = -1};
		return rc;
	}
	dial->lookup = NULL;
	return rc == OB_OK
		   ? obi_tcp_race_begin(dial->host, &list, dial->heartbeat_ms, &dial->race, reterr)
		   : rc;
}

static int tcp_finish_dial(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			   struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)revents; /* the state is read from the sockets */
	int rc = dial->lookup != NULL ? end_lookup(dial, ret_want, reterr) : OB_OK;
	if (rc == OB_OK) {
		rc = obi_tcp_race_step(&dial->race, &dial->stream->fd, ret_want, reterr);
	}
	if (rc == OB_OK) {
		*ret_stream = dial->stream;
		dial->stream = NULL;
	}
	return rc;
}

/* ---- Peer facts ---- */

static int tcp_peer(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr)
{
	union obi_tcp_address address = {0};
	socklen_t len = sizeof address;
	char text[OBI_TCP_SHOWN];
	if (getpeername(stream->fd, &address.any, &len) != 0) {
		return stream->host->fail(reterr, OB_EIO, errno, "looking up the peer");
	}
	obi_tcp_show(&address, text);
	ret->known = OB_PEER_ADDRESS;
	snprintf(ret->address, sizeof ret->address, "%s", text);
	return OB_OK;
}

/* ---- Table ---- */

static const char *const schemes[] = {"tcp", NULL};

static const struct ob_transport_ops ops = {
    .size = sizeof ops,
    .schemes = schemes,
    .listen = tcp_listen,
    .listener_fd = tcp_listener_fd,
    .accept = tcp_accept,
    .local_uri = tcp_local_uri,
    .listener_close = tcp_listener_close,
    .dial = tcp_dial,
    .finish_dial = tcp_finish_dial,
    .dial_close = tcp_dial_close,
    .fd = obi_stream_fd,
    .readv = obi_stream_readv,
    .writev = obi_stream_writev,
    .shutdown_write = obi_stream_shutdown_write,
    .peer = tcp_peer,
    .close = obi_stream_close,
};

static const struct ob_plugin tcp_plugin = {
    .size = sizeof tcp_plugin,
    .kind = OB_PLUGIN_TRANSPORT,
    .name = "tcp",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&tcp_plugin);
