/* SPDX-License-Identifier: MIT */
/* Ends that coincide with starts: rows 4, 5, 40 and 41. A child that dies with calls in flight,
 * a newer parent, a server that is stopped before it listens, a connector that is closed in each
 * state. */
#include "support/clock.h"
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/peer.h"
#include "support/scratch.h"

enum { IN_FLIGHT = 100, ROUNDS = 10, LOOPS = 10000, LOOP_MS = 8000 };

/* ---- Death with calls in flight ---- */

struct flight {
	uint32_t ended[IN_FLIGHT];
	uint32_t count;
	int first_wrong;
};

struct seat {
	struct flight *flight;
	uint32_t number;
};

static void on_ended(void *user, int result, const struct ob_value *value,
		     const struct ob_error *err)
{
	struct seat *seat = user;
	(void)value;
	(void)err;
	seat->flight->ended[seat->number]++;
	seat->flight->count++;
	if (result != OB_ECONNLOST && seat->flight->first_wrong == 0) {
		seat->flight->first_wrong = result == OB_OK ? 1 : result;
	}
}

static bool all_ended(void *user)
{
	const struct flight *flight = user;
	return flight->count >= IN_FLIGHT;
}

static void fault_4_death_ends_each_call_once(void **state)
{
	struct family f;
	struct ob_error err = {0};
	int64_t n;
	(void)state;
	family_start(&f, OB_RUNTIME_INLINE);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct flight flight = {0};
		struct seat seats[IN_FLIGHT];
		for (uint32_t i = 0; i < IN_FLIGHT; i++) {
			seats[i] = (struct seat){&flight, i};
			assert_int_equal(ob_client_call_async(ob_connector_client(f.connector),
							      "act.keep", NULL, -1, on_ended,
							      &seats[i], NULL, &err),
					 OB_OK);
		}
		if (round % 2 == 0) {
			/* All have arrived; otherwise some are still in our queue. */
			assert_true(ob_get_int(family_call(&f, "echo", "[i]", 1), &n));
		}
		kill(ob_connector_pid(f.connector), SIGKILL);
		family_until(&f, all_ended, &flight);
		family_await(&f, OB_EVENT_READY, round + 2);
		assert_int_equal(flight.first_wrong, 0);
		assert_int_equal(flight.count, IN_FLIGHT);
		/* Nothing was repeated, and no id was mixed up with an earlier one. */
		assert_true(ob_get_int(family_call(&f, "echo", "[i]", (int)round), &n));
		assert_int_equal(n, round);
		for (uint32_t i = 0; i < IN_FLIGHT; i++) {
			assert_int_equal(flight.ended[i], 1);
		}
	}
	family_end(&f);
}

/* ---- Death at any time: one `exited` event, and one end ---- */

static void fault_5_death_during_a_stop(void **state)
{
	struct family f;
	struct ob_error err = {0};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "stubborn", NULL);
	family_connector(&f);
	for (uint32_t i = 1; i <= 5; i++) {
		assert_int_equal(ob_connector_start(f.connector, 0, NULL, &err), OB_OK);
		assert_int_equal(ob_connector_stop_async(f.connector, NULL, NULL, &err), OB_OK);
		for (uint32_t k = 0; k < i; k++) {
			ob_runtime_run(f.runtime, 0);
		}
		kill(ob_connector_pid(f.connector), SIGKILL);
		family_await(&f, OB_EVENT_STOPPED, i);
		assert_int_equal(family_count(&f, OB_EVENT_EXITED), i);
		assert_int_equal(family_count(&f, OB_EVENT_RESTARTING), 0);
	}
	family_end(&f);
}

static void fault_5_death_during_a_reconnect(void **state)
{
	struct family f;
	struct ob_error err = {0};
	(void)state;
	for (int turns = 0; turns < 8; turns++) {
		family_start(&f, OB_RUNTIME_INLINE);
		int32_t pid = ob_connector_pid(f.connector);
		assert_int_equal(ob_connector_detach(f.connector, &err), OB_OK);
		assert_int_equal(ob_connector_reconnect_async(f.connector, NULL, NULL, &err),
				 OB_OK);
		for (int k = 0; k < turns; k++) {
			ob_runtime_run(f.runtime, 0);
		}
		kill(pid, SIGKILL);
		family_await_death(pid);
		/* It was taken over and is replaced, or it was not, and that is the end. */
		struct ob_status status = {.size = sizeof status};
		do {
			ob_runtime_run(f.runtime, 20);
			ob_connector_status(f.connector, &status);
		} while (status.state == OB_STATE_ADOPTING || status.state == OB_STATE_WAITING ||
			 status.pid == pid);
		assert_true(family_count(&f, OB_EVENT_EXITED) <= 1);
		assert_int_equal(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK);
		family_end(&f);
	}
}

