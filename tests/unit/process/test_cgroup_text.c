/* SPDX-License-Identifier: MIT */
/* The texts of cgroup v2 and of /proc, and the limits as they are written. */
#include "process/cgroup_text.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "process/cgroup_limits.h"

static void the_own_path_is_that_of_v2(void **state)
{
	(void)state;
	static const struct {
		const char *text, *path;
	} cases[] = {
	    {"0::/\n", "/"},
	    {"0::/user.slice/user-1.slice\n", "/user.slice/user-1.slice"},
	    {"4:memory:/x\n1:name=systemd:/y\n0::/z\n", "/z"},
	    {"0::/a b:c\n", "/a b:c"},
	    {"0::/x", "/x"},
	    {"4:memory:/x\n", NULL},
	    {"10::/x\n", NULL},
	    {"0::\n", NULL},
	    {"0::x\n", NULL},
	    {"", NULL},
	    {"0::/12345678901234567890123456789012\n", NULL}, /* it does not fit */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char path[32] = "";
		bool found = obi_cgroup_own_path(ob_bytes_text(cases[i].text), path, sizeof path);
		assert_int_equal(found, cases[i].path != NULL);
		if (found) {
			assert_string_equal(path, cases[i].path);
		}
	}
}

static void controllers_of_v1_are_told(void **state)
{
	(void)state;
	struct ob_bytes text = ob_bytes_text("5:cpu,cpuacct:/\n4:memory:/x\n0::/cpuset\n");
	assert_true(obi_cgroup_is_v1(text, "cpu"));
	assert_true(obi_cgroup_is_v1(text, "cpuacct"));
	assert_true(obi_cgroup_is_v1(text, "memory"));
	assert_false(obi_cgroup_is_v1(text, "cpuset"));
	assert_false(obi_cgroup_is_v1(text, "pids"));
	assert_false(obi_cgroup_is_v1(text, ""));
}

#define TMPFS  "30 22 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
#define MEMORY "35 30 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

