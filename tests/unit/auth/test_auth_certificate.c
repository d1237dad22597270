/* SPDX-License-Identifier: MIT */
/* The authenticator certificate: whom the transport has identified comes in, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/registry_bed.h"

static const struct obi_plugin *plugin;
static const struct ob_host *host;

static int set_up(void **state)
{
	int r = registry_setup(state);
	host = r == OB_OK ? obi_registry_host(registry) : NULL;
	return r == OB_OK ? obi_registry_auth(registry, "certificate", &plugin, NULL) : r;
}

static int admit(const struct ob_peer *peer, struct ob_error *err)
{
	struct ob_auth_params params = {
	    .size = sizeof params, .role = OB_AUTH_ACCEPTOR, .peer = peer};
	err->text[0] = '\0';
	return plugin->as.auth.admit(host, &params, err);
}

static void the_subject_of_the_transport_is_that_of_the_peer(void **state)
{
	struct ob_peer peer = {.size = sizeof peer,
			       .known = OB_PEER_SUBJECT,
			       .subject = ob_bytes_text("spiffe://example.org/a")};
	struct ob_auth_params params = {.size = sizeof params, .peer = &peer};
	struct ob_error err;
	char text[255];
	struct ob_sink out = ob_sink_fixed(text, sizeof text), full = ob_sink_fixed(text, 3);
	(void)state;
	assert_int_equal(admit(&peer, &err), OB_OK);
	assert_int_equal(plugin->as.auth.identity(NULL, &params, &out), OB_OK);
	assert_true(ob_bytes_is(ob_bytes_of(text, out.len), "spiffe://example.org/a"));
	assert_int_equal(plugin->as.auth.identity(NULL, &params, &full), OB_ENOMEM);
}

static void nobody_else_comes_in(void **state)
{
	const struct ob_bytes name = ob_bytes_text("a");
	struct ob_peer peers[] = {
	    {.size = sizeof peers[0], .known = ~(uint32_t)OB_PEER_SUBJECT, .subject = name},
	    {.size = sizeof peers[0], .known = OB_PEER_SUBJECT},
	    {.size = offsetof(struct ob_peer, subject), .known = OB_PEER_SUBJECT, .subject = name},
	};
	(void)state;
	for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
		struct ob_error err;
		assert_int_equal(admit(&peers[i], &err), OB_EAUTH);
		assert_string_equal(err.text,
				    "certificate: the transport has not proved who the peer is");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_subject_of_the_transport_is_that_of_the_peer),
	    cmocka_unit_test(nobody_else_comes_in),
	};
	return cmocka_run_group_tests(tests, set_up, registry_teardown);
}
