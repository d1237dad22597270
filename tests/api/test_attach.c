/* SPDX-License-Identifier: MIT */
/* A connector of a child that others start: here the test does. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/scratch.h"

extern char **environ;

#define TOKEN "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* The family, and the child of the other supervisor. */
struct attached {
	struct family f;
	char *config, *token, *connect;
	pid_t pid; /* 0: it does not run */
};

static void write_token(struct attached *a, const char *token)
{
	unlink(a->token);
	scratch_write(a->token, token, strlen(token), 0600);
}

static void child_start(struct attached *a)
{
	char *program = scratch_text("%s/children/child-actor", scratch_env("OB_TEST_BUILD"));
	char *argv[] = {program, NULL};
	char *text = scratch_text("{\"token\":\"" TOKEN "\",\"listen\":\"%s\"}", a->connect);
	unlink(a->config);
	scratch_write(a->config, text, strlen(text), 0600);
	assert_int_equal(setenv("OUTBOARD_CONFIG", a->config, 1), 0);
	assert_int_equal(posix_spawn(&a->pid, program, NULL, NULL, argv, environ), 0);
	assert_int_equal(unsetenv("OUTBOARD_CONFIG"), 0);
	free(text);
	free(program);
}

static void child_end(struct attached *a)
{
	if (a->pid != 0) {
		assert_int_equal(kill(a->pid, SIGKILL), 0);
		assert_int_equal(waitpid(a->pid, NULL, 0), a->pid);
		a->pid = 0;
	}
}

static void must_live(const struct attached *a)
{
	assert_true(family_alive(a->pid));
}

static void begin(struct attached *a)
{
	*a = (struct attached){.pid = 0};
	family_begin(&a->f, OB_RUNTIME_INLINE, NULL);
	a->config = scratch_text("%s/outboard.json", a->f.scratch);
	a->token = scratch_text("%s/token", a->f.scratch);
	a->connect = scratch_text("unix://%s/far.sock", a->f.scratch);
	a->f.options.argv = NULL;
	a->f.options.connect = a->connect;
	a->f.options.token_file = a->token;
	write_token(a, TOKEN);
}

static void end(struct attached *a)
{
	if (a->f.connector != NULL) {
		ob_connector_close(a->f.connector);
		a->f.connector = NULL;
		if (a->pid != 0) {
			must_live(a); /* a close lets go */
		}
	}
	child_end(a);
	free(a->connect);
	free(a->token);
	free(a->config);
	family_end(&a->f);
}

static void start(struct attached *a)
{
	struct ob_error err;
	child_start(a);
	family_connector(&a->f);
	expect(ob_connector_start(a->f.connector, 0, NULL, &err), OB_OK, &err, NULL);
}

