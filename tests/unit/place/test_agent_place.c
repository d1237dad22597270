/* SPDX-License-Identifier: MIT */
/* A child at an agent, which the test plays. */
#include "agent_bed.h"

/* ---- A life ---- */

static void a_child_is_prepared_and_spawned(void **state)
{
	struct ob_bytes text = {NULL, 0};
	(void)state;
	bed_probe_absent();
	assert_false(bed.facts.alive || bed.facts.held || bed.has_state);
	bed_prepare();
	const struct double_call *prepare = bed_due("prepare");
	const struct ob_value *options = ob_value_find(&prepare->params, "options");
	const struct ob_value *config = ob_value_find(&prepare->params, "config");
	assert_true(bed_has_text(prepare, "host", HOST_ID));
	assert_true(bed_has_text(prepare, "name", "worker"));
	assert_true(bed_has_text(prepare, "instance", OURS));
	/* Placeholders are expanded where the child runs. */
	assert_true(ob_get_string(ob_value_at(ob_value_find(options, "argv"), 1), &text));
	assert_true(ob_bytes_is(text, "${name}"));
	assert_true(ob_get_string(ob_value_find(config, "token"), &text));
	assert_true(ob_bytes_is(text, TOKEN));
	assert_null(ob_value_find(config, "listen"));
	bed_answer("prepare", "{}");
	bed.place->ops->spawn(bed.place, 3);
	assert_true(bed_has_text(bed_due("spawn"), "instance", OURS));
	bed_answer_spawn();
	bed_expect("prepared spawned ");
	assert_int_equal(bed.child.pid, 77);
	assert_string_equal(bed.child.record, "agent/12:34:boot");
	bed.place->ops->resolve(bed.place, 9, "unix:///there/rpc.sock");
	bed_expect("resolved ");
	assert_string_equal(bed.address, "via://guest1/worker");
}

static void answer_logs(void)
{
	bed_await("logs");
	bed_answer("logs", "{s:i,s:i,s:[]}", "first", 0, "next", 4, "chunks");
}

/* All that it wrote comes before: the call that waits is replaced by one that does not. */
static void an_exit_comes_after_the_logs(void **state)
{
	(void)state;
	bed_run();
	struct double_call *waiting = bed_due("logs");
	assert_true(bed_int(waiting, "wait_ms") > 0);
	bed_await("changes");
	bed_answer("changes", "{s:s,s:i,s:[{s:s,s:s,s:s,s:i,s:i,s:i,s:{s:i,s:i,s:i}}]}", "run",
		   RUN_1, "next", 6, "children", "name", "worker", "instance", OURS, "state",
		   "ended", "version", 6, "pid", 77, "config_version", 0, "exit", "kind", 1,
		   "value", 3, "ago_ms", 10);
	assert_true(waiting->canceled);
	bed_expect("");
	assert_int_equal(bed_int(bed_due("logs"), "wait_ms"), 0);
	bed_answer("logs", "{s:i,s:i,s:[[i,i,s]]}", "first", 0, "next", 4, "chunks", 2, 0, "bye\n");
	bed_expect("log ");
	assert_string_equal(bed.logs, "2:0:bye\n|");
	assert_int_equal(bed_int(bed_due("logs"), "offset"), 4);
	answer_logs();
	bed_expect("exited ");
	assert_int_equal(bed.how.kind, OB_EXIT_CODE);
	assert_int_equal(bed.how.value, 3);
	/* What its cleanup command wrote comes before `gone`. */
	answer_logs();
	bed_expect("gone ");
}

static void an_exit_is_acknowledged_when_it_is_saved(void **state)
{
	(void)state;
	bed_run();
	bed_change(OURS, "ended", 6);
	answer_logs();
	answer_logs();
	bed_expect("exited gone ");
	bed_expect_methods("");
	bed_save("");
	bed_expect_methods("ack_exit ");
	assert_true(bed_has_text(bed_due("ack_exit"), "instance", OURS));
	bed_save("");
	bed_expect_methods("");
}

static void a_failed_start_tells_why(void **state)
{
	(void)state;
	bed_probe_absent();
	bed_prepare();
	bed_refuse("prepare", OBI_AGENT_REFUSED, "/bin/worker: not\x1b[1m allowed");
	bed_expect("no-prepared ");
	assert_string_equal(bed.fail_text, "guest1: /bin/worker: not\\x1b[1m allowed");
	bed_prepare();
	bed_answer("prepare", "{}");
	bed.place->ops->spawn(bed.place, 3);
	bed_refuse("spawn", OBI_AGENT_STATE, "no such file");
	bed_expect("prepared no-spawned ");
}

