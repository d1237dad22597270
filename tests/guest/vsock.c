/* SPDX-License-Identifier: MIT */
/*
 * vsock - a child over AF_VSOCK, in a guest that reaches only itself: clients by a listener of
 * their own, rules about context ids, a flood from one of them, and pauses. All who connect in such
 * a guest have CID 1, which is shared by everybody in it and so gets no penalties. What needs a
 * second CID, penalties and the seats that are kept for the host (CID 2), is in tests/unit/access.
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

#include "support/clock.h"
#include "support/expect.h"
#include "support/peer.h"
#include "support/program.h"
#include "support/scratch.h"

/* Few, because a guest in user mode is slow. The flood holds more connections than there are seats
 * and descriptors for others. */
#define SEATS_OF_THE_CHILD "seats=16"
#define HELD_BY_THE_FLOOD  "most=40"

enum { SEATS = 16, BESIDES = 12, CYCLES = 3, BEAT_MS = 200, CONNECT_MS = 60000 };

/* The family comes first. */
struct bed {
	struct family f;
	struct ob_config config; /* the child's */
	int fds;		 /* the child's, without clients */
};

/* The parent is at `listen`, NULL: a unix socket; clients are at a port of CID 1. */
static void begin(struct bed *bed, const char *listen, const char *const *rules)
{
	*bed = (struct bed){.config.size = sizeof bed->config};
	family_begin(&bed->f, OB_RUNTIME_INLINE, "auth_timeout=60000", SEATS_OF_THE_CHILD, NULL);
	bed->f.options.listen = listen;
	bed->f.options.client_listen = "vsock://local:0";
	bed->f.options.rules = rules;
	bed->f.options.ready_timeout_ms = CONNECT_MS;
}

static void launch(struct bed *bed)
{
	struct ob_error err;
	family_launch(&bed->f);
	char *path = family_path(&bed->f, "outboard.json");
	expect(ob_config_read(path, &bed->config, &err), OB_OK, &err, NULL);
	free(path);
}

static void end(struct bed *bed)
{
	ob_config_clear(&bed->config);
	family_end(&bed->f);
}

/* ---- Clients ---- */

/* With the token, and the mechanisms that the address has by default. */
static int dial(struct bed *bed, const char *address, ob_client **ret, struct ob_error *err)
{
	const struct ob_client_options options = {.size = sizeof options,
						  .address = address,
						  .token = bed->config.token,
						  .connect_timeout_ms = CONNECT_MS};
	*ret = NULL;
	return ob_client_connect(bed->f.runtime, &options, NULL, ret, err);
}

static ob_client *must_dial(struct bed *bed, const char *address)
{
	struct ob_error err;
	ob_client *client;
	expect(dial(bed, address, &client, &err), OB_OK, &err, NULL);
	return client;
}

/* OB_OK, or the code on the wire with its message in err. */
static int64_t ask(ob_client *client, const char *method, const char *text, struct ob_error *err)
{
	int r = ob_client_callf(client, FAMILY_WAIT_MS, NULL, err, method, "[s]", text);
	if (r != OB_OK && r != OB_EREMOTE) {
		fail_msg("%s: %s", method, err->text);
	}
	return r == OB_OK ? OB_OK : err->remote_code;
}

/* What the child says of this caller. */
static void assert_known_as(ob_client *client, bool parent, uint64_t listener)
{
	struct ob_error err;
	uint64_t number = 99;
	bool is_parent = !parent;
	ob_reply *reply;
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	expect(ob_client_callf(client, FAMILY_WAIT_MS, reply, &err, "act.who", "[b]", false), OB_OK,
	       &err, NULL);
	const struct ob_value *who = ob_reply_value(reply);
	assert_true(ob_get_bool(ob_value_at(who, 3), &is_parent));
	assert_true(ob_get_uint(ob_value_at(who, 4), &number));
	assert_int_equal(is_parent, parent);
	assert_int_equal(number, listener);
	ob_reply_free(reply);
}

/* ---- A listener for clients ---- */

