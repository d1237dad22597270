/* SPDX-License-Identifier: MIT */
/*
 * actor - a child that is controlled by a test: by arguments before it is ready, by calls of its
 * interface `act` afterwards.
 *
 *   exit=N             exit at once with this status
 *   die=open|start     SIGKILL after the server is open | started
 *   silent             run, but never become ready
 *   version=N          what checkVersion reports
 *   ignore=SIG         ignore this signal
 *   leave=FILE         leave a grandchild with all our descriptors, and write its pid to FILE
 *   say=TEXT           print TEXT first
 *   ill                report that it is not healthy
 *   closeinside        close the server inside its shutdown function
 *   stubborn           ignore SIGINT and SIGTERM
 *   badready           report ready without an address
 *   queue=BYTES        option queue_max of the server
 *   auth_timeout=MS    option auth_timeout_ms of the server
 *   seats=N            option preauth_max of the server
 *
 * With ACTOR_AFTER=FIFO in the environment it first waits until FIFO is opened for writing.
 */
#include <outboard/outboard.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static ob_server *server;
static bool healthy = true;

static void fail(const char *what, const struct ob_error *err)
{
	fprintf(stderr, "actor: %s: %s\n", what, err->text);
	exit(3);
}

/* ---- Methods ---- */

static int64_t number(const struct ob_value *params, uint32_t i)
{
	int64_t n = 0;
	(void)ob_get_int(ob_value_at(params, i), &n);
	return n;
}

static void text(const struct ob_value *params, uint32_t i, char *to, size_t size)
{
	struct ob_bytes bytes = {NULL, 0};
	(void)ob_get_string(ob_value_at(params, i), &bytes);
	snprintf(to, size, "%.*s", (int)bytes.len, (const char *)bytes.data);
}

static void on_echo(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_reply(call, ob_value_at(params, 0));
}

static void on_exit_now(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)call;
	_exit((int)number(params, 0));
}

static void on_signal_self(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)call;
	kill(getpid(), (int)number(params, 0));
	ob_call_replyf(call, "b", 1);
}

static void on_hang(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)call;
	(void)params;
	for (;;) {
		pause();
	}
}

static ob_call *kept_call;

static void on_keep(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)params;
	/* Never answered on purpose: the call ends with the connection. */
	(void)ob_call_defer(call);
	kept_call = call;
}

/* canceled(): whether the call that was kept last has been canceled */
static void on_canceled(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)params;
	ob_call_replyf(call, "b", kept_call != NULL && ob_call_is_canceled(kept_call));
}

static void *answer_later(void *arg)
{
	ob_call *call = arg;
	ob_call_replyf(call, "s", "from another thread");
	return NULL;
}

static void on_later(void *user, ob_call *call, const struct ob_value *params)
{
	pthread_t thread;
	(void)user;
	(void)params;
	if (ob_call_defer(call) != NULL && pthread_create(&thread, NULL, answer_later, call) == 0) {
		pthread_detach(thread);
	}
}

/* log(count, first): numbered records */
static void on_log(void *user, ob_call *call, const struct ob_value *params)
{
	int64_t count = number(params, 0), first = number(params, 1);
	(void)user;
	for (int64_t i = 0; i < count; i++) {
		ob_log(ob_server_logger(server), OB_LOG_INFO, "numbered", "{s:I}", "n", first + i);
	}
	ob_call_replyf(call, "I", first + count);
}

/* ---- stream(n): a thread logs numbered records, n a millisecond, or as fast as it can (0).
 * hush(): stop; returns the next number ---- */

static pthread_t streamer;
static atomic_bool streaming;
static int64_t stream_pace, stream_next;

static void *stream(void *unused)
{
	struct itimerspec every = {{0, 1000000}, {0, 1000000}};
	int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	(void)unused;
	timerfd_settime(clock, 0, &every, NULL);
	while (atomic_load(&streaming)) {
		uint64_t ticks = 1;
		if (stream_pace > 0 && read(clock, &ticks, sizeof ticks) < 0) {
			break;
		}
		for (int64_t i = 0; i < (stream_pace > 0 ? stream_pace * (int64_t)ticks : 64);
		     i++) {
			ob_log(ob_server_logger(server), OB_LOG_INFO, "numbered", "{s:I}", "n",
			       stream_next++);
		}
	}
	close(clock);
	return NULL;
}

