/* SPDX-License-Identifier: MIT */
/* torture/parent - scenarios of a parent with a child. */
#include "torture/torture.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static ob_runtime *runtime;
static ob_connector *connector;
static struct ob_error err;

/* A failure may leave the parent waiting for a child that is ready already. */
enum { READY_MS = 2000 };

static struct ob_connector_options child_options(const char *const *argv)
{
	return (struct ob_connector_options){
	    .size = sizeof(struct ob_connector_options),
	    .name = "child",
	    .data_path = directory,
	    .argv = argv,
	    .ready_timeout_ms = READY_MS,
	    .stop_timeout_ms = SHORT_MS,
	    .restart = {.backoff_base_ms = -1},
	};
}

static bool make_with(enum ob_runtime_mode mode, const struct ob_connector_options *options)
{
	struct ob_runtime_options o = {.size = sizeof o, .mode = mode};
	return good("runtime", ob_runtime_new(&o, &runtime, &err), &err) &&
	       good("connector", ob_connector_new(runtime, options, &connector, &err), &err);
}

static bool make_patiently(enum ob_runtime_mode mode, int64_t ready_ms)
{
	const char *argv[] = {program, NULL};
	struct ob_connector_options options = child_options(argv);
	options.ready_timeout_ms = ready_ms;
	return make_with(mode, &options);
}

static bool make(enum ob_runtime_mode mode)
{
	return make_patiently(mode, READY_MS);
}

static void unmake(void)
{
	ob_connector_close(connector);
	ob_runtime_free(runtime);
	connector = NULL;
	runtime = NULL;
}

/* A child that is ready, made before anything may fail. */
static int begin_child(enum ob_runtime_mode mode)
{
	if (!make_patiently(mode, LONG_MS)) {
		exit(2);
	}
	must("start", ob_connector_start(connector, LONG_MS, NULL, &err), &err);
	return ob_connector_pid(connector);
}

static bool is_alive(int pid)
{
	return kill(pid, 0) == 0;
}

/* Nothing fails any more: a new parent takes over exactly that child. */
static void take_back(int pid)
{
	unmake();
	if (!make_patiently(OB_RUNTIME_INLINE, LONG_MS) ||
	    !good("after that", ob_connector_start_or_reconnect(connector, LONG_MS, NULL, &err),
		  &err)) {
		wrong("the child cannot be taken over afterwards");
	} else if (ob_connector_pid(connector) != pid) {
		wrong("a child was doubled");
	}
	unmake();
}

/* ---- Starting ---- */

static void start(void)
{
	arm();
	if (make(OB_RUNTIME_INLINE) &&
	    good("start", ob_connector_start(connector, LONG_MS, NULL, &err), &err)) {
		call_some(ob_connector_client(connector));
		good("stop", ob_connector_stop(connector, LONG_MS, NULL, &err), &err);
	}
	unmake();
	disarm();
}

/* With a program that does not exist. */
static void start_nothing(void)
{
	const char *argv[] = {"/nonexistent/program", NULL};
	struct ob_connector_options options = child_options(argv);
	arm();
	if (make_with(OB_RUNTIME_INLINE, &options) &&
	    good("start", ob_connector_start(connector, LONG_MS, NULL, &err), &err)) {
		wrong("started a program that does not exist");
	}
	unmake();
	disarm();
}

/* With a child that exits before it is ready. */
static void start_short(void)
{
	const char *argv[] = {program, "exit=3", NULL};
	struct ob_connector_options options = child_options(argv);
	arm();
	if (make_with(OB_RUNTIME_INLINE, &options) &&
	    good("start", ob_connector_start(connector, LONG_MS, NULL, &err), &err)) {
		wrong("a child that exited is ready");
	}
	unmake();
	disarm();
}

