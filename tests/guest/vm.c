/* SPDX-License-Identifier: MIT */
/*
 * vm - a child in a virtual machine. The connector starts, watches and ends the process of the
 * machine, and dials the child inside while the machine boots. From the environment:
 * OB_TEST_LISTEN and OB_TEST_CONNECT, the two addresses, and OB_TEST_BOOT, the command, one word
 * per line. "%d" in any of them is replaced by a free port, and placeholders in the command as
 * everywhere. With OB_TEST_AGAIN the child dies once, and its machine is started again.
 */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/peer.h"
#include "support/scratch.h"

enum { WORDS = 64, READY_MS = 300000, BEAT_MS = 3000 };

static struct family f;
static char *listen_uri, *connect_uri, *words[WORDS + 1];
static int32_t machine; /* the pid of the machine */

/* text with each "%d" replaced by the port. Free it. */
static char *with_port(const char *text, int port)
{
	char *whole = scratch_text("%s", text);
	for (char *at; (at = strstr(whole, "%d")) != NULL;) {
		char *next = scratch_text("%.*s%d%s", (int)(at - whole), whole, port, at + 2);
		free(whole);
		whole = next;
	}
	return whole;
}

/* ---- The methods of the parent ---- */

static void on_name(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)params;
	ob_call_replyf(call, "s", "parent");
}

static const struct ob_method home[] = {{"name", on_name}, {NULL, NULL}};

static void make_connector(void)
{
	struct ob_error err;
	family_connector(&f);
	if (ob_connector_expose(f.connector, "home", home, NULL, &err) < 0) {
		fail_msg("%s", err.text);
	}
}

/* ---- The machine, shared by all tests: booting takes long ---- */

static void tell_the_log(void)
{
	for (uint32_t i = 0; i < f.line_count; i++) {
		print_message("guest: %s\n", f.lines[i]);
	}
}

static int boot(void **state)
{
	struct ob_error err;
	int port = peer_free_port(), n = 0;
	char *command = with_port(scratch_env("OB_TEST_BOOT"), port), *rest = command;
	(void)state;
	listen_uri = with_port(scratch_env("OB_TEST_LISTEN"), port);
	connect_uri = with_port(scratch_env("OB_TEST_CONNECT"), port);
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	for (char *word; n < WORDS && (word = strtok_r(rest, "\n", &rest)) != NULL;) {
		words[n++] = scratch_text("%s", word);
	}
	free(command);
	f.options.argv = (const char *const *)words;
	f.options.listen = listen_uri;
	f.options.connect = connect_uri;
	f.options.ready = OB_READY_RPC;
	f.options.ready_timeout_ms = READY_MS;
	f.options.health_interval_ms = BEAT_MS;
	f.options.call_timeout_ms = READY_MS;
	f.options.stop_signal = SIGTERM;
	f.options.stop_rpc_ms = READY_MS;
	f.options.placeholders = true;
	make_connector();
	return ob_connector_start_async(f.connector, NULL, NULL, &err);
}

static int power_off(void **state)
{
	struct ob_error err;
	(void)state;
	int r = ob_connector_stop(f.connector, 0, NULL, &err);
	free(listen_uri);
	free(connect_uri);
	family_end(&f);
	for (int i = 0; i < WORDS; i++) {
		free(words[i]);
	}
	return r == OB_OK && !family_alive(machine) ? 0 : -1;
}

/* ---- The tests, in this order ---- */

static bool was_refused(void *user)
{
	struct ob_status status = {.size = sizeof status};
	(void)user;
	ob_connector_status(f.connector, &status);
	return status.last_error[0] != '\0';
}

static bool is_ready_or_dead(void *user)
{
	(void)user;
	return family_count(&f, OB_EVENT_READY) > 0 || family_count(&f, OB_EVENT_EXITED) > 0;
}

/* While the guest boots, nothing listens: each failed dial is followed by another. */
static void fault_76_a_guest_that_boots_is_dialled_until_it_answers(void **state)
{
	struct ob_status status = {.size = sizeof status};
	(void)state;
	family_await(&f, OB_EVENT_STARTING, 1);
	machine = ob_connector_pid(f.connector);
	family_until(&f, was_refused, NULL);
	ob_connector_status(f.connector, &status);
	print_message("while it boots: %s\n", status.last_error);
	assert_int_equal(family_count(&f, OB_EVENT_READY), 0);
	family_until(&f, is_ready_or_dead, NULL);
	if (family_count(&f, OB_EVENT_READY) == 0) {
		tell_the_log();
	}
	assert_int_equal(family_count(&f, OB_EVENT_READY), 1);
	assert_int_equal(family_count(&f, OB_EVENT_EXITED), 0);
	assert_int_equal(ob_connector_pid(f.connector), machine);
}

