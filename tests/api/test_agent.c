/* SPDX-License-Identifier: MIT */
/* An agent with real children: started once, ended, found again, and only for one host. */
#include "support/agent_bed.h"

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
#include "support/scratch.h"

enum { UNKNOWN = -32010, TAKEN = -32011, STATE = -32012, REFUSED = -32013, INVALID = -32602 };

/* A child that runs until it is ended. The arguments of its process have its name. */
static char *waiting(const struct agent_bed *bed, const char *before)
{
	return scratch_text("%s; echo up; while :; do read x <>%s; done", before, bed->never);
}

static int start_waiting(struct agent_bed *bed, const char *name, const char *instance,
			 const char *before)
{
	char *script = waiting(bed, before);
	int pid = agent_start(bed, name, instance, script);
	free(script);
	agent_await_log(bed, name, instance, "up\n");
	return pid;
}

static bool lives(int pid)
{
	char path[64], text[256] = "";
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "r");
	size_t n = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
	if (file != NULL) {
		fclose(file);
	}
	const char *state = n > 0 ? strrchr(text, ')') : NULL;
	return state != NULL && state[2] != 'Z';
}

/* ---- Starting ---- */

static void hello_says_what_the_agent_is(void **unused)
{
	(void)unused;
	struct agent_bed bed = {.children_max = "7"};
	agent_bed_begin(&bed);
	const struct ob_value *hello =
	    agent_ask(&bed, "hello", "{s:s,s:s}", "host", AGENT_HOST, "label", "again");
	assert_non_null(hello);
	assert_int_equal(agent_number(hello, "version"), 1);
	assert_int_equal(agent_number(hello, "children_max"), 7);
	agent_expect_text(hello, "root", bed.root);
	const struct ob_value *facts = agent_ask(&bed, "inspect", "{s:s}", "name", "nobody");
	assert_non_null(facts);
	agent_expect_text(facts, "state", "absent");
	agent_bed_end(&bed);
}

/* An answer that was lost, and a request that is repeated, never start a second process. */
static void a_repeated_request_starts_no_second_process(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	char *log = scratch_text("%s/starts", bed.dir);
	char *before = scratch_text("echo x >>%s", log);
	char *script = waiting(&bed, before);
	assert_non_null(agent_prepare(&bed, "web", AGENT_FIRST, script));
	assert_non_null(agent_prepare(&bed, "web", AGENT_FIRST, script));
	const struct ob_value *facts = agent_await(&bed, "web", "prepared");
	agent_expect_text(facts, "instance", AGENT_FIRST);
	agent_expect_error(&bed, agent_tell(&bed, "spawn", "web", AGENT_SECOND), UNKNOWN,
			   "unknown instance");
	int64_t pid = agent_number(agent_tell(&bed, "spawn", "web", AGENT_FIRST), "pid");
	assert_int_equal(agent_number(agent_tell(&bed, "spawn", "web", AGENT_FIRST), "pid"), pid);
	assert_non_null(agent_prepare(&bed, "web", AGENT_FIRST, script));
	agent_expect_error(&bed, agent_prepare(&bed, "web", AGENT_SECOND, script), STATE,
			   "web is running");
	agent_await_log(&bed, "web", AGENT_FIRST, "up\n");

	/* Also not when it has exited since, and not when that was acknowledged. */
	kill((pid_t)pid, SIGKILL);
	agent_expect_exit(agent_await(&bed, "web", "ended"), OB_EXIT_SIGNAL, SIGKILL);
	assert_int_equal(agent_number(agent_tell(&bed, "spawn", "web", AGENT_FIRST), "pid"), pid);
	agent_expect_error(&bed, agent_prepare(&bed, "web", AGENT_SECOND, script), STATE,
			   "web is ended");
	assert_non_null(agent_tell(&bed, "ack_exit", "web", AGENT_FIRST));
	assert_non_null(agent_tell(&bed, "ack_exit", "web", AGENT_FIRST));
	agent_expect_error(&bed, agent_tell(&bed, "spawn", "web", AGENT_FIRST), UNKNOWN, "");
	agent_expect_error(&bed, agent_prepare(&bed, "web", AGENT_FIRST, script), STATE,
			   "was started before");
	struct stat st;
	assert_int_equal(stat(log, &st), 0);
	assert_int_equal(st.st_size, 2); /* one line */
	free(script);
	free(before);
	free(log);
	agent_bed_end(&bed);
}