static void the_config_is_read_when_it_has_changed(void **state)
{
	(void)state;
	bed_run();
	bed.place->ops->read_config(bed.place);
	bed_answer("read_config", "{s:b,s:s}", "ready", true, "rpc_addr",
		   "unix:///root/x/rpc.sock");
	bed_expect("config ");
	assert_true(bed.ready);
	assert_string_equal(bed.rpc_addr, "unix:///there/rpc.sock"); /* as the child was told */
	bed_expect_methods("read_config ");
	bed_await("changes");
	bed_answer("changes", "{s:s,s:i,s:[{s:s,s:s,s:s,s:i,s:i,s:i}]}", "run", RUN_1, "next", 6,
		   "children", "name", "worker", "instance", OURS, "state", "running", "version", 6,
		   "pid", 77, "config_version", 1);
	bed_expect_methods("read_config ");
	bed_refuse("read_config", OB_RPC_INTERNAL, "is malformed");
	bed_expect("no-config ");
	bed.place->ops->unwatch(bed.place);
	bed_await("changes");
	bed_answer("changes", "{s:s,s:i,s:[{s:s,s:s,s:s,s:i,s:i,s:i}]}", "run", RUN_1, "next", 7,
		   "children", "name", "worker", "instance", OURS, "state", "running", "version", 7,
		   "pid", 77, "config_version", 2);
	bed_expect_methods("");
}

/* ---- The connection ---- */

static void a_lost_answer_is_asked_for_again(void **state)
{
	(void)state;
	bed_probe_absent();
	bed_prepare();
	bed_cut();
	bed_expect("lost ");
	bed_connect(RUN_1);
	bed_expect_methods("prepare prepare ");
	assert_true(bed_has_text(bed_due("prepare"), "instance", OURS));
	bed_answer("prepare", "{}");
	bed_answer("inspect", ABSENT);
	bed_expect("prepared back ");
	bed.place->ops->spawn(bed.place, 3);
	bed_cut();
	bed_connect(RUN_1);
	bed_expect_methods("inspect spawn spawn ");
	assert_true(bed_has_text(bed_due("spawn"), "instance", OURS));
	bed_answer_spawn();
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "running", 5, 77));
	bed_expect("lost spawned back ");
}

static void a_lost_connection_is_no_death(void **state)
{
	(void)state;
	bed_run();
	bed_cut();
	bed_expect("lost ");
	assert_string_equal(bed.fail_text, "guest1: cut");
	/* What is sent meanwhile is lost: the supervisor sends it again. */
	bed.place->ops->signal(bed.place, SIGTERM);
	bed.place->ops->end(bed.place, 0);
	bed_connect(RUN_1);
	bed_expect_methods("inspect ");
	bed_expect("");
	assert_true(bed_has_text(bed_due("logs"), "instance", OURS));
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "running", 5, 77));
	bed_expect("back ");
}

/* The agent was killed and started again; it has found the child. */
static void an_agent_that_starts_anew_keeps_the_child(void **state)
{
	(void)state;
	bed_run();
	bed_cut();
	bed_connect(RUN_2);
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "running", 1, 77));
	bed_expect("lost back ");
	bed_await("changes");
	assert_int_equal(bed_int(bed_due("changes"), "seen"), 0);
}

/* The child died, and has left something, or its cleanup is due: nobody has told the new agent what
 * to do about it. */
static void a_new_agent_is_told_what_to_do_with_what_is_left(void **state)
{
	(void)state;
	bed_run();
	bed_cut();
	bed_connect(RUN_2);
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "held", 1, 77));
	answer_logs();
	bed_expect("lost back exited ");
	bed_expect_methods("inspect end_holders ");
	bed_answer("end_holders", "{}");
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "ended", 3, 77));
	answer_logs();
	bed_expect("gone ");
}

static void a_guest_that_boots_has_ended_the_child(void **state)
{
	(void)state;
	bed_run();
	bed_cut();
	bed_connect(RUN_2);
	bed_answer("inspect", ABSENT);
	bed_expect("lost back exited gone ");
	assert_int_equal(bed.how.kind, OB_EXIT_UNKNOWN);
	assert_string_equal(bed.cause, "guest1 is gone");
	assert_false(bed_is_due("logs"));
}