static void must_be_the_same(void)
{
	const struct ob_value *value = family_call(&f, "echo", "[i]", 42);
	int64_t n = 0;
	assert_true(ob_get_int(value, &n));
	assert_int_equal(n, 42);
	assert_int_equal(ob_connector_pid(f.connector), machine);
	assert_int_equal(family_count(&f, OB_EVENT_STARTING), 1);
	assert_int_equal(family_count(&f, OB_EVENT_EXITED), 0);
}

static void calls_and_callbacks_cross(void **state)
{
	struct ob_bytes name = {NULL, 0};
	(void)state;
	must_be_the_same();
	assert_true(ob_get_string(family_call(&f, "ask", "[s]", "home.name"), &name));
	assert_int_equal(name.len, strlen("parent"));
	assert_memory_equal(name.data, "parent", name.len);
}

static bool has_record(void *user)
{
	(void)user;
	for (uint32_t i = 0; i < f.line_count; i++) {
		if (f.numbers[i] == 7) {
			return true;
		}
	}
	return false;
}

/* The record comes over the serial line and keeps its attributes. */
static void log_records_come_out(void **state)
{
	(void)state;
	must_be_the_same();
	family_call(&f, "log", "[ii]", 1, 7);
	family_until(&f, has_record, NULL);
}

static bool is_down(void *user)
{
	struct ob_status status = {.size = sizeof status};
	(void)user;
	ob_connector_status(f.connector, &status);
	return status.link != OB_LINK_UP;
}

static void fault_74_a_connection_reset_by_the_guest_is_dialled_again(void **state)
{
	struct ob_error err;
	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(family_try(&f, READY_MS, &err, "cut", NULL), OB_ECONNLOST);
		family_until(&f, is_down, NULL);
		family_await_state(&f, OB_STATE_READY, OB_LINK_UP);
		must_be_the_same();
	}
}

/* The machine is paused for longer than the heartbeat allows. */
static void fault_73_a_paused_machine_costs_the_connection_only(void **state)
{
	(void)state;
	must_be_the_same();
	kill(machine, SIGSTOP);
	family_await(&f, OB_EVENT_UNRESPONSIVE, 1);
	kill(machine, SIGCONT);
	family_await_state(&f, OB_STATE_READY, OB_LINK_UP);
	must_be_the_same();
}

static void the_next_parent_finds_it(void **state)
{
	struct ob_error err;
	(void)state;
	must_be_the_same();
	assert_int_equal(ob_connector_detach(f.connector, &err), OB_OK);
	ob_connector_close(f.connector);
	make_connector();
	if (ob_connector_reconnect(f.connector, READY_MS, NULL, &err) != OB_OK) {
		fail_msg("%s", err.text);
	}
	must_be_the_same();
	tell_the_log();
}

/* The child is killed: the machine ends with it, and another one is started. */
static void a_child_that_dies_is_started_again(void **state)
{
	struct ob_error err;
	(void)state;
	if (getenv("OB_TEST_AGAIN") == NULL) {
		print_message("skipped: the machine boots once here (OB_TEST_AGAIN)\n");
		skip();
	}
	(void)family_try(&f, READY_MS, &err, "signal", "[i]", SIGKILL);
	family_await(&f, OB_EVENT_EXITED, 1);
	assert_false(family_alive(machine));
	family_await(&f, OB_EVENT_STARTING, 2);
	machine = ob_connector_pid(f.connector);
	family_await_state(&f, OB_STATE_READY, OB_LINK_UP);
	family_call(&f, "echo", "[i]", 42);
	assert_int_equal(family_status(&f).restarts, 1);
}

static bool said_bye(void)
{
	for (uint32_t i = 0; i < f.line_count; i++) {
		if (strstr(f.lines[i], "\"msg\":\"bye\"") != NULL) {
			return true;
		}
	}
	return false;
}

/* The child ends in good order, and the machine with it. */
static void a_stop_is_the_guests_own_end(void **state)
{
	struct ob_error err;
	(void)state;
	family_call(&f, "bye", NULL);
	assert_int_equal(ob_connector_stop(f.connector, READY_MS, NULL, &err), OB_OK);
	assert_false(family_alive(machine));
	assert_true(said_bye());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_76_a_guest_that_boots_is_dialled_until_it_answers),
	    cmocka_unit_test(calls_and_callbacks_cross),
	    cmocka_unit_test(log_records_come_out),
	    cmocka_unit_test(fault_74_a_connection_reset_by_the_guest_is_dialled_again),
	    cmocka_unit_test(fault_73_a_paused_machine_costs_the_connection_only),
	    cmocka_unit_test(the_next_parent_finds_it),
	    cmocka_unit_test(a_child_that_dies_is_started_again),
	    cmocka_unit_test(a_stop_is_the_guests_own_end),
	};
	return cmocka_run_group_tests(tests, boot, power_off);
}