static void a_start_that_fails_says_why(void **unused)
{
	(void)unused;
	struct agent_bed bed = {.allow = "/**"};
	agent_bed_begin(&bed);
	char *path = scratch_text("%s/no-program", bed.dir);
	scratch_write(path, "#!/nowhere\n", 11, 0700);
	bed.allow = path;
	agent_bed_kill(&bed);
	agent_bed_again(&bed);
	assert_non_null(agent_ask(&bed, "prepare", "{s:s,s:s,s:s,s:{s:[s]},s:{}}", "host",
				  AGENT_HOST, "name", "web", "instance", AGENT_FIRST, "options",
				  "argv", path, "config"));
	agent_expect_error(&bed, agent_tell(&bed, "spawn", "web", AGENT_FIRST), OB_RPC_INTERNAL,
			   "no-program");
	const struct ob_value *facts = agent_ask(&bed, "inspect", "{s:s}", "name", "web");
	agent_expect_text(facts, "state", "absent");
	/* Another start may follow. */
	assert_non_null(agent_ask(&bed, "prepare", "{s:s,s:s,s:s,s:{s:[s]},s:{}}", "host",
				  AGENT_HOST, "name", "web", "instance", AGENT_SECOND, "options",
				  "argv", path, "config"));
	/* One that was prepared only is given up by an end. */
	assert_non_null(agent_ask(&bed, "end", "{s:s,s:s,s:s,s:i,s:i}", "host", AGENT_HOST, "name",
				  "web", "instance", AGENT_SECOND, "signal", 15, "timeout_ms", 9));
	agent_expect_text(agent_ask(&bed, "inspect", "{s:s}", "name", "web"), "state", "absent");
	free(path);
	agent_bed_end(&bed);
}

/* ---- Signals and the end ---- */

static const struct ob_value *ask_for_signal(struct agent_bed *bed)
{
	return agent_ask(bed, "signal", "{s:s,s:s,s:s,s:i}", "host", AGENT_HOST, "name", "web",
			 "instance", AGENT_FIRST, "signal", SIGUSR1);
}

static void a_signal_reaches_the_process(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	start_waiting(&bed, "web", AGENT_FIRST, "trap 'exit 7' USR1");
	assert_non_null(ask_for_signal(&bed));
	/* One that comes just before the shell waits is handled after the next one. */
	while (ask_for_signal(&bed) != NULL) {
		program_let_pass(1);
	}
	agent_expect_exit(agent_await(&bed, "web", "ended"), OB_EXIT_CODE, 7);
	agent_expect_error(&bed, ask_for_signal(&bed), STATE, "web is ended");
	agent_bed_end(&bed);
}

static void ask_to_end(struct agent_bed *bed, int number, int timeout)
{
	assert_non_null(agent_ask(bed, "end", "{s:s,s:s,s:s,s:i,s:i}", "host", AGENT_HOST, "name",
				  "web", "instance", AGENT_FIRST, "signal", number, "timeout_ms",
				  timeout));
}

/* The steps of a stop go on though the host has gone. */
static void an_end_goes_on_without_the_host(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	start_waiting(&bed, "web", AGENT_FIRST, "trap '' TERM");
	ask_to_end(&bed, SIGTERM, 200);
	ob_client_free(bed.client);
	const struct ob_client_options options = {
	    .size = sizeof options,
	    .address = bed.address,
	    .auth = (const char *const[]){"peercred", NULL},
	};
	expect(ob_client_connect(bed.rt, &options, NULL, &bed.client, &bed.err), OB_OK, &bed.err,
	       NULL);
	agent_expect_exit(agent_await(&bed, "web", "ended"), OB_EXIT_SIGNAL, SIGKILL);
	agent_bed_end(&bed);
}

