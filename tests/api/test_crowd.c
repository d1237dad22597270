/* SPDX-License-Identifier: MIT */
/* Many children behind one VMM, which counts connections: a parent that detaches a thousand
 * children, and the next parent, which reconnects to all of them at once; and as many
 * connections as a VMM has room for, and one more. */
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
#include <sys/resource.h>
#include <time.h>

#include "support/crowd.h"
#include "support/event_types.h"
#include "support/scratch.h"
#include "support/vmm.h"

enum { MANY = CROWD_MANY, AT_ONCE = 100, PATIENCE_MS = 200000, FIRST_PORT = 10000 };

struct crowd {
	struct family f;
	struct vmm vmm;
	ob_connector *all[MANY];
	char *dirs[MANY], *listen[MANY], *connect[MANY];
	int32_t pids[MANY];
	int32_t started[MANY]; /* for the cleanup if the test fails */
	unsigned start_count;
	unsigned done; /* requests that succeeded */
	unsigned counts[EVENT_TYPES];
};

static struct crowd crowd;

static void await_all(struct crowd *c, const char *what)
{
	crowd_until(c->f.runtime, &c->done, MANY, PATIENCE_MS, what);
}

static void on_event(void *user, const struct ob_event *event)
{
	struct crowd *c = user;
	c->counts[event_type(event)]++;
	if (event->type == OB_EVENT_STARTING && c->start_count < MANY) {
		c->started[c->start_count++] = event->pid;
	}
}

/* ---- Parents ---- */

static void order_all(struct crowd *c, crowd_order_fn *order)
{
	struct ob_error err;
	c->done = 0;
	for (int i = 0; i < MANY; i++) {
		if (order(c->all[i], crowd_on_done, &c->done, &err) != OB_OK) {
			fail_msg("child %d: %s", i, err.text);
		}
	}
}

static void parent_begin(struct crowd *c)
{
	struct ob_error err;
	memset(c->counts, 0, sizeof c->counts);
	for (int i = 0; i < MANY; i++) {
		c->f.options.data_path = c->dirs[i];
		c->f.options.listen = c->listen[i];
		c->f.options.connect = c->connect[i];
		if (ob_connector_new(c->f.runtime, &c->f.options, &c->all[i], &err) != OB_OK) {
			fail_msg("child %d: %s", i, err.text);
		}
	}
}

static void parent_end(struct crowd *c)
{
	for (int i = 0; i < MANY; i++) {
		ob_connector_close(c->all[i]);
	}
}

static void crowd_begin(struct crowd *c)
{
	family_begin(&c->f, OB_RUNTIME_INLINE, NULL);
	vmm_begin(&c->vmm, c->f.scratch);
	c->f.options.allow_plaintext = true;
	c->f.options.ready_timeout_ms = PATIENCE_MS;
	c->f.options.log_pipe_bytes = 4096;
	c->f.options.health_interval_ms = -1;
	c->f.options.on_event = on_event;
	c->f.options.on_log = NULL;
	c->f.options.user_data = c;
	for (int i = 0; i < MANY; i++) {
		c->dirs[i] = scratch_text("%s/%d", c->f.scratch, i);
		c->listen[i] = scratch_text("hvsock://%s:%d", c->vmm.guest, FIRST_PORT + i);
		c->connect[i] = scratch_text("hvsock://%s:%d", c->vmm.path, FIRST_PORT + i);
	}
}

static void crowd_end(struct crowd *c)
{
	for (int i = 0; i < MANY; i++) {
		free(c->dirs[i]);
		free(c->listen[i]);
		free(c->connect[i]);
	}
	vmm_end(&c->vmm);
	family_end(&c->f);
}

/* Why this machine cannot run so many children; NULL: it can. */
static const char *raise_limits(void)
{
	static char why[128];
	struct rlimit files;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max < CROWD_EACH * MANY + CROWD_BESIDES) {
		snprintf(why, sizeof why, "%d children take %d descriptors, and the limit is %llu",
			 MANY, CROWD_EACH * MANY + CROWD_BESIDES,
			 (unsigned long long)files.rlim_max);
		return why;
	}
	return NULL;
}

/* ---- The tests ---- */

static void first_life(struct crowd *c)
{
	struct ob_error err;
	parent_begin(c);
	order_all(c, ob_connector_start_async);
	await_all(c, "starting");
	for (int i = 0; i < MANY; i++) {
		c->pids[i] = ob_connector_pid(c->all[i]);
		assert_int_equal(ob_connector_detach(c->all[i], &err), OB_OK);
	}
	parent_end(c);
}

static void await_all_turns(struct crowd *c)
{
	unsigned dialing;
	int64_t deadline = now_ms() + PATIENCE_MS;
	while ((dialing = (unsigned)vmm_order(&c->vmm, "dialing")) < AT_ONCE) {
		if (now_ms() > deadline) {
			fail_msg("waited for too long, %u dial", dialing);
		}
		(void)ob_runtime_run(c->f.runtime, 20);
	}
}

static void on_echo(void *user, int result, const struct ob_value *value,
		    const struct ob_error *err)
{
	(void)value;
	crowd_on_done(user, result, err);
}

