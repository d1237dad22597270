/* SPDX-License-Identifier: MIT */
/* The child: an interface `hello` with one method, and a log record for each call. */
#include <outboard/outboard.h>
#include <stdio.h>

static void greet(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_bytes name;
	char greeting[128];
	if (!ob_get_string(ob_params_get(params, 0, "name"), &name)) {
		ob_call_fail(call, OB_RPC_INVALID_PARAMS, "greet requires a name");
		return;
	}
	ob_log(ob_server_logger(user), OB_LOG_INFO, "greeted", "{s:S}", "name", name.data,
	       name.len);
	snprintf(greeting, sizeof greeting, "Hello, %.*s!", (int)name.len, (const char *)name.data);
	ob_call_replyf(call, "s", greeting);
}

int main(void)
{
	static const struct ob_method hello[] = {{"greet", greet}, {NULL, NULL}};
	struct ob_error err;
	ob_server *server = NULL;
	bool ok = ob_server_open(NULL, &server, &err) == OB_OK &&
		  ob_server_expose(server, "hello", hello, server, &err) == OB_OK &&
		  ob_server_start(server, &err) == OB_OK && ob_server_run(server, &err) == OB_OK;
	if (!ok) {
		fprintf(stderr, "hello-child: %s\n", err.text);
	}
	ob_server_close(server);
	return ok ? 0 : 1;
}
