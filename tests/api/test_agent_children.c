/* SPDX-License-Identifier: MIT */
/* Children behind an agent (option `via`): a real agent, its children, and their connectors. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/program.h"
#include "support/scratch.h"

/* The family of the child, and its agent. */
struct behind {
	struct family f;
	char *address, *root, *state, *far;
	struct program agent;
	ob_connector *guest; /* the connector of the agent */
};

static void agent_start(struct behind *b)
{
	char *program = scratch_text("%s/children/child-agent", scratch_env("OB_TEST_BUILD"));
	const char *const argv[] = {program, b->address, b->root, "0", "0", b->f.argv[0], NULL};
	program_begin(&b->agent, argv, NULL);
	const char *line = program_line(&b->agent);
	assert_non_null(line);
	assert_string_equal(line, "ready");
	free(program);
}

static void agent_kill(struct behind *b)
{
	program_kill(&b->agent, SIGKILL);
	(void)program_end(&b->agent);
}

static ob_connector *agent_of(struct behind *b, ob_runtime *rt, const char *far)
{
	const struct ob_connector_options options = {
	    .size = sizeof options,
	    .name = "guest1",
	    .data_path = far,
	    .connect = b->address,
	    .auth = (const char *const[]){"peercred", NULL},
	};
	ob_connector *guest = NULL;
	struct ob_error err;
	expect(ob_connector_new(rt, &options, &guest, &err), OB_OK, &err, NULL);
	expect(ob_connector_supervise(guest, &err), OB_OK, &err, NULL);
	return guest;
}

static void begin(struct behind *b)
{
	memset(b, 0, sizeof *b);
	program_adopt_orphans();
	family_begin(&b->f, OB_RUNTIME_INLINE, NULL);
	b->address = scratch_text("unix://%s/agent.sock", b->f.scratch);
	b->root = scratch_text("%s/root", b->f.scratch);
	b->state = scratch_text("%s/state", b->f.scratch);
	b->far = scratch_text("%s/guest1", b->f.scratch);
	agent_start(b);
	b->guest = agent_of(b, b->f.runtime, b->far);
	b->f.options.via = b->guest;
	b->f.options.data_path = NULL;
	b->f.options.state_path = b->state;
}

static void end(struct behind *b)
{
	struct stat st;
	ob_connector_close(b->f.connector);
	b->f.connector = NULL;
	ob_connector_close(b->guest);
	assert_int_not_equal(stat(b->f.dir, &st), 0); /* nothing of the child is here */
	agent_kill(b);
	program_reap_orphans();
	free(b->far);
	free(b->state);
	free(b->root);
	free(b->address);
	family_end(&b->f);
}

static void launch(struct behind *b)
{
	struct ob_error err = {0};
	family_connector(&b->f);
	expect(ob_connector_start(b->f.connector, 0, NULL, &err), OB_OK, &err, NULL);
}

static int32_t pid_of(const struct behind *b)
{
	return ob_connector_pid(b->f.connector);
}

