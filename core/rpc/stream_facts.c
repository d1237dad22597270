/* SPDX-License-Identifier: MIT */
#include "rpc/stream_facts.h"

#include "base/error.h"

struct ob_peer obi_stream_peer_facts(const struct ob_transport_ops *transport,
				     struct ob_stream *stream,
				     const struct obi_handshake_setup *auth)
{
	struct ob_peer peer = {.size = offsetof(struct ob_peer, pidfd), .pidfd = -1};
	struct ob_error err = {0};
	for (uint32_t i = 0; auth != NULL && i < auth->count; i++) {
		if ((auth->mechanisms[i].ops->flags & OB_AUTH_USES_PIDFD) != 0) {
			peer.size = sizeof peer;
		}
	}
	if (transport->peer != NULL && transport->peer(stream, &peer, &err) < 0) {
		peer.known = 0;
	}
	peer.size = sizeof peer;
	return peer;
}

int obi_stream_binding(const struct ob_transport_ops *transport, struct ob_stream *stream,
		       struct ob_sink *out, struct ob_error *reterr)
{
	if (transport->binding == NULL) {
		return OB_OK;
	}
	int r = transport->binding(stream, out);
	if (r < 0 || out->failed || out->len < OB_BINDING_MIN) {
		return obi_fail(reterr, OB_EPLUGIN, 0,
				"the transport returned no valid channel binding");
	}
	return OB_OK;
}
