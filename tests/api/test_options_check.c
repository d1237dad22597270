/* SPDX-License-Identifier: MIT */
/* ob_connector_options_check(): every fault, with the name of its option. */
#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/expect.h"
#include "support/scratch.h"

/* "KIND OPTION\n" for each fault. */
struct report {
	char list[1024];
	char reason[512]; /* of the last */
};

static void on_fault(void *user, const struct ob_fault *fault)
{
	static const char *const kinds[] = {"error", "file", "warning"};
	struct report *report = user;
	size_t len = strlen(report->list);
	snprintf(report->list + len, sizeof report->list - len, "%s %s\n", kinds[fault->kind],
		 fault->option);
	snprintf(report->reason, sizeof report->reason, "%s", fault->reason);
}

static const char *const command[] = {"/bin/true", NULL};

static struct ob_connector_options good_options(void)
{
	return (struct ob_connector_options){.size = sizeof(struct ob_connector_options),
					     .name = "child",
					     .data_path = "/no/such/data",
					     .argv = command};
}

/* Check in a runtime of this mode. */
static int check(enum ob_runtime_mode mode, const struct ob_connector_options *options,
		 struct report *report, struct ob_error *err)
{
	struct ob_runtime_options runtime_options = {.size = sizeof runtime_options, .mode = mode};
	ob_runtime *runtime;
	memset(report, 0, sizeof *report);
	assert_int_equal(ob_runtime_new(&runtime_options, &runtime, NULL), OB_OK);
	int r = ob_connector_options_check(runtime, options, on_fault, report, err);
	ob_runtime_free(runtime);
	return r;
}

/* The faults of a data_path, which a start would meet too. */
static void expect_data_path(const char *path, const char *list, const char *reason)
{
	struct ob_connector_options options = good_options();
	struct report report;
	struct ob_error err;
	options.data_path = path;
	(void)check(OB_RUNTIME_INLINE, &options, &report, &err);
	assert_string_equal(report.list, list);
	assert_non_null(strstr(report.reason, reason));
}

static void directories_are_looked_at(void **state)
{
	char *dir = scratch_make();
	char *open = scratch_text("%s/open", dir), *below = scratch_text("%s/open/x", dir);
	char *file = scratch_text("%s/file", dir), *climbing = scratch_text("%s/no/../x", dir);
	char *dotted = scratch_text("%s/..x/...", dir);
	(void)state;
	assert_int_equal(mkdir(open, 0700), 0);
	expect_data_path(below, "", "");
	assert_int_equal(chmod(open, 0777), 0);
	expect_data_path(below, "file data_path\n", "writable by others (mode 0777)");
	expect_data_path(open, "", ""); /* a start gives it its mode */
	scratch_write(file, "", 0, 0600);
	expect_data_path(file, "file data_path\n", "is not a directory");
	expect_data_path(climbing, "error data_path\n", "\"..\" is not allowed");
	expect_data_path(dotted, "", "");
	free(dotted);
	free(climbing);
	free(file);
	free(below);
	free(open);
	scratch_remove(dir);
}

static void good_options_have_no_fault(void **state)
{
	const struct ob_connector_options options = good_options();
	struct report report;
	struct ob_error err;
	struct stat st;
	(void)state;
	expect(check(OB_RUNTIME_INLINE, &options, &report, &err), OB_OK, &err, NULL);
	assert_string_equal(report.list, "");
	expect(check(OB_RUNTIME_THREADED, &options, &report, &err), OB_OK, &err, NULL);
	assert_string_equal(report.list, "");
	assert_int_equal(stat("/no/such/data", &st), -1);
}

