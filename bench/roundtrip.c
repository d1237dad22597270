/* SPDX-License-Identifier: MIT */
/*
 * roundtrip - what a call costs, beside what the machine cannot do without.
 *
 * Two processes on one core (so that figures repeat), a unix socket. Rounds of all contestants are interleaved in one run, and each
 * figure is the median of its rounds:
 *
 *   raw         blocking read and write, length-prefixed
 *   libev       a bare libev loop on both sides, length-prefixed, one write a turn
 *   libev+mp    the same, with msgpack-c packing and unpacking MessagePack-RPC on both sides
 *   inline      outboard: ob_client_call() on an inline runtime
 *   async       outboard: ob_client_call_async() on an inline runtime
 *
 * The child of outboard is a real one: started and supervised by a connector, unix + msgpack + token.
 *
 * Usage: bench-roundtrip [ROUNDS [CALLS [ROW]]]
 * ROW 1, 2 or 3 runs that row only; a profiler then sees nothing else.
 */
#include "support/floors.h"

#include <outboard/outboard.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL = 64, LARGE = 1 << 20, IN_FLIGHT = 64, ROUNDS = 7, CALLS = 20000, ROUNDS_MAX = 99 };

static void die(const char *what, const struct ob_error *err)
{
	fprintf(stderr, "bench-roundtrip: %s: %s\n", what, err->text);
	exit(1);
}

/* ---- The child ---- */

static void echo(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_reply(call, ob_value_at(params, 0));
}

static int serve(void)
{
	static const struct ob_method methods[] = {{"echo", echo}, {NULL, NULL}};
	struct ob_error err;
	ob_server *server;
	if (ob_server_open(NULL, &server, &err) < 0 || ob_server_expose(server, "bench", methods, NULL, &err) < 0 ||
	    ob_server_start(server, &err) < 0) {
		die("child", &err);
	}
	(void)ob_server_run(server, NULL);
	ob_server_close(server);
	return 0;
}

/* ---- The parent's two ways to call ---- */

struct own {
	ob_runtime *runtime;
	ob_connector *connector;
	ob_client *client;
	ob_reply *reply;
	char *payload;
	uint32_t size;
	uint64_t to_send, to_come;
	double *samples;
	uint64_t taken;
	int64_t sent_ns;
};

static void send_one(struct own *o);

static void on_echo(void *user, int result, const struct ob_value *value, const struct ob_error *err)
{
	struct own *o = user;
	if (result != OB_OK || value->count != o->size) {
		die("echo", err);
	}
	if (o->samples != NULL) {
		o->samples[o->taken++] = (double)(bench_now_ns() - o->sent_ns);
	}
	if (--o->to_come == 0) {
		ob_runtime_stop(o->runtime);
	} else if (o->to_send > 0) {
		send_one(o);
	}
}

static void send_one(struct own *o)
{
	struct ob_value items[1] = {ob_binary(o->payload, o->size)};
	struct ob_value params = ob_array(items, 1);
	struct ob_error err;
	o->to_send--;
	o->sent_ns = o->samples != NULL ? bench_now_ns() : 0;
	if (ob_client_call_async(o->client, "bench.echo", &params, 0, on_echo, o, NULL, &err) < 0) {
		die("echo", &err);
	}
}

static struct bench_round run_async(void *self, uint32_t size, uint32_t outstanding, uint64_t count, double *samples)
{
	struct own *o = self;
	struct bench_round round = {0};
	o->size = size;
	o->to_send = o->to_come = count;
	o->samples = outstanding == 1 ? samples : NULL;
	o->taken = 0;
	int64_t begin = bench_now_ns();
	for (uint32_t i = 0; i < outstanding; i++) {
		send_one(o);
	}
	(void)ob_runtime_run(o->runtime, -1);
	round.per_second = (double)count * 1e9 / (double)(bench_now_ns() - begin);
	if (outstanding == 1) {
		round.p50_ns = bench_quantile(samples, count, 0.5);
		round.p99_ns = bench_quantile(samples, count, 0.99);
	}
	return round;
}

static struct bench_round run_inline(void *self, uint32_t size, uint32_t outstanding, uint64_t count, double *samples)
{
	struct own *o = self;
	struct bench_round round = {0};
	struct ob_value items[1] = {ob_binary(o->payload, size)};
	struct ob_value params = ob_array(items, 1);
	struct ob_error err;
	(void)outstanding;
	int64_t begin = bench_now_ns();
	for (uint64_t i = 0; i < count; i++) {
		int64_t t = bench_now_ns();
		if (ob_client_call(o->client, "bench.echo", &params, 0, NULL, o->reply, &err) < 0) {
			die("echo", &err);
		}
		samples[i] = (double)(bench_now_ns() - t);
	}
	round.per_second = (double)count * 1e9 / (double)(bench_now_ns() - begin);
	round.p50_ns = bench_quantile(samples, count, 0.5);
	round.p99_ns = bench_quantile(samples, count, 0.99);
	return round;
}