static void stop(struct behind *b)
{
	struct ob_error err = {0};
	int32_t pid = pid_of(b);
	assert_true(pid > 0 && family_alive(pid));
	expect(ob_connector_stop(b->f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(family_status(&b->f).state, OB_STATE_STOPPED);
	assert_false(family_alive(pid));
}

/* ---- A life ---- */

static void on_twice(void *user, ob_call *call, const struct ob_value *params)
{
	int64_t n = 0;
	(void)user;
	(void)ob_get_int(ob_value_at(params, 0), &n);
	ob_call_replyf(call, "I", 2 * n);
}

static void a_child_starts_calls_logs_and_stops(void **state)
{
	static const struct ob_method methods[] = {{"twice", on_twice}, {NULL, NULL}};
	struct behind b;
	struct ob_error err = {0};
	int64_t n = 0;
	(void)state;
	begin(&b);
	family_connector(&b.f);
	expect(ob_connector_expose(b.f.connector, "parent", methods, NULL, &err), OB_OK, &err,
	       NULL);
	expect(ob_connector_start(b.f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(family_status(&b.f).state, OB_STATE_READY);
	assert_string_equal(family_status(&b.f).address, "via://guest1/actor");
	assert_true(ob_get_int(family_call(&b.f, "echo", "[i]", 17), &n) && n == 17);
	assert_true(ob_get_int(family_call(&b.f, "ask", "[s,i]", "parent.twice", 21), &n));
	assert_int_equal(n, 42);
	family_call(&b.f, "log", "[i,i]", 100, 1);
	family_await_lines(&b.f, 100);
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(b.f.numbers[i], i + 1);
	}
	stop(&b);
	assert_int_equal(family_count(&b.f, OB_EVENT_EXITED), 1);
	/* And again. */
	expect(ob_connector_start(b.f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	family_call(&b.f, "echo", "[i]", 2);
	stop(&b);
	end(&b);
}

static void a_child_that_dies_is_started_again(void **state)
{
	struct behind b;
	(void)state;
	begin(&b);
	launch(&b);
	int32_t first = pid_of(&b);
	assert_int_equal(kill(first, SIGKILL), 0);
	family_await(&b.f, OB_EVENT_READY, 2);
	assert_int_equal(b.f.last_exit.exit_kind, OB_EXIT_SIGNAL);
	assert_int_equal(b.f.last_exit.exit_value, SIGKILL);
	assert_int_not_equal(pid_of(&b), first);
	family_call(&b.f, "echo", "[i]", 1);
	stop(&b);
	end(&b);
}

static void a_status_is_told_as_on_the_host(void **state)
{
	struct behind b;
	struct ob_error err = {0};
	(void)state;
	begin(&b);
	b.f.options.restart.on = OB_RESTART_ON_FAILURE;
	launch(&b);
	(void)family_try(&b.f, 5000, &err, "exit", "[i]", 0);
	family_await(&b.f, OB_EVENT_DONE, 1);
	assert_int_equal(b.f.last_exit.exit_kind, OB_EXIT_CODE);
	assert_int_equal(b.f.last_exit.exit_value, 0);
	end(&b);
}

static void a_command_that_is_not_allowed_is_refused(void **state)
{
	struct behind b;
	struct ob_error err = {0};
	const char *const argv[] = {"/bin/true", NULL};
	(void)state;
	begin(&b);
	b.f.options.argv = argv;
	family_connector(&b.f);
	int r = ob_connector_start(b.f.connector, 0, NULL, &err);
	assert_true(r < 0);
	assert_non_null(strstr(err.text, "guest1: "));
	assert_non_null(strstr(err.text, "/bin/true"));
	assert_int_equal(family_status(&b.f).state, OB_STATE_STOPPED);
	end(&b);
}

/* ---- Losses ---- */

static bool is_up(void *user)
{
	const struct behind *b = user;
	struct ob_status s = family_status(&b->f);
	return s.state == OB_STATE_READY && s.link == OB_LINK_UP && s.last_error[0] == '\0';
}

static void an_agent_that_is_killed_finds_its_children(void **state)
{
	struct behind b;
	(void)state;
	begin(&b);
	launch(&b);
	int32_t pid = pid_of(&b);
	for (int i = 0; i < 5; i++) {
		agent_kill(&b);
		family_await(&b.f, OB_EVENT_LINK_DOWN, (uint32_t)i + 1);
		assert_true(family_alive(pid));
		agent_start(&b);
		family_await(&b.f, OB_EVENT_LINK_UP, (uint32_t)i + 1);
		family_until(&b.f, is_up, &b);
		family_call(&b.f, "echo", "[i]", i);
	}
	assert_int_equal(pid_of(&b), pid);
	assert_int_equal(family_count(&b.f, OB_EVENT_EXITED), 0);
	assert_int_equal(family_status(&b.f).restarts, 0);
	stop(&b);
	end(&b);
}

/* A child that dies when the agent is not there is found dead, and started again. */
static void an_end_without_the_agent_is_noticed(void **state)
{
	struct behind b;
	(void)state;
	begin(&b);
	launch(&b);
	int32_t pid = pid_of(&b);
	agent_kill(&b);
	assert_int_equal(kill(pid, SIGKILL), 0);
	program_reap_orphans();
	agent_start(&b);
	family_await(&b.f, OB_EVENT_READY, 2);
	assert_int_equal(family_count(&b.f, OB_EVENT_EXITED), 1);
	stop(&b);
	end(&b);
}

/* A stop that the agent does not hear goes on when it is back. */
static void a_stop_waits_for_the_agent(void **state)
{
	struct behind b;
	struct ob_error err = {0};
	(void)state;
	begin(&b);
	launch(&b);
	int32_t pid = pid_of(&b);
	agent_kill(&b);
	family_await(&b.f, OB_EVENT_LINK_DOWN, 1);
	expect(ob_connector_stop_async(b.f.connector, NULL, NULL, &err), OB_OK, &err, NULL);
	family_await_state(&b.f, OB_STATE_STOPPING, OB_LINK_DOWN);
	assert_true(family_alive(pid));
	agent_start(&b);
	family_await(&b.f, OB_EVENT_STOPPED, 1);
	assert_false(family_alive(pid));
	end(&b);
}

/* ---- Others ---- */

static void the_next_supervisor_adopts_it(void **state)
{
	struct behind b;
	struct ob_error err = {0};
	(void)state;
	begin(&b);
	launch(&b);
	int32_t pid = pid_of(&b);
	expect(ob_connector_detach(b.f.connector, &err), OB_OK, &err, NULL);
	ob_connector_close(b.f.connector);
	assert_true(family_alive(pid));
	family_connector(&b.f);
	expect(ob_connector_start_or_reconnect(b.f.connector, 0, NULL, &err), OB_OK, &err, NULL);
	assert_int_equal(pid_of(&b), pid);
	assert_true(family_status(&b.f).adopted);
	family_call(&b.f, "echo", "[i]", 1);
	stop(&b);
	end(&b);
}

static void expect_echo(ob_client *client, int64_t number)
{
	struct ob_error err = {0};
	ob_reply *reply = NULL;
	int64_t n = 0;
	expect(ob_reply_new(&reply, &err), OB_OK, &err, NULL);
	expect(ob_client_callf(client, 0, reply, &err, "act.echo", "[I]", number), OB_OK, &err,
	       NULL);
	assert_true(ob_get_int(ob_reply_value(reply), &n) && n == number);
	ob_reply_free(reply);
}

/* A client beside the supervisor finds the way in the two states, and takes nothing over. */
static void a_client_of_the_child_goes_through_the_agent(void **state)
{
	struct behind b;
	struct ob_error err = {0};
	ob_client *client = NULL;
	(void)state;
	begin(&b);
	launch(&b);
	struct ob_child_connect_options options = {
	    .size = sizeof options, .data_path = b.f.dir, .state_path = b.state};
	expect(ob_child_connect_with(b.f.runtime, &options, NULL, &client, &err), OB_OK, &err,
	       NULL);
	expect_echo(client, 17);
	family_call(&b.f, "echo", "[i]", 18);
	ob_client_free(client);
	/* Settings are those of the one or the other. */
	options.agent_settings = "{\"auth\": {\"peercred\": {\"x\": 1}}}";
	expect(ob_child_connect_with(b.f.runtime, &options, NULL, &client, &err), OB_EINVAL, &err,
	       "agent guest1: ");
	options.agent_settings = NULL;
	options.settings = "{\"auth\": {\"noise\": {\"x\": 1}}}";
	expect(ob_child_connect_with(b.f.runtime, &options, NULL, &client, &err), OB_EINVAL, &err,
	       "noise is not among the authenticators");
	options.settings = NULL;
	options.data_path = NULL;
	expect(ob_child_connect_with(b.f.runtime, &options, NULL, &client, &err), OB_EINVAL, &err,
	       "data_path is not set");
	stop(&b);
	expect(ob_child_connect(b.f.runtime, b.f.dir, b.state, NULL, 0, NULL, &client, &err),
	       OB_EDOWN, &err, "no child is running");
	end(&b);
}

/* Another supervisor, with another child behind the same agent. */
struct other {
	ob_runtime *rt;
	char *far, *state;
	ob_connector *guest, *child;
};

static void other_begin(struct other *o, struct behind *b)
{
	const struct ob_runtime_options threaded = {.size = sizeof threaded,
						    .mode = OB_RUNTIME_THREADED};
	struct ob_error err = {0};
	expect(ob_runtime_new(&threaded, &o->rt, &err), OB_OK, &err, NULL);
	o->far = scratch_text("%s/other", b->f.scratch);
	o->state = scratch_text("%s/elsewhere", b->f.scratch);
	o->guest = agent_of(b, o->rt, o->far);
	const struct ob_connector_options options = {
	    .size = sizeof options,
	    .name = "elsewhere",
	    .state_path = o->state,
	    .argv = b->f.options.argv,
	    .via = o->guest,
	};
	expect(ob_connector_new(o->rt, &options, &o->child, &err), OB_OK, &err, NULL);
	expect(ob_connector_start_async(o->child, NULL, NULL, &err), OB_OK, &err, NULL);
}

static void other_end(struct other *o)
{
	struct ob_error err = {0};
	expect(ob_connector_stop(o->child, 0, NULL, &err), OB_OK, &err, NULL);
	ob_connector_close(o->child);
	ob_connector_close(o->guest);
	ob_runtime_free(o->rt);
	free(o->state);
	free(o->far);
}

/* Another host says hello: the first lets go, and does not fight back. */
static void a_host_that_takes_over_fences_the_first(void **state)
{
	struct behind b;
	struct other o;
	struct ob_error err = {0};
	(void)state;
	begin(&b);
	launch(&b);
	int32_t pid = pid_of(&b);
	other_begin(&o, &b);
	family_await(&b.f, OB_EVENT_DETACHED, 1);
	assert_non_null(strstr(b.f.cause, "taken over by pid "));
	assert_true(family_alive(pid));
	int r = ob_connector_start(b.f.connector, 0, NULL, &err);
	expect(r, OB_EBUSY, &err, "taken over by pid ");
	other_end(&o);
	kill(pid, SIGKILL);
	end(&b);
}

/* ---- Options ---- */

static void refused(struct behind *b, const char *text)
{
	struct ob_error err = {0};
	ob_connector *c = NULL;
	expect(ob_connector_new(b->f.runtime, &b->f.options, &c, &err), OB_EINVAL, &err, text);
}

static void what_is_not_for_an_agent_is_refused(void **state)
{
	struct behind b;
	(void)state;
	begin(&b);
	b.f.options.listen = "unix:///tmp/x";
	refused(&b, "listen: is not for a child behind an agent (via)");
	b.f.options.listen = NULL;
	b.f.options.ports = "1000-2000";
	refused(&b, "ports: is not for a child behind an agent (via)");
	b.f.options.ports = NULL;
	b.f.options.argv = NULL;
	refused(&b, "argv: is required: the agent (via) starts the child");
	b.f.options.argv = (const char *const[]){"/bin/x", "${nothing}", NULL};
	b.f.options.placeholders = true;
	refused(&b, "nothing");
	b.f.options.argv = (const char *const[]){"/bin/x", "${data_path}", NULL};
	family_connector(&b.f);
	b.f.options.via = b.f.connector;
	refused(&b, "via: actor is behind an agent itself");
	end(&b);
}

/* The agent is needed until the child has ended, also where neither close waits. */
static void the_agent_is_closed_after_its_children(void **state)
{
	struct behind b;
	(void)state;
	begin(&b);
	launch(&b);
	int32_t pid = pid_of(&b);
	ob_connector_close(b.guest); /* the wrong order */
	b.guest = NULL;
	family_call(&b.f, "echo", "[i]", 1);
	ob_connector_close(b.f.connector);
	b.f.connector = NULL;
	assert_false(family_alive(pid));
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_child_starts_calls_logs_and_stops),
	    cmocka_unit_test(a_child_that_dies_is_started_again),
	    cmocka_unit_test(a_status_is_told_as_on_the_host),
	    cmocka_unit_test(a_command_that_is_not_allowed_is_refused),
	    cmocka_unit_test(an_agent_that_is_killed_finds_its_children),
	    cmocka_unit_test(an_end_without_the_agent_is_noticed),
	    cmocka_unit_test(a_stop_waits_for_the_agent),
	    cmocka_unit_test(the_next_supervisor_adopts_it),
	    cmocka_unit_test(a_client_of_the_child_goes_through_the_agent),
	    cmocka_unit_test(a_host_that_takes_over_fences_the_first),
	    cmocka_unit_test(what_is_not_for_an_agent_is_refused),
	    cmocka_unit_test(the_agent_is_closed_after_its_children),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
