/* SPDX-License-Identifier: MIT */
/*
 * The tls transport: tls+SCHEME://ADDRESS is SCHEME://ADDRESS under TLS 1.3. docs/TRANSPORTS.md has
 * the settings.
 */
#include "tls/handshake.h"
#include "tls/stream.h"

#include <stdlib.h>

static const char prefix[] = "tls+";
enum { PREFIX = sizeof prefix - 1, URI_MAX = 4096 };

/* The parts of an address. */
struct address {
	const struct ob_transport_ops *inner;
	struct ob_uri uri; /* of the inner transport, in text and memory */
	struct ob_arena arena;
	char text[URI_MAX + 1];
	_Alignas(16) uint8_t memory[URI_MAX + 64];
};

struct ob_listener {
	const struct ob_transport_ops *inner;
	struct ob_listener *listener; /* of inner */
	struct obi_tls_state *state;
};

struct ob_dial {
	const struct ob_transport_ops *inner;
	struct ob_dial *dial;	  /* of inner */
	struct ob_stream *stream; /* allocated before the connection exists */
};

/* ---- Addresses ---- */

static bool begins_with(struct ob_bytes text, const char *beginning)
{
	size_t len = strlen(beginning);
	return text.len > len && memcmp(text.data, beginning, len) == 0;
}

static int find_inner(const struct ob_host *host, struct ob_bytes scheme,
		      const struct ob_transport_ops **ret, struct ob_error *reterr)
{
	if (begins_with(scheme, prefix)) {
		return host->fail(reterr, OB_EINVAL, 0, "tls: it cannot wrap itself");
	}
	*ret = host->find_transport(host, scheme);
	return *ret != NULL ? OB_OK
			    : host->fail(reterr, OB_EPLUGIN, 0, "tls: no transport for %.*s",
					 (int)scheme.len, (const char *)scheme.data);
}

static int take_apart(const struct ob_host *host, const struct ob_uri *uri, struct address *ret,
		      struct ob_error *reterr)
{
	if (!begins_with(uri->scheme, prefix) || !begins_with(uri->text, prefix)) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "'%.*s' is not of the form tls+scheme://address",
				  (int)uri->text.len, (const char *)uri->text.data);
	}
	struct ob_bytes text = ob_bytes_of(uri->text.data + PREFIX, uri->text.len - PREFIX);
	if (text.len > URI_MAX) {
		return host->fail(reterr, OB_EINVAL, 0, "tls: the address is too long");
	}
	memcpy(ret->text, text.data, text.len);
	ret->text[text.len] = '\0';
	ret->arena =
	    (struct ob_arena){.next = ret->memory, .end = ret->memory + sizeof ret->memory};
	struct ob_bytes scheme = ob_bytes_of(uri->scheme.data + PREFIX, uri->scheme.len - PREFIX);
	int rc = find_inner(host, scheme, &ret->inner, reterr);
	return rc == OB_OK ? host->parse_uri(ret->text, &ret->arena, &ret->uri, reterr) : rc;
}

/* ---- Listener ---- */

static void tls_listener_close(struct ob_listener *listener)
{
	if (listener != NULL) {
		listener->inner->listener_close(listener->listener);
		free(listener);
	}
}

/* A list that would not be looked at is refused. */
static int check_acceptor(const struct ob_host *host, const struct obi_tls_state *state,
			  struct ob_error *reterr)
{
	if (state == NULL) {
		return host->fail(reterr, OB_EINVAL, 0, "tls: there are no settings");
	}
	if (state->files[OBI_TLS_CERTIFICATE].path == NULL) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "tls: listening needs the settings certificate and key");
	}
	if (!state->mutual &&
	    (state->accepted.names != NULL || state->accepted.fingerprint_count > 0)) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "tls: listening with mutual false asks for no certificate: names "
				  "and fingerprints are of no use");
	}
	return OB_OK;
}

/* The settings are ours, not of the inner transport. */
static int tls_listen(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_listen_params *params, struct ob_listener **ret_listener,
		      struct ob_error *reterr)
{
	struct ob_listen_params below = {0};
	struct address address;
	struct obi_tls_state *state = OB_HAS(params, state) ? params->state : NULL;
	int rc = take_apart(host, uri, &address, reterr);
	rc = rc == OB_OK ? check_acceptor(host, state, reterr) : rc;
	if (rc != OB_OK) {
		return rc;
	}
	struct ob_listener *listener = calloc(1, sizeof *listener);
	if (listener == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "tls: out of memory");
	}
	*listener = (struct ob_listener){.inner = address.inner, .state = state};
	memcpy(&below, params, params->size < sizeof below ? params->size : sizeof below);
	below.size = params->size < sizeof below ? params->size : (uint32_t)sizeof below;
	below.state = NULL;
	rc = address.inner->listen(host, &address.uri, &below, &listener->listener, reterr);
	if (rc != OB_OK) {
		free(listener);
		return rc;
	}
	*ret_listener = listener;
	return OB_OK;
}

static int tls_listener_fd(struct ob_listener *listener)
{
	return listener->inner->listener_fd(listener->listener);
}

/* The stream is allocated before accept(): if memory is short, the connection stays in the backlog.
 */
