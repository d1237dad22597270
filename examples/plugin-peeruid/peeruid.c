/* SPDX-License-Identifier: MIT */
/* An authenticator: the peer must be one of the users that PEERUID_ALLOW lists ("1000,1001"), or
 * our own user. The kernel reports the user; no message is sent. */
#define _GNU_SOURCE
#include <outboard/auth.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Whether the list names the user. A malformed list names no user. */
static bool is_listed(const char *list, uint32_t uid)
{
	while (list != NULL && *list != '\0') {
		char *end;
		unsigned long one = strtoul(list, &end, 10);
		if (end == list || (*end != ',' && *end != '\0')) {
			return false;
		}
		if (one == uid) {
			return true;
		}
		list = *end == ',' ? end + 1 : end;
	}
	return false;
}

/* Called on both ends, before a byte is read or sent. */
static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	const struct ob_peer *peer = params->peer;
	if ((peer->known & OB_PEER_UID) == 0) {
		return host->fail(reterr, OB_EAUTH, 0, "peeruid: the peer's user is not known");
	}
	if (peer->uid != geteuid() && !is_listed(secure_getenv("PEERUID_ALLOW"), peer->uid)) {
		return host->fail(reterr, OB_EAUTH, 0, "peeruid: user %u is not allowed",
				  peer->uid);
	}
	return OB_OK;
}

/* What ob_call_identity() returns to handlers. */
static int identity(struct ob_auth *auth, const struct ob_auth_params *params, struct ob_sink *out)
{
	char text[24];
	(void)auth;
	snprintf(text, sizeof text, "uid:%u", params->peer->uid);
	return ob_sink_text(out, text) ? OB_OK : OB_ENOMEM;
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops, .flags = OB_AUTH_LOCAL_ONLY, .admit = admit, .identity = identity};

static const struct ob_plugin peeruid = {
    .size = sizeof peeruid, .kind = OB_PLUGIN_AUTH, .name = "peeruid", .version = "1", .ops = &ops};

OB_PLUGIN_ENTRY(&peeruid);
