/* SPDX-License-Identifier: MIT */
/*
 * soak-supervisor ROOT COUNT CHILD RUNNER - supervises COUNT children in ROOT/data; every second
 * one is started by RUNNER. It obeys lines on stdin and answers each with lines of which the last
 * one begins with "ok":
 *
 *   status        "child I STATE LINK PID" for each
 *   wait          wait for an event since the last status, for a second at most; "ok"
 *   call I N      N calls of child I; "ok ANSWERED"
 *   log I N       child I logs N numbered records; "ok"
 *   adopt I       detach child I and supervise it with a new connector
 *   leave         detach all, free everything and exit; at the end of stdin too
 *   stop          stop all, free everything and exit
 *
 * A line that begins with "wrong" says what must never be. Exit status 1: descriptors are left.
 */
#include <outboard/outboard.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN = 64, PATH = 512, CALL_MS = 5000 };

struct child {
	ob_connector *connector;
	char name[32];
	char data[PATH];
	char witness[PATH];
	int64_t logger; /* which process logged last */
	int64_t line;	/* and which line */
};

static struct child children[CHILDREN];
static int count;
static const char *root, *program, *runner;
static ob_runtime *runtime;
static ob_reply *reply;

/* Whether a child had an event since the last status. */
static bool happened;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t happens = PTHREAD_COND_INITIALIZER;

static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int fds = 0;
	while (dir != NULL && readdir(dir) != NULL) {
		fds++;
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return fds;
}

static void fail(const char *what, const struct ob_error *err)
{
	printf("wrong: %s: %s\n", what, err->text);
	exit(1);
}

/* ---- Children ---- */

/* Records of one process arrive in order, each at most once. Some may be lost with a parent. */
static void on_log(void *user, const struct ob_log_record *record)
{
	struct child *child = user;
	int64_t line, logger;
	if (!ob_get_int(ob_value_find(&record->attrs, "n"), &line) ||
	    !ob_get_int(ob_value_find(&record->attrs, "of"), &logger)) {
		return;
	}
	if (logger == child->logger && line <= child->line) {
		printf("wrong: %s: line %lld of process %lld after line %lld\n", child->name,
		       (long long)line, (long long)logger, (long long)child->line);
	}
	child->logger = logger;
	child->line = line;
}

static void on_event(void *user, const struct ob_event *event)
{
	(void)user, (void)event;
	pthread_mutex_lock(&lock);
	happened = true;
	pthread_cond_signal(&happens);
	pthread_mutex_unlock(&lock);
}

static void supervise(struct child *child, int index)
{
	const char *plain[] = {program, child->witness, NULL};
	const char *run[] = {runner, program, child->witness, NULL};
	struct ob_connector_options options = {
	    .size = sizeof options,
	    .name = child->name,
	    .data_path = child->data,
	    .argv = index % 2 == 0 ? plain : run,
	    .restart = {.backoff_base_ms = 10, .backoff_max_ms = 200},
	    .health_interval_ms = 1000,
	    .health_misses = 20,
	    .on_event = on_event,
	    .on_log = on_log,
	    .user_data = child,
	};
	struct ob_error err;
	if (ob_connector_new(runtime, &options, &child->connector, &err) < 0 ||
	    ob_connector_supervise(child->connector, &err) < 0) {
		fail(child->name, &err);
	}
}

static void begin(void)
{
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_THREADED};
	struct ob_error err;
	if (ob_runtime_new(&o, &runtime, &err) < 0 || ob_reply_new(&reply, &err) < 0) {
		fail("runtime", &err);
	}
	for (int i = 0; i < count; i++) {
		struct child *child = &children[i];
		snprintf(child->name, sizeof child->name, "c%d", i);
		snprintf(child->data, sizeof child->data, "%s/data/c%d", root, i);
		snprintf(child->witness, sizeof child->witness, "%s/witness/c%d", root, i);
		supervise(child, i);
	}
}

