/* SPDX-License-Identifier: MIT */
/* Clients with a connection of their own: ob_client_connect(). */
#include <stdlib.h>

#include "base/error.h"
#include "base/options.h"
#include "api/blocking.h"
#include "api/client.h"
#include "api/client_agent.h"
#include "rpc/interfaces.h"

/* What a child behind an agent listens at; the agent knows where. */
#define AT_AGENT "unix:///agent"

enum { CONNECT_TIMEOUT_MS = 10000 };

struct obi_client_connection {
	struct ob_runtime *rt;
	struct obi_endpoint endpoint;
	struct obi_client_agent *agent; /* NULL: the connection is a direct one */
	struct obi_connection *connection;
	struct obi_peer *peer;
	struct ob_client *client;	  /* until it is handed to the caller */
	struct obi_interfaces interfaces; /* for calls and notifications of the peer */
	ob_client_fn *done;		  /* NULL: it was called */
	void *user;
};

static void free_connection(void *own)
{
	struct obi_client_connection *c = own;
	obi_peer_set_connection(c->peer, NULL);
	obi_connection_free(c->connection);
	obi_interfaces_free(&c->interfaces);
	obi_endpoint_clear(&c->endpoint);
	if (c->agent != NULL) {
		obi_client_agent_end(c->agent);
		free(c->agent);
	}
	obi_peer_unref(c->peer);
	free(c);
}

static void finish(struct obi_client_connection *c, int result, const struct ob_error *err)
{
	ob_client_fn *done = c->done;
	struct ob_client *client = c->client;
	void *user = c->user;
	if (done == NULL) {
		return;
	}
	c->done = NULL;
	c->client = NULL;
	if (result < 0) {
		obi_client_release(client);
		client = NULL;
	}
	done(user, client, result, err);
}

static void on_opened(void *user, struct obi_connection *connection)
{
	struct obi_client_connection *c = user;
	obi_peer_set_connection(c->peer, connection);
	finish(c, OB_OK, NULL);
}

static void on_closed(void *user, struct obi_connection *connection, const struct ob_error *err)
{
	struct obi_client_connection *c = user;
	struct ob_error copy = *err;
	(void)connection;
	obi_peer_set_connection(c->peer, NULL);
	finish(c, copy.code, &copy);
}

static int find_plugins(struct obi_client_connection *c, const struct ob_client_options *o,
			struct ob_error *reterr)
{
	struct obi_endpoint_names names = {.use = OBI_ENDPOINT_DIALER,
					   .uri = c->agent != NULL ? AT_AGENT : o->address,
					   .transport = o->transport,
					   .codec = o->codec,
					   .auth = o->auth,
					   .allow_none = true,
					   .allow_plaintext = o->allow_plaintext,
					   .parent_dials = true,
					   .allowed_uid =
					       o->allowed_uid != 0 ? o->allowed_uid : UINT32_MAX};
	int r = obi_endpoint_init(c->rt, &names, &c->endpoint, reterr);
	r = r == OB_OK ? obi_endpoint_set_token(&c->endpoint, o->token, reterr) : r;
	return r == OB_OK ? obi_endpoint_configure(&c->endpoint, o->settings, reterr) : r;
}

static int begin(struct obi_client_connection *c, const struct ob_client_options *o,
		 struct ob_error *reterr)
{
	int r = find_plugins(c, o, reterr);
	if (r < 0) {
		return r;
	}
	const char *address = o->address != NULL ? o->address : AT_AGENT;
	struct obi_connection_setup setup = obi_endpoint_connection(c->rt, &c->endpoint);
	r = obi_rpc_limits_message(0, o->message_max, &setup.limits.message, reterr);
	if (r < 0) {
		return r;
	}
	setup.open_timeout_ms =
	    o->connect_timeout_ms != 0 ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	setup.open_timeout_name = "connect_timeout_ms";
	setup.check_owner = o->allowed_uid != 0;
	setup.events = (struct obi_connection_events){on_opened, on_closed, NULL, NULL, c};
	setup.handler = obi_interfaces_handler(&c->interfaces);
	if (c->agent != NULL) {
		obi_client_agent_use(c->agent, &setup);
	}
	r = obi_connection_dial(&setup, address, &c->connection, reterr);
	if (r < 0 && reterr != NULL && strncmp(reterr->text, "connecting to ", 14) != 0) {
		obi_wrap(reterr, "connecting to %s", address);
	}
	return r;
}

