/* SPDX-License-Identifier: MIT */
#include "supervisor/start_config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "access/acl.h"
#include "base/error.h"
#include "base/string_list.h"
#include "files/child_address.h"

enum { TOKEN_BYTES = 32, INSTANCE_BYTES = 16 };

/* Random bytes as lower-case hex digits. */
static int set_random(char **field, size_t bytes)
{
	uint8_t raw[TOKEN_BYTES];
	char text[2 * TOKEN_BYTES + 1];
	randombytes_buf(raw, bytes);
	sodium_bin2hex(text, sizeof text, raw, bytes);
	int r = ob_config_set(field, text);
	sodium_memzero(raw, sizeof raw);
	sodium_memzero(text, sizeof text);
	return r;
}

/* A field that names a list, if there is one. */
static int set_list(char **field, const char *const *list, const char *between)
{
	if (list == NULL || list[0] == NULL) {
		return OB_OK;
	}
	char *text = obi_string_list_join(list, between);
	int r = text == NULL ? OB_ENOMEM : OB_EINVAL;
	if (text != NULL && strlen(text) <= OBI_ACL_TEXT_MAX) {
		r = ob_config_set(field, text);
	}
	free(text);
	return r;
}

static int set_access(const struct ob_connector_options *o, struct ob_config *config)
{
	int r = set_list(&config->auth, o->auth, ",");
	r = r == OB_OK ? set_list(&config->rules, o->rules, "; ") : r;
	r = r == OB_OK ? set_list(&config->peer_uids, o->peer_users, ",") : r;
	config->allow_plaintext = o->allow_plaintext;
	return r == OB_OK ? set_list(&config->peer_gids, o->peer_groups, ",") : r;
}

static int set_all(const struct ob_connector_options *o, const char *listen_transport,
		   struct ob_config *config)
{
	int r = ob_config_set(&config->listen, o->listen);
	r = r == OB_OK ? set_random(&config->token, TOKEN_BYTES) : r;
	r = r == OB_OK ? set_random(&config->instance, INSTANCE_BYTES) : r;
	r = r == OB_OK ? ob_config_set(&config->name, o->name) : r;
	r = r == OB_OK ? ob_config_set(&config->codec, o->codec) : r;
	r = r == OB_OK ? ob_config_set(&config->transport, listen_transport) : r;
	r = r == OB_OK ? ob_config_set(&config->parent_address, o->parent_address) : r;
	r = r == OB_OK ? ob_config_set(&config->settings, o->child_settings) : r;
	r = r == OB_OK ? ob_config_set(&config->client_listen, o->client_listen) : r;
	r = r == OB_OK ? ob_config_set(&config->client_transport, o->client_transport) : r;
	r = r == OB_OK ? set_list(&config->client_auth, o->client_auth, ",") : r;
	r = r == OB_OK && o->plugin_trust == OB_PLUGIN_TRUST_UNMAPPED
		? ob_config_set(&config->plugin_trust, "unmapped")
		: r;
	r = r == OB_OK ? ob_config_set(&config->dial, o->dial) : r;
	r = r == OB_OK && o->logs == OB_LOGS_RPC ? ob_config_set(&config->logs, "rpc") : r;
	config->message_max = o->message_max;
	config->heartbeat_ms = o->health_interval_ms > 0 ? o->health_interval_ms : 0;
	return r == OB_OK ? set_access(o, config) : r;
}

int obi_start_config_make(const struct ob_connector_options *options, const char *listen_transport,
			  struct ob_config *config, struct ob_error *reterr)
{
	if (sodium_init() < 0) {
		return obi_fail(reterr, OB_EIO, 0, "generating token: libsodium cannot start");
	}
	int r = set_all(options, listen_transport, config);
	switch (r) {
	case OB_OK:
		return OB_OK;
	case OB_EINVAL:
		return obi_fail(reterr, r, 0,
				"writing outboard config: a list is longer than %d bytes",
				(int)OBI_ACL_TEXT_MAX);
	default:
		return obi_fail(reterr, r, 0, "writing outboard config: out of memory");
	}
}

void obi_start_config_keep_clients(const char *client_listen, const char *client_addr,
				   struct obi_statefile *state)
{
	struct ob_sink out = ob_sink_fixed(state->client_address, sizeof state->client_address - 1);
	bool known = client_listen != NULL &&
		     obi_child_address(client_listen, client_addr, &out, NULL) == OB_OK;
	state->client_address[known ? out.len : 0] = '\0';
}

int obi_start_config_keep(const struct ob_config *config, struct obi_statefile *state,
			  struct ob_error *reterr)
{
	const struct {
		char *to;
		size_t size;
		const char *from; /* may be NULL */
	} texts[] = {
	    {state->instance, sizeof state->instance, config->instance},
	    {state->token, sizeof state->token, config->token},
	    {state->listen, sizeof state->listen, config->listen},
	    {state->codec, sizeof state->codec, config->codec},
	    {state->auth, sizeof state->auth, config->auth},
	    {state->transport, sizeof state->transport, config->transport},
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const char *from = texts[i].from != NULL ? texts[i].from : "";
		snprintf(texts[i].to, texts[i].size, "%s", from);
		if (strlen(from) >= texts[i].size) {
			return obi_fail(reterr, OB_EINVAL, 0, "%.100s...: longer than %zu bytes",
					from, texts[i].size - 1);
		}
	}
	state->allow_plaintext = config->allow_plaintext;
	state->message_max = (uint32_t)config->message_max;
	obi_start_config_keep_clients(config->client_listen, NULL, state);
	return OB_OK;
}
