/* SPDX-License-Identifier: MIT */
/* The link monitor on a transport of socket pairs, whose other end is the test. What cannot be sent
 * fails in the codec. */
#include "supervisor/link_monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "plugin/registry.h"
#include "support/scratch.h"
#include "transports/common/stream.h"

enum { WAIT_MS = 20000 };

static struct {
	struct obi_registry *registry;
	struct obi_loop *loop;
	struct obi_dial_limiter dials;
	struct ob_connector_options options;
	struct ob_codec_ops codec;
	int (*encode)(const struct ob_message *message, const struct ob_codec_params *params,
		      struct ob_sink *out, struct ob_error *reterr);
	struct obi_link_monitor monitor;
	char events[1024];  /* "link good LINK_UP " */
	char why[256];	    /* of the last report */
	const char *broken; /* a method that cannot be sent */
	int code;	    /* why not */
	int broken_times;
	int peer; /* our end of the last connection */
	int dials_made;
	char heard[4096]; /* what came from the monitor on it */
} bed;

/* ---- A codec that fails on order ---- */

static int encode(const struct ob_message *message, const struct ob_codec_params *params,
		  struct ob_sink *out, struct ob_error *reterr)
{
	if (bed.broken != NULL && message->kind == OB_REQUEST && bed.broken_times > 0 &&
	    ob_bytes_is(message->method, bed.broken)) {
		bed.broken_times--;
		return obi_fail(reterr, bed.code, 0, "broken on order");
	}
	return bed.encode(message, params, out, reterr);
}

/* ---- A transport of socket pairs ---- */

static int dial(const struct ob_host *host, const struct ob_uri *uri,
		const struct ob_dial_params *params, struct ob_dial **ret_dial,
		struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)host;
	(void)uri;
	(void)params;
	(void)reterr;
	*ret_dial = (struct ob_dial *)&bed;
	*ret_want = (struct ob_want){.fd = -1, .deadline = 0};
	return OB_OK;
}