static void on_stream(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	stream_pace = number(params, 0);
	atomic_store(&streaming, true);
	ob_call_replyf(call, "i", pthread_create(&streamer, NULL, stream, NULL));
}

static void on_hush(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)params;
	if (atomic_exchange(&streaming, false)) {
		pthread_join(streamer, NULL);
	}
	ob_call_replyf(call, "I", stream_next);
}

/* mark(): log one more numbered record; returns its number */
static void on_mark(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)params;
	ob_log(ob_server_logger(server), OB_LOG_INFO, "numbered", "{s:I}", "n", stream_next);
	ob_call_replyf(call, "I", stream_next++);
}

/* raw(text): write the bytes to fd 1, as a child without our logger would */
static void on_raw(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_bytes bytes = {NULL, 0};
	(void)user;
	(void)ob_get_binary(ob_value_at(params, 0), &bytes);
	ssize_t n = write(1, bytes.data, bytes.len);
	ob_call_replyf(call, "I", (int64_t)n);
}

static void on_environment(void *user, ob_call *call, const struct ob_value *params)
{
	char joined[32768] = "";
	(void)user;
	(void)params;
	for (size_t i = 0;
	     environ[i] != NULL && strlen(joined) + strlen(environ[i]) + 2 < sizeof joined; i++) {
		strcat(strcat(joined, environ[i]), "\n");
	}
	ob_call_replyf(call, "s", joined);
}

/* file(path): the content of a file, as the child sees it. file(path, text): write it there */
static void on_file(void *user, ob_call *call, const struct ob_value *params)
{
	char path[1024], content[16384];
	bool writes = params->count > 1;
	ssize_t n = -1;
	(void)user;
	text(params, 0, path, sizeof path);
	text(params, 1, content, sizeof content);
	int fd = open(path, (writes ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	if (fd >= 0) {
		n = writes ? write(fd, content, strlen(content))
			   : read(fd, content, sizeof content - 1);
		close(fd);
	}
	content[n > 0 ? n : 0] = '\0';
	ob_call_replyf(call, "s", content);
}

static void on_descriptors(void *user, ob_call *call, const struct ob_value *params)
{
	char list[4096] = "";
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	(void)user;
	(void)params;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char path[300], target[512];
		snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		ssize_t n = readlink(path, target, sizeof target - 1);
		if (n > 0 && atoi(entry->d_name) != dirfd(dir)) {
			target[n] = '\0';
			snprintf(list + strlen(list), sizeof list - strlen(list), "%s %s\n",
				 entry->d_name, target);
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	ob_call_replyf(call, "s", list);
}

/* open(): the number of open descriptors */
static void on_open(void *user, ob_call *call, const struct ob_value *params)
{
	DIR *dir = opendir("/proc/self/fd");
	int64_t count = -1; /* that of the directory */
	const struct dirent *entry;
	(void)user;
	(void)params;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		count += entry->d_name[0] != '.';
	}
	if (dir != NULL) {
		closedir(dir);
	}
	ob_call_replyf(call, "I", count);
}

/* deathsig(): the signal that the end of our parent would send us */
static void on_deathsig(void *user, ob_call *call, const struct ob_value *params)
{
	int number_of = -1;
	(void)user;
	(void)params;
	prctl(PR_GET_PDEATHSIG, &number_of, 0, 0, 0);
	ob_call_replyf(call, "i", number_of);
}

/* time(): the wall clock, in seconds */
static void on_time(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)params;
	ob_call_replyf(call, "I", (int64_t)time(NULL));
}

/* stop(pid): stop that process, and then answer, so that the answer stays unread */
static void on_stop(void *user, ob_call *call, const struct ob_value *params)
{
	pid_t pid = (pid_t)number(params, 0);
	(void)user;
	kill(pid, SIGSTOP);
	ob_call_replyf(call, "I", (int64_t)pid);
}

/* cut(): break all our connections, including the caller's; there is no answer */
static void on_cut(void *user, ob_call *call, const struct ob_value *params)
{
	struct sockaddr_storage peer;
	(void)user;
	(void)call;
	(void)params;
	for (int fd = 3; fd < 1024; fd++) {
		socklen_t len = sizeof peer;
		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0) {
			shutdown(fd, SHUT_RDWR);
		}
	}
}

