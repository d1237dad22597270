/* SPDX-License-Identifier: MIT */
/* Row 63, the ordinary run: each scenario of tests/children/torture.c runs once to count its
 * fallible calls, and then with one of them failing, for some chosen at random with a fixed
 * seed. OB_TORTURE=all tries every one; OB_TORTURE_SEED is another seed. */
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

enum { TRIES = 25, SEED = 20231107 };

static uint64_t dice;

/* splitmix64: the same numbers everywhere */
static uint64_t roll(void)
{
	uint64_t z = (dice += 0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Run a scenario with its nth call failing (0: none). Returns the number of calls. */
static unsigned long run(const char *scenario, unsigned long n)
{
	char number[32], told[4096] = "";
	char *dir = scratch_make(), *data = scratch_text("%s/data", dir);
	char *torture = scratch_text("%s/children/child-torture", scratch_env("OB_TEST_BUILD"));
	char *actor = scratch_text("%s/children/child-actor", scratch_env("OB_TEST_BUILD"));
	/* By its name: LD_PRELOAD cannot contain a path with a blank. */
	char *preload = scratch_text("LD_PRELOAD=shim-fail.so");
	char *library_path = scratch_text("LD_LIBRARY_PATH=%s/shim", scratch_env("OB_TEST_BUILD"));
	char *asan = scratch_text("ASAN_OPTIONS=%s:verify_asan_link_order=0",
				  getenv("ASAN_OPTIONS") != NULL ? getenv("ASAN_OPTIONS") : "");
	const char *argv[] = {torture, scenario, number, data, actor, NULL};
	const char *env[] = {preload, library_path, asan, NULL};
	struct program p;
	unsigned long calls = 0;
	snprintf(number, sizeof number, "%lu", n);
	assert_int_equal(mkdir(data, 0700), 0);
	program_begin(&p, argv, env);
	for (const char *line = program_line(&p); line != NULL; line = program_line(&p)) {
		(void)sscanf(line, "calls %lu", &calls);
		snprintf(told + strlen(told), sizeof told - strlen(told), "    %s\n", line);
	}
	int status = program_end(&p);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || strstr(told, "    end\n") == NULL) {
		fail_msg("%s %lu: status %x\n%s", scenario, n, (unsigned)status, told);
	}
	free(preload);
	free(library_path);
	free(asan);
	free(actor);
	free(torture);
	free(data);
	scratch_remove(dir);
	return calls;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static void torture(const char *scenario)
{
	if (SANITIZED) {
		print_message(
		    "skipped: a sanitizer and the shim cannot both stand before malloc\n");
		skip();
	}
	const char *how = getenv("OB_TORTURE"), *seed = getenv("OB_TORTURE_SEED");
	unsigned long calls = run(scenario, 0), tries = how != NULL ? calls : TRIES;
	dice = seed != NULL ? strtoull(seed, NULL, 10) : SEED;
	print_message("  %s: %lu calls, seed %llu\n", scenario, calls, (unsigned long long)dice);
	assert_true(calls > 0);
	for (unsigned long i = 1; i <= tries; i++) {
		(void)run(scenario, how != NULL ? i : 1 + roll() % calls);
	}
}

#define SCENARIO(name)                            \
	static void fault_63_##name(void **state) \
	{                                         \
		(void)state;                      \
		torture(#name);                   \
	}

SCENARIO(start)
SCENARIO(adopt)
SCENARIO(restart)
SCENARIO(serve)
SCENARIO(client)
SCENARIO(config)
SCENARIO(log)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_63_start),	cmocka_unit_test(fault_63_adopt),
	    cmocka_unit_test(fault_63_restart), cmocka_unit_test(fault_63_serve),
	    cmocka_unit_test(fault_63_client),	cmocka_unit_test(fault_63_config),
	    cmocka_unit_test(fault_63_log),
	};
	program_adopt_orphans();
	return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}
