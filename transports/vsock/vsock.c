/* SPDX-License-Identifier: MIT */
/*
 * The vsock transport: vsock://cid:port, between a virtual machine and its host.
 *
 * The CID is a number or a name: any (to listen on all CIDs of this machine), host (the host of
 * this guest) or local (this machine). A guest that is restored from a snapshot may have another
 * CID: it listens on any.
 */
#include "vsock/vsock.h"

#include "common/stream.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h> /* needs struct sockaddr from above */

struct ob_listener {
	const struct ob_host *host;
	int fd;
};

struct ob_dial {
	const struct ob_host *host;
	struct ob_stream *stream;
	struct sockaddr_vm to;
};

/* ---- Addresses ---- */

static bool cid_of(struct ob_bytes host, uint32_t *ret)
{
	uint64_t cid = 0;
	if (ob_bytes_is(host, "any") || ob_bytes_is(host, "host") || ob_bytes_is(host, "local")) {
		*ret = host.data[0] == 'a'   ? VMADDR_CID_ANY
		       : host.data[0] == 'h' ? VMADDR_CID_HOST
					     : VMADDR_CID_LOCAL;
		return true;
	}
	for (size_t i = 0; i < host.len; i++) {
		if (host.data[i] < '0' || host.data[i] > '9' || cid > UINT32_MAX) {
			return false;
		}
		cid = cid * 10 + (uint64_t)(host.data[i] - '0');
	}
	*ret = (uint32_t)cid;
	return host.len > 0 && cid <= UINT32_MAX;
}

static int address_of(const struct ob_host *host, const struct ob_uri *uri, struct sockaddr_vm *ret,
		      struct ob_error *reterr)
{
	uint32_t cid;
	if (!cid_of(uri->host, &cid) || uri->port < 0 || uri->path.len != 0 ||
	    uri->query.len != 0) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "'%.*s' is not of the form vsock://cid:port, with a number, any, "
				  "host or local as cid",
				  (int)uri->text.len, (const char *)uri->text.data);
	}
	if (cid == VMADDR_CID_HYPERVISOR) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "%.*s: CID 0 is reserved for the hypervisor", (int)uri->text.len,
				  (const char *)uri->text.data);
	}
	*ret = (struct sockaddr_vm){
	    .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = (uint32_t)uri->port};
	return OB_OK;
}

/* "any:5000", "host:5000", "7:5000" */
static void show(const struct sockaddr_vm *address, char ret[32])
{
	if (address->svm_cid == VMADDR_CID_ANY) {
		snprintf(ret, 32, "any:%u", address->svm_port);
	} else {
		snprintf(ret, 32, "%u:%u", address->svm_cid, address->svm_port);
	}
}

/* ---- Errors ---- */

static int no_socket(const struct ob_host *host, struct ob_error *reterr)
{
	switch (errno) {
	case EPERM:
	case EACCES:
		return host->fail(
		    reterr, OB_EPERM, errno,
		    "creating a vsock socket: forbidden, probably by a container's seccomp filter");
	case EAFNOSUPPORT:
	case ESOCKTNOSUPPORT:
		return host->fail(reterr, OB_ENOTSUP, errno,
				  "creating a vsock socket: this kernel has no vsock");
	default:
		return host->fail(reterr, obi_socket_code(errno), errno, "creating a vsock socket");
	}
}

static int no_connection(const struct ob_host *host, const struct sockaddr_vm *to, int sys,
			 struct ob_error *reterr)
{
	char where[32];
	show(to, where);
	switch (sys) {
	case ECONNRESET: /* the answer of a machine without a listener on this port */
		return host->fail(reterr, OB_EREFUSED, sys, "vsock://%s: no listener on this port",
				  where);
	case ENODEV:
	case ENETUNREACH:
	case EHOSTUNREACH:
		return host->fail(reterr, OB_EREFUSED, sys, "vsock://%s: CID unreachable", where);
	case EPERM:
	case EACCES:
		return host->fail(reterr, OB_EPERM, sys,
				  "vsock://%s: forbidden, probably by a container's seccomp filter",
				  where);
	default:
		return host->fail(reterr,
				  obi_socket_code(sys) != OB_EAGAIN ? obi_socket_code(sys) : OB_EIO,
				  sys, "connecting to vsock://%s", where);
	}
}

