/* SPDX-License-Identifier: MIT */
/*
 * The parent: starts the child, calls it, prints its logs, and stops it.
 *
 *   hello-parent DATA_DIRECTORY CHILD
 */
#include <outboard/outboard.h>
#include <stdio.h>

static void print_record(void *user, const struct ob_log_record *record)
{
	(void)user;
	printf("%s logs: %.*s\n", record->name, (int)record->message.len,
	       (const char *)record->message.data);
}

int main(int argc, char **argv)
{
	struct ob_connector_options options = {
	    .size = sizeof options,
	    .name = "hello",
	    .data_path = argc > 1 ? argv[1] : NULL,
	    .argv = (const char *const[]){argc > 2 ? argv[2] : NULL, NULL},
	    .on_log = print_record,
	};
	struct ob_error err;
	struct ob_bytes greeting;
	ob_runtime *runtime = NULL;
	ob_connector *child = NULL;
	ob_reply *reply = NULL;
	bool ok = ob_runtime_new(NULL, &runtime, &err) == OB_OK &&
		  ob_connector_new(runtime, &options, &child, &err) == OB_OK &&
		  ob_connector_start(child, 0, NULL, &err) == OB_OK &&
		  ob_reply_new(&reply, &err) == OB_OK &&
		  ob_client_callf(ob_connector_client(child), 0, reply, &err, "hello.greet", "[s]",
				  "world") == OB_OK;
	if (ok && ob_get_string(ob_reply_value(reply), &greeting)) {
		printf("the child answers: %.*s\n", (int)greeting.len, (const char *)greeting.data);
	} else if (!ok) {
		fprintf(stderr, "hello-parent: %s\n", err.text);
	}
	ob_reply_free(reply);
	ob_connector_close(child);
	ob_runtime_free(runtime);
	return ok ? 0 : 1;
}
