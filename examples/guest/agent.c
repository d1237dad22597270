/* SPDX-License-Identifier: MIT */
/*
 * guest-agent [ROOT]: the agent of a guest, as one static file. scripts/make-guest --agent puts it
 * into an initramfs with the programs that it may start, which are in ROOT/bin; ROOT is /agent by
 * default. It is a child of the host that started the guest: address, mechanisms and token come
 * from OUTBOARD_CONFIG.
 *
 * It ends with its children: at outboard-control.shutdown, SIGTERM or SIGINT they are ended first.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <outboard/outboard.h>

enum { CHILDREN_END_MS = 5000 };

static ob_agent *agent;
static bool ending;

static int fail(const struct ob_error *err)
{
	fprintf(stderr, "guest-agent: %s\n", err->text);
	return EXIT_FAILURE;
}

static void children_have_ended(void *user, int result, const struct ob_error *err)
{
	(void)result;
	(void)err;
	ob_server_stop(user);
}

static void end(void *user, ob_server *server)
{
	(void)user;
	if (!ending) {
		ending = true;
		ob_agent_end_children(agent, CHILDREN_END_MS, children_have_ended, server);
	}
}

static void on_signal(void *user, int signal)
{
	(void)signal;
	end(NULL, user);
}

static int serve(ob_runtime *runtime, ob_server *server, struct ob_error *reterr)
{
	ob_watch *term = NULL, *interrupt = NULL;
	int r = ob_watch_signal(runtime, SIGTERM, on_signal, server, &term, reterr);
	if (r == OB_OK) {
		r = ob_watch_signal(runtime, SIGINT, on_signal, server, &interrupt, reterr);
	}
	if (r == OB_OK) {
		r = ob_server_start(server, reterr);
	}
	if (r == OB_OK) {
		r = ob_server_run(server, reterr);
	}
	ob_watch_free(term);
	ob_watch_free(interrupt);
	return r;
}

static int run(ob_runtime *runtime, const char *root, struct ob_error *reterr)
{
	const struct ob_server_options options = {
	    .size = sizeof options, .runtime = runtime, .shutdown = end};
	const struct ob_agent_options of_agent = {.size = sizeof of_agent, .root = root};
	ob_server *server = NULL;
	int r = ob_server_open(&options, &server, reterr);
	if (r == OB_OK) {
		r = ob_agent_new(server, &of_agent, &agent, reterr);
	}
	if (r == OB_OK) {
		r = serve(runtime, server, reterr);
	}
	ob_agent_free(agent);
	ob_server_close(server);
	return r;
}

int main(int argc, char **argv)
{
	struct ob_error err = {0};
	ob_runtime *runtime = NULL;
	int r = ob_runtime_new(NULL, &runtime, &err);
	if (r == OB_OK) {
		r = run(runtime, argc > 1 ? argv[1] : "/agent", &err);
	}
	ob_runtime_free(runtime);
	return r == OB_OK ? EXIT_SUCCESS : fail(&err);
}
