/* SPDX-License-Identifier: MIT */
/*
 * kv-parent - supervises a kv child, and passes it the commands from standard input, one a line:
 *
 *   get KEY    set KEY VALUE    delete KEY    list    import KEY    health    status    detach
 *   stop
 *
 *   kv-parent DATA_DIRECTORY COMMAND [ARGUMENT...]
 *
 * It adopts a child that an earlier kv-parent left, or starts one. Each line of output begins
 * with its kind: `event`, `log`, `changed`, `reply`, `error`. The end of the input is a stop.
 */
#include <outboard/outboard.h>

#include <inttypes.h>
#include <stdio.h>

struct parent {
	ob_runtime *runtime;
	ob_connector *child;
	ob_client *kv;
	ob_reply *reply;
};

static double now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* ---- What comes from the child, on the loop's thread ---- */

static void on_event(void *user, const struct ob_event *event)
{
	(void)user;
	printf("event %s pid=%" PRId32 " %s\n", ob_event_name(event->type), event->pid,
	       event->cause);
}

/* The record has more members; this prints the message, and the number that some records
 * have. */
static void on_log(void *user, const struct ob_log_record *record)
{
	char number[32] = "";
	int64_t n;
	(void)user;
	if (ob_get_int(ob_value_find(&record->attrs, "n"), &n)) {
		snprintf(number, sizeof number, " n=%" PRId64, n);
	}
	printf("log %.*s%s\n", (int)record->message.len, (const char *)record->message.data,
	       number);
}

static void on_changed(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_bytes key;
	(void)user;
	if (ob_get_string(ob_params_get(params, 0, "key"), &key)) {
		printf("changed %.*s\n", (int)key.len, (const char *)key.data);
	}
	ob_call_replyf(call, "n");
}

/* source.read(key): the source of the child's imports. */
static void on_read(void *user, ob_call *call, const struct ob_value *params)
{
	static const char *const source[][2] = {{"motto", "out of process, in reach"},
						{"host", "here"}};
	struct ob_bytes key;
	(void)user;
	for (size_t i = 0; i < sizeof source / sizeof *source; i++) {
		if (ob_get_string(ob_params_get(params, 0, "key"), &key) &&
		    ob_bytes_is(key, source[i][0])) {
			ob_call_replyf(call, "s", source[i][1]);
			return;
		}
	}
	ob_call_fail(call, 1, "there is no such key");
}

/* ---- Commands ---- */

static void print_value(const struct ob_value *value)
{
	struct ob_bytes text;
	bool truth;
	if (ob_get_string(value, &text)) {
		printf(" %.*s", (int)text.len, (const char *)text.data);
	} else if (ob_get_bool(value, &truth)) {
		printf(truth ? " yes" : " no");
	} else if (ob_is_nil(value)) {
		printf(" nothing");
	}
	for (uint32_t i = 0; ob_value_at(value, i) != NULL; i++) {
		print_value(ob_value_at(value, i));
	}
}

static void print_end(int result, const struct ob_error *err)
{
	if (result != OB_OK) {
		printf("error %s %s\n", ob_result_name(result), err->text);
	}
}

static void call(struct parent *p, const char *method, const char *key, const char *value)
{
	struct ob_error err;
	double start = now_us();
	int r = value != NULL
		    ? ob_client_callf(p->kv, 0, p->reply, &err, method, "[s s]", key, value)
		: key != NULL ? ob_client_callf(p->kv, 0, p->reply, &err, method, "[s]", key)
			      : ob_client_callf(p->kv, 0, p->reply, &err, method, NULL);
	if (r == OB_OK) {
		flockfile(stdout);
		printf("reply %.0f us:", now_us() - start);
		print_value(ob_reply_value(p->reply));
		printf("\n");
		funlockfile(stdout);
	}
	print_end(r, &err);
}

static void health(struct parent *p)
{
	struct ob_health health = {.size = sizeof health};
	struct ob_error err;
	int r = ob_control_health(ob_connector_control(p->child), 0, &health, &err);
	if (r == OB_OK) {
		printf("reply %s%s\n",
		       health.healthy ? "healthy" : "unhealthy: ", health.last_error);
	}
	print_end(r, &err);
}

static void status(struct parent *p)
{
	struct ob_status status = {.size = sizeof status};
	ob_connector_status(p->child, &status);
	printf("reply %s link=%s pid=%" PRId32 " restarts=%" PRIu32 "%s\n",
	       ob_state_name(status.state), ob_link_name(status.link), status.pid, status.restarts,
	       status.adopted ? " adopted" : "");
}

/* Returns false after the last command. */
static bool obey(struct parent *p, char *line)
{
	char *rest = NULL;
	const char *what = strtok_r(line, " \n", &rest);
	const char *key = strtok_r(NULL, " \n", &rest);
	const char *value = strtok_r(NULL, "\n", &rest);
	struct ob_error err;
	if (what == NULL) {
		return true;
	}
	if (strcmp(what, "stop") == 0) {
		return false;
	}
	if (strcmp(what, "detach") == 0) {
		print_end(ob_connector_detach(p->child, &err), &err);
		return false;
	}
	if (strcmp(what, "health") == 0) {
		health(p);
	} else if (strcmp(what, "status") == 0) {
		status(p);
	} else {
		call(p, what, key, value);
	}
	return true;
}

/* ---- Life ---- */

static int start(struct parent *p, char **argv, struct ob_error *reterr)
{
	static const struct ob_method source[] = {{"read", on_read}, {NULL, NULL}};
	static const struct ob_method events[] = {{"changed", on_changed}, {NULL, NULL}};
	struct ob_runtime_options threaded = {.size = sizeof threaded, .mode = OB_RUNTIME_THREADED};
	struct ob_connector_options options = {
	    .size = sizeof options,
	    .name = "kv",
	    .data_path = argv[1],
	    .argv = (const char *const *)(argv + 2),
	    .restart = {.backoff_base_ms = 100},
	    .on_event = on_event,
	    .on_log = on_log,
	};
	int r = ob_runtime_new(&threaded, &p->runtime, reterr);
	r = r == OB_OK ? ob_connector_new(p->runtime, &options, &p->child, reterr) : r;
	r = r == OB_OK ? ob_connector_expose(p->child, "source", source, p, reterr) : r;
	r = r == OB_OK ? ob_connector_expose(p->child, "kv-events", events, p, reterr) : r;
	r = r == OB_OK ? ob_reply_new(&p->reply, reterr) : r;
	r = r == OB_OK ? ob_connector_start_or_reconnect(p->child, 0, NULL, reterr) : r;
	return r == OB_OK ? ob_connector_connect_interface(p->child, "kv", 0, &p->kv, reterr) : r;
}

static void finish(struct parent *p)
{
	ob_client_free(p->kv);
	ob_reply_free(p->reply);
	ob_connector_close(p->child);
	ob_runtime_free(p->runtime);
}

int main(int argc, char **argv)
{
	struct parent parent = {0};
	struct ob_error err;
	char line[4096];
	if (argc < 3) {
		fprintf(stderr, "usage: kv-parent DATA_DIRECTORY COMMAND [ARGUMENT...]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	int r = start(&parent, argv, &err);
	if (r != OB_OK) {
		fprintf(stderr, "kv-parent: %s\n", err.text);
	}
	while (r == OB_OK && fgets(line, sizeof line, stdin) != NULL && obey(&parent, line)) {
	}
	finish(&parent);
	return r == OB_OK ? 0 : 1;
}
