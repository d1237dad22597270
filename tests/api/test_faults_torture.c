/* SPDX-License-Identifier: MIT */
/* Rows 63 and 64, the ordinary run: each scenario of tests/torture runs once to count its fallible
 * calls, and then with one of them failing: the first at each place of the code that no earlier
 * scenario tried, and some chosen at random with a fixed seed. OB_TORTURE=all tries every one;
 * OB_TORTURE_SEED is another seed. Then each runs with a limit of memory. */
#include "support/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support/scratch.h"

/* Several at once, since most of them wait for a timeout. */
enum { TRIES = 10, AT_ONCE = 8, SEED = 20231107, OUTPUT = 4096, PLACES = 4096 };

static uint64_t dice;

/* splitmix64: the same numbers everywhere */
static uint64_t roll(void)
{
	uint64_t z = (dice += 0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* ---- Places: the callers of a call that fails ---- */

static unsigned long tried[PLACES]; /* the places of all scenarios */
static size_t tried_count;
static unsigned long fresh[PLACES]; /* the first call at each place that is new */
static size_t fresh_count;

static void take_place(unsigned long call, unsigned long id)
{
	for (size_t i = 0; i < tried_count; i++) {
		if (tried[i] == id) {
			return;
		}
	}
	assert_true(tried_count < PLACES);
	tried[tried_count++] = id;
	fresh[fresh_count++] = call;
}

/* ---- One run of a scenario ---- */

struct trial {
	const char *scenario;
	unsigned long n; /* the call that fails; 0: none */
	long room;	 /* KiB of memory that it may take; -1: as many as it wants */
	char *dir;
	struct program program;
	bool running;
};

static void begin(struct trial *t, const char *scenario, unsigned long n, long room)
{
	char number[32], limit[48];
	*t = (struct trial){
	    .scenario = scenario, .n = n, .room = room, .dir = scratch_make(), .running = true};
	char *data = scratch_text("%s/data", t->dir);
	char *torture = scratch_text("%s/children/child-torture", scratch_env("OB_TEST_BUILD"));
	char *actor = scratch_text("%s/children/child-actor", scratch_env("OB_TEST_BUILD"));
	/* By its name: LD_PRELOAD cannot contain a path with a blank. */
	char *library_path = scratch_text("LD_LIBRARY_PATH=%s/shim", scratch_env("OB_TEST_BUILD"));
	const char *argv[] = {torture, scenario, number, data, actor, NULL};
	const char *shim[] = {"LD_PRELOAD=shim-fail.so", library_path, NULL};
	const char *starve[] = {limit, NULL};
	snprintf(limit, sizeof limit, "OB_TORTURE_ROOM=%ld", room);
	snprintf(number, sizeof number, "%lu", n);
	assert_int_equal(mkdir(data, 0700), 0);
	program_begin(&t->program, argv, room < 0 ? shim : starve);
	free(library_path);
	free(actor);
	free(torture);
	free(data);
}

/* Returns the number of fallible calls. */
static unsigned long end(struct trial *t)
{
	char told[OUTPUT] = "";
	unsigned long calls = 0, call = 0, place = 0;
	struct program *p = &t->program;
	for (const char *line = program_line(p); line != NULL; line = program_line(p)) {
		size_t len = strlen(told);
		if (sscanf(line, "place %lu %lx", &call, &place) == 2) {
			take_place(call, place);
			continue;
		}
		(void)sscanf(line, "calls %lu", &calls);
		snprintf(told + len, sizeof told - len, "    %s\n", line);
	}
	int status = program_end(p);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || strstr(told, "    end\n") == NULL) {
		fail_msg("%s %lu, %ld KiB: status %x\n%s", t->scenario, t->n, t->room,
			 (unsigned)status, told);
	}
	scratch_remove(t->dir);
	t->running = false;
	return calls;
}

/* ---- Many ---- */

/* Which calls fail: each once where there are no more than tries, else the first at each new place
 * and some at random. */
static unsigned long pick(unsigned long i, unsigned long calls, unsigned long tries)
{
	return tries >= calls ? i + 1 : i < fresh_count ? fresh[i] : 1 + roll() % calls;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static void torture(const char *scenario, bool every)
{
	struct trial trials[AT_ONCE] = {{0}};
	if (SANITIZED) {
		print_message(
		    "skipped: a sanitizer and the shim cannot both stand before malloc\n");
		skip();
	}
	const char *seed = getenv("OB_TORTURE_SEED");
	dice = seed != NULL ? strtoull(seed, NULL, 10) : SEED;
	fresh_count = 0;
	begin(&trials[0], scenario, 0, -1);
	unsigned long calls = end(&trials[0]);
	unsigned long tries = fresh_count + TRIES;
	every = every || getenv("OB_TORTURE") != NULL || calls < tries;
	tries = every ? calls : tries;
	print_message("  %s: %lu of %lu calls, seed %llu\n", scenario, tries, calls,
		      (unsigned long long)dice);
	assert_true(calls > 0);
	for (unsigned long i = 0; i < tries + AT_ONCE; i++) {
		struct trial *t = &trials[i % AT_ONCE];
		if (t->running) {
			(void)end(t);
		}
		if (i < tries) {
			begin(t, scenario, pick(i, calls, tries), -1);
		}
	}
}

#define SCENARIO(name)                            \
	static void fault_63_##name(void **state) \
	{                                         \
		(void)state;                      \
		torture(#name, false);            \
	}

SCENARIO(start)
SCENARIO(start_nothing)
SCENARIO(start_short)
SCENARIO(start_options)
SCENARIO(check_options)
SCENARIO(stop)
SCENARIO(stop_stubborn)
SCENARIO(detach)
SCENARIO(adopt)
SCENARIO(adopt_nothing)
SCENARIO(restart)
SCENARIO(supervise)
SCENARIO(control)
SCENARIO(callback)
SCENARIO(child_logs)
SCENARIO(serve)
SCENARIO(client)
SCENARIO(noise)
SCENARIO(tcp)
SCENARIO(json)
SCENARIO(big)
SCENARIO(huge)
SCENARIO(huge_json)
SCENARIO(errors)
SCENARIO(deferred)
SCENARIO(async)
SCENARIO(connect_async)
SCENARIO(config)
SCENARIO(log)
SCENARIO(log_reader)
SCENARIO(replace)
SCENARIO(values)
SCENARIO(parse)
SCENARIO(watch)
SCENARIO(plugins)

/* A server that loses its rules allows everything: every failure is tried. */
static void fault_63_rules(void **state)
{
	(void)state;
	torture("rules", true);
}

/* ---- A limit of memory ---- */

/* KiB. From "nothing more" to what all of them have enough of. A thread takes 8 MiB. */
static const long rooms[] = {0,	    16,	   32,	  64,	 96,	128,   192,   256,  512,  1024,
			     2048,  4096,  8192,  8320,	 8448,	8576,  8704,  8960, 9216, 9728,
			     10240, 11264, 12288, 14336, 16384, 20480, 24576, 32768};
enum { ROOMS = sizeof rooms / sizeof rooms[0] };

static void fault_64_a_limit_of_memory_is_an_error_and_no_more(void **state)
{
	static const char *const scenarios[] = {
	    "start", "stop",	   "callback", "child_logs", "control",	  "client",
	    "json",  "noise",	   "big",      "huge",	     "huge_json", "config",
	    "log",   "log_reader", "values",   "parse",	     "plugins"};
	enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };
	struct trial trials[AT_ONCE] = {{0}};
	(void)state;
	if (SANITIZED) {
		print_message("skipped: a sanitizer takes terabytes of address space\n");
		skip();
	}
	for (size_t i = 0; i < SCENARIOS * ROOMS + AT_ONCE; i++) {
		struct trial *t = &trials[i % AT_ONCE];
		if (t->running) {
			(void)end(t);
		}
		if (i < SCENARIOS * ROOMS) {
			begin(t, scenarios[i / ROOMS], 0, rooms[i % ROOMS]);
		}
	}
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(fault_63_start),
    cmocka_unit_test(fault_63_start_nothing),
    cmocka_unit_test(fault_63_start_short),
    cmocka_unit_test(fault_63_start_options),
    cmocka_unit_test(fault_63_check_options),
    cmocka_unit_test(fault_63_stop),
    cmocka_unit_test(fault_63_stop_stubborn),
    cmocka_unit_test(fault_63_detach),
    cmocka_unit_test(fault_63_adopt),
    cmocka_unit_test(fault_63_adopt_nothing),
    cmocka_unit_test(fault_63_restart),
    cmocka_unit_test(fault_63_supervise),
    cmocka_unit_test(fault_63_control),
    cmocka_unit_test(fault_63_callback),
    cmocka_unit_test(fault_63_child_logs),
    cmocka_unit_test(fault_63_serve),
    cmocka_unit_test(fault_63_client),
    cmocka_unit_test(fault_63_noise),
    cmocka_unit_test(fault_63_tcp),
    cmocka_unit_test(fault_63_json),
    cmocka_unit_test(fault_63_rules),
    cmocka_unit_test(fault_63_big),
    cmocka_unit_test(fault_63_huge),
    cmocka_unit_test(fault_63_huge_json),
    cmocka_unit_test(fault_63_errors),
    cmocka_unit_test(fault_63_deferred),
    cmocka_unit_test(fault_63_async),
    cmocka_unit_test(fault_63_connect_async),
    cmocka_unit_test(fault_63_config),
    cmocka_unit_test(fault_63_log),
    cmocka_unit_test(fault_63_log_reader),
    cmocka_unit_test(fault_63_replace),
    cmocka_unit_test(fault_63_values),
    cmocka_unit_test(fault_63_parse),
    cmocka_unit_test(fault_63_watch),
    cmocka_unit_test(fault_63_plugins),
    cmocka_unit_test(fault_64_a_limit_of_memory_is_an_error_and_no_more),
};

int main(void)
{
	program_adopt_orphans();
	return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}