/* The child names the CID, and the parent says it as its config does. */
static void assert_is_at(const char *childs, const char *parents)
{
	assert_int_equal(strncmp(childs, "vsock://1:", 10), 0);
	assert_int_equal(strncmp(parents, "vsock://local:", 14), 0);
	assert_string_equal(strrchr(childs, ':'), strrchr(parents, ':'));
}

/* It knows the token and the instance, and the rules allow it: by this listener nobody is a parent.
 */
static void fault_111_clients_by_vsock_can_never_supervise(void **state)
{
	static const char *const rules[] = {"allow outboard.supervise outboard-control.shutdown",
					    "allow *", NULL};
	struct ob_error err;
	struct bed bed;
	(void)state;
	begin(&bed, "vsock://local:0", rules);
	launch(&bed);
	assert_is_at(bed.config.client_addr, family_status(&bed.f).client_address);
	assert_is_at(bed.config.rpc_addr, family_status(&bed.f).address);
	assert_string_not_equal(bed.config.client_addr, bed.config.rpc_addr);
	ob_client *client = must_dial(&bed, bed.config.client_addr);
	assert_known_as(client, false, OB_LISTENER_CLIENT);
	assert_known_as(ob_connector_client(bed.f.connector), true, OB_LISTENER_PARENT);
	assert_int_equal(ask(client, "outboard.supervise", bed.config.instance, &err),
			 OB_RPC_DENIED);
	assert_non_null(strstr(err.text, "listener for clients"));
	assert_known_as(client, false, OB_LISTENER_CLIENT);
	assert_int_equal(family_status(&bed.f).link, OB_LINK_UP);
	/* The same peer may, by the listener of the parent. */
	ob_client *other = must_dial(&bed, bed.config.rpc_addr);
	assert_int_equal(ask(other, "outboard.supervise", bed.config.instance, &err), OB_OK);
	ob_client_free(other);
	ob_client_free(client);
	end(&bed);
}

/* ---- Rules ---- */

static void rules_about_a_cid_are_for_it_alone(void **state)
{
	static const char *const rules[] = {"allow parent *",
					    "allow cid=1 act.echo",
					    "deny cid=1 act.later",
					    "allow cid=3 act.canceled",
					    "deny cid=3 act.descriptors",
					    "allow act.later act.descriptors",
					    "deny *",
					    NULL};
	struct ob_error err;
	struct bed bed;
	(void)state;
	begin(&bed, NULL, rules);
	launch(&bed);
	ob_client *guest = must_dial(&bed, bed.config.client_addr);
	assert_int_equal(ask(guest, "act.echo", "x", &err), OB_OK);
	assert_int_equal(ask(guest, "act.later", "x", &err), OB_RPC_DENIED);
	assert_int_equal(ask(guest, "act.canceled", "x", &err), OB_RPC_DENIED);
	assert_int_equal(ask(guest, "act.descriptors", "x", &err), OB_OK);
	/* One of whom no CID is known. */
	ob_client *local = must_dial(&bed, bed.config.rpc_addr);
	assert_int_equal(ask(local, "act.echo", "x", &err), OB_RPC_DENIED);
	assert_int_equal(ask(local, "act.later", "x", &err), OB_OK);
	ob_client_free(local);
	ob_client_free(guest);
	end(&bed);
}

/* ---- A flood ---- */

static void open_flood(struct program *flooder, const struct bed *bed, const char *mode)
{
	char *path = scratch_text("%s/children/child-flooder", scratch_env("OB_TEST_BUILD"));
	char *place = scratch_text("vsock:%s", strrchr(bed->config.client_addr, ':') + 1);
	const char *argv[] = {path, mode, place, HELD_BY_THE_FLOOD, NULL};
	program_begin(flooder, argv, NULL);
	free(place);
	free(path);
	assert_non_null(program_await(flooder, "made"));
}

static void close_flood(struct program *flooder)
{
	close(flooder->in);
	flooder->in = -1;
	const char *done = program_await(flooder, "done");
	assert_non_null(done);
	print_message("%s\n", done);
	assert_int_equal(program_end(flooder), 0);
}

