/* SPDX-License-Identifier: MIT */
/* What of the option `cgroup` makes a child that runs stale: its hash is another one. */
#include "api/connector_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static ob_runtime *runtime;

static void hash_of(const struct ob_cgroup *cgroup, char ret[65])
{
	static const char *const argv[] = {"/bin/true", NULL};
	const struct ob_connector_options options = {.size = sizeof options,
						     .name = "child",
						     .data_path = "/nowhere/child",
						     .argv = argv,
						     .cgroup = cgroup};
	struct obi_connector_settings settings = {0};
	struct ob_error err = {0};
	if (obi_connector_settings(runtime, &options, &settings, &err) < 0) {
		fail_msg("%s", err.text);
	}
	memcpy(ret, settings.hash, 65);
	obi_connector_settings_free(&settings);
}

static void each_part_of_a_cgroup_counts(void **state)
{
	const struct ob_cgroup cgroups[] = {
	    {.memory_max = 1},
	    {.memory_high = 1},
	    {.pids_max = 1},
	    {.cpu_max_us = 1000},
	    {.cpu_max_us = 1000, .cpu_period_us = 2000},
	    {.cpu_weight = 1},
	    {.io_weight = 1},
	    {.oom_group = true},
	    {.parent = "/sys/fs/cgroup/a"},
	    {.parent = "/sys/fs/cgroup/b"},
	    {.parent = NULL},
	};
	enum { COUNT = sizeof cgroups / sizeof cgroups[0] };
	char hashes[COUNT + 1][65], again[65];
	(void)state;
	for (size_t i = 0; i <= COUNT; i++) {
		struct ob_cgroup cgroup = i < COUNT ? cgroups[i] : (struct ob_cgroup){.size = 0};
		cgroup.size = sizeof cgroup;
		hash_of(i < COUNT ? &cgroup : NULL, hashes[i]);
		hash_of(i < COUNT ? &cgroup : NULL, again);
		assert_string_equal(hashes[i], again);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(hashes[i], hashes[j]);
		}
	}
}

static int setup(void **state)
{
	(void)state;
	return ob_runtime_new(NULL, &runtime, NULL);
}

static int teardown(void **state)
{
	(void)state;
	ob_runtime_free(runtime);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_part_of_a_cgroup_counts),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