/* With all that a start can be told. */
static void start_options(void)
{
	static const struct ob_rlimit limits[] = {{"nofile", 200, 200}, {"core", 0, 0}, {0}};
	static const char *const env[] = {"SOMETHING=else", NULL};
	static const char *const auth[] = {"token", NULL};
	static const char *const rules[] = {"allow parent *", "deny *", NULL};
	const char *argv[] = {program, "version=1", NULL};
	struct ob_connector_options options = child_options(argv);
	options.limits = limits;
	options.env = env;
	options.auth = auth;
	options.rules = rules;
	options.codec = "json";
	options.cwd = "/";
	options.umask = 022;
	options.health_interval_ms = 100;
	options.version = 1;
	options.stdin_path = "/dev/null";
	arm();
	if (make_with(OB_RUNTIME_INLINE, &options) &&
	    good("start", ob_connector_start(connector, LONG_MS, NULL, &err), &err)) {
		call_some(ob_connector_client(connector));
	}
	unmake();
	disarm();
}

static void check_options(void)
{
	const char *argv[] = {program, NULL};
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_INLINE};
	struct ob_connector_options options = child_options(argv);
	options.cwd = "nowhere";
	arm();
	if (good("runtime", ob_runtime_new(&o, &runtime, &err), &err) &&
	    good("check", ob_connector_options_check(runtime, &options, NULL, NULL, &err), &err)) {
		wrong("a relative cwd is no fault");
	}
	unmake();
	disarm();
}

/* ---- Stopping and letting go ---- */

/* A stop that fails leaves a child that can be stopped later. */
static void stop(void)
{
	int pid = begin_child(OB_RUNTIME_INLINE);
	arm();
	bool stopped = good("stop", ob_connector_stop(connector, LONG_MS, NULL, &err), &err);
	disarm();
	if (!stopped &&
	    !good("stop again", ob_connector_stop(connector, LONG_MS, NULL, &err), &err)) {
		wrong("it cannot be stopped afterwards");
	}
	if (is_alive(pid)) {
		wrong("it lives after a stop");
	}
	unmake();
}

/* A child that ignores the signal is killed. */
static void stop_stubborn(void)
{
	const char *argv[] = {program, "stubborn", NULL};
	struct ob_connector_options options = child_options(argv);
	options.stop_timeout_ms = 100;
	if (!make_with(OB_RUNTIME_THREADED, &options)) {
		exit(2);
	}
	must("start", ob_connector_start(connector, LONG_MS, NULL, &err), &err);
	int pid = ob_connector_pid(connector);
	arm();
	good("stop", ob_connector_stop(connector, LONG_MS, NULL, &err), &err);
	unmake();
	disarm();
	if (is_alive(pid)) {
		wrong("it lives after a stop");
	}
}

static void detach(void)
{
	int pid = begin_child(OB_RUNTIME_INLINE);
	arm();
	bool detached = good("detach", ob_connector_detach(connector, &err), &err);
	disarm();
	if (!detached && ob_connector_detach(connector, &err) < 0) {
		wrong("it cannot be detached afterwards");
	}
	if (!is_alive(pid)) {
		wrong("a detached child was ended");
	}
	take_back(pid);
}

/* ---- Taking over ---- */

/* One that could not be taken over lives, and is ended afterwards. */
static void adopt(void)
{
	int pid = begin_child(OB_RUNTIME_THREADED);
	good("detach", ob_connector_detach(connector, &err), &err);
	ob_connector_close(connector);
	ob_runtime *first_runtime = runtime; /* reaps the child */
	runtime = NULL;
	connector = NULL;
	arm();
	if (make(OB_RUNTIME_INLINE) &&
	    good("reconnect", ob_connector_reconnect(connector, SHORT_MS, NULL, &err), &err)) {
		call_some(ob_connector_client(connector));
		while (!good("detach", ob_connector_detach(connector, &err), &err)) {
			/* Closed without that, it would be ended. */
		}
	}
	unmake();
	disarm();
	if (!is_alive(pid)) {
		wrong("a child that could not be taken over was ended");
	}
	take_back(pid);
	ob_runtime_free(first_runtime);
}

static void adopt_nothing(void)
{
	arm();
	if (make(OB_RUNTIME_INLINE) &&
	    good("reconnect", ob_connector_reconnect(connector, SHORT_MS, NULL, &err), &err)) {
		wrong("took over a child that is not there");
	}
	unmake();
	disarm();
}

/* ---- Restarting ---- */

static void wait_ms(int ms)
{
	struct pollfd nothing = {.fd = -1};
	(void)poll(&nothing, 1, ms);
}

