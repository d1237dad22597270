/* SPDX-License-Identifier: MIT */
/* The options of a child that dials its parent: what they must agree on, what the child is told,
 * and where a socket may lie. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/scratch.h"

struct home {
	struct family f;
	char *accept;
	char *dial;
	struct ob_config config; /* of the child */
};

static void begin(struct home *h, const char *argument)
{
	memset(h, 0, sizeof *h);
	h->config.size = sizeof h->config;
	family_begin(&h->f, OB_RUNTIME_INLINE, argument, NULL);
	h->accept = scratch_text("unix://%s/home.sock", h->f.scratch);
	h->f.options.ready = OB_READY_DIAL_HOME;
	h->f.options.accept = h->accept;
}

static void end(struct home *h)
{
	ob_config_clear(&h->config);
	free(h->accept);
	free(h->dial);
	family_end(&h->f);
}

static void refused(struct home *h, const char *reason)
{
	struct ob_error err;
	ob_connector *c;
	expect(ob_connector_new(h->f.runtime, &h->f.options, &c, &err), OB_EINVAL, &err, reason);
}

static void options_that_contradict_themselves_are_refused(void **state)
{
	static struct home h;
	(void)state;
	begin(&h, NULL);
	struct ob_connector_options *o = &h.f.options;
	o->accept = NULL;
	refused(&h, "accept: is required in the ready mode dial-home");
	o->accept = "tcp://127.0.0.1:0";
	refused(&h, "accept: must have a fixed port");
	o->accept = "tcp://0.0.0.0:7000";
	refused(&h, "dial: is required");
	h.dial = scratch_text("unix://%s/home.sock", h.f.dir);
	o->accept = h.dial;
	refused(&h, "accept: lies in data_path");
	o->accept = h.accept;
	o->connect = "tcp://127.0.0.1:7000";
	refused(&h, "connect: contradicts");
	o->connect = NULL;
	o->listen = "tcp://127.0.0.1:0";
	refused(&h, "listen: must have a fixed port");
	o->listen = NULL;
	o->ready = OB_READY_RPC;
	refused(&h, "accept: requires the ready mode dial-home");
	o->ready = OB_READY_DIAL_HOME;
	end(&h);
}

static void a_guest_dials_its_host(void **state)
{
	static struct home h;
	struct ob_error err;
	(void)state;
	begin(&h, "silent");
	free(h.accept);
	h.accept = scratch_text("hvsock://%s/v.sock:52", h.f.scratch);
	h.f.options.accept = h.accept;
	family_connector(&h.f);
	expect(ob_connector_start_async(h.f.connector, NULL, NULL, &err), OB_OK, &err, NULL);
	family_await(&h.f, OB_EVENT_STARTING, 1);
	char *path = family_path(&h.f, "outboard.json");
	expect(ob_config_read(path, &h.config, &err), OB_OK, &err, NULL);
	free(path);
	assert_string_equal(h.config.dial, "vsock://host:52");
	assert_string_equal(h.config.auth, "noise");
	assert_null(h.config.listen);
	end(&h);
}

static void a_child_that_dials_may_listen_for_clients(void **state)
{
	static struct home h;
	struct ob_error err;
	ob_client *client;
	(void)state;
	begin(&h, NULL);
	char *address = scratch_text("unix://%s/clients.sock", h.f.scratch);
	h.f.options.client_listen = address;
	family_launch(&h.f);
	char *path = family_path(&h.f, "outboard.json");
	expect(ob_config_read(path, &h.config, &err), OB_OK, &err, NULL);
	free(path);
	assert_null(h.config.rpc_addr);
	assert_string_equal(h.config.client_addr, address);
	struct ob_client_options options = {
	    .size = sizeof options, .address = address, .token = h.config.token};
	expect(ob_client_connect(h.f.runtime, &options, NULL, &client, &err), OB_OK, &err, NULL);
	ob_client_free(client);
	(void)family_call(&h.f, "echo", "[i]", 7);
	free(address);
	end(&h);
}

/* Who could replace the socket would get the dials of the parent's child, or have it removed. */
static void a_socket_where_others_can_write_is_refused(void **state)
{
	static struct home h;
	struct ob_error err;
	(void)state;
	begin(&h, NULL);
	char *open = scratch_text("%s/open", h.f.scratch);
	assert_int_equal(mkdir(open, 0700), 0);
	assert_int_equal(chmod(open, 0777), 0);
	free(h.accept);
	h.accept = scratch_text("unix://%s/home.sock", open);
	h.f.options.accept = h.accept;
	family_connector(&h.f);
	expect(ob_connector_start(h.f.connector, 0, NULL, &err), OB_EPERM, &err, "accept: ");
	rmdir(open);
	free(open);
	end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_that_contradict_themselves_are_refused),
	    cmocka_unit_test(a_guest_dials_its_host),
	    cmocka_unit_test(a_child_that_dials_may_listen_for_clients),
	    cmocka_unit_test(a_socket_where_others_can_write_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
