/* SPDX-License-Identifier: MIT */
/*
 * skeleton - an authenticator for outboard: the peer must be run by our own user. The kernel says
 * who it is; nothing is sent.
 *
 * It is here to be changed. A mechanism that exchanges messages has create(), step() and destroy()
 * besides, or instead.
 */
#include <outboard/auth.h>

#include <stdio.h>
#include <unistd.h>

/*
 * Called on both ends of each connection, before a byte is read or sent. A fact counts only if its
 * bit in `known` is set: a fact that is not known is a refusal.
 */
static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	const struct ob_peer *peer = params->peer;
	if ((peer->known & OB_PEER_UID) == 0) {
		return host->fail(reterr, OB_EAUTH, 0,
				  "skeleton: nobody vouches for who the peer is");
	}
	if (peer->uid != geteuid()) {
		return host->fail(reterr, OB_EAUTH, 0, "skeleton: the peer is user %u", peer->uid);
	}
	return OB_OK;
}

/* Who it was, for logs and handlers: 1 to 255 bytes. */
static int identity(struct ob_auth *auth, const struct ob_auth_params *params, struct ob_sink *out)
{
	char text[24];
	(void)auth; /* there is none without create() */
	snprintf(text, sizeof text, "uid:%u", params->peer->uid);
	return ob_sink_text(out, text) ? OB_OK : OB_ENOMEM;
}

/* OB_AUTH_LOCAL_ONLY: it proves nothing on a wire that others can reach. */
static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_LOCAL_ONLY,
    .admit = admit,
    .identity = identity,
};

static const struct ob_plugin plugin = {
    .size = sizeof plugin,
    .kind = OB_PLUGIN_AUTH,
    .name = "skeleton",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&plugin);