static void on_set_health(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	healthy = number(params, 0) != 0;
	ob_call_replyf(call, "b", 1);
}

static bool says_bye;

static void on_end(int number_of)
{
	(void)number_of;
	ob_server_stop(server);
}

/* bye(): end by SIGINT and SIGTERM in good order, and log "bye" as the last words */
static void on_bye(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)params;
	says_bye = true;
	signal(SIGINT, on_end);
	signal(SIGTERM, on_end);
	ob_call_replyf(call, "b", 1);
}

/* ask(method, value): call the parent, and answer with its result */
static void on_parents_reply(void *user, int result, const struct ob_value *value,
			     const struct ob_error *err)
{
	ob_call *call = user;
	if (result == OB_OK) {
		ob_call_reply(call, value);
	} else {
		ob_call_fail(call, 1, "%s", err->text);
	}
}

static void on_ask(void *user, ob_call *call, const struct ob_value *params)
{
	char method[256];
	struct ob_error err;
	(void)user;
	text(params, 0, method, sizeof method);
	const struct ob_value *kept = ob_call_defer(call);
	if (kept == NULL) {
		return;
	}
	struct ob_value items[1] = {kept->count > 1 ? kept->as.items[1] : ob_nil()};
	struct ob_value out = ob_array(items, 1);
	if (ob_client_call_async(ob_server_parent(server), method, &out, 0, on_parents_reply, call,
				 NULL, &err) < 0) {
		ob_call_fail(call, 1, "%s", err.text);
	}
}

static void on_tell(void *user, ob_call *call, const struct ob_value *params)
{
	char method[256];
	struct ob_error err;
	(void)user;
	text(params, 0, method, sizeof method);
	int r = ob_client_notify(ob_server_parent(server), method, params, &err);
	ob_call_replyf(call, "i", r);
}

/* The caller: [subject, method, uid or null, whether it is the parent, its listener, its claims or
 * null]. With the parameter true
 * the facts are read after the handler. */
static void say_who(ob_call *call)
{
	struct ob_identity who = {.size = sizeof who};
	struct ob_value items[6];
	ob_call_identity(call, &who);
	items[0] = (struct ob_value){.type = OB_STRING,
				     .count = (uint32_t)who.subject.len,
				     .as.string = (const char *)who.subject.data};
	items[1] = (struct ob_value){.type = OB_STRING,
				     .count = (uint32_t)who.method.len,
				     .as.string = (const char *)who.method.data};
	items[2] = (who.known & OB_PEER_UID) != 0 ? ob_uint(who.uid) : ob_nil();
	items[3] = ob_bool(who.parent);
	items[4] = ob_uint(who.listener);
	items[5] = who.claims != NULL ? *who.claims : ob_nil();
	struct ob_value list = ob_array(items, 6);
	ob_call_reply(call, &list);
}

static void *say_who_later(void *call)
{
	say_who(call);
	return NULL;
}

static void on_who(void *user, ob_call *call, const struct ob_value *params)
{
	bool later = false;
	pthread_t thread;
	(void)user;
	(void)ob_get_bool(ob_value_at(params, 0), &later);
	if (!later) {
		say_who(call);
	} else if (ob_call_defer(call) != NULL &&
		   pthread_create(&thread, NULL, say_who_later, call) == 0) {
		pthread_detach(thread);
	}
}

static const struct ob_method methods[] = {
    {"echo", on_echo},
    {"exit", on_exit_now},
    {"signal", on_signal_self},
    {"hang", on_hang},
    {"keep", on_keep},
    {"canceled", on_canceled},
    {"later", on_later},
    {"log", on_log},
    {"raw", on_raw},
    {"stream", on_stream},
    {"hush", on_hush},
    {"mark", on_mark},
    {"environment", on_environment},
    {"file", on_file},
    {"descriptors", on_descriptors},
    {"open", on_open},
    {"stop", on_stop},
    {"deathsig", on_deathsig},
    {"time", on_time},
    {"cut", on_cut},
    {"health", on_set_health},
    {"ask", on_ask},
    {"tell", on_tell},
    {"who", on_who},
    {"bye", on_bye},
    {NULL, NULL},
};