static void a_guest_that_does_not_come_back_has_ended_the_child(void **state)
{
	(void)state;
	bed_run();
	bed_cut();
	obi_agent_hub_gone(bed.hub, "failed");
	bed_expect("lost exited gone ");
	assert_string_equal(bed.cause, "guest1 is gone");
}

/* ---- Facts ---- */

/* Facts may be older than the answer to the spawn: that is asked before the child is taken for
 * dead. */
static void old_facts_are_no_death(void **state)
{
	(void)state;
	bed_run();
	bed_await("changes");
	bed_answer("changes", "{s:s,s:i,s:[{s:s,s:s,s:i,s:i}]}", "run", RUN_1, "next", 6,
		   "children", "name", "worker", "state", "absent", "version", 6, "config_version",
		   0);
	bed_expect("");
	bed_expect_methods("inspect ");
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "running", 7, 77));
	bed_expect("");
	bed_change(OTHER, "running", 8);
	bed_answer("inspect", FACTS, FACTS_OF(OTHER, "running", 8, 78));
	bed_expect("exited gone ");
	assert_string_equal(bed.cause, "guest1 does not know it");
}

static void hostile_facts_are_dropped(void **state)
{
	(void)state;
	bed_run();
	bed_await("changes");
	bed_answer("changes", "{s:s,s:i,s:[{s:s,s:s,s:s,s:i,s:i},i,{s:s}]}", "run", RUN_1, "next",
		   9, "children", "name", "stranger", "instance", OURS, "state", "ended", "version",
		   9, "config_version", 0, 5, "name", "worker");
	bed_await("changes");
	bed_answer("changes", "[]");
	bed_expect("");
	bed_expect_methods("");
	/* It is asked again, and not at once. */
	assert_false(bed_is_due("changes"));
	bed_await("changes");
}

static void what_is_left_is_said_before_it_is_gone(void **state)
{
	(void)state;
	bed_run();
	bed_await("changes");
	bed_answer("changes", "{s:s,s:i,s:[{s:s,s:s,s:s,s:i,s:i,s:i,s:s,s:{s:i,s:i,s:i}}]}", "run",
		   RUN_1, "next", 6, "children", "name", "worker", "instance", OURS, "state",
		   "lingering", "version", 6, "pid", 77, "config_version", 0, "remains", "nap (78)",
		   "exit", "kind", 2, "value", 9, "ago_ms", 0);
	bed_answer("logs", "{s:i,s:i,s:[]}", "first", 0, "next", 0, "chunks");
	bed_expect("exited remains ");
	assert_string_equal(bed.cause, "nap (78)");
	assert_int_equal(bed.how.kind, OB_EXIT_SIGNAL);
	bed.place->ops->end(bed.place, 0);
	assert_int_equal(bed_int(bed_due("end"), "signal"), SIGKILL);
	bed_await("changes");
	bed_answer("changes", "{s:s,s:i,s:[{s:s,s:s,s:s,s:i,s:i,s:s}]}", "run", RUN_1, "next", 7,
		   "children", "name", "worker", "instance", OURS, "state", "failed", "version", 7,
		   "config_version", 0, "error", "nap (78) is not ours");
	bed_await("logs");
	bed_answer("logs", "{s:i,s:i,s:[]}", "first", 0, "next", 0, "chunks");
	bed_expect("no-gone ");
	assert_string_equal(bed.fail_text, "guest1: nap (78) is not ours");
	bed_save("");
	bed_expect_methods("end "); /* and it is not acknowledged */
}

/* ---- Stops ---- */

static void a_stop_goes_on_at_the_agent(void **state)
{
	(void)state;
	bed_run();
	bed.place->ops->signal(bed.place, SIGTERM);
	bed.place->ops->signal(bed.place, SIGCONT);
	const struct double_call *end = bed_due("end");
	assert_int_equal(bed_int(end, "signal"), SIGTERM);
	assert_int_equal(bed_int(end, "timeout_ms"), 6000);
	bed_answer("end", "{}");
	bed.place->ops->end(bed.place, 0);
	assert_int_equal(bed_int(bed_due("end"), "signal"), SIGKILL);
	assert_int_equal(bed_int(bed_due("end"), "timeout_ms"), 0);
	bed_refuse("end", OBI_AGENT_REFUSED, "may not be signalled");
	bed_expect("no-stuck ");
	bed_expect_methods("end end ");
}

static void other_signals_are_passed_on(void **state)
{
	(void)state;
	bed_run();
	bed.place->ops->signal(bed.place, SIGHUP);
	assert_int_equal(bed_int(bed_due("signal"), "signal"), SIGHUP);
	bed_answer("signal", "{}");
	bed_expect_methods("signal ");
}