/* Until there is a child that answers; a start that failed is tried again. */
static void await_answer(void)
{
	int tries = 0;
	while (ob_client_callf(ob_connector_client(connector), SHORT_MS, NULL, &err, "act.echo",
			       "[i]", 1) < 0) {
		wait_ms(10);
		if (++tries > 1000) {
			wrong("never answered: %s", err.text);
			return;
		}
	}
}

/* A child dies and is replaced. */
static void restart(void)
{
	/* Its later starts are bounded by READY_MS. */
	if (!make(OB_RUNTIME_THREADED)) {
		exit(2);
	}
	must("supervise", ob_connector_supervise(connector, &err), &err);
	await_answer();
	int pid = ob_connector_pid(connector);
	struct pollfd dead = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	arm();
	kill(pid, SIGKILL);
	(void)poll(&dead, 1, LONG_MS);
	(void)close(dead.fd);
	await_answer();
	unmake();
	disarm();
}

/* Supervised from the beginning: what fails is tried again. */
static void supervise(void)
{
	if (!make(OB_RUNTIME_THREADED)) {
		exit(2);
	}
	arm();
	if (good("supervise", ob_connector_supervise(connector, &err), &err)) {
		await_answer();
	}
	unmake();
	disarm();
}

/* ---- With a child that is ready ---- */

static void control(void)
{
	struct ob_health health = {.size = sizeof health};
	uint64_t version;
	bool needs_restart;
	ob_client *act = NULL;
	(void)begin_child(OB_RUNTIME_INLINE);
	ob_client *client = ob_connector_control(connector);
	arm();
	good("health", ob_control_health(client, SHORT_MS, &health, &err), &err);
	good("version",
	     ob_control_check_version(client, 0, SHORT_MS, &version, &needs_restart, &err), &err);
	if (good("interface",
		 ob_connector_connect_interface(connector, "act", SHORT_MS, &act, &err), &err)) {
		good("call", ob_client_callf(act, SHORT_MS, NULL, &err, "echo", "[i]", 1), &err);
	}
	ob_client_free(act);
	disarm();
	unmake();
}

static void on_source(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_reply(call, ob_value_at(params, 0));
}

static const struct ob_method source[] = {{"get", on_source}, {NULL, NULL}};

/* The child calls back. */
static void callback(void)
{
	if (!make(OB_RUNTIME_INLINE)) {
		exit(2);
	}
	must("expose", ob_connector_expose(connector, "source", source, NULL, &err), &err);
	must("start", ob_connector_start(connector, LONG_MS, NULL, &err), &err);
	ob_client *client = ob_connector_client(connector);
	arm();
	for (int i = 0; i < 3; i++) {
		good("ask",
		     ob_client_callf(client, SHORT_MS, NULL, &err, "act.ask", "[s,i]", "source.get",
				     i),
		     &err);
	}
	disarm();
	unmake();
}

static void on_log(void *user, const struct ob_log_record *record)
{
	(void)record;
	++*(int *)user;
}

/* The child logs while lines are read, and is restarted once. */
static void child_logs(void)
{
	int lines = 0;
	const char *argv[] = {program, NULL};
	struct ob_connector_options options = child_options(argv);
	options.on_log = on_log;
	options.user_data = &lines;
	arm();
	if (make_with(OB_RUNTIME_INLINE, &options) &&
	    good("start", ob_connector_start(connector, LONG_MS, NULL, &err), &err)) {
		good("log",
		     ob_client_callf(ob_connector_client(connector), SHORT_MS, NULL, &err,
				     "act.log", "[i,i]", 50, 0),
		     &err);
		good("stop", ob_connector_stop(connector, LONG_MS, NULL, &err), &err);
	}
	unmake();
	disarm();
}

const struct scenario parent_scenarios[] = {
    {"start", start},
    {"start_nothing", start_nothing},
    {"start_short", start_short},
    {"start_options", start_options},
    {"check_options", check_options},
    {"stop", stop},
    {"stop_stubborn", stop_stubborn},
    {"detach", detach},
    {"adopt", adopt},
    {"adopt_nothing", adopt_nothing},
    {"restart", restart},
    {"supervise", supervise},
    {"control", control},
    {"callback", callback},
    {"child_logs", child_logs},
    {NULL, NULL},
};
