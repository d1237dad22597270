/* SPDX-License-Identifier: MIT */
#include "server/entries.h"

#include <unistd.h>

#include "base/error.h"
#include "base/string_list.h"

/* What entries are set up by. */
struct source {
	const struct ob_config *config;
	const struct ob_server_options *options;
	bool clients; /* there are entries for both */
};

/* Of a child that dials, the plugin may be meant for that. */
static const char *transport_to_listen(struct ob_runtime *rt, const struct ob_config *config)
{
	return config->dial == NULL
		   ? config->transport
		   : obi_endpoint_transport_of(rt, config->transport, config->listen);
}

/* A child that dials its parent expects it to be of its own user, or root. */
static struct obi_endpoint_names names_of_home(struct ob_runtime *rt, const struct source *s)
{
	const struct ob_config *config = s->config;
	return (struct obi_endpoint_names){
	    .use = OBI_ENDPOINT_PARENT,
	    .has_clients = s->clients,
	    .uri = config->dial,
	    .transport = obi_endpoint_transport_of(rt, config->transport, config->dial),
	    .codec = config->codec,
	    .allow_plaintext = s->options->allow_plaintext || config->allow_plaintext,
	    .parent_dials = false,
	    .allowed_uid = UINT32_MAX};
}

/* Users that are admitted besides the parent's come by the listener for clients, if there is one.
 */
static struct obi_endpoint_names names_of(struct ob_runtime *rt, const struct source *s, int which)
{
	bool clients = which == OBI_ENTRY_CLIENTS;
	const struct ob_config *config = s->config;
	bool others = clients == s->clients;
	return (struct obi_endpoint_names){
	    .use = clients ? OBI_ENDPOINT_CLIENTS : OBI_ENDPOINT_PARENT,
	    .has_clients = s->clients,
	    .uri = clients ? config->client_listen : config->listen,
	    .transport = clients ? config->client_transport : transport_to_listen(rt, config),
	    .codec = config->codec,
	    .allow_plaintext = s->options->allow_plaintext || config->allow_plaintext,
	    .parent_dials = true,
	    .allowed_uid = s->options->allowed_uid,
	    .peer_uids = others ? config->peer_uids : NULL,
	    .peer_gids = others ? config->peer_gids : NULL};
}

static int set_up_endpoint(struct ob_runtime *rt, const struct source *s, struct obi_entry *entry,
			   int which, struct ob_error *reterr)
{
	const struct ob_config *config = s->config;
	bool clients = which == OBI_ENTRY_CLIENTS;
	struct obi_endpoint_names names =
	    which == OBI_ENTRY_HOME ? names_of_home(rt, s) : names_of(rt, s, which);
	const char *list = clients ? config->client_auth : config->auth;
	char **auth = list != NULL ? obi_string_list_split(list, ',') : NULL;
	if (list != NULL && auth == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	names.auth = (const char *const *)auth;
	obi_endpoint_clear(&entry->endpoint); /* of a start that failed */
	int r = obi_endpoint_init(rt, &names, &entry->endpoint, reterr);
	obi_string_list_free(auth);
	entry->endpoint.auth.replays = &entry->replays;
	r = r == OB_OK ? obi_endpoint_set_token(&entry->endpoint, config->token, reterr) : r;
	return r == OB_OK ? obi_endpoint_configure(&entry->endpoint, config->settings, reterr) : r;
}

static int set_up_admission(const struct source *s, struct obi_entry *entry, bool clients,
			    struct ob_error *reterr)
{
	const char *parent = s->config->parent_address;
	const struct obi_admission_setup setup = {.slots = s->options->preauth_max,
						  .own_uid = (uint32_t)geteuid(),
						  .allowed_uid = entry->endpoint.auth.allowed_uid,
						  .parent = clients ? NULL : parent,
						  .strangers = clients};
	entry->kind = clients ? OB_LISTENER_CLIENT : OB_LISTENER_PARENT;
	int r = obi_admission_init(&entry->preauth.admission, &setup);
	return r == OB_OK ? OB_OK
			  : obi_fail(reterr, r, 0,
				     "parent_address \"%s\" is neither an address nor a context id",
				     parent);
}

static int set_up(struct obi_connections *cs, const struct source *s, int which,
		  struct ob_error *reterr)
{
	struct obi_entry *entry = &cs->entries[which];
	int r = set_up_endpoint(cs->rt, s, entry, which, reterr);
	return r == OB_OK ? set_up_admission(s, entry, which == OBI_ENTRY_CLIENTS, reterr) : r;
}

static bool requires_secret(const struct obi_endpoint *endpoint)
{
	for (uint32_t i = 0; i < endpoint->auth.count; i++) {
		if ((endpoint->mechanisms[i].ops->flags & OB_AUTH_NEEDS_SECRET) != 0) {
			return true;
		}
	}
	return false;
}

/* Who may supervise comes by an entry of the parent; both have the same mechanisms. */
static void set_up_permissions(struct obi_connections *cs, int which)
{
	const struct obi_endpoint *endpoint = &cs->entries[which].endpoint;
	cs->permissions.secret_required = requires_secret(endpoint);
	cs->permissions.own_uid = (uint32_t)geteuid();
	cs->permissions.allowed_uid = endpoint->auth.allowed_uid;
}

int obi_entries_set_up(struct obi_connections *cs, const struct ob_config *config,
		       const struct ob_server_options *options, struct ob_error *reterr)
{
	const struct source s = {config, options, config->client_listen != NULL};
	if (config->listen == NULL && config->dial == NULL) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"the config names no address to listen on, and none to dial");
	}
	if (config->client_auth != NULL && !s.clients) {
		return obi_fail(reterr, OB_EINVAL, 0, "client_auth requires client_listen");
	}
	int r = config->dial != NULL ? set_up(cs, &s, OBI_ENTRY_HOME, reterr) : OB_OK;
	r = r == OB_OK && config->listen != NULL ? set_up(cs, &s, OBI_ENTRY_PARENT, reterr) : r;
	if (r < 0) {
		return r;
	}
	set_up_permissions(cs, config->listen != NULL ? OBI_ENTRY_PARENT : OBI_ENTRY_HOME);
	r = s.clients ? set_up(cs, &s, OBI_ENTRY_CLIENTS, reterr) : r;
	return r < 0 && reterr != NULL ? obi_wrap(reterr, "client_listen") : r;
}