/* It comes from where the flood comes from, so it may be turned away, and dials again. */
static void must_get_in(struct bed *bed)
{
	struct ob_error err = {0};
	int64_t begin_ms = now_ms();
	ob_client *client;
	int r;
	do {
		r = dial(bed, bed->config.client_addr, &client, &err);
		r = r == OB_OK ? ob_client_callf(client, 0, NULL, &err, "act.echo", "[i]", 1) : r;
		ob_client_free(client);
	} while (r < 0 && now_ms() - begin_ms < CONNECT_MS);
	expect(r, OB_OK, &err, NULL);
}

/* The parent and a client come by the other listener, from another origin: at the first try. */
static void others_get_in(struct bed *bed)
{
	struct ob_error err;
	expect(ob_connector_detach(bed->f.connector, &err), OB_OK, &err, NULL);
	expect(ob_connector_reconnect(bed->f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	ob_client *client = must_dial(bed, bed->config.rpc_addr);
	assert_int_equal(ask(client, "act.echo", "x", &err), OB_OK);
	ob_client_free(client);
}

static bool has_freed_all(void *user)
{
	const struct bed *bed = user;
	return peer_open_fds(ob_connector_pid(bed->f.connector)) <= bed->fds;
}

static void withstand(struct bed *bed, const char *mode)
{
	struct program flooder;
	pid_t pid = ob_connector_pid(bed->f.connector);
	int most = 0;
	open_flood(&flooder, bed, mode);
	for (int i = 0; i < CYCLES; i++) {
		must_get_in(bed);
		others_get_in(bed);
		int now = peer_open_fds(pid);
		most = now > most ? now : most;
	}
	close_flood(&flooder);
	print_message("%s: at most %d descriptors, %d without the flood\n", mode, most, bed->fds);
	assert_true(most <= bed->fds + SEATS + BESIDES);
	assert_int_equal(ob_connector_pid(bed->f.connector), pid);
	family_until(&bed->f, has_freed_all, bed);
}

static void fault_33_a_flood_from_one_cid_is_limited_and_locks_nobody_out(void **state)
{
	struct bed bed;
	(void)state;
	begin(&bed, NULL, NULL);
	launch(&bed);
	bed.fds = peer_open_fds(ob_connector_pid(bed.f.connector));
	withstand(&bed, "silent");
	withstand(&bed, "noise");
	assert_int_equal(family_count(&bed.f, OB_EVENT_EXITED), 0);
	end(&bed);
}

/* ---- Pauses ---- */

static void fault_73_a_paused_child_over_vsock_is_well_again(void **state)
{
	struct bed bed;
	int64_t n = 0;
	(void)state;
	begin(&bed, "vsock://local:0", NULL);
	bed.f.options.health_interval_ms = BEAT_MS;
	launch(&bed);
	pid_t pid = ob_connector_pid(bed.f.connector);
	for (int times = 0; times < 2; times++) {
		uint32_t before = family_count(&bed.f, OB_EVENT_UNRESPONSIVE);
		assert_int_equal(kill(pid, SIGSTOP), 0);
		family_await(&bed.f, OB_EVENT_UNRESPONSIVE, before + 1);
		family_await_state(&bed.f, OB_STATE_READY, OB_LINK_UNRESPONSIVE);
		assert_int_equal(kill(pid, SIGCONT), 0);
		family_await_state(&bed.f, OB_STATE_READY, OB_LINK_UP);
		assert_true(ob_get_int(family_call(&bed.f, "echo", "[i]", 42), &n));
		assert_int_equal(n, 42);
		assert_int_equal(family_status(&bed.f).healthy, 1);
	}
	assert_int_equal(ob_connector_pid(bed.f.connector), pid);
	assert_int_equal(family_status(&bed.f).restarts, 0);
	assert_int_equal(family_count(&bed.f, OB_EVENT_STARTING), 1);
	assert_int_equal(family_count(&bed.f, OB_EVENT_EXITED), 0);
	end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_111_clients_by_vsock_can_never_supervise),
	    cmocka_unit_test(rules_about_a_cid_are_for_it_alone),
	    cmocka_unit_test(fault_33_a_flood_from_one_cid_is_limited_and_locks_nobody_out),
	    cmocka_unit_test(fault_73_a_paused_child_over_vsock_is_well_again),
	};
	if (getenv("OB_TEST_GUEST") == NULL) {
		printf("skipped: this is not a guest, and the vsock of this machine is not ours\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