static void every_fault_is_reported_at_once(void **state)
{
	static const char *const env[] = {"A=1", "=2", "B", NULL};
	static const struct ob_rlimit limits[] = {
	    {"nofile", 2, 1}, {"nonsense", 1, 1}, {"as", 1, 1}, {NULL, 0, 0}};
	static const char *const auth[] = {"nonsense", NULL};
	static const char *const peers[] = {"root", "no-such-user-here", NULL};
	const struct ob_connector_options options = {.size = sizeof options,
						     .argv = &peers[2],
						     .name = "a/b",
						     .data_path = "data",
						     .env = env,
						     .limits = limits,
						     .cwd = "x",
						     .stdin_path = "y",
						     .ready = 9,
						     .health_action = 9,
						     .stop_signal = 99,
						     .umask = -2,
						     .restart = {.jitter = 2},
						     .parent_address = "example.org",
						     .rules = auth,
						     .user = "no-such-user-here",
						     .peer_users = peers,
						     .listen = "gopher://x",
						     .codec = "nonsense",
						     .auth = auth};
	struct report report;
	struct ob_error err;
	(void)state;
	expect(check(OB_RUNTIME_INLINE, &options, &report, &err), OB_EINVAL, &err,
	       "21 faults; the first: name: must be 1 to 64 of");
	assert_string_equal(report.list,
			    "error name\nerror argv\nerror data_path\nerror cwd\nerror stdin_path\n"
			    "error env\nerror env\nerror limits\nerror limits\nerror ready\n"
			    "error health_action\nerror stop_signal\nerror umask\n"
			    "error restart.jitter\nerror parent_address\nerror rules\n"
			    "error user\nerror peer_users\nerror listen\nerror codec\nerror auth\n"
			    "file cwd\nfile stdin_path\n");
}

static void the_constructor_finds_the_first_of_them(void **state)
{
	struct ob_connector_options options = good_options();
	ob_connector *connector;
	ob_runtime *runtime;
	struct ob_error err;
	(void)state;
	options.cwd = "x";
	options.umask = -2;
	assert_int_equal(ob_runtime_new(NULL, &runtime, NULL), OB_OK);
	assert_int_equal(ob_connector_new(runtime, &options, &connector, &err), OB_EINVAL);
	assert_string_equal(err.text, "cwd: must be an absolute path");
	ob_runtime_free(runtime);
}

static void mechanisms_that_exclude_each_other_are_a_fault_of_auth(void **state)
{
	static const char *const auth[] = {"token", "noise", NULL};
	struct ob_connector_options options = good_options();
	struct report report;
	struct ob_error err;
	(void)state;
	options.auth = auth;
	expect(check(OB_RUNTIME_THREADED, &options, &report, &err), OB_EINVAL, &err,
	       "auth: authenticator noise seals");
	assert_string_equal(report.list, "error auth\n");
}

static void files_and_unsafe_choices_are_accepted(void **state)
{
	static const char *const missing[] = {"/no/such/program", NULL};
	static const char *const auth[] = {"token", NULL};
	struct ob_connector_options options = good_options();
	struct report report;
	struct ob_error err;
	(void)state;
	options.argv = missing;
	options.cwd = "/etc/passwd";
	options.listen = "tcp://127.0.0.1:0";
	options.auth = auth;
	options.allow_plaintext = true;
	expect(check(OB_RUNTIME_INLINE, &options, &report, &err), OB_OK, &err, NULL);
	assert_string_equal(report.list, "warning allow_plaintext\nfile argv\nfile cwd\n");
	assert_string_equal(report.reason, "is not a directory");
}

static void a_group_makes_an_unknown_user_number_acceptable(void **state)
{
	struct ob_connector_options options = good_options();
	struct report report;
	struct ob_error err;
	(void)state;
	options.user = "4000000000";
	expect(check(OB_RUNTIME_INLINE, &options, &report, &err), OB_EINVAL, &err, "user: ");
	options.group = "4000000000";
	expect(check(OB_RUNTIME_INLINE, &options, &report, &err), OB_OK, &err, NULL);
	options.group = "no-such-group-here";
	expect(check(OB_RUNTIME_INLINE, &options, &report, &err), OB_EINVAL, &err, "group: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_options_have_no_fault),
	    cmocka_unit_test(directories_are_looked_at),
	    cmocka_unit_test(every_fault_is_reported_at_once),
	    cmocka_unit_test(the_constructor_finds_the_first_of_them),
	    cmocka_unit_test(mechanisms_that_exclude_each_other_are_a_fault_of_auth),
	    cmocka_unit_test(files_and_unsafe_choices_are_accepted),
	    cmocka_unit_test(a_group_makes_an_unknown_user_number_acceptable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
