/* SPDX-License-Identifier: MIT */
/*
 * supervise - what it costs to supervise many children, beside posix_spawn and a pidfd for each.
 *
 *   bench-supervise [--children N] [--rounds N] [--rpc] [--json]
 *
 * start    N children are started at once: time of one, and the processor time of this process
 * restart  one of them is killed: from the SIGKILL to main() of its replacement
 * status   of all, once
 * memory   what each takes of the heap, and of the memory of the process (PSS)
 * stop     all at once: time of one
 *
 * --rpc: children answer calls, have a connection and log; starts end when they are ready. There is
 * no floor for that.
 */
#include <outboard/outboard.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/bench.h"
#include "support/bench_child.h"
#include "support/spawn_floor.h"

enum { CHILDREN_MAX = 20000, ROUNDS = 5, ROUNDS_MAX = 99, RESTARTS = 15, PATH = 128 };
enum { IDLE_MS = 3000 };
enum { FILES_A_CHILD = OB_DESCRIPTORS_PER_CHILD + 2 };

struct options {
	size_t children, rounds;
	bool rpc, json;
};

/* What one round measured, in ns and bytes. */
enum figure {
	START_FLOOR,
	START_FLOOR_CPU,
	START,
	START_CPU,
	RESTART_FLOOR,
	RESTART,
	STATUS,
	HEAP,
	PSS,
	STOP,
	FIGURES
};

struct bench {
	const struct options *o;
	char directory[PATH], fifo[PATH], program[PATH];
	int main_fd;	  /* of the FIFO on which children say when their main() began */
	int64_t begin_ns; /* when a child was killed */
	int64_t main_ns;  /* what its replacement said; 0: nothing yet */
	ob_watch *watch;  /* for it */
	ob_runtime *runtime;
	ob_connector **children;
	size_t waiting; /* for so many to have started or stopped */
	double figures[FIGURES][ROUNDS_MAX];
};

static void check(int r, const struct ob_error *err, const char *what)
{
	if (r < 0) {
		bench_die(what, err->text);
	}
}

/* ---- The child that answers calls ---- */

static int serve(void)
{
	struct ob_error err;
	ob_server *server = NULL;
	bench_child_follow();
	check(ob_server_open(NULL, &server, &err), &err, "child");
	check(ob_server_start(server, &err), &err, "child");
	ob_log(ob_server_logger(server), OB_LOG_INFO, "it runs", NULL);
	int r = ob_server_run(server, &err);
	ob_server_close(server);
	return r == OB_OK ? 0 : 1;
}

/* ---- Figures of this process ---- */

static double heap_in_use(void)
{
	struct mallinfo2 m = mallinfo2();
	return (double)(m.uordblks + m.hblkhd);
}

static double pss(void)
{
	char line[256];
	double kib = 0;
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		(void)sscanf(line, "Pss: %lf", &kib);
	}
	if (file != NULL) {
		fclose(file);
	}
	return kib * 1024;
}

