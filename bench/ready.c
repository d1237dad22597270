/* SPDX-License-Identifier: MIT */
/*
 * ready - from the start of a child to the answer of its first call, and the time of its stop.
 *
 *   bench-ready [--rounds N] [--name NAME] [--rpc MS] [--signal N] [--cleanup WORD]...
 *               DATA_PATH COMMAND...
 *
 * Each --cleanup adds a word to the cleanup command. Both commands may have the placeholders of a
 * config. Prints one line: the medians of both in milliseconds, and the shortest and longest start.
 * bench/beds.py does so for each recipe of the docs.
 */
#include <outboard/outboard.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 9, ROUNDS_MAX = 999, WORDS_MAX = 31 };

struct figures {
	double first[ROUNDS_MAX];
	double stop[ROUNDS_MAX];
};

static void fail(const char *what, const struct ob_error *err)
{
	fprintf(stderr, "bench-ready: %s: %s\n", what, err->text);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void one_round(ob_connector *child, ob_reply *reply, double *ret_first, double *ret_stop)
{
	struct ob_error err;
	double start = now_ms();
	if (ob_connector_start(child, 0, NULL, &err) < 0) {
		fail("start", &err);
	}
	if (ob_client_callf(ob_connector_client(child), 0, reply, &err, "outboard.ping", "[]") <
	    0) {
		fail("call", &err);
	}
	*ret_first = now_ms() - start;
	start = now_ms();
	if (ob_connector_stop(child, 0, NULL, &err) < 0) {
		fail("stop", &err);
	}
	*ret_stop = now_ms() - start;
}

static void measure(const struct ob_connector_options *options, int rounds, struct figures *f)
{
	struct ob_error err;
	ob_runtime *runtime = NULL;
	ob_connector *child = NULL;
	ob_reply *reply = NULL;
	if (ob_runtime_new(NULL, &runtime, &err) < 0 ||
	    ob_connector_new(runtime, options, &child, &err) < 0 ||
	    ob_reply_new(&reply, &err) < 0) {
		fail("setup", &err);
	}
	for (int i = 0; i < rounds; i++) {
		one_round(child, reply, &f->first[i], &f->stop[i]);
	}
	ob_reply_free(reply);
	ob_connector_close(child);
	ob_runtime_free(runtime);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof *values, compare);
	return values[count / 2];
}

static int usage(void)
{
	fputs("usage: bench-ready [--rounds N] [--name NAME] [--rpc MS] [--signal N] "
	      "[--cleanup WORD]... DATA_PATH COMMAND...\n",
	      stderr);
	return 2;
}

/* Read one option and its value. False: it is none of ours, or one word too many. */
static bool read_option(const char *name, const char *value, struct ob_connector_options *options,
			int *rounds)
{
	static const char *cleanup[WORDS_MAX + 1];
	static int words;
	if (strcmp(name, "--rounds") == 0) {
		*rounds = atoi(value);
	} else if (strcmp(name, "--name") == 0) {
		options->name = value;
	} else if (strcmp(name, "--rpc") == 0) {
		options->stop_rpc_ms = atoi(value);
	} else if (strcmp(name, "--signal") == 0) {
		options->stop_signal = atoi(value);
	} else if (strcmp(name, "--cleanup") == 0 && words < WORDS_MAX) {
		cleanup[words++] = value;
		options->cleanup = cleanup;
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct figures figures;
	struct ob_connector_options options = {
	    .size = sizeof options, .name = "bed", .placeholders = true};
	int rounds = ROUNDS, i = 1;
	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (!read_option(argv[i], argv[i + 1], &options, &rounds)) {
			return usage();
		}
	}
	if (i + 1 >= argc || rounds < 1 || rounds > ROUNDS_MAX) {
		return usage();
	}
	options.data_path = argv[i];
	options.argv = (const char *const *)argv + i + 1;
	measure(&options, rounds, &figures);
	double first = median(figures.first, rounds), stop = median(figures.stop, rounds);
	printf("first call %.1f ms (%.1f to %.1f), stop %.1f ms\n", first, figures.first[0],
	       figures.first[rounds - 1], stop);
	return 0;
}
