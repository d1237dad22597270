/* SPDX-License-Identifier: MIT */
/* An authenticator: the peer must run with our group. The kernel reports the group; no message
 * is sent. */
#include <outboard/auth.h>
#include <unistd.h>

static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	const struct ob_peer *peer = params->peer;
	if ((peer->known & OB_PEER_UID) == 0) {
		return host->fail(reterr, OB_EAUTH, 0, "samegroup: the peer's group is not known");
	}
	if (peer->gid != getegid()) {
		return host->fail(reterr, OB_EAUTH, 0, "samegroup: group %u is not allowed",
				  peer->gid);
	}
	return OB_OK;
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops, .flags = OB_AUTH_LOCAL_ONLY, .admit = admit};

static const struct ob_plugin samegroup = {.size = sizeof samegroup,
					   .kind = OB_PLUGIN_AUTH,
					   .name = "samegroup",
					   .version = "1",
					   .ops = &ops};

OB_PLUGIN_ENTRY(&samegroup);
