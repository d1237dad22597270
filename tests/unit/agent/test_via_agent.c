/* SPDX-License-Identifier: MIT */
/* A call of a child behind an agent, through the transport `via`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "api/client.h"
#include "rpc/via_stream.h"
#include "support/agent_bed.h"
#include "support/program.h"
#include "support/scratch.h"

enum { WAIT_MS = 20000 };

struct link {
	struct obi_endpoint agent, child;
	struct obi_via_setup via;
	struct obi_connection *connection;
	bool opened, closed;
};

static void on_opened(void *user, struct obi_connection *connection)
{
	(void)connection;
	((struct link *)user)->opened = true;
}

static void on_closed(void *user, struct obi_connection *connection, const struct ob_error *err)
{
	(void)connection;
	print_message("closed: %s\n", err->text);
	((struct link *)user)->closed = true;
}

static void resolve(ob_runtime *rt, struct obi_endpoint *ep, const char *uri,
		    const char *const *auth)
{
	struct obi_endpoint_names names = {.use = OBI_ENDPOINT_DIALER,
					   .uri = uri,
					   .auth = auth,
					   .parent_dials = true,
					   .allowed_uid = UINT32_MAX};
	assert_int_equal(obi_endpoint_init(rt, &names, ep, NULL), OB_OK);
	assert_int_equal(obi_endpoint_set_token(ep, AGENT_TOKEN, NULL), OB_OK);
	assert_int_equal(obi_endpoint_configure(ep, NULL, NULL), OB_OK);
}

/* Wait until the child has written that it is ready. */
static void await_ready(struct agent_bed *bed)
{
	int64_t seen = 0;
	for (;;) {
		bool ready = false;
		const struct ob_value *config =
		    agent_tell(bed, "read_config", "worker", AGENT_FIRST);
		if (config != NULL && ob_get_bool(ob_value_find(config, "ready"), &ready) &&
		    ready) {
			return;
		}
		const struct ob_value *news = agent_ask(
		    bed, "changes", "{s:s,s:s,s:i,s:i,s:i}", "host", AGENT_HOST, "run", bed->run,
		    "seen", seen, "wait_ms", (int64_t)WAIT_MS, "max", (int64_t)8);
		assert_non_null(news);
		seen = agent_number(news, "next");
	}
}

static void dial(struct agent_bed *bed, struct link *link)
{
	static const char *const own[] = {"peercred", NULL}, *const auth[] = {"token", NULL};
	struct obi_endpoint *to = &link->agent;
	resolve(bed->rt, to, bed->address, own);
	resolve(bed->rt, &link->child, "unix:///child", auth);
	link->via = (struct obi_via_setup){.host = to->host,
					   .transport = &to->transport->as.transport,
					   .transport_state = to->transport_state,
					   .codec = &to->codec->as.codec,
					   .codec_state = to->codec_state,
					   .auth = &to->auth,
					   .uri = bed->address,
					   .owner = UINT32_MAX,
					   .agent = "guest1",
					   .child = "worker",
					   .host_id = AGENT_HOST};
	struct obi_connection_setup setup = obi_endpoint_connection(bed->rt, &link->child);
	setup.transport = obi_via_transport();
	setup.transport_state = &link->via;
	setup.open_timeout_ms = WAIT_MS;
	setup.events = (struct obi_connection_events){on_opened, on_closed, NULL, NULL, link};
	assert_int_equal(
	    obi_connection_dial(&setup, "via://guest1/worker", &link->connection, NULL), OB_OK);
	while (!link->opened && !link->closed) {
		obi_runtime_turn(bed->rt);
	}
	assert_true(link->opened);
}

static void hang_up(struct link *link)
{
	obi_connection_free(link->connection);
	obi_endpoint_clear(&link->child);
	obi_endpoint_clear(&link->agent);
}

static void a_child_behind_an_agent_is_called(void **state)
{
	struct agent_bed bed = {.dir = NULL};
	struct link link = {.opened = false};
	struct ob_error err = {.text = ""};
	(void)state;
	agent_bed_begin(&bed);
	char *script =
	    scratch_text("exec '%s/children/child-worker'", scratch_env("OB_TEST_BUILD"));
	(void)agent_start(&bed, "worker", AGENT_FIRST, script);
	await_ready(&bed);
	dial(&bed, &link);
	struct obi_peer *peer = obi_peer_new(bed.rt);
	obi_peer_set_connection(peer, link.connection);
	ob_client *client = obi_client_new(peer, "act");
	for (int i = 0; i < 100; i++) {
		assert_int_equal(
		    ob_client_callf(client, WAIT_MS, NULL, &err, "echo", "[s]", "hello"), OB_OK);
	}
	assert_int_equal(
	    ob_client_callf(client, WAIT_MS, NULL, &err, "blank", "[i]", (int64_t)1000000), OB_OK);
	ob_client_free(client);
	hang_up(&link);
	obi_peer_set_connection(peer, NULL);
	obi_peer_unref(peer);
	free(script);
	agent_bed_end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_child_behind_an_agent_is_called)};
	return cmocka_run_group_tests(tests, program_adopt_setup, NULL);
}
