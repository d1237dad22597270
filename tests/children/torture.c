/* SPDX-License-Identifier: MIT */
/*
 * torture SCENARIO N DIRECTORY PROGRAM - run a scenario while tests/shim/fail.c makes the Nth
 * fallible call fail. Every failure must be reported, and nothing may be leaked. PROGRAM is the
 * child of the scenarios that have one.
 *
 * Prints "calls COUNT" and the text of the first failure. Exit status 1: something was leaked,
 * or an error had no text.
 */
#include <outboard/outboard.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHORT_MS = 3000, LONG_MS = 10000 };

static const char token[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static const char *directory, *program;
static unsigned long victim;
static int wrong;
static struct ob_error first;

/* ---- The shim ---- */

static void arm(void)
{
	void (*fn)(unsigned long) = NULL;
	*(void **)&fn = dlsym(RTLD_DEFAULT, "fail_arm");
	if (fn != NULL) {
		fn(victim);
	}
}

static void disarm(void)
{
	unsigned long (*fn)(void) = NULL;
	const char *(*name)(void) = NULL;
	*(void **)&fn = dlsym(RTLD_DEFAULT, "fail_disarm");
	*(void **)&name = dlsym(RTLD_DEFAULT, "fail_name");
	if (fn != NULL && name != NULL) {
		printf("calls %lu\n", fn());
		printf("failed %s\n", name() != NULL ? name() : "nothing");
	}
}

/* ---- What must hold for every failure ---- */

static bool good(const char *what, int code, const struct ob_error *err)
{
	if (code >= 0) {
		return true;
	}
	if (err->code != code || err->text[0] == '\0') {
		printf("%s: %s, and the error says %d \"%s\"\n", what, ob_result_name(code),
		       err->code, err->text);
		wrong = 1;
	}
	if (first.code == 0) {
		first = *err;
	}
	return false;
}

static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;
	while (dir != NULL && readdir(dir) != NULL) {
		count++;
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return count;
}

static void list_fds(void)
{
	char path[64], target[256];
	for (int fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, target, sizeof target - 1);
		if (n > 0) {
			printf("  %d %.*s\n", fd, (int)n, target);
		}
	}
}

static void check_end(int fds)
{
	if (open_fds() != fds) {
		printf("descriptors are left:\n");
		list_fds();
		wrong = 1;
	}
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
		printf("a child is left\n");
		wrong = 1;
	}
}

/* ---- A parent ---- */

static struct ob_connector_options child_options(const char *const *argv)
{
	return (struct ob_connector_options){
	    .size = sizeof(struct ob_connector_options),
	    .name = "child",
	    .data_path = directory,
	    .argv = argv,
	    .ready_timeout_ms = LONG_MS,
	    .stop_timeout_ms = SHORT_MS,
	    .restart = {.backoff_base_ms = -1},
	};
}

static bool make(enum ob_runtime_mode mode, ob_runtime **runtime, ob_connector **connector)
{
	const char *argv[] = {program, NULL};
	struct ob_connector_options options = child_options(argv);
	struct ob_runtime_options o = {.size = sizeof o, .mode = mode};
	struct ob_error err = {0};
	return good("runtime", ob_runtime_new(&o, runtime, &err), &err) &&
	       good("connector", ob_connector_new(*runtime, &options, connector, &err), &err);
}

static void call_some(ob_client *client)
{
	struct ob_error err = {0};
	ob_reply *reply = NULL;
	int64_t n = 0;
	if (!good("reply", ob_reply_new(&reply, &err), &err)) {
		return;
	}
	for (int i = 0; i < 5; i++) {
		if (good("call",
			 ob_client_callf(client, SHORT_MS, reply, &err, "act.echo", "[i]", i),
			 &err) &&
		    (!ob_get_int(ob_reply_value(reply), &n) || n != i)) {
			printf("a wrong answer\n");
			wrong = 1;
		}
	}
	ob_reply_free(reply);
}