static void end(bool detach)
{
	struct ob_error err;
	for (int i = 0; i < count; i++) {
		int r = detach ? ob_connector_detach(children[i].connector, &err)
			       : ob_connector_stop_async(children[i].connector, NULL, NULL, &err);
		if (r < 0) {
			printf("wrong: %s of %s: %s\n", detach ? "detach" : "stop",
			       children[i].name, err.text);
		}
	}
	for (int i = 0; i < count; i++) {
		ob_connector_close(children[i].connector);
	}
	ob_reply_free(reply);
	ob_runtime_free(runtime);
}

/* ---- Commands ---- */

/* What a killed process was may be seen for a moment behind the event, so not for ever. */
static void wait_for_event(void)
{
	struct timespec end;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec++;
	pthread_mutex_lock(&lock);
	while (!happened && pthread_cond_timedwait(&happens, &lock, &end) == 0) {
	}
	pthread_mutex_unlock(&lock);
	printf("ok\n");
}

static void status(void)
{
	pthread_mutex_lock(&lock);
	happened = false;
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < count; i++) {
		struct ob_status s = {.size = sizeof s};
		ob_connector_status(children[i].connector, &s);
		printf("child %d %s %s %d %s\n", i, ob_state_name(s.state), ob_link_name(s.link),
		       s.pid, s.last_error);
	}
	printf("ok\n");
}

static void call(struct child *child, int n)
{
	struct ob_error err;
	int answered = 0;
	for (int i = 0; i < n; i++) {
		int64_t echo = -1;
		if (ob_client_callf(ob_connector_client(child->connector), CALL_MS, reply, &err,
				    "soak.echo", "[i]", i) < 0) {
			continue;
		}
		answered++;
		if (!ob_get_int(ob_reply_value(reply), &echo) || echo != i) {
			printf("wrong: %s answered %lld to call %d\n", child->name, (long long)echo,
			       i);
		}
	}
	printf("ok %d\n", answered);
}

static void write_log(struct child *child, int n)
{
	struct ob_error err;
	(void)ob_client_callf(ob_connector_client(child->connector), CALL_MS, NULL, &err,
			      "soak.log", "[i]", n);
	printf("ok\n");
}

static void adopt(struct child *child, int index)
{
	struct ob_error err;
	if (ob_connector_detach(child->connector, &err) < 0) {
		printf("wrong: detach of %s: %s\n", child->name, err.text);
	}
	ob_connector_close(child->connector);
	supervise(child, index);
	printf("ok\n");
}

/* false: it was the last one. */
static bool obey(const char *line, bool *ret_detach)
{
	char word[16] = "leave";
	int index = 0, n = 0;
	(void)sscanf(line, "%15s %d %d", word, &index, &n);
	index = index >= 0 && index < count ? index : 0;
	*ret_detach = strcmp(word, "stop") != 0;
	if (strcmp(word, "status") == 0) {
		status();
	} else if (strcmp(word, "wait") == 0) {
		wait_for_event();
	} else if (strcmp(word, "call") == 0) {
		call(&children[index], n);
	} else if (strcmp(word, "log") == 0) {
		write_log(&children[index], n);
	} else if (strcmp(word, "adopt") == 0) {
		adopt(&children[index], index);
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	char line[128];
	bool detach = true;
	if (argc != 5 || (count = atoi(argv[2])) < 1 || count > CHILDREN) {
		return 2;
	}
	root = argv[1];
	program = argv[3];
	runner = argv[4];
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	int fds = open_fds();
	begin();
	printf("ok\n");
	while (fgets(line, sizeof line, stdin) != NULL && obey(line, &detach)) {
	}
	end(detach);
	if (open_fds() != fds) {
		printf("wrong: %d descriptors at the end, %d at the start\n", open_fds(), fds);
		return 1;
	}
	printf("ok\n");
	return 0;
}
