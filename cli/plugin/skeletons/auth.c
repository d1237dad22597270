/* SPDX-License-Identifier: MIT */
/*
 * skeleton - an authenticator for outboard: the peer must run as our own user, or as one of those
 * that the settings name, {"users": [1000, 1001]}. The kernel reports the user; no message is sent.
 *
 * It is meant to be changed. A mechanism that exchanges messages has create(), step() and
 * destroy(), with admit() or instead of it.
 */
#include <outboard/auth.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { USERS_MAX = 64 };

struct state {
	uint32_t users[USERS_MAX];
	uint32_t count;
};

/* ---- Settings ---- */

static int read_users(const struct ob_host *host, const struct ob_value *list, struct state *state,
		      struct ob_error *reterr)
{
	uint64_t uid;
	if (list->type != OB_ARRAY || list->count > USERS_MAX) {
		return host->fail(reterr, OB_EINVAL, 0, "users: a list of at most %d numbers",
				  USERS_MAX);
	}
	for (uint32_t i = 0; i < list->count; i++) {
		if (!ob_get_uint(ob_value_at(list, i), &uid) || uid >= UINT32_MAX) {
			return host->fail(reterr, OB_EINVAL, 0, "users: number %u is no user id",
					  i + 1);
		}
		state->users[state->count++] = (uint32_t)uid;
	}
	return OB_OK;
}

/* Check everything here. An error begins with the key. settings is nil if the config has none. */
static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	const struct ob_value *users = ob_value_find(settings, "users");
	struct state *state = (struct state *)calloc(1, sizeof *state);
	if (state == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int r = users != NULL ? read_users(host, users, state, reterr) : OB_OK;
	if (r < 0) {
		free(state);
		return r;
	}
	*ret_state = state;
	return OB_OK;
}

static void unconfigure(void *state)
{
	free(state);
}

/* ---- The mechanism ---- */

static bool is_listed(const struct state *state, uint32_t uid)
{
	for (uint32_t i = 0; i < state->count; i++) {
		if (state->users[i] == uid) {
			return true;
		}
	}
	return false;
}

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
	if (peer->uid != geteuid() && !is_listed((const struct state *)params->state, peer->uid)) {
		return host->fail(reterr, OB_EAUTH, 0, "skeleton: user %u is not allowed",
				  peer->uid);
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
    .configure = configure,
    .unconfigure = unconfigure,
};

OB_PLUGIN_ENTRY(&plugin);