/* Start, call, stop. */
static void start(void)
{
	struct ob_error err = {0};
	ob_runtime *runtime = NULL;
	ob_connector *connector = NULL;
	arm();
	if (make(OB_RUNTIME_INLINE, &runtime, &connector) &&
	    good("start", ob_connector_start(connector, LONG_MS, NULL, &err), &err)) {
		call_some(ob_connector_client(connector));
		good("stop", ob_connector_stop(connector, LONG_MS, NULL, &err), &err);
	}
	ob_connector_close(connector);
	ob_runtime_free(runtime);
	disarm();
}

static void begin_child(ob_runtime **runtime, ob_connector **connector)
{
	struct ob_error err = {0};
	if (!make(OB_RUNTIME_THREADED, runtime, connector) ||
	    !good("start", ob_connector_start(*connector, LONG_MS, NULL, &err), &err)) {
		exit(2);
	}
}

/* Take over a child. If that fails, the child still runs, and is ended afterwards. */
static void adopt(void)
{
	struct ob_error err = {0};
	ob_runtime *runtime = NULL, *first_runtime = NULL;
	ob_connector *connector = NULL, *first_connector = NULL;
	begin_child(&first_runtime, &first_connector);
	int pid = ob_connector_pid(first_connector);
	good("detach", ob_connector_detach(first_connector, &err), &err);
	ob_connector_close(first_connector);
	arm();
	if (make(OB_RUNTIME_INLINE, &runtime, &connector) &&
	    good("reconnect", ob_connector_reconnect(connector, SHORT_MS, NULL, &err), &err)) {
		call_some(ob_connector_client(connector));
		while (!good("detach", ob_connector_detach(connector, &err), &err)) {
			/* Without a detach, closing would end the child. */
		}
	}
	ob_connector_close(connector);
	ob_runtime_free(runtime);
	disarm();
	connector = NULL;
	if (kill(pid, 0) < 0) {
		printf("a child that could not be taken over was ended\n");
		wrong = 1;
	}
	if (!make(OB_RUNTIME_INLINE, &runtime, &connector) ||
	    !good("after that", ob_connector_start_or_reconnect(connector, LONG_MS, NULL, &err),
		  &err)) {
		wrong = 1;
	} else if (ob_connector_pid(connector) != pid) {
		printf("a child was doubled\n");
		wrong = 1;
	}
	ob_connector_close(connector);
	ob_runtime_free(runtime);
	ob_runtime_free(first_runtime);
}

/* A child dies and is replaced. */
static void restart(void)
{
	struct ob_error err = {0};
	ob_runtime *runtime = NULL;
	ob_connector *connector = NULL;
	begin_child(&runtime, &connector);
	int pid = ob_connector_pid(connector), tries = 0;
	arm();
	kill(pid, SIGKILL);
	struct pollfd dead = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	(void)poll(&dead, 1, LONG_MS);
	(void)close(dead.fd);
	/* Until a new child answers. A restart that failed is tried again. */
	while (ob_client_callf(ob_connector_client(connector), SHORT_MS, NULL, &err, "act.echo",
			       "[i]", 1) < 0) {
		struct pollfd nothing = {.fd = -1};
		(void)poll(&nothing, 1, 10);
		if (++tries > 1000) {
			printf("never came back: %s\n", err.text);
			wrong = 1;
			break;
		}
	}
	ob_connector_close(connector);
	ob_runtime_free(runtime);
	disarm();
}

/* ---- A server, and a client of it ---- */

static void on_echo(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_reply(call, ob_value_at(params, 0));
}

static const struct ob_method methods[] = {{"echo", on_echo}, {NULL, NULL}};

static bool serve_on(ob_runtime *runtime, const char *address, ob_server **server)
{
	struct ob_error err = {0};
	struct ob_server_options options = {
	    .size = sizeof options, .runtime = runtime, .listen = address, .token = token};
	return good("open", ob_server_open(&options, server, &err), &err) &&
	       good("expose", ob_server_expose(*server, "act", methods, NULL, &err), &err) &&
	       good("server", ob_server_start(*server, &err), &err);
}

