/* SPDX-License-Identifier: MIT */
/* Placeholders in the options of a connector: only where they are asked for. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/scratch.h"

static void texts_are_taken_as_they_are(void **state)
{
	struct family f;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "say=${name} $$ ${x}", NULL);
	family_launch(&f);
	family_await_lines(&f, 1);
	assert_string_equal(f.lines[0], "${name} $$ ${x}");
	assert_false(family_has(&f, "token"));
	family_end(&f);
}

static void placeholders_are_replaced_where_they_are_asked_for(void **state)
{
	struct family f;
	struct stat st;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "say=${name} $$ ${config}", NULL);
	const char *const env[] = {"TOKEN=${token_file}", NULL};
	char *config = family_path(&f, "outboard.json"), *token = family_path(&f, "token");
	char *address = scratch_text("unix://%s/other.sock", f.dir);
	char *said = scratch_text("actor $ %s", config);
	f.options.placeholders = true;
	f.options.env = env;
	f.options.listen = "unix://${data_path}/other.sock";
	family_launch(&f);
	family_await_lines(&f, 1);
	assert_string_equal(f.lines[0], said);
	assert_string_equal(family_status(&f).address, address);
	assert_int_equal(lstat(token, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_size, 64);
	family_end(&f);
	assert_int_equal(access(token, F_OK), -1);
	free(said);
	free(address);
	free(token);
	free(config);
}

/* Where no number is free a start fails. The number is given back with the connector. */
static void another_waits_for_the_number(struct family *f, const char *number)
{
	struct ob_error err;
	ob_connector *another;
	/* Another child has another directory. */
	struct ob_connector_options other = f->options;
	char *place = scratch_text("%s/other", f->scratch);
	other.data_path = place;
	other.state_path = NULL;
	other.cids = number;
	expect(ob_connector_new(f->runtime, &other, &another, &err), OB_OK, &err, NULL);
	expect(ob_connector_start(another, 0, NULL, &err), OB_EBUSY, &err, "no free cid in 31");
	ob_connector_close(another);
	ob_connector_close(f->connector);
	f->connector = NULL;
	expect(ob_connector_new(f->runtime, &other, &another, &err), OB_OK, &err, NULL);
	expect(ob_connector_start(another, 0, NULL, &err), OB_OK, &err, NULL);
	expect(ob_connector_stop(another, 0, NULL, &err), OB_OK, &err, NULL);
	ob_connector_close(another);
	free(place);
}

static void numbers_are_allocated(void **state)
{
	struct family f;
	struct ob_error err;
	ob_connector *another;
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "say=${cid}", NULL);
	f.options.placeholders = true;
	expect(ob_connector_new(f.runtime, &f.options, &another, &err), OB_EINVAL, &err,
	       "cids: is required: ${cid} refers to it");
	f.options.cids = "2-9";
	expect(ob_connector_new(f.runtime, &f.options, &another, &err), OB_EINVAL, &err,
	       "cids: must be a range from 3 to 4294967294");
	/* Of this process, since the same test may run twice at once. */
	uint32_t cid = 3100000000u + 2 * (uint32_t)getpid();
	char *low = scratch_text("%u", cid), *high = scratch_text("%u", cid + 1);
	char *both = scratch_text("%s-%s", low, high);
	f.options.cids = both;
	family_launch(&f);
	family_await_lines(&f, 1);
	bool first = strcmp(f.lines[0], low) == 0;
	assert_true(first || strcmp(f.lines[0], high) == 0);
	another_waits_for_the_number(&f, first ? low : high);
	free(both);
	free(high);
	free(low);
	family_end(&f);
}

/* "OPTION: REASON\n" of each fault. */
static void collect(void *user, const struct ob_fault *fault)
{
	char *text = user;
	size_t len = strlen(text);
	snprintf(text + len, 1024 - len, "%s: %s\n", fault->option, fault->reason);
}

static void what_is_no_placeholder_is_refused(void **state)
{
	struct family f;
	struct ob_error err;
	ob_connector *connector;
	char faults[1024] = "";
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, "say=${x}", NULL);
	const char *const env[] = {"A=${name", NULL};
	f.options.placeholders = true;
	f.options.env = env;
	expect(ob_connector_new(f.runtime, &f.options, &connector, &err), OB_EINVAL, &err,
	       "argv: \"${x}\" is not a placeholder: write \"$${x}\" for the text");
	expect(ob_connector_options_check(f.runtime, &f.options, collect, faults, &err), OB_EINVAL,
	       &err, "2 faults");
	assert_string_equal(
	    faults, "argv: \"${x}\" is not a placeholder: write \"$${x}\" for the text\n"
		    "env: has \"${\" without \"}\": write \"$${\" if it is no placeholder\n");
	f.options.placeholders = false;
	expect(ob_connector_options_check(f.runtime, &f.options, NULL, NULL, &err), OB_OK, &err,
	       NULL);
	family_end(&f);
}

/* A child that others start has no data directory here, perhaps, and no numbers. */
static void addresses_of_other_starters_have_placeholders_too(void **state)
{
	static const struct {
		const char *connect, *fault;
	} cases[] = {
	    {"${name}://x", "no transport for child"},
	    {"unix://${data_path}/rpc.sock", "data_path: is required: ${data_path} refers to it"},
	    {"tcp://127.0.0.1:${port}", "connect: has ${port} or ${cid}, which are chosen for"},
	};
	char *dir = scratch_make(), *state_path = scratch_text("%s/state", dir);
	struct ob_connector_options o = {.size = sizeof o,
					 .name = "child",
					 .state_path = state_path,
					 .ports = "20000-20999",
					 .placeholders = true};
	struct ob_error err;
	ob_runtime *runtime;
	ob_connector *connector;
	(void)state;
	assert_int_equal(ob_runtime_new(NULL, &runtime, NULL), OB_OK);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		o.connect = cases[i].connect;
		int r = ob_connector_new(runtime, &o, &connector, &err);
		expect(r, i == 0 ? OB_EPLUGIN : OB_EINVAL, &err, cases[i].fault);
	}
	ob_runtime_free(runtime);
	free(state_path);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_taken_as_they_are),
	    cmocka_unit_test(placeholders_are_replaced_where_they_are_asked_for),
	    cmocka_unit_test(numbers_are_allocated),
	    cmocka_unit_test(what_is_no_placeholder_is_refused),
	    cmocka_unit_test(addresses_of_other_starters_have_placeholders_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
