/* SPDX-License-Identifier: MIT */
#include "api/connector_endpoint.h"

#include <stdlib.h>

#include "api/dial_home.h"
#include "base/error.h"

static int make_endpoint_at(struct ob_connector *c, const char *uri, const char *transport,
			    struct obi_endpoint *ret, struct ob_error *reterr)
{
	struct obi_endpoint_names names = {
	    .uri = uri,
	    .transport = transport,
	    .codec = c->settings.options.codec,
	    .auth = c->settings.options.auth,
	    .allow_plaintext = c->settings.options.allow_plaintext,
	    .parent_dials = !obi_options_dial_home(&c->settings.options),
	    .target = c->settings.options.name,
	    .allowed_uid = c->settings.child_uid,
	};
	return obi_endpoint_init(c->rt, &names, ret, reterr);
}

/*
 * The child checks the endpoint that it listens at, or dials. Check it here as well, so that what
 * the child would refuse is reported now. A transport that is not installed here cannot be checked;
 * it may be installed where the child runs, such as in a guest.
 */
static int check_end_of_child(struct ob_connector *c, const char *option, const char *uri,
			      const char *transport, struct ob_error *reterr)
{
	struct obi_endpoint heard;
	struct ob_error err = {0};
	int r = make_endpoint_at(c, uri, transport, &heard, &err);
	if (r != OB_EPERM) {
		return OB_OK;
	}
	return obi_fail(reterr, r, 0, "%s: %s", option, err.text);
}

/* What the child would refuse of its listener for clients. A plugin that is not installed here may
 * be installed where the child runs. */
static int check_clients(const struct ob_connector *c, struct ob_error *reterr)
{
	const struct ob_connector_options *o = &c->settings.options;
	struct obi_endpoint clients;
	struct ob_error err = {0};
	if (o->client_listen == NULL) {
		return OB_OK;
	}
	int r = obi_endpoint_of_clients(c->rt, o, &clients, &err);
	obi_endpoint_clear(&clients);
	bool elsewhere = o->connect != NULL || o->accept != NULL;
	if (r == OB_OK || (r == OB_EPLUGIN && elsewhere)) {
		return OB_OK;
	}
	return obi_fail(reterr, r, 0, "client_listen: %s", err.text);
}

/* A child that dials: the parent is the one who listens. */
static int make_home(struct ob_connector *c, struct ob_error *reterr)
{
	const struct ob_connector_options *o = &c->settings.options;
	const char *dials = obi_endpoint_transport_of(c->rt, o->transport, o->dial);
	const char *listens =
	    o->listen != NULL ? obi_endpoint_transport_of(c->rt, o->transport, o->listen) : NULL;
	c->listen_transport = dials != NULL ? dials : listens;
	const char *named = c->listen_transport != NULL
				? obi_endpoint_transport_of(c->rt, o->transport, o->accept)
				: o->transport;
	c->replays = calloc(1, sizeof *c->replays);
	if (c->replays == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int r = make_endpoint_at(c, o->accept, named, &c->endpoint, reterr);
	c->endpoint.auth.replays = c->replays;
	r = r == OB_OK ? obi_endpoint_configure(&c->endpoint, o->settings, reterr) : r;
	r = r == OB_OK ? check_end_of_child(c, "dial", o->dial, dials, reterr) : r;
	return r == OB_OK && o->listen != NULL
		   ? check_end_of_child(c, "listen", o->listen, listens, reterr)
		   : r;
}

/* The option `transport` applies to those of the two addresses with a scheme of this plugin. If it
 * has the scheme of neither, the error is about the address that is dialled. */
static int make_dialled(struct ob_connector *c, struct ob_error *reterr)
{
	const struct ob_connector_options *o = &c->settings.options;
	const char *dialled = o->connect != NULL ? o->connect : o->listen;
	c->listen_transport = obi_endpoint_transport_of(c->rt, o->transport, o->listen);
	const char *named = c->listen_transport != NULL
				? obi_endpoint_transport_of(c->rt, o->transport, dialled)
				: o->transport;
	int r = make_endpoint_at(c, dialled, named, &c->endpoint, reterr);
	r = r == OB_OK ? obi_endpoint_configure(&c->endpoint, o->settings, reterr) : r;
	return r == OB_OK && o->connect != NULL
		   ? check_end_of_child(c, "listen", o->listen, c->listen_transport, reterr)
		   : r;
}

int obi_connector_endpoint(struct ob_connector *c, struct ob_error *reterr)
{
	int r = obi_options_dial_home(&c->settings.options) ? make_home(c, reterr)
							    : make_dialled(c, reterr);
	return r == OB_OK ? check_clients(c, reterr) : r;
}