static int begin_agent(struct obi_client_connection *c, const struct obi_client_way *way,
		       struct ob_error *reterr)
{
	if (way == NULL) {
		return OB_OK;
	}
	c->agent = calloc(1, sizeof *c->agent);
	return c->agent != NULL ? obi_client_agent_begin(c->rt, way, c->agent, reterr)
				: obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

static int make(struct ob_runtime *rt, struct obi_client_connection **ret, struct ob_error *reterr)
{
	struct obi_client_connection *c = calloc(1, sizeof *c);
	struct obi_peer *peer = obi_peer_new(rt);
	struct ob_client *client = c != NULL && peer != NULL ? obi_client_new(peer, NULL) : NULL;
	if (client == NULL) {
		obi_peer_unref(peer);
		free(c);
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	c->rt = rt;
	c->peer = peer;
	c->client = client;
	obi_client_own(client, c, free_connection);
	*ret = c;
	return OB_OK;
}

/* Between obi_enter() and obi_leave(). */
static int start(struct ob_runtime *rt, const struct ob_client_options *options,
		 const struct obi_client_way *way, ob_client_fn *done, void *user,
		 struct obi_client_connection **ret, struct ob_error *reterr)
{
	struct ob_client_options o;
	struct obi_client_connection *c = NULL;
	int r = obi_options_copy(&o, sizeof o, options, reterr);
	if (r == OB_OK && o.address == NULL && way == NULL) {
		r = obi_fail(reterr, OB_EINVAL, 0, "options: address is not set");
	}
	r = r == OB_OK ? make(rt, &c, reterr) : r;
	if (r < 0) {
		return r;
	}
	r = begin_agent(c, way, reterr);
	r = r == OB_OK ? begin(c, &o, reterr) : r;
	if (r < 0) {
		obi_client_release(c->client);
		return r;
	}
	c->done = done;
	c->user = user;
	*ret = c;
	return OB_OK;
}

int obi_client_connect_by_async(struct ob_runtime *rt, const struct ob_client_options *options,
				const struct obi_client_way *way, ob_client_fn *done, void *user,
				struct ob_error *reterr)
{
	struct obi_client_connection *c;
	if (done == NULL) {
		return obi_fail(reterr, OB_EINVAL, 0, "done is required: it receives the client");
	}
	obi_enter(rt);
	int r = start(rt, options, way, done, user, &c, reterr);
	obi_leave(rt);
	return r;
}

int ob_client_connect_async(ob_runtime *rt, const struct ob_client_options *options,
			    ob_client_fn *done, void *user, struct ob_error *reterr)
{
	return obi_client_connect_by_async(rt, options, NULL, done, user, reterr);
}

struct blocking_connect {
	struct obi_blocking blocking;
	const struct ob_client_options *options;
	const struct obi_client_way *way;
	struct obi_client_connection *connection;
	struct ob_client *client;
};

static void on_connected(void *user, ob_client *client, int result, const struct ob_error *err)
{
	struct blocking_connect *b = user;
	b->client = client;
	obi_blocking_done(&b->blocking, result, err);
}

static int begin_connect(void *user, struct ob_error *reterr)
{
	struct blocking_connect *b = user;
	return start(b->blocking.rt, b->options, b->way, on_connected, b, &b->connection, reterr);
}

static void abort_connect(void *user, int code)
{
	struct blocking_connect *b = user;
	obi_connection_close(b->connection->connection, code,
			     code == OB_ECANCELED ? "canceled" : "not connected in time");
}

int obi_client_connect_by(struct ob_runtime *rt, const struct ob_client_options *options,
			  const struct obi_client_way *way, ob_cancel *cancel,
			  ob_client **ret_client, struct ob_error *reterr)
{
	struct blocking_connect b = {
	    .blocking = {.rt = rt,
			 .begin = begin_connect,
			 .abort = abort_connect,
			 .user = &b,
			 .timeout_ms = -1, /* the connection has a timeout to open */
			 .cancel = cancel},
	    .options = options,
	    .way = way,
	};
	int r = obi_block(&b.blocking, reterr);
	if (r == OB_OK) {
		*ret_client = b.client;
	}
	return r;
}

int ob_client_connect(ob_runtime *rt, const struct ob_client_options *options, ob_cancel *cancel,
		      ob_client **ret_client, struct ob_error *reterr)
{
	return obi_client_connect_by(rt, options, NULL, cancel, ret_client, reterr);
}

int ob_client_expose(ob_client *client, const char *interface_name, const struct ob_method *methods,
		     void *user, struct ob_error *reterr)
{
	struct ob_runtime *rt = obi_client_runtime(client);
	obi_enter(rt);
	struct obi_client_connection *c = obi_client_owned(client, free_connection);
	int r = c != NULL
		    ? obi_interfaces_add(&c->interfaces, interface_name, methods, user, reterr)
		    : obi_fail(reterr, OB_EINVAL, 0,
			       "the client shares the connection of a connector or server: methods "
			       "are exposed there");
	obi_leave(rt);
	return r;
}
