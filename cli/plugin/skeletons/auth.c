/* SPDX-License-Identifier: MIT */
/*
 * skeleton - an authenticator for outboard: the peer must run as our own user. The kernel reports
 * the user; no message is sent.
 *
 * It is meant to be changed. A mechanism that exchanges messages has create(), step() and
 * destroy(), with admit() or instead of it.
 */
#include <outboard/auth.h>

#include <stdio.h>
#include <unistd.h>

/*
 * Called on both ends of each connection, before a byte is read or sent. A fact is known only if
 * its bit in `known` is set; if it is not known, refuse.
 */
static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	const struct ob_peer *peer = params->peer;
	if ((peer->known & OB_PEER_UID) == 0) {
		return host->fail(reterr, OB_EAUTH, 0,
				  "skeleton: the user of the peer is not known");
	}
	if (peer->uid != geteuid()) {
		return host->fail(reterr, OB_EAUTH, 0, "skeleton: the peer is user %u", peer->uid);
	}
	return OB_OK;
}

/* The subject, for logs and handlers: 1 to 255 bytes. */
static int identity(struct ob_auth *auth, const struct ob_auth_params *params, struct ob_sink *out)
{
	char text[24];
	(void)auth; /* NULL without create() */
	snprintf(text, sizeof text, "uid:%u", params->peer->uid);
	return ob_sink_text(out, text) ? OB_OK : OB_ENOMEM;
}

/* OB_AUTH_LOCAL_ONLY: it proves nothing across a network. */
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