static int tls_accept(struct ob_listener *listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr)
{
	struct ob_stream *inner = NULL;
	obi_tls_state_refresh(listener->state);
	struct ob_stream *stream =
	    obi_tls_stream_new(listener->state, listener->inner, false, NULL);
	if (stream == NULL) {
		return listener->state->host->fail(reterr, OB_ENOMEM, 0, "tls: out of memory");
	}
	int rc = listener->inner->accept(listener->listener, &inner, reterr);
	if (rc != OB_OK) {
		obi_tls_stream_close(stream);
		return rc;
	}
	obi_tls_stream_begin(stream, inner);
	*ret_stream = stream;
	return OB_OK;
}

static int tls_local_uri(struct ob_listener *listener, struct ob_sink *out)
{
	ob_sink_text(out, prefix);
	int rc = listener->inner->local_uri(listener->listener, out);
	return rc == OB_OK && out->failed ? OB_ENOMEM : rc;
}

/* ---- Dial ---- */

static void tls_dial_close(struct ob_dial *dial)
{
	if (dial != NULL) {
		dial->inner->dial_close(dial->dial);
		obi_tls_stream_close(dial->stream);
		free(dial);
	}
}

/* The name that the acceptor's certificate must be for: the host of the address, unless the
 * settings say whom to accept. */
static int name_of(const struct ob_host *host, const struct ob_uri *uri,
		   const struct obi_tls_state *state, char ret[OBI_TLS_SUBJECT + 1],
		   struct ob_error *reterr)
{
	ret[0] = '\0';
	if (state == NULL) {
		return host->fail(reterr, OB_EINVAL, 0, "tls: there are no settings");
	}
	if (state->files[OBI_TLS_CA].path == NULL && state->accepted.fingerprint_count == 0) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "tls: dialing needs the setting ca or fingerprints");
	}
	if (state->accepted.names != NULL || state->accepted.fingerprint_count > 0) {
		return OB_OK;
	}
	if (uri->host.len == 0 || uri->host.len > OBI_TLS_SUBJECT) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "tls: %.*s has no host that a certificate could be for: the "
				  "setting names or fingerprints is required",
				  (int)uri->text.len, (const char *)uri->text.data);
	}
	memcpy(ret, uri->host.data, uri->host.len);
	ret[uri->host.len] = '\0';
	return OB_OK;
}

static struct ob_dial *new_dial(const struct ob_transport_ops *inner, struct obi_tls_state *state,
				const char *name)
{
	struct ob_dial *dial = calloc(1, sizeof *dial);
	if (dial == NULL) {
		return NULL;
	}
	dial->inner = inner;
	obi_tls_state_refresh(state);
	dial->stream = obi_tls_stream_new(state, inner, true, name);
	if (dial->stream == NULL) {
		free(dial);
		dial = NULL;
	}
	return dial;
}

static int tls_dial(const struct ob_host *host, const struct ob_uri *uri,
		    const struct ob_dial_params *params, struct ob_dial **ret_dial,
		    struct ob_want *ret_want, struct ob_error *reterr)
{
	struct ob_dial_params below = {0};
	struct address address;
	char name[OBI_TLS_SUBJECT + 1];
	struct obi_tls_state *state = OB_HAS(params, state) ? params->state : NULL;
	int rc = take_apart(host, uri, &address, reterr);
	rc = rc == OB_OK ? name_of(host, &address.uri, state, name, reterr) : rc;
	if (rc != OB_OK) {
		return rc;
	}
	struct ob_dial *dial = new_dial(address.inner, state, name);
	if (dial == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "tls: out of memory");
	}
	memcpy(&below, params, params->size < sizeof below ? params->size : sizeof below);
	below.size = params->size < sizeof below ? params->size : (uint32_t)sizeof below;
	below.state = NULL;
	rc = address.inner->dial(host, &address.uri, &below, &dial->dial, ret_want, reterr);
	if (rc != OB_OK) {
		dial->dial = NULL;
		tls_dial_close(dial);
		return rc;
	}
	*ret_dial = dial;
	return OB_OK;
}

static int tls_finish_dial(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			   struct ob_want *ret_want, struct ob_error *reterr)
{
	struct ob_stream *inner = NULL;
	int rc = dial->inner->finish_dial(dial->dial, revents, &inner, ret_want, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	obi_tls_stream_begin(dial->stream, inner);
	*ret_stream = dial->stream;
	dial->stream = NULL;
	return OB_OK;
}

/* ---- Table ---- */

static const char *const schemes[] = {"tls+", NULL};

static const struct ob_transport_ops ops = {
    .size = sizeof ops,
    .flags = OB_TRANSPORT_SEALED,
    .schemes = schemes,
    .listen = tls_listen,
    .listener_fd = tls_listener_fd,
    .accept = tls_accept,
    .local_uri = tls_local_uri,
    .listener_close = tls_listener_close,
    .dial = tls_dial,
    .finish_dial = tls_finish_dial,
    .dial_close = tls_dial_close,
    .fd = obi_tls_stream_fd,
    .readv = obi_tls_stream_readv,
    .writev = obi_tls_stream_writev,
    .shutdown_write = obi_tls_stream_shutdown_write,
    .close = obi_tls_stream_close,
    .peer = obi_tls_stream_peer,
    .handshake = obi_tls_stream_handshake,
    .want = obi_tls_stream_want,
    .pending = obi_tls_stream_pending,
    .binding = obi_tls_stream_binding,
};

static const struct ob_plugin tls = {
    .size = sizeof tls,
    .kind = OB_PLUGIN_TRANSPORT,
    .name = "tls",
    .version = "1",
    .ops = &ops,
    .configure = obi_tls_configure,
    .unconfigure = obi_tls_unconfigure,
};

OB_PLUGIN_ENTRY(&tls);
