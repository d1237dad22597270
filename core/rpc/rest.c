/* SPDX-License-Identifier: MIT */
#include "rpc/rest.h"

static void on_timer(void *user)
{
	struct obi_rest *rest = user;
	if (rest->used) {
		rest->used = false;
		obi_timer_set(rest->loop, &rest->timer, OBI_REST_MS);
	} else {
		obi_session_rest(
		    rest->session); /* what is in a queue now stays until its next use */
	}
}

void obi_rest_init(struct obi_rest *rest, struct obi_loop *loop, struct obi_session *session)
{
	*rest = (struct obi_rest){
	    .loop = loop, .session = session, .timer = {.fn = on_timer, .user = rest}};
}

void obi_rest_stop(struct obi_rest *rest)
{
	obi_timer_stop(&rest->timer);
}