static void open_own(struct own *o, const char *dir)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n > 0 ? n : 0] = '\0';
	const char *argv[] = {self, "serve", NULL};
	struct ob_connector_options options = {
	    .size = sizeof options, .name = "bench", .data_path = dir, .argv = argv, .health_interval_ms = -1};
	struct ob_error err;
	o->payload = calloc(1, LARGE);
	if (ob_runtime_new(NULL, &o->runtime, &err) < 0 || ob_reply_new(&o->reply, &err) < 0 ||
	    ob_connector_new(o->runtime, &options, &o->connector, &err) < 0 ||
	    ob_connector_start(o->connector, 0, NULL, &err) < 0) {
		die("starting the child", &err);
	}
	o->client = ob_connector_client(o->connector);
}

static void close_own(struct own *o)
{
	ob_connector_close(o->connector);
	ob_reply_free(o->reply);
	ob_runtime_free(o->runtime);
	free(o->payload);
}

/* ---- The rows ---- */

struct contestant {
	const char *name;
	bench_run_fn *run;
	void *self;
	struct bench_round rounds[ROUNDS_MAX];
};

enum figure { LATENCY, RATE };

static double figure_of(const struct contestant *c, size_t rounds, enum figure figure)
{
	double values[ROUNDS_MAX];
	for (size_t i = 0; i < rounds; i++) {
		values[i] = figure == LATENCY ? c->rounds[i].p50_ns : c->rounds[i].per_second;
	}
	return bench_quantile(values, rounds, 0.5);
}

static void run_row(const char *title, struct contestant *list, size_t n, size_t rounds, enum figure figure,
		    uint32_t size, uint32_t outstanding, uint64_t count)
{
	double *samples = calloc(count, sizeof *samples);
	for (size_t r = 0; r < rounds + 1; r++) {
		for (size_t i = 0; i < n; i++) {
			struct bench_round round = list[i].run(list[i].self, size, outstanding, count, samples);
			if (r > 0) { /* the first warms up */
				list[i].rounds[r - 1] = round;
			}
		}
	}
	printf("\n%s\n", title);
	double first = figure_of(&list[0], rounds, figure), second = figure_of(&list[1], rounds, figure);
	for (size_t i = 0; i < n; i++) {
		double value = figure_of(&list[i], rounds, figure);
		if (figure == LATENCY) {
			printf("  %-9s %9.2f us p50   %5.2f x %-9s  %5.2f x %s\n", list[i].name, value / 1000,
			       value / first, list[0].name, value / second, list[1].name);
		} else if (size == LARGE) {
			printf("  %-9s %9.2f GB/s     %5.2f x %-9s  %5.2f x %s\n", list[i].name, value * size * 2 / 1e9,
			       value / first, list[0].name, value / second, list[1].name);
		} else {
			printf("  %-9s %9.0f calls/s  %5.2f x %-9s  %5.2f x %s\n", list[i].name, value, value / first,
			       list[0].name, value / second, list[1].name);
		}
	}
	free(samples);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/outboard-bench-XXXXXX";
	struct own own = {0};
	if (argc == 2 && strcmp(argv[1], "serve") == 0) {
		return serve();
	}
	int served = argc == 2 ? floor_serve(argv[1]) : -1;
	if (served >= 0) {
		return served;
	}
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	uint64_t calls = argc > 2 ? strtoul(argv[2], NULL, 10) : CALLS;
	rounds = rounds < 1 || rounds > ROUNDS_MAX ? ROUNDS : rounds;
	bench_pin();
	if (mkdtemp(dir) == NULL) {
		perror("mkdtemp");
		return 1;
	}
	open_own(&own, dir);
	struct floor *raw = floor_open(FLOOR_RAW), *ev = floor_open(FLOOR_EV), *mp = floor_open(FLOOR_EV_MSGPACK);
	struct contestant one[] = {{.name = "raw", .run = floor_run, .self = raw},
				   {.name = "libev", .run = floor_run, .self = ev},
				   {.name = "libev+mp", .run = floor_run, .self = mp},
				   {.name = "inline", .run = run_inline, .self = &own},
				   {.name = "async", .run = run_async, .self = &own}};
	struct contestant many[] = {{.name = "libev", .run = floor_run, .self = ev},
				    {.name = "libev+mp", .run = floor_run, .self = mp},
				    {.name = "async", .run = run_async, .self = &own}};
	printf("unix socket, both processes on one core, medians of %zu rounds\n", rounds);
	int row = argc > 3 ? atoi(argv[3]) : 0;
	if (row == 0 || row == 1) {
		run_row("64 B echo, 1 outstanding", one, 5, rounds, LATENCY, SMALL, 1, calls);
	}
	if (row == 0 || row == 2) {
		run_row("64 B echo, 64 in flight", many, 3, rounds, RATE, SMALL, IN_FLIGHT, calls * 10);
	}
	if (row == 0 || row == 3) {
		run_row("1 MiB echo, 1 outstanding (both directions counted)", one, 5, rounds, RATE, LARGE, 1, 200);
	}
	floor_close(raw);
	floor_close(ev);
	floor_close(mp);
	close_own(&own);
	char command[64];
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) == 0 ? 0 : 1;
}
