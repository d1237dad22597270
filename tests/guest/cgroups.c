/* SPDX-License-Identifier: MIT */
/*
 * cgroups - limits of children, in a guest whose cgroup v2 has all controllers. It mounts that
 * itself. The children are this program:
 *
 *   eat          takes memory until it is killed
 *   keep MIB     takes so much and stays
 *   bomb         starts itself again and again, each in a session of its own
 *   user CGROUP  starts a child with limits, as an ordinary user to whom CGROUP is delegated
 */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/scratch.h"
#include "support/v2.h"

#define ROOT "/sys/fs/cgroup"

enum { MIB = 1 << 20, BOMB_PIDS = 20, ORDINARY = 1000 };

extern char **environ;

static struct family f;
static struct ob_cgroup cgroup;
static char *root, program[4096];
static const char *argv_of_child[5];

/* ---- The children ---- */

static void take_memory(long mib)
{
	for (long i = 0; i < mib; i++) {
		char *more = malloc(MIB);
		if (more != NULL) {
			memset(more, (int)i + 1, MIB);
		}
	}
}

static void explode(void)
{
	char *argv[] = {program, (char *)(uintptr_t) "bomb", NULL};
	posix_spawnattr_t attr;
	pid_t pid;
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	for (;;) {
		(void)posix_spawn(&pid, program, NULL, &attr, argv, environ);
	}
}

/* ---- The bed ---- */

static int setup(void **state)
{
	(void)state;
	root = v2_make();
	assert_non_null(root);
	cgroup = (struct ob_cgroup){.size = sizeof cgroup, .parent = root};
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.ready = OB_READY_NONE;
	f.options.health_interval_ms = -1;
	f.options.restart.on = OB_RESTART_NEVER;
	f.options.cgroup = &cgroup;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	family_end(&f);
	char *left = v2_only(root, "outboard-actor-");
	assert_null(left);
	v2_remove(root);
	return 0;
}

static void use_command(const char *a, const char *b, const char *c, const char *d)
{
	argv_of_child[0] = a;
	argv_of_child[1] = b;
	argv_of_child[2] = c;
	argv_of_child[3] = d;
	f.options.argv = argv_of_child;
}

/* This program in this mode, with an argument or NULL. */
static void use(const char *mode, const char *argument)
{
	use_command(program, mode, argument, NULL);
}

static void use_shell(const char *script, const char *argument)
{
	use_command("/bin/sh", "-c", script, argument);
}

static void launch(void)
{
	struct ob_error err;
	family_connector(&f);
	if (ob_connector_start(f.connector, 0, NULL, &err) < 0) {
		fail_msg("%s", err.text);
	}
}

static void run_to_its_end(void)
{
	launch();
	family_await(&f, OB_EVENT_FAILED, 1);
}

static void expect_error(const char *wanted)
{
	struct ob_status status = family_status(&f);
	if (strstr(status.last_error, wanted) == NULL || strstr(f.cause, wanted) == NULL) {
		fail_msg("\"%s\" is neither in \"%s\" nor in \"%s\"", wanted, status.last_error,
			 f.cause);
	}
}

/* ---- Memory ---- */

static void memory_that_runs_out_is_named(void **state)
{
	(void)state;
	cgroup.memory_max = 8 * MIB;
	use("eat", NULL);
	run_to_its_end();
	expect_error("killed: out of memory (cgroup)");
	assert_int_equal(f.last_exit.exit_kind, OB_EXIT_SIGNAL);
	assert_int_equal(f.last_exit.exit_value, 9);
	assert_true(f.last_exit.usage.oom_kills >= 1);
	assert_true(family_status(&f).usage.oom_kills >= 1);
}

/* Without oom.group the kernel kills one process. */
static void the_runner_of_one_that_was_killed_tells(void **state)
{
	(void)state;
	cgroup.memory_max = 8 * MIB;
	use_shell("\"$0\" eat; exit 7", program);
	run_to_its_end();
	assert_int_equal(f.last_exit.exit_kind, OB_EXIT_CODE);
	assert_int_equal(f.last_exit.exit_value, 7);
	expect_error("exited with status 7; out of memory in its cgroup (1 killed)");
}