static int finish_dial(struct ob_dial *dialing, int revents, struct ob_stream **ret_stream,
		       struct ob_want *ret_want, struct ob_error *reterr)
{
	int ends[2];
	(void)dialing;
	(void)revents;
	(void)ret_want;
	(void)reterr;
	if (bed.peer >= 0) {
		close(bed.peer);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	*ret_stream = obi_stream_new(obi_registry_host(bed.registry));
	assert_non_null(*ret_stream);
	(*ret_stream)->fd = ends[0];
	bed.peer = ends[1];
	bed.heard[0] = '\0';
	bed.dials_made++;
	return OB_OK;
}

static void dial_close(struct ob_dial *dialing)
{
	(void)dialing;
}

static const struct ob_transport_ops transport = {
    .size = sizeof transport,
    .dial = dial,
    .finish_dial = finish_dial,
    .dial_close = dial_close,
    .fd = obi_stream_fd,
    .readv = obi_stream_readv,
    .writev = obi_stream_writev,
    .shutdown_write = obi_stream_shutdown_write,
    .close = obi_stream_close,
};

/* ---- Events ---- */

static void note(const char *what)
{
	size_t len = strlen(bed.events);
	snprintf(bed.events + len, sizeof bed.events - len, "%s ", what);
}

static void on_link(void *user, struct obi_connection *link)
{
	(void)user;
	note(link != NULL ? "link" : "no-link");
}

static void on_good(void *user)
{
	(void)user;
	note("good");
}

static void on_report(void *user, enum ob_event_type type, const char *why)
{
	(void)user;
	note(ob_event_name(type));
	snprintf(bed.why, sizeof bed.why, "%s", why);
}

static void on_version(void *user, uint64_t version)
{
	(void)user;
	(void)version;
}

static void on_outdated(void *user, uint64_t version, bool was_good)
{
	(void)user;
	(void)version;
	note(was_good ? "outdated" : "outdated-at-first");
}

static void on_error(void *user, const struct ob_error *err)
{
	(void)user;
	(void)err;
}

static void on_identified(void *user, const struct obi_child_run *run)
{
	(void)user;
	(void)run;
}

static void on_changed(void *user)
{
	(void)user;
}

/* ---- Life ---- */

static int setup(void **state)
{
	const char *dirs[] = {scratch_env("OUTBOARD_PLUGIN_PATH"), NULL};
	const struct obi_plugin *plugin;
	(void)state;
	memset(&bed, 0, sizeof bed);
	bed.peer = -1;
	assert_int_equal(obi_registry_new(dirs, &bed.registry, NULL), OB_OK);
	assert_int_equal(obi_registry_codec(bed.registry, "json", &plugin, NULL), OB_OK);
	bed.codec = plugin->as.codec;
	bed.encode = bed.codec.encode;
	bed.codec.encode = encode;
	static const char *const argv[] = {"/bin/true", NULL};
	bed.options = (struct ob_connector_options){.argv = argv,
						    .size = sizeof bed.options,
						    .health_interval_ms = -1,
						    .health_misses = 1,
						    .version = 2};
	return obi_loop_new(NULL, 0, &bed.loop, NULL);
}

static int teardown(void **state)
{
	(void)state;
	obi_link_monitor_stop(&bed.monitor);
	obi_loop_drain(bed.loop);
	obi_loop_close(bed.loop);
	obi_registry_free(bed.registry);
	if (bed.peer >= 0) {
		close(bed.peer);
	}
	return 0;
}

static void start(void)
{
	const struct obi_child_run nothing = {0};
	struct obi_link_monitor_setup monitor = {
	    .loop = bed.loop,
	    .dials = &bed.dials,
	    .options = &bed.options,
	    .connection = {.loop = bed.loop,
			   .host = obi_registry_host(bed.registry),
			   .transport = &transport,
			   .codec = &bed.codec,
			   .limits = obi_rpc_limits_default()},
	    .local = true,
	    .events = {on_link, on_good, NULL, on_version, on_outdated, on_error, on_error, NULL,
		       on_error, on_identified, on_report, on_changed, NULL, NULL},
	};
	obi_link_monitor_init(&bed.monitor, &monitor);
	obi_link_monitor_start(&bed.monitor, "pair://", "feed", &nothing);
}

/* ---- The other end ---- */

static void hear(void)
{
	size_t len = strlen(bed.heard);
	ssize_t n = bed.peer >= 0 ? read(bed.peer, bed.heard + len, sizeof bed.heard - 1 - len) : 0;
	bed.heard[n > 0 ? len + (size_t)n : len] = '\0';
}

/* Take what has come, until it contains text. */
static void await_heard(const char *text)
{
	int64_t end = obi_now_ms() + WAIT_MS;
	for (hear(); strstr(bed.heard, text) == NULL; hear()) {
		assert_true(obi_now_ms() < end);
		obi_loop_turn(bed.loop, true);
	}
}

/* Answer the last request, which calls this method. */
static void answer(const char *method, const char *result)
{
	char text[512];
	await_heard(method);
	const char *id = strstr(bed.heard, "\"id\":");
	for (const char *next = id; next != NULL; next = strstr(next + 1, "\"id\":")) {
		id = next;
	}
	assert_non_null(id);
	int n = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}\n",
			 atoi(id + 5), result);
	assert_int_equal(write(bed.peer, text, (size_t)n), n);
	bed.heard[0] = '\0';
}

static void await_event(const char *event)
{
	int64_t end = obi_now_ms() + WAIT_MS;
	while (strstr(bed.events, event) == NULL) {
		assert_true(obi_now_ms() < end);
		obi_loop_turn(bed.loop, true);
	}
}

static void become_good(void)
{
	answer("outboard.supervise", "true");
	answer("checkVersion", "{\"current_version\":2,\"needs_restart\":false}");
	answer("health", "{\"healthy\":true}");
	await_event("good");
}

static void expect_events(const char *want)
{
	assert_string_equal(bed.events, want);
	bed.events[0] = '\0';
}

/* ---- Tests ---- */

/* Start with a method that cannot be sent. */
static void start_broken(const char *method, int code, int times)
{
	bed.broken = method;
	bed.code = code;
	bed.broken_times = times;
	start();
}