/* ---- The newest parent wins ---- */

static bool is_canceled(void *user)
{
	static const uint8_t none[] = {0x90}, yes[] = {0xc3};
	const int *fd = user;
	uint8_t request[64], reply[5];
	assert_true(
	    peer_send(*fd, request, peer_request(request, 3, "act.canceled", none, sizeof none)));
	assert_true(peer_read(*fd, reply, sizeof reply));
	return reply[4] == yes[0];
}

enum { INSTANCE = 32, NAMING = INSTANCE + 3 };

/* The params of outboard.supervise: [instance], for the child in that directory. */
static void name_instance(const struct family *f, uint8_t params[NAMING])
{
	struct ob_config config = {.size = sizeof config};
	char *path = family_path(f, "outboard.json");
	assert_int_equal(ob_config_read(path, &config, NULL), OB_OK);
	assert_int_equal(strlen(config.instance), INSTANCE);
	memcpy(params, "\x91\xd9\x20", 3);
	memcpy(params + 3, config.instance, INSTANCE);
	ob_config_clear(&config);
	free(path);
}

/* Start a child that peercred protects, and let go of it. Returns its pid. */
static int32_t start_and_detach(struct family *f)
{
	static const char *const by_peercred[] = {"peercred", NULL};
	struct ob_error err;
	family_begin(f, OB_RUNTIME_INLINE, NULL);
	f->options.auth = by_peercred;
	family_connector(f);
	assert_int_equal(ob_connector_start(f->connector, 0, NULL, &err), OB_OK);
	int32_t pid = ob_connector_pid(f->connector);
	assert_int_equal(ob_connector_detach(f->connector, &err), OB_OK);
	return pid;
}

static void fault_40_the_newest_parent_wins(void **state)
{
	static const uint8_t none[] = {0x90}, yes[] = {0xc3}, no[] = {0xc2};
	struct family f;
	struct ob_error err = {0};
	uint8_t request[64], us[NAMING];
	bool ended;
	(void)state;
	int32_t pid = start_and_detach(&f);
	char *path = family_path(&f, "rpc.sock");
	name_instance(&f, us);
	int old = peer_dial(path);
	peer_must_call(old, 1, "outboard.supervise", us, sizeof us, yes, sizeof yes);
	/* A handler works for the old parent when the new one arrives. */
	assert_true(
	    peer_send(old, request, peer_request(request, 2, "act.keep", none, sizeof none)));
	int tool = peer_dial(path);
	peer_must_call(tool, 1, "act.canceled", none, sizeof none, no, sizeof no);
	int young = peer_dial(path);
	peer_must_call(young, 1, "outboard.supervise", us, sizeof us, yes, sizeof yes);
	(void)peer_drain(old, PEER_WAIT_MS, &ended);
	assert_true(ended);
	assert_true(is_canceled(&young));
	/* A client that only calls is not a parent, and is not disturbed. */
	peer_must_call(tool, 2, "act.echo", "\x91\x07", 2, "\x07", 1);
	/* A connector is a newer parent. */
	assert_int_equal(ob_connector_reconnect(f.connector, 0, NULL, &err), OB_OK);
	(void)peer_drain(young, PEER_WAIT_MS, &ended);
	assert_true(ended);
	assert_int_equal(ob_connector_pid(f.connector), pid);
	close(old);
	close(young);
	close(tool);
	free(path);
	family_end(&f);
}

/* ---- A server's start and stop ---- */

struct race {
	pthread_barrier_t ready, done;
	ob_server *server; /* NULL: the end */
};

static void *stop_it(void *user)
{
	struct race *race = user;
	for (;;) {
		pthread_barrier_wait(&race->ready);
		if (race->server == NULL) {
			return NULL;
		}
		ob_server_stop(race->server);
		ob_server_stop(race->server);
		pthread_barrier_wait(&race->done);
	}
}

static ob_server *open_server(ob_runtime *runtime, const char *address)
{
	static const char *const by_peercred[] = {"peercred", NULL};
	struct ob_error err = {0};
	ob_server *server = NULL;
	struct ob_server_options options = {
	    .size = sizeof options, .runtime = runtime, .listen = address, .auth = by_peercred};
	if (ob_server_open(&options, &server, &err) < 0) {
		fail_msg("%s", err.text);
	}
	return server;
}