static void a_group_is_killed_as_a_whole(void **state)
{
	(void)state;
	cgroup.memory_max = 8 * MIB;
	cgroup.oom_group = true;
	use_shell("\"$0\" eat; exit 7", program);
	run_to_its_end();
	expect_error("killed: out of memory (cgroup)");
	assert_true(f.last_exit.usage.oom_kills >= 2);
}

static bool shows_memory(void *user)
{
	(void)user;
	return family_status(&f).usage.memory > 16 * MIB;
}

static void what_it_uses_is_shown(void **state)
{
	(void)state;
	cgroup.memory_max = 64 * MIB;
	cgroup.memory_high = 60 * MIB;
	use("keep", "16");
	launch();
	family_until(&f, shows_memory, NULL);
	struct ob_cgroup_usage usage = family_status(&f).usage;
	assert_true(usage.memory <= 64 * MIB);
	assert_true(usage.memory_peak == -1 || usage.memory_peak >= usage.memory);
	assert_true(usage.cpu_us > 0);
	assert_int_equal(usage.pids, 1);
	assert_int_equal(usage.oom_kills, 0);
	assert_int_equal(ob_connector_stop(f.connector, 0, NULL, NULL), OB_OK);
	assert_string_equal(family_status(&f).last_error, "");
	assert_true(f.last_exit.usage.cpu_us > 0);
}

/* ---- Processes ---- */

static void more_processes_than_allowed_are_refused(void **state)
{
	(void)state;
	cgroup.pids_max = 4;
	use_shell("for i in 1 2 3 4 5 6; do sleep 1000 & done; exit 0", NULL);
	run_to_its_end();
	assert_int_not_equal(f.last_exit.exit_value, 0);
	assert_true(f.last_exit.usage.pids <= 4);
}

static bool is_full(void *user)
{
	char *path = user;
	return v2_count(path) == BOMB_PIDS;
}

static void a_fork_bomb_is_stopped(void **state)
{
	(void)state;
	struct ob_error err;
	cgroup.pids_max = BOMB_PIDS;
	cgroup.cpu_max_us = 20000;
	cgroup.cpu_weight = 1;
	f.options.stop_timeout_ms = 1;
	use("bomb", NULL);
	launch();
	char *path = v2_only(root, "outboard-actor-");
	family_until(&f, is_full, path);
	if (ob_connector_stop(f.connector, 0, NULL, &err) < 0) {
		fail_msg("%s", err.text);
	}
	assert_int_equal(access(path, F_OK), -1);
	free(path);
}

/* The first line of the file in the child's cgroup. */
static void expect_line(const char *name, const char *wanted)
{
	char text[64] = "", *path = v2_only(root, "outboard-actor-");
	char *file_path = scratch_text("%s/%s", path, name);
	FILE *file = fopen(file_path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof text, file));
	assert_string_equal(text, wanted);
	fclose(file);
	free(file_path);
	free(path);
}

static void limits_are_in_the_files(void **state)
{
	static const char *const wanted[][2] = {
	    {"memory.max", "50331648\n"}, {"memory.high", "41943040\n"},
	    {"memory.oom.group", "1\n"},  {"pids.max", "9\n"},
	    {"cpu.max", "30000 60000\n"}, {"cpu.weight", "77\n"},
	};
	(void)state;
	cgroup = (struct ob_cgroup){.size = sizeof cgroup,
				    .parent = root,
				    .memory_max = 48 * MIB,
				    .memory_high = 40 * MIB,
				    .pids_max = 9,
				    .cpu_max_us = 30000,
				    .cpu_period_us = 60000,
				    .cpu_weight = 77,
				    .oom_group = true};
	use("keep", "1");
	launch();
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		expect_line(wanted[i][0], wanted[i][1]);
	}
}

/* ---- Where it cannot be ---- */

static void expect_refused(int code, const char *wanted)
{
	struct ob_error err = {0};
	int r = ob_connector_start(f.connector, 0, NULL, &err);
	assert_int_equal(r, code);
	if (strstr(err.text, wanted) == NULL) {
		fail_msg("\"%s\" is not in \"%s\"", wanted, err.text);
	}
}

/* io.weight is there for every cgroup but the root, in a kernel that was built with
 * CONFIG_BLK_CGROUP_IOCOST: that of an emulated machine, and not user-mode Linux. */