static void connect_and_call(ob_runtime *runtime, const char *address)
{
	struct ob_error err = {0};
	ob_client *client = NULL;
	struct ob_client_options options = {.size = sizeof options,
					    .address = address,
					    .token = token,
					    .connect_timeout_ms = SHORT_MS};
	if (good("connect", ob_client_connect(runtime, &options, NULL, &client, &err), &err)) {
		call_some(client);
		good("notify", ob_client_notifyf(client, &err, "act.echo", "[i]", 1), &err);
	}
	ob_client_free(client);
}

static void with_server(bool all)
{
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_THREADED};
	struct ob_error err = {0};
	ob_runtime *runtime = NULL;
	ob_server *server = NULL;
	char address[512];
	snprintf(address, sizeof address, "unix://%s/torture.sock", directory);
	if (all) {
		arm();
	}
	if (good("runtime", ob_runtime_new(&o, &runtime, &err), &err) &&
	    serve_on(runtime, address, &server)) {
		if (!all) {
			arm();
		}
		connect_and_call(runtime, address);
		connect_and_call(runtime, address);
	}
	ob_server_close(server);
	ob_runtime_free(runtime);
	disarm();
}

static void serve(void)
{
	with_server(true);
}

static void client(void)
{
	with_server(false);
}

/* ---- Files ---- */

static void config(void)
{
	struct ob_error err = {0};
	struct ob_config ours = {.size = sizeof ours}, read = {.size = sizeof read};
	char path[512];
	snprintf(path, sizeof path, "%s/outboard.json", directory);
	(void)ob_config_set(&ours.token, token);
	(void)ob_config_write(path, &ours, NULL);
	arm();
	if (ob_config_set(&ours.name, "somebody") == OB_OK &&
	    good("write", ob_config_write(path, &ours, &err), &err) &&
	    good("read", ob_config_read(path, &read, &err), &err) &&
	    strcmp(read.name, "somebody") != 0) {
		printf("read what was not written\n");
		wrong = 1;
	}
	ob_config_clear(&read);
	disarm();
	/* Whatever happened, the file is complete. */
	if (!good("afterwards", ob_config_read(path, &read, &err), &err) ||
	    strcmp(read.token, token) != 0) {
		wrong = 1;
	}
	ob_config_clear(&read);
	ob_config_clear(&ours);
	(void)unlink(path);
}

static void log_some(void)
{
	struct ob_log_writer_options options = {.size = sizeof options,
						.format = OB_LOG_FORMAT_JSON};
	struct ob_log_record record = {
	    .size = sizeof record, .message = ob_bytes_text("hello"), .attrs = ob_map(NULL, 0)};
	struct ob_error err = {0};
	ob_logger *logger = NULL;
	ob_log_writer *writer = NULL;
	int fds[2];
	if (pipe(fds) < 0) {
		exit(2);
	}
	arm();
	if (good("logger", ob_logger_new(fds[1], &logger, &err), &err)) {
		for (int i = 0; i < 20; i++) {
			ob_log(logger, OB_LOG_INFO, "something", "{s:i,s:[i,s]}", "n", i, "list", 1,
			       "text");
		}
	}
	if (good("writer", ob_log_writer_new(fds[1], &options, &writer, &err), &err)) {
		for (int i = 0; i < 20; i++) {
			ob_log_writer_record(writer, &record);
		}
	}
	ob_log_writer_close(writer, 0);
	ob_logger_free(logger);
	disarm();
	close(fds[0]);
	close(fds[1]);
}

/* ---- Scenarios ---- */

static const struct scenario {
	const char *name;
	void (*run)(void);
} scenarios[] = {{"start", start},   {"adopt", adopt},	 {"restart", restart}, {"serve", serve},
		 {"client", client}, {"config", config}, {"log", log_some}};

int main(int argc, char **argv)
{
	if (argc != 5) {
		return 2;
	}
	victim = strtoul(argv[2], NULL, 10);
	directory = argv[3];
	program = argv[4];
	signal(SIGPIPE, SIG_IGN);
	int fds = open_fds();
	for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
		if (strcmp(argv[1], scenarios[i].name) == 0) {
			scenarios[i].run();
		}
	}
	check_end(fds);
	if (first.code != 0) {
		printf("%s: %s\n", ob_result_name(first.code), first.text);
	}
	printf("end\n");
	fflush(stdout);
	return wrong;
}
