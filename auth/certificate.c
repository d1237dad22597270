/* SPDX-License-Identifier: MIT */
/*
 * The certificate authenticator: admits whom the handshake of the transport has identified, such as
 * by a certificate (tls). It sends nothing and proves nothing itself. Whom the transport accepts is
 * decided there, by its settings; what he may do, by the rules of the ACL.
 */
#include <outboard/auth.h>

static bool has_subject(const struct ob_peer *peer)
{
	return OB_HAS(peer, subject) && (peer->known & OB_PEER_SUBJECT) != 0 &&
	       peer->subject.len > 0;
}

static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	return has_subject(params->peer)
		   ? OB_OK
		   : host->fail(reterr, OB_EAUTH, 0,
				"certificate: the transport has not proved who the peer is");
}

static int identity(struct ob_auth *auth, const struct ob_auth_params *params, struct ob_sink *out)
{
	const struct ob_bytes subject = params->peer->subject;
	(void)auth;
	return ob_sink_put(out, subject.data, subject.len) ? OB_OK : OB_ENOMEM;
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_NEEDS_SEAL,
    .admit = admit,
    .identity = identity,
};

static const struct ob_plugin certificate = {
    .size = sizeof certificate,
    .kind = OB_PLUGIN_AUTH,
    .name = "certificate",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&certificate);