static void an_end_at_once_needs_no_patience(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	int pid = start_waiting(&bed, "web", AGENT_FIRST, "trap '' TERM");
	kill(pid, SIGSTOP);
	ask_to_end(&bed, SIGTERM, 0);
	agent_expect_exit(agent_await(&bed, "web", "ended"), OB_EXIT_SIGNAL, SIGKILL);
	ask_to_end(&bed, SIGTERM, 0);
	agent_bed_end(&bed);
}

/* What a process leaves keeps it from being gone, until that is over, too. */
static void what_a_process_leaves_is_dealt_with(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	char *leave = scratch_text("setsid /bin/sh -c 'read x <>%s' & echo left", bed.never);
	int pid = start_waiting(&bed, "web", AGENT_FIRST, leave);
	kill(pid, SIGKILL);
	agent_expect_exit(agent_await(&bed, "web", "ended"), OB_EXIT_SIGNAL, SIGKILL);
	assert_non_null(agent_tell(&bed, "ack_exit", "web", AGENT_FIRST));
	free(leave);
	agent_bed_end(&bed);
}

/* ---- Found again ---- */

static void a_killed_agent_finds_its_children_again(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	int alive = start_waiting(&bed, "alive", AGENT_FIRST, ":");
	int dies = start_waiting(&bed, "dies", AGENT_FIRST, ":");
	agent_start(&bed, "over", AGENT_FIRST, "exit 3");
	agent_await(&bed, "over", "ended");
	agent_start(&bed, "acked", AGENT_FIRST, "exit 4");
	agent_await(&bed, "acked", "ended");
	assert_non_null(agent_tell(&bed, "ack_exit", "acked", AGENT_FIRST));
	assert_non_null(agent_prepare(&bed, "never", AGENT_FIRST, "exit 5"));
	agent_bed_kill(&bed);
	kill(dies, SIGKILL);
	agent_bed_again(&bed);

	const struct ob_value *facts = agent_await(&bed, "alive", "running");
	assert_int_equal(agent_number(facts, "pid"), alive);
	agent_expect_text(facts, "instance", AGENT_FIRST);
	agent_expect_exit(agent_await(&bed, "dies", "ended"), OB_EXIT_UNKNOWN, 0);
	agent_expect_exit(agent_await(&bed, "over", "ended"), OB_EXIT_CODE, 3);
	agent_expect_error(&bed, agent_tell(&bed, "spawn", "never", AGENT_FIRST), UNKNOWN, "never");
	agent_expect_error(&bed, agent_prepare(&bed, "acked", AGENT_FIRST, "exit 4"), STATE,
			   "was started before");
	assert_int_equal(agent_number(agent_tell(&bed, "spawn", "alive", AGENT_FIRST), "pid"),
			 alive);
	assert_non_null(agent_tell(&bed, "spawn", "dies", AGENT_FIRST));
	assert_true(lives(alive));
	assert_false(lives(dies));
	kill(alive, SIGKILL);
	agent_await(&bed, "alive", "ended");
	agent_bed_end(&bed);
}

static void a_closed_agent_lets_its_children_live(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	int pid = start_waiting(&bed, "web", AGENT_FIRST, ":");
	expect(
	    ob_client_call(bed.client, "outboard-control.shutdown", NULL, 0, NULL, NULL, &bed.err),
	    OB_OK, &bed.err, NULL);
	assert_int_equal(program_end(&bed.agent), 0);
	assert_true(lives(pid));
	agent_bed_again(&bed);
	assert_int_equal(agent_number(agent_await(&bed, "web", "running"), "pid"), pid);
	agent_bed_end(&bed);
}