static int not_bound(const struct ob_host *host, const struct sockaddr_vm *place, int sys,
		     struct ob_error *reterr)
{
	char where[32];
	show(place, where);
	return host->fail(reterr, obi_socket_code(sys), sys, "listening on vsock://%s%s", where,
			  sys == EADDRNOTAVAIL ? ": not a CID of this machine" : "");
}

static int new_socket(void)
{
	return socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* ---- Listener ---- */

static void vsock_listener_close(struct ob_listener *listener)
{
	if (listener != NULL) {
		if (listener->fd >= 0) {
			close(listener->fd);
		}
		free(listener);
	}
}

static int bind_free_port(int fd, struct sockaddr_vm *place)
{
	for (int tries = 0; tries < OBI_VSOCK_TRIES; tries++) {
		place->svm_port = (uint32_t)obi_vsock_any_port();
		if (bind(fd, (struct sockaddr *)place, sizeof *place) == 0) {
			return 0;
		}
		if (errno != EADDRINUSE) {
			break;
		}
	}
	return errno;
}

static int bind_and_listen(int fd, struct sockaddr_vm *place, int backlog)
{
	if (place->svm_port == 0) {
		int sys = bind_free_port(fd, place);
		if (sys != 0) {
			return sys;
		}
	} else if (bind(fd, (struct sockaddr *)place, sizeof *place) != 0) {
		return errno;
	}
	return listen(fd, backlog) == 0 ? 0 : errno;
}

static int vsock_listen(const struct ob_host *host, const struct ob_uri *uri,
			const struct ob_listen_params *params, struct ob_listener **ret_listener,
			struct ob_error *reterr)
{
	uint32_t backlog =
	    OB_HAS(params, backlog) && params->backlog > 0 ? params->backlog : SOMAXCONN;
	struct sockaddr_vm place;
	int rc = address_of(host, uri, &place, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	struct ob_listener *listener = malloc(sizeof *listener);
	if (listener == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "listening: out of memory");
	}
	*listener = (struct ob_listener){.host = host, .fd = new_socket()};
	if (listener->fd < 0) {
		rc = no_socket(host, reterr);
	} else {
		int sys = bind_and_listen(listener->fd, &place,
					  backlog < INT_MAX ? (int)backlog : INT_MAX);
		rc = sys != 0 ? not_bound(host, &place, sys, reterr) : OB_OK;
	}
	if (rc != OB_OK) {
		vsock_listener_close(listener);
		return rc;
	}
	*ret_listener = listener;
	return OB_OK;
}

static int vsock_listener_fd(struct ob_listener *listener)
{
	return listener->fd;
}

static int vsock_accept(struct ob_listener *listener, struct ob_stream **ret_stream,
			struct ob_error *reterr)
{
	return obi_stream_accept(listener->host, listener->fd, ret_stream, reterr);
}

static int vsock_local_uri(struct ob_listener *listener, struct ob_sink *out)
{
	struct sockaddr_vm address = {0};
	socklen_t len = sizeof address;
	char text[32];
	if (getsockname(listener->fd, (struct sockaddr *)&address, &len) != 0) {
		return OB_EIO;
	}
	show(&address, text);
	ob_sink_text(out, "vsock://");
	return ob_sink_text(out, text) ? OB_OK : OB_ENOMEM;
}

/* ---- Dial ---- */

static void vsock_dial_close(struct ob_dial *dial)
{
	if (dial != NULL) {
		obi_stream_close(dial->stream);
		free(dial);
	}
}

static int check_target(const struct ob_host *host, const struct ob_uri *uri,
			struct sockaddr_vm *ret, struct ob_error *reterr)
{
	int rc = address_of(host, uri, ret, reterr);
	if (rc == OB_OK && (ret->svm_cid == VMADDR_CID_ANY || ret->svm_port == 0)) {
		return host->fail(reterr, OB_EINVAL, 0, "%.*s: %s is only for listening",
				  (int)uri->text.len, (const char *)uri->text.data,
				  ret->svm_port == 0 ? "port 0" : "any");
	}
	return rc;
}

static int begin(struct ob_dial *dial, struct ob_error *reterr)
{
	dial->stream->fd = new_socket();
	if (dial->stream->fd < 0) {
		return no_socket(dial->host, reterr);
	}
	if (connect(dial->stream->fd, (struct sockaddr *)&dial->to, sizeof dial->to) != 0 &&
	    errno != EINPROGRESS) {
		return no_connection(dial->host, &dial->to, errno, reterr);
	}
	return OB_OK;
}

static int vsock_dial(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_dial_params *params, struct ob_dial **ret_dial,
		      struct ob_want *ret_want, struct ob_error *reterr)
{
	struct sockaddr_vm to;
	(void)params; /* vsock has no keepalive: only the heartbeat notices a dead link */
	int rc = check_target(host, uri, &to, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	struct ob_dial *dial = calloc(1, sizeof *dial);
	if (dial == NULL || (dial->stream = obi_stream_new(host)) == NULL) {
		free(dial);
		return host->fail(reterr, OB_ENOMEM, 0, "connecting: out of memory");
	}
	dial->host = host;
	dial->to = to;
	rc = begin(dial, reterr);
	if (rc != OB_OK) {
		vsock_dial_close(dial);
		return rc;
	}
	*ret_dial = dial;
	*ret_want = (struct ob_want){.fd = dial->stream->fd, .events = OB_WRITABLE, .deadline = -1};
	return OB_OK;
}

static int vsock_finish_dial(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			     struct ob_want *ret_want, struct ob_error *reterr)
{
	int sys = obi_connect_outcome(dial->stream->fd);
	(void)revents;
	if (sys == EINPROGRESS) {
		*ret_want =
		    (struct ob_want){.fd = dial->stream->fd, .events = OB_WRITABLE, .deadline = -1};
		return OB_EAGAIN;
	}
	if (sys != 0) {
		return no_connection(dial->host, &dial->to, sys, reterr);
	}
	*ret_stream = dial->stream;
	dial->stream = NULL;
	return OB_OK;
}

/* ---- Peer facts ---- */

static int vsock_peer(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr)
{
	struct sockaddr_vm address = {0};
	socklen_t len = sizeof address;
	char text[32];
	if (getpeername(stream->fd, (struct sockaddr *)&address, &len) != 0) {
		return stream->host->fail(reterr, OB_EIO, errno, "looking up the peer");
	}
	show(&address, text);
	ret->known = OB_PEER_CID | OB_PEER_ADDRESS;
	ret->cid = address.svm_cid;
	snprintf(ret->address, sizeof ret->address, "%s", text);
	return OB_OK;
}

/* ---- Table ---- */

static const char *const schemes[] = {"vsock", NULL};

static const struct ob_transport_ops ops = {
    .size = sizeof ops,
    .schemes = schemes,
    .listen = vsock_listen,
    .listener_fd = vsock_listener_fd,
    .accept = vsock_accept,
    .local_uri = vsock_local_uri,
    .listener_close = vsock_listener_close,
    .dial = vsock_dial,
    .finish_dial = vsock_finish_dial,
    .dial_close = vsock_dial_close,
    .fd = obi_stream_fd,
    .readv = obi_stream_readv,
    .writev = obi_stream_writev,
    .shutdown_write = obi_stream_shutdown_write,
    .peer = vsock_peer,
    .close = obi_stream_close,
};

const struct ob_plugin obi_vsock_plugin = {
    .size = sizeof obi_vsock_plugin,
    .kind = OB_PLUGIN_TRANSPORT,
    .name = "vsock",
    .version = "1",
    .ops = &ops,
};
