/* SPDX-License-Identifier: MIT */
/* Calls without waiting that an ob_cancel ends. */
#include <stdlib.h>

#include "api/blocking.h"
#include "api/client.h"
#include "base/error.h"

struct watched_call {
	struct obi_peer *peer;		/* a reference */
	const struct ob_client *client; /* only compared: it may have been freed */
	uint64_t id;
	struct obi_io fired;
	ob_reply_fn *done; /* may be NULL */
	void *user;
};

static void release(struct watched_call *call)
{
	obi_io_stop(&call->fired);
	obi_peer_unref(call->peer);
	free(call);
}

static void on_ended(void *user, int code, const struct ob_value *value, const struct ob_error *err)
{
	struct watched_call *call = user;
	ob_reply_fn *done = call->done;
	void *done_user = call->user;
	release(call);
	if (done != NULL) {
		done(done_user, code, value, err);
	}
}

static void on_fired(void *user, int events)
{
	struct watched_call *call = user;
	(void)events;
	obi_io_stop(&call->fired);
	obi_peer_cancel(call->peer, call->client, call->id, OB_ECANCELED);
}

/* Between obi_enter() and obi_leave(). */
static int begin(struct watched_call *call, ob_client *client, const char *method,
		 const struct ob_value *params, int64_t timeout_ms, const ob_cancel *cancel,
		 struct ob_error *reterr)
{
	call->client = client;
	call->peer = obi_client_peer(client);
	call->peer->refs++;
	int r =
	    obi_client_begin(client, method, params, timeout_ms, on_ended, call, &call->id, reterr);
	if (r < 0) {
		release(call);
		return r;
	}
	call->fired.fn = on_fired;
	call->fired.user = call;
	obi_io_set(call->peer->rt->loop, &call->fired, cancel->fd, OB_READABLE);
	return OB_OK;
}

int ob_client_call_async_cancelable(ob_client *client, const char *method,
				    const struct ob_value *params, int64_t timeout_ms,
				    ob_cancel *cancel, ob_reply_fn *done, void *user,
				    struct ob_error *reterr)
{
	if (cancel == NULL) {
		return ob_client_call_async(client, method, params, timeout_ms, done, user, NULL,
					    reterr);
	}
	struct ob_runtime *rt = obi_client_runtime(client);
	struct watched_call *call = calloc(1, sizeof *call);
	if (call == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	call->done = done;
	call->user = user;
	obi_enter(rt);
	int r = begin(call, client, method, params, timeout_ms, cancel, reterr);
	obi_leave(rt);
	return r;
}