static void call_all(struct crowd *c)
{
	struct ob_value items[1] = {ob_int(1)};
	struct ob_value params = ob_array(items, 1);
	struct ob_error err;
	c->done = 0;
	for (int i = 0; i < MANY; i++) {
		ob_client *client = ob_connector_client(c->all[i]);
		assert_int_equal(ob_client_call_async(client, "act.echo", &params, PATIENCE_MS,
						      on_echo, &c->done, NULL, &err),
				 OB_OK);
	}
	await_all(c, "calling");
}

static void must_be_the_same_children(struct crowd *c)
{
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(ob_connector_pid(c->all[i]), c->pids[i]);
	}
	assert_int_equal(c->counts[OB_EVENT_ADOPTED], MANY);
	assert_int_equal(c->counts[OB_EVENT_STARTING], 0);
	assert_int_equal(c->counts[OB_EVENT_EXITED], 0);
}

/* The VMM holds every dial until a hundred are waiting: a hundred and first would be counted. */
static void fault_39_a_parent_reconnects_to_a_thousand_children(void **state)
{
	struct crowd *c = &crowd;
	(void)state;
	const char *why = raise_limits();
	if (why != NULL) {
		print_message("skipped: %s\n", why);
		skip();
	}
	crowd_begin(c);
	int64_t at[4] = {now_ms()};
	first_life(c);
	at[1] = now_ms();
	(void)vmm_order(&c->vmm, "hold");
	parent_begin(c);
	order_all(c, ob_connector_reconnect_async);
	await_all_turns(c);
	(void)vmm_order(&c->vmm, "normal");
	await_all(c, "adopting");
	at[2] = now_ms();
	assert_int_equal(vmm_order(&c->vmm, "dialing"), AT_ONCE);
	must_be_the_same_children(c);
	call_all(c);
	assert_in_range(scratch_open_fds() - c->f.fds, CROWD_EACH * MANY,
			CROWD_EACH * MANY + CROWD_BESIDES);
	order_all(c, ob_connector_stop_async);
	await_all(c, "stopping");
	parent_end(c);
	c->start_count = 0; /* dead and reaped */
	at[3] = now_ms();
	print_message("%d children: started and let go in %d ms, adopted in %d ms, called and "
		      "stopped in %d ms\n",
		      MANY, (int)(at[1] - at[0]), (int)(at[2] - at[1]), (int)(at[3] - at[2]));
	crowd_end(c);
}

/* After a failure: end the thousand processes, which would slow down other tests. */
static int end_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < crowd.start_count; i++) {
		kill(crowd.started[i], SIGKILL);
	}
	return 0;
}

/* ---- A VMM that is full ---- */

enum { ROOM = 1023 }; /* as in Firecracker */

struct full {
	struct family f;
	struct vmm vmm;
	struct ob_config config;
	struct ob_client_options options;
	ob_client *clients[ROOM];
};

static void full_begin(struct full *u, char *listen, char *connect)
{
	struct ob_error err;
	u->f.options.listen = listen;
	u->f.options.connect = connect;
	u->f.options.allow_plaintext = true;
	family_connector(&u->f);
	if (ob_connector_start(u->f.connector, 0, NULL, &err) != OB_OK) {
		fail_msg("%s", err.text);
	}
	char *path = family_path(&u->f, "outboard.json");
	u->config.size = sizeof u->config;
	assert_int_equal(ob_config_read(path, &u->config, NULL), OB_OK);
	free(path);
	u->options = (struct ob_client_options){.size = sizeof u->options,
						.address = connect,
						.token = u->config.token,
						.allow_plaintext = true};
}

static bool has_room_again(void *user)
{
	struct full *u = user;
	return ob_client_connect(u->f.runtime, &u->options, NULL, &u->clients[0], NULL) == OB_OK;
}

static void fault_78_the_1024th_connection_gets_a_reason(void **state)
{
	static struct full u;
	struct ob_error err = {.text = ""};
	ob_client *one_more;
	(void)state;
	if (raise_limits() != NULL) {
		print_message("skipped: %d connections take more descriptors than the limit\n",
			      ROOM);
		skip();
	}
	family_begin(&u.f, OB_RUNTIME_INLINE, NULL);
	vmm_begin(&u.vmm, u.f.scratch);
	(void)vmm_order(&u.vmm, "limit 1023");
	char *listen = scratch_text("hvsock://%s:52", u.vmm.guest),
	     *connect = scratch_text("hvsock://%s:52", u.vmm.path);
	full_begin(&u, listen, connect);
	for (int i = 0; i < ROOM - 1; i++) { /* and that of the connector */
		if (ob_client_connect(u.f.runtime, &u.options, NULL, &u.clients[i], &err) !=
		    OB_OK) {
			fail_msg("connection %d: %s", i + 2, err.text);
		}
	}
	assert_int_equal(ob_client_connect(u.f.runtime, &u.options, NULL, &one_more, &err),
			 OB_EREFUSED);
	assert_non_null(strstr(err.text, "the VMM closed the connection on CONNECT 52"));
	family_call(&u.f, "echo", "[i]", 1); /* the existing connections are not affected */
	ob_client_free(u.clients[0]);
	family_until(&u.f, has_room_again, &u);
	for (int i = 0; i < ROOM - 1; i++) {
		ob_client_free(u.clients[i]);
	}
	ob_config_clear(&u.config);
	vmm_end(&u.vmm);
	free(listen);
	free(connect);
	family_end(&u.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_78_the_1024th_connection_gets_a_reason),
	    cmocka_unit_test_teardown(fault_39_a_parent_reconnects_to_a_thousand_children, end_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