static double cpu_ns(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

/* ---- Children ---- */

static void on_log(void *user, const struct ob_log_record *record)
{
	(void)user;
	(void)record;
}

static void make_child(struct bench *b, size_t i)
{
	char name[32], path[2 * PATH];
	struct ob_error err;
	const char *argv[] = {b->o->rpc ? "/proc/self/exe" : b->program,
			      b->o->rpc ? "--serve" : b->fifo, NULL};
	struct ob_connector_options o = {
	    .size = sizeof o,
	    .name = name,
	    .data_path = path,
	    .argv = argv,
	    .ready = b->o->rpc ? OB_READY_CONFIG : OB_READY_NONE,
	    .restart = {.backoff_base_ms = -1},
	    .health_interval_ms = b->o->rpc ? 3600000 : -1,
	    .stop_signal = SIGTERM,
	    .on_log = b->o->rpc ? on_log : NULL,
	};
	snprintf(name, sizeof name, "child-%zu", i);
	snprintf(path, sizeof path, "%s/%s", b->directory, name);
	check(ob_connector_new(b->runtime, &o, &b->children[i], &err), &err, name);
}

static void on_done(void *user, int result, const struct ob_error *err)
{
	struct bench *b = user;
	check(result, err, "a child");
	if (--b->waiting == 0) {
		ob_runtime_stop(b->runtime);
	}
}

typedef int request_fn(ob_connector *child, ob_done_fn *done, void *user, struct ob_error *reterr);

static double request_all(struct bench *b, request_fn *request)
{
	int64_t begin = bench_now_ns();
	struct ob_error err;
	b->waiting = b->o->children;
	for (size_t i = 0; i < b->o->children; i++) {
		check(request(b->children[i], on_done, b, &err), &err, "a request");
	}
	while (b->waiting > 0) {
		(void)ob_runtime_run(b->runtime, -1);
	}
	return (double)(bench_now_ns() - begin) / (double)b->o->children;
}

/* All children say when they begin: read what is there. */
static void drain_main(const struct bench *b)
{
	char some[4096];
	while (read(b->main_fd, some, sizeof some) > 0) {
	}
}

/* ---- Rounds ---- */

static void measure_floor(struct bench *b, size_t round)
{
	struct spawn_floor *floor = spawn_floor_new(b->o->children, b->program, b->fifo);
	double times[RESTARTS];
	double cpu = cpu_ns(), n = (double)b->o->children;
	b->figures[START_FLOOR][round] = spawn_floor_start(floor) / n;
	b->figures[START_FLOOR_CPU][round] = (cpu_ns() - cpu) / n;
	for (size_t i = 0; i < RESTARTS; i++) {
		drain_main(b);
		times[i] = spawn_floor_restart(floor, i % b->o->children, b->main_fd);
	}
	b->figures[RESTART_FLOOR][round] = bench_quantile(times, RESTARTS, 0.5);
	spawn_floor_free(floor);
	drain_main(b);
}

static void on_main(void *user, int what)
{
	struct bench *b = user;
	int64_t ns;
	(void)what;
	while (read(b->main_fd, &ns, sizeof ns) == sizeof ns) {
		if (ns > b->begin_ns) { /* else that of an earlier start, which is late */
			b->main_ns = ns;
			ob_runtime_stop(b->runtime);
		}
	}
}

static double restart_one(struct bench *b, ob_connector *child)
{
	struct ob_status status = {.size = sizeof status};
	struct ob_error err;
	ob_connector_status(child, &status);
	drain_main(b);
	b->main_ns = 0;
	check(ob_watch_fd(b->runtime, b->main_fd, OB_READABLE, on_main, b, &b->watch, &err), &err,
	      "watch");
	b->begin_ns = bench_now_ns();
	kill(status.pid, SIGKILL);
	while (b->main_ns == 0) {
		(void)ob_runtime_run(b->runtime, -1);
	}
	ob_watch_free(b->watch);
	/* Its start goes on: state, files. */
	check(ob_connector_wait(child, OB_STATE_READY, -1, NULL, &err), &err, "a restart");
	return (double)(b->main_ns - b->begin_ns);
}

static void measure_restarts(struct bench *b, size_t round)
{
	double times[RESTARTS];
	for (size_t i = 0; i < RESTARTS; i++) {
		times[i] = restart_one(b, b->children[i % b->o->children]);
	}
	b->figures[RESTART][round] = bench_quantile(times, RESTARTS, 0.5);
}

static void measure_status(struct bench *b, size_t round)
{
	int64_t begin = bench_now_ns();
	for (size_t i = 0; i < b->o->children; i++) {
		struct ob_status status = {.size = sizeof status};
		ob_connector_status(b->children[i], &status);
		if (status.state != OB_STATE_READY) {
			bench_die("status", "a child is not ready");
		}
	}
	b->figures[STATUS][round] = (double)(bench_now_ns() - begin) / (double)b->o->children;
}

static void measure_own(struct bench *b, size_t round)
{
	struct ob_error err;
	double heap, memory, cpu, n = (double)b->o->children;
	check(ob_runtime_new(NULL, &b->runtime, &err), &err, "runtime");
	malloc_trim(0);
	heap = heap_in_use();
	memory = pss();
	for (size_t i = 0; i < b->o->children; i++) {
		make_child(b, i);
	}
	cpu = cpu_ns();
	b->figures[START][round] = request_all(b, ob_connector_start_async);
	b->figures[START_CPU][round] = (cpu_ns() - cpu) / n;
	if (!b->o->rpc) {
		measure_restarts(b, round);
	}
	measure_status(b, round);
	if (b->o->rpc) {
		(void)ob_runtime_run(b->runtime, IDLE_MS); /* connections give memory back */
	}
	b->figures[HEAP][round] = (heap_in_use() - heap) / n;
	b->figures[PSS][round] = (pss() - memory) / n;
	b->figures[STOP][round] = request_all(b, ob_connector_stop_async);
	for (size_t i = 0; i < b->o->children; i++) {
		ob_connector_close(b->children[i]);
	}
	ob_runtime_free(b->runtime);
	drain_main(b);
}

/* ---- The program ---- */

static const struct {
	const char *name, *unit;
	double per;
	int floor; /* figure of it; -1: none */
} shown[FIGURES] = {
    [START_FLOOR] = {"start_floor", "us", 1e3, -1},
    [START_FLOOR_CPU] = {"start_floor_cpu", "us", 1e3, -1},
    [START] = {"start", "us", 1e3, START_FLOOR},
    [START_CPU] = {"start_cpu", "us", 1e3, START_FLOOR_CPU},
    [RESTART_FLOOR] = {"restart_floor", "us", 1e3, -1},
    [RESTART] = {"restart", "us", 1e3, RESTART_FLOOR},
    [STATUS] = {"status", "us", 1e3, -1},
    [HEAP] = {"heap", "KiB", 1024, -1},
    [PSS] = {"pss", "KiB", 1024, -1},
    [STOP] = {"stop", "us", 1e3, -1},
};

static void show(struct bench *b)
{
	double medians[FIGURES];
	printf(b->o->json ? "{\"bench\": \"supervise\", \"children\": %zu, \"rpc\": %s"
			  : "supervise: %zu children, with calls and logs: %s; of each\n",
	       b->o->children, b->o->rpc ? "true" : "false");
	for (size_t i = 0; i < FIGURES; i++) {
		medians[i] = bench_quantile(b->figures[i], b->o->rounds, 0.5);
		double floor = shown[i].floor >= 0 ? medians[shown[i].floor] : 0;
		if (medians[i] > 0) {
			printf(b->o->json ? ", \"%s_%s\": %.2f" : "  %-16s %-4s %10.2f",
			       shown[i].name, shown[i].unit, medians[i] / shown[i].per);
		}
		if (floor > 0) {
			printf(b->o->json ? ", \"x_%s\": %.3f" : " %-14.0s %5.2f x floor",
			       shown[i].name, medians[i] / floor);
		}
		printf(b->o->json || medians[i] <= 0 ? "" : "\n");
	}
	printf(b->o->json ? "}\n" : "");
}

static void raise_files(size_t children)
{
	rlim_t want = children * FILES_A_CHILD + 1024;
	struct rlimit now;
	getrlimit(RLIMIT_NOFILE, &now);
	struct rlimit more = {want, want > now.rlim_max ? want : now.rlim_max};
	if (now.rlim_cur < want && setrlimit(RLIMIT_NOFILE, &more) < 0) {
		bench_die("descriptors", "the limit is too low for so many children");
	}
}

static void open_bench(struct bench *b)
{
	ssize_t n = readlink("/proc/self/exe", b->program, sizeof b->program - 16);
	char *slash = n > 0 ? strrchr(b->program, '/') : NULL;
	const char *tmp = getenv("TMPDIR");
	if (slash == NULL) {
		bench_die("the child", "its path is too long");
	}
	strcpy(slash + 1, "bench-sleeper");
	snprintf(b->directory, sizeof b->directory, "%.64s/bench-supervise-XXXXXX",
		 tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(b->directory) == NULL) {
		bench_die(b->directory, strerror(errno));
	}
	snprintf(b->fifo, sizeof b->fifo, "%.100s/main", b->directory);
	if (mkfifo(b->fifo, 0600) < 0 ||
	    (b->main_fd = open(b->fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0) {
		bench_die(b->fifo, strerror(errno));
	}
	b->children = calloc(b->o->children, sizeof(ob_connector *));
	if (b->children == NULL) {
		bench_die("children", "out of memory");
	}
}

static void close_bench(struct bench *b)
{
	char command[2 * PATH];
	snprintf(command, sizeof command, "rm -rf -- '%s'", b->directory);
	if (system(command) != 0) {
		bench_die(b->directory, "it cannot be removed");
	}
	free(b->children);
}

static const struct option known[] = {{"children", required_argument, NULL, 'c'},
				      {"rounds", required_argument, NULL, 'n'},
				      {"rpc", no_argument, NULL, 'r'},
				      {"json", no_argument, NULL, 'j'},
				      {"help", no_argument, NULL, 'h'},
				      {NULL, 0, NULL, 0}};

static bool read_options(int argc, char **argv, struct options *o)
{
	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		if (c == 'c') {
			o->children = strtoul(optarg, NULL, 10);
		} else if (c == 'n') {
			o->rounds = strtoul(optarg, NULL, 10);
		}
		o->rpc = o->rpc || c == 'r';
		o->json = o->json || c == 'j';
		if (c == 'h' || c == '?') {
			return false;
		}
	}
	return optind == argc && o->children >= 1 && o->children <= CHILDREN_MAX &&
	       o->rounds >= 1 && o->rounds <= ROUNDS_MAX;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	struct options o = {.children = 100, .rounds = ROUNDS};
	if (argc == 2 && strcmp(argv[1], "--serve") == 0) {
		return serve();
	}
	if (!read_options(argc, argv, &o)) {
		fputs("usage: bench-supervise [--children N] [--rounds N] [--rpc] [--json]\n",
		      stderr);
		return 2;
	}
	bench.o = &o;
	bench_child_lead();
	raise_files(o.children);
	open_bench(&bench);
	for (size_t round = 0; round < o.rounds; round++) {
		if (!o.rpc) {
			measure_floor(&bench, round);
		}
		measure_own(&bench, round);
	}
	show(&bench);
	close_bench(&bench);
	return 0;
}
