/* SPDX-License-Identifier: MIT */
/*
 * worker - a child whose interface `act` sends much: large results, and notifications to a caller.
 *
 *   message_max=BYTES  option message_max of the server
 */
#include <outboard/outboard.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t number(const struct ob_value *params, uint32_t i)
{
	int64_t n = 0;
	(void)ob_get_int(ob_value_at(params, i), &n);
	return n;
}

static void on_echo(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_reply(call, ob_value_at(params, 0));
}

/* blank(size): so many zero bytes, at most 4 MiB */
static void on_blank(void *user, ob_call *call, const struct ob_value *params)
{
	static uint8_t zeros[4 << 20];
	int64_t size = number(params, 0);
	bool fits = size >= 0 && size <= (int64_t)sizeof zeros;
	(void)user;
	ob_call_replyf(call, "B", (void *)zeros, (size_t)(fits ? size : 0));
}

/* work(count, later): notify the caller so often of job.progress, from the handler or from a
 * thread; the answer is how often it was sent */
struct work {
	ob_call *call;
	int64_t count;
};

static void *do_work(void *arg)
{
	struct work *work = arg;
	int64_t sent = 0;
	int r = OB_OK;
	while (sent < work->count && (r == OB_OK || r == OB_EAGAIN)) {
		r = ob_call_notifyf(work->call, NULL, "job.progress", "[I]", sent);
		sent += r == OB_OK;
	}
	ob_call_replyf(work->call, "I", sent);
	free(work);
	return NULL;
}

static void on_work(void *user, ob_call *call, const struct ob_value *params)
{
	struct work *work = malloc(sizeof *work);
	bool later = false;
	pthread_t thread;
	(void)user;
	if (work == NULL) {
		return;
	}
	*work = (struct work){call, number(params, 0)};
	(void)ob_get_bool(ob_value_at(params, 1), &later);
	if (!later) {
		do_work(work);
	} else if (ob_call_defer(call) != NULL &&
		   pthread_create(&thread, NULL, do_work, work) == 0) {
		pthread_detach(thread);
	}
}

static const struct ob_method methods[] = {
    {"echo", on_echo},
    {"blank", on_blank},
    {"work", on_work},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
	struct ob_server_options options = {.size = sizeof options};
	struct ob_error err;
	ob_server *server;
	if (argc > 1 && strncmp(argv[1], "message_max=", 12) == 0) {
		options.message_max = (uint32_t)strtoul(argv[1] + 12, NULL, 10);
	}
	if (ob_server_open(&options, &server, &err) < 0 ||
	    ob_server_expose(server, "act", methods, NULL, &err) < 0 ||
	    ob_server_start(server, &err) < 0 || ob_server_run(server, &err) < 0) {
		fprintf(stderr, "worker: %s\n", err.text);
		return 3;
	}
	ob_server_close(server);
	return 0;
}
