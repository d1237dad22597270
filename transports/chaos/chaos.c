/* SPDX-License-Identifier: MIT */
/*
 * The chaos transport: chaos+SCHEME://ADDRESS?PARAMETERS is SCHEME://ADDRESS with faults that the
 * parameters and a seed determine. It is for tests; docs/CHAOS.md has the parameters.
 *
 * There are two tables because OB_TRANSPORT_LOCAL is a flag of a table: chaos+unix is local, like
 * unix; every other scheme is not.
 */
#include "chaos/stream.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static const char prefix[] = "chaos+";
enum { PREFIX = sizeof prefix - 1, URI_MAX = 4096 };

/* The parts of an address. */
struct address {
	const struct ob_transport_ops *inner;
	struct obi_chaos_params params;
	struct ob_uri uri; /* of the inner transport, in text and memory */
	struct ob_arena arena;
	char text[URI_MAX + 1];
	_Alignas(16) uint8_t memory[URI_MAX + 64];
};

struct ob_listener {
	const struct ob_host *host;
	const struct ob_transport_ops *inner;
	struct ob_listener *listener; /* of inner */
	struct obi_chaos_params params;
	uint64_t accepted;
	char query[];
};

struct ob_dial {
	const struct ob_host *host;
	const struct ob_transport_ops *inner;
	struct ob_dial *dial; /* of inner */
	struct obi_chaos_params params;
	uint32_t place;		  /* index into dialled */
	struct ob_stream *stream; /* allocated before the connection exists */
};

/* ---- Addresses ---- */

static bool begins_with(struct ob_bytes text, const char *beginning)
{
	size_t len = strlen(beginning);
	return text.len > len && memcmp(text.data, beginning, len) == 0;
}

/* Its handshake would be made by this end of the faults, and so would not be tested. */
static int refuse_outside(const struct ob_host *host, struct ob_bytes scheme,
			  struct ob_error *reterr)
{
	const uint8_t *plus = memchr(scheme.data, '+', scheme.len);
	int name = (int)(plus != NULL ? (size_t)(plus - scheme.data) : scheme.len);
	const char *all = (const char *)scheme.data;
	if (plus == NULL) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "chaos: it cannot wrap %.*s, which makes a handshake of its own",
				  name, all);
	}
	int rest = (int)scheme.len - name - 1;
	return host->fail(reterr, OB_EINVAL, 0,
			  "chaos: it cannot wrap %.*s, which makes a handshake of its own: write "
			  "%.*s+chaos+%.*s instead of chaos+%.*s",
			  name, all, name, all, rest, (const char *)plus + 1, (int)scheme.len, all);
}

static int find_inner(const struct ob_host *host, struct ob_bytes scheme,
		      const struct ob_transport_ops **ret, struct ob_error *reterr)
{
	if (begins_with(scheme, prefix)) {
		return host->fail(reterr, OB_EINVAL, 0, "chaos: it cannot wrap itself");
	}
	*ret = host->find_transport(host, scheme);
	if (*ret == NULL) {
		return host->fail(reterr, OB_EPLUGIN, 0, "chaos: no transport for %.*s",
				  (int)scheme.len, (const char *)scheme.data);
	}
	if ((*ret)->handshake != NULL || (*ret)->binding != NULL) {
		return refuse_outside(host, scheme, reterr);
	}
	/* The table for chaos+unix has OB_TRANSPORT_LOCAL. */
	if (ob_bytes_is(scheme, "unix") && ((*ret)->flags & OB_TRANSPORT_LOCAL) == 0) {
		return host->fail(reterr, OB_EPERM, 0,
				  "chaos: the transport for unix is not local to this host");
	}
	return OB_OK;
}

/* The same address without the prefix and the query. */
static int parse_inner(const struct ob_host *host, const struct ob_uri *uri, struct address *ret,
		       struct ob_error *reterr)
{
	struct ob_bytes text = ob_bytes_of(uri->text.data + PREFIX, uri->text.len - PREFIX);
	const uint8_t *query = memchr(text.data, '?', text.len);
	size_t len = query != NULL ? (size_t)(query - text.data) : text.len;
	if (len > URI_MAX) {
		return host->fail(reterr, OB_EINVAL, 0, "chaos: the address is too long");
	}
	memcpy(ret->text, text.data, len);
	ret->text[len] = '\0';
	ret->arena =
	    (struct ob_arena){.next = ret->memory, .end = ret->memory + sizeof ret->memory};
	return host->parse_uri(ret->text, &ret->arena, &ret->uri, reterr);
}