/* Another thread stops the server twice while this one starts it, runs it, or has done both; a
 * client may be connecting. */
static int race_servers(ob_runtime *runtime, const char *address)
{
	struct race race = {.server = NULL};
	pthread_t thread;
	int loops = 0, at_door = -1;
	int64_t deadline = now_ms() + LOOP_MS;
	pthread_barrier_init(&race.ready, NULL, 2);
	pthread_barrier_init(&race.done, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, stop_it, &race), 0);
	for (; loops < LOOPS && now_ms() < deadline; loops++) {
		race.server = open_server(runtime, address);
		if (loops % 3 == 0) {
			pthread_barrier_wait(&race.ready);
		}
		assert_int_equal(ob_server_start(race.server, NULL), OB_OK);
		if (loops % 3 == 1) {
			pthread_barrier_wait(&race.ready);
		}
		if (loops % 2 == 0) {
			at_door = peer_dial(address + strlen("unix://"));
		}
		if (loops % 3 == 2) {
			pthread_barrier_wait(&race.ready);
		}
		assert_int_equal(ob_server_run(race.server, NULL), OB_OK);
		pthread_barrier_wait(&race.done);
		ob_server_close(race.server);
		if (at_door >= 0) {
			close(at_door);
			at_door = -1;
		}
	}
	race.server = NULL;
	pthread_barrier_wait(&race.ready);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&race.ready);
	pthread_barrier_destroy(&race.done);
	return loops;
}

static void race_in(enum ob_runtime_mode mode)
{
	struct ob_runtime_options o = {.size = sizeof o, .mode = mode};
	char *dir = scratch_make(), *address = scratch_text("unix://%s/race.sock", dir);
	int fds = scratch_open_fds();
	ob_runtime *runtime;
	assert_int_equal(ob_runtime_new(&o, &runtime, NULL), OB_OK);
	print_message("  %d servers\n", race_servers(runtime, address));
	ob_runtime_free(runtime);
	assert_int_equal(scratch_open_fds(), fds);
	free(address);
	scratch_remove(dir);
}

static void fault_41_start_meets_stop_inline(void **state)
{
	(void)state;
	race_in(OB_RUNTIME_INLINE);
}

static void fault_41_start_meets_stop_threaded(void **state)
{
	(void)state;
	race_in(OB_RUNTIME_THREADED);
}

/* ---- A connector's start, stop and close ---- */

static void on_done(void *user, int result, const struct ob_error *err)
{
	int *ended = user;
	(void)result;
	(void)err;
	__atomic_add_fetch(ended, 1, __ATOMIC_SEQ_CST);
}

static void race_connectors(enum ob_runtime_mode mode, int times)
{
	for (int i = 0; i < times; i++) {
		struct family f;
		struct ob_error err = {0};
		int ended = 0;
		family_begin(&f, mode, NULL);
		family_connector(&f);
		assert_int_equal(ob_connector_start_async(f.connector, on_done, &ended, &err),
				 OB_OK);
		for (int k = 0; mode == OB_RUNTIME_INLINE && k < i; k++) {
			ob_runtime_run(f.runtime, k % 4 == 3 ? 5 : 0);
		}
		if (i % 3 != 0) {
			assert_int_equal(
			    ob_connector_stop_async(f.connector, on_done, &ended, &err), OB_OK);
		}
		if (i % 3 == 2) {
			assert_int_equal(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK);
		}
		ob_connector_close(f.connector);
		f.connector = NULL;
		assert_int_equal(__atomic_load_n(&ended, __ATOMIC_SEQ_CST), i % 3 != 0 ? 2 : 1);
		family_end(&f);
	}
}

static void fault_41_a_connector_is_closed_in_every_state(void **state)
{
	(void)state;
	race_connectors(OB_RUNTIME_INLINE, 30);
	race_connectors(OB_RUNTIME_THREADED, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_4_death_ends_each_call_once),
	    cmocka_unit_test(fault_5_death_during_a_stop),
	    cmocka_unit_test(fault_5_death_during_a_reconnect),
	    cmocka_unit_test(fault_40_the_newest_parent_wins),
	    cmocka_unit_test(fault_41_start_meets_stop_inline),
	    cmocka_unit_test(fault_41_start_meets_stop_threaded),
	    cmocka_unit_test(fault_41_a_connector_is_closed_in_every_state),
	};
	return cmocka_run_group_tests_name("races", tests, NULL, NULL);
}
