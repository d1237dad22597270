/* SPDX-License-Identifier: MIT */
/* Clients of one interface of the child. */
#include <stdlib.h>

#include "api/blocking.h"
#include "api/connector.h"
#include "base/error.h"

struct interface_search {
	struct ob_connector *connector;
	ob_client_fn *done;
	void *user;
	char name[];
};

static bool list_has(const struct ob_value *list, const char *name)
{
	struct ob_bytes text;
	for (uint32_t i = 0; ob_value_at(list, i) != NULL; i++) {
		if (ob_get_string(ob_value_at(list, i), &text) && ob_bytes_is(text, name)) {
			return true;
		}
	}
	return false;
}

static void on_interfaces(void *user, int code, const struct ob_value *value,
			  const struct ob_error *err)
{
	struct interface_search *search = user;
	struct ob_client *client = NULL;
	struct ob_error failure = {0};
	int r = code;
	if (r < 0) {
		failure = *err;
	} else if (!list_has(value, search->name)) {
		r = obi_fail(&failure, OB_ENOENT, 0, "unknown object: %s", search->name);
	} else if ((client = obi_client_new(search->connector->peer, search->name)) == NULL) {
		r = obi_fail(&failure, OB_ENOMEM, 0, "out of memory");
	}
	search->done(search->user, client, r, r < 0 ? &failure : NULL);
	free(search);
}

/* Between obi_enter() and obi_leave(). */
static int find_interface(struct ob_connector *c, const char *name, int64_t timeout_ms,
			  ob_client_fn *done, void *user, uint64_t *ret_id, struct ob_error *reterr)
{
	size_t len = strlen(name);
	struct interface_search *search = malloc(sizeof *search + len + 1);
	if (search == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	*search = (struct interface_search){c, done, user};
	memcpy(search->name, name, len + 1);
	int r = obi_client_begin(c->control, "interfaces", NULL, timeout_ms, on_interfaces, search,
				 ret_id, reterr);
	if (r < 0) {
		free(search);
	}
	return r;
}

int ob_connector_connect_interface_async(ob_connector *c, const char *interface_name,
					 ob_client_fn *done, void *user, struct ob_error *reterr)
{
	if (done == NULL) {
		return obi_fail(reterr, OB_EINVAL, 0, "done is required: it receives the client");
	}
	obi_enter(c->rt);
	int r = find_interface(c, interface_name, 0, done, user, NULL, reterr);
	obi_leave(c->rt);
	return r;
}

struct blocking_search {
	struct obi_blocking blocking;
	struct ob_connector *connector;
	const char *name;
	int64_t timeout_ms;
	struct ob_client *client;
	uint64_t id;
};

static void on_found(void *user, ob_client *client, int result, const struct ob_error *err)
{
	struct blocking_search *b = user;
	b->client = client;
	obi_blocking_done(&b->blocking, result, err);
}

static int begin_search(void *user, struct ob_error *reterr)
{
	struct blocking_search *b = user;
	return find_interface(b->connector, b->name, b->timeout_ms, on_found, b, &b->id, reterr);
}

static void abort_search(void *user, int code)
{
	struct blocking_search *b = user;
	obi_client_cancel_code(b->connector->control, b->id, code);
}

int ob_connector_connect_interface(ob_connector *c, const char *interface_name, int64_t timeout_ms,
				   ob_client **ret_client, struct ob_error *reterr)
{
	struct blocking_search b = {
	    .blocking = {.rt = c->rt,
			 .begin = begin_search,
			 .abort = abort_search,
			 .user = &b,
			 .timeout_ms = -1}, /* the call itself has a deadline */
	    .connector = c,
	    .name = interface_name,
	    .timeout_ms = timeout_ms,
	};
	int r = obi_block(&b.blocking, reterr);
	if (r == OB_OK) {
		*ret_client = b.client;
	}
	return r;
}