/* A file that was damaged is no reason to start a second copy. */
static void a_damaged_state_is_told_and_starts_nothing(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	agent_bed_begin(&bed);
	int pid = start_waiting(&bed, "web", AGENT_FIRST, ":");
	agent_bed_kill(&bed);
	char *path = scratch_text("%s/.state/web/agent.json", bed.root);
	unlink(path);
	scratch_write(path, "{\"instance\":7}", 14, 0600);
	agent_bed_again(&bed);
	const struct ob_value *facts = agent_await(&bed, "web", "failed");
	agent_expect_text(facts, "error", "agent.json: instance: malformed");
	agent_expect_error(&bed, agent_prepare(&bed, "web", AGENT_SECOND, "exit 1"), STATE,
			   "web is failed");
	agent_bed_kill(&bed);
	unlink(path);
	agent_bed_again(&bed);
	/* Without the file nothing is known, but for what lives. */
	agent_expect_error(&bed, agent_prepare(&bed, "web", AGENT_SECOND, "exit 1"), STATE,
			   "web is running");
	assert_int_equal(agent_number(agent_await(&bed, "web", "running"), "pid"), pid);
	free(path);
	agent_bed_end(&bed);
}

/* ---- A child that is an outboard ---- */

/* The config_version says that it may have changed. What the child has written, once it is ready.
 */
static const struct ob_value *await_ready(struct agent_bed *bed)
{
	int64_t end = 20000;
	for (bool ready = false; end > 0; end--) {
		const struct ob_value *written = agent_tell(bed, "read_config", "web", AGENT_FIRST);
		if (ob_get_bool(ob_value_find(written, "ready"), &ready) && ready) {
			return written;
		}
		program_let_pass(1);
	}
	fail_msg("the child did not become ready");
	return NULL;
}

static void a_child_serves_on_its_socket(void **unused)
{
	(void)unused;
	struct agent_bed bed = {0};
	char *worker = scratch_text("%s/children/child-worker", scratch_env("OB_TEST_BUILD"));
	bed.allow = worker;
	agent_bed_begin(&bed);
	assert_non_null(agent_ask(
	    &bed, "prepare", "{s:s,s:s,s:s,s:{s:[s]},s:{s:s,s:s,s:s,s:s}}", "host", AGENT_HOST,
	    "name", "web", "instance", AGENT_FIRST, "options", "argv", worker, "config", "token",
	    AGENT_TOKEN, "codec", "msgpack", "auth", "token", "listen", "tcp://0.0.0.0:1"));
	assert_non_null(agent_tell(&bed, "spawn", "web", AGENT_FIRST));
	char *address = scratch_text("unix://%s/web/rpc.sock", bed.root);
	const struct ob_value *written = await_ready(&bed);
	agent_expect_text(written, "rpc_addr", address);
	agent_expect_text(written, "instance", AGENT_FIRST);
	assert_null(ob_value_find(written, "token"));
	const struct ob_client_options options = {.size = sizeof options,
						  .address = address,
						  .auth = (const char *const[]){"token", NULL},
						  .token = AGENT_TOKEN};
	ob_client *client = NULL;
	expect(ob_client_connect(bed.rt, &options, NULL, &client, &bed.err), OB_OK, &bed.err, NULL);
	expect(ob_client_callf(client, 0, bed.reply, &bed.err, "act.echo", "[i]", 5), OB_OK,
	       &bed.err, NULL);
	ob_client_free(client);
	ask_to_end(&bed, SIGINT, 20000);
	agent_expect_exit(agent_await(&bed, "web", "ended"), OB_EXIT_SIGNAL, SIGINT);
	free(worker);
	free(address);
	agent_bed_end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hello_says_what_the_agent_is),
	    cmocka_unit_test(a_repeated_request_starts_no_second_process),
	    cmocka_unit_test(a_start_that_fails_says_why),
	    cmocka_unit_test(a_signal_reaches_the_process),
	    cmocka_unit_test(an_end_goes_on_without_the_host),
	    cmocka_unit_test(an_end_at_once_needs_no_patience),
	    cmocka_unit_test(what_a_process_leaves_is_dealt_with),
	    cmocka_unit_test(a_killed_agent_finds_its_children_again),
	    cmocka_unit_test(a_closed_agent_lets_its_children_live),
	    cmocka_unit_test(a_damaged_state_is_told_and_starts_nothing),
	    cmocka_unit_test(a_child_serves_on_its_socket),
	};
	return cmocka_run_group_tests(tests, program_adopt_setup, NULL);
}
