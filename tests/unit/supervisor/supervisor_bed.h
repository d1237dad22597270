/* SPDX-License-Identifier: MIT */
/* supervisor_bed - a supervisor on a double of a place, its requests, and what it reported. No
 * connection can be made. */
#ifndef OB_TESTS_UNIT_SUPERVISOR_BED_H
#define OB_TESTS_UNIT_SUPERVISOR_BED_H

#include "place_double.h"

#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "supervisor/shell.h"
#include "supervisor/supervisor.h"
#include "support/event_types.h"

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)

enum { BED_WAIT_MS = 20000, NOT_DONE = 1 };

/* A request and its end. Static in the tests: the teardown ends what waits. */
struct waiter {
	uint64_t id;
	int calls;  /* of done */
	int result; /* NOT_DONE: it waits */
	char text[512];
};

struct supervisor_bed {
	struct obi_loop *loop;
	struct obi_dial_limiter dials;
	struct place_double place;
	struct ob_connector_options options;
	struct obi_supervisor *sup;
	char events[2048];	       /* "starting ready ", in their order */
	char causes[EVENT_TYPES][256]; /* of the last event of each type */
	char logs[1024];	       /* "message|" for each record */
	uint64_t discarded;	       /* of the last record that was cut */
	int dials_made;
};

static struct supervisor_bed bed;

/* ---- A transport that reaches nobody ---- */

static inline int bed_dial(const struct ob_host *host, const struct ob_uri *uri,
			   const struct ob_dial_params *params, struct ob_dial **ret_dial,
			   struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)host;
	(void)uri;
	(void)params;
	(void)ret_dial;
	(void)ret_want;
	bed.dials_made++;
	return obi_fail(reterr, OB_EDOWN, 0, "nobody listens");
}

static inline void bed_dial_close(struct ob_dial *dial)
{
	assert_null(dial);
}

static inline void bed_close(struct ob_stream *stream)
{
	assert_null(stream);
}

static const struct ob_transport_ops bed_transport = {
    .size = sizeof bed_transport,
    .dial = bed_dial,
    .dial_close = bed_dial_close,
    .close = bed_close,
};

/* ---- Reports ---- */

static inline void bed_on_event(void *user, const struct ob_event *event)
{
	size_t len = strlen(bed.events);
	(void)user;
	snprintf(bed.events + len, sizeof bed.events - len, "%s ", ob_event_name(event->type));
	snprintf(bed.causes[event_type(event)], sizeof bed.causes[0], "%s", event->cause);
}

static inline void bed_on_log(void *user, const struct ob_log_record *record)
{
	size_t len = strlen(bed.logs);
	(void)user;
	snprintf(bed.logs + len, sizeof bed.logs - len, "%.*s|", (int)record->message.len,
		 (const char *)record->message.data);
	if ((record->flags & OB_LOG_TRUNCATED) != 0) {
		(void)ob_get_uint(ob_value_find(&record->attrs, "discarded"), &bed.discarded);
	}
}

static inline void bed_on_link(void *user, struct obi_connection *link)
{
	(void)user;
	(void)link;
	fail_msg("there is no connection");
}

static inline int bed_on_token(void *user, const char *token, uint32_t uid, struct ob_error *reterr)
{
	(void)user;
	(void)uid;
	(void)reterr;
	assert_int_equal(strlen(token), 64);
	return OB_OK;
}

static inline void bed_on_changed(void *user)
{
	(void)user;
}

static inline void bed_on_done(void *user, int result, const struct ob_error *err)
{
	struct waiter *waiter = user;
	waiter->calls++;
	waiter->result = result;
	snprintf(waiter->text, sizeof waiter->text, "%s", err != NULL ? err->text : "");
}

/* ---- Life ---- */

