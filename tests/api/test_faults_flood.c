/* SPDX-License-Identifier: MIT */
/* Guessing and flooding on real children: rows 32, 33, 34 and 42. A client without the token
 * dials as fast as possible, while clients with it connect, and the parent detaches and
 * reconnects. The times are printed; the test requires that every connect succeeds. */
#include "support/reachable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/netns.h"
#include "support/peer.h"
#include "support/program.h"
#include "support/scratch.h"

enum {
	FLOOD = 5000,
	CONNECTS = 60,
	CONNECTS_LEAST = 10,
	STRANGER = 12345,
	GROWTH_KIB = 16 * 1024,
	ENOUGH_MS = 4000,
	APART_MS = 5000 /* for a parent that can be told apart from the flood: at most a second, and
			   the delay of a busy machine */
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

static double ms_since(int64_t begin_us)
{
	return (double)(now_us() - begin_us) / 1000;
}

/* ---- Clients ---- */

struct times {
	double ms[CONNECTS];
	int count;
	int again; /* dials after the first of a connect */
};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void report(struct times *t, const char *what, const char *whose)
{
	qsort(t->ms, (size_t)t->count, sizeof t->ms[0], ascending);
	print_message("%-10s %-8s %4d times, %3d dialled again: p50 %.2f, p99 %.2f, most %.2f ms\n",
		      what, whose, t->count, t->again, t->ms[t->count / 2],
		      t->ms[t->count * 99 / 100], t->ms[t->count - 1]);
}

/* A client that dials again when it is turned away, as a parent does; it must succeed in the
 * end. */
static void must_connect(struct reachable *bed, struct times *t)
{
	struct ob_error err = {0};
	int64_t begin = now_us();
	int r;
	while ((r = reachable_call(bed, bed->config.token, &err)) < 0 &&
	       ms_since(begin) < REACHABLE_CONNECT_MS) {
		t->again++;
		program_let_pass(1);
	}
	if (r < 0) {
		fail_msg("%s", err.text);
	}
	t->ms[t->count++] = ms_since(begin);
}

/* The parent detaches the child, and reconnects. */
static void must_come_back(struct reachable *bed, struct times *t)
{
	struct ob_error err = {0};
	if (ob_connector_detach(bed->f.connector, &err) < 0) {
		fail_msg("%s", err.text);
	}
	int64_t begin = now_us();
	if (ob_connector_reconnect(bed->f.connector, 0, NULL, &err) < 0) {
		fail_msg("%s", err.text);
	}
	t->ms[t->count++] = ms_since(begin);
}

/* ---- Floods ---- */

static void open_flood(struct program *flooder, const struct reachable *bed, const char *mode,
		       const char *as)
{
	char *path = scratch_text("%s/children/child-flooder", scratch_env("OB_TEST_BUILD"));
	const char *argv[] = {path, mode, bed->place, as, NULL};
	program_begin(flooder, argv, NULL);
	free(path);
	assert_non_null(program_await(flooder, "made"));
}

static void close_flood(struct program *flooder, struct reachable *bed, const char *mode)
{
	char most[32];
	snprintf(most, sizeof most, "made %d", FLOOD);
	assert_non_null(program_await(flooder, most));
	close(flooder->in);
	flooder->in = -1;
	const char *done = program_await(flooder, "done");
	assert_non_null(done);
	print_message("%s: %s\n", mode, done);
	assert_int_equal(program_end(flooder), 0);
	if (!SANITIZED) {
		assert_true(reachable_peak_kib(bed->pid) - bed->rss < GROWTH_KIB);
	}
}

/* If the flood comes from a different user or address, our connections are never turned away;
 * otherwise we dial again until we succeed. */
static void withstand(struct reachable *bed, const char *mode, const char *as)
{
	struct program flooder;
	struct times *clients = calloc(2, sizeof *clients), *parent = clients + 1;
	assert_non_null(clients);
	open_flood(&flooder, bed, mode, as);
	int64_t begin = now_us();
	for (int i = 0; i < CONNECTS && (i < CONNECTS_LEAST || ms_since(begin) < ENOUGH_MS); i++) {
		must_connect(bed, clients);
		must_come_back(bed, parent);
		assert_true(peer_open_fds(bed->pid) <= bed->fds + DESCRIPTORS);
	}
	close_flood(&flooder, bed, mode);
	report(clients, mode, "clients");
	report(parent, mode, "parent");
	assert_true(as == NULL || clients->again == 0);
	assert_true(as == NULL || parent->ms[parent->count - 1] < APART_MS);
	free(clients);
}

static void withstand_each(struct reachable *bed, const char *const *modes, const char *as)
{
	struct times *quiet = calloc(1, sizeof *quiet);
	assert_non_null(quiet);
	for (int i = 0; i < CONNECTS; i++) {
		must_connect(bed, quiet);
	}
	report(quiet, "no flood", "clients");
	free(quiet);
	for (size_t i = 0; modes[i] != NULL; i++) {
		withstand(bed, modes[i], as);
	}
}

static void fault_32_33_42_a_flood_over_tcp_with_token(void **state)
{
	static const char *const modes[] = {"silent", "drip", "garbage", "wrong", "begin", NULL};
	struct reachable bed;
	(void)state;
	reachable_start_tcp(&bed, "token", "127.0.0.1");
	withstand_each(&bed, modes, NULL);
	reachable_end(&bed);
}

static void fault_32_33_42_a_flood_over_tcp_with_noise(void **state)
{
	static const char *const modes[] = {"silent", "drip", "garbage", "noise", NULL};
	struct reachable bed;
	(void)state;
	reachable_start_tcp(&bed, "noise", "127.0.0.1");
	withstand_each(&bed, modes, NULL);
	reachable_end(&bed);
}

/* The flooder runs as a different user. Where that is not permitted it has our own user, which
 * is trusted: the harder case. */
static void fault_32_33_42_a_flood_over_unix(void **state)
{
	static const char *const modes[] = {"silent", "drip", "garbage", "wrong", "begin", NULL};
	char stranger[32];
	struct reachable bed;
	(void)state;
	snprintf(stranger, sizeof stranger, "uid=%d", STRANGER);
	reachable_start_unix(&bed, "token", NULL);
	withstand_each(&bed, modes, geteuid() == 0 ? stranger : NULL);
	reachable_end(&bed);
}

static void fault_33_a_flood_by_our_own_user(void **state)
{
	static const char *const modes[] = {"silent", "begin", NULL};
	struct reachable bed;
	(void)state;
	reachable_start_unix(&bed, "token", NULL);
	withstand_each(&bed, modes, NULL);
	reachable_end(&bed);
}

/* ---- Over a network ---- */

/* The parent and its clients come from 192.0.2.1, the flood from 192.0.2.2, which gets the
 * penalties. */
static void fault_33_42_a_flood_from_another_address(void **state)
{
	static const char *const modes[] = {"silent", "wrong", "begin", NULL};
	struct reachable bed;
	(void)state;
	reachable_network();
	reachable_start_tcp(&bed, "token", "192.0.2.1");
	withstand_each(&bed, modes, "from=192.0.2.2");
	assert_true(reachable_told(&bed.f, "\"from\":\"192.0.2.2\""));
	assert_false(reachable_told(&bed.f, "\"from\":\"192.0.2.1\""));
	reachable_end(&bed);
}

/* ---- Calls ---- */

/* The maximum of open calls over one connection; another connection is served as usual. */
static void fault_34_a_flood_of_calls_is_answered_busy(void **state)
{
	enum { CALLS = 256, MORE = 1000 };
	static const uint8_t none[] = {0x90}, seven[] = {0x91, 0x07}, seven_back[] = {0x07};
	static const char busy[] = "too many calls in flight (calls_max 256)";
	uint8_t request[128], reply[128];
	struct reachable bed;
	(void)state;
	reachable_start_unix(&bed, "peercred", NULL);
	int fd = peer_dial(bed.place + strlen("unix:")),
	    other = peer_dial(bed.place + strlen("unix:"));
	for (uint32_t i = 0; i < CALLS; i++) {
		assert_true(peer_send(fd, request,
				      peer_request(request, i, "act.keep", none, sizeof none)));
	}
	for (uint32_t i = 0; i < MORE; i++) {
		assert_true(peer_send(
		    fd, request, peer_request(request, 10000 + i, "act.keep", none, sizeof none)));
		/* [1, 10000 + i, [-32001, busy], nil] */
		const uint8_t head[] = {
		    0x94, 0x01, 0xcd, (uint8_t)((10000 + i) >> 8), (uint8_t)(10000 + i), 0x92};
		size_t len = sizeof head + 3 + 2 + strlen(busy) + 1;
		assert_true(peer_read(fd, reply, len));
		assert_memory_equal(reply, head, sizeof head);
		assert_memory_equal(reply + len - 1 - strlen(busy), busy, strlen(busy));
		if (i % 100 == 0) {
			peer_must_call(other, 5, "act.echo", seven, sizeof seven, seven_back,
				       sizeof seven_back);
		}
	}
	close(fd);
	close(other);
	reachable_end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_32_33_42_a_flood_over_tcp_with_token),
	    cmocka_unit_test(fault_32_33_42_a_flood_over_tcp_with_noise),
	    cmocka_unit_test(fault_32_33_42_a_flood_over_unix),
	    cmocka_unit_test(fault_33_a_flood_by_our_own_user),
	    cmocka_unit_test(fault_34_a_flood_of_calls_is_answered_busy),
	    /* The last ones: they move us to another network. */
	    cmocka_unit_test(fault_33_42_a_flood_from_another_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