static void directories_are_found_below_mounts(void **state)
{
	(void)state;
	static const struct {
		const char *mounts, *path, *dir;
		bool mounted;
	} cases[] = {
	    {"21 19 0:19 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n", "/",
	     "/sys/fs/cgroup", true},
	    {"21 19 0:19 / /sys/fs/cgroup rw,relatime shared:4 master:2 - cgroup2 c rw\n", "/a/b",
	     "/sys/fs/cgroup/a/b", true},
	    {TMPFS MEMORY "40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "/x",
	     "/sys/fs/cgroup/unified/x", true},
	    /* A part of the hierarchy is mounted. */
	    {"40 30 0:37 /a /mnt rw - cgroup2 cgroup2 rw\n", "/a/b", "/mnt/b", true},
	    {"40 30 0:37 /a /mnt rw - cgroup2 cgroup2 rw\n", "/a", "/mnt", true},
	    {"40 30 0:37 /a /mnt rw - cgroup2 cgroup2 rw\n", "/ab", NULL, true},
	    {"40 30 0:37 /a /mnt rw - cgroup2 cgroup2 rw\n", "/", NULL, true},
	    {"40 30 0:37 /../.. /mnt rw - cgroup2 c rw\n41 30 0:37 / /n rw - cgroup2 c rw\n", "/a",
	     "/n/a", true},
	    {"40 30 0:37 / /with\\040blank\\134 rw - cgroup2 cgroup2 rw\n", "/a", "/with blank\\/a",
	     true},
	    {TMPFS MEMORY, "/a", NULL, false},
	    {"40 30 0:37 / /mnt rw cgroup2 cgroup2 rw\n", "/a", NULL, false}, /* no dash */
	    {"40 30 0:37 / /mnt\n", "/a", NULL, false},
	    {"", "/a", NULL, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char dir[64] = "";
		bool mounted;
		bool found = obi_cgroup_directory(ob_bytes_text(cases[i].mounts), cases[i].path,
						  dir, sizeof dir, &mounted);
		assert_int_equal(found, cases[i].dir != NULL);
		assert_int_equal(mounted, cases[i].mounted);
		if (found) {
			assert_string_equal(dir, cases[i].dir);
		}
	}
}

static void a_directory_that_does_not_fit_is_not_found(void **state)
{
	(void)state;
	char dir[9];
	bool mounted;
	struct ob_bytes text = ob_bytes_text("40 30 0:37 / /mnt rw - cgroup2 cgroup2 rw\n");
	assert_true(obi_cgroup_directory(text, "/abc", dir, 9, &mounted));
	assert_false(obi_cgroup_directory(text, "/abc", dir, 8, &mounted));
}

static void values_of_files_are_read(void **state)
{
	(void)state;
	uint64_t number = 7;
	struct ob_bytes events = ob_bytes_text("low 0\nmax 12\noom 2\noom_kill 3\n");
	assert_true(obi_cgroup_value(events, "oom_kill", &number));
	assert_int_equal(number, 3);
	assert_true(obi_cgroup_value(events, "oom", &number));
	assert_int_equal(number, 2);
	assert_false(obi_cgroup_value(events, "oom_", &number));
	assert_false(obi_cgroup_value(ob_bytes_text("oom_kill -1\n"), "oom_kill", &number));
	assert_false(obi_cgroup_value(ob_bytes_text("oom_kill"), "oom_kill", &number));
	assert_true(obi_cgroup_value(ob_bytes_text("usage_usec 18446744073709551615\n"),
				     "usage_usec", &number));
	assert_true(number == UINT64_MAX);
	assert_false(obi_cgroup_value(ob_bytes_text("usage_usec 18446744073709551616\n"),
				      "usage_usec", &number));
	assert_true(obi_cgroup_number(ob_bytes_text("max\n"), &number));
	assert_true(number == UINT64_MAX);
	assert_true(obi_cgroup_number(ob_bytes_text("4096\n"), &number));
	assert_int_equal(number, 4096);
	assert_false(obi_cgroup_number(ob_bytes_text("4096\n1\n"), &number));
	assert_false(obi_cgroup_number(ob_bytes_text("\n"), &number));
	assert_false(obi_cgroup_number(ob_bytes_text(""), &number));
	assert_true(obi_cgroup_has_word(ob_bytes_text("cpu io memory pids\n"), "pids"));
	assert_false(obi_cgroup_has_word(ob_bytes_text("cpuset io\n"), "cpu"));
}

static void pids_are_read_one_by_one(void **state)
{
	(void)state;
	struct ob_bytes text = ob_bytes_text("12\n0\nx\n99999999999\n7");
	size_t at = 0;
	int32_t pid = -1;
	assert_true(obi_cgroup_next_pid(text, &at, &pid));
	assert_int_equal(pid, 12);
	assert_true(obi_cgroup_next_pid(text, &at, &pid));
	assert_int_equal(pid, 0);
	assert_true(obi_cgroup_next_pid(text, &at, &pid));
	assert_int_equal(pid, 7);
	assert_false(obi_cgroup_next_pid(text, &at, &pid));
}

/* ---- Limits ---- */

static void limits_are_written_as_the_kernel_reads_them(void **state)
{
	(void)state;
	static const struct ob_cgroup all = {.size = sizeof all,
					     .memory_max = 67108864,
					     .memory_high = 1,
					     .pids_max = 10,
					     .cpu_max_us = 50000,
					     .cpu_weight = 10000,
					     .io_weight = 1,
					     .oom_group = true};
	static const struct ob_cgroup none = {.size = sizeof none};
	static const char *const wanted[][3] = {
	    {"memory.max", "memory", "67108864"},
	    {"memory.high", "memory", "1"},
	    {"memory.oom.group", "memory", "1"},
	    {"pids.max", "pids", "10"},
	    {"cpu.max", "cpu", "50000 100000"},
	    {"cpu.weight", "cpu", "10000"},
	    {"io.weight", "io", "1"},
	};
	for (int i = 0; i < OBI_CGROUP_LIMITS; i++) {
		struct obi_cgroup_limit limit = obi_cgroup_limit_at(&all, i);
		assert_string_equal(limit.file, wanted[i][0]);
		assert_string_equal(limit.controller, wanted[i][1]);
		assert_string_equal(limit.value, wanted[i][2]);
		assert_string_equal(obi_cgroup_limit_at(&none, i).value, "");
	}
	assert_string_equal(obi_cgroup_needs(&all, "io"), "io.weight");
	assert_null(obi_cgroup_needs(&none, "io"));
	assert_null(obi_cgroup_needs(&all, "cpuset"));
}

static void limits_out_of_range_are_named(void **state)
{
	(void)state;
	static const struct {
		struct ob_cgroup cgroup;
		const char *word; /* NULL: they are fine */
	} cases[] = {
	    {{.memory_max = INT64_MAX}, NULL},
	    {{.memory_max = UINT64_MAX}, "memory.max"},
	    {{.pids_max = 4194305}, "pids.max"},
	    {{.cpu_weight = 10001}, "cpu.weight"},
	    {{.io_weight = 10001}, "io.weight"},
	    {{.cpu_max_us = 999}, "cpu.max"},
	    {{.cpu_max_us = 1000, .cpu_period_us = 1000000}, NULL},
	    {{.cpu_max_us = 1000, .cpu_period_us = 1000001}, "period"},
	    {{.cpu_max_us = 1000, .cpu_period_us = 999}, "period"},
	    {{.cpu_period_us = 100000}, "period"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ob_error err = {0};
		int r = obi_cgroup_limits_check(&cases[i].cgroup, &err);
		assert_int_equal(r, cases[i].word == NULL ? OB_OK : OB_EINVAL);
		if (r < 0) {
			assert_non_null(strstr(err.text, cases[i].word));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_own_path_is_that_of_v2),
	    cmocka_unit_test(controllers_of_v1_are_told),
	    cmocka_unit_test(directories_are_found_below_mounts),
	    cmocka_unit_test(a_directory_that_does_not_fit_is_not_found),
	    cmocka_unit_test(values_of_files_are_read),
	    cmocka_unit_test(pids_are_read_one_by_one),
	    cmocka_unit_test(limits_are_written_as_the_kernel_reads_them),
	    cmocka_unit_test(limits_out_of_range_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