static int take_apart(const struct ob_host *host, const struct ob_uri *uri, struct address *ret,
		      struct ob_error *reterr)
{
	char why[OBI_CHAOS_WHY];
	if (!begins_with(uri->scheme, prefix) || !begins_with(uri->text, prefix)) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "'%.*s' is not of the form chaos+scheme://address?parameters",
				  (int)uri->text.len, (const char *)uri->text.data);
	}
	if (!obi_chaos_parse(uri->query, &ret->params, why)) {
		return host->fail(reterr, OB_EINVAL, 0, "%s", why);
	}
	struct ob_bytes scheme = ob_bytes_of(uri->scheme.data + PREFIX, uri->scheme.len - PREFIX);
	int rc = find_inner(host, scheme, &ret->inner, reterr);
	return rc == OB_OK ? parse_inner(host, uri, ret, reterr) : rc;
}

/* ---- Listener ---- */

static void chaos_listener_close(struct ob_listener *listener)
{
	if (listener != NULL) {
		listener->inner->listener_close(listener->listener);
		free(listener);
	}
}

static int chaos_listen(const struct ob_host *host, const struct ob_uri *uri,
			const struct ob_listen_params *params, struct ob_listener **ret_listener,
			struct ob_error *reterr)
{
	struct address address;
	int rc = take_apart(host, uri, &address, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	struct ob_listener *listener = calloc(1, sizeof *listener + uri->query.len + 1);
	if (listener == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "chaos: out of memory");
	}
	listener->host = host;
	listener->inner = address.inner;
	listener->params = address.params;
	if (uri->query.len > 0) {
		memcpy(listener->query, uri->query.data, uri->query.len);
	}
	rc = address.inner->listen(host, &address.uri, params, &listener->listener, reterr);
	if (rc != OB_OK) {
		free(listener);
		return rc;
	}
	*ret_listener = listener;
	return OB_OK;
}

static int chaos_listener_fd(struct ob_listener *listener)
{
	return listener->inner->listener_fd(listener->listener);
}

static struct ob_stream *new_stream(const struct ob_host *host,
				    const struct ob_transport_ops *inner, struct ob_error *reterr)
{
	int sys = 0;
	struct ob_stream *stream = obi_chaos_stream_new(host, inner, &sys);
	if (stream == NULL) {
		host->fail(reterr, OB_ENOMEM, sys, "chaos: creating a connection");
	}
	return stream;
}

static int begin(const struct ob_host *host, struct ob_stream *stream, struct ob_stream *inner,
		 const struct obi_chaos_params *params, enum obi_chaos_side side,
		 uint64_t connection, struct ob_error *reterr)
{
	if (!obi_chaos_stream_begin(stream, inner, params, side, connection)) {
		obi_chaos_stream_close(stream);
		return host->fail(reterr, OB_ENOMEM, 0,
				  "chaos: out of memory or threads for a connection");
	}
	return OB_OK;
}

/* The stream is allocated before accept(): if memory is short, the connection stays in the backlog.
 */
static int chaos_accept(struct ob_listener *listener, struct ob_stream **ret_stream,
			struct ob_error *reterr)
{
	struct ob_stream *inner = NULL,
			 *stream = new_stream(listener->host, listener->inner, reterr);
	if (stream == NULL) {
		return OB_ENOMEM;
	}
	int rc = listener->inner->accept(listener->listener, &inner, reterr);
	if (rc != OB_OK) {
		obi_chaos_stream_close(stream);
		return rc;
	}
	rc = begin(listener->host, stream, inner, &listener->params, OBI_CHAOS_ACCEPTOR,
		   ++listener->accepted, reterr);
	if (rc == OB_OK) {
		*ret_stream = stream;
	}
	return rc;
}

/* A dialer of this URI gets the same parameters. */
static int chaos_local_uri(struct ob_listener *listener, struct ob_sink *out)
{
	ob_sink_text(out, prefix);
	int rc = listener->inner->local_uri(listener->listener, out);
	if (rc == OB_OK && listener->query[0] != '\0') {
		ob_sink_text(out, "?");
		ob_sink_text(out, listener->query);
	}
	return rc == OB_OK && out->failed ? OB_ENOMEM : rc;
}