static void expect_good(int dials)
{
	become_good();
	assert_int_equal(bed.dials_made, dials);
	assert_int_equal(bed.broken_times, 0);
	expect_events("link good ");
}

/* The question to be the parent cannot be sent on the first connection: another one is made. */
static void a_supervise_that_cannot_be_sent_is_tried_on_another_connection(void **state)
{
	(void)state;
	start_broken("outboard.supervise", OB_ENOMEM, 1);
	expect_good(2);
}

static void a_version_that_cannot_be_asked_is_asked_on_another_connection(void **state)
{
	(void)state;
	start_broken("outboard-control.checkVersion", OB_EINVAL, 1);
	answer("outboard.supervise", "true");
	expect_good(2);
}

/* The queue is full of the user's calls: they are not broken. */
static void health_is_asked_again_when_the_queue_was_full(void **state)
{
	(void)state;
	start_broken("outboard-control.health", OB_EAGAIN, 3);
	expect_good(1);
}

static void a_loss_is_told_when_the_link_is_back(void **state)
{
	(void)state;
	start();
	become_good();
	expect_events("link good ");
	shutdown(bed.peer, SHUT_RDWR);
	await_event("no-link");
	expect_events("no-link ");
	answer("outboard.supervise", "true");
	await_event("link_up");
	expect_events("link link_down link_up ");
	assert_memory_equal(bed.why, "connected again after ", 22);
}

static void a_loss_is_told_when_the_link_stays_away(void **state)
{
	(void)state;
	start();
	become_good();
	expect_events("link good ");
	shutdown(bed.peer, SHUT_RDWR);
	await_event("link_down"); /* no connection is answered */
	expect_events("no-link link_down ");
	assert_int_not_equal(bed.why[0], '\0');
	answer("outboard.supervise", "true");
	await_event("link_up");
	expect_events("link link_up ");
}

/* The process was dead, or the child is detached. */
static void a_loss_is_not_told_of_a_stopped_monitor(void **state)
{
	(void)state;
	start();
	become_good();
	expect_events("link good ");
	shutdown(bed.peer, SHUT_RDWR);
	await_event("no-link");
	obi_link_monitor_stop(&bed.monitor);
	/* No timer is left that would tell it. */
	assert_null(bed.monitor.patience.loop);
	assert_null(bed.monitor.redial.loop);
	expect_events("no-link ");
}

static void a_loss_before_the_child_was_good_is_not_told(void **state)
{
	(void)state;
	start();
	answer("outboard.supervise", "true");
	await_heard("checkVersion");
	shutdown(bed.peer, SHUT_RDWR);
	await_event("no-link");
	become_good();
	expect_events("link no-link link good ");
}

static void the_process_is_judged_once_on_each_connection(void **state)
{
	(void)state;
	bed.options.ready = OB_READY_NONE;
	start();
	answer("outboard.supervise", "true");
	answer("checkVersion", "{\"current_version\":2,\"needs_restart\":false}");
	answer("health", "{\"pid\":7,\"uptime\":5000000}");
	await_event("link_up");
	shutdown(bed.peer, SHUT_RDWR);
	await_event("no-link");
	answer("outboard.supervise", "true");
	answer("checkVersion", "{\"current_version\":2,\"needs_restart\":false}");
	answer("health", "{\"pid\":8,\"uptime\":5000000}");
	await_event("replaced");
	expect_events("link link_up no-link link link_down link_up replaced ");
}

int main(void)
{
#define BED_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    BED_TEST(a_supervise_that_cannot_be_sent_is_tried_on_another_connection),
	    BED_TEST(a_version_that_cannot_be_asked_is_asked_on_another_connection),
	    BED_TEST(health_is_asked_again_when_the_queue_was_full),
	    BED_TEST(a_loss_is_told_when_the_link_is_back),
	    BED_TEST(a_loss_is_told_when_the_link_stays_away),
	    BED_TEST(a_loss_is_not_told_of_a_stopped_monitor),
	    BED_TEST(a_loss_before_the_child_was_good_is_not_told),
	    BED_TEST(the_process_is_judged_once_on_each_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