/* The options may be changed before bed_make(). */
static inline int bed_setup(void **state)
{
	static const char *const argv[] = {"/bin/true", NULL};
	(void)state;
	memset(&bed, 0, sizeof bed);
	double_init(&bed.place);
	bed.options = (struct ob_connector_options){
	    .size = sizeof bed.options,
	    .name = "child",
	    .data_path = "/nowhere",
	    .argv = argv,
	    .listen = "unix:///inside",
	    .codec = "msgpack",
	    .ready = OB_READY_CONFIG,
	    .ready_timeout_ms = -1,
	    .stop_signal = SIGINT,
	    .stop_timeout_ms = -1,
	    .health_interval_ms = -1,
	    .health_misses = 1,
	    .restart = {.backoff_base_ms = -1},
	};
	return obi_loop_new(NULL, 0, &bed.loop, NULL);
}

static inline void bed_make(void)
{
	struct obi_supervisor_setup setup = {
	    .loop = bed.loop,
	    .dials = &bed.dials,
	    .place = &bed.place.place,
	    .options = &bed.options,
	    .config_hash = "hash",
	    .link = {.loop = bed.loop, .transport = &bed_transport},
	    .events = {bed_on_event, bed_on_log, bed_on_link, bed_on_token, bed_on_changed, NULL,
		       NULL},
	};
	assert_int_equal(obi_supervisor_new(&setup, &bed.sup, NULL), OB_OK);
}

static inline int bed_teardown(void **state)
{
	(void)state;
	obi_supervisor_free(bed.sup);
	assert_int_equal(bed.place.freed, bed.sup != NULL);
	obi_loop_drain(bed.loop);
	obi_loop_close(bed.loop);
	return 0;
}

/* ---- Steps ---- */

static inline struct ob_status bed_status(void)
{
	struct ob_status status;
	obi_supervisor_status(bed.sup, &status);
	return status;
}

/* Run the requests that are queued. */
static inline void bed_turn(void)
{
	obi_loop_turn(bed.loop, false);
}

static inline void bed_request(struct waiter *waiter, enum obi_life_event request)
{
	*waiter = (struct waiter){.result = NOT_DONE};
	assert_int_equal(
	    obi_supervisor_request(bed.sup, request, bed_on_done, waiter, &waiter->id, NULL),
	    OB_OK);
	bed_turn();
}

static inline void bed_expect_done(const struct waiter *waiter, int result)
{
	assert_int_equal(waiter->result, result);
	assert_int_equal(waiter->calls, result != NOT_DONE);
}

static inline void bed_expect_events(const char *want)
{
	assert_string_equal(bed.events, want);
	bed.events[0] = '\0';
}

/* Turn the loop until the supervisor has called this operation or reported this event. */
static inline void bed_await(const char *in, const char *word)
{
	int64_t end = obi_now_ms() + BED_WAIT_MS;
	while (strstr(in, word) == NULL) {
		assert_true(obi_now_ms() < end);
		obi_loop_turn(bed.loop, true);
	}
}

/* A start, up to this operation, which is due then. */
static inline void bed_start_until(struct waiter *waiter, enum double_op op)
{
	bed_request(waiter, OBI_LIFE_START);
	for (int i = DOUBLE_PROBE; i < (int)op; i++) {
		double_answer(&bed.place, (enum double_op)i, NULL);
	}
	bed.place.calls[0] = '\0';
}

/* A start up to STARTING: spawned, not ready. */
static inline void bed_spawn(struct waiter *waiter)
{
	bed_start_until(waiter, DOUBLE_SPAWN);
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	double_expect_calls(&bed.place, "read save ");
	bed_expect_events("starting ");
}

/* A start up to READY, in the ready mode `none`. */
static inline void bed_run(struct waiter *waiter)
{
	bed_start_until(waiter, DOUBLE_SPAWN);
	double_answer(&bed.place, DOUBLE_SPAWN, NULL);
	bed_expect_done(waiter, OB_OK);
	bed.place.calls[0] = bed.events[0] = '\0';
}

#endif
