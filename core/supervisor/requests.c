/* SPDX-License-Identifier: MIT */
#include "supervisor/requests.h"

#include <stdlib.h>

#include "base/error.h"

int obi_requests_add(struct obi_requests *requests, enum obi_life_event event, ob_done_fn *done,
		     void *user, uint64_t *ret_id, struct ob_error *reterr)
{
	struct obi_request **last = &requests->queue;
	bool own = event == OBI_LIFE_CLOSE && requests->close.id == 0;
	struct obi_request *request = own ? &requests->close : calloc(1, sizeof *request);
	if (request == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	*request = (struct obi_request){
	    .event = event,
	    .id = ++requests->last_id,
	    .done = done,
	    .user = user,
	    .allocated = !own,
	};
	while (*last != NULL) {
		last = &(*last)->next;
	}
	*last = request;
	*ret_id = request->id;
	return OB_OK;
}

struct obi_request *obi_requests_next(struct obi_requests *requests)
{
	return requests->queue != NULL ? obi_requests_take(&requests->queue, requests->queue->id)
				       : NULL;
}

struct obi_request *obi_requests_take(struct obi_request **list, uint64_t id)
{
	while (*list != NULL && (*list)->id != id) {
		list = &(*list)->next;
	}
	struct obi_request *found = *list;
	if (found != NULL) {
		*list = found->next;
		found->next = NULL;
	}
	return found;
}

/* done may free the supervisor, and with it a request that is not allocated. */
void obi_request_finish(struct obi_request *request, int code, const struct ob_error *err)
{
	struct obi_request *allocated = request->allocated ? request : NULL;
	if (request->done != NULL) {
		request->done(request->user, code, err);
	}
	free(allocated);
}

void obi_requests_finish_all(struct obi_request **list, int code, const struct ob_error *err)
{
	struct obi_request *request = *list;
	*list = NULL;
	while (request != NULL) {
		struct obi_request *next = request->next;
		obi_request_finish(request, code, err);
		request = next;
	}
}

bool obi_request_is_start(enum obi_life_event event)
{
	return event == OBI_LIFE_START || event == OBI_LIFE_RECONNECT ||
	       event == OBI_LIFE_START_OR_RECONNECT;
}