static void a_spawn_that_nobody_wants_is_ended(void **state)
{
	(void)state;
	bed_probe_absent();
	bed_prepare();
	bed_answer("prepare", "{}");
	bed.place->ops->spawn(bed.place, 3);
	bed.place->ops->detach(bed.place);
	bed_expect_methods("prepare spawn end ");
	assert_int_equal(bed_int(bed_due("end"), "signal"), SIGKILL);
	assert_true(bed_has_text(bed_due("end"), "instance", OURS));
}

/* ---- Taking over ---- */

/* Another supervisor, with the state that the first has saved. */
static void next_supervisor(void)
{
	bed.place->ops->free(bed.place);
	bed_cut();
	bed.words[0] = bed.methods[0] = '\0';
	bed_make_place();
}

static void a_child_that_runs_is_adopted(void **state)
{
	(void)state;
	bed_run();
	next_supervisor();
	bed_probe();
	bed_connect(RUN_1);
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "running", 5, 77));
	bed_expect("lost back probed ");
	assert_true(bed.facts.alive && bed.facts.held && bed.has_state);
	assert_string_equal(bed.state.token, TOKEN);
	assert_string_equal(bed.facts.child.record, "agent/12:34:boot");
	bed.place->ops->adopt(bed.place, 4, bed.facts.child.record, 0);
	bed_expect("adopted ");
	assert_true(bed_has_text(bed_due("logs"), "instance", OURS));
}

/* How it ended when no supervisor was there is known. */
static void an_end_in_between_is_known(void **state)
{
	(void)state;
	bed_run();
	next_supervisor();
	bed_probe();
	bed_connect(RUN_1);
	bed_answer("inspect", "{s:s,s:s,s:s,s:i,s:i,s:{s:i,s:i,s:i}}", "name", "worker", "instance",
		   OURS, "state", "ended", "version", 6, "config_version", 0, "exit", "kind", 1,
		   "value", 7, "ago_ms", 5);
	bed_expect("lost back probed ");
	assert_false(bed.facts.alive || bed.facts.held);
	assert_int_equal(bed.state.last_exit.value, 7);
	bed_expect_methods("inspect ack_exit ");
}

/* Its token is not known here, so nobody could call it. */
static void a_child_of_another_start_is_ended(void **state)
{
	(void)state;
	bed_probe();
	bed_connect(RUN_1);
	bed_answer("inspect", FACTS, FACTS_OF(OTHER, "running", 5, 77));
	bed_expect("lost back probed ");
	assert_true(bed.facts.held && !bed.facts.alive);
	bed.place->ops->end_holders(bed.place);
	bed_expect_methods("inspect end ");
	assert_true(bed_has_text(bed_due("end"), "instance", OTHER));
	assert_int_equal(bed_int(bed_due("end"), "signal"), SIGTERM);
	bed_change(OTHER, "ended", 6);
	bed_expect("gone ");
	assert_true(bed_has_text(bed_due("ack_exit"), "instance", OTHER));
}

static void what_an_earlier_start_left_is_dealt_with(void **state)
{
	(void)state;
	bed_probe();
	bed_connect(RUN_1);
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "failed", 5, 77));
	bed_expect("lost back probed ");
	assert_true(bed.facts.held && !bed.facts.alive);
	bed.place->ops->end_holders(bed.place);
	bed_expect_methods("inspect end_holders ");
	bed_answer("end_holders", "{}");
	bed_answer("inspect", ABSENT);
	bed_expect("gone ");
}

/* The agent is killed before it has dealt with that. */
static void a_new_agent_is_told_to_go_on(void **state)
{
	(void)state;
	bed_probe();
	bed_connect(RUN_1);
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "held", 5, 77));
	bed_expect("lost back probed ");
	bed.place->ops->end_holders(bed.place);
	bed_answer("end_holders", "{}");
	bed_expect_methods("inspect end_holders inspect ");
	bed_cut();
	bed_connect(RUN_2);
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "held", 1, 77));
	bed_expect_methods("inspect end_holders ");
	bed_answer("end_holders", "{}");
	bed_answer("inspect", ABSENT);
	bed_expect("lost back gone ");
}