/* ---- Before it is ready ---- */

static const char *argument(int argc, char **argv, const char *name)
{
	size_t len = strlen(name);
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], name, len) == 0 &&
		    (argv[i][len] == '=' || argv[i][len] == '\0')) {
			return argv[i][len] == '=' ? argv[i] + len + 1 : argv[i] + len;
		}
	}
	return NULL;
}

static long number_argument(int argc, char **argv, const char *name)
{
	const char *value = argument(argc, argv, name);
	return value != NULL ? strtol(value, NULL, 10) : 0;
}

static void live_on(void)
{
	for (;;) {
		pause();
	}
}

/* A grandchild with all our descriptors, like a daemon that was forgotten. */
static void leave(const char *path)
{
	char *argv[] = {"sleep", "1000", NULL};
	pid_t pid;
	FILE *file = fopen(path, "we");
	if (file == NULL || posix_spawnp(&pid, "sleep", NULL, NULL, argv, environ) != 0) {
		exit(4);
	}
	fprintf(file, "%d\n", pid);
	fclose(file);
}

static bool probe(void *user, struct ob_error *why)
{
	(void)user;
	snprintf(why->text, sizeof why->text, "told to be ill");
	return healthy;
}

/* What an application does that has nothing else to end. */
static void close_inside(void *user, ob_server *which)
{
	(void)user;
	ob_server_close(which);
}

static int claim_ready(void *user, struct ob_config *config)
{
	(void)user;
	config->ready = true;
	config->pid = getpid();
	return OB_OK;
}

/* What the arguments ask for before there is a server. */
static void obey_early(int argc, char **argv)
{
	const char *value;
	if ((value = getenv("ACTOR_AFTER")) != NULL) {
		close(open(value, O_RDONLY | O_CLOEXEC));
	}
	if ((value = argument(argc, argv, "say")) != NULL) {
		printf("%s\n", value);
		fflush(stdout);
	}
	if ((value = argument(argc, argv, "exit")) != NULL) {
		exit(atoi(value));
	}
	if (argument(argc, argv, "stubborn") != NULL) {
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
	}
	if ((value = argument(argc, argv, "leave")) != NULL) {
		leave(value);
	}
	if (argument(argc, argv, "silent") != NULL) {
		live_on();
	}
}

/* die=WHERE */
static void maybe_die(int argc, char **argv, const char *where)
{
	const char *value = argument(argc, argv, "die");
	if (value != NULL && strcmp(value, where) == 0) {
		kill(getpid(), SIGKILL);
	}
}

static void start(int argc, char **argv, const struct ob_server_options *options)
{
	struct ob_error err;
	if (ob_server_open(options, &server, &err) < 0) {
		fail("open", &err);
	}
	maybe_die(argc, argv, "open");
	if (argument(argc, argv, "badready") != NULL) {
		(void)ob_server_update_config(server, claim_ready, NULL, &err);
		live_on();
	}
	if (ob_server_expose(server, "act", methods, NULL, &err) < 0 ||
	    ob_server_add_probe(server, "actor", probe, NULL, &err) < 0 ||
	    ob_server_start(server, &err) < 0) {
		fail("start", &err);
	}
	maybe_die(argc, argv, "start");
}

int main(int argc, char **argv)
{
	obey_early(argc, argv);
	const char *version = argument(argc, argv, "version");
	struct ob_server_options options = {
	    .size = sizeof options,
	    .version = version != NULL ? strtoul(version, NULL, 10) : 0,
	    .queue_max = (uint32_t)number_argument(argc, argv, "queue"),
	    .auth_timeout_ms = number_argument(argc, argv, "auth_timeout"),
	    .preauth_max = (uint32_t)number_argument(argc, argv, "seats")};
	healthy = argument(argc, argv, "ill") == NULL;
	if (argument(argc, argv, "closeinside") != NULL) {
		options.shutdown = close_inside;
	}
	start(argc, argv, &options);
	(void)ob_server_run(server, NULL);
	if (says_bye) {
		ob_log(ob_server_logger(server), OB_LOG_INFO, "bye", NULL);
	}
	if (options.shutdown == NULL) {
		ob_server_close(server);
	}
	return 0;
}
