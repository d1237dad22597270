/* SPDX-License-Identifier: MIT */
/* Row 63, the ordinary run: each scenario of tests/torture runs once to count its fallible calls,
 * and then with one of them failing, for some chosen at random with a fixed seed.
 * OB_TORTURE=all tries every one; OB_TORTURE_SEED is another seed. */
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
enum { TRIES = 25, AT_ONCE = 8, SEED = 20231107, OUTPUT = 4096 };

static uint64_t dice;

/* splitmix64: the same numbers everywhere */
static uint64_t roll(void)
{
	uint64_t z = (dice += 0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* ---- One run of a scenario ---- */

struct trial {
	const char *scenario;
	unsigned long n; /* the call that fails; 0: none */
	char *dir;
	struct program program;
	bool running;
};

static void begin(struct trial *t, const char *scenario, unsigned long n)
{
	char number[32];
	*t = (struct trial){.scenario = scenario, .n = n, .dir = scratch_make(), .running = true};
	char *data = scratch_text("%s/data", t->dir);
	char *torture = scratch_text("%s/children/child-torture", scratch_env("OB_TEST_BUILD"));
	char *actor = scratch_text("%s/children/child-actor", scratch_env("OB_TEST_BUILD"));
	/* By its name: LD_PRELOAD cannot contain a path with a blank. */
	char *library_path = scratch_text("LD_LIBRARY_PATH=%s/shim", scratch_env("OB_TEST_BUILD"));
	const char *argv[] = {torture, scenario, number, data, actor, NULL};
	const char *env[] = {"LD_PRELOAD=shim-fail.so", library_path, NULL};
	snprintf(number, sizeof number, "%lu", n);
	assert_int_equal(mkdir(data, 0700), 0);
	program_begin(&t->program, argv, env);
	free(library_path);
	free(actor);
	free(torture);
	free(data);
}

/* Returns the number of fallible calls. */
static unsigned long end(struct trial *t)
{
	char told[OUTPUT] = "";
	unsigned long calls = 0;
	struct program *p = &t->program;
	for (const char *line = program_line(p); line != NULL; line = program_line(p)) {
		size_t len = strlen(told);
		(void)sscanf(line, "calls %lu", &calls);
		snprintf(told + len, sizeof told - len, "    %s\n", line);
	}
	int status = program_end(p);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || strstr(told, "    end\n") == NULL) {
		fail_msg("%s %lu: status %x\n%s", t->scenario, t->n, (unsigned)status, told);
	}
	scratch_remove(t->dir);
	t->running = false;
	return calls;
}

/* ---- Many ---- */

/* Which calls fail: each once where there are no more than tries, else some at random. */
static unsigned long pick(unsigned long i, unsigned long calls, unsigned long tries)
{
	return tries >= calls ? i + 1 : 1 + roll() % calls;
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
	begin(&trials[0], scenario, 0);
	unsigned long calls = end(&trials[0]);
	every = every || getenv("OB_TORTURE") != NULL || calls < TRIES;
	unsigned long tries = every ? calls : TRIES;
	print_message("  %s: %lu of %lu calls, seed %llu\n", scenario, tries, calls,
		      (unsigned long long)dice);
	assert_true(calls > 0);
	for (unsigned long i = 0; i < tries + AT_ONCE; i++) {
		struct trial *t = &trials[i % AT_ONCE];
		if (t->running) {
			(void)end(t);
		}
		if (i < tries) {
			begin(t, scenario, pick(i, calls, tries));
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
SCENARIO(errors)
SCENARIO(deferred)
SCENARIO(async)
SCENARIO(connect_async)
SCENARIO(config)
SCENARIO(log)
SCENARIO(log_reader)
SCENARIO(replace)
SCENARIO(values)
SCENARIO(watch)
SCENARIO(plugins)

/* A server that loses its rules allows everything: every failure is tried. */
static void fault_63_rules(void **state)
{
	(void)state;
	torture("rules", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_63_start),	      cmocka_unit_test(fault_63_start_nothing),
	    cmocka_unit_test(fault_63_start_short),   cmocka_unit_test(fault_63_start_options),
	    cmocka_unit_test(fault_63_check_options), cmocka_unit_test(fault_63_stop),
	    cmocka_unit_test(fault_63_stop_stubborn), cmocka_unit_test(fault_63_detach),
	    cmocka_unit_test(fault_63_adopt),	      cmocka_unit_test(fault_63_adopt_nothing),
	    cmocka_unit_test(fault_63_restart),	      cmocka_unit_test(fault_63_supervise),
	    cmocka_unit_test(fault_63_control),	      cmocka_unit_test(fault_63_callback),
	    cmocka_unit_test(fault_63_child_logs),    cmocka_unit_test(fault_63_serve),
	    cmocka_unit_test(fault_63_client),	      cmocka_unit_test(fault_63_noise),
	    cmocka_unit_test(fault_63_tcp),	      cmocka_unit_test(fault_63_json),
	    cmocka_unit_test(fault_63_rules),	      cmocka_unit_test(fault_63_big),
	    cmocka_unit_test(fault_63_errors),	      cmocka_unit_test(fault_63_deferred),
	    cmocka_unit_test(fault_63_async),	      cmocka_unit_test(fault_63_connect_async),
	    cmocka_unit_test(fault_63_config),	      cmocka_unit_test(fault_63_log),
	    cmocka_unit_test(fault_63_log_reader),    cmocka_unit_test(fault_63_replace),
	    cmocka_unit_test(fault_63_values),	      cmocka_unit_test(fault_63_watch),
	    cmocka_unit_test(fault_63_plugins),
	};
	program_adopt_orphans();
	return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}