/* The state of a child that ran here before says nothing about one at an agent. */
static void a_local_record_is_not_believed(void **state)
{
	(void)state;
	bed_probe_absent();
	bed_save("99999:1:1:boot");
	next_supervisor();
	bed_probe();
	bed_connect(RUN_1);
	bed_answer("inspect", FACTS, FACTS_OF(OURS, "running", 5, 77));
	bed_expect("lost back probed ");
	assert_true(bed.facts.held && !bed.facts.alive);
	assert_string_equal(bed.state.token, "");
}

static void one_supervisor_has_the_child(void **state)
{
	(void)state;
	bed_run();
	struct obi_place *first = bed.place;
	bed_make_place();
	bed_probe();
	bed_expect("no-probed ");
	assert_int_equal(bed.fail_code, OB_EBUSY);
	bed.place->ops->free(bed.place);
	bed.place = first;
}

/* ---- Fencing ---- */

static void a_host_that_was_superseded_lets_go(void **state)
{
	(void)state;
	bed_run();
	bed_await("changes");
	bed_refuse("changes", OBI_AGENT_TAKEN, "taken over by pid 9 on host-b");
	bed_expect("no-stuck ");
	assert_string_equal(bed.fail_text, "guest1: taken over by pid 9 on host-b");
	assert_int_equal(bed.fail_code, OB_EBUSY);
	bed.place->ops->detach(bed.place);
	bed_cut();
	size_t before = bed.count;
	obi_agent_hub_link_up(bed.hub);
	bed_probe();
	bed_expect("no-probed ");
	assert_string_equal(bed.fail_text, "guest1: taken over by pid 9 on host-b");
	assert_int_equal(bed.count, before); /* it does not fight back */
}

static void a_request_of_a_superseded_host_fails(void **state)
{
	(void)state;
	bed_probe_absent();
	bed_prepare();
	bed_refuse("prepare", OBI_AGENT_TAKEN, "taken over by pid 9 on host-b");
	bed_expect("no-prepared ");
	assert_string_equal(bed.fail_text, "guest1: taken over by pid 9 on host-b");
}

static void a_peer_that_is_no_agent_is_named(void **state)
{
	(void)state;
	bed_probe();
	obi_agent_hub_link_up(bed.hub);
	bed_refuse("hello", OB_RPC_NO_INTERFACE, "unknown object: outboard-agent");
	bed_expect("lost ");
	assert_string_equal(obi_agent_hub_why(bed.hub), "hello: unknown object: outboard-agent");
	bed_await("hello");
	bed_answer("hello", "{s:i,s:s}", "version", 1, "run", "not hexadecimal");
	assert_string_equal(obi_agent_hub_why(bed.hub), "hello: the answer is malformed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    AGENT_TEST(a_child_is_prepared_and_spawned),
	    AGENT_TEST(an_exit_comes_after_the_logs),
	    AGENT_TEST(an_exit_is_acknowledged_when_it_is_saved),
	    AGENT_TEST(a_failed_start_tells_why),
	    AGENT_TEST(the_config_is_read_when_it_has_changed),
	    AGENT_TEST(a_lost_answer_is_asked_for_again),
	    AGENT_TEST(a_lost_connection_is_no_death),
	    AGENT_TEST(an_agent_that_starts_anew_keeps_the_child),
	    AGENT_TEST(a_new_agent_is_told_what_to_do_with_what_is_left),
	    AGENT_TEST(a_guest_that_boots_has_ended_the_child),
	    AGENT_TEST(a_guest_that_does_not_come_back_has_ended_the_child),
	    AGENT_TEST(old_facts_are_no_death),
	    AGENT_TEST(hostile_facts_are_dropped),
	    AGENT_TEST(what_is_left_is_said_before_it_is_gone),
	    AGENT_TEST(a_stop_goes_on_at_the_agent),
	    AGENT_TEST(other_signals_are_passed_on),
	    AGENT_TEST(a_spawn_that_nobody_wants_is_ended),
	    AGENT_TEST(a_child_that_runs_is_adopted),
	    AGENT_TEST(an_end_in_between_is_known),
	    AGENT_TEST(a_child_of_another_start_is_ended),
	    AGENT_TEST(what_an_earlier_start_left_is_dealt_with),
	    AGENT_TEST(a_new_agent_is_told_to_go_on),
	    AGENT_TEST(a_local_record_is_not_believed),
	    AGENT_TEST(one_supervisor_has_the_child),
	    AGENT_TEST(a_host_that_was_superseded_lets_go),
	    AGENT_TEST(a_request_of_a_superseded_host_fails),
	    AGENT_TEST(a_peer_that_is_no_agent_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