static bool kernel_has_io_weight(void)
{
	(void)v2_write(ROOT, "cgroup.subtree_control", "+io");
	char *path = scratch_text("%s/io.weight", root);
	bool has = access(path, F_OK) == 0;
	free(path);
	return has;
}

static void the_weight_of_io_is_in_its_file(void **state)
{
	(void)state;
	if (!kernel_has_io_weight()) {
		print_message("skipped: the kernel of this guest has no io.weight (it lacks "
			      "CONFIG_BLK_CGROUP_IOCOST)\n");
		skip();
	}
	cgroup.io_weight = 50;
	use("keep", "1");
	launch();
	expect_line("io.weight", "default 50\n");
}

static void a_file_that_the_kernel_lacks_is_named(void **state)
{
	(void)state;
	if (kernel_has_io_weight()) {
		print_message("skipped: the kernel of this guest lacks none of the files\n");
		skip();
	}
	cgroup.io_weight = 50;
	use("keep", "1");
	family_connector(&f);
	expect_refused(OB_ENOTSUP, "io.weight");
}

static void processes_in_the_parent_are_named(void **state)
{
	(void)state;
	pid_t pid = v2_run(root, "exec sleep 1000");
	while (v2_count(root) == 0) {
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	}
	cgroup.memory_max = 8 * MIB;
	use("keep", "1");
	family_connector(&f);
	char *wanted = scratch_text("memory.max: the controller memory cannot be enabled for the "
				    "cgroups below %s, since there are processes in it: ",
				    root);
	expect_refused(OB_EBUSY, wanted);
	free(wanted);
	/* Without limits it does not matter. */
	cgroup.memory_max = 0;
	ob_connector_close(f.connector);
	launch();
	assert_int_equal(ob_connector_stop(f.connector, 0, NULL, NULL), OB_OK);
	assert_int_equal(v2_write(root, "cgroup.kill", "1"), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int count_in_leaf(void)
{
	char *leaf = scratch_text("%s/outboard-supervisor", root);
	int count = v2_count(leaf);
	free(leaf);
	return count;
}

/* Its own cgroup is the parent: it moves itself into a leaf, once. */
static void a_parent_moves_itself_into_a_leaf(void **state)
{
	(void)state;
	cgroup.parent = NULL;
	cgroup.pids_max = 9;
	use("keep", "1");
	assert_int_equal(v2_write(root, "cgroup.procs", "0"), 0);
	for (int i = 0; i < 2; i++) {
		launch();
		assert_int_equal(count_in_leaf(), 1);
		assert_int_equal(v2_count(root), 0);
		char *path = v2_only(root, "outboard-actor-");
		assert_non_null(path);
		assert_int_equal(v2_count(path), 1);
		free(path);
		assert_int_equal(ob_connector_stop(f.connector, 0, NULL, NULL), OB_OK);
		ob_connector_close(f.connector);
		f.connector = NULL;
	}
	assert_int_equal(v2_write(ROOT, "cgroup.procs", "0"), 0);
}

/* ---- An ordinary user ---- */

static int start_as_user(void)
{
	struct ob_error err = {0};
	struct ob_cgroup foreign = {.size = sizeof foreign, .parent = ROOT, .pids_max = 9};
	char *own = v2_make(); /* in what is delegated */
	if (own == NULL) {
		return 2;
	}
	cgroup = (struct ob_cgroup){.size = sizeof cgroup, .pids_max = 9};
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.ready = OB_READY_NONE;
	f.options.health_interval_ms = -1;
	f.options.cgroup = &foreign;
	use_shell("exec sleep 1000", NULL);
	if (ob_connector_options_check(f.runtime, &f.options, NULL, NULL, NULL) != OB_OK) {
		return 3; /* that it cannot be made is no error of the options */
	}
	family_connector(&f);
	if (ob_connector_start(f.connector, 0, NULL, &err) != OB_EPERM ||
	    strstr(err.text, ROOT) == NULL) {
		fprintf(stderr, "not delegated: %s\n", err.text);
		return 4;
	}
	ob_connector_close(f.connector);
	f.options.cgroup = &cgroup;
	launch();
	int r = ob_connector_stop(f.connector, 0, NULL, &err);
	if (r < 0) {
		fprintf(stderr, "stop: %s\n", err.text);
	}
	family_end(&f);
	rmdir(own);
	return r == OB_OK ? 0 : 5;
}

static int be_user(const char *path)
{
	if (v2_write(path, "cgroup.procs", "0") != 0 || setgroups(0, NULL) < 0 ||
	    setgid(ORDINARY) < 0 || setuid(ORDINARY) < 0) {
		return 1;
	}
	return start_as_user();
}

static void delegate(const char *file)
{
	char *path = scratch_text("%s/%s", root, file);
	assert_int_equal(chown(path, ORDINARY, ORDINARY), 0);
	free(path);
}

static void an_ordinary_user_has_what_is_delegated(void **state)
{
	(void)state;
	int status = -1;
	pid_t pid;
	char *scratch = scratch_make(), *tmp = scratch_text("TMPDIR=%s", scratch);
	char *plugins =
	    scratch_text("OUTBOARD_PLUGIN_PATH=%s", scratch_env("OUTBOARD_PLUGIN_PATH"));
	char *build = scratch_text("OB_TEST_BUILD=%s", scratch_env("OB_TEST_BUILD"));
	char *env[] = {tmp, plugins, build, (char *)(uintptr_t) "PATH=/bin:/usr/bin", NULL};
	char *argv[] = {program, (char *)(uintptr_t) "user", root, NULL};
	assert_int_equal(chown(scratch, ORDINARY, ORDINARY), 0);
	delegate(".");
	delegate("cgroup.procs");
	delegate("cgroup.subtree_control");
	assert_int_equal(posix_spawn(&pid, program, NULL, NULL, argv, env), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	free(plugins);
	free(build);
	free(tmp);
	scratch_remove(scratch);
}

/* ---- All of them ---- */

static bool has_controllers(void)
{
	char text[256] = "";
	FILE *file = fopen(ROOT "/cgroup.subtree_control", "re");
	bool good = file != NULL && fgets(text, sizeof text, file) != NULL &&
		    strstr(text, "memory") != NULL && strstr(text, "pids") != NULL &&
		    strstr(text, "cpu") != NULL;
	if (file != NULL) {
		fclose(file);
	}
	return good;
}

/* Only in a guest: the root of this machine is not ours. */
static int mount_all(void)
{
	if (getenv("OB_TEST_GUEST") == NULL) {
		printf("skipped: this is not a guest\n");
		return 77;
	}
	if (mount("cgroup2", ROOT, "cgroup2", 0, NULL) < 0 && errno != EBUSY) {
		printf("skipped: mounting cgroup v2: %s\n", strerror(errno));
		return 77;
	}
	(void)v2_write(ROOT, "cgroup.subtree_control", "+memory +pids +cpu");
	(void)v2_write(ROOT, "cgroup.subtree_control", "+io");
	if (!has_controllers()) {
		printf("skipped: the kernel of the guest lacks a controller\n");
		return 77;
	}
	return 0;
}

static int run_mode(int argc, char **argv)
{
	if (strcmp(argv[1], "user") == 0) {
		return argc > 2 ? be_user(argv[2]) : 2;
	}
	if (strcmp(argv[1], "bomb") == 0) {
		explode();
	}
	take_memory(strcmp(argv[1], "eat") == 0 ? 4096 : argc > 2 ? atol(argv[2]) : 0);
	for (;;) {
		pause();
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    TEST(limits_are_in_the_files),
	    TEST(memory_that_runs_out_is_named),
	    TEST(the_runner_of_one_that_was_killed_tells),
	    TEST(a_group_is_killed_as_a_whole),
	    TEST(what_it_uses_is_shown),
	    TEST(more_processes_than_allowed_are_refused),
	    TEST(a_fork_bomb_is_stopped),
	    TEST(the_weight_of_io_is_in_its_file),
	    TEST(a_file_that_the_kernel_lacks_is_named),
	    TEST(processes_in_the_parent_are_named),
	    TEST(a_parent_moves_itself_into_a_leaf),
	    TEST(an_ordinary_user_has_what_is_delegated),
	};
	if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) {
		return 1;
	}
	if (argc > 1) {
		return run_mode(argc, argv);
	}
	(void)setenv("OB_TEST_PATIENCE", "5", 0); /* memory that runs out takes a guest long */
	int r = mount_all();
	return r != 0 ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
