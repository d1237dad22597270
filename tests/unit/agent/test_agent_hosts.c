/* SPDX-License-Identifier: MIT */
/* Which host an agent serves. */
#include "agent/agent_hosts.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* The id of the n-th host. */
static const char *id(int n)
{
	static char text[4][OBI_AGENT_ID_SIZE];
	static int i;
	i = (i + 1) % 4;
	snprintf(text[i], sizeof text[i], "%032x", (unsigned)n);
	return text[i];
}

static void the_one_that_said_hello_last_is_served(void **unused)
{
	(void)unused;
	struct obi_agent_hosts hosts = {0};
	bool is_new = false;
	assert_false(obi_agent_hosts_serves(&hosts, id(1)));
	assert_false(obi_agent_hosts_serves(&hosts, ""));
	assert_true(obi_agent_hosts_hello(&hosts, id(1), "one", &is_new));
	assert_true(is_new);
	assert_true(obi_agent_hosts_hello(&hosts, id(1), "one\n", &is_new));
	assert_false(is_new);
	assert_string_equal(hosts.label, "one\\n");
	assert_true(obi_agent_hosts_hello(&hosts, id(2), "two", &is_new));
	assert_true(is_new);
	assert_false(obi_agent_hosts_serves(&hosts, id(1)));
	assert_true(obi_agent_hosts_serves(&hosts, id(2)));
	assert_false(obi_agent_hosts_hello(&hosts, id(1), "one", &is_new));
	assert_true(obi_agent_hosts_serves(&hosts, id(2)));
}

static void the_last_64_that_were_replaced_are_known(void **unused)
{
	(void)unused;
	struct obi_agent_hosts hosts = {0}, again;
	char text[8192];
	bool is_new;
	for (int i = 0; i <= OBI_AGENT_OLD_HOSTS + 1; i++) {
		assert_true(obi_agent_hosts_hello(&hosts, id(i + 1), "x", &is_new));
	}
	struct ob_sink out = ob_sink_fixed(text, sizeof text);
	assert_int_equal(obi_agent_hosts_format(&hosts, &out, NULL), OB_OK);
	assert_int_equal(obi_agent_hosts_parse(ob_bytes_of(text, out.len), &again, NULL), OB_OK);
	assert_true(obi_agent_hosts_serves(&again, id(OBI_AGENT_OLD_HOSTS + 2)));
	for (int i = 1; i < OBI_AGENT_OLD_HOSTS + 1; i++) {
		assert_false(obi_agent_hosts_hello(&again, id(i + 1), "x", &is_new));
	}
	/* the next one that is replaced takes the place of the oldest */
	assert_true(obi_agent_hosts_hello(&again, id(1000), "x", &is_new));
	assert_true(obi_agent_hosts_hello(&again, id(2), "x", &is_new));
}

static void a_malformed_file_knows_no_host(void **unused)
{
	(void)unused;
	static const char *const texts[] = {
	    "",
	    "7",
	    "{}",
	    "{\"current\":\"x\",\"label\":\"\",\"old\":[]}",
	    "{\"current\":\"000102030405060708090a0b0c0d0e0f\",\"label\":\"\",\"old\":[7]}",
	    "{\"current\":\"000102030405060708090a0b0c0d0e0f\",\"old\":[]}",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct obi_agent_hosts hosts;
		assert_int_equal(obi_agent_hosts_parse(ob_bytes_text(texts[i]), &hosts, NULL),
				 OB_EPROTO);
		assert_string_equal(hosts.current, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_one_that_said_hello_last_is_served),
	    cmocka_unit_test(the_last_64_that_were_replaced_are_known),
	    cmocka_unit_test(a_malformed_file_knows_no_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