static void a_start_attaches_and_a_stop_lets_go(void **state)
{
	struct attached a;
	struct ob_error err;
	struct stat st;
	(void)state;
	begin(&a);
	start(&a);
	family_call(&a.f, "echo", "[i]", 1);
	assert_int_equal(ob_connector_pid(a.f.connector), 0);
	assert_int_equal(family_status(&a.f).inner_pid, a.pid);
	assert_int_not_equal(stat(a.f.dir, &st), 0); /* no data directory is made */
	expect(ob_connector_stop(a.f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(family_status(&a.f).state, OB_STATE_DETACHED);
	must_live(&a);
	expect(ob_connector_reconnect(a.f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	family_call(&a.f, "echo", "[i]", 2);
	assert_int_equal(family_count(&a.f, OB_EVENT_EXITED), 0);
	end(&a);
}

static void fault_120_a_start_ends_with_its_timeout_and_harms_nobody(void **state)
{
	struct attached a;
	struct ob_error err;
	(void)state;
	begin(&a);
	a.f.options.ready_timeout_ms = 200;
	family_connector(&a.f);
	expect(ob_connector_start(a.f.connector, 0, NULL, &err), OB_ETIMEDOUT, &err, "to be ready");
	assert_int_equal(family_status(&a.f).state, OB_STATE_DETACHED);
	child_start(&a);
	ob_connector_supervise(a.f.connector, &err);
	family_await_state(&a.f, OB_STATE_READY, OB_LINK_UP);
	end(&a);
}

/* Whether the child has said which process it is. */
static bool is_known(void *user)
{
	const struct attached *a = user;
	return family_status(&a->f).inner_pid == a->pid;
}

static void fault_120_a_lost_connection_is_never_its_end(void **state)
{
	struct attached a;
	struct ob_error err;
	(void)state;
	begin(&a);
	a.f.options.ready_timeout_ms = 200;
	family_connector(&a.f);
	expect(ob_connector_supervise(a.f.connector, &err), OB_OK, &err, NULL);
	family_await(&a.f, OB_EVENT_ADOPTED, 1); /* not reached yet */
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(family_status(&a.f).state, OB_STATE_RECONNECTING);
		child_start(&a);
		family_await(&a.f, OB_EVENT_LINK_UP, i);
		expect(ob_connector_wait(a.f.connector, OB_STATE_READY, 0, NULL, &err), OB_OK, &err,
		       NULL);
		family_call(&a.f, "echo", "[i]", 1);
		family_until(&a.f, is_known, &a);
		child_end(&a);
		family_await(&a.f, OB_EVENT_LINK_DOWN, i);
	}
	assert_int_equal(family_count(&a.f, OB_EVENT_REPLACED), 2);
	assert_int_equal(family_count(&a.f, OB_EVENT_EXITED), 0);
	assert_int_equal(family_count(&a.f, OB_EVENT_RESTARTING), 0);
	end(&a);
}

static void fault_121_a_wrong_token_is_told_and_a_renewed_one_is_taken(void **state)
{
	struct attached a;
	struct ob_error err;
	(void)state;
	begin(&a);
	child_start(&a);
	write_token(&a, OTHER);
	a.f.options.ready_timeout_ms = -1;
	family_connector(&a.f);
	/* Before the child listens the dial fails for another reason, and is repeated. */
	expect(ob_connector_start(a.f.connector, 0, NULL, &err), OB_EAUTH, &err,
	       "the peer did not prove that it has the token");
	write_token(&a, TOKEN);
	expect(ob_connector_start(a.f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	end(&a);
}

static void fault_122_two_supervisors_do_not_share_a_child(void **state)
{
	struct attached a;
	struct ob_error err;
	(void)state;
	begin(&a);
	start(&a);
	ob_connector *second = family_another(&a.f);
	expect(ob_connector_start(second, 0, NULL, &err), OB_EBUSY, &err, NULL);
	family_call(&a.f, "echo", "[i]", 1);
	expect(ob_connector_detach(a.f.connector, &err), OB_OK, &err, NULL);
	expect(ob_connector_start(second, 0, NULL, &err), OB_OK, &err, NULL);
	ob_connector_close(second);
	must_live(&a);
	end(&a);
}

static void with_stop_rpc_it_is_asked_to_shut_down(void **state)
{
	struct attached a;
	struct ob_error err;
	int status;
	(void)state;
	begin(&a);
	a.f.options.stop_rpc_ms = 20000;
	start(&a);
	expect(ob_connector_stop(a.f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(waitpid(a.pid, &status, 0), a.pid);
	a.pid = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(family_status(&a.f).state, OB_STATE_STOPPED);
	assert_int_equal(family_count(&a.f, OB_EVENT_EXITED), 1);
	end(&a);
}

/* A child that is stopped does not answer; an abort of the stop lets go of it. */
static void fault_123_a_stop_that_is_not_heard_lets_go_and_says_so(void **state)
{
	struct attached a;
	struct ob_error err;
	(void)state;
	begin(&a);
	a.f.options.stop_rpc_ms = 100;
	start(&a);
	assert_int_equal(kill(a.pid, SIGSTOP), 0);
	expect(ob_connector_stop(a.f.connector, 0, NULL, &err), OB_ETIMEDOUT, &err,
	       "did not end within 100ms (stop.rpc)");
	assert_int_equal(family_status(&a.f).state, OB_STATE_DETACHED);
	must_live(&a);
	end(&a);
}

static void a_version_that_is_too_old_is_told_and_changes_nothing(void **state)
{
	struct attached a;
	struct ob_error err;
	(void)state;
	begin(&a);
	a.f.options.version = 5;
	child_start(&a);
	family_connector(&a.f);
	expect(ob_connector_start(a.f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	family_await(&a.f, OB_EVENT_UNHEALTHY, 1);
	family_call(&a.f, "echo", "[i]", 1);
	must_live(&a);
	end(&a);
}

static void without_a_token_file_mechanisms_with_a_secret_are_refused(void **state)
{
	static const char *const peercred[] = {"peercred", NULL};
	struct attached a;
	struct ob_error err;
	ob_connector *connector = NULL;
	(void)state;
	begin(&a);
	a.f.options.token_file = NULL;
	expect(ob_connector_new(a.f.runtime, &a.f.options, &connector, &err), OB_EINVAL, &err,
	       "token_file: is required without a command: mechanism token");
	a.f.options.auth = peercred;
	a.f.options.data_path = NULL;
	a.f.options.state_path = a.f.dir;
	expect(ob_connector_new(a.f.runtime, &a.f.options, &connector, &err), OB_OK, &err, NULL);
	ob_connector_close(connector);
	end(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_start_attaches_and_a_stop_lets_go),
	    cmocka_unit_test(fault_120_a_start_ends_with_its_timeout_and_harms_nobody),
	    cmocka_unit_test(fault_120_a_lost_connection_is_never_its_end),
	    cmocka_unit_test(fault_121_a_wrong_token_is_told_and_a_renewed_one_is_taken),
	    cmocka_unit_test(fault_122_two_supervisors_do_not_share_a_child),
	    cmocka_unit_test(with_stop_rpc_it_is_asked_to_shut_down),
	    cmocka_unit_test(fault_123_a_stop_that_is_not_heard_lets_go_and_says_so),
	    cmocka_unit_test(a_version_that_is_too_old_is_told_and_changes_nothing),
	    cmocka_unit_test(without_a_token_file_mechanisms_with_a_secret_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