/* ---- Dial ---- */

/*
 * The number of connections by hash of the address. Each connection has its own schedule: with the
 * same one, a child whose first connection is reset during authentication would never be reached.
 * The counts belong to the process because a dial does not know other dials. Addresses with the
 * same hash share a count, which is harmless.
 */
static atomic_uint_fast64_t dialled[256];

static uint32_t place_of(struct ob_bytes text)
{
	uint32_t hash = 2166136261U; /* FNV-1a */
	for (size_t i = 0; i < text.len; i++) {
		hash = (hash ^ text.data[i]) * 16777619U;
	}
	return (hash ^ hash >> 8 ^ hash >> 16 ^ hash >> 24) % (sizeof dialled / sizeof *dialled);
}

static void chaos_dial_close(struct ob_dial *dial)
{
	if (dial != NULL) {
		dial->inner->dial_close(dial->dial);
		obi_chaos_stream_close(dial->stream);
		free(dial);
	}
}

static int chaos_dial(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_dial_params *params, struct ob_dial **ret_dial,
		      struct ob_want *ret_want, struct ob_error *reterr)
{
	struct address address;
	int rc = take_apart(host, uri, &address, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	struct ob_dial *dial = malloc(sizeof *dial);
	if (dial == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "chaos: out of memory");
	}
	*dial = (struct ob_dial){.host = host,
				 .inner = address.inner,
				 .params = address.params,
				 .place = place_of(uri->text)};
	dial->stream = new_stream(host, address.inner, reterr);
	rc = dial->stream != NULL
		 ? address.inner->dial(host, &address.uri, params, &dial->dial, ret_want, reterr)
		 : OB_ENOMEM;
	if (rc != OB_OK) {
		dial->dial = NULL;
		chaos_dial_close(dial);
		return rc;
	}
	*ret_dial = dial;
	return OB_OK;
}

static int chaos_finish_dial(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			     struct ob_want *ret_want, struct ob_error *reterr)
{
	struct ob_stream *inner = NULL, *stream = dial->stream;
	int rc = dial->inner->finish_dial(dial->dial, revents, &inner, ret_want, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	uint64_t connection = atomic_fetch_add(&dialled[dial->place], 1) + 1;
	dial->stream = NULL;
	rc = begin(dial->host, stream, inner, &dial->params, OBI_CHAOS_DIALER, connection, reterr);
	if (rc == OB_OK) {
		*ret_stream = stream;
	}
	return rc;
}

/* ---- Tables ---- */

static const char *const any[] = {"chaos+", NULL};
static const char *const local[] = {"chaos+unix", NULL};

#define OPS(claims, how)                                                                          \
	{                                                                                         \
		.size = sizeof(struct ob_transport_ops), .schemes = (claims),                     \
		.listen = chaos_listen, .listener_fd = chaos_listener_fd, .accept = chaos_accept, \
		.local_uri = chaos_local_uri, .listener_close = chaos_listener_close,             \
		.dial = chaos_dial, .finish_dial = chaos_finish_dial,                             \
		.dial_close = chaos_dial_close, .fd = obi_stream_fd,                              \
		.readv = obi_chaos_stream_readv, .writev = obi_chaos_stream_writev,               \
		.shutdown_write = obi_stream_shutdown_write, .peer = obi_chaos_stream_peer,       \
		.close = obi_chaos_stream_close, .flags = (how),                                  \
	}

static const struct ob_transport_ops any_ops = OPS(any, OB_TRANSPORT_MAY_FALL_SILENT);
static const struct ob_transport_ops local_ops =
    OPS(local, OB_TRANSPORT_LOCAL | OB_TRANSPORT_MAY_FALL_SILENT);

static const struct ob_plugin chaos = {.size = sizeof chaos,
				       .kind = OB_PLUGIN_TRANSPORT,
				       .name = "chaos",
				       .version = "1",
				       .ops = &any_ops};
static const struct ob_plugin chaos_local = {.size = sizeof chaos_local,
					     .kind = OB_PLUGIN_TRANSPORT,
					     .name = "chaos-local",
					     .version = "1",
					     .ops = &local_ops};

OB_PLUGIN_ENTRY(&chaos, &chaos_local);
