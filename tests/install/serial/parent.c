/* SPDX-License-Identifier: MIT */
/* serial-parent DATA_DIRECTORY CHILD LISTEN CONNECT: a kv-child at the other end of a line, used,
 * killed, and used again. */
#include <outboard/outboard.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE = 60000, ROUNDS = 10, READY_MS = 60000 };

static char value[VALUE + 1];

static int fail(const char *what, const struct ob_error *err)
{
	fprintf(stderr, "serial-parent: %s: %s\n", what, err->text);
	return 1;
}

static bool set_and_get(ob_connector *child, struct ob_error *err)
{
	ob_client *client = ob_connector_client(child);
	ob_reply *reply = NULL;
	struct ob_bytes got = {NULL, 0};
	bool ok = ob_reply_new(&reply, err) == OB_OK;
	for (int i = 0; ok && i < ROUNDS; i++) {
		memset(value, 'a' + i, VALUE);
		ok = ob_client_callf(client, 0, reply, err, "kv.set", "[ss]", "key", value) ==
			 OB_OK &&
		     ob_client_callf(client, 0, reply, err, "kv.get", "[s]", "key") == OB_OK &&
		     ob_get_string(ob_reply_value(reply), &got) && ob_bytes_is(got, value);
	}
	ob_reply_free(reply);
	return ok;
}

/* Killed, it is started anew, and dialled anew over the same line. */
static bool kill_and_wait(ob_runtime *runtime, ob_connector *child)
{
	int32_t pid = ob_connector_pid(child);
	struct ob_reply *reply = NULL;
	if (kill(pid, SIGKILL) != 0 || ob_reply_new(&reply, NULL) != OB_OK) {
		return false;
	}
	int rc = OB_EDOWN;
	for (int i = 0; i < 600 && rc != OB_OK; i++) {
		rc =
		    ob_client_callf(ob_connector_client(child), 1000, reply, NULL, "kv.list", "[]");
		if (rc != OB_OK) {
			(void)ob_runtime_run(runtime, 100);
		}
	}
	ob_reply_free(reply);
	return rc == OB_OK && ob_connector_pid(child) != pid;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		return 2;
	}
	struct ob_connector_options options = {
	    .size = sizeof options,
	    .name = "kv",
	    .data_path = argv[1],
	    .argv = (const char *const[]){argv[2], NULL},
	    .listen = argv[3],
	    .connect = argv[4],
	};
	options.restart = ob_restart_policy_default();
	options.restart.backoff_base_ms = 100;
	struct ob_error err = {.text = ""};
	ob_runtime *runtime = NULL;
	ob_connector *child = NULL;
	if (ob_runtime_new(NULL, &runtime, &err) != OB_OK ||
	    ob_connector_new(runtime, &options, &child, &err) != OB_OK ||
	    ob_connector_start(child, READY_MS, NULL, &err) != OB_OK) {
		return fail("starting", &err);
	}
	if (!set_and_get(child, &err)) {
		return fail("a call", &err);
	}
	printf("%d values of %d bytes went there and back\n", (int)ROUNDS, (int)VALUE);
	if (!kill_and_wait(runtime, child) || !set_and_get(child, &err)) {
		return fail("after the child was killed", &err);
	}
	printf("and again, to the child in its place\n");
	if (ob_connector_stop(child, READY_MS, NULL, &err) != OB_OK) {
		return fail("stopping", &err);
	}
	ob_connector_close(child);
	ob_runtime_free(runtime);
	return 0;
}
